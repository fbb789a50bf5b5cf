"""What a fit must leave alone: global states, the caller's arrays, the estimator until it succeeds."""

from __future__ import annotations

import copy
import gc
import importlib.util
import logging
import os
import pickle
import random
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target

from sktextcnn import TextCNNClassifier, callbacks, fitting
from sktextcnn.engine.observers import Observer
from tests import examples

TEXTS = ["the match", "a late goal", "the budget", "", "a vote on the budget", "match"]
TAGS = [["sport"], ["sport"], ["politics"], ["politics"], ["politics", "sport"], ["sport"]]
ONE_EACH = [["sport"], ["sport"], ["politics"], ["politics"], ["politics"], ["sport"]]


def tiny(**params):
    defaults = {"min_df": 1, "embedding_dim": 8, "filters": 4, "kernel_sizes": (1, 2), "epochs": 2}
    defaults.update({"linear": False, "validation": None})
    return TextCNNClassifier(**{**defaults, "random_state": 0, "engine": examples.ENGINE, **params})


every_engine = pytest.mark.usefixtures("engine")


def same(a, b):
    """Whether two estimators have bit-equal weights."""
    return a.weights_.keys() == b.weights_.keys() and all(
        np.array_equal(a.weights_[name], b.weights_[name]) for name in a.weights_
    )


def run_python(script, **variables):
    """Run a script in a new process, with other environment variables."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=env
    )


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(TEXTS, TAGS)


# -- global states -----------------------------------------------------------------------------------


@every_engine
def test_a_seeded_fit_leaves_no_determinism_behind():
    """With TensorFlow's op determinism on, unseeded random operations raise."""
    first = tiny(random_state=0).fit(TEXTS, TAGS)
    tf.random.uniform((2,))
    assert tiny(random_state=None).fit(TEXTS, TAGS).n_epochs_ == 2
    assert same(tiny(random_state=0).fit(TEXTS, TAGS), first)


def use(clf):
    """Everything that may touch a global state."""
    clf.fit(TEXTS, TAGS)
    clf.partial_fit(TEXTS, TAGS)
    clf.predict(TEXTS)
    clf.predict_proba(TEXTS)
    clf.score(TEXTS, TAGS)


