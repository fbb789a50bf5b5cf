"""The Keras engine: losses, agreement with the compiled engine, repeatability, callbacks, precision."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse, special

from sktextcnn.engine import compiled, inference, keras_engine, network
from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.observers import EarlyStopping, Observer, ValidationScore
from sktextcnn.engine.weights import initial_weights
from sktextcnn.text.tokens import TokenIds

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for: whenever a
# callback reads the learning rate or saves weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

EXCLUSIVE = ["categorical_crossentropy", "kl_divergence"]
N_TOKENS, N_LABELS, KERNEL_SIZES = 12, 3, (1, 3)

#: Twenty texts, the empty one and short ones among them.
LENGTHS = np.array([0, 1, 2, 9, 4, 7, 3, 3, 5, 1, 8, 6, 2, 4, 9, 5, 7, 3, 2, 6])
N = len(LENGTHS)
_rng = np.random.default_rng(5)
IDS = TokenIds(_rng.integers(1, N_TOKENS, LENGTHS.sum()).astype(np.int32), np.cumsum([0, *LENGTHS]))
TARGETS = (_rng.random((N, N_LABELS)) < 0.4).astype(int)


def examples(targets=TARGETS, ids=IDS, weighted=False):
    """All texts; `weighted`, with weights of texts and labels that are not 1, a 0 among them."""
    rng, shape = np.random.default_rng(6), targets.shape
    return Examples(
        ids=ids,
        targets=sparse.csr_matrix(targets),
        sample_weight=rng.integers(0, 4, shape[0]).astype(np.float32)
        if weighted
        else np.ones(shape[0], np.float32),
        label_weight=rng.uniform(0.5, 3, (2, shape[1])).astype(np.float32)
        if weighted
        else np.ones((2, shape[1]), np.float32),
    )


def start(hidden=None, n_channels=1, dim=6):
    table = np.random.default_rng(1).normal(0, 0.3, (N_TOKENS, dim)).astype(np.float32)
    table[0] = 0
    weights = initial_weights(
        np.random.default_rng(0),
        n_tokens=N_TOKENS - 2,
        n_labels=N_LABELS,
        embedding_dim=dim,
        kernel_sizes=KERNEL_SIZES,
        filters=4,
        hidden_units=hidden,
        output_bias=np.zeros(N_LABELS),
        embedding=table,
        n_channels=n_channels,
    )
    return State(weights)


DEFAULTS = Settings(
    kernel_sizes=KERNEL_SIZES,
    loss="binary_crossentropy",
    optimizer="adam",
    exclusive=False,
    learning_rate=0.01,
    decays=False,
    embedding_dropout=0.2,
    dropout=0.5,
    batch_size=6,  # four batches, the last of two
    epochs=2,
    seed=7,
)


def learn(state=None, given=None, *, callbacks=(), observers=(), **changes):
    """Train on the twenty texts with the Keras engine."""
    return keras_engine.train(
        state or start(),
        given or examples(),
        replace(DEFAULTS, **changes),
        observers=observers,
        keras_callbacks=lambda: [*callbacks],
    )


def same(a, b):
    a, b = (getattr(x, "weights", x) for x in (a, b))
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def learned():
    return learn()


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
def labelled_logits(draw):
    """Logits, targets, and the weights of 1s and of 0s."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 5)))
    z = draw(arrays(np.float32, shape, elements=st.floats(-20, 20, width=32)))
    y = draw(arrays(np.float32, shape, elements=st.sampled_from([0.0, 1.0])))
    weight = arrays(np.float32, shape[1], elements=st.floats(0.125, 4, width=32))
    return z, y, draw(weight), draw(weight)


def test_every_loss_is_tested_here():
    assert sorted(keras_engine.TENSORFLOW_LOSSES) == sorted(
        ["binary_crossentropy", "focal", "asymmetric", "categorical_crossentropy", "kl_divergence"]
    )


