"""Doubtful labels: out-of-fold probabilities are what cleanlab takes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import cross_val_predict

from sktextcnn import as_label_matrix
from tests.examples import TAGS, TEXTS, tiny

rank = pytest.importorskip(
    "cleanlab.multilabel_classification.rank", reason="the extra test is not installed"
)


def test_doubtful_labels_are_those_of_low_probability():
    given = as_label_matrix(TAGS * 2)
    probabilities = cross_val_predict(tiny(), TEXTS * 2, given, cv=2, method="predict_proba")
    positions = [np.flatnonzero(row).tolist() for row in np.asarray(given)]
    quality = rank.get_label_quality_scores_per_class(positions, probabilities)
    assert quality == pytest.approx(np.where(given, probabilities, 1 - probabilities))