@every_engine
def test_numpys_global_state_is_left_alone():
    before = np.random.get_state()  # noqa: NPY002
    use(tiny())
    for was, now in zip(before, np.random.get_state(), strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(was, now)


@every_engine
def test_an_unseeded_fit_draws_from_numpys_global_state():
    """As any estimator with random_state=None."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(3)  # noqa: NPY002
        first = tiny(random_state=None).fit(TEXTS, TAGS)
        second = tiny(random_state=None).fit(TEXTS, TAGS)
        np.random.seed(3)  # noqa: NPY002
        assert same(tiny(random_state=None).fit(TEXTS, TAGS), first)
        assert not same(first, second)
    finally:
        np.random.set_state(state)  # noqa: NPY002


@every_engine
def test_pythons_global_state_is_left_alone():
    tiny().fit(TEXTS, TAGS)  # imports
    before = random.getstate()
    use(tiny())
    assert random.getstate() == before


def test_to_keras_leaves_pythons_global_state_alone(fitted):
    before = random.getstate()
    fitted.to_keras()
    assert random.getstate() == before


@every_engine
def test_tensorflows_and_keras_global_seeds_are_left_alone():
    def draws():
        tf.random.set_seed(5)
        first = tf.random.uniform((3,)).numpy()
        return first, tf.random.uniform((3,)).numpy()

    expected = draws()
    tf.random.set_seed(5)
    first = tf.random.uniform((3,)).numpy()
    use(tiny())
    np.testing.assert_array_equal(first, expected[0])
    np.testing.assert_array_equal(tf.random.uniform((3,)).numpy(), expected[1])

    keras_state = keras.src.backend.common.global_state.get_global_attribute("rng_seed")
    use(tiny())
    assert keras.src.backend.common.global_state.get_global_attribute("rng_seed") == keras_state


@every_engine
def test_a_global_seed_does_not_change_a_seeded_fit():
    first = tiny().fit(TEXTS, TAGS)
    tf.random.set_seed(99)
    assert same(tiny().fit(TEXTS, TAGS), first)


@every_engine
def test_environment_filters_and_log_levels_are_left_alone():
    # tf.get_logger() and the others exist since their import at the top of this file.
    names = ["", "tensorflow", "keras", "absl", "sktextcnn", "scikeras", "py.warnings"]

    def state():
        return (
            dict(os.environ),
            list(warnings.filters),
            {name: logging.getLogger(name).level for name in names},
            {name: list(logging.getLogger(name).handlers) for name in names},
            logging.root.manager.disable,
            np.geterr(),
            keras.config.floatx(),
            keras.config.dtype_policy().name,
            tf.config.functions_run_eagerly(),
            tf.config.threading.get_inter_op_parallelism_threads(),
            tf.config.threading.get_intra_op_parallelism_threads(),
        )

    tiny().fit(TEXTS, TAGS)  # imports scikeras
    before = state()
    use(tiny())
    assert state() == before


# -- Keras' settings ---------------------------------------------------------------------------------


@pytest.fixture
def keras_settings():
    """Puts precision and policy back."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize("floatx", ["float64", "float16", "bfloat16"])
def test_floatx_changes_no_result(fitted, keras_settings, floatx):
    keras.config.set_floatx(floatx)
    clf = tiny().fit(TEXTS, TAGS)
    assert {weight.dtype for weight in clf.weights_.values()} == {np.dtype(np.float32)}
    assert same(clf, fitted)
    np.testing.assert_array_equal(clf.predict_proba(TEXTS), fitted.predict_proba(TEXTS))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float64"])
def test_the_dtype_policy_changes_no_result(fitted, keras_settings, policy):
    keras.config.set_dtype_policy(policy)
    assert same(tiny().fit(TEXTS, TAGS), fitted)
    assert keras.config.dtype_policy().name == policy


FIT = """
from sktextcnn import TextCNNClassifier
try:
    TextCNNClassifier(min_df=1, engine="keras").fit(["a b", "b c"], ["x", "y"])
except ImportError as error:
    print(type(error).__name__, error, sep=": ")
"""

needs_keras_engine = pytest.mark.skipif(
    importlib.util.find_spec("sktextcnn.engine.keras_engine") is None, reason="still to come"
)

OTHER_BACKEND = (
    "ImportError: Keras runs on the 'torch' backend; sktextcnn trains on TensorFlow. Start Python with "
    "the environment variable KERAS_BACKEND=tensorflow, or unset it."
)


@needs_keras_engine
def test_another_keras_backend_is_refused():
    run = run_python(FIT, KERAS_BACKEND="torch")
    assert run.stdout.strip() == OTHER_BACKEND


@needs_keras_engine
def test_another_keras_backend_that_is_already_running_is_refused():
    stub = """
import sys, types
keras = types.ModuleType("keras")
keras.config = types.SimpleNamespace(backend=lambda: "torch")
sys.modules["keras"] = keras
"""
    run = run_python(stub + FIT, KERAS_BACKEND="tensorflow")
    assert run.stdout.strip() == OTHER_BACKEND


def test_the_compiled_engine_trains_beside_any_backend():
    run = run_python(FIT.replace('"keras"', '"compiled"') + "print('fitted')", KERAS_BACKEND="torch")
    assert run.stdout.strip() == "fitted", run.stderr


def test_network_alone_refuses_another_backend():
    script = "try:\n    import sktextcnn.engine.network\nexcept ImportError as error:\n    print(error)"
    run = run_python(script, KERAS_BACKEND="torch")
    assert run.stdout.strip() == OTHER_BACKEND.partition(": ")[2]


# -- the caller's data -------------------------------------------------------------------------------


@every_engine
@pytest.mark.parametrize("class_weight", [None, "balanced", {"sport": 3.0}], ids=str)
@pytest.mark.parametrize("tags", [TAGS, ["a", "b", "a", "b", "a", "sport"]], ids=["sets", "single"])
def test_sample_weight_is_not_changed_in_place(class_weight, tags):
    if isinstance(class_weight, dict) and tags is not TAGS:
        class_weight = {"a": 3.0}
    weight = np.array([1.0, 2.0, 0.5, 0.0, 3.0, 1.0])
    before = weight.copy()
    tiny(class_weight=class_weight).fit(TEXTS, tags, sample_weight=weight)
    if class_weight != "balanced":
        tiny(class_weight=class_weight).partial_fit(TEXTS, tags, sample_weight=weight)
    np.testing.assert_array_equal(weight, before)
    weight.flags.writeable = False
    assert same(
        tiny(class_weight=class_weight).fit(TEXTS, tags, sample_weight=weight),
        tiny(class_weight=class_weight).fit(TEXTS, tags, sample_weight=before.tolist()),
    )


def test_weights_of_classes_and_texts_work_together():
    """Doubling a label's weight and doubling that of its texts are not the same for label sets."""
    both = tiny(class_weight={"sport": 2.0}).fit(TEXTS, TAGS, sample_weight=[1, 2, 1, 1, 1, 1])
    assert not same(both, tiny(class_weight={"sport": 2.0}).fit(TEXTS, TAGS))
    assert not same(both, tiny().fit(TEXTS, TAGS, sample_weight=[1, 2, 1, 1, 1, 1]))


@every_engine
def test_texts_labels_and_parameters_are_left_alone():
    texts, tags = (
        np.array(TEXTS, dtype=object),
        np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [1, 0]]),
    )
    params = {"class_weight": {0: 2.0}, "vocabulary": ["the", "match", "goal"], "kernel_sizes": [2, 1]}
    before = copy.deepcopy((texts, tags, params))
    texts.flags.writeable = tags.flags.writeable = False
    clf = tiny(**params).fit(texts, tags)
    clf.predict(texts)
    np.testing.assert_array_equal(texts, before[0])
    np.testing.assert_array_equal(tags, before[1])
    assert params == before[2]
    for name, value in params.items():
        assert getattr(clf, name) is value


