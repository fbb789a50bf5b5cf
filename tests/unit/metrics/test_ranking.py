"""Measures of the k best labels, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import ndcg_score

from sktextcnn.metrics import ndcg_at_k, precision_at_k, recall_at_k
from tests.strategies import indicators


@st.composite
def ranked(draw):
    """Truth, distinct scores and a k."""
    truth = draw(indicators())
    order = draw(st.permutations(range(truth.size)))
    return truth, np.array(order).reshape(truth.shape) / truth.size, draw(st.integers(1, truth.shape[1]))


@given(ranked())
def test_measures_at_k_are_what_they_are_defined_as(case):
    truth, scores, k = case
    labelled = truth.any(axis=1)
    best = [{*np.argsort(-row)[:k]} for row in scores]
    hits = np.array([len(top & {*np.flatnonzero(row)}) for top, row in zip(best, truth, strict=True)])
    assert precision_at_k(truth, scores, k) == pytest.approx((hits / k).mean())
    assert precision_at_k(csr_matrix(truth), scores, k) == precision_at_k(truth, scores, k)
    if not labelled.any():
        assert recall_at_k(truth, scores, k) == ndcg_at_k(truth, scores, k) == 0
        return
    expected = (hits[labelled] / truth[labelled].sum(axis=1)).mean()
    assert recall_at_k(truth, scores, k) == pytest.approx(expected)
    if truth.shape[1] > 1:
        theirs = ndcg_score(truth[labelled], scores[labelled], k=k)
        assert ndcg_at_k(truth, scores, k) == pytest.approx(theirs)
    else:
        assert ndcg_at_k(truth, scores, k) == 1


@given(ranked())
def test_more_labels_find_no_less(case):
    truth, scores, k = case
    found = [recall_at_k(truth, scores, size) for size in range(1, k + 1)]
    assert found == sorted(found)
    if k == truth.shape[1] and truth.any():
        assert found[-1] == pytest.approx(1)


@given(ranked())
def test_sparse_scores_of_the_best_labels_are_enough(case):
    truth, scores, k = case
    kept = np.argsort(np.argsort(-scores, axis=1), axis=1) < k
    best = csr_matrix((scores[kept], np.nonzero(kept)), truth.shape)
    for measure in (precision_at_k, recall_at_k, ndcg_at_k):
        expected = measure(truth, scores, k)
        assert measure(truth, best, k) == measure(csr_matrix(truth), best, k) == expected


def test_sparse_scores_that_are_too_few():
    with pytest.raises(ValueError, match="y_score has 1 scores for text 1; expected k=2 or more"):
        precision_at_k([[0, 1], [1, 0]], csr_matrix([[0.5, 0.4], [0.0, 0.3]]), 2)


def test_equal_scores_are_ranked_by_position():
    for measure in (precision_at_k, recall_at_k, ndcg_at_k):
        assert measure([[1, 0]], [[0.5, 0.5]], 1) == 1
        assert measure([[0, 1]], [[0.5, 0.5]], 1) == 0
        assert measure([[0, 1]], csr_matrix([[0.5, 0.5]]), 1) == 0


@pytest.mark.parametrize("measure", [precision_at_k, recall_at_k, ndcg_at_k])
def test_measures_at_k_refuse_other_shapes(measure):
    with pytest.raises(ValueError, match=r"y_true has shape \(1, 2\), y_score \(1, 3\)"):
        measure([[0, 1]], [[1, 2, 3]], 1)
    with pytest.raises(ValueError, match="k=0; expected a number from 1 to 2"):
        measure([[0, 1]], [[1, 2]], 0)
