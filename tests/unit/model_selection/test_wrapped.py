"""Label names through whatever a classifier is wrapped in."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktextcnn import as_label_matrix
from sktextcnn.model_selection import predict_labels
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, eager, matrix_of


@pytest.mark.parametrize("y", [TAGS, TOPICS], ids=["sets", "one label"])
def test_names_come_through_pipelines_and_searches(y):
    clf = eager()
    pipeline = make_pipeline(FunctionTransformer(), clf).fit(TEXTS, y)
    expected = clone_fitted = eager().fit(TEXTS, y).predict_labels(TEXTS)
    assert predict_labels(pipeline, TEXTS) == clone_fitted
    assert predict_labels(clf, TEXTS) == expected
    target = as_label_matrix(TAGS) if y is TAGS else TOPICS
    search = GridSearchCV(pipeline, {"textcnnclassifier__epochs": [30]}, cv=2).fit(TEXTS, target)
    assert predict_labels(search, TEXTS) == expected


def test_names_can_be_given_where_the_classifier_lost_them():
    other = make_pipeline(CountVectorizer(), OneVsRestClassifier(LogisticRegression(C=100)))
    other.fit(TEXTS, matrix_of())
    assert predict_labels(other, TEXTS, labels=LABELS) == [tuple(sorted(row)) for row in TAGS]
    assert {name for row in predict_labels(other, TEXTS) for name in row} == {0, 1, 2}
    with pytest.raises(ValueError, match="labels names 2 columns, but the classifier predicts 3"):
        predict_labels(other, TEXTS, labels=LABELS[:2])
    single = eager().fit(TEXTS, np.array(TOPICS))
    with pytest.raises(ValueError, match="labels names columns, but the classifier predicts one label"):
        predict_labels(single, TEXTS, labels=LABELS)
