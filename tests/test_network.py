"""The network: folded and textbook form against each other and against plain NumPy; losses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from sktextcnn import TextCNNClassifier
from sktextcnn.engine import inference, network
from sktextcnn.text import TokenIds
from sktextcnn.engine.weights import fold, initial_weights, prior_logits, unfold

EXCLUSIVE = ["categorical_crossentropy", "kl_divergence"]
few = settings(max_examples=25, deadline=None, derandomize=True)


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


def reference_features(weights, texts, kernel_sizes, upstream):
    """Features in float64, text by text, window by window; and the gradients of their weighted sum.

    Also returns the smallest distance to a tie: between the best two different windows, or between
    a feature and the kink of the ReLU.
    """
    w = {name: weight.astype(np.float64) for name, weight in weights.items()}
    gradients = {name: np.zeros_like(weight) for name, weight in w.items()}
    columns, margin, column = [], np.inf, 0
    for size in sorted(kernel_sizes):
        kernel, bias = f"convolution_{size}_kernel", f"convolution_{size}_bias"
        for f in range(w[bias].size):
            values = []
            for row, text in enumerate(texts):
                tokens = [*text, *[0] * size]
                windows = {tuple(tokens[t : t + size]) for t in range(max(len(text) - size + 1, 1))}
                scored = sorted(
                    (sum(w["embedding"][v] @ w[kernel][j, :, f] for j, v in enumerate(window)), window)
                    for window in windows
                )
                best, winner = scored[-1]
                if len(scored) > 1:
                    margin = min(margin, best - scored[-2][0])
                value = best + w[bias][f]
                margin = min(margin, abs(value))
                values.append(max(value, 0.0))
                if value > 0:
                    g = upstream[row, column]
                    gradients[bias][f] += g
                    for j, v in enumerate(winner):
                        gradients["embedding"][v] += g * w[kernel][j, :, f]
                        gradients[kernel][j, :, f] += g * w["embedding"][v]
            columns.append(values)
            column += 1
    return np.array(columns).T, gradients, margin


@few
@given(
    seed=st.integers(0, 2**32 - 1),
    kernel_sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True).map(tuple),
    dim=st.integers(1, 6),
    filters=st.integers(1, 4),
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6),
)
def test_folded_features_and_gradients_match_the_plain_ones(seed, kernel_sizes, dim, filters, lengths):
    rng = np.random.default_rng(seed)
    weights = draw_weights(rng, dim=dim, filters=filters, kernel_sizes=kernel_sizes)
    n_features = len(kernel_sizes) * filters
    # An output layer that lets the features through.
    weights["output_kernel"] = np.eye(n_features, dtype=np.float32)
    weights["output_bias"] = np.zeros(n_features, np.float32)
    texts = [rng.integers(1, 11, length).tolist() for length in lengths]
    upstream = rng.normal(size=(len(texts), n_features)).astype(np.float32)
    expected, expected_gradients, margin = reference_features(weights, texts, kernel_sizes, upstream)
    assume(margin > 1e-4)

    ids = as_ids(texts)
    rows = tf.constant(weights["embedding"])
    dense = {name: tf.constant(w) for name, w in fold(weights, kernel_sizes).items()}
    with tf.GradientTape() as tape:
        tape.watch([rows, dense])
        features = network.compute_logits(
            rows,
            dense,
            tf.constant(ids.padded(max(kernel_sizes) - 1)),
            tf.constant(ids.lengths, tf.int32),
            kernel_sizes=kernel_sizes,
        )
        total = tf.reduce_sum(features * upstream)
    row_gradient, gradients = tape.gradient(total, [rows, dense])

    np.testing.assert_allclose(features, expected, atol=1e-5)
    gradients = {name: gradient.numpy() for name, gradient in gradients.items()}
    found = {"embedding": row_gradient, **unfold(gradients, kernel_sizes)}
    for name in expected_gradients:
        if name == "embedding":  # what reaches the padding's vector is discarded by training
            pairs = found[name][1:], expected_gradients[name][1:]
        elif name.startswith("convolution"):
            pairs = found[name], expected_gradients[name]
        else:
            continue
        np.testing.assert_allclose(*pairs, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kernel_sizes", [(1,), (3,), (4, 1, 2)], ids=str)
@pytest.mark.parametrize("hidden", [None, 6])
def test_logits_in_tensorflow_match_those_in_numpy(kernel_sizes, hidden):
    rng = np.random.default_rng(7)
    weights = draw_weights(rng, kernel_sizes=kernel_sizes, hidden=hidden)
    ids = as_ids([[], [3], [1, 2], rng.integers(1, 11, 20).tolist(), [4, 4, 4]])
    tokens, local = np.unique(ids.padded(max(kernel_sizes) - 1), return_inverse=True)
    logits = network.compute_logits(
        tf.constant(weights["embedding"][tokens]),
        {name: tf.constant(w) for name, w in fold(weights, kernel_sizes).items()},
        tf.constant(local.reshape(len(ids), -1).astype(np.int32)),
        tf.constant(ids.lengths.astype(np.int32)),
        kernel_sizes=kernel_sizes,
    )
    np.testing.assert_allclose(logits, inference.compute_logits(weights, ids), atol=1e-5)


def test_window_maxima_by_hand():
    # Two tokens, width 2, one filter: window (a, b) is worth table[2 a] + table[2 b + 1].
    table = tf.constant([[0.0], [0.0], [1.0], [10.0], [2.0], [20.0]])
    ids = tf.constant([[1, 2, 1, 0], [2, 0, 0, 0], [0, 0, 0, 0]])
    with tf.GradientTape() as tape:
        tape.watch(table)
        maxima = network.window_maxima(table, ids, tf.constant([3, 1, 0]), (2,))
    np.testing.assert_array_equal(maxima, [[21.0], [2.0], [0.0]])
    gradient = tape.gradient(maxima, table)
    # (1, 2) wins the first text, (2, padding) the second, (padding, padding) the third.
    np.testing.assert_array_equal(gradient[:, 0], [1.0, 2.0, 1.0, 0.0, 1.0, 1.0])


@given(
    numbers=st.lists(
        st.floats(-(2.0**99), 2.0**99, width=32) | st.sampled_from([0.0, 1.0, -1.0]),
        min_size=24,
        max_size=24,
    ),
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
)
def test_packed_maxima_are_the_same(numbers, lengths, seed):
    """Bit by bit, ties included: the first of equal windows wins."""
    # A zero that is less than another only by its sign, the one difference there is.
    numbers = [number + 0.0 for number in numbers]
    table = tf.constant(numbers, shape=(12, 2))  # four tokens, three slices, two filters
    ids = tf.constant(np.random.default_rng(seed).integers(0, 4, (len(lengths), 5)).astype(np.int32))
    found = []
    for packed in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(table)
            maxima = network.window_maxima(table, ids, tf.constant(lengths), (1, 2), packed=packed)
        found.append((maxima.numpy(), tape.gradient(maxima, table).numpy()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_a_negative_maximum_is_not_beaten_by_padding():
    table = tf.constant([[0.0], [-1.0], [-2.0]])
    maxima = network.window_maxima(table, tf.constant([[2, 1, 0, 0]]), tf.constant([2]), (1,))
    np.testing.assert_array_equal(maxima, [[-1.0]])


# -- dropout -----------------------------------------------------------------------------------------


def transparent(n_tokens, dim, **rates):
    """Logits of one text per token, and of one more of the last token, in a network that copies ones."""
    eye = np.eye(dim, dtype=np.float32)
    zeros = tf.zeros(dim)
    return network.compute_logits(
        tf.ones((n_tokens, dim)),
        {
            "convolution_kernel": tf.constant(eye),
            "convolution_bias": zeros,
            "output_kernel": tf.constant(eye),
            "output_bias": zeros,
        },
        tf.constant([*range(n_tokens), n_tokens - 1])[:, None],
        tf.ones(n_tokens + 1, tf.int32),
        kernel_sizes=(1,),
        **rates,
    ).numpy()


def test_embedding_dropout_is_shared_by_the_occurrences_of_a_token():
    seed = tf.constant([3, 5])
    values = transparent(60, 40, embedding_dropout=0.25, seed=seed)
    np.testing.assert_array_equal(values[-1], values[-2])
    kept = values > 0
    np.testing.assert_allclose(values[kept], 1 / 0.75, rtol=1e-6)
    assert 0.70 < kept.mean() < 0.80
    assert not (kept == kept[0]).all()  # but not by different tokens


def test_dropout_differs_from_text_to_text():
    values = transparent(60, 40, dropout=0.5, seed=tf.constant([3, 5]))
    assert (values[-1] != values[-2]).any()
    assert set(values.ravel().tolist()) == {0.0, 2.0}
    assert 0.45 < (values > 0).mean() < 0.55


def test_dropout_draws_from_its_seed_alone():
    rates = {"embedding_dropout": 0.3, "dropout": 0.3}
    first = transparent(10, 8, **rates, seed=tf.constant([0, 1]))
    np.testing.assert_array_equal(first, transparent(10, 8, **rates, seed=tf.constant([0, 1])))
    assert (first != transparent(10, 8, **rates, seed=tf.constant([0, 2]))).any()
    assert (first != transparent(10, 8, **rates, seed=tf.constant([1, 1]))).any()


def test_without_a_seed_nothing_is_dropped():
    values = transparent(10, 8, embedding_dropout=0.5, dropout=0.5)
    np.testing.assert_array_equal(values, 1.0)


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


@pytest.fixture(scope="module")
def fitted():
    texts = ["read the news", "read machine learning news", "the child", "", "learning the machine"]
    labels = [["child", "press"], ["data", "press"], ["child"], [], ["data"]]
    clf = TextCNNClassifier(
        min_df=1,
        embedding_dim=8,
        filters=4,
        kernel_sizes=(1, 2),
        hidden_units=5,
        epochs=2,
        random_state=0,
    )
    return clf.fit(texts, labels), texts


def test_to_keras_agrees_with_predict_proba(fitted):
    clf, texts = fitted
    rows = [[clf.vocabulary_[token] + 2 for token in text.split()] for text in texts]
    found = clf.to_keras()(as_ids(rows).padded(0))
    np.testing.assert_allclose(found, clf.predict_proba(texts), atol=1e-5)


# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_saved_keras_model_loads_again(fitted, tmp_path):
    clf, _ = fitted
    model = clf.to_keras()
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    ids = as_ids([[], [2], [3, 4, 5, 2], [1, 1, 1]]).padded(2)
    np.testing.assert_array_equal(np.asarray(loaded(ids)), np.asarray(model(ids)))
    assert loaded.get_layer("convolution_2").get_weights()[0].shape == (2, 8, 4)


def test_a_keras_model_can_be_trained_on(fitted):
    clf, _ = fitted
    model = clf.to_keras()
    model.compile(optimizer="sgd", loss="binary_crossentropy", run_eagerly=True)
    ids, y = as_ids([[2, 3], [4], []]).padded(1), np.eye(3, dtype=np.float32)
    before = model.evaluate(ids, y, verbose=0)
    model.fit(ids, y, epochs=2, verbose=0)
    assert model.evaluate(ids, y, verbose=0) != before


# -- losses ------------------------------------------------------------------------------------------


def plain_loss(name, z, y):
    """The textbook formula of each loss, per (text, label), in float64."""
    p = special.expit(z)
    if name == "binary_crossentropy":
        return -(y * special.log_expit(z) + (1 - y) * special.log_expit(-z))
    if name == "focal":
        return -(y * (1 - p) ** 2 * special.log_expit(z) + (1 - y) * p**2 * special.log_expit(-z))
    if name == "asymmetric":
        shifted = np.clip(p - 0.05, 0, None)
        return -(y * special.log_expit(z) + (1 - y) * shifted**4 * np.log(1 - shifted))
    if name == "categorical_crossentropy":
        return -y * special.log_softmax(z, axis=1)
    assert name == "kl_divergence"
    share = y / np.maximum(y.sum(axis=1, keepdims=True), 1)
    return special.rel_entr(share, special.softmax(z, axis=1))


@st.composite
def batches(draw):
    """Logits, targets, and the weights of 1s and of 0s."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 5)))
    z = draw(arrays(np.float32, shape, elements=st.floats(-20, 20, width=32)))
    y = draw(arrays(np.float32, shape, elements=st.sampled_from([0.0, 1.0])))
    weight = arrays(np.float32, shape[1], elements=st.floats(0.125, 4, width=32))
    return z, y, draw(weight), draw(weight)


