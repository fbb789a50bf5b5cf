"""Displays: the numbers that they show, and what they draw of them."""

from __future__ import annotations

import sys
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import precision_recall_fscore_support

from sktextcnn import as_label_matrix
from sktextcnn.model_selection import LinearBaseline
from tests import strategies
from tests.evaluations import evaluation_of, random_evaluation
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, matrix_of, tiny

plt = pytest.importorskip("matplotlib.pyplot", reason="the extra plot is not installed")
plt.switch_backend("agg")

from sktextcnn.plotting import (  # noqa: E402
    CooccurrenceDisplay,
    LabelScoresDisplay,
    LearningCurveDisplay,
    ReliabilityDisplay,
    ThresholdCurveDisplay,
    TrainingHistoryDisplay,
)
from sktextcnn.plotting.display import LONGEST_NAME, name_of  # noqa: E402

OF_EVALUATIONS = [LabelScoresDisplay, ThresholdCurveDisplay, ReliabilityDisplay, CooccurrenceDisplay]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def tick_labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def without_drawing(display):
    """Property tests look at the numbers: a figure takes a tenth of a second."""
    return mock.patch.object(display, "plot", lambda self, ax: self)


# -- what all have in common -----------------------------------------------------------------------


@pytest.mark.parametrize("display", OF_EVALUATIONS)
def test_a_display_draws_where_it_is_told_and_as_often_as_one_likes(display):
    _, (first, second) = plt.subplots(1, 2)
    drawn = display.from_evaluation(random_evaluation(), ax=first)
    assert drawn.ax_ is first
    assert drawn.figure_ is first.figure
    assert drawn.plot(second) is drawn
    assert drawn.ax_ is second
    assert drawn.plot().figure_ is not first.figure


@pytest.mark.parametrize("display", OF_EVALUATIONS[:3])
def test_from_estimator_is_from_evaluation_of_what_it_predicts(display):
    from sktextcnn.metrics import evaluate

    clf = tiny().fit(TEXTS, TAGS)
    drawn = display.from_estimator(clf, TEXTS, TAGS)
    other = display.from_evaluation(evaluate(clf, TEXTS, TAGS))
    for name, value in vars(other).items():
        if not name.endswith("_") and isinstance(value, np.ndarray):
            assert np.array_equal(getattr(drawn, name), value, equal_nan=True), name


