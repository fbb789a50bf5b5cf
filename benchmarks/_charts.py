"""Charts of the speed measurements, as SVG."""

from math import isfinite

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams.update(
    {
        "svg.hashsalt": "sktextcnn",  # the same numbers give the same file
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": "white",
    }
)

import matplotlib.pyplot as plt  # noqa: E402

OURS, OTHER = "#2a6f97", "#8a8f98"
COLORS = {
    "ours": OURS,
    "plain Keras": "#d1603d",
    "SciKeras, plain Keras": "#d1603d",
    "Keras model.predict": "#d1603d",
    "Keras model(ids)": "#e3a08a",
    "PyTorch": "#e0a526",
    "LibMultiLabel's KimCNN": "#b9852b",
    "fastText": "#6b8e23",
    "tf-idf + LinearSVC": "#7b5ea7",
}


def save(figure, path):
    """Write a figure; no date, so that the file changes only with the numbers."""
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def draw_ratios(sections, name_of, folder):
    """Draw a chart for each section with charted results: a bar for each ratio.

    To the right of 1 we take less time, to the left more. All charts have the same scale.
    """
    shown = {
        title: [r for r in results if r.charted and r.theirs and isfinite(r.ratio()[0])]
        for title, results in sections.items()
    }
    ratios = [value for results in shown.values() for result in results for value in result.ratio()]
    if not ratios:
        return
    limits = min(0.85, 0.8 * min(ratios)), 8 * max(ratios)
    for title, results in shown.items():
        if results:
            _draw_bars(results, limits, folder / f"{name_of(title)}.svg")


def _draw_bars(results, limits, path):
    """Draw what was timed as a line of words, and below it a bar for each peer."""
    lines = []
    for result in results:
        if not lines or lines[-1].what != result.what:
            lines.append(result.what)
        lines.append(result)
    figure, axis = plt.subplots(figsize=(6.4, 0.7 + 0.26 * len(lines)), layout="constrained")
    for y, line in enumerate(lines):
        if isinstance(line, str):
            axis.annotate(line, (1, y), (4, 0), textcoords="offset points", va="center", weight="bold")
            continue
        ratio, low, high = line.ratio()
        axis.barh(y, ratio - 1, left=1, color=COLORS.get(line.peer, OTHER), height=0.75, zorder=2)
        axis.plot([low, high], [y, y], color="#333333", linewidth=1.2, zorder=3)
        words = f"{line.peer}: {_short(ratio)} ×"  # noqa: RUF001
        end = (max(high, 1), y)
        axis.annotate(words, end, (6, 0), textcoords="offset points", va="center")
    axis.axvline(1, color="#333333", linewidth=1, zorder=4)
    axis.set_xscale("log")
    axis.set_xlim(*limits)
    axis.set_ylim(len(lines) - 0.4, -0.7)
    ticks = [t for t in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if limits[0] <= t <= limits[1]]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("theirs / ours: how many times our time they take")
    save(figure, path)


def _short(ratio):
    return f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


def draw_curves(curves, path):
    """Draw micro-F1 on the texts set aside against seconds of fitting, one panel for each data set."""
    figure, axes = plt.subplots(
        1, len(curves), figsize=(4.4 * len(curves), 3.4), squeeze=False, layout="constrained"
    )
    for axis, (name, contestants) in zip(axes[0], curves.items(), strict=True):
        for contestant, points in contestants.items():
            seconds, f1 = zip(*points, strict=True)
            axis.plot(
                seconds,
                f1,
                marker="o" if len(points) > 1 else "D",
                markersize=4 if len(points) > 1 else 7,
                linewidth=1.5,
                linestyle="-" if len(points) > 1 else "",
                color=COLORS[contestant],
                label=contestant,
            )
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("seconds of fitting, from raw texts")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.25)
    axes[0, 0].set_ylabel("micro-F1 on a tenth set aside")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    save(figure, path)


def draw_memory(megabytes, path):
    """Draw resident memory after each fit."""
    figure, axis = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
    axis.plot(range(1, len(megabytes) + 1), megabytes, color=OURS, linewidth=1.5, marker=".")
    axis.set_xlim(1, len(megabytes))
    axis.set_ylim(0, 1.15 * max(megabytes))
    axis.set_xlabel("fits in one process")
    axis.set_ylabel("resident memory, MB")
    axis.grid(alpha=0.25)
    save(figure, path)
