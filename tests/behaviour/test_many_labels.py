"""`negative_samples`: a network for very many labels, as users meet it."""

from __future__ import annotations

import numpy as np
import pytest

import sktextcnn
from sktextcnn import as_label_matrix
from tests.examples import TAGS, TEXTS, TOPICS, same_weights, tiny, usual

N_LABELS = 40


def some_corpus(n, seed=0):
    """Return texts in each of which one word stands for each of its one or two labels."""
    rng = np.random.default_rng(seed)
    labels = [sorted({*rng.integers(0, N_LABELS, 2).tolist()}) for _ in range(n)]
    texts = [
        " ".join([*(f"w{label}" for label in own), "and", f"x{i % 7}"]) for i, own in enumerate(labels)
    ]
    return texts, as_label_matrix(labels, classes=range(N_LABELS))


def precision_at_1(clf, texts, Y):
    return Y[np.arange(len(texts)), clf.predict_proba(texts).argmax(axis=1)].mean()


def sampling(**parameters):
    own = {"negative_samples": 10, "epochs": 12, "filters": 32, "embedding_dim": 16, "batch_size": 16}
    return usual(**{**own, **parameters})


@pytest.mark.parametrize("loss", ["binary_crossentropy", "kl_divergence"])
def test_a_network_learns_from_sampled_labels(loss):
    texts, Y = some_corpus(400)
    clf = sampling(loss=loss).fit(texts, Y)
    assert precision_at_1(clf, *some_corpus(100, seed=1)) > 0.9


def test_one_label_of_many():
    texts = [f"w{i % N_LABELS} and x{i % 7}" for i in range(400)]
    y = [f"label {i % N_LABELS}" for i in range(400)]
    clf = sampling(validation=0.2, early_stopping=True).fit(texts, y)
    assert clf.score(texts, y) > 0.9
    assert clf.validation_score_ > 0.8


def test_the_same_seed_gives_the_same_sampled_labels():
    texts, Y = some_corpus(100)
    first, again, other = (sampling(epochs=2, random_state=seed).fit(texts, Y) for seed in (0, 0, 1))
    assert same_weights(first, again)
    assert not same_weights(first, other)


@pytest.mark.parametrize("y", [TAGS, TOPICS], ids=["several labels", "one label"])
def test_as_many_as_there_are_is_all_labels(y):
    assert same_weights(tiny(negative_samples=3).fit(TEXTS, y), tiny().fit(TEXTS, y))
    assert not same_weights(tiny(negative_samples=1).fit(TEXTS, y), tiny().fit(TEXTS, y))


def test_sampled_training_goes_on():
    texts, Y = some_corpus(80)
    halves = sampling(epochs=2, warm_start=True).fit(texts, Y).fit(texts, Y)
    assert same_weights(halves, sampling(epochs=4, warm_start=True).fit(texts, Y))
    batches = sampling().partial_fit(texts, Y, classes=range(N_LABELS)).partial_fit(texts, Y)
    assert batches.n_epochs_ == 2


def test_a_model_of_sampled_labels_is_like_any_other(tmp_path):
    texts, Y = some_corpus(80)
    clf = sampling(epochs=2).fit(texts, Y)
    all_labels = sampling(epochs=2, negative_samples=None).fit(texts, Y)
    shapes = [{name: w.shape for name, w in model.weights_.items()} for model in (clf, all_labels)]
    assert shapes[0] == shapes[1]
    clf.save(tmp_path / "model")
    loaded = sktextcnn.load(tmp_path / "model")
    assert loaded.negative_samples == 10
    assert same_weights(loaded, clf)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"engine": "keras"}, "engine='keras'"),
        ({"keras_callbacks": list}, "keras_callbacks="),
        ({"network": print, "keras_callbacks": list}, "network= and keras_callbacks="),
    ],
    ids=["engine", "callbacks", "two"],
)
def test_keras_computes_all_labels(asked, named):
    message = f"negative_samples=2 is for the compiled engine, and Keras, .* is what {named} asks for"
    with pytest.raises(ValueError, match=message):
        tiny(negative_samples=2, **asked).fit(TEXTS, TAGS)
