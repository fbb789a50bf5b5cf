"""What held-out texts say: thresholds and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sktextcnn.decision.rule import DecisionRule
from sktextcnn.decision.scoring import score_decisions
from sktextcnn.decision.thresholds import tune_thresholds
from sktextcnn.engine.observers import ValidationScore


@dataclass(frozen=True)
class Evaluator:
    """Evaluates the decisions that logits of held-out texts lead to, and tunes thresholds on them.

    Attributes
    ----------
    rule : DecisionRule
        With thresholds for where none are tuned.
    metric : str or callable
        See `sktextcnn.decision.scoring.score_decisions`.
    tuning : {"tune", "cardinality"} or None
        What thresholds are tuned for: the metric, or as many labels as texts carry; None: they are not.
    labels_per_text : float
        Mean number of labels of a training text.
    """

    rule: DecisionRule
    metric: str | Callable
    tuning: str | None
    labels_per_text: float

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
        if self.tuning is None or not self.rule.multilabel or not len(truth):
            return self.rule.thresholds
        scores = self.rule.to_probabilities(logits)
        metric = "cardinality" if self.tuning == "cardinality" else self.metric
        weight = _uneven(sample_weight)
        if callable(metric):
            metric = partial(score_decisions, metric, sample_weight=weight)
        return tune_thresholds(
            scores, truth, metric, labels_per_text=self.labels_per_text, sample_weight=weight
        )

    def validate(
        self, logits: np.ndarray, truth: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> ValidationScore:
        """Return the metric of the decisions that the logits lead to, and whether one is a hit.

        A callable is asked once, at the threshold of the best micro-F1: looking for its own would ask it
        a hundred times after every epoch.

        Parameters
        ----------
        logits : ndarray of shape (n, k)
        truth : ndarray of shape (n, k)
            0/1.
        sample_weight : ndarray of shape (n,) or None, default=None
            Weight of each text.

        Returns
        -------
        ValidationScore
        """
        tuner = replace(self, metric="f1_micro") if callable(self.metric) else self
        decisions = self.decide(logits, tuner.thresholds(logits, truth, sample_weight))
        score = self._measure(decisions, truth, sample_weight)
        return ValidationScore(score, bool((decisions & (truth > 0)).any()))

    def evaluate(
        self,
        logits: np.ndarray,
        truth: np.ndarray,
        thresholds: np.ndarray,
        sample_weight: np.ndarray | None = None,
    ) -> tuple[float, np.ndarray]:
        """Return the metric of decisions, and each label's F1 (k,); NaN where nothing is known."""
        if not len(truth):
            return np.nan, np.full(truth.shape[1], np.nan)
        decisions = self.decide(logits, thresholds)
        weight = np.ones(len(truth)) if sample_weight is None else sample_weight.astype(np.float64)
        positives = weight @ truth
        f1 = 2 * (weight @ (decisions & (truth > 0))) / np.maximum(weight @ decisions + positives, 1e-9)
        score = self._measure(decisions, truth, sample_weight)
        return score, np.where(positives > 0, f1, np.nan)

    def decide(self, logits: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Return the decisions (n, k), bool."""
        return replace(self.rule, thresholds=thresholds).decide(logits)

    def _measure(
        self, decisions: np.ndarray, truth: np.ndarray, sample_weight: np.ndarray | None
    ) -> float:
        weight = _uneven(sample_weight)
        if not self.rule.multilabel:
            return score_decisions(self.metric, truth.argmax(axis=1), decisions.argmax(axis=1), weight)
        return score_decisions(self.metric, truth, decisions.astype(np.int8), weight)


def _uneven(sample_weight: np.ndarray | None) -> np.ndarray | None:
    """Return weights of mean 1; None if all are equal, so that not even a last bit is changed."""
    if sample_weight is None or not len(sample_weight) or (sample_weight == sample_weight[0]).all():
        return None
    weight = sample_weight.astype(np.float64)
    return weight / weight.mean()
