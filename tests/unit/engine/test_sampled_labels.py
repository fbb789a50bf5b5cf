"""Steps that compute the labels of their batch and a sample of others: `negative_samples`."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sktextcnn.engine import compiled
from sktextcnn.engine.examples import State, draw_negatives
from sktextcnn.objective import LOSSES
from tests.networks import assert_equal_states, some_examples, some_settings, some_weights
from tests.plain_loops import SHARED, reference_step, reference_training

OPTIMIZERS = sorted(compiled.OPTIMIZERS)
INDEPENDENT = sorted({*LOSSES[True]} - {*SHARED})


def some_problem(*, n=4, k=7, n_carried=2, seed=0, hidden=None, **changes):
    """Return weights, examples whose texts carry the first labels alone, each by one text, settings."""
    rng = np.random.default_rng(seed)
    weights = some_weights(rng, (1, 2), n_tokens=12, k=k, hidden=hidden)
    carried = np.zeros((n, k), np.int8)
    carried[np.arange(n), np.arange(n) % n_carried] = 1
    examples = some_examples(rng, rng.integers(0, 6, n), n_tokens=12, k=k)
    examples = replace(examples, targets=sparse.csr_matrix(carried))
    return weights, examples, some_settings(**{"negative_samples": 2, **changes})


# -- which labels are drawn -------------------------------------------------------------------------


@given(
    carried=st.sets(st.integers(0, 29), max_size=30),
    n_samples=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_drawn_labels_are_others_and_stand_for_all_others(carried, n_samples, seed):
    settings = some_settings(negative_samples=n_samples, seed=seed)
    carried = np.array(sorted(carried), np.int64)
    drawn, times = draw_negatives(carried, settings, 30, epoch=3, step=5)
    assert len({*drawn.tolist()}) == len(drawn) == min(n_samples, 30 - len(carried))
    assert not np.isin(drawn, carried).any()
    assert times * len(drawn) == pytest.approx(30 - len(carried))


def test_every_other_label_is_equally_likely():
    settings = some_settings(negative_samples=3)
    draws = [draw_negatives(np.array([4, 1]), settings, 12, 0, step)[0] for step in range(500)]
    counts = np.bincount(np.concatenate(draws), minlength=12)
    assert counts[[1, 4]].tolist() == [0, 0]
    # Each number has a standard deviation of 10.2.
    assert np.abs(np.delete(counts, [1, 4]) - 150).max() < 5 * 10.2


def test_draws_are_those_of_seed_epoch_and_step():
    settings = some_settings(negative_samples=5)
    carried = np.zeros(0, np.int64)
    draws = [
        draw_negatives(carried, replace(settings, seed=seed), 1000, epoch, step)[0].tolist()
        for seed, epoch, step in [(0, 0, 1), (0, 0, 1), (1, 0, 1), (0, 1, 1), (0, 0, 2)]
    ]
    assert draws[0] == draws[1]
    assert len({*map(tuple, draws)}) == 4


# -- what a step computes ---------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [None, 4], ids=["no layer", "hidden layer"])
@pytest.mark.parametrize("loss", INDEPENDENT)
def test_on_average_a_step_is_that_of_all_labels(loss, hidden, monkeypatch):
    """Over all samples that might be drawn, loss and gradient are those of plain loops."""
    weights, examples, settings = some_problem(loss=loss, hidden=hidden)
    moved, losses = dict.fromkeys(weights, 0.0), []
    for others in combinations(range(2, 7), 2):
        drawn = np.array(others), np.float32(5 / 2)
        monkeypatch.setattr(compiled, "draw_negatives", lambda *_, drawn=drawn: drawn)
        state, history = compiled.train(State(weights), examples, settings, n_threads=1)
        losses += history["loss"]
        for name, weight in weights.items():
            moved[name] += (weight.astype(np.float64) - state.weights[name]) / 10
    total, gradients = reference_step(weights, examples, range(4), settings)
    assert np.mean(losses) == pytest.approx(total / 4, rel=1e-5)
    assert np.ptp(losses) > 1e-3  # while each of them is of its own sample
    for name, gradient in gradients.items():
        np.testing.assert_allclose(moved[name], gradient, rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("loss", SHARED)
def test_under_a_softmax_a_label_drawn_stands_for_several(loss, monkeypatch):
    """As if there were so many labels like it, and none that was not drawn."""
    weights, examples, settings = some_problem(loss=loss, exclusive=True)
    drawn = np.array([3, 6]), np.float32(2)
    monkeypatch.setattr(compiled, "draw_negatives", lambda *_: drawn)
    state, history = compiled.train(State(weights), examples, settings)
    columns = [0, 1, 3, 3, 6, 6]
    many = {name: weights[name][..., columns] for name in ("output_kernel", "output_bias")}
    total, gradients = reference_step(
        {**weights, **many},
        replace(
            examples,
            targets=examples.targets[:, columns],
            label_weight=examples.label_weight[:, columns],
        ),
        range(4),
        settings,
    )
    assert history["loss"] == pytest.approx([total / 4], rel=1e-5)
    for name, gradient in gradients.items():
        moved = weights[name].astype(np.float64) - state.weights[name]
        if name in many:
            assert not np.delete(moved, columns, axis=-1).any()
            moved = moved[..., [0, 1, 3, 6]]
            gradient = gradient[..., [0, 1, 2, 4]] + gradient[..., [0, 1, 3, 5]] * [0, 0, 1, 1]
        np.testing.assert_allclose(moved, gradient, rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_labels_that_are_not_drawn_keep_weights_and_slots(optimizer, monkeypatch):
    weights, examples, settings = some_problem(optimizer=optimizer, learning_rate=0.1)
    start, _ = compiled.train(State(weights), examples, replace(settings, negative_samples=None))
    monkeypatch.setattr(compiled, "draw_negatives", lambda *_: (np.array([5, 3]), np.float32(2.5)))
    state, _ = compiled.train(start, examples, settings)
    for name in ("output_kernel", "output_bias"):
        pairs = [(start.weights[name], state.weights[name])]
        pairs += zip(start.slots.get(name, []), state.slots.get(name, []), strict=True)
        for before, after in pairs:
            changed = np.atleast_2d(before != after).any(axis=0)
            assert np.flatnonzero(changed).tolist() == [0, 1, 3, 5]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_sample_of_all_others_is_training_with_all_labels(optimizer):
    """All labels are drawn in every step: plain loops over them say what comes of it."""
    weights, examples, settings = some_problem(
        n=11, negative_samples=6, optimizer=optimizer, learning_rate=0.05, batch_size=4, epochs=3
    )
    state, history = compiled.train(State(weights), examples, settings)
    expected, losses = reference_training(weights, examples, settings)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
    for name, weight in expected.items():
        np.testing.assert_allclose(state.weights[name], weight, rtol=1e-3, atol=1e-4, err_msg=name)


# -- what stays as it is ----------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_sampled_training_goes_on_as_if_without_a_break(optimizer):
    weights, examples, settings = some_problem(
        n=20, k=30, n_carried=12, optimizer=optimizer, learning_rate=0.05, batch_size=6
    )
    whole, history = compiled.train(State(weights), examples, replace(settings, epochs=4))
    half, first = compiled.train(State(weights), examples, replace(settings, epochs=2))
    parts, second = compiled.train(half, examples, replace(settings, epochs=2))
    assert_equal_states(parts, whole)
    assert first["loss"] + second["loss"] == history["loss"]
    assert {name: w.shape for name, w in whole.weights.items()} == {
        name: w.shape for name, w in weights.items()
    }


@pytest.mark.parametrize("loss", ["binary_crossentropy", "kl_divergence"])
def test_threads_change_no_bit_of_sampled_training(loss, monkeypatch):
    for name in ("WORTH_A_TEAM", "WORTH_SHARING", "WORTH_DIVIDING"):
        monkeypatch.setattr(compiled, name, 1)
    weights, examples, settings = some_problem(
        n=40, k=200, n_carried=30, loss=loss, exclusive=loss in SHARED, hidden=5, optimizer="adam",
        learning_rate=0.01, dropout=0.5, batch_size=16, epochs=2, negative_samples=50,
    )  # fmt: skip
    alone, history = compiled.train(State(weights), examples, settings, n_threads=1)
    for n_threads in (2, 3):
        together, theirs = compiled.train(State(weights), examples, settings, n_threads=n_threads)
        assert_equal_states(together, alone)
        assert theirs["loss"] == history["loss"]


@pytest.mark.parametrize("together", [1, 40, 10**6])
def test_logits_are_computed_together_without_a_difference(together, monkeypatch):
    rng = np.random.default_rng(3)
    weights, examples = some_weights(rng, (1, 2), k=20), some_examples(rng, [3] * 9, k=20)
    expected, losses = compiled.train(State(weights), examples, some_settings())
    monkeypatch.setattr(compiled, "LOGITS_TOGETHER", together)
    state, history = compiled.train(State(weights), examples, some_settings())
    assert_equal_states(state, expected)
    assert history["loss"] == losses["loss"]
