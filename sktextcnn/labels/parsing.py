"""Any form of y <-> a 0/1 matrix.

`read_labels` looks once at the whole of y and decides what it is: one label per text, or a set of
labels per text. From there on the package knows a single form, a sparse 0/1 matrix with one named
column per label.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import MultiLabelBinarizer

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


def read_labels(y: Any, classes: Any = None) -> Labels:
    """Return the 0/1 matrix that `y` means.

    Parameters
    ----------
    y : any of the forms in the user guide
        1-D labels; label sets (list, array or Series of lists, tuples or sets); a 0/1 matrix (array,
        SciPy sparse, DataFrame); a `LabelMatrix`.
    classes : sequence or None, default=None
        Fixes the label space. With a matrix without names it names the columns in order.

    Returns
    -------
    Labels

    Raises
    ------
    ValueError
        If `y` is ambiguous, holds missing values, values other than 0 and 1, a label that is not in
        `classes`, or no label at all.
    TypeError
        If `y` or one of its rows is of a type that has no meaning as labels.
    """
    return _read(y, None if classes is None else check_classes(classes, "classes"))


def _read(y: Any, fixed: np.ndarray | None) -> Labels:
    if y is None:
        raise ValueError("y is None; a classifier needs one label, or a set of labels, per text.")
    if isinstance(y, (str, bytes, Mapping)) and not sparse.issparse(y):  # dok_matrix is a dict
        raise TypeError(f"y is a single {type(y).__name__}; pass one entry per text.")
    if isinstance(y, LabelMatrix) and y.label_names is not None:
        return _named_matrix(_check_indicator(np.asarray(y)), y.label_names.copy(), fixed)
    if sparse.issparse(y):
        return _unnamed_matrix(_check_indicator(y), fixed, sparse_input=True)
    if hasattr(y, "columns") and getattr(y, "ndim", 2) == 2:
        frame = y.to_numpy()
        if frame.dtype.kind == "O":
            _refuse_column_of_names(frame)
        names = check_classes([*y.columns], "the header of y")
        return _named_matrix(_check_indicator(frame), names, fixed)
    if isinstance(y, np.ndarray) and y.ndim != 1:
        if y.ndim != 2:
            raise ValueError(f"y has {y.ndim} dimensions; expected one or two.")
        _refuse_column_of_names(y)
        return _unnamed_matrix(_check_indicator(y), fixed)
    return _read_rows(_as_list(y), fixed, holds_objects(y))


def _as_list(y: Any) -> list:
    if isinstance(y, (set, frozenset)) or not isinstance(y, Iterable):
        raise TypeError(f"y is a {type(y).__name__}; pass a sequence with one entry per text.")
    for name in ("tolist", "to_list"):
        if hasattr(y, name):
            return getattr(y, name)()
    return list(y)


def _is_set(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, (list, tuple, set, frozenset)) or (
        hasattr(value, "to_list") and not isinstance(value, (str, bytes))
    )


def is_missing(value: Any) -> bool:
    """Tell whether `value` is None, NaN or a missing value of pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


def _read_rows(rows: list, fixed: np.ndarray | None, as_objects: bool) -> Labels:
    if not rows:
        raise ValueError("y holds no rows: at least one text is needed.")
    if any(map(_is_set, rows)):
        return _read_sets(_check_sets(rows), fixed)
    for position, label in enumerate(rows):
        if is_missing(label):
            raise ValueError(
                f"y[{position}] is {label}; every text needs a label. Drop the row, or pass label "
                "sets, where [] is a text without label."
            )
        if not isinstance(label, (str, int, float, np.generic)):
            raise TypeError(
                f"y[{position}] is of type {type(label).__name__}; expected a str, int or bool, "
                "or label sets such as ['news', 'sport']."
            )
    return _read_single(rows, fixed, as_objects)


