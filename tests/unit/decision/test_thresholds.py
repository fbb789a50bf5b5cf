"""Scores -> 0/1 decisions."""

from __future__ import annotations

import tracemalloc
from itertools import product
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import f1_score

from sktextcnn.decision import thresholds as thresholds_module
from sktextcnn.decision.rule import decide
from sktextcnn.decision.thresholds import (
    check_thresholds,
    default_threshold,
    resolve_thresholds,
    tune_thresholds,
)
from tests.strategies import indicators, scores

tenths = st.integers(0, 10).map(lambda tenth: tenth / 10)


@st.composite
def cases(draw):
    """Scores and a threshold for each label."""
    values = draw(scores())
    k = values.shape[1]
    return values, np.array(draw(st.lists(tenths, min_size=k, max_size=k)))


@given(cases())
def test_labels_at_or_above_their_threshold_are_chosen(case):
    values, thresholds = case
    decisions = decide(values, thresholds)
    assert decisions.dtype == bool
    np.testing.assert_array_equal(decisions, values >= thresholds)


@given(cases(), st.data())
def test_raising_a_threshold_never_adds_its_label(case, data):
    values, thresholds = case
    column = data.draw(st.integers(0, len(thresholds) - 1))
    min_labels = data.draw(st.integers(0, 2))
    max_labels = data.draw(st.none() | st.integers(max(min_labels, 1), 4))
    raised = thresholds.copy()
    raised[column] = data.draw(st.floats(thresholds[column], 1.0))
    before = decide(values, thresholds, min_labels=min_labels, max_labels=max_labels)
    after = decide(values, raised, min_labels=min_labels, max_labels=max_labels)
    assert not (after & ~before)[:, column].any()
    if min_labels == 0 and max_labels is None:
        assert not (after & ~before).any()


@given(cases(), st.integers(0, 3), st.none() | st.integers(1, 4))
def test_bounds_hold_and_the_top_labels_are_kept(case, min_labels, max_labels):
    values, thresholds = case
    k = len(thresholds)
    decisions = decide(values, thresholds, min_labels=min_labels, max_labels=max_labels)
    highest = k if max_labels is None else max_labels
    plain = values >= thresholds
    for row, chosen in enumerate(decisions):
        wanted = min(max(plain[row].sum(), min_labels), highest, k)
        assert chosen.sum() == wanted
        # Sorted by distance to the threshold, ties by column: the first ones are chosen.
        margins = values[row] - thresholds
        order = sorted(range(k), key=lambda column, m=margins: (-m[column], column))
        assert sorted(order[:wanted]) == np.flatnonzero(chosen).tolist()


@given(cases())
def test_rows_are_decided_one_by_one(case):
    values, thresholds = case
    together = decide(values, thresholds, min_labels=1, max_labels=2)
    alone = [decide(row[None], thresholds, min_labels=1, max_labels=2)[0] for row in values]
    np.testing.assert_array_equal(together, alone)


@given(cases())
def test_scores_are_left_alone(case):
    values, thresholds = case
    before = values.copy(), thresholds.copy()
    decide(values, thresholds, min_labels=1, max_labels=2)
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(thresholds, before[1])


def test_ties_go_to_the_earlier_label():
    values = np.full((1, 3), 0.5)
    thresholds = np.full(3, 0.9)
    assert decide(values, thresholds, min_labels=1).tolist() == [[True, False, False]]
    assert decide(values, thresholds * 0, max_labels=2).tolist() == [[True, True, False]]


def test_no_rows():
    assert decide(np.zeros((0, 2)), np.full(2, 0.5), min_labels=1, max_labels=1).shape == (0, 2)


# -- thresholds as given -----------------------------------------------------------------------------


@given(tenths, st.integers(1, 6))
def test_one_threshold_is_repeated(threshold, n_labels):
    result = check_thresholds(threshold, n_labels)
    assert result.tolist() == [threshold] * n_labels
    assert result.dtype == np.float64
    result[0] = 0.123  # an array of its own, not a view of one number
    assert result[1:].tolist() == [threshold] * (n_labels - 1)


