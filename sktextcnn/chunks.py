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
