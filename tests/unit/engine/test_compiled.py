"""The compiled engine: its step against plain loops in float64, optimizers, dropout, threads."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from sktextcnn import jit
from sktextcnn.engine import compiled, kernels
from sktextcnn.engine.examples import Examples, Settings, State, batches
from sktextcnn.engine.losses import compute_loss
from sktextcnn.engine.observers import Observer
from sktextcnn.objective import LOSSES
from sktextcnn.text.tokens import TokenIds
from tests.examples import TAGS, TEXTS, TOPICS, same_weights, tiny

SHARED = ["kl_divergence", "categorical_crossentropy"]
EVERY_LOSS = sorted({*LOSSES[True], *LOSSES[False]})
OPTIMIZERS = sorted(compiled.OPTIMIZERS)
KERNELS = {name: value for name, value in vars(kernels).items() if hasattr(value, "signatures")}


# -- a reference: plain loops, double precision ------------------------------------------------------


def logistic(z):
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def loss_of_text(loss, z, y, positive, negative):
    """Return the loss of one text, of lists of as many numbers as there are labels."""
    total = 0.0
    if loss in SHARED:
        largest = max(z)
        log_sum = largest + math.log(sum(math.exp(a - largest) for a in z))
        for a, b, weight in zip(z, y, positive, strict=True):
            target = b / max(sum(y), 1) if loss == "kl_divergence" else b
            if target:
                entropy = math.log(target) if loss == "kl_divergence" else 0.0
                total += weight * target * (entropy - (a - log_sum))
        return total
    for a, b, one, zero in zip(z, y, positive, negative, strict=True):
        p, q = logistic(a), logistic(-a)
        if loss == "binary_crossentropy":
            total -= one * math.log(p) if b else zero * math.log(q)
        elif loss == "focal":
            total -= one * q**2 * math.log(p) if b else zero * p**2 * math.log(q)
        else:
            shifted = max(p - 0.05, 0)
            total -= one * math.log(p) if b else zero * shifted**4 * math.log(1 - shifted)
    return total


def slope_of_text(loss, z, *rest, step=1e-5):
    """Return the derivative of the loss with respect to each logit, from differences."""
    slopes = []
    for c in range(len(z)):
        above, below = list(z), list(z)
        above[c] += step
        below[c] -= step
        difference = loss_of_text(loss, above, *rest) - loss_of_text(loss, below, *rest)
        slopes.append(difference / (2 * step))
    return slopes


def reference_step(weights, examples, rows, settings):
    """Return the sum of the texts' losses, and the gradient of their mean, without dropout."""
    weights = {name: w.astype(np.float64) for name, w in weights.items()}
    gradients = {name: np.zeros_like(w) for name, w in weights.items()}
    n_filters, total = weights[f"convolution_{settings.kernel_sizes[0]}_bias"].size, 0.0
    for row in rows:
        tokens = examples.ids.flat[examples.ids.offsets[row] : examples.ids.offsets[row + 1]]
        vectors = weights["embedding"][tokens]
        features, positions = [], []
        for size in settings.kernel_sizes:
            kernel = weights[f"convolution_{size}_kernel"]
            bias = weights[f"convolution_{size}_bias"]
            for f in range(n_filters):
                best, where = -math.inf, 0
                for t in range(max(len(tokens) - size + 1, 1)):
                    value = bias[f]
                    for j in range(min(size, len(tokens) - t)):
                        value += vectors[t + j] @ kernel[j, :, f]
                    if value > best:
                        best, where = value, t
                features.append(max(best, 0.0))
                positions.append((size, f, where))
        features = hidden = np.array(features)
        if "hidden_kernel" in weights:
            hidden = np.maximum(features @ weights["hidden_kernel"] + weights["hidden_bias"], 0)
        logits = hidden @ weights["output_kernel"] + weights["output_bias"]
        y = examples.targets[[row]].toarray()[0].tolist()
        given_loss = settings.loss, logits.tolist(), y, *examples.label_weight.tolist()
        weight = float(examples.sample_weight[row])
        total += weight * loss_of_text(*given_loss)
        upstream = np.array(slope_of_text(*given_loss)) * weight / len(rows)
        gradients["output_kernel"] += np.outer(hidden, upstream)
        gradients["output_bias"] += upstream
        upstream = weights["output_kernel"] @ upstream
        if "hidden_kernel" in weights:
            upstream = upstream * (hidden > 0)
            gradients["hidden_kernel"] += np.outer(features, upstream)
            gradients["hidden_bias"] += upstream
            upstream = weights["hidden_kernel"] @ upstream
        for (size, f, where), feature, g in zip(positions, features, upstream, strict=True):
            if feature > 0:
                kernel = weights[f"convolution_{size}_kernel"]
                gradients[f"convolution_{size}_bias"][f] += g
                for j in range(min(size, len(tokens) - where)):
                    gradients[f"convolution_{size}_kernel"][j, :, f] += g * vectors[where + j]
                    gradients["embedding"][tokens[where + j]] += g * kernel[j, :, f]
    frozen = {"trainable": 0, "static": 1, "multichannel": 0.5}[settings.embedding_mode]
    gradients["embedding"][:, : int(frozen * weights["embedding"].shape[1])] = 0
    return total, gradients


