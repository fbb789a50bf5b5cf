"""Prediction: scores that depend on the text alone, in NumPy alone."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from threadpoolctl import threadpool_limits

from sktextcnn.engine import inference
from sktextcnn.text.tokens import TokenIds
from sktextcnn.threads import Team, one_blas_thread
from tests.examples import tiny
from tests.strategies import examples_up_to

WORDS = ["the", "match", "ended", "in", "a", "draw", "goal", "last", "minute", "parliament"]
WORDS += ["votes", "on", "budget", "minister"]


def draw_weights(seed, *, n_rows, dim, filters, kernel_sizes, n_labels, hidden=None):
    """Weights as a fit would leave them, without a fit."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.normal(0, 0.3, shape).astype(np.float32)

    weights = {"embedding": draw(n_rows, dim)}
    weights["embedding"][0] = 0.0
    for size in kernel_sizes:
        weights[f"convolution_{size}_kernel"] = draw(size, dim, filters)
        weights[f"convolution_{size}_bias"] = draw(filters)
    n_features = filters * len(kernel_sizes)
    if hidden:
        weights["hidden_kernel"], weights["hidden_bias"] = draw(n_features, hidden), draw(hidden)
        n_features = hidden
    weights["output_kernel"], weights["output_bias"] = draw(n_features, n_labels), draw(n_labels)
    return weights


