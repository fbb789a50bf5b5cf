"""Compare the objectives for several labels per text: sigmoid or softmax, and losses for rare labels.

Where each text has one label, it is given as a set of one: what the losses make of labels that exclude
each other when they are not told so.
"""

import argparse
import platform
from importlib import metadata
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from _data import TRAIN_ROWS, data_folder, label_names, load
from sklearn.metrics import accuracy_score, f1_score

from sktextcnn import TextCNNClassifier, as_label_matrix

SETS = ["reuters90", "goemotions", "stackoverflow30k", "tmdb_genres", "arxiv_cs", "trec", "mr"]
#: A constant rate, and epochs until nothing improves: each loss gets the time it needs.
PATIENT = {"learning_rate": 0.002, "learning_rate_schedule": "constant", "epochs": 40}
MULTILABEL_LOSSES = ["binary_crossentropy", "kl_divergence", "focal", "asymmetric"]


def measure(name, loss, metric, seed, n_rows):
    """Fit with one loss, thresholds tuned for `metric` on held-out texts; score the test part."""
    train_texts, train_labels, test_texts, test_labels = load(name, n_rows=n_rows)
    n_train = TRAIN_ROWS.get(name)
    train_texts, train_labels = train_texts[:n_train], train_labels[:n_train]
    classes = label_names(train_labels)
    # The network alone: what a loss does is clearest there.
    model = TextCNNClassifier(
        loss=loss,
        metric=metric,
        random_state=seed,
        linear=False,
        validation=0.1,
        **PATIENT,
    )
    start = perf_counter()
    model.fit(train_texts, as_label_matrix(train_labels, classes=classes))
    seconds = perf_counter() - start
    truth = as_label_matrix(test_labels, classes=classes, unseen="ignore")
    predicted = model.predict(test_texts)
    return (
        f1_score(truth, predicted, average="micro", zero_division=0),
        f1_score(truth, predicted, average="macro", zero_division=0),
        accuracy_score(truth, predicted),
        seconds,
    )


def main():
    """Read the arguments, run every fit and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--losses", nargs="+", choices=MULTILABEL_LOSSES, default=MULTILABEL_LOSSES)
    parser.add_argument("--metric", choices=["f1_micro", "f1_macro"], default="f1_micro")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rows", type=int, help="first rows of each part, for a quick try")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to")
    args = parser.parse_args()

    data_folder()
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("numpy", "numba", "scikit-learn")
    )
    lines = [
        f"Python {platform.python_version()}, {versions}; {joblib.cpu_count()} cores.",
        "",
        "| set | loss | micro-F1 | macro-F1 | subset accuracy | fit s |",
        "|---|---|---:|---:|---:|---:|",
    ]
    print("\n".join(lines), flush=True)
    for name in args.sets:
        for loss in args.losses:
            runs = [measure(name, loss, args.metric, seed, args.rows) for seed in args.seeds]
            micro, macro, accuracy, seconds = np.mean(runs, axis=0)
            lines.append(
                f"| {name} | {loss} | {micro:.3f} | {macro:.3f} | {accuracy:.3f} | {seconds:.1f} |"
            )
            print(lines[-1], flush=True)
            if args.out:
                args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