def _read_single(rows: list, fixed: np.ndarray | None, as_objects: bool) -> Labels:
    kinds = {isinstance(label, str) for label in rows}
    if len(kinds) > 1:
        raise TypeError("y mixes str labels with numbers; use one type for all labels.")
    labels = [label.item() if isinstance(label, np.generic) else label for label in rows]
    for position, label in enumerate(labels):
        if isinstance(label, float) and not label.is_integer():
            raise ValueError(f"y[{position}] is {label}, a continuous value; expected labels.")
    classes = to_names(sorted(set(labels)), as_objects) if fixed is None else fixed
    column_of = {label: column for column, label in enumerate(classes.tolist())}
    columns = np.array([column_of.get(label, -1) for label in labels])
    if (columns < 0).any():
        position = int(np.argmin(columns))
        raise _unknown_label(labels[position], f"y[{position}]", classes)
    if len(classes) < 2:
        raise ValueError(
            f"y holds a single class, {classes.tolist()[0]!r}; a classifier needs at least two. If "
            "texts carry sets of labels, pass them as lists: ['news'] rather than 'news'."
        )
    return Labels(_matrix_of(columns, len(classes)), classes, multilabel=False)


def _matrix_of(columns: np.ndarray, n_classes: int) -> sparse.csr_matrix:
    n = len(columns)
    return sparse.csr_matrix((np.ones(n, np.int8), columns, np.arange(n + 1)), shape=(n, n_classes))


def _check_sets(rows: list) -> list[list[Hashable]]:
    """Return label sets as lists, or name the first row that is none."""
    sets = []
    for position, row in enumerate(rows):
        if isinstance(row, str):
            raise TypeError(
                f"y[{position}] is the str {row!r} among label sets, and would be split into "
                f"letters. Write [{row!r}] for a single label."
            )
        if is_missing(row):
            raise ValueError(f"y[{position}] is {row}; write [] for a text without label.")
        if not _is_set(row):
            raise TypeError(
                f"y[{position}] is {row!r} of type {type(row).__name__} among label sets; "
                f"write [{row!r}] for a single label."
            )
        labels = row.to_list() if hasattr(row, "to_list") else [*row]
        for label in labels:
            if is_missing(label):
                raise ValueError(f"y[{position}] holds {label}; leave missing labels out.")
            if not isinstance(label, (str, int, float, np.generic)):
                raise TypeError(
                    f"y[{position}] holds a {type(label).__name__}; labels must be str or int."
                )
        sets.append([label.item() if isinstance(label, np.generic) else label for label in labels])
    could_be_matrix = len({*map(len, sets)}) == 1 and not any(
        isinstance(row, (set, frozenset)) for row in rows
    )
    present = {label for labels in sets for label in labels}
    if could_be_matrix and present and present <= {0, 1}:
        raise ValueError(
            "y is a list of equal-length rows of 0 and 1: a 0/1 matrix, or sets of the labels 0 and "
            "1? Pass np.asarray(y) for a matrix, or sets such as {0, 1} for labels."
        )
    return sets


def _read_sets(sets: list[list[Hashable]], fixed: np.ndarray | None) -> Labels:
    present = {label for labels in sets for label in labels}
    if not present and fixed is None:
        raise ValueError("y holds no label anywhere: every label set is empty.")
    if len({isinstance(label, str) for label in present}) > 1:
        raise TypeError("y mixes str labels with numbers; use one type for all labels.")
    if fixed is not None:
        unknown = present.difference(fixed.tolist())
        if unknown:
            position = next(i for i, labels in enumerate(sets) if unknown.intersection(labels))
            label = next(label for label in sets[position] if label in unknown)
            raise _unknown_label(label, f"y[{position}]", fixed)
    binarizer = MultiLabelBinarizer(
        classes=None if fixed is None else fixed.tolist(), sparse_output=True
    )
    matrix = binarizer.fit_transform(sets).astype(np.int8)
    return _multilabel(matrix, binarizer.classes_ if fixed is None else fixed)


