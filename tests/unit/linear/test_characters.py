"""N-grams of characters: what the linear part makes of word forms, and of words it has never seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from sktextcnn import TextCNNClassifier
from sktextcnn.linear.characters import char_ngrams
from sktextcnn.linear.features import learn_ngrams, ngram_features
from sktextcnn.linear.part import LinearPart
from sktextcnn.text.tokens import encode
from sktextcnn.text.vocabulary import learn_vocabulary

words = st.text("ab\u00e9\U0001f600c", min_size=1, max_size=6)
corpora = st.lists(st.lists(words, max_size=6), min_size=2, max_size=8)
char_ranges = st.sampled_from([(1, 1), (2, 2), (4, 4), (2, 3), (3, 5)])


def learned(corpus, char_ngram_range, ngram_range=(1, 2), min_df=1):
    vocabulary, ids = learn_vocabulary(corpus, list, min_df=min_df)
    found = learn_ngrams(ids, ngram_range, char_ngram_range, vocabulary=[*vocabulary])
    return vocabulary, ids, *found


def peer(corpus, char_ngram_range, vocabulary):
    """Return scikit-learn's features of known tokens, their pairs, and characters of all tokens."""

    def analyze(tokens):
        known = [token in vocabulary for token in tokens]
        found = [f"word {token}" for token in tokens if token in vocabulary]
        for i in range(len(tokens) - 1):
            if known[i] and known[i + 1]:
                found.append(f"pair {tokens[i]} {tokens[i + 1]}")
        ngrams = [ngram for token in tokens for ngram in char_ngrams(token, char_ngram_range)]
        return found + [f"characters {ngram}" for ngram in ngrams]

    return TfidfVectorizer(analyzer=analyze, sublinear_tf=True, min_df=2).fit(corpus)


@given(corpora, corpora, char_ranges, st.integers(1, 2))
def test_features_are_those_of_scikit_learn(corpus, others, char_ngram_range, min_df):
    corpus = [*corpus, ["ab", "ab"], ["ab"]]
    vocabulary, ids, ngrams, features = learned(corpus, char_ngram_range, min_df=min_df)
    vectorizer = peer(corpus, char_ngram_range, vocabulary)
    found = sorted(name for name in vectorizer.vocabulary_ if name.startswith("characters "))
    assert [f"characters {ngram}" for ngram in ngrams.characters.ngrams] == found
    assert features.shape == (len(corpus), len(vectorizer.vocabulary_))
    columns = [vectorizer.vocabulary_[name] for name in found]
    for texts, own in ((corpus, features), (others, ngram_features(new(others, vocabulary), ngrams))):
        expected = vectorizer.transform(texts).toarray()
        # Texts have length 1, so characters weigh as much beside words as they do there.
        np.testing.assert_allclose(own.toarray()[:, len(ngrams.keys) :], expected[:, columns], atol=1e-6)
        lengths = np.sqrt((own.toarray() ** 2).sum(axis=1))
        np.testing.assert_allclose(lengths, expected.any(axis=1).astype(float), atol=1e-6)
    np.testing.assert_array_equal(ngram_features(ids, ngrams).toarray(), features.toarray())


def new(texts, vocabulary):
    return encode(texts, list, vocabulary, keep_unknown=True)


@given(corpora, corpora, char_ranges, st.randoms(use_true_random=False))
def test_a_text_is_scored_alike_alone_and_among_others(corpus, others, char_ngram_range, random):
    """Bit for bit, whatever unknown tokens others have brought along."""
    corpus = [*corpus, ["ab", "ab"], ["ab"]]
    vocabulary, _, ngrams, features = learned(corpus, char_ngram_range, min_df=2)
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(features.shape[1], 2)).astype(np.float32)
    part = LinearPart(ngrams, csr_matrix(kernel), np.ones(2, np.float32), np.ones((3, 2), np.float32))
    logits = np.zeros((len(others), 2), np.float32)
    together = part.add_to(logits, new(others, vocabulary))
    order = random.sample(range(len(others)), len(others))
    shuffled = part.add_to(logits, new([others[i] for i in order], vocabulary))
    np.testing.assert_array_equal(shuffled, together[order])
    for row, text in enumerate(others):
        alone = part.add_to(logits[:1], new([text], vocabulary))
        np.testing.assert_array_equal(alone[0], together[row])


@pytest.mark.parametrize(
    ("token", "ngram_range", "expected"),
    [
        ("tea", (4, 4), [" tea", "tea "]),
        ("a", (4, 4), []),
        ("a", (3, 4), [" a "]),
        ("ab", (1, 2), [" ", "a", "b", " ", " a", "ab", "b "]),
        ("tea", (0, 0), []),
        ("", (2, 2), ["  "]),
    ],
)
def test_split(token, ngram_range, expected):
    assert char_ngrams(token, ngram_range) == expected


FORMS = ["photograph", "photographs", "photographer", "photography", "photographing"]
OTHERS = ["minister", "ministers", "ministry", "ministerial", "ministries"]


def few(**options):
    """Texts whose words come once, but for their stems; and forms of both that are in none of them."""
    texts = [f"the {word} {i}" for i, word in enumerate([*FORMS[:4], *OTHERS[:4]] * 3)]
    tags = ([["art"]] * 4 + [["politics"]] * 4) * 3
    return TextCNNClassifier(epochs=2, filters=8, random_state=0, **options).fit(texts, tags)


def test_words_never_seen_speak_by_their_characters():
    texts = ["photographing", "ministries"]
    with_characters, without = few(), few(linear_char_ngram_range=None)
    assert not {*texts} & with_characters.vocabulary_.keys()
    logits = with_characters.decision_function(texts)
    assert (logits[:, 0] > logits[:, 1]).tolist() == [True, False]
    same = without.decision_function(texts)
    np.testing.assert_array_equal(same[0], same[1])  # two unknown words are one to it


def test_explanations_add_up_over_words_never_seen():
    clf = few()
    texts = ["the photographing ministries", "photographing photographing the", "", "zzzz photograph"]
    logits = clf.decision_function(texts)
    for row, explanations in zip(logits, clf.explain(texts, labels=clf.classes_), strict=True):
        for logit, told in zip(row, explanations, strict=True):
            total = told.base + sum(evidence.contribution for evidence in told.evidence)
            assert told.logit == pytest.approx(float(logit), abs=1e-5)
            assert total == pytest.approx(float(logit), abs=1e-5)
    (art, _), *_ = clf.explain(texts, labels=clf.classes_)
    words = {evidence.ngram: evidence.contribution for evidence in art.evidence}
    assert words["photographing"] > 0 > words["ministries"]


def test_with_one_character_for_a_token_nothing_is_added():
    clf = few(analyzer="char")
    assert len(clf.linear_part_.ngrams.characters.ngrams) == 0


def test_texts_are_truncated_before_characters_are_counted():
    clf = few(max_length=2)
    first, second = clf.decision_function(["the minister photographing", "the minister"])
    np.testing.assert_array_equal(first, second)
