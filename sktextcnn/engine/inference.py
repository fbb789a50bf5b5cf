"""Trained weights + ids -> scores, without TensorFlow, and for a few texts in NumPy alone.

The convolution runs over looked-up embeddings, so it can be folded: with E the embeddings and K_j the
slice of a kernel at offset j, the window at t has the value sum_j (E K_j)[token[t + j]]. Each distinct
token is multiplied once; a window is then a sum of rows of that product.

A text's scores must not depend on the texts beside it. BLAS may round a row differently in products
of other sizes, so every product here has the same number of rows (`BLOCK`), filled up with zeros. It
may also add up otherwise in two threads than in one, if sums are long: no product has more than `DEPTH`
summands. Windows are summed in NumPy or by a compiled kernel, in the same order: who does it changes
no bit.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from sktextcnn.text import PADDING, TokenIds
from sktextcnn.threads import Team

Weights = Mapping[str, np.ndarray]

#: Rows of every matrix product, and the most columns of its first factor.
BLOCK, DEPTH = 64, 256

#: Numbers in the products of distinct tokens and kernels: 80 MB, unless a single text has more.
NUMBERS_PER_PRODUCT = 20_000_000

#: Tokens whose windows NumPy sums up together: few, so that sums stay in the processor's cache.
TOKENS_PER_CHUNK = 1024

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
        Of n texts, each cut to the maximal length.

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    return Network(weights).compute_logits(ids)


def winning_windows(weights: Weights, ids: TokenIds) -> tuple[np.ndarray, np.ndarray]:
    """Return what the filters found in each text, and where.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As `sktextcnn.engine.weights.initial_weights` names them.
    ids : TokenIds
        Of n texts, each cut to the maximal length.

    Returns
    -------
    features : ndarray of shape (n, n_features), dtype float32
        Largest response of every filter, 0 where none is positive.
    starts : ndarray of shape (n, n_features), dtype int64
        First token of the window that gave it.
    """
    network = Network(weights)
    starts = np.empty((len(ids), network.n_features), np.int64)
    return network.compute_features(ids, starts), starts


class Network:
    """A trained network that remembers the products of the tokens it has met.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As `sktextcnn.engine.weights.initial_weights` names them.
    team : Team or None, default=None
        Threads that share the widths of the convolutions. BLAS should have one then.
    """

    def __init__(self, weights: Weights, team: Team | None = None) -> None:
        self._weights, self._team = weights, team or Team(1)
        self._sizes = kernel_sizes_of(weights)
        # The slices of a kernel side by side, one product for all of them.
        self._kernels = [
            np.concatenate([*weights[f"convolution_{size}_kernel"]], axis=1) for size in self._sizes
        ]
        self._biases = np.concatenate([weights[f"convolution_{size}_bias"] for size in self._sizes])
        self.n_features = len(self._biases)
        n_columns = sum(kernel.shape[1] for kernel in self._kernels)
        self._n_rows, self._place = 0, np.zeros(0, np.int32)
        self._reserve(min(len(weights["embedding"]), max(NUMBERS_PER_PRODUCT // n_columns, 1)))

    def compute_logits(self, ids: TokenIds) -> np.ndarray:
        """Run the network.

        Parameters
        ----------
        ids : TokenIds
            Of n texts, each cut to the maximal length.

        Returns
        -------
        ndarray of shape (n, k), dtype float32
        """
        weights, features = self._weights, self.compute_features(ids)
        if "hidden_kernel" in weights:
            hidden = _multiply(features, weights["hidden_kernel"]) + weights["hidden_bias"]
            features = np.maximum(hidden, 0)
        return _multiply(features, weights["output_kernel"]) + weights["output_bias"]

    def compute_features(self, ids: TokenIds, starts: np.ndarray | None = None) -> np.ndarray:
        """Return the largest response of every filter in each text, 0 where none is positive.

        Parameters
        ----------
        ids : TokenIds
            Of n texts, each cut to the maximal length.
        starts : ndarray of shape (n, n_features), dtype int64, or None, default=None
            Filled with the first token of the window that gave it.

        Returns
        -------
        ndarray of shape (n, n_features), dtype float32
        """
        features = np.empty((len(ids), self.n_features), np.float32)
        pool = _choose_pooling(len(ids.flat))
        for rows, texts, tokens in self._parts(ids):
            found = None if starts is None else starts[rows]
            self._pool(pool, texts, tokens, features[rows], found)
        return np.maximum(features + self._biases, 0)

    def _pool(
        self,
        pool: Callable[..., None],
        texts: TokenIds,
        tokens: np.ndarray,
        out: np.ndarray,
        starts: np.ndarray | None,
    ) -> None:
        """Multiply new tokens, and take the maxima over all windows of texts."""
        new = slice(self._n_rows, self._n_rows + len(tokens))
        self._n_rows = new.stop
        self._place[tokens] = np.arange(new.start, new.stop)
        places = TokenIds(self._place[texts.flat], texts.offsets)
        vectors = self._weights["embedding"][tokens]

        def work(i: int) -> None:  # for one width: a thread needs nothing from the others
            table, size = self._tables[i], self._sizes[i]
            _multiply(vectors, self._kernels[i], table[new])
            n_filters = table.shape[1] // size
            slices = table.reshape(-1, n_filters)  # those of a token one after the other
            pool(slices, places, size, out, i * n_filters, starts)

        self._team.map(work, range(len(self._sizes)))

    def _reserve(self, n_rows: int) -> None:
        """Make room for the products of so many tokens, and forget those at hand."""
        self._tables = [np.empty((n_rows, kernel.shape[1]), np.float32) for kernel in self._kernels]
        self._forget()

    def _forget(self) -> None:
        self._n_rows = 0
        self._place = np.zeros(len(self._weights["embedding"]), np.int32)

    def _parts(self, ids: TokenIds) -> Iterator[tuple[slice, TokenIds, np.ndarray]]:
        """Yield texts whose products there is room for, and their tokens that are yet to be multiplied.

        Row 0 is that of padding.
        """
        waiting = [slice(0, len(ids))]
        while waiting:
            rows = waiting.pop()
            texts = ids[rows]
            tokens = self._new_tokens(texts.flat)
            if self._n_rows + len(tokens) > len(self._tables[0]):
                self._forget()
                tokens = self._new_tokens(texts.flat)
            if len(tokens) > len(self._tables[0]):
                if len(texts) > 1:
                    middle = (rows.start + rows.stop) // 2
                    waiting += [slice(middle, rows.stop), slice(rows.start, middle)]
                    continue
                self._reserve(len(tokens))
            yield rows, texts, tokens

    def _new_tokens(self, flat: np.ndarray) -> np.ndarray:
        """Return the distinct tokens without a product, padding first if it has none."""
        occurs = np.zeros(len(self._place), bool)
        occurs[flat] = True
        occurs[PADDING] = not self._n_rows
        return np.flatnonzero(occurs & (self._place == 0))


def _choose_pooling(n_tokens: int) -> Callable[..., None]:
    """Return the kernel, if it is loaded or has become worth loading, or its twin in NumPy."""
    global _n_pooled
    name = "sktextcnn.engine.pooling"
    if name not in sys.modules:
        if n_tokens < FEW_TOKENS:
            return pool_in_numpy
        _n_pooled += n_tokens
        if _n_pooled < (TOKENS_BEFORE_KERNEL if "sktextcnn.jit" in sys.modules else TOKENS_BEFORE_NUMBA):
            return pool_in_numpy
    from sktextcnn.engine.pooling import pool_in_kernel

    return pool_in_kernel


def pool_in_numpy(
    table: np.ndarray,
    places: TokenIds,
    size: int,
    out: np.ndarray,
    column: int,
    starts: np.ndarray | None = None,
) -> None:
    """Find the largest of each filter's responses in each text.

    Parameters
    ----------
    table : ndarray of shape (m * size, F), dtype float32
        Products of the tokens and a kernel's slices; row 0 to ``size - 1`` for what comes after a text.
    places : TokenIds
        Of n texts, for each token its place in `table`, counted in `size` rows.
    size : int
        Tokens in a window.
    out : ndarray of shape (n, n_features), dtype float32
        Filled with the maxima, from column `column` on.
    column : int
        That of the first filter.
    starts : ndarray of shape (n, n_features), dtype int64, or None, default=None
        Filled likewise with where the first window begins that gave them.
    """
    columns = slice(column, column + table.shape[1])
    for rows in _chunks(places.lengths, TOKENS_PER_CHUNK):
        few = places.take(rows) if len(places) > 1 else places
        lengths = few.lengths
        matrix = few.padded(size - 1) * size  # (n, T + size - 1)
        width = matrix.shape[1] - size + 1
        windows, summand = np.empty((2, len(rows), width, table.shape[1]), np.float32)
        np.take(table, matrix[:, :width], axis=0, out=windows, mode="clip")
        for offset in range(1, size):
            index = matrix[:, offset : offset + width] + offset
            windows += np.take(table, index, axis=0, out=summand, mode="clip")
        windows[np.arange(width) >= np.maximum(lengths - size + 1, 1)[:, None]] = -np.inf
        out[rows, columns] = windows.max(axis=1)
        if starts is not None:
            starts[rows, columns] = windows.argmax(axis=1)


def _chunks(lengths: np.ndarray, n_tokens: int) -> Iterator[np.ndarray]:
    """Yield the rows of texts of about the same length, as many as a matrix of `n_tokens` holds."""
    if len(lengths) == 1:  # a single text should wait for nothing
        yield np.zeros(1, np.int64)
        return
    order = np.argsort(lengths, kind="stable")
    sizes = np.maximum(lengths[order], 1)
    start = 0
    while start < len(order):
        # Sorted by length, the chunk's widest text is its last.
        stop = start + 1
        while stop < len(order) and sizes[stop] * (stop + 1 - start) <= n_tokens:
            stop += 1
        yield order[start:stop]
        start = stop


def _multiply(rows: np.ndarray, matrix: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return ``rows @ matrix``, in products of `BLOCK` rows and sums of up to `DEPTH` numbers."""
    if out is None:
        out = np.empty((len(rows), matrix.shape[1]), np.float32)
    full = len(rows) // BLOCK * BLOCK
    if full:
        # One call for all blocks: between calls a thread would wait for the interpreter's lock.
        _multiply_blocks(rows[:full], matrix, out[:full])
    if n_left := len(rows) - full:
        block = np.zeros((BLOCK, rows.shape[1]), np.float32)
        block[:n_left] = rows[full:]
        out[full:] = _multiply_blocks(block, matrix, np.empty((BLOCK, matrix.shape[1]), np.float32))[
            :n_left
        ]
    return out


def _multiply_blocks(rows: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> np.ndarray:
    blocks = rows.reshape(-1, BLOCK, rows.shape[1])
    products = out.reshape(-1, BLOCK, out.shape[1])  # a view: `out` is contiguous
    np.matmul(blocks[:, :, :DEPTH], matrix[:DEPTH], out=products)
    for depth in range(DEPTH, len(matrix), DEPTH):
        products += blocks[:, :, depth : depth + DEPTH] @ matrix[depth : depth + DEPTH]
    return out


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
