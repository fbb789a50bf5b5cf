"""What goes wrong, and what is said about it."""

import copy
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.utils._param_validation import InvalidParameterError

from sktextcnn import TextCNNClassifier, as_label_matrix, group_rows
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, matrix_of, same_weights, tiny


@pytest.fixture(scope="module")
def clf():
    return tiny().fit(TEXTS, TAGS)


@pytest.fixture(scope="module")
def single():
    return tiny().fit(TEXTS, TOPICS)


# -- X -------------------------------------------------------------------------------------------------


def with_item(position, value):
    return [*TEXTS[:position], value, *TEXTS[position + 1 :]]


BAD_X = {
    "one str": ("a text", TypeError, r"X is a single str; pass a list of texts: \[text\]"),
    "bytes": (b"a text", TypeError, r"X is bytes; decode it"),
    "bytearray": (bytearray(b"a text"), TypeError, r"X is bytes; decode it"),
    "bytes inside": (with_item(4, b"a text"), TypeError, r"X\[4\] is bytes; .* Decode it"),
    "None inside": (with_item(3, None), TypeError, r"X\[3\] is None; .* Fill missing texts with ''"),
    "NaN inside": (with_item(0, float("nan")), TypeError, r"X\[0\] is nan; .* Fill missing texts"),
    "numpy NaN inside": (with_item(1, np.float32("nan")), TypeError, r"X\[1\] is nan; .* Fill missing"),
    "number inside": (
        with_item(11, 42),
        TypeError,
        r"X\[11\] is '42' of type int; every text must be a",
    ),
    "list inside": (
        with_item(2, ["a"]),
        TypeError,
        r"X\[2\] is .* of type list; every text must be a str",
    ),
    "object array with None": (np.array(with_item(5, None), dtype=object), TypeError, r"X\[5\] is None"),
    "Series with NaN": (pd.Series(with_item(5, np.nan), dtype=object), TypeError, r"X\[5\] is nan"),
    "polars with null": (pl.Series(with_item(5, None)), TypeError, r"X\[5\] is None"),
    "numbers": (np.arange(12), TypeError, r"X\[0\] is '0' of type int; every text must be a str"),
    "a number": (7, TypeError, r"X is a int; pass a 1-D sequence of str"),
    "None": (None, TypeError, r"X is a NoneType; pass a 1-D sequence of str"),
    "dict": ({"text": TEXTS}, TypeError, r"X is a dict; pass a 1-D sequence of str"),
    "set": (set(TEXTS), TypeError, r"X is a set; pass a 1-D sequence of str"),
    "no rows": ([], ValueError, r"X holds no texts: at least one is needed"),
    "empty array": (np.array([], dtype=object), ValueError, r"X holds no texts"),
    "several columns": (
        np.array([TEXTS, TEXTS]).T,
        ValueError,
        r"X has shape \(12, 2\); expected a 1-D",
    ),
    "several columns of a frame": (
        pd.DataFrame({"title": TEXTS, "text": TEXTS}),
        ValueError,
        r"X has shape \(12, 2\).* Select the text column, for example X\['text'\]",
    ),
    "three dimensions": (np.array(TEXTS).reshape(12, 1, 1), ValueError, r"X has shape \(12, 1, 1\)"),
    "scalar array": (np.array("a text"), (TypeError, ValueError), r"X (has shape \(\)|is a)"),
}


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize(
    "method", ["fit", "partial_fit", "predict", "predict_proba", "predict_labels", "score"]
)
def test_bad_texts(clf, case, method):
    X, error, message = BAD_X[case]
    arguments = (X, TAGS) if method in ("fit", "partial_fit", "score") else (X,)
    estimator = tiny() if method in ("fit", "partial_fit") else clf
    with pytest.raises(error, match=message):
        getattr(estimator, method)(*arguments)
    assert hasattr(estimator, "weights_") == (estimator is clf)


def test_missing_value_of_a_nullable_series(clf):
    with pytest.raises(TypeError, match=r"X\[5\] is .*; every text must be a str\. Fill missing texts"):
        clf.predict(pd.Series(with_item(5, None), dtype="string"))


