"""Any form of y <-> a 0/1 matrix."""

from __future__ import annotations

import contextlib
import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold, train_test_split
from sklearn.utils import _safe_indexing, resample, shuffle
from sklearn.utils.class_weight import compute_class_weight

from sktextcnn import as_label_matrix, group_rows
from sktextcnn.labels.hints import warn_if_repeated
from sktextcnn.labels.parsing import count_unseen, read_labels
from sktextcnn.objective import label_weights
from tests.strategies import indicators, label_names, label_sets, texts


def rows_of(labels):
    return labels.matrix.toarray().tolist()


def names_by_row(labels):
    names = labels.classes.tolist()
    return [{names[column] for column in np.flatnonzero(row)} for row in labels.matrix.toarray()]


def check_form(labels):
    """What holds for `Labels` made from any y."""
    assert isinstance(labels.matrix, sparse.csr_matrix)
    assert labels.matrix.dtype == np.int8
    assert labels.matrix.has_canonical_format
    assert (labels.matrix.data == 1).all()
    assert labels.classes.shape == (labels.matrix.shape[1],)


# -- the forms of y: one label per text --------------------------------------------------------------

SINGLE = {
    "list of str": (["b", "a", "b"], ["a", "b"]),
    "tuple of str": (("b", "a", "b"), ["a", "b"]),
    "generator": ("bab".__iter__, ["a", "b"]),
    "str array": (np.array(["b", "a", "b"]), ["a", "b"]),
    "object array": (np.array(["b", "a", "b"], dtype=object), ["a", "b"]),
    "list of int": ([3, -1, 3], [-1, 3]),
    "int array": (np.array([3, -1, 3], dtype=np.int16), [-1, 3]),
    "list of bool": ([True, False, True], [False, True]),
    "bool array": (np.array([True, False, True]), [False, True]),
    "whole floats": (np.array([2.0, 1.0, 2.0]), [1.0, 2.0]),
    "Series of str": (pd.Series(["b", "a", "b"], index=[7, 8, 9]), ["a", "b"]),
    "Series of objects": (pd.Series(["b", "a", "b"], dtype=object), ["a", "b"]),
    "Series of string": (pd.Series(["b", "a", "b"], dtype="string"), ["a", "b"]),
    "Series of categories": (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
    "Series of int categories": (pd.Series([3, -1, 3], dtype="category"), [-1, 3]),
    "Series of Int64": (pd.Series([3, -1, 3], dtype="Int64"), [-1, 3]),
    "Series of boolean": (pd.Series([True, False, True], dtype="boolean"), [False, True]),
    "Categorical": (pd.Categorical(["b", "a", "b"], categories=["c", "b", "a"]), ["a", "b"]),
    "polars str": (pl.Series(["b", "a", "b"]), ["a", "b"]),
    "polars int": (pl.Series([3, -1, 3]), [-1, 3]),
    "polars bool": (pl.Series([True, False, True]), [False, True]),
    "polars categories": (pl.Series(["b", "a", "b"], dtype=pl.Categorical), ["a", "b"]),
    "polars Enum": (pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "a"])), ["a", "b"]),
}


@pytest.mark.parametrize("form", SINGLE)
def test_form_of_one_label_per_text(form):
    y, classes = SINGLE[form]
    labels = read_labels(y() if callable(y) else y)
    check_form(labels)
    assert not labels.multilabel
    assert not labels.sparse
    assert labels.classes.tolist() == classes
    assert [type(label) for label in labels.classes.tolist()] == [type(label) for label in classes]
    assert rows_of(labels) == [[0, 1], [1, 0], [0, 1]]


def test_numbers_keep_their_type():
    assert read_labels([3, 1]).classes.dtype == np.int64
    assert read_labels([True, False]).classes.dtype == bool
    assert read_labels([[3], [1]]).classes.dtype == np.int64


@given(st.lists(st.integers(-5, 5) | st.integers(), min_size=2).filter(lambda y: len(set(y)) > 1))
def test_numbers_come_back(y):
    labels = read_labels(y)
    assert labels.classes.tolist() == sorted(set(y))
    assert labels.classes[labels.matrix.indices].tolist() == y


@given(st.lists(texts().map(lambda t: t + "."), min_size=2).filter(lambda y: len(set(y)) > 1))
def test_names_come_back(y):
    labels = read_labels(y)
    assert labels.classes.tolist() == sorted(set(y))
    assert labels.classes[labels.matrix.indices].tolist() == y


def test_names_that_end_in_nul_come_back():
    assert read_labels(["a\0", "a", "a\0"]).classes.tolist() == ["a", "a\0"]


# -- the forms of y: label sets ----------------------------------------------------------------------

SETS = [["b", "a"], ["b"], []]
LABEL_SETS = {
    "list of lists": SETS,
    "list of tuples": [*map(tuple, SETS)],
    "list of sets": [*map(set, SETS)],
    "list of frozensets": [*map(frozenset, SETS)],
    "tuple of lists": tuple(SETS),
    "sets of several types": [{"b", "a"}, ("b",), []],
    "labels that repeat": [["b", "a", "b"], ["b", "b"], []],
    "list of arrays": [np.array(row, dtype=str) for row in SETS],
    "list of Series": [pd.Series(row, dtype=object) for row in SETS],
    "list of polars Series": [pl.Series(row, dtype=pl.String) for row in SETS],
    "object array of lists": np.array(SETS, dtype=object),
    "object array of sets": np.array([*map(set, SETS)], dtype=object),
    "Series of lists": pd.Series(SETS, index=[7, 8, 9]),
    "Series of sets": pd.Series([*map(set, SETS)]),
    "polars Series": pl.Series(SETS),
    "generator": lambda: iter(SETS),
}


@pytest.mark.parametrize("form", LABEL_SETS)
def test_form_of_label_sets(form):
    y = LABEL_SETS[form]
    labels = read_labels(y() if callable(y) else y)
    check_form(labels)
    assert labels.multilabel
    assert not labels.sparse
    assert labels.classes.tolist() == ["a", "b"]
    assert rows_of(labels) == [[1, 1], [0, 1], [0, 0]]


def test_equal_lengths_are_label_sets():
    labels = read_labels([["a", "b"], ["b", "c"]])
    assert labels.multilabel
    assert rows_of(labels) == [[1, 1, 0], [0, 1, 1]]