@pytest.mark.parametrize("name", sorted(keras_engine.TENSORFLOW_LOSSES))
@settings(max_examples=25)
@given(batch=labelled_logits())
def test_losses_match_their_formulas(name, batch):
    z, y, positive, negative = batch
    if name == "categorical_crossentropy":
        y = np.eye(y.shape[1], dtype=np.float32)[y.argmax(axis=1)]
    expected = plain_loss(name, z.astype(np.float64), y.astype(np.float64))
    # Under softmax only the labels that a text carries add to its loss.
    expected *= np.where((y > 0) | np.full(y.shape, name in EXCLUSIVE), positive, negative)
    found = keras_engine.TENSORFLOW_LOSSES[name](z, y, [positive, negative])
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)
    # And the same as a Keras loss: summed over labels, weighted, averaged over texts.
    weight = np.arange(len(z), dtype=np.float32)
    found = keras_engine.LabelLoss(name, [positive, negative])(y, z, weight)
    np.testing.assert_allclose(found, (expected.sum(axis=1) * weight).mean(), rtol=1e-4, atol=1e-4)


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
    one = np.ones(4, np.float32)
    found = keras_engine.TENSORFLOW_LOSSES[name](z, y, [one, one]).numpy()
    found = found.sum(axis=1) if name in EXCLUSIVE else found.mean(axis=1)
    np.testing.assert_allclose(found, keras_loss(y, activation), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", sorted(keras_engine.TENSORFLOW_LOSSES))
def test_losses_and_gradients_are_finite_for_large_logits(name):
    z = tf.constant([[50.0, -50.0, 0.0], [-50.0, 50.0, 0.0], [50.0, 50.0, 50.0], [-50.0] * 3])
    one = tf.ones(3)
    for row in ([1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0] * 3, [1.0] * 3):
        y = tf.constant([row] * 4)
        with tf.GradientTape() as tape:
            tape.watch(z)
            losses = keras_engine.TENSORFLOW_LOSSES[name](z, y, [one, one])
        assert np.isfinite(losses).all()
        assert np.isfinite(tape.gradient(losses, z)).all()


def test_a_text_without_label_adds_nothing_under_kl_divergence():
    z = tf.constant([[1.0, -2.0, 0.5]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        losses = keras_engine.TENSORFLOW_LOSSES["kl_divergence"](z, tf.zeros((1, 3)), tf.ones((2, 3)))
    np.testing.assert_array_equal(losses, np.zeros((1, 3)))
    np.testing.assert_array_equal(tape.gradient(losses, z), np.zeros((1, 3)))


# -- agreement with the compiled engine --------------------------------------------------------------

QUIET = {"optimizer": "sgd", "embedding_dropout": 0.0, "dropout": 0.0}


def for_loss(name):
    one_each = np.eye(N_LABELS, dtype=int)[TARGETS.argmax(axis=1)]
    targets = one_each if name == "categorical_crossentropy" else TARGETS
    return examples(targets, weighted=True), {"loss": name, "exclusive": name in EXCLUSIVE}


@pytest.mark.parametrize("name", sorted(keras_engine.TENSORFLOW_LOSSES))
@pytest.mark.parametrize("hidden", [None, 5])
def test_one_gradient_is_that_of_the_compiled_engine(name, hidden):
    """Of all texts in one batch: what one step of SGD with a rate of 1 takes away."""
    given, changes = for_loss(name)
    one_step = replace(DEFAULTS, **QUIET, **changes, batch_size=N, epochs=1, learning_rate=1.0)
    state = start(hidden)
    after, _ = compiled.train(state, given, one_step)
    model = network.build_network(state.weights, kernel_sizes=KERNEL_SIZES, exclusive=None)
    loss = keras_engine.LabelLoss(name, given.label_weight)
    with tf.GradientTape() as tape:
        logits = model(IDS.padded(0), training=True)
        value = loss(given.targets.toarray().astype(np.float32), logits, given.sample_weight)
    variables = model.trainable_variables
    gradients = tape.gradient(value, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign(tf.convert_to_tensor(gradient))
    for key, gradient in network.get_weights(model).items():
        found = state.weights[key] - after.weights[key]
        np.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", sorted(keras_engine.TENSORFLOW_LOSSES))
def test_ten_steps_are_those_of_the_compiled_engine(name):
    given, changes = for_loss(name)
    changes = {**QUIET, **changes, "learning_rate": 0.1, "batch_size": 4, "decays": True}
    theirs, their_history = compiled.train(start(5), given, replace(DEFAULTS, **changes))
    ours, history = learn(start(5), given, **changes)
    assert ours.step == theirs.step == 10
    assert ours.epoch == theirs.epoch == 2
    for key, weight in theirs.weights.items():
        np.testing.assert_allclose(ours.weights[key], weight, atol=1e-5, err_msg=key)
    np.testing.assert_allclose(history["loss"], their_history["loss"], rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_other_optimizers_agree_where_every_token_is_in_every_batch(optimizer):
    """Keras moves all rows of the embedding at every step, the compiled engine those that occur."""
    rows = [np.random.default_rng(i).permutation(np.arange(1, N_TOKENS)) for i in range(N)]
    flat = np.concatenate(rows).astype(np.int32)
    ids = TokenIds(flat, np.arange(N + 1) * (N_TOKENS - 1))
    changes = {**QUIET, "optimizer": optimizer}
    theirs, _ = compiled.train(start(), examples(ids=ids), replace(DEFAULTS, **changes))
    ours, _ = learn(given=examples(ids=ids), **changes)
    for key, weight in theirs.weights.items():
        np.testing.assert_allclose(ours.weights[key], weight, atol=1e-4, err_msg=key)


# -- repeatability -----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights(learned):
    state, history = learned
    again, its_history = learn()
    assert same(again, state)
    assert its_history["loss"] == history["loss"]
    assert not same(learn(seed=8)[0], state)
    assert {weight.dtype for weight in state.weights.values()} == {np.dtype(np.float32)}


def test_nothing_global_changes(learned):
    def look():
        return (
            random.getstate(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            keras.config.floatx(),
            keras.config.dtype_policy().name,
            tf.config.experimental.is_op_determinism_enabled()
            if hasattr(tf.config.experimental, "is_op_determinism_enabled")
            else None,
            dict(os.environ),
        )

    tf.random.set_seed(3)
    expected = [tf.random.uniform(()).numpy() for _ in range(2)]
    tf.random.set_seed(3)
    found, before = [tf.random.uniform(()).numpy()], look()
    state, _ = learn()
    assert look() == before
    found.append(tf.random.uniform(()).numpy())
    assert found == expected  # TensorFlow's own draws go on as if nothing had happened
    assert same(state, learned[0])  # nor does its seed tell on ours


def test_the_texts_are_let_go_of():
    """TensorFlow keeps something of every dataset made from a generator; not the texts."""
    learn()
    gc.collect()
    kept = [each for each in gc.get_objects() if isinstance(each, keras_engine._Batches)]
    assert all(len(batches) == 0 for batches in kept)


def test_the_start_is_left_alone():
    state = start()
    before = {name: weight.copy() for name, weight in state.weights.items()}
    learn(state)
    assert same(before, state.weights)
    assert state == State(state.weights)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_epochs_in_one_run_or_in_several_are_the_same(optimizer):
    whole, history = learn(optimizer=optimizer, epochs=3)
    parts, losses = start(), []
    for _ in range(3):
        parts, its_history = learn(parts, optimizer=optimizer, epochs=1)
        losses += its_history["loss"]
    assert same(parts, whole)
    assert losses == history["loss"]
    assert (parts.step, parts.epoch, parts.optimizer) == (12, 3, f"keras:{optimizer}")
    assert parts.slots.keys() == {"optimizer"}


def test_another_optimizer_starts_without_memory(learned):
    state, _ = learned
    fresh = State(state.weights, step=state.step, epoch=state.epoch)
    assert same(learn(state, optimizer="sgd")[0], learn(fresh, optimizer="sgd")[0])
    assert not same(learn(state)[0], learn(fresh)[0])


@pytest.mark.parametrize("what", ["dropout", "embedding_dropout"])
def test_dropout_is_in_use(learned, what):
    assert not same(learn(**{what: 0.0})[0], learned[0])


# -- the network -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["trainable", "static", "multichannel"])
def test_embedding_modes(mode):
    state = start(n_channels=2 if mode == "multichannel" else 1)
    after, _ = learn(state, embedding_mode=mode)
    table, before = after.weights["embedding"], state.weights["embedding"]
    assert table.shape == before.shape
    moved = (table != before).any(axis=0)
    assert moved.tolist() == [mode == "trainable" or (mode == "multichannel" and i >= 6)
                              for i in range(table.shape[1])]  # fmt: skip
    assert not table[0].any()
    assert not same(after.weights, state.weights)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_the_vector_of_padding_stays_zero(optimizer):
    after, _ = learn(optimizer=optimizer, learning_rate=0.1, kernel_sizes=KERNEL_SIZES)
    assert not after.weights["embedding"][0].any()
    assert np.isfinite(after.weights["embedding"]).all()


def test_adam_moves_rows_that_do_not_occur_in_a_batch():
    """One of the documented differences: its momentum goes on for tokens seen before."""
    state, _ = learn(epochs=1)
    one = examples(TARGETS[1:2], IDS.take(np.array([1])))
    after, _ = learn(state, one, epochs=1)
    moved = (after.weights["embedding"] != state.weights["embedding"]).any(axis=1)
    assert moved.sum() > 2


def test_the_loss_in_history_is_the_mean_of_a_text():
    """With nothing moving: the same for every batch size, and what the logits say."""
    still = {"learning_rate": 1e-30, "dropout": 0.0, "embedding_dropout": 0.0, "epochs": 1}
    given = examples(weighted=True)
    logits = inference.compute_logits(start().weights, IDS).astype(np.float64)
    expected = plain_loss("binary_crossentropy", logits, TARGETS)
    expected *= np.where(TARGETS == 1, *given.label_weight)
    expected = (expected.sum(axis=1) * given.sample_weight).mean()
    for batch_size in (6, N):
        _, history = learn(given=given, batch_size=batch_size, **still)
        np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)


def test_a_single_label_and_a_single_text():
    given = examples(TARGETS[3:4, :1], IDS.take(np.array([3])))
    weights = start().weights
    weights = {
        **weights,
        "output_kernel": weights["output_kernel"][:, :1],
        "output_bias": weights["output_bias"][:1],
    }
    state, history = learn(State(weights), given)
    assert state.step == 2
    assert np.isfinite(history["loss"]).all()


# -- observers ---------------------------------------------------------------------------------------


class Watcher(Observer):
    """Writes down what it is told, and may stop."""

    def __init__(self, stops_after=99):
        self.events, self.states, self.stops_after = [], [], stops_after

    def begin_epoch(self, epoch):
        self.events.append(("begin", epoch))

    def end_batch(self, n_texts):
        self.events.append(n_texts)

    def end_epoch(self, epoch, logs, run):
        self.events.append(("end", epoch, *logs))
        logs["seen"] = float(epoch)
        self.states.append(run.state())
        logits = run.compute_logits(IDS)
        expected = inference.compute_logits(self.states[-1].weights, IDS)
        np.testing.assert_array_equal(logits, expected)
        return epoch + 1 == self.stops_after


def test_observers_are_told_and_stop_training(learned):
    watcher = Watcher(stops_after=2)
    state, history = learn(observers=[watcher], epochs=5)
    sizes = [event for event in watcher.events if isinstance(event, int)]
    assert sorted(sizes) == sorted([6, 6, 6, 2] * 2)
    assert [event for event in watcher.events if not isinstance(event, int)] == [
        ("begin", 0),
        ("end", 0, "loss", "seconds"),
        ("begin", 1),
        ("end", 1, "loss", "seconds"),
    ]
    assert [*history] == ["loss", "seconds", "seen"]
    assert history["seen"] == [0.0, 1.0]
    assert state.epoch == 2
    assert same(watcher.states[1], state)
    assert same(state, learned[0])  # looking on changes nothing
    # The first epoch's state goes on to the same place.
    assert same(learn(watcher.states[0], epochs=1)[0], state)


def test_a_loss_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="training has diverged with learning_rate=1e"):
        learn(optimizer="sgd", learning_rate=1e30)


# -- Keras callbacks ---------------------------------------------------------------------------------


class Recorder(keras.callbacks.Callback):
    """Writes down iterations, rates and weights at every batch."""

    def __init__(self):
        super().__init__()
        self.iterations, self.rates, self.weights, self.logs = [], [], [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate.numpy()))

    def on_train_batch_end(self, batch, logs=None):
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales the loss
        self.iterations.append(int(optimizer.iterations.numpy()))
        self.weights.append(network.get_weights(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))


def test_callbacks_see_the_truth_at_every_batch(learned):
    recorder = Recorder()
    state, history = learn(callbacks=[recorder], observers=[Watcher()])
    assert same(state, learned[0])
    assert recorder.iterations == [*range(1, 9)]
    np.testing.assert_allclose(recorder.rates, 0.01)
    assert not any(same(a, b) for a, b in zip(recorder.weights, recorder.weights[1:], strict=False))
    assert same(recorder.weights[-1], state)
    assert [logs["loss"] for logs in recorder.logs] == history["loss"]
    assert [*recorder.logs[0]] == ["loss", "seconds", "seen"]
    # And of a model that goes on learning.
    learn(state, callbacks=[recorder], epochs=1)
    assert recorder.iterations[8:] == [9, 10, 11, 12]


def test_the_rate_decays_linearly():
    recorder = Recorder()
    learn(callbacks=[recorder], decays=True)
    np.testing.assert_allclose(recorder.rates, 0.01 * (1 - np.arange(8) / 8), rtol=1e-6)


@pytest.mark.parametrize("decays", [False, True])
def test_a_rate_that_a_callback_sets_is_followed(decays):
    class Set(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = 0.2

    recorder = Recorder()
    learn(callbacks=[Set(), recorder], decays=decays)
    line = 1 - np.arange(4) / 4 if decays else np.ones(4)
    np.testing.assert_allclose(recorder.rates[4:], 0.2 * line, rtol=1e-6)


def test_reduce_on_plateau_is_followed():
    recorder = Recorder()
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="loss", mode="min", min_delta=10.0, patience=1, factor=0.5
    )
    learn(callbacks=[plateau, recorder], epochs=3)
    np.testing.assert_allclose(recorder.rates, [0.01] * 8 + [0.005] * 4)


def test_the_validation_score_can_be_watched():
    scores = iter([0.3, 0.4, 0.4, 0.5])
    ours = EarlyStopping(IDS, lambda logits: ValidationScore(next(scores), True), 9)
    theirs = keras.callbacks.EarlyStopping(monitor="validation_score", mode="max", patience=0)
    state, history = learn(observers=[ours], callbacks=[theirs], epochs=9)
    assert history["validation_score"] == [0.3, 0.4, 0.4]
    assert state.epoch == 3
    assert ours.best.epoch == 2


def test_restore_best_weights_is_honoured():
    scores = iter([0.3, 0.4, 0.2, 0.1])
    ours = EarlyStopping(IDS, lambda logits: ValidationScore(next(scores), True), 9)
    theirs = keras.callbacks.EarlyStopping(
        monitor="validation_score", mode="max", patience=2, restore_best_weights=True
    )
    state, _ = learn(observers=[ours], callbacks=[theirs], epochs=9)
    assert same(state, ours.best)


@pytest.mark.parametrize("event", ["on_epoch_end", "on_train_batch_end"])
def test_stop_training_is_honoured(learned, event):
    class Stop(keras.callbacks.Callback):
        def stop(self, number, logs=None):
            self.model.stop_training = number == 1

    callback = Stop()
    setattr(callback, event, callback.stop)
    state, history = learn(callbacks=[callback], epochs=9)
    whole = event == "on_epoch_end"
    assert state.epoch == len(history["loss"]) == (2 if whole else 1)
    assert state.step == (8 if whole else 2)
    assert same(state, learned[0]) == whole


@pytest.mark.parametrize("event", ["on_train_begin", "on_epoch_end", "on_train_end"])
def test_weights_that_a_callback_sets_are_gone_on_from(event):
    class Zero(keras.callbacks.Callback):
        def zero(self, *_):
            self.model.set_weights([np.zeros_like(weight) for weight in self.model.get_weights()])

    callback = Zero()
    setattr(callback, event, lambda *arguments, **_: callback.zero())
    state, _ = learn(callbacks=[callback], optimizer="sgd", epochs=2)
    # From all zeros, every feature is 0 and stays 0: nothing but the output's bias learns.
    assert not state.weights["embedding"].any()
    assert state.weights["output_bias"].any() == (event == "on_train_begin")


def test_checkpoints_hold_the_network(tmp_path):
    path = tmp_path / "last.keras"
    state, _ = learn(callbacks=[keras.callbacks.ModelCheckpoint(path)])
    loaded = keras.saving.load_model(path)
    assert same(network.get_weights(loaded), state)
    assert loaded.loss.get_config()["loss"] == "binary_crossentropy"


@pytest.mark.parametrize(
    "rubbish",
    [None, 3, "ab", [3], [None], keras.callbacks.TerminateOnNaN(), [keras.callbacks.TerminateOnNaN]],
    ids=["None", "a number", "a str", "a list of numbers", "a list of None", "no list", "a class"],
)
def test_a_factory_of_rubbish_is_refused(rubbish):
    with pytest.raises(TypeError, match=r"keras_callbacks\(\) returned .*; expected a list of"):
        keras_engine.train(start(), examples(), DEFAULTS, keras_callbacks=lambda: rubbish)


# -- precision and strategies ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16", "float64", "floatx=float64"])
def test_the_global_precision_is_followed(name, learned):
    recorder, seen = Recorder(), []
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    watch = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append(
            (recorder.model.get_layer("convolution_1").compute_dtype, recorder.model.output.dtype)
        )
    )
    try:
        if name.startswith("floatx"):
            keras.config.set_floatx("float64")
        else:
            keras.config.set_dtype_policy(name)
        first, history = learn(callbacks=[recorder, watch])
        second, _ = learn(first, epochs=1)
        assert keras.config.dtype_policy().name == (policy.name if "=" in name else name)
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
    # Layers follow the policy; Keras' floatx alone changes that of optimizers and metrics.
    computes = "float32" if "=" in name else name.removeprefix("mixed_")
    assert seen == [(computes, "float32")]
    assert recorder.iterations == [*range(1, 9)]
    assert {weight.dtype for weight in first.weights.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(history["loss"], learned[1]["loss"], rtol=0.2)
    assert (second.step, second.epoch) == (12, 3)


STRATEGY = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.unit.engine import test_keras_engine as tests
from sktextcnn.engine import compiled

quiet = {**tests.QUIET, "learning_rate": 0.1, "batch_size": 3}  # the last batch of two texts
alone, _ = tests.learn(tests.start(5), **quiet)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    assert tf.distribute.get_strategy().num_replicas_in_sync == 2
    watcher = tests.Watcher()
    both, history = tests.learn(tests.start(5), observers=[watcher], **quiet)
    noisy, losses = tests.learn(batch_size=19)  # and a last batch of a single text
    again, _ = tests.learn(batch_size=19)
    onward, _ = tests.learn(noisy, batch_size=19)
for name, weight in alone.weights.items():
    np.testing.assert_allclose(both.weights[name], weight, atol=1e-5, err_msg=name)
assert both.step == 14
assert np.isfinite(losses["loss"]).all()
assert tests.same(noisy, again)
assert onward.step == 8
print("agrees")
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(keras.src.losses.loss, "scale_loss_for_distribution"),
    reason="this version of Keras adds up the losses of replicas, each the mean of its own part",
)
def test_a_strategy_in_whose_scope_it_runs_is_followed():
    folders = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(__file__)), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", STRATEGY],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    assert done.stdout.endswith("agrees\n"), done.stderr[-3000:]
