"""The command line: train on the embedded sample or a file, evaluate, and tag sentences.

Rows are read and interpreted, divided, learned from and evaluated, and what comes out is formatted:
a function each, which `demo` calls in turn.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import csv
import gzip
import json
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sktextcnn import __version__
from sktextcnn.classifier import TextCNNClassifier
from sktextcnn.datasets import load_news_tags
from sktextcnn.decision.splits import hold_out
from sktextcnn.labels.parsing import as_label_matrix, group_rows
from sktextcnn.text.tokens import TOKEN_PATTERN

#: File name extension -> delimiter, or None for JSON Lines.
DELIMITERS = {".csv": ",", ".tsv": "\t", ".jsonl": None, ".ndjson": None}
EXTENSIONS = f"{', '.join(DELIMITERS)}, or one of them + .gz"
KINDS = {
    "single": "one label per text",
    "multi": "several labels per text",
    "pairs": "one (text, label) pair per row",
}
#: Fewer texts than this cannot be divided into a part to learn from and one to test on.
MIN_TEXTS = 8
#: Longest table of labels that is printed, and longest sentence and label.
MAX_LABELS, SENTENCE_WIDTH, LABEL_WIDTH = 15, 88, 32
SENTENCES = (
    "I read the news",
    "I read machine learning news",
    "The minister opened a new stadium for the football team",
    "A start-up trains computers to forecast storms at sea",
)


class Row(NamedTuple):
    """A row of a file: the line it ends in, its text, and its labels: a list, or a str to be split."""

    line: int
    text: str
    labels: list[str] | str


class Dataset(NamedTuple):
    """Labelled texts.

    Attributes
    ----------
    texts : list of str, of length n
    target : LabelMatrix of shape (n, k)
        Their labels.
    single : bool
        Whether each text has exactly one label, and classes compete.
    reading : str
        How the rows were understood.
    """

    texts: list[str]
    target: Any
    single: bool
    reading: str


# -- reading -----------------------------------------------------------------------------------------


def read_rows(path: Path, text_column: str, label_column: str) -> list[Row]:
    """Read texts and labels from a file.

    Parameters
    ----------
    path : Path
        CSV, TSV or JSON Lines by its extension, perhaps compressed with gzip.
    text_column, label_column : str
        Names of the columns, or of the keys in JSON Lines.

    Returns
    -------
    list of Row

    Raises
    ------
    ValueError
        If the file cannot be read, is empty, lacks a column, or a row is malformed or has no text.
    """
    name = path.name.lower()
    extension = Path(name.removesuffix(".gz")).suffix
    if extension not in DELIMITERS:
        raise ValueError(f"{path}: unknown extension {extension!r}; expected {EXTENSIONS}.")
    opener: Callable = gzip.open if name.endswith(".gz") else open
    limit = csv.field_size_limit(2**31 - 1)  # texts may be longer than its default
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            return _rows_of([*_records(file, DELIMITERS[extension])], text_column, label_column)
    except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', '') or error}.") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    finally:
        csv.field_size_limit(limit)


def _records(file: TextIO, delimiter: str | None) -> Iterator[tuple[int, dict]]:
    if delimiter is not None:
        reader = csv.DictReader(file, delimiter=delimiter)
        for record in reader:
            if None in record:
                other = any(";" in field for field in reader.fieldnames or ())
                advice = (
                    "Its columns seem to end at ';'; save it with commas" if other else "Quote texts"
                )
                raise ValueError(f"line {reader.line_num} has more fields than the header. {advice}.")
            yield reader.line_num, record
        return
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_constant=lambda _: None)  # NaN is a missing value
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number} is not valid JSON: {error}.") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number} is not a JSON object.")
        yield number, record


def _rows_of(records: Sequence[tuple[int, dict]], text: str, labels: str) -> list[Row]:
    columns = dict.fromkeys(column for _, record in records for column in record)
    if not columns:
        raise ValueError("the file is empty; expected a row for each text.")
    for column in (text, labels):
        if column not in columns:
            raise ValueError(f"there is no column {column!r}, only {', '.join(map(repr, columns))}.")
    for line, record in records:
        if not isinstance(record.get(text), str) or not record[text].strip():
            raise ValueError(f"line {line} has no text in column {text!r}; fill it in or drop the row.")
    return [Row(line, record[text], _labels_of(record.get(labels), line)) for line, record in records]


def _labels_of(value: Any, line: int) -> list[str] | str:
    """Return the labels of a field as a list if it holds one, else as a str."""
    for parse in (json.loads, ast.literal_eval):  # ["a"], and ['a'] as pandas writes it
        if isinstance(value, str) and value.strip().startswith("["):
            with contextlib.suppress(ValueError, SyntaxError, RecursionError):
                value = parse(value.strip())
    if isinstance(value, list):
        return [label for item in value if (label := _label(item, line))]
    return _label(value, line)


def _label(value: Any, line: int) -> str:
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if not isinstance(value, (int, float)):
        raise ValueError(f"line {line} has a {type(value).__name__} in the place of a label.")
    return json.dumps(value)


def interpret(rows: Sequence[Row], kind: str = "auto", sep: str = ",") -> Dataset:
    """Decide what the rows mean.

    Parameters
    ----------
    rows : sequence of Row
    kind : {"auto", "single", "multi", "pairs"}, default="auto"
        "auto": several labels per text if a row holds a list or several labels; else pairs if a text
        comes with different labels; else one label per text, if none lacks it.
    sep : str, default=","
        What separates the labels in a str; not used for "single" and "pairs".

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If a row does not fit the kind, or there are too few texts.
    """
    sets = [_split_labels(row.labels, sep) for row in rows]
    chosen = _recognise(rows, sets) if kind == "auto" else kind
    texts = [row.text for row in rows]
    if chosen == "multi":
        target = as_label_matrix(sets)
    elif chosen == "single":
        target = as_label_matrix([_only_label(row, chosen) for row in rows])
    else:
        texts, target = group_rows(texts, [_only_label(row, chosen) or None for row in rows])
    if len(texts) < MIN_TEXTS:
        raise ValueError(f"{len(texts)} texts are too few; at least {MIN_TEXTS} are needed.")
    how = "recognised; --kind can say otherwise" if kind == "auto" else "as --kind says"
    return Dataset(texts, target, chosen == "single", f"{KINDS[chosen]} ({how})")


def _split_labels(labels: list[str] | str, sep: str) -> list[str]:
    return labels if isinstance(labels, list) else [*filter(None, map(str.strip, labels.split(sep)))]


def _recognise(rows: Sequence[Row], sets: Sequence[list[str]]) -> str:
    if any(isinstance(row.labels, list) for row in rows) or max(map(len, sets)) > 1:
        return "multi"
    first: dict[str, list[str]] = {}
    if any(first.setdefault(row.text, labels) != labels for row, labels in zip(rows, sets, strict=True)):
        return "pairs"
    return "single" if all(sets) else "multi"


def _only_label(row: Row, kind: str) -> str:
    labels = row.labels if isinstance(row.labels, list) else [row.labels]
    if len(labels) > 1:
        raise ValueError(f"line {row.line} has {len(labels)} labels; --kind {kind} takes one a row.")
    if kind == "single" and not any(labels):
        raise ValueError(f"line {row.line} has no label; drop the row, or choose --kind multi.")
    return labels[0] if labels else ""


# -- evaluating --------------------------------------------------------------------------------------


def split(target: Any, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows at random into a part to learn from, with all labels, and one to test on.

    Parameters
    ----------
    target : LabelMatrix of shape (n, k)
    test_size : float
        Share of the rows to test on.
    seed : int

    Returns
    -------
    train, test : ndarray of int
        Row numbers.

    Raises
    ------
    ValueError
        If every text is needed to learn from.
    """
    try:
        return hold_out(csr_matrix(np.asarray(target)), test_size, np.random.default_rng(seed))
    except ValueError:
        raise ValueError(f"too few texts for {len(target.T)} labels: none is left to test on.") from None


