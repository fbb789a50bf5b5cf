"""Reads tables, holding no more than a few rows at a time."""

from __future__ import annotations

import contextlib
import csv
import difflib
import gzip
import io
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from sktextcnn.tables.dialect import LINE, STANDARD, Dialect, Record, format_of, import_pyarrow

ROWS_PER_BATCH = 1024
GZIP_MAGIC = b"\x1f\x8b"
LONGEST_FIELD = 2**31 - 1


@dataclass
class Table:
    """A table that is being read.

    Attributes
    ----------
    name : str
        For messages.
    dialect : Dialect
        How it is written down, the format among it.
    columns : list of str or None
        None where every row has its own, as in JSON Lines.
    rows : iterator of (int, Record)
        Each with the line that it ends in, or its number in Parquet.
    types : dict of str to pyarrow.DataType
        Of the columns of Parquet.
    share_read : callable
        Returns what share of the file has been read, or None where nobody knows.
    """

    name: str
    dialect: Dialect
    columns: list[str] | None
    rows: Iterator[tuple[int, Record]]
    types: dict[str, Any]
    share_read: Callable[[], float | None]

    @property
    def unit(self) -> str:
        """What `rows` are numbered by."""
        return "row" if self.dialect.format == "parquet" else "line"


@contextlib.contextmanager
def open_table(
    source: str,
    dialect: Dialect,
    *,
    columns: Sequence[str] | None = None,
    option: str = "--encoding",
) -> Iterator[Table]:
    """Open a table to read it.

    Parameters
    ----------
    source : str
        Path of a file, or "-": standard input, which holds CSV unless `dialect` says otherwise. What
        is compressed with gzip is known by its first two bytes.
    dialect : Dialect
    columns : sequence of str or None, default=None
        Those that are read of Parquet; None: all of them.
    option : str, default="--encoding"
        Which names the encoding, for messages.

    Yields
    ------
    Table

    Raises
    ------
    ValueError
        If the file cannot be read, or what is read is not in that format; also from the table's rows.
    ImportError
        If it is Parquet, and pyarrow is not installed.
    """
    name = "standard input" if source == STANDARD else source
    default = "csv" if source == STANDARD else ""
    if os.path.isdir(source):
        raise ValueError(f"{source} is a folder; expected the name of a file.")
    dialect = replace(dialect, format=dialect.format or format_of(source, default))
    limit = csv.field_size_limit(LONGEST_FIELD)  # texts may be longer than its default
    try:
        with contextlib.ExitStack() as stack:
            with _naming(name, dialect, option):
                file = stack.enter_context(_open(source))
                share_read = _watch(file)
                header: list[str] | None
                rows: Iterator[tuple[int, Record]]
                types: dict[str, Any] = {}
                if dialect.format == "parquet":
                    types, rows = _read_parquet(stack.enter_context(_seekable(file)), columns)
                    header = [*types]
                else:
                    header, rows = _read_text(
                        stack.enter_context(_decoded(file, dialect.encoding)), dialect
                    )
            yield Table(name, dialect, header, _named(rows, name, dialect, option), types, share_read)
    finally:
        csv.field_size_limit(limit)


