"""Measures by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn import metrics

from sktextcnn.metrics import ranking
from sktextcnn.metrics.outcome import Outcome

#: From an outcome, and the weight of each text or None, to a value: the higher, the better.
Measure = Callable[[Outcome, Any], float]

_AVERAGES = ("micro", "macro", "weighted", "samples")
_AT_K = re.compile(r"(precision|recall|ndcg)_at_([0-9]+)")


def find_measure(name: str) -> Measure:
    """Return the measure of that name.

    Parameters
    ----------
    name : str
        One of `measure_names`, with a number in the place of ``k``.

    Returns
    -------
    callable
        From an `Outcome`, and the weight of each text or None, to a float.

    Raises
    ------
    ValueError
        If there is no measure of that name.
    """
    if at_k := _AT_K.fullmatch(str(name)):
        return partial(_at_k, getattr(ranking, f"{at_k[1]}_at_k"), int(at_k[2]))
    if name not in _MEASURES:
        names = measure_names()
        similar = get_close_matches(str(name), names, n=1)
        hint = f"did you mean {similar[0]!r}?" if similar else f"expected one of {', '.join(names)}."
        raise ValueError(f"There is no measure {name!r}; {hint}")
    return _MEASURES[name]


def needs_scores(name: str) -> bool:
    """Tell whether a measure is one of scores, not of decisions."""
    return name in _OF_SCORES or _AT_K.fullmatch(name) is not None


def measure_names() -> list[str]:
    """Return the names of all measures, ``k`` standing for any number.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> from sktextcnn.metrics import measure_names
    >>> [name for name in measure_names() if name.endswith(("macro", "k"))]
    ['average_precision_macro', 'f1_macro', 'jaccard_macro', 'ndcg_at_k', 'precision_at_k',
     'precision_macro', 'recall_at_k', 'recall_macro']
    """
    return sorted([*_MEASURES, "precision_at_k", "recall_at_k", "ndcg_at_k"])


def _of_decisions(function: Callable, average: str, outcome: Outcome, weight: Any) -> float:
    options = {"average": average, "zero_division": 0, "sample_weight": weight}
    return float(function(*outcome.matrices, labels=range(len(outcome.labels)), **options))


def _accuracy(outcome: Outcome, weight: Any) -> float:
    return float(np.average((outcome.truth == outcome.predicted).all(axis=1), weights=weight))


def _neg_hamming_loss(outcome: Outcome, weight: Any) -> float:
    return 0.0 - float(np.average((outcome.truth != outcome.predicted).mean(axis=1), weights=weight))


def _lrap(outcome: Outcome, weight: Any) -> float:
    """Return the label ranking average precision: scikit-learn's takes a millisecond for each text."""
    truth, scores = outcome.truth > 0, rank_scores(outcome)
    n_true = rankdata(np.where(truth, -scores, np.inf), "max", axis=1)
    n_carried = truth.sum(axis=1)
    precision = np.where(truth, n_true / _ranks(scores), 0).sum(axis=1) / np.maximum(n_carried, 1)
    return float(np.average(np.where(n_carried, precision, 1), weights=weight))


def _neg_coverage_error(outcome: Outcome, weight: Any) -> float:
    depths = np.where(outcome.truth, _ranks(rank_scores(outcome)), 0).max(axis=1)
    return 0.0 - float(np.average(depths, weights=weight))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Return how many labels of a text have the score of a label at least, (n, k)."""
    return rankdata(-scores, "max", axis=1)


def _average_precision_micro(outcome: Outcome, weight: Any) -> float:
    each = np.broadcast_to(1 if weight is None else weight, len(outcome.truth))
    each = np.repeat(each, len(outcome.labels))
    return _average_precision(outcome.truth.ravel(), rank_scores(outcome).ravel(), each)


def _average_precision_macro(outcome: Outcome, weight: Any) -> float:
    """Return the mean over labels that a text carries: for others there is none."""
    each = np.broadcast_to(1 if weight is None else weight, len(outcome.truth))
    columns = zip(outcome.truth.T, rank_scores(outcome).T, strict=True)
    values = [_average_precision(truth, scores, each) for truth, scores in columns if truth.any()]
    return float(np.mean(values)) if values else 0.0


def _average_precision(truth: np.ndarray, scores: np.ndarray, weight: np.ndarray) -> float:
    """Return the mean precision at the scores of what is true; as scikit-learn's, many times as fast."""
    order = np.argsort(-scores, kind="stable")
    n, hits = np.cumsum(weight[order]), np.cumsum(weight[order] * truth[order])
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores count together
    n, hits = n[last], hits[last]
    return float((np.diff(hits, prepend=0) * hits / n).sum() / hits[-1]) if hits[-1] else 0.0


def _at_k(function: Callable, k: int, outcome: Outcome, weight: Any) -> float:
    return function(outcome.truth, rank_scores(outcome), k, weight)


def rank_scores(outcome: Outcome) -> np.ndarray:
    """Return the scores of all labels (n, k): those that training never saw come last everywhere."""
    if outcome.scores is None:
        raise ValueError(
            "The classifier has neither predict_proba nor decision_function, so its labels cannot be "
            "ranked. Choose a measure of decisions, such as 'f1_micro'."
        )
    return outcome.widen(outcome.scores, outcome.scores.min() - 1)


_FAMILIES = {
    "f1": metrics.f1_score,
    "jaccard": metrics.jaccard_score,
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
}
_OF_SCORES: dict[str, Measure] = {
    "average_precision_micro": _average_precision_micro,
    "average_precision_macro": _average_precision_macro,
    "lrap": _lrap,
    "neg_coverage_error": _neg_coverage_error,
}
_MEASURES: dict[str, Measure] = {
    "accuracy": _accuracy,
    "neg_hamming_loss": _neg_hamming_loss,
    **{
        f"{family}_{average}": partial(_of_decisions, function, average)
        for family, function in _FAMILIES.items()
        for average in _AVERAGES
    },
    **_OF_SCORES,
}
