"""The Keras engine: agreement with the compiled engine, repeatability, observers, precision."""

from __future__ import annotations

import gc
import os
import random
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from sktextcnn.engine import compiled, inference, keras_engine, network
from sktextcnn.engine.examples import State
from sktextcnn.objective import LOSSES, is_exclusive
from sktextcnn.text.tokens import TokenIds
from tests.examples import same_weights as same
from tests.keras_training import (
    DEFAULTS,
    IDS,
    KERNEL_SIZES,
    N_LABELS,
    N_TOKENS,
    QUIET,
    TARGETS,
    N,
    Watcher,
    examples,
    learn,
    plain_loss,
    start,
)
from tests.processes import run_python

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for: whenever a
# callback reads the learning rate or saves weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

EXCLUSIVE = [loss for losses in LOSSES.values() for loss in losses if is_exclusive(loss)]


@pytest.fixture(scope="module")
def learned():
    return learn()


# -- agreement with the compiled engine -------------------------------------------------------------


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
    after, history = compiled.train(state, given, one_step)
    model = network.build_network(state.weights, kernel_sizes=KERNEL_SIZES, exclusive=None)
    loss = keras_engine.LabelLoss(name, given.label_weight)
    with tf.GradientTape() as tape:
        logits = model(IDS.padded(0), training=True)
        value = loss(given.targets.toarray().astype(np.float32), logits, given.sample_weight)
    np.testing.assert_allclose(history["loss"], [value], rtol=1e-5)
    variables = model.trainable_variables
    gradients = tape.gradient(value, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign(tf.convert_to_tensor(gradient))
    for key, gradient in network.get_weights(model).items():
        found = state.weights[key] - after.weights[key]
        np.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy"])
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


# -- repeatability ----------------------------------------------------------------------------------


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


def test_the_texts_are_let_go_of(learned):
    """TensorFlow keeps something of every dataset made from a generator; not the texts."""
    gc.collect()
    kept = [each for each in gc.get_objects() if isinstance(each, keras_engine._Batches)]
    assert all(len(batches) == 0 for batches in kept)


def test_the_start_is_left_alone():
    state = start()
    before = {name: weight.copy() for name, weight in state.weights.items()}
    learn(state, optimizer="sgd", epochs=1)
    assert same(before, state.weights)
    assert state == State(state.weights)


@pytest.mark.parametrize(
    "optimizer", ["sgd", *(pytest.param(name, marks=pytest.mark.slow) for name in ("adagrad", "adam"))]
)
def test_epochs_in_one_run_or_in_several_are_the_same(optimizer):
    whole, history = learn(optimizer=optimizer, epochs=3)
    first, early = learn(optimizer=optimizer, epochs=1)
    parts, late = learn(first, optimizer=optimizer, epochs=2)
    assert same(parts, whole)
    assert early["loss"] + late["loss"] == history["loss"]
    assert (parts.step, parts.epoch, parts.optimizer) == (12, 3, f"keras:{optimizer}")
    assert parts.slots.keys() == {"optimizer"}


@pytest.mark.slow
def test_another_optimizer_starts_without_memory(learned):
    state, _ = learned
    fresh = State(state.weights, step=state.step, epoch=state.epoch)
    assert same(learn(state, optimizer="sgd")[0], learn(fresh, optimizer="sgd")[0])
    assert not same(learn(state)[0], learn(fresh)[0])


@pytest.mark.parametrize("what", ["dropout", "embedding_dropout"])
def test_dropout_is_in_use(learned, what):
    assert not same(learn(**{what: 0.0})[0], learned[0])


# -- the network ------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("optimizer", ["adagrad", "sgd"])
def test_the_vector_of_padding_stays_zero(optimizer):
    """As with Adam, in the test above."""
    after, _ = learn(optimizer=optimizer, learning_rate=0.1, epochs=1)
    assert not after.weights["embedding"][0].any()
    assert np.isfinite(after.weights["embedding"]).all()


@pytest.mark.slow
def test_adam_moves_rows_that_do_not_occur_in_a_batch():
    """One of the documented differences: its momentum goes on for tokens seen before."""
    state, _ = learn(epochs=1)
    one = examples(TARGETS[1:2], IDS.take(np.array([1])))
    after, _ = learn(state, one, epochs=1)
    moved = (after.weights["embedding"] != state.weights["embedding"]).any(axis=1)
    assert moved.sum() > 2


def test_the_loss_in_history_is_the_mean_of_a_text():
    """With nothing moving: the same for every batch size, and what the logits say."""
    still = {**QUIET, "learning_rate": 1e-30, "epochs": 1}
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
    state, history = learn(State(weights), given, optimizer="sgd")
    assert state.step == 2
    assert np.isfinite(history["loss"]).all()


# -- observers --------------------------------------------------------------------------------------


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


# -- precision and strategies -----------------------------------------------------------------------


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


@pytest.mark.slow
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
from dataclasses import replace

import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import tests.keras_training as tests
from tests.examples import same_weights
from sktextcnn.engine import compiled

quiet = {**tests.QUIET, "learning_rate": 0.1, "batch_size": 3}  # the last batch of two texts
alone, _ = compiled.train(tests.start(5), tests.examples(), replace(tests.DEFAULTS, **quiet))
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    assert tf.distribute.get_strategy().num_replicas_in_sync == 2
    watcher = tests.Watcher()
    both, history = tests.learn(tests.start(5), observers=[watcher], **quiet)
    noisy, losses = tests.learn(both, batch_size=19)  # and a last batch of a single text
    again, _ = tests.learn(both, batch_size=19)
for name, weight in alone.weights.items():
    np.testing.assert_allclose(both.weights[name], weight, atol=1e-5, err_msg=name)
assert both.step == 14
assert np.isfinite(losses["loss"]).all()
assert same_weights(noisy, again)
assert noisy.step == 14 + 4
print("agrees")
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(keras.src.losses.loss, "scale_loss_for_distribution"),
    reason="this version of Keras adds up the losses of replicas, each the mean of its own part",
)
def test_a_strategy_in_whose_scope_it_runs_is_followed():
    assert run_python(STRATEGY).stdout == "agrees\n"
