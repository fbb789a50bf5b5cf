"""The forms that y may have, and what each of them says: one class a form, told apart in one place.

`read_form` looks once at the whole of y. What a form says of a label space, in which the columns of the
0/1 matrix are settled, is asked later: scores, for one, let in labels that training never saw.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import MultiLabelBinarizer

from sktextcnn.labels.classes import (
    as_list,
    check_classes,
    check_kinds,
    is_label,
    is_missing,
    unknown_label,
)
from sktextcnn.labels.matrix import LabelMatrix, holds_objects, to_names


@dataclass(frozen=True)
class Labels:
    """What y says, whatever its form was.

    Attributes
    ----------
    matrix : csr_matrix of shape (n, k), dtype int8
        1 where the text carries the label.
    classes : ndarray of shape (k,)
        Names of the columns.
    multilabel : bool
        Whether a text may carry several labels (or none).
    sparse : bool
        Whether y was a SciPy sparse matrix.
    """

    matrix: sparse.csr_matrix
    classes: np.ndarray
    multilabel: bool
    sparse: bool = False

    def ordered(self, classes: np.ndarray) -> Labels:
        """Return the same with its columns in the order of `classes`, which are the same labels."""
        column_of = {label: column for column, label in enumerate(self.classes.tolist())}
        columns = [column_of[label] for label in classes.tolist()]
        matrix = sparse.csr_matrix(self.matrix[:, columns])
        matrix.sort_indices()
        return replace(self, matrix=matrix, classes=classes)


@dataclass(frozen=True)
class SingleLabels:
    """One label per text.

    Attributes
    ----------
    rows : list of length n
        Labels as Python's own types.
    as_objects : bool
        Whether y held Python objects, as names of labels do then.
    """

    rows: list
    as_objects: bool

    @property
    def names(self) -> set:
        """All labels."""
        return {*self.rows}

    def to_labels(self, classes: np.ndarray | None) -> Labels:
        """Return the 0/1 matrix whose columns are `classes`, or the labels in order."""
        if classes is None:
            classes = to_names(sorted(self.names), self.as_objects)
        column_of = {label: column for column, label in enumerate(classes.tolist())}
        columns = np.array([column_of.get(label, -1) for label in self.rows])
        if (columns < 0).any():
            position = int(np.argmin(columns))
            raise unknown_label(self.rows[position], f"y[{position}] holds", classes)
        if len(classes) < 2:
            raise ValueError(
                f"y holds a single class, {classes.tolist()[0]!r}; a classifier needs at least two. If "
                "texts carry sets of labels, pass them as lists: ['news'] rather than 'news'."
            )
        n = len(columns)
        parts = np.ones(n, np.int8), columns, np.arange(n + 1)
        return Labels(sparse.csr_matrix(parts, (n, len(classes))), classes, multilabel=False)


@dataclass(frozen=True)
class LabelSets:
    """Sets of labels, one per text.

    Attributes
    ----------
    sets : list of list, of length n
        Labels as Python's own types.
    """

    sets: list[list[Hashable]]

    @property
    def names(self) -> set:
        """All labels."""
        return {label for labels in self.sets for label in labels}

    def to_labels(self, classes: np.ndarray | None) -> Labels:
        """Return the 0/1 matrix whose columns are `classes`, or the labels in order."""
        names = self.names
        if classes is None and not names:
            raise ValueError("y holds no label anywhere: every label set is empty.")
        check_kinds(names)
        if classes is not None:
            unknown = names.difference(classes.tolist())
            if unknown:
                position = next(i for i, labels in enumerate(self.sets) if unknown.intersection(labels))
                label = next(label for label in self.sets[position] if label in unknown)
                raise unknown_label(label, f"y[{position}] holds", classes)
        binarizer = MultiLabelBinarizer(
            classes=None if classes is None else classes.tolist(), sparse_output=True
        )
        matrix = binarizer.fit_transform(self.sets).astype(np.int8)
        return _multilabel(matrix, binarizer.classes_ if classes is None else classes)


@dataclass(frozen=True)
class Indicator:
    """A 0/1 matrix.

    Attributes
    ----------
    matrix : csr_matrix of shape (n, k), dtype int8
    columns : ndarray of shape (k,) or None
        Names of the columns, if they have any.
    sparse : bool, default=False
        Whether y was a SciPy sparse matrix.
    """

    matrix: sparse.csr_matrix
    columns: np.ndarray | None
    sparse: bool = False

    @property
    def names(self) -> set:
        """All names of columns."""
        return set() if self.columns is None else {*self.columns.tolist()}

    def to_labels(self, classes: np.ndarray | None) -> Labels:
        """Return the 0/1 matrix whose columns are `classes`, or those that there are."""
        n_columns = self.matrix.shape[1]
        if self.columns is None:
            if classes is not None and len(classes) != n_columns:
                raise ValueError(f"y has {n_columns} columns, but classes names {len(classes)}.")
            names = np.arange(n_columns) if classes is None else classes
            return _multilabel(self.matrix, names, self.sparse)
        if classes is None:
            return _multilabel(self.matrix, self.columns)
        column_of = {label: column for column, label in enumerate(classes.tolist())}
        unknown = [name for name in self.columns.tolist() if name not in column_of]
        if unknown:
            raise unknown_label(unknown[0], "y has the column", classes)
        entries = self.matrix.tocoo()
        columns = np.array([column_of[name] for name in self.columns.tolist()])[entries.col]
        moved = sparse.csr_matrix(
            (entries.data, (entries.row, columns)), shape=(self.matrix.shape[0], len(classes))
        )
        return _multilabel(moved, classes)


Form = SingleLabels | LabelSets | Indicator


def _multilabel(matrix: sparse.csr_matrix, classes: np.ndarray, was_sparse: bool = False) -> Labels:
    if matrix.shape[0] == 0:
        raise ValueError("y holds no rows: at least one text is needed.")
    matrix = sparse.csr_matrix(matrix)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    classes = to_names(classes.tolist())  # names as objects, which is what MultiLabelBinarizer has
    return Labels(matrix, classes, multilabel=True, sparse=was_sparse)


def read_form(y: Any) -> Form:
    """Decide what `y` is, and check all that does not depend on a label space.

    Parameters
    ----------
    y : any of the forms in the user guide

    Returns
    -------
    SingleLabels, LabelSets or Indicator

    Raises
    ------
    ValueError
        If `y` is ambiguous, empty, or holds missing values or values other than 0 and 1.
    TypeError
        If `y` or one of its rows is of a type that has no meaning as labels.
    """
    if y is None:
        raise ValueError("y is None; a classifier needs one label, or a set of labels, per text.")
    if isinstance(y, (str, bytes, Mapping)) and not sparse.issparse(y):  # dok_matrix is a dict
        raise TypeError(f"y is a single {type(y).__name__}; pass one entry per text.")
    if isinstance(y, LabelMatrix) and y.label_names is not None:
        return Indicator(_check_indicator(np.asarray(y)), y.label_names.copy())
    if sparse.issparse(y):
        return Indicator(_check_indicator(y), None, sparse=True)
    if hasattr(y, "columns") and getattr(y, "ndim", 2) == 2:
        frame = y.to_numpy()
        if frame.dtype.kind == "O":
            _refuse_column_of_names(frame)
        return Indicator(_check_indicator(frame), check_classes([*y.columns], "the header of y"))
    if isinstance(y, np.ndarray) and y.ndim != 1:
        if y.ndim != 2:
            raise ValueError(f"y has {y.ndim} dimensions; expected one or two.")
        _refuse_column_of_names(y)
        return Indicator(_check_indicator(y), None)
    rows = as_list(y)
    if not rows:
        raise ValueError("y holds no rows: at least one text is needed.")
    if any(map(is_set, rows)):
        sets, sizes = check_sets(rows), None
        if not any(isinstance(row, (set, frozenset)) for row in rows):
            sizes = {*map(len, sets)}
        form = LabelSets(sets)
        refuse_rows_of_a_matrix(sizes, form.names)
        return form
    return SingleLabels(check_single(rows), holds_objects(y))


def is_set(value: Any) -> bool:
    """Tell whether `value` is a set of labels, however written."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, (list, tuple, set, frozenset)) or (
        hasattr(value, "to_list") and not isinstance(value, (str, bytes))
    )


