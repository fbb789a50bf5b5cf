"""Which columns of a table hold what: from rows of a table to texts and their labels."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sktextcnn.tables.dialect import Record
from sktextcnn.tables.reader import Table, check_columns

KINDS = {
    "single": "one label per text",
    "multi": "several labels per text",
    "pairs": "one (text, label) pair per row",
}
#: Where the command line keeps, in the folder of a model, how the training texts were read.
READING = "reading.json"

#: What a column of a label may hold.
FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True, "": False}
MOST_PLACES = 5


@dataclass(frozen=True)
class Reading:
    """How the rows of a table are to be read.

    Attributes
    ----------
    text : str
        Column of the texts.
    labels : tuple of str
        Column of the labels; or several ones, named like labels, of 0 and 1.
    sep : str or None
        What separates labels in a str; None: a comma, unless it looks as if it were something else.
    kind : {"auto", "single", "multi", "pairs"}
        What a row stands for, see `interpret`.
    delimiter : str
        What stands between fields of CSV; empty: a comma. Unlike a wrong encoding, a wrong delimiter
        cannot go unnoticed, so it may be taken from other tables.
    """

    text: str
    labels: tuple[str, ...] = ()
    sep: str | None = None
    kind: str = "auto"
    delimiter: str = ""


class Places:
    """Places in a table that are too many to name all of them, such as "line 3".

    Examples
    --------
    >>> from sktextcnn.cli.rows import Places
    >>> places = Places()
    >>> for line in range(2, 9):
    ...     places.append(f"line {line}")
    >>> len(places), str(places)
    (7, 'line 2, line 3, line 4, line 5, line 6 and 2 more')
    """

    def __init__(self) -> None:
        self._first: list[str] = []
        self._n = 0

    def append(self, place: str) -> None:
        """Count a place, and remember it if it is among the first ones."""
        self._n += 1
        if self._n <= MOST_PLACES:
            self._first.append(place)

    def __len__(self) -> int:
        return self._n

    def __str__(self) -> str:
        more = self._n - len(self._first)
        return ", ".join(self._first) + (f" and {more:,} more" if more else "")


class Row(NamedTuple):
    """A row of a table: where it is, its text, and its labels: a list, or a str to be split."""

    place: str
    text: str
    labels: list[str] | str


class Rows(NamedTuple):
    """What was read of a table, its name, and the places where there was no text."""

    name: str
    rows: list[Row]
    blank: Places


def save_reading(folder: str | Path, reading: Reading) -> None:
    """Write down, beside a model, how its training texts were read.

    Parameters
    ----------
    folder : str or path
    reading : Reading

    See Also
    --------
    load_reading : The way back.
    """
    text = json.dumps(asdict(reading), ensure_ascii=False, indent=1)
    Path(folder, READING).write_text(f"{text}\n", "utf-8")


def load_reading(folder: str | Path) -> Reading | None:
    """Return how the training texts of a model were read.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    Reading or None
        None if the model does not come from the command line.

    Raises
    ------
    ValueError
        If the file is not what `save_reading` writes.
    """
    path = Path(folder, READING)
    try:
        found = json.loads(path.read_text("utf-8"))
        reading = Reading(**{**found, "labels": tuple(found["labels"])})
        strings = [reading.text, reading.sep or "", reading.kind, reading.delimiter, *reading.labels]
        if not all(isinstance(value, str) for value in strings) or reading.kind not in KINDS:
            raise TypeError("not of the fields' types")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is broken: {error}. Delete it, and pass --text and --labels instead."
        ) from None
    return reading


def read_rows(table: Table, reading: Reading) -> Rows:
    """Read the texts and labels of a table.

    Parameters
    ----------
    table : Table
    reading : Reading
        Names the columns.

    Returns
    -------
    Rows

    Raises
    ------
    ValueError
        If the table is empty or lacks a column, or a field is not what it should be.
    """
    rows, blank, columns = [], Places(), dict.fromkeys(table.columns or ())
    wanted = (reading.text, *reading.labels)
    if columns:
        check_columns(table.name, columns, wanted)
    with naming(table.name):
        for number, record in table.rows:
            place = f"{table.unit} {number}"
            columns.update(dict.fromkeys(record))
            if is_text(record.get(reading.text), place):
                labels = _labels_of(record, reading.labels, place)
                rows.append(Row(place, record[reading.text], labels))
            else:
                blank.append(place)
    if not columns or not (rows or blank):
        raise ValueError(f"{table.name} is empty; expected a row for each text.")
    check_columns(table.name, columns, wanted)
    return Rows(table.name, rows, blank)


def is_text(value: Any, place: str) -> bool:
    """Return whether a field holds a text, or nothing.

    Parameters
    ----------
    value : object
    place : str
        For the message.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If it holds something else.
    """
    if value is None or isinstance(value, str):
        return bool(value and value.strip())
    raise ValueError(f"{place} has a {type(value).__name__} in the place of a text; expected a string.")


def _labels_of(record: Record, columns: Sequence[str], place: str) -> list[str] | str:
    """Return the labels of a row as a list if it holds one, else as a str."""
    if len(columns) > 1:
        return [column for column in columns if _is_set(record.get(column), column, place)]
    value = record.get(columns[0])
    for parse in (json.loads, ast.literal_eval):  # ["a"], and ['a'] as pandas writes it
        if isinstance(value, str) and value.strip().startswith("["):
            with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                value = parse(value.strip())
    if isinstance(value, list):
        return [label for item in value if (label := _label(item, place))]
    return _label(value, place)


def _label(value: Any, place: str) -> str:
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if not isinstance(value, (int, float)):
        raise ValueError(f"{place} has a {type(value).__name__} in the place of a label.")
    return "" if value != value else name_label(value)


def _is_set(value: Any, column: str, place: str) -> bool:
    flag = FLAGS.get(str(value if value is not None else "").strip().lower())
    if flag is None:
        raise ValueError(
            f"{place} has {value!r} in column {column!r}; of several columns of labels, each has to "
            "hold 0 or 1. If it is one column with all labels, name that alone: --labels COLUMN."
        )
    return flag


def name_label(label: Any) -> str:
    """Return a label as it stands in a table: numbers as in JSON."""
    return label if isinstance(label, str) else json.dumps(label, default=str)


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Say of which table an error speaks.

    Parameters
    ----------
    name : str

    Yields
    ------
    None

    Raises
    ------
    ValueError
        What was raised within, with the name before its message.
    """
    try:
        yield
    except ValueError as error:
        said = str(error)
        raise ValueError(said if said.startswith(name) else f"{name}: {said}") from None
