"""What more texts would bring, beside a linear model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from sktextcnn.metrics import evaluate
from sktextcnn.model_selection import LinearBaseline, MultilabelStratifiedShuffleSplit
from sktextcnn.plotting.display import BLUE, GREEN, ORANGE, Display, draw_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LearningCurveDisplay(Display):
    """Score on texts that were held out, over the number of texts that were learned from.

    Make one with `from_estimator`.

    Parameters
    ----------
    train_sizes : array-like of shape (m,)
        Numbers of training texts.
    scores : mapping of str to ndarray of shape (m, n_splits)
        Name of a model -> its scores.
    score_name : str
        What they measure.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What `plot` has drawn on.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : For one model, of any kind.
    """

    def __init__(self, train_sizes: Any, scores: Mapping[str, np.ndarray], *, score_name: str) -> None:
        self.train_sizes = train_sizes
        self.scores = scores
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        baseline: Any = "linear",
        train_sizes: Sequence[int] | None = None,
        metric: str | None = None,
        n_splits: int = 3,
        test_size: float | int = 0.25,
        random_state: Any = 0,
        ax: Axes | None = None,
    ) -> LearningCurveDisplay:
        """Fit a classifier, and a linear model beside it, on more and more texts.

        Both learn from the same texts and are measured on the same ones. The texts of a smaller size are
        among those of a larger one. Labels that no text carried yet count as misses.

        Parameters
        ----------
        estimator : classifier
            A clone of it is fitted for each size and split.
        X : sequence of str of length n
            Texts.
        y : labels, label sets or 0/1 matrix of n rows
            Their labels, in any form that `fit` takes.
        baseline : estimator, "linear" or None, default="linear"
            Fitted beside it: "linear" is `sktextcnn.model_selection.LinearBaseline`; None: nothing.
        train_sizes : sequence of int or None, default=None
            Numbers of training texts; None: all that are not held out, and the half of them, a quarter,
            an eighth and a sixteenth.
        metric : str or None, default=None
            One of the `scores` of an `sktextcnn.metrics.Evaluation`; None: the first of them, micro-F1
            or, for one label per text, accuracy.
        n_splits : int, default=3
            How often texts are drawn, see `sktextcnn.model_selection.MultilabelStratifiedShuffleSplit`.
        test_size : float or int, default=0.25
            Share (float) or number (int) of the texts that are held out each time.
        random_state : int, RandomState instance or None, default=0
            Seed of the draws.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        LearningCurveDisplay

        Raises
        ------
        ValueError
            If a size is less than 1 or more than there are texts, if there is no such metric, or as
            from `fit`.
        ImportError
            If matplotlib is not installed.
        """
        models = {type(estimator).__name__: estimator}
        if baseline is not None:
            other = LinearBaseline() if isinstance(baseline, str) else baseline
            name = type(other).__name__
            models[name + " (baseline)" * (name in models)] = other
        splitter = MultilabelStratifiedShuffleSplit(
            n_splits, test_size=test_size, random_state=random_state
        )
        splits = [*splitter.split(X, y)]
        sizes = _check_sizes(train_sizes, min(len(train) for train, _ in splits))
        scores = {name: np.empty((len(sizes), n_splits)) for name in models}
        for split, (train, test) in enumerate(splits):
            X_test, y_test = _safe_indexing(X, test), _safe_indexing(y, test)
            for i, size in enumerate(sizes):
                X_train, y_train = (_safe_indexing(given, train[:size]) for given in (X, y))
                for name, model in models.items():
                    fitted = clone(model).fit(X_train, y_train)
                    found = evaluate(fitted, X_test, y_test).scores
                    metric = metric or next(iter(found))
                    if metric not in found:
                        raise ValueError(f"metric={metric!r}; expected one of {', '.join(found)}.")
                    scores[name][i, split] = found[metric]
        return cls(sizes, scores, score_name=str(metric)).plot(ax)

    def plot(self, ax: Axes | None = None) -> LearningCurveDisplay:
        """Draw the means over the splits, and the ranges.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        LearningCurveDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = self._open(ax, height=4)
        styles = [(BLUE, "-"), (ORANGE, "--"), (GREEN, ":")]
        for i, (name, scores) in enumerate(self.scores.items()):
            color, line = styles[i % len(styles)]
            lowest, highest = np.min(scores, axis=1), np.max(scores, axis=1)
            ax.fill_between(self.train_sizes, lowest, highest, color=color, alpha=0.2, linewidth=0)
            ax.plot(self.train_sizes, np.mean(scores, axis=1), line, color=color, marker="o", label=name)
        ax.set_xscale("log")
        ax.set_xticks(self.train_sizes, [f"{size:,}" for size in self.train_sizes])
        ax.minorticks_off()
        ax.set(xlabel="Training texts", ylabel=f"{self.score_name} on other texts")
        draw_legend(ax)
        return self


def _check_sizes(train_sizes: Sequence[int] | None, n: int) -> list[int]:
    if train_sizes is None:
        return sorted({size for size in (n // 16, n // 8, n // 4, n // 2, n) if size})
    sizes = sorted(train_sizes)
    if not sizes or sizes[0] < 1 or sizes[-1] > n:
        raise ValueError(
            f"train_sizes={train_sizes!r}; expected numbers of texts from 1 to {n}, which is what a "
            "split leaves for training."
        )
    return sizes
