"""Texts -> tokens -> ids."""

from __future__ import annotations

import re
import sys
import unicodedata
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from sktextcnn.text import tokens as text_module
from sktextcnn.text.checks import check_texts, read_chunks
from sktextcnn.text.tokens import (
    FIRST_TOKEN,
    PADDING,
    TOKEN_PATTERN,
    UNKNOWN,
    Encoder,
    TokenIds,
    build_tokenizer,
    encode,
)
from sktextcnn.text.vocabulary import check_vocabulary, extend_vocabulary, learn_vocabulary
from tests.strategies import ODD_TEXTS, corpora, texts, token_rows


def token_ids(rows: list[list[int]]) -> TokenIds:
    flat = np.array([i for row in rows for i in row], np.int32)
    return TokenIds(flat, np.concatenate([[0], np.cumsum([*map(len, rows)], dtype=np.int64)]))


def as_rows(ids: TokenIds) -> list[list[int]]:
    ends = ids.offsets.tolist()
    return [ids.flat[a:b].tolist() for a, b in pairwise(ends)]


# -- tokenizers --------------------------------------------------------------------------------------


def test_words_punctuation_and_emoji_are_tokens():
    assert build_tokenizer()("Don't panic, it's C# \U0001f600!") == [
        *("don", "'", "t", "panic", ",", "it", "'", "s", "c", "#", "\U0001f600", "!")
    ]


def test_lowercase_can_be_switched_off():
    assert build_tokenizer(lowercase=False)("Big NEWS") == ["Big", "NEWS"]


def test_char_analyzer_gives_characters():
    assert build_tokenizer(analyzer="char")("Ab c") == ["a", "b", " ", "c"]


def test_callable_analyzer_replaces_every_step():
    tokenize = build_tokenizer(
        analyzer=str.split, strip_accents="ascii", token_pattern="(", tokenizer=list
    )
    assert tokenize("\u00c9cole  ICI") == ["\u00c9cole", "ICI"]


def test_tokenizer_replaces_the_pattern_alone():
    tokenize = build_tokenizer(tokenizer=lambda text: text.split("|"), strip_accents="unicode")
    assert tokenize("\u00c9t\u00e9|B c") == ["ete", "b c"]


@pytest.mark.parametrize(
    ("strip_accents", "expected"),
    [
        (None, ["\u00e9cole", "\u5317"]),
        ("unicode", ["ecole", "\u5317"]),
        ("ascii", ["ecole"]),
        (lambda text: text.replace("\u00e9", "EE"), ["EEcole", "\u5317"]),
    ],
)
def test_strip_accents(strip_accents, expected):
    assert build_tokenizer(strip_accents=strip_accents)("\u00c9cole \u5317") == expected


def test_group_of_the_pattern_is_the_token():
    assert build_tokenizer(token_pattern=r"#(\w+)")("#News and #Sport") == ["news", "sport"]


def test_pattern_that_is_none():
    with pytest.raises(
        ValueError, match=r"token_pattern='\(' is not a regular expression: .*position 0"
    ):
        build_tokenizer(token_pattern="(")


def test_pattern_with_several_groups():
    with pytest.raises(ValueError, match=r"has 2 groups; use one at most, and \(\?:\.\.\.\) for"):
        build_tokenizer(token_pattern="(a)(b)")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lowercase": False},
        {"strip_accents": "unicode"},
        {"strip_accents": "ascii"},
        {"token_pattern": r"(?u)\b\w\w+\b"},
        {"token_pattern": r"(\w)\w*"},
        {"tokenizer": str.split},
        {"analyzer": str.split},
    ],
    ids=str,
)
@given(text=texts())
def test_tokens_are_those_of_count_vectorizer(options, text):
    peer = CountVectorizer(**{"token_pattern": TOKEN_PATTERN, **options})
    if "tokenizer" in options:
        peer.set_params(token_pattern=None)
    assert [*build_tokenizer(**options)(text)] == [*peer.build_analyzer()(text)]


