"""The label matrix: it keeps its names through rows, and forgets them with anything else."""

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
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold, train_test_split
from sklearn.utils import _safe_indexing, resample, shuffle

from sktextcnn import as_label_matrix
from sktextcnn.labels.parsing import read_labels
from tests.strategies import indicators, label_sets


def rows_of(labels):
    return labels.matrix.toarray().tolist()


def names_by_row(labels):
    names = labels.classes.tolist()
    return [{names[column] for column in np.flatnonzero(row)} for row in labels.matrix.toarray()]


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
