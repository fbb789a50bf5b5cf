"""`evaluate`: what it finds, for which classifiers and forms of y, and how it is shown."""

import json
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_recall_fscore_support
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from sktextcnn import as_label_matrix
from sktextcnn.metrics import Evaluation, evaluate
from tests.examples import IS_SPORT, LABELS, TAGS, TEXTS, TOPICS, eager, matrix_of, tiny

MATRIX = as_label_matrix(TAGS)


@pytest.fixture(scope="module")
def fitted():
    return eager(threshold=0.4).fit(TEXTS, TAGS)


def test_an_evaluation_holds_what_scikit_learn_would_say(fitted):
    found = evaluate(fitted, TEXTS, TAGS)
    expected = precision_recall_fscore_support(matrix_of(), fitted.predict(TEXTS), zero_division=0)
    for ours, theirs in zip(
        (found.precision, found.recall, found.f1, found.support), expected, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert (found.labels, found.multilabel, found.n_texts) == (LABELS, True, len(TEXTS))
    np.testing.assert_array_equal(found.truth, matrix_of())
    np.testing.assert_array_equal(found.predicted, fitted.predict(TEXTS))
    np.testing.assert_array_equal(found.probabilities, fitted.predict_proba(TEXTS))
    np.testing.assert_array_equal(found.thresholds, [0.4, 0.4, 0.4])
    assert found.truth.dtype == found.predicted.dtype == np.int8
    for average in ("micro", "macro", "weighted", "samples"):
        theirs = f1_score(matrix_of(), found.predicted, average=average, zero_division=0)
        assert found.scores[f"f1_{average}"] == pytest.approx(theirs)
    assert found.scores["accuracy"] == fitted.score(TEXTS, TAGS)


def test_a_weight_of_two_counts_as_the_text_twice(fitted):
    twice = [*range(len(TEXTS)), 0, 3]
    found = evaluate(fitted, TEXTS, TAGS, sample_weight=np.bincount(twice))
    expected = evaluate(fitted, [TEXTS[row] for row in twice], [TAGS[row] for row in twice])
    assert found.scores == pytest.approx(expected.scores)
    for name in ("precision", "recall", "f1"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name))
    assert found.support.tolist() == matrix_of().sum(axis=0).tolist()
    with pytest.raises(ValueError, match=r"sample_weight has shape \(2,\); expected \(12,\)"):
        evaluate(fitted, TEXTS, TAGS, sample_weight=[1, 2])


def test_one_label_per_text_is_evaluated_too():
    clf = eager().fit(TEXTS, TOPICS)
    found = evaluate(clf, TEXTS, TOPICS)
    assert (found.labels, found.multilabel, found.thresholds) == (LABELS, False, None)
    assert found.predicted.sum(axis=1).tolist() == [1] * len(TEXTS)
    assert found.scores["accuracy"] == clf.score(TEXTS, TOPICS)
    assert found.scores["f1_macro"] == f1_score(TOPICS, clf.predict(TEXTS), average="macro")
    assert "threshold" not in str(found)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda clf: make_pipeline(FunctionTransformer(), clf),
        lambda clf: GridSearchCV(clf, {"filters": [4]}, cv=2, scoring="f1_micro"),
        lambda clf: make_pipeline(
            FunctionTransformer(), GridSearchCV(clf, {"filters": [4]}, cv=2, scoring="f1_micro")
        ),
    ],
    ids=["pipeline", "search", "search in a pipeline"],
)
def test_the_classifier_may_be_inside_of_pipelines_and_searches(wrap):
    found = evaluate(wrap(tiny(threshold=0.3)).fit(TEXTS, MATRIX), TEXTS, TAGS)
    assert found.labels == LABELS
    assert found.thresholds.tolist() == [0.3] * 3


