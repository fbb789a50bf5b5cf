"""From logits to decisions: one rule, in training and in prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sktextcnn.engine.inference import to_probabilities


@dataclass(frozen=True)
class DecisionRule:
    """Which labels are predicted.

    Attributes
    ----------
    multilabel : bool
        Whether a text may carry several labels. If not, it gets the most probable one.
    exclusive : bool
        Whether the labels of a text share one distribution (softmax) or each has its own (sigmoid).
    thresholds : ndarray of shape (k,)
        Probabilities from which labels are predicted.
    min_labels : int, default=0
        See `decide`.
    max_labels : int or None, default=None
        See `decide`.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.decision.rule import DecisionRule
    >>> rule = DecisionRule(multilabel=True, exclusive=False, thresholds=np.array([0.5, 0.3]))
    >>> rule.decide(np.array([[1.0, -2.0], [-1.0, -0.5]])).astype(int)
    array([[1, 0],
           [0, 1]])
    """

    multilabel: bool
    exclusive: bool
    thresholds: np.ndarray
    min_labels: int = 0
    max_labels: int | None = None

    def to_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, k) of logits (n, k), float32."""
        return to_probabilities(logits, exclusive=self.exclusive)

    def to_scores(self, logits: np.ndarray) -> np.ndarray:
        """Return what decisions look at: probabilities (n, k), or the logits for one label per text."""
        return self.to_probabilities(logits) if self.multilabel else logits

    def decide(self, logits: np.ndarray) -> np.ndarray:
        """Return the predicted labels (n, k) of logits (n, k), bool."""
        return self.decide_scores(self.to_scores(logits))

    def decide_scores(self, scores: np.ndarray) -> np.ndarray:
        """Return the predicted labels (n, k) of what `to_scores` returned, bool."""
        if not self.multilabel:
            return np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]
        return decide(scores, self.thresholds, min_labels=self.min_labels, max_labels=self.max_labels)


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
    >>> from sktextcnn.decision.rule import decide
    >>> decide(np.array([[0.9, 0.2], [0.1, 0.3]]), np.array([0.5, 0.5]), min_labels=1).astype(int)
    array([[1, 0],
           [0, 1]])
    """
    chosen = scores >= thresholds
    n_chosen = chosen.sum(axis=1)
    most = scores.shape[1] if max_labels is None else max_labels
    # Only where the number is wrong do labels have to be ranked.
    rows = np.flatnonzero((n_chosen < min_labels) | (n_chosen > most))
    if len(rows):
        order = np.argsort(thresholds - scores[rows], axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(scores.shape[1])[None], axis=1)
        chosen[rows] = (chosen[rows] | (rank < min_labels)) & (rank < most)
    return chosen


def check_label_bounds(min_labels: int, max_labels: int | None, n_labels: int) -> None:
    """Refuse numbers of labels that no text could have.

    Parameters
    ----------
    min_labels : int
    max_labels : int or None
    n_labels : int
        How many labels there are.

    Raises
    ------
    ValueError
        If `min_labels` is more than `max_labels`, or than `n_labels`.
    """
    if max_labels is not None and min_labels > max_labels:
        raise ValueError(f"min_labels={min_labels} is more than max_labels={max_labels}.")
    if min_labels > n_labels:
        raise ValueError(
            f"min_labels={min_labels} is more than the number of labels, {n_labels}, so no text can "
            "have so many. Lower it."
        )
