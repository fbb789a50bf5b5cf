"""`network=`: the user's own network in the classifier, from fit to load."""

from __future__ import annotations

import pickle
from functools import partial

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import sktextcnn
from sktextcnn import as_label_matrix
from sktextcnn.text.tokens import encode
from tests import examples
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, eager

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

# Of the optimizers, the one whose step TensorFlow compiles soonest.
tiny = partial(examples.tiny, optimizer="sgd")


def mean_of_vectors(n_tokens, n_labels, embedding_dim):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(n_tokens, embedding_dim)(ids)
    x = keras.layers.GlobalMaxPooling1D()(x)
    return keras.Model(ids, keras.layers.Dense(n_labels)(x))


def with_lambda(n_tokens, n_labels):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(n_tokens, 3)(ids)
    x = keras.layers.Lambda(lambda rows: keras.ops.max(rows, axis=1), output_shape=(3,))(x)
    return keras.Model(ids, keras.layers.Dense(n_labels)(x))


def probabilities(n_tokens, n_labels):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.GlobalMaxPooling1D()(keras.layers.Embedding(n_tokens, 3)(ids))
    return keras.Model(ids, keras.layers.Dense(n_labels, activation="sigmoid")(x))


@pytest.fixture(scope="module")
def fitted():
    """A network that has learned little, and a linear part beside it."""
    return tiny(network=mean_of_vectors, linear=True, validation=2).fit(TEXTS * 3, TAGS * 3)


@pytest.fixture(scope="module")
def alone():
    return eager(network=mean_of_vectors).fit(TEXTS, TAGS)


def test_it_learns_and_predicts(alone):
    assert alone.score(TEXTS, TAGS) == 1.0
    assert alone.classes_.tolist() == LABELS
    assert alone.predict_proba(["a new text"]).shape == (1, 3)
    assert "embedding" not in alone.weights_
    np.testing.assert_allclose(alone.predict_proba(TEXTS[:1]), alone.predict_proba(TEXTS)[:1], atol=1e-6)


def test_one_label_per_text():
    clf = eager(network=mean_of_vectors).fit(TEXTS, TOPICS)
    assert clf.score(TEXTS, TOPICS) == 1.0
    np.testing.assert_allclose(clf.predict_proba(TEXTS).sum(axis=1), 1, atol=1e-5)


def test_copies_predict_the_same(fitted, tmp_path):
    expected = fitted.predict_proba(TEXTS)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(TEXTS), expected)
    with pytest.warns(UserWarning, match="network=.*cannot be saved; a loaded classifier predicts"):
        fitted.save(tmp_path / "model")
    loaded = sktextcnn.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), expected)
    copy = clone(fitted)
    assert copy.network is mean_of_vectors
    assert not hasattr(copy, "weights_")


def test_to_keras_agrees(fitted):
    ids = encode(TEXTS, fitted._tokenizer(), fitted.vocabulary_)
    padded = ids.padded(fitted.max_length_ - int(ids.lengths.max()))
    found = np.asarray(fitted.to_keras()(padded))
    np.testing.assert_allclose(found, fitted.predict_proba(TEXTS), atol=1e-5)


def test_the_linear_part_is_explained(fitted, alone):
    logits = fitted.decision_function(TEXTS)
    assert fitted.linear_part_ is not None
    for row, explanations in enumerate(fitted.explain(TEXTS, labels=LABELS)):
        assert [e.label for e in explanations] == LABELS
        np.testing.assert_allclose([e.logit for e in explanations], logits[row], atol=1e-4)
    evidence = [
        e for (explanation,) in fitted.explain(TEXTS, labels="sport") for e in explanation.evidence
    ]
    assert {e.stop - e.start for e in evidence} == {1, 2}
    with pytest.raises(ValueError, match=r"its network is your own\. Fit it with linear=True"):
        alone.explain(TEXTS)


def test_it_stands_in_a_search_beside_the_standard_one():
    grid = {"network": [None, mean_of_vectors]}
    search = GridSearchCV(tiny(epochs=1), grid, cv=2, scoring="f1_micro", refit=False)
    search.fit(TEXTS, as_label_matrix(TAGS))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_training_goes_on():
    clf = tiny(network=mean_of_vectors, warm_start=True, epochs=1).fit(TEXTS, TAGS).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 2
    assert clf.partial_fit(TEXTS, TAGS).n_epochs_ == 3
    before = clf.weights_
    with pytest.raises(ValueError, match="network= changed from or to None"):
        clf.set_params(network=None).fit(TEXTS, TAGS)
    assert clf.weights_ is before


def test_a_limit_of_length_is_needed_and_found():
    clf = tiny(network=mean_of_vectors, max_length=None, epochs=1).fit(TEXTS, TAGS)
    longest = int(encode(TEXTS, clf._tokenizer(), clf.vocabulary_).lengths.max())
    assert clf.max_length_ == longest
    assert clf.predict_proba(["word " * 99]).shape == (1, 3)


def test_pretrained_vectors_are_handed_over():
    given = {}

    def network(n_tokens, n_labels, embeddings):
        given["table"] = embeddings
        return mean_of_vectors(n_tokens, n_labels, 2)

    vectors = {"match": [1.0, 2.0], "soup": [3.0, 4.0]}
    clf = tiny(network=network, embeddings=vectors, epochs=1).fit(TEXTS, TAGS)
    assert given["table"].shape == (len(clf.vocabulary_) + 2, 2)
    np.testing.assert_array_equal(given["table"][clf.vocabulary_["match"] + 2], [1, 2])


def test_what_cannot_be_saved_says_so_at_save(tmp_path):
    clf = tiny(network=with_lambda, epochs=1).fit(TEXTS, TAGS)
    assert clf.predict_proba(TEXTS).shape == (len(TEXTS), 3)
    with pytest.raises(ValueError, match="The network cannot be saved"):
        clf.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"gives probabilities.*activation='sigmoid'.*Expected logits"):
        tiny(network=probabilities).fit(TEXTS, TAGS)
    with pytest.raises(
        ValueError, match=r"engine='compiled' trains the standard network .* network= needs"
    ):
        tiny(network=mean_of_vectors, engine="compiled").fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="and keras_callbacks= needs Keras"):
        tiny(keras_callbacks=list, engine="compiled").fit(TEXTS, TAGS)
