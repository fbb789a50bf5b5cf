"""What a fit must leave alone: global states, and the caller's data."""

from __future__ import annotations

import copy
import gc
import logging
import os
import random
import warnings
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf

from sktextcnn import as_label_matrix
from tests.examples import TAGS, TEXTS, every_engine, every_engine_and, same_weights, tiny
from tests.forms import METHODS, PAIRS, X_FORMS, Y_FORMS, dense
from tests.processes import run_python

# -- global states ----------------------------------------------------------------------------------


@every_engine
def test_a_seeded_fit_leaves_no_determinism_behind():
    """With TensorFlow's op determinism on, unseeded random operations raise."""
    first = tiny(random_state=0).fit(TEXTS, TAGS)
    tf.random.uniform((2,))
    assert tiny(random_state=None).fit(TEXTS, TAGS).n_epochs_ == 2
    assert same_weights(tiny(random_state=0).fit(TEXTS, TAGS), first)


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
def test_pythons_global_state_is_left_alone():
    tiny().fit(TEXTS, TAGS)  # imports
    before = random.getstate()
    use(tiny())
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


# -- Keras' settings --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(TEXTS, TAGS)


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
    assert same_weights(clf, fitted)
    np.testing.assert_array_equal(clf.predict_proba(TEXTS), fitted.predict_proba(TEXTS))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float64"])
def test_the_dtype_policy_changes_no_result(fitted, keras_settings, policy):
    keras.config.set_dtype_policy(policy)
    assert same_weights(tiny().fit(TEXTS, TAGS), fitted)
    assert keras.config.dtype_policy().name == policy


BACKENDS = """
import os, sys, types
from sktextcnn import TextCNNClassifier

def fit(engine):
    TextCNNClassifier(min_df=1, engine=engine).fit(["a b", "b c"], ["x", "y"])

def say(function, *arguments):
    try:
        print(function(*arguments))
    except Exception as error:
        print(type(error).__name__, error, sep=": ")

say(fit, "compiled")
say(fit, "keras")
say(__import__, "sktextcnn.engine.network")
# Now it is running, whatever the environment says.
keras = types.ModuleType("keras")
keras.config = types.SimpleNamespace(backend=lambda: "torch")
sys.modules["keras"] = keras
os.environ["KERAS_BACKEND"] = "tensorflow"
say(fit, "keras")
"""

OTHER_BACKEND = (
    "ImportError: Keras runs on the 'torch' backend; sktextcnn trains on TensorFlow. Start Python with "
    "the environment variable KERAS_BACKEND=tensorflow, or unset it."
)


@pytest.mark.slow
def test_another_keras_backend_is_refused_where_keras_is_needed():
    said = run_python(BACKENDS, KERAS_BACKEND="torch").stdout.splitlines()
    fitted, refused, without_fit, already_running = said
    assert fitted == "None"
    assert refused == without_fit == already_running == OTHER_BACKEND


# -- the caller's data ------------------------------------------------------------------------------


@every_engine_and(["x_form", "y_form"], PAIRS)
def test_data_and_parameters_are_not_changed(x_form, y_form):
    X, y = X_FORMS[x_form](TEXTS), Y_FORMS[y_form]()
    weight = np.linspace(0, 2, len(TEXTS))
    clf = tiny(epochs=1, kernel_sizes=[2, 1], class_weight="balanced", classes=None)
    learner = tiny(epochs=1)
    parameters = copy.deepcopy(clf.get_params())
    clf.fit(X, y, sample_weight=weight)
    for method in METHODS:
        getattr(clf, method)(X)
    clf.score(X, y, sample_weight=weight)
    learner.partial_fit(X, y, sample_weight=weight)
    again = X_FORMS[x_form](TEXTS), Y_FORMS[y_form](), np.linspace(0, 2, len(TEXTS))
    assert list(X) == list(again[0])
    assert str(y) == str(again[1])
    assert np.array_equal(
        dense(y) if y_form != "label sets" else 0, dense(again[1]) if y_form != "label sets" else 0
    )
    assert np.array_equal(weight, again[2])
    assert clf.get_params() == parameters


@every_engine
def test_parameters_are_kept_as_the_objects_they_are():
    given = {
        "kernel_sizes": [2, 1],
        "class_weight": {"sport": 2.0},
        "classes": ["sport", "news", "food"],
        "vocabulary": {"the": 0, "match": 1},
        "threshold": [0.5, 0.4, 0.3],
    }
    copies = copy.deepcopy(given)
    clf = tiny(**given).fit(TEXTS, TAGS)
    clf.predict(TEXTS)
    for name, value in given.items():
        assert getattr(clf, name) is value
        assert value == copies[name]
    assert clf.vocabulary_ is not clf.vocabulary


@every_engine_and(["how", "y_form"], [*product(["read-only", "memmap"], ["1-D", "matrix"])])
def test_read_only_arrays(how, y_form, tmp_path):
    arrays = {
        "X": np.array(TEXTS),
        "y": np.array(Y_FORMS[y_form]()),
        "weight": np.linspace(0.5, 2, len(TEXTS)),
    }
    for name, array in arrays.items():
        if how == "memmap":
            np.save(tmp_path / f"{name}.npy", array)
            arrays[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        else:
            array.flags.writeable = False
    clf = tiny().fit(arrays["X"], arrays["y"], sample_weight=arrays["weight"])
    clf.partial_fit(arrays["X"], arrays["y"], sample_weight=arrays["weight"])
    assert clf.predict(arrays["X"]).shape == arrays["y"].shape
    assert 0 <= clf.score(arrays["X"], arrays["y"], arrays["weight"]) <= 1


@every_engine_and(
    ["class_weight", "y_form"],
    [*product([None, "balanced", {"sport": 3.0}], ["label sets", "1-D"])],
)
def test_sample_weight_is_not_changed_in_place(class_weight, y_form):
    y = Y_FORMS[y_form]()
    weight = np.array([1.0, 2.0, 0.5, 0.0, 3.0, 1.0] * 2)
    before = weight.copy()
    tiny(class_weight=class_weight).fit(TEXTS, y, sample_weight=weight)
    if class_weight != "balanced":
        tiny(class_weight=class_weight).partial_fit(TEXTS, y, sample_weight=weight)
    np.testing.assert_array_equal(weight, before)
    weight.flags.writeable = False
    assert same_weights(
        tiny(class_weight=class_weight).fit(TEXTS, y, sample_weight=weight),
        tiny(class_weight=class_weight).fit(TEXTS, y, sample_weight=before.tolist()),
    )


def test_a_linear_part_leaves_its_inputs_alone():
    texts, y, weight = list(TEXTS), as_label_matrix(TAGS), np.linspace(0.5, 2, 12)
    before = y.copy()
    y.setflags(write=False)
    weight.setflags(write=False)
    clf = tiny(linear=True, validation=2).fit(texts, y, sample_weight=weight)
    assert clf.linear_part_ is not None
    assert texts == TEXTS
    np.testing.assert_array_equal(y, before)


# -- what is left behind ----------------------------------------------------------------------------


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
