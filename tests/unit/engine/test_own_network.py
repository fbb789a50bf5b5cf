"""The user's own network: what it may be, how it is held, trained and rebuilt."""

from __future__ import annotations

import os
import pickle
import random
import sys
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest

from sktextcnn.engine import own_network
from sktextcnn.engine.engines import open_network
from sktextcnn.engine.examples import State
from sktextcnn.engine.observers import Observer
from sktextcnn.text.tokens import TokenIds
from tests.examples import same_weights as same
from tests.keras_training import IDS, N_LABELS, N_TOKENS, N, learn
from tests.processes import run_python

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

LENGTH = 12
SIZES = own_network.Sizes(
    n_tokens=N_TOKENS,
    n_labels=N_LABELS,
    max_length=LENGTH,
    embedding_dim=6,
    filters=4,
    kernel_sizes=(1, 3),
    hidden_units=None,
    dropout=0.3,
)


def lstm(n_tokens, n_labels, embedding_dim, dropout):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(n_tokens, embedding_dim, mask_zero=True)(ids)
    x = keras.layers.LSTM(4, dropout=dropout)(x)
    return keras.Model(ids, keras.layers.Dense(n_labels)(keras.layers.Dropout(dropout)(x)))


@keras.saving.register_keras_serializable(package="tests")
class Position(keras.layers.Layer):
    """Adds a vector for each position."""

    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], initializer="random_normal")

    def call(self, x):
        return x + self.table


def attention(n_labels, n_tokens, max_length, filters):
    """A small network of attention, with ops and a layer of the user's own."""
    ids = keras.Input((max_length,), dtype="int32")
    x = Position()(keras.layers.Embedding(n_tokens, filters)(ids))
    is_token = keras.ops.not_equal(ids, 0)
    mask = keras.ops.expand_dims(is_token, 1)
    # An empty text attends to its first position.
    first = keras.ops.expand_dims(keras.ops.arange(max_length) == 0, 0)
    mask = keras.ops.logical_or(mask, keras.ops.expand_dims(first, 0))
    x = x + keras.layers.MultiHeadAttention(2, 3)(x, x, attention_mask=mask)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(ids, keras.layers.Dense(n_labels)(keras.layers.GlobalAveragePooling1D()(x)))


@keras.saving.register_keras_serializable(package="tests")
class Bag(keras.Model):
    """A subclass of Model: the mean of the vectors, kept in the constructor's form."""

    def __init__(self, n_tokens, n_labels, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"n_tokens": n_tokens, "n_labels": n_labels}
        self.embedding = keras.layers.Embedding(n_tokens, 5)
        self.drop = keras.layers.Dropout(0.2)
        self.out = keras.layers.Dense(n_labels)

    def call(self, ids, training=False):
        return self.out(self.drop(keras.ops.mean(self.embedding(ids), axis=1), training=training))

    def get_config(self):
        return {**super().get_config(), **self.sizes}


def sequential(**sizes):
    return keras.Sequential(
        [
            keras.layers.Embedding(sizes["n_tokens"], 4),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(sizes["n_labels"]),
        ]
    )


def with_lambda(n_tokens, n_labels):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Lambda(lambda x: 2 * x)(keras.layers.Embedding(n_tokens, 4)(ids))
    return keras.Model(ids, keras.layers.Dense(n_labels)(keras.layers.GlobalMaxPooling1D()(x)))


SAVEABLE = [lstm, attention, Bag, sequential]
#: TensorFlow takes seconds to compile steps of the first three.
EACH = [
    *(pytest.param(network, marks=pytest.mark.slow) for network in (lstm, attention, with_lambda)),
    *(Bag, sequential),
]
each = pytest.mark.parametrize("network", EACH, ids=lambda network: network.__name__)


def hold(network, seed=3, sizes=SIZES):
    return own_network.hold(network, sizes, seed=seed)


# -- training and predicting -------------------------------------------------------------------------


