"""How well each label is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sktextcnn.metrics import evaluate
from sktextcnn.plotting.display import (
    BLUE,
    ORANGE,
    Display,
    draw_legend,
    name_of,
    neutral_color,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sktextcnn.metrics import Evaluation


class LabelScoresDisplay(Display):
    """F1, precision and recall of each label, with the number of texts that carry it.

    Make one with `from_estimator` or `from_evaluation`.

    Parameters
    ----------
    labels : sequence of length k
        Names.
    precision, recall, f1 : array-like of shape (k,)
        Scores of each label.
    support : array-like of shape (k,)
        How many texts carry it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What `plot` has drawn on.
    figure_ : matplotlib Figure
        Its figure.
    """

    def __init__(self, labels: Any, *, precision: Any, recall: Any, f1: Any, support: Any) -> None:
        self.labels = labels
        self.precision = precision
        self.recall = recall
        self.f1 = f1
        self.support = support

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        max_labels: int | None = None,
        sort: str = "f1",
        ax: Axes | None = None,
    ) -> LabelScoresDisplay:
        """Evaluate a fitted classifier and draw the scores.

        Parameters
        ----------
        estimator : classifier
            Fitted.
        X : sequence of str of length n
            Texts.
        y : labels, label sets or 0/1 matrix of n rows
            Their labels, in any form that `fit` takes.
        max_labels : int or None, default=None
            Draw so many labels at most, those with the most texts; None: all of them.
        sort : {"f1", "support", "none"}, default="f1"
            What comes first, see `plot`.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        LabelScoresDisplay

        Raises
        ------
        ValueError
            As from `sktextcnn.metrics.evaluate`, and from `plot`.
        ImportError
            If matplotlib is not installed.
        """
        evaluation = evaluate(estimator, X, y)
        return cls.from_evaluation(evaluation, max_labels=max_labels, sort=sort, ax=ax)

    @classmethod
    def from_evaluation(
        cls,
        evaluation: Evaluation,
        *,
        max_labels: int | None = None,
        sort: str = "f1",
        ax: Axes | None = None,
    ) -> LabelScoresDisplay:
        """Draw the scores of an evaluation.

        Parameters
        ----------
        evaluation : Evaluation
            From `sktextcnn.metrics.evaluate`.
        max_labels : int or None, default=None
            Draw so many labels at most, those with the most texts; None: all of them.
        sort : {"f1", "support", "none"}, default="f1"
            What comes first, see `plot`.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        LabelScoresDisplay

        Raises
        ------
        ValueError
            As from `plot`.
        ImportError
            If matplotlib is not installed.
        """
        return cls(
            evaluation.labels,
            precision=evaluation.precision,
            recall=evaluation.recall,
            f1=evaluation.f1,
            support=evaluation.support,
        ).plot(ax, max_labels=max_labels, sort=sort)

    def plot(
        self, ax: Axes | None = None, *, max_labels: int | None = None, sort: str = "f1"
    ) -> LabelScoresDisplay:
        """Draw a bar for each label, and marks for its precision and recall.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure, which is the higher, the more labels there are.
        max_labels : int or None, default=None
            Draw so many labels at most, those with the most texts; None: all of them.
        sort : {"f1", "support", "none"}, default="f1"
            What comes first: the labels with the best F1 or with the most texts; or keep their order.

        Returns
        -------
        LabelScoresDisplay

        Raises
        ------
        ValueError
            If `sort` is something else.
        ImportError
            If matplotlib is not installed.
        """
        if sort not in ("f1", "support", "none"):
            raise ValueError(f"sort={sort!r}; expected 'f1', 'support' or 'none'.")
        f1, support = np.nan_to_num(self.f1), np.asarray(self.support)
        shown = np.sort(np.argsort(-support, kind="stable")[:max_labels])
        if sort != "none":
            shown = shown[np.argsort(-(f1 if sort == "f1" else support)[shown], kind="stable")]
        ax = self._open(ax, height=1.2 + 0.24 * len(shown))
        rows = np.arange(len(shown))
        ax.barh(rows, f1[shown], color=BLUE, alpha=0.5, height=0.7, label="F1")
        marks = {
            "precision": (self.precision, ">", ORANGE),
            "recall": (self.recall, "o", neutral_color()),
        }
        for name, (values, marker, color) in marks.items():
            values = np.nan_to_num(values)[shown]
            ax.plot(values, rows, marker, color=color, fillstyle="none", label=name, clip_on=False)
        names = [name_of(self.labels[i]) for i in shown]
        ax.set_yticks(rows, names, parse_math=False)
        ax.tick_params(axis="y", length=0, pad=8)
        texts = ax.secondary_yaxis("right")
        texts.set_yticks(rows, [f"{n:,}" for n in support[shown]])
        texts.tick_params(length=0, pad=8)
        texts.set_ylabel("Texts with the label", labelpad=8)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        texts.spines["right"].set_visible(False)
        ax.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6), xlabel="Score")
        draw_legend(ax, ncols=3)
        return self