def check_single(rows: list, first: int = 0) -> list:
    """Return labels as Python's own types, or name the first row that is none.

    Parameters
    ----------
    rows : list
    first : int, default=0
        Number of the first row, for messages.

    Returns
    -------
    list

    Raises
    ------
    TypeError, ValueError
        As of `read_form`.
    """
    for position, label in enumerate(rows, first):
        if is_missing(label):
            raise ValueError(
                f"y[{position}] is {label}; every text needs a label. Drop the row, or pass label "
                "sets, where [] is a text without label."
            )
        if not is_label(label):
            raise TypeError(
                f"y[{position}] is of type {type(label).__name__}; expected a str, int or bool, "
                "or label sets such as ['news', 'sport']."
            )
    check_kinds(rows)
    labels = [label.item() if isinstance(label, np.generic) else label for label in rows]
    for position, label in enumerate(labels, first):
        if isinstance(label, float) and not label.is_integer():
            raise ValueError(f"y[{position}] is {label}, a continuous value; expected labels.")
    return labels


def check_sets(rows: list, first: int = 0) -> list[list[Hashable]]:
    """Return label sets as lists, or name the first row that is none.

    Parameters
    ----------
    rows : list
    first : int, default=0
        Number of the first row, for messages.

    Returns
    -------
    list of list

    Raises
    ------
    TypeError, ValueError
        As of `read_form`.
    """
    sets = []
    for position, row in enumerate(rows, first):
        if isinstance(row, str):
            raise TypeError(
                f"y[{position}] is the str {row!r} among label sets, and would be split into "
                f"letters. Write [{row!r}] for a single label."
            )
        if is_missing(row):
            raise ValueError(f"y[{position}] is {row}; write [] for a text without label.")
        if not is_set(row):
            raise TypeError(
                f"y[{position}] is {row!r} of type {type(row).__name__} among label sets; "
                f"write [{row!r}] for a single label."
            )
        labels = row.to_list() if hasattr(row, "to_list") else [*row]
        for label in labels:
            if is_missing(label):
                raise ValueError(f"y[{position}] holds {label}; leave missing labels out.")
            if not is_label(label):
                raise TypeError(
                    f"y[{position}] holds a {type(label).__name__}; labels must be str or int."
                )
        sets.append([label.item() if isinstance(label, np.generic) else label for label in labels])
    return sets


