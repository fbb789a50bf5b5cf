"""How far above the floor: a training step and prediction against what the machine could do at best.

The floor is the time that the matrix products would take at the measured peak, plus the time to read
what the windows are summed from, and what the optimizer changes, at the measured memory bandwidth. The
parts of `sktextcnn.engine.compiled._Run.learn` are timed to say where the rest goes.
"""

import argparse
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
from _data import data_folder, indicator, label_names, load
from _measure import environment, fresh, n_cores
from _networks import DEFAULTS, ours

SETS = ["reuters90", "goemotions", "stackoverflow30k"]
#: What shared work calls, outside of the output layer -> the part of a step that it is.
PARTS = {
    "_convolve": "vectors times slices, and largest windows",
    "_backpropagate": "gradient through the winners, and the kernels' step",
    "_update_vectors": "step of vectors and dense layers",
}
OTHER = "Python, and all else"


def best(function, n=7):
    """Return the seconds of the fastest of several calls."""
    times = []
    for _ in range(n):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times)


def peaks():
    """Return the peak of matrix products (operations per second) and of copying (bytes per second)."""
    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    source = np.ones(2**26, np.float32)
    target = np.empty_like(source)
    parts = list(zip(np.array_split(source, n_cores()), np.array_split(target, n_cores()), strict=True))
    with ThreadPoolExecutor(n_cores()) as pool:
        seconds = best(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), parts)))
    return 2 * 2048**3 / best(lambda: a @ a), 2 * source.nbytes / seconds


def work_of(ids, n_labels, *, learns):
    """Return operations and bytes of one batch of texts.

    Operations: the kernels times the vectors of distinct tokens, and the output layer; to learn, twice
    as many again, or those of the winning windows alone where these are fewer. Bytes: every window reads
    a row of the products for each of its tokens, intermediate results not counted; learning reads and
    writes each changed weight and its two moments.
    """
    n_slices, n_filters, dim = sum(DEFAULTS.kernel_sizes), DEFAULTS.filters, DEFAULTS.embedding_dim
    n_features = len(DEFAULTS.kernel_sizes) * n_filters
    n_distinct = len(np.unique(ids.flat))
    kernel, head = dim * n_slices * n_filters, len(ids) * n_features * n_labels
    operations = 2 * n_distinct * kernel + 2 * head
    n_bytes = 4 * len(ids.flat) * n_slices * n_filters
    if learns:
        operations += 2 * 2 * min(n_distinct * kernel, len(ids) * kernel) + 2 * 2 * head
        n_bytes += 4 * 6 * (n_distinct * dim + kernel + n_features * n_labels)
    return operations, n_bytes


def floor(work, peak):
    """Return the milliseconds of the operations and of the bytes."""
    operations, n_bytes = np.sum(work, axis=0)
    return 1e3 * operations / peak[0], 1e3 * n_bytes / peak[1]


class Clock:
    """Adds up the seconds of parts; what is inside a part counts for that part."""

    def __init__(self):
        self.seconds, self.is_running = Counter(), False

    @contextmanager
    def part(self, name):
        if self.is_running:
            yield
            return
        self.is_running, start = True, perf_counter()
        yield
        self.seconds[name] += perf_counter() - start
        self.is_running = False


def training_step(name, n_rows):
    """Return floors and milliseconds of a mean step, and its parts."""
    from sktextcnn.engine import compiled

    texts, labels, _, _ = load(name, n_rows=n_rows)
    Y = indicator(labels, label_names(labels))
    clock, batches, seconds = Clock(), [], []

    class Team(compiled.Team):
        def run(self, tasks):
            tasks = list(tasks)
            with clock.part(PARTS.get(tasks[0].func.__name__, OTHER)):
                return super().run(tasks)

    class Run(compiled._Run):
        def learn(self, rows, rate):
            batches.append(self.ids.take(rows))
            start = perf_counter()
            loss = super().learn(rows, rate)
            seconds.append(perf_counter() - start)
            return loss

        def _run_head(self, *args):
            with clock.part("output layer and loss"):
                return super()._run_head(*args)

    gather = compiled.kernels.gather

    def timed(*args):
        with clock.part("distinct tokens"):
            return gather(*args)

    peak = peaks()
    ours(DEFAULTS, epochs=1).fit(texts[:640], Y[:640])  # loads the kernels
    compiled.kernels.gather = timed
    compiled.Team, compiled._Run = Team, Run
    ours(DEFAULTS, epochs=1).fit(texts, Y)
    work = [work_of(ids, Y.shape[1], learns=True) for ids in batches]
    measured = 1e3 * float(np.mean(seconds))
    parts = [(part, 1e3 * total / len(seconds)) for part, total in clock.seconds.most_common()]
    parts.append((OTHER, measured - sum(ms for _, ms in parts)))
    return {
        "peak": peak,
        "floor": tuple(value / len(batches) for value in floor(work, peak)),
        "measured": measured,
        "parts": parts,
    }