# -- what scikeras would do to labels ----------------------------------------------------------------


@every_engine
@pytest.mark.parametrize("y", [ONE_EACH, np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [1, 0]])])
def test_rows_of_exactly_one_label_stay_multilabel(y):
    clf = tiny().fit(TEXTS, y)
    assert clf.multilabel_
    assert clf.loss_ == "binary_crossentropy"
    assert clf.predict(TEXTS).shape == (6, 2)
    assert set(np.unique(clf.predict(TEXTS))) <= {0, 1}
    # Independent labels: a text may get both or none, and probabilities need not sum to 1.
    assert np.abs(clf.predict_proba(TEXTS).sum(axis=1) - 1).max() > 1e-3
    clf.thresholds_ = np.zeros(2)
    np.testing.assert_array_equal(clf.predict(TEXTS), 1)
    clf.thresholds_ = np.ones(2)
    np.testing.assert_array_equal(clf.predict(TEXTS), 0)
    assert type_of_target(clf.predict(TEXTS)) == "multilabel-indicator"


@every_engine
@pytest.mark.parametrize(
    ("y", "k"),
    [
        (TAGS, 2),
        (["a", "b", "a", "b", "a", "b"], 2),
        (["a", "b", "c", "b", "a", "b"], 3),
        (np.array([[1], [0], [1], [1], [0], [0]]), 1),
    ],
    ids=["sets", "binary", "multiclass", "one column"],
)
def test_probabilities_have_two_dimensions_also_for_one_row(y, k):
    clf = tiny().fit(TEXTS, y)
    assert clf.predict_proba(TEXTS).shape == (6, k)
    assert clf.predict_proba(TEXTS[:1]).shape == (1, k)
    assert len(clf.predict(TEXTS[:1])) == 1


def test_decisions_are_not_roundings(fitted):
    clf = copy.deepcopy(fitted)
    p = clf.predict_proba(TEXTS)
    clf.thresholds_ = np.sort(p, axis=0)[2].astype(float)
    np.testing.assert_array_equal(clf.predict(TEXTS), p >= clf.thresholds_)
    assert (clf.predict(TEXTS).sum(axis=0) == 4).all()


def test_the_estimator_is_a_classifier():
    assert is_classifier(tiny())


