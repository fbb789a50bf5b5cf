"""Labelled texts that come one after the other, from files or from anything else: `TextStream`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from sktextcnn.labels.classes import is_label, is_missing
from sktextcnn.tables.dialect import Dialect, format_of
from sktextcnn.tables.reader import check_columns, open_table

#: Formats that `TextStream.from_files` reads: those that can hold lists of labels.
FORMATS = ("jsonl", "parquet")

Pair = tuple[str, Any]


class TextStream:
    """Labelled texts that are read as they are needed, and never held all together.

    `TextCNNClassifier.fit` and `TextCNNClassifier.partial_fit` take it in the place of X and y, so that
    they learn from more texts than memory holds. Both read it once.

    Parameters
    ----------
    source : iterable of (text, labels), or callable
        Pairs of a text and its labels: a single label, or a list, tuple or set of them, in the same form
        throughout. A callable gets nothing and returns such an iterable, anew whenever the stream is
        read. What an iterator yields can be read once, so that stream is of use for one fit.
    chunk_size : int, default=10_000
        Texts that are in memory at the same time, and from which `partial_fit` learns before it gets the
        next ones. The model that `fit` returns does not depend on it.

    See Also
    --------
    TextStream.from_files : From JSON Lines and Parquet.

    Examples
    --------
    >>> from sktextcnn import TextCNNClassifier, TextStream
    >>> def read():
    ...     yield "the match ended in a draw", ["sport"]
    ...     yield "parliament votes on the budget", ["politics"]
    ...     yield "the minister opens the match", ["politics", "sport"]
    ...     yield "the minister resigns", ["politics"]
    >>> stream = TextStream(read)
    >>> clf = TextCNNClassifier(min_df=1, epochs=50, random_state=0).fit(stream)
    >>> clf.predict_labels(["the minister votes"])
    [('politics',)]
    """

    def __init__(
        self, source: Iterable[Pair] | Callable[[], Iterable[Pair]], *, chunk_size: int = 10_000
    ) -> None:
        given: Any = source
        is_source = hasattr(given, "__iter__") or callable(given)
        if not is_source or isinstance(given, (str, bytes, Mapping)):
            raise TypeError(
                f"source is a {type(source).__name__}; pass an iterable of (text, labels) pairs, or a "
                "callable that returns one. For files, see TextStream.from_files."
            )
        if type(chunk_size) is not int or chunk_size < 1:
            raise ValueError(f"chunk_size={chunk_size!r}; expected a positive int.")
        self._source, self.chunk_size = source, chunk_size

    @classmethod
    def from_files(
        cls,
        paths: str | os.PathLike | Iterable[str | os.PathLike],
        *,
        text: str = "text",
        labels: str = "labels",
        sep: str | None = None,
        encoding: str = "utf-8",
        chunk_size: int = 10_000,
    ) -> TextStream:
        """Return the texts of files, one file after the other.

        Parameters
        ----------
        paths : str, path, or iterable of them
            JSON Lines (``.jsonl`` or ``.ndjson``, also with ``.gz``) or Parquet (``.parquet``, which
            needs ``pip install 'sktextcnn[parquet]'``).
        text : str, default="text"
            Column, or key, of the texts.
        labels : str, default="labels"
            Column, or key, of the labels: a list of them, which may be empty, or a single one.
        sep : str or None, default=None
            What separates the labels of a text that are written in one string; a missing string is
            no label then. None: a string is a single label.
        encoding : str, default="utf-8"
            Of JSON Lines.
        chunk_size : int, default=10_000
            As of the class.

        Returns
        -------
        TextStream

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If a file is of another format, or there are none. While it is read: if it is broken or cut
            off, or in a row the text is not a string or the labels are no labels.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sktextcnn import TextStream
        >>> path = Path(tempfile.mkdtemp(), "train.jsonl")
        >>> rows = '{"text": "a draw", "tags": "sport;news"}', '{"text": "hello", "tags": ""}'
        >>> n = path.write_text(chr(10).join(rows))
        >>> [*TextStream.from_files(path, labels="tags", sep=";")]
        [('a draw', ['sport', 'news']), ('hello', [])]
        """
        if isinstance(paths, (str, os.PathLike)):
            paths = [paths]
        names = [os.fspath(path) for path in paths]
        if not names:
            raise ValueError("paths is empty; expected a file at least.")
        if sep == "":
            raise ValueError("sep is empty; expected what separates labels, such as ','.")
        for name in names:
            _check_file(name)

        def read() -> Iterator[Pair]:
            for name in names:
                yield from _read_file(name, text, labels, sep, encoding)

        return cls(read, chunk_size=chunk_size)

    def __iter__(self) -> Iterator[Pair]:
        """Yield a text and its labels, one pair after the other.

        Raises
        ------
        TypeError
            If what comes is no pair, or its text no str.
        ValueError
            If nothing comes.
        """
        source = self._source() if callable(self._source) else self._source
        if not hasattr(source, "__iter__"):
            raise TypeError(
                f"The source of the stream returned a {type(source).__name__}; expected an iterable of "
                "(text, labels) pairs."
            )
        number = -1
        for number, row in enumerate(source):
            pair: Any = row
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(
                    f"Row {number} of the stream is {pair!r:.60}; expected a pair (text, labels)."
                )
            if not isinstance(pair[0], str):
                raise TypeError(
                    f"Row {number} of the stream has {pair[0]!r:.40} of type {type(pair[0]).__name__} "
                    "in the place of a text; expected a str."
                )
            yield pair[0], pair[1]
        if number < 0:
            advice = ""
            if isinstance(self._source, Iterator):
                advice = (
                    " It was made of an iterator, which can be read once: pass a callable that returns "
                    "a new one, or a list."
                )
            raise ValueError(f"The stream holds no texts: at least one is needed.{advice}")

    def chunks(self) -> Iterator[tuple[list[str], list[Any]]]:
        """Yield texts and their labels, `chunk_size` of them at a time.

        Yields
        ------
        texts : list of str
        labels : list
        """
        pairs = iter(self)
        while chunk := [*islice(pairs, self.chunk_size)]:
            texts, labels = zip(*chunk, strict=True)
            yield [*texts], [*labels]


def _check_file(name: str) -> None:
    """Raise, before anything is read, where there is no file, or of another format."""
    if not Path(name).is_file():
        raise FileNotFoundError(
            f"{name} is no file; expected the path of one, or a list of paths, such as "
            "sorted(Path('data').glob('*.jsonl'))."
        )
    if format_of(name, option="rename the file") not in FORMATS:
        raise ValueError(
            f"{name} is neither JSON Lines (.jsonl, .ndjson, also with .gz) nor Parquet (.parquet). "
            "Pass a function that reads it: TextStream(read), where read() yields (text, labels) pairs."
        )


def _read_file(
    name: str, text: str, labels: str, sep: str | None, encoding: str
) -> Iterator[tuple[str, Any]]:
    """Yield the texts of a file, and their labels."""
    wanted = (text, labels)
    dialect = Dialect(encoding=encoding)
    with open_table(name, dialect, columns=wanted, option="encoding=") as table:
        if table.columns is not None:
            check_columns(name, table.columns, wanted)
        for number, record in table.rows:
            place = f"{name}: {table.unit} {number}"
            if table.columns is None:
                check_columns(place, record, wanted)
            if not isinstance(record[text], str):
                raise ValueError(
                    f"{place} has {record[text]!r:.40} in {text!r}, the place of a text; expected a "
                    "string. Fill missing texts with '', make strings of other values, or drop the rows."
                )
            yield record[text], _read_labels(record[labels], sep, f"{place} has, in {labels!r},")


def _read_labels(value: Any, sep: str | None, has: str) -> Any:
    """Return a label, or a list of labels."""
    if isinstance(value, str):
        return value if sep is None else [*filter(None, map(str.strip, value.split(sep)))]
    if isinstance(value, list):
        for label in value:
            if is_missing(label) or not is_label(label):
                raise ValueError(f"{has} a list with {label!r:.40}; expected strings or integers.")
        return value
    if is_missing(value):
        if sep is not None:
            return []
        raise ValueError(f"{has} no label; write [] for a text without one, or drop the row.")
    if not is_label(value):
        raise ValueError(
            f"{has} {value!r:.40} of type {type(value).__name__}; expected a label, or a list of labels."
        )
    return value
