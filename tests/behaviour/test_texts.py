"""Texts of any kind are ordinary texts, and how they are taken apart."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import LABELS, TAGS, TEXTS, TOPICS, same_weights, tiny
from tests.forms import fitted


@pytest.fixture(scope="module")
def clf():
    return tiny().fit(TEXTS, TAGS)


@pytest.fixture(scope="module")
def single():
    return tiny().fit(TEXTS, TOPICS)


ODD = {
    "empty": "",
    "blank": " \t\n\u00a0",
    "unknown words only": "zyzzyva qwertz",
    "one megabyte": "the match ended in a draw " * 40_000,
    "one word of a megabyte": "x" * 1_000_000,
    "NUL": "the\x00match\x00",
    "lone surrogates": "the \ud800 match \udfff",
    "emoji": "⚽🏆👨‍👩‍👧 the match",
    "right to left": "المباراة انتهت بالتعادل",
    "marks in both directions": "\u202ethe match\u202c שלום",
    "combining": "e\u0301" * 100,
    "line ends": "the\r\nmatch\u2028ended\x0b",
    "one letter": "a",
}


@pytest.mark.parametrize("case", ODD)
def test_odd_texts_are_predicted(clf, single, case):
    text = ODD[case]
    alone = clf.predict_proba([text])
    among = clf.predict_proba([TEXTS[0], text, TEXTS[1]])
    assert alone.shape == (1, 3)
    assert np.isfinite(alone).all()
    assert np.array_equal(alone[0], among[1])
    assert clf.predict([text]).shape == (1, 3)
    assert clf.predict_labels([text]) == [clf.predict_labels([TEXTS[0], text])[1]]
    assert 0 <= clf.score([text], [["sport"]]) <= 1
    assert single.predict([text])[0] in LABELS


@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_odd_texts_are_learned_from(analyzer):
    odd = [text for case, text in ODD.items() if "megabyte" not in case]
    clf = tiny(analyzer=analyzer, epochs=1).fit([*TEXTS, *odd], [*TAGS, *[["odd"]] * len(odd)])
    assert clf.classes_.tolist() == ["food", "news", "odd", "sport"]
    assert np.isfinite(clf.predict_proba(odd)).all()
    assert same_weights(
        clf, tiny(analyzer=analyzer, epochs=1).fit([*TEXTS, *odd], [*TAGS, *[["odd"]] * len(odd)])
    )


def test_all_texts_without_a_known_word(clf):
    probabilities = clf.predict_proba(["", "", "zyzzyva"])
    assert np.array_equal(probabilities[0], probabilities[1])
    assert np.isfinite(probabilities).all()


@pytest.mark.parametrize("strip_accents", ["unicode", "ascii"])
def test_odd_texts_with_accents_stripped(strip_accents):
    clf = tiny(strip_accents=strip_accents, epochs=1).fit(TEXTS, TAGS)
    odd = [text for case, text in ODD.items() if "megabyte" not in case]
    assert np.isfinite(clf.predict_proba(odd)).all()


# -- how long they may be ---------------------------------------------------------------------------


def test_no_limit_of_length():
    clf = tiny(max_length=None).fit(TEXTS, TAGS)
    assert clf.max_length_ is None
    assert clf.predict(TEXTS).shape == (12, 3)
    assert same_weights(clf, fitted())


def test_max_length_none_reads_whole_texts():
    clf = tiny(max_length=None).fit(["a b", "b c"], [["x"], ["y"]])
    short, long = clf.decision_function(["a " * 500, "a " * 500 + "c"])
    assert (short != long).any()


@pytest.mark.parametrize(
    ("lengths", "max_length", "expected"),
    [
        ([5, 9], 0.95, 128),
        ([300] * 20, 0.95, 300),
        ([200] * 99 + [1000], 0.95, 200),
        ([200] * 99 + [1000], 0.999, 920),
        ([5, 9], 7, 7),
        ([5, 9], None, None),
    ],
    ids=str,
)
def test_truncation_follows_all_but_the_longest_texts(lengths, max_length, expected):
    texts = [" ".join(["word"] * length) for length in lengths]
    clf = tiny(max_length=max_length, epochs=1, kernel_sizes=(1,)).fit(texts, [["a"]] * len(texts))
    assert clf.max_length_ == clf.resolved_.max_length == expected


# -- how they are taken apart -----------------------------------------------------------------------


def test_token_pattern_is_not_needed_beside_a_tokenizer():
    a = tiny(token_pattern=None, tokenizer=str.split).fit(TEXTS, TAGS)
    assert same_weights(a, tiny(tokenizer=str.split).fit(TEXTS, TAGS))
    with pytest.raises(ValueError, match="token_pattern=None needs a tokenizer"):
        tiny(token_pattern=None).fit(TEXTS, TAGS)


def test_min_df_and_max_features_limit_the_vocabulary():
    assert set(tiny(min_df=3, epochs=1).fit(TEXTS, TAGS).vocabulary_) == {"the", "match", "a", "of"}
    assert len(tiny(max_features=4, epochs=1).fit(TEXTS, TAGS).vocabulary_) == 4
    assert "the" in tiny(min_df=0.5, epochs=1).fit(TEXTS, TAGS).vocabulary_


def test_a_single_match_of_the_vocabulary_is_enough():
    for method in ("fit", "partial_fit"):
        clf = getattr(tiny(vocabulary=["Tea", "soup"], max_length=1), method)(TEXTS, TAGS)
        assert clf.vocabulary_ == {"Tea": 0, "soup": 1}
