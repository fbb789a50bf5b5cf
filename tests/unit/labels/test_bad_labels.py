"""What is no y, and what is said about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sktextcnn.labels.parsing import read_labels


def rows_of(labels):
    return labels.matrix.toarray().tolist()


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
    "missing string": (
        pd.Series(["a", None], dtype="string"),
        ValueError,
        r"y\[1\] is .*; every text needs",
    ),
    "missing polars": (pl.Series(["a", None]), ValueError, r"y\[1\] is None; every text needs a label"),
    "mixed": (["a", 1], TypeError, "y mixes str labels with numbers; use one type for all labels"),
    "continuous": ([1.0, 2.5], ValueError, r"y\[1\] is 2\.5, a continuous value; expected labels"),
    "one class": (
        ["a", "a"],
        ValueError,
        r"y holds a single class, .*needs at least two.* \['news'\] rather",
    ),
    "bytes": ([b"a", b"b"], TypeError, r"y\[0\] is of type bytes; expected a str, int or bool"),
    "dicts": ([{"tag": "a"}] * 2, TypeError, r"y\[0\] is of type dict; expected a str, int"),
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
    "object complex": (np.array([[1j]], dtype=object), ValueError, "y is a matrix"),
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
