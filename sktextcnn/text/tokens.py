"""Texts -> tokens -> ids.

Every text becomes a row of small integers: 0 pads, 1 stands for any token outside the vocabulary,
and 2, 3, ... are the tokens of the vocabulary. Rows differ in length, so they are kept end to end
in one flat array (`TokenIds`) rather than in a padded matrix.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from sktextcnn.text.spool import join_on_disk

PADDING, UNKNOWN, FIRST_TOKEN = 0, 1, 2

#: Words, and every other visible character (punctuation, emoji) as a token of its own.
TOKEN_PATTERN = r"\w+|[^\w\s]"

Tokenize = Callable[[str], Sequence[str]]

#: Texts from which on `Encoder` remembers pieces of texts: for fewer that costs more than it saves.
TEXTS_WORTH_REMEMBERING = 16

#: Pieces that an `Encoder` remembers, and the longest of them: some ten megabytes.
MOST_PIECES, LONGEST_PIECE = 100_000, 40

#: Tokens, and texts, that are worked on at a time where they are on disk: some ten megabytes.
TOKENS_PER_PART, TEXTS_PER_PART = 1 << 18, 1 << 15


@dataclass(frozen=True)
class TokenIds:
    """Token ids of several texts, end to end.

    Attributes
    ----------
    flat : ndarray of shape (n_tokens,), dtype int32
        The ids of all texts, one text after the other.
    offsets : ndarray of shape (n_texts + 1,), dtype int64
        Text ``i`` owns ``flat[offsets[i]:offsets[i + 1]]``.
    unknown : tuple of str, default=()
        Tokens outside the vocabulary, if they are told apart: their ids follow those of the vocabulary.
    on_disk : bool, default=False
        Whether `flat` is in a file, as are then those of all texts that are made of these, but for a
        slice.
    """

    flat: np.ndarray
    offsets: np.ndarray
    unknown: tuple[str, ...] = ()
    on_disk: bool = field(default=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: slice) -> TokenIds:
        """Return the texts of a slice without steps, as a view."""
        start, stop, _ = rows.indices(len(self))
        offsets = self.offsets[start : stop + 1]
        flat = self.flat[offsets[0] : offsets[-1]]
        return replace(self, flat=flat, offsets=offsets - offsets[0], on_disk=False)

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each text, shape (n_texts,)."""
        return np.diff(self.offsets)

    def parts(self) -> Iterator[TokenIds]:
        """Return the texts, some at a time, as views."""
        return map(self.__getitem__, _parts(self.offsets))

    def _changed(self, change: Callable[[TokenIds], TokenIds]) -> TokenIds:
        """Return what a function makes of the texts: of each on its own, so that parts will do."""
        if not self.on_disk:
            return change(self)
        return join(map(change, self.parts()))

    def take(self, rows: np.ndarray) -> TokenIds:
        """Return the texts at `rows`, in that order."""
        if not self.on_disk:
            return self._take(rows)
        parts = _parts(to_offsets(self.lengths[rows]))
        return replace(join(self._take(rows[part]) for part in parts), unknown=self.unknown)

    def _take(self, rows: np.ndarray) -> TokenIds:
        starts, lengths = self.offsets[rows], self.offsets[1:][rows] - self.offsets[rows]
        offsets = to_offsets(lengths)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        flat = self.flat[np.repeat(starts, lengths) + within]
        return TokenIds(flat, offsets, self.unknown)

    def truncated(self, max_length: int | None) -> TokenIds:
        """Return every text truncated after `max_length` tokens, if that is not None."""
        if max_length is None or self.lengths.max(initial=0) <= max_length:
            return self

        def truncate(part: TokenIds) -> TokenIds:
            lengths = part.lengths
            within = np.arange(len(part.flat)) - np.repeat(part.offsets[:-1], lengths)
            offsets = to_offsets(np.minimum(lengths, max_length))
            return replace(part, flat=part.flat[within < max_length], offsets=offsets)

        return self._changed(truncate)

    def known(self, n_ids: int) -> TokenIds:
        """Return the texts with the one id of unknown tokens in the place of ids from `n_ids` on."""
        if not self.unknown:
            return self

        def forget(part: TokenIds) -> TokenIds:
            return TokenIds(np.where(part.flat < n_ids, part.flat, np.int32(UNKNOWN)), part.offsets)

        return self._changed(forget)

    def in_terms_of(self, vocabulary: Mapping[str, int]) -> TokenIds:
        """Return texts of which no token is in the vocabulary yet in terms of a vocabulary.

        Parameters
        ----------
        vocabulary : mapping of str to int
            Token -> position, from 0.

        Returns
        -------
        TokenIds
            With tokens outside the vocabulary told apart, in the order in which they came.
        """
        new_ids = np.arange(FIRST_TOKEN + len(self.unknown), dtype=np.int32)
        unknown: list[str] = []
        for old_id, token in enumerate(self.unknown, FIRST_TOKEN):
            position = vocabulary.get(token)
            if position is None:
                position = len(vocabulary) + len(unknown)
                unknown.append(token)
            new_ids[old_id] = position + FIRST_TOKEN
        told_apart = tuple(unknown)

        def renumber(part: TokenIds) -> TokenIds:
            return replace(part, flat=new_ids[part.flat], unknown=told_apart)

        return self._changed(renumber)

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


