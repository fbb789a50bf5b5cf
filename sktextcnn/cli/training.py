"""Commands that train: ``fit``, and ``search`` over parameters."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from sktextcnn.cli.console import Console, count, format_table, shorten
from sktextcnn.cli.dataset import Dataset
from sktextcnn.cli.options import (
    add_common,
    add_params,
    add_table,
    dialect_of,
    note_unknown_labels,
    parse_grid,
    parse_params,
    read_dataset,
    reading_of,
    share,
    skipping_of,
)
from sktextcnn.cli.progress import format_seconds
from sktextcnn.cli.rows import save_reading
from sktextcnn.tables.dialect import STANDARD

#: Candidates of a search that are shown, and what is said of them.
MOST_CANDIDATES = 20
COLUMNS = ("mean_test_score", "std_test_score", "mean_fit_time")


def add_fit(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``fit``."""
    add_table(parser)
    add_saving(parser, required=True)
    group = parser.add_argument_group("evaluation").add_mutually_exclusive_group()
    group.add_argument("--test", metavar="FILE", help="evaluate on another file, of the same form")
    group.add_argument(
        "--test-size", type=share, metavar="SHARE", help="hold out a share to evaluate on"
    )
    add_params(parser)
    add_common(parser)


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``search``."""
    add_table(parser)
    add_saving(parser, required=False)
    group = parser.add_argument_group("evaluation")
    group.add_argument("--cv", type=_folds, default=3, help="parts of a cross-validation (default: 3)")
    group.add_argument(
        "--metric", help="to rank by (default: f1_micro; for one label per text, accuracy)"
    )
    add_params(parser, grid=True)
    add_common(parser)


def add_saving(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that say where a model is kept."""
    note = "" if required else ", trained on all texts with the best parameters"
    parser.add_argument(
        "--model", metavar="FOLDER", type=Path, required=required, help=f"where to save the model{note}"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the model in the folder")


def _folds(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number from 2 on")
    return int(text)


def fit(args: argparse.Namespace, console: Console) -> None:
    """Train on a table, save the model and evaluate it.

    Parameters
    ----------
    args : argparse.Namespace
    console : Console

    Raises
    ------
    ValueError, OSError
        If the table cannot be read or learned from, or the model not be saved.
    """
    check_can_save(args.model, overwrite=args.overwrite)
    if args.test not in (None, STANDARD) and not Path(args.test).exists():
        raise ValueError(f"--test {args.test}: there is no such file.")
    classifier = build_classifier(args)
    dialect = dialect_of(args)
    data = read_dataset(args.file, dialect, reading_of(args), console, **skipping_of(args))
    (texts, labels), tested = _divide(args, data, console)
    started = perf_counter()
    with showing_progress(console, "training"):
        classifier.fit(texts, labels)
    seconds = perf_counter() - started
    save(classifier, data, args.model, overwrite=args.overwrite)
    score = None if math.isnan(classifier.validation_score_) else classifier.validation_score_
    lines = [
        f"trained on {count(len(texts), 'text')} in {format_seconds(seconds)}; saved in {args.model}"
    ]
    if score is not None:
        metric = "accuracy" if data.single else classifier.metric
        lines.append(f"on texts held out while training: {metric} {score:.3f}")
    evaluation = None
    if tested is not None:
        from sktextcnn.metrics import evaluate

        evaluation = evaluate(classifier, *tested)
        lines += ["", *str(evaluation).splitlines()]
    document = {
        "model": str(args.model),
        "read_as": data.read_as,
        "n_rows": data.n_rows,
        "n_texts": len(texts),
        "labels": dict(data.count_labels()),
        "seconds": round(seconds, 1),
        "validation_score": score,
        "evaluation": None if evaluation is None else evaluation.to_dict(),
    }
    console.result(lines, document)


def _divide(
    args: argparse.Namespace, data: Dataset, console: Console
) -> tuple[tuple[list, list], tuple[list, list] | None]:
    """Return texts and labels to learn from, and those to evaluate on, if options name any."""
    learned = data.texts, data.labels
    if args.test is not None:
        test = read_dataset(
            args.test,
            dialect_of(args),
            data.reading,
            console,
            **skipping_of(args),
            single=data.single,
        )
        note_unknown_labels(test, (name for name, _ in data.count_labels()), console)
        tested = test.texts, test.labels
    elif args.test_size is not None:
        learned, tested = divide(data, args.test_size, args.seed)
        console.say(f"  {len(learned[0]):,} texts to learn from, {len(tested[0]):,} to evaluate on")
    else:
        return learned, None
    if twice := len({*learned[0]} & {*tested[0]}):
        console.note(f"{twice:,} of the texts to evaluate on are among those to learn from, too.")
    return learned, tested


def search(args: argparse.Namespace, console: Console) -> None:
    """Cross-validate a grid of parameters, and save the model with the best ones.

    Parameters
    ----------
    args : argparse.Namespace
    console : Console

    Raises
    ------
    ValueError, OSError
        If the table cannot be read or learned from, or the model not be saved.
    """
    from sklearn.model_selection import GridSearchCV, ParameterGrid

    from sktextcnn.labels.parsing import as_label_matrix
    from sktextcnn.metrics import get_scorer
    from sktextcnn.model_selection import MultilabelStratifiedKFold

    if args.model is not None:
        check_can_save(args.model, overwrite=args.overwrite)
    classifier = build_classifier(args, grid=True)
    grid = parse_grid(args.param, [*classifier.get_params()])
    candidates = [*ParameterGrid(grid)]
    for candidate in candidates:
        type(classifier)(**candidate)._validate_params()
    data = read_dataset(args.file, dialect_of(args), reading_of(args), console, **skipping_of(args))
    metric = args.metric or ("accuracy" if data.single else "f1_micro")
    scorer = get_scorer(metric)
    n_fits = len(candidates) * args.cv + (args.model is not None)
    console.say(
        f"{count(len(candidates), 'candidate')}, {args.cv} parts each: {count(n_fits, 'training')}"
    )
    n_done = 0

    def score(fitted: Any, X: Any, y: Any) -> Any:
        nonlocal n_done
        n_done += 1
        return scorer(fitted, X, y)

    started = perf_counter()
    with showing_progress(console, "searching", lambda: (n_done, n_fits)):
        found = GridSearchCV(
            classifier,
            grid,
            scoring=score,
            cv=MultilabelStratifiedKFold(args.cv, shuffle=True, random_state=args.seed),
            refit=args.model is not None,
            error_score="raise",
        ).fit(data.texts, data.labels if data.single else as_label_matrix(data.labels))
    results = found.cv_results_
    order = results["rank_test_score"].argsort(kind="stable")
    header = [metric, "std", "seconds", *grid]
    rows = [
        (
            *(float(results[column][i]) for column in COLUMNS),
            *(shorten(repr(candidates[i][name]), 32) for name in grid),
        )
        for i in order
    ]
    lines = format_table(header, rows[:MOST_CANDIDATES])
    if len(rows) > MOST_CANDIDATES:
        lines.append(f"... and {len(rows) - MOST_CANDIDATES:,} candidates with lower scores")
    lines.append(f"{n_fits:,} trainings in {format_seconds(perf_counter() - started)}")
    if args.model is not None:
        save(found.best_estimator_, data, args.model, overwrite=args.overwrite)
        lines.append(f"trained on all texts with the best parameters; saved in {args.model}")
    document = {
        "metric": metric,
        "model": None if args.model is None else str(args.model),
        "candidates": [
            {"params": candidates[i], **dict(zip(("mean", "std", "seconds"), row[:3], strict=True))}
            for i, row in zip(order, rows, strict=True)
        ],
    }
    console.result(lines, document)


def build_classifier(args: argparse.Namespace, *, grid: bool = False) -> Any:
    """Return an unfitted classifier with the parameters that options name, once they are checked.

    Parameters
    ----------
    args : argparse.Namespace
    grid : bool, default=False
        Whether ``--param`` holds several values, which are left alone.

    Returns
    -------
    TextCNNClassifier

    Raises
    ------
    ValueError
        If there is no such parameter, or it cannot have that value.
    """
    from sktextcnn.classifier import TextCNNClassifier

    given = {"random_state": args.seed, "n_jobs": args.jobs}
    if not grid:
        given |= parse_params(args.param, [*TextCNNClassifier().get_params()])
    classifier = TextCNNClassifier(**given)
    classifier._validate_params()
    return classifier


def divide(data: Dataset, test_size: float, seed: int) -> tuple[tuple[list, list], tuple[list, list]]:
    """Divide texts and labels into those to learn from, and those to evaluate on.

    Parameters
    ----------
    data : Dataset
    test_size : float
        Share of the texts to evaluate on.
    seed : int

    Returns
    -------
    learned, tested : tuple of (list of str, list)
        Texts and labels.

    Raises
    ------
    ValueError
        If there are too few texts.
    """
    from sktextcnn.model_selection import train_test_split

    try:
        texts, test_texts, labels, test_labels = train_test_split(
            data.texts, data.labels, test_size=test_size, random_state=seed
        )
    except ValueError:
        texts, test_texts, labels, test_labels = [], [], [], []
    if not texts or not test_texts:
        raise ValueError(
            f"{len(data.texts):,} texts with {len(data.count_labels()):,} labels cannot be divided: "
            "every label needs a text to learn from, and some texts have to be left."
        )
    return (texts, labels), (test_texts, test_labels)


@contextlib.contextmanager
def showing_progress(console: Console, what: str, done: Any = lambda: (0, 1)) -> Iterator[None]:
    """Show how far trainings are that go on meanwhile.

    Parameters
    ----------
    console : Console
    what : str
    done : callable
        Returns how many of them have ended, and how many there are.

    Yields
    ------
    None
    """
    from sktextcnn.callbacks import watching

    def show(share_of_one: float, seconds_left: float) -> None:
        n_done, n_fits = done()
        left = seconds_left if n_fits == 1 else None
        console.bar.show((n_done + share_of_one) / n_fits, what, left)

    console.bar.start()
    console.bar.show(0, what)
    with watching(show):
        yield
    console.bar.clear()


def check_can_save(folder: Path, *, overwrite: bool) -> None:
    """Raise, before anything is done, where a model could not be saved.

    Parameters
    ----------
    folder : Path
    overwrite : bool
        Whether a model in the folder may be replaced.

    Raises
    ------
    ValueError
        If the folder is taken, or cannot be made.
    """
    if not folder.parent.is_dir():
        raise ValueError(f"{folder} cannot be made: there is no folder {folder.parent}. Make it first.")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; name another folder for the model.")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / "model.json").is_file():
            raise ValueError(f"{folder} holds other files than a model; name another one.")
        if not overwrite:
            raise ValueError(f"{folder} exists. Name another folder, or replace its model: --overwrite.")
    if not os.access(folder if folder.is_dir() else folder.parent, os.W_OK):
        raise ValueError(f"{folder} cannot be written: you may not write there.")


def save(classifier: Any, data: Dataset, folder: Path, *, overwrite: bool) -> None:
    """Save a model, and how its texts were read.

    Parameters
    ----------
    classifier : TextCNNClassifier
    data : Dataset
    folder : Path
    overwrite : bool

    Raises
    ------
    OSError
        If writing fails.
    """
    classifier.save(folder, overwrite=overwrite)
    save_reading(folder, data.reading)
