"""The network in Keras' layers, against NumPy; initial weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special
from scipy.sparse import csr_matrix

from sktextcnn.engine import inference, network
from sktextcnn.engine.weights import initial_weights, prior_logits
from sktextcnn.linear.features import learn_ngrams
from sktextcnn.linear.part import LinearPart
from sktextcnn.text.tokens import TokenIds
from tests.strategies import examples_up_to

few = examples_up_to(25)


def as_ids(texts):
    """Lists of ids as `TokenIds`."""
    flat = [token for text in texts for token in text]
    return TokenIds(np.array(flat, np.int32), np.cumsum([0, *map(len, texts)]))


def draw_weights(rng, *, n_tokens=9, dim=5, filters=3, kernel_sizes=(1, 2), n_labels=4, hidden=None):
    """Weights with nothing at zero but the padding's vector."""
    weights = initial_weights(
        rng,
        n_tokens=n_tokens,
        n_labels=n_labels,
        embedding_dim=dim,
        kernel_sizes=kernel_sizes,
        filters=filters,
        hidden_units=hidden,
        output_bias=rng.normal(size=n_labels),
    )
    for name, weight in weights.items():
        weights[name] = (weight + rng.normal(0, 0.5, weight.shape)).astype(np.float32)
    weights["embedding"][0] = 0.0
    return weights


# -- Keras -------------------------------------------------------------------------------------------


