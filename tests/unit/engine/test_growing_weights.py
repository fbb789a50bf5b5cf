"""Weights that grow: what was there stays, and what joins starts as new weights do."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.engine.inference import compute_logits
from sktextcnn.engine.weights import grow_slot, grow_weights, initial_weights
from sktextcnn.text.tokens import TokenIds, to_offsets
from tests.strategies import examples_up_to


@examples_up_to(40)
@given(
    seed=st.integers(0, 99),
    n_words=st.integers(0, 4),
    n_labels=st.integers(0, 4),
    hidden_units=st.sampled_from([None, 3]),
)
def test_what_was_there_stays(seed, n_words, n_labels, hidden_units):
    rng = np.random.default_rng(seed)
    weights = initial_weights(
        rng,
        n_tokens=6,
        n_labels=2,
        embedding_dim=4,
        kernel_sizes=(1, 2),
        filters=3,
        hidden_units=hidden_units,
        output_bias=rng.normal(size=2),
    )
    vectors, bias = rng.normal(size=(n_words, 4)).astype(np.float32), rng.normal(size=n_labels)
    grown = grow_weights(weights, rng, vectors=vectors, output_bias=bias)
    assert grown.keys() == weights.keys()
    assert {array.dtype for array in grown.values()} == {np.dtype(np.float32)}
    for name, array in weights.items():
        np.testing.assert_array_equal(grown[name][tuple(map(slice, array.shape))], array)
    np.testing.assert_array_equal(grown["embedding"][8:], vectors)
    np.testing.assert_array_equal(grown["output_bias"][2:], bias.astype(np.float32))
    ids = TokenIds(rng.integers(1, 8, 12).astype(np.int32), to_offsets(np.array([5, 0, 1, 6])))
    before, after = compute_logits(weights, ids), compute_logits(grown, ids)
    assert after.shape == (4, 2 + n_labels)
    np.testing.assert_allclose(after[:, :2], before, rtol=1e-5, atol=1e-6)


@given(small=st.lists(st.integers(1, 3), max_size=3), more=st.integers(0, 2))
def test_a_slot_is_fresh_where_its_weight_is_new(small, more):
    slot, fresh = np.ones(small), np.full([size + more for size in small], 0.25)
    grown = grow_slot(slot, fresh)
    assert grown.shape == fresh.shape
    assert grown.sum() == slot.size + 0.25 * (fresh.size - slot.size)
    assert (fresh == 0.25).all()
