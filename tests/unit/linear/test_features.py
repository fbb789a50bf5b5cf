"""N-grams of token ids, their tf-idf features, and the sum of two parts' scores."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from sktextcnn.linear import features as module
from sktextcnn.linear.features import learn_ngrams, ngram_features
from sktextcnn.linear.part import LinearPart, blend_logits, multiply
from sktextcnn.text.tokens import FIRST_TOKEN, TokenIds

#: One more than the largest id below, so that any two n-grams with one key would be found.
BASE = 7

VOCABULARY = [str(token) for token in range(FIRST_TOKEN, BASE)]

ranges = st.sampled_from([(1, 1), (1, 2), (2, 2), (2, 3), (1, 3), (3, 3)])
# 1 is an unknown token.
rows = st.lists(st.lists(st.integers(1, BASE - 1), max_size=7), max_size=10)
several_rows = st.lists(st.lists(st.integers(1, BASE - 1), max_size=7), min_size=2, max_size=10)


def ids_of(texts):
    offsets = np.cumsum([0, *map(len, texts)])
    return TokenIds(np.array([token for text in texts for token in text], np.int32), offsets)


def learned(texts, ngram_range=(1, 2), *, base=BASE):
    vocabulary = range(FIRST_TOKEN, base)  # no n-grams of characters are asked for
    return learn_ngrams(ids_of(texts), ngram_range, None, vocabulary=vocabulary)


def joined(texts, prefix):
    """Texts of words; every unknown token is a word that comes once, and so part of no n-gram kept."""
    return [
        " ".join(f"{prefix}.{row}.{at}" if token == 1 else str(token) for at, token in enumerate(text))
        for row, text in enumerate(texts)
    ]


def peer(texts, ngram_range):
    """Return scikit-learn's vectorizer, fitted, and the keys of its columns; None if it has none."""
    vectorizer = TfidfVectorizer(
        token_pattern=r"\S+", ngram_range=ngram_range, sublinear_tf=True, min_df=2
    )
    try:
        vectorizer.fit(joined(texts, "first"))
    except ValueError as error:  # both spellings of "nothing is left"
        if not ("no terms remain" in str(error) or "empty vocabulary" in str(error)):
            raise
        return None, np.zeros(0, np.int64)
    keys = []
    for name in vectorizer.get_feature_names_out():
        key = 0
        for token in name.split():
            key = key * BASE + int(token)
        keys.append(key)
    return vectorizer, np.array(keys)


@given(several_rows, rows, ranges)
def test_features_are_those_of_scikit_learn(texts, others, ngram_range):
    ngrams, features = learned(texts, ngram_range)
    vectorizer, keys = peer(texts, ngram_range)
    assert ngrams.keys.tolist() == sorted(keys)
    assert (ngrams.ngram_range, ngrams.base) == (ngram_range, BASE)
    assert features.dtype == ngrams.idf.dtype == np.float32
    assert features.shape == (len(texts), len(keys))
    new = ngram_features(ids_of(others), ngrams)
    assert new.shape == (len(others), len(keys))
    if vectorizer is None:
        return
    order = np.argsort(keys)
    np.testing.assert_allclose(ngrams.idf, vectorizer.idf_[order], rtol=1e-6)
    expected = vectorizer.transform(joined(texts, "first")).toarray()[:, order]
    np.testing.assert_allclose(features.toarray(), expected, atol=1e-6)
    if others:
        expected = vectorizer.transform(joined(others, "second")).toarray()[:, order]
        np.testing.assert_allclose(new.toarray(), expected, atol=1e-6)


@given(rows, ranges)
def test_learned_features_are_the_features_of_the_same_texts(texts, ngram_range):
    ngrams, features = learned(texts, ngram_range)
    again = ngram_features(ids_of(texts), ngrams)
    assert again.dtype == features.dtype
    np.testing.assert_array_equal(again.toarray(), features.toarray())


