"""Scores -> 0/1 decisions. Pure NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse


def default_threshold(loss: str, labels_per_text: float) -> float:
    """Return the probability from which a label is predicted when the user names none.

    One half for independent labels. Where the probabilities of a text sum to 1, its m labels share
    that sum (1 / m each), so the line is drawn at the share that one label more than usual would
    leave: 1 / (m + 1).

    Parameters
    ----------
    loss : str
        Name of the loss, as resolved.
    labels_per_text : float
        Mean number of labels of the training texts that carry one.

    Returns
    -------
    float
    """
    return 1.0 / (1.0 + labels_per_text) if loss == "kl_divergence" else 0.5


def check_thresholds(threshold: Any, n_labels: int) -> np.ndarray:
    """Return one threshold per label.

    Parameters
    ----------
    threshold : float or array-like of shape (n_labels,)
    n_labels : int

    Returns
    -------
    ndarray of shape (n_labels,), dtype float64

    Raises
    ------
    ValueError
        If the shape does not fit or a value is outside [0, 1].
    """
    values = np.asarray(threshold, dtype=float)
    if values.ndim and values.shape != (n_labels,):
        raise ValueError(
            f"threshold has shape {values.shape}; expected a float, or one value for each of the "
            f"{n_labels} labels in the order of classes_."
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"threshold must lie between 0 and 1; got {threshold!r}.")
    return np.broadcast_to(values, (n_labels,)).copy()


def resolve_thresholds(
    threshold: Any,
    *,
    loss: str,
    matrix: sparse.csr_matrix,
    multilabel: bool,
    min_labels: int = 0,
    max_labels: int | None = None,
) -> np.ndarray:
    """Return the threshold of each label that the parameters of a decision mean.

    Parameters
    ----------
    threshold : float, array-like of shape (k,) or "auto"
    loss : str
        Name of the loss, as resolved.
    matrix : csr_matrix of shape (n, k)
        0/1 labels of the training texts.
    multilabel : bool
        Whether a text may carry several labels.
    min_labels : int, default=0
        See `decide`.
    max_labels : int or None, default=None
        See `decide`.

    Returns
    -------
    ndarray of shape (k,), dtype float64

    Raises
    ------
    ValueError
        If the parameters contradict each other, or have no meaning for one label per text.
    """
    automatic = isinstance(threshold, str)
    if not multilabel and (not automatic or min_labels or max_labels is not None):
        raise ValueError(
            "threshold, min_labels and max_labels have no meaning for one label per text, where the "
            "most probable class is predicted. Leave them at their defaults, or pass label sets."
        )
    if max_labels is not None and min_labels > max_labels:
        raise ValueError(f"min_labels={min_labels} is more than max_labels={max_labels}.")
    if not automatic:
        return check_thresholds(threshold, matrix.shape[1])
    labelled = max(1, np.count_nonzero(np.diff(matrix.indptr)))
    return np.full(matrix.shape[1], default_threshold(loss, matrix.nnz / labelled))


def decide(
    scores: np.ndarray,
    thresholds: np.ndarray,
    *,
    min_labels: int = 0,
    max_labels: int | None = None,
) -> np.ndarray:
    """Choose the labels whose score reaches its threshold.

    Where that gives a text fewer than `min_labels` or more than `max_labels`, the labels furthest
    above (or least below) their thresholds are taken; ties go to the earlier label.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
        Probabilities.
    thresholds : ndarray of shape (k,)
        Of the same scale.
    min_labels : int, default=0
        So many labels at least for every text.
    max_labels : int or None, default=None
        So many labels at most.

    Returns
    -------
    ndarray of shape (n, k), dtype bool

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.thresholds import decide
    >>> decide(np.array([[0.9, 0.2], [0.1, 0.3]]), np.array([0.5, 0.5]), min_labels=1).astype(int)
    array([[1, 0],
           [0, 1]])
    """
    margins = scores - thresholds
    chosen = margins >= 0
    if min_labels > 0 or max_labels is not None:
        order = np.argsort(-margins, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(scores.shape[1])[None], axis=1)
        chosen |= rank < min_labels
        if max_labels is not None:
            chosen &= rank < max_labels
    return chosen
