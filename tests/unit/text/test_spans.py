"""Spans point at the characters that tokens were made of, whatever was done to the text before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.text.spans import find_spans
from sktextcnn.text.tokens import build_tokenizer
from tests.strategies import examples_up_to, texts

#: Characters that become several, none, or other ones where cases or accents go.
ODD_CHARACTERS = "İI\u0131ßẞΣς\u03c3éàﬁ½ªΩÅ한각が\u0301\u0327\u0345\u1e9b\u1d160x \n#'.\U0001f600"
odd_texts = texts() | st.text(alphabet=ODD_CHARACTERS, max_size=12)

KINDS = [
    {},
    {"lowercase": False},
    {"strip_accents": "unicode"},
    {"strip_accents": "ascii"},
    {"analyzer": "char"},
    {"analyzer": "char", "strip_accents": "unicode"},
    {"analyzer": "char", "strip_accents": "ascii", "lowercase": False},
]


def spans_of(text, **options):
    tokenize = build_tokenizer(**options)
    return find_spans(text, tokenize(text), tokenize)


def parts(text, **options):
    """Return what stands in the text where its tokens are."""
    return [text[start:stop] for start, stop in spans_of(text, **options)]


@given(options=st.sampled_from(KINDS), text=odd_texts, size=st.integers(1, 3))
@examples_up_to(300)
def test_what_stands_there_makes_the_tokens_again(options, text, size):
    tokenize = build_tokenizer(**options)
    # A sigma at the end of a word is another one, which folding makes the same.
    tokens = [token.casefold() for token in tokenize(text)]
    spans = find_spans(text, tokens, tokenize)
    assert len(spans) == len(tokens)
    for first in range(len(tokens) - size + 1):
        start, stop = spans[first][0], spans[first + size - 1][1]
        assert 0 <= start < stop <= len(text)
        ngram = tokens[first : first + size]
        found = [token.casefold() for token in tokenize(text[start:stop])]
        others = spans[:first] + spans[first + size :]
        if any(other_start < stop and start < other_stop for other_start, other_stop in others):
            assert "".join(ngram) in "".join(found)  # a character of theirs made other tokens, too
        else:
            assert found == ngram


@given(options=st.sampled_from(KINDS), text=odd_texts)
def test_spans_are_in_order_and_what_they_leave_out_makes_no_token(options, text):
    tokenize = build_tokenizer(**options)
    spans = find_spans(text, tokenize(text), tokenize)
    assert spans == sorted(spans)
    covered = {position for start, stop in spans for position in range(start, stop)}
    left = [letter for position, letter in enumerate(text) if position not in covered]
    assert [*tokenize("".join(left))] == []


@given(text=odd_texts)
def test_a_group_is_what_the_token_was_made_of(text):
    pattern = r"#?(\w+)\b"
    tokenize = build_tokenizer(token_pattern=pattern, strip_accents="unicode")
    tokens = tokenize(text)
    prepared = [tokenize.prepare(text[start:stop]) for start, stop in find_spans(text, tokens, tokenize)]
    # A character that makes several, such as a fraction, may be cut by the pattern.
    assert all(
        token.casefold() in whole.casefold() for token, whole in zip(tokens, prepared, strict=True)
    )


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("İstanbul's İ", {}, ["İ", "İ", "stanbul", "'", "s", "İ", "İ"]),
        ("Straße, GRÜẞE", {}, ["Straße", ",", "GRÜẞE"]),
        (
            "Cafe\u0301 e\u0301te\u0301!",
            {"strip_accents": "unicode"},
            ["Cafe\u0301", "e\u0301te\u0301", "!"],
        ),
        ("ﬁne ½", {"strip_accents": "unicode"}, ["ﬁne", "½", "½", "½"]),
        ("a 中文 b", {"strip_accents": "ascii"}, ["a", "b"]),
        ("Añb", {"analyzer": "char", "strip_accents": "ascii"}, ["A", "ñ", "b"]),
        ("by #Sport, #news", {"token_pattern": r"#(\w+)"}, ["Sport", "news"]),
        ("a1 b", {"token_pattern": r"[ab](\d)?"}, ["1", "b"]),
        ("abc", {"token_pattern": r"(?=(\w\w))"}, ["ab", "bc"]),
        ("  Odd\twords ", {"tokenizer": str.split}, ["Odd", "words"]),
        ("Odd words", {"analyzer": lambda text: iter(text.split())}, ["Odd", "words"]),
        ("Odd words", {"strip_accents": str.strip, "lowercase": False}, ["Odd", "words"]),
        ("", {}, []),
    ],
)
def test_by_hand(text, options, expected):
    assert parts(text, **options) == expected


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("at that", {"tokenizer": lambda text: [word[-2:] for word in text.split()]}),
        ("Odd words", {"analyzer": lambda text: text.lower().split()}),
        ("the words", {"analyzer": lambda text: ["words"]}),
        ("words and", {"analyzer": lambda text: ["words"]}),
        ("Odd words", {"strip_accents": lambda text: text[1:]}),
    ],
)
def test_what_cannot_be_known_is_none(text, options):
    assert spans_of(text, **options) is None


def test_a_group_that_looks_far_ahead_has_no_span():
    options = {"token_pattern": r"(?=[ab](?:(?<=a).*)?(z|c))."}
    assert parts("bc", **options) == ["c"]
    assert build_tokenizer(**options)("abcz") == ["z", "c"]
    assert spans_of("abcz", **options) is None