def test_misspelt_parameters_fail():
    with pytest.raises(TypeError, match="filter"):
        TextCNNClassifier(filter=3)
    with pytest.raises(ValueError, match="Invalid parameter 'filter'"):
        tiny().set_params(filter=3)


# -- a fit that fails --------------------------------------------------------------------------------


class Error(Exception):
    """One that nobody else raises."""


class Fails(Observer):
    """Raises at one event of one of the networks."""

    def __init__(self, error, event):
        def fail(*arguments):
            raise error

        setattr(self, event, fail)


MOMENTS = ["begin_epoch", "end_batch", "end_epoch", "fit_linear", "fit_blend", "end_fit"]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("error", [Error("no"), KeyboardInterrupt()], ids=["Exception", "interrupt"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(engine, moment, error, n_jobs, monkeypatch):
    if engine == "keras" and n_jobs > 1:
        pytest.skip("networks of Keras are trained one after the other")

    def fail(*arguments, **named):
        raise error

    options = {"threshold": "tune", "validation": 2, "linear": True, "n_jobs": n_jobs}
    clf = tiny(**options).fit(TEXTS * 3, TAGS * 3)
    objects, before = dict(vars(clf)), pickle.dumps(clf)
    with monkeypatch.context() as patch:
        if moment in ("fit_linear", "fit_blend"):
            patch.setattr(fitting, moment, fail)
        elif moment == "end_fit":
            patch.setattr(callbacks.FitCallbacks, moment, fail)
        else:
            patch.setattr(callbacks.Progress, "network", lambda *_: Fails(error, moment))
        with pytest.raises(type(error)):
            clf.fit(
                ["other texts", "match match", "a vote"] * 4, [["sport"], ["sport"], ["politics"]] * 4
            )
    assert vars(clf).keys() == objects.keys()
    assert all(vars(clf)[name] is value for name, value in objects.items())
    assert pickle.dumps(clf) == before
    clf.fit(TEXTS * 3, TAGS * 3)  # nothing is broken
    assert clf.weights_ is not objects["weights_"]


@every_engine
def test_a_first_fit_that_fails_leaves_no_fitted_attribute(monkeypatch):
    monkeypatch.setattr(callbacks.Progress, "network", lambda *_: Fails(Error("no"), "end_epoch"))
    clf = tiny()
    before = set(vars(clf))
    with pytest.raises(Error):
        clf.fit(TEXTS, TAGS)
    assert set(vars(clf)) == before


@every_engine
def test_a_metric_that_raises_leaves_the_estimator_as_it_was():
    def metric(truth, predicted):
        raise Error("no")

    clf = tiny().fit(TEXTS, TAGS)
    before = clf.weights_
    clf.set_params(early_stopping=True, validation=0.3, metric=metric)
    with pytest.raises(Error):
        clf.fit(TEXTS, TAGS)
    assert clf.weights_ is before
    assert sorted(clf.history_) == ["loss", "seconds"]


# -- what is left behind -----------------------------------------------------------------------------


@every_engine
def test_a_fitted_estimator_holds_no_live_objects():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)

    def walk(value):
        yield value
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, (list, tuple)):
            for item in value:
                yield from walk(item)

    kinds = {type(value).__module__.partition(".")[0] for value in walk(vars(clf))}
    assert kinds == {"builtins", "numpy", "sktextcnn"}  # the last is that of `resolved_`


@every_engine
def test_no_network_outlives_its_fit():
    tiny().fit(TEXTS, TAGS)

    def n_live():
        gc.collect()
        return sum(isinstance(thing, (keras.Model, keras.Variable)) for thing in gc.get_objects())

    before = n_live()
    for _ in range(3):
        tiny().fit(TEXTS, TAGS)
    assert n_live() <= before


def resident():
    """Memory of this process in pages, as far as the platform tells."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc on this platform")
def test_memory_does_not_grow_from_fit_to_fit():
    sizes = []
    for number in range(40):
        tiny(filters=4 + number % 3, random_state=number).fit(TEXTS, TAGS)
        if number in (9, 39):
            gc.collect()
            sizes.append(resident())
    assert sizes[1] < 1.1 * sizes[0]