@given(st.lists(tenths, min_size=1, max_size=6), st.sampled_from([list, tuple, np.array]))
def test_one_threshold_for_each_label(thresholds, form):
    given_thresholds = form(thresholds)
    result = check_thresholds(given_thresholds, len(thresholds))
    assert result.tolist() == thresholds
    assert result is not given_thresholds


@pytest.mark.parametrize(
    ("threshold", "shape"),
    [([0.5, 0.5], r"\(2,\)"), ([0.5], r"\(1,\)"), ([], r"\(0,\)"), ([[0.5, 0.5, 0.5]], r"\(1, 3\)")],
    ids=str,
)
def test_thresholds_of_another_shape(threshold, shape):
    message = f"threshold has shape {shape}; expected a float, or one value for each of the 3 labels"
    with pytest.raises(ValueError, match=message):
        check_thresholds(threshold, 3)


@pytest.mark.parametrize(
    "threshold", [-0.1, 1.5, float("nan"), [0.5, 2.0], [0.5, float("nan")]], ids=str
)
def test_thresholds_outside_their_range(threshold):
    with pytest.raises(ValueError, match="threshold must lie between 0 and 1; got"):
        check_thresholds(threshold, 2)


@pytest.mark.parametrize(
    "loss", ["binary_crossentropy", "focal", "asymmetric", "categorical_crossentropy"]
)
def test_default_threshold_of_independent_labels(loss):
    assert default_threshold(loss, 3.0) == 0.5


@given(st.integers(1, 20))
def test_default_threshold_of_shared_probability(m):
    """All m labels are taken where they share the sum evenly, none where one more label would."""
    threshold = default_threshold("kl_divergence", m)
    assert 1 / (m + 1) == pytest.approx(threshold)
    even = np.zeros((1, m + 1))
    even[0, :m] = 1 / m
    assert decide(even, np.full(m + 1, threshold)).sum() == m


# -- thresholds as resolved --------------------------------------------------------------------------


def resolve(threshold="tune", matrix=((1, 0), (0, 1)), *, loss="binary_crossentropy", **options):
    options = {"multilabel": True, **options}
    return resolve_thresholds(
        threshold, loss=loss, matrix=sparse.csr_matrix(np.array(matrix)), **options
    )


def test_given_thresholds_are_kept():
    assert resolve(0.3).tolist() == [0.3, 0.3]
    assert resolve([0.3, 0.6]).tolist() == [0.3, 0.6]
    with pytest.raises(ValueError, match=r"threshold has shape \(3,\); .* each of the 2 labels"):
        resolve([0.3, 0.6, 0.9])


@given(indicators())
def test_thresholds_before_tuning_follow_the_labelled_texts(matrix):
    n_labels, n_labelled = matrix.sum(), matrix.any(axis=1).sum()
    expected = n_labelled / (n_labelled + n_labels) if n_labels else 1.0
    result = resolve(matrix=matrix, loss="kl_divergence")
    np.testing.assert_allclose(result, np.full(matrix.shape[1], expected))
    assert resolve(matrix=matrix).tolist() == [0.5] * matrix.shape[1]


def test_one_label_per_text_has_nothing_to_decide():
    plain = {"multilabel": False, "loss": "categorical_crossentropy"}
    assert resolve(**plain).tolist() == [0.5, 0.5]
    for option in ({"threshold": 0.5}, {"min_labels": 1}, {"max_labels": 1}):
        with pytest.raises(ValueError, match="have no meaning for one label per text, where the most"):
            resolve(**plain, **option)


def test_more_labels_at_least_than_at_most():
    with pytest.raises(ValueError, match="min_labels=3 is more than max_labels=2"):
        resolve(min_labels=3, max_labels=2)
    assert resolve(min_labels=2, max_labels=2).tolist() == [0.5, 0.5]


# -- tuning ------------------------------------------------------------------------------------------


