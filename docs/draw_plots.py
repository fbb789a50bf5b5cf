"""Draw the pictures of plots_and_report.rst: python docs/draw_plots.py.

They are put into the page as they are, in the colors of the theme, light or dark.
"""

from pathlib import Path

from matplotlib.figure import Figure

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags
from sktextcnn.metrics import evaluate
from sktextcnn.plotting import (
    CooccurrenceDisplay,
    LabelScoresDisplay,
    LearningCurveDisplay,
    ReliabilityDisplay,
    ThresholdCurveDisplay,
    TrainingHistoryDisplay,
)
from sktextcnn.report.svg import page_style, to_svg

FOLDER = Path(__file__).parent / "_pictures"


def draw(clf, evaluation, label, Y, curve):
    """Yield the name of each picture, and the picture."""
    pictures = {
        "training_history": (
            (4.8, 3.2),
            "Loss and held-out score of each epoch.",
            lambda ax: TrainingHistoryDisplay.from_estimator(clf, ax=ax),
        ),
        "label_scores": (
            (4.8, 3.6),
            "F1, precision and recall of twelve labels.",
            lambda ax: LabelScoresDisplay.from_evaluation(evaluation, ax=ax),
        ),
        "threshold_curve": (
            (4.8, 3.2),
            "Precision, recall and F1 of a label over the threshold.",
            lambda ax: ThresholdCurveDisplay.from_evaluation(evaluation, label=label, ax=ax),
        ),
        "reliability": (
            (4.4, 4.2),
            "Predicted probabilities beside the share of labels that are right.",
            lambda ax: ReliabilityDisplay.from_evaluation(evaluation, ax=ax),
        ),
        "cooccurrence": (
            (4.8, 4.4),
            "Which of twelve labels come together.",
            lambda ax: CooccurrenceDisplay.from_labels(Y, ax=ax),
        ),
        "learning_curve": ((4.8, 3.2), "Micro-F1 over the number of training texts.", curve.plot),
    }
    for name, (size, description, plot) in pictures.items():
        with page_style():
            figure = Figure(figsize=size, layout="constrained")
            plot(figure.add_subplot())
            svg = to_svg(figure, name, description)
        style = f"width: 100%; max-width: {120 * size[0]:.0f}px; height: auto; fill: currentColor"
        yield f"{name}.svg", svg.replace("<svg ", f'<svg style="{style}" ', 1) + "\n"


def main():
    texts, Y = load_news_tags(return_X_y=True)
    clf = TextCNNClassifier(random_state=0).fit(texts[:540], Y[:540])
    evaluation = evaluate(clf, texts[540:], Y[540:])
    curve = LearningCurveDisplay.from_estimator(TextCNNClassifier(random_state=0), texts, Y)
    for name, svg in draw(clf, evaluation, "Environment", Y, curve):
        (FOLDER / name).write_text(svg, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