@pytest.mark.parametrize("display", [*OF_EVALUATIONS, TrainingHistoryDisplay])
def test_without_matplotlib_the_message_names_the_extra(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    is_history = display is TrainingHistoryDisplay
    make = display.from_estimator if is_history else display.from_evaluation
    given = tiny().fit(TEXTS, TAGS) if is_history else random_evaluation()
    with pytest.raises(ImportError, match=rf"{display.__name__} draws with .*sktextcnn\[plot\]"):
        make(given)


@pytest.mark.parametrize("display", [ThresholdCurveDisplay, ReliabilityDisplay])
def test_displays_of_probabilities_say_that_they_need_some(display):
    with pytest.raises(ValueError, match=f"{display.__name__} needs probabilities"):
        display.from_evaluation(random_evaluation(probabilities=None))


@pytest.mark.parametrize("display", [ThresholdCurveDisplay, ReliabilityDisplay])
def test_displays_of_one_label_refuse_another(display):
    with pytest.raises(ValueError, match="label='x'; expected one of '0', '1', '2', '3', '4'"):
        display.from_evaluation(random_evaluation(), label="x")
    drawn = display.from_evaluation(random_evaluation(labels="abcde"), label="b")
    assert drawn.label_name == "b"


@given(strategies.texts())
def test_names_are_short_lines_of_printable_characters(label):
    name = name_of(label)
    assert 1 <= len(name) <= LONGEST_NAME + 20  # a short name of blanks is written with escapes
    assert name.isprintable()


@pytest.mark.parametrize("display", OF_EVALUATIONS)
def test_labels_that_look_like_formulas_are_drawn_as_they_are(display, tmp_path):
    labels = ["$", "$x_1$", r"\alpha", "a$b$", "_c_"]
    options = {"label": "$x_1$"} if display in OF_EVALUATIONS[1:3] else {}
    drawn = display.from_evaluation(random_evaluation(labels=labels), **options)
    with plt.rc_context({"svg.fonttype": "none"}):
        drawn.figure_.savefig(tmp_path / "figure.svg")
    assert "$x_1$" in (tmp_path / "figure.svg").read_text("utf-8")


# -- training history ------------------------------------------------------------------------------


def test_history_marks_the_epoch_that_was_kept():
    clf = tiny(validation=0.25, epochs=4).fit(TEXTS, TAGS)
    drawn = TrainingHistoryDisplay.from_estimator(clf)
    assert drawn.loss.tolist() == clf.history_["loss"]
    assert drawn.validation_score.tolist() == clf.history_["validation_score"]
    assert f"chosen epoch: {clf.n_epochs_}" in legend_of(drawn.score_ax_)
    assert drawn.score_ax_.get_ylabel() == "Held-out f1_micro"


@pytest.mark.parametrize(("metric", "name"), [("f1_micro", "accuracy"), ("f1_macro", "f1_macro")])
def test_history_of_one_label_per_text_names_what_the_score_is(metric, name):
    clf = tiny(validation=0.25, metric=metric).fit(TEXTS, TOPICS)
    drawn = TrainingHistoryDisplay.from_estimator(clf)
    assert drawn.score_ax_.get_ylabel() == f"Held-out {name}"


def test_history_without_held_out_texts_shows_the_loss_alone():
    drawn = TrainingHistoryDisplay.from_estimator(tiny().fit(TEXTS, TAGS))
    assert drawn.score_ax_ is None
    assert legend_of(drawn.ax_) == ["training loss"]


def test_history_of_a_model_that_went_on_learning_marks_no_epoch():
    clf = tiny(validation=0.25, warm_start=True).fit(TEXTS, TAGS).fit(TEXTS, TAGS)
    drawn = TrainingHistoryDisplay.from_estimator(clf)
    assert len(drawn.loss) == len(clf.history_["loss"]) > 2
    assert drawn.best_epoch is None


# -- scores of the labels --------------------------------------------------------------------------


def test_label_scores_are_sorted_and_named_with_their_support():
    truth = [[1, 1, 0], [1, 0, 0], [1, 0, 1]]
    predicted = [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    evaluation = evaluation_of(truth, predicted, labels=["many", "good", "bad"])
    drawn = LabelScoresDisplay.from_evaluation(evaluation)
    assert tick_labels(drawn.ax_.yaxis) == ["good", "many", "bad"]
    assert [bar.get_width() for bar in drawn.ax_.patches] == [1.0, 0.5, 0.0]
    assert tick_labels(drawn.ax_.child_axes[0].yaxis) == ["1", "3", "1"]
    assert tick_labels(drawn.plot(sort="support").ax_.yaxis) == ["many", "good", "bad"]
    assert tick_labels(drawn.plot(sort="none", max_labels=2).ax_.yaxis) == ["many", "good"]
    with pytest.raises(ValueError, match="sort='name'; expected 'f1'"):
        drawn.plot(sort="name")


def test_label_scores_of_a_hundred_labels_do_not_overlap():
    drawn = LabelScoresDisplay.from_evaluation(random_evaluation(n=40, k=100))
    drawn.figure_.draw_without_rendering()
    boxes = [text.get_window_extent() for text in drawn.ax_.get_yticklabels()]
    assert len(boxes) == 100
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))


# -- thresholds ------------------------------------------------------------------------------------


@given(strategies.scores())
def test_threshold_curve_is_what_scikit_learn_computes(probabilities):
    truth = (np.arange(probabilities.size).reshape(probabilities.shape) % 3 == 0).astype(int)
    with without_drawing(ThresholdCurveDisplay):
        drawn = ThresholdCurveDisplay.from_predictions(truth, probabilities)
    for i in (0, 37, 200, 361, 400):
        predicted = probabilities >= drawn.thresholds[i]
        expected = precision_recall_fscore_support(
            np.pad(truth, ((0, 0), (0, 1))),
            np.pad(predicted, ((0, 0), (0, 1))),
            average="micro",
            zero_division=np.nan,
        )[:2]
        found = drawn.precision[i], drawn.recall[i]
        assert found == pytest.approx(expected, nan_ok=True)


def test_threshold_curve_marks_the_thresholds_in_use():
    evaluation = random_evaluation()
    drawn = ThresholdCurveDisplay.from_evaluation(evaluation)
    assert drawn.chosen_f1 == pytest.approx(evaluation.scores["f1_micro"])
    assert f"F1 at own thresholds: {drawn.chosen_f1:.3f}" in legend_of(drawn.ax_)
    drawn = ThresholdCurveDisplay.from_evaluation(evaluation, label="0")
    assert drawn.chosen_f1 == pytest.approx(evaluation.f1[0])
    assert legend_of(drawn.ax_)[-1] == f"chosen: 0.40, F1 {evaluation.f1[0]:.3f}"


@pytest.mark.parametrize("thresholds", [None, [np.nan] * 5])
def test_threshold_curve_without_thresholds_marks_none(thresholds):
    drawn = ThresholdCurveDisplay.from_evaluation(random_evaluation(thresholds=thresholds))
    assert legend_of(drawn.ax_) == ["precision", "recall", "F1"]


