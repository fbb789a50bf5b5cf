"""The linear part of a fitted model: n-grams, an SVM for each label, and its share of the logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sktextcnn.linear.characters import CharNgrams
from sktextcnn.linear.features import Ngrams, ngram_features
from sktextcnn.text.tokens import TokenIds

#: Weights that are made dense to multiply with them, at most: 40 MB.
MOST_DENSE = 10_000_000


@dataclass(frozen=True)
class LinearPart:
    """One linear SVM per label, whose margins are blended into the network's logits.

    Attributes
    ----------
    ngrams : Ngrams
        The M n-grams that are counted in a text.
    kernel : csr_matrix of shape (M, k), dtype float32
        Weights, sparse: those next to nothing are 0.
    bias : ndarray of shape (k,), dtype float32
    blend : ndarray of shape (3, k), dtype float32
        Weights of the logits and of the margins in their sum, and the constant that is added to it.
    """

    ngrams: Ngrams
    kernel: sparse.csr_matrix
    bias: np.ndarray
    blend: np.ndarray

    @property
    def counts_characters(self) -> bool:
        """Whether it looks at n-grams of characters, and so at tokens of no vocabulary."""
        return len(self.ngrams.characters.ngrams) > 0

    def margins(self, ids: TokenIds) -> np.ndarray:
        """Return how far each text lies on a label's side.

        Parameters
        ----------
        ids : TokenIds of n texts
            Tokens outside the vocabulary told apart.

        Returns
        -------
        ndarray of shape (n, k), dtype float32
        """
        return multiply(ngram_features(ids, self.ngrams), self.kernel) + self.bias

    def add_to(self, logits: np.ndarray, ids: TokenIds) -> np.ndarray:
        """Blend the network's logits with the margins.

        Parameters
        ----------
        logits : ndarray of shape (n, k), dtype float32
        ids : TokenIds of the same n texts
            Tokens outside the vocabulary told apart.

        Returns
        -------
        ndarray of shape (n, k), dtype float32
        """
        return blend_logits(logits, self.margins(ids), self.blend)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays that say all of it, by name."""
        ngrams, characters = self.ngrams, self.ngrams.characters
        return {
            "ngrams": ngrams.keys,
            "ngram_range": np.array(ngrams.ngram_range, np.int64),
            "char_ngrams": characters.ngrams,
            "char_ngram_range": np.array(characters.ngram_range, np.int64),
            "char_ngrams_of_tokens": characters.of_vocabulary.indices.astype(np.int32, copy=False),
            "char_ngrams_counts": characters.of_vocabulary.data,
            "char_ngrams_offsets": characters.of_vocabulary.indptr.astype(np.int32, copy=False),
            "idf": ngrams.idf,
            "kernel": self.kernel.data,
            "kernel_labels": self.kernel.indices.astype(np.int32, copy=False),
            "kernel_offsets": self.kernel.indptr.astype(np.int64, copy=False),
            "bias": self.bias,
            "blend": self.blend,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> LinearPart:
        """Return what gave these arrays, without copies of them."""
        parts = tuple(arrays[f"char_ngrams_{name}"] for name in ("counts", "of_tokens", "offsets"))
        n_ids = len(parts[2]) - 1
        characters = CharNgrams(
            arrays["char_ngrams"],
            _pair(arrays["char_ngram_range"]),
            sparse.csr_matrix(parts, (n_ids, len(arrays["char_ngrams"]))),
        )
        ngrams = Ngrams(arrays["ngrams"], arrays["idf"], _pair(arrays["ngram_range"]), n_ids, characters)
        parts = tuple(arrays[name] for name in ("kernel", "kernel_labels", "kernel_offsets"))
        kernel = sparse.csr_matrix(parts, (len(ngrams.idf), len(arrays["bias"])))
        return cls(ngrams, kernel, arrays["bias"], arrays["blend"])


def multiply(features: sparse.csr_matrix, kernel: sparse.csr_matrix) -> np.ndarray:
    """Return the product of features and a kernel, as a dense array.

    Rows of the kernel that are dense are added up several times faster. So those of the n-grams that
    occur are made dense, unless that would take more room than the texts in work do otherwise. The
    numbers are the same: each is a sum in the order of the text's n-grams, and zeros change none.

    Parameters
    ----------
    features : csr_matrix of shape (n, M), dtype float32
    kernel : csr_matrix of shape (M, k), dtype float32

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    occurs = np.zeros(kernel.shape[0], bool)
    occurs[features.indices] = True
    rows = np.flatnonzero(occurs)
    if len(rows) * kernel.shape[1] > MOST_DENSE:
        return (features @ kernel).toarray()
    position = np.empty(kernel.shape[0], features.indices.dtype)
    position[rows] = np.arange(len(rows))
    parts = features.data, position[features.indices], features.indptr
    return sparse.csr_matrix(parts, (features.shape[0], len(rows))) @ kernel[rows].toarray()


def _pair(array: np.ndarray) -> tuple[int, int]:
    least, most = array.tolist()
    return least, most


def blend_logits(logits: np.ndarray, margins: np.ndarray, blend: np.ndarray) -> np.ndarray:
    """Return the weighted sum of logits and margins, plus a constant, as float32."""
    of_network, of_margins, constant = blend.astype(np.float32)
    return of_network * logits + of_margins * margins + constant