def join(parts: Iterable[TokenIds]) -> TokenIds:
    """Return texts one after the other, on disk, holding one part of them at a time.

    Parameters
    ----------
    parts : iterable of TokenIds
        All in the same terms.

    Returns
    -------
    TokenIds
    """
    lengths = [np.zeros(0, np.int64)]
    unknown: tuple[str, ...] = ()

    def flats() -> Iterator[np.ndarray]:
        nonlocal unknown
        for part in parts:
            lengths.append(part.lengths)
            unknown = part.unknown
            yield part.flat

    flat = join_on_disk(flats(), np.int32)
    return TokenIds(flat, to_offsets(np.concatenate(lengths)), unknown, on_disk=True)


def _parts(offsets: np.ndarray) -> Iterator[slice]:
    """Yield texts, one slice after the other, of which each fits into memory."""
    start, n = 0, len(offsets) - 1
    while start < n:
        most = offsets[start] + TOKENS_PER_PART
        stop = int(np.searchsorted(offsets, most, side="right")) - 1
        stop = min(max(stop, start + 1), start + TEXTS_PER_PART, n)
        yield slice(start, stop)
        start = stop


def to_offsets(lengths: np.ndarray) -> np.ndarray:
    """Return where each text begins, and where the last one ends, from their lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


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
    >>> from sktextcnn.text.tokens import build_tokenizer
    >>> build_tokenizer()("Well-made, in C#!")
    ['well', '-', 'made', ',', 'in', 'c', '#', '!']
    """
    if callable(analyzer):
        return partial(_tokens_from, analyzer)
    pattern = None
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
    return Tokenizer(tuple(steps), split, pattern)


@dataclass(frozen=True)
class Tokenizer:
    """Steps from text to text, and one to tokens.

    Attributes
    ----------
    steps : tuple of callable
        From str to str.
    split : callable
        From the text after these steps to its tokens.
    pattern : re.Pattern or None
        What `split` finds, if that is a regular expression.
    """

    steps: tuple[Callable[[str], str], ...]
    split: Tokenize
    pattern: re.Pattern[str] | None = None

    def __call__(self, text: str) -> Sequence[str]:
        """Return the tokens of a text."""
        return self.split(self.prepare(text))

    @property
    def by_piece(self) -> bool:
        """Whether `split` may be fed what stands between white space, piece by piece."""
        # No token of the default pattern holds white space, nor depends on what is beyond it.
        return self.pattern == re.compile(TOKEN_PATTERN)

    def prepare(self, text: str) -> str:
        """Return a text after the steps."""
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

#: Steps that make of each character, wherever it stands, a number of characters that is its own.
STEPS_BY_CHARACTER = (str.lower, *_STRIP_ACCENTS.values())