@given(texts())
def test_default_tokens_hold_every_visible_character(text):
    assert "".join(build_tokenizer(lowercase=False)(text)) == re.sub(r"\s", "", text)


@given(texts())
def test_ascii_tokens_are_ascii(text):
    tokens = build_tokenizer(strip_accents="ascii", analyzer="char")(text)
    assert "".join(tokens).isascii()


@given(texts())
def test_unicode_stripping_leaves_no_accent(text):
    tokens = build_tokenizer(strip_accents="unicode", analyzer="char")(text)
    assert text.isascii() or not any(map(unicodedata.combining, tokens))


# -- encoding ----------------------------------------------------------------------------------------


@given(corpora(), st.sets(st.sampled_from(["news", "the", "a", "!", "\0", "\ud800"]), min_size=1))
def test_ids_decode_to_the_known_tokens(corpus, words):
    vocabulary = check_vocabulary(words)
    tokens = [*vocabulary]
    tokenize = build_tokenizer()
    ids = encode(corpus, tokenize, vocabulary)
    assert len(ids) == len(corpus)
    for text, row in zip(corpus, as_rows(ids), strict=True):
        decoded = [None if i == UNKNOWN else tokens[i - FIRST_TOKEN] for i in row]
        assert decoded == [token if token in words else None for token in tokenize(text)]


def test_no_text_gets_the_id_of_padding():
    ids = encode(["a b", "c"], str.split, {"a": 0, "b": 1})
    assert as_rows(ids) == [[2, 3], [UNKNOWN]]
    assert PADDING not in ids.flat
    assert ids.flat.dtype == np.int32
    assert ids.offsets.dtype == np.int64


def test_texts_without_tokens_are_empty_rows():
    assert as_rows(encode(["", " ", "a"], str.split, {"a": 0})) == [[], [], [2]]
    assert as_rows(encode(["", ""], str.split, {"a": 0})) == [[], []]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
@pytest.mark.parametrize("options", [{}, {"analyzer": "char"}, {"strip_accents": "unicode"}], ids=str)
def test_odd_texts_are_ordinary(text, options):
    tokenize = build_tokenizer(**options)
    vocabulary, ids = learn_vocabulary([*check_texts([text]), "news"], tokenize)
    assert set(tokenize(text)) | set(tokenize("news")) == set(vocabulary)
    assert len(as_rows(ids)[0]) == len(tokenize(text))


def test_text_of_one_megabyte():
    text = "news and sport. " * 65_536
    assert len(text) == 2**20
    vocabulary, ids = learn_vocabulary(check_texts([text, "news"]), build_tokenizer())
    assert [*vocabulary] == ["news", ".", "and", "sport"]
    assert ids.lengths.tolist() == [4 * 65_536, 1]
    assert as_rows(ids.truncated(5)) == [[2, 4, 5, 3, 2], [2]]


# -- vocabulary --------------------------------------------------------------------------------------


@given(
    corpora(),
    st.integers(1, 3) | st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.none() | st.integers(1, 5),
)
def test_learned_vocabulary_against_plain_counting(corpus, min_df, max_features):
    tokenize = build_tokenizer()
    rows = [tokenize(text) for text in corpus]
    least = min_df if isinstance(min_df, int) else min_df * len(corpus)
    kept = {t for row in rows for t in row if sum(t in other for other in rows) >= least}
    expected = sorted(kept, key=lambda t: (-sum(row.count(t) for row in rows), t))[:max_features]
    if not expected:
        with pytest.raises(ValueError, match=r"X holds no tokens|lower min_df"):
            learn_vocabulary(corpus, tokenize, min_df=min_df, max_features=max_features)
        return
    vocabulary, ids = learn_vocabulary(corpus, tokenize, min_df=min_df, max_features=max_features)
    assert [*vocabulary] == expected
    assert [*vocabulary.values()] == [*range(len(expected))]
    encoded = encode(corpus, tokenize, vocabulary)
    known = ids.known(len(vocabulary) + FIRST_TOKEN)
    np.testing.assert_array_equal(known.flat, encoded.flat)
    np.testing.assert_array_equal(known.offsets, encoded.offsets)
    assert known.flat.dtype == encoded.flat.dtype
    # Nor is a token lost that is left out.
    assert [row for row in rows if row] == [
        [(*vocabulary, *ids.unknown)[i - FIRST_TOKEN] for i in row] for row in as_rows(ids) if row
    ]
    assert len({*vocabulary, *ids.unknown}) == len(vocabulary) + len(ids.unknown)


