"""What the division of rows guarantees, for any labels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from sktextcnn.model_selection.stratification import divide
from tests.strategies import indicators


def fold_sizes(n, n_folds):
    return [n // n_folds + (fold < n % n_folds) for fold in range(n_folds)]


def counts(targets, part, n_parts):
    """Rows of each label in each part."""
    return np.array([targets[part == number].sum(axis=0) for number in range(n_parts)])


@st.composite
def folds(draw, max_labels=10):
    """Labels, a number of folds, and the fold of each row."""
    targets = draw(indicators(max_rows=24))
    # Labels beyond `max_labels` of a row go.
    targets = targets * (np.cumsum(targets, axis=1) <= max_labels)
    n_folds = draw(st.integers(2, 5))
    rng = draw(st.none() | st.integers(0, 3).map(np.random.RandomState))
    return targets, n_folds, divide(csr_matrix(targets), fold_sizes(len(targets), n_folds), rng)


@given(folds())
def test_every_row_gets_one_of_the_parts(case):
    targets, n_folds, part = case
    assert part.shape == (len(targets),)
    assert {*part} <= {*range(n_folds)}


@given(folds(max_labels=1))
def test_every_training_part_has_every_label_that_two_rows_carry(case):
    targets, n_folds, part = case
    of_fold = counts(targets, part, n_folds)
    total = targets.sum(axis=0)
    assert (of_fold < total)[:, total > 1].all()
    assert np.bincount(part, minlength=n_folds).tolist() == fold_sizes(len(targets), n_folds)
    assert (np.abs(of_fold - total / n_folds) < 2).all()


@given(folds())
def test_a_label_is_lost_only_where_rows_have_as_many_labels_as_there_are_folds(case):
    targets, n_folds, part = case
    total = targets.sum(axis=0)
    lost = ((counts(targets, part, n_folds) == total) & (total > 1)).any()
    assert not lost or targets.sum(axis=1).max() >= n_folds


@given(folds())
def test_no_more_rows_leave_their_part_than_there_are_labels_to_save(case):
    targets, n_folds, part = case
    sizes = np.bincount(part, minlength=n_folds)
    excess = np.maximum(sizes - fold_sizes(len(targets), n_folds), 0)
    assert excess.sum() <= (targets.sum(axis=0) > 1).sum()


@given(indicators(max_rows=24), st.data())
def test_the_part_to_learn_from_has_every_label(targets, data):
    n = len(targets)
    n_test = data.draw(st.integers(0, n))
    n_train = data.draw(st.integers(0, n - n_test))
    sizes = [n_train, n_test, n - n_train - n_test]
    rng = np.random.RandomState(data.draw(st.integers(0, 3)))
    part = divide(csr_matrix(targets), sizes, rng, learn_from=0)
    learned = targets[part == 0]
    assert (learned.any(axis=0) == targets.any(axis=0)).all()
    assert 0 <= len(learned) - n_train <= targets.any(axis=0).sum()
