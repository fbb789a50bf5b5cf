"""Very many labels: the network with all and with sampled labels, beside fastText and napkinXC.

The set is made from real words: texts of 20 tokens with 1 to 5 of 1,000 or 10,000 labels, a few of which
are everywhere while most have a dozen texts. Every fit has a process of its own, whose peak of memory is
shown with the texts in it. fastText has the learning rate and the epochs that do best on a part of the
training texts; that search is not counted.
"""

import argparse
import json
import sys
import tempfile
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
from _data import load
from _many_labels import zipf_set
from _measure import environment, fresh, installed
from _memory import peak

#: Sets by name: labels, training texts, test texts. arxiv_cs is a real one, of few labels.
SIZES = {"zipf, 1,000 labels": (1_000, 50_000, 5_000), "zipf, 10,000 labels": (10_000, 50_000, 5_000)}
ARXIV = "arxiv_cs"
ARXIV_ROWS = 20_000

#: How the network is trained, alone: what suits many labels. The rest is as by default.
NETWORK = {"linear": False, "loss": "kl_divergence", "random_state": 0}
OURS = {
    "ours, all labels": NETWORK,
    "ours, negative_samples=500": {**NETWORK, "negative_samples": 500},
    "ours, with the linear part": {**NETWORK, "negative_samples": 500, "linear": True},
}

#: fastText by loss: the learning rates and the epochs it may choose from. A step of the last two takes
#: as long as there are labels, so they choose among fewer.
FASTTEXT = {
    "hs": ([0.2, 0.5, 1.0], [10, 25, 50]),
    "softmax": ([0.5], [5, 10]),
    "ova": ([0.5], [5, 10]),
}
#: Share of the training texts that the choice is made on.
HELD_OUT = 0.1

PACKAGES = {"fastText": "fasttext-numpy2", "napkinXC": "napkinxc"}
TOP = (1, 3, 5)


def read(name, n_rows):
    """Return train texts, their labels, test texts and theirs."""
    if name == ARXIV:
        train_texts, train_labels, test_texts, test_labels = load(name, n_rows=n_rows or ARXIV_ROWS)
        return train_texts, train_labels, test_texts[:5_000], test_labels[:5_000]
    n_labels, n_train, n_test = SIZES[name]
    return zipf_set(n_labels, n_rows or n_train, n_test)


def precision(found, labels):
    """Return the share of true labels among the first 1, 3 and 5 that were found for each text."""
    hits = np.array([[label in own for label in row] for row, own in zip(found, labels, strict=True)])
    return [float(hits[:, :n].mean()) for n in TOP]


def measure(fit, data, *args):
    """Return seconds to fit and to predict, the peak of memory in GB, and precision at 1, 3 and 5.

    `fit` returns a function from texts to five labels of each, best first.
    """
    train_texts, train_labels, test_texts, test_labels = data
    start = perf_counter()
    predict = fit(train_texts, train_labels, *args)
    fitted = perf_counter()
    found = predict(test_texts)
    predicted = perf_counter()
    return {
        "fit": fitted - start,
        "predict": predicted - fitted,
        "memory": peak() / 1000,
        "precision": precision(found, test_labels),
    }


def fit_ours(texts, labels, parameters):
    """Our classifier, from raw texts."""
    from sktextcnn import TextCNNClassifier

    classifier = TextCNNClassifier(**parameters).fit(texts, labels)

    def predict(texts):
        found = []
        for first in range(0, len(texts), 1000):
            scores = classifier.decision_function(texts[first : first + 1000])
            best = np.argpartition(-scores, TOP[-1], axis=1)[:, : TOP[-1]]
            order = np.take_along_axis(-scores, best, axis=1).argsort(axis=1)
            found += classifier.classes_[np.take_along_axis(best, order, axis=1)].tolist()
        return found

    return predict


def fit_fasttext(texts, labels, parameters):
    """Return fastText's bag of words, trained on a file as it wants them."""
    import fasttext

    prefix = "__label__"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.txt"
        with path.open("w", encoding="utf-8") as file:
            for text, own in zip(texts, labels, strict=True):
                marks = " ".join(prefix + label for label in own)
                file.write(f"{marks} {' '.join(text.lower().split())}\n")
        model = fasttext.train_supervised(str(path), thread=2, seed=0, verbose=0, **parameters)

    def predict(texts):
        found, _ = model.predict([" ".join(text.lower().split()) for text in texts], k=TOP[-1])
        return [[label.removeprefix(prefix) for label in row] for row in found]

    return predict


