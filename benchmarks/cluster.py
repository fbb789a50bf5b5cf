"""Measure tagging on a cluster: two worker processes of Dask, or of Spark, beside one process.

Each has one thread per process. Two processes without an engine, each with half of the files, tell how
much of twice the speed this machine allows. Texts come from Parquet files and go to others, with their
labels. They are those of goemotions again and again, their words in another order each time.
"""

import argparse
import os
import shutil
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np
from _data import load
from _measure import environment, fresh

TEXTS_PER_FILE = 25_000
ENGINES = ("one process", "two processes", "dask", "spark")


def prepare(folder, n_texts, n_fitted):
    """Fit and save a classifier, and write the texts."""
    import pandas as pd

    from sktextcnn import TextCNNClassifier

    texts, labels, _, _ = load("goemotions")
    TextCNNClassifier(random_state=0).fit(texts[:n_fitted], labels[:n_fitted]).save(folder / "model")
    words = [text.split() for text in texts]
    rng = np.random.default_rng(0)
    for n in n_texts:
        (folder / str(n)).mkdir()
        for start in range(0, n, TEXTS_PER_FILE):
            rows = np.arange(start, min(start + TEXTS_PER_FILE, n))
            shuffled = [" ".join(rng.permutation(words[row % len(words)])) for row in rows]
            table = pd.DataFrame({"id": rows, "text": shuffled})
            table.to_parquet(folder / str(n) / f"{start:09d}.parquet", index=False)


def peak_of(process):
    """Return the peak of the memory of a process in MB, or, where nobody knows it, that of now."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        return process.memory_info().rss / 1e6


class Watch:
    """What a process, and those that it started, took: seconds of processors, and peaks of memory."""

    def __init__(self):
        self.peaks, self.seconds, self._stop = {}, {}, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        self._start = perf_counter()
        return self

    def __exit__(self, *_):
        self.wall = perf_counter() - self._start
        self._stop.set()
        self._thread.join()

    def _run(self):
        import psutil

        before = {}
        while not self._stop.is_set():
            here = psutil.Process()
            for process in [here, *here.children(recursive=True)]:
                try:
                    times, name = process.cpu_times(), process.name()
                    seconds = times.user + times.system
                    megabytes = peak_of(process)
                except psutil.Error:  # it has ended
                    continue
                key = f"{name} {process.pid}"
                before.setdefault(key, seconds)
                self.seconds[key] = seconds - before[key]
                self.peaks[key] = max(self.peaks.get(key, 0), megabytes)
            sleep(0.2)

    def result(self):
        """Return seconds, seconds of all processors, and the MB of the processes that worked."""
        worked = [key for key, seconds in self.seconds.items() if seconds > 0.2 * self._busiest()]
        return self.wall, sum(self.seconds.values()), {key: self.peaks[key] for key in worked}

    def _busiest(self):
        return max(self.seconds.values())


def tag(engine, folder, n):
    """Tag all texts; return seconds, seconds of processors, and peaks of memory."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    functions = {
        "one process": _tag_here,
        "two processes": _tag_in_two,
        "dask": _tag_with_dask,
        "spark": _tag_with_spark,
    }
    result = functions[engine](folder / "model", folder / str(n), out)
    check(out, n)
    return result


def check(out, n):
    """All texts have been tagged, whoever did it."""
    import pyarrow.parquet as pq

    assert pq.read_table(out, columns=["id"]).num_rows == n


def _tag_here(model, texts, out):
    out.mkdir()
    _import()
    with Watch() as watch:
        _tag_files(model, sorted(texts.glob("*.parquet")), out)
    return watch.result()


def _tag_in_two(model, texts, out):
    from concurrent.futures import ProcessPoolExecutor

    out.mkdir()
    files = sorted(texts.glob("*.parquet"))
    with ProcessPoolExecutor(2, initializer=_import) as pool:
        list(pool.map(sleep, [1, 1]))  # both have started
        with Watch() as watch:
            list(pool.map(_tag_files, [model] * 2, [files[::2], files[1::2]], [out] * 2))
    return watch.result()


def _import():
    """Spare what is measured the seconds that workers take once, before their first text."""
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import sktextcnn.distributed  # noqa: F401

    with suppress(ImportError):
        import dask.dataframe  # noqa: F401


def _tag_files(model, files, out):
    import pandas as pd

    from sktextcnn import load as load_model

    clf = load_model(model)
    for file in files:
        frame = pd.read_parquet(file)
        labels = [list(row) for row in clf.predict_labels(frame["text"].tolist())]
        frame.assign(labels=labels).to_parquet(out / file.name, index=False)


def _tag_with_dask(model, texts, out):
    import dask
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    from sktextcnn.distributed import predict_dask

    # Without Dask's own settings of the allocator, by which every array costs new pages.
    dask.config.set({"distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1}})
    settings = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "1GiB"}
    with LocalCluster(**settings, dashboard_address=":0") as cluster, Client(cluster) as client:
        client.run(_import)
        with Watch() as watch:
            predict_dask(model, dd.read_parquet(texts), "text").to_parquet(out)
    return watch.result()


def _tag_with_spark(model, texts, out):
    from pyspark.sql import SparkSession

    from sktextcnn.distributed import predict_spark

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.log.level", "ERROR").getOrCreate()
    one = spark.createDataFrame([("a text",)] * 2, "text string").repartition(2)
    predict_spark(model, one, "text").collect()
    with Watch() as watch:
        predict_spark(model, spark.read.parquet(str(texts)), "text").write.parquet(str(out))
    spark.stop()
    return watch.result()


def main():
    """Read the arguments, measure in turn, and print a line for each engine and number of texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, nargs="+", default=[250_000, 1_000_000])
    parser.add_argument(
        "--fitted", type=int, default=5_000, help="texts that the classifier learns from"
    )
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=[*ENGINES])
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else Spark takes the first python3 that it finds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh(prepare, folder, options.texts, options.fitted)
        print("| texts | engine | seconds | texts a second | processor seconds | MB of each process |")
        print("|---:|---|---:|---:|---:|---|")
        for n in options.texts:
            results = {engine: [] for engine in options.engines}
            for _ in range(options.repeats):
                for engine in options.engines:
                    results[engine].append(fresh(tag, engine, folder, n))
            for engine, found in results.items():
                wall, cpu = (median(result[i] for result in found) for i in (0, 1))
                peaks = ", ".join(
                    f"{key.split()[0]} {value:.0f}" for key, value in sorted(found[-1][2].items())
                )
                print(
                    f"| {n:,} | {engine} | {wall:.1f} | {n / wall:,.0f} | {cpu:.1f} | {peaks} |",
                    flush=True,
                )
    print(f"\n{environment()}")


if __name__ == "__main__":
    main()