# -- things to train ---------------------------------------------------------------------------------


def some_settings(**changes):
    settings = Settings(
        kernel_sizes=(1, 2),
        loss="binary_crossentropy",
        optimizer="sgd",
        exclusive=False,
        learning_rate=1.0,
        decays=False,
        embedding_dropout=0.0,
        dropout=0.0,
        batch_size=64,
        epochs=1,
        seed=0,
    )
    return replace(settings, **changes)


def some_weights(rng, sizes, *, n_tokens=8, dim=4, filters=3, hidden=None, k=3, scale=0.5):
    """Return weights of which none is zero but the padding's."""

    def draw(*shape):
        return rng.normal(0, scale, shape).astype(np.float32)

    weights = {"embedding": draw(n_tokens + 2, dim)}
    weights["embedding"][0] = 0
    for size in sizes:
        weights[f"convolution_{size}_kernel"] = draw(size, dim, filters)
        weights[f"convolution_{size}_bias"] = draw(filters)
    if hidden:
        weights |= {"hidden_kernel": draw(len(sizes) * filters, hidden), "hidden_bias": draw(hidden)}
    n_features = hidden or len(sizes) * filters
    return {**weights, "output_kernel": draw(n_features, k), "output_bias": draw(k)}


def some_examples(rng, lengths, *, n_tokens=8, k=3, one_each=False):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n = len(lengths)
    targets = np.eye(k)[rng.integers(0, k, n)] if one_each else rng.random((n, k)) < 0.4
    return Examples(
        ids=TokenIds(rng.integers(1, n_tokens + 2, offsets[-1]).astype(np.int32), offsets),
        targets=sparse.csr_matrix(targets.astype(np.int8)),
        sample_weight=rng.uniform(0.2, 2, n).astype(np.float32),
        label_weight=rng.uniform(0.5, 2, (2, k)).astype(np.float32),
    )


def corpus(rng, n=70, *, n_tokens=300, longest=30, k=4):
    return some_examples(rng, rng.integers(0, longest, n), n_tokens=n_tokens, k=k)


def assert_equal_states(first, second):
    """Bit for bit, the optimizer's memory included."""
    assert (first.step, first.epoch, first.optimizer) == (second.step, second.epoch, second.optimizer)
    assert first.weights.keys() == second.weights.keys()
    assert first.slots.keys() == second.slots.keys()
    for name in first.weights:
        np.testing.assert_array_equal(first.weights[name], second.weights[name], err_msg=name)
        for one, other in zip(first.slots.get(name, []), second.slots.get(name, []), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


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


# -- one step ----------------------------------------------------------------------------------------


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


# -- losses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", EVERY_LOSS)
@given(
    z=arrays(np.float64, (2, 3), elements=st.floats(-15, 15)),
    y=arrays(np.float64, (2, 3), elements=st.sampled_from([0.0, 1.0])),
    seed=st.integers(0, 100),
)
def test_losses_and_their_gradients(loss, z, y, seed):
    if loss == "categorical_crossentropy":
        y = np.eye(3)[y.sum(axis=1).astype(int) % 3]
    if loss == "asymmetric":  # which has a kink
        assume((np.abs(1 / (1 + np.exp(-z)) - 0.05) > 1e-4).all())
    weight = np.random.default_rng(seed).uniform(0.2, 3, (2, 3))
    values, gradient = compute_loss(loss, z, y, weight)
    for i in range(2):
        text = z[i].tolist(), y[i].tolist(), *weight.tolist()
        assert values[i] == pytest.approx(loss_of_text(loss, *text), rel=1e-8, abs=1e-8)
        np.testing.assert_allclose(gradient[i], slope_of_text(loss, *text), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", EVERY_LOSS)
def test_losses_of_extreme_logits_are_finite(loss):
    z = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 88.0], [0, 0, 0], [-104, 103, -1]], np.float32)
    y = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
    values, gradient = compute_loss(loss, z, y, np.ones((2, 3), np.float32))
    assert values.dtype == gradient.dtype == np.float32
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()
    assert (values >= 0).all()