@pytest.mark.parametrize(
    ("classifier", "has_probabilities"),
    [
        (OneVsRestClassifier(LogisticRegression()), True),
        (MultiOutputClassifier(LogisticRegression()), True),
        (OneVsRestClassifier(LinearSVC()), False),
    ],
    ids=repr,
)
def test_other_classifiers_take_the_names_from_y_or_from_labels(classifier, has_probabilities):
    other = make_pipeline(CountVectorizer(), classifier).fit(TEXTS, np.asarray(MATRIX))
    found = evaluate(other, TEXTS, MATRIX)
    assert found.labels == LABELS
    assert found.thresholds is None
    assert (found.probabilities is not None) == has_probabilities
    assert 0 <= found.scores["lrap"] <= 1
    same = evaluate(other, TEXTS, TAGS, labels=LABELS)
    assert same.scores == found.scores
    assert evaluate(other, TEXTS, matrix_of()).labels == [0, 1, 2]
    if has_probabilities:
        expected = classifier.predict_proba(other[:-1].transform(TEXTS))
        if isinstance(expected, list):
            expected = np.stack([of_label[:, 1] for of_label in expected], axis=1)
        np.testing.assert_array_equal(found.probabilities, expected)


def test_numbers_that_are_names_are_not_taken_for_positions():
    sets = [{LABELS.index(tag) for tag in tags} for tags in TAGS]
    clf = eager().fit(TEXTS, sets)
    turned = as_label_matrix(sets, classes=[2, 1, 0])
    assert evaluate(clf, TEXTS, turned).labels == [0, 1, 2]
    assert evaluate(clf, TEXTS, turned).scores == evaluate(clf, TEXTS, sets).scores


def test_two_classes_are_evaluated_by_any_classifier():
    other = make_pipeline(CountVectorizer(), LinearSVC()).fit(TEXTS, IS_SPORT)
    found = evaluate(other, TEXTS, IS_SPORT)
    assert found.labels == ["other", "sport"]
    assert found.probabilities is None
    assert found.scores["accuracy"] == other.score(TEXTS, IS_SPORT)


def test_true_labels_that_training_never_saw_are_misses(fitted):
    found = evaluate(fitted, TEXTS, [[*tags, "weather"] for tags in TAGS])
    assert found.labels == [*LABELS, "weather"]
    assert (found.recall[3], found.support[3], found.probabilities[0, 3]) == (0, len(TEXTS), 0)
    assert np.isnan(found.thresholds[3])
    known = evaluate(fitted, TEXTS, TAGS)
    assert found.scores["accuracy"] == 0
    assert found.scores["f1_macro"] == pytest.approx(known.scores["f1_macro"] * 3 / 4)
    assert found.scores["recall_micro"] < known.scores["recall_micro"]
    assert found.scores["precision_micro"] == known.scores["precision_micro"]
    assert found.to_dict()["labels"][3]["threshold"] is None


@pytest.mark.parametrize("k", [1, 2])
def test_one_and_two_labels_are_labels_like_more(k):
    tags = [[tag for tag in row if tag in LABELS[-k:]] for row in TAGS]
    found = evaluate(eager().fit(TEXTS, tags), TEXTS, tags)
    hits = (found.truth & found.predicted).sum(axis=0)
    f1 = 2 * hits / (found.truth.sum(axis=0) + found.predicted.sum(axis=0))
    np.testing.assert_allclose(found.f1, f1)
    assert found.scores["f1_macro"] == pytest.approx(f1.mean())
    assert found.labels == LABELS[-k:]


def test_texts_may_come_from_an_iterator(fitted):
    assert evaluate(fitted, iter(TEXTS), TAGS).scores == evaluate(fitted, TEXTS, TAGS).scores


def test_tables_can_be_read(fitted):
    found = evaluate(fitted, TEXTS, TAGS)
    lines = str(found).splitlines()
    assert lines[0] == (
        f"12 texts, 3 labels: f1_micro {found.scores['f1_micro']:.3f}, "
        f"f1_macro {found.scores['f1_macro']:.3f}"
    )
    assert lines[-4].split() == ["label", "precision", "recall", "F1", "support", "threshold"]
    assert [line.split()[0] for line in lines[-3:]] == ["sport", "news", "food"]  # most texts first
    assert lines[-1].split()[-1] == "0.400"
    assert "12 texts" in repr(found)
    frame = found.to_frame()
    assert frame.loc["news", "support"] == sum("news" in tags for tags in TAGS)
    assert [*frame] == ["precision", "recall", "f1", "support", "threshold"]


