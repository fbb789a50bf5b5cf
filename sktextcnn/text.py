"""Texts -> tokens -> ids.

Every text becomes a row of small integers: 0 pads, 1 stands for any token outside the vocabulary,
and 2, 3, ... are the tokens of the vocabulary. Rows differ in length, so they are kept end to end
in one flat array (`TokenIds`) rather than in a padded matrix.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from typing import Any

import numpy as np

PADDING, UNKNOWN, FIRST_TOKEN = 0, 1, 2

#: Words, and every other visible character (punctuation, emoji) as a token of its own.
TOKEN_PATTERN = r"\w+|[^\w\s]"

Tokenize = Callable[[str], Sequence[str]]

#: Texts from which on `Encoder` remembers pieces of texts: for fewer that costs more than it saves.
TEXTS_WORTH_REMEMBERING = 16

#: Pieces that an `Encoder` remembers, and the longest of them: some ten megabytes.
MOST_PIECES, LONGEST_PIECE = 100_000, 40


@dataclass(frozen=True)
class TokenIds:
    """Token ids of several texts, end to end.

    Attributes
    ----------
    flat : ndarray of shape (n_tokens,), dtype int32
        The ids of all texts, one text after the other.
    offsets : ndarray of shape (n_texts + 1,), dtype int64
        Text ``i`` owns ``flat[offsets[i]:offsets[i + 1]]``.
    """

    flat: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: slice) -> TokenIds:
        """Return the texts of a slice without steps, as a view."""
        start, stop, _ = rows.indices(len(self))
        offsets = self.offsets[start : stop + 1]
        return TokenIds(self.flat[offsets[0] : offsets[-1]], offsets - offsets[0])

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each text, shape (n_texts,)."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> TokenIds:
        """Return the texts at `rows`, in that order."""
        starts, lengths = self.offsets[rows], self.lengths[rows]
        offsets = _offsets(lengths)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return TokenIds(self.flat[np.repeat(starts, lengths) + within], offsets)

    def truncated(self, max_length: int | None) -> TokenIds:
        """Return every text cut after `max_length` tokens, if that is not None."""
        lengths = self.lengths
        if max_length is None or lengths.max(initial=0) <= max_length:
            return self
        within = np.arange(len(self.flat)) - np.repeat(self.offsets[:-1], lengths)
        return TokenIds(self.flat[within < max_length], _offsets(np.minimum(lengths, max_length)))

    def padded(self, extra: int) -> np.ndarray:
        """Return the texts as rows of one matrix, padded right with 0.

        Parameters
        ----------
        extra : int
            Zeros after the longest text (and at least so many after every other).

        Returns
        -------
        ndarray of shape (n_texts, T + extra), dtype int32
            T is the number of tokens of the longest text, 1 if all are empty.
        """
        lengths = self.lengths
        width = int(lengths.max(initial=1)) + extra
        matrix = np.zeros((len(lengths), width), np.int32)
        matrix[np.arange(width) < lengths[:, None]] = self.flat
        return matrix


def _offsets(lengths: np.ndarray) -> np.ndarray:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def check_texts(X: Any) -> list[str]:
    """Return `X` as a list of str, or say what is wrong with it.

    Parameters
    ----------
    X : 1-D sequence of str, or a column of shape (n, 1)
        List, tuple, array, pandas or polars Series, or a one-column DataFrame.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If `X` is a single str or bytes, or an element is not a str.
    ValueError
        If `X` is empty or has several columns.
    """
    if isinstance(X, str):
        raise TypeError("X is a single str; pass a list of texts: [text].")
    if isinstance(X, (bytes, bytearray)):
        raise TypeError("X is bytes; decode it and pass a list of texts: [X.decode('utf-8')].")
    if isinstance(X, (Mapping, set, frozenset)) or not isinstance(X, Iterable):
        raise TypeError(
            f"X is a {type(X).__name__}; pass a 1-D sequence of str "
            "(list, tuple, array, pandas or polars Series)."
        )
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    shape = getattr(X, "shape", None)
    if shape is not None:
        if len(shape) == 2 and shape[1] == 1:
            X = np.asarray(X).reshape(-1)
        elif len(shape) != 1:
            raise ValueError(
                f"X has shape {tuple(shape)}; expected a 1-D sequence of texts or one column. "
                "Select the text column, for example X['text']."
            )
    texts = X.tolist() if isinstance(X, np.ndarray) else list(X)
    if not texts:
        raise ValueError("X holds no texts: at least one is needed.")
    _check_each(texts)
    return texts


def slabs(X: Any, size: int, n_characters: int | None = None) -> Iterator[list[str]]:
    """Yield texts in lists of up to `size`, so that work on them needs bounded memory.

    Parameters
    ----------
    X : 1-D sequence of str, or a column of shape (n, 1), or an iterator of str
        An iterator is read as it is worked off, anything else is checked as a whole first.
    size : int
    n_characters : int or None, default=None
        A list ends with the text that brings it to so many characters.

    Yields
    ------
    list of str

    Raises
    ------
    TypeError, ValueError
        As of `check_texts`.

    Examples
    --------
    >>> from sktextcnn.text import slabs
    >>> list(slabs((word for word in "a b c".split()), 2))
    [['a', 'b'], ['c']]
    """
    checked = not isinstance(X, Iterator)
    texts = iter(check_texts(X)) if checked else X
    first = 0
    while slab := _read(texts, size, n_characters, None if checked else first):
        first += len(slab)
        yield slab
    if not first:
        raise ValueError("X holds no texts: at least one is needed.")


def _read(texts: Iterator, size: int, n_characters: int | None, first: int | None) -> list[str]:
    """Return the next texts, checked if the first one's position is given."""
    if n_characters is None:
        slab = [*islice(texts, size)]
    else:
        slab, left = [], n_characters
        for text in islice(texts, size):
            slab.append(text)
            left -= len(text) if isinstance(text, str) else 0
            if left <= 0:
                break
    if first is not None:
        _check_each(slab, first)
    return slab


