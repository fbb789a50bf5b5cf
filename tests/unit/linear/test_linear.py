"""The linear part: one SVM per label, and how its margins join the network's logits."""

from __future__ import annotations

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, sparse, special
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from sktextcnn.linear import svm, training
from sktextcnn.linear.training import fit_blend, fit_linear


def problem(n=40, m=12, k=3, seed=0):
    """Return sparse features of length 1 and targets that follow from them, as 0/1."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((n, m)) < 0.4, rng.random((n, m)), 0.0)
    dense /= np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9)
    scores = dense @ rng.normal(size=(m, k)) + 0.1 * rng.normal(size=(n, k))
    targets = (scores > np.median(scores, axis=0)).astype(np.int8)
    return sparse.csr_matrix(dense.astype(np.float32)), targets


def fitted(features, targets, sample_weight=None, label_weight=None, seed=0, **options):
    """Return the weights of all n-grams, as a dense array, and the biases."""
    n, k = targets.shape
    kernel, bias = fit_linear(
        features,
        sparse.csr_matrix(targets),
        np.ones(n, np.float32) if sample_weight is None else np.asarray(sample_weight, np.float32),
        np.ones((2, k), np.float32) if label_weight is None else np.asarray(label_weight, np.float32),
        seed,
        **options,
    )
    return kernel.toarray(), bias


def best(features, carries, sample_weight=None, class_weight=None):
    """Return the SVM of one label, to the last digits."""
    svm = LinearSVC(dual=True, tol=1e-8, max_iter=1_000_000, random_state=0, class_weight=class_weight)
    return svm.fit(features.astype(float), carries, sample_weight)


def assert_same(first, second, **tolerance):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, **{"rtol": 0, "atol": 0, **tolerance})


# -- one SVM per label -------------------------------------------------------------------------------


def objective(features, carries, costs, kernel, bias):
    """Return what an SVM minimises, in float64."""
    kernel, bias = kernel.astype(float), float(bias)
    short = np.maximum(0, 1 - np.where(carries, 1, -1) * (features.astype(float) @ kernel + bias))
    return (kernel @ kernel + bias**2) / 2 + costs @ short**2


def test_every_column_is_a_linear_svm():
    features, targets = problem(100, 400)
    kernel, bias = fitted(features, targets)
    assert (kernel.dtype, bias.dtype) == (np.float32, np.float32)
    assert (kernel.shape, bias.shape) == ((400, 3), (3,))
    for column in range(3):
        exact = best(features, targets[:, column])
        assert_same((kernel[:, column], bias[column]), (exact.coef_[0], exact.intercept_[0]), atol=0.01)
        found = objective(features, targets[:, column], np.ones(100), kernel[:, column], bias[column])
        wanted = objective(
            features, targets[:, column], np.ones(100), exact.coef_[0], exact.intercept_[0]
        )
        assert wanted <= found < 1.001 * wanted


@given(st.integers(0, 1000), st.integers(2, 30), st.integers(1, 12), st.integers(1, 4))
def test_no_other_weights_are_better(seed, n, m, k):
    """Any costs, texts without n-grams, labels of all texts but one: the objective of `LinearSVC`."""
    rng = np.random.default_rng(seed)
    features, _ = problem(n, m, 1, seed)
    features.data *= rng.choice([-1, 1], len(features.data)) if seed % 2 else 1
    targets = (rng.random((n, k)) < rng.choice([0.0, 0.1, 0.5, 0.9, 1.0], k)).astype(np.int8)
    sample_weight = rng.choice([0.0, 0.5, 1.0, 3.0], n)
    label_weight = rng.choice([0.3, 1.0, 10.0], (2, k))
    with patch.object(training, "TOLERANCE", 1e-4), patch.object(svm, "SMALLEST_WEIGHT", 0):
        kernel, bias = fitted(features, targets, sample_weight, label_weight)
    for column in range(k):
        carries = targets[:, column] == 1
        costs = sample_weight * np.where(carries, *label_weight[:, column])
        seen = carries[costs > 0]
        if len(seen) and seen.any() and not seen.all():
            exact = best(features, carries, costs)
            wanted = objective(features, carries, costs, exact.coef_[0], exact.intercept_[0])
            found = objective(features, carries, costs, kernel[:, column], bias[column])
            assert found == pytest.approx(wanted, rel=1e-5)
        else:
            assert not kernel[:, column].any()
            assert bias[column] == (1 if len(seen) and seen.all() else -1)


@pytest.mark.parametrize("shape", [(60, 10), (200, 400)], ids=["more texts", "more n-grams"])
def test_margins_are_nearly_the_best_there_are(shape):
    features, targets = problem(*shape)
    kernel, bias = fitted(features, targets)
    margins = features @ kernel + bias
    for column in range(3):
        expected = best(features, targets[:, column]).decision_function(features)
        np.testing.assert_allclose(margins[:, column], expected, atol=0.02)
    assert ((margins > 0) == targets).mean() > 0.8


@given(st.integers(0, 1000), st.integers(2, 12), st.integers(1, 8))
def test_any_labels_give_margins(seed, n, m):
    """Columns of nothing but 0, or 1, are constant; the others are those of `LinearSVC`."""
    rng = np.random.default_rng(seed)
    features, _ = problem(n, m, 1, seed)
    targets = (rng.random((n, 4)) < rng.choice([0.0, 0.3, 0.7, 1.0], 4)).astype(np.int8)
    kernel, bias = fitted(features, targets)
    for column, share in enumerate(targets.mean(axis=0)):
        if share in (0, 1):
            assert not kernel[:, column].any()
            assert bias[column] == 2 * share - 1
        else:
            expected = best(features, targets[:, column]).decision_function(features)
            np.testing.assert_allclose(features @ kernel[:, column] + bias[column], expected, atol=0.05)


def many_labels(k=75):
    """Return features, and labels of all frequencies, constant ones among them."""
    features, targets = problem(90, 60, k)
    rng = np.random.default_rng(1)
    targets &= rng.random(targets.shape) < rng.choice([0.0, 0.1, 0.3, 1.0], k)
    targets[:, 3] = 1
    return features, targets


def test_columns_are_fitted_one_by_one():
    features, targets = many_labels()
    kernel, bias = fitted(features, targets)
    for column in range(75):
        alone = fitted(features, targets[:, [column]])
        assert_same((kernel[:, [column]], bias[[column]]), alone)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8, 100])
def test_the_order_of_labels_and_the_number_of_threads_change_nothing(n_threads):
    features, targets = many_labels()
    kernel, bias = fitted(features, targets)
    turned = fitted(features, targets[:, ::-1], n_threads=n_threads)
    assert_same((turned[0][:, ::-1], turned[1][::-1]), (kernel, bias))


def test_the_seed_draws_the_order_of_the_texts():
    features, targets = problem(60, 8)
    first, again, other = (fitted(features, targets, seed=seed) for seed in (1, 1, 2))
    assert_same(first, again)
    assert (first[0] != other[0]).any()
    assert_same(first, other, atol=0.01)


def test_a_label_of_all_texts_but_one():
    features, targets = problem(1500, 30, 1)
    targets[:] = 1
    targets[7] = 0
    kernel, bias = fitted(features, targets)
    expected = best(features, targets[:, 0])
    margins = features @ kernel[:, 0] + bias[0]
    np.testing.assert_allclose(margins, expected.decision_function(features), atol=0.01)


def test_svms_that_do_not_converge(monkeypatch):
    features, targets = problem()
    monkeypatch.setattr(svm, "MOST_SWEEPS", 1)
    with pytest.warns(ConvergenceWarning, match="not converged after 1 sweeps over the texts; very"):
        kernel, _ = fitted(features, targets)
    assert np.isfinite(kernel).all()


def test_a_text_of_weight_0_is_left_out():
    features, targets = problem(60, 8)
    weight = np.ones(60)
    weight[::4] = 0
    kept = np.flatnonzero(weight)
    assert_same(fitted(features, targets, weight), fitted(features[kept], targets[kept]), atol=1e-6)
    assert np.abs(fitted(features, targets)[0] - fitted(features, targets, weight)[0]).max() > 0.01


def test_weights_that_are_small_beside_the_largest_of_their_label_are_left_out():
    """Whatever an error costs, and the larger ones stay as they are."""
    features, targets = problem(300, 400)
    for weight in (1.0, 1e-4):
        kernel, bias = fitted(features, targets, np.full(300, weight))
        with patch.object(svm, "SMALLEST_WEIGHT", 0):
            every, same_bias = fitted(features, targets, np.full(300, weight))
        large = np.abs(every) >= 0.01 * np.abs(every).max(axis=0)
        assert_same((kernel, bias), (np.where(large, every, 0), same_bias))
        assert 0 < np.count_nonzero(kernel) < np.count_nonzero(every)


def test_a_label_whose_texts_weigh_0_is_constant():
    features, targets = problem(30, 8)
    carries = targets[:, 0] == 1
    kernel, bias = fitted(features, targets, np.where(carries, 0.0, 1.0))
    assert not kernel[:, 0].any()
    assert bias[0] == -1
    kernel, bias = fitted(features, targets, np.where(carries, 1.0, 0.0))
    assert not kernel[:, 0].any()
    assert bias[0] == 1
    kernel, bias = fitted(features, targets, np.zeros(30))
    assert not kernel.any()
    assert bias.tolist() == [-1, -1, -1]


def test_a_text_of_weight_2_counts_twice():
    features, targets = problem(60, 8)
    weight = 1.0 + (np.arange(60) % 3 == 0)
    twice = np.repeat(np.arange(60), weight.astype(int))
    expected = fitted(features[twice], targets[twice])
    assert_same(fitted(features, targets, weight), expected, atol=0.02)


def test_weights_of_the_1s_and_of_the_0s_of_a_label():
    features, targets = problem(60, 8)
    label_weight = np.array([[5.0, 1.0, 0.5], [1.0, 3.0, 2.0]])
    sample_weight = np.linspace(0.5, 2, 60)
    kernel, bias = fitted(features, targets, sample_weight, label_weight)
    for column in range(3):
        class_weight = dict(zip([1, 0], label_weight[:, column], strict=True))
        exact = best(features, targets[:, column], sample_weight, class_weight=class_weight)
        margins = features @ kernel[:, column] + bias[column]
        np.testing.assert_allclose(margins, exact.decision_function(features), atol=0.05)
    plain = fitted(features, targets, sample_weight)
    assert bias[0] > plain[1][0]  # its 1s weigh more
    assert bias[1] < plain[1][1]


def test_a_label_whose_1s_weigh_0_is_constant():
    features, targets = problem(30, 8)
    kernel, bias = fitted(features, targets, label_weight=[[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    assert not kernel[:, 0].any()
    assert bias[0] == -1
    assert kernel[:, 1].any()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_without_ngrams_margins_are_constant(share):
    targets = (np.arange(4)[:, None] < 4 * share).astype(np.int8)
    kernel, bias = fitted(sparse.csr_matrix((4, 0), dtype=np.float32), targets)
    assert kernel.shape == (0, 1)
    assert bias.tolist() == [1.0 if share == 1 else -1.0]


@pytest.mark.parametrize("threads", ["1", "2", "8", "0", "", None])
def test_the_same_bit_for_bit_on_any_number_of_threads(monkeypatch, threads):
    features, targets = problem(100, 400, 20)
    expected = fitted(features, targets, seed=3)
    if threads is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    for _ in range(3):
        assert_same(fitted(features, targets, seed=3), expected)


def test_the_same_bit_for_bit_on_any_number_of_threads_of_blas():
    rng = np.random.default_rng(0)
    n, m = 11_500, 11_000  # BLAS leaves shorter vectors to one thread
    positions = np.arange(n).repeat(5), rng.integers(0, m, 5 * n)
    features = sparse.csr_matrix((rng.random(5 * n).astype(np.float32), positions), (n, m))
    targets = (rng.random((n, 1)) < 0.2).astype(np.int8)
    with threadpool_limits(1, "blas"):
        expected = fitted(features, targets)
    with threadpool_limits(2, "blas"):
        assert_same(fitted(features, targets), expected)


def test_fitting_leaves_its_inputs_alone():
    features, targets = problem()
    given_targets = sparse.csr_matrix(targets)
    sample_weight, label_weight = np.full(40, 0.5, np.float32), np.full((2, 3), 2.0, np.float32)
    arrays = [features.data, features.indices, features.indptr, sample_weight, label_weight]
    arrays += [given_targets.data, given_targets.indices, given_targets.indptr]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    kernel, _ = fit_linear(features, given_targets, sample_weight, label_weight, 0)
    assert kernel.nnz
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert features.dtype == np.float32


# -- the blend ---------------------------------------------------------------------------------------


#: Label weights that change nothing.
EVEN = np.ones((2, 1000), np.float32)


def parts(n=400, k=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, k)) * 2, rng.normal(size=(n, k))


def drawn(z, *, exclusive, seed=1):
    """Return labels drawn with the probabilities of these logits."""
    rng = np.random.default_rng(seed)
    if exclusive:
        # The largest of logits with Gumbel noise is a draw from their softmax.
        return np.eye(z.shape[1], dtype=np.int8)[(z + rng.gumbel(size=z.shape)).argmax(axis=1)]
    return (rng.random(z.shape) < special.expit(z)).astype(np.int8)


def blended(logits, margins, truth, sample_weight=None, *, exclusive=False):
    """Return the three numbers of labels that are equally frequent: they are the same for all."""
    weight = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight)
    counts = np.full(truth.shape[1], 9)
    found = fit_blend(
        logits, margins, truth, weight, EVEN[:, : truth.shape[1]], counts=counts, exclusive=exclusive
    )
    assert found.shape == (3, truth.shape[1])
    np.testing.assert_array_equal(found, np.repeat(found[:, :1], truth.shape[1], axis=1))
    return found[:, 0]


@pytest.mark.parametrize("exclusive", [False, True], ids=["sigmoid", "softmax"])
def test_weights_follow_the_frequency_of_a_label(exclusive):
    """Between the rarest and the most frequent they are linear in log counts."""
    logits, margins = parts(8000, 5)
    counts = np.array([399, 19, 1999, 89, 19])
    near = np.log((counts + 1) / 20) / np.log(100)
    assert near[[1, 2]].tolist() == pytest.approx([0, 1])
    rarest, most_frequent = np.array([[0.4, 3.0, 0.0], [1.5, 1.0, 0.0]])
    if not exclusive:
        rarest[2], most_frequent[2] = 0.8, -0.5
    expected = (1 - near) * rarest[:, None] + near * most_frequent[:, None]
    truth = drawn(expected[0] * logits + expected[1] * margins + expected[2], exclusive=exclusive)
    found = fit_blend(
        logits,
        margins,
        truth,
        np.ones(8000),
        EVEN[:, : truth.shape[1]],
        counts=counts,
        exclusive=exclusive,
    )
    np.testing.assert_allclose(found, expected, rtol=0.15, atol=0.15)
    np.testing.assert_array_equal(found[:, 1], found[:, 4])


@pytest.mark.parametrize("exclusive", [False, True], ids=["sigmoid", "softmax"])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.3, 4.0), (2.0, 0.2)])
def test_the_weights_that_labels_were_drawn_with(weights, exclusive):
    logits, margins = parts(6000)
    constant = 0.0 if exclusive else -0.7
    truth = drawn(weights[0] * logits + weights[1] * margins + constant, exclusive=exclusive)
    found = blended(logits, margins, truth, exclusive=exclusive)
    np.testing.assert_allclose(found, [*weights, constant], rtol=0.1, atol=0.1)


@pytest.mark.parametrize("exclusive", [False, True], ids=["sigmoid", "softmax"])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_blend_has_a_lower_loss(exclusive, seed):
    """The same minimum as by a gradient taken from differences, of a loss written down anew."""
    rng = np.random.default_rng(seed)
    logits, margins = parts(60, seed=seed)
    truth = drawn(logits + margins, exclusive=False, seed=seed)  # rows of none, one or several labels
    sample_weight = rng.uniform(0.2, 3, 60)

    def loss(blend):
        z = blend[0] * logits + blend[1] * margins + blend[2]
        if exclusive:
            share = truth / np.maximum(truth.sum(axis=1, keepdims=True), 1)
            losses = -share * (z - special.logsumexp(z, axis=1, keepdims=True))
        else:
            losses = -(truth * np.log(special.expit(z)) + (1 - truth) * np.log(special.expit(-z)))
        return np.average(losses.sum(axis=1), weights=sample_weight) + 1e-4 * (blend**2).sum()

    bounds = [(0, None), (0, None), (0, 0) if exclusive else (None, None)]
    start = np.array([1.0, 1.0, 0.0])
    expected = optimize.minimize(loss, start, method="L-BFGS-B", jac="3-point", bounds=bounds)
    found = blended(logits, margins, truth, sample_weight, exclusive=exclusive)
    np.testing.assert_allclose(found, expected.x, rtol=2e-3, atol=2e-3)
    assert loss(found) <= expected.fun + 1e-7
    free = slice(0, 2) if exclusive else slice(0, 3)
    slope = optimize.approx_fprime(found, loss, 1e-6)[free]
    assert np.abs(slope[found[free] != 0]).max(initial=0) < 1e-3
    assert (slope[found[free] == 0] >= -1e-3).all()  # at its bound, only a negative weight is better


@given(st.integers(0, 1000), st.booleans(), st.integers(1, 12), st.integers(1, 4))
def test_weights_are_finite_and_never_negative(seed, exclusive, n, k):
    rng = np.random.default_rng(seed)
    scale = rng.choice([0.01, 1.0, 50.0], 2)
    logits, margins = (factor * part for factor, part in zip(scale, parts(n, k, seed), strict=True))
    truth = (rng.random((n, k)) < rng.choice([0.0, 0.4, 1.0])).astype(np.int8)
    found = blended(logits, margins, truth, exclusive=exclusive)
    assert found.shape == (3,)
    assert np.isfinite(found).all()
    assert (found[:2] >= 0).all()
    assert found[2] == 0 or not exclusive


@pytest.mark.parametrize("exclusive", [False, True], ids=["sigmoid", "softmax"])
def test_a_part_that_says_the_opposite_is_not_heard(exclusive):
    logits, margins = parts(500)
    truth = drawn(2 * margins, exclusive=exclusive)
    found = blended(-margins, margins + 0.01 * logits, truth, exclusive=exclusive)
    assert found[0] == 0
    assert found[1] > 1
    turned = blended(margins + 0.01 * logits, -margins, truth, exclusive=exclusive)
    np.testing.assert_allclose(turned, found[[1, 0, 2]], atol=1e-3)


@pytest.mark.parametrize("exclusive", [False, True], ids=["sigmoid", "softmax"])
def test_texts_that_are_all_told_right_give_large_but_finite_weights(exclusive):
    truth = np.eye(3, dtype=np.int8)[np.arange(30) % 3]
    logits = 4.0 * truth - 2
    margins = 2.0 * truth - 1
    found = blended(logits, margins, truth, exclusive=exclusive)
    z = found[0] * logits + found[1] * margins + found[2]
    p = special.softmax(z, axis=1) if exclusive else special.expit(z)
    assert np.abs(p - truth).max() < 0.05
    assert 1 < found[:2].max() < 100


@pytest.mark.parametrize("value", [0, 1])
def test_labels_that_all_or_no_texts_carry(value):
    logits, margins = parts(50)
    found = blended(logits, margins, np.full((50, 3), value))
    z = found[0] * logits + found[1] * margins + found[2]
    assert np.abs(special.expit(z) - value).max() < 0.1
    assert np.isfinite(blended(logits, margins, np.full((50, 3), value), exclusive=True)).all()


def test_parts_that_know_nothing_weigh_next_to_nothing():
    logits, margins = parts(2000)
    truth = drawn(np.full_like(logits, -1.0), exclusive=False)
    found = blended(logits, margins, truth)
    assert (found[:2] < 0.1).all()
    assert found[2] == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize("exclusive", [False, True], ids=["sigmoid", "softmax"])
def test_weights_of_texts_in_the_blend(exclusive):
    logits, margins = parts(90)
    truth = drawn(logits + margins, exclusive=exclusive)
    weight = np.arange(90) % 3.0
    repeated = np.repeat(np.arange(90), weight.astype(int))
    expected = blended(logits[repeated], margins[repeated], truth[repeated], exclusive=exclusive)
    found = blended(logits, margins, truth, weight, exclusive=exclusive)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(found - blended(logits, margins, truth, exclusive=exclusive)).max() > 0.01
    # Only their ratios count.
    scaled = blended(logits, margins, truth, weight * 1e-3, exclusive=exclusive)
    np.testing.assert_allclose(scaled, found, atol=1e-3)


def test_blending_leaves_its_inputs_alone():
    logits, margins = (array.astype(np.float32) for array in parts(40))
    truth, weight = drawn(logits, exclusive=False), np.ones(40, np.float32)
    arrays = [logits, margins, truth, weight, EVEN[:, : truth.shape[1]].copy()]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    options = {"counts": np.arange(truth.shape[1]), "exclusive": False}
    options["counts"].setflags(write=False)
    first = fit_blend(*arrays, **options)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_array_equal(fit_blend(*arrays, **options), first)
    np.testing.assert_allclose(
        fit_blend(*(array.astype(np.float64) for array in arrays), **options), first, atol=1e-4
    )


@pytest.mark.parametrize("exclusive", [False, True], ids=["sigmoid", "softmax"])
def test_blending_needs_little_memory(exclusive):
    """Less than a single copy of the logits in float64."""
    logits, margins = (array.astype(np.float32) for array in parts(1500, 400))
    truth = drawn(logits - 3, exclusive=exclusive)
    counts, weight = truth.sum(axis=0), np.ones(1500, np.float32)
    tracemalloc.start()
    fit_blend(
        logits, margins, truth, weight, EVEN[:, : truth.shape[1]], counts=counts, exclusive=exclusive
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * logits.size


def test_weights_of_labels_in_the_blend():
    """A label whose 1s count twenty times keeps the probabilities that such a weight means."""
    logits, margins = parts(4000, k=1)
    truth = drawn(logits + margins - 3, exclusive=False)
    even, heavy = (
        fit_blend(
            logits,
            margins,
            truth,
            np.ones(4000),
            np.array([[weight], [1.0]], np.float32),
            counts=truth.sum(axis=0),
            exclusive=False,
        )[:, 0]
        for weight in (1.0, 20.0)
    )
    np.testing.assert_allclose(even, [1, 1, -3], atol=0.15)
    # In the odds of such a label, each 1 stands for twenty.
    np.testing.assert_allclose(heavy, [1, 1, -3 + np.log(20)], atol=0.15)
    repeated = np.repeat(np.arange(4000), np.where(truth[:, 0] > 0, 20, 1))
    expected = blended(logits[repeated], margins[repeated], truth[repeated], exclusive=False)
    np.testing.assert_allclose(heavy, expected, atol=1e-2)


def test_weights_of_classes_in_the_blend():
    logits, margins = parts(3000)
    truth = drawn(logits + margins, exclusive=True)
    weight = np.where(truth[:, 0] > 0, 3, 1)
    repeated = np.repeat(np.arange(3000), weight)
    expected = blended(logits[repeated], margins[repeated], truth[repeated], exclusive=True)
    found = fit_blend(
        logits,
        margins,
        truth,
        np.ones(3000),
        np.array([[3, 1, 1], [1, 1, 1]], np.float32),
        counts=np.full(3, 1000),
        exclusive=True,
    )
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-2)
