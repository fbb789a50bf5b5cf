"""What is no list of texts, and what is said about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.examples import TAGS, TEXTS, tiny


def name_of_options(value):
    """Name a case by its parameters: sets and functions among values differ between processes."""
    return "-".join(value) if isinstance(value, dict) else None


@pytest.fixture(scope="module")
def clf():
    return tiny().fit(TEXTS, TAGS)


def with_item(position, value):
    return [*TEXTS[:position], value, *TEXTS[position + 1 :]]


BAD_X = {
    "one str": ("a text", TypeError, r"X is a single str; pass a list of texts: \[text\]"),
    "bytes": (b"a text", TypeError, r"X is bytes; decode it"),
    "bytearray": (bytearray(b"a text"), TypeError, r"X is bytes; decode it"),
    "bytes inside": (with_item(4, b"a text"), TypeError, r"X\[4\] is bytes; .* Decode it"),
    "None inside": (with_item(3, None), TypeError, r"X\[3\] is None; .* Fill missing texts with ''"),
    "NaN inside": (with_item(0, float("nan")), TypeError, r"X\[0\] is nan; .* Fill missing texts"),
    "numpy NaN inside": (with_item(1, np.float32("nan")), TypeError, r"X\[1\] is nan; .* Fill missing"),
    "number inside": (
        with_item(11, 42),
        TypeError,
        r"X\[11\] is '42' of type int; every text must be a",
    ),
    "list inside": (
        with_item(2, ["a"]),
        TypeError,
        r"X\[2\] is .* of type list; every text must be a str",
    ),
    "object array with None": (np.array(with_item(5, None), dtype=object), TypeError, r"X\[5\] is None"),
    "Series with NaN": (pd.Series(with_item(5, np.nan), dtype=object), TypeError, r"X\[5\] is nan"),
    "polars with null": (pl.Series(with_item(5, None)), TypeError, r"X\[5\] is None"),
    "numbers": (np.arange(12), TypeError, r"X\[0\] is '0' of type int; every text must be a str"),
    "a number": (7, TypeError, r"X is a int; pass a 1-D sequence of str"),
    "None": (None, TypeError, r"X is a NoneType; pass a 1-D sequence of str"),
    "dict": ({"text": TEXTS}, TypeError, r"X is a dict; pass a 1-D sequence of str"),
    "set": (set(TEXTS), TypeError, r"X is a set; pass a 1-D sequence of str"),
    "no rows": ([], ValueError, r"X holds no texts: at least one is needed"),
    "empty array": (np.array([], dtype=object), ValueError, r"X holds no texts"),
    "several columns": (
        np.array([TEXTS, TEXTS]).T,
        ValueError,
        r"X has shape \(12, 2\); expected a 1-D",
    ),
    "several columns of a frame": (
        pd.DataFrame({"title": TEXTS, "text": TEXTS}),
        ValueError,
        r"X has shape \(12, 2\).* Select the text column, for example X\['text'\]",
    ),
    "three dimensions": (np.array(TEXTS).reshape(12, 1, 1), ValueError, r"X has shape \(12, 1, 1\)"),
    "scalar array": (np.array("a text"), (TypeError, ValueError), r"X (has shape \(\)|is a)"),
}


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize(
    "method", ["fit", "partial_fit", "predict", "predict_proba", "predict_labels", "score"]
)
def test_bad_texts(clf, case, method):
    X, error, message = BAD_X[case]
    arguments = (X, TAGS) if method in ("fit", "partial_fit", "score") else (X,)
    estimator = tiny() if method in ("fit", "partial_fit") else clf
    with pytest.raises(error, match=message):
        getattr(estimator, method)(*arguments)
    assert hasattr(estimator, "weights_") == (estimator is clf)


def test_missing_value_of_a_nullable_series(clf):
    with pytest.raises(TypeError, match=r"X\[5\] is .*; every text must be a str\. Fill missing texts"):
        clf.predict(pd.Series(with_item(5, None), dtype="string"))


def test_array_inside(clf):
    with pytest.raises(TypeError, match=r"X\[1\] is .* of type ndarray; every text must be a str"):
        clf.predict([TEXTS[0], np.array(["a", "b"])])


def test_no_tokens():
    with pytest.raises(ValueError, match="X holds no tokens: every text is empty"):
        tiny().fit(["", "  "], [["a"], ["b"]])
    with pytest.raises(ValueError, match=r"No token occurs in min_df=50 of the 12 texts; lower min_df"):
        tiny(min_df=50).fit(TEXTS, TAGS)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"vocabulary": ["Match", "Budget"]},
            r"vocabulary holds no token of the texts\. Its entries are such as 'Match', 'Budget'; the "
            r"texts' tokens such as 'the', 'match', 'ended', 'in'\. Texts are lower-cased first: "
            r"lower-case the entries, too, or set lowercase=False\.",
        ),
        (
            {"vocabulary": {"tee": 0, "milch": 1}},
            r"such as 'tee', 'milch'; the .* Entries are whole tokens, as analyzer, token_pattern, low",
        ),
        ({"vocabulary": ["the match"]}, "such as 'the match'; the texts' .* Entries are whole tokens"),
        (
            {"vocabulary": ["the"], "tokenizer": lambda text: text.upper().split(), "lowercase": False},
            "such as 'the'; .* such as 'THE', 'MATCH', .* not lower-cased first: set lowercase=True",
        ),
        ({"vocabulary": ["the"], "tokenizer": lambda text: []}, "the texts' tokens such as none"),
    ],
    ids=name_of_options,
)
def test_a_vocabulary_that_matches_nothing(options, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(tiny(**options), method)(TEXTS, TAGS)
