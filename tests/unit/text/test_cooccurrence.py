"""Vectors learned from texts without labels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sktextcnn import TextCNNClassifier, learn_embeddings
from sktextcnn.text.cooccurrence import _count_neighbours, _positive_information
from sktextcnn.text.tokens import encode

TOPICS = {
    "sport": ["goal", "match", "striker", "referee", "keeper", "league", "penalty", "derby"],
    "politics": ["vote", "minister", "budget", "senate", "election", "treaty", "debate", "reform"],
}


def sentences(n, seed, topics=("sport", "politics")):
    """Texts of one topic's words each, among words of no topic; and their topics."""
    rng = np.random.default_rng(seed)
    tags = [str(rng.choice(topics)) for _ in range(n)]
    texts = []
    for tag in tags:
        words = [*rng.choice(TOPICS[tag], 4), *(f"w{i}" for i in rng.integers(0, 6, 4))]
        texts.append(" ".join(rng.permutation(words)))
    return texts, tags


UNLABELLED, _ = sentences(600, 1)


def test_words_with_the_same_neighbours_have_like_vectors():
    vectors = learn_embeddings(UNLABELLED, dim=8, random_state=0)
    assert {*vectors.words} >= {*TOPICS["sport"], *TOPICS["politics"]}
    sport, politics = (
        np.stack([vectors[word] for word in words]) / np.linalg.norm(vectors["goal"])
        for words in TOPICS.values()
    )
    within = min((sport @ sport.T).min(), (politics @ politics.T).min())
    assert within > (sport @ politics.T).max()
    np.testing.assert_allclose(np.linalg.norm(vectors.vectors, axis=1), 3.0, rtol=1e-5)
    assert vectors.vectors.dtype == np.float32


def test_labels_reach_words_that_no_labelled_text_holds():
    """Two words of each topic are labelled; vectors tell that the others are used like them."""
    labelled = ["the goal match", "a match goal", "the vote minister", "a minister vote"] * 3
    tags = ["sport", "sport", "politics", "politics"] * 3
    new = [" ".join(words[2:5]) for words in TOPICS.values()] + [
        " ".join(words[5:]) for words in TOPICS.values()
    ]
    vectors = learn_embeddings(UNLABELLED, dim=8, random_state=0)
    options = {"validation": None, "epochs": 100, "embedding_mode": "static", "random_state": 0}
    clf = TextCNNClassifier(embeddings=vectors, **options).fit(labelled, tags)
    assert clf.predict(new).tolist() == ["sport", "politics"] * 2


def test_same_random_state_same_vectors():
    first, second = (learn_embeddings(UNLABELLED, dim=8, random_state=3) for _ in range(2))
    assert first == second


def test_an_estimator_with_them_is_cloned_and_pickled():
    vectors = learn_embeddings(UNLABELLED, dim=8, random_state=0)
    clf = TextCNNClassifier(embeddings=vectors)
    assert clone(clf).embeddings is vectors
    assert pickle.loads(pickle.dumps(clf)).embeddings == vectors


def test_neighbours_are_counted_within_texts_by_distance():
    vocabulary = {"a": 0, "b": 1, "c": 2}
    ids = encode(["a b x c", "c a", "", "b"], str.split, vocabulary)
    counts = _count_neighbours(ids, 3, 2).toarray()
    np.testing.assert_allclose(counts, [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]])
    counts = _count_neighbours(ids, 3, 3).toarray()
    np.testing.assert_allclose(counts[0, 2], 1 + 1 / 3)


def test_positive_information_against_its_definition():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (6, 6)).astype(float)
    counts += counts.T
    totals = counts.sum(axis=1)
    share = totals**0.75 / (totals**0.75).sum()
    with np.errstate(divide="ignore"):
        expected = np.maximum(np.log(counts / totals[:, None] / share), 0)
    from scipy import sparse

    found = _positive_information(sparse.csr_matrix(counts))
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-12)


def test_tokens_are_those_of_the_classifier():
    vectors = learn_embeddings(["Tea, Milk"] * 5, dim=1, lowercase=False, random_state=0)
    assert sorted(vectors.words) == [",", "Milk", "Tea"]
    vectors = learn_embeddings(["tea milk"] * 5, dim=2, analyzer="char", random_state=0)
    assert {*vectors.words} == {*"tea milk"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 400}, r"dim=400, but only \d+ tokens occur in min_df=5 texts"),
        ({"dim": 0}, "dim=0; expected an int of at least 1"),
        ({"dim": True}, "dim=True; expected an int of at least 1"),
        ({"window": 1.5}, "window=1.5; expected an int of at least 1"),
        ({"min_df": 601}, "No token occurs in min_df=601"),
    ],
)
def test_bad_numbers(options, message):
    with pytest.raises(ValueError, match=message):
        learn_embeddings(UNLABELLED, **{"dim": 8, **options})


@pytest.mark.parametrize("texts", ["a text", [1, 2], None])
def test_what_is_no_texts(texts):
    with pytest.raises(TypeError, match="X"):
        learn_embeddings(texts)
