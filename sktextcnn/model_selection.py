"""Dividing labelled texts."""

from __future__ import annotations

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
    >>> from sktextcnn.model_selection import hold_out
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
            f"validation_fraction={fraction} of {n} texts leaves nothing to validate on, or nothing to "
            "learn from: every label needs a text on the training side. Pass more texts, or "
            "hold none out: early_stopping=False, threshold='auto', ngram_range=None."
        )
    held_out = np.zeros(n, bool)
    held_out[taken] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def divide(
    targets: sparse.csr_matrix, n_folds: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide rows into parts, and hold out each in turn.

    The texts of a rare label are spread over all parts: rows go round in the order of their rarest
    label.

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
    >>> from sktextcnn.model_selection import divide
    >>> targets = csr_matrix([[1, 0], [1, 1], [1, 0], [1, 1]])
    >>> [int(targets[held_out, 1].sum()) for _, held_out in divide(targets, 2, np.random.default_rng(0))]
    [1, 1]
    """
    n, k = targets.shape
    if n < n_folds:
        raise ValueError(f"{n} texts cannot be divided into validation_folds={n_folds} parts.")
    # Column of each row's rarest label; rows without label come last.
    counts = np.bincount(targets.indices, minlength=k)
    rank = np.empty(k, np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(k)
    rarest = np.full(n, k)
    np.minimum.at(rarest, np.repeat(np.arange(n), np.diff(targets.indptr)), rank[targets.indices])
    order = rng.permutation(n)
    order = order[np.argsort(rarest[order], kind="stable")]
    part = np.empty(n, np.int64)
    part[order] = np.arange(n) % n_folds
    return [(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(n_folds)]