def test_array_inside(clf):
    with pytest.raises(TypeError, match=r"X\[1\] is .* of type ndarray; every text must be a str"):
        clf.predict([TEXTS[0], np.array(["a", "b"])])


# -- y -------------------------------------------------------------------------------------------------


def tags_with(position, value):
    return [*TAGS[:position], value, *TAGS[position + 1 :]]


def matrix_with(value):
    matrix = matrix_of().astype(float)
    matrix[2, 1] = value
    return matrix


BAD_Y = {
    "shorter": (TAGS[:-1], ValueError, r"X has 12 texts, but y has 11 rows; expected as many"),
    "longer": (
        matrix_of([*TAGS, []]),
        ValueError,
        r"X has 12 texts, but y has 13 rows; expected as many",
    ),
    "no rows": ([], ValueError, r"y holds no rows"),
    "no rows in a matrix": (np.zeros((0, 3)), ValueError, r"y holds no rows"),
    "None": (None, ValueError, r"y is None; a classifier needs"),
    "one str": ("sport", TypeError, r"y is a single str; pass one entry per text"),
    "dict": (dict(enumerate(TAGS)), TypeError, r"y is a single dict; pass one entry per text"),
    "a set": ({"sport"}, TypeError, r"y is a set; pass a sequence"),
    "a number": (3, TypeError, r"y is a int; pass a sequence"),
    "a str among sets": (
        tags_with(3, "sport"),
        TypeError,
        r"y\[3\] is the str 'sport' among label sets.*Write \['sport'\]",
    ),
    "None among sets": (
        tags_with(3, None),
        ValueError,
        r"y\[3\] is None; write \[\] for a text without",
    ),
    "NaN among sets": (
        tags_with(3, np.nan),
        ValueError,
        r"y\[3\] is nan; write \[\] for a text without",
    ),
    "number among sets": (tags_with(3, 7), TypeError, r"y\[3\] is 7 of type int among label sets"),
    "None in a set": (
        tags_with(3, ["sport", None]),
        ValueError,
        r"y\[3\] holds None; leave missing labels",
    ),
    "list in a set": (
        tags_with(3, [["sport"]]),
        TypeError,
        r"y\[3\] holds a list; labels must be str or int",
    ),
    "mixed sets": (tags_with(3, ["sport", 1]), TypeError, r"y mixes str labels with numbers"),
    "None among labels": (
        [*TOPICS[:5], None, *TOPICS[6:]],
        ValueError,
        r"y\[5\] is None; every text needs",
    ),
    "NaN among labels": (
        [*TOPICS[:5], np.nan, *TOPICS[6:]],
        ValueError,
        r"y\[5\] is nan; every text needs",
    ),
    "missing in a Series": (
        pd.Series([*TOPICS[:5], None, *TOPICS[6:]], dtype="string"),
        ValueError,
        r"y\[5\] is .*; every text needs a label",
    ),
    "mixed labels": ([*TOPICS[:5], 1, *TOPICS[6:]], TypeError, r"y mixes str labels with numbers"),
    "continuous": (
        np.linspace(0, 1, 12),
        ValueError,
        r"y\[1\] is 0\.09.*, a continuous value; expected labels",
    ),
    "dicts": (
        [{"tag": tags} for tags in TAGS],
        TypeError,
        r"y\[0\] is of type dict; expected a str, int",
    ),
    "single class": (
        ["sport"] * 12,
        ValueError,
        r"y holds a single class, .*sport.*; .* at least two.* \['news'\] rather",
    ),
    "no label": ([[] for _ in TEXTS], ValueError, r"y holds no label anywhere"),
    "no label in a matrix": (np.zeros((12, 3)), ValueError, r"y holds no label anywhere"),
    "no label, sparse": (sparse.csr_matrix((12, 3)), ValueError, r"y holds no label anywhere"),
    "no column": (np.zeros((12, 0)), ValueError, r"y holds no label anywhere"),
    "no label in a frame": (
        pd.DataFrame(np.zeros((12, 2), int), columns=["a", "b"]),
        ValueError,
        r"no label anywhere",
    ),
    "a 2": (matrix_with(2), ValueError, r"y\[2, 1\] is 2\.0; a matrix y must hold 0 and 1 only"),
    "a half": (matrix_with(0.5), ValueError, r"y\[2, 1\] is 0\.5; a matrix y must hold 0 and 1 only"),
    "minus one": (matrix_with(-1), ValueError, r"y\[2, 1\] is -1\.0; a matrix y must hold 0 and 1 only"),
    "NaN": (matrix_with(np.nan), ValueError, r"y\[2, 1\] is nan; a matrix y must hold 0 and 1 only"),
    "sparse 2": (
        sparse.csr_matrix(matrix_with(2)),
        ValueError,
        r"y\[2, 1\] is 2\.0; a matrix y must hold 0 and 1",
    ),
    "frame with 2": (
        pd.DataFrame(matrix_with(2), columns=LABELS),
        ValueError,
        r"y\[2, 1\] is 2\.0; a matrix",
    ),
    "frame with NaN": (pd.DataFrame(matrix_with(np.nan)), ValueError, r"y\[2, 1\] is nan; a matrix"),
    "frame of names": (
        pd.DataFrame({"tag": TOPICS}),
        ValueError,
        r"shape \(12, 1\) and holds str.*y\['tag'\]",
    ),
    "matrix of names": (
        np.array([TOPICS, TOPICS]).T,
        ValueError,
        r"holds str; a matrix y must hold 0 and 1",
    ),
    "object matrix": (matrix_of().astype(object) + 1j, ValueError, r"y is a matrix"),
    "three dimensions": (np.zeros((12, 3, 1)), ValueError, r"y has 3 dimensions; expected one or two"),
    "rows of 0 and 1": (
        matrix_of().tolist(),
        ValueError,
        r"equal-length rows of 0 and 1: a 0/1 matrix, or sets .* Pass np\.asarray\(y\) for a matrix",
    ),
    "tuples of 0 and 1": ([(0, 1)] * 12, ValueError, r"equal-length rows of 0 and 1"),
}


