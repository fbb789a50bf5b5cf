"""Writes tables, holding no more than a few rows at a time."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from uuid import uuid4

from sktextcnn.tables.dialect import STANDARD, Dialect, Record, import_pyarrow


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of another one at the end, or leaves nothing.

    Parameters
    ----------
    path : str or path
        A file, which need not exist. A device or a pipe is written to as it is.

    Yields
    ------
    Path

    Raises
    ------
    ValueError
        If it is a folder, or in one that does not exist.

    Examples
    --------
    >>> import os, tempfile
    >>> from sktextcnn.tables.writer import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(os.path.join(folder, "a.txt")) as part:
    ...         _ = part.write_text("whole")
    ...     os.listdir(folder)
    ['a.txt']
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise ValueError(f"{path} is a folder; expected the name of a file.")
    if not target.parent.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {target.parent}. Make it first.")
    if target.exists() and not target.is_file():
        yield target
        return
    part = target.with_name(f".{target.name}-{uuid4().hex[:8]}")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


class Writer(Protocol):
    """Writes rows below each other."""

    def write(self, records: Sequence[Record]) -> None:
        """Append rows."""

    def close(self) -> None:
        """Write what has to come last; the file stays open."""


@contextlib.contextmanager
def create_table(
    target: str, dialect: Dialect, columns: Sequence[str] | None, types: Mapping[str, Any] | None = None
) -> Iterator[Writer]:
    """Open a table to write it; a file appears when all is written, or not at all.

    Parameters
    ----------
    target : str
        Path of a file, compressed with gzip if it ends in .gz, or "-": standard output.
    dialect : Dialect
        With a format other than "txt".
    columns : sequence of str or None
        None: those of the rows that come first.
    types : mapping of str to pyarrow.DataType, or None, default=None
        Of the columns of Parquet; those that are not named get what suits the rows that come first.

    Yields
    ------
    Writer

    Raises
    ------
    ValueError
        If the file cannot be written, or a row does not fit, as the writer's ``write``.
    ImportError
        If it is Parquet, and pyarrow is not installed.
    """
    with contextlib.ExitStack() as stack:
        file: Any
        if target == STANDARD:
            file = sys.stdout.buffer
            sys.stdout.flush()
        else:
            file = stack.enter_context(open(stack.enter_context(replacing(target)), "wb"))
        if target.lower().endswith(".gz"):
            file = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        writer: Writer
        if dialect.format == "parquet":
            writer = _ParquetWriter(file, columns, types or {})
            stack.callback(writer.close)  # also after an error, before the file is closed
        elif dialect.format == "jsonl":
            writer = _JsonLinesWriter(file, dialect.encoding)
        else:
            writer = _CsvWriter(file, dialect, columns)
        try:
            yield writer
            writer.close()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{error.object[error.start : error.end]!r} cannot be written in {dialect.encoding}. "
                "Write JSON Lines, or pass --encoding utf-8."
            ) from None
        file.flush()


def _check_columns(record: Record, columns: Sequence[str]) -> None:
    unknown = record.keys() - set(columns)
    if unknown:
        raise ValueError(
            f"A row has a column {min(unknown)!r}, which the first rows lack, so it cannot be written "
            "below them. Write JSON Lines, where every row has its own columns."
        )


class _CsvWriter:
    def __init__(self, file: BinaryIO, dialect: Dialect, columns: Sequence[str] | None) -> None:
        self._file, self._columns = file, columns
        self._encode = codecs.getincrementalencoder(dialect.encoding)().encode
        delimiter = dialect.delimiter or ("\t" if dialect.format == "tsv" else ",")
        self._buffer = io.StringIO(newline="")
        # Ends lines as it must to quote every "\r" and "\n"; `_flush` makes them "\n".
        self._writer = csv.writer(self._buffer, delimiter=delimiter, lineterminator="\r\n")
        self._has_header = False

    def write(self, records: Sequence[Record]) -> None:
        if self._columns is None:
            self._columns = [*dict.fromkeys(column for record in records for column in record)]
        self._write_header()
        for record in records:
            _check_columns(record, self._columns)
            self._write([_to_field(record.get(column)) for column in self._columns])
        self._file.flush()

    def close(self) -> None:
        self._write_header()

    def _write_header(self) -> None:
        if not self._has_header and self._columns:
            self._write(self._columns)
            self._has_header = True

    def _write(self, fields: Sequence[str]) -> None:
        self._writer.writerow(fields)
        line = self._buffer.getvalue().removesuffix("\r\n") + "\n"
        self._buffer.seek(0)
        self._buffer.truncate()
        self._file.write(self._encode(line))


def _to_field(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, (bool, int, float, list, dict)):
        return _to_json(value)
    return str(value)


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


class _JsonLinesWriter:
    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file, self._encode = file, codecs.getincrementalencoder(encoding)().encode

    def write(self, records: Sequence[Record]) -> None:
        for record in records:
            try:
                line = self._encode(f"{_to_json(record)}\n")
            except UnicodeEncodeError:
                line = self._encode(f"{json.dumps(record, default=str)}\n")
            self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        pass


class _ParquetWriter:
    def __init__(self, file: BinaryIO, columns: Sequence[str] | None, types: Mapping[str, Any]) -> None:
        self._arrow, self._parquet = import_pyarrow()
        self._file, self._columns, self._types = file, columns, types
        self._writer: Any = None

    def write(self, records: Sequence[Record]) -> None:
        self._begin(records)
        for record in records:
            _check_columns(record, self._writer.schema.names)
        try:
            batch = self._arrow.RecordBatch.from_pylist([*records], schema=self._writer.schema)
        except (self._arrow.ArrowException, TypeError, OverflowError) as error:
            raise ValueError(
                f"A row does not fit the first ones: {error}. Write JSON Lines, where every row may "
                "hold values of other kinds."
            ) from None
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._begin([])
        self._writer.close()  # a second time does nothing

    def _begin(self, records: Sequence[Record]) -> None:
        if self._writer is not None:
            return
        columns = self._columns or dict.fromkeys(column for record in records for column in record)
        schema = self._arrow.schema([(name, self._type_of(name, records)) for name in columns])
        self._writer = self._parquet.ParquetWriter(self._file, schema)

    def _type_of(self, column: str, records: Sequence[Record]) -> Any:
        if column in self._types:
            return self._types[column]
        try:
            found = self._arrow.infer_type([record.get(column) for record in records])
        except self._arrow.ArrowException as error:
            raise ValueError(f"Column {column!r} has values of several kinds: {error}.") from None
        return self._arrow.string() if self._arrow.types.is_null(found) else found
