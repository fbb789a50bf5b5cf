"""Parameters, and weights of texts, that mean nothing, and what is said about them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from sktextcnn import TextCNNClassifier
from tests.examples import TAGS, TEXTS, TOPICS, tiny


@pytest.fixture(scope="module")
def clf():
    return tiny().fit(TEXTS, TAGS)


def name_of_options(value):
    """Name a case by its parameters: sets and functions among values differ between processes."""
    return "-".join(value) if isinstance(value, dict) else None


INVALID = {
    "analyzer": ["char_wb", None, 3],
    "lowercase": ["yes", None],
    "strip_accents": ["latin", True],
    "token_pattern": [None, 3, "(", "(a)(b)"],
    "tokenizer": ["split", 3],
    "min_df": [-1, 1.5, -0.1, "2", None],
    "max_df": [0, 0.0, -1, 1.5, None],
    "max_features": [0, -1, 2.5, "all"],
    "max_length": [0, 2.5, 1.0, "none", "auto"],
    "vocabulary": ["a b c", [], ["a", "a"], {"a": 1}, {"a": 0, "b": 2}, [1, 2], 5],
    "embedding_dim": [0, 2.5, None, "8"],
    "kernel_sizes": [3, (), (0, 1), (1.5,), (2, 2), [[1, 2]], "23", None, ("2",)],
    "filters": [0, -1, 1.5, None],
    "hidden_units": [0, -1, 2.5, "8"],
    "embedding_dropout": [-0.1, 1, 1.5, None],
    "dropout": [-0.1, 1.0, "0.5"],
    "loss": ["hinge", None, "mse", 3],
    "class_weight": [
        "equal",
        [1, 2],
        3,
        {"unheard of": 2.0},
        {"sport": -1.0},
        {"sport": float("nan")},
        {"sport": float("inf")},
    ],
    "optimizer": ["lion", None, "Adam"],
    "learning_rate": [0, -1e-3, None, "auto"],
    "learning_rate_schedule": ["cosine", "auto", None, 0.5],
    "batch_size": [0, -1, 2.5, None],
    "negative_samples": [0, -1, 2.5, "auto"],
    "epochs": [0, -1, 2.5, None, "many"],
    "engine": ["gpu", None, "tensorflow", True],
    "network": ["lstm", 3, []],
    "n_jobs": [0, 1.5, "all"],
    "checkpoint_dir": [0, True, b"folder"],
    "early_stopping": ["always", "auto", None, 2],
    "n_iter_no_change": [0, -1, 2.5, None],
    "validation": [0.0, 1.0, -0.1, 1.5, 0, 1, "many", "abc", []],
    "linear": [None, "yes"],
    "linear_char_ngram_range": [4, (4,), (0, 4), (4, 3), (4, 9), (1.0, 2), "all"],
    "linear_ngram_range": [2, (1,), (0, 1), (2, 1), (1, 4), (1.0, 2), "all", None],
    "linear_C": [0, -1.0, "1", None],
    "embeddings": [3, {}, {"a": "b"}],
    "embedding_mode": ["frozen", None],
    "threshold": [
        -0.1,
        1.1,
        "tune it",
        "auto",
        None,
        [0.5, 0.5],
        [0.5] * 4,
        [0.5, 0.5, 1.5],
        [[0.5] * 3],
        [0.5, np.nan, 0.5],
    ],
    "metric": ["f2", None, 3],
    "min_labels": [-1, 1.5, None],
    "max_labels": [0, -1, 1.5],
    "random_state": ["seed", -1, 1.5],
    "verbose": [-1, "loud", None],
    "warm_start": ["yes", None],
    "keras_callbacks": [[], "EarlyStopping", 3],
}

# `classes` is looked at together with y, in test_bad_classes.
INVALID_CASES = [(name, value) for name, values in INVALID.items() for value in values]


def test_an_unknown_parameter_is_said_to_be_one_of_the_class_that_was_called():
    with pytest.raises(
        TypeError, match=r"^TextCNNClassifier\.__init__\(\) got an unexpected keyword argument 'epoch'"
    ):
        TextCNNClassifier(epoch=3)
    assert "epochs" in clone(TextCNNClassifier(epochs=3)).get_params()


def test_every_parameter_has_an_invalid_value_here():
    assert {*INVALID, "classes"} == set(TextCNNClassifier().get_params())


@pytest.mark.parametrize(("name", "value"), INVALID_CASES, ids=lambda value: repr(value)[:30])
def test_invalid_parameter(name, value):
    """The parameter is named in the message, whoever wrote it."""
    clf = tiny(**{name: value})
    with pytest.raises((ValueError, TypeError), match=name) as info:
        clf.fit(TEXTS, TAGS)
    assert type(info.value) in (InvalidParameterError, ValueError, TypeError)
    assert not hasattr(clf, "weights_")


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_invalid_parameters_are_found_before_the_data_are_read(method):
    with pytest.raises(
        InvalidParameterError, match="'filters' parameter of TextCNNClassifier must be an int"
    ):
        getattr(tiny(filters=0), method)(None, None)


READ_LABEL_BOUNDS = {
    "fit": lambda clf: tiny(min_labels=clf.min_labels, max_labels=clf.max_labels).fit(TEXTS, TAGS),
    "predict": lambda clf: clf.predict(TEXTS),
    "predict_labels": lambda clf: clf.predict_labels(TEXTS[:1]),
    "score": lambda clf: clf.score(TEXTS, TAGS),
    "explain": lambda clf: clf.explain(TEXTS[:1]),
}


@pytest.mark.parametrize("read", READ_LABEL_BOUNDS)
@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"min_labels": 3, "max_labels": 2}, "min_labels=3 is more than max_labels=2"),
        ({"min_labels": 4}, "min_labels=4 is more than the number of labels, 3, so no .* Lower it"),
        (
            {"min_labels": 1.5},
            r"'min_labels' parameter of TextCNNClassifier must be an int in the range \[0, inf\). Got 1",
        ),
        ({"min_labels": -1}, "'min_labels' parameter .* must be an int in the .* Got -1"),
        ({"min_labels": True}, "'min_labels' parameter .* must be an int in the .* Got True"),
        ({"min_labels": None}, "'min_labels' parameter .* must be an int in the .* Got None"),
        ({"max_labels": 0}, "'max_labels' parameter .* must be an int in the .* or None. Got 0"),
        ({"max_labels": "2"}, "'max_labels' parameter .* must be an int in the .* or None. Got '2'"),
    ],
    ids=str,
)
def test_numbers_of_labels_that_make_no_sense(clf, bounds, message, read):
    """Wherever they are read: they may have been set since the fit."""
    changed = copy.copy(clf).set_params(**bounds)
    with pytest.raises(ValueError, match=message):
        READ_LABEL_BOUNDS[read](changed)
    changed.set_params(min_labels=3, max_labels=7)  # more than there are, at most, is no contradiction
    assert changed.predict(TEXTS).all()


WHOLE = [
    *("min_df", "max_features", "max_length", "embedding_dim", "filters", "hidden_units", "n_jobs"),
    *(
        "batch_size",
        "negative_samples",
        "epochs",
        "n_iter_no_change",
        "validation",
        "min_labels",
        "max_labels",
    ),
    *("embedding_dropout", "dropout", "learning_rate", "validation", "threshold"),
]


@pytest.mark.parametrize("value", [True, False, np.True_])
@pytest.mark.parametrize("name", WHOLE)
def test_true_and_false_are_no_numbers(name, value):
    message = (
        rf"The '{name}' parameter of TextCNNClassifier must be (an int|a float) .* Got {value!r} in"
    )
    for method in ("fit", "partial_fit"):
        with pytest.raises(InvalidParameterError, match=message):
            getattr(tiny(**{name: value}), method)(None, None)


# -- what is said of their values -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"learning_rate": 1e30},
            ValueError,
            r"training has diverged with learning_rate=1e\+30\. Lower it",
        ),
        ({"class_weight": {"food": "3"}}, ValueError, "class_weight of 'food' is '3'"),
        ({"class_weight": {"food": None}}, ValueError, "class_weight of 'food' is None"),
        ({"threshold": ["a", "b", "c"]}, ValueError, r"threshold=\['a', 'b', 'c'\]; expected numbers"),
        ({"classes": [["food"], ["news"]]}, TypeError, r"classes holds \['food'\]; labels must be str"),
        ({"classes": ["food", None]}, TypeError, "classes holds None; labels must be str or int"),
        ({"vocabulary": {"a", 1}}, TypeError, "vocabulary holds 1; every token must be a str"),
        ({"vocabulary": {"a": None, "b": 1}}, ValueError, "vocabulary must number its 2 tokens 0 to 1"),
        ({"vocabulary": {"a": "0"}}, ValueError, "vocabulary must number its 1 tokens 0 to 0"),
        ({"vocabulary": [["a"]]}, TypeError, r"vocabulary holds \['a'\]; every token must be a str"),
        (
            {"analyzer": lambda text: None},
            TypeError,
            "analyzer or tokenizer returned None for 'the match",
        ),
        ({"tokenizer": lambda text: text}, TypeError, "analyzer or tokenizer returned 'the match"),
        ({"analyzer": lambda text: [1]}, TypeError, "returned the token 1; tokens must be str"),
        (
            {"metric": lambda a, b: float("nan"), "validation": 0.25},
            ValueError,
            "metric returned nan; it must return a number, higher being better. Texts",
        ),
        (
            {"metric": lambda a, b: float("nan"), "validation": 0.25, "early_stopping": False},
            ValueError,
            "metric returned nan; it must return a number",
        ),
        (
            {"metric": lambda a, b: None, "validation": 0.25},
            TypeError,
            "metric returned None; it must return a number, higher being better",
        ),
        (
            {"metric": lambda a, b: np.ones(2), "validation": 2, "early_stopping": False},
            TypeError,
            r"metric returned array\(\[1\., 1\.\]\); it must return a number",
        ),
    ],
    ids=name_of_options,
)
def test_messages_about_values_inside_parameters(changed, error, message):
    with pytest.raises(error, match=message):
        tiny(**changed).fit(TEXTS, TAGS)


def test_messages_about_thresholds():
    with pytest.raises(
        ValueError, match=r"threshold has shape \(2,\); .* each of the 3 labels in the order of"
    ):
        tiny(threshold=[0.5, 0.5]).fit(TEXTS, TAGS)
    with pytest.raises(
        ValueError, match=r"threshold must lie between 0 and 1; got \[0\.5, 0\.5, 1\.5\]"
    ):
        tiny(threshold=[0.5, 0.5, 1.5]).fit(TEXTS, TAGS)


def test_messages_about_class_weight():
    with pytest.raises(
        ValueError, match=r"class_weight names 'tennis', which is not among the labels \['food'"
    ):
        tiny(class_weight={"tennis": 2.0}).fit(TEXTS, TAGS)
    with pytest.raises(
        ValueError, match="class_weight of 'food' is -1; it must not be negative or infinite"
    ):
        tiny(class_weight={"food": -1}).fit(TEXTS, TAGS)


def test_ragged_kernel_sizes():
    with pytest.raises(ValueError, match="kernel_sizes"):
        tiny(kernel_sizes=[[1], [2, 3]]).fit(TEXTS, TAGS)


def test_messages_about_kernel_sizes():
    with pytest.raises(ValueError, match=r"kernel_sizes=\(\); expected one or more widths in tokens"):
        tiny(kernel_sizes=()).fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match=r"kernel_sizes=\(2, 2\) names a width more than once"):
        tiny(kernel_sizes=(2, 2)).fit(TEXTS, TAGS)


@pytest.mark.parametrize("y", [TAGS[:3], TOPICS[:3]])
def test_validation_that_leaves_nothing(y):
    """Every label has a single text, which the network must learn from."""
    clf = tiny(early_stopping=True, validation=0.5)
    with pytest.raises(ValueError, match=r"validation=0\.5 of 3 texts leaves nothing"):
        clf.fit(TEXTS[:3], y)
    with pytest.raises(ValueError, match=r"validation=0\.5 of 1 texts leaves nothing"):
        clf.fit(TEXTS[:1], [["sport"]])


def test_balanced_weights_by_mini_batches():
    with pytest.raises(ValueError, match="class_weight='balanced' counts the labels of all texts"):
        tiny(class_weight="balanced").partial_fit(TEXTS, TAGS)


# -- weights of texts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0] * 11, r"sample_weight has shape \(11,\); expected \(12,\), one per text"),
        (np.ones((12, 1)), r"sample_weight has shape \(12, 1\)"),
        (2.0, r"sample_weight has shape \(\)"),
        ([-1.0] + [1.0] * 11, "sample_weight must be finite, not negative, and not all zero"),
        ([np.nan] + [1.0] * 11, "sample_weight must be finite"),
        ([np.inf] + [1.0] * 11, "sample_weight must be finite"),
        ([0.0] * 12, "not all zero"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_bad_sample_weight(clf, method, weight, message):
    estimator = clf if method == "score" else tiny()
    with pytest.raises(ValueError, match=message):
        getattr(estimator, method)(TEXTS, TAGS, sample_weight=weight)


def test_message_about_sample_weight_of_names():
    with pytest.raises(ValueError, match="sample_weight must hold one number per text"):
        tiny().fit(TEXTS, TAGS, sample_weight=["a"] * len(TEXTS))
