"""From probabilities to labels: thresholds, tuned or given, and bounds of their number."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from sktextcnn import as_label_matrix
from sktextcnn.decision.thresholds import tune_thresholds
from tests.examples import TAGS, TEXTS, TOPICS, eager, same_weights, tiny


def test_threshold_decides_which_probabilities_are_labels():
    clf = eager().fit(TEXTS, TAGS)
    assert clf.thresholds_.tolist() == [0.5] * 3
    probabilities = clf.predict_proba(TEXTS)
    for threshold in (0.01, 0.99, [0.9, 0.1, 0.5], np.array([0.0, 1.0, 0.5])):
        other = eager(threshold=threshold).fit(TEXTS, TAGS)
        assert np.array_equal(other.predict_proba(TEXTS), probabilities)
        assert np.array_equal(other.predict(TEXTS), (probabilities >= np.asarray(threshold)).astype(int))
        assert other.thresholds_.shape == (3,)


def test_thresholds_may_be_assigned_after_fitting():
    clf = tiny().fit(TEXTS, TAGS)
    clf.thresholds_ = np.zeros(3)
    assert clf.predict(TEXTS).all()
    clf.thresholds_ = np.full(3, 1.0)
    assert not clf.predict(TEXTS).any()
    assert clf.predict_labels(TEXTS) == [()] * len(TEXTS)


@pytest.mark.parametrize("loss", ["binary_crossentropy", "kl_divergence"])
def test_at_least_and_at_most_so_many_labels(loss):
    high, low = (tiny(loss=loss, threshold=t).fit(TEXTS, TAGS) for t in (1.0, 0.0))
    best = high.predict_proba(TEXTS).argmax(axis=1)
    assert not high.predict(TEXTS).any()
    assert low.predict(TEXTS).all()
    one = tiny(loss=loss, threshold=1.0, min_labels=1).fit(TEXTS, TAGS).predict(TEXTS)
    assert np.array_equal(one, np.eye(3, dtype=int)[best])
    same = tiny(loss=loss, threshold=0.0, max_labels=1).fit(TEXTS, TAGS).predict(TEXTS)
    assert np.array_equal(same, one)
    exactly = tiny(loss=loss, min_labels=2, max_labels=2).fit(TEXTS, TAGS).predict(TEXTS)
    assert exactly.sum(axis=1).tolist() == [2] * len(TEXTS)


def test_as_many_labels_as_there_are():
    assert tiny(min_labels=3).fit(TEXTS, TAGS).predict(TEXTS).all()


# -- tuned on held-out texts ------------------------------------------------------------------------


def held_out_rows(clf, n):
    """Rows that learning leaves out: nothing is lost of the weights when they are made unreadable."""
    return [
        row
        for row in range(n)
        if same_weights(clf, clone(clf).fit([*TEXTS[:row], "?" * 9, *TEXTS[row + 1 :]], TAGS))
    ]


@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro"])
def test_tuned_thresholds_do_best_on_held_out_texts(metric):
    options = {"vocabulary": sorted({word for text in TEXTS for word in text.split()})}
    clf = tiny(metric=metric, validation=0.25, early_stopping=False, **options)
    clf.fit(TEXTS, TAGS)
    rows = held_out_rows(clf, len(TEXTS))
    assert len(rows) == 3
    scores = clf.predict_proba([TEXTS[row] for row in rows])
    truth = as_label_matrix(TAGS)[rows]
    np.testing.assert_array_equal(clf.thresholds_, tune_thresholds(scores, np.asarray(truth), metric))
    assert "validation_score" not in clf.history_  # tuning alone stops nothing early
    average = metric.removeprefix("f1_")
    reached = f1_score(truth, scores >= clf.thresholds_, average=average, zero_division=0)
    for fixed in (0.3, 0.5, 0.7) if metric == "f1_micro" else ():  # those of rare labels are cautious
        assert reached >= f1_score(truth, scores >= fixed, average=average, zero_division=0)


def test_thresholds_are_tuned_where_texts_are_held_out():
    options = {"validation": 0.25, "epochs": 2}
    assert (tiny(**options).fit(TEXTS, TAGS).thresholds_ != 0.5).any()
    assert (tiny(early_stopping=False, **options).fit(TEXTS, TAGS).thresholds_ != 0.5).any()
    assert (tiny(threshold=0.4, **options).fit(TEXTS, TAGS).thresholds_ == 0.4).all()
    assert (tiny(epochs=2).fit(TEXTS, TAGS).thresholds_ == 0.5).all()


def test_thresholds_have_no_meaning_for_one_label_per_text():
    with pytest.raises(ValueError, match="no meaning for one label per text"):
        tiny(threshold="cardinality").fit(TEXTS, TOPICS)
    assert tiny().fit(TEXTS, TOPICS).resolved_.threshold == "fixed"


#: Nothing is learned, so that folds and the final network are the same, and weights count nowhere else.
STILL = {"learning_rate": 1e-30, "dropout": 0.0, "embedding_dropout": 0.0, "validation": 2}
WEIGHT = np.array([1.0, 5, 0.5, 2, 0.01, 3, 40, 0.01, 1, 4, 0.1, 7])


@pytest.mark.parametrize("rule", ["f1_micro", "f1_macro", "cardinality"])
def test_sample_weight_counts_where_thresholds_are_tuned(rule):
    threshold, metric = ("cardinality", "f1_micro") if rule == "cardinality" else ("tune", rule)
    clf = tiny(**STILL, threshold=threshold, metric=metric)
    truth = MultiLabelBinarizer().fit_transform(TAGS)
    found = clf.fit(TEXTS, TAGS, sample_weight=WEIGHT).thresholds_
    scores = clf.predict_proba(TEXTS)
    options = {"labels_per_text": np.average(truth.sum(axis=1), weights=WEIGHT)}
    expected = tune_thresholds(scores, truth, rule, sample_weight=WEIGHT / WEIGHT.mean(), **options)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert not np.array_equal(found, clf.fit(TEXTS, TAGS).thresholds_)


@pytest.mark.parametrize("constant", [0.3, 7.0])
@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro", "cardinality"])
def test_equal_weights_of_any_size_change_no_bit_of_thresholds(metric, constant):
    threshold = "cardinality" if metric == "cardinality" else "tune"
    params = {"threshold": threshold, "metric": metric.replace("cardinality", "f1_micro")}
    plain = tiny(**STILL, **params).fit(TEXTS, TAGS)
    weighted = tiny(**STILL, **params).fit(TEXTS, TAGS, sample_weight=np.full(len(TEXTS), constant))
    assert np.array_equal(plain.thresholds_, weighted.thresholds_)


# -- tuned on texts of one's own --------------------------------------------------------------------


def matches(truth, predicted):
    return float((truth == predicted).mean())


@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro", "cardinality", matches])
def test_thresholds_tuned_on_other_texts(metric):
    clf = tiny().fit(TEXTS, TAGS)
    before = {name: value for name, value in vars(clf).items() if name != "thresholds_"}
    scores, truth = clf.predict_proba(TEXTS), np.asarray(as_label_matrix(TAGS))
    assert clf.tune_thresholds(TEXTS, TAGS, metric=metric) is clf
    np.testing.assert_array_equal(clf.thresholds_, tune_thresholds(scores, truth, metric))
    assert {name: value for name, value in vars(clf).items() if name != "thresholds_"} == before
    by_default = tiny(metric="f1_micro" if metric == "cardinality" else metric).fit(TEXTS, TAGS)
    if metric != "cardinality":
        by_default.tune_thresholds(TEXTS, as_label_matrix(TAGS))
        np.testing.assert_array_equal(by_default.thresholds_, clf.thresholds_)


@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro", "cardinality"])
def test_weights_of_other_texts_count_in_tuning(metric):
    clf, weight = tiny().fit(TEXTS, TAGS), np.arange(1.0, 13.0)
    even = clf.tune_thresholds(TEXTS, TAGS, metric=metric).thresholds_
    weighted = clf.tune_thresholds(TEXTS, TAGS, metric=metric, sample_weight=weight).thresholds_
    assert not np.array_equal(even, weighted)
    scores, truth = clf.predict_proba(TEXTS), np.asarray(as_label_matrix(TAGS))
    share = {"labels_per_text": np.average(truth.sum(axis=1), weights=weight)}
    expected = tune_thresholds(scores, truth, metric, sample_weight=weight / weight.mean(), **share)
    np.testing.assert_allclose(weighted, expected)


def test_some_labels_may_be_missing_among_other_texts():
    clf = tiny().fit(TEXTS, TAGS)
    rows = [row for row, labels in enumerate(TAGS) if clf.classes_[0] not in labels]
    clf.tune_thresholds([TEXTS[row] for row in rows], [TAGS[row] for row in rows])
    assert clf.thresholds_.shape == (len(clf.classes_),)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (TAGS[:-1], {}, r"^X has 12 texts, but y has 11 rows"),
        ([["unheard of"]] * 12, {}, "unheard of"),
        ([[]] * 12, {}, r"^y holds no label anywhere, so there is nothing to tune thresholds on\."),
        (TOPICS, {}, r"^y has one label per text, but the classifier was fitted on several"),
        (TAGS, {"metric": "f2"}, r"^metric='f2'; expected one of f1_micro, f1_macro, cardinality, or a"),
    ],
    ids=["too few", "unknown", "none", "one each", "metric"],
)
def test_what_thresholds_cannot_be_tuned_on(y, options, message):
    clf = tiny().fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match=message):
        clf.tune_thresholds(TEXTS, y, **options)
    assert (clf.thresholds_ == 0.5).all()


def test_what_has_no_thresholds_to_tune():
    with pytest.raises(NotFittedError):
        tiny().tune_thresholds(TEXTS, TAGS)
    with pytest.raises(ValueError, match=r"^tune_thresholds: the classifier predicts the most probable"):
        tiny().fit(TEXTS, TOPICS).tune_thresholds(TEXTS, TOPICS)
