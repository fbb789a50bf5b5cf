"""Memory: resident after many fits in one process, and the peak of one fit."""

import gc
import resource
import sys
from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import BASELINE, KERAS_ENGINE, Result, alternate, baseline, baseline_title, fresh, missing
from _networks import DEFAULTS, import_engine, ours, warm_up

N_FITS = 60


def peak_rows(name, options):
    """Return the results for one fit with the defaults beside other ways to train the same."""
    contestants = {
        "ours": (peak_of_fit, (name, options.rows), None),
        KERAS_ENGINE: (peak_of_fit, (name, options.rows, "keras"), None),
        BASELINE: (peak_of_fit, (name, options.rows), baseline()),
    }
    reasons = missing(contestants)
    options.skipped.update(reasons)
    contestants = {peer: call for peer, call in contestants.items() if peer not in reasons}
    megabytes = alternate(contestants, {"ours": 2, BASELINE: 2})
    what = f"peak memory of a fit, {name}"
    return [
        Result(
            what,
            baseline_title() if peer == BASELINE else peer,
            megabytes["ours"],
            megabytes[peer],
            unit="MB",
            charted=False,
        )
        for peer in [*contestants][1:]
    ] or [Result(what, "", megabytes["ours"], unit="MB")]


def repeated_rows(options, curves):
    """Return the result for many fits in one process; their memory goes into `curves`."""
    megabytes = curves["memory"] = fresh(resident_after_fits)
    what = f"resident memory after {N_FITS} fits in one process"
    return [Result(what, "after 10 fits", megabytes[-1:], megabytes[9:10], "MB", charted=False)]


def large_rows(options):
    """Return the results for one epoch of arxiv_cs."""
    large = fresh(one_epoch, "arxiv_cs", 1, options.rows)
    small = fresh(one_epoch, "reuters90", 2, options.rows)
    note = (
        f"arxiv_cs: {large['texts']:,} texts of {large['tokens']:,} tokens in {large['fit']:.0f} s from "
        f"raw texts, {large['epoch']:.0f} s of them the epoch."
    )
    per_token = [[1e6 * m["epoch"] / m["tokens"]] for m in (large, small)]
    return [
        Result(
            "a token in an epoch of arxiv_cs",
            "in one of reuters90",
            *per_token,
            unit="µs",
            note=note,
            charted=False,
        ),
        Result("peak memory, an epoch of arxiv_cs", "", [large["gigabytes"]], unit="GB"),
    ]


def resident():
    """Return the resident memory of this process in MB."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except FileNotFoundError:
        return peak()  # elsewhere than on Linux: at least no growth stays unseen


def peak():
    """Return the largest resident memory of this process so far in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size * 1024 / 1e6


def peak_of_fit(name, n_rows, engine=None):
    """Return the peak of a process that fits a classifier with its defaults, in MB."""
    from sktextcnn import TextCNNClassifier

    texts, labels, _, _ = load(name, n_rows=n_rows)
    engine = {} if engine is None else {"engine": engine}
    TextCNNClassifier(random_state=0, **engine).fit(texts, labels)
    return peak()


def resident_after_fits():
    """Fit on 500 to 1,000 short texts with 16 to 64 filters, again and again; return MB each time."""
    texts, labels, _, _ = load("stackoverflow30k", n_rows=1000)
    Y = indicator(labels, label_names(labels))
    rng = np.random.default_rng(0)
    megabytes = []
    for seed in range(N_FITS):
        n, filters = int(rng.integers(500, 1001)), int(rng.integers(16, 65))
        classifier = ours(DEFAULTS, epochs=2, random_state=seed).set_params(filters=filters)
        classifier.fit(texts[:n], Y[:n])
        gc.collect()
        megabytes.append(resident())
    return megabytes


def one_epoch(name, epochs, n_rows):
    """Return sizes, seconds of the fit and of its last epoch, and the peak of memory."""
    import_engine()
    from sktextcnn.text.tokens import build_tokenizer, encode

    texts, labels, _, _ = load(name, n_rows=n_rows)
    Y = indicator(labels, label_names(labels))
    del labels
    warm_up(texts, Y, DEFAULTS)
    classifier = ours(DEFAULTS, epochs=epochs)
    start = perf_counter()
    classifier.fit(texts, Y)
    fit = perf_counter() - start
    measured = {"texts": len(texts), "fit": fit, "gigabytes": peak() / 1000}
    measured["epoch"] = classifier.history_["seconds"][-1]
    ids = encode(texts, build_tokenizer(), classifier.vocabulary_).truncated(classifier.max_length_)
    return {**measured, "tokens": len(ids.flat)}
