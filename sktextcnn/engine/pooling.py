"""Kernels that sum up windows and take their maxima. Imported once there is much to pool.

They give the same bits as `sktextcnn.engine.inference.pool_in_numpy`: a window's summands are added from
the first to the last, and the maximum of what is no number is no number.
"""

from __future__ import annotations

import numpy as np

from sktextcnn.jit import kernel, prepare
from sktextcnn.text import TokenIds


def pool_in_kernel(
    table: np.ndarray,
    places: TokenIds,
    size: int,
    out: np.ndarray,
    column: int,
    starts: np.ndarray | None = None,
) -> None:
    """Do what `sktextcnn.engine.inference.pool_in_numpy` does, in compiled loops."""
    if starts is None:
        _take_maxima(table, places.flat, places.offsets, size, out, column)
    else:
        _take_winners(table, places.flat, places.offsets, size, out, column, starts)


@kernel
def _larger(value: float, largest: float) -> float:
    return largest if largest >= value or largest != largest else value


@kernel
def _find(places: np.ndarray, start: int, end: int, n_filters: int, cells: np.ndarray) -> None:
    """Find the table's first cell for each summand of the window at `start`."""
    size = len(cells)
    for offset in range(size):
        cells[offset] = np.uint64(offset * n_filters)
        if start + offset < end:
            cells[offset] += np.uint64(places[start + offset]) * np.uint64(size * n_filters)


@kernel
def _take_maxima(
    table: np.ndarray,
    places: np.ndarray,
    offsets: np.ndarray,
    size: int,
    out: np.ndarray,
    column: int,
) -> None:
    """Take the maxima. The usual widths have loops of their own, in which sums stay in registers.

    Indices into the table are unsigned: those below zero, counted from the end, would cost a check each.
    """
    n_filters, flat, u = table.shape[1], table.reshape(-1), np.uint64
    cells = np.empty(size, np.uint64)
    window, largest = np.empty(n_filters, np.float32), np.empty(n_filters, np.float32)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        for f in range(n_filters):
            largest[f] = -np.inf
        for start in range(begin, max(end - size, begin) + 1):
            _find(places, start, end, n_filters, cells)
            a, z = cells[0], cells[-1]
            if size == 1:
                for f in range(n_filters):
                    largest[f] = _larger(flat[a + u(f)], largest[f])
            elif size == 2:
                for f in range(n_filters):
                    largest[f] = _larger(flat[a + u(f)] + flat[z + u(f)], largest[f])
            elif size == 3:
                b = cells[1]
                for f in range(n_filters):
                    value = (flat[a + u(f)] + flat[b + u(f)]) + flat[z + u(f)]
                    largest[f] = _larger(value, largest[f])
            elif size == 4:
                b, c = cells[1], cells[2]
                for f in range(n_filters):
                    value = ((flat[a + u(f)] + flat[b + u(f)]) + flat[c + u(f)]) + flat[z + u(f)]
                    largest[f] = _larger(value, largest[f])
            else:
                b, c = cells[1], cells[2]
                for f in range(n_filters):
                    window[f] = (flat[a + u(f)] + flat[b + u(f)]) + flat[c + u(f)]
                for offset in range(3, size - 1):
                    c = cells[offset]
                    for f in range(n_filters):
                        window[f] += flat[c + u(f)]
                for f in range(n_filters):
                    largest[f] = _larger(window[f] + flat[z + u(f)], largest[f])
        for f in range(n_filters):
            out[row, column + f] = largest[f]


@kernel
def _take_winners(
    table: np.ndarray,
    places: np.ndarray,
    offsets: np.ndarray,
    size: int,
    out: np.ndarray,
    column: int,
    starts: np.ndarray,
) -> None:
    """Take the maxima and the first windows that give them."""
    n_filters, flat, u = table.shape[1], table.reshape(-1), np.uint64
    cells = np.empty(size, np.uint64)
    window = np.empty(n_filters, np.float32)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        for start in range(begin, max(end - size, begin) + 1):
            _find(places, start, end, n_filters, cells)
            for offset in range(size):
                cell = cells[offset]
                for f in range(n_filters):
                    value = flat[cell + u(f)]
                    window[f] = window[f] + value if offset else value
            for f in range(n_filters):
                largest, value = out[row, column + f], window[f]
                if start == begin or not (largest >= value or largest != largest):
                    out[row, column + f], starts[row, column + f] = value, start - begin


_table, _offsets = np.zeros((1, 1), np.float32), np.zeros(2, np.int64)
prepare([(_take_maxima, (_table, np.zeros(0, np.int32), _offsets, 1, _table.copy(), 0))])
