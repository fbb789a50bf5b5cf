"""The loops of a training step that NumPy has no fast form for.

Shapes: B texts of a batch with N tokens in all, U of them distinct; D numbers in a token's vector; F
filters of each width. A kernel of width w has w slices, S is the number of slices of all widths.
Features are in the order of widths, F of each.

Where a kernel is called for a part of the work, `low` and `high` bound the part, and how the work is
divided changes nothing in the numbers: every sum is taken by one call, in one order. Inner loops run
from 0 over views, whose indices need no check of their sign, so that they become vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sktextcnn.jit import kernel

#: Optimizers by the number that `update` knows them by.
SGD, ADAGRAD, ADAM = range(3)


@kernel
def gather(
    flat: Any,
    offsets: Any,
    rows: Any,
    stamp: Any,
    place: Any,
    mark: Any,
    local: Any,
    starts: Any,
    tokens: Any,
) -> int:
    """Collect a batch: its texts end to end, in terms of its distinct tokens.

    `stamp` and `place`, one number per token of the vocabulary, are the kernel's own memory; `mark` is
    another number in each call. Fills `local` (N,), `starts` (B + 1,) and `tokens`; returns U.
    """
    n, distinct = 0, 0
    for i in range(len(rows)):
        starts[i] = n
        for p in range(offsets[rows[i]], offsets[rows[i] + 1]):
            token = flat[p]
            if stamp[token] != mark:
                stamp[token] = mark
                place[token] = distinct
                tokens[distinct] = token
                distinct += 1
            local[n] = place[token]
            n += 1
    starts[len(rows)] = n
    return distinct


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
def drop(values: Any, rows: Any, rate: Any, key: Any, out: Any) -> None:
    """Copy some rows of `values` to `out` (U, D), a share `rate` of the entries dropped."""
    n, dim = out.shape
    limit, scale = np.uint32(rate * 4294967296.0), np.float32(1.0 / (1.0 - rate))
    for r in range(n):
        source, target = values[rows[r]], out[r]
        for d in range(dim):
            kept = _draw(key, r * dim + d) >= limit
            target[d] = source[d] * scale if kept else np.float32(0)


@kernel
def pool(
    table: Any,
    local: Any,
    starts: Any,
    sizes: Any,
    bias: Any,
    rate: Any,
    key: Any,
    low: Any,
    high: Any,
    features: Any,
    winners: Any,
) -> None:
    """Find the largest window of texts `low` to `high` for every filter; add bias, rectify, drop.

    `table` (U, S, F): distinct tokens times slices. Fills rows of `features` (B, widths * F) and of
    `winners`: the place, in the text, at which the largest window starts.
    """
    n_filters = table.shape[2]
    limit, scale = np.uint32(rate * 4294967296.0), np.float32(1.0 / (1.0 - rate))
    nothing = np.zeros(n_filters, np.float32)
    window = np.empty(n_filters, np.float32)
    for i in range(low, high):
        begin, length = starts[i], starts[i + 1] - starts[i]
        slice_, column = 0, 0
        for size in sizes:
            best = features[i, column : column + n_filters]
            where = winners[i, column : column + n_filters]
            best[:] = -np.inf
            where[:] = 0
            for t in range(max(length - size + 1, 1)):
                n = min(size, length - t)  # fewer than `size` in a text that is shorter than the window
                summed = table[local[begin + t], slice_] if n > 0 else nothing
                for j in range(1, n - 1):
                    row = table[local[begin + t + j], slice_ + j]
                    for f in range(n_filters):
                        window[f] = summed[f] + row[f]
                    summed = window
                last = table[local[begin + t + n - 1], slice_ + n - 1] if n > 1 else nothing
                for f in range(n_filters):
                    value = summed[f] + last[f]
                    # Not-a-number wins too: a loss that is no longer finite must show.
                    larger = not (value <= best[f])
                    best[f] = value if larger else best[f]
                    where[f] = t if larger else where[f]
            for f in range(n_filters):
                value = best[f] + bias[column + f]
                kept = _draw(key, i * features.shape[1] + column + f) >= limit
                best[f] = value * scale if kept and not (value <= 0) else np.float32(0)
            slice_ += size
            column += n_filters


@kernel
def scatter(
    upstream: Any, local: Any, starts: Any, sizes: Any, winners: Any, low: Any, high: Any, table: Any
) -> None:
    """Add the gradient of filters `low` to `high` where their windows are in `table` (U, S, F)."""
    n_filters = table.shape[2]
    for i in range(len(starts) - 1):
        slice_, column = 0, 0
        for size in sizes:
            for f in range(low, high):
                g = upstream[i, column + f]
                if g != 0:
                    begin = starts[i] + winners[i, column + f]
                    for j in range(min(size, starts[i + 1] - begin)):
                        table[local[begin + j], slice_ + j, f] += g
            slice_ += size
            column += n_filters


@kernel
def slice_gradient(
    upstream: Any,
    local: Any,
    starts: Any,
    sizes: Any,
    winners: Any,
    vectors: Any,
    low: Any,
    high: Any,
    gradient: Any,
) -> None:
    """Add the gradient of filters `low` to `high`, straight from their windows, to `gradient` (S, F, D).

    `vectors` (U, D) are the distinct tokens'.
    """
    n_filters, dim = gradient.shape[1], gradient.shape[2]
    slice_, column = 0, 0
    for size in sizes:
        for f in range(low, high):  # one filter after the other: what is added to stays in the cache
            for i in range(len(starts) - 1):
                g = upstream[i, column + f]
                if g != 0:
                    begin = starts[i] + winners[i, column + f]
                    for j in range(min(size, starts[i + 1] - begin)):
                        vector, target = vectors[local[begin + j]], gradient[slice_ + j, f]
                        for d in range(dim):
                            target[d] += g * vector[d]
        slice_ += size
        column += n_filters


@kernel
def vector_gradient(
    upstream: Any,
    local: Any,
    starts: Any,
    sizes: Any,
    winners: Any,
    slices: Any,
    low: Any,
    high: Any,
    gradient: Any,
) -> None:
    """Add the gradient of numbers `low` to `high` of the tokens' vectors to `gradient` (U, D).

    `slices` (S, F, D) are the kernels'.
    """
    n_filters = slices.shape[1]
    for i in range(len(starts) - 1):
        slice_, column = 0, 0
        for size in sizes:
            for f in range(n_filters):
                g = upstream[i, column + f]
                if g != 0:
                    begin = starts[i] + winners[i, column + f]
                    for j in range(min(size, starts[i + 1] - begin)):
                        part = slices[slice_ + j, f, low:high]
                        target = gradient[local[begin + j], low:high]
                        for d in range(len(part)):
                            target[d] += g * part[d]
            slice_ += size
            column += n_filters


@kernel
def update(
    optimizer: Any,
    weight: Any,
    first_slot: Any,
    second_slot: Any,
    rows: Any,
    gradient: Any,
    column: Any,
    rate: Any,
    low: Any,
    high: Any,
) -> None:
    """Take a step with some rows of a matrix, from a column on.

    `gradient` has one row for each of `rows`, of which `low` to `high` are meant. Slots are an
    optimizer's memory, of the weight's shape. Constants are Keras'.
    """
    for r in range(low, high):
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


def examples_of_calls() -> list[tuple[Any, tuple]]:
    """Return one call of every kernel, smallest first: two texts of one token, one filter of width 1."""
    one, two = np.ones((1, 1), np.float32), np.ones((2, 1), np.float32)
    ids, rows, key = np.ones(2, np.int32), np.arange(2), np.uint32(0)
    places, numbers, starts = (
        np.zeros((3, 2), np.int64),
        np.zeros(2, np.int64),
        np.arange(3, dtype=np.int64),
    )
    sizes, winners, table = (
        np.ones(1, np.int64),
        np.zeros((2, 1), np.int32),
        np.ones((1, 1, 1), np.float32),
    )
    where = two, numbers, starts, sizes, winners
    return [
        (densify, (numbers, starts, rows, two)),
        (drop, (two, rows, 0.5, key, two.copy())),
        (gather, (ids, starts, rows, *places[:2], 1, numbers, starts.copy(), places[2])),
        (scatter, (*where, 0, 1, table)),
        (slice_gradient, (*where, one, 0, 1, table)),
        (vector_gradient, (*where, table, 0, 1, one)),
        (update, (ADAM, two, two, two, rows, two, 0, np.float32(0), 0, 2)),
        (pool, (table, numbers, starts, sizes, one[0], 0.5, key, 0, 2, two, winners)),
    ]