@pytest.mark.parametrize("case", BAD_Y)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_labels(case, method):
    y, error, message = BAD_Y[case]
    if method == "partial_fit" and "no label" in message:
        return  # a mini-batch may be without labels
    estimator = tiny()
    with pytest.raises(error, match=message):
        getattr(estimator, method)(TEXTS, y)
    assert not hasattr(estimator, "weights_")


def test_single_class_is_named_as_the_user_wrote_it():
    with pytest.raises(
        ValueError, match="y holds a single class, 'sport'; a classifier needs at least two"
    ):
        tiny().fit(TEXTS, ["sport"] * 12)


UNREADABLE_FOR_SCORE = [case for case, (_, _, message) in BAD_Y.items() if "no label" not in message]


@pytest.mark.parametrize("case", sorted({*UNREADABLE_FOR_SCORE} - {"single class", "None"}))
def test_bad_labels_at_score(clf, single, case):
    y, error, message = BAD_Y[case]
    estimator = (
        single if "labels" in case or case in ("missing in a Series", "continuous", "dicts") else clf
    )
    with pytest.raises(error, match=message):
        estimator.score(TEXTS, y)


def test_no_labels_at_score(clf):
    with pytest.raises((TypeError, ValueError), match=r"y is (a None|None)"):
        clf.score(TEXTS, None)


def test_score_of_another_kind(clf, single):
    with pytest.raises(
        ValueError, match="y has one label per text, but the classifier was fitted on several"
    ):
        clf.score(TEXTS, TOPICS)
    with pytest.raises(
        ValueError, match="y has several labels per text, but the classifier was fitted on one"
    ):
        single.score(TEXTS, TAGS)
    with pytest.raises(ValueError, match="y has 2 columns, but classes names 3"):
        clf.score(TEXTS, matrix_of()[:, :2])