def test_tables_name_measures_in_words_and_no_loss_is_negated(fitted):
    found = evaluate(fitted, TEXTS, [["food"]] * 12)
    lines = str(found).splitlines()
    for name, scorer in [("hamming loss", "neg_hamming_loss"), ("coverage error", "neg_coverage_error")]:
        value = f"{-found.scores[scorer]:.3f}"
        (line,) = [line for line in lines if line.startswith(name)]
        assert line.split() == [*name.split(), value]
        assert f">{name}</td>" in found._repr_html_()
    assert any(line.startswith("label ranking average precision  ") for line in lines)
    for shown in (str(found), found._repr_html_()):
        assert "neg" not in shown
        assert "lrap" not in shown
    assert found.to_dict()["scores"]["neg_coverage_error"] == found.scores["neg_coverage_error"] < 0


def test_a_dict_of_an_evaluation_survives_json(fitted):
    content = evaluate(fitted, TEXTS, TAGS).to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["labels"][0].keys() == {"label", "precision", "recall", "f1", "support", "threshold"}


def made_up(labels):
    """An evaluation of two texts, with labels of the test's choice."""
    k = len(labels)
    eye = np.zeros((2, k), np.int8)
    zeros = np.zeros(k)
    scores = {"f1_micro": 0.0, "f1_macro": 0.0}
    return Evaluation(labels, True, eye, eye, None, None, zeros, zeros, zeros, np.arange(k), scores)


def test_labels_that_look_like_markup_are_escaped():
    html = made_up(["<script>alert(1)</script>", '"><img src=x>', "a & b"])._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "a &amp; b" in html


def test_long_tables_say_what_they_leave_out():
    found = made_up([f"label {number}" for number in range(50)])
    lines = str(found).splitlines()
    assert lines[-1] == "... and 10 labels with fewer texts"
    assert lines[-2].startswith("label 10 ")
    assert found._repr_html_().count("<tr>") == 1 + 2 + 1 + 50


def test_names_of_labels_keep_tables_in_shape():
    lines = str(made_up(["two\nlines", "long " * 30])).splitlines()
    assert len({len(line) for line in lines[-3:]}) == 1


def test_without_scores_there_are_no_measures_of_scores(fitted):
    class Decided:
        classes_ = fitted.classes_
        predict = staticmethod(fitted.predict)

    found, full = evaluate(Decided(), TEXTS, TAGS), evaluate(fitted, TEXTS, TAGS)
    missing = full.scores.keys() - found.scores.keys()
    assert missing == {
        *("lrap", "neg_coverage_error", "average_precision_micro", "average_precision_macro"),
    }
    assert found.probabilities is None


# -- bad input ---------------------------------------------------------------------------------------


def test_an_evaluation_refuses_what_it_cannot_compare(fitted):
    with pytest.raises(NotFittedError):
        evaluate(tiny(), TEXTS, TAGS)
    with pytest.raises(ValueError, match="X has 11 texts, but y has 12 rows"):
        evaluate(fitted, TEXTS[:-1], TAGS)
    with pytest.raises(ValueError, match="y has one label per text, but the classifier was fitted"):
        evaluate(fitted, TEXTS, TOPICS)
    with pytest.raises(ValueError, match="y has 2 columns, but classes names 3"):
        evaluate(fitted, TEXTS, matrix_of()[:, :2])
    with pytest.raises(ValueError, match="labels names 2 columns, but the classifier predicts 3"):
        evaluate(fitted, TEXTS, matrix_of(), labels=["a", "b"])
    with pytest.raises(TypeError, match="Nameless has no classes_; expected a classifier"):
        evaluate(Nameless(), TEXTS, TAGS)


def test_a_frame_needs_pandas(fitted, monkeypatch):
    found = evaluate(fitted, TEXTS, TAGS)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas, which is not installed: pip install"):
        found.to_frame()


class Nameless:
    """It predicts, but does not say what."""

    def predict(self, X):
        return np.zeros(len(X))