@given(st.lists(corpora(), min_size=1, max_size=4), st.integers(0, 3))
def test_unknown_tokens_told_apart(chunks, n_known):
    """In every chunk the ids stand for the tokens that were read, those of earlier chunks included."""
    tokenize = build_tokenizer()
    words = sorted({token for chunk in chunks for text in chunk for token in tokenize(text)})
    vocabulary = {word: i for i, word in enumerate(words[:n_known])}
    encoder = Encoder(tokenize, vocabulary, keep_unknown=True)
    plain = Encoder(tokenize, vocabulary)
    for chunk in chunks:
        ids = encoder(chunk)
        tokens = (*vocabulary, *ids.unknown)
        assert [[tokens[i - FIRST_TOKEN] for i in row] for row in as_rows(ids)] == [
            list(tokenize(text)) for text in chunk
        ]
        known = ids.known(len(vocabulary) + FIRST_TOKEN)
        assert as_rows(known) == as_rows(plain(chunk))


def test_unknown_tokens_are_forgotten_between_calls(monkeypatch):
    monkeypatch.setattr(text_module, "MOST_PIECES", 20)
    encoder = Encoder(build_tokenizer(), {"tea": 0}, keep_unknown=True)
    for first in range(0, 2000, 10):
        chunk = [f"tea {word}" for word in range(first, first + 40)]
        ids = encoder(chunk)
        assert len(ids.unknown) <= 20 + 40
        assert [ids.unknown[row[1] - FIRST_TOKEN - 1] for row in as_rows(ids)] == [
            text.split()[1] for text in chunk
        ]


@given(corpora(), st.randoms(use_true_random=False))
def test_vocabulary_does_not_depend_on_the_order_of_texts(corpus, random):
    corpus = [*corpus, "news"]
    shuffled = random.sample(corpus, len(corpus))
    first, _ = learn_vocabulary(corpus, str.split)
    second, _ = learn_vocabulary(shuffled, str.split)
    assert [*first.items()] == [*second.items()]


def test_most_frequent_tokens_come_first_and_ties_in_alphabetical_order():
    vocabulary, _ = learn_vocabulary(["d c b", "b c d e e e", "a"], str.split, max_features=3)
    assert vocabulary == {"e": 0, "b": 1, "c": 2}


@pytest.mark.parametrize("min_df", [1, 2, 0.0, 0.1, 0.25, 0.29, 0.5])
def test_min_df_means_what_it_means_in_count_vectorizer(min_df):
    corpus = ["a b c d", "a b c", "a b", "a"] * 3 + ["e e e"] * 2
    peer = CountVectorizer(analyzer=str.split, min_df=min_df).fit(corpus)
    vocabulary, _ = learn_vocabulary(corpus, str.split, min_df=min_df)
    assert vocabulary.keys() == peer.vocabulary_.keys()


def test_texts_without_any_token():
    with pytest.raises(ValueError, match="X holds no tokens: every text is empty or nothing in it"):
        learn_vocabulary(["", "  "], build_tokenizer())