def test_a_text_without_label_adds_nothing_under_a_shared_distribution():
    z, y = np.array([[1, 2], [3, 4]], np.float32), np.array([[0, 0], [1, 1]], np.float32)
    values, gradient = compute_loss("kl_divergence", z, y, np.ones((2, 2), np.float32))
    assert values[0] == 0
    assert not gradient[0].any()
    assert values[1] > 0


# -- several steps -----------------------------------------------------------------------------------


def reference_training(weights, examples, settings):
    """Train as Keras' formulas say, rows of tokens that do not occur in a batch left alone."""
    weights = {name: w.astype(np.float64) for name, w in weights.items()}
    start = {"sgd": 0, "adagrad": 0.1, "adam": 0}[settings.optimizer]
    first = {name: np.full_like(w, start) for name, w in weights.items()}
    second = {name: np.zeros_like(w) for name, w in weights.items()}
    lengths, step, losses = examples.ids.lengths, 0, []
    n_batches = -(-len(lengths) // settings.batch_size)
    for epoch in range(settings.epochs):
        losses.append(0.0)
        for number, rows in enumerate(batches(lengths, settings.batch_size, settings.seed, epoch)):
            rate = settings.learning_rate
            if settings.decays:
                rate *= 1 - (epoch * n_batches + number) / (settings.epochs * n_batches)
            step += 1
            total, gradients = reference_step(weights, examples, rows, settings)
            losses[-1] += total / len(lengths)
            for name, w in weights.items():
                part = slice(None)
                if name == "embedding":
                    part = np.unique(examples.ids.take(rows).flat)
                g, a, b = gradients[name][part], first[name], second[name]
                if settings.optimizer == "adam":
                    a[part] += (g - a[part]) * 0.1
                    b[part] += (g**2 - b[part]) * 0.001
                    size = rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                    w[part] -= size * a[part] / (np.sqrt(b[part]) + 1e-7)
                elif settings.optimizer == "adagrad":
                    a[part] += g**2
                    w[part] -= rate * g / np.sqrt(a[part] + 1e-7)
                else:
                    w[part] -= rate * g
    return weights, losses


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


# -- going on ----------------------------------------------------------------------------------------


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


# -- dropout -----------------------------------------------------------------------------------------


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


# -- the same for every number of threads ------------------------------------------------------------


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


@pytest.mark.parametrize("n_jobs", [2, 4, -1])
@pytest.mark.parametrize("linear", [False, True], ids=["network", "both parts"])
def test_jobs_change_no_bit(linear, n_jobs):
    rng = np.random.default_rng(12)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 40, rng.integers(1, 12))) for _ in range(90)]
    y = (rng.random((90, 3)) < 0.4).astype(int)
    options = {"validation": 3, "linear": linear}
    first = tiny(**options, epochs=3).fit(texts, y)
    second = tiny(**options, epochs=3, n_jobs=n_jobs).fit(texts, y)
    assert same_weights(first, second)
    np.testing.assert_array_equal(first.thresholds_, second.thresholds_)
    for name in ("loss", "validation_score"):
        assert first.history_[name] == second.history_[name]


# -- data of every size and form ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "sizes", "options"),
    [
        (1, {}, {}),
        (9, {"k": 1}, {}),
        (9, {"filters": 1}, {"batch_size": 2}),
        (9, {"dim": 1, "filters": 1, "k": 1, "hidden": 1}, {"batch_size": 1}),
        (9, {"k": 300}, {"batch_size": 1000}),
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


# -- what is not finite ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "epochs"),
    [
        ({"learning_rate": 1e30}, 1),
        ({"learning_rate": 1e30}, 3),
        ({"learning_rate": 1e300}, 1),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, 1),
        ({"learning_rate": 1e30, "optimizer": "adagrad", "hidden_units": 3}, 2),
        ({"learning_rate": 1e30, "early_stopping": True, "validation": 0.4}, 2),
        ({"learning_rate": 1e30, "threshold": "tune", "validation": 2, "n_jobs": 2}, 2),
    ],
    ids=str,
)
def test_training_that_diverges_says_so(change, epochs):
    clf = tiny().fit(TEXTS, TAGS)
    before = dict(vars(clf))
    # One batch an epoch: its loss is that of the start, and finite.
    clf.set_params(**change, epochs=epochs, batch_size=12)
    with pytest.raises(ValueError, match=r"training has diverged with learning_rate=1e\+30+\. Lower it"):
        clf.fit(TEXTS, TAGS)
    fitted = {name: value for name, value in before.items() if name.endswith("_")}
    assert {
        name: value for name, value in vars(clf).items() if name.endswith("_")
    }.keys() == fitted.keys()
    assert all(getattr(clf, name) is value for name, value in fitted.items())


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


def test_the_processes_of_this_module_compile():
    """The tests above mean something: Numba is at work, unless it was switched off by hand."""
    assert bool(KERNELS) == (os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0"))