@st.composite
def scored(draw):
    """Probabilities (with ties) and 0/1 truth of a few texts."""
    n, k = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    levels = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.8, 1.0])
    scores = draw(st.lists(st.lists(levels, min_size=k, max_size=k), min_size=n, max_size=n))
    truth = draw(st.lists(st.lists(st.integers(0, 1), min_size=k, max_size=k), min_size=n, max_size=n))
    return np.array(scores), np.array(truth)


@st.composite
def few_scores(draw):
    n, k = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    values = st.sampled_from([0.2, 0.3, 0.5, 0.8, 0.95])
    scores = np.array(draw(st.lists(values, min_size=n * k, max_size=n * k))).reshape(n, k)
    truth = np.array(draw(st.lists(st.integers(0, 1), min_size=n * k, max_size=n * k))).reshape(n, k)
    return scores, truth


@given(few_scores())
def test_no_other_thresholds_have_a_higher_micro_f1(case):
    """With next to no shrinkage, tried against all thresholds that tell scores apart."""
    scores, truth = case
    assume(truth.any(axis=0).all())  # others get the shared threshold
    with mock.patch.dict(thresholds_module.POSITIVES_FOR_HALF, f1_micro=1e-12):
        found = tune_thresholds(scores, truth, "f1_micro")

    def f1(thresholds):
        chosen = scores >= thresholds
        return 2 * (chosen & (truth == 1)).sum() / (chosen.sum() + truth.sum())

    candidates = [0.1, 0.25, 0.4, 0.6, 0.9, 1.0]
    best = max(f1(np.array(each)) for each in product(candidates, repeat=scores.shape[1]))
    assert f1(found) >= best - 1e-9
    assert f1(found) == pytest.approx(f1_score(truth.ravel(), (scores >= found).ravel()))


@given(scored())
def test_labels_that_no_text_carries_get_the_shared_threshold(case):
    scores, truth = case
    found = tune_thresholds(scores, truth, "f1_micro")
    if not truth.any():
        assert (found == 0.5).all()
        return

    def f1(threshold):
        return f1_score(truth.ravel(), (scores >= threshold).ravel(), zero_division=0)

    for threshold in found[truth.sum(axis=0) == 0]:
        # Log-odds are finite, so one beyond one in a million is taken for that.
        if 2e-6 < threshold < 1 - 2e-6:
            assert f1(threshold) >= max(map(f1, [0.0, 0.05, 0.15, 0.4, 0.6, 0.9])) - 1e-12


def test_thresholds_of_rare_labels_stay_near_the_shared_one():
    rng = np.random.default_rng(0)
    truth = (rng.random((2000, 3)) < (0.3, 0.3, 0.002)).astype(int)
    # Scores of the last two labels are too low by the same factor.
    odds = np.exp(rng.normal(0, 1, truth.shape) + 3 * truth - 1) * (1, 0.1, 0.1)
    usual, low, rare = np.log(1 / tune_thresholds(odds / (1 + odds), truth, "f1_micro") - 1)
    assert low - usual == pytest.approx(np.log(10), abs=0.5)
    assert 0 < truth[:, 2].sum() < 10
    assert abs(rare - usual) < 0.5 * np.log(10)


@given(scored())
def test_macro_thresholds_are_probabilities(case):
    scores, truth = case
    thresholds = tune_thresholds(scores, truth, "f1_macro")
    assert thresholds.shape == (truth.shape[1],)
    assert ((thresholds > 0) & (thresholds < 1)).all()
    unseen = ~truth.any(axis=0)
    assert len(set(thresholds[unseen].tolist())) <= 1  # labels without evidence share one


def test_a_frequent_label_gets_its_own_threshold():
    rng = np.random.default_rng(0)
    truth = np.zeros((2000, 1), int)
    truth[:1000] = 1
    scores = 0.2 + 0.1 * truth + rng.uniform(0, 0.01, truth.shape)
    assert tune_thresholds(scores, truth, "f1_macro") == pytest.approx(0.255, abs=0.01)