def test_min_df_that_leaves_no_token():
    with pytest.raises(ValueError, match=r"No token occurs in min_df=3 of the 2 texts; lower min_df\."):
        learn_vocabulary(["a", "b"], str.split, min_df=3)


def test_analyzer_that_yields_its_tokens():
    def analyze(text):
        yield from text.split()

    tokenize = build_tokenizer(analyzer=analyze)
    vocabulary, ids = learn_vocabulary(["b a b"], tokenize)
    assert vocabulary == {"b": 0, "a": 1}
    assert as_rows(encode(["b c"], tokenize, vocabulary)) == [[2, UNKNOWN]]
    assert as_rows(ids) == [[2, 3, 2]]


def test_fixed_vocabulary_keeps_its_order():
    assert check_vocabulary(["b", "a"]) == {"b": 0, "a": 1}
    assert check_vocabulary(c for c in "ba") == {"b": 0, "a": 1}
    assert check_vocabulary(np.array(["b", "a"])) == {"b": 0, "a": 1}
    assert check_vocabulary({"b": 1, "a": np.int64(0)}) == {"b": 1, "a": 0}
    assert [*check_vocabulary({"c", "b", "a"})] == ["a", "b", "c"]
    assert [*check_vocabulary(frozenset({"b", "a"}))] == ["a", "b"]


def test_fixed_vocabulary_is_copied():
    given_vocabulary = {"a": 0}
    assert check_vocabulary(given_vocabulary) is not given_vocabulary


@pytest.mark.parametrize(
    ("vocabulary", "error", "message"),
    [
        ("abc", TypeError, "vocabulary is a single str; pass a list of tokens or a dict"),
        ([], ValueError, "vocabulary is empty; pass at least one token, or None to learn it"),
        ({}, ValueError, "vocabulary is empty"),
        (["a", "b", "a"], ValueError, "vocabulary holds 'a' more than once"),
        ({"a": 0, "b": 2}, ValueError, "must number its 2 tokens 0 to 1, each number once"),
        ({"a": 0, "b": 0}, ValueError, "must number its 2 tokens 0 to 1"),
        ({"a": 1}, ValueError, "must number its 1 tokens 0 to 0"),
        (["a", 1], TypeError, "vocabulary holds 1; every token must be a str"),
        ({None: 0}, TypeError, "vocabulary holds None; every token must be a str"),
    ],
    ids=str,
)
def test_bad_vocabulary(vocabulary, error, message):
    with pytest.raises(error, match=message):
        check_vocabulary(vocabulary)


def test_vocabulary_with_positions_between_numbers():
    with pytest.raises((TypeError, ValueError), match="vocabulary"):
        check_vocabulary({"a": 0.7, "b": 1.2})


# -- rows of ids -------------------------------------------------------------------------------------


@given(token_rows(), st.data())
def test_take_against_lists(rows, data):
    positions = st.lists(st.integers(0, len(rows) - 1), max_size=10) if rows else st.just([])
    chosen = data.draw(positions)
    taken = token_ids(rows).take(np.array(chosen, int))
    assert as_rows(taken) == [rows[i] for i in chosen]
    assert len(taken) == len(chosen)


@given(token_rows(), st.integers(1, 9))
def test_truncated_against_lists(rows, max_length):
    truncated = token_ids(rows).truncated(max_length)
    assert as_rows(truncated) == [row[:max_length] for row in rows]
    assert truncated.lengths.tolist() == [min(len(row), max_length) for row in rows]


@given(token_rows(), st.integers(0, 4))
def test_padded_against_lists(rows, extra):
    matrix = token_ids(rows).padded(extra)
    width = max([1, *map(len, rows)]) + extra
    assert matrix.tolist() == [row + [PADDING] * (width - len(row)) for row in rows]
    assert matrix.shape == (len(rows), width)
    assert matrix.dtype == np.int32


@given(token_rows())
def test_lengths_against_lists(rows):
    assert token_ids(rows).lengths.tolist() == [*map(len, rows)]


