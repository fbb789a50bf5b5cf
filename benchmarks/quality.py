"""Compare TextCNNClassifier with other text classifiers: quality and time.

Every fit runs in a fresh process, so no fit gains from, or suffers from, an earlier one.
"""

import argparse
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from _data import SINGLE_LABEL, data_folder, indicator, label_names, load
from _networks import import_engine
from _peers import PEERS
from sklearn.metrics import accuracy_score, f1_score

SETS = ["reuters90", "goemotions", "stackoverflow30k", "trec"]
KERAS_EPOCHS = {"reuters90": 10}
#: TextCNNClassifier by name: its defaults, the other engine, and without the linear part.
OURS = {
    "ours": {},
    "ours-keras": {"engine": "keras"},
    "network": {"linear": False, "validation": 0.1},
}
PACKAGES = [
    *("sktextcnn", "numpy", "scipy", "numba", "scikit-learn", "tensorflow", "keras", "scikeras"),
    "fasttext-numpy2",
]


def text_cnn(train_texts, train_labels, test_texts, classes, single_label, seed, **options):
    """Fit TextCNNClassifier, with its defaults but for some; returns what a peer returns."""
    from sktextcnn import TextCNNClassifier, as_label_matrix

    import_engine(options.get("engine", "compiled"))

    if single_label:
        y = np.array([label for (label,) in train_labels])
    else:
        y = as_label_matrix(train_labels, classes=classes)
    model = TextCNNClassifier(random_state=seed, **options)
    start = perf_counter()
    model.fit(train_texts, y)
    fitted = perf_counter()
    predicted = model.predict(test_texts)
    end = perf_counter()
    if single_label:
        predicted = indicator([[label] for label in predicted], classes)
    return predicted, fitted - start, end - fitted


def measure(name, peer, seed, n_rows):
    """Fit one classifier on one set's training part and measure it on the test part."""
    train_texts, train_labels, test_texts, test_labels = load(name, n_rows=n_rows)
    classes = label_names(train_labels)
    single_label = name in SINGLE_LABEL
    test_Y = indicator(test_labels, classes)
    if peer in OURS:
        if not single_label:
            from sktextcnn import as_label_matrix

            test_Y = as_label_matrix(test_labels, classes=classes, unseen="ignore")
        predicted, fit_seconds, predict_seconds = text_cnn(
            train_texts, train_labels, test_texts, classes, single_label, seed, **OURS[peer]
        )
    else:
        options = {"epochs": KERAS_EPOCHS.get(name, 6)} if peer == "keras" else {}
        train_Y = indicator(train_labels, classes)
        predicted, fit_seconds, predict_seconds = PEERS[peer](
            train_texts, train_Y, test_texts, single_label, seed, **options
        )
    return (
        f1_score(test_Y, predicted, average="micro", zero_division=0),
        f1_score(test_Y, predicted, average="macro", zero_division=0),
        accuracy_score(test_Y, predicted),
        fit_seconds,
        predict_seconds,
    )


def version(package):
    """Return the installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def machine():
    """Return what the results depend on: versions and cores."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"Python {platform.python_version()}, {versions}; {joblib.cpu_count()} cores"


def report(results):
    """Return the results as Markdown: mean over the seeds, with the spread if several."""
    lines = [
        f"{machine()}.",
        "",
        "| set | classifier | micro-F1 | macro-F1 | subset accuracy | fit s | predict s "
        "| fit time / ours |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (name, peer), runs in results.items():
        mean, spread = np.mean(runs, axis=0), np.std(runs, axis=0)
        cells = [f"{mean[j]:.3f}" for j in range(3)]
        if len(runs) > 1:
            cells = [f"{cell} ± {spread[j]:.3f}" for j, cell in enumerate(cells)]
        cells += [f"{mean[3]:.2f}", f"{mean[4]:.2f}"]
        ours = results.get((name, "ours"))
        cells.append(f"{mean[3] / np.mean(ours, axis=0)[3]:.2f}" if ours else "-")
        lines.append(f"| {name} | {peer} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    """Read the arguments, run every fit and print the table."""
    peers = [*OURS, *PEERS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--peers", nargs="+", choices=peers, default=["ours", *PEERS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rows", type=int, help="first rows of each part, for a quick try")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to")
    args = parser.parse_args()

    data_folder()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    results = {}
    # One task per process; "spawn" because TensorFlow does not survive a fork.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in args.sets:
            for peer in args.peers:
                for seed in args.seeds:
                    run = pool.submit(measure, name, peer, seed, args.rows).result()
                    results.setdefault((name, peer), []).append(run)
                    print(f"{name} {peer} seed {seed}: micro-F1 {run[0]:.3f}", file=sys.stderr)
                if args.out:
                    args.out.write_text(report(results), encoding="utf-8")
    print(report(results), end="")


if __name__ == "__main__":
    main()