def _named_matrix(matrix: sparse.csr_matrix, names: np.ndarray, fixed: np.ndarray | None) -> Labels:
    if fixed is None:
        return _multilabel(matrix, names)
    column_of = {label: column for column, label in enumerate(fixed.tolist())}
    unknown = [name for name in names.tolist() if name not in column_of]
    if unknown:
        raise ValueError(f"y has the column {unknown[0]!r}, which is not among classes={_shown(fixed)}.")
    by_column = matrix.tocoo()
    columns = np.array([column_of[name] for name in names.tolist()])[by_column.col]
    moved = sparse.csr_matrix(
        (by_column.data, (by_column.row, columns)), shape=(matrix.shape[0], len(fixed))
    )
    return _multilabel(moved, fixed)


def _unnamed_matrix(
    matrix: sparse.csr_matrix, fixed: np.ndarray | None, sparse_input: bool = False
) -> Labels:
    n_columns = matrix.shape[1]
    if fixed is not None and len(fixed) != n_columns:
        raise ValueError(f"y has {n_columns} columns, but classes names {len(fixed)}.")
    return _multilabel(matrix, np.arange(n_columns) if fixed is None else fixed, sparse_input)


def _multilabel(matrix: sparse.csr_matrix, classes: np.ndarray, sparse_input: bool = False) -> Labels:
    if matrix.shape[0] == 0:
        raise ValueError("y holds no rows: at least one text is needed.")
    matrix = sparse.csr_matrix(matrix)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    classes = to_names(classes.tolist())  # names as objects, which is what MultiLabelBinarizer has
    return Labels(matrix, classes, multilabel=True, sparse=sparse_input)


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


def check_classes(classes: Any, name: str = "classes") -> np.ndarray:
    """Return the labels of a fixed label space, or say what is wrong with `name`."""
    if isinstance(classes, (str, bytes, Mapping, set, frozenset)) or not isinstance(classes, Iterable):
        raise TypeError(f"{name} is a {type(classes).__name__}; pass a list of labels, in order.")
    labels = _as_list(classes)
    if not labels:
        raise ValueError(f"{name} is empty; pass at least one label, or None.")
    for label in labels:
        if is_missing(label) or not isinstance(label, (str, int, float, np.generic)):
            raise TypeError(f"{name} holds {label!r}; labels must be str or int.")
    if len({isinstance(label, str) for label in labels}) > 1:
        raise TypeError(f"{name} mixes str labels with numbers; use one type for all labels.")
    seen = set()
    for label in labels:
        if label in seen:
            raise ValueError(f"{name} holds {label!r} more than once.")
        seen.add(label)
    return to_names(labels, holds_objects(classes))


def _unknown_label(label: Any, where: str, classes: np.ndarray) -> ValueError:
    return ValueError(
        f"{where} holds {label!r}, which is not among classes={_shown(classes)}. Add it to "
        "classes, or leave it out."
    )


def _shown(classes: np.ndarray) -> str:
    names = classes.tolist()
    return repr(names) if len(names) <= 8 else f"[{', '.join(map(repr, names[:6]))}, ...]"


def find_labels(labels: Any, classes: np.ndarray) -> np.ndarray:
    """Return the positions of one label, or of several, among the classes.

    Parameters
    ----------
    labels : label or iterable of labels
    classes : ndarray of shape (k,)

    Returns
    -------
    ndarray of int

    Raises
    ------
    TypeError
        If something in `labels` is no single label.
    ValueError
        If a label is not among the classes.
    """
    wanted = [labels] if isinstance(labels, str) or not isinstance(labels, Iterable) else [*labels]
    positions = {name: position for position, name in enumerate(classes.tolist())}
    for label in wanted:
        if isinstance(label, tuple) or not isinstance(label, Hashable):
            raise TypeError(
                f"labels holds {label!r:.60}; expected single labels, the same ones for every text. "
                "Leave labels=None for those that are predicted."
            )
        if label not in positions:
            raise ValueError(f"labels holds {label!r}; expected one of classes_, {_shown(classes)}.")
    return np.array([positions[label] for label in wanted], int)