def test_every_loss_is_tested_here():
    assert sorted(network.LOSSES) == sorted(
        ["binary_crossentropy", "focal", "asymmetric", "categorical_crossentropy", "kl_divergence"]
    )


@pytest.mark.parametrize("name", sorted(network.LOSSES))
@few
@given(batch=batches())
def test_losses_match_their_formulas(name, batch):
    z, y, on, off = batch
    if name == "categorical_crossentropy":
        y = np.eye(y.shape[1], dtype=np.float32)[y.argmax(axis=1)]
    expected = plain_loss(name, z.astype(np.float64), y.astype(np.float64))
    # Under softmax only the labels that a text carries add to its loss.
    expected *= np.where((y > 0) | np.full(y.shape, name in EXCLUSIVE), on, off)
    found = network.LOSSES[name](tf.constant(z), tf.constant(y), tf.constant(on), tf.constant(off))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "keras_loss"),
    [
        ("binary_crossentropy", keras.losses.binary_crossentropy),
        ("focal", keras.losses.binary_focal_crossentropy),
        ("categorical_crossentropy", keras.losses.categorical_crossentropy),
        ("kl_divergence", keras.losses.kl_divergence),
    ],
)
def test_losses_match_those_of_keras(name, keras_loss):
    z = np.random.default_rng(2).normal(0, 2, (6, 4)).astype(np.float32)
    y = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    activation = special.softmax(z, axis=1) if name in EXCLUSIVE else special.expit(z)
    found = network.LOSSES[name](z, y, np.ones(4, np.float32), np.ones(4, np.float32)).numpy()
    found = found.sum(axis=1) if name in EXCLUSIVE else found.mean(axis=1)
    np.testing.assert_allclose(found, keras_loss(y, activation), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", sorted(network.LOSSES))
def test_losses_and_gradients_are_finite_for_large_logits(name):
    z = tf.constant([[50.0, -50.0, 0.0], [-50.0, 50.0, 0.0], [50.0, 50.0, 50.0], [-50.0] * 3])
    one = tf.ones(3)
    for row in ([1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0] * 3, [1.0] * 3):
        y = tf.constant([row] * 4)
        with tf.GradientTape() as tape:
            tape.watch(z)
            losses = network.LOSSES[name](z, y, one, one)
        assert np.isfinite(losses).all()
        assert np.isfinite(tape.gradient(losses, z)).all()


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "kl_divergence"])
def test_a_wrong_and_certain_prediction_is_corrected(name):
    z, y = tf.constant([[-50.0, 50.0]]), tf.constant([[1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        losses = network.LOSSES[name](z, y, tf.ones(2), tf.ones(2))
    np.testing.assert_allclose(tape.gradient(losses, z), [[-1.0, 1.0]], atol=1e-6)


def test_a_text_without_label_adds_nothing_under_kl_divergence():
    z = tf.constant([[1.0, -2.0, 0.5]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        losses = network.LOSSES["kl_divergence"](z, tf.zeros((1, 3)), tf.ones(3), tf.ones(3))
    np.testing.assert_array_equal(losses, np.zeros((1, 3)))
    np.testing.assert_array_equal(tape.gradient(losses, z), np.zeros((1, 3)))


def test_asymmetric_loss_forgives_improbable_negatives():
    # expit(-3) = 0.047 lies under the margin of 0.05, expit(-2.9) = 0.052 above it.
    z, y = tf.constant([[-3.0, -2.9]]), tf.zeros((1, 2))
    losses = network.LOSSES["asymmetric"](z, y, tf.ones(2), tf.ones(2)).numpy()
    assert losses[0, 0] == 0.0
    assert losses[0, 1] > 0.0


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
