"""Token ids of texts -> vectors of tokens that stand among the same neighbours.

The neighbours of a token say what it is about. Their positive pointwise mutual information is a long
and sparse vector; a singular value decomposition makes it short and dense. This does what word2vec's
skip-gram does implicitly [1]_, in seconds and with the same result every time; the choices that matter
are those of [2]_.

.. [1] O. Levy and Y. Goldberg (2014), Neural Word Embedding as Implicit Matrix Factorization, NIPS,
   https://papers.nips.cc/paper/5477.
.. [2] O. Levy, Y. Goldberg and I. Dagan (2015), Improving Distributional Similarity with Lessons
   Learned from Word Embeddings, TACL 3, https://doi.org/10.1162/tacl_a_00134.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from sktextcnn.text.tokens import FIRST_TOKEN, TokenIds

#: Power of the neighbours' frequencies, so that rare ones are not taken for telling ([2]_, 3.1).
SMOOTHING = 0.75

#: Power of the singular values in the vectors ([2]_, 3.3).
EIGENVALUE_POWER = 0.5

#: Length of every vector. Of 1 and 3, the latter did better on training rows of three data sets.
LENGTH = 3.0


def learn_vectors(
    ids: TokenIds, n_tokens: int, *, dim: int, window: int, random_state: Any
) -> np.ndarray:
    """Return a vector for each token of the vocabulary.

    Parameters
    ----------
    ids : TokenIds
    n_tokens : int
        Size of the vocabulary, V.
    dim : int
        Length of a vector, below V.
    window : int
        How far away a neighbour may be, in tokens. One d tokens away counts 1 / d.
    random_state : int, RandomState instance or None
        Of the decomposition.

    Returns
    -------
    ndarray of shape (V, dim), dtype float32
        Rows of length `LENGTH`; 0 for a token without neighbours.
    """
    counts = _count_neighbours(ids.known(n_tokens + FIRST_TOKEN), n_tokens, window)
    information = _positive_information(counts)
    left, values, _ = randomized_svd(information, dim, random_state=random_state)
    vectors = left * values**EIGENVALUE_POWER
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors * (LENGTH / np.maximum(lengths, 1e-9))).astype(np.float32)


def _count_neighbours(ids: TokenIds, n_tokens: int, window: int) -> sparse.csr_matrix:
    """Return how often tokens of the vocabulary are near each other (V, V), symmetric."""
    row = np.repeat(np.arange(len(ids)), ids.lengths)
    counts = sparse.csr_matrix((n_tokens, n_tokens))
    for distance in range(1, window + 1):
        n = max(len(row) - distance, 0)
        left, right = ids.flat[:n], ids.flat[len(row) - n :]
        near = (row[:n] == row[len(row) - n :]) & (left >= FIRST_TOKEN) & (right >= FIRST_TOKEN)
        pairs = left[near] - FIRST_TOKEN, right[near] - FIRST_TOKEN
        weight = np.full(len(pairs[0]), 1 / distance)
        counts = counts + sparse.csr_matrix((weight, pairs), (n_tokens, n_tokens))
    return counts + counts.T


def _positive_information(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return log(p(token, neighbour) / (p(token) p(neighbour))) where it is positive."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    share = totals**SMOOTHING
    share /= max(share.sum(), 1e-9)
    pairs = counts.tocoo()
    values = np.log(pairs.data / (totals[pairs.row] * share[pairs.col]))
    kept = values > 0
    return sparse.csr_matrix((values[kept], (pairs.row[kept], pairs.col[kept])), counts.shape)