def count_unseen(y: Any, classes: Any) -> tuple[Labels, np.ndarray]:
    """Read `y` against known `classes`; labels unseen there are counted, not refused.

    Parameters
    ----------
    y : any of the forms in the user guide
        True labels of n texts.
    classes : sequence of length k
        The label space, as fitted.

    Returns
    -------
    labels : Labels
        `y` restricted to `classes`.
    n_unseen : ndarray of shape (n,)
        How many labels of each text are not in `classes`.

    Raises
    ------
    ValueError
        If `y` is not valid, or a matrix without names that has another number of columns.
    """
    labels = read_with_unseen(y, classes)
    n_known = len(classes)
    matrix = labels.matrix.tocsc()
    n_unseen = np.asarray(matrix[:, n_known:].sum(axis=1)).ravel()
    within = sparse.csr_matrix(matrix[:, :n_known])
    return Labels(within, labels.classes[:n_known], labels.multilabel, labels.sparse), n_unseen


def read_with_unseen(y: Any, classes: Any) -> Labels:
    """Read `y` against known `classes`, with a column more for each label that is not among them.

    Parameters
    ----------
    y : any of the forms in the user guide
        True labels of n texts.
    classes : sequence of length k
        The label space, as fitted.

    Returns
    -------
    Labels
        Its first k columns are `classes`, the others are sorted.

    Raises
    ------
    ValueError
        If `y` is not valid, or a matrix without names that has another number of columns.
    """
    known = to_names([*classes])
    unseen = sorted(_labels_in(y).difference(known.tolist()), key=str)
    return _read(y, to_names([*known.tolist(), *unseen]))


def check_in_common(y: Any, classes: np.ndarray) -> None:
    """Refuse a `y` that cannot mean any of the classes, where unseen labels are counted as misses.

    Parameters
    ----------
    y : any of the forms in the user guide
    classes : ndarray of shape (k,)
        The label space, as fitted.

    Raises
    ------
    ValueError
        If none of y's columns is named like a class, or its labels are str and the classes numbers, or
        the other way round. Label sets may hold nothing but unseen labels: there may be few of them.
    """
    named, known = _labels_in(y), {*classes.tolist()}
    has_columns = isinstance(y, LabelMatrix) or hasattr(y, "columns")
    kinds = [{isinstance(label, str) for label in labels} for labels in (named, known)]
    if named and named.isdisjoint(known) and (has_columns or kinds[0].isdisjoint(kinds[1])):
        raise ValueError(
            f"None of y's labels, {_shown(to_names(sorted(named, key=str)))}, is among "
            f"classes_={_shown(classes)}. If the classifier was fitted on a matrix without names, "
            "fit it again with as_label_matrix(tags), or with classes=."
        )


def _labels_in(y: Any) -> set:
    """Return the labels that `y` names, empty for a matrix without names."""
    if isinstance(y, LabelMatrix):
        return set() if y.label_names is None else set(y.label_names.tolist())
    if hasattr(y, "columns"):
        return {*y.columns}
    if sparse.issparse(y) or getattr(y, "ndim", 1) != 1 or isinstance(y, (str, bytes, Mapping)):
        return set()
    rows = _as_list(y)
    if any(map(_is_set, rows)):
        return {label for labels in _check_sets(rows) for label in labels}
    return {label for label in rows if isinstance(label, Hashable) and not is_missing(label)}