def test_one_label_in_each_set_is_still_several_labels():
    assert read_labels([["a"], ["b"]]).multilabel


@pytest.mark.parametrize(
    "y", [[[3, 1], [2]], pl.Series([[3, 1], [2]]), [np.array([3, 1]), [np.int8(2)]]]
)
def test_label_sets_of_numbers(y):
    labels = read_labels(y)
    assert labels.classes.tolist() == [1, 2, 3]
    assert rows_of(labels) == [[1, 0, 1], [0, 1, 0]]


@given(label_sets(), st.sampled_from([list, tuple, set, frozenset]))
def test_label_sets_come_back(sets, form):
    labels = read_labels([form(row) for row in sets])
    check_form(labels)
    assert labels.multilabel
    assert labels.classes.tolist() == sorted({name for row in sets for name in row})
    assert names_by_row(labels) == [set(row) for row in sets]


@given(label_sets())
def test_label_matrix_is_what_the_sets_were(sets):
    Y = as_label_matrix(sets)
    again = read_labels(Y)
    assert again.multilabel
    assert names_by_row(again) == [set(row) for row in sets]
    assert again.classes.tolist() == Y.label_names.tolist()


# -- the forms of y: 0/1 matrices --------------------------------------------------------------------

MATRIX = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])
SPARSE = ["csr_matrix", "csc_matrix", "coo_matrix", "lil_matrix", "bsr_matrix"]
SPARSE += ["csr_array", "csc_array", "coo_array", "lil_array"]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.int64, np.float32, np.float64, object])
def test_form_matrix(dtype):
    labels = read_labels(MATRIX.astype(dtype))
    check_form(labels)
    assert labels.multilabel
    assert not labels.sparse
    assert labels.classes.tolist() == [0, 1, 2]
    assert rows_of(labels) == MATRIX.tolist()


def test_form_matrix_of_one_column():
    labels = read_labels(np.array([[1], [0], [1]]))
    assert labels.multilabel
    assert labels.classes.tolist() == [0]
    assert rows_of(labels) == [[1], [0], [1]]


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("dtype", [bool, np.int64, np.float32])
def test_form_sparse(kind, dtype):
    labels = read_labels(getattr(sparse, kind)(MATRIX.astype(dtype)))
    check_form(labels)
    assert labels.multilabel
    assert labels.sparse
    assert labels.classes.tolist() == [0, 1, 2]
    assert rows_of(labels) == MATRIX.tolist()


def test_form_sparse_dictionary_of_keys():
    assert rows_of(read_labels(sparse.dok_matrix(MATRIX))) == MATRIX.tolist()


def test_stored_zeros_are_zeros():
    y = sparse.csr_matrix((np.array([1, 0]), ([0, 1], [0, 1])), shape=(2, 2))
    labels = read_labels(y)
    check_form(labels)
    assert rows_of(labels) == [[1, 0], [0, 0]]