class Encoder:
    """Looks the tokens of texts up, and remembers the words it has met.

    Parameters
    ----------
    tokenize : callable
        From a text to its tokens.
    vocabulary : mapping of str to int
        Token -> position in the vocabulary, from 0.
    keep_unknown : bool, default=False
        Tell the tokens outside the vocabulary apart, rather than give them all the same id.
    most_unknown : int or None, default=None
        So many of these are remembered from call to call; if there are more, they get new ids. None:
        `MOST_PIECES`.

    Examples
    --------
    >>> from sktextcnn.text.tokens import Encoder, build_tokenizer
    >>> encoder = Encoder(build_tokenizer(), {"tea": 0, "milk": 1})
    >>> encoder(["Tea with milk", ""]).flat
    array([2, 1, 3], dtype=int32)
    >>> Encoder(build_tokenizer(), {"tea": 0, "milk": 1}, keep_unknown=True)(["Tea with milk"])
    TokenIds(flat=array([2, 4, 3], dtype=int32), offsets=array([0, 3]), unknown=('with',))
    """

    def __init__(
        self,
        tokenize: Tokenize,
        vocabulary: Mapping[str, int],
        *,
        keep_unknown: bool = False,
        most_unknown: int | None = None,
    ) -> None:
        self._tokenize, self._ids = tokenize, _Ids(vocabulary, keep_unknown)
        self._most_unknown = MOST_PIECES if most_unknown is None else most_unknown
        self._pieces: _Pieces | None = None

    def __call__(self, texts: Iterable[str]) -> TokenIds:
        """Return position + 2 for a known token, and for any other 1 or an id of its own.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        TokenIds
        """
        texts = [*texts]
        tokenize = self._tokenize
        if len(self._ids.unknown) > self._most_unknown:  # only here: ids hold for all of a call
            self._ids, self._pieces = self._ids.forget(), None
        if isinstance(tokenize, Tokenizer) and tokenize.by_piece:
            if self._pieces is None and len(texts) >= TEXTS_WORTH_REMEMBERING:
                self._pieces = _Pieces(tokenize.split, self._ids)
            if self._pieces is not None:
                flat, offsets = _encode_by_piece(texts, tokenize.prepare, self._pieces)
                return TokenIds(flat, offsets, (*self._ids.unknown,))
        rows = [
            np.fromiter(map(self._ids.__getitem__, tokens), np.int32, len(tokens))
            for tokens in map(tokenize, texts)
        ]
        offsets = to_offsets(np.array([*map(len, rows)]))
        return TokenIds(concatenate(rows), offsets, (*self._ids.unknown,))


class _Ids(dict[str, int]):
    """The id of each token that was asked for."""

    def __init__(self, vocabulary: Mapping[str, int], keep_unknown: bool) -> None:
        self._vocabulary, self._keep_unknown = vocabulary, keep_unknown
        self.unknown: list[str] = []

    def __missing__(self, token: str) -> int:
        position = self._vocabulary.get(token)
        if position is None and not self._keep_unknown:
            return UNKNOWN  # not remembered: there is no end to them
        if position is None:
            position = len(self._vocabulary) + len(self.unknown)
            self.unknown.append(token)
        self[token] = found = int(position) + FIRST_TOKEN
        return found

    def forget(self) -> _Ids:
        """Return one that has met no token yet."""
        return _Ids(self._vocabulary, self._keep_unknown)


class _Pieces(dict[str, bytes]):
    """The ids of what stands between white space, as the bytes of an array.

    Bytes are joined faster than numbers are collected, and most words of a text have come before.
    """

    def __init__(self, split: Tokenize, ids: _Ids) -> None:
        self._split, self._ids = split, ids

    def __missing__(self, piece: str) -> bytes:
        # Letters and digits alone are a single token; most pieces are.
        tokens = [piece] if piece.isalnum() else self._split(piece)
        ids = b"".join([self._ids[token].to_bytes(4, sys.byteorder) for token in tokens])
        if len(piece) <= LONGEST_PIECE:
            if len(self) >= MOST_PIECES:
                self.clear()
            self[piece] = ids
        return ids


def _encode_by_piece(
    texts: list[str], prepare: Callable[[str], str], pieces: _Pieces
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of all texts end to end, and where each text begins."""
    look_up = pieces.__getitem__
    rows = [b"".join(map(look_up, str.split(prepare(text)))) for text in texts]
    lengths = np.fromiter(map(len, rows), np.int64, len(rows)) // 4
    return np.frombuffer(bytearray().join(rows), np.int32), to_offsets(lengths)


def encode(
    texts: Iterable[str],
    tokenize: Tokenize,
    vocabulary: Mapping[str, int],
    *,
    keep_unknown: bool = False,
) -> TokenIds:
    """Look every token up.

    Parameters
    ----------
    texts : iterable of str
    tokenize : callable
        From a text to its tokens.
    vocabulary : mapping of str to int
        Token -> position in the vocabulary, from 0.
    keep_unknown : bool, default=False
        Tell the tokens outside the vocabulary apart, rather than give them all the same id.

    Returns
    -------
    TokenIds
        Position + 2 for a known token; for any other 1, or an id of its own.
    """
    return Encoder(tokenize, vocabulary, keep_unknown=keep_unknown)(texts)


def concatenate(rows: list[np.ndarray]) -> np.ndarray:
    """Return the ids of all texts end to end."""
    return np.concatenate(rows) if rows else np.zeros(0, np.int32)