def prediction(name, n_rows):
    """Return floors, milliseconds and parts of `predict_proba` on all test texts."""
    from sktextcnn.engine import inference
    from sktextcnn.text.tokens import build_tokenizer, encode

    texts, labels, test_texts, _ = load(name, n_rows=n_rows)
    Y = indicator(labels, label_names(labels))
    peak = peaks()
    classifier = ours(DEFAULTS, epochs=1).fit(texts, Y)
    tokenize = build_tokenizer()
    classifier.predict_proba(test_texts)
    total = best(lambda: classifier.predict_proba(test_texts), 5)

    def parts():
        clock = [perf_counter()]
        for text in test_texts:
            tokenize(text)
        clock.append(perf_counter())
        ids = encode(test_texts, tokenize, classifier.vocabulary_).truncated(classifier.max_length_)
        clock.append(perf_counter())
        logits = inference.compute_logits(classifier.weights_, ids)
        clock.append(perf_counter())
        inference.to_probabilities(logits, exclusive=False)
        clock.append(perf_counter())
        tokens, encoded, network, probabilities = np.diff(clock)
        return {
            "tokenise": tokens,
            "look tokens up": encoded - tokens,
            "network": network,
            "probabilities": probabilities,
        }

    fastest = min((parts() for _ in range(5)), key=lambda seconds: sum(seconds.values()))
    ids = encode(test_texts, tokenize, classifier.vocabulary_).truncated(classifier.max_length_)
    return {
        "peak": peak,
        "floor": floor([work_of(ids, Y.shape[1], learns=False)], peak),
        "measured": 1e3 * total,
        "parts": [(part, 1e3 * seconds) for part, seconds in fastest.items()],
    }


def table(title, header, rows, widths):
    """Return an RST table."""
    lines = [f".. list-table:: {title}", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for cells in [header, *rows]:
        lines += [f"   {'*' if not j else ' '} - {cell}".rstrip() for j, cell in enumerate(cells)]
    return [*lines, ""]


def parts_table(title, measured):
    """Return one table of the milliseconds of each part, a column for each data set."""
    columns = {name: dict(m["parts"]) for (what, name), m in measured.items() if what == title}
    names = sorted(
        {part for parts in columns.values() for part in parts},
        key=lambda part: (part == OTHER, -max(parts.get(part, 0) for parts in columns.values())),
    )
    rows = []
    for part in names:
        cells = [parts.get(part) for parts in columns.values()]
        rows.append([part, *("" if ms is None else f"{ms:.3g} ms" for ms in cells)])
    rows.append(["all", *(f"{sum(parts.values()):.3g} ms" for parts in columns.values())])
    widths = " ".join(["40", *["20"] * len(columns)])
    return table(f"{title}: its parts", ["part", *columns], rows, widths)


STEP, PREDICTION = "A training step", "Prediction of the test part"


def report(measured, n_rows):
    """Return everything as RST."""
    flops, n_bytes = (max(m["peak"][i] for m in measured.values()) for i in (0, 1))
    lines = [
        ".. Written by benchmarks/floors.py.",
        "",
        f"Measured peaks: matrix products of 2,048 x 2,048 floats {flops / 1e9:.0f} GFLOP/s, copying "
        f"{n_bytes / 1e9:.1f} GB/s (read and written). {environment()}",
        "",
    ]
    if n_rows:
        lines += ["**A quick try on the first rows of each set: these numbers mean nothing.**", ""]
    rows = []
    for (what, name), m in measured.items():
        operations, n_bytes = m["floor"]
        least = operations + n_bytes
        cells = [f"{ms:.3g} ms" for ms in (operations, n_bytes, m["measured"])]
        rows.append([f"{what}, {name}", *cells, f"{m['measured'] / least:.1f}"])
    header = ["what", "operations at peak", "bytes at peak", "measured", "measured / floor"]
    lines += table("How far from the floor", header, rows, "36 16 16 16 16")
    for title in (STEP, PREDICTION):
        lines += parts_table(title, measured)
    return "\n".join(lines)


def main():
    """Read the arguments, measure, and print or write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--rows", type=int, help="first rows of each part, for a quick try")
    parser.add_argument("--out", type=Path, help="folder to write speed_floors.inc to, such as docs")
    args = parser.parse_args()

    data_folder()
    measured = {(STEP, name): fresh(training_step, name, args.rows) for name in args.sets}
    for name in args.sets:
        measured[PREDICTION, name] = fresh(prediction, name, args.rows)
    text = report(measured, args.rows)
    print(text)
    if args.out:
        (args.out / "speed_floors.inc").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