def as_label_matrix(y: Any, classes: Any = None, *, unseen: str = "error") -> LabelMatrix:
    """Return `y` as a 0/1 matrix that remembers its label names.

    The one form of several labels per text that all of scikit-learn's model selection accepts, and
    from which the classifier still learns what the tags are called.

    Parameters
    ----------
    y : label sets, matrix, DataFrame or 1-D labels
        Labels of n texts, in any form that `TextCNNClassifier.fit` takes.
    classes : sequence or None, default=None
        Fixes the columns: pass the names from the training set for the matrix of a test set.
    unseen : {"error", "ignore"}, default="error"
        What to do with labels that are not in `classes`: raise, or leave them out.

    Returns
    -------
    LabelMatrix of shape (n, k), dtype int8
        An `ndarray` whose attribute ``label_names`` has shape (k,).

    Raises
    ------
    ValueError
        If `y` is not valid, or holds a label outside `classes` and `unseen` is "error".
    TypeError
        If `y` or a label is of a type without meaning.

    Examples
    --------
    >>> from sktextcnn import as_label_matrix
    >>> Y = as_label_matrix([["Reporter", "Data Science"], ["Reporter"], []])
    >>> Y
    LabelMatrix([[1, 1],
                 [0, 1],
                 [0, 0]], dtype=int8)
    >>> Y[1:].label_names.tolist()
    ['Data Science', 'Reporter']
    >>> as_label_matrix([["Child", "Reporter"]], classes=Y.label_names, unseen="ignore")
    LabelMatrix([[0, 1]], dtype=int8)
    """
    if unseen not in ("error", "ignore"):
        raise ValueError(f"unseen={unseen!r}; expected 'error' or 'ignore'.")
    if unseen == "ignore" and classes is not None:
        labels, _ = count_unseen(y, classes)
    else:
        labels = read_labels(y, classes)
    return LabelMatrix(labels.matrix.toarray(), labels.classes)


def group_rows(texts: Any, tags: Any, classes: Any = None) -> tuple[list[str], LabelMatrix]:
    """Gather rows of one (text, tag) pair each into texts and their label matrix.

    Parameters
    ----------
    texts : sequence of str of length n
        The text of each row; the same text comes once for each of its tags.
    tags : sequence of labels of length n
        The tag of each row. A missing tag (None, NaN) means a text without label.
    classes : sequence or None, default=None
        Fixes the columns.

    Returns
    -------
    texts : list of str of length m
        The distinct texts in order of first appearance.
    Y : LabelMatrix of shape (m, k), dtype int8
        Their labels.

    Raises
    ------
    ValueError
        If the lengths differ, a tag is itself a set of labels, or is not in `classes`.
    TypeError
        If a text is not a str, or a tag is neither str nor number.

    Examples
    --------
    >>> from sktextcnn import group_rows
    >>> texts, Y = group_rows(
    ...     ["I read the news", "I read the news", "I read machine learning news"],
    ...     ["Child", "Reporter", "Data Science"],
    ... )
    >>> texts
    ['I read the news', 'I read machine learning news']
    >>> Y.label_names.tolist(), Y.tolist()
    (['Child', 'Data Science', 'Reporter'], [[1, 0, 1], [0, 1, 0]])
    """
    if isinstance(texts, str):
        raise TypeError("texts is a single str; pass a list with one text per tag.")
    rows, labels = _as_list(texts), _as_list(tags)
    if len(rows) != len(labels):
        raise ValueError(f"texts has {len(rows)} rows and tags {len(labels)}; expected one tag a row.")
    fixed = None if classes is None else check_classes(classes, "classes")
    allowed = set() if fixed is None else set(fixed.tolist())
    grouped: dict[str, set] = {}
    for position, (text, label) in enumerate(zip(rows, labels, strict=True)):
        if not isinstance(text, str):
            raise TypeError(f"texts[{position}] is of type {type(text).__name__}; expected a str.")
        present = grouped.setdefault(text, set())
        if is_missing(label):
            continue
        if _is_set(label):
            raise ValueError(
                f"tags[{position}] is a {type(label).__name__}; group_rows takes one tag a row. Label "
                "sets can be passed to fit as they are."
            )
        if not isinstance(label, (str, int, float, np.generic)):
            raise TypeError(
                f"tags[{position}] is of type {type(label).__name__}; expected a str or int."
            )
        if fixed is not None and label not in allowed:
            raise _unknown_label(label, f"tags[{position}]", fixed)
        present.add(label)
    return [*grouped], as_label_matrix([*grouped.values()], classes)
