"""The pictures of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sktextcnn.metrics import Evaluation
from sktextcnn.plotting import (
    CooccurrenceDisplay,
    LabelScoresDisplay,
    ReliabilityDisplay,
    ThresholdCurveDisplay,
    TrainingHistoryDisplay,
)
from sktextcnn.report.svg import page_style, to_svg

#: Labels in the pictures; the table has all of them.
MOST_BARS, MOST_CELLS = 20, 12

#: Inches. On a narrow page a figure is about as wide as the page, so that its letters stay legible.
WIDTH = 4.6


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes
    ----------
    title : str
        Its heading.
    caption : str
        What to see in it.
    svg : str
        An SVG element.
    """

    title: str
    caption: str
    svg: str


def draw_pictures(estimator: Any, evaluation: Evaluation) -> list[Picture]:
    """Draw what there is to draw of an evaluation.

    Parameters
    ----------
    estimator : classifier
        The one that was evaluated.
    evaluation : Evaluation

    Returns
    -------
    list of Picture
    """
    with page_style():
        return [
            Picture(title, caption, _draw(f"figure{i}", title, height, draw))
            for i, (title, caption, height, draw) in enumerate(_choose(estimator, evaluation))
        ]


def _draw(name: str, title: str, height: float, draw: Callable[[Any], Any]) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    draw(figure.add_subplot())
    return to_svg(figure, name, title)


def _choose(estimator: Any, evaluation: Evaluation) -> Iterator[tuple[str, str, float, Callable]]:
    """Yield title, caption, height and a function that draws, of each picture that tells something."""
    n_labels = len(evaluation.labels)
    most = f" The {MOST_BARS} labels with the most texts." if n_labels > MOST_BARS else ""
    yield (
        "Scores of the labels",
        f"F1 as bars, with precision and recall; on the right the number of texts.{most}",
        1 + 0.22 * min(n_labels, MOST_BARS),
        lambda ax: LabelScoresDisplay.from_evaluation(evaluation, max_labels=MOST_BARS, ax=ax),
    )
    if evaluation.probabilities is not None:
        if evaluation.thresholds is not None:
            yield (
                "Threshold",
                "What one threshold for all labels would give on these texts, beside those in use.",
                3.2,
                lambda ax: ThresholdCurveDisplay.from_evaluation(evaluation, ax=ax),
            )
        yield (
            "Reliability",
            "Predicted probabilities beside the share of labels that are right. On the diagonal they "
            "can be taken at their word.",
            4.2,
            lambda ax: ReliabilityDisplay.from_evaluation(evaluation, ax=ax),
        )
    if evaluation.multilabel and n_labels > 1:
        most = f" The {MOST_CELLS} labels with the most texts." if n_labels > MOST_CELLS else ""
        yield (
            "Labels that come together",
            f"Of the texts with the row's label, how many in 100 carry the column's label, too.{most}",
            4.2,
            lambda ax: CooccurrenceDisplay.from_evaluation(evaluation, max_labels=MOST_CELLS, ax=ax),
        )
    if len(getattr(estimator, "history_", {}).get("loss", [])) > 1:
        yield (
            "Training",
            "Mean loss of a training text, and score on held-out texts, epoch by epoch.",
            3.2,
            lambda ax: TrainingHistoryDisplay.from_estimator(estimator, ax=ax),
        )