@pytest.mark.parametrize("read", [read_labels, as_label_matrix])
def test_sparse_matrix_with_stored_zeros_is_left_alone(read):
    y = sparse.csr_matrix((np.array([0, 1]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    read(y)
    assert y.toarray().tolist() == [[0, 1]]


def test_unsorted_sparse_matrix_is_left_alone():
    y = sparse.csr_matrix((np.array([1, 1]), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    check_form(read_labels(y))
    assert y.indices.tolist() == [1, 0]


FRAMES = {
    "pandas int": pd.DataFrame(MATRIX, columns=["b", "a", "c"]),
    "pandas bool": pd.DataFrame(MATRIX.astype(bool), columns=["b", "a", "c"]),
    "pandas float": pd.DataFrame(MATRIX.astype(float), columns=["b", "a", "c"]),
    "pandas Int64": pd.DataFrame(MATRIX, columns=["b", "a", "c"], dtype="Int64"),
    "pandas bool and int": pd.DataFrame(MATRIX, columns=["b", "a", "c"]).astype({"a": bool}),
    "pandas sparse": pd.DataFrame.sparse.from_spmatrix(
        sparse.csr_matrix(MATRIX), columns=["b", "a", "c"]
    ),
    "polars int": pl.DataFrame(MATRIX, schema=["b", "a", "c"]),
    "polars bool": pl.DataFrame(MATRIX.astype(bool), schema=["b", "a", "c"]),
}


@pytest.mark.parametrize("form", FRAMES)
def test_form_data_frame(form):
    labels = read_labels(FRAMES[form])
    check_form(labels)
    assert labels.multilabel
    assert not labels.sparse
    assert labels.classes.tolist() == ["b", "a", "c"]
    assert rows_of(labels) == MATRIX.tolist()


def test_form_dummies():
    labels = read_labels(pd.Series(["b|a", "", "a"]).str.get_dummies())
    assert labels.multilabel
    assert names_by_row(labels) == [{"a", "b"}, set(), {"a"}]


def test_data_frame_with_numbered_columns():
    assert read_labels(pd.DataFrame(MATRIX)).classes.tolist() == [0, 1, 2]


@pytest.mark.parametrize("classes", [None, ["a", "b"]])
def test_data_frame_with_a_name_twice(classes):
    with pytest.raises(ValueError, match=r"'a'.* more than once"):
        read_labels(pd.DataFrame([[1, 1], [0, 1]], columns=["a", "a"]), classes)


@given(indicators())
def test_matrices_come_back(matrix):
    for y in (matrix, matrix.astype(bool), sparse.coo_array(matrix), pd.DataFrame(matrix)):
        labels = read_labels(y)
        check_form(labels)
        np.testing.assert_array_equal(labels.matrix.toarray(), matrix)


@given(indicators())
def test_reading_leaves_y_alone(matrix):
    before = matrix.copy()
    stored = sparse.csr_matrix(matrix)
    read_labels(matrix)
    read_labels(stored)
    np.testing.assert_array_equal(matrix, before)
    np.testing.assert_array_equal(stored.toarray(), before)


# -- classes -----------------------------------------------------------------------------------------

CLASSES = ["b", "c", "a"]


@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Index, pd.Series, pl.Series])
def test_classes_fix_labels_and_order(form):
    single = read_labels(["a", "b", "a"], form(CLASSES))
    assert single.classes.tolist() == CLASSES
    assert rows_of(single) == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    several = read_labels([["a", "b"], []], form(CLASSES))
    assert several.classes.tolist() == CLASSES
    assert rows_of(several) == [[1, 0, 1], [0, 0, 0]]


def test_classes_name_the_columns_of_a_matrix_in_order():
    for y in (MATRIX, sparse.csr_matrix(MATRIX)):
        labels = read_labels(y, CLASSES)
        assert labels.classes.tolist() == CLASSES
        assert rows_of(labels) == MATRIX.tolist()


@pytest.mark.parametrize(
    "y", [FRAMES["pandas int"], FRAMES["polars int"], as_label_matrix(MATRIX, ["b", "a", "c"])], ids=type
)
def test_classes_rearrange_named_columns(y):
    labels = read_labels(y, ["a", "z", "b", "c"])
    check_form(labels)
    assert labels.classes.tolist() == ["a", "z", "b", "c"]
    assert rows_of(labels) == [[0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]]


def test_one_class_is_enough_where_classes_name_two():
    assert rows_of(read_labels(["a", "a"], ["a", "b"])) == [[1, 0], [1, 0]]


def test_no_label_at_all_is_a_matrix_where_classes_are_named():
    assert rows_of(read_labels([[], []], ["a", "b"])) == [[0, 0], [0, 0]]


@given(label_sets(), st.randoms(use_true_random=False))
def test_classes_only_move_the_columns(sets, random):
    plain = read_labels(sets)
    names = [*plain.classes.tolist(), "one more label"]
    random.shuffle(names)
    labels = read_labels(sets, names)
    assert labels.classes.tolist() == names
    assert names_by_row(labels) == names_by_row(plain)


@pytest.mark.parametrize(
    ("y", "classes", "error", "message"),
    [
        (
            ["a", "z"],
            ["a", "b"],
            ValueError,
            r"y\[1\] holds 'z', which is not among classes=\['a', 'b'\]",
        ),
        ([["a"], ["b", "z"]], ["a", "b"], ValueError, r"y\[1\] holds 'z', which is not among classes="),
        ([[1], [70]], range(30), ValueError, r"among classes=\[0, 1, 2, 3, 4, 5, \.\.\.\]\. Add it to"),
        (MATRIX, ["a", "b"], ValueError, "y has 3 columns, but classes names 2"),
        (
            FRAMES["pandas int"],
            ["a", "b"],
            ValueError,
            r"y has the column 'c', which is not among classes=",
        ),
        (["a"], "ab", TypeError, "classes is a str; pass a list of labels"),
        (["a"], [], ValueError, "classes is empty; pass at least one label, or None"),
        (["a"], ["a", "b", "a"], ValueError, "classes holds 'a' more than once"),
    ],
)
def test_classes_that_do_not_fit(y, classes, error, message):
    with pytest.raises(error, match=message):
        read_labels(y, classes)


def test_classes_as_a_set():
    with pytest.raises(TypeError, match="classes is a set"):
        read_labels(["a", "b"], {"a", "b"})


def test_classes_of_mixed_types():
    with pytest.raises(TypeError, match="mixes str labels with numbers"):
        read_labels(["a", "b"], ["a", "b", 1])


# -- bad y -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [
        [[1, 0], [0, 1]],
        [(1, 0), (0, 1)],
        ((1, 0), (0, 1)),
        [[1], [0]],
        [[1.0, 0.0], [0.0, 1.0]],
        [[True, False], [False, True]],
        [np.array([1, 0]), np.array([0, 1])],
        pd.Series([[1, 0], [0, 1]]),
        pl.Series([[1, 0], [0, 1]]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("classes", [None, [0, 1]])
def test_ambiguous_rows_of_0_and_1(y, classes):
    message = (
        r"equal-length rows of 0 and 1: .* Pass np\.asarray\(y\) for a matrix, or sets such as \{0, 1\}"
    )
    with pytest.raises(ValueError, match=message):
        read_labels(y, classes)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.asarray([[1, 0], [0, 1]]), [[1, 0], [0, 1]]),
        ([{1, 0}, {0, 1}], [[1, 1], [1, 1]]),
        ([[1, 0], [1]], [[1, 1], [0, 1]]),
        ([[1, 0], [1, 2]], [[1, 1, 0], [0, 1, 1]]),
    ],
    ids=["array", "sets", "ragged", "another number"],
)
def test_rows_of_0_and_1_that_are_not_ambiguous(y, expected):
    assert rows_of(read_labels(y)) == expected


BAD = {
    # nothing there
    "None": (None, ValueError, "y is None; a classifier needs one label, or a set of labels, per text"),
    "no rows": ([], ValueError, "y holds no rows: at least one text is needed"),
    "matrix without rows": (np.zeros((0, 2)), ValueError, "y holds no rows"),
    "sparse without rows": (sparse.csr_matrix((0, 2)), ValueError, "y holds no rows"),
    "empty sets": ([[], []], ValueError, "y holds no label anywhere: every label set is empty"),
    # not a sequence
    "one str": ("a", TypeError, "y is a single str; pass one entry per text"),
    "one bytes": (b"a", TypeError, "y is a single bytes; pass one entry per text"),
    "dict": ({"a": 1}, TypeError, "y is a single dict; pass one entry per text"),
    "set": ({"a"}, TypeError, "y is a set; pass a sequence with one entry per text"),
    "number": (5, TypeError, "y is a int; pass a sequence with one entry per text"),
    "0-D": (np.array(1), ValueError, "y has 0 dimensions; expected one or two"),
    "3-D": (np.zeros((1, 1, 1)), ValueError, "y has 3 dimensions; expected one or two"),
    # one label per text
    "missing None": (
        ["a", None],
        ValueError,
        r"y\[1\] is None; every text needs a label\. Drop the row",
    ),
    "missing NaN": (["a", np.nan], ValueError, r"y\[1\] is nan; every text needs a label"),
    "missing NA": (["a", pd.NA], ValueError, r"y\[1\] is <NA>; every text needs a label"),
    "missing number": (np.array([1, np.nan]), ValueError, r"y\[1\] is nan; every text needs a label"),
    "missing Int64": (pd.Series([1, None], dtype="Int64"), ValueError, r"y\[1\] is <NA>; every text"),
    "missing polars": (pl.Series(["a", None]), ValueError, r"y\[1\] is None; every text needs a label"),
    "mixed": (["a", 1], TypeError, "y mixes str labels with numbers; use one type for all labels"),
    "continuous": ([1.0, 2.5], ValueError, r"y\[1\] is 2\.5, a continuous value; expected labels"),
    "one class": (
        ["a", "a"],
        ValueError,
        r"y holds a single class, .*needs at least two.* \['news'\] rather",
    ),
    "bytes": ([b"a", b"b"], TypeError, r"y\[0\] is of type bytes; expected a str, int or bool"),
    "dates": (np.array(["2020", "2021"], dtype="M8[Y]"), TypeError, r"y\[0\] is of type date; expected"),
    # label sets
    "str among sets": ([["a"], "b"], TypeError, r"y\[1\] is the str 'b' among label sets, .*\['b'\]"),
    "str before sets": (["b", ["a"]], TypeError, r"y\[0\] is the str 'b' among label sets"),
    "number among sets": (
        [["a"], 3],
        TypeError,
        r"y\[1\] is 3 of type int among label sets; write \[3\]",
    ),
    "None among sets": (
        [["a"], None],
        ValueError,
        r"y\[1\] is None; write \[\] for a text without label",
    ),
    "NaN among sets": (pd.Series([["a"], np.nan]), ValueError, r"y\[1\] is nan; write \[\] for a text"),
    "null among sets": (pl.Series([["a"], None]), ValueError, r"y\[1\] is None; write \[\] for a text"),
    "None in a set": ([[], ["a", None]], ValueError, r"y\[1\] holds None; leave missing labels out"),
    "NaN in a set": ([["a", np.nan]], ValueError, r"y\[0\] holds nan; leave missing labels out"),
    "NA in a set": ([["a", pd.NA]], ValueError, r"y\[0\] holds <NA>; leave missing labels out"),
    "null in a set": (pl.Series([["a", None]]), ValueError, r"y\[0\] holds None; leave missing"),
    "mixed sets": ([["a", 1]], TypeError, "y mixes str labels with numbers; use one type"),
    "mixed rows": ([["a"], [1]], TypeError, "y mixes str labels with numbers; use one type"),
    "nested": ([[["a"]]], TypeError, r"y\[0\] holds a list; labels must be str or int"),
    "bytes in a set": ([[b"a"]], TypeError, r"y\[0\] holds a bytes; labels must be str or int"),
    # matrices
    "2": (np.array([[1, 0], [0, 2]]), ValueError, r"y\[1, 1\] is 2; a matrix y must hold 0 and 1 only"),
    "-1": (np.array([[1, -1]]), ValueError, r"y\[0, 1\] is -1; a matrix y must hold 0 and 1 only"),
    "0.5": (np.array([[1, 0.5]]), ValueError, r"y\[0, 1\] is 0\.5; a matrix y must hold 0 and 1 only"),
    "NaN": (np.array([[1, 0], [np.nan, 0]]), ValueError, r"y\[1, 0\] is nan; a matrix y must hold"),
    "complex": (np.array([[1j]]), ValueError, "y is a matrix of dtype complex128; it must hold 0 and 1"),
    "object NaN": (np.array([[1, np.nan]], dtype=object), ValueError, r"y\[0, 1\] is nan"),
    "object None": (np.array([[1, None]], dtype=object), ValueError, r"y\[0, 1\] is nan"),
    "object NA": (
        np.array([[1, pd.NA]], dtype=object),
        ValueError,
        "matrix with missing or non-numeric",
    ),
    "frame 2": (
        pd.DataFrame({"a": [1, 2]}),
        ValueError,
        r"y\[1, 0\] is 2; a matrix y must hold 0 and 1",
    ),
    "frame NaN": (pd.DataFrame({"a": [1, None]}), ValueError, r"y\[1, 0\] is nan; a matrix y must hold"),
    "frame Int64 NA": (
        pd.DataFrame({"a": [1, None]}, dtype="Int64"),
        ValueError,
        "matrix with missing or non-numeric|is nan; a matrix y must hold",
    ),
    "polars 2": (
        pl.DataFrame({"a": [1, 2]}),
        ValueError,
        r"y\[1, 0\] is 2; a matrix y must hold 0 and 1",
    ),
    "polars null": (
        pl.DataFrame({"a": [1, None]}),
        ValueError,
        r"y\[1, 0\] is nan; a matrix y must hold",
    ),
    "sparse 2": (
        sparse.csr_matrix([[1, 0], [0, 2]]),
        ValueError,
        "is 2; a matrix y must hold 0 and 1 only",
    ),
    "sparse -1": (sparse.coo_array([[1, -1]]), ValueError, "is -1; a matrix y must hold 0 and 1 only"),
    "sparse NaN": (sparse.csc_matrix([[1, np.nan]]), ValueError, "is nan; a matrix y must hold 0 and 1"),
    # names where 0 and 1 belong
    "column of str": (
        np.array([["a"], ["b"]]),
        ValueError,
        r"y has shape \(2, 1\) and holds str; .* Pass the column itself, y\.ravel\(\) or y\['tag'\]",
    ),
    "frame with a column of str": (
        pd.DataFrame({"tag": ["a", "b"]}),
        ValueError,
        r"y has shape \(2, 1\) and holds str; .* Pass the column itself",
    ),
    "polars frame with a column of str": (
        pl.DataFrame({"tag": ["a", "b"]}),
        ValueError,
        r"y has shape \(2, 1\) and holds str; .* Pass the column itself",
    ),
    "columns of str": (
        np.array([["a", "c"], ["b", "c"]], dtype=object),
        ValueError,
        r"y has shape \(2, 2\) and holds str; .* Pass lists of labels, \[\['news'\], ",
    ),
    "frame with columns of str": (
        pd.DataFrame({"text": ["a", "b"], "tag": ["a", "b"]}),
        ValueError,
        r"y has shape \(2, 2\) and holds str; .* Pass lists of labels",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_y(case):
    y, error, message = BAD[case]
    with pytest.raises(error, match=message):
        read_labels(y)


def test_bad_value_in_a_sparse_matrix_is_located():
    with pytest.raises(ValueError, match=r"y\[1, 0\] is 2; a matrix y must hold 0 and 1 only"):
        read_labels(sparse.csr_matrix([[1, 0], [2, 1]]))


@pytest.mark.skipif(np.__version__ < "2", reason="NumPy 1 shows its str like any other")
def test_single_class_is_named_plainly():
    with pytest.raises(ValueError, match="y holds a single class, 'a';"):
        read_labels(["a", "a"])


# -- the label matrix --------------------------------------------------------------------------------

NAMES = ["Child", "Data Science", "Reporter"]


@pytest.fixture(name="Y")
def label_matrix():
    return as_label_matrix([["Child", "Reporter"], ["Data Science"], [], ["Reporter"]])


def is_plain(value):
    return type(value) is not type(as_label_matrix([["a"]])) and not hasattr(value, "label_names")


def test_label_matrix(Y):
    assert isinstance(Y, np.ndarray)
    assert Y.dtype == np.int8
    assert Y.label_names.tolist() == NAMES
    assert np.asarray(Y).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 1]]


KEEPS_NAMES = {
    "slice": lambda Y: Y[1:3],
    "slice with a step": lambda Y: Y[::-1],
    "all": lambda Y: Y[:],
    "int array": lambda Y: Y[np.array([2, 0])],
    "empty int array": lambda Y: Y[np.array([], int)],
    "bool mask": lambda Y: Y[np.array([True, False, True, False])],
    "list": lambda Y: Y[[3, 0]],
    "list of bool": lambda Y: Y[[True, False, False, True]],
    "rows and an ellipsis": lambda Y: Y[np.array([1, 2]), ...],
    "rows and all columns": lambda Y: Y[[1, 2], :],
    "all and all": lambda Y: Y[:, :],
    "range": lambda Y: Y[range(1, 3)],
    "boolean Series": lambda Y: Y[pd.Series(["train", "test", "train", "test"]) == "train"],
    "boolean Series with an index": lambda Y: Y[
        pd.Series([True, False, True, True], index=[9, 8, 7, 6])
    ],
    "nullable Series": lambda Y: Y[pd.Series([True, False, True, True], dtype="boolean")],
    "int Series": lambda Y: Y[pd.Series([2, 0])],
    "pandas array of bool": lambda Y: Y[pd.array([True, False, True, True])],
    "pandas array of int": lambda Y: Y[pd.array([2, 0])],
    "Index": lambda Y: Y[pd.Index([2, 0])],
    "RangeIndex": lambda Y: Y[pd.RangeIndex(1, 3)],
    "polars Series of bool": lambda Y: Y[pl.Series([True, False, True, True])],
    "polars Series of int": lambda Y: Y[pl.Series([2, 0])],
    "Series and all columns": lambda Y: Y[pd.Series([True, False, True, True]), :],
    "rows in a tuple": lambda Y: Y[([2, 0],)],
    "no rows": lambda Y: Y[[]],
    "twice": lambda Y: Y[1:][[0, 2]],
    "copy method": lambda Y: Y.copy(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy in a list": lambda Y: copy.deepcopy([Y])[0],
    "pickle": lambda Y: pickle.loads(pickle.dumps(Y)),
    "old pickle": lambda Y: pickle.loads(pickle.dumps(Y, protocol=2)),
    "safe indexing": lambda Y: _safe_indexing(Y, [1, 3]),
    "safe indexing by array": lambda Y: _safe_indexing(Y, np.array([1, 3])),
    "safe indexing by mask": lambda Y: _safe_indexing(Y, np.array([True, False, True, False])),
    "safe indexing by slice": lambda Y: _safe_indexing(Y, slice(1, 3)),
    "shuffle": lambda Y: shuffle(Y, random_state=0),
    "resample": lambda Y: resample(Y, random_state=0),
    "train_test_split": lambda Y: train_test_split([*"abcd"], Y, random_state=0)[2],
    "test side": lambda Y: train_test_split([*"abcd"], Y, random_state=0)[3],
    "as_label_matrix": as_label_matrix,
    "asanyarray": np.asanyarray,
}

FORGETS_NAMES = {
    "int row": lambda Y: Y[1],
    "negative int row": lambda Y: Y[-1],
    "NumPy int row": lambda Y: Y[np.int64(1)],
    "element": lambda Y: Y[0, 2],
    "column": lambda Y: Y[:, 0],
    "columns": lambda Y: Y[:, [2, 0]],
    "slice of columns": lambda Y: Y[:, :2],
    "columns backwards": lambda Y: Y[:, ::-1],
    "rows and columns": lambda Y: Y[1:, 1:],
    "2-D mask": lambda Y: Y[Y == 1],
    "2-D mask as list": lambda Y: Y[(np.asarray(Y) == 1).tolist()],
    "2-D int array": lambda Y: Y[np.array([[0, 1]])],
    "pairs of rows and columns": lambda Y: Y[[0, 1], [2, 0]],
    "open mesh": lambda Y: Y[np.ix_([1, 0], [2, 0, 1])],
    "data frame": lambda Y: Y[pd.DataFrame(np.asarray(Y) == 1)],
    "bool": lambda Y: Y[True],
    "new axis": lambda Y: Y[None],
    "one of its rows": lambda Y: next(iter(Y)),
    "T": lambda Y: Y.T,
    "transpose": lambda Y: Y.transpose(),
    "np.transpose": np.transpose,
    "swapaxes": lambda Y: Y.swapaxes(0, 1),
    "concatenate": lambda Y: np.concatenate([Y, Y]),
    "vstack": lambda Y: np.vstack([Y, Y]),
    "hstack": lambda Y: np.hstack([Y, Y]),
    "delete": lambda Y: np.delete(Y, 0, axis=1),
    "take": lambda Y: np.take(Y, [1, 0], axis=1),
    "take method": lambda Y: Y.take([1, 0], axis=1),
    "np.sort": lambda Y: np.sort(Y, axis=1),
    "astype": lambda Y: Y.astype(float),
    "reshape": lambda Y: Y.reshape(-1),
    "ravel": lambda Y: Y.ravel(),
    "flatten": lambda Y: Y.flatten(),
    "asarray": np.asarray,
    "array": np.array,
    "plus": lambda Y: Y + 1,
    "minus": lambda Y: 1 - Y,
    "negative": lambda Y: -Y,
    "product": lambda Y: Y.T @ Y,
    "equal": lambda Y: Y == Y,
    "in place": lambda Y: np.add(Y, 0, out=np.zeros(Y.shape, int)),
    "sum": lambda Y: Y.sum(),
    "sum of columns": lambda Y: Y.sum(axis=0),
    "np.sum": lambda Y: np.sum(Y, axis=1),
    "mean": lambda Y: Y.mean(axis=0),
    "max": lambda Y: Y.max(axis=0),
    "any": lambda Y: Y.any(axis=1),
    "where": lambda Y: np.where(Y, 2, 3),
    "safe indexing of a row": lambda Y: _safe_indexing(Y, 1),
    "safe indexing of columns": lambda Y: _safe_indexing(Y, [0, 1], axis=1),
}


@pytest.mark.parametrize("case", KEEPS_NAMES)
def test_names_survive(case, Y):
    kept = KEEPS_NAMES[case](Y)
    assert type(kept) is type(Y)
    assert kept.dtype == np.int8
    assert kept.label_names.tolist() == NAMES
    np.testing.assert_array_equal(np.asarray(kept), np.asarray(KEEPS_NAMES[case](np.asarray(Y))))


@pytest.mark.parametrize("case", FORGETS_NAMES)
def test_names_are_forgotten(case, Y):
    got = FORGETS_NAMES[case](Y)
    assert is_plain(got)
    np.testing.assert_array_equal(got, FORGETS_NAMES[case](np.asarray(Y)))


@pytest.mark.parametrize(
    "method",
    [
        lambda Y: Y.argmax(axis=1),
        lambda Y: Y.argsort(),
        lambda Y: Y.dot(np.eye(3)),
        lambda Y: Y.compress([1, 0, 1], axis=1),
        lambda Y: Y.view(),
    ],
    ids=["argmax", "argsort", "dot", "compress", "view"],
)
def test_other_methods_keep_no_names(method, Y):
    got = method(Y)
    assert getattr(got, "label_names", None) is None
    np.testing.assert_array_equal(np.asarray(got), method(np.asarray(Y)))


@pytest.mark.parametrize("method", ["sort", "partition"])
def test_names_are_not_left_on_sorted_columns(method, Y):
    before = Y.tolist()
    with contextlib.suppress(AttributeError, TypeError, ValueError):  # to refuse is as good
        getattr(Y, method)(*([1] if method == "partition" else []), axis=1)
    assert Y.label_names is None or Y.tolist() == before


def test_deep_copy_has_names_of_its_own(Y):
    copy.deepcopy(Y).label_names[0] = "another"
    assert Y.label_names.tolist() == NAMES


def test_copy_is_independent_in_its_entries(Y):
    for other in (Y.copy(), copy.copy(Y), copy.deepcopy(Y), Y[[0, 1]]):
        other[0, 0] = 0
    assert Y[0, 0] == 1


@pytest.mark.parametrize("options", [{}, {"compress": 3}], ids=str)
def test_names_survive_joblib(options, Y, tmp_path):
    path = tmp_path / "Y.joblib"
    joblib.dump({"target": Y}, path, **options)
    loaded = joblib.load(path)["target"]
    assert type(loaded) is type(Y)
    assert loaded.label_names.tolist() == NAMES
    np.testing.assert_array_equal(loaded, Y)


def test_names_survive_a_memory_map(Y, tmp_path):
    joblib.dump(Y, tmp_path / "Y.joblib")
    loaded = joblib.load(tmp_path / "Y.joblib", mmap_mode="r")
    assert loaded.label_names.tolist() == NAMES
    np.testing.assert_array_equal(loaded, Y)


def test_names_survive_every_fold(Y):
    for train, test in KFold(2).split([*"abcd"], Y):
        assert Y[train].label_names.tolist() == Y[test].label_names.tolist() == NAMES
        assert sorted([*Y[train].tolist(), *Y[test].tolist()]) == sorted(Y.tolist())


def test_rows_of_a_data_frame_choose_rows_of_the_matrix(Y):
    frame = pd.DataFrame({"text": [*"abcd"], "split": ["train", "test", "train", "train"]})
    train = Y[frame.split == "train"]
    assert read_labels(train).classes.tolist() == NAMES
    assert train.tolist() == Y[[0, 2, 3]].tolist()


def test_metrics_take_it(Y):
    assert f1_score(Y, Y, average="micro") == 1.0
    assert f1_score(Y, 1 - Y, average="micro") == 0.0


def test_rows_without_label_keep_their_columns(Y):
    labels = read_labels(Y[2:3])
    assert labels.classes.tolist() == NAMES
    assert rows_of(labels) == [[0, 0, 0]]


def test_plain_array_made_of_it_has_numbered_labels(Y):
    assert read_labels(np.array(Y)).classes.tolist() == [0, 1, 2]
    assert read_labels(np.array(Y, subok=True)).classes.tolist() == [0, 1, 2]


def test_label_matrix_changed_to_other_values(Y):
    Y[1, 0] = 2
    with pytest.raises(ValueError, match=r"y\[1, 0\] is 2; a matrix y must hold 0 and 1 only"):
        read_labels(Y)


@given(indicators(), st.data())
def test_row_indexing_as_a_property(matrix, data):
    n, k = matrix.shape
    Y = as_label_matrix(matrix, [f"label {column}" for column in range(k)])
    index = data.draw(
        st.slices(n)
        | st.lists(st.integers(-n, n - 1), min_size=1)
        | st.lists(st.integers(0, n - 1), min_size=1).map(np.array)
        | st.lists(st.booleans(), min_size=n, max_size=n).map(np.array)
    )
    chosen = Y[index]
    assert chosen.label_names.tolist() == Y.label_names.tolist()
    np.testing.assert_array_equal(np.asarray(chosen), matrix[index])


@given(label_sets(), st.data())
def test_test_set_gets_the_columns_of_the_training_set(sets, data):
    train = as_label_matrix(sets)
    names = st.sampled_from(["unseen", *train.label_names.tolist()])
    others = data.draw(st.lists(st.lists(names, unique=True), min_size=1, max_size=5))
    test = as_label_matrix(others, train.label_names, unseen="ignore")
    assert test.label_names.tolist() == train.label_names.tolist()
    known = [{*row} - {"unseen"} for row in others]
    assert names_by_row(read_labels(test)) == known
    if any("unseen" in row for row in others):
        with pytest.raises(ValueError, match="holds 'unseen', which is not among classes="):
            as_label_matrix(others, train.label_names)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([["a", "z"], ["z"], ["b"]], [[1, 0], [0, 0], [0, 1]]),
        (["a", "z", "b"], [[1, 0], [0, 0], [0, 1]]),
        (as_label_matrix([["a", "z"], ["z"], ["b"]]), [[1, 0], [0, 0], [0, 1]]),
        (pd.DataFrame({"z": [1, 1, 0], "b": [0, 0, 1], "a": [1, 0, 0]}), [[1, 0], [0, 0], [0, 1]]),
        (np.array([[1, 0], [0, 0], [0, 1]]), [[1, 0], [0, 0], [0, 1]]),
        ([["z"], [], []], [[0, 0], [0, 0], [0, 0]]),
    ],
    ids=["sets", "single", "label matrix", "frame", "matrix", "nothing known"],
)
def test_unseen_labels_can_be_ignored(y, expected):
    Y = as_label_matrix(y, ["a", "b"], unseen="ignore")
    assert Y.label_names.tolist() == ["a", "b"]
    assert Y.tolist() == expected


