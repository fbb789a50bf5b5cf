"""Compare two ways to use the classifier, on training rows.

"characters": the linear part without and with n-grams of characters. "unlabelled": the defaults, and
vectors that `learn_embeddings` makes of all rows' texts, without a look at their labels.

Rows are drawn at random from the training part, and others to measure on; test parts are not looked at.
Both ways learn from the same rows, once for each measure.
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

#: Training rows that are looked at, of these so many to measure on.
N_ROWS, N_EVALUATED = 30_000, 3000

#: Name of a comparison -> the two ways, in the words of the table's head.
COMPARISONS = {
    "characters": ("words alone", "with characters"),
    "unlabelled": ("labelled texts alone", "with unlabelled ones"),
}


def draw(name, n, number):
    """Return (texts, 0/1 labels) of n training rows, the same of others, and the texts of all rows."""
    texts, labels, *_ = load(name, n_rows=N_ROWS)
    order = np.random.default_rng([number, n]).permutation(len(texts))
    classes = label_names([labels[row] for row in order[:n]])
    train, other = (
        ([texts[row] for row in rows], indicator([labels[row] for row in rows], classes))
        for rows in (order[:n], order[n : n + N_EVALUATED])
    )
    return train, other, texts


def options_of(comparison, texts):
    """Return the options of the two ways."""
    if comparison == "characters":
        return {"linear_char_ngram_range": None}, {}
    from sktextcnn import learn_embeddings

    return {}, {"embeddings": learn_embeddings(texts, random_state=0)}


def measure(comparison, name, n, number):
    """Return F1 and processor seconds for each (way, measure) of one draw."""
    from sktextcnn import TextCNNClassifier

    train, other, texts = draw(name, n, number)
    TextCNNClassifier(epochs=1).fit(train[0][:100], train[1][:100])  # loads the kernels
    found = {}
    for way, options in enumerate(options_of(comparison, texts)):
        for m in MEASURES:
            model = TextCNNClassifier(metric=m, random_state=number, **options)
            start = process_time()
            model.fit(*train)
            seconds = process_time() - start
            found[way, m] = f1(other[1], model.predict(other[0]), m), seconds
    return found


def report(comparison, results):
    """Return the means as a table in reStructuredText."""
    ways = [f"     - {way}" for way in COMPARISONS[comparison]]
    lines = [
        ".. list-table::",
        "   :header-rows: 2",
        "",
        *["   * -", "     -", "     - micro-F1", "     -", "     - macro-F1", "     -", "     -"],
        *["   * - data", "     - texts", *ways, *ways, "     - time of a fit"],
    ]
    for (name, n), draws in results.items():
        cells, seconds = [name, f"{n:,}"], []
        for m in MEASURES:
            cells += [f"{np.mean([found[way, m][0] for found in draws]):.3f}" for way in (0, 1)]
        for way in (0, 1):
            seconds.append(sum(found[way, m][1] for found in draws for m in MEASURES))
        cells.append(f"x {seconds[1] / seconds[0]:.2f}")
        lines += [f"   * - {cells[0]}", *(f"     - {cell}" for cell in cells[1:])]
    return "\n".join(lines) + "\n"


def main():
    """Read the arguments, run every fit and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comparison", choices=COMPARISONS)
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
                runs = [
                    pool.submit(measure, args.comparison, name, n, number)
                    for number in range(args.draws)
                ]
                results[name, n] = [run.result() for run in runs]
                print(name, n, *results[name, n], file=sys.stderr, flush=True)
    table = report(args.comparison, results)
    print(machine(), table, sep="\n\n", end="")
    if args.out:
        (args.out / f"{args.comparison}_table.inc").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
