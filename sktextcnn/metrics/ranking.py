"""How good the best k labels of each text are."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse


def precision_at_k(y_true: Any, y_score: Any, k: int, sample_weight: Any = None) -> float:
    """Return the share of right ones among the k best labels of a text, on average.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n, n_labels)
        0/1.
    y_score : array-like or sparse matrix of shape (n, n_labels)
        Higher for likelier labels. Of equal scores the earlier label is the better one. A sparse matrix
        has k scores or more for each text, as `TextCNNClassifier.predict_topk` returns them.
    k : int
        From 1 to the number of labels.
    sample_weight : array-like of shape (n,) or None, default=None
        Weight of each text.

    Returns
    -------
    float
        From 0 to 1. A text that carries fewer than k labels cannot reach 1, and one without labels is 0.

    Raises
    ------
    ValueError
        If shapes differ, `k` is out of range, or a sparse matrix has fewer scores for a text.

    Examples
    --------
    >>> from sktextcnn.metrics import precision_at_k
    >>> y_true = [[1, 0, 1], [0, 1, 0]]
    >>> y_score = [[0.9, 0.2, 0.4], [0.3, 0.2, 0.1]]
    >>> precision_at_k(y_true, y_score, k=2)
    0.75
    """
    hits, _ = _hits(y_true, y_score, k)
    return float(np.average(hits.mean(axis=1), weights=sample_weight))


def recall_at_k(y_true: Any, y_score: Any, k: int, sample_weight: Any = None) -> float:
    """Return the share of a text's true labels that are among its k best ones, on average.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n, n_labels)
        0/1.
    y_score : array-like or sparse matrix of shape (n, n_labels)
        Higher for likelier labels. Of equal scores the earlier label is the better one. A sparse matrix
        has k scores or more for each text, as `TextCNNClassifier.predict_topk` returns them.
    k : int
        From 1 to the number of labels.
    sample_weight : array-like of shape (n,) or None, default=None
        Weight of each text.

    Returns
    -------
    float
        From 0 to 1. Texts without true labels do not count; 0 if no text has any.

    Raises
    ------
    ValueError
        If shapes differ, `k` is out of range, or a sparse matrix has fewer scores for a text.

    Examples
    --------
    >>> from sktextcnn.metrics import recall_at_k
    >>> y_true = [[1, 0, 1], [0, 1, 0]]
    >>> y_score = [[0.9, 0.2, 0.4], [0.3, 0.2, 0.1]]
    >>> recall_at_k(y_true, y_score, k=1)
    0.25
    """
    hits, n_true = _hits(y_true, y_score, k)
    return _mean_of_labelled(hits.sum(axis=1), n_true, n_true, sample_weight)


def ndcg_at_k(y_true: Any, y_score: Any, k: int, sample_weight: Any = None) -> float:
    """Return the normalized discounted cumulative gain of the k best labels of a text, on average.

    A true label in place i is worth ``1 / log2(i + 1)``; the sum is divided by that of the best order.
    `sklearn.metrics.ndcg_score` differs in three points: it counts texts without true labels as 0,
    averages over the orders of equal scores, and refuses a single label.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n, n_labels)
        0/1.
    y_score : array-like or sparse matrix of shape (n, n_labels)
        Higher for likelier labels. Of equal scores the earlier label is the better one. A sparse matrix
        has k scores or more for each text, as `TextCNNClassifier.predict_topk` returns them.
    k : int
        From 1 to the number of labels.
    sample_weight : array-like of shape (n,) or None, default=None
        Weight of each text.

    Returns
    -------
    float
        From 0 to 1. Texts without true labels do not count; 0 if no text has any.

    Raises
    ------
    ValueError
        If shapes differ, `k` is out of range, or a sparse matrix has fewer scores for a text.

    Examples
    --------
    >>> from sktextcnn.metrics import ndcg_at_k
    >>> y_true = [[1, 0, 1], [0, 1, 0]]
    >>> y_score = [[0.9, 0.2, 0.4], [0.3, 0.2, 0.1]]
    >>> round(ndcg_at_k(y_true, y_score, k=2), 3)
    0.815
    """
    hits, n_true = _hits(y_true, y_score, k)
    worth = 1 / np.log2(np.arange(k) + 2)
    best = np.append(0, np.cumsum(worth))[np.minimum(n_true, k)]
    return _mean_of_labelled(hits @ worth, best, n_true, sample_weight)


def _hits(y_true: Any, y_score: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the k best labels are right, shape (n, k), and how many are true, (n,)."""
    truth, scores = (each if sparse.issparse(each) else np.asarray(each) for each in (y_true, y_score))
    if truth.ndim != 2 or truth.shape != scores.shape:
        raise ValueError(
            f"y_true has shape {truth.shape}, y_score {scores.shape}; expected (n, n_labels) for both."
        )
    check_k(k, truth.shape[1])
    truth = sparse.csr_matrix(truth != 0)
    if sparse.issparse(scores):
        best = _best_entries(sparse.csr_matrix(scores), k)
    else:
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = truth[np.repeat(np.arange(len(best)), k), best.ravel()]
    return np.asarray(hits).reshape(best.shape), np.asarray(truth.sum(axis=1)).ravel()


def _best_entries(scores: sparse.csr_matrix, k: int) -> np.ndarray:
    """Return the columns (n, k) of the best entries of each row."""
    counts, scores = np.diff(scores.indptr), scores.sorted_indices()
    if (counts < k).any():
        row = int(np.argmax(counts < k))
        raise ValueError(f"y_score has {counts[row]} scores for text {row}; expected k={k} or more.")
    order = np.lexsort((-scores.data, np.repeat(np.arange(len(counts)), counts)))
    return scores.indices[order[scores.indptr[:-1, None] + np.arange(k)]]


def check_k(k: int, n_labels: int) -> None:
    """Refuse a number of best labels that there are not."""
    if not 1 <= k <= n_labels:
        raise ValueError(f"k={k}; expected a number from 1 to {n_labels}, as many as there are labels.")


def _mean_of_labelled(
    gains: np.ndarray, best: np.ndarray, n_true: np.ndarray, sample_weight: Any
) -> float:
    """Return the mean of ``gains / best`` over texts with true labels."""
    weight = (n_true > 0) * (1.0 if sample_weight is None else np.asarray(sample_weight, float))
    return float(np.average(gains / np.maximum(best, 1e-12), weights=weight)) if weight.any() else 0.0
