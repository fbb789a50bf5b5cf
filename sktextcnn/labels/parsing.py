"""Any form of y <-> a 0/1 matrix.

From here on the package knows a single form, a sparse 0/1 matrix with one named column per label. What y
is, is decided in `sktextcnn.labels.forms`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from sktextcnn.labels.classes import (
    as_list,
    check_classes,
    is_label,
    is_missing,
    shown,
    unknown_label,
)
from sktextcnn.labels.forms import Indicator, Labels, is_set, read_form
from sktextcnn.labels.matrix import LabelMatrix, to_names


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
    form = read_form(y)
    return form.to_labels(None if classes is None else check_classes(classes, "classes"))


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
    form, known = read_form(y), to_names([*classes]).tolist()
    unseen = sorted(form.names.difference(known), key=str)
    return form.to_labels(to_names([*known, *unseen]))


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
    form, known = read_form(y), {*classes.tolist()}
    named, is_matrix = form.names, isinstance(form, Indicator)
    kinds = [{isinstance(label, str) for label in labels} for labels in (named, known)]
    if named and named.isdisjoint(known) and (is_matrix or kinds[0].isdisjoint(kinds[1])):
        raise ValueError(
            f"None of y's labels, {shown(to_names(sorted(named, key=str)))}, is among "
            f"classes_={shown(classes)}. If the classifier was fitted on a matrix without names, "
            "fit it again with as_label_matrix(tags), or with classes=."
        )


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
    rows, labels = as_list(texts, "texts"), as_list(tags, "tags")
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
        if is_set(label):
            raise ValueError(
                f"tags[{position}] is a {type(label).__name__}; group_rows takes one tag a row. Label "
                "sets can be passed to fit as they are."
            )
        if not is_label(label):
            raise TypeError(
                f"tags[{position}] is of type {type(label).__name__}; expected a str or int."
            )
        if fixed is not None and label not in allowed:
            raise unknown_label(label, f"tags[{position}] holds", fixed)
        present.add(label)
    return [*grouped], as_label_matrix([*grouped.values()], classes)
