"""Compare the defaults with other classifiers where texts are few: 100 to 2,000 of them.

Rows are drawn at random from the training part, several times for each number of texts, and everybody
learns from the same ones; the test part is the same for all. The SVMs choose their thresholds as we do,
on cross-validated training rows: one for all labels under micro-F1, one for each under macro-F1. What
they would reach with the best thresholds for the *test* part is shown beside, as a bound.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _networks import import_engine
from _peers import PEERS
from quality import machine
from sklearn.metrics import f1_score

from sktextcnn.model_selection import LinearBaseline
from sktextcnn.model_selection.baseline import best_threshold

SETS = ["reuters90", "goemotions", "stackoverflow30k", "tmdb_genres", "arxiv_cs"]
SIZES = [100, 200, 500, 900, 2000]
MEASURES = {"f1_micro": "micro", "f1_macro": "macro"}
#: Test texts that are looked at, the first ones.
N_TEST = 3000
#: Who is drawn, under which name. The textbook network takes long: it learns from the first draw alone.
NAMES = {"ours": "ours", "svm": "tf-idf + SVMs, tuned", "fasttext": "fastText", "keras": "plain Keras"}


def draw(data, n, number):
    """Return (texts, 0/1 labels) of both parts: one draw of n training rows, and the test part."""
    train_texts, train_labels, test_texts, test_labels = data
    rows = np.random.default_rng([number, n]).permutation(len(train_texts))[:n]
    labels = [train_labels[row] for row in rows]
    classes = label_names(labels)
    train = [train_texts[row] for row in rows], indicator(labels, classes)
    return train, (test_texts[:N_TEST], indicator(test_labels[:N_TEST], classes))


def f1(truth, predicted, measure):
    return f1_score(truth, predicted, average=MEASURES[measure], zero_division=0)


def ours(train, test, number):
    """Return measure -> F1, each of a fit for it, and the mean seconds of a fit."""
    from sktextcnn import TextCNNClassifier

    import_engine()
    found, seconds = {}, []
    for measure in MEASURES:
        model = TextCNNClassifier(metric=measure, random_state=number)
        start = perf_counter()
        model.fit(*train)
        seconds.append(perf_counter() - start)
        found[measure] = f1(test[1], model.predict(test[0]), measure)
    return found, float(np.mean(seconds))


def svm(train, test, number):
    """Return the same of SVMs, with thresholds from training rows; and, as a bound, from the test."""
    test_texts, truth = test
    start = perf_counter()
    model = LinearBaseline(random_state=number).fit(*train)
    scores = model.decision_function(test_texts)
    seconds = perf_counter() - start
    best = [best_threshold(*pair) for pair in zip(scores.T, truth.T, strict=True)]
    tuned = {"f1_micro": model.shared_threshold_, "f1_macro": model.label_thresholds_}
    ideal = {"f1_micro": best_threshold(scores.ravel(), truth.ravel()), "f1_macro": np.array(best)}
    found, bound = ({m: f1(truth, scores >= of[m], m) for m in MEASURES} for of in (tuned, ideal))
    return found, seconds, bound


def peer(who, train, test, number):
    """Return the same of a classifier that decides at 0.5."""
    options = {"epochs": 30} if who == "keras" else {}
    predicted, seconds, _ = PEERS[who](*train, test[0], single_label=False, seed=number, **options)
    return {m: f1(test[1], predicted, m) for m in MEASURES}, seconds


def measure(who, name, n, n_draws):
    """Run one classifier on all draws, in a process of its own."""
    data = load(name, n_rows=30_000)
    run = {"ours": ours, "svm": svm}.get(who, partial(peer, who))
    return [run(*draw(data, n, number), number) for number in range(n_draws)]


def report(results):
    """Return the results as a table in reStructuredText, and what they come to."""
    lines = [
        ".. list-table::",
        "   :header-rows: 2",
        "",
        *["   * -", "     -"],
        *["     - micro-F1", "     -", "     -", "     - macro-F1", "     -", "     -"],
        *["   * - data", "     - texts"],
        *["     - ours", "     - SVMs", "     - bound"] * 2,
    ]
    n_ahead, differences, n_draws = 0, [], 0
    for name in SETS:
        for n in SIZES:
            runs = {who: results.get(f"{who}|{name}|{n}", []) for who in ("ours", "svm")}
            if not runs["ours"] or len(runs["ours"]) != len(runs["svm"]):
                continue
            n_draws = len(runs["ours"])
            cells = [name, f"{n:,}"]
            for m in MEASURES:
                mine, theirs = (np.array([run[0][m] for run in runs[who]]) for who in ("ours", "svm"))
                error = np.std(mine - theirs, ddof=1) / np.sqrt(n_draws) if n_draws > 1 else 0.0
                differences.append(np.mean(mine - theirs))
                n_ahead += differences[-1] >= -error
                bound = np.mean([run[2][m] for run in runs["svm"]])
                cells += [f"{mine.mean():.3f} ± {error:.3f}", f"{theirs.mean():.3f}", f"{bound:.3f}"]
            lines += [f"   * - {cells[0]}", *(f"     - {cell}" for cell in cells[1:])]
    lines += [
        "",
        f"Means of {n_draws} draws; ± is the standard error of the difference to the SVMs; the bound is "
        "what the SVMs would reach with the best thresholds for the test part. We are at or above them, "
        f"within one standard error, in {n_ahead} of {len(differences)} cells, on average by "
        f"{np.mean(differences):+.3f}.",
    ]
    return "\n".join(lines) + "\n"


def draw_chart(results, path):
    """Draw F1 over the number of texts, a panel for each set and measure."""
    from _charts import COLORS, plt, save

    sets = [name for name in SETS if any(f"ours|{name}|{n}" in results for n in SIZES)]
    figure, axes = plt.subplots(
        2, len(sets), figsize=(2.5 * len(sets), 5.2), sharex=True, squeeze=False, layout="constrained"
    )
    for row, (m, word) in enumerate(MEASURES.items()):
        for axis, name in zip(axes[row], sets, strict=True):
            for who, label in NAMES.items():
                points = [(n, results.get(f"{who}|{name}|{n}")) for n in SIZES]
                points = [(n, np.mean([run[0][m] for run in runs])) for n, runs in points if runs]
                if points:
                    style = {"linewidth": 2.4, "zorder": 3} if who == "ours" else {"linewidth": 1.4}
                    color = COLORS["tf-idf + LinearSVC" if who == "svm" else label]
                    axis.plot(
                        *zip(*points, strict=True), "o-", color=color, ms=3.5, label=label, **style
                    )
            axis.set_xscale("log")
            axis.set_xticks(SIZES, [f"{n:,}" for n in SIZES], rotation=45)
            axis.minorticks_off()
            axis.grid(axis="y", color="#dddddd")
            axis.set_ylim(0)
            if row == 0:
                axis.set_title(name, fontsize=10)
        axes[row][0].set_ylabel(f"{word}-F1 on the test part")
    figure.supxlabel("texts to learn from", fontsize=10)
    lines = {line.get_label(): line for axis in axes.flat for line in axis.get_lines()}
    names = [name for name in NAMES.values() if name in lines]
    figure.legend(
        [lines[name] for name in names], names, loc="outside upper center", ncols=4, frameon=False
    )
    save(figure, path)


def main():
    """Read the arguments, run every fit, print the table and draw the chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--peers", nargs="*", choices=[*NAMES], default=[*NAMES])
    parser.add_argument("--out", type=Path, help="folder of the documentation; other results there stay")
    args = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    kept = args.out / "_static" / "few_texts.json" if args.out else None
    results = json.loads(kept.read_text()) if kept and kept.exists() else {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in args.sets:
            for n in args.sizes:
                for who in args.peers:
                    key = f"{who}|{name}|{n}"
                    n_draws = 1 if who == "keras" else args.draws
                    runs = results[key] = pool.submit(measure, who, name, n, n_draws).result()
                    print(key, *(f"{run[0]}" for run in runs), file=sys.stderr, flush=True)
    print(machine(), report(results), sep="\n\n", end="")
    if args.out:
        kept.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        (args.out / "few_texts_table.inc").write_text(report(results), encoding="utf-8")
        draw_chart(results, args.out / "_static" / "few_texts.svg")


if __name__ == "__main__":
    main()
