"""How tables are written down: CSV, TSV, JSON Lines, Parquet, and plain lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: A row of a table: column -> value. What a row lacks is None.
Record = dict[str, Any]

#: Names of the formats, which are the extensions of files, too.
FORMATS = ("csv", "tsv", "jsonl", "parquet", "txt")
SYNONYMS = {"ndjson": "jsonl", "pq": "parquet"}
EXTENSIONS = ".csv, .tsv, .jsonl, .ndjson, .parquet, .txt, or a text format + .gz"

#: The column of a file of plain lines.
LINE = "text"

STANDARD = "-"


@dataclass(frozen=True)
class Dialect:
    """How a table is written down.

    Attributes
    ----------
    format : str
        One of `FORMATS`; empty where the name of the file tells.
    delimiter : str
        What stands between fields of CSV; empty: the one that is usual in the format.
    quotes : bool
        Whether quotation marks enclose fields; if not, they are characters like others.
    encoding : str
        Of all formats but Parquet.
    """

    format: str = ""
    delimiter: str = ""
    quotes: bool = True
    encoding: str = "utf-8"


def format_of(name: str, default: str = "", *, option: str = "--format") -> str:
    """Return the format that the name of a file tells.

    Parameters
    ----------
    name : str
    default : str, default=""
        The format where there is no extension.
    option : str, default="--format"
        Which names the format otherwise, for the message.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the extension is none of `EXTENSIONS`, or there is none, and no default.

    Examples
    --------
    >>> from sktextcnn.tables.dialect import format_of
    >>> format_of("train.CSV.gz"), format_of("new.ndjson")
    ('csv', 'jsonl')
    """
    extension = Path(name.lower().removesuffix(".gz")).suffix[1:]
    found = SYNONYMS.get(extension, extension)
    if found in FORMATS:
        return found
    if default and not extension:
        return default
    raise ValueError(
        f"{name}: unknown extension {'.' + extension if extension else ''!r}; expected {EXTENSIONS}. "
        f"Or name the format: {option}, one of {', '.join(FORMATS)}."
    )


def import_pyarrow() -> tuple[Any, Any]:
    """Return the modules `pyarrow` and `pyarrow.parquet`, or say how to get them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ImportError(
            "Parquet needs pyarrow, which is not installed: pip install 'sktextcnn[parquet]'."
        ) from None
    return pyarrow, parquet