@pytest.mark.parametrize("spoilt", [lambda z: z, lambda z: 0.3 * z + 2], ids=["true", "spoilt"])
def test_a_rare_label_gets_the_threshold_of_the_best_expected_f1(spoilt):
    """Found from the scores of 20,000 texts, though a single one carries the label."""
    rng = np.random.default_rng(0)
    z = rng.normal(-3, 2, (20_000, 8))
    probabilities = 1 / (1 + np.exp(-z))
    truth = (rng.uniform(size=z.shape) < probabilities).astype(np.int8)
    truth[:, 0] = 0
    truth[np.argmax(z[:, 0]), 0] = 1  # one text, the first of its ranking
    own, candidates = probabilities[:, :1], np.linspace(0.05, 0.95, 91)
    taken = own >= candidates
    f1 = 2 * (taken * own).sum(axis=0) / (taken.sum(axis=0) + own.sum())
    best = candidates[f1.argmax()]
    scores = 1 / (1 + np.exp(-spoilt(z)))
    found = -np.log(1 / tune_thresholds(scores, truth, "f1_macro")[0] - 1)
    wanted, own = spoilt(np.log(best / (1 - best))), spoilt(np.sort(z[:, 0])[-2:].mean())
    assert found == pytest.approx((20 * wanted + own) / 21, abs=0.3)
    assert found < own - 0.3


# -- the same thresholds as by sorting all scores -----------------------------------------------------


def sorted_threshold(scores, truth):
    """Return the threshold of the highest F1, from the ranking of all scores."""
    if not truth.any():
        return 0.5
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    n_predicted = np.arange(1, len(scores) + 1)
    f1 = 2 * np.cumsum(truth[order], dtype=np.float64) / (n_predicted + truth.sum())
    f1[:-1][descending[:-1] == descending[1:]] = -1.0
    best = int(np.argmax(f1))
    return float((descending[best] + descending[min(best + 1, len(scores) - 1)]) / 2)


def sorted_thresholds_together(scores, truth, shared):
    """Return each label's threshold of the highest common micro-F1, from rankings of all scores."""
    predicted = scores >= shared
    f1 = 2 * (predicted & (truth > 0)).sum() / max(predicted.sum() + truth.sum(), 1e-9)
    thresholds = np.full(scores.shape[1], shared)
    for _ in range(20):
        hits = n = 0
        for label in range(scores.shape[1]):
            order = np.argsort(-scores[:, label], kind="stable")
            descending = scores[order, label]
            so_far = np.cumsum(truth[order, label])
            gain = 2.0 * so_far - f1 * np.arange(1, len(order) + 1)
            gain[:-1][descending[:-1] == descending[1:]] = -np.inf
            best = int(gain.argmax())
            if gain[best] > 0:
                thresholds[label] = (descending[best] + [*descending, 0.0][best + 1]) / 2
                hits, n = hits + so_far[best], n + best + 1
            else:
                thresholds[label] = (descending[0] + 1) / 2
        before, f1 = f1, 2 * hits / max(n + truth.sum(), 1e-9)
        if f1 <= before + 1e-9:
            return thresholds
    return thresholds


def log_odds(p):
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def logistic(z):
    return np.exp(-np.logaddexp(0, -z))


def calibrated(scores, truth):
    """Return the scores once a line through all log-odds was fitted, by Newton's method."""
    most = np.log((1 - 1e-6) / 1e-6)
    z, bins = log_odds(scores), np.linspace(-most, most, 1001)
    numbers = np.round((z / most + 1) * 500).astype(np.int32).ravel()
    n = np.bincount(numbers, minlength=len(bins))
    hits = np.bincount(numbers, weights=truth.ravel(), minlength=len(bins))
    inputs = np.stack([bins, np.ones(len(bins))])
    prior = line = np.array([1.0, 0.0])

    def loss(line):
        return (
            n @ np.logaddexp(0, line @ inputs) - hits @ (line @ inputs) + ((line - prior) ** 2).sum() / 2
        )

    for _ in range(100):
        p = logistic(line @ inputs)
        slope = inputs @ (n * p - hits) + line - prior
        step = np.linalg.solve(inputs * (n * p * (1 - p)) @ inputs.T + np.eye(2), slope)
        while loss(line - step) > loss(line) and np.abs(step).max() > 1e-6:
            step /= 2
        line = line - step
        if np.abs(step).max() <= 1e-6:
            break
    return logistic(line[0] * z + line[1])


