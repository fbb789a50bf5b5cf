"""The compiled engine: its steps against plain loops in float64, going on, and what is not finite."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn import jit
from sktextcnn.engine import compiled, kernels
from sktextcnn.engine.examples import State
from sktextcnn.engine.observers import Observer
from sktextcnn.objective import LOSSES
from sktextcnn.text.tokens import TokenIds
from tests.networks import assert_equal_states, corpus, some_examples, some_settings, some_weights
from tests.plain_loops import reference_step, reference_training

EVERY_LOSS = sorted({*LOSSES[True], *LOSSES[False]})
OPTIMIZERS = sorted(compiled.OPTIMIZERS)


@st.composite
def problems(draw):
    """Draw weights, examples and settings of any shape."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    sizes = tuple(sorted(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True))))
    k, n_tokens = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    loss = draw(st.sampled_from(EVERY_LOSS))
    weights = some_weights(
        rng,
        sizes,
        n_tokens=n_tokens,
        dim=2 * draw(st.integers(1, 3)),
        filters=draw(st.integers(1, 4)),
        hidden=draw(st.none() | st.integers(1, 4)),
        k=k,
    )
    lengths = draw(st.lists(st.integers(0, 9), min_size=1, max_size=6))
    one_each = loss == "categorical_crossentropy"
    examples = some_examples(rng, lengths, n_tokens=n_tokens, k=k, one_each=one_each)
    mode = draw(st.sampled_from(["trainable", "static", "multichannel"]))
    return weights, examples, some_settings(kernel_sizes=sizes, loss=loss, embedding_mode=mode)


