"""How training went, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktextcnn.plotting.display import BLUE, ORANGE, Display, draw_legend, neutral_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TrainingHistoryDisplay(Display):
    """Loss and held-out score of each epoch, and the epoch whose weights were kept.

    Make one with `from_estimator`.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Mean loss of a training text.
    validation_score : array-like of shape (n_epochs,) or None, default=None
        Score of the network on held-out texts; NaN where none was taken.
    best_epoch : int or None, default=None
        The epoch that was kept, counted from 1.
    final_score : float or None, default=None
        Score on held-out texts of all parts of the model together.
    score_name : str, default="score"
        What the scores measure.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the loss.
    score_ax_ : matplotlib Axes or None
        Those with the score, over the same epochs.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> from sktextcnn.datasets import load_news_tags
    >>> from sktextcnn import TextCNNClassifier
    >>> from sktextcnn.plotting import TrainingHistoryDisplay
    >>> texts, Y = load_news_tags(return_X_y=True)
    >>> clf = TextCNNClassifier(epochs=3, random_state=0).fit(texts[:100], Y[:100])
    >>> display = TrainingHistoryDisplay.from_estimator(clf)  # doctest: +SKIP
    """

    score_ax_: Axes | None

    def __init__(
        self,
        loss: Any,
        validation_score: Any = None,
        *,
        best_epoch: int | None = None,
        final_score: float | None = None,
        score_name: str = "score",
    ) -> None:
        self.loss = loss
        self.validation_score = validation_score
        self.best_epoch = best_epoch
        self.final_score = final_score
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> TrainingHistoryDisplay:
        """Draw the history of a fitted classifier.

        No epoch is marked where none was chosen: without early stopping, and in a model that went on
        learning (`warm_start`, `partial_fit`), whose history holds epochs that were dropped in between.

        Parameters
        ----------
        estimator : TextCNNClassifier
            Fitted.
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        check_is_fitted(estimator, "history_")
        scores = np.asarray(estimator.history_.get("validation_score", []), float)
        was_judged = bool(np.isfinite(scores).any())
        score = float(estimator.validation_score_)
        return cls(
            np.asarray(estimator.history_["loss"], float),
            scores if was_judged else None,
            best_epoch=(
                estimator.n_epochs_
                if was_judged and not hasattr(estimator, "optimizer_state_")
                else None
            ),
            final_score=score if was_judged and np.isfinite(score) else None,
            score_name=_name_score(estimator),
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> TrainingHistoryDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None: into a new figure.

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = self._open(ax, height=4)
        from matplotlib.ticker import MaxNLocator

        self.score_ax_ = None
        epochs = np.arange(1, len(self.loss) + 1)
        lines = ax.plot(epochs, self.loss, color=ORANGE, marker="o", markersize=3, label="training loss")
        ax.set(xlabel="Epoch", ylabel="Mean loss of a training text", ylim=(0, None))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if self.validation_score is not None:
            right = self.score_ax_ = ax.twinx()
            lines += right.plot(
                epochs,
                self.validation_score,
                color=BLUE,
                marker="o",
                markersize=3,
                label="held-out score, network",
            )
            if self.final_score is not None:
                name = f"whole model: {self.final_score:.3f}"
                lines += [right.axhline(self.final_score, color=BLUE, linestyle=":", label=name)]
            right.set(ylabel=f"Held-out {self.score_name}")
        if self.best_epoch is not None:
            name = f"chosen epoch: {self.best_epoch}"
            lines += [ax.axvline(self.best_epoch, color=neutral_color(), linestyle="--", label=name)]
        draw_legend(self.score_ax_ or ax, handles=lines)
        return self


def _name_score(estimator: Any) -> str:
    """Return what the held-out scores measure: of one label per text, micro-F1 is the accuracy."""
    if not estimator.multilabel_ and estimator.metric == "f1_micro":
        return "accuracy"
    return getattr(estimator.metric, "__name__", str(estimator.metric))
