"""Token ids -> n-grams -> tf-idf features. NumPy and SciPy.

The convolution answers to the one window that fits a filter best; what a long text is about is said by
all of its words together. Bags of n-grams see that, and linear models on them are hard to beat on long
topical texts [1]_. An n-gram of tokens is a single integer here, its token ids read as the digits of a
number. The characters of tokens are counted beside them, see `sktextcnn.linear.characters`: they make
use of tokens that training saw once, or never.

.. [1] S. Wang and C. Manning (2012), Baselines and Bigrams: Simple, Good Sentiment and Topic
   Classification, ACL, https://aclanthology.org/P12-2018.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from sktextcnn.linear.characters import CharNgrams, learn_char_ngrams
from sktextcnn.text.tokens import FIRST_TOKEN, TokenIds

#: Texts that must hold an n-gram for it to count.
MIN_DF = 2

#: N-grams, at most: the weights of a block of labels, which are in work together, are 200 MB then. The
#: rarest go first.
MOST_NGRAMS = 1_500_000


@dataclass(frozen=True)
class Ngrams:
    """The n-grams worth a weight: first those of tokens, then those of characters.

    Attributes
    ----------
    keys : ndarray of shape (M - S,), dtype int64
        Of n-grams of tokens. Ascending, see `_keys`.
    idf : ndarray of shape (M,), dtype float32
        Inverse document frequencies of all n-grams.
    ngram_range : tuple of (int, int)
        Fewest and most tokens of an n-gram.
    base : int
        Number of token ids in the vocabulary.
    characters : CharNgrams of S n-grams
    """

    keys: np.ndarray
    idf: np.ndarray
    ngram_range: tuple[int, int]
    base: int
    characters: CharNgrams


def _keys(
    ids: TokenIds, ngram_range: tuple[int, int], base: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield each size of n-grams, where they begin in `ids.flat`, and their keys.

    Those that hold padding or an unknown token are left out.
    """
    flat = ids.flat.astype(np.int64)
    row = np.repeat(np.arange(len(ids)), ids.lengths)
    known = (flat >= FIRST_TOKEN) & (flat < base)
    for size in range(ngram_range[0], ngram_range[1] + 1):
        n = max(len(flat) - size + 1, 0)
        kept = row[:n] == row[len(flat) - n :]  # starts and ends in the same text
        key = np.zeros(n, np.int64)
        for offset in range(size):
            key = key * base + flat[offset : offset + n]
            kept &= known[offset : offset + n]
        begin = np.flatnonzero(kept)
        yield size, begin, key[begin]


