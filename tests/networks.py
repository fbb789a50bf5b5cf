"""Weights, examples and settings to train, for tests of the engines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from sktextcnn.engine.examples import Examples, Settings
from sktextcnn.text.tokens import TokenIds


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
