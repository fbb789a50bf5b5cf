"""The loops of a training step that NumPy has no fast form for; prediction shares `pool`.

Shapes: B texts with N tokens in all, U of them distinct; D numbers in a token's vector. Filters come in
blocks of F of each width. A kernel of width w has w slices, S is the number of slices of all widths.
Features are in the order of widths, and those of a block stand together in each width.

What windows there are is said by three arrays, `windows`: the texts' tokens end to end, as positions
among the distinct ones (N,); where each text begins among them, and the last one ends (B + 1,); and the
widths of the convolutions, ascending. In a text shorter than a window, the window ends with the text.

Inner loops run from 0 over views or unsigned numbers, whose indices need no check of their sign, so that
they become vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sktextcnn.jit import kernel

#: Optimizers by the number that `update` knows them by.
SGD, ADAGRAD, ADAM = range(3)


@kernel
def gather(flat: Any, offsets: Any, rows: Any, position: Any) -> Any:
    """Collect a batch: its texts end to end, in terms of its distinct tokens.

    Parameters
    ----------
    flat, offsets : ndarray
        All texts, see `sktextcnn.text.tokens.TokenIds`.
    rows : ndarray of shape (B,)
        Those of the batch.
    position : ndarray, one number per token of the vocabulary
        The kernel's own memory: -1 before and after.

    Returns
    -------
    tokens : ndarray of shape (U,)
        The distinct tokens, as they come.
    local : ndarray of shape (N,)
        All tokens, as positions among the distinct ones.
    starts : ndarray of shape (B + 1,)
        Where each text begins in `local`.
    """
    starts = np.zeros(len(rows) + 1, np.int64)
    for i in range(len(rows)):
        starts[i + 1] = starts[i] + offsets[rows[i] + 1] - offsets[rows[i]]
    tokens, local = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.int64)
    n, distinct = 0, 0
    for row in rows:
        for token in flat[offsets[row] : offsets[row + 1]]:
            if position[token] < 0:
                position[token] = distinct
                tokens[distinct] = token
                distinct += 1
            local[n] = position[token]
            n += 1
    for token in tokens[:distinct]:
        position[token] = -1
    return tokens[:distinct], local, starts


@kernel
def densify(columns: Any, starts: Any, rows: Any, out: Any) -> None:
    """Set a 1 in `out` (B, k), which is 0, for each entry of some rows of a sparse 0/1 matrix."""
    for i in range(len(rows)):
        for p in range(starts[rows[i]], starts[rows[i] + 1]):
            out[i, columns[p]] = 1


@kernel
def _draw(key: Any, index: Any) -> Any:
    """Return 32 random bits, a function of key and index alone.

    A finaliser of two multiplications, https://github.com/skeeto/hash-prospector, over a counter: as in
    Salmon et al. (2011), Parallel Random Numbers: As Easy as 1, 2, 3.
    """
    x = np.uint32(np.uint32(index) ^ key)
    x = np.uint32(x ^ (x >> np.uint32(16)))
    x = np.uint32(np.uint64(x) * np.uint64(0x7FEB352D) & np.uint64(0xFFFFFFFF))
    x = np.uint32(x ^ (x >> np.uint32(15)))
    x = np.uint32(np.uint64(x) * np.uint64(0x846CA68B) & np.uint64(0xFFFFFFFF))
    return np.uint32(x ^ (x >> np.uint32(16)))


@kernel
def drop(values: Any, rows: Any, rate: Any, key: Any, first: Any, out: Any) -> None:
    """Copy some rows of `values` to `out` (U, D), a share `rate` of the entries dropped.

    Parameters
    ----------
    values : ndarray of shape (n, D)
    rows : ndarray of shape (U,)
    rate : float
    key : uint32
        What is drawn is a function of it and of the position alone.
    first : int
        Row of `out` among all that are drawn by that key, if it is a part of them.
    out : ndarray of shape (U, D)
        Another array than `values`: within one, the loop would not become vector instructions.
    """
    n, dim = out.shape
    limit, scale = np.uint32(rate * 4294967296.0), np.float32(1.0 / (1.0 - rate))
    for r in range(n):
        source, target = values[rows[r]], out[r]
        for d in range(dim):
            kept = _draw(key, (first + r) * dim + d) >= limit
            target[d] = source[d] * scale if kept else np.float32(0)


@kernel
def _larger(value: Any, position: Any, best: Any, where: Any) -> Any:
    """Return the larger value and its position. One that is no number wins, and shows in the loss."""
    kept = best >= value or best != best
    return (best, where) if kept else (value, position)


@kernel
def pool(
    table: Any, windows: Any, bias: Any, features: Any, winners: Any, first: Any, rate: Any, key: Any
) -> None:
    """Find the largest window of each text for every filter of a block; add bias, rectify, drop.

    The usual widths have loops of their own, in which sums stay in registers.

    Parameters
    ----------
    table : ndarray of shape (U, S, F)
        Distinct tokens times the block's slices.
    windows : tuple of three ndarray
        See above.
    bias : ndarray of shape (n_features,)
    features : ndarray of shape (B, n_features)
        The columns of the block are filled.
    winners : ndarray of shape (B, n_features)
        Likewise, with the position in the text at which the largest window starts.
    first : int
        Number of the block's first filter.
    rate : float
    key : uint32
        As of `drop`.
    """
    local, starts, sizes = windows
    n_slices, n_filters = table.shape[1:]
    flat, u = table.reshape(-1), np.uint64
    per_width = features.shape[1] // len(sizes)
    limit, scale = np.uint32(rate * 4294967296.0), np.float32(1.0 / (1.0 - rate))
    window, cells = np.empty(n_filters, np.float32), np.empty(sizes.max(), np.uint64)
    for i in range(len(starts) - 1):
        begin, length = starts[i], starts[i + 1] - starts[i]
        slice_, column = 0, first
        for size in sizes:
            best = features[i, column : column + n_filters]
            where = winners[i, column : column + n_filters]
            best[:] = -np.inf if length > 0 else 0
            where[:] = 0
            for t in range(max(length - size + 1, min(length, 1))):
                n = min(size, length - t)  # fewer than `size` in a text that is shorter than the window
                for j in range(n):
                    cells[j] = u((local[begin + t + j] * n_slices + slice_ + j) * n_filters)
                a, z = cells[0], cells[n - 1]
                if n == 1:
                    for f in range(n_filters):
                        best[f], where[f] = _larger(flat[a + u(f)], t, best[f], where[f])
                elif n == 2:
                    for f in range(n_filters):
                        value = flat[a + u(f)] + flat[z + u(f)]
                        best[f], where[f] = _larger(value, t, best[f], where[f])
                elif n == 3:
                    b = cells[1]
                    for f in range(n_filters):
                        value = flat[a + u(f)] + flat[b + u(f)] + flat[z + u(f)]
                        best[f], where[f] = _larger(value, t, best[f], where[f])
                else:
                    b, c = cells[1], cells[2]
                    for f in range(n_filters):
                        window[f] = flat[a + u(f)] + flat[b + u(f)] + flat[c + u(f)]
                    for j in range(3, n - 1):
                        c = cells[j]
                        for f in range(n_filters):
                            window[f] += flat[c + u(f)]
                    for f in range(n_filters):
                        best[f], where[f] = _larger(window[f] + flat[z + u(f)], t, best[f], where[f])
            for f in range(n_filters):
                value = best[f] + bias[column + f]
                kept = _draw(key, i * features.shape[1] + column + f) >= limit
                best[f] = value * scale if kept and not (value <= 0) else np.float32(0)
            slice_ += size
            column += per_width


@kernel
def scatter(upstream: Any, windows: Any, winners: Any, first: Any, table: Any) -> None:
    """Add the gradient of a block's features where their windows are.

    Parameters
    ----------
    upstream : ndarray of shape (B, n_features)
        Gradient of the features.
    windows : tuple of three ndarray
        See above.
    winners : ndarray of shape (B, n_features)
        As `pool` fills it.
    first : int
        Number of the block's first filter.
    table : ndarray of shape (U, S, F)
        Where it is added.
    """
    local, starts, sizes = windows
    n_filters, per_width = table.shape[2], upstream.shape[1] // len(sizes)
    for i in range(len(starts) - 1):
        slice_, column = 0, first
        for size in sizes:
            for f in range(n_filters):
                g = upstream[i, column + f]
                if g != 0:
                    begin = starts[i] + winners[i, column + f]
                    for j in range(min(size, starts[i + 1] - begin)):
                        table[local[begin + j], slice_ + j, f] += g
            slice_ += size
            column += per_width


@kernel
def spread(
    upstream: Any,
    windows: Any,
    winners: Any,
    first: Any,
    vectors: Any,
    slices: Any,
    to_slices: Any,
    to_vectors: Any,
) -> None:
    """Add the gradient of a block's features straight from their windows.

    Parameters
    ----------
    upstream : ndarray of shape (B, n_features)
        Gradient of the features.
    windows : tuple of three ndarray
        See above.
    winners : ndarray of shape (B, n_features)
        As `pool` fills it.
    first : int
        Number of the block's first filter.
    vectors : ndarray of shape (U, D)
        Those of the distinct tokens.
    slices : ndarray of shape (S, F, D)
        The block's part of the kernels.
    to_slices : ndarray of shape (S, F, D)
        Where their gradient is added.
    to_vectors : ndarray of shape (U, D)
        Where the vectors' gradient is added.
    """
    local, starts, sizes = windows
    n_filters, dim = slices.shape[1:]
    per_width = upstream.shape[1] // len(sizes)
    slice_, column = 0, first
    for size in sizes:
        for f in range(n_filters):  # one filter after the other: what is added to stays in the cache
            for i in range(len(starts) - 1):
                g = upstream[i, column + f]
                if g != 0:
                    begin = starts[i] + winners[i, column + f]
                    for j in range(min(size, starts[i + 1] - begin)):
                        vector, target = vectors[local[begin + j]], to_slices[slice_ + j, f]
                        for d in range(dim):
                            target[d] += g * vector[d]
        slice_ += size
        column += per_width
    for i in range(len(starts) - 1):  # and here one text after the other
        slice_, column = 0, first
        for size in sizes:
            for f in range(n_filters):
                g = upstream[i, column + f]
                if g != 0:
                    begin = starts[i] + winners[i, column + f]
                    for j in range(min(size, starts[i + 1] - begin)):
                        part, target = slices[slice_ + j, f], to_vectors[local[begin + j]]
                        for d in range(dim):
                            target[d] += g * part[d]
            slice_ += size
            column += per_width


@kernel
def update(optimizer: Any, arrays: Any, rows: Any, gradient: Any, column: Any, rate: Any) -> None:
    """Take a step with some rows of a matrix, from a column on.

    Parameters
    ----------
    optimizer : int
        `SGD`, `ADAGRAD` or `ADAM`, with Keras' constants.
    arrays : tuple of three ndarray of shape (n, m)
        The matrix and what the optimizer remembers; any array where it remembers less.
    rows : ndarray of shape (U,)
    gradient : ndarray of shape (U, m)
    column : int
    rate : float32
    """
    weight, first_slot, second_slot = arrays
    for r in range(len(rows)):
        w, g = weight[rows[r], column:], gradient[r, column:]
        first, second = first_slot[rows[r], column:], second_slot[rows[r], column:]
        if optimizer == ADAM:
            for d in range(len(w)):
                first[d] = np.float32(0.9) * first[d] + np.float32(0.1) * g[d]
                second[d] = np.float32(0.999) * second[d] + np.float32(0.001) * g[d] * g[d]
                w[d] -= rate * first[d] / (np.sqrt(second[d]) + np.float32(1e-7))
        elif optimizer == ADAGRAD:
            for d in range(len(w)):
                first[d] += g[d] * g[d]
                w[d] -= rate * g[d] / (np.sqrt(first[d]) + np.float32(1e-7))
        else:
            for d in range(len(w)):
                w[d] -= rate * g[d]


def examples_of_calls() -> dict[Any, tuple]:
    """Return the arguments of a call of every kernel, smallest first: two texts of one token."""
    one, two = np.ones((1, 1), np.float32), np.ones((2, 1), np.float32)
    rows, position, key = np.arange(2), np.zeros(2, np.int64), np.uint32(0)
    starts, table, winners = np.arange(3), np.ones((1, 1, 1), np.float32), np.zeros((2, 1), np.int32)
    windows = position, starts, np.array([1])  # of one filter, of width 1
    where = two, windows, winners, 0
    return {
        densify: (position, starts, rows, two),
        drop: (two, rows, 0.5, key, 0, two.copy()),
        gather: (np.ones(2, np.int32), starts, rows, np.full(2, -1)),
        scatter: (*where, table),
        update: (ADAM, (two, two, two), rows, two, 0, np.float32(0)),
        spread: (*where, one, table, table, one),
        pool: (table, windows, one[0], two, winners, 0, 0.5, key),
    }