def test_ignoring_without_classes_leaves_nothing_out():
    assert as_label_matrix([["a"], ["b"]], unseen="ignore").tolist() == [[1, 0], [0, 1]]


def test_bad_value_of_unseen():
    with pytest.raises(ValueError, match="unseen='drop'; expected 'error' or 'ignore'"):
        as_label_matrix([["a"]], unseen="drop")


def test_label_matrix_of_one_label_per_text():
    Y = as_label_matrix(["b", "a", "b"])
    assert Y.label_names.tolist() == ["a", "b"]
    assert Y.tolist() == [[0, 1], [1, 0], [0, 1]]


# -- unseen labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "expected", "n_unseen", "multilabel"),
    [
        ([["a", "z", "y"], ["b"], []], [[1, 0], [0, 1], [0, 0]], [2, 0, 0], True),
        ([["z"], ["y"]], [[0, 0], [0, 0]], [1, 1], True),
        (["a", "z"], [[1, 0], [0, 0]], [0, 1], False),
        (["a", "a"], [[1, 0], [1, 0]], [0, 0], False),
        (["z", "z"], [[0, 0], [0, 0]], [1, 1], False),
        (pd.Series(["b", "z"], dtype="category"), [[0, 1], [0, 0]], [0, 1], False),
        (pl.Series([["a", "z"], []]), [[1, 0], [0, 0]], [1, 0], True),
        (as_label_matrix([["z", "b"], []]), [[0, 1], [0, 0]], [1, 0], True),
        (pd.DataFrame({"z": [1, 0], "a": [1, 1]}), [[1, 0], [1, 0]], [1, 0], True),
        (np.eye(2), [[1, 0], [0, 1]], [0, 0], True),
        ([[3], [4, 5]], [[0, 0], [0, 0]], [1, 2], True),
    ],
)
def test_count_unseen(y, expected, n_unseen, multilabel):
    labels, counted = count_unseen(y, ["a", "b"])
    assert labels.classes.tolist() == ["a", "b"]
    assert labels.multilabel is multilabel
    assert rows_of(labels) == expected
    assert counted.tolist() == n_unseen


