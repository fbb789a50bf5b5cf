"""Logits and true labels -> the worst false positives and misses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from sktextcnn.decision.rule import DecisionRule

KINDS = ("false positive", "miss")


class WrongDecision(NamedTuple):
    """A label that was predicted and not given, or given and not predicted.

    Attributes
    ----------
    margin : float
        By how much the probability was on the wrong side.
    row, column : int
        Which text, and which label.
    kind : {"false positive", "miss"}
    """

    margin: float
    row: int
    column: int
    kind: str


def find_wrong(
    logits: np.ndarray,
    truth: np.ndarray,
    rule: DecisionRule,
    n: int,
    of_interest: np.ndarray | None = None,
) -> list[WrongDecision]:
    """Return the worst decisions on some texts.

    Parameters
    ----------
    logits : ndarray of shape (m, k)
    truth : ndarray of shape (m, k)
        0/1.
    rule : DecisionRule
    n : int
        How many of each kind.
    of_interest : ndarray of shape (k,) or None, default=None
        Whether to look at a label; None: at all.

    Returns
    -------
    list of WrongDecision
        The largest margin first. The margin is the distance from the threshold; where the most probable
        label is predicted, that from the probability of the true one, 0 if that is none of the k.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.decision.rule import DecisionRule
    >>> from sktextcnn.explain.mistakes import find_wrong
    >>> rule = DecisionRule(multilabel=True, exclusive=False, thresholds=np.array([0.5, 0.25]))
    >>> wrong = find_wrong(np.array([[9.0, 0.0], [0.0, -9.0]]), np.array([[1, 0], [1, 1]]), rule, 5)
    >>> [(decision.row, decision.column, decision.kind) for decision in wrong]
    [(0, 1, 'false positive'), (1, 1, 'miss')]
    """
    given = truth > 0
    scores, decisions = rule.to_probabilities(logits), rule.decide(logits)
    if rule.multilabel:
        margins = np.where(given, rule.thresholds - scores, scores - rule.thresholds)
    else:
        of_text = scores.max(axis=1) - np.where(given, scores, 0).sum(axis=1)
        margins = np.repeat(of_text[:, None], scores.shape[1], axis=1)
    wrong = decisions != given
    if of_interest is not None:
        wrong &= of_interest
    found = []
    for kind, of_kind in zip(KINDS, (wrong & decisions, wrong & given), strict=True):
        rows, columns = np.nonzero(of_kind)
        for i in np.argsort(-margins[rows, columns], kind="stable")[:n]:
            row, column = int(rows[i]), int(columns[i])
            found.append(WrongDecision(float(margins[row, column]), row, column, kind))
    return keep_worst(found, n)


def keep_worst(found: Iterable[WrongDecision], n: int) -> list[WrongDecision]:
    """Return the `n` worst decisions of each kind, the largest margin first."""
    worst = sorted(found, key=lambda one: (-one.margin, one.row, one.column))
    left = dict.fromkeys(KINDS, n)
    kept = []
    for one in worst:
        if left[one.kind]:
            left[one.kind] -= 1
            kept.append(one)
    return kept
