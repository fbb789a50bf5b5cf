"""Dividing labelled texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sktextcnn.decision.splits import hold_out, make_folds
from tests.examples import corpus
from tests.strategies import indicators


def divide(targets, fraction, seed=0):
    return hold_out(sparse.csr_matrix(targets), fraction, np.random.default_rng(seed))


@given(indicators(max_rows=20), st.floats(0.01, 0.99), st.integers(0, 5))
def test_the_two_sides_of_the_division(targets, fraction, seed):
    n = len(targets)
    wanted = max(1, round(fraction * n))
    try:
        train, held_out = divide(targets, fraction, seed)
    except ValueError:
        # Either all rows were wanted, or each row holds the only example of some label.
        alone = (targets[:, targets.sum(axis=0) == 1] == 1).any(axis=1)
        assert wanted == n or alone.all()
        return
    assert sorted([*train, *held_out]) == [*range(n)]
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()
    assert 1 <= len(held_out) <= wanted
    assert len(train) >= 1
    present = targets.any(axis=0)
    left = targets[train].sum(axis=0)
    np.testing.assert_array_equal(left > 0, present)
    if len(held_out) < wanted:
        # Only as few as that because no other row could go.
        assert (targets[train][:, left == 1] == 1).any(axis=1).all()


@given(st.integers(2, 200), st.floats(0.01, 0.5), st.integers(0, 5))
def test_size_where_labels_are_frequent(n, fraction, seed):
    train, held_out = divide(np.ones((n, 1), np.int8), fraction, seed)
    assert len(held_out) == max(1, round(fraction * n))
    assert len(train) + len(held_out) == n


def test_the_same_seed_divides_alike_and_another_does_not():
    targets = np.ones((100, 2), np.int8)
    first, again, other = (divide(targets, 0.3, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_row_can_be_held_out():
    targets = np.ones((10, 1), np.int8)
    assert {row for seed in range(60) for row in divide(targets, 0.1, seed)[1]} == {*range(10)}


def test_rows_without_label_can_be_held_out():
    targets = np.array([[1, 0], [0, 1], [0, 0]])
    train, held_out = divide(targets, 0.3)
    assert train.tolist() == [0, 1]
    assert held_out.tolist() == [2]


def test_the_targets_are_left_alone():
    targets = sparse.csr_matrix(np.ones((5, 2), np.int8))
    hold_out(targets, 0.4, np.random.default_rng(0))
    np.testing.assert_array_equal(targets.toarray(), np.ones((5, 2)))


@pytest.mark.parametrize(
    ("targets", "fraction"),
    [(np.eye(3), 0.5), (np.ones((1, 1)), 0.5), (np.zeros((2, 1)), 0.99)],
    ids=["each label once", "one text", "nothing to learn from"],
)
def test_nothing_can_be_held_out(targets, fraction):
    message = (
        rf"validation={fraction} of {len(targets)} texts leaves nothing to validate on, or "
        r"nothing to learn from: .* Pass more texts, or validation=None\."
    )
    with pytest.raises(ValueError, match=message):
        divide(targets, fraction)


# -- folds ------------------------------------------------------------------------------------------


@given(indicators(max_rows=30), st.integers(2, 5), st.integers(0, 5))
def test_every_text_is_held_out_once(targets, n_folds, seed):
    matrix, n = sparse.csr_matrix(targets), len(targets)
    if n < n_folds:
        message = rf"^{n} texts cannot be divided into validation={n_folds} parts\. Pass more texts, or"
        with pytest.raises(ValueError, match=message):
            make_folds(matrix, n_folds, np.random.default_rng(seed))
        return
    folds = make_folds(matrix, n_folds, np.random.default_rng(seed))
    assert len(folds) == n_folds
    assert sorted(np.concatenate([held_out for _, held_out in folds])) == [*range(n)]
    sizes = [len(held_out) for _, held_out in folds]
    assert max(sizes) - min(sizes) <= 1
    for train, held_out in folds:
        assert sorted([*train, *held_out]) == [*range(n)]
        assert (np.diff(train) > 0).all()
        assert (np.diff(held_out) > 0).all()
    # The rows whose rarest label it is are shared out evenly, for each label.
    counts = targets.sum(axis=0)
    rarest = np.array(
        [min(np.flatnonzero(row), key=lambda c: (counts[c], c), default=-1) for row in targets]
    )
    for label in range(targets.shape[1]):
        shares = [(rarest[held_out] == label).sum() for _, held_out in folds]
        assert max(shares) - min(shares) <= 1
        if (rarest == label).sum() >= n_folds:
            assert all(targets[held_out, label].any() for _, held_out in folds)
    again = make_folds(matrix, n_folds, np.random.default_rng(seed))
    assert [part.tolist() for fold in folds for part in fold] == [
        part.tolist() for fold in again for part in fold
    ]
    np.testing.assert_array_equal(matrix.toarray(), targets)


def test_another_seed_divides_otherwise():
    targets = sparse.csr_matrix(corpus(120)[1])
    first, other = (make_folds(targets, 3, np.random.default_rng(seed)) for seed in (0, 1))
    assert first[0][1].tolist() != other[0][1].tolist()
