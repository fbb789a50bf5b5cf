"""Measure the speed of TextCNNClassifier beside others: every row of the table in the documentation.

What is compared alternates. Each contestant runs in a process of its own. An earlier version of the
package joins in if the environment variable SKTEXTCNN_BASELINE names a checkout of it.
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
from _measure import HEADER, Result, environment, fresh

SETS = ("reuters90", "goemotions", "stackoverflow30k")
#: Name -> function of the options and of a dict for the curves that it may draw.
ROWS = {
    **{f"epoch-{name}": lambda o, curves, name=name: _epochs.rows(name, o) for name in SETS},
    **{f"fit-{name}": partial(_fits.rows, name) for name in SETS},
    "search": lambda o, curves: _search.rows(o),
    **{f"predict-{name}": lambda o, curves, name=name: _prediction.rows(name, o) for name in SETS[:2]},
    "latency": lambda o, curves: _prediction.latency_rows("stackoverflow30k", o),
    "start": lambda o, curves: _cold_start.rows(o),
    "peak": lambda o, curves: _memory.peak_rows("goemotions", o),
    "memory": _memory.repeated_rows,
    "large": lambda o, curves: _memory.large_rows(o),
}
#: Heading in the table and the chart -> the names of its rows.
SECTIONS = {
    "Training: an epoch": [name for name in ROWS if name.startswith("epoch")],
    "Training: a whole fit": [name for name in ROWS if name.startswith("fit")],
    "A grid search": ["search"],
    "Prediction from raw strings": [*(name for name in ROWS if name.startswith("predict")), "latency"],
    "Starting, in new processes": ["start"],
    "Memory and size": ["peak", "memory", "large"],
}
ABOUT = (
    "Medians of several runs, with the fastest and the slowest in brackets, and theirs / ours of the "
    "medians, with that of the least and of the most favourable pair of runs; above 1 we take less."
)


def results_of(groups):
    """Return the results of each section that has any."""
    sections = {
        title: [
            Result(**result) for name in names if name in groups for result in groups[name]["results"]
        ]
        for title, names in SECTIONS.items()
    }
    return {title: results for title, results in sections.items() if results}


def chart_of(title):
    """Return the name of the chart of a section, which is that of its first rows."""
    return f"speed_{SECTIONS[title][0].partition('-')[0]}"


def notes_of(groups):
    """Return the sentences below the table."""
    environments = {}
    for name, group in groups.items():
        environments.setdefault(group["environment"], []).append(name)
    notes = [
        line if len(environments) == 1 else f"{', '.join(names)}: {line}"
        for line, names in environments.items()
    ]
    results = [result for section in results_of(groups).values() for result in section]
    return [*notes, ABOUT, *dict.fromkeys(result.note for result in results if result.note)]


def to_markdown(groups):
    """Return the table and its notes as Markdown."""
    lines = [f"| {' | '.join(HEADER)} |", "|---|---:|---|---:|---:|"]
    for title, results in results_of(groups).items():
        lines += [f"| **{title}** | | | | |", *(f"| {' | '.join(r.cells())} |" for r in results)]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes_of(groups))]) + "\n"


def to_rst(groups):
    """Return the table and its notes as reStructuredText."""
    lines = [".. Written by benchmarks/speed.py.", ""]
    if any(group["rows"] for group in groups.values()):
        lines += ["**A quick try on the first rows of each set: these numbers mean nothing.**", ""]
    for title, results in results_of(groups).items():
        if any(result.charted for result in results):
            lines += [
                f".. figure:: _static/{chart_of(title)}.svg",
                f"   :alt: Bars of the ratios in the table below: {title}.",
                "",
            ]
        lines += [f".. list-table:: {title}", "   :header-rows: 1", "   :widths: 30 18 20 18 14", ""]
        before = ["", ""]
        for cells in [HEADER, *(result.cells() for result in results)]:
            # What is the same as in the line above is not said again.
            shown = ["", "", *cells[2:]] if cells[:2] == before else cells
            lines += [f"   {'*' if not j else ' '} - {cell}".rstrip() for j, cell in enumerate(shown)]
            before = cells[:2]
        lines.append("")
    return "\n".join([*lines, "", *(f"- {note}" for note in notes_of(groups))]) + "\n"


def write(groups, folder):
    """Write the numbers, the table and the charts."""
    from _charts import draw_curves, draw_memory, draw_ratios

    none = {"curves": {}}
    static = folder / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / "speed.json").write_text(json.dumps(groups, indent=1) + "\n", encoding="utf-8")
    (folder / "speed_table.inc").write_text(to_rst(groups), encoding="utf-8")
    draw_ratios(results_of(groups), chart_of, static)
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


def _warm():
    """Compile what is compiled once per machine, and kept on disk."""
    from sktextcnn import TextCNNClassifier

    TextCNNClassifier(min_df=1, epochs=1).fit(["a", "b"], ["a", "b"])


def main():
    """Read the arguments, measure, and print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows-only",
        nargs="*",
        choices=ROWS,
        default=[*ROWS],
        metavar="NAME",
        help=f"of {', '.join(ROWS)}; what was measured before stays in the table; "
        "without any, table and charts are made again from that alone",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--part", type=float, help="share of an epoch that Keras and PyTorch are timed on"
    )
    parser.add_argument("--rows", type=int, help="first rows of each part, for a quick try")
    parser.add_argument("--out", type=Path, help="folder for table, charts and numbers, such as docs")
    options = parser.parse_args()

    if not options.rows_only:
        if not options.out:
            parser.error("--rows-only without names makes table and charts again, in the folder --out")
        write(earlier(options.out, options.rows), options.out)
        return
    data_folder()
    options.skipped = {}
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    groups = earlier(options.out, options.rows) if options.out else {}
    fresh(_warm)
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
    for peer, reason in options.skipped.items():
        print(f"Left out: {peer}, since {reason}.", file=sys.stderr)
    print(to_markdown(groups), end="")


if __name__ == "__main__":
    main()
