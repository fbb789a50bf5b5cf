"""Keras' callbacks, which see the final network of the Keras engine in training."""

from __future__ import annotations

import pickle
from functools import partial

import keras
import numpy as np
import pytest
from sklearn.base import clone

from sktextcnn.engine import network
from tests.behaviour import test_training
from tests.behaviour.test_training import TAGS, TEXTS, same, scripted

pytest.importorskip("sktextcnn.engine.keras_engine")

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for: whenever a
# callback reads the learning rate or saves weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

tiny = partial(test_training.tiny, engine="keras")


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(TEXTS, TAGS)


def stopping(metric, **params):
    return test_training.stopping(metric, **{"engine": "keras", **params})


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
            *[("batch_end", batch, "loss") for batch in range(3)],
            ("epoch_end", epoch, "loss", "seconds"),
        ]
        for epoch in range(2)
    ]
    assert recorder.events == [("train_begin",), *epochs[0], *epochs[1], ("train_end",)]
    start, first, second = recorder.weights
    assert not same(start, first)
    assert same(first, tiny(epochs=1).fit(TEXTS, TAGS))
    assert same(second, clf)
    assert same(clf, fitted)  # watching changes nothing
    assert recorder.model.name == "textcnn"


def test_callbacks_are_told_of_the_beginning_of_a_batch():
    begun = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: begun.append(batch)
    )
    tiny(keras_callbacks=lambda: [callback], epochs=1).fit(TEXTS, TAGS)
    assert begun == [0, 1, 2]


def test_the_validation_score_is_in_the_logs_and_can_be_watched():
    def callbacks():
        return [keras.callbacks.EarlyStopping(monitor="validation_score", mode="max", patience=0)]

    clf = stopping(scripted(0.3, 0.4, 0.4, 0.5), keras_callbacks=callbacks, n_iter_no_change=9)
    assert clf.history_["validation_score"] == [0.3, 0.4, 0.4]
    assert clf.n_epochs_ == 2


def schedule(*rates):
    def callbacks():
        return [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rates[epoch])]

    return callbacks


def test_a_learning_rate_schedule_is_followed(fitted):
    slower = tiny(keras_callbacks=schedule(0.002, 0.0005)).fit(TEXTS, TAGS)
    assert not same(slower, fitted)
    frozen = tiny(keras_callbacks=schedule(0.002, 0.0), optimizer="sgd").fit(TEXTS, TAGS)
    assert same(frozen, tiny(epochs=1, optimizer="sgd").fit(TEXTS, TAGS))
    assert same(tiny(keras_callbacks=schedule(0.002, 0.002)).fit(TEXTS, TAGS), fitted)


def test_the_learning_rate_decays_linearly():
    """Set by hand before each batch, it gives the same weights."""

    class ByHand(keras.callbacks.Callback):
        done = 0

        def on_train_batch_begin(self, batch, logs=None):
            # Three epochs of two batches; each step of a line from 0.05 to 0.
            self.model.optimizer.learning_rate = 0.05 * (1 - self.done / 6)
            self.done += 1

    options = {"epochs": 3, "batch_size": 6}
    decaying = tiny(learning_rate=0.05, learning_rate_schedule="linear", **options).fit(TEXTS, TAGS)
    by_hand = tiny(keras_callbacks=lambda: [ByHand()], **options).fit(TEXTS, TAGS)
    for name, weight in by_hand.weights_.items():
        np.testing.assert_allclose(decaying.weights_[name], weight, rtol=1e-4, atol=1e-6)
    assert not same(decaying, tiny(learning_rate=0.05, **options).fit(TEXTS, TAGS))