def evaluate(truth: np.ndarray, decisions: np.ndarray) -> tuple[list[float], np.ndarray]:
    """Compare decisions with the truth; a measure whose denominator is 0 is 0.

    Parameters
    ----------
    truth, decisions : ndarray of shape (n, k)
        0/1.

    Returns
    -------
    overall : list of float
        Micro-F1, macro-F1 and the share of rows that are right in every label.
    per_label : ndarray of shape (k, 3)
        Precision, recall and F1.
    """
    hits, wanted, given = (truth & decisions).sum(axis=0), truth.sum(axis=0), decisions.sum(axis=0)
    f1 = 2 * hits / np.maximum(wanted + given, 1)
    micro = 2 * hits.sum() / max(wanted.sum() + given.sum(), 1)
    overall = [micro, f1.mean(), (truth == decisions).all(axis=1).mean()]
    return overall, np.column_stack([hits / np.maximum(given, 1), hits / np.maximum(wanted, 1), f1])


# -- formatting --------------------------------------------------------------------------------------


def format_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    r"""Return lines with the first column left, the others right, floats to three places.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequences as long as `header`

    Returns
    -------
    list of str

    Examples
    --------
    >>> from sktextcnn.cli import format_table
    >>> print("\n".join(format_table(["label", "F1"], [["news", 0.5], ["sport", 1.0]])))
    label     F1
    news   0.500
    sport  1.000
    """
    cells = [
        [f"{cell:.3f}" if isinstance(cell, float) else shorten(str(cell), LABEL_WIDTH) for cell in row]
        for row in (header, *rows)
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]


