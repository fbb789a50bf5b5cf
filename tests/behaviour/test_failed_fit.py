"""A fit that fails, or is interrupted, leaves the estimator as it was."""

from __future__ import annotations

import copy
import pickle
from contextlib import contextmanager
from itertools import product

import numpy as np
import pytest

from sktextcnn import callbacks, load
from sktextcnn.engine.observers import Observer
from sktextcnn.fitting import learning, svms
from tests.examples import TAGS, TEXTS, every_engine_and, fitted_attributes, same_weights, tiny


class Error(Exception):
    """One that nobody else raises."""


def contents_of(clf):
    """Return all that was fitted, as bytes."""
    fitted = fitted_attributes(clf)
    if fitted.get("linear_part_") is not None:
        fitted["linear_part_"] = fitted["linear_part_"].to_arrays()
    return pickle.dumps(fitted)


@contextmanager
def fails(clf, error, message=None):
    """Expect an error, and every attribute to be the object that it was, with the same contents."""
    objects, contents = dict(vars(clf)), contents_of(clf)
    with pytest.raises(error, match=message):
        yield
    assert vars(clf).keys() == objects.keys()
    assert all(vars(clf)[name] is value for name, value in objects.items())
    assert contents_of(clf) == contents


# -- at any moment -----------------------------------------------------------------------------------


def at_event(number, event):
    """Let one event of one network fail."""

    def arrange(patch, error):
        def fail(*arguments):
            raise error

        plain, failing = callbacks.Progress.network, type("Fails", (Observer,), {event: fail})()
        patch.setattr(
            callbacks.Progress,
            "network",
            lambda self, at, *rest: failing if at == number else plain(self, at, *rest),
        )

    return arrange


def at_call(module, name, number=1):
    """Let a function fail when it is called for the so-manieth time."""

    def arrange(patch, error):
        plain, calls = getattr(module, name), []

        def failing(*arguments, **options):
            calls.append(name)
            if len(calls) == number:
                raise error
            return plain(*arguments, **options)

        patch.setattr(module, name, failing)

    return arrange


#: Of a fit of two folds and the final network, each with a linear part.
MOMENTS = {
    "before an epoch": at_event(0, "begin_epoch"),
    "in an epoch": at_event(0, "end_batch"),
    "after an epoch": at_event(0, "end_epoch"),
    "in the final network": at_event(2, "end_batch"),
    "in the first linear part": at_call(svms, "fit_linear"),
    "in the final linear part": at_call(svms, "fit_linear", 3),
    "at the blend": at_call(learning, "fit_blend"),
    "at the end": at_call(callbacks.FitCallbacks, "end_fit"),
}
ERRORS = [Error("no"), KeyboardInterrupt()]

