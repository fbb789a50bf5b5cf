"""Twenty texts for the Keras engine to train on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse, special

from sktextcnn.engine import inference, keras_engine
from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.observers import Observer
from sktextcnn.engine.weights import initial_weights
from sktextcnn.text.tokens import TokenIds

N_TOKENS, N_LABELS, KERNEL_SIZES = 12, 3, (1, 3)

#: Twenty texts, the empty one and short ones among them.
LENGTHS = np.array([0, 1, 2, 9, 4, 7, 3, 3, 5, 1, 8, 6, 2, 4, 9, 5, 7, 3, 2, 6])
N = len(LENGTHS)
_rng = np.random.default_rng(5)
IDS = TokenIds(_rng.integers(1, N_TOKENS, LENGTHS.sum()).astype(np.int32), np.cumsum([0, *LENGTHS]))
TARGETS = (_rng.random((N, N_LABELS)) < 0.4).astype(int)


def examples(targets=TARGETS, ids=IDS, weighted=False):
    """All texts; `weighted`, with weights of texts and labels that are not 1, a 0 among them."""
    rng, shape = np.random.default_rng(6), targets.shape
    return Examples(
        ids=ids,
        targets=sparse.csr_matrix(targets),
        sample_weight=rng.integers(0, 4, shape[0]).astype(np.float32)
        if weighted
        else np.ones(shape[0], np.float32),
        label_weight=rng.uniform(0.5, 3, (2, shape[1])).astype(np.float32)
        if weighted
        else np.ones((2, shape[1]), np.float32),
    )


def start(hidden=None, n_channels=1, dim=6):
    table = np.random.default_rng(1).normal(0, 0.3, (N_TOKENS, dim)).astype(np.float32)
    table[0] = 0
    weights = initial_weights(
        np.random.default_rng(0),
        n_tokens=N_TOKENS - 2,
        n_labels=N_LABELS,
        embedding_dim=dim,
        kernel_sizes=KERNEL_SIZES,
        filters=4,
        hidden_units=hidden,
        output_bias=np.zeros(N_LABELS),
        embedding=table,
        n_channels=n_channels,
    )
    return State(weights)


DEFAULTS = Settings(
    kernel_sizes=KERNEL_SIZES,
    loss="binary_crossentropy",
    optimizer="adam",
    exclusive=False,
    learning_rate=0.01,
    decays=False,
    embedding_dropout=0.2,
    dropout=0.5,
    batch_size=6,  # four batches, the last of two
    epochs=2,
    seed=7,
)

QUIET = {"optimizer": "sgd", "embedding_dropout": 0.0, "dropout": 0.0}


def learn(state=None, given=None, *, callbacks=(), observers=(), **changes):
    """Train on the twenty texts with the Keras engine."""
    return keras_engine.train(
        state or start(),
        given or examples(),
        replace(DEFAULTS, **changes),
        observers=observers,
        keras_callbacks=lambda: [*callbacks],
    )


class Watcher(Observer):
    """Writes down what it is told, and may stop."""

    def __init__(self, stops_after=99):
        self.events, self.states, self.stops_after = [], [], stops_after

    def begin_epoch(self, epoch):
        self.events.append(("begin", epoch))

    def end_batch(self, n_texts):
        self.events.append(n_texts)

    def end_epoch(self, epoch, logs, run):
        self.events.append(("end", epoch, *logs))
        logs["seen"] = float(epoch)
        self.states.append(run.state())
        logits = run.open_network()(IDS)
        expected = inference.compute_logits(self.states[-1].weights, IDS)
        np.testing.assert_array_equal(logits, expected)
        return epoch + 1 == self.stops_after


def plain_loss(name, z, y):
    """The textbook formula of each loss, per (text, label), in float64."""
    p = special.expit(z)
    if name == "binary_crossentropy":
        return -(y * special.log_expit(z) + (1 - y) * special.log_expit(-z))
    if name == "focal":
        return -(y * (1 - p) ** 2 * special.log_expit(z) + (1 - y) * p**2 * special.log_expit(-z))
    if name == "asymmetric":
        shifted = np.clip(p - 0.05, 0, None)
        return -(y * special.log_expit(z) + (1 - y) * shifted**4 * np.log(1 - shifted))
    if name == "categorical_crossentropy":
        return -y * special.log_softmax(z, axis=1)
    assert name == "kl_divergence"
    share = y / np.maximum(y.sum(axis=1, keepdims=True), 1)
    return special.rel_entr(share, special.softmax(z, axis=1))
