"""The vocabulary: which tokens have an id of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import numpy as np

from sktextcnn.text.tokens import FIRST_TOKEN, TokenIds, Tokenize, encode


def learn_vocabulary(
    texts: Iterable[str],
    tokenize: Tokenize,
    *,
    min_df: int | float = 1,
    max_df: int | float = 1.0,
    max_features: int | None = None,
) -> tuple[dict[str, int], TokenIds]:
    """Collect the tokens worth a vector of their own, and the texts in their terms.

    Parameters
    ----------
    texts : iterable of str
    tokenize : callable
        From a text to its tokens.
    min_df, max_df : int or float, default=1, 1.0
        As of `choose_vocabulary`.
    max_features : int or None, default=None
        As of `choose_vocabulary`.

    Returns
    -------
    vocabulary : dict of str to int
        Token -> position, the most frequent token first, ties in alphabetical order.
    ids : TokenIds
        The texts, with tokens outside the vocabulary told apart.

    Raises
    ------
    ValueError, TypeError
        As of `choose_vocabulary`.
    """
    numbered = encode(texts, tokenize, {}, keep_unknown=True)
    vocabulary = choose_vocabulary(numbered, min_df=min_df, max_df=max_df, max_features=max_features)
    return vocabulary, numbered.in_terms_of(vocabulary)


def choose_vocabulary(
    numbered: TokenIds,
    *,
    min_df: int | float = 1,
    max_df: int | float = 1.0,
    max_features: int | None = None,
) -> dict[str, int]:
    """Return the tokens worth a vector of their own.

    Parameters
    ----------
    numbered : TokenIds
        Of texts, in terms of an empty vocabulary: all tokens are told apart.
    min_df : int or float, default=1
        Texts that must hold a token for it to be kept; a float is a share of the texts.
    max_df : int or float, default=1.0
        Texts that may hold a token for it to be kept, at most.
    max_features : int or None, default=None
        Keep so many tokens at most, the most frequent ones.

    Returns
    -------
    dict of str to int
        Token -> position, the most frequent token first, ties in alphabetical order.

    Raises
    ------
    ValueError
        If no token is left.
    TypeError
        If a token is not a str.
    """
    if not numbered.unknown:
        raise ValueError(
            "X holds no tokens: every text is empty or nothing in it matches token_pattern."
        )
    kept = find_frequent(numbered, min_df=min_df, max_df=max_df)[:max_features]
    if not kept:
        n, bounds, advice = len(numbered), f"min_df={min_df}", "lower min_df"
        if _to_count(max_df, n) < n:
            bounds, advice = f"{bounds} to max_df={max_df}", f"{advice} or raise max_df"
        raise ValueError(f"No token occurs in {bounds} of the {n} texts; {advice}.")
    return {token: position for position, token in enumerate(kept)}


def find_frequent(numbered: TokenIds, *, min_df: int | float, max_df: int | float) -> list[str]:
    """Return the tokens that occur in enough texts, and not in too many.

    Parameters
    ----------
    numbered : TokenIds
        Of texts, in terms of an empty vocabulary: all tokens are told apart.
    min_df, max_df : int or float
        As of `choose_vocabulary`.

    Returns
    -------
    list of str
        The most frequent token first, ties in alphabetical order.

    Raises
    ------
    TypeError
        If a token is not a str.
    """
    tokens, n = numbered.unknown, len(numbered)
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(f"analyzer or tokenizer returned the token {token!r}; tokens must be str.")
    counts, df = count_tokens(numbered)
    in_bounds = np.flatnonzero((df >= _to_count(min_df, n)) & (df <= _to_count(max_df, n)))
    return [tokens[i] for i in sorted(in_bounds, key=lambda i: (-counts[i], tokens[i]))]


def _to_count(bound: int | float, n: int) -> int | float:
    """Return a number of texts, or a share of n texts, as a number."""
    return bound if isinstance(bound, (int, np.integer)) else bound * n


def count_tokens(numbered: TokenIds) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each token occurs, and in how many texts.

    Parameters
    ----------
    numbered : TokenIds
        Of texts, in terms of an empty vocabulary.

    Returns
    -------
    counts, df : ndarray of shape (number of tokens,), dtype int64
    """
    n_ids = FIRST_TOKEN + len(numbered.unknown)
    counts, df = np.zeros(n_ids, np.int64), np.zeros(n_ids, np.int64)
    for part in numbered.parts():
        counts += np.bincount(part.flat, minlength=n_ids)
        row_of = np.repeat(np.arange(len(part)), part.lengths)
        df += np.bincount(np.unique(row_of * n_ids + part.flat) % n_ids, minlength=n_ids)
    return counts[FIRST_TOKEN:], df[FIRST_TOKEN:]


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
    >>> from sktextcnn.text.vocabulary import extend_vocabulary
    >>> extend_vocabulary({"tea": 0}, ["tea", "milk", "sugar"], 2)
    {'tea': 0, 'milk': 1}
    """
    extended = dict(vocabulary)
    for token in tokens:
        if max_features is not None and len(extended) >= max_features:
            break
        extended.setdefault(token, len(extended))
    return extended


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


def check_matches(vocabulary: Mapping[str, int], found: Sequence[str], *, lowercase: bool) -> None:
    """Refuse a vocabulary fixed in advance that holds no token of the training texts.

    Parameters
    ----------
    vocabulary : mapping of str to int
        Token -> position.
    found : sequence of str
        The distinct tokens of the texts.
    lowercase : bool
        Whether texts were lower-cased first.

    Raises
    ------
    ValueError
        If no token is in the vocabulary; the message shows some of both.
    """
    if any(token in vocabulary for token in found):
        return
    advice = "Entries are whole tokens, as analyzer, token_pattern, lowercase and so on make them."
    if lowercase and not {*found}.isdisjoint(map(str.lower, vocabulary)):
        advice = "Texts are lower-cased first: lower-case the entries, too, or set lowercase=False."
    elif not lowercase and any(str(token).lower() in vocabulary for token in found):
        advice = "Texts are not lower-cased first: set lowercase=True."
    entries, tokens = (", ".join(map(repr, islice(words, 4))) for words in (vocabulary, found))
    raise ValueError(
        f"vocabulary holds no token of the texts. Its entries are such as {entries}; the texts' tokens "
        f"such as {tokens or 'none'}. {advice}"
    )
