"""Training: what moves, how fast, and what is written down of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import TAGS, TEXTS, every_engine, matrix_of, same_weights, tiny


def test_the_vector_of_unknown_tokens_is_trained_on_them():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    before = clf.weights_["embedding"].copy()
    clf.fit(["zebra", "yak gnu"], [["sport"], ["news"]])
    changed = (clf.weights_["embedding"] != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [1]


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_the_vector_of_padding_stays_zero(optimizer):
    # Texts shorter than the kernels: padding is part of winning windows.
    clf = tiny(optimizer=optimizer, kernel_sizes=(2, 5), learning_rate=0.1, epochs=4).fit(TEXTS, TAGS)
    assert not clf.weights_["embedding"][0].any()
    assert np.isfinite(clf.weights_["embedding"]).all()


def test_vectors_of_absent_tokens_are_left_alone():
    absent = tiny(vocabulary=["match", "soup", "quasar"], epochs=1).fit(TEXTS, TAGS)
    later = tiny(vocabulary=["match", "soup", "quasar"], epochs=3).fit(TEXTS, TAGS)
    row = absent.vocabulary_["quasar"] + 2
    assert np.array_equal(absent.weights_["embedding"][row], later.weights_["embedding"][row])
    row = absent.vocabulary_["match"] + 2
    assert not np.array_equal(absent.weights_["embedding"][row], later.weights_["embedding"][row])


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_the_loss_falls(optimizer):
    rate = {"adam": 0.01, "adagrad": 0.1, "sgd": 0.2}[optimizer]
    clf = tiny(optimizer=optimizer, learning_rate=rate, epochs=25, dropout=0.0).fit(TEXTS, TAGS)
    assert clf.history_["loss"][-1] < 0.6 * clf.history_["loss"][0]


@every_engine
def test_history():
    clf = tiny(epochs=3, learning_rate=0.02, dropout=0, embedding_dropout=0).fit(TEXTS, TAGS)
    assert set(clf.history_) == {"loss", "seconds"}
    assert [len(values) for values in clf.history_.values()] == [3, 3]
    assert all(type(value) is float for value in clf.history_["loss"])
    assert clf.history_["loss"][-1] < clf.history_["loss"][0]
    assert clf.n_epochs_ == 3


def test_the_loss_in_history_is_the_mean_of_a_text():
    """With nothing moving: the same for every batch size, and what the probabilities say."""
    still = {"learning_rate": 1e-30, "dropout": 0.0, "embedding_dropout": 0.0, "epochs": 1}
    y = matrix_of()
    clf = tiny(**still, batch_size=5).fit(TEXTS, y)
    p = clf.predict_proba(TEXTS).astype(np.float64)
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1).mean()
    np.testing.assert_allclose(clf.history_["loss"], expected, rtol=1e-5)
    other = tiny(**still, batch_size=12).fit(TEXTS, y)
    np.testing.assert_allclose(other.history_["loss"], expected, rtol=1e-5)


# -- rates, batches and epochs ----------------------------------------------------------------------


LINEAR = {"learning_rate": 0.006, "learning_rate_schedule": "linear"}
CONSTANT = {"learning_rate": 0.002, "learning_rate_schedule": "constant"}


def test_the_learning_rate_decays_unless_training_may_go_on():
    """Then it is constant, at a third of what it would decay from."""
    decaying, constant = tiny(**LINEAR).fit(TEXTS, TAGS), tiny(**CONSTANT).fit(TEXTS, TAGS)
    assert not same_weights(decaying, constant)
    assert same_weights(tiny(**LINEAR, warm_start=True).fit(TEXTS, TAGS), constant)
    assert same_weights(tiny(**CONSTANT, warm_start=True).fit(TEXTS, TAGS), constant)
    assert same_weights(
        tiny(**LINEAR).partial_fit(TEXTS, TAGS), tiny(**CONSTANT).partial_fit(TEXTS, TAGS)
    )


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"),
    [(2, 16, 40), (100, 16, 22), (900, 28, 10), (2100, 64, 8), (9000, 64, 5)],
)
def test_automatic_batches_and_epochs(n, batch_size, epochs):
    """More texts are seen less often, and more at a time."""
    texts, tags = (TEXTS * n)[:n], (TAGS * n)[:n]
    clf = tiny(epochs="auto", batch_size="auto", embedding_dim=1, filters=1).fit(texts, tags)
    assert (clf.resolved_.batch_size, clf.resolved_.epochs) == (batch_size, epochs)
    assert clf.n_epochs_ == epochs
