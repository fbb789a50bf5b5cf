"""Options that several commands share, and the values of parameters written as ``name=value``."""

from __future__ import annotations

import argparse
import ast
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from sktextcnn.cli.console import Console, count
from sktextcnn.cli.dataset import Dataset, interpret
from sktextcnn.cli.rows import KINDS, Reading, load_reading, read_rows
from sktextcnn.tables.dialect import EXTENSIONS, FORMATS, Dialect, Record, format_of
from sktextcnn.tables.reader import Table, open_table

#: Words for values, beside what Python would read.
WORDS = {"true": True, "false": False, "none": None}

#: Between the values of a parameter in a grid: commas outside of brackets.
BETWEEN_VALUES = re.compile(r",(?![^(\[{]*[)\]}])")
MOST_LABELS_TOLD = 5


class Parser(argparse.ArgumentParser):
    """Ends with one line after an error, and takes no option for another that begins like it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def parse_known_args(self, *args: Any, **options: Any) -> Any:
        """Refuse unknown arguments here, where the command and its help are known."""
        found, unknown = super().parse_known_args(*args, **options)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print an error and exit with status 2."""
        Console().error(f"{message}. See {self.prog} --help.")
        raise SystemExit(2)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what every command understands."""
    group = parser.add_argument_group("output on the screen")
    group.add_argument("--quiet", action="store_true", help="print results and errors alone")
    group.add_argument("--json", action="store_true", help="print results as JSON")


def add_table(parser: argparse.ArgumentParser, *, labels: bool = True, known: bool = False) -> None:
    """Add the options that say how a table is to be read.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    labels : bool, default=True
        Whether it has labels.
    known : bool, default=False
        Whether there is a model, whose training texts say which columns they are.
    """
    stdin = f"{EXTENSIONS}; - is standard input"
    parser.add_argument("file", metavar="FILE", help=stdin)
    group = parser.add_argument_group("how the table is read")
    default = " (default: as in training)" if known else ""
    group.add_argument(
        "--text", metavar="COLUMN", required=not known, help=f"column of the texts{default}"
    )
    if labels:
        group.add_argument(
            "--labels",
            metavar="COLUMN",
            action="append",
            required=not known,
            help=f"column of the labels; repeated: a column of 0 and 1 for each label{default}",
        )
        fallback = default or " (default: a comma)"
        group.add_argument("--sep", help=f"what separates labels in a string{fallback}")
        group.add_argument(
            "--kind",
            choices=["auto", *KINDS],
            help=f"what a row holds: {', '.join(f'{k}: {v}' for k, v in KINDS.items())} (default: auto)",
        )
        add_skipping(group)
    group.add_argument(
        "--format", choices=FORMATS, help="of FILE, where the name of the file does not tell it"
    )
    comma = default or " (default: a comma)"
    group.add_argument("--delimiter", help=f"between the fields of CSV{comma}")
    group.add_argument(
        "--no-quotes", action="store_true", help="quotation marks are characters like others"
    )
    group.add_argument("--encoding", type=_encoding, default="utf-8", help="of text (default: utf-8)")


def add_skipping(group: Any) -> None:
    """Add the options that leave out rows, to a parser or a group of its arguments."""
    group.add_argument(
        "--skip-blank", action="store_true", help="skip rows without text, rather than stop"
    )
    group.add_argument("--skip-unlabelled", action="store_true", help="skip rows without label")


def add_params(parser: argparse.ArgumentParser, *, grid: bool = False) -> None:
    """Add the options of the training.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    grid : bool, default=False
        Whether a parameter may have several values.
    """
    group = parser.add_argument_group("training")
    group.add_argument(
        "--param",
        metavar="NAME=A,B,..." if grid else "NAME=VALUE",
        action="append",
        default=[],
        help="values of a parameter of TextCNNClassifier to try; may be repeated"
        if grid
        else "a parameter of TextCNNClassifier, such as epochs=10; may be repeated",
    )
    group.add_argument("--seed", type=_natural, default=0, help="of all that is random (default: 0)")
    group.add_argument(
        "--jobs", type=int, help="networks that are trained at the same time (default: 1)"
    )


def add_model(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the option that names the folder of a model to be used."""
    parser.add_argument(
        "--model", metavar="FOLDER", type=Path, required=required, help="the saved model"
    )


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise argparse.ArgumentTypeError(
            f"{name!r} is not known; expected utf-8, cp1252, latin-1, utf-16 or another of Python's"
        ) from None
    return name


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number from 0 on")
    return int(text)


