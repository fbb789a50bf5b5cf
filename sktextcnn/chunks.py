"""Results of many texts, stacked as they come, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import sparse


def stack_rows(parts: Iterable[np.ndarray], n: int | None, dtype: Any = None) -> np.ndarray:
    """Return parts below each other, without holding them beside the result.

    Parameters
    ----------
    parts : iterable of ndarray
        At least one.
    n : int or None
        Rows of all parts together, if that is known.
    dtype : dtype or None, default=None
        None: that of the parts.

    Returns
    -------
    ndarray of shape (n, ...)

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.chunks import stack_rows
    >>> stack_rows(iter([np.eye(2), np.zeros((1, 2))]), None, int)
    array([[1, 0],
           [0, 1],
           [0, 0]])
    """
    rows, end = None, 0
    for part in parts:
        start, end = end, end + len(part)
        if rows is None:
            rows = np.empty((n or end, *part.shape[1:]), dtype or part.dtype)
        if end > len(rows):
            # Grown in place: the system moves pages, not numbers.
            rows.resize((end + end // 8, *part.shape[1:]), refcheck=False)
        rows[start:end] = part
    assert rows is not None
    if end < len(rows):
        rows.resize((end, *rows.shape[1:]), refcheck=False)
    return rows


def stack_sparse(parts: Iterable[np.ndarray]) -> sparse.csr_matrix:
    """Return parts below each other as a sparse matrix of 0 and 1.

    Parameters
    ----------
    parts : iterable of ndarray of shape (n_rows, k), dtype bool
        At least one.

    Returns
    -------
    csr_matrix of shape (n, k), dtype int64

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.chunks import stack_sparse
    >>> stack_sparse([np.eye(2, dtype=bool), np.zeros((1, 2), bool)]).toarray()
    array([[1, 0],
           [0, 1],
           [0, 0]])
    """
    columns, counts, width = [], [], 0
    for part in parts:
        width = part.shape[1]
        columns.append(np.nonzero(part)[1].astype(np.int32))
        counts.append(np.count_nonzero(part, axis=1))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    indices = np.concatenate(columns)
    ones = np.ones(len(indices), np.int64)
    return sparse.csr_matrix((ones, indices, indptr), (len(indptr) - 1, width))


def best_labels(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of the k best scores of each row, best first, and these scores.

    Of equal scores the earlier column comes first. Only the k are sorted.

    Parameters
    ----------
    scores : ndarray of shape (n, n_labels)
    k : int
        From 1 to `n_labels`.

    Returns
    -------
    columns : ndarray of shape (n, k), dtype int32
    best : ndarray of shape (n, k)

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.chunks import best_labels
    >>> best_labels(np.array([[0.2, 0.7, 0.1, 0.7]]), 3)
    (array([[1, 3, 0]], dtype=int32), array([[0.7, 0.7, 0.2]]))
    """
    lowest = np.partition(scores, -k, axis=1)[:, [-k]]
    above, equal = scores > lowest, scores == lowest
    n_missing = k - above.sum(axis=1, keepdims=True)
    taken = above | (equal & (equal.cumsum(axis=1) <= n_missing))
    columns = np.nonzero(taken)[1].astype(np.int32).reshape(-1, k)
    best = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(best, order, axis=1)
