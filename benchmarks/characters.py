"""Measure what n-grams of characters add to the linear part, on training rows.

Rows are drawn at random from the training part, and others to measure on; test parts are not looked at.
Both models learn from the same rows, once for each measure.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import process_time

import numpy as np
from _data import indicator, label_names, load
from few_texts import MEASURES, SETS, f1
from quality import machine

RANGES = [None, (4, 4)]
#: Training rows to measure on.
N_EVALUATED = 3000


def draw(name, n, number):
    """Return (texts, 0/1 labels) of n training rows, and of others."""
    texts, labels, *_ = load(name, n_rows=30_000)
    order = np.random.default_rng([number, n]).permutation(len(texts))
    classes = label_names([labels[row] for row in order[:n]])
    return [
        ([texts[row] for row in rows], indicator([labels[row] for row in rows], classes))
        for rows in (order[:n], order[n : n + N_EVALUATED])
    ]


def measure(name, n, number):
    """Return F1 and processor seconds for each (range, measure) of one draw."""
    from sktextcnn import TextCNNClassifier

    train, other = draw(name, n, number)
    TextCNNClassifier(epochs=1).fit(train[0][:100], train[1][:100])  # loads the kernels
    found = {}
    for characters in RANGES:
        for m in MEASURES:
            model = TextCNNClassifier(linear_char_ngram_range=characters, metric=m, random_state=number)
            start = process_time()
            model.fit(*train)
            seconds = process_time() - start
            found[characters, m] = f1(other[1], model.predict(other[0]), m), seconds
    return found


def report(results):
    """Return the means as a table in reStructuredText."""
    lines = [
        ".. list-table::",
        "   :header-rows: 2",
        "",
        *["   * -", "     -", "     - micro-F1", "     -", "     - macro-F1", "     -", "     -"],
        *["   * - data", "     - texts"],
        *["     - words alone", "     - with characters"] * 2,
        "     - time of a fit",
    ]
    for (name, n), draws in results.items():
        cells, seconds = [name, f"{n:,}"], []
        for m in MEASURES:
            cells += [f"{np.mean([found[range_, m][0] for found in draws]):.3f}" for range_ in RANGES]
        for range_ in RANGES:
            seconds.append(sum(found[range_, m][1] for found in draws for m in MEASURES))
        cells.append(f"x {seconds[1] / seconds[0]:.2f}")
        lines += [f"   * - {cells[0]}", *(f"     - {cell}" for cell in cells[1:])]
    return "\n".join(lines) + "\n"


def main():
    """Read the arguments, run every fit and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[200, 900])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder of the documentation")
    args = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    results = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in args.sets:
            for n in args.sizes:
                runs = [pool.submit(measure, name, n, number) for number in range(args.draws)]
                results[name, n] = [run.result() for run in runs]
                print(name, n, *results[name, n], file=sys.stderr, flush=True)
    print(machine(), report(results), sep="\n\n", end="")
    if args.out:
        (args.out / "characters_table.inc").write_text(report(results), encoding="utf-8")


if __name__ == "__main__":
    main()
