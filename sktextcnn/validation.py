"""What held-out texts say: thresholds, scores and the best epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sktextcnn.engine.inference import to_probabilities
from sktextcnn.metrics import score_decisions
from sktextcnn.thresholds import decide, tune_thresholds


@dataclass(frozen=True)
class Judge:
    """Judges logits of held-out texts.

    Attributes
    ----------
    multilabel, exclusive : bool
        Whether a text may carry several labels, and whether they share one distribution.
    metric : str or callable
        See `sktextcnn.metrics.score_decisions`.
    rule : str or None
        How thresholds are tuned, see `sktextcnn.thresholds.tune_thresholds`; None for the fixed ones.
    fixed_thresholds : ndarray of shape (k,)
        Used where none are tuned.
    labels_per_text : float
        Mean number of labels of a training text.
    min_labels : int
        See `sktextcnn.thresholds.decide`.
    max_labels : int or None
        See `sktextcnn.thresholds.decide`.
    """

    multilabel: bool
    exclusive: bool
    metric: str | Callable
    rule: str | None
    fixed_thresholds: np.ndarray
    labels_per_text: float
    min_labels: int
    max_labels: int | None

    def thresholds(self, logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return the thresholds to predict with, shape (k,), from logits and 0/1 labels (n, k)."""
        if self.rule is None or not self.multilabel or not len(truth):
            return self.fixed_thresholds
        scores = to_probabilities(logits, exclusive=self.exclusive)
        metric = "cardinality" if self.rule == "cardinality" else self.metric
        return tune_thresholds(scores, truth, metric, labels_per_text=self.labels_per_text)

    def score(self, logits: np.ndarray, truth: np.ndarray) -> float:
        """Return the metric of the decisions that the logits lead to."""
        if not self.multilabel:
            return score_decisions(self.metric, truth.argmax(axis=1), logits.argmax(axis=1))
        decisions = decide(
            to_probabilities(logits, exclusive=self.exclusive),
            self.thresholds(logits, truth),
            min_labels=self.min_labels,
            max_labels=self.max_labels,
        )
        return score_decisions(self.metric, truth, decisions.astype(np.int8))


class BestEpoch:
    """Remembers the best epoch, and tells when to stop waiting for a better one.

    Parameters
    ----------
    n_iter_no_change : int
        Epochs to wait for an improvement.
    """

    def __init__(self, n_iter_no_change: int) -> None:
        self.state: Any = None
        self._score = -np.inf
        self._n_iter_no_change = n_iter_no_change
        self._n_waited = 0

    def is_enough(self, score: float, get_state: Callable[[], Any]) -> bool:
        """Take note of an epoch; return whether training has waited long enough."""
        # A score of 0 is no plateau: the network predicts nothing yet, and is only starting.
        if score > self._score or score == self._score == 0:
            self._score, self.state, self._n_waited = score, get_state(), 0
        else:
            self._n_waited += 1
        return self._n_waited >= self._n_iter_no_change
