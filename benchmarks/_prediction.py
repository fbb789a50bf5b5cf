"""Seconds from raw strings to scores of all labels, for many texts and for one."""

from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import Result, fresh, installed, n_cores
from _networks import DEFAULTS, Encoder, keras_network, ours
from _peers import tokenize

KERAS_BATCHES = (32, 256)
#: Calls with one text each in one repeat: ours, and Keras', which take much longer.
CALLS = {"ours": 100, "keras": 30, "keras_call": 30}


def rows(name, options):
    """Measure the test texts of one data set; return the results."""
    seconds = fresh(many_texts, name, options.repeats, options.rows)
    mine = seconds["ours"]
    size = min(KERAS_BATCHES, key=lambda size: median(seconds[f"keras {size}"]))
    what = f"predict_proba from raw strings, {name}"
    note = f"{name}: batches of {size} were the faster of {KERAS_BATCHES} for Keras."
    results = [Result(what, "Keras model.predict", mine, seconds[f"keras {size}"], target=10, note=note)]
    if "fastText" in seconds:
        results += [
            Result(what, "fastText predict", mine, seconds["fastText"], target=1),
            Result(what, "fastText predict, split at spaces", mine, seconds["fastText, spaces"]),
        ]
    return results


def latency_rows(name, options):
    """Measure one text at a time; return the results."""
    ms = fresh(one_text, name, options.repeats, options.rows)
    what = f"one short text, warm process, {name}"
    return [
        Result(what, "Keras model.predict", ms["ours"], ms["keras"], unit="ms", target=50),
        Result(what, "", ms["ours"], unit="ms", target=1, at_least=False),
        Result(what, "Keras model(ids)", ms["ours"], ms["keras_call"], unit="ms"),
    ]


def models(name, n_rows):
    """Return test texts, our classifier after an epoch, and Keras' encoder and untrained network.

    What the weights are makes no difference to the time.
    """
    texts, labels, test_texts, _ = load(name, n_rows=n_rows)
    Y = indicator(labels, label_names(labels))
    encoder = Encoder(texts, DEFAULTS)
    classifier = ours(DEFAULTS, epochs=1, max_length=encoder.length).fit(texts, Y)
    network = keras_network(DEFAULTS, encoder.n_tokens, Y.shape[1], encoder.length)
    return texts, Y, test_texts, classifier, encoder, network


def many_texts(name, repeats, n_rows):
    """Return the seconds of each contestant, alternating."""
    train_texts, Y, texts, classifier, encoder, network = models(name, n_rows)
    contestants = {"ours": lambda: classifier.predict_proba(texts)}
    for size in KERAS_BATCHES:
        contestants[f"keras {size}"] = lambda size=size: network.predict(
            encoder(texts), batch_size=size, verbose=0
        )
        # Compiles for a full batch and for the last one.
        network.predict(encoder(texts[: size + len(texts) % size]), batch_size=size, verbose=0)
    if installed("fasttext-numpy2"):
        model = fasttext_model(train_texts, Y)
        contestants["fastText"] = lambda: model.predict(
            [" ".join(tokenize(text)) for text in texts], k=-1
        )
        contestants["fastText, spaces"] = lambda: model.predict(
            [text.replace("\n", " ") for text in texts], k=-1
        )
    contestants["ours"]()
    seconds = {contestant: [] for contestant in contestants}
    for _ in range(repeats):
        for contestant, predict in contestants.items():
            start = perf_counter()
            predict()
            seconds[contestant].append(perf_counter() - start)
    return seconds


def fasttext_model(texts, Y):
    """Return a fastText model of the usual size, after one epoch."""
    import fasttext

    with TemporaryDirectory() as folder:
        path = f"{folder}/train.txt"
        with open(path, "w", encoding="utf-8") as file:
            for text, row in zip(texts, Y, strict=True):
                labels = " ".join(f"__label__{j}" for j in np.flatnonzero(row))
                file.write(f"{labels} {' '.join(tokenize(text))}\n")
        return fasttext.train_supervised(
            path, loss="ova", lr=0.5, epoch=1, wordNgrams=2, thread=n_cores(), verbose=0
        )


def one_text(name, repeats, n_rows):
    """Return the median milliseconds of a call with one text for each repeat."""
    _, _, texts, classifier, encoder, network = models(name, n_rows)
    contestants = {
        "ours": lambda text: classifier.predict_proba([text]),
        "keras": lambda text: network.predict(encoder([text]), verbose=0),
        "keras_call": lambda text: network(encoder([text]), training=False).numpy(),
    }
    for predict in contestants.values():
        predict(texts[0])
    ms = {contestant: [] for contestant in contestants}
    for _ in range(repeats):
        for contestant, predict in contestants.items():
            calls = []
            for text in texts[: CALLS[contestant]]:
                start = perf_counter()
                predict(text)
                calls.append(1000 * (perf_counter() - start))
            ms[contestant].append(median(calls))
    return ms
