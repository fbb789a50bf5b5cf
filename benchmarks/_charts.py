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


def draw_ratios(sections, path):
    """Draw a bar for each ratio, to the right of 1 where we take less time, to the left where more."""
    lines = []  # headings and what belongs to them, from top to bottom
    for title, results in sections.items():
        shown = [r for r in results if r.charted and r.theirs and isfinite(r.ratio()[0])]
        if shown:
            lines += [(title, None), *((None, result) for result in shown)]
    if not lines:
        return
    figure, axis = plt.subplots(figsize=(9, 0.6 + 0.29 * len(lines)), layout="constrained")
    ratios = [value for _, result in lines if result for value in result.ratio()]
    left, right = min(0.4, 0.6 * min(ratios)), 6 * max(ratios)
    before = None
    for y, (title, result) in enumerate(lines):
        if result is None:
            axis.annotate(
                title,
                (0, y),
                (-10, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                va="center",
                weight="bold",
                annotation_clip=False,
            )
            before = None
            continue
        ratio, low, high = result.ratio()
        color = COLORS.get(result.peer, OTHER)
        axis.barh(y, ratio - 1, left=1, color=color, height=0.7, zorder=2)
        axis.plot([low, high], [y, y], color="#333333", linewidth=1.2, zorder=3)
        end, side = (max(high, ratio), 1) if ratio >= 1 else (min(low, ratio), -1)
        axis.annotate(
            f"{result.peer}: {_short(ratio)} ×",  # noqa: RUF001
            (max(end, 1) if side == 1 else 1, y),
            (6, 0),
            textcoords="offset points",
            va="center",
        )
        if result.what != before:
            axis.annotate(
                result.what,
                (0, y),
                (-10, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                va="center",
                annotation_clip=False,
            )
        before = result.what
    axis.axvspan(left, 1, color="#f3f0ea", zorder=0)
    axis.axvline(1, color="#333333", linewidth=1, zorder=4)
    axis.set_xscale("log")
    axis.set_xlim(left, right)
    axis.set_ylim(len(lines) - 0.4, -0.7)
    ticks = [t for t in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if left <= t <= right]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x", color="#dddddd", linewidth=0.8, zorder=1)
    axis.set_xlabel("How many times as long as ours theirs takes (left of 1: theirs is quicker)")
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
