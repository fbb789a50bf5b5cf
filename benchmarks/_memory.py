"""Memory: resident after many fits in one process, and the peak of one fit on many texts."""

import gc
import resource
import sys
from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import Result, fresh
from _networks import DEFAULTS, ours

N_FITS = 60


def repeated_rows(options, curves):
    """Return the result for many fits in one process; their memory goes into `curves`."""
    megabytes = curves["memory"] = fresh(resident_after_fits)
    what = f"resident memory after fit {N_FITS} of one process"
    return [
        Result(what, "after fit 10", megabytes[-1:], megabytes[9:10], "MB", target=1.05, at_least=False)
    ]


def large_rows(options):
    """Return the results for one epoch of arxiv_cs."""
    large = fresh(one_epoch, "arxiv_cs", 1, options.rows)
    small = fresh(one_epoch, "reuters90", 2, options.rows)
    note = (
        f"arxiv_cs: {large['texts']:,} texts of {large['tokens']:,} tokens in {large['fit']:.0f} s from "
        f"raw texts, {large['epoch']:.0f} s of them the epoch."
    )
    scale = 1e6  # microseconds
    what = "a token in an epoch of arxiv_cs"
    return [
        Result(
            what,
            "reuters90",
            [scale * large["epoch"] / large["tokens"]],
            [scale * small["epoch"] / small["tokens"]],
            unit="µs",
            target=1.2,
            at_least=False,
            note=note,
        ),
        Result("peak memory, arxiv_cs", "", [large["gigabytes"]], unit="GB", target=3, at_least=False),
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
    import sktextcnn.training  # noqa: F401  loads TensorFlow before the clock starts

    from sktextcnn.text import build_tokenizer, encode

    texts, labels, _, _ = load(name, n_rows=n_rows)
    Y = indicator(labels, label_names(labels))
    del labels
    classifier = ours(DEFAULTS, epochs=epochs)
    start = perf_counter()
    classifier.fit(texts, Y)
    fit = perf_counter() - start
    measured = {"texts": len(texts), "fit": fit, "gigabytes": peak() / 1000}
    measured["epoch"] = classifier.history_["seconds"][-1]
    ids = encode(texts, build_tokenizer(), classifier.vocabulary_).truncated(classifier.max_length_)
    return {**measured, "tokens": len(ids.flat)}
