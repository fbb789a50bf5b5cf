"""How good decisions are."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

import numpy as np

#: Metric name -> the average of scikit-learn's F1 that it stands for.
F1_AVERAGES = {"f1_micro": "micro", "f1_macro": "macro"}


def score_decisions(
    metric: str | Callable,
    truth: np.ndarray,
    decisions: np.ndarray,
    sample_weight: np.ndarray | None = None,
) -> float:
    """Measure decisions against the truth.

    Parameters
    ----------
    metric : {"f1_micro", "f1_macro"} or callable
        A callable gets `truth` and `decisions`, and the weights if it has an argument of that name.
    truth, decisions : ndarray of shape (n, k) or (n,)
        0/1, or codes for one label per text.
    sample_weight : ndarray of shape (n,) or None, default=None
        Weight of each text.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a callable returns NaN.
    TypeError
        If a callable returns something else than a number.
    """
    if callable(metric):
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        returned = metric(truth, decisions, **(weights if _takes_weights(metric) else {}))
        expected = f"metric returned {returned!r:.60}; it must return a number, higher being"
        try:
            value = float(returned)
        except (TypeError, ValueError):
            raise TypeError(f"{expected} better.") from None
        if np.isnan(value):
            raise ValueError(f"{expected} better. Texts or labels without a value must not count.")
        return value
    from sklearn.metrics import f1_score  # here: a process that only predicts does without

    options = {"average": F1_AVERAGES[metric], "zero_division": 0, "sample_weight": sample_weight}
    return float(f1_score(truth, decisions, **options))


def _takes_weights(metric: Callable) -> bool:
    try:
        return "sample_weight" in signature(metric).parameters
    except ValueError:  # a builtin may have no signature
        return False
