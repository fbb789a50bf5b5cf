"""The linear baseline: forms of y, thresholds, and scikit-learn's conventions."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, issparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_checks

from sktextcnn import as_label_matrix
from sktextcnn.datasets import load_news_tags
from sktextcnn.metrics import evaluate
from sktextcnn.model_selection import LinearBaseline
from sktextcnn.model_selection.baseline import best_threshold
from tests.examples import IS_SPORT, LABELS, TAGS, TEXTS, TOPICS, matrix_of

NEWS = load_news_tags()


def baseline(**parameters):
    return LinearBaseline(**{"min_df": 1, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def trained():
    """Fitted on half of the sample, with what it is tested on."""
    texts, Y = NEWS.data, as_label_matrix(NEWS.tags)
    return LinearBaseline(random_state=0).fit(texts[::2], Y[::2]), texts[1::2], Y[1::2]


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (TAGS, LABELS),
        (as_label_matrix(TAGS), LABELS),
        (pd.DataFrame(matrix_of(), columns=LABELS), LABELS),
        (matrix_of(), [0, 1, 2]),
        (csr_matrix(matrix_of()), [0, 1, 2]),
    ],
    ids=["sets", "label matrix", "frame", "array", "sparse"],
)
def test_every_form_of_several_labels_is_learned_alike(y, names):
    svm = baseline().fit(TEXTS, y)
    predicted = svm.predict(TEXTS)
    assert issparse(predicted) == issparse(y)
    assert svm.classes_.tolist() == names
    expected = baseline().fit(TEXTS, TAGS).predict(TEXTS)
    np.testing.assert_array_equal(predicted.toarray() if issparse(y) else predicted, expected)
    rows = [[name for name, value in zip(names, row, strict=True) if value] for row in expected]
    assert svm.predict_labels(TEXTS) == [*map(tuple, rows)]


def test_margins_are_those_of_one_linear_svc_per_label():
    svm = baseline(threshold=0.0).fit(TEXTS, TAGS)
    tf_idf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    theirs = make_pipeline(tf_idf, OneVsRestClassifier(LinearSVC(random_state=0))).fit(
        TEXTS, matrix_of()
    )
    np.testing.assert_allclose(svm.decision_function(TEXTS), theirs.decision_function(TEXTS), atol=1e-9)
    np.testing.assert_array_equal(svm.predict(TEXTS), theirs.predict(TEXTS))
    assert svm.thresholds_.tolist() == [0, 0, 0]
    assert not hasattr(svm, "shared_threshold_")


@pytest.mark.slow  # it starts two
def test_processes_train_the_same_svms():
    one, two = (baseline(n_jobs=n_jobs).fit(TEXTS, TAGS) for n_jobs in (None, 2))
    np.testing.assert_array_equal(one.coef_, two.coef_)
    np.testing.assert_array_equal(one.thresholds_, two.thresholds_)


@pytest.mark.parametrize("topics", [TOPICS, IS_SPORT])
def test_one_label_per_text_is_learned_as_by_linear_svc(topics):
    svm = baseline().fit(TEXTS, topics)
    tf_idf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    theirs = make_pipeline(tf_idf, LinearSVC(random_state=0)).fit(TEXTS, topics)
    np.testing.assert_allclose(svm.decision_function(TEXTS), theirs.decision_function(TEXTS))
    assert svm.predict(TEXTS).tolist() == theirs.predict(TEXTS).tolist()
    assert svm.predict_labels(TEXTS[:1]) == [(svm.predict(TEXTS)[0],)]
    assert svm.score(TEXTS, topics) == 1
    assert not hasattr(svm, "thresholds_")


def test_tuned_thresholds_predict_more_of_what_is_true(trained):
    svm, texts, Y = trained
    margins = svm.decision_function(texts)
    macro = {
        name: f1_score(Y, margins >= threshold, average="macro", zero_division=0)
        for name, threshold in [("own", svm.label_thresholds_), ("0", 0)]
    }
    micro = {
        name: f1_score(Y, margins >= threshold, average="micro")
        for name, threshold in [("shared", svm.shared_threshold_), ("0", 0)]
    }
    assert macro["own"] > macro["0"] + 0.05
    assert micro["shared"] > micro["0"] + 0.05
    assert (svm.thresholds_ == svm.shared_threshold_).all()
    own = clone(svm).set_params(threshold="per_label").fit(NEWS.data[::2], NEWS.tags[::2])
    np.testing.assert_array_equal(own.thresholds_, svm.label_thresholds_)


def test_thresholds_come_from_the_folds_alone():
    folds = PredefinedSplit([0, 1] * 5 + [-1, -1])  # the last two texts are never held out
    svm = baseline(cv=folds).fit(TEXTS, TAGS)
    held_out = np.zeros((12, 3))
    for train, test in folds.split():
        part = baseline(threshold=0.0).fit([TEXTS[row] for row in train], matrix_of()[train])
        held_out[test] = part.decision_function([TEXTS[row] for row in test])
    expected = best_threshold(held_out[:10].ravel(), matrix_of()[:10].ravel())
    assert svm.shared_threshold_ == pytest.approx(expected)


def test_labels_of_all_and_of_no_texts_are_constant():
    Y = np.pad(matrix_of(), ((0, 0), (0, 2)))
    Y[:, 3] = 1
    for threshold in ("shared", "per_label", 0.0):
        predicted = baseline(threshold=threshold).fit(TEXTS, Y).predict(TEXTS)
        assert predicted[:, 3].all(), threshold
        assert not predicted[:, 4].any(), threshold


def test_the_best_threshold_cannot_be_beaten():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores, truth = rng.integers(-3, 4, 12) / 2, rng.integers(0, 2, 12)

        def f1(threshold, scores=scores, truth=truth):
            predicted = scores >= threshold
            return 2 * (predicted & (truth > 0)).sum() / max(predicted.sum() + truth.sum(), 1)

        assert f1(best_threshold(scores, truth)) >= max(map(f1, np.linspace(-2, 2, 33)))


def test_it_goes_through_searches_pickles_and_evaluations(trained):
    svm, texts, Y = trained
    again = pickle.loads(pickle.dumps(svm))
    np.testing.assert_array_equal(again.predict(texts), svm.predict(texts))
    found = evaluate(svm, texts, Y)
    assert found.labels == NEWS.target_names
    assert (found.probabilities, found.thresholds) == (None, None)
    assert found.scores["accuracy"] == svm.score(
        texts, [NEWS.tags[row] for row in range(1, len(NEWS.tags), 2)]
    )
    assert cross_val_score(baseline(), TEXTS, as_label_matrix(TAGS), cv=2).shape == (2,)
    search = GridSearchCV(baseline(), {"C": [0.1, 1]}, cv=2, scoring="f1_micro")
    assert search.fit(TEXTS, as_label_matrix(TAGS)).best_estimator_.classes_.tolist() == LABELS


@pytest.mark.parametrize(
    "name",
    [
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
        "check_valid_tag_types",
        "check_estimator_repr",
        "check_estimators_unfitted",
        "check_estimator_cloneable",
        "check_get_params_invariance",
        "check_set_params",
        "check_parameters_default_constructible",
    ],
)
def test_scikit_learn_checks_the_baseline(name):
    getattr(estimator_checks, name)("LinearBaseline", LinearBaseline())


# -- bad input ---------------------------------------------------------------------------------------


def test_the_baseline_says_what_is_wrong():
    with pytest.raises(NotFittedError):
        baseline().predict(TEXTS)
    with pytest.raises(ValueError, match="The 'threshold' parameter of LinearBaseline must be"):
        baseline(threshold="tune").fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="X has 11 texts, but y has 12 rows"):
        baseline().fit(TEXTS[:-1], TAGS)
    with pytest.raises(TypeError, match="X is a single str"):
        baseline().fit(TEXTS, TAGS).predict("a goal")
    with pytest.raises(ValueError, match="no terms remain"):
        baseline(min_df=7).fit(TEXTS, TAGS)