def draw_ids(rng, lengths, n_rows):
    """Texts of these lengths, frequent ids more likely than others."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    share = 1.0 / np.arange(1, n_rows)
    ids = rng.choice(np.arange(1, n_rows), offsets[-1], p=share / share.sum())
    return TokenIds(ids.astype(np.int32), offsets.astype(np.int64))


def one_by_one(weights, ids):
    return np.concatenate(
        [inference.compute_logits(weights, ids.take(np.array([row]))) for row in range(len(ids))]
    )


def pooled(monkeypatch, pool, function, *arguments):
    """Call a function of `inference` with all its pooling done in one way."""
    with monkeypatch.context() as patch:
        patch.setattr(inference, "_choose_pooling", lambda n_tokens: pool)
        return function(*arguments)


def winning_windows(weights, ids):
    return inference.Network(weights).find_windows(ids)


def parts_of(result):
    return result if isinstance(result, tuple) else (result,)


def assert_same_bits(found, expected):
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def fitted():
    texts = [" ".join(WORDS[i : i + 4]) for i in range(len(WORDS))]
    return tiny(hidden_units=5, kernel_sizes=(1, 3)).fit(texts, [["x"], ["y", "z"]] * 7)


# -- what is computed -------------------------------------------------------------------------------


def plain_logits(weights, ids):
    """Text by text and window by window, in float64."""
    w = {name: weight.astype(np.float64) for name, weight in weights.items()}
    rows = []
    for i in range(len(ids)):
        tokens = ids.flat[ids.offsets[i] : ids.offsets[i + 1]]
        features = []
        for size in inference.kernel_sizes_of(weights):
            padded = np.concatenate([w["embedding"][tokens], np.zeros((size, w["embedding"].shape[1]))])
            kernel = w[f"convolution_{size}_kernel"]
            windows = [
                np.einsum("jd,jdf->f", padded[t : t + size], kernel)
                for t in range(max(len(tokens) - size + 1, 1))
            ]
            features.append(np.max(windows, axis=0) + w[f"convolution_{size}_bias"])
        x = np.maximum(np.concatenate(features), 0)
        if "hidden_kernel" in w:
            x = np.maximum(x @ w["hidden_kernel"] + w["hidden_bias"], 0)
        rows.append(x @ w["output_kernel"] + w["output_bias"])
    return np.array(rows)


@examples_up_to(25)
@given(
    seed=st.integers(0, 2**32 - 1),
    kernel_sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True),
    dim=st.integers(1, 9),
    filters=st.integers(1, 9),
    n_labels=st.integers(1, 5),
    hidden=st.none() | st.integers(1, 5),
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=8),
)
def test_logits_match_the_plain_computation(seed, kernel_sizes, dim, filters, n_labels, hidden, lengths):
    weights = draw_weights(
        seed,
        n_rows=20,
        dim=dim,
        filters=filters,
        kernel_sizes=kernel_sizes,
        n_labels=n_labels,
        hidden=hidden,
    )
    ids = draw_ids(np.random.default_rng(seed), lengths, 20)
    logits = inference.compute_logits(weights, ids)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, plain_logits(weights, ids), atol=1e-5)


def test_kernel_sizes_are_read_off_the_weights():
    weights = draw_weights(0, n_rows=5, dim=7, filters=3, n_labels=2, kernel_sizes=(11, 4), hidden=6)
    assert inference.kernel_sizes_of(weights) == [4, 11]


# -- a text's scores do not depend on its neighbours ------------------------------------------------


texts = st.lists(st.sampled_from([*WORDS, "zebra"]), max_size=12).map(" ".join)


@examples_up_to(40)
@given(st.data())
def test_scores_do_not_depend_on_the_batch_nor_its_order(fitted, data):
    batch = data.draw(st.lists(texts, min_size=1, max_size=12), label="batch")
    neighbour = " ".join(WORDS * data.draw(st.integers(0, 5), label="length of a neighbour"))
    order = data.draw(st.permutations(range(len(batch))), label="order")
    scores = fitted.decision_function(batch)
    assert scores.shape == (len(batch), 3)
    shuffled = fitted.decision_function([neighbour, *[batch[i] for i in order]])
    np.testing.assert_array_equal(shuffled[1:], scores[order])
    for text, row in zip(batch, scores, strict=True):
        np.testing.assert_array_equal(fitted.decision_function([text]), row[None])


@examples_up_to(25)
@given(
    seed=st.integers(0, 2**32 - 1),
    kernel_sizes=st.lists(st.integers(1, 5), min_size=1, max_size=2, unique=True),
    dim=st.integers(1, 70),
    filters=st.integers(1, 70),
    n_labels=st.integers(1, 70),
    hidden=st.none() | st.integers(1, 70),
)
def test_scores_do_not_depend_on_neighbours_whatever_the_sizes(
    seed, kernel_sizes, dim, filters, n_labels, hidden
):
    """One filter, one label, odd sizes: where BLAS takes its other paths."""
    weights = draw_weights(
        seed,
        n_rows=200,
        dim=dim,
        filters=filters,
        kernel_sizes=kernel_sizes,
        n_labels=n_labels,
        hidden=hidden,
    )
    rng = np.random.default_rng(seed)
    ids = draw_ids(rng, rng.integers(0, 30, 70), 200)
    together = inference.compute_logits(weights, ids)
    order = rng.permutation(len(ids))
    np.testing.assert_array_equal(inference.compute_logits(weights, ids.take(order)), together[order])
    few = rng.choice(len(ids), 12, replace=False)
    np.testing.assert_array_equal(one_by_one(weights, ids.take(few)), together[few])


@pytest.fixture(scope="module")
def realistic():
    """Weights of usual sizes, and 400 texts of 0 to 400 tokens."""
    rng = np.random.default_rng(0)
    weights = draw_weights(1, n_rows=3000, dim=128, filters=128, kernel_sizes=(2, 3, 4), n_labels=90)
    lengths = np.minimum(rng.geometric(0.03, 400) - 1, 400)
    lengths[:10] = 0
    lengths[-1] = 400
    return weights, draw_ids(rng, rng.permutation(lengths), 3000)


def test_scores_do_not_depend_on_neighbours_at_usual_sizes(realistic):
    weights, ids = realistic
    together = inference.compute_logits(weights, ids)
    rng = np.random.default_rng(2)
    order = rng.permutation(len(ids))
    np.testing.assert_array_equal(inference.compute_logits(weights, ids.take(order)), together[order])
    shortest, longest = ids.lengths.argmin(), ids.lengths.argmax()
    few = [shortest, longest, *rng.choice(len(ids), 20, replace=False)]
    np.testing.assert_array_equal(one_by_one(weights, ids.take(np.array(few))), together[few])
    for size in (2, 63, 64, 65):
        rows = rng.choice(len(ids), size, replace=False)
        np.testing.assert_array_equal(inference.compute_logits(weights, ids.take(rows)), together[rows])


@pytest.mark.parametrize("what", ["TOKENS_PER_CHUNK", "NUMBERS_PER_PRODUCT"])
@pytest.mark.parametrize("limit", [1, 7, 100, 10**6, 10**9])
def test_the_size_of_chunks_changes_nothing(realistic, monkeypatch, what, limit):
    weights, ids = realistic
    ids = ids.take(np.arange(25))
    expected = inference.compute_logits(weights, ids)
    monkeypatch.setattr(inference, what, limit)
    found = pooled(monkeypatch, inference.pool_in_numpy, inference.compute_logits, weights, ids)
    np.testing.assert_array_equal(found, expected)


def test_chunks_are_bounded(realistic, monkeypatch):
    """What is looked up at once does not grow with the number of texts."""
    weights, ids = realistic
    sizes, lengths, plain = [], {*ids.lengths.tolist()} - {0}, inference._chunks

    def chunks(lengths):
        for rows, length in plain(lengths):
            sizes.append(len(rows) * length)
            yield rows, length

    monkeypatch.setattr(inference, "_chunks", chunks)
    monkeypatch.setattr(inference, "TOKENS_PER_CHUNK", 500)
    many = ids.take(np.tile(np.arange(len(ids)), 20))
    pooled(monkeypatch, inference.pool_in_numpy, inference.compute_logits, weights, many)
    assert sum(sizes) == len(many.flat)
    assert len(sizes) > len(lengths)
    assert max(sizes) <= 500


def test_products_are_bounded(realistic, monkeypatch):
    weights, ids = realistic
    n_columns = sum(
        weights[f"convolution_{k}_kernel"][:, 0].size for k in inference.kernel_sizes_of(weights)
    )
    texts = ids.take(np.arange(60))
    longest = max(len(np.unique(texts.flat[a:b])) for a, b in pairwise(texts.offsets))
    limit = 2 * longest * n_columns
    expected = inference.compute_logits(weights, texts)
    monkeypatch.setattr(inference, "NUMBERS_PER_PRODUCT", limit)
    network = inference.Network(weights)
    np.testing.assert_array_equal(network.compute_logits(texts), expected)
    assert network._table.size == limit
    # Unless a single text needs more.
    monkeypatch.setattr(inference, "NUMBERS_PER_PRODUCT", n_columns)
    network = inference.Network(weights)
    np.testing.assert_array_equal(network.compute_logits(texts), expected)
    n_blocks = -(-longest // inference.ROWS_PER_BLOCK)
    assert network._table.size == n_blocks * inference.ROWS_PER_BLOCK * n_columns


# -- NumPy and the compiled kernel give the same bits -----------------------------------------------


@examples_up_to(50)
@given(
    seed=st.integers(0, 2**32 - 1),
    kernel_sizes=st.lists(st.integers(1, 7), min_size=1, max_size=3, unique=True),
    dim=st.integers(1, 9),
    filters=st.integers(1, 40),
    lengths=st.lists(st.integers(0, 3) | st.integers(0, 60), min_size=1, max_size=8),
    limit=st.sampled_from([1, 1000, 10**7]),
)
def test_both_ways_of_pooling_give_the_same_bits(seed, kernel_sizes, dim, filters, lengths, limit):
    weights = draw_weights(
        seed, n_rows=30, dim=dim, filters=filters, kernel_sizes=kernel_sizes, n_labels=2
    )
    ids = draw_ids(np.random.default_rng(seed), lengths, 30)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(inference, "NUMBERS_PER_PRODUCT", limit)
        for function in (inference.compute_logits, winning_windows):
            expected = pooled(monkeypatch, inference.pool_in_numpy, function, weights, ids)
            found = pooled(monkeypatch, inference.pool_in_kernel, function, weights, ids)
            for one, other in zip(parts_of(found), parts_of(expected), strict=True):
                assert_same_bits(one, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_seen_by_both(value, monkeypatch):
    weights = draw_weights(0, n_rows=9, dim=3, filters=5, kernel_sizes=(1, 2, 3, 4, 6), n_labels=2)
    weights["embedding"][4, 1] = value
    ids = TokenIds(np.array([1, 2, 4, 3, 2, 1, 1, 4, 5, 6], np.int32), np.array([0, 5, 7, 10]))
    with np.errstate(invalid="ignore"):
        for function in (inference.compute_logits, winning_windows):
            expected = pooled(monkeypatch, inference.pool_in_numpy, function, weights, ids)
            found = pooled(monkeypatch, inference.pool_in_kernel, function, weights, ids)
            for one, other in zip(parts_of(found), parts_of(expected), strict=True):
                assert_same_bits(one, other)
        if np.isnan(value):
            assert np.isnan(inference.compute_logits(weights, ids)[[0, 2]]).all(axis=1).tolist() == [
                1,
                1,
            ]


def test_scores_of_few_and_of_many_texts_are_the_same(realistic, monkeypatch):
    """Across the switch from one to the other, as it happens in a process."""
    weights, ids = realistic
    monkeypatch.delitem(sys.modules, "sktextcnn.engine.kernels", raising=False)
    monkeypatch.setattr(inference, "TOKENS_BEFORE_KERNEL", 3 * len(ids.flat))
    monkeypatch.setattr(inference, "TOKENS_BEFORE_NUMBA", 3 * len(ids.flat))
    monkeypatch.setattr(inference, "_n_pooled", 0)
    inference._load_kernel.cache_clear()
    used, choose = [], inference._choose_pooling

    def watch(n_tokens):
        used.append(choose(n_tokens))
        return used[-1]

    monkeypatch.setattr(inference, "_choose_pooling", watch)
    first, *others = (inference.compute_logits(weights, ids) for _ in range(4))
    for other in others:
        assert_same_bits(other, first)
    assert [pool.__name__ for pool in used] == ["pool_in_numpy"] * 2 + ["pool_in_kernel"] * 2
    few = ids.take(np.arange(3))
    assert_same_bits(inference.compute_logits(weights, few), first[:3])
    assert used[-1].__name__ == "pool_in_kernel"


def test_few_texts_never_load_the_kernel(monkeypatch):
    monkeypatch.delitem(sys.modules, "sktextcnn.engine.kernels", raising=False)
    monkeypatch.setattr(inference, "TOKENS_BEFORE_KERNEL", 0)
    monkeypatch.setattr(inference, "TOKENS_BEFORE_NUMBA", 0)
    few = inference._choose_pooling(inference.FEW_TOKENS - 1)
    assert few is inference.pool_in_numpy
    assert "sktextcnn.engine.kernels" not in sys.modules


@pytest.mark.parametrize("sizes", [(2, 3, 4), (1,)])
@pytest.mark.parametrize("n_threads", [2, 5])
def test_scores_do_not_depend_on_the_number_of_threads(n_threads, sizes, monkeypatch):
    """Neither ours nor those of BLAS, which adds up long sums in another order in two threads."""
    weights = draw_weights(
        0, n_rows=300, dim=700, filters=90, kernel_sizes=sizes, n_labels=9, hidden=1100
    )
    rng = np.random.default_rng(0)
    ids = draw_ids(rng, rng.integers(0, 30, 100), 300)
    with threadpool_limits(1, "blas"):
        expected = inference.compute_logits(weights, ids)
    with threadpool_limits(2, "blas"):
        assert_same_bits(inference.compute_logits(weights, ids), expected)
    for pool in (inference.pool_in_numpy, inference.pool_in_kernel):
        with one_blas_thread(), Team(n_threads) as team:
            network = inference.Network(weights, team)
            found = pooled(monkeypatch, pool, network.compute_logits, ids)
        assert_same_bits(found, expected)


def test_threads_do_not_disturb_each_other(realistic):
    weights, ids = realistic
    rng = np.random.default_rng(3)
    parts = [rng.choice(100, 8, replace=False) for _ in range(16)]
    expected = inference.compute_logits(weights, ids.take(np.arange(100)))
    with ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda rows: inference.compute_logits(weights, ids.take(rows)), parts)
        for rows, found in zip(parts, results, strict=True):
            np.testing.assert_array_equal(found, expected[rows])


def test_unusual_texts_are_ordinary_rows(fitted):
    odd = ["", " ", "zebra", "match", "match " * 5000, "\x00", "\ud800", "🎉 match", "مرحبا"]
    scores = fitted.decision_function(odd)
    assert scores.shape == (len(odd), 3)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[0], scores[1])
    # Beyond max_length_ a text is truncated.
    truncated = fitted.decision_function(["match " * fitted.max_length_])
    np.testing.assert_array_equal(truncated[0], scores[4])


def test_weights_are_only_read(realistic):
    weights, ids = realistic
    frozen = {name: weight.copy() for name, weight in weights.items()}
    for weight in frozen.values():
        weight.flags.writeable = False
    few = ids.take(np.arange(5))
    expected = inference.compute_logits(weights, few)
    np.testing.assert_array_equal(inference.compute_logits(frozen, few), expected)


# -- probabilities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("exclusive", [False, True])
def test_probabilities_match_scipy(exclusive):
    logits = np.random.default_rng(0).normal(0, 5, (20, 6)).astype(np.float32)
    expected = special.softmax(logits.astype(np.float64), axis=1) if exclusive else special.expit(logits)
    found = inference.to_probabilities(logits, exclusive=exclusive)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("exclusive", [False, True])
def test_log_probabilities_match_scipy(exclusive):
    logits = np.random.default_rng(0).normal(0, 50, (20, 6)).astype(np.float32)
    exact = logits.astype(np.float64)
    expected = special.log_softmax(exact, axis=1) if exclusive else special.log_expit(exact)
    before = logits.copy()
    found = inference.to_log_probabilities(logits, exclusive=exclusive)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, expected, rtol=1e-6, atol=1e-37
    )  # subnormal numbers have few digits
    np.testing.assert_array_equal(logits, before)


def test_log_probabilities_of_extreme_logits():
    logits = np.array([[0.0, 1e4, -1e4, 3e38, -3e38, 90.0]], np.float32)
    found = inference.to_log_probabilities(logits, exclusive=False)
    np.testing.assert_allclose(found, [[-np.log(2), 0, -1e4, 0, -3e38, -8.19e-40]], rtol=1e-2)
    found = inference.to_log_probabilities(logits[:, :3], exclusive=True)
    np.testing.assert_allclose(found, [[-1e4, 0, -2e4]], rtol=1e-6)


def test_sigmoid_of_extreme_logits():
    logits = np.array([[0.0, 1e4, -1e4, 3e38, -3e38, 20.0, -80.0]], np.float32)
    p = inference.to_probabilities(logits, exclusive=False)
    np.testing.assert_array_equal(p[0, :5], [0.5, 1, 0, 1, 0])
    np.testing.assert_allclose(p[0, 5:], [1 - 2.06e-9, 1.8e-35], rtol=1e-2)


def test_softmax_of_extreme_logits():
    logits = np.array([[3e38, -3e38, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]], np.float32)
    p = inference.to_probabilities(logits, exclusive=True)
    np.testing.assert_allclose(p, [[1, 0, 0], [1 / 3] * 3, [0.5, 0.5, 0]], rtol=1e-6)


def test_probabilities_leave_the_logits_alone():
    logits = np.ones((2, 3), np.float32)
    for exclusive in (False, True):
        inference.to_probabilities(logits, exclusive=exclusive)
    np.testing.assert_array_equal(logits, 1)
