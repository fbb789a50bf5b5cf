"""Very many labels: the network with all and with sampled labels, beside fastText and napkinXC.

The set is made from real words: texts of 20 tokens with 1 to 5 of 1,000 or 10,000 labels, a few of which
are everywhere while most have a handful of texts. Every fit has a process of its own, whose peak of
memory is shown with the texts in it. Seconds are those of all processors together, so that other work on
the machine matters little; the time on the clock stands beside them.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from _data import load
from _many_labels import zipf_set
from _measure import environment, fresh, installed
from _memory import peak

#: Sets by name: labels, training texts, test texts. arxiv_cs is a real one, of few labels.
SIZES = {"zipf, 1,000 labels": (1_000, 50_000, 5_000), "zipf, 10,000 labels": (10_000, 50_000, 5_000)}
ARXIV = "arxiv_cs"
ARXIV_ROWS = 20_000

#: How the network is trained where texts are bags of words: what did well on a part of the training
#: texts. The rest is as by default.
NETWORK = {"loss": "kl_divergence", "kernel_sizes": (1,), "filters": 512, "dropout": 0.2}
SAMPLED = "ours, negative_samples=500"
OURS = {
    "ours, all labels": {"linear": False},
    SAMPLED: {"linear": False, "negative_samples": 500},
    "ours, with the linear part": {"negative_samples": 500},
}

#: fastText by loss: of learning rates from .2 to 1 and 10 or 25 epochs, what did best on a part of the
#: training texts. An epoch of the last two takes a minute where there are 10,000 labels.
FASTTEXT = {
    "hs": {"lr": 1.0, "epoch": 25},
    "softmax": {"lr": 0.5, "epoch": 5},
    "ova": {"lr": 0.5, "epoch": 5},
}

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
    """Return the share of true labels among the first 1, 3 and 5 that were found for each text.

    Of a text without a word that they know, some find fewer.
    """
    hits = np.zeros((len(labels), TOP[-1]))
    for hit, row, own in zip(hits, found, labels, strict=True):
        hit[: len(row)] = [label in own for label in row]
    return [float(hits[:, :n].mean()) for n in TOP]


def measure(fit, data, *args):
    """Return seconds, the peak of memory in GB, and precision at 1, 3 and 5.

    `fit` returns a function from texts to five labels of each, best first.
    """
    train_texts, train_labels, test_texts, test_labels = data
    clock = [(process_time(), perf_counter())]
    predict = fit(train_texts, train_labels, *args)
    clock.append((process_time(), perf_counter()))
    found = predict(test_texts)
    clock.append((process_time(), perf_counter()))
    (fit_seconds, fit_on_clock), (seconds, on_clock) = np.diff(clock, axis=0)
    return {
        "fit": fit_seconds,
        "predict": seconds,
        "on clock": fit_on_clock + on_clock,
        "memory": peak() / 1000,
        "precision": precision(found, test_labels),
    }


def fit_ours(texts, labels, parameters):
    """Our classifier, from raw texts."""
    from sktextcnn import TextCNNClassifier

    classifier = TextCNNClassifier(**parameters).fit(texts, labels)
    return lambda texts: classifier.predict_topk(texts, k=TOP[-1])[0].tolist()


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
        while True:
            try:
                model = fasttext.train_supervised(str(path), thread=2, seed=0, verbose=0, **parameters)
                break
            except RuntimeError:  # a weight is no number any more
                parameters = {**parameters, "lr": parameters["lr"] / 2}

    def predict(texts):
        found, _ = model.predict([" ".join(text.lower().split()) for text in texts], k=TOP[-1])
        return [[label.removeprefix(prefix) for label in row] for row in found]

    return predict


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
        return [[names[label] for label in row] for row in rows]

    return predict


def contestants(name, peers):
    """Return what is measured on a set: functions by name, and what they take beside the data."""
    shared = {"random_state": 0} if name == ARXIV else {"random_state": 0, **NETWORK}
    calls = {what: (fit_ours, ({**shared, **parameters},)) for what, parameters in OURS.items()}
    calls |= {
        f"fastText, {loss}": (fit_fasttext, ({"loss": loss, **own},)) for loss, own in FASTTEXT.items()
    }
    calls["napkinXC, label tree"] = (fit_napkinxc, ())
    chosen = {what: call for what, call in calls.items() if not peers or what in peers}
    for what in [*chosen]:
        package = PACKAGES.get(what.split(",")[0])
        if package and not installed(package):
            print(f"{what}: left out, {package} is not installed", file=sys.stderr)
            del chosen[what]
    return chosen


def cells(result, ours):
    """Return the cells of a line; its ratio is to our own with sampled labels."""
    fit, predict = result["fit"], result["predict"]
    ratio = f"{(fit + predict) / (ours['fit'] + ours['predict']):.2g}" if ours else ""
    seconds = f"{fit:.0f}", f"{predict:.1f}", ratio, f"{result['on clock']:.0f}"
    return [*seconds, f"{result['memory']:.2f}", *(f"{value:.3f}" for value in result["precision"])]


HEADER = ["set", "what", "fit s", "predict s", "/ ours", "on clock s", "GB", "P@1", "P@3", "P@5"]


def table(results):
    """Return the results as lines of Markdown."""
    lines = [f"| {' | '.join(HEADER)} |", "|---|---|" + "---:|" * (len(HEADER) - 2)]
    for name, measured in results.items():
        for what, result in measured.items():
            lines.append(f"| {' | '.join([name, what, *cells(result, measured.get(SAMPLED))])} |")
    return "\n".join(lines) + "\n"


def main():
    """Read the arguments, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=[*SIZES, ARXIV], default=[*SIZES, ARXIV])
    parser.add_argument("--peers", nargs="+", help="some of them, by the names in the table")
    parser.add_argument("--rows", type=int, help="first training texts, for a quick try")
    parser.add_argument("--out", type=Path, help="folder for many_labels.json and many_labels.md")
    options = parser.parse_args()

    # What an earlier run has left there stays, but for what is measured again.
    path = options.out / "many_labels.json" if options.out else None
    results = json.loads(path.read_text()) if path and path.exists() else {}
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        data = read(name, options.rows)
        measured = results.setdefault(name, {})
        for what, (fit, args) in contestants(name, options.peers).items():
            measured[what] = fresh(measure, fit, data, *args)
            print(name, what, *cells(measured[what], measured.get(SAMPLED)), *args, flush=True)
            if path:
                path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
                path.with_suffix(".md").write_text(table(results), encoding="utf-8")
    print(f"\n{environment()}\n\n{table(results)}")


if __name__ == "__main__":
    main()
