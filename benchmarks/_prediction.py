"""Seconds from raw strings to scores of all labels, for many texts and for one."""

from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import BASELINE, Result, alternate, baseline, baseline_title, missing, n_cores
from _networks import DEFAULTS, Encoder, as_named, keras_network, ours
from _peers import tokenize

KERAS_BATCHES = (32, 256)
#: Calls with all texts in one process; and texts that are predicted one by one, by us and by Keras.
N_CALLS = 3
OUR_TEXTS, KERAS_TEXTS = 100, 30


def rows(name, options):
    """Measure the test texts of one data set; return the results."""
    data = name, options.rows
    contestants = {
        "ours": (our_many, (*data, False), None),
        **{f"Keras {size}": (keras_many, (*data, size), None) for size in KERAS_BATCHES},
        "fastText": (fasttext_many, (*data, False), None),
        "fastText, spaces": (fasttext_many, (*data, True), None),
        BASELINE: (our_many, (*data, False), baseline()),
        "ours, whole": (our_many, (*data, True), None),
        f"{BASELINE}, whole": (our_many, (*data, True), baseline()),
    }
    reasons = missing(["fastText", BASELINE])
    options.skipped.update(reasons)
    gone = {*reasons, *(f"{peer}, spaces" for peer in reasons), *(f"{peer}, whole" for peer in reasons)}
    contestants = {peer: call for peer, call in contestants.items() if peer not in gone}
    seconds = alternate(contestants, options.repeats)
    mine = seconds["ours"]
    size = min(KERAS_BATCHES, key=lambda size: median(seconds[f"Keras {size}"]))
    what, whole = f"{name}, the network", f"{name}, with the linear part"
    note = f"{name}: batches of {size} were the faster of {KERAS_BATCHES} for Keras."
    results = [Result(what, "plain Keras", mine, seconds[f"Keras {size}"], note=note)]
    if "fastText" in seconds:
        results += [
            Result(what, "fastText", mine, seconds["fastText"]),
            Result(what, "fastText, split at spaces", mine, seconds["fastText, spaces"], charted=False),
        ]
    if BASELINE in seconds:
        title = baseline_title()
        results.append(Result(what, title, mine, seconds[BASELINE], charted=False))
        theirs = seconds[f"{BASELINE}, whole"]
        results.append(Result(whole, title, seconds["ours, whole"], theirs, charted=False))
    else:
        results.append(Result(whole, "", seconds["ours, whole"]))
    return results


def latency_rows(name, options):
    """Measure one text at a time; return the results."""
    data = name, options.rows
    contestants = {
        "ours": (our_one, data, None),
        "Keras model.predict": (keras_one, (*data, False), None),
        "Keras model(ids)": (keras_one, (*data, True), None),
        BASELINE: (our_one, data, baseline()),
    }
    reasons = missing([BASELINE])
    options.skipped.update(reasons)
    contestants = {peer: call for peer, call in contestants.items() if peer not in reasons}
    ms = alternate(contestants, options.repeats)
    what = "one short text, in a warm process"
    return [
        Result(
            what,
            baseline_title() if peer == BASELINE else peer,
            ms["ours"],
            ms[peer],
            unit="ms",
            charted=peer != BASELINE,
        )
        for peer in [*contestants][1:]
    ]


def prepare(name, n_rows):
    """Return training texts, their 0/1 matrix and test texts."""
    texts, labels, test_texts, _ = load(name, n_rows=n_rows)
    return texts, indicator(labels, label_names(labels)), test_texts


def our_model(texts, Y, *, whole=False):
    """Return our classifier after an epoch; what the weights are makes no difference to the time."""
    length = Encoder(texts, DEFAULTS).length
    if not whole:
        return ours(DEFAULTS, epochs=1, max_length=length).fit(texts, Y)
    from sktextcnn import TextCNNClassifier

    options = as_named({"linear": True, "validation": 0.1, "epochs": 1, "random_state": 0})
    return TextCNNClassifier(max_length=length, **options).fit(texts, Y)


def keras_model(texts, Y):
    """Return Keras' encoder and untrained network."""
    encoder = Encoder(texts, DEFAULTS)
    return encoder, keras_network(DEFAULTS, encoder.n_tokens, Y.shape[1], encoder.length)


def median_seconds(predict):
    """Return the median seconds of a few calls, after one that is not counted."""
    predict()
    seconds = []
    for _ in range(N_CALLS):
        start = perf_counter()
        predict()
        seconds.append(perf_counter() - start)
    return median(seconds)


def our_many(name, n_rows, whole):
    """Return our seconds for all test texts."""
    train_texts, Y, texts = prepare(name, n_rows)
    classifier = our_model(train_texts, Y, whole=whole)
    return median_seconds(lambda: classifier.predict_proba(texts))


def keras_many(name, n_rows, size):
    """Return Keras' seconds, from raw texts."""
    train_texts, Y, texts = prepare(name, n_rows)
    encoder, network = keras_model(train_texts, Y)
    return median_seconds(lambda: network.predict(encoder(texts), batch_size=size, verbose=0))


def fasttext_many(name, n_rows, raw):
    """Return fastText's seconds, with our tokens or splitting at spaces."""
    train_texts, Y, texts = prepare(name, n_rows)
    model = fasttext_model(train_texts, Y)
    if raw:
        return median_seconds(lambda: model.predict([text.replace("\n", " ") for text in texts], k=-1))
    return median_seconds(lambda: model.predict([" ".join(tokenize(text)) for text in texts], k=-1))


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


def median_ms(predict, texts):
    """Return the median milliseconds of a call with one text, after a few that are not counted."""
    for text in texts[:5]:
        predict(text)
    ms = []
    for text in texts:
        start = perf_counter()
        predict(text)
        ms.append(1e3 * (perf_counter() - start))
    return median(ms)


def our_one(name, n_rows):
    """Return our milliseconds for one text."""
    train_texts, Y, texts = prepare(name, n_rows)
    classifier = our_model(train_texts, Y)
    return median_ms(lambda text: classifier.predict_proba([text]), texts[:OUR_TEXTS])


def keras_one(name, n_rows, call):
    """Return Keras' milliseconds for one text, by `model.predict` or by calling the model."""
    train_texts, Y, texts = prepare(name, n_rows)
    encoder, network = keras_model(train_texts, Y)
    if call:
        return median_ms(lambda text: network(encoder([text])).numpy(), texts[:KERAS_TEXTS])
    return median_ms(lambda text: network.predict(encoder([text]), verbose=0), texts[:KERAS_TEXTS])