def test_count_unseen_labels_of_another_type():
    labels, counted = count_unseen([1, 2], ["a", "b"])
    assert rows_of(labels) == [[0, 0], [0, 0]]
    assert counted.tolist() == [1, 1]


@given(label_sets(), st.data())
def test_count_unseen_against_sets(sets, data):
    names = sorted({name for row in sets for name in row})
    known = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    labels, counted = count_unseen(sets, known)
    assert labels.classes.tolist() == known
    assert names_by_row(labels) == [{*row} & {*known} for row in sets]
    assert counted.tolist() == [len({*row} - {*known}) for row in sets]


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.eye(3), ValueError, "y has 3 columns, but classes names 2"),
        (["a", None], ValueError, r"y\[1\] is None; every text needs a label"),
        ([["a"], "b"], TypeError, r"y\[1\] is the str 'b' among label sets"),
        ([[1, 0], [0, 1]], ValueError, "equal-length rows of 0 and 1"),
        ([["a", 3]], TypeError, "y mixes str labels with numbers"),
        ([{"a": 1}, "a"], TypeError, r"y\[0\] is of type dict"),
        ("ab", TypeError, "y is a single str"),
    ],
    ids=str,
)
def test_count_unseen_refuses_bad_y(y, error, message):
    with pytest.raises(error, match=message):
        count_unseen(y, ["a", "b"])


