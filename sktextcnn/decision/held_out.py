"""Scores of texts whose labels are known: all of them, or where labels are many, those that matter.

Thresholds and measures look at the labels that a text might get, and at those that it carries. Of ten
thousand labels the network gives nearly all next to no chance; to keep those scores of every text would
take memory by the gigabyte, and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from sktextcnn.decision.rule import DecisionRule
from sktextcnn.decision.thresholds import Matrix, with_data, without_zeros
from sktextcnn.text.tokens import TokenIds

#: Best scores that are kept of a text, beside those of the labels that it carries. Up to so many labels
#: all are kept.
MOST_SCORES = 256

#: Logits that are in work at the same time.
LOGITS_TOGETHER = 1_000_000


@dataclass(frozen=True)
class LabelScores:
    """Scores of n texts and k labels, and which labels the texts carry.

    Attributes
    ----------
    scores : ndarray or csr_matrix of shape (n, k), dtype float32
        What decisions look at: probabilities, or logits for one label per text. Beyond `MOST_SCORES`
        labels sparse: the best of each text, and those of its own labels.
    truth : ndarray or csr_matrix of shape (n, k), dtype int8
        0/1; if sparse, with the same entries as `scores`, zeros among them.
    """

    scores: Matrix
    truth: Matrix

    def __len__(self) -> int:
        """Return the number of texts."""
        return self.scores.shape[0]

    @property
    def carried(self) -> Matrix:
        """Return `truth`, without zeros among the entries if it is sparse."""
        return without_zeros(self.truth)

    def decide(self, rule: DecisionRule) -> Matrix:
        """Return the decisions (n, k), bool; sparse if the scores are."""
        if not sparse.issparse(self.scores):
            return rule.decide_scores(self.scores)
        if not rule.multilabel:  # the best one, whatever its logit is
            rule = replace(rule, thresholds=np.zeros_like(rule.thresholds), min_labels=1, max_labels=1)
        entries = self.scores
        distance = rule.thresholds[entries.indices] - entries.data
        rows = np.repeat(np.arange(len(self)), np.diff(entries.indptr))
        chosen = distance <= 0
        n_chosen = np.bincount(rows[chosen], minlength=len(self))
        most = len(rule.thresholds) if rule.max_labels is None else rule.max_labels
        # Only where the number is wrong do labels have to be ranked, as in `rule.decide`.
        wrong = np.flatnonzero(((n_chosen < rule.min_labels) | (n_chosen > most))[rows])
        order = wrong[np.lexsort((distance[wrong], rows[wrong]))]
        rank = np.arange(len(order)) - np.searchsorted(rows[order], rows[order])
        chosen[order] = (chosen[order] | (rank < rule.min_labels)) & (rank < most)
        return without_zeros(with_data(entries, chosen))


def collect_scores(
    logits: Iterable[np.ndarray], targets: sparse.csr_matrix, rule: DecisionRule
) -> LabelScores:
    """Collect the scores of texts from their logits, which come in parts.

    Parameters
    ----------
    logits : iterable of ndarray of shape (n_rows, k)
        Of n texts, one part of them after the other.
    targets : csr_matrix of shape (n, k)
        0/1.
    rule : DecisionRule

    Returns
    -------
    LabelScores

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_matrix
    >>> from sktextcnn.decision.held_out import collect_scores
    >>> from sktextcnn.decision.rule import DecisionRule
    >>> rule = DecisionRule(multilabel=True, exclusive=False, thresholds=np.array([0.5, 0.5]))
    >>> found = collect_scores([np.array([[2.0, -2.0]])], csr_matrix([[1, 0]]), rule)
    >>> found.decide(rule)
    array([[ True, False]])
    """
    n, k = targets.shape
    if k <= MOST_SCORES:
        scores, end = np.empty((n, k), np.float32), 0
        for part in logits:
            start, end = end, end + len(part)
            scores[start:end] = rule.to_scores(part)
        return LabelScores(scores, targets.toarray())
    most, end = max(MOST_SCORES, rule.min_labels), 0
    best, labels, counts = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
    for part in logits:
        start, end = end, end + len(part)
        own = targets[start:end].tocoo()
        kept = np.zeros(part.shape, bool)
        np.put_along_axis(kept, np.argpartition(-part, most - 1, axis=1)[:, :most], True, axis=1)
        kept[own.row, own.col] = True
        best.append(rule.to_scores(part)[kept] if rule.exclusive else rule.to_scores(part[kept]))
        labels.append(np.nonzero(kept)[1].astype(np.int32))
        counts.append(np.count_nonzero(kept, axis=1))
    entries = np.concatenate(best), np.concatenate(labels), np.cumsum(np.concatenate(counts))
    scores = sparse.csr_matrix(entries, (n, k))
    return LabelScores(scores, _aligned(targets, scores))


def in_parts(
    network: Callable[[TokenIds], np.ndarray], ids: TokenIds, n_labels: int
) -> Iterator[np.ndarray]:
    """Yield the logits of texts, `LOGITS_TOGETHER` of them at a time.

    Parameters
    ----------
    network : callable
        From the TokenIds of texts to their logits.
    ids : TokenIds
    n_labels : int

    Yields
    ------
    ndarray of shape (n_rows, n_labels)
    """
    for part in row_parts(len(ids), n_labels):
        yield network(ids[part])


def row_parts(n: int, n_labels: int) -> list[slice]:
    """Return slices of n rows that have `LOGITS_TOGETHER` logits each, at most."""
    step = max(LOGITS_TOGETHER // n_labels, 1)
    return [slice(first, min(first + step, n)) for first in range(0, n, step)]


def _aligned(targets: sparse.csr_matrix, scores: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return 0/1 targets with the entries of scores, which hold theirs among others."""
    carries = np.zeros(scores.nnz, np.int8)
    first, second = (
        np.repeat(np.arange(each.shape[0]), np.diff(each.indptr)) * each.shape[1] + each.indices
        for each in (targets.sorted_indices(), scores)
    )
    carries[np.searchsorted(second, first)] = 1
    return with_data(scores, carries)
