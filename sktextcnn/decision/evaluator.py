"""What held-out texts say: thresholds and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from sktextcnn.decision.held_out import LabelScores, collect_scores
from sktextcnn.decision.rule import DecisionRule
from sktextcnn.decision.scoring import score_decisions
from sktextcnn.decision.thresholds import tune_thresholds
from sktextcnn.engine.observers import ValidationScore


@dataclass(frozen=True)
class Evaluator:
    """Evaluates the decisions that scores of held-out texts lead to, and tunes thresholds on them.

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

    def collect(self, logits: Iterable[np.ndarray], targets: sparse.csr_matrix) -> LabelScores:
        """Return the scores of texts from parts of their logits, see `held_out.collect_scores`."""
        return collect_scores(logits, targets, self.rule)

    def thresholds(self, found: LabelScores, sample_weight: np.ndarray | None = None) -> np.ndarray:
        """Return the thresholds to predict with.

        Parameters
        ----------
        found : LabelScores of n texts and k labels
        sample_weight : ndarray of shape (n,) or None, default=None
            Weight of each text.

        Returns
        -------
        ndarray of shape (k,)
        """
        if self.tuning is None or not self.rule.multilabel or not len(found):
            return self.rule.thresholds
        metric = "cardinality" if self.tuning == "cardinality" else self.metric
        weight = _uneven(sample_weight)
        if callable(metric):
            metric = partial(score_decisions, metric, sample_weight=weight)
        return tune_thresholds(
            found.scores,
            found.truth,
            metric,
            labels_per_text=self.labels_per_text,
            sample_weight=weight,
        )

    def validate(self, found: LabelScores, sample_weight: np.ndarray | None = None) -> ValidationScore:
        """Return the metric of the decisions that the scores lead to, and whether one is a hit.

        A callable is asked once, at the threshold of the best micro-F1: looking for its own would ask it
        a hundred times after every epoch.

        Parameters
        ----------
        found : LabelScores of n texts
        sample_weight : ndarray of shape (n,) or None, default=None
            Weight of each text.

        Returns
        -------
        ValidationScore
        """
        tuner = replace(self, metric="f1_micro") if callable(self.metric) else self
        decisions = self._decide(found, tuner.thresholds(found, sample_weight))
        score = self._measure(decisions, found, sample_weight)
        return ValidationScore(score, bool(_hits(decisions, found).sum()))

    def evaluate(
        self, found: LabelScores, thresholds: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the metric of decisions, and each label's F1 (k,); NaN where nothing is known."""
        if not len(found):
            return np.nan, np.full(len(thresholds), np.nan)
        decisions = self._decide(found, thresholds)
        weight = np.ones(len(found)) if sample_weight is None else sample_weight.astype(np.float64)
        positives = weight @ found.truth
        hits, n_predicted = weight @ _hits(decisions, found), weight @ decisions
        f1 = 2 * hits / np.maximum(n_predicted + positives, 1e-9)
        score = self._measure(decisions, found, sample_weight)
        return score, np.where(positives > 0, f1, np.nan)

    def _decide(self, found: LabelScores, thresholds: np.ndarray) -> Any:
        return found.decide(replace(self.rule, thresholds=thresholds))

    def _measure(self, decisions: Any, found: LabelScores, sample_weight: np.ndarray | None) -> float:
        weight, truth = _uneven(sample_weight), found.carried
        if not self.rule.multilabel:
            true, predicted = (np.asarray(each.argmax(axis=1)).ravel() for each in (truth, decisions))
            return score_decisions(self.metric, true, predicted, weight)
        return score_decisions(self.metric, truth, decisions.astype(np.int8), weight)


def _hits(decisions: Any, found: LabelScores) -> Any:
    """Return which decisions (n, k) are right, bool."""
    carried = found.carried > 0
    return decisions.multiply(carried) if sparse.issparse(decisions) else decisions & carried


def _uneven(sample_weight: np.ndarray | None) -> np.ndarray | None:
    """Return weights of mean 1; None if all are equal, so that not even a last bit is changed."""
    if sample_weight is None or not len(sample_weight) or (sample_weight == sample_weight[0]).all():
        return None
    weight = sample_weight.astype(np.float64)
    return weight / weight.mean()
