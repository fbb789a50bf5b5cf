"""Tokens -> n-grams of their characters.

Word forms, compounds and misspellings share most of their characters with words that are known. What an
n-gram of characters says of a label can be learned from all words that hold it [1]_, and is of use for
words that training never saw. A token stands between two blanks, so that "(ing)" at its end is another
n-gram than within, as of ``analyzer="char_wb"`` of
:class:`sklearn.feature_extraction.text.CountVectorizer`.

.. [1] P. McNamee and J. Mayfield (2004), Character N-Gram Tokenization for European Language Text
   Retrieval, Information Retrieval 7, https://doi.org/10.1023/B:INRT.0000009441.78971.be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sktextcnn.text.tokens import FIRST_TOKEN


@dataclass(frozen=True)
class CharNgrams:
    """N-grams of characters, and which token of the vocabulary holds which of them.

    Attributes
    ----------
    ngrams : ndarray of shape (S,), dtype str
        Ascending.
    ngram_range : tuple of (int, int)
        Fewest and most characters of an n-gram; (0, 0) if there are none.
    of_vocabulary : csr_matrix of shape (V + 2, S), dtype float32
        How often each token id holds them.
    """

    ngrams: np.ndarray
    ngram_range: tuple[int, int]
    of_vocabulary: sparse.csr_matrix

    def of_tokens(self, tokens: Sequence[str]) -> sparse.csr_matrix:
        """Return how often each token holds them (n_tokens, S)."""
        found = [char_ngrams(token, self.ngram_range) for token in tokens]
        flat = np.array([ngram for ngrams in found for ngram in ngrams], self.ngrams.dtype)
        columns = np.searchsorted(self.ngrams, flat)
        columns[columns == len(self.ngrams)] = 0
        kept = self.ngrams[columns] == flat if len(self.ngrams) else np.zeros(len(flat), bool)
        rows = np.repeat(np.arange(len(tokens)), [*map(len, found)])
        return _count(rows[kept], columns[kept], (len(tokens), len(self.ngrams)))

    def take(self, columns: np.ndarray) -> CharNgrams:
        """Return some of the n-grams, in ascending order."""
        return CharNgrams(self.ngrams[columns], self.ngram_range, self.of_vocabulary[:, columns])


def char_ngrams(token: str, ngram_range: tuple[int, int]) -> list[str]:
    """Return the n-grams of a token's characters, blanks at its ends among them.

    Parameters
    ----------
    token : str
    ngram_range : tuple of (int, int)
        Fewest and most characters of an n-gram.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from sktextcnn.linear.characters import char_ngrams
    >>> char_ngrams("tea", (3, 4))
    [' te', 'tea', 'ea ', ' tea', 'tea ']
    """
    padded, (least, most) = f" {token} ", ngram_range
    return [
        padded[start : start + size]
        for size in range(max(least, 1), most + 1)
        for start in range(len(padded) - size + 1)
    ]


def learn_char_ngrams(
    vocabulary: Iterable[str], unknown: Sequence[str], ngram_range: tuple[int, int] | None
) -> tuple[CharNgrams, sparse.csr_matrix]:
    """Collect the n-grams of all tokens.

    Parameters
    ----------
    vocabulary : iterable of str
        The V tokens with an id of their own.
    unknown : sequence of str
        Other tokens of the training texts.
    ngram_range : tuple of (int, int) or None
        Fewest and most characters of an n-gram; None collects none.

    Returns
    -------
    ngrams : CharNgrams
    of_tokens : csr_matrix of shape (V + 2 + number of unknown tokens, S)
        How often each token holds them.
    """
    ngram_range = ngram_range or (0, 0)
    # Nothing belongs to the ids of padding and of unknown tokens.
    found = [char_ngrams(token, ngram_range) for token in (*vocabulary, *unknown)]
    lengths = np.array([*[0] * FIRST_TOKEN, *map(len, found)], np.int64)
    flat = np.array([ngram for ngrams in found for ngram in ngrams], f"<U{max(ngram_range[1], 1)}")
    ngrams, columns = np.unique(flat, return_inverse=True)
    of_tokens = _count(np.repeat(np.arange(len(lengths)), lengths), columns, (len(lengths), len(ngrams)))
    of_vocabulary = of_tokens[: len(lengths) - len(unknown)]
    return CharNgrams(ngrams, ngram_range, of_vocabulary), of_tokens


def _count(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    counts = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape)
    counts.sum_duplicates()
    return counts
