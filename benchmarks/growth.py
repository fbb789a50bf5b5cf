"""Measure what new labels cost the old ones: a model meets the texts of some labels only later.

Every tenth label, by frequency, is new. A model is fitted to the texts that carry none of them, and
then learns from those that do, in a few passes of `partial_fit`: labelled completely or with the new
labels alone, with as many of the old texts among them or without, and with the old model as teacher or
without. Beside it stands a fit to all texts at once.
"""

import argparse
import copy
import platform
from importlib import metadata
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from _data import data_folder, label_names, load
from sklearn.metrics import f1_score

from sktextcnn import TextCNNClassifier, as_label_matrix

SETS = ["reuters90", "stackoverflow30k"]
#: What the texts of new labels are labelled with, whether old texts are among them, and a teacher.
WAYS = [
    (labelled, rehearses, taught)
    for labelled in ("all", "new")
    for rehearses in (False, True)
    for taught in (False, True)
]


def fit(texts, labels, classes, seed):
    """Return a fitted model that `partial_fit` can go on from, and the seconds that took."""
    started = perf_counter()
    clf = TextCNNClassifier(linear=False, validation=0.1, random_state=seed)
    clf.fit(texts, as_label_matrix(labels, classes=classes))
    return clf.set_params(validation="auto"), perf_counter() - started


def divide(labels):
    """Return the old labels, the new ones, and the rows that carry none and some of the new ones."""
    counts = {name: sum(name in row for row in labels) for name in label_names(labels)}
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    new = {*ranked[4::10]}
    with_new = np.array([bool(new & {*row}) for row in labels])
    old_rows, new_rows = np.flatnonzero(~with_new), np.flatnonzero(with_new)
    old = label_names([labels[i] for i in old_rows])  # some labels come with new ones only
    return old, sorted(new), old_rows, new_rows


def score(clf, texts, labels, old, new):
    """Return micro-F1 and macro-F1 of the old labels and of the new ones, NaN if those are not known."""
    truth = np.asarray(as_label_matrix(labels, classes=[*old, *new], unseen="ignore"))
    predicted, scores = clf.predict(texts), []
    for columns in (slice(0, len(old)), slice(len(old), None)):
        if predicted[:, columns].shape[1]:
            pair = truth[:, columns], predicted[:, columns]
            scores += [f1_score(*pair, average=mean, zero_division=0) for mean in ("micro", "macro")]
        else:
            scores += [np.nan, np.nan]
    return scores


def measure(name, n_passes, seed):
    """Yield the name of each way to the new labels, its four scores and its seconds."""
    texts, labels, *test = load(name)
    old, new, old_rows, new_rows = divide(labels)
    known = {*old, *new}
    labels = [[label for label in row if label in known] for row in labels]
    base = [texts[i] for i in old_rows], [labels[i] for i in old_rows]
    before, seconds = fit(*base, old, seed)
    yield f"before ({len(old)} labels, {len(old_rows)} texts)", *score(before, *test, old, new), seconds
    rng = np.random.default_rng(seed)
    some_old = rng.choice(old_rows, min(len(new_rows), len(old_rows)), replace=False)
    for labelled, rehearses, taught in WAYS:
        rows = [*new_rows, *(some_old if rehearses else [])]
        only_new = {*new_rows} if labelled == "new" else set()
        y = [[x for x in labels[i] if x in new] if i in only_new else labels[i] for i in rows]
        clf, started = copy.deepcopy(before), perf_counter()
        for _ in range(n_passes):
            clf.partial_fit(
                [texts[i] for i in rows], y, classes=[*old, *new], teacher=before if taught else None
            )
        way = f"{labelled} labels{', old texts' if rehearses else ''}{', teacher' if taught else ''}"
        yield way, *score(clf, *test, old, new), perf_counter() - started
    clf, seconds = fit(texts, labels, [*old, *new], seed)
    yield (
        f"refit ({len(old) + len(new)} labels, {len(texts)} texts)",
        *score(clf, *test, old, new),
        seconds,
    )


def main():
    """Read the arguments, run every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--passes", type=int, default=6, help="calls of partial_fit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to")
    args = parser.parse_args()

    data_folder()
    versions = ", ".join(f"{each} {metadata.version(each)}" for each in ("numpy", "numba"))
    lines = [
        f"Python {platform.python_version()}, {versions}; {joblib.cpu_count()} cores.",
        "",
        "| set | new texts come with | old labels: micro / macro F1 | new labels: the same | s |",
        "|---|---|---:|---:|---:|",
    ]
    print("\n".join(lines), flush=True)
    for name in args.sets:
        for way, *scores, seconds in measure(name, args.passes, args.seed):
            of_old, of_new = (f"{a:.3f} / {b:.3f}" for a, b in (scores[:2], scores[2:]))
            lines.append(f"| {name} | {way} | {of_old} | {of_new} | {seconds:.0f} |")
            print(lines[-1], flush=True)
            if args.out:
                args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