def format_labels(names: Sequence[Any], per_label: np.ndarray, support: np.ndarray) -> list[str]:
    """Return the table of labels, those with most texts first.

    Parameters
    ----------
    names : sequence of length k
    per_label : ndarray of shape (k, 3)
        Precision, recall and F1.
    support : ndarray of shape (k,)
        Number of texts with each label.

    Returns
    -------
    list of str
    """
    order = np.argsort(-support, kind="stable")
    rows = [[names[i], *per_label[i], support[i]] for i in order[:MAX_LABELS]]
    left = (
        [f"... and {len(names) - len(rows)} labels with fewer texts"] if len(names) > len(rows) else []
    )
    return format_table(["label", "precision", "recall", "F1", "support"], rows) + left


def format_tags(names: Sequence[Any], scores: np.ndarray, decided: np.ndarray) -> str:
    """Return the labels of a text by falling probability.

    Parameters
    ----------
    names : sequence of length k
    scores, decided : ndarray of shape (k,)
        How probable each label is, and whether it is predicted.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.cli import format_tags
    >>> format_tags(["news", "sport"], np.array([0.7, 0.9]), np.array([1, 1]))
    'sport 0.90, news 0.70'
    >>> format_tags(["news", "sport"], np.array([0.1, 0.2]), np.array([0, 0]))
    'no label (nearest: sport 0.20)'
    """
    ranked = np.lexsort((-scores, -decided))
    shown = [f"{shorten(str(names[i]), LABEL_WIDTH)} {scores[i]:.2f}" for i in ranked]
    return ", ".join(shown[: int(decided.sum())]) or f"no label (nearest: {shown[0]})"


