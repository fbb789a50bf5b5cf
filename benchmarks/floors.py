"""How far above the floor: a training step and prediction against what the machine could do at best.

The floor is the time that the matrix products would take at the measured peak, plus the time to read
what the windows are summed from, and what the optimizer changes, at the measured memory bandwidth. A
profile says where the rest goes.
"""

import argparse
import cProfile
import os
import pstats
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np
from _data import data_folder, indicator, label_names, load
from _measure import environment, fresh, n_cores
from _networks import DEFAULTS, ours

SETS = ["reuters90", "stackoverflow30k"]
#: Lines of a profile that are shown.
N_SHOWN = 12
ABOUT = {
    "stages": "stage by stage.",
    "operations": "TensorFlow's operations, on a batch of middling size; some run at the same time.",
    "functions": "Python's functions, profiled, each without those that it calls.",
}


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
    import tensorflow as tf

    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    b = tf.constant(a)
    source = np.ones(2**26, np.float32)
    target = np.empty_like(source)
    parts = list(zip(np.array_split(source, n_cores()), np.array_split(target, n_cores()), strict=True))
    with ThreadPoolExecutor(n_cores()) as pool:
        seconds = best(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), parts)))
    return {
        "NumPy": 2 * 2048**3 / best(lambda: a @ a),
        "TensorFlow": 2 * 2048**3 / best(lambda: tf.matmul(b, b).numpy()),
        "bytes": 2 * source.nbytes / seconds,
    }


def work_of(ids, n_labels, *, learns):
    """Return operations and bytes of one batch of texts.

    Operations: the kernels times the vectors of distinct tokens, and the output layer; twice as many
    again to learn. Bytes: every window reads a row of the products for each of its tokens, padding and
    intermediate results not counted; learning reads and writes each changed weight and its two moments.
    """
    n_slices = sum(DEFAULTS.kernel_sizes)
    n_features = len(DEFAULTS.kernel_sizes) * DEFAULTS.filters
    n_distinct = len(np.unique(ids.flat)) + 1  # and padding
    folded = DEFAULTS.embedding_dim * n_slices * DEFAULTS.filters
    operations = 2 * n_distinct * folded + 2 * len(ids) * n_features * n_labels
    n_bytes = 4 * len(ids.flat) * n_slices * DEFAULTS.filters
    if learns:
        operations *= 3
        n_bytes += 4 * 6 * (n_distinct * DEFAULTS.embedding_dim + folded + n_features * n_labels)
    return operations, n_bytes


def floor(work, peak, bandwidth):
    """Return the milliseconds of the operations and of the bytes."""
    operations, n_bytes = np.sum(work, axis=0)
    return 1e3 * operations / peak, 1e3 * n_bytes / bandwidth


