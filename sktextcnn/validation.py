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

    def thresholds(self, logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return the thresholds to predict with, shape (k,), from logits and 0/1 labels (n, k)."""
        if self.rule is None or not self.multilabel or not len(truth):
            return self.fixed_thresholds
        scores = to_probabilities(logits, exclusive=self.exclusive)
        metric = "cardinality" if self.rule == "cardinality" else self.metric
        if callable(metric):
            metric = partial(score_decisions, metric)
        return tune_thresholds(scores, truth, metric, labels_per_text=self.labels_per_text)

    def verdict(self, logits: np.ndarray, truth: np.ndarray) -> Verdict:
        """Return the metric of the decisions that the logits lead to, and whether one is a hit."""
        if not self.multilabel:
            codes = truth.argmax(axis=1), logits.argmax(axis=1)
            return Verdict(score_decisions(self.metric, *codes), bool((codes[0] == codes[1]).any()))
        decisions = decide(
            to_probabilities(logits, exclusive=self.exclusive),
            self.thresholds(logits, truth),
            min_labels=self.min_labels,
            max_labels=self.max_labels,
        )
        score = score_decisions(self.metric, truth, decisions.astype(np.int8))
        return Verdict(score, bool((decisions & (truth > 0)).any()))