def test_score_where_no_label_can_be_right(clf, single):
    """Not a score of 0, as for labels that were not seen."""
    named, plain = as_label_matrix(TAGS), tiny().fit(TEXTS, matrix_of())
    other = pd.DataFrame(matrix_of(), columns=["essen", "politik", "sport!"])
    message = r"None of y's labels, \['food', 'news', 'sport'\], is among classes_=\[0, 1, 2\]\. If the"
    for y in (named, pd.DataFrame(matrix_of(), columns=LABELS), TAGS):
        with pytest.raises(ValueError, match=message + r".*fit it again with as_label_matrix\(tags\)"):
            plain.score(TEXTS, y)
    with pytest.raises(
        ValueError, match=r"None of y's labels, \['essen', 'politik', 'sport!'\], is among"
    ):
        clf.score(TEXTS, other)
    with pytest.raises(
        ValueError, match=r"None of y's labels, \[0, 1, 2\], is among classes_=\['food',"
    ):
        single.score(TEXTS, [0, 1, 2] * 4)
    assert clf.score(TEXTS[:1], [["unseen"]]) == single.score(TEXTS[:1], ["unseen"]) == 0.0
    assert clf.score(TEXTS, other.set_axis(["essen", "politik", "sport"], axis=1)) >= 0.0


@pytest.mark.parametrize("y", [TAGS, TOPICS, as_label_matrix(TAGS)])
def test_label_outside_classes(y):
    with pytest.raises(
        ValueError, match=r"'(sport|food)', which is not among classes=\['news', 'travel'\]"
    ):
        tiny(classes=["news", "travel"]).fit(TEXTS, y)


@pytest.mark.parametrize(
    ("classes", "y", "error", "message"),
    [
        (["news", "news"], TAGS, ValueError, "classes holds 'news' more than once"),
        ([], TAGS, ValueError, "classes is empty"),
        (["a", "b"], matrix_of(), ValueError, "y has 3 columns, but classes names 2"),
        ("sport", TAGS, InvalidParameterError, "'classes' parameter"),
        ([1, 2, 3], TAGS, ValueError, r"which is not among classes=\[1, 2, 3\]"),
    ],
)
def test_bad_classes(classes, y, error, message):
    with pytest.raises(error, match=message):
        tiny(classes=classes).fit(TEXTS, y)


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


# -- one label per text, but several for the same text --------------------------------------------------

PAIRS = [
    ("I read the news", "Child"),
    ("I read the news", "Reporter"),
    ("I read machine learning news", "Data Science"),
    ("I read machine learning news", "Reporter"),
]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_the_same_text_with_different_labels_warns(method):
    texts, tags = map(list, zip(*PAIRS, strict=True))
    message = (
        r"The text 'I read the news' carries different labels \('Child', 'Reporter'\).*"
        r"fit\(\*sktextcnn\.group_rows\(X, y\)\)"
    )
    with pytest.warns(UserWarning, match=message) as record:
        getattr(tiny(), method)(texts, tags)
    assert len(record) == 1
    clf = tiny().fit(*group_rows(texts, tags))
    assert clf.multilabel_
    assert clf.classes_.tolist() == ["Child", "Data Science", "Reporter"]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_the_warning_points_at_the_call_of_fit(method):
    with pytest.warns(UserWarning, match="carries different labels") as record:
        getattr(tiny(), method)(["a text", "a text"], ["a", "b"])
    assert record[0].filename == __file__


def test_no_warning_for_the_same_text_with_the_same_label():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny().fit([*TEXTS, TEXTS[0]], [*TOPICS, TOPICS[0]])
        tiny().fit([*TEXTS, TEXTS[0]], [*TAGS, ["news"]])


def test_a_long_text_is_shortened_in_the_warning():
    long = "word " * 1000
    with pytest.warns(UserWarning, match=r"The text '(word ){11}.*\.\.\.' carries") as record:
        tiny().fit([long, long], ["a", "b"])
    assert len(str(record[0].message)) < 400


# -- parameters ----------------------------------------------------------------------------------------


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
    "epochs": [0, -1, 2.5, None, "many"],
    "engine": ["gpu", None, "tensorflow", True],
    "network": ["lstm", 3, []],
    "n_jobs": [0, 1.5, "all"],
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


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (
            "categorical_crossentropy",
            TAGS,
            "is not for y with several labels per text; use one of 'auto', 'binary",
        ),
        (
            "categorical_crossentropy",
            matrix_of(),
            "'kl_divergence' is its counterpart for several labels",
        ),
        (
            "binary_crossentropy",
            TOPICS,
            "is not for y with one label per text; use one of 'auto', 'categorical",
        ),
        ("kl_divergence", TOPICS, r"pass them as lists: \['news'\] rather than 'news'"),
        ("focal", TOPICS, "loss='focal' is not for y with one label per text"),
        ("asymmetric", TOPICS, "loss='asymmetric' is not for y with one label per text"),
    ],
)
def test_loss_and_kind_that_do_not_go_together(loss, y, message):
    with pytest.raises(ValueError, match=message):
        tiny(loss=loss).fit(TEXTS, y)


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
    *("batch_size", "epochs", "n_iter_no_change", "validation", "min_labels", "max_labels"),
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