@pytest.fixture(params=["floatx=float64", "floatx=float16", "policy=mixed_float16", "policy=float64"])
def other_precision(request):
    """Another global precision than Keras' default, put back afterwards."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    what, name = request.param.split("=")
    if what == "floatx":
        keras.config.set_floatx(name)
    else:
        keras.config.set_dtype_policy(name)
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def assert_keras_model_agrees(kernel_sizes, hidden, exclusive):
    rng = np.random.default_rng(11)
    weights = draw_weights(rng, kernel_sizes=kernel_sizes, hidden=hidden)
    ids = as_ids([[], [3], [1, 2], rng.integers(1, 11, 30).tolist(), [4, 4, 4]])
    model = network.build_network(weights, kernel_sizes=kernel_sizes, exclusive=exclusive)
    expected = inference.to_probabilities(inference.compute_logits(weights, ids), exclusive=exclusive)
    for extra in (0, 7):
        found = np.asarray(model(ids.padded(extra), training=False))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kernel_sizes", [(1,), (2,), (5, 1, 3)], ids=str)
@pytest.mark.parametrize("hidden", [None, 6])
@pytest.mark.parametrize("exclusive", [False, True])
def test_keras_model_gives_the_probabilities_of_inference(kernel_sizes, hidden, exclusive):
    assert_keras_model_agrees(kernel_sizes, hidden, exclusive)


def test_keras_model_does_not_depend_on_the_global_precision(other_precision):
    assert_keras_model_agrees((1, 3), 6, False)
    assert_keras_model_agrees((1, 3), None, True)


def test_weights_go_into_a_keras_model_and_come_back():
    rng = np.random.default_rng(0)
    weights = draw_weights(rng, kernel_sizes=(1, 3), hidden=6)
    model = network.build_network(weights, kernel_sizes=(1, 3), exclusive=False)
    found = network.get_weights(model)
    assert sorted(found) == sorted(weights)
    for name in weights:
        np.testing.assert_array_equal(found[name], weights[name])
    others = {name: weight + 1 for name, weight in weights.items()}
    network.set_weights(model, others)
    for name, weight in network.get_weights(model).items():
        np.testing.assert_array_equal(weight, others[name])


@pytest.mark.parametrize("mode", ["trainable", "static", "multichannel"])
def test_channels_are_layers_that_learn_or_not(mode):
    rng = np.random.default_rng(3)
    weights = draw_weights(rng, dim=6, kernel_sizes=(1, 3), hidden=6)
    options = {"kernel_sizes": (1, 3), "exclusive": None, "embedding_mode": mode}
    model = network.build_network(weights, **options)
    ids = as_ids([[], [3], [1, 2], rng.integers(1, 11, 30).tolist()])
    logits = np.asarray(model(ids.padded(0), training=False))
    np.testing.assert_allclose(logits, inference.compute_logits(weights, ids), atol=1e-5)
    found = network.get_weights(model)
    assert sorted(found) == sorted(weights)
    for name in weights:
        np.testing.assert_array_equal(found[name], weights[name])
    learning = {v.path.split("/")[0] for v in model.trainable_variables if "embedding" in v.path}
    assert learning == (set() if mode == "static" else {"embedding"})
    frozen = {v.path.split("/")[0] for v in model.non_trainable_variables if "embedding" in v.path}
    expected = {"trainable": set(), "static": {"embedding"}, "multichannel": {"embedding_static"}}
    assert frozen == expected[mode]


def test_the_vector_of_padding_gets_no_gradient():
    """Even if it is not zero, and even if texts are shorter than the kernels."""
    weights = draw_weights(np.random.default_rng(4), kernel_sizes=(2, 4))
    model = network.build_network(weights, kernel_sizes=(2, 4), exclusive=None)
    ids = as_ids([[], [3], [1, 2]]).padded(0)
    expected = np.asarray(model(ids, training=False))
    network.set_weights(model, {**weights, "embedding": weights["embedding"] + np.eye(11, 5)})
    weights["embedding"] = weights["embedding"] + np.eye(11, 5, dtype=np.float32)
    weights["embedding"][0] = 0
    clean = network.build_network(weights, kernel_sizes=(2, 4), exclusive=None)
    np.testing.assert_allclose(model(ids, training=False), clean(ids, training=False), atol=1e-6)
    assert expected.shape == (3, 4)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(ids, training=True) ** 2)
    gradient = tf.convert_to_tensor(tape.gradient(loss, model.get_layer("embedding").embeddings.value))
    assert not gradient[0].numpy().any()
    assert gradient[1:4].numpy().any(axis=1).all()


def test_the_linear_part_follows_any_network():
    rng = np.random.default_rng(8)
    ids = as_ids([rng.integers(1, 11, length).tolist() for length in (0, 3, 9, 5, 12, 7)])
    ngrams, features = learn_ngrams(ids, (1, 2), (2, 3), vocabulary="bcdefghij")
    kernel = rng.normal(size=(features.shape[1], 4)).astype(np.float32)
    bias, blend = rng.normal(size=4).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
    linear = LinearPart(ngrams, csr_matrix(kernel), bias, blend)
    inputs = keras.Input((None,), dtype="int32")
    rows = keras.layers.Embedding(11, 3)(inputs)
    own = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.GlobalMaxPooling1D()(rows)))
    matrix = ids.padded(0)
    logits = np.asarray(own(matrix, training=False))
    whole = network.finish(inputs, own(inputs), linear, exclusive=True)
    expected = inference.to_probabilities(linear.add_to(logits, ids), exclusive=True)
    np.testing.assert_allclose(whole(matrix, training=False), expected, atol=1e-5)


# -- initial weights ---------------------------------------------------------------------------------


@few
@given(counts=arrays(np.int64, st.integers(1, 6), elements=st.integers(0, 50)), extra=st.integers(0, 20))
def test_prior_logits_predict_the_frequencies(counts, extra):
    n = int(counts.max()) + extra
    independent = prior_logits(counts, n, exclusive=False)
    np.testing.assert_allclose(special.expit(independent), (counts + 0.5) / (n + 1), rtol=1e-9)
    exclusive = prior_logits(counts, n, exclusive=True)
    shares = (counts + 0.5) / (counts + 0.5).sum()
    np.testing.assert_allclose(special.softmax(exclusive), shares, rtol=1e-9)


def test_initial_weights_have_the_documented_names_and_shapes():
    def draw(seed, sizes=(3, 1), hidden=7):
        return initial_weights(
            np.random.default_rng(seed),
            n_tokens=500,
            n_labels=2,
            embedding_dim=16,
            kernel_sizes=sizes,
            filters=5,
            hidden_units=hidden,
            output_bias=np.array([-1.0, 2.0]),
        )

    weights = draw(0)
    assert {name: weight.shape for name, weight in weights.items()} == {
        "embedding": (502, 16),
        "convolution_1_kernel": (1, 16, 5),
        "convolution_1_bias": (5,),
        "convolution_3_kernel": (3, 16, 5),
        "convolution_3_bias": (5,),
        "hidden_kernel": (10, 7),
        "hidden_bias": (7,),
        "output_kernel": (7, 2),
        "output_bias": (2,),
    }
    assert {weight.dtype for weight in weights.values()} == {np.dtype(np.float32)}
    assert not weights["embedding"][0].any()
    assert weights["embedding"][1:].any(axis=1).all()
    assert 0.09 < weights["embedding"].std() < 0.11
    np.testing.assert_array_equal(weights["output_bias"], [-1.0, 2.0])
    for name in ("convolution_1_bias", "convolution_3_bias", "hidden_bias"):
        assert not weights[name].any()
    limit = np.sqrt(6 / (3 * (16 + 5)))
    assert 0.9 * limit < np.abs(weights["convolution_3_kernel"]).max() <= limit

    for name, weight in draw(0, sizes=(1, 3)).items():  # the order of the widths means nothing
        np.testing.assert_array_equal(weight, weights[name])
    assert (draw(1)["embedding"] != weights["embedding"]).any()
    assert not any(name.startswith("hidden") for name in draw(0, hidden=None))
    assert draw(0, hidden=None)["output_kernel"].shape == (10, 2)
