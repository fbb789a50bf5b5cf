"""What held-out texts say: thresholds and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sktextcnn.engine.inference import to_probabilities
from sktextcnn.engine.observers import Verdict
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

    def thresholds(
        self, logits: np.ndarray, truth: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the thresholds to predict with.

        Parameters
        ----------
        logits : ndarray of shape (n, k)
        truth : ndarray of shape (n, k)
            0/1.
        sample_weight : ndarray of shape (n,) or None, default=None
            Weight of each text.

        Returns
        -------
        ndarray of shape (k,)
        """
        if self.rule is None or not self.multilabel or not len(truth):
            return self.fixed_thresholds
        scores = to_probabilities(logits, exclusive=self.exclusive)
        metric = "cardinality" if self.rule == "cardinality" else self.metric
        weight = _uneven(sample_weight)
        if callable(metric):
            metric = partial(score_decisions, metric, sample_weight=weight)
        return tune_thresholds(
            scores, truth, metric, labels_per_text=self.labels_per_text, sample_weight=weight
        )

    def verdict(
        self, logits: np.ndarray, truth: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> Verdict:
        """Return the metric of the decisions that the logits lead to, and whether one is a hit.

        Parameters
        ----------
        logits : ndarray of shape (n, k)
        truth : ndarray of shape (n, k)
            0/1.
        sample_weight : ndarray of shape (n,) or None, default=None
            Weight of each text.

        Returns
        -------
        Verdict
        """
        weight = _uneven(sample_weight)
        if not self.multilabel:
            codes = truth.argmax(axis=1), logits.argmax(axis=1)
            score = score_decisions(self.metric, *codes, weight)
            return Verdict(score, bool((codes[0] == codes[1]).any()))
        decisions = decide(
            to_probabilities(logits, exclusive=self.exclusive),
            self.thresholds(logits, truth, sample_weight),
            min_labels=self.min_labels,
            max_labels=self.max_labels,
        )
        score = score_decisions(self.metric, truth, decisions.astype(np.int8), weight)
        return Verdict(score, bool((decisions & (truth > 0)).any()))


def _uneven(sample_weight: np.ndarray | None) -> np.ndarray | None:
    """Return weights of mean 1; None if all are equal, so that not even a last bit is changed."""
    if sample_weight is None or not len(sample_weight) or (sample_weight == sample_weight[0]).all():
        return None
    weight = sample_weight.astype(np.float64)
    return weight / weight.mean()