@pytest.mark.parametrize("changed", [{"threshold": 0.4}, {"min_labels": 1}, {"max_labels": 2}])
def test_decision_parameters_have_no_meaning_for_one_label_per_text(changed):
    with pytest.raises(
        ValueError, match="threshold, min_labels and max_labels have no meaning for one label"
    ):
        tiny(**changed).fit(TEXTS, TOPICS)


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


def test_no_tokens():
    with pytest.raises(ValueError, match="X holds no tokens: every text is empty"):
        tiny().fit(["", "  "], [["a"], ["b"]])
    with pytest.raises(ValueError, match=r"No token occurs in min_df=50 of the 12 texts; lower min_df"):
        tiny(min_df=50).fit(TEXTS, TAGS)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"vocabulary": ["Match", "Budget"]},
            r"vocabulary holds no token of the texts\. Its entries are such as 'Match', 'Budget'; the "
            r"texts' tokens such as 'the', 'match', 'ended', 'in'\. Texts are lower-cased first: "
            r"lower-case the entries, too, or set lowercase=False\.",
        ),
        (
            {"vocabulary": {"tee": 0, "milch": 1}},
            r"such as 'tee', 'milch'; the .* Entries are whole tokens, as analyzer, token_pattern, low",
        ),
        ({"vocabulary": ["the match"]}, "such as 'the match'; the texts' .* Entries are whole tokens"),
        (
            {"vocabulary": ["the"], "tokenizer": lambda text: text.upper().split(), "lowercase": False},
            "such as 'the'; .* such as 'THE', 'MATCH', .* not lower-cased first: set lowercase=True",
        ),
        ({"vocabulary": ["the"], "tokenizer": lambda text: []}, "the texts' tokens such as none"),
    ],
    ids=name_of_options,
)
def test_a_vocabulary_that_matches_nothing(options, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(tiny(**options), method)(TEXTS, TAGS)


def test_a_single_match_of_the_vocabulary_is_enough():
    for method in ("fit", "partial_fit"):
        clf = getattr(tiny(vocabulary=["Tea", "soup"], max_length=1), method)(TEXTS, TAGS)
        assert clf.vocabulary_ == {"Tea": 0, "soup": 1}


def test_another_keras_backend():
    code = (
        "from sktextcnn import TextCNNClassifier\n"
        "TextCNNClassifier(min_df=1, engine='keras').fit(['a b', 'c d'], ['x', 'y'])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "sktextcnn trains on TensorFlow" in result.stderr
    assert "KERAS_BACKEND=tensorflow" in result.stderr


# -- odd texts are ordinary texts ----------------------------------------------------------------------

ODD = {
    "empty": "",
    "blank": " \t\n\u00a0",
    "unknown words only": "zyzzyva qwertz",
    "one megabyte": "the match ended in a draw " * 40_000,
    "one word of a megabyte": "x" * 1_000_000,
    "NUL": "the\x00match\x00",
    "lone surrogates": "the \ud800 match \udfff",
    "emoji": "⚽🏆👨‍👩‍👧 the match",
    "right to left": "المباراة انتهت بالتعادل",
    "marks in both directions": "\u202ethe match\u202c שלום",
    "combining": "e\u0301" * 100,
    "line ends": "the\r\nmatch\u2028ended\x0b",
    "one letter": "a",
}


@pytest.mark.parametrize("case", ODD)
def test_odd_texts_are_predicted(clf, single, case):
    text = ODD[case]
    alone = clf.predict_proba([text])
    among = clf.predict_proba([TEXTS[0], text, TEXTS[1]])
    assert alone.shape == (1, 3)
    assert np.isfinite(alone).all()
    assert np.array_equal(alone[0], among[1])
    assert clf.predict([text]).shape == (1, 3)
    assert clf.predict_labels([text]) == [clf.predict_labels([TEXTS[0], text])[1]]
    assert 0 <= clf.score([text], [["sport"]]) <= 1
    assert single.predict([text])[0] in LABELS


@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_odd_texts_are_learned_from(analyzer):
    odd = [text for case, text in ODD.items() if "megabyte" not in case]
    clf = tiny(analyzer=analyzer, epochs=1).fit([*TEXTS, *odd], [*TAGS, *[["odd"]] * len(odd)])
    assert clf.classes_.tolist() == ["food", "news", "odd", "sport"]
    assert np.isfinite(clf.predict_proba(odd)).all()
    assert same_weights(
        clf, tiny(analyzer=analyzer, epochs=1).fit([*TEXTS, *odd], [*TAGS, *[["odd"]] * len(odd)])
    )


def test_all_texts_without_a_known_word(clf):
    probabilities = clf.predict_proba(["", "", "zyzzyva"])
    assert np.array_equal(probabilities[0], probabilities[1])
    assert np.isfinite(probabilities).all()


@pytest.mark.parametrize("strip_accents", ["unicode", "ascii"])
def test_odd_texts_with_accents_stripped(strip_accents):
    clf = tiny(strip_accents=strip_accents, epochs=1).fit(TEXTS, TAGS)
    odd = [text for case, text in ODD.items() if "megabyte" not in case]
    assert np.isfinite(clf.predict_proba(odd)).all()


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


def test_message_about_sample_weight_of_names():
    with pytest.raises(ValueError, match="sample_weight must hold one number per text"):
        tiny().fit(TEXTS, TAGS, sample_weight=["a"] * len(TEXTS))


def test_balanced_weights_by_mini_batches():
    with pytest.raises(ValueError, match="class_weight='balanced' counts the labels of all texts"):
        tiny(class_weight="balanced").partial_fit(TEXTS, TAGS)


def test_a_distribution_over_a_single_label():
    with pytest.raises(ValueError, match="loss='kl_divergence' divides each text among its labels"):
        tiny(loss="kl_divergence").fit(TEXTS, [[tag for tag in tags if tag == "food"] for tags in TAGS])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("separator", [";", "|", ", "])
def test_labels_joined_in_one_string(separator, method):
    message = r"Labels such as 'food.*' look like several labels in one string.*tags\.split\('.'\)"
    with pytest.warns(UserWarning, match=message) as record:
        getattr(tiny(), method)(TEXTS, [separator.join(tags) for tags in TAGS])
    assert [warning.filename for warning in record] == [__file__]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("form", [list, as_label_matrix], ids=["sets", "matrix"])
def test_an_empty_str_as_a_label(form, method):
    joined = pd.Series(["|".join(tags) for tags in TAGS])
    joined[[2, 6]] = None
    y = joined.fillna("").str.split("|").tolist()
    message = (
        r"y holds the label '' in 2 of 12 rows; it is learned like any other\. Splitting an empty str "
        r"gives \[''\]; a text without label is \[\]: \[\[tag for tag in tags if tag\.strip\(\)\] for "
    )
    with pytest.warns(UserWarning, match=message) as record:
        clf = getattr(tiny(), method)(TEXTS, form(y))
    assert [warning.filename for warning in record] == [__file__]
    assert clf.classes_.tolist() == ["", *LABELS]
    y = [[tag for tag in tags if tag.strip()] for tags in y]  # as advised
    assert getattr(tiny(), method)(TEXTS, form(y)).classes_.tolist() == LABELS


def test_an_empty_str_as_the_one_label_of_a_text():
    message = r"the label '  ' in 1 of 12 rows.* If it stands for a missing one, drop these texts, or"
    with pytest.warns(UserWarning, match=message):
        tiny().fit(TEXTS, ["  ", *TOPICS[1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny(classes=["", *LABELS]).fit(TEXTS, TOPICS)


def test_names_with_a_comma_are_no_joined_labels():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny().fit(TEXTS, ["Paris, France", "Lyon, France", "Rome, Italy"] * 4)