# -- what is accepted as texts -----------------------------------------------------------------------

FORMS = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "object array": lambda x: np.array(x, dtype=object),
    "str array": np.array,
    "(n, 1) array": lambda x: np.array(x, dtype=object).reshape(-1, 1),
    "(n, 1) str array": lambda x: np.array(x).reshape(-1, 1),
    "pandas Series": pd.Series,
    "pandas Series of objects": lambda x: pd.Series(x, dtype=object),
    "pandas Series of string": lambda x: pd.Series(x, dtype="string"),
    "pandas Series of categories": lambda x: pd.Series(x, dtype="category"),
    "pandas Series with another index": lambda x: pd.Series(x, index=range(10, 10 + len(x))),
    "pandas Index": pd.Index,
    "pandas DataFrame": lambda x: pd.DataFrame({"text": x}),
    "polars Series": pl.Series,
    "polars Series of categories": lambda x: pl.Series(x, dtype=pl.Categorical),
    "polars DataFrame": lambda x: pl.DataFrame({"text": x}),
    "dict keys": lambda x: dict.fromkeys(x).keys(),
}


@pytest.mark.parametrize("form", FORMS)
def test_form_of_texts(form):
    expected = ["I read the news", "", "na\u00efve \U0001f600"]
    result = check_texts(FORMS[form](expected))
    assert isinstance(result, list)
    assert result == expected
    assert all(isinstance(text, str) for text in result)


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1 has no StringDType")
def test_form_of_texts_numpy_strings():
    assert check_texts(np.array(["a", "\0b\0"], dtype=np.dtypes.StringDType())) == ["a", "\0b\0"]


@given(corpora())
def test_texts_come_back_unchanged(corpus):
    assert check_texts(corpus) == corpus
    assert check_texts(np.array(corpus, dtype=object)) == corpus
    assert check_texts(pd.Series(corpus, dtype=object)) == corpus


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("one text", r"X is a single str; pass a list of texts: \[text\]"),
        (np.str_("one text"), "X is a single str; pass a list of texts"),
        (b"one text", r"X is bytes; decode it and pass a list of texts: \[X\.decode\('utf-8'\)\]"),
        (bytearray(b"one text"), "X is bytes; decode it"),
        (None, "X is a NoneType; pass a 1-D sequence of str"),
        (3, "X is a int; pass a 1-D sequence of str"),
        ({"a": 1}, "X is a dict; pass a 1-D sequence of str"),
        ({"a"}, "X is a set; pass a 1-D sequence of str"),
        (["a", b"b"], r"X\[1\] is bytes; every text must be a str\. Decode it: text\.decode"),
        (["a", 7], r"X\[1\] is '7' of type int; every text must be a str"),
        ([("a", "b")], r"X\[0\] is .* of type tuple; .* pass the texts alone"),
        ([0.5, "a"], r"X\[0\] is '0\.5' of type float; every text must be a str"),
        ([["a"], ["b"]], r"X\[0\] is .* of type list; every text must be a str"),
    ],
    ids=repr,
)
def test_bad_texts(X, message):
    with pytest.raises(TypeError, match=message):
        check_texts(X)


@pytest.mark.parametrize(
    ("missing", "shown"),
    [(None, "None"), (float("nan"), "nan"), (np.float32("nan"), "nan"), (pd.NaT, "NaT")],
    ids=["None", "NaN", "float32 NaN", "NaT"],
)
@pytest.mark.parametrize("form", [list, tuple, lambda x: np.array(x, dtype=object)])
def test_missing_text(missing, shown, form):
    message = (
        rf"X\[2\] is {shown}; every text must be a str\. Fill missing texts with '' or drop the rows\."
    )
    with pytest.raises(TypeError, match=message):
        check_texts(form(["a", "b", missing, "c"]))