@each
def test_it_is_held_trained_and_run(network):
    before = random.getstate()
    held = hold(network)
    assert same(hold(network) | {"network": 0}, held | {"network": 0})
    assert not same(hold(network, seed=4) | {"network": 0}, held | {"network": 0})
    assert held["network_sizes"].tolist() == [N_TOKENS, LENGTH, N_LABELS]
    assert (held["network"].dtype == np.uint8) == (network in SAVEABLE)
    if network in SAVEABLE:
        own_network.check_saveable(held)

    watcher = Watcher()
    whole, history = learn(State(held), observers=[watcher], epochs=2, learning_rate=0.05)
    assert history["loss"][1] < history["loss"][0]
    assert whole.weights.keys() == held.keys()
    assert whole.weights["network"] is held["network"]
    again, _ = learn(watcher.states[0], epochs=1, learning_rate=0.05)
    assert same(again, whole)
    assert same(watcher.states[1], whole)
    assert random.getstate() == before

    logits = open_network(whole.weights)(IDS)
    assert (logits.shape, logits.dtype) == ((N, N_LABELS), np.float32)
    np.testing.assert_allclose(watcher.logits, logits, atol=1e-6)
    few = open_network(whole.weights)(IDS.take(np.arange(3, 5)))
    np.testing.assert_array_equal(few, logits[3:5])
    assert open_network(whole.weights)(IDS.take(np.arange(0))).shape == (0, N_LABELS)
    model = own_network.load_network(whole.weights)
    ids = np.zeros((N, LENGTH), np.int32)
    ids[:, : IDS.padded(0).shape[1]] = IDS.padded(0)
    np.testing.assert_allclose(model(ids, training=False), logits, atol=1e-5)


class Watcher(Observer):
    """Keeps the state after each epoch, and the logits after the last."""

    def __init__(self):
        self.states = []

    def end_epoch(self, epoch, logs, run):
        self.states.append(run.state())
        self.logits = run.open_network()(IDS)


def test_what_is_run_follows_the_weights():
    """The two networks that were run last are kept, and none is taken for another."""
    held = [hold(sequential, seed=seed) for seed in range(3)]
    first = [own_network.compute_logits(weights, IDS) for weights in held]
    assert not np.array_equal(first[0], first[1])
    for weights, logits in zip(held, first, strict=True):
        np.testing.assert_array_equal(own_network.compute_logits(weights, IDS), logits)
    held[0]["network_2"] += 1.0  # in place
    np.testing.assert_allclose(own_network.compute_logits(held[0], IDS), first[0] + 1, atol=1e-6)


def test_longer_texts_are_truncated():
    held = hold(sequential, sizes=replace(SIZES, max_length=4))
    logits = own_network.compute_logits(held, IDS)
    np.testing.assert_array_equal(logits, own_network.compute_logits(held, IDS.truncated(4)))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        held = hold(lstm)
        state, history = learn(State(held))
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(history["loss"]).all()
    assert all(weight.dtype in ("float32", "int64", "uint8") for weight in state.weights.values())
    # Whatever the policy is now, the network keeps its own.
    model = own_network.load_network(state.weights)
    assert model.layers[1].compute_dtype == policy.removeprefix("mixed_")
    assert np.isfinite(own_network.compute_logits(state.weights, IDS)).all()


def test_the_table_of_embeddings_is_handed_over():
    table = np.random.default_rng(0).normal(size=(N_TOKENS, 3)).astype(np.float32)

    def network(embeddings, n_labels):
        start = keras.initializers.Constant(embeddings)
        layer = keras.layers.Embedding(*embeddings.shape, embeddings_initializer=start)
        pooled = keras.layers.GlobalMaxPooling1D()
        return keras.Sequential([layer, pooled, keras.layers.Dense(n_labels)])

    held = hold(network, sizes=replace(SIZES, embeddings=table))
    np.testing.assert_array_equal(held["network_0"], table)


# -- holding and saving ------------------------------------------------------------------------------


def test_an_archive_holds_no_weights():
    large = own_network.hold(sequential, replace(SIZES, n_tokens=20_000), seed=0)
    assert large["network_0"].size == 80_000
    assert large["network"].size < 5_000


