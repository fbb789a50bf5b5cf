"""Kernels: dropout, updates, and that each is compiled once."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from sktextcnn import jit
from sktextcnn.engine import compiled, kernels
from sktextcnn.engine.examples import State
from sktextcnn.text.tokens import TokenIds
from tests.examples import TAGS, TEXTS, TOPICS, tiny
from tests.networks import some_examples, some_settings, some_weights

OPTIMIZERS = sorted(compiled.OPTIMIZERS)
KERNELS = {name: value for name, value in vars(kernels).items() if hasattr(value, "signatures")}


# -- dropout ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9])
def test_share_and_scale_of_what_is_dropped(rate):
    values, out = np.full((300, 128), 3.0, np.float32), np.empty((300, 128), np.float32)
    kernels.drop(values, np.arange(300), rate, np.uint32(77), 0, out)
    kept = out != 0
    np.testing.assert_allclose(out[kept], 3.0 / (1 - rate), rtol=1e-6)
    # Five standard deviations; and in every row and column about as many.
    spread = 5 * math.sqrt(rate * (1 - rate))
    assert abs(kept.mean() - (1 - rate)) <= spread / math.sqrt(out.size)
    assert np.abs(kept.mean(axis=0) - (1 - rate)).max() <= spread / math.sqrt(300)
    assert np.abs(kept.mean(axis=1) - (1 - rate)).max() <= spread / math.sqrt(128)
    # The same again; and with another key, no more in common than chance has it.
    again, other = np.empty_like(out), np.empty_like(out)
    kernels.drop(values, np.arange(300), rate, np.uint32(77), 0, again)
    kernels.drop(values, np.arange(300), rate, np.uint32(78), 0, other)
    np.testing.assert_array_equal(again, out)
    for part in (slice(0, 120), slice(120, 300)):  # and by parts
        kernels.drop(
            values[part],
            np.arange(300)[: len(values[part])],
            rate,
            np.uint32(77),
            part.start,
            again[part],
        )
    np.testing.assert_array_equal(again, out)
    both = (kept & (other != 0)).mean()
    assert abs(both - (1 - rate) ** 2) <= 5 * math.sqrt(0.25 / out.size)


class Dropped:
    """Writes down what a step works with: the dropped-out vectors, the features and their gradient."""

    def __init__(self, monkeypatch):
        self.vectors, self.features = [], []
        convolve = compiled._Run._convolve

        def spied(run, batch, block):
            convolve(run, batch, block)
            self.vectors.append((batch.vectors.copy(), *batch.windows[:2]))
            self.features.append(batch.features.copy())

        monkeypatch.setattr(compiled._Run, "_convolve", spied)


def test_dropout_in_training(monkeypatch):
    """Of tokens: the same for all occurrences in a batch. Of features: another for every text."""
    rng, dropped = np.random.default_rng(8), Dropped(monkeypatch)
    weights = some_weights(rng, (1, 2), n_tokens=5, dim=40, filters=50)
    weights["embedding"][1:] = 1.0
    for size in (1, 2):
        weights[f"convolution_{size}_bias"][:] = 10.0  # every feature is positive
    same_text = TokenIds(np.tile(np.array([2, 3, 2], np.int32), 6), np.arange(0, 19, 3))
    examples = replace(some_examples(rng, [3] * 6), ids=same_text)
    settings = some_settings(
        dropout=0.5, embedding_dropout=0.2, batch_size=6, epochs=2, learning_rate=1e-9
    )
    compiled.train(State(weights), examples, settings, n_threads=2)
    (vectors, local, starts), (later, _, _) = dropped.vectors
    assert vectors.shape == (2, 40)  # a token has one vector, however often it occurs
    assert local.tolist() == [0, 1, 0] * 6
    assert starts.tolist() == [*range(0, 19, 3)]
    for array in (vectors, later):
        assert {*np.unique(array).tolist()} == {0.0, np.float32(1.25)}
        assert ((array[0] == 0) != (array[1] == 0)).any()
    assert (vectors != later).any()
    first, second = dropped.features
    kept = first != 0
    assert 0.4 < kept.mean() < 0.6
    assert len(np.unique(kept, axis=0)) == 6
    assert (kept != (second != 0)).any()
    # With the seed comes the draw; and with another seed another.
    for seed, alike in [(0, True), (1, False)]:
        compiled.train(State(weights), examples, replace(settings, seed=seed), n_threads=1)
        assert np.array_equal(dropped.features[-2], first) == alike
        assert np.array_equal(dropped.vectors[-2][0], vectors) == alike


def test_what_is_dropped_gets_no_gradient(monkeypatch):
    """And what is kept, a scaled one: the mean over draws is that of the features as they are."""
    rng, dropped = np.random.default_rng(9), Dropped(monkeypatch)
    weights = some_weights(rng, (1,), dim=30, filters=40)
    weights["convolution_1_bias"][:] = 10.0
    examples = some_examples(rng, [1])
    settings = some_settings(dropout=0.5, embedding_dropout=0.5, kernel_sizes=(1,))
    state, _ = compiled.train(State(weights), examples, settings)
    moved = {name: weights[name] != state.weights[name] for name in weights}
    features, (vectors, _, _) = dropped.features[0][0], dropped.vectors[0]
    np.testing.assert_array_equal(moved["convolution_1_bias"], features > 0)
    np.testing.assert_array_equal(moved["output_kernel"].any(axis=1), features > 0)
    np.testing.assert_array_equal(moved["embedding"][examples.ids.flat[0]], vectors[0] != 0)
    np.testing.assert_array_equal(
        moved["convolution_1_kernel"][0], np.outer(vectors[0] != 0, features > 0)
    )
    token = examples.ids.flat[0]
    kernel, where = weights["convolution_1_kernel"][0], vectors[0] != 0
    by_hand = (vectors[0] @ kernel + 10) * 2
    np.testing.assert_allclose(features[features > 0], by_hand[features > 0], rtol=1e-5)
    np.testing.assert_allclose(vectors[0][where], 2 * weights["embedding"][token][where], rtol=1e-6)
    upstream = weights["convolution_1_bias"] - state.weights["convolution_1_bias"]
    np.testing.assert_allclose(
        (weights["embedding"] - state.weights["embedding"])[token],
        np.where(where, 2 * (kernel @ upstream), 0),
        rtol=1e-3,
        atol=2e-6,
    )


@pytest.mark.parametrize("what", ["hidden", "none"])
def test_hidden_units_are_dropped_too(what):
    rng = np.random.default_rng(10)
    weights, examples = some_weights(rng, (1,), hidden=40), some_examples(rng, [4])
    weights["hidden_bias"][:] = 10.0
    rate = 0.5 if what == "hidden" else 0.0
    settings = some_settings(dropout=rate, kernel_sizes=(1,))
    state, _ = compiled.train(State(weights), examples, settings)
    learned = (state.weights["output_kernel"] != weights["output_kernel"]).any(axis=1)
    assert (8 < learned.sum() < 32) if rate else learned.all()
    if rate:
        np.testing.assert_array_equal(state.weights["hidden_bias"] != weights["hidden_bias"], learned)


# -- updates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_updates_are_those_of_keras(optimizer):
    keras = pytest.importorskip("keras")
    kinds = {"adam": "Adam", "adagrad": "Adagrad", "sgd": "SGD"}
    theirs = getattr(keras.optimizers, kinds[optimizer])(learning_rate=0.01)
    rng = np.random.default_rng(4)
    number, n_slots, start = compiled.OPTIMIZERS[optimizer]
    weight = rng.normal(size=(5, 3)).astype(np.float32)
    slots = [np.full_like(weight, start) for _ in range(n_slots)] + [weight] * (2 - n_slots)
    arrays = weight, *slots
    variable = keras.Variable(weight)
    theirs.build([variable])
    for step in range(1, 7):
        gradient = rng.normal(0, 10.0 ** rng.integers(-3, 2), (5, 3)).astype(np.float32)
        rate = 0.01 * (math.sqrt(1 - 0.999**step) / (1 - 0.9**step) if optimizer == "adam" else 1)
        kernels.update(number, arrays, np.arange(5), gradient, 0, np.float32(rate))
        theirs.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        expected = keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


# -- compiling --------------------------------------------------------------------------------------


@pytest.mark.skipif(not KERNELS, reason="Numba compiles nothing")
def test_every_kernel_is_compiled_for_one_kind_of_arguments(tmp_path):
    """No fit compiles anything silently: `jit.prepare` has seen to it, and said so."""
    jit.prepare(kernels.examples_of_calls().items())
    called = {name: function for name, function in KERNELS.items() if not name.startswith("_")}
    assert {len(function.signatures) for function in called.values()} <= {1}
    matrix = np.array([[int("sport" in row), 1] for row in TAGS])
    wide = sparse.csr_matrix(matrix)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for y in (TAGS, TOPICS, wide, matrix[:, :1], wide[:, [0]]):
        tiny(dropout=0, embedding_dropout=0, learning_rate=1).fit(TEXTS, y)
        tiny(filters=1, embedding_dim=1, hidden_units=1, kernel_sizes=(1,)).partial_fit(TEXTS, y)
    for optimizer in OPTIMIZERS:
        warm = tiny(optimizer=optimizer, warm_start=True, n_jobs=2).fit(TEXTS, TAGS)
        for weight in warm.weights_.values():
            weight.flags.writeable = False
        warm.fit(TEXTS, TAGS).partial_fit(TEXTS, TAGS)
    tiny(class_weight="balanced", threshold="tune", linear=True, validation=0.1).fit(TEXTS, TAGS)
    tiny(embeddings={"match": [1.0, 2.0]}, embedding_mode="multichannel").fit(TEXTS, TAGS)
    assert {len(function.signatures) for function in called.values()} <= {1}


def test_every_kernel_has_an_example_of_a_call():
    private = {"_draw", "_larger"}  # called by others alone
    called = {function.__name__ for function in kernels.examples_of_calls()}
    assert called == set(KERNELS or called) - private


def test_the_processes_of_this_module_compile():
    """The tests above mean something: Numba is at work, unless it was switched off by hand."""
    assert bool(KERNELS) == (os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0"))