@pytest.mark.parametrize(
    "X",
    [
        ["a", pd.NA],
        pd.Series(["a", None], dtype="string"),
        np.array(["a", pd.NA], dtype=object),
    ],
    ids=["list", "string Series", "array"],
)
def test_missing_text_of_pandas(X):
    with pytest.raises(TypeError, match=r"X\[1\] is <NA>; every text must be a str\. Fill missing"):
        check_texts(X)


def test_array_among_texts():
    with pytest.raises(TypeError, match=r"X\[1\] is .* of type ndarray; every text must be a str"):
        check_texts(["a", np.array(["b", "c"])])


@pytest.mark.parametrize(
    "X",
    [pd.Series(["a", None]), pd.Series(["a", None], dtype=object), pl.Series(["a", None])],
    ids=["pandas", "pandas objects", "polars"],
)
def test_missing_text_in_a_series(X):
    with pytest.raises(
        TypeError, match=r"X\[1\] is (None|nan); every text must be a str\. Fill missing"
    ):
        check_texts(X)


@pytest.mark.parametrize(
    "X",
    [[], (), np.array([], dtype=object), np.empty((0, 1)), pd.Series([], dtype=object), pl.Series([])],
    ids=repr,
)
def test_no_texts(X):
    with pytest.raises(ValueError, match="X holds no texts: at least one is needed"):
        check_texts(X)


@pytest.mark.parametrize(
    "X",
    [
        np.array([["a", "b"], ["c", "d"]]),
        pd.DataFrame({"text": ["a", "b"], "more": ["c", "d"]}),
        pl.DataFrame({"text": ["a", "b"], "more": ["c", "d"]}),
    ],
    ids=["numpy", "pandas", "polars"],
)
def test_several_columns(X):
    message = r"X has shape \(2, 2\); .* Select the text column, for example X\['text'\]"
    with pytest.raises(ValueError, match=message):
        check_texts(X)


@pytest.mark.parametrize("X", [np.array("a"), np.array([[["a"]]])], ids=["0-D", "3-D"])
def test_array_of_another_shape(X):
    with pytest.raises(ValueError, match="expected a 1-D sequence of texts or one column"):
        check_texts(X)


# -- texts in parts ----------------------------------------------------------------------------------


@given(corpora(), st.integers(1, 9))
def test_parts_join_to_the_whole(corpus, size):
    for X in (corpus, tuple(corpus), np.array(corpus, dtype=object), iter(corpus), (t for t in corpus)):
        parts = [*read_chunks(X, size)]
        assert [text for part in parts for text in part] == corpus
        assert all(len(part) == size for part in parts[:-1])
        assert 1 <= len(parts[-1]) <= size


def test_an_iterator_is_read_as_it_is_worked_off():
    n_read = 0

    def read():
        nonlocal n_read
        for n_read in range(1, 101):  # noqa: B007 - counts
            yield "text"

    parts = read_chunks(read(), 7)
    assert n_read == 0
    for n_parts in range(1, 5):
        assert next(parts) == ["text"] * 7
        assert n_read == 7 * n_parts


@pytest.mark.parametrize("position", [0, 2, 3, 17, 20])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"is None; every text must be a str\. Fill missing texts with '' or drop the rows"),
        (b"x", r"is bytes; every text must be a str\. Decode it: text\.decode\('utf-8'\)"),
        (3, r"is '3' of type int; every text must be a str"),
    ],
)
def test_what_is_no_text_is_named_by_its_position_in_the_whole(position, value, message):
    texts = ["text"] * position + [value, "text", None]
    for X in (iter(texts), texts):
        with pytest.raises(TypeError, match=rf"^X\[{position}\] {message}"):
            [*read_chunks(X, 3)]


def test_a_sequence_is_checked_before_work_begins():
    with pytest.raises(TypeError, match=r"X\[8\] is None"):
        next(read_chunks(["text"] * 8 + [None], 3))