CASES = [
    *(("compiled", "both parts", *case) for case in product(MOMENTS, ERRORS, [1, 2])),
    *(("compiled", *case, ERRORS[0], 1) for case in product(["nothing", "network"], MOMENTS)),
    # Keras takes seconds for what the compiled engine does in a hundredth.
    pytest.param("keras", "both parts", "in the final network", ERRORS[1], 1, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(
    ("engine", "before", "moment", "error", "n_jobs"),
    CASES,
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_a_fit_that_fails_at_any_moment(engine, before, moment, error, n_jobs, monkeypatch):
    clf = tiny(engine=engine, n_jobs=n_jobs)
    both_parts = {"linear": True, "validation": 2}
    if before != "nothing":
        clf.set_params(**both_parts if before == "both parts" else {}).fit(TEXTS, TAGS)
    clf.set_params(**both_parts)
    with monkeypatch.context() as patch:
        MOMENTS[moment](patch, error)
        with fails(clf, type(error)):
            clf.fit(TEXTS[::-1], TAGS[::-1])
    # Nothing is broken, either.
    if before == "both parts":
        first = copy.copy(clf)
        assert same_weights(clf.fit(TEXTS, TAGS), first)


@every_engine_and(["method"], [("fit",), ("partial_fit",)])
def test_learning_that_goes_on_and_fails(method):
    """In its second step; after that it goes on from where it was."""
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    straight = pickle.loads(pickle.dumps(clf))
    clf.set_params(learning_rate=1e30)
    with fails(clf, ValueError, "training has diverged"):
        getattr(clf, method)(TEXTS[::-1], TAGS[::-1])
    clf.set_params(learning_rate=straight.learning_rate)
    assert same_weights(getattr(clf, method)(TEXTS, TAGS), getattr(straight, method)(TEXTS, TAGS))


def test_a_model_is_saved_whole_after_a_fit_that_failed(monkeypatch, tmp_path):
    clf = tiny(linear=True, validation=2).fit(TEXTS, TAGS)
    expected = clf.predict_proba(TEXTS)
    with monkeypatch.context() as patch:
        MOMENTS["in the final linear part"](patch, ERRORS[0])
        with fails(clf, Error):
            clf.fit(TEXTS[:6], TAGS[:6])
    clf.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(TEXTS), expected)


# -- for what is given to it -------------------------------------------------------------------------


def raising(error):
    def metric(truth, predicted):
        raise error

    return {"metric": metric, "validation": 0.25}


REFUSED = {
    "labels of another number": ({}, ValueError, "as many"),
    "a label that is not there": ({"class_weight": {"unheard of": 2}}, ValueError, "class_weight"),
    "vectors of a wrong type": ({"embeddings": 3}, TypeError, "embeddings is a int; pass what"),
    "vectors of a missing file": ({"embeddings": "nowhere.txt"}, FileNotFoundError, "nowhere"),
    "vectors of other lengths": (
        {"embeddings": {"match": [1.0], "soup": [1.0, 2.0]}},
        ValueError,
        r"embeddings\['soup'\] has shape",
    ),
    "a metric that raises": (raising(ERRORS[0]), Error, "no"),
    "a metric that is interrupted": (raising(ERRORS[1]), KeyboardInterrupt, None),
}


@pytest.mark.parametrize(
    ("engine", "before", "case"),
    [
        *product(["compiled"], ["nothing", "network"], REFUSED),
        *(
            pytest.param("keras", "network", case, marks=pytest.mark.slow)
            for case in REFUSED
            if case.startswith("a metric")  # the others are refused before an engine is at work
        ),
    ],
)
def test_a_fit_that_is_refused(engine, before, case):
    options, error, message = REFUSED[case]
    clf = tiny(engine=engine)
    if before == "network":
        clf.fit(TEXTS, TAGS)
    clf.set_params(**options)
    with fails(clf, error, message):
        clf.fit(TEXTS, TAGS if options else TAGS[:-1])


@pytest.mark.parametrize(
    ("change", "epochs"),
    [
        ({"learning_rate": 1e30}, 1),
        ({"learning_rate": 1e30}, 3),
        ({"learning_rate": 1e300}, 1),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, 1),
        ({"learning_rate": 1e30, "optimizer": "adagrad", "hidden_units": 3}, 2),
        ({"learning_rate": 1e30, "early_stopping": True, "validation": 0.4}, 2),
        ({"learning_rate": 1e30, "threshold": "tune", "validation": 2, "n_jobs": 2}, 2),
    ],
    ids=str,
)
def test_training_that_diverges_says_so(change, epochs):
    # One batch an epoch: its loss is that of the start, and finite.
    clf = tiny().fit(TEXTS, TAGS).set_params(**change, epochs=epochs, batch_size=12)
    with fails(clf, ValueError, r"training has diverged with learning_rate=1e\+30+\. Lower it"):
        clf.fit(TEXTS, TAGS)


# -- in callbacks of Keras ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "event", "error"),
    [
        ("nothing", "on_epoch_end", ERRORS[0]),
        ("network", "on_train_end", ERRORS[0]),
        ("goes on", "on_train_batch_end", ERRORS[1]),
    ],
)
def test_a_callback_of_keras_that_fails(before, event, error):
    import keras

    def fail(*arguments, **logs):
        raise error

    clf = tiny(engine="keras", warm_start=before == "goes on")
    if before != "nothing":
        clf.fit(TEXTS, TAGS)
    failing = type("Fails", (keras.callbacks.Callback,), {event: fail})
    clf.set_params(keras_callbacks=lambda: [failing()])
    with fails(clf, type(error)):
        clf.fit(TEXTS[::-1], TAGS[::-1])
    clf.set_params(keras_callbacks=None).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == (4 if before == "goes on" else 2)