def test_a_rate_that_a_callback_sets_decays_too():
    linear = {"engine": "keras", "learning_rate_schedule": "linear", "epochs": 2}

    class Faster(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 0:
                self.model.optimizer.learning_rate = 0.05

    faster = tiny(keras_callbacks=lambda: [Faster()], **linear).fit(TEXTS, TAGS)
    plain = tiny(learning_rate=0.05, **linear).fit(TEXTS, TAGS)
    for name, weight in plain.weights_.items():
        np.testing.assert_allclose(faster.weights_[name], weight, rtol=1e-4, atol=1e-6)


def test_reduce_on_plateau_is_followed(fitted):
    rates = []

    def callbacks():
        watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(dict(logs)))
        plateau = keras.callbacks.ReduceLROnPlateau(
            monitor="loss", mode="min", min_delta=10.0, patience=1, factor=0.5
        )
        return [plateau, watch]

    slower = tiny(keras_callbacks=callbacks, epochs=3).fit(TEXTS, TAGS)
    np.testing.assert_allclose([logs["learning_rate"] for logs in rates], [0.002, 0.002, 0.001])
    assert not same(slower, tiny(epochs=3).fit(TEXTS, TAGS))


def test_restore_best_weights_is_honoured():
    def callbacks():
        # The third epoch learns with a rate that ruins it, which the loss of the fourth shows.
        return [
            *schedule(0.002, 0.002, 5.0, 5.0, 5.0, 5.0)(),
            keras.callbacks.EarlyStopping(
                monitor="loss", mode="min", patience=2, restore_best_weights=True
            ),
        ]

    quiet = {"dropout": 0.0, "embedding_dropout": 0.0, "optimizer": "sgd", "batch_size": 2}
    clf = tiny(**quiet, epochs=6, keras_callbacks=callbacks).fit(TEXTS, TAGS)
    losses = clf.history_["loss"]
    assert len(losses) < 6
    best = int(np.argmin(losses)) + 1
    assert best == len(losses) - 2
    assert same(
        clf,
        tiny(**quiet, epochs=best, keras_callbacks=schedule(*[0.002] * 2, *[5.0] * 4)).fit(TEXTS, TAGS),
    )


def test_stop_training_is_honoured():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    clf = tiny(epochs=9, keras_callbacks=lambda: [Stop()]).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == len(clf.history_["loss"]) == 2
    assert same(clf, tiny(epochs=2).fit(TEXTS, TAGS))


class Zero(keras.callbacks.Callback):
    """Sets every weight to zero at one event."""

    def __init__(self, event):
        super().__init__()
        setattr(self, event, self.zero)

    def zero(self, epoch=None, logs=None):
        if epoch == 0 or not isinstance(epoch, int):  # an epoch's number, or logs
            self.model.set_weights([np.zeros_like(weight) for weight in self.model.get_weights()])


def test_weights_set_at_the_end_of_training_are_kept():
    clf = tiny(keras_callbacks=lambda: [Zero("on_train_end")]).fit(TEXTS, TAGS)
    assert not any(weight.any() for weight in clf.weights_.values())


@pytest.mark.parametrize("event", ["on_train_begin", "on_epoch_end"])
def test_weights_set_during_training_are_gone_on_from(event):
    epochs = 1 if event == "on_train_begin" else 2
    clf = tiny(keras_callbacks=lambda: [Zero(event)], optimizer="sgd", epochs=epochs).fit(TEXTS, TAGS)
    # From all zeros, every feature is 0 and stays 0: nothing but the output's bias learns.
    assert not clf.weights_["embedding"].any()
    assert clf.weights_["output_bias"].any()


def test_a_checkpoint_callback_writes_the_network(tmp_path):
    path = tmp_path / "best.weights.h5"

    def callbacks():
        return [keras.callbacks.ModelCheckpoint(path, save_weights_only=True)]

    clf = tiny(keras_callbacks=callbacks).fit(TEXTS, TAGS)
    model = tiny(random_state=3).fit(TEXTS, TAGS).to_keras()
    model.load_weights(path)
    assert same(network.get_weights(model), clf)


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
    assert same(copy, clf)


def test_an_empty_list_of_callbacks_is_fine(fitted):
    assert same(tiny(keras_callbacks=list).fit(TEXTS, TAGS), fitted)


