"""Whether probabilities can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sktextcnn.metrics import evaluate
from sktextcnn.plotting.display import (
    BLUE,
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

#: Half the width, in standard deviations, of an interval that holds 95 in 100.
WIDTH_95 = 1.96


class ReliabilityDisplay(Display):
    """Predicted probabilities beside the share of labels that are right: a calibration curve.

    Probabilities are sorted into bins. On the diagonal, of the labels that were given 0.7, say, seven in
    ten are right. Make one with `from_estimator`, `from_evaluation` or `from_predictions`.

    Parameters
    ----------
    predicted : ndarray of shape (m,)
        Mean probability in each bin that is not empty.
    observed : ndarray of shape (m,)
        Share of the labels in it that are right.
    counts : ndarray of shape (m,)
        How many labels of texts are in it.
    label_name : str or None, default=None
        The label they are of. None: all labels together.

    Attributes
    ----------
    expected_calibration_error : float
        Mean distance of the two over the labels of texts.
    ax_ : matplotlib Axes
        What `plot` has drawn on.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : The same for two classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.plotting import ReliabilityDisplay
    >>> truth, probabilities = np.array([[1, 0], [1, 1]]), np.array([[0.75, 0.25], [0.75, 0.75]])
    >>> display = ReliabilityDisplay.from_predictions(truth, probabilities)
    >>> display.expected_calibration_error, display.counts.tolist()
    (0.25, [1, 3])
    """

    def __init__(
        self,
        predicted: np.ndarray,
        observed: np.ndarray,
        counts: np.ndarray,
        *,
        label_name: str | None = None,
    ) -> None:
        self.predicted = predicted
        self.observed = observed
        self.counts = counts
        self.label_name = label_name

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of predicted and observed shares over the labels of texts."""
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.counts))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        label: Any = None,
        n_bins: int = 10,
        ax: Axes | None = None,
    ) -> ReliabilityDisplay:
        """Evaluate a fitted classifier and draw the curve.

        Parameters
        ----------
        estimator : classifier
            Fitted, with `predict_proba`.
        X : sequence of str of length n
            Texts.
        y : labels, label sets or 0/1 matrix of n rows
            Their labels, in any form that `fit` takes.
        label : label or None, default=None
            Of which label; None: of all together.
        n_bins : int, default=10
            Bins of the same width.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            As from `sktextcnn.metrics.evaluate`, without probabilities, or if there is no such label.
        ImportError
            If matplotlib is not installed.
        """
        return cls.from_evaluation(evaluate(estimator, X, y), label=label, n_bins=n_bins, ax=ax)

    @classmethod
    def from_evaluation(
        cls, evaluation: Evaluation, *, label: Any = None, n_bins: int = 10, ax: Axes | None = None
    ) -> ReliabilityDisplay:
        """Draw the curve of an evaluation.

        Parameters
        ----------
        evaluation : Evaluation
            From `sktextcnn.metrics.evaluate`.
        label : label or None, default=None
            Of which label; None: of all together.
        n_bins : int, default=10
            Bins of the same width.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        ReliabilityDisplay

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
            labels=evaluation.labels,
            label=label,
            n_bins=n_bins,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        truth: Any,
        probabilities: Any,
        *,
        labels: Any = None,
        label: Any = None,
        n_bins: int = 10,
        ax: Axes | None = None,
    ) -> ReliabilityDisplay:
        """Draw the curve of given probabilities.

        Parameters
        ----------
        truth : array-like of shape (n, k)
            0/1.
        probabilities : array-like of shape (n, k)
            Of the labels.
        labels : sequence of length k or None, default=None
            Names of the columns; None: their numbers.
        label : label or None, default=None
            Of which label; None: of all together.
        n_bins : int, default=10
            Bins of the same width.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            If there is no such label, or `n_bins` is less than 1.
        ImportError
            If matplotlib is not installed.
        """
        if n_bins < 1:
            raise ValueError(f"n_bins={n_bins}; expected an int of at least 1.")
        truth, probabilities = np.asarray(truth), np.asarray(probabilities, float)
        if label is not None:
            column = find_column(label, np.arange(truth.shape[1]) if labels is None else labels)
            truth, probabilities = truth[:, column], probabilities[:, column]
        bins = np.minimum((probabilities * n_bins).astype(int), n_bins - 1).ravel()
        counts = np.bincount(bins, minlength=n_bins)
        sums = [np.bincount(bins, values.ravel(), n_bins) for values in (probabilities, truth)]
        filled = counts > 0
        predicted, observed = (total[filled] / counts[filled] for total in sums)
        name = None if label is None else name_of(label)
        return cls(predicted, observed, counts[filled], label_name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> ReliabilityDisplay:
        """Draw the curve, with intervals that would hold the true shares in 95 of 100 bins.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = self._open(ax, width=5, height=5)
        ax.plot([0, 1], [0, 1], color=neutral_color(), linestyle="--", linewidth=1, label="ideal")
        lower, upper = _wilson_interval(self.observed, self.counts)
        ax.vlines(self.predicted, lower, upper, color=BLUE, alpha=0.6, label="95 % interval")
        name = "all labels" if self.label_name is None else self.label_name
        ax.plot(self.predicted, self.observed, color=BLUE, marker="o", markersize=5, label=name)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        ax.set(xlabel="Predicted probability", ylabel="Share of the labels that are right")
        error = f"expected calibration error {self.expected_calibration_error:.3f}"
        draw_legend(ax, ncols=3, title=error)
        return self


def _wilson_interval(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of Wilson's score interval of shares among n."""
    square = WIDTH_95**2 / n
    middle = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return middle - half, middle + half