def _check_each(texts: list, first: int = 0) -> None:
    for position, text in enumerate(texts, first):
        if not isinstance(text, str):
            raise TypeError(_not_a_text(position, text))


def _not_a_text(position: int, value: Any) -> str:
    missing = value is None or type(value).__name__ in ("NAType", "NaTType")
    if missing or (isinstance(value, (float, np.floating)) and value != value):
        return (
            f"X[{position}] is {value}; every text must be a str. "
            "Fill missing texts with '' or drop the rows."
        )
    if isinstance(value, bytes):
        return f"X[{position}] is bytes; every text must be a str. Decode it: text.decode('utf-8')."
    return (
        f"X[{position}] is {str(value)[:40]!r} of type {type(value).__name__}; every text must be a str."
    )


def build_tokenizer(
    *,
    analyzer: str | Tokenize = "word",
    lowercase: bool = True,
    strip_accents: str | Callable[[str], str] | None = None,
    token_pattern: str | None = TOKEN_PATTERN,
    tokenizer: Tokenize | None = None,
) -> Tokenize:
    """Return the function from one text to its tokens.

    The parameters mean what they mean in
    :class:`sklearn.feature_extraction.text.CountVectorizer`: a callable `analyzer` replaces every
    step, a `tokenizer` replaces the pattern alone.

    Parameters
    ----------
    analyzer : {"word", "char"} or callable, default="word"
        What a token is.
    lowercase : bool, default=True
        Lower-case the text first.
    strip_accents : {"unicode", "ascii"}, callable or None, default=None
        Remove accents first.
    token_pattern : str or None, default=TOKEN_PATTERN
        Regular expression of a word, with at most one group. None where nothing uses it.
    tokenizer : callable or None, default=None
        From a text, after the steps above, to its words.

    Returns
    -------
    callable
        From str to a sequence of str.

    Raises
    ------
    ValueError
        If `token_pattern` is needed and is not a regular expression or has several groups.

    Examples
    --------
    >>> from sktextcnn.text import build_tokenizer
    >>> build_tokenizer()("Well-made, in C#!")
    ['well', '-', 'made', ',', 'in', 'c', '#', '!']
    """
    if callable(analyzer):
        return partial(_tokens_from, analyzer)
    if analyzer == "char":
        split: Tokenize = list
    elif tokenizer is not None:
        split = partial(_tokens_from, tokenizer)
    elif token_pattern is None:
        raise ValueError("token_pattern=None needs a tokenizer, or another analyzer.")
    else:
        try:
            pattern = re.compile(token_pattern)
        except re.error as error:
            raise ValueError(
                f"token_pattern={token_pattern!r} is not a regular expression: {error}."
            ) from error
        if pattern.groups > 1:
            raise ValueError(
                f"token_pattern={token_pattern!r} has {pattern.groups} groups; use one at most, "
                "and (?:...) for the others."
            )
        split = pattern.findall
    steps: list[Callable[[str], str]] = []
    if lowercase:
        steps.append(str.lower)
    if strip_accents is not None:
        steps.append(strip_accents if callable(strip_accents) else _STRIP_ACCENTS[strip_accents])

    # No token of the default pattern holds white space, nor depends on what is beyond it.
    by_piece = split == re.compile(TOKEN_PATTERN).findall
    return _Tokenizer(tuple(steps), split, by_piece)