def refuse_rows_of_a_matrix(sizes: set[int] | None, names: Iterable[Any]) -> None:
    """Refuse label sets that may be meant as rows of a 0/1 matrix.

    Parameters
    ----------
    sizes : set of int or None
        How many labels the rows have; None where a row cannot be one of a matrix.
    names : iterable
        All labels.

    Raises
    ------
    ValueError
        If the rows have the same length and hold nothing but 0 and 1.
    """
    present = {*names}
    if sizes is not None and len(sizes) == 1 and present and present <= {0, 1}:
        raise ValueError(
            "y is a list of equal-length rows of 0 and 1: a 0/1 matrix, or sets of the labels 0 and "
            "1? Pass np.asarray(y) for a matrix, or sets such as {0, 1} for labels."
        )


def _refuse_column_of_names(y: np.ndarray) -> None:
    if y.dtype.kind in "USTO" and any(isinstance(value, str) for value in y.ravel()):
        hint = (
            "Pass the column itself, y.ravel() or y['tag'], for one label per text"
            if y.shape[1] == 1
            else "Pass lists of labels, [['news'], ['news', 'sport'], ...]"
        )
        raise ValueError(f"y has shape {y.shape} and holds str; a matrix y must hold 0 and 1. {hint}.")


def _check_indicator(y: Any) -> sparse.csr_matrix:
    """Return a 0/1 matrix as int8 CSR, or name the first entry that is neither."""
    entries: Any = sparse.csr_matrix(y, copy=True) if sparse.issparse(y) else np.asarray(y)
    values = entries.data if sparse.issparse(entries) else entries
    if values.dtype.kind == "O":
        try:
            values = values.astype(float)
        except (TypeError, ValueError):
            raise ValueError(
                "y is a matrix with missing or non-numeric values; it must hold 0 and 1."
            ) from None
        entries = values
    if values.dtype.kind not in "biuf":
        raise ValueError(f"y is a matrix of dtype {values.dtype}; it must hold 0 and 1.")
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        first = np.argwhere(wrong)[0]
        value = values[tuple(first)]
        if sparse.issparse(entries):
            positions = entries.tocoo()
            first = (positions.row[first[0]], positions.col[first[0]])
        raise ValueError(
            f"y[{first[0]}, {first[1]}] is {value}; a matrix y must hold 0 and 1 only. For one label "
            "per text pass a 1-D y."
        )
    matrix = sparse.csr_matrix(entries)
    return sparse.csr_matrix(
        (matrix.data.astype(np.int8), matrix.indices, matrix.indptr), shape=matrix.shape
    )
