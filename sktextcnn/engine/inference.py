"""Trained weights + ids -> scores, without TensorFlow, and for a few texts in NumPy alone.

The convolution runs over looked-up embeddings, so it can be computed by distinct tokens: with E the
embeddings and K_j the slice of a kernel at offset j, the window at t has the value
sum_j (E K_j)[token[t + j]]. Each distinct token is multiplied once; a window is then a sum of rows of
that product.

A text's scores must not depend on the texts beside it, but BLAS rounds a row by its position in a
product, by the product's size, and by the threads that share it. So every product here has as many rows
as BLAS computes in lockstep (`ROWS_PER_BLOCK`), filled up with zeros; it is written transposed, for it
is along the columns that BLAS does so; and it is too small to be shared. Windows are summed in NumPy or
by the compiled kernel of training, in the same order: who does it changes no bit.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from sktextcnn.engine.weights import Weights
from sktextcnn.text.tokens import TokenIds
from sktextcnn.threads import Team, divide

#: Rows of every matrix product, and the most multiplications in it: OpenBLAS shares larger ones.
ROWS_PER_BLOCK, MULTIPLICATIONS = 16, 2**18

#: Such blocks of rows that a thread multiplies together: few, to stay in the processor's cache.
BLOCKS_TOGETHER = 16

#: Numbers in the products of distinct tokens and kernels: 80 MB, unless a single text has more.
NUMBERS_PER_PRODUCT = 20_000_000

#: Texts whose largest windows are held at a time: some ten megabytes.
TEXTS_PER_PART = 4096

#: Tokens whose windows NumPy sums up together: few, so that sums stay in the processor's cache.
TOKENS_PER_CHUNK = 512

#: Tokens that a process pools in NumPy before it takes the time to load the compiled kernel: where it
#: uses others already, .05 s, and where it does not, a second. Calls with few tokens never load it.
TOKENS_BEFORE_KERNEL, TOKENS_BEFORE_NUMBA, FEW_TOKENS = 50_000, 1_000_000, 4096

_n_pooled = 0


def kernel_sizes_of(weights: Weights) -> list[int]:
    """Return the widths of the convolutions among `weights`, ascending."""
    found = (re.fullmatch(r"convolution_(\d+)_kernel", name) for name in weights)
    return sorted(int(match.group(1)) for match in found if match)


def check_shapes(weights: Weights, **parameters: object) -> None:
    """Refuse to go on with weights that other parameters gave their shapes.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Of the fitted network.
    **parameters : object
        ``embedding_dim``, ``kernel_sizes`` (ascending), ``filters`` and ``hidden_units`` of today.

    Raises
    ------
    ValueError
        If one of them has changed.
    """
    sizes = kernel_sizes_of(weights)
    _, dim, filters = weights[f"convolution_{sizes[0]}_kernel"].shape
    hidden = weights["hidden_bias"].size if "hidden_bias" in weights else None
    fitted = {
        "embedding_dim": dim,
        "kernel_sizes": tuple(sizes),
        "filters": filters,
        "hidden_units": hidden,
    }
    for name, now in parameters.items():
        if now != fitted[name]:
            raise ValueError(
                f"{name} changed from {fitted[name]} to {now}; a model that goes on learning keeps its "
                "shape. Fit a clone instead."
            )


def compute_logits(weights: Weights, ids: TokenIds) -> np.ndarray:
    """Run the network.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As `sktextcnn.engine.weights.initial_weights` names them.
    ids : TokenIds
        Of n texts, each truncated to the maximal length.

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    return Network(weights).compute_logits(ids)


