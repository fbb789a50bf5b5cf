"""Dividing labelled texts."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse


def hold_out(
    targets: sparse.csr_matrix, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows at random, leaving every label at least one row to learn from.

    Parameters
    ----------
    targets : csr_matrix of shape (n, k)
        0/1.
    fraction : float
        Share of the rows to hold out.
    rng : numpy.random.Generator

    Returns
    -------
    train, held_out : ndarray of int
        Row numbers, ascending; about ``fraction * n`` of them are held out, fewer where that would
        take the last row of a label.

    Raises
    ------
    ValueError
        If no row can be held out.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_matrix
    >>> from sktextcnn.decision.splits import hold_out
    >>> targets = csr_matrix([[1, 0], [1, 0], [0, 1], [1, 0]])
    >>> train, held_out = hold_out(targets, 0.25, np.random.default_rng(0))
    >>> 2 in train  # the only row of the second label
    True
    """
    n = targets.shape[0]
    wanted = max(1, round(fraction * n))
    left = np.bincount(targets.indices, minlength=targets.shape[1])
    taken: list[int] = []
    for row in rng.permutation(n):
        columns = targets.indices[targets.indptr[row] : targets.indptr[row + 1]]
        if len(taken) == wanted:
            break
        if (left[columns] > 1).all():
            left[columns] -= 1
            taken.append(row)
    if not taken or len(taken) == n:
        raise ValueError(
            f"validation={fraction} of {n} texts leaves nothing to validate on, or nothing to learn "
            "from: every label needs a text on the training side. Pass more texts, or validation=None."
        )
    held_out = np.zeros(n, bool)
    held_out[taken] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def make_folds(
    targets: sparse.csr_matrix, n_folds: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide rows into parts, and hold out each in turn.

    The texts of a rare label are spread over all parts: rows go round in the order of their rarest
    label. The only text of a label is held out as well: new texts, too, will carry labels that nothing
    could be learned of, and thresholds that are tuned without them turn out too high.

    Parameters
    ----------
    targets : csr_matrix of shape (n, k)
        0/1.
    n_folds : int
        Number of parts, at least 2.
    rng : numpy.random.Generator

    Returns
    -------
    list of (train, held_out)
        Row numbers, ascending; every row is held out once.

    Raises
    ------
    ValueError
        If there are fewer rows than parts.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_matrix
    >>> from sktextcnn.decision.splits import make_folds
    >>> targets = csr_matrix([[1, 0], [1, 1], [1, 0], [1, 1]])
    >>> [
    ...     int(targets[held_out, 1].sum())
    ...     for _, held_out in make_folds(targets, 2, np.random.default_rng(0))
    ... ]
    [1, 1]
    """
    n, k = targets.shape
    # Column of each row's rarest label; rows without label come last.
    counts = np.bincount(targets.indices, minlength=k)
    if n < n_folds:
        raise ValueError(
            f"{n} texts cannot be divided into validation={n_folds} parts. Pass more texts, or "
            "validation=None."
        )
    rank = np.empty(k, np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(k)
    rarest = np.full(n, k)
    np.minimum.at(rarest, np.repeat(np.arange(n), np.diff(targets.indptr)), rank[targets.indices])
    order = rng.permutation(n)
    order = order[np.argsort(rarest[order], kind="stable")]
    part = np.empty(n, np.int64)
    part[order] = np.arange(n) % n_folds
    return [(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(n_folds)]


def choose_folds(
    validation: Any,
    targets: sparse.csr_matrix,
    rng: np.random.Generator,
    *,
    multilabel: bool = True,
    is_sparse: bool = False,
    at_most: bool = False,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide rows as `validation` says.

    Parameters
    ----------
    validation : float, int, splitter or None
        A share to hold out once; into how many parts to divide, each of which is held out in turn; a
        splitter of scikit-learn; or nothing.
    targets : csr_matrix of shape (n, k)
        0/1.
    rng : numpy.random.Generator
    multilabel : bool, default=True
        Whether a text may carry several labels; a splitter gets a matrix then, and codes otherwise.
    is_sparse : bool, default=False
        Whether that matrix stays sparse.
    at_most : bool, default=False
        Where rows or labels do not allow it, hold out less often, or nothing, rather than fail.

    Returns
    -------
    list of (train, held_out)
        Row numbers.

    Raises
    ------
    ValueError
        If so much cannot be held out, or a splitter gives rows that there are not, none, or the same on
        both sides.
    """
    if validation is None:
        return []
    if hasattr(validation, "get_n_splits"):
        if not multilabel:
            return _split(validation, targets.indices)  # one a row
        return _split(validation, targets if is_sparse else targets.toarray())
    try:
        if isinstance(validation, Integral):
            n_folds = min(int(validation), targets.shape[0]) if at_most else int(validation)
            return make_folds(targets, n_folds, rng) if n_folds > 1 else []
        return [hold_out(targets, validation, rng)]
    except ValueError:
        if at_most:
            return []
        raise


def _split(splitter: Any, y: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    n = y.shape[0]
    folds = [
        (np.asarray(train), np.asarray(held_out))
        for train, held_out in splitter.split(np.zeros((n, 1)), y)
    ]
    for train, held_out in folds:
        rows = np.concatenate([train, held_out])
        if not len(train) or not len(held_out) or rows.min() < 0 or rows.max() >= n:
            raise ValueError(
                f"validation={splitter!r} gives a split of {len(train)} and {len(held_out)} rows, up to "
                f"number {max(rows, default=-1)}; expected some of the {n} rows of X on both sides."
            )
        if len(np.intersect1d(train, held_out)):
            raise ValueError(f"validation={splitter!r} holds rows out that it also trains on.")
    if not folds:
        raise ValueError(f"validation={splitter!r} gives no split; expected one at least.")
    return folds
