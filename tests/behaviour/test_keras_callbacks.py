"""Keras' callbacks, which see the final network of the Keras engine in training."""

from __future__ import annotations

from functools import partial
from itertools import chain

import keras
import numpy as np
import pytest
from sklearn.base import clone

from sktextcnn.engine import network
from tests import examples
from tests.examples import TAGS, TEXTS, Scripted, same_weights

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for: whenever a
# callback reads the learning rate or saves weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

# Of the optimizers, the one whose step TensorFlow compiles soonest.
tiny = partial(examples.tiny, engine="keras", optimizer="sgd", batch_size=4)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(TEXTS, TAGS)


class Recorder(keras.callbacks.Callback):
    """Writes down what it is told, and the network's weights then."""

    def __init__(self):
        super().__init__()
        self.events, self.weights = [], []

    def on_train_begin(self, logs=None):
        self.events.append(("train_begin",))
        self.weights.append(network.get_weights(self.model))

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(("epoch_begin", epoch))

    def on_train_batch_begin(self, batch, logs=None):
        self.events.append(("batch_begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.events.append(("batch_end", batch, *logs))

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(("epoch_end", epoch, *logs))
        self.weights.append(network.get_weights(self.model))

    def on_train_end(self, logs=None):
        self.events.append(("train_end",))


def test_callbacks_are_told_of_every_event_and_see_the_weights(fitted):
    recorder = Recorder()
    clf = tiny(keras_callbacks=lambda: [recorder], epochs=2).fit(TEXTS, TAGS)
    epochs = [
        [
            ("epoch_begin", epoch),
            *chain.from_iterable([("batch_begin", i), ("batch_end", i, "loss")] for i in range(3)),
            ("epoch_end", epoch, "loss", "seconds"),
        ]
        for epoch in range(2)
    ]
    assert recorder.events == [("train_begin",), *epochs[0], *epochs[1], ("train_end",)]
    start, first, second = recorder.weights
    assert not same_weights(start, first)
    assert same_weights(first, tiny(epochs=1).fit(TEXTS, TAGS))
    assert same_weights(second, clf)
    assert same_weights(clf, fitted)  # watching changes nothing
    assert recorder.model.name == "textcnn"


def test_the_validation_score_is_in_the_logs_and_can_be_watched():
    def callbacks():
        return [keras.callbacks.EarlyStopping(monitor="validation_score", mode="max", patience=0)]

    options = {"validation": 0.25, "threshold": 0.0, "epochs": 9, "n_iter_no_change": 9}
    options["metric"] = Scripted(0.3, 0.4, 0.4, 0.5)
    clf = tiny(**options, keras_callbacks=callbacks).fit(TEXTS, TAGS)
    assert clf.history_["validation_score"] == [0.3, 0.4, 0.4]
    assert clf.n_epochs_ == 2


def test_a_checkpoint_callback_writes_the_network(tmp_path):
    path = tmp_path / "best.weights.h5"

    def callbacks():
        return [keras.callbacks.ModelCheckpoint(path, save_weights_only=True)]

    clf = tiny(keras_callbacks=callbacks).fit(TEXTS, TAGS)
    model = tiny(engine="compiled", random_state=3).fit(TEXTS, TAGS).to_keras()
    model.load_weights(path)
    assert same_weights(network.get_weights(model), clf)


def test_fit_leaves_the_factory_alone_and_calls_it_once():
    calls = []

    def factory():
        calls.append(1)
        return [Recorder()]

    clf = tiny(keras_callbacks=factory, epochs=1)
    assert clf.fit(TEXTS, TAGS).keras_callbacks is factory
    assert len(calls) == 1
    copy = clone(clf)
    assert copy.keras_callbacks is factory
    copy.fit(TEXTS, TAGS)
    assert len(calls) == 2
    assert same_weights(copy, clf)


def test_an_empty_list_of_callbacks_is_fine(fitted):
    assert same_weights(tiny(keras_callbacks=list).fit(TEXTS, TAGS), fitted)


def test_keras_callback_may_stop_and_set_the_learning_rate():
    def factory():
        class StopsAtTwo(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.stop_training = epoch == 1

        class StandsStill(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                self.model.optimizer.learning_rate = 0.0

        return [StopsAtTwo(), StandsStill()]

    clf = tiny(epochs=5, keras_callbacks=factory).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 2
    untrained = tiny(engine="compiled", learning_rate=1e-30, epochs=1).fit(TEXTS, TAGS)
    assert np.array_equal(clf.weights_["output_kernel"], untrained.weights_["output_kernel"])


def test_only_the_network_that_stays_is_seen_by_keras_callbacks():
    seen = []

    def callbacks():
        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))]

    clf = tiny(early_stopping=True, validation=2, keras_callbacks=callbacks).fit(TEXTS, TAGS)
    assert seen == [*range(clf.n_epochs_)]