def choose_fasttext(data, loss):
    """Return the parameters of fastText with the best precision at 1 on a part of the training texts."""
    texts, labels, _, _ = data
    n = int(len(texts) * (1 - HELD_OUT))
    parts = texts[:n], labels[:n], texts[n:], labels[n:]
    candidates = [
        {"loss": loss, "lr": rate, "epoch": epochs} for rate, epochs in product(*FASTTEXT[loss])
    ]
    return max(candidates, key=lambda own: measure(fit_fasttext, parts, own)["precision"][0])


def fit_napkinxc(texts, labels):
    """Return a probabilistic label tree on tf-idf of words, with napkinXC's own settings."""
    from napkinxc.models import PLT
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2)
    features = vectorizer.fit_transform(texts).astype(np.float32)
    names = sorted({label for own in labels for label in own})
    position = {label: i for i, label in enumerate(names)}
    folder = tempfile.TemporaryDirectory()
    model = PLT(folder.name, threads=2, verbose=0)
    model.fit(features, [[position[label] for label in own] for own in labels])

    def predict(texts):
        with folder:
            rows = model.predict(vectorizer.transform(texts).astype(np.float32), top_k=TOP[-1])
        return [[*(names[label] for label in row), *[None] * (TOP[-1] - len(row))] for row in rows]

    return predict


def contestants(peers):
    """Return what is measured, by name: a function, and what it takes beside the data."""
    calls = {name: (fit_ours, (parameters,)) for name, parameters in OURS.items()}
    calls |= {f"fastText, {loss}": (fit_fasttext, (loss,)) for loss in FASTTEXT}
    calls["napkinXC, label tree"] = (fit_napkinxc, ())
    chosen = {name: call for name, call in calls.items() if not peers or name in peers}
    for name in [*chosen]:
        package = PACKAGES.get(name.split(",")[0])
        if package and not installed(package):
            print(f"{name}: left out, {package} is not installed", file=sys.stderr)
            del chosen[name]
    return chosen


def cells(result, best):
    """Return the cells of a line: ratios are to our own with sampled labels."""
    ratio = (
        ""
        if best is None
        else f"{(result['fit'] + result['predict']) / (best['fit'] + best['predict']):.2g}"
    )
    return [
        f"{result['fit']:.0f}",
        f"{result['predict']:.1f}",
        ratio,
        f"{result['memory']:.1f}",
        *(f"{value:.3f}" for value in result["precision"]),
    ]


HEADER = ["set", "what", "fit s", "predict s", "both / ours sampled", "GB", "P@1", "P@3", "P@5"]


def table(results):
    """Return the results as lines of Markdown."""
    lines = [f"| {' | '.join(HEADER)} |", "|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, measured in results.items():
        best = measured.get("ours, negative_samples=500")
        lines += [
            f"| {name} | {what} | {' | '.join(cells(result, best))} |"
            for what, result in measured.items()
        ]
    return "\n".join(lines) + "\n"


def main():
    """Read the arguments, measure, and print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=[*SIZES, ARXIV], default=[*SIZES, ARXIV])
    parser.add_argument("--peers", nargs="+", help="some of them, by the names in the table")
    parser.add_argument("--rows", type=int, help="first training texts, for a quick try")
    parser.add_argument("--out", type=Path, help="folder for many_labels.json and many_labels.md")
    options = parser.parse_args()

    results, settings = {}, {}
    for name in options.sets:
        data = read(name, options.rows)
        results[name] = {}
        for what, (fit, args) in contestants(options.peers).items():
            if fit is fit_fasttext:
                args = (fresh(choose_fasttext, data, *args),)
                settings[f"{name}: {what}"] = args[0]
            results[name][what] = fresh(measure, fit, data, *args)
            print(name, what, *cells(results[name][what], None), *args, flush=True)
            if options.out:
                kept = {"environment": environment(), "results": results, "fasttext": settings}
                (options.out / "many_labels.json").write_text(json.dumps(kept, indent=1) + "\n")
                (options.out / "many_labels.md").write_text(table(results), encoding="utf-8")
    print(f"\n{environment()}\n\n{table(results)}")


if __name__ == "__main__":
    main()
