"""Compare TextCNNClassifier with the strongest cheap alternative: SVMs with tuned thresholds.

Both choose their thresholds inside ``fit``, from training rows alone. The SVMs (tf-idf of words and
word pairs, one LinearSVC per label) get margins of all training rows from 3 folds, and either one
threshold for all labels or one for each; the better of the two on the *test* part counts, for each
measure, which favours them. What they would reach with the thresholds that are best for the test part
stands beside, as a bound. TextCNNClassifier runs with its defaults, once for each measure.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from _data import SINGLE_LABEL, TRAIN_ROWS, indicator, label_names, load
from _networks import import_engine
from quality import machine
from sklearn.metrics import accuracy_score, f1_score

from sktextcnn.model_selection import LinearBaseline
from sktextcnn.model_selection.baseline import best_threshold

SETS = ["reuters90", "goemotions", "stackoverflow30k", "tmdb_genres", "arxiv_cs", "trec"]


def read(name, n_rows):
    """Return one set's texts and 0/1 labels of both parts, and the names of the labels."""
    train_texts, train_labels, test_texts, test_labels = load(name)
    n_rows = n_rows or TRAIN_ROWS.get(name)
    train_texts, train_labels = train_texts[:n_rows], train_labels[:n_rows]
    classes = label_names(train_labels)
    return (
        (train_texts, indicator(train_labels, classes)),
        (test_texts, indicator(test_labels, classes)),
        classes,
    )


def tuned_svm(train, test, seed):
    """Return micro-F1, macro-F1, their bounds, and seconds of fitting.

    Each F1 is that of the better kind of threshold; bounds are those of thresholds from the test part.
    """
    test_texts, test_Y = test
    start = perf_counter()
    model = LinearBaseline(random_state=seed).fit(*train)
    scores = model.decision_function(test_texts)
    seconds = perf_counter() - start
    found = [scores >= model.shared_threshold_, scores >= model.label_thresholds_]
    best = [best_threshold(*pair) for pair in zip(scores.T, test_Y.T, strict=True)]
    ideal = [scores >= best_threshold(scores.ravel(), test_Y.ravel()), scores >= np.array(best)]
    measures = [
        max(f1_score(test_Y, predicted, average=average, zero_division=0) for predicted in choices)
        for choices in (found, ideal)
        for average in ("micro", "macro")
    ]
    return *measures, seconds


def linear_accuracy(train, test, seed):
    """Return the accuracy of a linear SVM on texts with one label each, and seconds of fitting."""
    (texts, Y), (test_texts, test_Y) = train, test
    start = perf_counter()
    model = LinearBaseline(random_state=seed).fit(texts, Y.argmax(axis=1))
    seconds = perf_counter() - start
    return accuracy_score(test_Y.argmax(axis=1), model.predict(test_texts)), seconds


def text_cnn(train, test, classes, metric, seed, single_label):
    """Return the measure that was asked for, and seconds of fitting."""
    from sktextcnn import TextCNNClassifier

    import_engine()

    (texts, Y), (test_texts, test_Y) = train, test
    options = {} if single_label else {"metric": metric, "classes": classes}
    model = TextCNNClassifier(random_state=seed, **options)
    start = perf_counter()
    model.fit(texts, np.array(classes)[Y.argmax(axis=1)] if single_label else Y)
    seconds = perf_counter() - start
    predicted = model.predict(test_texts)
    if single_label:
        return accuracy_score(np.array(classes)[test_Y.argmax(axis=1)], predicted), seconds
    average = metric.removeprefix("f1_")
    return f1_score(test_Y, predicted, average=average, zero_division=0), seconds


def measure(name, who, seed, n_rows):
    """Run one fit in a process of its own."""
    train, test, classes = read(name, n_rows)
    single_label = name in SINGLE_LABEL
    if who == "svm":
        run = linear_accuracy if single_label else tuned_svm
        return run(train, test, seed)
    return text_cnn(train, test, classes, who, seed, single_label)


def report(results, seeds):
    """Return the results as Markdown."""
    lines = [
        f"{machine()}; seeds {', '.join(map(str, seeds))}; mean ± standard deviation.",
        "",
        "| set | measure | ours | SVM, tuned | SVM, bound | fit s, ours | fit s, SVM |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name in SETS:
        single_label = name in SINGLE_LABEL
        for number, metric in enumerate(["f1_micro"] if single_label else ["f1_micro", "f1_macro"]):
            runs, svm = results.get((name, metric)), results.get((name, "svm"))
            if not runs or not svm:
                continue
            ours, seconds = np.transpose(runs)
            bar = svm[0][number]
            bound = "" if single_label else f"{svm[0][number + 2]:.3f}"
            spread = f" ± {ours.std():.3f}" if len(ours) > 1 else ""
            lines.append(
                f"| {name} | {'accuracy' if single_label else metric} | {ours.mean():.3f}{spread} "
                f"| {bar:.3f} | {bound} | {seconds.mean():.0f} | {svm[0][-1]:.0f} |"
            )
    return "\n".join(lines) + "\n"


def main():
    """Read the arguments, run every fit and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, help="first training rows, for a quick try")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to")
    args = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    results = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in args.sets:
            single_label = name in SINGLE_LABEL
            tasks = [("svm", 0)] + [
                (metric, seed)
                for seed in args.seeds
                for metric in (["f1_micro"] if single_label else ["f1_micro", "f1_macro"])
            ]
            for who, seed in tasks:
                run = pool.submit(measure, name, who, seed, args.rows).result()
                results.setdefault((name, who), []).append(run)
                print(name, who, seed, *(f"{value:.4f}" for value in run), file=sys.stderr, flush=True)
            if args.out:
                args.out.write_text(report(results, args.seeds), encoding="utf-8")
    print(report(results, args.seeds), end="")


if __name__ == "__main__":
    main()
