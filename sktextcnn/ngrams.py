"""Token ids -> n-grams -> tf-idf features -> margins of a linear model. NumPy and SciPy.

The convolution answers to the one window that fits a filter best; what a long text is about is said by
all of its words together. Bags of n-grams see that, and linear models on them are hard to beat on long
topical texts [1]_. An n-gram is a single integer here, its token ids read as the digits of a number.

.. [1] S. Wang and C. Manning (2012), Baselines and Bigrams: Simple, Good Sentiment and Topic
   Classification, ACL, https://aclanthology.org/P12-2018.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sktextcnn.engine.weights import count_token_ids
from sktextcnn.text import FIRST_TOKEN, TokenIds

#: Texts that must hold an n-gram for it to count.
MIN_DF = 2

#: Numbers in the linear model (n-grams times labels), at most: 200 MB. The rarest n-grams go first.
MOST_WEIGHTS = 50_000_000


@dataclass(frozen=True)
class Ngrams:
    """The n-grams worth a weight.

    Attributes
    ----------
    keys : ndarray of shape (M,), dtype int64
        Ascending, see `_keys`.
    idf : ndarray of shape (M,), dtype float32
        Inverse document frequencies.
    ngram_range : tuple of (int, int)
        Fewest and most tokens of an n-gram.
    base : int
        Number of token ids.
    """

    keys: np.ndarray
    idf: np.ndarray
    ngram_range: tuple[int, int]
    base: int


def _keys(
    ids: TokenIds, ngram_range: tuple[int, int], base: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield each size of n-grams, where they begin in `ids.flat`, and their keys.

    Those that hold padding or an unknown token are left out.
    """
    flat = ids.flat.astype(np.int64)
    row = np.repeat(np.arange(len(ids)), ids.lengths)
    known = flat >= FIRST_TOKEN
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
    ids: TokenIds, ngram_range: tuple[int, int], *, base: int, n_labels: int
) -> tuple[Ngrams, sparse.csr_matrix]:
    """Collect the n-grams of texts, and return the texts in their terms.

    Parameters
    ----------
    ids : TokenIds of n texts
    ngram_range : tuple of (int, int)
        Fewest and most tokens of an n-gram.
    base : int
        Number of token ids.
    n_labels : int
        Weights that each n-gram will have.

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
    if base ** ngram_range[1] > np.iinfo(np.int64).max:
        raise ValueError(
            f"linear_ngram_range={ngram_range} is too wide for {base} token ids; lower max_features, or "
            "use (1, 2)."
        )
    rows, keys = _rows_and_keys(ids, ngram_range, base)
    keys, columns = np.unique(keys, return_inverse=True)
    counts = _count(rows, columns, (len(ids), len(keys)))
    df = np.bincount(counts.indices, minlength=len(keys))
    kept = np.flatnonzero(df >= min(MIN_DF, len(ids)))
    most = MOST_WEIGHTS // n_labels
    if len(kept) > most:
        kept = np.sort(kept[np.argsort(-df[kept], kind="stable")[:most]])
    idf = np.log((1 + len(ids)) / (1 + df[kept])) + 1
    ngrams = Ngrams(keys[kept], idf.astype(np.float32), ngram_range, base)
    return ngrams, _tfidf(counts[:, kept], ngrams.idf)


def ngram_features(ids: TokenIds, ngrams: Ngrams) -> sparse.csr_matrix:
    """Return tf-idf features: sublinear counts times idf, each text of length 1.

    As of `sklearn.feature_extraction.text.TfidfVectorizer` with ``sublinear_tf=True``.

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
    return _tfidf(_count(rows[kept], columns[kept], (len(ids), len(ngrams.keys))), ngrams.idf)


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


def pack(
    ngrams: Ngrams, kernel: np.ndarray, bias: np.ndarray, blend: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the linear part as arrays that go with the network's weights.

    Parameters
    ----------
    ngrams : Ngrams
    kernel : ndarray of shape (M, k)
    bias : ndarray of shape (k,)
    blend : ndarray of shape (3, k)
        Weights of the network's logits and of the margins in their sum, and what is added to it.

    Returns
    -------
    dict of str to ndarray
    """
    return {
        "linear_ngrams": ngrams.keys,
        "linear_idf": ngrams.idf,
        "linear_range": np.array(ngrams.ngram_range, np.int64),
        "linear_kernel": kernel,
        "linear_bias": bias,
        "linear_blend": blend.astype(np.float32),
    }


def add_linear_part(logits: np.ndarray, weights: Mapping[str, np.ndarray], ids: TokenIds) -> np.ndarray:
    """Blend the network's logits with the linear part's margins.

    Parameters
    ----------
    logits : ndarray of shape (n, k), dtype float32
    weights : mapping of str to ndarray
        All weights, with what `pack` made among them.
    ids : TokenIds of the same n texts

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    ngrams = _unpack(weights)
    margins = ngram_features(ids, ngrams) @ weights["linear_kernel"] + weights["linear_bias"]
    return blend_logits(logits, margins, weights["linear_blend"])


def _unpack(weights: Mapping[str, np.ndarray]) -> Ngrams:
    least, most = weights["linear_range"].tolist()
    base = count_token_ids(weights)
    return Ngrams(weights["linear_ngrams"], weights["linear_idf"], (least, most), base)


def find_ngrams(ids: TokenIds, weights: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Find every place where an n-gram of the linear part occurs.

    Parameters
    ----------
    ids : TokenIds of n texts
    weights : mapping of str to ndarray
        All weights, with what `pack` made among them.

    Returns
    -------
    rows, starts, stops, columns, values : ndarray of shape (m,)
        The text, in ascending order; the place among its tokens; the row of ``linear_kernel``; and the
        share of the text's tf-idf feature: an n-gram that comes several times has it divided.
    """
    ngrams = _unpack(weights)
    row = np.repeat(np.arange(len(ids)), ids.lengths)
    parts = []
    for size, begin, keys in _keys(ids, ngrams.ngram_range, ngrams.base):
        columns, kept = _columns(keys, ngrams)
        begin, columns = begin[kept], columns[kept]
        starts = begin - ids.offsets[row[begin]]
        parts.append((row[begin], starts, starts + size, columns))
    found = [np.concatenate(part) for part in zip(*parts, strict=True)]
    rows, starts, stops, columns = (part[np.argsort(found[0], kind="stable")] for part in found)
    # One feature for each (text, n-gram), in the order of a sorted matrix.
    features = ngram_features(ids, ngrams).sorted_indices()
    _, feature, counts = np.unique(
        rows * len(ngrams.keys) + columns, return_inverse=True, return_counts=True
    )
    return rows, starts, stops, columns, (features.data / counts)[feature]


def blend_logits(logits: np.ndarray, margins: np.ndarray, blend: np.ndarray) -> np.ndarray:
    """Return the weighted sum of logits and margins, plus a constant, as float32."""
    of_network, of_margins, constant = blend.astype(np.float32)
    return of_network * logits + of_margins * margins + constant