# -- one step ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dense_up_to", [math.inf, -1], ids=["dense", "sparse"])
@given(problem=problems())
def test_a_step_is_that_of_plain_loops(dense_up_to, problem):
    """The loss holds what the network says; a step of gradient descent at rate 1, the gradient."""
    weights, examples, settings = problem
    n = len(examples.ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "DENSE_UP_TO", dense_up_to)
        state, history = compiled.train(State(weights), examples, settings, n_threads=2)
    total, gradients = reference_step(weights, examples, range(n), settings)
    np.testing.assert_allclose(history["loss"], [total / n], rtol=1e-5, atol=1e-5)
    assert state.weights.keys() == weights.keys()
    for name, gradient in gradients.items():
        moved = weights[name].astype(np.float64) - state.weights[name]
        np.testing.assert_allclose(moved, gradient, rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("dense_up_to", [math.inf, -1], ids=["dense", "sparse"])
def test_both_gradients_at_a_usual_size(dense_up_to, monkeypatch):
    """With products that are divided."""
    rng = np.random.default_rng(0)
    examples = some_examples(rng, rng.integers(0, 60, 30), n_tokens=2000)
    weights = some_weights(rng, (2, 3), n_tokens=2000, dim=6, filters=5)
    settings = some_settings(kernel_sizes=(2, 3))
    monkeypatch.setattr(compiled, "WORTH_DIVIDING", 1000)
    monkeypatch.setattr(compiled, "FILTERS_PER_BLOCK", 2)
    monkeypatch.setattr(compiled, "DENSE_UP_TO", dense_up_to)
    state, _ = compiled.train(State(weights), examples, settings, n_threads=2)
    _, gradients = reference_step(weights, examples, range(30), settings)
    for name, gradient in gradients.items():
        moved = weights[name].astype(np.float64) - state.weights[name]
        np.testing.assert_allclose(moved, gradient, rtol=1e-4, atol=2e-5, err_msg=name)


def test_the_gradient_is_taken_by_density(monkeypatch):
    taken = []

    def spied(name, plain):
        return lambda *arguments: (taken.append(name), plain(*arguments))

    for name in ("scatter", "spread"):
        monkeypatch.setattr(kernels, name, spied(name, getattr(kernels, name)))
    monkeypatch.setattr(jit, "prepare", lambda calls: None)
    rng = np.random.default_rng(0)
    weights = some_weights(rng, (1, 2), n_tokens=300)
    for longest, expected in [(3, "scatter"), (200, "spread")]:
        examples = some_examples(rng, [longest] * 10, n_tokens=300)
        compiled.train(State(weights), examples, some_settings(), n_threads=1)
        assert taken.pop() == expected
        assert not taken


# -- several steps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("decays", [False, True], ids=["constant", "linear"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_is_that_of_plain_loops(optimizer, decays):
    rng = np.random.default_rng(1)
    examples, weights = some_examples(rng, rng.integers(0, 9, 11)), some_weights(rng, (1, 3), hidden=4)
    rate = {"adam": 0.02, "adagrad": 0.1, "sgd": 0.3}[optimizer]
    settings = some_settings(
        optimizer=optimizer,
        learning_rate=rate,
        decays=decays,
        batch_size=4,
        epochs=3,
        kernel_sizes=(1, 3),
    )
    state, history = compiled.train(State(weights), examples, settings, n_threads=2)
    expected, losses = reference_training(weights, examples, settings)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
    for name, weight in expected.items():
        np.testing.assert_allclose(state.weights[name], weight, rtol=1e-3, atol=1e-4, err_msg=name)
    other, _ = compiled.train(State(weights), examples, replace(settings, decays=not decays))
    assert np.abs(other.weights["output_bias"] - state.weights["output_bias"]).max() > 1e-3


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_tokens_that_do_not_occur_keep_vectors_and_slots(optimizer):
    rng = np.random.default_rng(2)
    weights = some_weights(rng, (2, 5), n_tokens=20)
    settings = some_settings(optimizer=optimizer, learning_rate=0.1, kernel_sizes=(2, 5), batch_size=3)
    start, _ = compiled.train(State(weights), some_examples(rng, [4] * 9, n_tokens=20), settings)
    ids = np.array([4, 7, 7, 9, 4], np.int32)
    examples = replace(some_examples(rng, [2, 0, 3]), ids=TokenIds(ids, np.array([0, 2, 2, 5])))
    state, _ = compiled.train(start, examples, settings)
    others = np.setdiff1d(np.arange(22), ids)
    for before, after in [
        (start.weights["embedding"], state.weights["embedding"]),
        *zip(start.slots.get("embedding", []), state.slots.get("embedding", []), strict=True),
    ]:
        np.testing.assert_array_equal(after[others], before[others])
        assert (after[[4, 7, 9]] != before[[4, 7, 9]]).any(axis=1).all()
    assert not state.weights["embedding"][0].any()


@pytest.mark.parametrize("mode", ["trainable", "static", "multichannel"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_columns_that_are_left_alone(mode, optimizer):
    rng = np.random.default_rng(3)
    weights, examples = some_weights(rng, (1, 2), dim=6), some_examples(rng, [5] * 8)
    settings = some_settings(optimizer=optimizer, learning_rate=0.1, embedding_mode=mode, epochs=2)
    state, _ = compiled.train(State(weights), examples, settings)
    moves = (state.weights["embedding"] != weights["embedding"]).any(axis=0)
    n_fixed = {"trainable": 0, "static": 6, "multichannel": 3}[mode]
    assert moves.tolist() == [False] * n_fixed + [True] * (6 - n_fixed)


# -- going on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_as_if_without_a_break(optimizer):
    rng = np.random.default_rng(5)
    examples, weights = corpus(rng), some_weights(rng, (1, 2), n_tokens=300, k=4)
    settings = some_settings(
        optimizer=optimizer, learning_rate=0.05, batch_size=16, dropout=0.5, embedding_dropout=0.2
    )
    whole, history = compiled.train(State(weights), examples, replace(settings, epochs=4))
    half, first = compiled.train(State(weights), examples, replace(settings, epochs=2))
    parts, second = compiled.train(half, examples, replace(settings, epochs=2))
    assert_equal_states(parts, whole)
    assert first["loss"] + second["loss"] == history["loss"]
    assert (whole.epoch, whole.step) == (4, 4 * 5)
    # Without the optimizer's memory, or with another optimizer's, it goes another way.
    if optimizer != "sgd":
        afresh, _ = compiled.train(replace(half, slots={}), examples, replace(settings, epochs=2))
        assert (afresh.weights["output_bias"] != whole.weights["output_bias"]).any()
    other = "adam" if optimizer == "adagrad" else "adagrad"
    changed, _ = compiled.train(half, examples, replace(settings, optimizer=other))
    assert changed.optimizer == other
    assert {len(slots) for slots in changed.slots.values()} == {compiled.OPTIMIZERS[other][1]}


def test_training_leaves_its_start_and_its_examples_alone():
    rng = np.random.default_rng(6)
    examples, weights = corpus(rng), some_weights(rng, (1, 2), n_tokens=300, k=4)
    settings = some_settings(optimizer="adam", learning_rate=0.01)
    state, _ = compiled.train(State(weights), examples, settings)
    kept = [*state.weights.values(), *(slot for slots in state.slots.values() for slot in slots)]
    kept += [examples.ids.flat, examples.ids.offsets, examples.sample_weight, examples.label_weight]
    kept += [examples.targets.data, examples.targets.indices, examples.targets.indptr]
    before = [array.copy() for array in kept]
    for array in kept:
        array.flags.writeable = False  # which must not matter either
    after, _ = compiled.train(state, examples, settings)
    for array, was in zip(kept, before, strict=True):
        np.testing.assert_array_equal(array, was)
    arrays_after = [*after.weights.values(), *(s for slots in after.slots.values() for s in slots)]
    assert not any(np.shares_memory(a, b) for a, b in zip(arrays_after, kept, strict=False))


def test_what_an_observer_sees_is_not_changed_later():
    class Watch(Observer):
        def __init__(self):
            self.states = []

        def end_epoch(self, epoch, logs, run):
            self.states.append(run.state())
            return False

    rng, watch = np.random.default_rng(7), Watch()
    examples, weights = corpus(rng), some_weights(rng, (1, 2), n_tokens=300, k=4)
    settings = some_settings(optimizer="adam", learning_rate=0.01, epochs=3)
    state, _ = compiled.train(State(weights), examples, settings, observers=[watch])
    assert_equal_states(watch.states[-1], state)
    once, _ = compiled.train(State(weights), examples, replace(settings, epochs=1))
    assert_equal_states(watch.states[0], once)


# -- the same for every number of threads -----------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dense_up_to", [math.inf, -1], ids=["dense", "sparse"])
def test_threads_change_no_bit(optimizer, dense_up_to, monkeypatch):
    monkeypatch.setattr(compiled, "DENSE_UP_TO", dense_up_to)
    monkeypatch.setattr(compiled, "FILTERS_PER_BLOCK", 2)
    for name in ("WORTH_A_TEAM", "WORTH_SHARING", "WORTH_DIVIDING"):
        monkeypatch.setattr(compiled, name, 1)
    rng = np.random.default_rng(11)
    examples = corpus(rng, 90, n_tokens=1500, longest=40)
    weights = some_weights(rng, (2, 3), n_tokens=1500, dim=12, filters=7, hidden=5, k=4)
    settings = some_settings(
        optimizer=optimizer, learning_rate=0.01, dropout=0.5, embedding_dropout=0.2,
        kernel_sizes=(2, 3), batch_size=40, epochs=2,
    )  # fmt: skip
    alone, history = compiled.train(State(weights), examples, settings, n_threads=1)
    for n_threads in (2, 3, 5, None):
        together, theirs = compiled.train(State(weights), examples, settings, n_threads=n_threads)
        assert_equal_states(together, alone)
        assert theirs["loss"] == history["loss"]


# -- data of every size and form --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "sizes", "options"),
    [
        (1, {}, {}),
        (9, {"k": 1}, {}),
        (9, {"filters": 1}, {"batch_size": 2}),
        (9, {"dim": 1, "filters": 1, "k": 1, "hidden": 1}, {"batch_size": 1}),
        pytest.param(9, {"k": 300}, {"batch_size": 1000}, marks=pytest.mark.slow),
        (9, {"n_tokens": 1}, {"loss": "focal"}),
    ],
    ids=["one text", "one label", "one filter", "one of all", "300 labels", "one token"],
)
def test_small_and_large(n, sizes, options):
    rng = np.random.default_rng(13)
    fitting = {name: sizes[name] for name in ("n_tokens", "k") if name in sizes}
    examples = some_examples(rng, rng.integers(0, 6, n), **fitting)
    settings = some_settings(**{"learning_rate": 0.1, "batch_size": 4, "epochs": 2, **options})
    weights = some_weights(rng, (1, 2), **sizes)
    state, history = compiled.train(State(weights), examples, settings)
    expected, losses = reference_training(weights, examples, settings)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
    for name, weight in expected.items():
        np.testing.assert_allclose(state.weights[name], weight, rtol=1e-3, atol=1e-5, err_msg=name)


def test_texts_without_any_token():
    rng = np.random.default_rng(14)
    weights, examples = some_weights(rng, (1, 2)), some_examples(rng, [0, 0, 0])
    state, _ = compiled.train(State(weights), examples, some_settings(optimizer="adam"))
    np.testing.assert_array_equal(state.weights["embedding"], weights["embedding"])
    assert (state.weights["output_bias"] != weights["output_bias"]).all()


def forms_of_examples(examples):
    """The same examples in other types and orders of memory."""
    targets = examples.targets.copy()
    targets.indices, targets.indptr = targets.indices.astype(np.int64), targets.indptr.astype(np.int64)
    yield replace(examples, targets=targets)
    yield replace(examples, targets=examples.targets.astype(np.float64))
    yield replace(examples, ids=TokenIds(np.repeat(examples.ids.flat, 2)[::2], examples.ids.offsets))
    flat = examples.ids.flat.copy()
    flat.flags.writeable = False
    yield replace(examples, ids=TokenIds(flat, examples.ids.offsets))
    targets = examples.targets.copy()
    targets.indices.flags.writeable = targets.indptr.flags.writeable = False
    yield replace(examples, targets=targets)


def test_forms_of_examples_change_nothing():
    rng = np.random.default_rng(15)
    examples, weights = corpus(rng), some_weights(rng, (1, 2), n_tokens=300, k=4)
    settings = some_settings(optimizer="adam", learning_rate=0.01, batch_size=16)
    state, _ = compiled.train(State(weights), examples, settings)
    for other in forms_of_examples(examples):
        assert_equal_states(compiled.train(State(weights), other, settings)[0], state)
    for change in ({"dropout": 0}, {"embedding_dropout": np.float32(0)}, {"learning_rate": 1}):
        settings = replace(settings, **change)
    exact = replace(settings, dropout=0.0, embedding_dropout=0.0, learning_rate=1.0)
    assert_equal_states(
        compiled.train(State(weights), examples, settings)[0],
        compiled.train(State(weights), examples, exact)[0],
    )


# -- what is not finite -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("name", ["embedding", "convolution_1_kernel", "output_kernel", "output_bias"])
def test_weights_that_are_not_finite(name, value, n_threads):
    rng = np.random.default_rng(16)
    weights, examples = some_weights(rng, (1, 2)), some_examples(rng, [8] * 6)
    weights[name][...] = value
    with pytest.raises(ValueError, match=r"^(The loss is|A weight has grown to) .*: training has"):
        compiled.train(State(weights), examples, some_settings(epochs=2), n_threads=n_threads)


@pytest.mark.parametrize("name", ["embedding", "convolution_2_kernel", "output_bias"])
def test_weights_that_the_last_step_ruins(name):
    """What Adam remembers of one array throws that array alone; the loss was that of the start."""
    rng = np.random.default_rng(18)
    weights, examples = some_weights(rng, (1, 2)), some_examples(rng, [8] * 6)
    slots = {key: [np.zeros_like(weight) for _ in range(2)] for key, weight in weights.items()}
    slots[name][0][...] = 1e30
    settings = some_settings(optimizer="adam", learning_rate=0.01)
    state = State(weights, slots, optimizer="adam")
    with pytest.raises(ValueError, match=r"^A weight has grown to .*: training has diverged"):
        compiled.train(state, examples, settings, n_threads=1)


def test_texts_of_a_weight_that_is_too_large():
    rng = np.random.default_rng(17)
    weights, examples = some_weights(rng, (1, 2)), some_examples(rng, [8] * 6)
    examples = replace(examples, sample_weight=np.full(6, 3e38, np.float32))
    with pytest.raises(ValueError, match="Lower it, or the sample or class weights"):
        compiled.train(State(weights), examples, some_settings(), n_threads=2)
