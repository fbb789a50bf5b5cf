"""The command ``demo``: train, compare with a linear model, and tag."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from sktextcnn.cli.console import Console, format_table, shorten
from sktextcnn.cli.dataset import Dataset
from sktextcnn.cli.options import (
    add_common,
    add_skipping,
    describe_labels,
    read_dataset,
    share,
    skipping_of,
)
from sktextcnn.cli.rows import KINDS, Reading
from sktextcnn.cli.training import divide, showing_progress
from sktextcnn.tables.dialect import EXTENSIONS, Dialect

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


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``demo``."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("file", metavar="FILE", nargs="?", help=f"texts of your own: {EXTENSIONS}")
    source.add_argument("--data", metavar="FILE", help="the same")
    parser.add_argument("--text", metavar="COLUMN", help="column of the texts")
    parser.add_argument("--labels", metavar="COLUMN", help="column of the labels")
    parser.add_argument("--sep", help="what separates labels in a string (default: a comma)")
    parser.add_argument("--kind", choices=["auto", *KINDS], default="auto", help="what a row holds")
    add_skipping(parser)
    parser.add_argument(
        "--test-size", type=share, default=0.25, help="share of texts to hold out (default: 0.25)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--epochs", type=int, help="passes over the texts (default: as suits them)")
    parser.add_argument("--tag", action="append", metavar="SENTENCE", help="to tag; may be repeated")
    add_common(parser)


def demo(args: argparse.Namespace, console: Console) -> None:
    """Train, evaluate and tag.

    Parameters
    ----------
    args : argparse.Namespace
    console : Console

    Raises
    ------
    ValueError
        If the data cannot be read, or not be learned from.
    """
    from sktextcnn.classifier import TextCNNClassifier
    from sktextcnn.metrics import evaluate
    from sktextcnn.model_selection import LinearBaseline

    args.file = args.file or args.data
    data = _load(args, console)
    if len(data.texts) < MIN_TEXTS:
        raise ValueError(f"{len(data.texts)} texts are too few; at least {MIN_TEXTS} are needed.")
    (learned, y), (held_out, y_test) = divide(data, args.test_size, args.seed)
    console.say(f"  {len(learned):,} texts to learn from, {len(held_out):,} held out (seed {args.seed})")
    if twice := len({*learned} & {*held_out}):
        console.note(f"{twice:,} of the held-out texts are among those to learn from, too.")
    epochs = "auto" if args.epochs is None else args.epochs
    network = TextCNNClassifier(epochs=epochs, random_state=args.seed)
    with showing_progress(console, "training"):
        network.fit(learned, y)
    linear = LinearBaseline(random_state=args.seed).fit(learned, y)
    ours, theirs = (evaluate(one, held_out, y_test) for one in (network, linear))
    measures = ["accuracy", "f1_macro"] if data.single else ["f1_micro", "f1_macro", "accuracy"]
    titles = {"accuracy": "accuracy" if data.single else "subset accuracy"}
    compared = [
        [name, *(one.scores[measure] for measure in measures)]
        for name, one in [("TextCNNClassifier", ours), ("tuned linear SVM", theirs)]
    ]
    sentences = args.tag or (held_out[:5] if args.file else SENTENCES)
    tagged = _tag(network, sentences)
    lines = [
        *format_table(["held-out texts", *(titles.get(name, name) for name in measures)], compared),
        "",
        *_format_labels(ours),
        "",
        f"{'Held-out' if args.file and not args.tag else 'New'} sentences, labels and probabilities:",
    ]
    for sentence, said in zip(sentences, tagged, strict=True):
        note = " (learned from)" if sentence in {*learned} else ""
        lines += [f"  {shorten(sentence, SENTENCE_WIDTH)}{note}", f"    -> {said}"]
    document = {
        "n_texts": len(data.texts),
        "TextCNNClassifier": ours.to_dict(),
        "tuned linear SVM": theirs.to_dict(),
        "tagged": dict(zip(sentences, tagged, strict=True)),
    }
    console.result(lines, document)


def _load(args: argparse.Namespace, console: Console) -> Dataset:
    if len({option is None for option in (args.file, args.text, args.labels)}) > 1:
        raise ValueError("FILE, --text COLUMN and --labels COLUMN go together.")
    if args.file:
        reading = Reading(args.text, (args.labels,), args.sep, args.kind)
        return read_dataset(args.file, Dialect(), reading, console, **skipping_of(args))
    from sktextcnn.datasets import load_news_tags

    news = load_news_tags()
    data = Dataset(news.data, news.tags, len(news.data), Reading("", kind="multi"), KINDS["multi"], [])
    console.say("the embedded sample of news sentences:")
    for line in describe_labels(data):
        console.say(line)
    return data


def _tag(network: Any, sentences: Sequence[str]) -> list[str]:
    """Return the labels of texts, or where there are none the nearest one, with probabilities."""
    names, tagged = network.classes_.tolist(), []
    predicted, proba = network._predict_labels_and_proba(sentences)
    for own, labels in zip(proba.tolist(), predicted, strict=True):
        ranked = sorted(zip(own, names, strict=True), key=lambda pair: -pair[0])
        shown = {name: f"{shorten(str(name), LABEL_WIDTH)} {p:.2f}" for p, name in ranked}
        said = ", ".join(shown[name] for name in shown if name in labels)
        tagged.append(said or f"no label (nearest: {shown[ranked[0][1]]})")
    return tagged


def _format_labels(evaluation: Any) -> list[str]:
    """Return the table of labels, those with most texts first."""
    rows = sorted(evaluation.to_dict()["labels"], key=lambda row: -row["support"])
    columns = ["label", "precision", "recall", "f1", "support"]
    shown = [[row[column] for column in columns] for row in rows[:MAX_LABELS]]
    more = len(rows) - len(shown)
    return format_table(columns, shown, LABEL_WIDTH) + (
        [f"... and {more} labels with fewer texts"] if more else []
    )
