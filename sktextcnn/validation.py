"""Thresholds, scores and the best epoch, from texts that were held out of training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sktextcnn.inference import compute_logits, to_probabilities
from sktextcnn.metrics import score_decisions
from sktextcnn.text import TokenIds
from sktextcnn.thresholds import decide, tune_thresholds


@dataclass(frozen=True)
class Judge:
    """Judges weights by what they make of held-out texts.

    Attributes
    ----------
    ids : TokenIds of n texts
    truth : ndarray of shape (n, k)
        0/1 labels of those texts.
    multilabel, exclusive : bool
        Whether a text may carry several labels, and whether they share one distribution.
    metric : str or callable
        See `sktextcnn.metrics.score_decisions`.
    fixed_thresholds : ndarray of shape (k,)
        Used where none are tuned.
    tunes : bool
        Whether thresholds are tuned, where there are texts and each may carry several labels.
    min_labels : int
        See `sktextcnn.thresholds.decide`.
    max_labels : int or None
        See `sktextcnn.thresholds.decide`.
    """

    ids: TokenIds
    truth: np.ndarray
    multilabel: bool
    exclusive: bool
    metric: str | Callable
    fixed_thresholds: np.ndarray
    tunes: bool
    min_labels: int
    max_labels: int | None

    def _probabilities(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        return to_probabilities(compute_logits(weights, self.ids), exclusive=self.exclusive)

    def thresholds(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the thresholds to predict with, shape (k,)."""
        if not (self.tunes and self.multilabel and len(self.ids)):
            return self.fixed_thresholds
        return self._thresholds(self._probabilities(weights))

    def _thresholds(self, scores: np.ndarray) -> np.ndarray:
        if not self.tunes:
            return self.fixed_thresholds
        return tune_thresholds(scores, self.truth, self.metric)

    def score(self, weights: Mapping[str, np.ndarray]) -> float:
        """Return the metric of the decisions on the held-out texts."""
        scores = self._probabilities(weights)
        if not self.multilabel:
            return score_decisions(self.metric, self.truth.argmax(axis=1), scores.argmax(axis=1))
        thresholds = self._thresholds(scores)
        decisions = decide(scores, thresholds, min_labels=self.min_labels, max_labels=self.max_labels)
        return score_decisions(self.metric, self.truth, decisions.astype(np.int8))


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
