"""Training the SVMs of a fit: one for each label, on the texts of each fold and on all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from scipy import sparse

from sktextcnn.callbacks import Progress
from sktextcnn.checkpoints import Checkpoint
from sktextcnn.decision.held_out import row_parts
from sktextcnn.engine.examples import Examples
from sktextcnn.fitting.plan import LinearSettings, Plan
from sktextcnn.linear.features import Ngrams, learn_ngrams, ngram_features
from sktextcnn.linear.part import multiply
from sktextcnn.linear.training import fit_linear
from sktextcnn.text.tokens import FIRST_TOKEN, TokenIds

#: Kernel (M, k) and bias (k,).
SVMs = tuple[sparse.csr_matrix, np.ndarray]


@dataclass(frozen=True)
class Features:
    """The n-grams that count, and texts in their terms.

    Attributes
    ----------
    ngrams : Ngrams
        The M n-grams.
    tokens : TokenIds of n texts
    matrix : csr_matrix of shape (n, M) or (len(rows), M), dtype float32
    rows : ndarray of int or None
        The texts whose features are held, ascending; None: all of them.
    """

    ngrams: Ngrams
    tokens: TokenIds
    matrix: sparse.csr_matrix
    rows: np.ndarray | None

    def held(self, rows: np.ndarray) -> tuple[np.ndarray, sparse.csr_matrix]:
        """Return those of some rows whose features are held, and these features."""
        if self.rows is None:
            return rows, self.matrix[rows]
        rows = rows[np.isin(rows, self.rows)]
        return rows, self.matrix[np.searchsorted(self.rows, rows)]

    def of(self, rows: np.ndarray) -> Iterable[sparse.csr_matrix]:
        """Return the features of some rows, part by part, whether they are held or not."""
        if self.rows is None:
            return [self.matrix[rows]]
        return (ngram_features(part, self.ngrams) for part in self.tokens.take(rows).parts())


def learn_features(
    tokens: TokenIds, vocabulary: Sequence[str], settings: LinearSettings
) -> Features | None:
    """Collect the n-grams that count.

    Parameters
    ----------
    tokens : TokenIds of n texts
        Tokens outside the vocabulary told apart.
    vocabulary : sequence of str
    settings : LinearSettings

    Returns
    -------
    Features or None
        None if texts share no n-gram.
    """
    rows = settings.rows
    ngrams, matrix = learn_ngrams(
        tokens if rows is None else _take(tokens, rows, len(vocabulary) + FIRST_TOKEN),
        settings.ngram_range,
        settings.char_ngram_range,
        vocabulary=vocabulary,
    )
    return Features(ngrams, tokens, matrix, rows) if matrix.shape[1] else None


def _take(tokens: TokenIds, rows: np.ndarray, base: int) -> TokenIds:
    """Return some texts; of tokens outside the vocabulary that they do not hold, not the characters."""
    taken = tokens.take(rows)
    is_met = np.zeros(base + len(taken.unknown), bool)
    for part in taken.parts():
        is_met[part.flat] = True
    unknown = (token if met else "" for token, met in zip(taken.unknown, is_met[base:], strict=True))
    return replace(taken, unknown=tuple(unknown))


@dataclass(frozen=True)
class SVMTrainer:
    """Trains the SVMs of a fit, for each fold and for all texts.

    Attributes
    ----------
    features : Features
    examples : Examples
    plan : Plan
    seed : int
    progress : Progress
    checkpoint : Checkpoint
    n_threads : int
    """

    features: Features
    examples: Examples
    plan: Plan
    seed: int
    progress: Progress
    checkpoint: Checkpoint
    n_threads: int

    def train(self, number: int, rows: np.ndarray) -> SVMs:
        """Train the SVMs of all labels on some texts, or return those that were.

        Parameters
        ----------
        number : int
            Of the fold, or one more for all texts.
        rows : ndarray of int
            Of the texts to learn from.

        Returns
        -------
        kernel : csr_matrix of shape (M, k), dtype float32
        bias : ndarray of shape (k,), dtype float32
        """
        name = f"linear part {number + 1} of {len(self.plan.folds) + 1}"
        stored = self.checkpoint.read(name)
        if stored is not None:
            self.progress.restore(name, n_linear=1)
            return sparse.csr_matrix(stored["kernel"], stored["shape"]), stored["bias"]
        started, examples = perf_counter(), self.examples
        rows, features = self.features.held(rows)
        kernel, bias = fit_linear(
            features,
            examples.targets[rows],
            examples.sample_weight[rows],
            examples.label_weight,
            self.seed,
            C=self.plan.linear.C,  # type: ignore[union-attr]
            n_threads=self.n_threads,
        )
        self.progress.end_linear(perf_counter() - started)
        arrays = kernel.data, kernel.indices, kernel.indptr
        self.checkpoint.write(name, {"kernel": arrays, "shape": kernel.shape, "bias": bias})
        return kernel, bias


def held_out_margins(
    svms: Sequence[SVMs], features: Features, parts: Sequence[np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield the margins of held-out texts, as many of them at a time as `networks.held_out_logits`.

    Parameters
    ----------
    svms : sequence of (kernel, bias)
        Those of each part.
    features : Features
    parts : sequence of ndarray of int
        Rows that the SVMs of each part have not learned from.

    Yields
    ------
    ndarray of shape (n_rows, k), dtype float32
    """
    for (kernel, bias), rows in zip(svms, parts, strict=True):
        for part in row_parts(len(rows), len(bias)):
            margins = [multiply(each, kernel) + bias for each in features.of(rows[part])]
            yield np.concatenate(margins)
