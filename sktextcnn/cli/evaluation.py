"""Commands that say how good a model is: ``evaluate`` and ``report``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sktextcnn.cli.console import Console
from sktextcnn.cli.options import (
    add_common,
    add_model,
    add_table,
    dialect_of,
    note_unknown_labels,
    read_dataset,
    reading_of,
    skipping_of,
)
from sktextcnn.cli.rows import name_label


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate``."""
    add_table(parser, known=True)
    add_model(parser)
    add_common(parser)


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``report``."""
    add_table(parser, known=True)
    add_model(parser)
    parser.add_argument(
        "--output", metavar="FILE", default="report.html", help="page to write (default: report.html)"
    )
    parser.add_argument("--title", help="of the page (default: the names of model and table)")
    add_common(parser)


def evaluate(args: argparse.Namespace, console: Console) -> None:
    """Print how well a model predicts the labels of a table.

    Parameters
    ----------
    args : argparse.Namespace
    console : Console

    Raises
    ------
    ValueError, OSError
        If the table cannot be read, the model not be loaded, or the labels are of another kind.
    """
    from sktextcnn.metrics import evaluate as evaluate_classifier

    evaluation = evaluate_classifier(*_read(args, console))
    console.result(str(evaluation).splitlines(), evaluation.to_dict())


def report(args: argparse.Namespace, console: Console) -> None:
    """Write an evaluation as a page.

    Parameters
    ----------
    args : argparse.Namespace
    console : Console

    Raises
    ------
    ValueError, OSError
        If the table cannot be read, the model not be loaded, or the page not be written.
    ImportError
        If the packages that draw it are not installed.
    """
    from sktextcnn.report import write_report

    if Path(args.output).is_dir():
        raise ValueError(f"{args.output} is a folder; expected the name of a file.")
    title = args.title or f"{args.model.name} on {Path(args.file).name}"
    write_report(*_read(args, console), args.output, title=title)
    console.result([f"written to {args.output}"], {"report": args.output})


def _read(args: argparse.Namespace, console: Console) -> tuple[Any, list[str], list]:
    """Return a model, texts, and their labels as the model calls them."""
    from sktextcnn.loading import load

    classifier = load(args.model)
    reading = reading_of(args, args.model)
    data = read_dataset(
        args.file,
        dialect_of(args, reading.delimiter),
        reading,
        console,
        **skipping_of(args),
        single=not classifier.multilabel_,
    )
    # Labels that are numbers to the model are read as str.
    names = {name_label(label): label for label in classifier.classes_.tolist()}
    note_unknown_labels(data, names, console)
    labels = [
        names.get(own, own) if isinstance(own, str) else [names.get(label, label) for label in own]
        for own in data.labels
    ]
    return classifier, data.texts, labels
