"""Charts of the speed measurements, as SVG."""

from math import isfinite

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams.update(
    {
        "svg.hashsalt": "sktextcnn",  # the same numbers give the same file
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": "white",
    }
)

import matplotlib.pyplot as plt  # noqa: E402

MET, MISSED, PLAIN, TARGET = "#2a6f97", "#d1603d", "#a9b4bd", "#111111"
COLORS = {"ours": MET, "plain Keras": MISSED, "fastText": "#7a9e35", "tf-idf + LinearSVC": "#7b5ea7"}


def save(figure, path):
    """Write a figure; no date, so that the file changes only with the numbers."""
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def draw_ratios(results, path):
    """Draw a bar for each ratio, with a mark where its target is."""
    shown = [r for r in results if r.theirs and isfinite(r.ratio()[0]) and r.ratio()[0] > 0]
    groups = [
        ([r for r in shown if r.at_least], "their time / ours (right is better)"),
        ([r for r in shown if not r.at_least], "ours / theirs (left is better)"),
    ]
    groups = [(group, label) for group, label in groups if group]
    sizes = [len(group) for group, _ in groups]
    figure, axes = plt.subplots(
        len(groups),
        1,
        figsize=(8.5, 0.27 * sum(sizes) + 0.9 * len(groups)),
        gridspec_kw={"height_ratios": [size + 0.6 for size in sizes]},
        squeeze=False,
        layout="constrained",
    )
    for axis, (group, label) in zip(axes[:, 0], groups, strict=True):
        _draw_group(axis, group, label)
    save(figure, path)


def _draw_group(axis, group, label):
    logarithmic = group[0].at_least
    largest = max(max(r.ratio()[2], r.target or 0) for r in group)
    left = min(0.5, 0.8 * min(r.ratio()[1] for r in group)) if logarithmic else 0
    for y, result in enumerate(group):
        ratio, low, high = result.ratio()
        color = {True: MET, False: MISSED, None: PLAIN}[result.met()]
        axis.barh(y, ratio - left, left=left, color=color, height=0.66)
        axis.plot([low, high], [y, y], color="#444444", linewidth=1)
        if result.target is not None:
            axis.plot([result.target] * 2, [y - 0.45, y + 0.45], color=TARGET, linewidth=2.2)
        end = max(high, result.target or 0)
        axis.annotate(
            f"{ratio:.3g}", (end, y), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    if logarithmic:
        axis.set_xscale("log")
        axis.axvline(1, color="#888888", linewidth=0.8, linestyle=":")
        axis.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.set_xlim(left, largest * (1.8 if logarithmic else 1.15))
    axis.set_ylim(len(group) - 0.4, -0.6)
    axis.set_yticks(range(len(group)), [f"{r.what} | {r.peer}" for r in group], fontsize=8)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(label)
    if logarithmic:
        handles = [
            plt.Rectangle((0, 0), 1, 1, color=MET, label="target met"),
            plt.Rectangle((0, 0), 1, 1, color=MISSED, label="not met"),
            plt.Rectangle((0, 0), 1, 1, color=PLAIN, label="no target"),
            plt.Line2D([], [], color=TARGET, linewidth=2.2, label="target"),
        ]
        axis.legend(
            handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=8
        )


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
    """Draw resident memory after each fit, and the band around the tenth that it should stay in."""
    figure, axis = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
    axis.axhspan(0, 1.05 * megabytes[9], color="#e4edf2", label="up to 5 % above fit 10")
    axis.plot(range(1, len(megabytes) + 1), megabytes, color=MET, linewidth=1.5, marker=".")
    axis.set_xlim(1, len(megabytes))
    axis.set_ylim(0, 1.15 * max(megabytes))
    axis.set_xlabel("fits in one process")
    axis.set_ylabel("resident memory, MB")
    axis.legend(loc="lower right", frameon=False)
    save(figure, path)