# -- rows of one pair each ---------------------------------------------------------------------------

PAIR_TEXTS = ["news", "news", "machine learning news", "news", "machine learning news"]
PAIR_TAGS = ["Child", "Reporter", "Data Science", "Child", "Reporter"]


@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Series, pl.Series])
def test_group_rows(form):
    grouped, Y = group_rows(form(PAIR_TEXTS), form(PAIR_TAGS))
    assert grouped == ["news", "machine learning news"]
    assert all(type(text) is str for text in grouped)
    assert Y.label_names.tolist() == NAMES
    assert Y.tolist() == [[1, 0, 1], [0, 1, 1]]


def test_group_rows_of_categories_and_numbers():
    _, Y = group_rows(pd.Series(["a", "a", "b"]), pd.Series(["x", "y", "x"], dtype="category"))
    assert Y.label_names.tolist() == ["x", "y"]
    _, Y = group_rows(["a", "a", "b"], np.array([7, 3, 7]))
    assert Y.label_names.tolist() == [3, 7]
    assert Y.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA, pd.NaT], ids=repr)
def test_group_rows_missing_tag_is_a_text_without_label(missing):
    grouped, Y = group_rows(["c", "b", "c", "a"], [missing, "x", "y", missing])
    assert grouped == ["c", "b", "a"]
    assert Y.label_names.tolist() == ["x", "y"]
    assert Y.tolist() == [[0, 1], [1, 0], [0, 0]]