@contextlib.contextmanager
def _naming(name: str, dialect: Dialect, option: str) -> Iterator[None]:
    """Turn what can go wrong with a file into one kind of error, which names it."""
    try:
        yield
    except UnicodeError as error:
        is_byte = isinstance(error, UnicodeDecodeError)  # or UTF-16 lacks its mark
        found = f" (0x{error.object[error.start]:02x})" if is_byte else ""  # type: ignore[attr-defined]
        other = "cp1252 or utf-16" if dialect.encoding.lower() in ("utf-8", "utf8") else "utf-8"
        raise ValueError(
            f"{name} is not in {dialect.encoding}{found}. Name another, such as {other}: {option}."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{name} cannot be read: {getattr(error, 'strerror', '') or error}.") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _named(rows: Iterator, name: str, dialect: Dialect, option: str) -> Iterator:
    with _naming(name, dialect, option):
        yield from rows


@contextlib.contextmanager
def _open(source: str) -> Iterator[BinaryIO]:
    if source == STANDARD:
        yield sys.stdin.buffer
        return
    with open(source, "rb") as file:
        yield file


def _watch(file: BinaryIO) -> Callable[[], float | None]:
    """Return a function that tells what share of a file has been read."""
    try:
        size = os.fstat(file.fileno()).st_size if file.seekable() else 0
        raw = getattr(file, "raw", file)
    except (OSError, io.UnsupportedOperation):
        size = 0
    return lambda: min(raw.tell() / size, 1.0) if size and not file.closed else None


@contextlib.contextmanager
def _decoded(file: Any, encoding: str) -> Iterator[io.TextIOWrapper]:
    buffered = file if hasattr(file, "peek") else io.BufferedReader(file)
    plain = buffered.peek(2)[:2] != GZIP_MAGIC
    content: Any = buffered if plain else gzip.GzipFile(fileobj=buffered, mode="rb")
    marked = {"utf8": "utf-8-sig", "utf-8": "utf-8-sig"}.get(encoding.lower(), encoding)
    text = io.TextIOWrapper(content, encoding=marked, newline="")
    try:
        yield text
    finally:
        text.detach()  # whoever opened the file closes it


@contextlib.contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yield a file that Parquet's reader can jump about in: a copy of what comes through a pipe."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def _read_text(file: io.TextIOWrapper, dialect: Dialect) -> tuple[list[str] | None, Iterator]:
    if dialect.format == "jsonl":
        return None, _read_json_lines(file)
    if dialect.format == "txt":
        return [LINE], ((number, {LINE: line.rstrip("\r\n")}) for number, line in enumerate(file, 1))
    delimiter = dialect.delimiter or ("\t" if dialect.format == "tsv" else ",")
    quoting: Any = csv.QUOTE_MINIMAL if dialect.quotes else csv.QUOTE_NONE
    reader = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
    rows = _filled_lines(reader)
    header = next(rows, (0, []))[1]
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise ValueError(f"its header names the column {twice[0]!r} more than once; rename one.")
    return header, _read_csv(rows, header, delimiter)


def _filled_lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each line that has any, with the number of the line."""
    number = 0
    try:
        for fields in reader:
            number = reader.line_num
            if fields:
                yield number, fields
    except csv.Error as error:
        raise ValueError(
            f"the row after line {number} is broken: {error}. Within quotation marks, quotation marks "
            "have to be doubled; if they are characters like others here: --no-quotes."
        ) from None


def _read_csv(rows: Iterator, header: Sequence[str], delimiter: str) -> Iterator[tuple[int, Record]]:
    empty: Record = dict.fromkeys(header)
    for number, fields in rows:
        if len(fields) > len(header):
            raise ValueError(
                f"line {number} has {len(fields)} fields, but the header {len(header)}. "
                + _advise(header, delimiter)
            )
        yield number, {**empty, **dict(zip(header, fields, strict=False))}


def _advise(header: Sequence[str], delimiter: str) -> str:
    for other in ",;\t|":
        if other != delimiter and len(header) == 1 and other in header[0]:
            return f"Its fields seem to end at {other!r}: --delimiter {other!r}."
    return f"Enclose texts that hold {delimiter!r} in quotation marks."


def _read_json_lines(file: io.TextIOWrapper) -> Iterator[tuple[int, Record]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_constant=lambda _: None)  # NaN is a missing value
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number} is not valid JSON: {error}.") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number} is not a JSON object; expected one in each line.")
        yield number, record


def _read_parquet(file: BinaryIO, columns: Sequence[str] | None) -> tuple[dict[str, Any], Iterator]:
    pyarrow, parquet = import_pyarrow()
    try:
        opened = parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"it is broken, or not Parquet: {_sentence(error)}") from None

    def rows() -> Iterator[tuple[int, Record]]:
        number = 0
        try:
            for batch in opened.iter_batches(batch_size=ROWS_PER_BATCH, columns=columns):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"it is broken after row {number}: {_sentence(error)}") from None

    schema = opened.schema_arrow
    return dict(zip(schema.names, schema.types, strict=True)), rows()


def _sentence(error: Exception) -> str:
    return f"{str(error).strip().rstrip('.')}."


def check_columns(name: str, columns: Any, wanted: Sequence[str]) -> None:
    """Raise where a table lacks a column.

    Parameters
    ----------
    name : str
        Of the table.
    columns : iterable of str
        Those that it has.
    wanted : sequence of str

    Raises
    ------
    ValueError
        If one is missing; the message names those there are.
    """
    columns = [*columns]
    for column in wanted:
        if column in columns:
            continue
        shown = ", ".join(map(repr, columns[:20])) + (", ..." if len(columns) > 20 else "")
        found = [sep for sep in ";\t|," if len(columns) == 1 and sep in columns[0]]
        advice = f" Its fields seem to end at {found[0]!r}: --delimiter {found[0]!r}." if found else ""
        near = difflib.get_close_matches(column, columns, 1)
        if near and not found:
            advice = f" Did you mean {near[0]!r}?"
        raise ValueError(f"{name} has no column {column!r}; its columns are {shown}.{advice}")