@pytest.mark.parametrize(
    "rubbish",
    [None, 3, "ab", [3], [None], keras.callbacks.TerminateOnNaN(), [keras.callbacks.TerminateOnNaN]],
    ids=["None", "a number", "a str", "a list of numbers", "a list of None", "no list", "a class"],
)
def test_a_factory_of_rubbish_is_refused(rubbish):
    with pytest.raises(TypeError, match=r"keras_callbacks\(\) returned .*; expected a list of"):
        tiny(keras_callbacks=lambda: rubbish).fit(TEXTS, TAGS)


def test_an_epoch_that_a_callback_cuts_short_is_counted():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    clf = tiny(keras_callbacks=lambda: [Stop()], batch_size=2, epochs=3).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == len(clf.history_["loss"]) == 1


def test_keras_own_early_stopping_can_watch_the_validation_score():
    def callbacks():
        return [keras.callbacks.EarlyStopping(monitor="validation_score", mode="max", patience=1)]

    def constant(truth, predicted):
        return 0.5

    clf = tiny(early_stopping=True, validation=0.3, epochs=9, n_iter_no_change=9)
    clf.set_params(metric=constant, keras_callbacks=callbacks).fit(TEXTS, TAGS)
    assert clf.history_["validation_score"] == [0.5, 0.5]


def test_keras_callbacks_are_made_anew_for_each_fit():
    made = []

    def factory():
        epochs = []
        made.append(epochs)
        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))]

    clf = tiny(keras_callbacks=factory).fit(TEXTS, TAGS)
    clone(clf).fit(TEXTS, TAGS)
    assert made == [[0, 1], [0, 1]]
    assert clf.keras_callbacks is factory
    assert same(clf, tiny().fit(TEXTS, TAGS))


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
    untrained = tiny(learning_rate=1e-30, epochs=1).fit(TEXTS, TAGS)
    assert np.array_equal(clf.weights_["output_kernel"], untrained.weights_["output_kernel"])


def test_only_the_network_that_stays_is_seen_by_keras_callbacks():
    seen = []

    def callbacks():
        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))]

    clf = tiny(early_stopping=True, validation=2, keras_callbacks=callbacks).fit(TEXTS, TAGS)
    assert seen == [*range(clf.n_epochs_)]


# -- callbacks that fail ------------------------------------------------------------------------------


class Raise(keras.callbacks.Callback):
    def __init__(self, error, event):
        super().__init__()
        setattr(self, event, self.fail)
        self.error = error

    def fail(self, *arguments, **logs):
        raise self.error


class Error(Exception):
    """One that nobody else raises."""


@pytest.mark.parametrize("error", [Error("no"), KeyboardInterrupt()], ids=["Exception", "interrupt"])
@pytest.mark.parametrize(
    ("warm_start", "event"),
    [
        *((False, event) for event in ("on_train_begin", "on_train_batch_end", "on_train_end")),
        (True, "on_epoch_end"),
    ],
)
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(error, event, warm_start):
    clf = tiny(warm_start=warm_start).fit(TEXTS, TAGS)
    clf.set_params(keras_callbacks=lambda: [Raise(error, event)])
    objects = dict(vars(clf))
    factory = objects.pop("keras_callbacks")
    before = pickle.dumps(objects)
    with pytest.raises(type(error)):
        clf.fit(["other texts", "match match", "a vote"], [["sport"], ["sport"], ["politics"]])
    assert clf.keras_callbacks is factory
    assert vars(clf).keys() == {*objects, "keras_callbacks"}
    assert all(vars(clf)[name] is value for name, value in objects.items())
    assert pickle.dumps(objects) == before
    # And nothing is broken: the same fit works afterwards.
    clf.set_params(keras_callbacks=None).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == (4 if warm_start else 2)


def test_a_first_fit_that_fails_leaves_no_fitted_attribute():
    clf = tiny(keras_callbacks=lambda: [Raise(Error("no"), "on_epoch_end")])
    before = set(vars(clf))
    with pytest.raises(Error):
        clf.fit(TEXTS, TAGS)
    assert set(vars(clf)) == before