@given(several_rows, ranges, st.data())
def test_a_text_is_scored_alike_alone_and_among_others(texts, ngram_range, data):
    """Bit for bit: features, and scores blended from them."""
    ids = ids_of(texts)
    ngrams, features = learned(texts, ngram_range)
    rng = np.random.default_rng(0)
    n, k, m = len(texts), 3, len(ngrams.keys)
    kernel, bias = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=k).astype(np.float32)
    linear = LinearPart(ngrams, csr_matrix(kernel), bias, np.array([0.7, 3.0, -0.2], np.float32))
    logits = rng.normal(size=(n, k)).astype(np.float32)
    together = linear.add_to(logits, ids)
    chosen = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n)))
    part = ids.take(chosen)
    np.testing.assert_array_equal(ngram_features(part, ngrams).toarray(), features.toarray()[chosen])
    np.testing.assert_array_equal(linear.add_to(logits[chosen], part), together[chosen])
    for row in range(n):
        alone = linear.add_to(logits[[row]], ids.take(np.array([row])))
        np.testing.assert_array_equal(alone[0], together[row])


def test_longer_texts_too_are_scored_alike_alone_and_among_others():
    rng = np.random.default_rng(0)
    texts = [rng.integers(1, BASE, rng.integers(0, 90)).tolist() for _ in range(60)]
    ids = ids_of(texts)
    ngrams, features = learned(texts)
    kernel = np.float32(rng.normal(size=(len(ngrams.keys), 3)))
    together = features @ kernel
    for row in range(len(texts)):
        alone = ngram_features(ids.take(np.array([row])), ngrams)
        np.testing.assert_array_equal(alone.toarray()[0], features[row].toarray()[0])
        np.testing.assert_array_equal((alone @ kernel)[0], together[row])


@given(several_rows, ranges)
def test_features_have_length_one_or_are_empty(texts, ngram_range):
    _, features = learned(texts, ngram_range)
    lengths = np.sqrt((features.toarray().astype(float) ** 2).sum(axis=1))
    assert all(length == 0 or abs(length - 1) < 1e-6 for length in lengths)


def test_ngrams_do_not_reach_over_unknown_tokens_and_text_ends():
    texts = [[2, 3, 1, 4], [2, 3], [4, 2], [1, 4]]
    ngrams, _ = learned(texts, (2, 2))
    assert ngrams.keys.tolist() == [2 * BASE + 3]
    features = ngram_features(ids_of([[2, 1, 3], [2], [3, 2], [2, 3]]), ngrams)
    assert features.toarray().tolist() == [[0], [0], [0], [1]]


def test_a_single_text_keeps_all_its_ngrams():
    ngrams, features = learned([[2, 3, 2]], (1, 2))
    assert ngrams.keys.tolist() == [2, 3, 2 * BASE + 3, 3 * BASE + 2]
    assert features.count_nonzero() == 4


@pytest.mark.parametrize("texts", [[], [[]], [[], []], [[1, 1], [1]], [[2], [3]]], ids=str)
def test_texts_without_ngrams(texts):
    """Nothing to learn from, and nothing to see: the margins are the biases alone."""
    ngrams, features = learned(texts)
    assert ngrams.keys.size == ngrams.idf.size == 0
    assert features.shape == (len(texts), 0)
    bias = np.array([1.0, -1.0, 0.5], np.float32)
    linear = LinearPart(ngrams, csr_matrix((0, 3), dtype=np.float32), bias, np.array([1.0, 2.0, 0.0]))
    blended = linear.add_to(np.zeros((2, 3), np.float32), ids_of([[2, 3], []]))
    np.testing.assert_array_equal(blended, [2 * bias] * 2)


def test_the_longest_keys_of_the_largest_default_vocabulary():
    """Trigrams of 50,000 tokens fit into 64 bits, and no two share a key."""
    base = 50_002
    highest = [base - 1, base - 2, base - 1]
    texts = [highest, [*highest, 2, 2, 2], [2, 2, 2], [base - 1, base - 1]]
    ngrams, features = learned(texts, (1, 3), base=base)
    trigram = (base - 1) * base**2 + (base - 2) * base + (base - 1)
    assert ngrams.keys[-1] == trigram
    assert (np.diff(ngrams.keys) > 0).all()
    assert ngrams.keys[0] == 2
    has_trigram = features.toarray()[:, -1] > 0
    assert has_trigram.tolist() == [True, True, False, False]


def test_the_rarest_ngrams_go_first_where_there_are_too_many(monkeypatch):
    texts = [[2, 3, 4, 5], [2, 3, 4, 6], [2, 5, 6], [2, 3]]  # in 4, 3, 2, 2 and 2 texts
    assert learned(texts, (1, 1))[0].keys.tolist() == [2, 3, 4, 5, 6]
    monkeypatch.setattr(module, "MOST_NGRAMS", 3)
    ngrams, features = learned(texts, (1, 1))
    assert ngrams.keys.tolist() == [2, 3, 4]  # ties go to the lower key
    assert len(ngrams.idf) == 3
    assert features.shape == (4, 3)
    np.testing.assert_array_equal(features.toarray(), ngram_features(ids_of(texts), ngrams).toarray())


