"""Which labels come together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sktextcnn.labels.parsing import read_labels
from sktextcnn.plotting.display import BLUE, Display, name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sktextcnn.metrics import Evaluation

#: Up to so many labels the numbers are written into the cells.
FEW_LABELS = 14

#: Colors from no text to the largest share. A bar of 50 would be drawn as pixels.
N_LEVELS = 40


class CooccurrenceDisplay(Display):
    """Of the texts with one label, how many carry another one, too.

    Make one with `from_labels` or `from_evaluation`.

    Parameters
    ----------
    labels : sequence of length k
        Names.
    counts : ndarray of shape (k, k)
        Texts that carry both labels; on the diagonal those that carry the label.

    Attributes
    ----------
    shares : ndarray of shape (k, k)
        Share of the texts with the row's label that carry the column's label. NaN for labels that no
        text carries.
    ax_ : matplotlib Axes
        What `plot` has drawn on.
    figure_ : matplotlib Figure
        Its figure.

    Examples
    --------
    >>> from sktextcnn.plotting import CooccurrenceDisplay
    >>> display = CooccurrenceDisplay.from_labels([["Child", "Reporter"], ["Reporter"]])
    >>> display.shares.tolist()
    [[1.0, 1.0], [0.5, 1.0]]
    """

    def __init__(self, labels: Any, counts: np.ndarray) -> None:
        self.labels = labels
        self.counts = counts

    @property
    def shares(self) -> np.ndarray:
        """Share of the texts with the row's label that carry the column's label."""
        support = np.diag(self.counts)[:, None]
        nan = np.full(self.counts.shape, np.nan)
        return np.divide(self.counts, support, out=nan, where=support > 0)

    @classmethod
    def from_labels(
        cls, y: Any, *, classes: Any = None, max_labels: int = 30, ax: Axes | None = None
    ) -> CooccurrenceDisplay:
        """Draw which labels of y come together.

        Parameters
        ----------
        y : label sets or 0/1 matrix of n rows
            In any form that `fit` takes.
        classes : sequence or None, default=None
            Labels, see `sktextcnn.as_label_matrix`.
        max_labels : int, default=30
            Draw so many labels at most, those with the most texts.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        CooccurrenceDisplay

        Raises
        ------
        TypeError, ValueError
            If `y` has none of these forms.
        ImportError
            If matplotlib is not installed.
        """
        given = read_labels(y, classes)
        matrix = given.matrix.astype(np.int64)
        return cls(given.classes, (matrix.T @ matrix).toarray()).plot(ax, max_labels=max_labels)

    @classmethod
    def from_evaluation(
        cls,
        evaluation: Evaluation,
        *,
        predicted: bool = False,
        max_labels: int = 30,
        ax: Axes | None = None,
    ) -> CooccurrenceDisplay:
        """Draw which labels come together in an evaluation.

        Parameters
        ----------
        evaluation : Evaluation
            From `sktextcnn.metrics.evaluate`.
        predicted : bool, default=False
            Of the labels that were predicted, rather than of the true ones.
        max_labels : int, default=30
            Draw so many labels at most, those with the most texts.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        CooccurrenceDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        matrix = np.asarray(evaluation.predicted if predicted else evaluation.truth, np.int64)
        return cls(evaluation.labels, matrix.T @ matrix).plot(ax, max_labels=max_labels)

    def plot(self, ax: Axes | None = None, *, max_labels: int = 30) -> CooccurrenceDisplay:
        """Draw the shares as a table of colors.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure, which is the larger, the more labels there are.
        max_labels : int, default=30
            Draw so many labels at most, those with the most texts.

        Returns
        -------
        CooccurrenceDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        shown = np.argsort(-np.diag(self.counts), kind="stable")[:max_labels]
        side = 2.4 + 0.3 * len(shown)
        ax = self._open(ax, width=side + 0.6, height=side)
        from matplotlib.colors import LinearSegmentedColormap, to_rgb
        from matplotlib.ticker import PercentFormatter

        # From nothing to full, rather than from white: it fits any ground.
        faint, full = (*to_rgb(BLUE), 0), (*to_rgb(BLUE), 1)
        colors = LinearSegmentedColormap.from_list("share", [faint, full], N=N_LEVELS)
        shares = self.shares[np.ix_(shown, shown)]
        np.fill_diagonal(shares, np.nan)
        shares = np.nan_to_num(shares)
        mesh = ax.pcolormesh(shares, cmap=colors, vmin=0, vmax=shares.max() or 1)
        names, middles = [name_of(self.labels[i]) for i in shown], np.arange(len(shown)) + 0.5
        ax.set_xticks(middles, names, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
        ax.set_yticks(middles, names, parse_math=False)
        ax.tick_params(length=0)
        ax.set(
            ylim=(len(shown), 0), xlabel="... that carry this one, too", ylabel="Of the texts with ..."
        )
        if len(shown) <= FEW_LABELS:
            for row, column in zip(*np.nonzero(shares >= 0.005), strict=True):
                place = column + 0.5, row + 0.5
                percent = f"{100 * shares[row, column]:.0f}"
                ax.annotate(percent, place, ha="center", va="center", fontsize="small")
        bar = self.figure_.colorbar(mesh, ax=ax, shrink=0.6)
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1))
        return self
