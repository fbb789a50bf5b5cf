"""Time fits of TextCNNClassifier beside those of linear SVMs with tuned thresholds.

Both have their defaults; the thresholds are tuned for micro-F1. With one label per text there are none,
so the SVMs are trained once instead of four times. They learn from the same rows in turn,
in one process for each case, after a fit that is not counted. The fastest of three fits each counts:
other work on the machine only ever adds to a time, and it takes more from a classifier that uses all
cores than from the SVMs, which use one.
"""

import argparse
import os
from pathlib import Path
from time import perf_counter

import numpy as np
from _data import SINGLE_LABEL, indicator, label_names, load
from _measure import environment, fresh

#: Set, and how many training rows are drawn at random; None: all of them.
CASES = [
    *(("goemotions", n) for n in (400, 3000)),
    *(("stackoverflow30k", n) for n in (400, 3000)),
    *(("tmdb_genres", n) for n in (400, 900, 3000)),
    *(("arxiv_cs", n) for n in (400, 1500)),
    ("trec", None),
    ("reuters90", None),
]
REPEATS = 3

#: More waiting processes than this, and the times are those of a machine that is busy otherwise.
BUSY = 0.5


def measure(name, n_rows):
    """Return the number of texts, and the seconds of every fit, ours and the SVMs'."""
    from sktextcnn import TextCNNClassifier
    from sktextcnn.model_selection import LinearBaseline

    texts, labels, _, _ = load(name)
    rows = np.random.default_rng(0).permutation(len(texts))[:n_rows]
    texts, labels = [texts[row] for row in rows], [labels[row] for row in rows]
    y = np.array([own for (own,) in labels]) if name in SINGLE_LABEL else None
    if y is None:
        y = indicator(labels, label_names(labels))
    models = TextCNNClassifier(random_state=0), LinearBaseline(random_state=0)
    for model in models:
        model.fit(texts[:50], y[:50])
    seconds = [[], []]
    for _ in range(REPEATS):
        for model, times in zip(models, seconds, strict=True):
            start = perf_counter()
            model.fit(texts, y)
            times.append(perf_counter() - start)
    return len(texts), *seconds


def row_of(name, n_texts, ours, theirs):
    """Return a line of the table, and the ratio in it."""
    ratio = min(ours) / min(theirs)
    spread = max(max(times) / min(times) for times in (ours, theirs))
    cells = f"{n_texts:,} | {min(ours):.2f} | {min(theirs):.2f} | {ratio:.1f} | {spread:.2f}"
    return f"| {name} | {cells} |", ratio


def main():
    """Time every case, print the table as it grows, and the range of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=dict(CASES), default=[*dict(CASES)])
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to")
    args = parser.parse_args()
    if hasattr(os, "getloadavg") and (load_average := os.getloadavg()[0]) > BUSY:
        print(f"The machine is busy ({load_average:.1f} processes); do not publish these times.\n")
    lines = [environment(), "", "| set | texts | ours, s | SVMs, s | ours / SVMs | slowest / fastest |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    print(*lines, sep="\n")
    ratios = {False: [], True: []}  # of several labels per text, and of one
    for name, n_rows in CASES:
        if name in args.sets:
            line, ratio = row_of(name, *fresh(measure, name, n_rows))
            print(line, flush=True)
            lines.append(line)
            ratios[name in SINGLE_LABEL].append(ratio)
    found = {"several labels": ratios[False], "one label": ratios[True]}
    summary = [f"{min(of):.1f} to {max(of):.1f} times with {kind}" for kind, of in found.items() if of]
    lines += ["", f"A fit takes as long as the SVMs' {', '.join(summary)} per text."]
    print(*lines[-2:], sep="\n")
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
