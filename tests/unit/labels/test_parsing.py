"""Any form of y <-> a 0/1 matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sktextcnn import as_label_matrix
from sktextcnn.labels.parsing import count_unseen, read_labels
from tests.strategies import indicators, label_sets, texts


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


# -- the forms of y: one label per text -------------------------------------------------------------


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


# -- the forms of y: label sets ---------------------------------------------------------------------


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


# -- the forms of y: 0/1 matrices -------------------------------------------------------------------


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
    # Where PyArrow holds the str, pandas 3 makes a column '' of the empty one, of which `fit` warns.
    frame = pd.Series(["b|a", "", "a"]).str.get_dummies().drop(columns="", errors="ignore")
    labels = read_labels(frame)
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


# -- classes ----------------------------------------------------------------------------------------


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


# -- unseen labels ----------------------------------------------------------------------------------


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