def sorted_thresholds(scores, truth, metric):
    """Return the thresholds of `tune_thresholds`, from one ranking of all scores for each of them."""
    scores, k = scores.astype(np.float64), scores.shape[1]
    shared = sorted_threshold(scores.ravel(), truth.ravel())
    if metric == "f1_micro":
        own, positives = sorted_thresholds_together(scores, truth, shared), truth.sum(axis=0)
        share = positives / (positives + 50)
        return logistic(share * log_odds(own) + (1 - share) * log_odds(shared))
    if metric == "cardinality":
        descending = np.append(np.sort(scores.ravel())[::-1], 0.0)
        rank = min(max(truth.sum(), 1), scores.size)
        return np.full(k, (descending[rank - 1] + descending[rank]) / 2)
    probabilities = calibrated(scores, truth)
    own = [sorted_threshold(scores[:, label], truth[:, label]) for label in range(k)]
    expected = [sorted_threshold(scores[:, label], probabilities[:, label]) for label in range(k)]
    positives = truth.sum(axis=0)
    share = positives / (positives + 20)
    towards = np.where(positives, expected, shared)
    return logistic(share * log_odds(own) + (1 - share) * log_odds(towards))


METRICS = ["f1_micro", "f1_macro", "cardinality"]


@pytest.mark.parametrize("metric", METRICS)
@given(
    st.integers(0, 10_000),
    st.integers(1, 60),
    st.integers(1, 80),
    st.sampled_from([0, 1, 2, 3, 7]),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([-3.0, 0.0, 1.0]),
)
def test_sorting_all_scores_gives_the_same_thresholds(metric, seed, n, k, digits, dtype, sense):
    """Bit for bit: with ties, scores of 0 and 1, labels of no or all texts, scores that mislead."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, k)) < rng.choice([0.0, 0.02, 0.3, 1.0], k)).astype(np.int8)
    z = sense * truth + rng.choice([0.1, 2.0, 9.0], k) * rng.normal(size=(n, k)) + rng.choice([-6, 0])
    scores = np.round(logistic(z), digits).astype(dtype)
    found = tune_thresholds(scores, truth, metric)
    np.testing.assert_array_equal(found, sorted_thresholds(scores, truth, metric))


@pytest.mark.parametrize("metric", METRICS)
def test_many_scores_give_the_same_thresholds(metric):
    rng = np.random.default_rng(0)
    z = rng.normal(-4, 2, (900, 150)).astype(np.float32)
    scores = logistic(z)
    truth = (rng.random(z.shape) < scores).astype(np.int8)
    found = tune_thresholds(scores, truth, metric)
    np.testing.assert_array_equal(found, sorted_thresholds(scores, truth, metric))
    assert scores.dtype == np.float32


@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro"])
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 70), st.sampled_from([1, 2, 7]))
def test_a_text_of_weight_3_counts_as_three_texts(metric, seed, n, k, digits):
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, k)) < rng.choice([0.0, 0.02, 0.3, 1.0], k)).astype(np.int8)
    scores = np.round(logistic(truth + rng.normal(-2, 2, (n, k))), digits).astype(np.float32)
    times = rng.integers(1, 4, n)
    found = tune_thresholds(scores, truth, metric, sample_weight=times.astype(float))
    repeated = tune_thresholds(np.repeat(scores, times, axis=0), np.repeat(truth, times, axis=0), metric)
    np.testing.assert_allclose(found, repeated, rtol=0 if metric == "f1_micro" else 1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_a_text_of_next_to_no_weight_is_as_good_as_none(metric):
    rng = np.random.default_rng(0)
    z = rng.normal(-3, 2, (400, 8))
    truth = (rng.random(z.shape) < logistic(z)).astype(np.int8)
    truth[200:] = 1 - truth[200:]  # what should not count
    weight = np.repeat([1.0, 1e-9], 200)
    found = tune_thresholds(logistic(z), truth, metric, sample_weight=weight)
    wanted = tune_thresholds(logistic(z[:200]), truth[:200], metric)
    np.testing.assert_allclose(found, wanted, atol=0.01)
    assert np.abs(tune_thresholds(logistic(z), truth, metric) - wanted).max() > 0.05


@given(st.integers(0, 1000), st.integers(1, 20), st.integers(1, 5), st.floats(0, 6))
def test_weighted_texts_get_as_many_labels_as_wanted(seed, n, k, labels_per_text):
    rng = np.random.default_rng(seed)
    scores, weight = rng.permutation(n * k).reshape(n, k) / (n * k), rng.uniform(0.1, 3, n)
    options = {"labels_per_text": labels_per_text, "sample_weight": weight}
    threshold = tune_thresholds(scores, np.ones((n, k), int), "cardinality", **options)[0]
    given_labels = [weight @ (scores >= other).sum(axis=1) for other in np.unique(scores)]
    distance = np.abs(np.array(given_labels) - labels_per_text * weight.sum())
    found = abs(weight @ (scores >= threshold).sum(axis=1) - labels_per_text * weight.sum())
    assert found == pytest.approx(distance.min(), abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_tuning_needs_little_memory(metric):
    """Less than a single copy of the scores in float64."""
    scores = logistic(np.random.default_rng(0).normal(-4, 2, (1500, 400)).astype(np.float32))
    truth = (scores > 0.5).astype(np.int8)
    tracemalloc.start()
    tune_thresholds(scores, truth, metric)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * scores.size


@given(st.integers(0, 1000), st.integers(0, 3), st.none() | st.integers(0, 3))
def test_ranking_all_labels_gives_the_same_decisions(seed, min_labels, max_labels):
    rng = np.random.default_rng(seed)
    scores = rng.choice([0.0, 0.2, 0.5, 0.7], (20, 5)).astype(rng.choice(["f4", "f8"]))
    thresholds = rng.choice([0.2, 0.5, 0.9], 5)
    margins = scores - thresholds
    rank = np.argsort(np.argsort(-margins, axis=1, kind="stable"), axis=1)
    most = 5 if max_labels is None else max_labels
    expected = ((margins >= 0) | (rank < min_labels)) & (rank < most)
    found = decide(scores, thresholds, min_labels=min_labels, max_labels=max_labels)
    np.testing.assert_array_equal(found, expected)


def test_a_callable_metric_is_maximised():
    scores = np.array([[0.2], [0.4], [0.9]])
    truth = np.array([[0], [1], [1]])
    thresholds = tune_thresholds(scores, truth, lambda y, p: float((y == p).mean()))
    assert 0.2 < thresholds[0] <= 0.4


# -- as many labels as in training -------------------------------------------------------------------


@st.composite
def distinct_scores(draw):
    n, k = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    order = np.array(draw(st.permutations(range(n * k))))
    return ((order + 1) / (n * k + 1)).reshape(n, k)


@given(distinct_scores(), st.floats(0, 5))
def test_a_text_gets_as_many_labels_as_wanted_on_average(scores, labels_per_text):
    truth = np.zeros(scores.shape, int)
    thresholds = tune_thresholds(scores, truth, "cardinality", labels_per_text=labels_per_text)
    assert thresholds.shape == (scores.shape[1],)
    assert len({*thresholds.tolist()}) == 1
    assert 0 <= thresholds[0] <= 1
    wanted = min(max(labels_per_text * len(scores), 1), scores.size)
    assert abs(decide(scores, thresholds).sum() - wanted) <= 0.5


@given(indicators(), st.integers(0, 100))
def test_equal_scores_are_not_told_apart(truth, seed):
    """Without a number of labels, it is that of the truth; ties may add some."""
    scores = np.random.default_rng(seed).integers(0, 5, truth.shape) / 4
    thresholds = tune_thresholds(scores.astype(np.float32), truth, "cardinality")
    n_chosen, wanted = decide(scores, thresholds).sum(), max(truth.sum(), 1)
    lowest = scores[decide(scores, thresholds)].min()
    assert (scores > lowest).sum() < wanted <= n_chosen