# -- reliability -----------------------------------------------------------------------------------


@given(strategies.scores())
def test_reliability_counts_every_label_of_every_text(probabilities):
    truth = (probabilities > 0.5).astype(int)
    with without_drawing(ReliabilityDisplay):
        drawn = ReliabilityDisplay.from_predictions(truth, probabilities, n_bins=4)
    assert drawn.counts.sum() == probabilities.size
    assert np.dot(drawn.counts, drawn.observed) == pytest.approx(truth.sum())
    assert np.dot(drawn.counts, drawn.predicted) == pytest.approx(probabilities.sum())
    assert 0 <= drawn.expected_calibration_error <= 1


def test_reliability_of_one_label_and_of_wrong_bins():
    evaluation = random_evaluation()
    drawn = ReliabilityDisplay.from_evaluation(evaluation, label="1", n_bins=1)
    assert drawn.counts.tolist() == [60]
    assert drawn.observed == pytest.approx(evaluation.truth[:, 1].mean())
    with pytest.raises(ValueError, match="n_bins=0; expected an int of at least 1"):
        ReliabilityDisplay.from_evaluation(evaluation, n_bins=0)


# -- co-occurrence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [TAGS, matrix_of(), as_label_matrix(TAGS)], ids=["sets", "0/1", "named"])
def test_cooccurrence_counts_texts_with_both_labels(y):
    drawn = CooccurrenceDisplay.from_labels(y, classes=LABELS)
    assert drawn.counts.tolist() == (matrix_of().T @ matrix_of()).tolist()
    assert drawn.shares[0] == pytest.approx([1, 0, 0.25])
    assert tick_labels(drawn.ax_.yaxis) == ["sport", "news", "food"]


def test_cooccurrence_of_predicted_labels_and_of_labels_without_texts():
    evaluation = evaluation_of([[1, 0], [1, 0]], [[1, 1], [0, 1]], labels="ab")
    assert np.isnan(CooccurrenceDisplay.from_evaluation(evaluation).shares[1]).all()
    drawn = CooccurrenceDisplay.from_evaluation(evaluation, predicted=True, max_labels=1)
    assert drawn.shares.tolist() == [[1, 1], [0.5, 1]]
    assert tick_labels(drawn.ax_.xaxis) == ["b"]


# -- learning curve --------------------------------------------------------------------------------


@pytest.mark.parametrize(("y", "measure"), [(TAGS, "f1_micro"), (TOPICS, "accuracy")])
def test_learning_curve_measures_both_models_at_every_size(y, measure):
    drawn = LearningCurveDisplay.from_estimator(
        tiny(), TEXTS, y, baseline=tiny(filters=2), train_sizes=[8, 6], n_splits=2
    )
    assert [*drawn.scores] == ["TextCNNClassifier", "TextCNNClassifier (baseline)"]
    assert legend_of(drawn.ax_) == [*drawn.scores]
    assert drawn.train_sizes == [6, 8]
    assert all(scores.shape == (2, 2) for scores in drawn.scores.values())
    assert drawn.score_name == measure


def test_learning_curve_has_the_linear_model_beside_it():
    drawn = LearningCurveDisplay.from_estimator(
        tiny(), TEXTS * 3, TAGS * 3, n_splits=1, train_sizes=[24]
    )
    assert [*drawn.scores] == ["TextCNNClassifier", "LinearBaseline"]
    alone = LearningCurveDisplay.from_estimator(tiny(), TEXTS, TAGS, n_splits=1, baseline=None)
    assert [*alone.scores] == ["TextCNNClassifier"]
    assert alone.train_sizes == [1, 2, 4, 9]


def test_learning_curve_holds_out_no_label_altogether():
    learned = []

    class Noting(LinearBaseline):
        def fit(self, X, y):
            learned.append({label for labels in y for label in labels})
            return super().fit(X, y)

    tags = [["rare"], *TAGS[1:]]
    LearningCurveDisplay.from_estimator(
        Noting(min_df=1, threshold=0.0), TEXTS, tags, baseline=None, train_sizes=[9], n_splits=8
    )
    assert all("rare" in labels for labels in learned)


def test_learning_curve_refuses_sizes_and_measures_that_there_are_not():
    curve = LearningCurveDisplay.from_estimator
    with pytest.raises(ValueError, match=r"train_sizes=\[0\]; expected numbers of texts from 1 to 9"):
        curve(tiny(), TEXTS, TAGS, train_sizes=[0])
    with pytest.raises(ValueError, match="metric='f2'; expected one of f1_micro"):
        curve(tiny(), TEXTS, TAGS, train_sizes=[9], metric="f2", baseline=None)
