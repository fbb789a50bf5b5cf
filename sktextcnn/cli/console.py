"""What the command line says: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from sktextcnn.cli.progress import ProgressBar

#: Warnings for programmers about what `sktextcnn.cli.dataset` has an own note on.
NOTED_ALREADY = ("The text .* carries different labels", "Labels such as .* look like several labels")


class Console:
    """Where a command prints.

    Parameters
    ----------
    quiet : bool, default=False
        Whether to print results and errors alone.
    as_json : bool, default=False
        Whether to print results as JSON.
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self._quiet, self._as_json = quiet, as_json
        self.bar = ProgressBar(sys.stderr, enabled=not quiet)

    def say(self, line: str) -> None:
        """Print a line about what goes on."""
        if not self._quiet:
            self.bar.clear()
            _print(line, sys.stderr)

    def note(self, message: str) -> None:
        """Print what the user should know, in one line."""
        self.say(f"note: {in_one_line(message)}")

    def error(self, message: str) -> None:
        """Print what went wrong, in one line."""
        self.bar.clear()
        _print(f"error: {in_one_line(message)}", sys.stderr)

    def result(self, lines: Sequence[str], document: Any) -> None:
        """Print what came out, as lines or as JSON.

        Parameters
        ----------
        lines : sequence of str
        document : dict or list
            The same, and more, for programs.
        """
        self.bar.clear()
        shown = [json.dumps(document, ensure_ascii=False, default=_plain)] if self._as_json else lines
        for line in shown:
            _print(line, sys.stdout)
        sys.stdout.flush()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Print warnings, and what the package logs, as notes."""
        handler = _Notes(self)
        logger = logging.getLogger("sktextcnn")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of other packages, for developers
            warnings.simplefilter("default", UserWarning)
            for message in NOTED_ALREADY:
                warnings.filterwarnings("ignore", message, UserWarning)
            warnings.showwarning = lambda message, *_, **__: self.note(str(message))
            logger.addHandler(handler)
            try:
                yield
            finally:
                logger.removeHandler(handler)
                self.bar.clear()


class _Notes(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.note(record.getMessage())


def _print(line: str, stream: TextIO) -> None:
    """Print a line; what cannot be shown is escaped."""
    encoding = stream.encoding or "utf-8"
    print(_escape(line).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _plain(value: Any) -> Any:
    """Return a NumPy number or array as Python's."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def silence_stdout() -> None:
    """Let nothing more be written to standard output, which nobody reads any more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def in_one_line(text: str) -> str:
    r"""Return a text in one line, with what cannot be printed escaped.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> from sktextcnn.cli.console import in_one_line
    >>> in_one_line("a\n b\x1b[31m")
    'a b\\x1b[31m'
    """
    return _escape(" ".join(text.split()))


def _escape(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def count(n: int, what: str) -> str:
    """Return a number of things in words, such as "1 row" and "2,000 rows"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def shorten(text: str, width: int) -> str:
    """Return `text` in one line of at most `width` characters."""
    text = in_one_line(text)
    return text if len(text) <= width else text[: width - 3] + "..."


def format_table(header: Sequence[str], rows: Sequence[Sequence[Any]], width: int = 32) -> list[str]:
    r"""Return lines with the first column left, the others right, floats to three places.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences as long as `header`
    width : int, default=32
        Of the longest cell that is not shortened.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from sktextcnn.cli.console import format_table
    >>> print("\n".join(format_table(["label", "F1"], [["news", 0.5], ["sport", 1.0]])))
    label     F1
    news   0.500
    sport  1.000
    """
    cells = [
        [f"{cell:.3f}" if isinstance(cell, float) else shorten(str(cell), width) for cell in row]
        for row in (header, *rows)
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
