"""What another threshold would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sktextcnn.metrics import evaluate
from sktextcnn.plotting.display import (
    BLUE,
    GREEN,
    ORANGE,
    Display,
    check_probabilities,
    draw_legend,
    find_column,
    name_of,
    neutral_color,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sktextcnn.metrics import Evaluation


class ThresholdCurveDisplay(Display):
    """Precision, recall and F1 over the threshold, with the thresholds that were chosen.

    Make one with `from_estimator`, `from_evaluation` or `from_predictions`.

    Parameters
    ----------
    thresholds : ndarray of shape (m,)
        In ascending order.
    precision, recall, f1 : ndarray of shape (m,)
        Scores at each of them; the precision is NaN where nothing is predicted.
    chosen : array-like or None, default=None
        The thresholds that the classifier uses, one or one for each label; NaN where a label has none.
    chosen_f1 : float or None, default=None
        F1 with them.
    label_name : str or None, default=None
        The label they are of. None: all labels together.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What `plot` has drawn on.
    figure_ : matplotlib Figure
        Its figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.plotting import ThresholdCurveDisplay
    >>> truth, probabilities = np.array([[1, 0], [0, 1]]), np.array([[0.7, 0.2], [0.4, 0.6]])
    >>> display = ThresholdCurveDisplay.from_predictions(truth, probabilities)
    >>> float(display.f1.max())
    1.0
    """

    def __init__(
        self,
        thresholds: np.ndarray,
        *,
        precision: np.ndarray,
        recall: np.ndarray,
        f1: np.ndarray,
        chosen: Any = None,
        chosen_f1: float | None = None,
        label_name: str | None = None,
    ) -> None:
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.f1 = f1
        self.chosen = chosen
        self.chosen_f1 = chosen_f1
        self.label_name = label_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, label: Any = None, ax: Axes | None = None
    ) -> ThresholdCurveDisplay:
        """Evaluate a fitted classifier and draw the curves.

        Parameters
        ----------
        estimator : classifier
            Fitted, with `predict_proba`.
        X : sequence of str of length n
            Texts.
        y : labels, label sets or 0/1 matrix of n rows
            Their labels, in any form that `fit` takes.
        label : label or None, default=None
            Of which label; None: of all together, with one threshold for all of them.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        ThresholdCurveDisplay

        Raises
        ------
        ValueError
            As from `sktextcnn.metrics.evaluate`, without probabilities, or if there is no such label.
        ImportError
            If matplotlib is not installed.
        """
        return cls.from_evaluation(evaluate(estimator, X, y), label=label, ax=ax)

    @classmethod
    def from_evaluation(
        cls, evaluation: Evaluation, *, label: Any = None, ax: Axes | None = None
    ) -> ThresholdCurveDisplay:
        """Draw the curves of an evaluation.

        Parameters
        ----------
        evaluation : Evaluation
            From `sktextcnn.metrics.evaluate`.
        label : label or None, default=None
            Of which label; None: of all together, with one threshold for all of them.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        ThresholdCurveDisplay

        Raises
        ------
        ValueError
            If there are no probabilities, or no such label.
        ImportError
            If matplotlib is not installed.
        """
        return cls.from_predictions(
            evaluation.truth,
            check_probabilities(evaluation, cls.__name__),
            thresholds=evaluation.thresholds,
            labels=evaluation.labels,
            label=label,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        truth: Any,
        probabilities: Any,
        *,
        thresholds: Any = None,
        labels: Any = None,
        label: Any = None,
        ax: Axes | None = None,
    ) -> ThresholdCurveDisplay:
        """Draw the curves of given probabilities.

        Parameters
        ----------
        truth : array-like of shape (n, k)
            0/1.
        probabilities : array-like of shape (n, k)
            Of the labels.
        thresholds : array-like of shape (k,) or None, default=None
            Those that are in use, if any.
        labels : sequence of length k or None, default=None
            Names of the columns; None: their numbers.
        label : label or None, default=None
            Of which label; None: of all together, with one threshold for all of them.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        ThresholdCurveDisplay

        Raises
        ------
        ValueError
            If there is no such label.
        ImportError
            If matplotlib is not installed.
        """
        truth, probabilities = np.asarray(truth), np.asarray(probabilities)
        columns: Any = slice(None)
        if label is not None:
            columns = [find_column(label, np.arange(truth.shape[1]) if labels is None else labels)]
        truth, probabilities = truth[:, columns] == 1, probabilities[:, columns]
        grid = np.linspace(0, 1, 401)
        chosen = None if thresholds is None else np.asarray(thresholds)[columns]
        precision, recall, f1 = _score(
            truth.sum(),
            hits=_count_from(np.sort(probabilities[truth]), grid),
            predicted=_count_from(np.sort(probabilities, axis=None), grid),
        )
        chosen_f1 = None
        if chosen is not None:
            predicted = probabilities >= chosen
            chosen_f1 = float(_score(truth.sum(), (predicted & truth).sum(), predicted.sum())[2])
        return cls(
            grid,
            precision=precision,
            recall=recall,
            f1=f1,
            chosen=chosen,
            chosen_f1=chosen_f1,
            label_name=None if label is None else name_of(label),
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> ThresholdCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        ThresholdCurveDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = self._open(ax, height=4)
        curves = {"precision": (self.precision, ORANGE), "recall": (self.recall, GREEN)}
        for name, (values, color) in curves.items():
            ax.plot(self.thresholds, values, color=color, linewidth=1.2, label=name)
        ax.plot(self.thresholds, self.f1, color=BLUE, linewidth=2.2, label="F1")
        if self.chosen is not None and self.chosen_f1 is not None:
            chosen = np.unique(np.asarray(self.chosen)[np.isfinite(self.chosen)])
            if len(chosen) == 1:
                ax.axvline(
                    chosen[0],
                    color=neutral_color(),
                    linestyle="--",
                    label=f"chosen: {chosen[0]:.2f}, F1 {self.chosen_f1:.3f}",
                )
            elif len(chosen):
                name = f"F1 at own thresholds: {self.chosen_f1:.3f}"
                ax.axhline(self.chosen_f1, color=BLUE, linestyle=":", label=name)
                ax.plot(
                    chosen,
                    np.zeros(len(chosen)),
                    "|",
                    color=neutral_color(),
                    markersize=14,
                    label="own thresholds",
                )
        what = (
            "Threshold for all labels" if self.label_name is None else f"Threshold for {self.label_name}"
        )
        ax.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="Score")
        ax.set_xlabel(what, parse_math=False)
        draw_legend(ax)
        return self


def _count_from(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return how many of the sorted values reach each threshold."""
    return len(values) - np.searchsorted(values, thresholds)


def _score(n_true: Any, hits: Any, predicted: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, NaN where nothing is predicted, recall and F1."""
    hits, predicted = np.asarray(hits, float), np.asarray(predicted, float)
    precision = np.divide(hits, predicted, out=np.full_like(hits, np.nan), where=predicted > 0)
    recall = hits / max(n_true, 1)
    return precision, recall, 2 * hits / np.maximum(predicted + n_true, 1)