def training_step(name, n_rows):
    """Return floors and milliseconds of a mean step, time per operation and per Python function."""
    import tensorflow as tf

    from sktextcnn import training

    texts, labels, _, _ = load(name, n_rows=n_rows)
    Y = indicator(labels, label_names(labels))
    peak = peaks()
    seconds, batches, sizes, kept = [], [], [], {"off": np.inf}
    n = -(-len(texts) // DEFAULTS.batch_size)  # steps per epoch; the first epoch traces
    run_batch = training._Run.run_batch
    profiler = cProfile.Profile()

    def timed(run, rows, rate):
        if not batches:
            kept["compiled"], run.compiled = run.compiled, remember(run.compiled)
        batches.append(run.examples.ids.take(rows))
        start = perf_counter()
        loss = run_batch(run, rows, rate)
        seconds.append(perf_counter() - start)
        return loss

    def profiled(run, rows, rate):
        profiler.enable()
        loss = run_batch(run, rows, rate)
        profiler.disable()
        return loss

    def remember(compiled):
        def call(*args):
            # Keeps the arguments of the step of the second epoch that is closest to the middling one.
            sizes.append(sum(int(np.prod(tensor.shape)) for tensor in tf.nest.flatten(args)))
            off = abs(sizes[-1] - np.median(sizes[:n]))
            if len(sizes) > n and off < kept["off"]:
                kept.update(off=off, args=args)
            return compiled(*args)

        return call

    training._Run.run_batch = timed
    ours(DEFAULTS, epochs=2).fit(texts, Y)
    training._Run.run_batch = profiled
    ours(DEFAULTS, epochs=1).fit(texts, Y)
    work = [work_of(ids, Y.shape[1], learns=True) for ids in batches[n:]]
    return {
        "peak": peak,
        "floor": tuple(value / n for value in floor(work, peak["TensorFlow"], peak["bytes"])),
        "measured": 1e3 * float(np.mean(seconds[n:])),
        "operations": operation_times(kept["compiled"], kept["args"]),
        "functions": function_times(profiler, n),
    }


def operation_times(compiled, args, n=10):
    """Return milliseconds per kind of TensorFlow operation in one step on a batch of middling length."""
    import tensorflow as tf

    v1 = tf.compat.v1
    graph = compiled.get_concrete_function().graph
    values = tf.nest.flatten(args)
    feed = dict(zip([tensor.name for tensor in graph.inputs], [v.numpy() for v in values], strict=True))
    fetches = [tensor.name for tensor in graph.outputs]
    options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
    times = Counter()
    with v1.Session(graph=graph) as session:
        for _ in range(3):
            session.run(fetches, feed)
        for _ in range(n):
            trace = v1.RunMetadata()
            session.run(fetches, feed, options=options, run_metadata=trace)
            for device in trace.step_stats.dev_stats:
                for node in device.node_stats:
                    try:
                        kind = graph.get_operation_by_name(node.node_name).type
                    except (KeyError, ValueError):
                        continue
                    times[kind] += (node.op_end_rel_micros - node.op_start_rel_micros) / 1e3 / n
    return times.most_common()


def function_times(profiler, n):
    """Return milliseconds per Python function, without the functions it calls, per step or per call."""
    times = Counter()
    for (path, _, function), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():
        label = function.strip("<>") if path == "~" else f"{Path(path).stem}: {function}"
        label = "the compiled step" if "TFE_Py_Execute" in label else label
        times[label] += 1e3 * own / n
    return times.most_common()


def prediction(name, n_rows):
    """Return floors, milliseconds and stages of `predict_proba` on all test texts, and its profile."""
    from sktextcnn.engine import inference
    from sktextcnn.text import build_tokenizer, encode

    texts, labels, test_texts, _ = load(name, n_rows=n_rows)
    Y = indicator(labels, label_names(labels))
    peak = peaks()
    classifier = ours(DEFAULTS, epochs=1).fit(texts, Y)
    tokenize = build_tokenizer()
    classifier.predict_proba(test_texts)
    total = best(lambda: classifier.predict_proba(test_texts), 5)
    products, chunks = [], []
    multiply, features = inference._multiply, inference._features

    def timed_multiply(*args):
        start = perf_counter()
        result = multiply(*args)
        products.append(perf_counter() - start)
        return result

    def recorded_features(weights, ids, *args):
        chunks.append(ids)
        return features(weights, ids, *args)

    def stages():
        products.clear(), chunks.clear()
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
            "matrix products": sum(products),
            "distinct tokens, gather, add, maximum": network - sum(products),
            "probabilities": probabilities,
        }

    inference._multiply, inference._features = timed_multiply, recorded_features
    fastest = min((stages() for _ in range(5)), key=lambda times: sum(times.values()))
    inference._multiply, inference._features = multiply, features
    profiler = cProfile.Profile()
    profiler.runcall(classifier.predict_proba, test_texts)
    work = [work_of(chunk, Y.shape[1], learns=False) for chunk in chunks]
    return {
        "peak": peak,
        "floor": floor(work, peak["NumPy"], peak["bytes"]),
        "measured": 1e3 * total,
        "stages": [(stage, 1e3 * seconds) for stage, seconds in fastest.items()],
        "functions": function_times(profiler, 1),
    }


def table(header, rows, widths):
    """Return an RST table."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for cells in [header, *rows]:
        lines += [f"   {'*' if not j else ' '} - {cell}".rstrip() for j, cell in enumerate(cells)]
    return [*lines, ""]


def report(measured, n_rows):
    """Return everything as RST."""
    peak = {
        key: max(m["peak"][key] for m in measured.values()) for key in ("NumPy", "TensorFlow", "bytes")
    }
    lines = [
        ".. Written by benchmarks/floors.py.",
        "",
        "Measured peaks: matrix products of 2,048 x 2,048 floats "
        f"{peak['TensorFlow'] / 1e9:.0f} GFLOP/s in TensorFlow and {peak['NumPy'] / 1e9:.0f} GFLOP/s in "
        f"NumPy, copying {peak['bytes'] / 1e9:.1f} GB/s (read and written). {environment()}",
        "",
    ]
    if n_rows:
        lines += ["**A quick try on the first rows of each set: these numbers mean nothing.**", ""]
    rows = []
    for (what, name), m in measured.items():
        operations, n_bytes = m["floor"]
        rows.append(
            [
                f"{what}, {name}",
                f"{operations:.3g} ms",
                f"{n_bytes:.3g} ms",
                f"{m['measured']:.3g} ms",
                f"{m['measured'] / (operations + n_bytes):.1f}",
            ]
        )
    header = ["what", "operations at peak", "bytes at peak", "measured", "times the floor"]
    lines += table(header, rows, "32 17 17 17 17")
    for (what, name), m in measured.items():
        for key, about in ABOUT.items():
            if key in m:
                lines += [f"{what}, {name}: {about}", ""]
                total = sum(ms for _, ms in m[key])
                mark = "" if key == "stages" else "``"
                rows = [
                    [f"{mark}{label}{mark}", f"{ms:.3g}", f"{ms / total:.0%}"]
                    for label, ms in m[key][:N_SHOWN]
                ]
                lines += table([key[:-1], "ms", "share"], rows, "60 20 20")
    return "\n".join(lines)


def main():
    """Read the arguments, measure, and print or write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--rows", type=int, help="first rows of each part, for a quick try")
    parser.add_argument("--out", type=Path, help="folder to write speed_floors.inc to, such as docs")
    args = parser.parse_args()

    data_folder()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    measured = {}
    for name in args.sets:
        measured["Training step", name] = fresh(training_step, name, args.rows)
        measured["Prediction of the test part", name] = fresh(prediction, name, args.rows)
    text = report(measured, args.rows)
    print(text)
    if args.out:
        (args.out / "speed_floors.inc").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