@pytest.mark.parametrize("network", [attention, with_lambda], ids=lambda network: network.__name__)
def test_pickles(network):
    state = State(hold(network))
    logits = own_network.compute_logits(state.weights, IDS)
    copy = pickle.loads(pickle.dumps(state))
    np.testing.assert_array_equal(own_network.compute_logits(copy.weights, IDS), logits)


class Unregistered(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable(package="tests")
class Forgetful(keras.layers.Layer):
    """Its configuration leaves something out, which no shape shows."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return super().get_config()


def with_layer(make, n_tokens, n_labels):
    ids = keras.Input((None,), dtype="int32")
    x = make()(keras.layers.Embedding(n_tokens, 4)(ids))
    return keras.Model(ids, keras.layers.Dense(n_labels)(keras.layers.GlobalMaxPooling1D()(x)))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (with_lambda, "The network cannot be saved: .*[Ll]ambda.* as such a layer"),
        (partial(with_layer, Unregistered), "cannot be saved: The network uses Unregistered of "),
        (partial(with_layer, partial(Forgetful, factor=3.0)), "Loaded again, it gives other outputs"),
    ],
    ids=["Lambda", "unregistered", "forgetful"],
)
def test_what_cannot_be_saved_works_and_says_so(network, message):
    held = hold(network)
    model = own_network.build_own(network, SIZES, seed=3)
    ids = np.zeros((2, LENGTH), np.int32)
    ids[0, :3] = [1, 5, 7]
    expected = np.asarray(model(ids, training=False))
    texts = TokenIds(np.array([1, 5, 7], np.int32), np.array([0, 3, 3]))
    np.testing.assert_allclose(own_network.compute_logits(held, texts), expected, atol=1e-6)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        own_network.check_saveable(held)


ELSEWHERE = """
import pickle, sys
from sktextcnn.engine.engines import open_network

with open(sys.argv[1], "rb") as file:
    weights, ids, logits = pickle.load(file)
try:
    open_network(weights)(ids)
except ValueError as error:
    print(error)
__import__(sys.argv[2])
print(abs(open_network(weights)(ids) - logits).max() < 1e-6)
"""


@pytest.mark.slow
def test_another_process_rebuilds_it_once_its_classes_are_known(tmp_path):
    held = hold(attention)
    path = tmp_path / "held"
    path.write_bytes(pickle.dumps((held, IDS, own_network.compute_logits(held, IDS))))
    # The folder of this file, where `test_own_network` is found by its name.
    folders = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    refused, found = run_python(
        ELSEWHERE, path, "test_own_network", PYTHONPATH=folders
    ).stdout.splitlines()
    unknown = "The network uses Position of test_own_network, not known to Keras in this process."
    assert refused.startswith(unknown)
    assert found == "True"


def test_a_network_that_has_changed_is_refused():
    held = hold(sequential)
    held["network_0"] = held["network_0"][:-1]
    with pytest.raises(ValueError, match=r"The network's weights have the shapes .* Fit again"):
        own_network.compute_logits(held, IDS)


# -- what is refused ---------------------------------------------------------------------------------


def model_of(outputs, shape=(None,), dtype="int32", n_inputs=1):
    """A function that builds a network which ends in what `outputs` makes of its features."""

    def network(n_tokens, n_labels):
        inputs = [keras.Input(shape, dtype=dtype) for _ in range(n_inputs)]
        x = keras.layers.Embedding(n_tokens, 4)(inputs[0])
        x = keras.ops.max(keras.ops.reshape(x, (-1, LENGTH, 4)), axis=1)
        return keras.Model(inputs if n_inputs > 1 else inputs[0], outputs(x, n_labels))

    return network


def dense(x, n_labels, **options):
    return keras.layers.Dense(n_labels, name="last", **options)(x)


def nan_for_empty(n_tokens, n_labels):
    ids = keras.Input((None,), dtype="int32")
    mask = keras.ops.cast(keras.ops.expand_dims(ids != 0, 2), "float32")
    x = keras.ops.sum(keras.layers.Embedding(n_tokens, 4)(ids) * mask, axis=1)
    return keras.Model(ids, keras.layers.Dense(n_labels)(x / keras.ops.sum(mask, axis=1)))


class Broken(keras.Model):
    def __init__(self, n_tokens):
        super().__init__()

    def call(self, ids):
        raise RuntimeError("out of order")


REFUSED = {
    "a model": (
        lambda: keras.Sequential([keras.layers.Dense(1)]),
        TypeError,
        "network=<Sequential .*; expected a function that builds",
    ),
    "None": (
        lambda: lambda n_tokens: None,
        TypeError,
        "network.. returned None; expected a keras.Model",
    ),
    "an unknown argument": (
        lambda: lambda n_tokens, width: None,
        TypeError,
        "needs the argument 'width', which it is not given. It can name n_tokens, n_labels, .*partial",
    ),
    "two inputs": (lambda: model_of(dense, n_inputs=2), ValueError, "has 2 inputs; expected one"),
    "another length": (
        lambda: model_of(dense, shape=(7,)),
        ValueError,
        r"input of shape \(None, 7\); expected \(n, T\), with T None or max_length=12",
    ),
    "three axes": (
        lambda: model_of(dense, shape=(None, 4)),
        ValueError,
        r"input of shape \(None, None, 4\); expected \(n, T\)",
    ),
    "floats for ids": (
        lambda: model_of(dense, dtype="float32"),
        ValueError,
        "input of dtype float32; expected int32",
    ),
    "a label too many": (
        lambda: model_of(lambda x, k: dense(x, k + 1)),
        ValueError,
        r"outputs of shape \(4, 4\); expected \(4, 3\), a logit for each of 3 labels",
    ),
    "a vector": (
        lambda: model_of(lambda x, k: keras.ops.max(x, axis=1)),
        ValueError,
        r"outputs of shape \(4,\)",
    ),
    "two outputs": (lambda: model_of(lambda x, k: [x, x]), ValueError, "has 2 outputs in a list"),
    "named outputs": (lambda: model_of(lambda x, k: {"a": x}), ValueError, "has 1 outputs in a dict"),
    "whole numbers": (
        lambda: model_of(lambda x, k: keras.ops.cast(dense(x, k), "int32")),
        ValueError,
        "outputs of dtype int32; expected floats",
    ),
    "sigmoid": (
        lambda: model_of(lambda x, k: dense(x, k, activation="sigmoid")),
        ValueError,
        "gives probabilities: its last layer, 'last', has activation='sigmoid'",
    ),
    "softmax": (
        lambda: model_of(lambda x, k: keras.ops.softmax(dense(x, k))),
        ValueError,
        "whatever its weights, all outputs .* lie between 0 and 1 and add up to 1",
    ),
    "sigmoid as an operation": (
        lambda: model_of(lambda x, k: keras.ops.sigmoid(dense(x, k))),
        ValueError,
        "gives probabilities: whatever its weights, all outputs for a few texts lie between 0 and 1",
    ),
    "nothing to average": (
        lambda: nan_for_empty,
        ValueError,
        r"gives \[nan nan nan\] for a text of 0 tokens",
    ),
    "an error": (lambda: Broken, ValueError, r"fails on int32 ids of shape \(4, 12\): .*out of order"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_bad_networks_are_refused(what):
    make, kind, message = REFUSED[what]
    with pytest.raises(kind, match=f"(?s){message}"):
        hold(make())


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_initializer": "zeros"},
        {"kernel_initializer": "zeros", "bias_initializer": keras.initializers.Constant(0.5)},
        {"activation": "tanh"},
    ],
    ids=["zeros", "a positive bias", "tanh"],
)
def test_logits_are_not_taken_for_probabilities(options):
    one_label = replace(SIZES, n_labels=1)
    held = hold(model_of(lambda x, k: dense(x, k, **options)), sizes=one_label)
    logits = own_network.compute_logits(held, IDS)
    assert logits.shape == (N, 1)
    if "kernel_initializer" in options:  # looking for probabilities has left the weights alone
        assert (logits == (0.5 if len(options) > 1 else 0)).all()
