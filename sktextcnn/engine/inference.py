"""Trained weights + ids -> scores, in NumPy: a process that only predicts needs no TensorFlow.

The convolution runs over looked-up embeddings, so it can be folded: with E the embeddings and K_j the
slice of a kernel at offset j, the window at t has the value sum_j (E K_j)[token[t + j]]. Each distinct
token of a chunk of texts is multiplied once; a window is then a sum of rows of that product.

A text's scores must not depend on the texts beside it. BLAS may round a row differently in products
of other sizes, so every product here has the same number of rows (`BLOCK`), filled up with zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from sktextcnn.text import PADDING, TokenIds

Weights = Mapping[str, np.ndarray]

#: Rows of every matrix product.
BLOCK = 64

#: Numbers in the products of distinct tokens and kernels: 160 MB, unless a single text has more.
NUMBERS_PER_PRODUCT = 40_000_000

#: Tokens whose windows are summed up together: few, so that sums stay in the processor's cache.
TOKENS_PER_CHUNK = 1024


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
    features = np.empty((len(ids), len(_biases(weights))), np.float32)
    for rows, columns, windows in _windows(weights, ids):
        features[rows, columns] = windows.max(axis=1)
    features = np.maximum(features + _biases(weights), 0)
    if "hidden_kernel" in weights:
        hidden = _multiply(features, weights["hidden_kernel"]) + weights["hidden_bias"]
        features = np.maximum(hidden, 0)
    return _multiply(features, weights["output_kernel"]) + weights["output_bias"]


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
    features = np.empty((len(ids), len(_biases(weights))), np.float32)
    starts = np.empty(features.shape, np.int64)
    for rows, columns, windows in _windows(weights, ids):
        features[rows, columns], starts[rows, columns] = windows.max(axis=1), windows.argmax(axis=1)
    return np.maximum(features + _biases(weights), 0), starts


def _biases(weights: Weights) -> np.ndarray:
    return np.concatenate([weights[f"convolution_{k}_bias"] for k in kernel_sizes_of(weights)])


def _chunks(lengths: np.ndarray, n_tokens: int) -> Iterator[np.ndarray]:
    """Yield the rows of texts of about the same length, as many as a matrix of `n_tokens` holds."""
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


def _windows(weights: Weights, ids: TokenIds) -> Iterator[tuple[np.ndarray, slice, np.ndarray]]:
    """Yield (rows, columns, responses): a few texts, one width's filters, and their responses.

    Those have the shape (rows, T, F); they lack the bias, and are -inf past a text's end. The array is
    used again: reduce it before going on.
    """
    sizes = kernel_sizes_of(weights)
    kernels = [part for size in sizes for part in weights[f"convolution_{size}_kernel"]]
    # One product for the slices of all kernels, S of F columns each.
    kernel, n_slices, n_filters = np.concatenate(kernels, axis=1), len(kernels), kernels[0].shape[1]
    occurs = np.zeros(len(weights["embedding"]), bool)
    place = np.zeros(len(occurs), np.int64)
    for group in _chunks(ids.lengths, max(NUMBERS_PER_PRODUCT // kernel.shape[1], 1)):
        texts = ids.take(group)
        occurs[PADDING] = occurs[texts.flat] = True
        tokens = np.flatnonzero(occurs)
        occurs[tokens] = False
        place[tokens] = np.arange(len(tokens)) * n_slices
        table = _multiply(weights["embedding"][tokens], kernel).reshape(-1, n_filters)
        for rows in _chunks(texts.lengths, TOKENS_PER_CHUNK):
            few = texts.take(rows)
            matrix = place[few.padded(max(sizes) - 1)]  # (n, T + widest - 1)
            width = matrix.shape[1] - max(sizes) + 1  # T
            windows, summand = np.empty((2, len(rows), width, n_filters), np.float32)
            for column, (size, end) in enumerate(zip(sizes, np.cumsum(sizes), strict=True)):
                first = end - size  # slice of the kernels at hand
                np.take(table, matrix[:, :width] + first, axis=0, out=windows, mode="clip")
                for offset in range(1, size):
                    index = matrix[:, offset : offset + width] + (first + offset)
                    windows += np.take(table, index, axis=0, out=summand, mode="clip")
                windows[np.arange(width) >= np.maximum(few.lengths - size + 1, 1)[:, None]] = -np.inf
                yield group[rows], slice(column * n_filters, (column + 1) * n_filters), windows


def _multiply(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return ``rows @ matrix``, in products of `BLOCK` rows."""
    n = len(rows)
    blocks = np.zeros((-(-n // BLOCK), BLOCK, rows.shape[1]), np.float32)
    blocks.reshape(-1, rows.shape[1])[:n] = rows
    product = np.empty((*blocks.shape[:2], matrix.shape[1]), np.float32)
    for block, out in zip(blocks, product, strict=True):
        np.matmul(block, matrix, out=out)
    return product.reshape(-1, matrix.shape[1])[:n]


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
