"""Scores of held-out texts: the best ones say what all of them say."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sktextcnn.decision import held_out
from sktextcnn.decision.evaluator import Evaluator
from sktextcnn.decision.held_out import LabelScores, collect_scores, row_parts
from sktextcnn.decision.rule import DecisionRule
from tests.strategies import examples_up_to


def rule_of(k, **options):
    return DecisionRule(
        **{"multilabel": True, "exclusive": False, "thresholds": np.full(k, 0.5), **options}
    )


def problem(seed, n, k, *, multilabel=True):
    """Return logits, some of them equal, and 0/1 targets that follow from them more or less."""
    rng = np.random.default_rng(seed)
    logits = rng.integers(-4, 5, (n, k)).astype(np.float32) / 2
    noisy = logits + rng.normal(size=(n, k))
    targets = noisy > 1 if multilabel else np.arange(k) == noisy.argmax(axis=1)[:, None]
    return logits, sparse.csr_matrix(targets.astype(np.int8))


def with_entries(scores, kept):
    """Return the sparse form of scores, with entries where `kept` is true."""
    rows, columns = np.nonzero(kept)
    offsets = np.append(0, np.cumsum(kept.sum(axis=1)))
    entries = (
        sparse.csr_matrix((each[rows, columns], columns, offsets), kept.shape)
        for each in (scores.scores, scores.truth)
    )
    return LabelScores(*entries)


def fewest_mistakes(truth, decisions):
    return -abs(truth.astype(int) - decisions).sum()


@examples_up_to(50)
@given(
    st.integers(0, 10**6),
    st.integers(1, 25),
    st.integers(2, 7),
    st.sampled_from(["f1_micro", "f1_macro", "cardinality", fewest_mistakes]),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_sparse_scores_mean_what_dense_ones_mean(seed, n, k, metric, multilabel, weighted, data):
    """Bit for bit: thresholds, decisions and measures, with and without bounds and weights."""
    multilabel = multilabel or metric in ("cardinality", fewest_mistakes)
    logits, targets = problem(seed, n, k, multilabel=multilabel)
    least = data.draw(st.integers(0, k))
    most = data.draw(st.none() | st.integers(max(least, 1), k))
    rule = rule_of(k, multilabel=multilabel, min_labels=least, max_labels=most)
    tuning = "cardinality" if metric == "cardinality" else "tune"
    metric = "f1_micro" if metric == "cardinality" else metric
    evaluator = Evaluator(rule, metric, tuning, labels_per_text=1.5)
    weight = np.random.default_rng(seed).choice([0.5, 1.0, 2.0], n) if weighted else None
    dense = evaluator.collect([logits], targets)
    found = with_entries(dense, np.ones((n, k), bool))
    thresholds = evaluator.thresholds(dense, weight)
    np.testing.assert_allclose(evaluator.thresholds(found, weight), thresholds, rtol=1e-12)
    tuned = replace(rule, thresholds=thresholds)
    np.testing.assert_array_equal(found.decide(tuned).toarray(), dense.decide(tuned))
    first, second = (evaluator.evaluate(each, thresholds, weight) for each in (dense, found))
    assert second[0] == pytest.approx(first[0])
    np.testing.assert_allclose(second[1], first[1])
    first, second = (evaluator.validate(each, weight) for each in (dense, found))
    assert second.score == pytest.approx(first.score)
    assert second.has_hits == first.has_hits


@given(st.integers(0, 10**6), st.integers(0, 9), st.integers(1, 12), st.booleans(), st.data())
def test_the_best_scores_and_those_of_true_labels_are_kept(seed, n, k, exclusive, data):
    logits, targets = problem(seed, n, k)
    rule = rule_of(k, exclusive=exclusive, min_labels=data.draw(st.integers(0, min(2, k))))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=3)))
    most = data.draw(st.integers(1, k))
    with patch.object(held_out, "MOST_SCORES", most):
        found = collect_scores(np.split(logits, cuts), targets, rule)
    expected = rule.to_scores(logits)
    if most == k:
        np.testing.assert_array_equal(found.scores, expected)
        np.testing.assert_array_equal(found.truth, targets.toarray())
        return
    assert found.scores.dtype == np.float32
    assert len(found) == n
    np.testing.assert_array_equal(found.truth.toarray(), targets.toarray())
    for row in range(n):
        part = slice(*found.scores.indptr[row : row + 2])
        columns = found.scores.indices[part]
        np.testing.assert_array_equal(found.scores.data[part], expected[row, columns])
        assert (np.diff(columns) > 0).all()
        own = targets[row].indices
        assert {*own} <= {*columns}
        best = [column for column in columns if column not in own]
        assert len(columns) >= max(most, rule.min_labels)
        left = np.setdiff1d(np.arange(k), columns)
        assert not len(left) or not best or logits[row, left].max() <= logits[row, best].min()


@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro", "cardinality"])
def test_thresholds_of_many_labels_hardly_need_more_than_the_best_scores(metric):
    """300 labels, of which a text carries 2."""
    rng = np.random.default_rng(0)
    targets = sparse.csr_matrix(rng.random((400, 300)) < 2 / 300).astype(np.int8)
    logits = (5 * targets.toarray() - 5 + rng.normal(size=(400, 300))).astype(np.float32)
    tuning = "cardinality" if metric == "cardinality" else "tune"
    evaluator = Evaluator(rule_of(300), "f1_micro", tuning, labels_per_text=2.0)
    evaluator = evaluator if metric == "cardinality" else replace(evaluator, metric=metric)
    with patch.object(held_out, "MOST_SCORES", 1000):
        every = evaluator.collect([logits], targets)
    with patch.object(held_out, "MOST_SCORES", 10):
        found = evaluator.collect([logits[:150], logits[150:]], targets)
    assert found.scores.nnz < 5000
    expected, thresholds = (evaluator.thresholds(each) for each in (every, found))
    np.testing.assert_allclose(thresholds, expected, atol=0.02)
    score = evaluator.evaluate(every, expected)[0]
    assert evaluator.evaluate(every, thresholds)[0] == pytest.approx(score, abs=0.01)
    assert evaluator.evaluate(found, thresholds)[0] == pytest.approx(score, abs=0.01)


def test_a_label_that_no_text_is_near_to():
    logits, targets = problem(0, 30, 6)
    logits[:, 3], targets = -9, targets.tolil()
    targets[:, 3] = 0
    for metric in ("f1_micro", "f1_macro"):
        evaluator = Evaluator(rule_of(6), metric, "tune", labels_per_text=1.0)
        with patch.object(held_out, "MOST_SCORES", 2):
            found = evaluator.collect([logits], targets.tocsr())
        thresholds = evaluator.thresholds(found)
        assert ((thresholds > 0) & (thresholds < 1)).all()
        score, label_scores = evaluator.evaluate(found, thresholds)
        assert 0 < score < 1
        assert np.isnan(label_scores).tolist() == [label == 3 for label in range(6)]


@given(st.integers(0, 5000), st.integers(1, 10**7))
def test_parts_of_rows(n, k):
    parts = row_parts(n, k)
    assert [row for part in parts for row in range(n)[part]] == [*range(n)]
    most = max(held_out.LOGITS_TOGETHER // k, 1)
    assert all(part.stop - part.start == most for part in parts[:-1])