def share(text: str) -> float:
    """Return a number between 0 and 1 that an option holds, exclusive."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a share between 0 and 1, such as 0.2")
    return value


# -- reading -----------------------------------------------------------------------------------------


def dialect_of(args: argparse.Namespace, delimiter: str = "") -> Dialect:
    """Return how the table is written down, as the options say.

    Parameters
    ----------
    args : argparse.Namespace
    delimiter : str, default=""
        Between fields of CSV, if no option says so.

    Returns
    -------
    Dialect

    Raises
    ------
    ValueError
        If the delimiter has several characters, or the name of the file has an unknown extension.
    """
    given = _delimiter_of(args)
    if delimiter and not given and format_named(args) == "csv":
        given = delimiter
    return Dialect(args.format or "", given, not args.no_quotes, args.encoding)


def format_named(args: argparse.Namespace) -> str:
    """Return the format of the table, as the options or its name say; of standard input, CSV."""
    return args.format or format_of(args.file, "csv")


def _delimiter_of(args: argparse.Namespace) -> str:
    delimiter = (args.delimiter or "").replace("\\t", "\t")
    if len(delimiter) > 1:
        raise ValueError(f"--delimiter {delimiter!r}: expected a single character, or \\t.")
    return delimiter


def reading_of(args: argparse.Namespace, folder: Path | None = None) -> Reading:
    """Return how rows are to be read, as the options say, or else as those that a model learned from.

    Parameters
    ----------
    args : argparse.Namespace
    folder : Path or None, default=None
        Of the model.

    Returns
    -------
    Reading

    Raises
    ------
    ValueError
        If neither says which column holds texts, or labels.
    """
    sep = getattr(args, "sep", None)
    if sep == "":
        raise ValueError("--sep is empty; expected what stands between labels, such as ';'.")
    sep = sep and sep.replace("\\t", "\t")  # as messages show a tab
    given = {
        "text": args.text,
        "labels": tuple(getattr(args, "labels", None) or ()) or None,
        "sep": sep,
        "kind": getattr(args, "kind", None),
        "delimiter": _delimiter_of(args) or None,
    }
    known = (load_reading(folder) if folder is not None else None) or Reading("")
    reading = replace(known, **{name: value for name, value in given.items() if value is not None})
    if given["labels"] and given["labels"] != known.labels:  # another column may be of another form
        reading = replace(reading, sep=sep, kind=given["kind"] or "auto")
    missing = [] if reading.text else ["--text COLUMN"]
    if hasattr(args, "labels") and not reading.labels:
        missing.append("--labels COLUMN")
    if missing:
        raise ValueError(
            f"{folder} does not say which columns texts were in; pass {' and '.join(missing)}."
        )
    return reading


def skipping_of(args: argparse.Namespace) -> dict[str, bool]:
    """Return which rows to leave out, as the options say: arguments of `read_dataset`."""
    return {"skip_blank": args.skip_blank, "skip_unlabelled": args.skip_unlabelled}


def read_dataset(
    source: str,
    dialect: Dialect,
    reading: Reading,
    console: Console,
    *,
    skip_blank: bool = False,
    skip_unlabelled: bool = False,
    single: bool | None = None,
) -> Dataset:
    """Read a table, and say what was read.

    Parameters
    ----------
    source : str
        Path of the file, or "-".
    dialect : Dialect
    reading : Reading
    console : Console
    skip_blank : bool, default=False
        Whether to leave out rows without text.
    skip_unlabelled : bool, default=False
        Whether to leave out rows without label.
    single : bool or None, default=None
        See `interpret`.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the file cannot be read, or not be understood.
    """
    console.bar.start()
    with open_table(source, dialect) as table:
        found = read_rows(replace(table, rows=_watched(table, console)), reading)
    if found.blank and not skip_blank:
        raise ValueError(
            f"{found.name} has no text in column {reading.text!r} in {count(len(found.blank), 'row')} "
            f"({found.blank}). Fill them in, or leave them out: --skip-blank."
        )
    kept = [row for row in found.rows if row.labels] if skip_unlabelled else found.rows
    data = interpret(found._replace(rows=kept), reading, single=single)
    n_skipped = {"text": len(found.blank), "label": len(found.rows) - len(kept)}
    skipped = " and ".join(f"{n:,} without {what}" for what, n in n_skipped.items() if n)
    skipped = f"; {skipped} skipped" if skipped else ""
    console.say(f"{found.name}: {count(data.n_rows, 'row')}{skipped}, read as {data.read_as}")
    for line in describe_labels(data):
        console.say(line)
    for note in data.notes:
        console.note(note)
    return data


def _watched(table: Table, console: Console) -> Iterator[tuple[int, Record]]:
    """Yield the rows of a table while a bar shows how much of it has been read."""
    for row in table.rows:
        yield row
        console.bar.show(table.share_read(), f"reading {table.name}")


def describe_labels(data: Dataset) -> list[str]:
    """Return lines on how many texts and labels there are, and which labels are frequent.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    list of str
    """
    counts = data.count_labels()
    n_texts, total = len(data.texts), sum(n for _, n in counts)
    line = f"  {count(n_texts, 'text')}, {count(len(counts), 'label')}"
    if not data.single:
        n_without = sum(not labels for labels in data.labels)
        line += f", {total / n_texts:.2f} labels per text"
        line += f", {count(n_without, 'text')} without label" if n_without else ""
    shown = ", ".join(f"{name!r} {n:,}" for name, n in counts[:MOST_LABELS_TOLD])
    n_rare = sum(n < 3 for _, n in counts)
    rare = f"; {count(n_rare, 'label')} in one or two texts" if 0 < n_rare < len(counts) else ""
    return [line, f"  most frequent: {shown}{rare}"]


def note_unknown_labels(data: Dataset, known: Iterable[str], console: Console) -> None:
    """Say which labels of texts a model does not know, as it will miss them.

    Parameters
    ----------
    data : Dataset
    known : iterable of str
    console : Console
    """
    known = {*known}
    unknown = [(name, n) for name, n in data.count_labels() if name not in known]
    if unknown:
        shown = ", ".join(f"{name!r} {n:,}" for name, n in unknown[:MOST_LABELS_TOLD])
        console.note(f"the model does not know {count(len(unknown), 'label')}: {shown}.")


# -- parameters --------------------------------------------------------------------------------------


def parse_params(pairs: Iterable[str], names: Sequence[str]) -> dict[str, Any]:
    """Return parameters written as ``name=value``.

    Parameters
    ----------
    pairs : iterable of str
    names : sequence of str
        Of all parameters.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If one has no value, or another name.

    Examples
    --------
    >>> from sktextcnn.cli.options import parse_params
    >>> names = ["epochs", "kernel_sizes", "linear", "metric"]
    >>> parse_params(["epochs=9", "kernel_sizes=2,3", "linear=false", "metric=f1_macro"], names)
    {'epochs': 9, 'kernel_sizes': (2, 3), 'linear': False, 'metric': 'f1_macro'}
    """
    return {name: _parse(value) for name, value in _named(pairs, names).items()}


def parse_grid(pairs: Iterable[str], names: Sequence[str]) -> dict[str, list]:
    """Return lists of parameters' values written as ``name=a,b``.

    Parameters
    ----------
    pairs : iterable of str
    names : sequence of str
        Of all parameters.

    Returns
    -------
    dict of str to list

    Raises
    ------
    ValueError
        If one has no value, or another name.

    Examples
    --------
    >>> from sktextcnn.cli.options import parse_grid
    >>> parse_grid(["filters=64,128", "kernel_sizes=(2,3),(3,4)"], ["filters", "kernel_sizes"])
    {'filters': [64, 128], 'kernel_sizes': [(2, 3), (3, 4)]}
    """
    return {
        name: [_parse(part) for part in BETWEEN_VALUES.split(value)]
        for name, value in _named(pairs, names).items()
    }


def _named(pairs: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not value:
            raise ValueError(f"--param {pair}: expected a name and a value, such as epochs=10.")
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            advice = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(names)}."
            raise ValueError(f"--param {pair}: there is no parameter {name!r}; {advice}")
        if name in found:
            raise ValueError(f"--param {pair}: {name} has a value already.")
        found[name] = value
    return found


def _parse(text: str) -> Any:
    text = text.strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
