"""Commands that apply a model to new texts: ``predict`` and ``explain``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from time import perf_counter
from typing import Any

from sktextcnn.cli.console import Console, count, shorten
from sktextcnn.cli.options import (
    add_common,
    add_model,
    add_table,
    dialect_of,
    format_named,
    reading_of,
)
from sktextcnn.cli.progress import format_seconds
from sktextcnn.cli.rows import Places, is_text, name_label, naming
from sktextcnn.tables.dialect import (
    FORMATS,
    LINE,
    STANDARD,
    Dialect,
    Record,
    format_of,
    import_pyarrow,
)
from sktextcnn.tables.reader import Table, check_columns, open_table
from sktextcnn.tables.writer import create_table

#: Rows, and characters of their texts, that are held at the same time.
ROWS_PER_BATCH, CHARACTERS_PER_BATCH = 4096, 1_000_000

#: Decimal places of probabilities.
PLACES = 4

SENTENCE_WIDTH = 88


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``predict``."""
    add_table(parser, labels=False, known=True)
    add_model(parser)
    group = parser.add_argument_group("what is written")
    group.add_argument(
        "--output", metavar="FILE", default=STANDARD, help="table to write (default: standard output)"
    )
    group.add_argument(
        "--output-format",
        choices=[name for name in FORMATS if name != "txt"],
        help="of the output, where its name does not tell it (without extension: as the input)",
    )
    group.add_argument(
        "--column", default="predicted", help="name of the column of labels (default: predicted)"
    )
    group.add_argument("--sep", help="between labels in CSV (default: as in training, or a comma)")
    group.add_argument("--proba", action="store_true", help="add the probability of each label")
    add_common(parser)


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``explain``."""
    parser.add_argument("texts", metavar="TEXT", nargs="+", help="-: one in each line of standard input")
    add_model(parser)
    parser.add_argument(
        "--label", action="append", help="to explain; may be repeated (default: those predicted)"
    )
    parser.add_argument("--top", type=int, default=8, help="n-grams to name (default: 8)")
    add_common(parser)


# -- predict -----------------------------------------------------------------------------------------


def predict(args: argparse.Namespace, console: Console) -> None:
    """Copy a table, with the labels of its texts added, row by row.

    Parameters
    ----------
    args : argparse.Namespace
    console : Console

    Raises
    ------
    ValueError, OSError
        If the table cannot be read, the model not be loaded, or the result not be written.
    """
    from sktextcnn.loading import load

    classifier = load(args.model)
    started, n_rows, blank = perf_counter(), 0, Places()
    show = console.bar.show if args.output != STANDARD or not sys.stdout.isatty() else None
    if format_named(args) == "txt":
        args.text = LINE
    reading = reading_of(args, args.model)
    with open_table(args.file, dialect_of(args, reading.delimiter)) as table:
        dialect = _output_dialect(args, table)
        tags = _Tags(classifier, args.column, reading.sep or ",", args.proba, dialect.format)
        columns = None
        if table.columns is not None:
            check_columns(table.name, table.columns, [reading.text])
            tags.check_are_new(table.columns)
            columns = [*table.columns, *tags.columns]
        types = {**table.types, **tags.types()} if dialect.format == "parquet" else None
        with create_table(args.output, dialect, columns, types) as writer, naming(table.name):
            for batch in batches(table.rows, reading.text):
                if table.columns is None and not n_rows:
                    check_columns(table.name, _columns_of(batch), [reading.text])
                for number, record in batch:
                    if not is_text(record.get(reading.text), place := f"{table.unit} {number}"):
                        blank.append(place)
                writer.write(tags.add([record for _, record in batch], reading.text))
                n_rows += len(batch)
                if show is not None:
                    show(table.share_read(), f"tagging, {n_rows:,} rows")
    if blank:
        console.note(f"{count(len(blank), 'row')} without text got no labels ({blank}).")
    where = "" if args.output == STANDARD else f"; written to {args.output}"
    console.say(f"{count(n_rows, 'row')} tagged in {format_seconds(perf_counter() - started)}{where}")


def batches(rows: Iterable[tuple[int, Record]], text: str) -> Iterator[list[tuple[int, Record]]]:
    """Yield rows in batches that are bounded in their number and the length of their texts.

    Parameters
    ----------
    rows : iterable of (int, Record)
    text : str
        Column of the texts.

    Yields
    ------
    list of (int, Record)
    """
    batch, length = [], 0
    for row in rows:
        batch.append(row)
        length += len(row[1].get(text) or "") if isinstance(row[1].get(text), str) else 0
        if len(batch) == ROWS_PER_BATCH or length >= CHARACTERS_PER_BATCH:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


def _columns_of(batch: Sequence[tuple[int, Record]]) -> list[str]:
    return [*dict.fromkeys(chain.from_iterable(record for _, record in batch))]


def _output_dialect(args: argparse.Namespace, table: Table) -> Dialect:
    """Return how to write: as options and the name of the file say, or else as the table is written."""
    own = table.dialect.format
    default = "csv" if own in ("txt", "parquet") else own
    chosen = args.output_format or ("jsonl" if args.json else None)
    if chosen is None:
        chosen = format_of(args.output, default, option="--output-format")
    if chosen == "txt":
        raise ValueError(f"--output {args.output}: plain lines have no columns; write CSV instead.")
    delimiter = table.dialect.delimiter if chosen == own else ""
    return replace(table.dialect, format=chosen, delimiter=delimiter)


class _Tags:
    """Adds the predicted labels to rows, in the form that suits a format."""

    def __init__(self, classifier: Any, column: str, sep: str, proba: bool, format: str) -> None:
        self._classifier, self._column, self._sep = classifier, column, sep
        self._is_flat, self._is_nested = format in ("csv", "tsv"), format == "jsonl"
        self._names = [*map(name_label, classifier.classes_.tolist())]
        self._proba = ["proba"] if self._is_nested else [f"proba_{name}" for name in self._names]
        if not proba:
            self._proba = []
        if self._is_flat and classifier.multilabel_:
            joined = next((name for name in self._names if sep in name), None)
            if joined is not None:
                raise ValueError(
                    f"the label {joined!r} holds {sep!r}, which would separate labels. Pass another "
                    "--sep, or write JSON Lines, which have lists."
                )
        self.columns = [column, *self._proba]

    def check_are_new(self, columns: Iterable[str]) -> None:
        """Raise where a table has a column that is to be added."""
        for column in columns:
            if column in self.columns:
                raise ValueError(
                    f"The table has a column {column!r} already. Name another for the labels: --column."
                    if column == self._column
                    else f"The table has a column {column!r} already, so none can be added for --proba."
                )

    def types(self) -> dict[str, Any]:
        """Return the types of the added columns in Parquet."""
        arrow, _ = import_pyarrow()
        kind = arrow.list_(arrow.string()) if self._classifier.multilabel_ else arrow.string()
        return {self._column: kind, **dict.fromkeys(self._proba, arrow.float32())}

    def add(self, records: Sequence[Record], text: str) -> list[Record]:
        """Return rows with their labels; those without text get none."""
        rows = [i for i, record in enumerate(records) if (record.get(text) or "").strip()]
        texts = [records[i][text] for i in rows]
        labels: dict[int, Any] = {}
        proba: dict[int, Any] = {}
        if texts and self._proba:
            found, probabilities = self._classifier._predict_labels_and_proba(texts)
            labels = dict(zip(rows, found, strict=True))
            proba = dict(zip(rows, probabilities.tolist(), strict=True))
        elif texts:
            labels = dict(zip(rows, self._classifier.predict_labels(texts), strict=True))
        tagged = []
        for i, record in enumerate(records):
            self.check_are_new(record.keys() & {*self.columns})
            tagged.append(
                {**record, self._column: self._show(labels.get(i)), **self._spread(proba.get(i))}
            )
        return tagged

    def _show(self, labels: Sequence[Any] | None) -> Any:
        names = [*map(name_label, labels or ())]
        if not self._classifier.multilabel_:
            return names[0] if names else None
        return self._sep.join(names) if self._is_flat else names

    def _spread(self, proba: Sequence[float] | None) -> Record:
        if not self._proba:
            return {}
        values = [None] * len(self._names) if proba is None else [round(p, PLACES) for p in proba]
        if self._is_nested:
            return {"proba": None if proba is None else dict(zip(self._names, values, strict=True))}
        return dict(zip(self._proba, values, strict=True))


# -- explain -----------------------------------------------------------------------------------------


def explain(args: argparse.Namespace, console: Console) -> None:
    """Print the n-grams that speak for and against the labels of texts.

    Parameters
    ----------
    args : argparse.Namespace
    console : Console

    Raises
    ------
    ValueError, OSError
        If the model cannot be loaded, or knows no such label.
    """
    from sktextcnn.loading import load

    if args.top < 1:
        raise ValueError(f"--top {args.top}: expected a number of n-grams, at least 1.")
    classifier = load(args.model)
    by_name = {name_label(label): label for label in classifier.classes_.tolist()}
    for name in args.label or ():
        if name not in by_name:
            raise ValueError(
                f"--label {name}: the model has no such label, but {shorten(', '.join(by_name), 200)}."
            )
    wanted = [by_name[name] for name in args.label] if args.label else None
    lines, documents, n_empty = [], [], 0
    for text in _texts_of(args.texts):
        if not text.strip():
            n_empty += 1
            continue
        (found,) = classifier.explain([text], labels=wanted)
        if not found:  # then the label that came nearest is of interest
            nearest = classifier.predict_proba([text])[0].argmax()
            (found,) = classifier.explain([text], labels=[classifier.classes_.tolist()[nearest]])
        ranked = sorted(found, key=lambda one: -one.probability)
        lines.append(shorten(text, SENTENCE_WIDTH))
        for one in ranked:
            lines.append(f"  {shorten(name_label(one.label), 60)}: {one.outcome}")
            lines += [
                f"    {e.contribution:+7.2f}  {shorten(e.ngram, 60)}" for e in one.evidence[: args.top]
            ]
        documents.append({"text": text, "labels": [_to_dict(one, args.top) for one in ranked]})
    if not documents:
        raise ValueError("there is no text to explain; pass some, each in quotation marks.")
    if n_empty:
        console.note(f"{count(n_empty, 'empty text')} skipped.")
    console.result(lines, documents)


def _to_dict(explanation: Any, n: int) -> dict[str, Any]:
    """Return an explanation with its n strongest n-grams, for JSON."""
    content = {**explanation._asdict(), "evidence": [e._asdict() for e in explanation.evidence[:n]]}
    del content["text"]
    return content


def _texts_of(given: Sequence[str]) -> Iterator[str]:
    for text in given:
        if text == STANDARD:
            yield from (line.rstrip("\r\n") for line in sys.stdin)
        else:
            yield text