def test_group_rows_with_classes():
    _, Y = group_rows(["a", "b"], ["x", "y"], ["y", "w", "x"])
    assert Y.label_names.tolist() == ["y", "w", "x"]
    assert Y.tolist() == [[0, 0, 1], [1, 0, 0]]


@given(st.lists(st.tuples(texts(), st.none() | st.sampled_from("xyz")), min_size=1))
def test_group_rows_against_a_dict(pairs):
    expected = {}
    for text, tag in pairs:
        expected.setdefault(text, set()).update([] if tag is None else [tag])
    grouped, Y = group_rows(*map(list, zip(*pairs, strict=True)), classes=["x", "y", "z"])
    assert grouped == [*expected]
    assert names_by_row(read_labels(Y)) == [*expected.values()]


@given(label_names(max_size=3), st.lists(texts(), min_size=1, unique=True, max_size=4))
def test_group_rows_undoes_pairing(names, corpus):
    pairs = [(text, name) for text in corpus for name in names]
    grouped, Y = group_rows(*map(list, zip(*pairs, strict=True)))
    assert grouped == corpus
    assert Y.label_names.tolist() == sorted(names)
    assert Y.all()


@pytest.mark.parametrize(
    ("pair_texts", "tags", "classes", "error", "message"),
    [
        (["a"], ["x", "y"], None, ValueError, "texts has 1 rows and tags 2; expected one tag a row"),
        (
            ["a", "b"],
            ["x", ["y"]],
            None,
            ValueError,
            r"tags\[1\] is a list; group_rows takes one tag a row",
        ),
        (["a"], [("x", "y")], None, ValueError, r"tags\[0\] is a tuple; group_rows takes one tag a row"),
        (["a"], [{"x"}], None, ValueError, r"tags\[0\] is a set; .* can be passed to fit as they are"),
        (["a", None], ["x", "y"], None, TypeError, r"texts\[1\] is of type NoneType; expected a str"),
        ([b"a"], ["x"], None, TypeError, r"texts\[0\] is of type bytes; expected a str"),
        (["a"], ["x"], ["y"], ValueError, r"holds 'x', which is not among classes=\['y'\]"),
        (["a"], [None], None, ValueError, "y holds no label anywhere"),
        (["a", "b"], ["x", 1], None, TypeError, "y mixes str labels with numbers"),
        ([], [], None, ValueError, "y holds no rows"),
    ],
    ids=str,
)
def test_group_rows_refuses(pair_texts, tags, classes, error, message):
    with pytest.raises(error, match=message):
        group_rows(pair_texts, tags, classes)


