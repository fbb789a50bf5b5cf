"""The worst mistakes are the furthest on the wrong side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sktextcnn.decision.rule import DecisionRule
from sktextcnn.explain.mistakes import KINDS, find_wrong, keep_worst


def rule_of(thresholds, **options):
    return DecisionRule(
        **{"multilabel": True, "exclusive": False, "thresholds": np.array(thresholds), **options}
    )


def logit(probability):
    return np.log(probability) - np.log1p(-np.asarray(probability))


def test_margins_are_distances_from_the_threshold():
    rule = rule_of([0.5, 0.2])
    found = find_wrong(logit([[0.9, 0.1], [0.3, 0.3]]), np.array([[0, 1], [1, 1]]), rule, 9)
    assert [one[1:] for one in found] == [
        (0, 0, "false positive"),
        (1, 0, "miss"),
        (0, 1, "miss"),
    ]
    assert [one.margin for one in found] == pytest.approx([0.4, 0.2, 0.1], abs=1e-6)


def test_what_bounds_force_is_the_least_of_mistakes():
    rule = rule_of([0.5, 0.5], min_labels=1, max_labels=1)
    found = find_wrong(logit([[0.4, 0.1], [0.9, 0.8]]), np.array([[0, 0], [1, 1]]), rule, 9)
    assert [one[1:] for one in found] == [(0, 0, "false positive"), (1, 1, "miss")]
    assert [one.margin for one in found] == pytest.approx([-0.1, -0.3], abs=1e-6)


def test_one_label_per_text_is_measured_against_the_true_one():
    rule = rule_of([0.5] * 3, multilabel=False, exclusive=True)
    logits = np.log([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]])
    found = find_wrong(logits, np.array([[0, 1, 0], [0, 0, 0], [0, 0, 1]]), rule, 9)
    assert [one[1:] for one in found] == [
        *[(0, 0, "false positive"), (0, 1, "miss"), (1, 0, "false positive")]
    ]
    assert [one.margin for one in found] == pytest.approx([0.5, 0.5, 0.5], abs=1e-6)


@given(data=st.data(), n=st.integers(1, 4), shape=st.tuples(st.integers(1, 8), st.integers(1, 4)))
def test_chunk_by_chunk_the_same_are_found(data, n, shape):
    logits = data.draw(arrays(np.float32, shape, elements=st.integers(-3, 3).map(float)))
    truth = data.draw(arrays(np.int8, shape, elements=st.integers(0, 1)))
    rule = rule_of([0.5] * shape[1])
    border = data.draw(st.integers(0, shape[0]))
    second = find_wrong(logits[border:], truth[border:], rule, n)
    parts = find_wrong(logits[:border], truth[:border], rule, n)
    parts += [one._replace(row=one.row + border) for one in second]
    whole = find_wrong(logits, truth, rule, n)
    assert keep_worst(parts, n) == whole
    every = find_wrong(logits, truth, rule, logits.size)
    assert len(every) == (rule.decide(logits) != truth).sum()
    for kind in KINDS:
        of_kind = [one for one in every if one.kind == kind]
        assert [one for one in whole if one.kind == kind] == of_kind[:n]


def test_only_labels_of_interest():
    logits, truth = np.ones((2, 3)), np.zeros((2, 3))
    found = find_wrong(logits, truth, rule_of([0.5] * 3), 9, np.array([False, True, False]))
    assert [(one.row, one.column) for one in found] == [(0, 1), (1, 1)]