@dataclass(frozen=True)
class _Tokenizer:
    """Steps from text to text, and one to tokens; `by_piece` if that may be fed piece by piece."""

    steps: tuple[Callable[[str], str], ...]
    split: Tokenize
    by_piece: bool

    def __call__(self, text: str) -> Sequence[str]:
        return self.split(self.prepare(text))

    def prepare(self, text: str) -> str:
        for step in self.steps:
            text = step(text)
        return text


def _tokens_from(function: Callable[[str], Iterable[str]], text: str) -> Sequence[str]:
    tokens = function(text)
    if isinstance(tokens, str) or not isinstance(tokens, Iterable):
        raise TypeError(
            f"analyzer or tokenizer returned {tokens!r:.40} for {text!r:.40}; expected a list of tokens."
        )
    return tokens if isinstance(tokens, Sequence) else list(tokens)  # it may yield them


def _strip_unicode(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _strip_to_ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


_STRIP_ACCENTS = {"unicode": _strip_unicode, "ascii": _strip_to_ascii}


class Encoder:
    """Looks the tokens of texts up, and remembers the words it has met.

    Parameters
    ----------
    tokenize : callable
        From a text to its tokens.
    vocabulary : mapping of str to int
        Token -> position in the vocabulary, from 0.

    Examples
    --------
    >>> from sktextcnn.text import Encoder, build_tokenizer
    >>> encoder = Encoder(build_tokenizer(), {"tea": 0, "milk": 1})
    >>> encoder(["Tea with milk", ""]).flat
    array([2, 1, 3], dtype=int32)
    """

    def __init__(self, tokenize: Tokenize, vocabulary: Mapping[str, int]) -> None:
        self._tokenize, self._vocabulary = tokenize, vocabulary
        self._pieces: _Pieces | None = None

    def __call__(self, texts: Iterable[str]) -> TokenIds:
        """Return position + 2 for a known token, 1 for any other.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        TokenIds
        """
        texts = [*texts]
        tokenize = self._tokenize
        if isinstance(tokenize, _Tokenizer) and tokenize.by_piece:
            if self._pieces is None and len(texts) >= TEXTS_WORTH_REMEMBERING:
                self._pieces = _Pieces(tokenize.split, self._vocabulary)
            if self._pieces is not None:
                return _encode_by_piece(texts, tokenize.prepare, self._pieces)
        unknown = UNKNOWN - FIRST_TOKEN
        rows = [
            np.fromiter(map(self._vocabulary.get, tokens, repeat(unknown)), np.int32, len(tokens))
            for tokens in map(tokenize, texts)
        ]
        return TokenIds(
            _concatenate(rows) + np.int32(FIRST_TOKEN), _offsets(np.array([*map(len, rows)]))
        )


class _Pieces(dict[str, bytes]):
    """The ids of what stands between white space, as the bytes of an array.

    Bytes are joined faster than numbers are collected, and most words of a text have come before.
    """

    def __init__(self, split: Tokenize, vocabulary: Mapping[str, int]) -> None:
        self._split, self._ids = split, _IdBytes(vocabulary)

    def __missing__(self, piece: str) -> bytes:
        # Letters and digits alone are a single token; most pieces are.
        tokens = [piece] if piece.isalnum() else self._split(piece)
        ids = b"".join([self._ids[token] for token in tokens])
        if len(piece) <= LONGEST_PIECE:
            if len(self) >= MOST_PIECES:
                self.clear()
                self._ids.clear()
            self[piece] = ids
        return ids


class _IdBytes(dict[str, bytes]):
    """The id of each token, as the bytes of an array."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._vocabulary = vocabulary

    def __missing__(self, token: str) -> bytes:
        position = int(self._vocabulary.get(token, UNKNOWN - FIRST_TOKEN))
        self[token] = found = (position + FIRST_TOKEN).to_bytes(4, sys.byteorder)
        return found


def _encode_by_piece(texts: list[str], prepare: Callable[[str], str], pieces: _Pieces) -> TokenIds:
    look_up = pieces.__getitem__
    rows = [b"".join(map(look_up, str.split(prepare(text)))) for text in texts]
    lengths = np.fromiter(map(len, rows), np.int64, len(rows)) // 4
    return TokenIds(np.frombuffer(bytearray().join(rows), np.int32), _offsets(lengths))


def encode(texts: Iterable[str], tokenize: Tokenize, vocabulary: Mapping[str, int]) -> TokenIds:
    """Look every token up.

    Parameters
    ----------
    texts : iterable of str
    tokenize : callable
        From a text to its tokens.
    vocabulary : mapping of str to int
        Token -> position in the vocabulary, from 0.

    Returns
    -------
    TokenIds
        Position + 2 for a known token, 1 for any other.
    """
    return Encoder(tokenize, vocabulary)(texts)


def learn_vocabulary(
    texts: Iterable[str],
    tokenize: Tokenize,
    *,
    min_df: int | float = 1,
    max_df: int | float = 1.0,
    max_features: int | None = None,
) -> tuple[dict[str, int], TokenIds]:
    """Collect the tokens worth a vector of their own, and the texts in their terms.

    One pass over the texts: tokens are numbered as they come, counted, and renumbered.

    Parameters
    ----------
    texts : iterable of str
    tokenize : callable
        From a text to its tokens.
    min_df : int or float, default=1
        Texts that must hold a token for it to be kept; a float is a share of the texts.
    max_df : int or float, default=1.0
        Texts that may hold a token for it to be kept, at most.
    max_features : int or None, default=None
        Keep so many tokens at most, the most frequent ones.

    Returns
    -------
    vocabulary : dict of str to int
        Token -> position, the most frequent token first, ties in alphabetical order.
    ids : TokenIds
        What ``encode(texts, tokenize, vocabulary)`` gives.

    Raises
    ------
    ValueError
        If no token is left.
    TypeError
        If a token is not a str.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    rows = [
        np.fromiter(map(numbers.__getitem__, tokens), np.int32, len(tokens))
        for tokens in map(tokenize, texts)
    ]
    flat, offsets = _concatenate(rows), _offsets(np.array([*map(len, rows)]))
    if not numbers:
        raise ValueError(
            "X holds no tokens: every text is empty or nothing in it matches token_pattern."
        )
    for token in numbers:
        if not isinstance(token, str):
            raise TypeError(f"analyzer or tokenizer returned the token {token!r}; tokens must be str.")
    counts = np.bincount(flat, minlength=len(numbers))
    row_of = np.repeat(np.arange(len(rows)), np.diff(offsets))
    df = np.bincount(np.unique(row_of * len(numbers) + flat) % len(numbers))
    least, most = (
        bound if isinstance(bound, (int, np.integer)) else bound * len(rows)
        for bound in (min_df, max_df)
    )
    tokens = list(numbers)
    in_bounds = np.flatnonzero((df >= least) & (df <= most))
    kept = sorted(in_bounds, key=lambda i: (-counts[i], tokens[i]))[:max_features]
    if not kept:
        bounds, advice = f"min_df={min_df}", "lower min_df"
        if most < len(rows):
            bounds, advice = f"{bounds} to max_df={max_df}", f"{advice} or raise max_df"
        raise ValueError(f"No token occurs in {bounds} of the {len(rows)} texts; {advice}.")
    new_id = np.full(len(numbers), UNKNOWN, np.int32)
    new_id[kept] = np.arange(FIRST_TOKEN, FIRST_TOKEN + len(kept))
    vocabulary = {tokens[i]: position for position, i in enumerate(kept)}
    return vocabulary, TokenIds(new_id[flat], offsets)


def extend_vocabulary(
    vocabulary: Mapping[str, int], tokens: Iterable[str], max_features: int | None
) -> dict[str, int]:
    """Append tokens that are not there yet, up to `max_features` tokens in all.

    Parameters
    ----------
    vocabulary : mapping of str to int
        Token -> position.
    tokens : iterable of str
        The most useful first.
    max_features : int or None
        None: all of them.

    Returns
    -------
    dict of str to int

    Examples
    --------
    >>> from sktextcnn.text import extend_vocabulary
    >>> extend_vocabulary({"tea": 0}, ["tea", "milk", "sugar"], 2)
    {'tea': 0, 'milk': 1}
    """
    extended = dict(vocabulary)
    for token in tokens:
        if max_features is not None and len(extended) >= max_features:
            break
        extended.setdefault(token, len(extended))
    return extended


def _concatenate(rows: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(rows) if rows else np.zeros(0, np.int32)


def check_vocabulary(vocabulary: Mapping[str, int] | Iterable[str]) -> dict[str, int]:
    """Return a vocabulary fixed in advance as a dict of token -> position.

    Parameters
    ----------
    vocabulary : mapping of str to int, or iterable of str
        Positions must be 0, 1, ..., each once; an iterable is numbered in its order (a set in
        alphabetical order).

    Returns
    -------
    dict of str to int

    Raises
    ------
    ValueError
        If it is empty, a token comes twice, or the positions have gaps.
    TypeError
        If a token is not a str.
    """
    if isinstance(vocabulary, str):
        raise TypeError("vocabulary is a single str; pass a list of tokens or a dict.")
    if not isinstance(vocabulary, (Mapping, set, frozenset)):
        vocabulary = [*vocabulary]
    for token in vocabulary:
        if not isinstance(token, str):
            raise TypeError(f"vocabulary holds {token!r}; every token must be a str.")
    if isinstance(vocabulary, Mapping):
        numbers = [*vocabulary.values()]
        if not {*numbers} == {*range(len(numbers))} or len({*numbers}) < len(numbers):
            raise ValueError(
                f"vocabulary must number its {len(numbers)} tokens 0 to {len(numbers) - 1}, each number "
                "once."
            )
        result = {token: int(position) for token, position in vocabulary.items()}
    else:
        tokens = sorted(vocabulary) if isinstance(vocabulary, (set, frozenset)) else [*vocabulary]
        result = {token: position for position, token in enumerate(tokens)}
        if len(result) < len(tokens):
            twice = next(token for i, token in enumerate(tokens) if result[token] != i)
            raise ValueError(f"vocabulary holds {twice!r} more than once.")
    if not result:
        raise ValueError("vocabulary is empty; pass at least one token, or None to learn it.")
    return result


def check_matches(
    vocabulary: Mapping[str, int], texts: Iterable[str], tokenize: Tokenize, *, lowercase: bool
) -> None:
    """Refuse a vocabulary fixed in advance that holds no token of the training texts.

    Parameters
    ----------
    vocabulary : mapping of str to int
        Token -> position.
    texts : iterable of str
    tokenize : callable
        From a text to its tokens.
    lowercase : bool
        Whether `tokenize` lower-cases texts first.

    Raises
    ------
    ValueError
        If no token is in the vocabulary; the message shows some of both.
    """
    tokens = dict.fromkeys(token for text in texts for token in tokenize(text))
    if not tokens.keys().isdisjoint(vocabulary):
        return
    advice = "Entries are whole tokens, as analyzer, token_pattern, lowercase and so on make them."
    if lowercase and any(entry.lower() in tokens for entry in vocabulary):
        advice = "Texts are lower-cased first: lower-case the entries, too, or set lowercase=False."
    elif not lowercase and any(str(token).lower() in vocabulary for token in tokens):
        advice = "Texts are not lower-cased first: set lowercase=True."
    entries, found = (", ".join(map(repr, islice(words, 4))) for words in (vocabulary, tokens))
    raise ValueError(
        f"vocabulary holds no token of the texts. Its entries are such as {entries}; the texts' tokens "
        f"such as {found or 'none'}. {advice}"
    )
