"""Fit a TextStream of growing numbers of texts: time and memory for each text.

Time is that of the processors, so that other programs do not count; the seconds on the clock stand
beside it.
"""

import argparse
import sys
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, process_time

import numpy as np
from _data import load
from _measure import environment, fresh

#: Memory is looked at so often, in seconds.
INTERVAL = 0.05


def main():
    """Measure each number of texts in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="stackoverflow30k", help="data set that the texts come from")
    parser.add_argument("--texts", type=int, nargs="+", default=[20_000, 80_000])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--linear", action="store_true", help="with the linear part")
    parser.add_argument("--out", type=Path, help="file for the table")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        raise SystemExit("Memory is measured as Linux tells it.")

    titles = ["texts", "characters, MB", "seconds", "processors, s", "ms a text", "to the first"]
    titles += ["memory, MB", "kB a text", "to the first"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    first = None
    for n in options.texts:
        found = fresh(measure, options.set, n, options.epochs, options.linear)
        each = np.array([1e3 * found["processors"] / n, found["kilobytes"] / n])
        first = each if first is None else first
        ratio = each / first
        lines.append(
            f"| {n:,} | {found['characters'] / 1e6:.0f} | {found['seconds']:.1f} "
            f"| {found['processors']:.1f} | {each[0]:.3f} | {ratio[0]:.2f} "
            f"| {found['kilobytes'] / 1e3:.0f} | {each[1]:.2f} | {ratio[1]:.2f} |"
        )
        print(lines[-1], flush=True)
    linear = "with" if options.linear else "without"
    what = f"{options.set}, {options.epochs} epochs, {linear} linear part"
    table = "\n".join([*lines, "", f"{what}; {environment()}"])
    print(table)
    if options.out:
        options.out.write_text(f"{table}\n", "utf-8")


def measure(name, n, epochs, linear):
    """Fit n texts in this process; return times, characters, and the peak of memory in kB."""
    from sktextcnn import TextCNNClassifier, TextStream

    texts, labels, _, _ = load(name)
    pairs = [*zip(texts, labels, strict=True)]
    clf = TextCNNClassifier(epochs=epochs, linear=linear, validation=0.1, random_state=0)
    clf.fit(TextStream(islice(pairs, 1000)))  # loads and compiles what is needed
    n_characters = 0

    def read():
        nonlocal n_characters
        for text, tags in islice(repeated(pairs), n):
            n_characters += len(text)
            yield text, tags

    before = memory()
    peak, done = [before], Event()

    def watch():
        while not done.wait(INTERVAL):
            peak.append(max(memory(), peak.pop()))

    watcher = Thread(target=watch)
    watcher.start()
    start, of_processors = perf_counter(), process_time()
    clf.fit(TextStream(read))
    seconds, of_processors = perf_counter() - start, process_time() - of_processors
    done.set()
    watcher.join()
    return {
        "seconds": seconds,
        "processors": of_processors,
        "kilobytes": peak[0] - before,
        "characters": n_characters,
    }


def repeated(pairs):
    """Yield the texts, then the same texts with their words in other orders, without end."""
    yield from pairs
    rng = np.random.default_rng(0)
    while True:
        for text, labels in pairs:
            yield " ".join(rng.permutation(text.split())), labels


def memory():
    """Return the memory of this process in kB, without what is in files and can be left there."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