def shorten(text: str, width: int) -> str:
    """Return `text` in one line of at most `width` characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


# -- running -----------------------------------------------------------------------------------------


def demo(args: argparse.Namespace) -> list[str]:
    """Train, evaluate and tag; progress goes to stderr.

    Parameters
    ----------
    args : argparse.Namespace
        Of the sub-command ``demo``.

    Returns
    -------
    list of str
        The lines to print.

    Raises
    ------
    ValueError
        If the data cannot be read, or not be learned from.
    """
    data = _load(args)
    names, target = data.target.label_names, np.asarray(data.target)
    train, test = split(target, args.test_size, args.seed)
    learned, held_out = ([data.texts[row] for row in rows] for rows in (train, test))
    epochs = "auto" if args.epochs is None else args.epochs
    network = TextCNNClassifier(epochs=epochs, random_state=args.seed, verbose=1)
    y = names[target[train].argmax(axis=1)] if data.single else data.target[train]
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", UserWarning)
        network.fit(learned, y)
    # The same tokens as the network's, and the same number of texts they must occur in.
    tf_idf = TfidfVectorizer(token_pattern=TOKEN_PATTERN, min_df=2)
    linear = make_pipeline(tf_idf, OneVsRestClassifier(LinearSVC(random_state=args.seed)))
    with warnings.catch_warnings():
        # A label that every training text carries is always predicted, as it should be.
        warnings.filterwarnings("ignore", "Label .* is present in all training examples")
        linear.fit(learned, y)
    svm, _ = evaluate(target[test], _decide(linear, held_out, data.single))
    overall, per_label = evaluate(target[test], _decide(network, held_out, data.single))
    sentences = args.tag or (held_out[:5] if args.data else SENTENCES)
    seen = set(learned)
    twice = sum(text in seen for text in held_out)
    at_0, measure = ("", "accuracy") if data.single else (" at 0", "subset accuracy")
    compared = [["TextCNNClassifier", *overall], [f"tf-idf + LinearSVC{at_0}", *svm]]
    lines = [
        f"Data: {args.data or 'the embedded sample of news sentences'}",
        f"Read as: {data.reading}" + (f"; labels split at {args.sep!r}" if args.data else ""),
        f"{len(target)} texts, {len(names)} labels, {target.sum() / len(target):.2f} labels a text",
        f"Trained on {len(train)} texts, tested on {len(test)} held out at random (seed {args.seed})",
        *([f"Note: {twice} of the held-out texts are among the training texts too"] if twice else []),
        *(f"Note: {note.message}" for note in noted if note.category is UserWarning),
        "",
        *format_table(["held-out texts", "micro-F1", "macro-F1", measure], compared),
        "",
        *format_labels(names, per_label, target[test].sum(axis=0)),
        "",
        f"{'Held-out' if args.data and not args.tag else 'New'} sentences, labels and probabilities:",
    ]
    scores, decided = network.predict_proba(sentences), _decide(network, sentences, data.single)
    for sentence, *row in zip(sentences, scores, decided, strict=True):
        note = " (trained on)" if sentence in seen else ""
        lines += [f"  {shorten(sentence, SENTENCE_WIDTH)}{note}", f"    -> {format_tags(names, *row)}"]
    return lines


def _load(args: argparse.Namespace) -> Dataset:
    if not 0 < args.test_size < 1 or args.seed < 0 or not args.sep:
        raise ValueError("--test-size must be between 0 and 1, --seed 0 or more, --sep not empty.")
    if len({option is None for option in (args.data, args.text, args.labels)}) > 1:
        raise ValueError("--data FILE, --text COLUMN and --labels COLUMN go together.")
    if args.data:
        return interpret(read_rows(args.data, args.text, args.labels), args.kind, args.sep)
    texts, target = load_news_tags(return_X_y=True)
    return Dataset(texts, target, single=False, reading=KINDS["multi"])


def _decide(classifier: Any, texts: Sequence[str], single: bool) -> np.ndarray:
    """Return predictions as a 0/1 matrix, whatever the kind."""
    predicted = classifier.predict(texts)
    if single:
        return (predicted[:, None] == classifier.classes_).astype(int)
    return predicted.reshape(len(texts), -1)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    about = "Train on the embedded sample or on a file, evaluate on held-out texts, tag sentences."
    parser = argparse.ArgumentParser("python -m sktextcnn", description="TextCNN for texts with labels.")
    parser.add_argument("--version", action="version", version=f"sktextcnn {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    add = commands.add_parser("demo", help=about, description=about).add_argument
    add("--data", type=Path, metavar="FILE", help=EXTENSIONS)
    add("--text", metavar="COLUMN", help="column of the texts")
    add("--labels", metavar="COLUMN", help="column of the labels: a list, or one string")
    add("--sep", default=",", help="what separates labels in a string (default: a comma)")
    add("--kind", choices=["auto", *KINDS], default="auto", help="what a row holds (default: auto)")
    add("--test-size", type=float, default=0.25, help="share of texts to hold out (default: 0.25)")
    add("--seed", type=int, default=0, help="of the split and the training (default: 0)")
    add("--epochs", type=int, help="passes over the texts (default: as many as suit their number)")
    add("--tag", action="append", metavar="SENTENCE", help="a sentence to tag; may be repeated")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 after an error.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        lines = demo(args)
    except ValueError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    encoding = sys.stdout.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))
    return 0