@pytest.mark.parametrize("X", [iter([]), (text for text in ()), map(str, ()), [], np.array([], object)])
def test_no_texts_in_parts(X):
    with pytest.raises(ValueError, match="X holds no texts: at least one is needed"):
        next(read_chunks(X, 3))


def test_a_single_text_is_not_taken_apart():
    with pytest.raises(TypeError, match=r"X is a single str; pass a list of texts: \[text\]"):
        next(read_chunks("text", 3))


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.none(), max_size=4),
    st.lists(st.sampled_from("abcdefgh"), max_size=8),
    st.none() | st.integers(1, 8),
)
def test_a_vocabulary_is_extended_in_order(known, tokens, max_features):
    vocabulary = {token: position for position, token in enumerate(known)}
    extended = extend_vocabulary(vocabulary, iter(tokens), max_features)
    expected = [*dict.fromkeys([*known, *tokens])]
    room = len(expected) if max_features is None else max(max_features, len(known))
    assert [*extended] == expected[:room]
    assert [*extended.values()] == [*range(len(extended))]
    assert [*vocabulary] == [*known]


# -- words looked up piece by piece ------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lowercase": False},
        {"strip_accents": "unicode"},
        {"strip_accents": "ascii"},
        {"token_pattern": r"(?u)\b\w\w+\b"},
        {"token_pattern": r".+"},
        {"analyzer": "char"},
        {"tokenizer": str.split},
    ],
    ids=str,
)
@given(rows=corpora(), more=corpora())
def test_many_texts_are_encoded_like_each_of_them(options, rows, more):
    tokenize = build_tokenizer(**options)
    tokens = dict.fromkeys(token for text in rows for token in tokenize(text))
    vocabulary = {token: position for position, token in enumerate([*tokens][::2])}
    encoder = Encoder(tokenize, vocabulary)
    for batch in (rows * 16, [*rows, *more]):
        expected = [[vocabulary.get(token, -1) + 2 for token in tokenize(text)] for text in batch]
        ids = encoder(batch)
        assert (ids.flat.dtype, ids.offsets.dtype) == (np.int32, np.int64)
        assert ids.flat.tolist() == [position for row in expected for position in row]
        assert ids.lengths.tolist() == [*map(len, expected)]


def test_white_space_never_touches_a_token_of_the_default_pattern():
    """What `Encoder` stands on: the same characters part words in `str.split` and in the pattern."""
    split = build_tokenizer(lowercase=False)
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        assert len(character.split()) == len(split(character)), hex(code)
        assert not character.isalnum() or split(character) == [character], hex(code)


def test_few_pieces_are_remembered(monkeypatch):
    monkeypatch.setattr(text_module, "MOST_PIECES", 5)
    texts = [f"a{i} b{i}, {'long' * 20}" for i in range(50)]
    encoder = Encoder(build_tokenizer(), {"b7": 0, "long" * 20: 1})
    ids = encoder(texts)
    assert len(encoder._pieces) <= 5
    assert ids.flat.tolist() == [x for i in range(50) for x in (1, 2 if i == 7 else 1, 1, 3)]


def test_a_slice_of_texts():
    ids = TokenIds(np.arange(1, 7, dtype=np.int32), np.array([0, 2, 2, 5, 6]))
    part = ids[1:3]
    assert (part.flat.tolist(), part.offsets.tolist()) == ([3, 4, 5], [0, 0, 3])
    assert len(ids[2:2]) == 0


def test_lists_of_texts_are_bounded_by_characters():
    texts = ["aaa", "b", "", "cccc", "dd", "e"]
    expected = [["aaa", "b"], ["", "cccc"], ["dd", "e"]]
    assert [*read_chunks(texts, 10, 4)] == [*read_chunks(iter(texts), 10, 4)] == expected
    with pytest.raises(TypeError, match=r"X\[1\] is '7' of type int"):
        [*read_chunks(iter(["a", 7]), 10, 4)]
