"""Measure the speed of TextCNNClassifier beside others: every row of the table in the documentation.

What is compared alternates. Each measurement has a process of its own.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter

import _cold_start
import _epochs
import _fits
import _memory
import _prediction
import _search
from _data import data_folder
from _measure import HEADER, Result, environment

#: Name -> function of the options and of a dict for the curves that it may draw.
ROWS = {
    **{
        f"epoch-{name}": lambda options, curves, name=name: _epochs.rows(name, options)
        for name in ("reuters90", "goemotions", "stackoverflow30k")
    },
    **{
        f"fit-{name}": partial(_fits.rows, name)
        for name in ("reuters90", "goemotions", "stackoverflow30k")
    },
    **{
        f"predict-{name}": lambda options, curves, name=name: _prediction.rows(name, options)
        for name in ("reuters90", "goemotions")
    },
    "latency": lambda options, curves: _prediction.latency_rows("stackoverflow30k", options),
    "cold-start": lambda options, curves: _cold_start.rows(options),
    "search": lambda options, curves: _search.rows(options),
    "memory": _memory.repeated_rows,
    "large": lambda options, curves: _memory.large_rows(options),
}
ABOUT = (
    "Medians of several repeats, with the fastest and the slowest in brackets. A ratio is theirs / ours "
    "where the target is a lower bound, ours / theirs where it is an upper one; in brackets is what the "
    "least and the most favourable pair of runs would give."
)


def results_of(groups):
    """Return all results, in the order of `ROWS`."""
    return [Result(**result) for name in ROWS if name in groups for result in groups[name]["results"]]


def notes_of(groups):
    """Return the sentences below the table."""
    environments = {}
    for name, group in groups.items():
        environments.setdefault(group["environment"], []).append(name)
    notes = [
        line if len(environments) == 1 else f"{', '.join(names)}: {line}"
        for line, names in environments.items()
    ]
    if any(group["rows"] for group in groups.values()):
        notes.insert(0, "**A quick try on the first rows of each set: these numbers mean nothing.**")
    return [*notes, ABOUT, *dict.fromkeys(r.note for r in results_of(groups) if r.note)]


def to_markdown(groups):
    """Return the table and its notes as Markdown."""
    lines = [f"| {' | '.join(HEADER)} |", "|---|---|---:|---:|---:|---:|---|"]
    lines += [f"| {' | '.join(result.cells())} |" for result in results_of(groups)]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes_of(groups))]) + "\n"


def to_rst(groups):
    """Return the table and its notes as reStructuredText."""
    lines = [".. Written by benchmarks/speed.py.", ""]
    lines += [".. list-table::", "   :header-rows: 1", "   :widths: 30 17 15 15 15 10 8", ""]
    for cells in [HEADER, *(result.cells() for result in results_of(groups))]:
        lines += [f"   {'*' if not j else ' '} - {cell}".rstrip() for j, cell in enumerate(cells)]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes_of(groups))]) + "\n"


def write(groups, folder):
    """Write the numbers, the table and the charts."""
    from _charts import draw_curves, draw_memory, draw_ratios

    none = {"curves": {}}
    static = folder / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / "speed.json").write_text(json.dumps(groups, indent=1) + "\n", encoding="utf-8")
    (folder / "speed_table.inc").write_text(to_rst(groups), encoding="utf-8")
    draw_ratios(results_of(groups), static / "speed_ratios.svg")
    curves = {key: curve for name in ROWS for key, curve in groups.get(name, none)["curves"].items()}
    megabytes = curves.pop("memory", None)
    if megabytes:
        draw_memory(megabytes, static / "speed_memory.svg")
    if curves:
        draw_curves(curves, static / "speed_curves.svg")


def earlier(folder, n_rows):
    """Return what an earlier run of the same kind wrote, so that single rows can be measured again."""
    path = folder / "_static" / "speed.json"
    groups = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {name: group for name, group in groups.items() if group["rows"] == n_rows and name in ROWS}


def main():
    """Read the arguments, measure, and print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows-only",
        nargs="+",
        choices=ROWS,
        default=[*ROWS],
        metavar="NAME",
        help=f"of {', '.join(ROWS)}; what was measured before stays in the table",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--part", type=float, help="share of an epoch that Keras and PyTorch are timed on"
    )
    parser.add_argument("--rows", type=int, help="first rows of each part, for a quick try")
    parser.add_argument("--out", type=Path, help="folder for table, charts and numbers, such as docs")
    options = parser.parse_args()

    data_folder()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    groups = earlier(options.out, options.rows) if options.out else {}
    start = perf_counter()
    for name in options.rows_only:
        curves = {}
        results = ROWS[name](options, curves)
        groups[name] = {
            "environment": environment(),
            "rows": options.rows,
            "results": [asdict(result) for result in results],
            "curves": curves,
        }
        print(f"{perf_counter() - start:5.0f} s  {name}", file=sys.stderr)
        for result in results:
            print("         ", " | ".join(result.cells()), file=sys.stderr, flush=True)
        if options.out:
            write(groups, options.out)
    print(to_markdown(groups), end="")


if __name__ == "__main__":
    main()