@given(several_rows, ranges)
def test_the_texts_are_left_alone(texts, ngram_range):
    ids = ids_of(texts)
    ids.flat.setflags(write=False)
    ids.offsets.setflags(write=False)
    ngrams, features = learn_ngrams(ids, ngram_range, (1, 2), vocabulary=VOCABULARY)
    assert ngram_features(ids, ngrams).shape == features.shape
    assert ids.flat.tolist() == [token for text in texts for token in text]


# -- products ----------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.integers(0, 12), st.integers(0, 9), st.integers(1, 5))
def test_a_product_has_the_same_bits_by_dense_rows_and_by_sparse_ones(seed, n, m, k):
    rng = np.random.default_rng(seed)
    features = np.where(rng.random((n, m)) < 0.4, rng.random((n, m)), 0).astype(np.float32)
    kernel = np.where(rng.random((m, k)) < 0.3, rng.normal(size=(m, k)), 0).astype(np.float32)
    given = csr_matrix(features), csr_matrix(kernel)
    product = multiply(*given)
    assert (product.shape, product.dtype) == ((n, k), np.float32)
    np.testing.assert_allclose(product, features @ kernel, atol=1e-5)
    with patch("sktextcnn.linear.part.MOST_DENSE", -1):
        np.testing.assert_array_equal(multiply(*given), product)
    for row in range(n):
        np.testing.assert_array_equal(multiply(given[0][row], given[1])[0], product[row])


# -- the sum -----------------------------------------------------------------------------------------


def test_scores_are_a_weighted_sum_of_both_parts():
    texts = [[2, 3, 4], [2, 3], [], [4, 4, 1]]
    ngrams, features = learned(texts, (1, 2))
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(len(ngrams.keys), 2)).astype(np.float32)
    bias, logits = np.array([0.5, -0.5], np.float32), rng.normal(size=(4, 2)).astype(np.float32)
    blend = np.array([[0.25, 0.5], [2.0, 1.0], [-1.0, 0.0]])  # label by label
    blended = LinearPart(ngrams, csr_matrix(kernel), bias, blend).add_to(logits, ids_of(texts))
    assert blended.dtype == np.float32
    expected = blend[0] * logits + blend[1] * (features.toarray() @ kernel + bias) + blend[2]
    np.testing.assert_allclose(blended, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(blended, blend_logits(logits, features @ kernel + bias, blend))


def test_the_sum_is_float32_and_leaves_both_parts_alone():
    logits, margins = np.array([[1.0, -1.0]], np.float32), np.array([[0.5, 2.0]], np.float32)
    blended = blend_logits(logits, margins, np.array([[2.0, 1.0], [4.0, 1.0], [1.0, 0.0]]))
    assert blended.dtype == np.float32
    assert blended.tolist() == [[5.0, 1.0]]
    assert logits.tolist() == [[1.0, -1.0]]
    assert margins.tolist() == [[0.5, 2.0]]


@given(several_rows, ranges, st.sampled_from([None, (1, 2), (2, 3)]))
def test_the_linear_part_as_arrays(texts, ngram_range, char_ngram_range):
    """They are of a network's kind, and say all of it: what comes of them gives the same scores."""
    ids, rng = ids_of(texts), np.random.default_rng(0)
    ngrams, features = learn_ngrams(ids, ngram_range, char_ngram_range, vocabulary=VOCABULARY)
    kernel, bias, blend = (
        rng.normal(size=shape).astype(np.float32) for shape in ((features.shape[1], 2), 2, (3, 2))
    )
    part = LinearPart(ngrams, csr_matrix(kernel), bias, blend)
    arrays = part.to_arrays()
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    again = LinearPart.from_arrays(arrays)
    assert again.ngrams.base == BASE
    assert again.counts_characters == part.counts_characters
    logits = np.zeros((len(texts), 2), np.float32)
    np.testing.assert_array_equal(again.add_to(logits, ids), part.add_to(logits, ids))
    np.testing.assert_array_equal(again.ngrams.idf, ngrams.idf)
