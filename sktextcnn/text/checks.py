"""What users pass as texts, checked: all at once, or as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np


def check_texts(X: Any) -> list[str]:
    """Return `X` as a list of str, or say what is wrong with it.

    Parameters
    ----------
    X : 1-D sequence of str, or a column of shape (n, 1)
        List, tuple, array, pandas or polars Series, or a one-column DataFrame.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If `X` is a single str or bytes, or an element is not a str.
    ValueError
        If `X` is empty or has several columns.
    """
    if isinstance(X, str):
        raise TypeError("X is a single str; pass a list of texts: [text].")
    if isinstance(X, (bytes, bytearray)):
        raise TypeError("X is bytes; decode it and pass a list of texts: [X.decode('utf-8')].")
    if isinstance(X, (Mapping, set, frozenset)) or not isinstance(X, Iterable):
        raise TypeError(
            f"X is a {type(X).__name__}; pass a 1-D sequence of str "
            "(list, tuple, array, pandas or polars Series)."
        )
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    shape = getattr(X, "shape", None)
    if shape is not None:
        if len(shape) == 2 and shape[1] == 1:
            X = np.asarray(X).reshape(-1)
        elif len(shape) != 1:
            raise ValueError(
                f"X has shape {tuple(shape)}; expected a 1-D sequence of texts or one column. "
                "Select the text column, for example X['text']."
            )
    texts = X.tolist() if isinstance(X, np.ndarray) else list(X)
    if not texts:
        raise ValueError("X holds no texts: at least one is needed.")
    _check_each(texts)
    return texts


def read_chunks(X: Any, size: int, n_characters: int | None = None) -> Iterator[list[str]]:
    """Yield texts in lists of up to `size`, so that work on them needs bounded memory.

    Parameters
    ----------
    X : 1-D sequence of str, or a column of shape (n, 1), or an iterator of str
        An iterator is read as it is worked off, anything else is checked as a whole first.
    size : int
    n_characters : int or None, default=None
        A list ends with the text that brings it to so many characters.

    Yields
    ------
    list of str

    Raises
    ------
    TypeError, ValueError
        As of `check_texts`.

    Examples
    --------
    >>> from sktextcnn.text.checks import read_chunks
    >>> list(read_chunks((word for word in "a b c".split()), 2))
    [['a', 'b'], ['c']]
    """
    checked = not isinstance(X, Iterator)
    texts = iter(check_texts(X)) if checked else X
    first = 0
    while chunk := _read(texts, size, n_characters, None if checked else first):
        first += len(chunk)
        yield chunk
    if not first:
        raise ValueError("X holds no texts: at least one is needed.")


def _read(texts: Iterator, size: int, n_characters: int | None, first: int | None) -> list[str]:
    """Return the next texts, checked if the first one's position is given."""
    if n_characters is None:
        chunk = [*islice(texts, size)]
    else:
        chunk, left = [], n_characters
        for text in islice(texts, size):
            chunk.append(text)
            left -= len(text) if isinstance(text, str) else 0
            if left <= 0:
                break
    if first is not None:
        _check_each(chunk, first)
    return chunk


def _check_each(texts: list, first: int = 0) -> None:
    for position, text in enumerate(texts, first):
        if not isinstance(text, str):
            raise TypeError(_not_a_text(position, text))


def _not_a_text(position: int, value: Any) -> str:
    missing = value is None or type(value).__name__ in ("NAType", "NaTType")
    if missing or (isinstance(value, (float, np.floating)) and value != value):
        return (
            f"X[{position}] is {value}; every text must be a str. "
            "Fill missing texts with '' or drop the rows."
        )
    if isinstance(value, bytes):
        return f"X[{position}] is bytes; every text must be a str. Decode it: text.decode('utf-8')."
    hint = " Of pairs of text and labels, pass the texts alone." if isinstance(value, tuple) else ""
    return (
        f"X[{position}] is {str(value)[:40]!r} of type {type(value).__name__}; every text must be a str."
        f"{hint}"
    )
