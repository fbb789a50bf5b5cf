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
            "early_stopping=False."
        )
    held_out = np.zeros(n, bool)
    held_out[taken] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
