"""`score`: accuracy, for every form of the same truth."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.metrics import accuracy_score

from sktextcnn import as_label_matrix
from tests.examples import LABELS, TEXTS, matrix_of
from tests.forms import (
    Y_FORMS,
    dense,
    every_y,
    fitted,
)


@every_y
def test_score_is_accuracy(y_form):
    clf, y = fitted("list", y_form), Y_FORMS[y_form]()
    truth = matrix_of() if y_form != "1-D" else y
    expected = accuracy_score(truth, dense(clf.predict(TEXTS)))
    assert clf.score(TEXTS, y) == pytest.approx(expected)


def perfect():
    """Return a classifier and texts with the labels that it predicts for them, all sets among them."""
    clf = copy.copy(fitted())
    clf.thresholds_ = np.median(clf.predict_proba(TEXTS), axis=0)
    return clf, clf.predict_labels(TEXTS)


def test_score_takes_every_form_of_the_same_truth():
    clf, truth = perfect()
    backwards = LABELS[::-1]
    forms = [
        truth,
        matrix_of(truth),
        sparse.csr_matrix(matrix_of(truth)),
        as_label_matrix(truth),
        as_label_matrix(truth, classes=backwards),
        pd.DataFrame(matrix_of(truth), columns=LABELS),
        pd.DataFrame(matrix_of(truth), columns=LABELS)[backwards],
        pl.DataFrame(matrix_of(truth), schema=LABELS)[backwards],
    ]
    assert len(set(truth)) > 2
    assert [clf.score(TEXTS, y) for y in forms] == [1.0] * len(forms)


def test_unseen_labels_are_misses():
    clf, truth = perfect()
    truth = [set(row) for row in truth]
    truth[3] |= {"travel"}
    expected = 1 - 1 / len(TEXTS)
    assert clf.score(TEXTS, truth) == pytest.approx(expected)
    assert clf.score(TEXTS, as_label_matrix(truth)) == pytest.approx(expected)
    frame = pd.DataFrame(np.asarray(as_label_matrix(truth)), columns=[*LABELS, "travel"])
    assert clf.score(TEXTS, frame) == pytest.approx(expected)
    frame["never"] = 0
    assert clf.score(TEXTS, frame) == pytest.approx(expected)


def test_unseen_labels_are_misses_with_one_label_per_text():
    clf = fitted("list", "1-D")
    truth = clf.predict(TEXTS).tolist()
    assert clf.score(TEXTS, truth) == 1
    truth[0] = truth[5] = "travel"
    assert clf.score(TEXTS, truth) == pytest.approx(1 - 2 / len(TEXTS))
    assert clf.score(TEXTS[:1], ["travel"]) == 0


def test_score_of_texts_without_label():
    clf = copy.copy(fitted())
    clf.thresholds_ = np.ones(3)
    assert clf.score(TEXTS, [[] for _ in TEXTS]) == 1
    assert clf.score(TEXTS[:1], [["sport"]]) == 0


def test_score_weighs_texts():
    clf, truth = perfect()
    wrong = [set(row) ^ {"news"} if i == 2 else row for i, row in enumerate(truth)]
    weight = np.ones(len(TEXTS))
    weight[2] = 5
    assert clf.score(TEXTS, wrong, sample_weight=weight) == pytest.approx(11 / 16)
    weight[2] = 0
    assert clf.score(TEXTS, wrong, sample_weight=weight) == 1