def _rows_and_keys(
    ids: TokenIds, ngram_range: tuple[int, int], base: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the text and the key of every n-gram."""
    row = np.repeat(np.arange(len(ids)), ids.lengths)
    parts = [(row[begin], keys) for _, begin, keys in _keys(ids, ngram_range, base)]
    rows, keys = zip(*parts, strict=True)
    return np.concatenate(rows), np.concatenate(keys)


def _columns(keys: np.ndarray, ngrams: Ngrams) -> tuple[np.ndarray, np.ndarray]:
    """Return the column of each key, and whether it has one."""
    columns = np.searchsorted(ngrams.keys, keys)
    columns[columns == len(ngrams.keys)] = 0
    return columns, ngrams.keys[columns] == keys if len(ngrams.keys) else np.zeros(len(keys), bool)


def learn_ngrams(
    ids: TokenIds,
    ngram_range: tuple[int, int],
    char_ngram_range: tuple[int, int] | None,
    *,
    vocabulary: Sequence[str],
) -> tuple[Ngrams, sparse.csr_matrix]:
    """Collect the n-grams of texts, and return the texts in their terms.

    Parameters
    ----------
    ids : TokenIds of n texts
        Tokens outside the vocabulary told apart.
    ngram_range : tuple of (int, int)
        Fewest and most tokens of an n-gram.
    char_ngram_range : tuple of (int, int) or None
        Fewest and most characters of an n-gram within a token; None for none of those.
    vocabulary : sequence of str

    Returns
    -------
    ngrams : Ngrams
    features : csr_matrix of shape (n, M), dtype float32
        What ``ngram_features(ids, ngrams)`` gives.

    Raises
    ------
    ValueError
        If n-grams of so many tokens cannot be told apart in 64 bits.
    """
    base = len(vocabulary) + FIRST_TOKEN
    if base ** ngram_range[1] > np.iinfo(np.int64).max:
        raise ValueError(
            f"linear_ngram_range={ngram_range} is too wide for {base} token ids; lower max_features, or "
            "use (1, 2)."
        )
    rows, keys = _rows_and_keys(ids, ngram_range, base)
    keys, columns = np.unique(keys, return_inverse=True)
    characters, of_tokens = learn_char_ngrams(vocabulary, ids.unknown, char_ngram_range)
    counts = sparse.hstack(
        [
            _count(rows, columns, (len(ids), len(keys))),
            _count_tokens(ids, of_tokens.shape[0]) @ of_tokens,
        ],
        format="csr",
    )
    counts.sort_indices()
    df = np.bincount(counts.indices, minlength=counts.shape[1])
    kept = np.flatnonzero(df >= min(MIN_DF, len(ids)))
    if len(kept) > MOST_NGRAMS:
        kept = np.sort(kept[np.argsort(-df[kept], kind="stable")[:MOST_NGRAMS]])
    idf = np.log((1 + len(ids)) / (1 + df[kept])) + 1
    of_keys, of_characters = kept[kept < len(keys)], kept[kept >= len(keys)] - len(keys)
    ngrams = Ngrams(
        keys[of_keys], idf.astype(np.float32), ngram_range, base, characters.take(of_characters)
    )
    return ngrams, _tfidf(counts[:, kept], ngrams.idf)


def ngram_features(ids: TokenIds, ngrams: Ngrams) -> sparse.csr_matrix:
    """Return tf-idf features: sublinear counts times idf, each text of length 1.

    As of `sklearn.feature_extraction.text.TfidfVectorizer` with ``sublinear_tf=True``, n-grams of
    tokens and of characters side by side.

    Parameters
    ----------
    ids : TokenIds of n texts
    ngrams : Ngrams

    Returns
    -------
    csr_matrix of shape (n, M), dtype float32
    """
    rows, keys = _rows_and_keys(ids, ngrams.ngram_range, ngrams.base)
    columns, kept = _columns(keys, ngrams)
    counts = _count(rows[kept], columns[kept], (len(ids), len(ngrams.keys)))
    if len(ngrams.characters.ngrams):
        counts = sparse.hstack([counts, _count_characters(ids, ngrams)], format="csr")
    return _tfidf(counts, ngrams.idf)


def _count_characters(ids: TokenIds, ngrams: Ngrams) -> sparse.csr_matrix:
    """Count the n-grams of characters in each text, by way of its distinct tokens."""
    counts = _count_tokens(ids.known(ngrams.base), ngrams.base) @ ngrams.characters.of_vocabulary
    if ids.unknown:
        counts = counts + _count_characters_of_unknown(ids, ngrams)
    # Products leave columns in an order that tells who else was there; so would sums over them.
    counts.sort_indices()
    return counts


def _count_characters_of_unknown(ids: TokenIds, ngrams: Ngrams) -> sparse.csr_matrix:
    occurs = np.zeros(ngrams.base + len(ids.unknown), bool)
    occurs[ids.flat] = True
    met = np.flatnonzero(occurs[ngrams.base :])  # of these texts, where more may have been met before
    position = np.full(len(occurs), len(met))
    position[ngrams.base + met] = np.arange(len(met))
    of_tokens = ngrams.characters.of_tokens([ids.unknown[i] for i in met])
    unknown = replace(ids, flat=position[ids.flat])
    return _count_tokens(unknown, len(met) + 1)[:, : len(met)] @ of_tokens


def _count_tokens(ids: TokenIds, n_tokens: int) -> sparse.csr_matrix:
    """Count the tokens of each text (n, n_tokens)."""
    ones, shape = np.ones(len(ids.flat), np.float32), (len(ids), n_tokens)
    # A copy, for the tokens are sorted in place.
    counts = sparse.csr_matrix((ones, ids.flat, ids.offsets), shape, copy=True)
    counts.sum_duplicates()
    return counts


def _count(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    """Count the columns of each row: for a single text in half the time that a `coo_matrix` takes."""
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(shape[0] + 1))
    counts = sparse.csr_matrix((np.ones(len(rows), np.float32), columns[order], starts), shape)
    counts.sum_duplicates()
    return counts


def _tfidf(features: sparse.csr_matrix, idf: np.ndarray) -> sparse.csr_matrix:
    """Return counts as tf-idf features: the same matrix."""
    features.data = (1 + np.log(features.data)) * idf[features.indices]
    squares = np.add.reduceat(np.append(features.data**2, 0), features.indptr[:-1])  # not of empty rows
    features.data /= np.repeat(np.sqrt(squares), np.diff(features.indptr)).astype(np.float32)
    return features


def find_ngrams(ids: TokenIds, ngrams: Ngrams) -> tuple[np.ndarray, ...]:
    """Find every position at which an n-gram occurs.

    Parameters
    ----------
    ids : TokenIds of n texts
        Tokens outside the vocabulary told apart.
    ngrams : Ngrams

    Returns
    -------
    rows, starts, stops, columns, values : ndarray of shape (m,)
        The text, in ascending order; the position among its tokens, for an n-gram of characters that of
        the token; the column among the features; and the share of the text's tf-idf feature: an n-gram
        that comes several times has it divided.
    """
    row = np.repeat(np.arange(len(ids)), ids.lengths)
    within = np.arange(len(ids.flat)) - ids.offsets[row]
    parts = []
    for size, begin, keys in _keys(ids, ngrams.ngram_range, ngrams.base):
        columns, kept = _columns(keys, ngrams)
        begin, columns = begin[kept], columns[kept]
        parts.append((row[begin], within[begin], within[begin] + size, columns))
    of_unknown = ngrams.characters.of_tokens(ids.unknown)
    of_tokens = sparse.vstack([ngrams.characters.of_vocabulary, of_unknown], format="csr")[ids.flat]
    counts = of_tokens.data.astype(int)
    token = np.repeat(np.repeat(np.arange(len(ids.flat)), np.diff(of_tokens.indptr)), counts)
    columns = len(ngrams.keys) + np.repeat(of_tokens.indices, counts)
    parts.append((row[token], within[token], within[token] + 1, columns))
    found = [np.concatenate(part) for part in zip(*parts, strict=True)]
    rows, starts, stops, columns = (part[np.argsort(found[0], kind="stable")] for part in found)
    # One feature for each (text, n-gram), in the order of a sorted matrix.
    features = ngram_features(ids, ngrams).sorted_indices()
    _, feature, counts = np.unique(
        rows * len(ngrams.idf) + columns, return_inverse=True, return_counts=True
    )
    return rows, starts, stops, columns, (features.data / counts)[feature]