def test_group_rows_of_one_str():
    with pytest.raises(TypeError, match="single str"):
        group_rows("ab", ["x", "y"])


def test_group_rows_of_a_dict():
    with pytest.raises(TypeError, match=r"tags\[0\] is"):
        group_rows(["a"], [{"x": 1}])


def test_group_rows_names_the_row_of_an_unknown_tag():
    with pytest.raises(ValueError, match=r"\[2\] .*'z', which is not among classes"):
        group_rows(["a", "a", "b"], ["x", "y", "z"], ["x", "y"])


# -- the same text with different labels -------------------------------------------------------------


def test_warning_where_one_text_carries_different_labels():
    message = (
        r"The text 'news' carries different labels \('Child', 'Reporter'\), .*"
        r"fit\(\*sktextcnn\.group_rows\(X, y\)\)"
    )
    with pytest.warns(UserWarning, match=message):
        warn_if_repeated(PAIR_TEXTS, read_labels(PAIR_TAGS))


def test_long_text_is_truncated_in_the_warning():
    with pytest.warns(UserWarning, match=r"The text 'x{57}\.\.\.' carries"):
        warn_if_repeated(["x" * 100] * 2, read_labels(["a", "b"]))


def test_no_warning_where_nothing_competes(recwarn):
    warn_if_repeated(["news", "news", "other"], read_labels(["a", "a", "b"]))
    warn_if_repeated(["news", "news"], read_labels([["a"], ["b"]]))
    assert not recwarn.list


# -- weights of labels -------------------------------------------------------------------------------


def weights_of(class_weight, y, classes=None):
    labels = read_labels(y, classes)
    weights = label_weights(class_weight, labels.matrix, labels.classes, labels.multilabel)
    assert weights.shape == (2, len(labels.classes))
    assert weights.dtype == np.float32
    return weights


@pytest.mark.parametrize("y", [["a", "b"], [["a"], ["b"]]], ids=["single", "several"])
def test_no_class_weight(y):
    assert weights_of(None, y).tolist() == [[1, 1], [1, 1]]


@given(st.lists(st.sampled_from("abcd"), min_size=2).filter(lambda y: len(set(y)) > 1), st.booleans())
def test_weights_of_one_label_per_text_are_those_of_scikit_learn(y, balanced):
    classes = np.unique(y)
    class_weight = "balanced" if balanced else {"a": 2.0, "b": 0.0, "c": 0.25, "d": 7.0}
    if not balanced:
        class_weight = {label: class_weight[label] for label in classes.tolist()}
    expected = compute_class_weight(class_weight, classes=classes, y=np.array(y))
    weights = weights_of(class_weight, y)
    np.testing.assert_allclose(weights[0], expected, rtol=1e-6)
    assert (weights[1] == 1).all()


@given(indicators())
def test_balanced_weights_of_several_labels_are_those_of_two_classes_each(matrix):
    weights = weights_of("balanced", matrix)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    for column, pair in zip(matrix.T, weights.T, strict=True):
        if 0 < column.sum() < len(column):
            expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=column)
            np.testing.assert_allclose(pair[::-1], expected, rtol=1e-6)


def test_balanced_weights_give_ones_and_zeros_the_same_total():
    matrix = np.array([[1, 1], [0, 1], [0, 1], [0, 0]])
    weights = weights_of("balanced", matrix)
    np.testing.assert_allclose((weights[0] * matrix).sum(axis=0), [2, 2])
    np.testing.assert_allclose((weights[1] * (1 - matrix)).sum(axis=0), [2, 2])


def test_weights_by_name():
    weights = weights_of({"b": 3, "c": 0}, [["a", "b"], ["c"]])
    assert weights.tolist() == [[1, 3, 0], [1, 1, 1]]


def test_weights_of_a_class_without_texts_are_finite():
    assert np.isfinite(weights_of("balanced", ["a", "b"], ["a", "b", "c"])).all()


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({"z": 1.0}, r"class_weight names 'z', which is not among the labels \['a', 'b'\]"),
        ({"a": -1}, "class_weight of 'a' is -1; it must not be negative"),
        ({"a": float("nan")}, "class_weight of 'a' is nan"),
    ],
    ids=str,
)
def test_bad_class_weight(class_weight, message):
    with pytest.raises(ValueError, match=message):
        weights_of(class_weight, [["a"], ["b"]])


def test_infinite_class_weight():
    with pytest.raises(ValueError, match="class_weight of 'a' is inf"):
        weights_of({"a": float("inf")}, [["a"], ["b"]])
