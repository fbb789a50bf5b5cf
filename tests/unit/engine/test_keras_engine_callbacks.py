"""Keras' callbacks as the Keras engine calls them: what they see, and what they may change."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from sktextcnn.engine import keras_engine, network
from sktextcnn.engine.observers import EarlyStopping, ValidationScore
from tests.examples import same_weights as same
from tests.keras_training import (
    DEFAULTS,
    Watcher,
    examples,
    learn,
    start,
)

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for: whenever a
# callback reads the learning rate or saves weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def learned():
    return learn()


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


@pytest.mark.parametrize("decays", [False, True])
def test_a_rate_that_a_callback_sets_is_followed(decays):
    class Set(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = 0.2

    recorder = Recorder()
    learn(callbacks=[Set(), recorder], decays=decays, optimizer="sgd")
    first, second = (1 - np.arange(4) / 8, 1 - np.arange(4) / 4) if decays else np.ones((2, 4))
    np.testing.assert_allclose(recorder.rates, [*0.01 * first, *0.2 * second], rtol=1e-6)


def test_reduce_on_plateau_is_followed():
    recorder = Recorder()
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="loss", mode="min", min_delta=10.0, patience=1, factor=0.5
    )
    learn(callbacks=[plateau, recorder], epochs=3, optimizer="sgd")
    np.testing.assert_allclose(recorder.rates, [0.01] * 8 + [0.005] * 4)


def test_restore_best_weights_is_honoured():
    """After a fall of the validation score, which the callback finds in its logs."""
    scores = iter([0.3, 0.4, 0.2, 0.1])
    ours = EarlyStopping(lambda network: ValidationScore(next(scores), True), 9)
    theirs = keras.callbacks.EarlyStopping(
        monitor="validation_score", mode="max", patience=2, restore_best_weights=True
    )
    state, history = learn(observers=[ours], callbacks=[theirs], epochs=9)
    assert history["validation_score"] == [0.3, 0.4, 0.2, 0.1]
    assert ours.memory.best.epoch == 2
    assert same(state, ours.memory.best)


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