class Network:
    """A trained network that remembers the products of the tokens it has met.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As `sktextcnn.engine.weights.initial_weights` names them.
    team : Team or None, default=None
        Threads that share the work. BLAS should have one then.
    """

    def __init__(self, weights: Weights, team: Team | None = None) -> None:
        self._weights, self._team = weights, team or Team(1)
        sizes = kernel_sizes_of(weights)
        self._sizes = np.array(sizes, np.int64)
        self._kernels = [weights[f"convolution_{size}_kernel"] for size in sizes]
        self._bias = np.concatenate([weights[f"convolution_{size}_bias"] for size in sizes])
        n_columns = self._bias.size // len(sizes) * sum(sizes)
        self._most_rows = min(_in_blocks(len(weights["embedding"])), NUMBERS_PER_PRODUCT // n_columns)
        self._table = np.empty((0, sum(sizes), self._bias.size // len(sizes)), np.float32)
        self._forget()

    def compute_logits(self, ids: TokenIds) -> np.ndarray:
        """Run the network.

        Parameters
        ----------
        ids : TokenIds
            Of n texts, each truncated to the maximal length.

        Returns
        -------
        ndarray of shape (n, k), dtype float32
        """
        starts = range(0, max(len(ids), 1), TEXTS_PER_PART)
        parts = [self._compute_logits(ids[start : start + TEXTS_PER_PART]) for start in starts]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _compute_logits(self, ids: TokenIds) -> np.ndarray:
        x = np.empty((len(ids), self._bias.size), np.float32)
        self._fill(ids, x, None)
        if "hidden_kernel" in self._weights:
            x = np.maximum(self._dense("hidden", x), 0)
        return self._dense("output", x)

    def find_windows(self, ids: TokenIds) -> tuple[np.ndarray, np.ndarray]:
        """Return what the filters found in each text, and where.

        Parameters
        ----------
        ids : TokenIds
            Of n texts, each truncated to the maximal length.

        Returns
        -------
        features : ndarray of shape (n, n_features), dtype float32
            Largest response of every filter, 0 where none is positive.
        winners : ndarray of shape (n, n_features), dtype int32
            First token of the first window that gave it.
        """
        features = np.empty((len(ids), self._bias.size), np.float32)
        winners = np.empty(features.shape, np.int32)
        self._fill(ids, features, winners)
        return features, winners

    def _fill(self, ids: TokenIds, features: np.ndarray, winners: np.ndarray | None) -> None:
        """Fill in what `find_windows` returns; without winners, which NumPy takes as long to find."""
        tokens = self._new_tokens(ids)
        if self._n_rows + _in_blocks(len(tokens)) > len(self._table):
            self._forget()
            tokens = self._new_tokens(ids)
            n_rows = _in_blocks(len(tokens))
            if n_rows > self._most_rows and len(ids) > 1:
                for half in (slice(len(ids) // 2), slice(len(ids) // 2, len(ids))):
                    self._fill(ids[half], features[half], None if winners is None else winners[half])
                return
            if n_rows > len(self._table):  # a single text will not be followed by many others
                n_rows = max(n_rows, self._most_rows if len(ids) > 1 else 0)
                self._table = np.empty((n_rows, *self._table.shape[1:]), np.float32)
        self._multiply_tokens(tokens)
        self._pool(ids, features, winners)

    def _forget(self) -> None:
        self._n_rows, self._position = 0, np.full(len(self._weights["embedding"]), -1)

    def _new_tokens(self, ids: TokenIds) -> np.ndarray:
        """Return the distinct tokens without a product."""
        occurs = np.zeros(len(self._position), bool)
        occurs[ids.flat] = True
        return np.flatnonzero(occurs & (self._position < 0))

    def _multiply_tokens(self, tokens: np.ndarray) -> None:
        """Multiply tokens, for which there is room in the table."""
        vectors = _fill_up(self._weights["embedding"][tokens])
        self._position[tokens] = np.arange(self._n_rows, self._n_rows + len(tokens))
        table = self._table[self._n_rows : self._n_rows + len(vectors)]
        self._n_rows += len(tokens)
        self._multiply(vectors, self._kernels, table)

    def _dense(self, name: str, x: np.ndarray) -> np.ndarray:
        kernel, bias = self._weights[f"{name}_kernel"], self._weights[f"{name}_bias"]
        rows = _fill_up(x)
        out = np.empty((len(rows), 1, bias.size), np.float32)
        self._multiply(rows, [kernel[None]], out)
        return out[: len(x), 0] + bias

    def _multiply(self, rows: np.ndarray, kernels: list[np.ndarray], out: np.ndarray) -> None:
        """Fill `out` (n, S, F) with the products of rows (n, D) and the slices (w, D, F) of kernels."""

        def work(blocks: slice) -> None:
            part, slice_ = slice(blocks.start * ROWS_PER_BLOCK, blocks.stop * ROWS_PER_BLOCK), 0
            for kernel in kernels:
                _multiply_blocks(rows[part], kernel, out[part, slice_ : slice_ + len(kernel)])
                slice_ += len(kernel)

        n_blocks = len(rows) // ROWS_PER_BLOCK
        self._team.map(work, divide(n_blocks, n_blocks // BLOCKS_TOGETHER + 1))

    def _pool(self, ids: TokenIds, features: np.ndarray, winners: np.ndarray | None) -> None:
        """Find the largest windows of texts whose tokens are all in the table."""
        local, pool = self._position[ids.flat], _choose_pooling(len(ids.flat))

        def work(rows: slice) -> None:
            windows = local, ids.offsets[rows.start : rows.stop + 1], self._sizes
            found = None if winners is None else winners[rows]
            pool(self._table, windows, self._bias, features[rows], found)

        self._team.map(work, divide(len(ids), self._team.n_threads))


def _in_blocks(n_rows: int) -> int:
    return -(-n_rows // ROWS_PER_BLOCK) * ROWS_PER_BLOCK


def _fill_up(rows: np.ndarray) -> np.ndarray:
    """Return rows, and as many of zeros as it takes to fill the last block."""
    filled = np.zeros((_in_blocks(len(rows)), rows.shape[1]), np.float32)
    filled[: len(rows)] = rows
    return filled


def _multiply_blocks(rows: np.ndarray, slices: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` (n, w, F) with the products of rows (n, D) and each of the slices (w, D, F)."""
    products, blocks = (
        out.reshape(-1, ROWS_PER_BLOCK, *out.shape[1:]),
        rows.reshape(-1, 1, ROWS_PER_BLOCK, rows.shape[1]),
    )
    step = max(MULTIPLICATIONS // (ROWS_PER_BLOCK * rows.shape[1]), 1)
    for first in range(0, out.shape[2], step):
        columns = slice(first, first + step)
        transposed = slices[..., columns].swapaxes(1, 2) @ blocks.swapaxes(
            2, 3
        )  # (n / ROWS_PER_BLOCK, w, F, ROWS_PER_BLOCK)
        products[..., columns] = transposed.transpose(0, 3, 1, 2)


def _choose_pooling(n_tokens: int) -> Callable[..., None]:
    """Return the kernel, if it is loaded or has become worth loading, or its twin in NumPy."""
    global _n_pooled
    if "sktextcnn.engine.kernels" not in sys.modules:
        if n_tokens < FEW_TOKENS:
            return pool_in_numpy
        _n_pooled += n_tokens
        if _n_pooled < (TOKENS_BEFORE_KERNEL if "sktextcnn.jit" in sys.modules else TOKENS_BEFORE_NUMBA):
            return pool_in_numpy
    return pool_in_kernel


@cache
def _load_kernel() -> Any:
    from sktextcnn.engine.kernels import examples_of_calls, pool
    from sktextcnn.jit import prepare

    prepare([(pool, examples_of_calls()[pool])])
    return pool


def pool_in_kernel(
    table: np.ndarray,
    windows: tuple[np.ndarray, np.ndarray, np.ndarray],
    bias: np.ndarray,
    features: np.ndarray,
    winners: np.ndarray | None,
) -> None:
    """Do what `pool_in_numpy` does, in compiled loops, which find winners anyhow."""
    if winners is None:
        winners = np.empty(features.shape, np.int32)
    kernel = _load_kernel()
    kernel(table, windows, bias, features, winners, 0, 0.0, np.uint32(0))  # all filters, none dropped


def pool_in_numpy(
    table: np.ndarray,
    windows: tuple[np.ndarray, np.ndarray, np.ndarray],
    bias: np.ndarray,
    features: np.ndarray,
    winners: np.ndarray | None,
) -> None:
    """Find the largest window of each text for every filter; add bias and rectify.

    Parameters
    ----------
    table : ndarray of shape (U, S, F), dtype float32
        Products of distinct tokens and the slices of all kernels.
    windows : tuple of three ndarray
        Of n texts, see `sktextcnn.engine.kernels`.
    bias : ndarray of shape (n_features,)
    features : ndarray of shape (n, n_features), dtype float32
        Filled with the responses.
    winners : ndarray of shape (n, n_features), dtype int32, or None
        Filled with where the first window begins that gave them, if asked for.
    """
    local, starts, sizes = windows
    lengths, n_filters = np.diff(starts), table.shape[2]
    features[:] = 0  # those of a text without any token
    if winners is not None:
        winners[:] = 0
    # Memory of its own for each chunk would come from the system, page by page.
    n_tokens = min(lengths.sum(), max(TOKENS_PER_CHUNK, lengths.max(initial=0)))
    gathered = np.empty((n_tokens, *table.shape[1:]), np.float32)
    for rows, length in _chunks(lengths):
        tokens = local[starts[rows, None] + np.arange(length)]  # (n, T)
        products = gathered[: tokens.size].reshape(*tokens.shape, *table.shape[1:])  # (n, T, S, F)
        np.take(table, tokens, axis=0, out=products, mode="clip")  # which writes without a copy
        slice_, column = 0, 0
        for size in sizes.tolist():
            n_windows, columns = max(length - size + 1, 1), slice(column, column + n_filters)
            responses = products[:, :n_windows, slice_]
            for offset in range(1, min(size, length)):
                responses += products[:, offset : offset + n_windows, slice_ + offset]
            features[rows, columns] = responses.max(axis=1)
            if winners is not None:
                winners[rows, columns] = responses.argmax(axis=1)
            slice_, column = slice_ + size, columns.stop
    features += bias
    np.maximum(features, 0, out=features)


def _chunks(lengths: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the rows of texts of one length, `TOKENS_PER_CHUNK` together at most, and that length."""
    for length in np.unique(lengths[lengths > 0]).tolist():
        rows, step = np.flatnonzero(lengths == length), max(TOKENS_PER_CHUNK // length, 1)
        for start in range(0, len(rows), step):
            yield rows[start : start + step], length


def to_probabilities(logits: np.ndarray, *, exclusive: bool) -> np.ndarray:
    """Turn logits into probabilities.

    Parameters
    ----------
    logits : ndarray of shape (n, k)
    exclusive : bool
        Whether the labels of a text share one distribution (softmax, rows sum to 1) or each has its
        own (sigmoid).

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    logits = logits.astype(np.float64)
    if exclusive:
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    # exp of a negative number only: no overflow on either side.
    small = np.exp(-np.abs(logits))
    return (np.where(logits >= 0, 1.0, small) / (1.0 + small)).astype(np.float32)


def to_log_probabilities(logits: np.ndarray, *, exclusive: bool) -> np.ndarray:
    """Turn logits into logarithms of probabilities, which are finite where these are 0 in float32.

    Parameters
    ----------
    logits : ndarray of shape (n, k)
    exclusive : bool
        As of `to_probabilities`.

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    logits = logits.astype(np.float64)
    if exclusive:
        logits -= logits.max(axis=1, keepdims=True)
        return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    return (np.minimum(logits, 0) - np.log1p(np.exp(-np.abs(logits)))).astype(np.float32)
