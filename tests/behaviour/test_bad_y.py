"""What are no labels of these texts, and what is said about it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.utils._param_validation import InvalidParameterError

from sktextcnn import as_label_matrix, group_rows
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, matrix_of, tiny


@pytest.fixture(scope="module")
def clf():
    return tiny().fit(TEXTS, TAGS)


@pytest.fixture(scope="module")
def single():
    return tiny().fit(TEXTS, TOPICS)


def tags_with(position, value):
    return [*TAGS[:position], value, *TAGS[position + 1 :]]


def matrix_with(value):
    matrix = matrix_of().astype(float)
    matrix[2, 1] = value
    return matrix


#: What only the estimator can tell, and a case of each kind; `read_labels` refuses many more, see
#: tests/unit/labels/test_bad_labels.py.
BAD_Y = {
    "shorter": (TAGS[:-1], ValueError, r"X has 12 texts, but y has 11 rows; expected as many"),
    "longer": (
        matrix_of([*TAGS, []]),
        ValueError,
        r"X has 12 texts, but y has 13 rows; expected as many",
    ),
    "None": (None, ValueError, r"y is None; a classifier needs"),
    "a str among sets": (
        tags_with(3, "sport"),
        TypeError,
        r"y\[3\] is the str 'sport' among label sets.*Write \['sport'\]",
    ),
    "None among labels": (
        [*TOPICS[:5], None, *TOPICS[6:]],
        ValueError,
        r"y\[5\] is None; every text needs",
    ),
    "continuous": (
        np.linspace(0, 1, 12),
        ValueError,
        r"y\[1\] is 0\.09.*, a continuous value; expected labels",
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
    "frame of names": (
        pd.DataFrame({"tag": TOPICS}),
        ValueError,
        r"shape \(12, 1\) and holds str.*y\['tag'\]",
    ),
    "rows of 0 and 1": (
        matrix_of().tolist(),
        ValueError,
        r"equal-length rows of 0 and 1: a 0/1 matrix, or sets .* Pass np\.asarray\(y\) for a matrix",
    ),
}


NO_LABEL = {case for case, (_, _, message) in BAD_Y.items() if "no label" in message}


@pytest.mark.parametrize(
    ("method", "case"),
    # A mini-batch may be without labels.
    [
        *(("fit", case) for case in BAD_Y),
        *(("partial_fit", case) for case in sorted({*BAD_Y} - NO_LABEL)),
    ],
)
def test_bad_labels(method, case):
    y, error, message = BAD_Y[case]
    estimator = tiny()
    with pytest.raises(error, match=message):
        getattr(estimator, method)(TEXTS, y)
    assert not hasattr(estimator, "weights_")


@pytest.mark.parametrize("case", sorted({*BAD_Y} - NO_LABEL - {"single class", "None"}))
def test_bad_labels_at_score(clf, single, case):
    y, error, message = BAD_Y[case]
    estimator = single if case in ("None among labels", "continuous") else clf
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


# -- what a mistake in y looks like -----------------------------------------------------------------


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


# -- labels and objectives that do not go together --------------------------------------------------


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


def test_a_distribution_over_a_single_label():
    with pytest.raises(ValueError, match="loss='kl_divergence' divides each text among its labels"):
        tiny(loss="kl_divergence").fit(TEXTS, [[tag for tag in tags if tag == "food"] for tags in TAGS])


@pytest.mark.parametrize("changed", [{"threshold": 0.4}, {"min_labels": 1}, {"max_labels": 2}])
def test_decision_parameters_have_no_meaning_for_one_label_per_text(changed):
    with pytest.raises(
        ValueError, match="threshold, min_labels and max_labels have no meaning for one label"
    ):
        tiny(**changed).fit(TEXTS, TOPICS)
