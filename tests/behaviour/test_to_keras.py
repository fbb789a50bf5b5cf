"""`to_keras`: a Keras model that says of ids what the classifier says of texts."""

from __future__ import annotations

import copy
import random
import re
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.engine.inference import compute_logits, to_probabilities
from sktextcnn.text.tokens import FIRST_TOKEN, encode
from tests.examples import TAGS, TEXTS, TOPICS, corpus, tiny
from tests.processes import run_python
from tests.strategies import examples_up_to

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

MANY, Y = corpus(100)
ONE_EACH = ["".join(np.array(["a", "b", "c"])[row == 1]) or "none" for row in np.asarray(Y)]
VECTORS = {f"a{i}": np.random.default_rng(i).normal(size=5) for i in range(4)} | {"striker": [1.0] * 5}

BOTH = {"linear": True, "validation": 0.3, "early_stopping": False, "epochs": 6, "learning_rate": 0.05}
FITS = {
    "several labels": lambda: tiny(hidden_units=5).fit(MANY, Y),
    "one label": lambda: tiny().fit(MANY, ONE_EACH),
    "two classes": lambda: tiny(hidden_units=6).fit(MANY, np.asarray(Y)[:, 0] == 1),
    "one distribution": lambda: tiny(loss="kl_divergence").fit(MANY, Y),
    **{
        f"vectors, {mode}": lambda mode=mode: tiny(embeddings=VECTORS, embedding_mode=mode).fit(MANY, Y)
        for mode in ("static", "multichannel")
    },
    **{
        f"n-grams of {sizes}": lambda sizes=sizes: tiny(**BOTH, linear_ngram_range=sizes, min_df=2).fit(
            MANY, Y
        )
        for sizes in [(1, 1), (1, 2), (2, 3)]
    },
    "n-grams of words alone": lambda: tiny(**BOTH, linear_char_ngram_range=None).fit(MANY, Y),
    "n-grams, one label": lambda: tiny(**BOTH).fit(MANY, ONE_EACH),
    # No text shares a word with another.
    "no n-grams": lambda: tiny(**BOTH, linear_char_ngram_range=None).fit(
        [f"one{i} two{i} three{i}" for i in range(40)], [["a"] if i % 4 else ["b"] for i in range(40)]
    ),
}


@pytest.fixture(scope="module", params=FITS)
def both_forms(request):
    """A classifier and its Keras model."""
    clf = FITS[request.param]()
    has_ngrams = "n-grams" in request.param and request.param != "no n-grams"
    assert (clf.linear_part_ is not None) == has_ngrams
    return clf, clf.to_keras()


def assert_agree(clf, model, texts, extra=0):
    ids = encode(texts, clf._tokenizer(), clf.vocabulary_)
    # Ids do not tell what an unknown token looks like, to the Keras model or to ours.
    logits = compute_logits(clf.weights_, ids)
    if clf.linear_part_ is not None:
        logits = clf.linear_part_.add_to(logits, ids)
    exclusive = clf.loss_ in ("kl_divergence", "categorical_crossentropy")
    expected = to_probabilities(logits, exclusive=exclusive)
    if (ids.flat >= FIRST_TOKEN).all():
        np.testing.assert_allclose(expected, clf.predict_proba(texts), atol=1e-6)
    found = np.asarray(model(ids.padded(extra)))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if exclusive:
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


TOKENS = st.sampled_from([*["a0", "a0", "a1", "b0", "b1", "c2", "w0", "w1", "w2", "unheard", "striker"]])


@examples_up_to(6)
@given(rows=st.lists(st.lists(TOKENS, max_size=9), min_size=1, max_size=4), extra=st.integers(0, 3))
def test_it_says_the_same(both_forms, rows, extra):
    assert_agree(*both_forms, [" ".join(row) for row in rows], extra)


def test_it_says_the_same_of_odd_texts(both_forms):
    texts = ["", "a0", "unheard", "a0 b0 " * 20, "a0 a0 a0 a0 a0", "unheard a0 b0 unheard", *MANY]
    assert_agree(*both_forms, texts)
    assert_agree(*both_forms, MANY[:30], extra=3)


def test_both_parts_have_their_say():
    clf = FITS["n-grams of (1, 2)"]()
    expected = clf.predict_proba(MANY)
    without = replace(clf.linear_part_, kernel=0 * clf.linear_part_.kernel)
    silent = {**clf.weights_, "output_kernel": np.zeros_like(clf.weights_["output_kernel"])}
    for attribute, value in [("linear_part_", without), ("weights_", silent)]:
        other = copy.copy(clf)
        setattr(other, attribute, value)
        assert np.abs(other.predict_proba(MANY) - expected).max() > 0.01
        assert_agree(other, other.to_keras(), MANY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("y", "hidden_units"), [(TAGS, None), (TOPICS, 6)], ids=["several labels", "one label"]
)
def test_ids_can_be_made_by_hand(y, hidden_units):
    """Numbers of the vocabulary and 2, after a fit by the Keras engine as well."""
    clf = tiny(hidden_units=hidden_units, engine="keras").fit(TEXTS, y)
    rows = [[clf.vocabulary_.get(word, -1) + 2 for word in re.findall(r"\w+|[^\w\s]", t)] for t in TEXTS]
    ids = np.zeros((len(rows), max(map(len, rows)) + 3), np.int32)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    found = clf.to_keras().predict(ids, verbose=0)
    np.testing.assert_allclose(found, clf.predict_proba(TEXTS), atol=1e-5)


def test_it_leaves_the_global_state_of_python_alone():
    clf, before = tiny().fit(TEXTS, TAGS), random.getstate()
    clf.to_keras()
    assert random.getstate() == before


def test_it_can_be_trained_on():
    clf = tiny().fit(TEXTS, TAGS)
    model = clf.to_keras()
    model.compile(optimizer="sgd", loss="binary_crossentropy", run_eagerly=True)
    ids, y = np.array([[2, 3, 0], [4, 0, 0], [0, 0, 0]], np.int32), np.eye(3, dtype=np.float32)
    before = model.evaluate(ids, y, verbose=0)
    model.fit(ids, y, epochs=2, verbose=0)
    assert model.evaluate(ids, y, verbose=0) != before


LOAD = """
    import sys
    import keras, numpy as np
    import sktextcnn.engine.network  # knows the layers

    ids = np.load(sys.argv[1])
    for path in sys.argv[2:]:
        np.save(path + ".npy", np.asarray(keras.saving.load_model(path)(ids)))
"""


@pytest.mark.slow
def test_it_is_saved_and_loaded_in_another_process(tmp_path):
    names = ["several labels", "n-grams of words alone", "n-grams, one label"]
    fits = {name: FITS[name]() for name in names}
    texts = ["", "a0 b1 c2", "unheard a0", *MANY[:10]]
    ids = encode(texts, str.split, fits["several labels"].vocabulary_)
    np.save(tmp_path / "ids.npy", ids.padded(2))
    paths = [str(tmp_path / f"{number}.keras") for number in range(len(fits))]
    for clf, path in zip(fits.values(), paths, strict=True):
        clf.to_keras().save(path)
        loaded = keras.saving.load_model(path)
        assert loaded.get_layer("convolution_2").get_weights()[0].shape == (2, 8, 4)
    run_python(LOAD, tmp_path / "ids.npy", *paths, TF_CPP_MIN_LOG_LEVEL="2")
    for clf, path in zip(fits.values(), paths, strict=True):
        expected = np.asarray(clf.to_keras()(ids.padded(2)))
        np.testing.assert_allclose(np.load(path + ".npy"), expected, atol=1e-6)
