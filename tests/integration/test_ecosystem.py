"""The classifier among scikit-learn's tools, and the limits of those tools that users run into."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, get_scorer, make_scorer, roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    check_cv,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.fixes import parse_version

from sktextcnn import TextCNNClassifier, as_label_matrix, group_rows
from tests.examples import IS_SPORT, LABELS, TAGS, TEXTS, TOPICS, eager, matrix_of, same_weights, tiny

release = parse_version(sklearn.__version__)
BEFORE_1_7, BEFORE_1_9 = (release < parse_version(other) for other in ("1.7", "1.9"))
Y = as_label_matrix(TAGS)


def without_markup(texts):
    return [text.replace("<b>", "").replace("</b>", "") for text in texts]


# -- pipelines -----------------------------------------------------------------------------------------


def test_pipeline_after_a_cleaning_step():
    marked = [f"<b>{text}</b>" for text in TEXTS]
    pipeline = make_pipeline(FunctionTransformer(without_markup), tiny()).fit(marked, TAGS)
    clf = pipeline[-1]
    assert "<" not in clf.vocabulary_
    assert same_weights(clf, tiny().fit(TEXTS, TAGS))
    assert pipeline.classes_.tolist() == LABELS
    assert np.array_equal(pipeline.predict_proba(marked), clf.predict_proba(TEXTS))
    assert pipeline.score(marked, TAGS) == clf.score(TEXTS, TAGS)


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
def test_pipeline_that_picks_a_column_of_a_data_frame(output):
    if output == "polars" and BEFORE_1_7:
        pytest.skip("scikit-learn 1.6 cannot pass a polars column through under its own name")
    frames = pl if output == "polars" else pd
    frame = frames.DataFrame({"id": range(len(TEXTS)), "headline": TEXTS})
    pick = ColumnTransformer([("text", "passthrough", [1])]).set_output(transform=output)
    pipeline = Pipeline([("pick", pick), ("cnn", tiny())]).fit(frame, TAGS)
    assert pick.fit_transform(frame).shape == (len(TEXTS), 1)
    assert same_weights(pipeline[-1], tiny().fit(TEXTS, TAGS))
    assert pipeline.predict(frame).shape == (len(TEXTS), 3)


def test_column_transformer_with_a_cleaning_step():
    def clean(column):
        return column.str.upper().to_frame()

    frame = pd.DataFrame({"id": range(len(TEXTS)), "headline": TEXTS})
    pick = ColumnTransformer([("text", FunctionTransformer(clean), "headline")])
    pipeline = make_pipeline(pick, tiny(lowercase=False)).fit(frame, Y)
    assert "MATCH" in pipeline[-1].vocabulary_


def test_set_params_on_nested_names():
    pipeline = Pipeline([("clean", FunctionTransformer(without_markup)), ("cnn", tiny())])
    search = GridSearchCV(pipeline, {"cnn__filters": [3]}, cv=3)
    search.set_params(estimator__cnn__filters=7, estimator__cnn__kernel_sizes=(1,))
    assert pipeline["cnn"].filters == 7
    assert search.get_params()["estimator__cnn__kernel_sizes"] == (1,)
    with pytest.raises(ValueError, match="Invalid parameter 'fliters'"):
        pipeline.set_params(cnn__fliters=3)
    pipeline.fit(TEXTS, TAGS)
    assert pipeline["cnn"].weights_["convolution_1_bias"].shape == (7,)


# -- searches ------------------------------------------------------------------------------------------


def test_grid_search_with_a_label_matrix():
    grid = {"filters": [3, 5], "learning_rate": [1e-4, 0.05]}
    search = GridSearchCV(eager(epochs=15), grid, cv=3, scoring="f1_micro").fit(TEXTS, Y)
    assert search.best_params_["learning_rate"] == 0.05
    assert search.best_estimator_.classes_.tolist() == LABELS
    assert search.classes_.tolist() == LABELS
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(TEXTS).shape == (len(TEXTS), 3)
    assert set().union(*search.best_estimator_.predict_labels(TEXTS)) <= set(LABELS)
    assert search.score(TEXTS, Y) == f1_score(Y, search.predict(TEXTS), average="micro")


def test_grid_search_through_a_pipeline():
    pipeline = Pipeline([("clean", FunctionTransformer(without_markup)), ("cnn", tiny())])
    grid = {"cnn__analyzer": ["word", "char"], "cnn__kernel_sizes": [(1, 2)]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="f1_macro").fit(TEXTS, Y)
    assert search.best_estimator_[-1].classes_.tolist() == LABELS
    assert len(search.cv_results_["params"]) == 2


def test_grid_search_over_long_form_rows():
    texts = [text for text, tags in zip(TEXTS, TAGS, strict=True) for _ in tags]
    labels = [tag for tags in TAGS for tag in tags]
    search = GridSearchCV(tiny(), {"filters": [3]}, cv=3, scoring="f1_micro")
    search.fit(*group_rows(texts, labels))
    assert search.best_estimator_.classes_.tolist() == LABELS


def test_grid_search_stratifies_one_label_per_text():
    assert isinstance(check_cv(3, TOPICS, classifier=True), StratifiedKFold)
    search = GridSearchCV(tiny(), {"filters": [3, 4]}, cv=4).fit(TEXTS, TOPICS)
    # Unstratified folds of three texts would miss some class.
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.classes_.tolist() == LABELS


def test_grid_search_by_the_classifiers_own_score_takes_label_sets():
    search = GridSearchCV(tiny(), {"filters": [3, 4]}, cv=KFold(3)).fit(TEXTS, TAGS)
    assert search.best_estimator_.classes_.tolist() == LABELS
    assert 0 <= search.best_score_ <= 1


def test_randomized_search():
    space = {"learning_rate": np.geomspace(1e-3, 1e-1, 5), "dropout": [0.0, 0.3]}
    search = RandomizedSearchCV(tiny(), space, n_iter=2, cv=3, scoring="f1_micro", random_state=0)
    search.fit(TEXTS, Y)
    assert len(search.cv_results_["params"]) == 2
    assert search.best_estimator_.classes_.tolist() == LABELS


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"min_resources": 6, "cv": 2}, [6, 12]),
        ({"resource": "epochs", "max_resources": 4, "cv": 3}, [2, 4]),
    ],
)
def test_halving_search(resources, expected):
    search = HalvingGridSearchCV(
        tiny(), {"filters": [3, 4]}, factor=2, scoring="f1_micro", random_state=0, **resources
    ).fit(TEXTS, Y)
    assert search.n_resources_ == expected
    assert search.best_estimator_.classes_.tolist() == LABELS
    if "resource" in resources:
        assert search.best_estimator_.n_epochs_ == 4


@pytest.mark.slow
def test_two_jobs_twice_in_a_row():
    search = GridSearchCV(tiny(), {"filters": [3, 4]}, cv=2, scoring="f1_micro", n_jobs=2)
    first = search.fit(TEXTS, Y).cv_results_["mean_test_score"]
    second = search.fit(TEXTS, Y).cv_results_["mean_test_score"]
    alone = clone(search).set_params(n_jobs=1).fit(TEXTS, Y).cv_results_["mean_test_score"]
    assert np.array_equal(first, second)
    np.testing.assert_allclose(first, alone)


# -- cross-validation ----------------------------------------------------------------------------------

MULTILABEL_SCORERS = [
    "accuracy",
    "f1_micro",
    "f1_macro",
    "f1_samples",
    "f1_weighted",
    "jaccard_micro",
    "jaccard_samples",
    "precision_micro",
    "recall_micro",
    "roc_auc",
]
# Folds so small hold labels that are not predicted.
undefined = pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")


@undefined
@pytest.mark.parametrize("y", [Y, matrix_of()], ids=["label matrix", "matrix"])
def test_cross_validate_with_many_scorers(y):
    result = cross_validate(
        eager(), TEXTS, y, cv=3, scoring=MULTILABEL_SCORERS, return_estimator=True, error_score="raise"
    )
    for name in MULTILABEL_SCORERS:
        scores = result[f"test_{name}"]
        assert scores.shape == (3,)
        assert ((scores >= 0) & (scores <= 1)).all()
    fold = slice(0, 4)  # of KFold without shuffling
    clf = result["estimator"][0]
    truth, predicted = matrix_of()[fold], clf.predict(TEXTS[fold])
    assert result["test_f1_micro"][0] == f1_score(truth, predicted, average="micro")
    assert result["test_roc_auc"][0] == roc_auc_score(truth, clf.decision_function(TEXTS[fold]))
    assert result["test_accuracy"][0] == clf.score(TEXTS[fold], y[fold])


def test_cross_val_score():
    scores = cross_val_score(tiny(), TEXTS, Y, cv=3, scoring="f1_micro", error_score="raise")
    assert scores.shape == (3,)
    single = cross_val_score(tiny(), TEXTS, TOPICS, cv=3, scoring="f1_macro", error_score="raise")
    assert np.isfinite(single).all()
    assert np.isfinite(cross_val_score(tiny(), pd.Series(TEXTS), Y, cv=3)).all()


@pytest.mark.parametrize("y", [Y, TOPICS, matrix_of()], ids=["label matrix", "1-D", "matrix"])
def test_cross_val_predict_probabilities(y):
    probabilities = cross_val_predict(tiny(), TEXTS, y, cv=KFold(3), method="predict_proba")
    assert probabilities.shape == (len(TEXTS), 3)
    part = tiny().fit(TEXTS[4:], y[4:]).predict_proba(TEXTS[:4])
    np.testing.assert_allclose(probabilities[:4], part, rtol=1e-6)


def test_cross_val_predict_of_one_label_per_text():
    assert set(cross_val_predict(tiny(), TEXTS, TOPICS, cv=3)) <= set(LABELS)
    margins = cross_val_predict(tiny(), TEXTS, IS_SPORT, cv=3, method="decision_function")
    assert margins.shape == (len(TEXTS),)


def test_learning_curve():
    sizes, train, test = learning_curve(
        tiny(), TEXTS, Y, cv=2, scoring="f1_micro", train_sizes=[4, 6], error_score="raise"
    )
    assert sizes.tolist() == [4, 6]
    assert train.shape == test.shape == (2, 2)


@pytest.mark.parametrize("options", [{"ensemble": True}, {"ensemble": False}, {"method": "isotonic"}])
def test_calibration_of_two_classes(options):
    calibrated = CalibratedClassifierCV(tiny(), cv=3, **options).fit(TEXTS, IS_SPORT)
    probabilities = calibrated.predict_proba(TEXTS)
    assert probabilities.shape == (len(TEXTS), 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert set(calibrated.predict(TEXTS)) <= {"other", "sport"}


# -- ensembles and other meta-estimators ---------------------------------------------------------------

COLUMN = np.array(TEXTS, dtype=object).reshape(-1, 1)
ONE = tiny(epochs=1)


def other():
    return make_pipeline(CountVectorizer(), LogisticRegression())


def two_parts(**options):
    return {"estimators": [("cnn", ONE), ("linear", other())], **options}


#: What works with a list of texts, on which y, and the shape of its probabilities, if it has any.
WORK = {
    "OneVsRestClassifier": (lambda: OneVsRestClassifier(ONE), TOPICS, (12, 3)),
    "OneVsRestClassifier, several": (lambda: OneVsRestClassifier(ONE), matrix_of(), (12, 3)),
    "OutputCodeClassifier": (lambda: OutputCodeClassifier(ONE, random_state=0), TOPICS, None),
    "MultiOutputClassifier": (lambda: MultiOutputClassifier(ONE), matrix_of(), (3, 12, 2)),
    "TunedThresholdClassifierCV": (lambda: TunedThresholdClassifierCV(ONE, cv=2), IS_SPORT, (12, 2)),
    "FixedThresholdClassifier": (
        lambda: FixedThresholdClassifier(ONE, threshold=0.3, pos_label="sport"),
        IS_SPORT,
        (12, 2),
    ),
    "CalibratedClassifierCV": (lambda: CalibratedClassifierCV(ONE, cv=2), TOPICS, (12, 3)),
    "VotingClassifier": (lambda: VotingClassifier(**two_parts()), TOPICS, None),
    "VotingClassifier, soft": (lambda: VotingClassifier(**two_parts(voting="soft")), TOPICS, (12, 3)),
    "StackingClassifier": (lambda: StackingClassifier(**two_parts(cv=2)), TOPICS, (12, 3)),
    "StackingClassifier, several": (
        lambda: StackingClassifier(
            [("a", ONE), ("b", ONE)], MultiOutputClassifier(LogisticRegression()), cv=2
        ),
        matrix_of(),
        (12, 3),
    ),
}


@pytest.mark.parametrize("case", WORK)
def test_meta_estimators_that_work_with_texts(case):
    make, y, shape = WORK[case]
    ensemble = make().fit(TEXTS, y)
    predicted = ensemble.predict(TEXTS)
    assert predicted.shape == np.shape(y)
    assert set(predicted.ravel().tolist()) <= set(np.ravel(y).tolist())
    if shape is not None:
        probabilities = np.array(ensemble.predict_proba(TEXTS))
        assert probabilities.shape == shape
        assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_bagging_takes_a_column_of_objects():
    bagged = BaggingClassifier(ONE, n_estimators=2, random_state=0).fit(COLUMN, TOPICS)
    assert bagged.predict_proba(COLUMN).shape == (12, 3)
    assert set(bagged.predict(COLUMN)) <= set(LABELS)


#: Limits of scikit-learn: who cannot take which X or y.
NUMBERS, TWO_D, ONE_LABEL = "could not convert string to float", "Expected 2D array", "1d array|[Mm]ulti"
CANNOT = {
    "OneVsOneClassifier": (lambda: OneVsOneClassifier(ONE), TEXTS, TOPICS, TWO_D),
    "OneVsOneClassifier, column": (lambda: OneVsOneClassifier(ONE), COLUMN, TOPICS, NUMBERS),
    "ClassifierChain": (lambda: ClassifierChain(ONE), TEXTS, matrix_of(), TWO_D),
    "ClassifierChain, column": (lambda: ClassifierChain(ONE), COLUMN, matrix_of(), NUMBERS),
    "SelfTrainingClassifier": (lambda: SelfTrainingClassifier(ONE), TEXTS, [0, 1, -1] * 4, TWO_D),
    "SelfTrainingClassifier, column": (
        lambda: SelfTrainingClassifier(ONE),
        COLUMN,
        [0, 1, -1] * 4,
        NUMBERS,
    ),
    "AdaBoostClassifier": (lambda: AdaBoostClassifier(ONE), TEXTS, TOPICS, TWO_D),
    "BaggingClassifier": (lambda: BaggingClassifier(ONE), TEXTS, TOPICS, TWO_D),
    "BaggingClassifier, several": (lambda: BaggingClassifier(ONE), COLUMN, matrix_of(), ONE_LABEL),
    "CalibratedClassifierCV, several": (
        lambda: CalibratedClassifierCV(ONE, cv=2),
        TEXTS,
        matrix_of(),
        ONE_LABEL,
    ),
    "VotingClassifier, several": (lambda: VotingClassifier([("a", ONE)]), TEXTS, Y, ONE_LABEL),
    "TunedThresholdClassifierCV, three classes": (
        lambda: TunedThresholdClassifierCV(ONE, cv=2),
        TEXTS,
        TOPICS,
        "Only binary classification is supported",
    ),
    "TunedThresholdClassifierCV, several": (
        lambda: TunedThresholdClassifierCV(ONE, cv=2),
        TEXTS,
        Y,
        "Only binary classification is supported",
    ),
}


@pytest.mark.parametrize("case", CANNOT)
def test_meta_estimators_that_cannot(case):
    """If one of them raises no more, it works: move it to WORK, and in docs/model_selection.rst, too."""
    make, X, y, message = CANNOT[case]
    with pytest.raises((NotImplementedError, ValueError), match=message):
        make().fit(X, y)


def test_roc_auc_of_two_classes():
    clf = eager().fit(TEXTS, IS_SPORT)
    assert get_scorer("roc_auc")(clf, TEXTS, IS_SPORT) == 1
    assert get_scorer("average_precision")(
        eager().fit(TEXTS, [int(label == "sport") for label in IS_SPORT]),
        TEXTS,
        [int(label == "sport") for label in IS_SPORT],
    ) == pytest.approx(1)
    assert np.isfinite(cross_val_score(tiny(), TEXTS, IS_SPORT, cv=3, scoring="roc_auc")).all()
    log_loss = get_scorer("neg_log_loss")(clf, TEXTS, IS_SPORT)
    assert -0.5 < log_loss < 0


# -- metadata routing ----------------------------------------------------------------------------------

WEIGHT = np.where(np.arange(len(TEXTS)) % 3 == 0, 4.0, 1.0)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_routing_through_a_pipeline():
    clf = tiny().set_fit_request(sample_weight=True)
    pipeline = make_pipeline(FunctionTransformer(without_markup), clf)
    pipeline.fit(TEXTS, Y, sample_weight=WEIGHT)
    assert same_weights(pipeline[-1], tiny().fit(TEXTS, Y, sample_weight=WEIGHT))
    assert not same_weights(pipeline[-1], tiny().fit(TEXTS, Y))


@pytest.mark.usefixtures("routing")
def test_routing_through_a_grid_search():
    clf = tiny().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    search = GridSearchCV(clf, {"filters": [4]}, cv=3).fit(TEXTS, Y, sample_weight=WEIGHT)
    best = search.best_estimator_
    assert same_weights(best, tiny().fit(TEXTS, Y, sample_weight=WEIGHT))
    part = tiny().fit(TEXTS[4:], Y[4:], sample_weight=WEIGHT[4:])
    expected = part.score(TEXTS[:4], Y[:4], sample_weight=WEIGHT[:4])
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(expected)


@pytest.mark.usefixtures("routing")
def test_routing_through_cross_validate():
    clf = tiny().set_fit_request(sample_weight=True)
    scorer = get_scorer("f1_micro").set_score_request(sample_weight=False)
    result = cross_validate(
        clf,
        TEXTS,
        Y,
        cv=3,
        scoring=scorer,
        params={"sample_weight": WEIGHT},
        return_estimator=True,
        error_score="raise",
    )
    expected = tiny().fit(TEXTS[4:], Y[4:], sample_weight=WEIGHT[4:])
    assert same_weights(result["estimator"][0], expected)


@pytest.mark.usefixtures("routing")
def test_routing_must_be_asked_for():
    with pytest.raises(ValueError, match="sample_weight"):
        make_pipeline(FunctionTransformer(without_markup), tiny()).fit(TEXTS, Y, sample_weight=WEIGHT)


@pytest.mark.usefixtures("routing")
def test_routing_of_partial_fit():
    clf = tiny().set_partial_fit_request(sample_weight=True, classes=True)
    requests = clf.get_metadata_routing().partial_fit.requests
    not_asked = {"new_words": None, "teacher": None}
    assert requests == {"sample_weight": True, "classes": True, **not_asked}


# -- limits of scikit-learn, as they are today ---------------------------------------------------------
#
# Each is written down as what scikit-learn does in the versions named, so that the guide can be mended
# when one of them is gone.


@pytest.mark.parametrize("n_labels", [2, 3])
def test_roc_auc_works_for_two_and_more_labels(n_labels):
    """The scorer prefers `decision_function`, whose columns it leaves alone."""
    y = matrix_of()[:, -n_labels:]
    clf = eager().fit(TEXTS, y)
    assert get_scorer("roc_auc")(clf, TEXTS, y) == pytest.approx(1)


@pytest.mark.parametrize("y", [matrix_of()[:, 2:], as_label_matrix([set(t) & {"sport"} for t in TAGS])])
def test_roc_auc_of_one_label_is_upside_down(y):
    """1.6 to 1.9: the only label is both the first and the last class, and its scores are negated."""
    clf = eager().fit(TEXTS, y)
    assert roc_auc_score(y, clf.decision_function(TEXTS)) == pytest.approx(1)
    assert get_scorer("roc_auc")(clf, TEXTS, y) == pytest.approx(0)


def test_two_labels_fail_where_probabilities_are_asked_for_by_name():
    """1.6 to 1.9: two label names are taken for two classes, and one column of them for the answer."""
    y = matrix_of()[:, 1:]
    clf = eager().fit(TEXTS, y)
    scorer = make_scorer(roc_auc_score, response_method="predict_proba")
    with pytest.raises(ValueError, match=r"Expected 2D array|inconsistent|number of classes"):
        scorer(clf, TEXTS, y)
    named = eager().fit(TEXTS, [[label for label in tags if label != "food"] for tags in TAGS])
    with pytest.raises(ValueError, match="pos_label=1 is not a valid label"):
        get_scorer("average_precision")(named, TEXTS, y)


def test_average_precision_of_two_labels_one_of_which_is_called_1():
    """1.6 to 1.9: a first label called 1 is taken for the positive class, and all scores are negated."""
    y = matrix_of()[:, 1:]
    scorer = get_scorer("average_precision")
    assert scorer(eager().fit(TEXTS, y), TEXTS, y) == pytest.approx(1)
    assert scorer(eager(classes=[1, 2]).fit(TEXTS, y), TEXTS, y) < 0.7


def test_one_label_fails_where_probabilities_are_scored():
    """1.6 to 1.9."""
    y = matrix_of()[:, :1]
    clf = tiny().fit(TEXTS, y)
    for name in ("neg_log_loss", "neg_brier_score"):
        with pytest.raises(ValueError, match="need classifier with two classes"):
            get_scorer(name)(clf, TEXTS, y)
    with pytest.raises(ValueError, match="pos_label=1 is not a valid label"):
        get_scorer("average_precision")(clf, TEXTS, y)


def test_average_precision_with_named_labels():
    """Before 1.9 it fails: the label 1 is looked for among the names."""
    clf = eager().fit(TEXTS, Y)
    if BEFORE_1_9:
        with pytest.raises(ValueError, match="pos_label=1 is not a valid label"):
            get_scorer("average_precision")(clf, TEXTS, Y)
    else:
        assert get_scorer("average_precision")(clf, TEXTS, Y) == pytest.approx(1)
    assert get_scorer("average_precision")(eager().fit(TEXTS, matrix_of()), TEXTS, Y) == pytest.approx(1)


def test_a_scorer_made_by_hand_needs_pos_label_none():
    """Before 1.9, where the labels have names: 1, the default, is looked for among them."""
    clf = eager().fit(TEXTS, Y)
    if BEFORE_1_9:
        with pytest.raises(ValueError, match="pos_label=1 is not a valid label"):
            make_scorer(f1_score, average="micro")(clf, TEXTS, Y)
    else:
        assert make_scorer(f1_score, average="micro")(clf, TEXTS, Y) == 1
    assert make_scorer(f1_score, average="micro", pos_label=None)(clf, TEXTS, Y) == 1


def test_halving_search_needs_min_resources():
    """1.6 to 1.9: its guess of the least number of texts takes y for one-dimensional."""
    search = HalvingGridSearchCV(tiny(), {"filters": [3, 4]}, cv=3, scoring="f1_micro")
    with pytest.raises(ValueError, match=r"y should be a 1d array, got an array of shape \(12, 3\)"):
        search.fit(TEXTS, Y)


def test_cross_validate_refuses_sparse_labels():
    """1.6 to 1.9; `GridSearchCV` takes them."""
    with pytest.raises(ValueError, match="'y' parameter of cross_validate must be an array-like"):
        cross_validate(tiny(), TEXTS, sparse.csr_matrix(matrix_of()), cv=3)


@pytest.mark.parametrize("scoring", ["f1_micro", "accuracy", "jaccard_micro"])
def test_grid_search_takes_sparse_labels(scoring):
    search = GridSearchCV(tiny(), {"filters": [4]}, cv=3, scoring=scoring, error_score="raise")
    search.fit(TEXTS, sparse.csr_matrix(matrix_of()))
    assert 0 <= search.best_score_ <= 1
    assert sparse.issparse(search.predict(TEXTS))


class Spy(TextCNNClassifier):
    """Keeps the y that it was given."""

    seen = []

    def fit(self, X, y, sample_weight=None):
        Spy.seen.append(y)
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize(("method", "keeps"), [("predict", True), ("predict_proba", False)])
def test_cross_val_predict_of_probabilities_loses_the_names(method, keeps):
    """1.6 to 1.9: it encodes the columns of y anew."""
    Spy.seen.clear()
    cross_val_predict(Spy(**tiny().get_params()), TEXTS, Y, cv=3, method=method)
    assert len(Spy.seen) == 3
    assert all(hasattr(y, "label_names") == keeps for y in Spy.seen)


def test_cross_val_predict_of_probabilities_relabels_a_column_of_ones():
    """1.6 to 1.9: the only value of a column is encoded as 0."""
    y = matrix_of()
    y[:, 2] = 1
    assert (tiny().fit(TEXTS, y).predict_proba(TEXTS)[:, 2] > 0.5).all()
    assert (cross_val_predict(tiny(), TEXTS, y, cv=3, method="predict_proba")[:, 2] < 0.5).all()


def test_label_lists_of_different_lengths_are_refused():
    """1.6 to 1.9, before the classifier sees them; `KFold` and sets pass."""
    with pytest.raises(ValueError, match="legacy multi-label data representation"):
        cross_val_score(tiny(), TEXTS, TAGS, cv=3)
    assert np.isfinite(cross_val_score(tiny(), TEXTS, [set(tags) for tags in TAGS], cv=3)).all()


def test_named_metrics_refuse_label_sets():
    clf = tiny().fit(TEXTS, TAGS)
    with pytest.raises((ValueError, TypeError)):
        get_scorer("f1_micro")(clf, TEXTS, TAGS)
    assert 0 <= get_scorer("f1_micro")(clf, TEXTS, Y) <= 1


# -- callbacks, from scikit-learn 1.9 on ---------------------------------------------------------------

before_callbacks = pytest.mark.skipif(not BEFORE_1_9, reason="has sklearn.callback")


@before_callbacks
def test_there_are_no_callbacks_before_scikit_learn_1_9():
    assert not hasattr(tiny(), "set_callbacks")
    assert tiny().fit(TEXTS, TAGS).n_epochs_ == 2


@pytest.fixture
def callback():
    return pytest.importorskip("sklearn.callback")


class Recorder:
    """Writes down what it is told; stops after `stop_after` epochs, or raises."""

    def __init__(self, stop_after=None, error=None):
        self.stop_after, self.error = stop_after, error
        self.events, self.fitted = [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.events.append(("begin", context.parent is not None, 0 if X is None else len(X)))

    def on_fit_task_end(self, estimator, context, *, metadata=None, fitted_estimator=None):
        self.events.append(("end", context.parent is not None))
        self.fitted.append((fitted_estimator, metadata))
        if self.error is not None:
            raise self.error
        return self.stop_after is not None and len(self.fitted) >= self.stop_after


@pytest.mark.usefixtures("callback")
def test_a_callback_sees_the_fit_and_each_epoch():
    recorder = Recorder()
    clf = tiny(epochs=3).set_callbacks(recorder).fit(TEXTS, TAGS, sample_weight=WEIGHT)
    epoch = [("begin", True, 12), ("end", True)]
    assert recorder.events == ["setup", ("begin", False, 12), *epoch * 3, ("end", False), "teardown"]
    assert all(np.array_equal(metadata["sample_weight"], WEIGHT) for _, metadata in recorder.fitted)
    part, _ = recorder.fitted[1]
    two = tiny(epochs=2).fit(TEXTS, TAGS, sample_weight=WEIGHT)
    assert same_weights(part, two)
    assert np.array_equal(part.predict_proba(TEXTS), two.predict_proba(TEXTS))
    assert part.predict_labels(TEXTS) == two.predict_labels(TEXTS)
    last, _ = recorder.fitted[-1]
    assert same_weights(last, clf)
    assert same_weights(clf, tiny(epochs=3).fit(TEXTS, TAGS, sample_weight=WEIGHT))


@pytest.mark.usefixtures("callback")
def test_a_callback_may_stop():
    recorder = Recorder(stop_after=2)
    clf = tiny(epochs=5).set_callbacks(recorder).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 2
    assert same_weights(clf, tiny(epochs=2).fit(TEXTS, TAGS))
    assert recorder.events[-2:] == [("end", False), "teardown"]


@pytest.mark.usefixtures("callback")
def test_callbacks_are_torn_down_when_fit_fails():
    recorder = Recorder(error=RuntimeError("no more"))
    clf = tiny().set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="no more"):
        clf.fit(TEXTS, TAGS)
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1
    assert not hasattr(clf, "weights_")


@pytest.mark.usefixtures("callback")
def test_callbacks_leave_no_trace_in_the_fitted_classifier():
    clf = tiny().set_callbacks(Recorder()).fit(TEXTS, TAGS)
    plain = tiny().fit(TEXTS, TAGS)
    assert set(vars(clf)) - set(vars(plain)) == {"_skl_callbacks"}
    other = pickle.loads(pickle.dumps(clf))
    assert other.predict_labels(TEXTS) == plain.predict_labels(TEXTS)


def test_scoring_monitor(callback):
    monitor = callback.ScoringMonitor(scoring="f1_micro")
    clf = eager(epochs=12).set_callbacks(monitor).fit(TEXTS, Y)
    logs = monitor.get_logs().data
    scores = [row["f1_micro"] for row in logs if row["task_name"] != "fit"]
    assert len(scores) == 12
    assert np.isfinite(scores).all()
    assert scores[-1] > scores[0]
    assert scores[-1] == pytest.approx(get_scorer("f1_micro")(clf, TEXTS, Y))


def test_progress_bar(callback, capsys):
    pytest.importorskip("rich")
    clf = tiny(epochs=3).set_callbacks(callback.ProgressBar()).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 3
    assert "TextCNNClassifier" in capsys.readouterr().out


def test_callbacks_inside_a_search(callback):
    monitor = callback.ScoringMonitor(scoring="f1_micro")
    clf = tiny().set_callbacks(monitor)
    search = GridSearchCV(clf, {"filters": [3, 4]}, cv=2, scoring="f1_micro").fit(TEXTS, Y)
    names = [row["task_name"] for row in monitor.get_logs().data]
    assert len([name for name in names if name.startswith("epoch")]) == (2 * 2 + 1) * 2
    assert search.best_estimator_.classes_.tolist() == LABELS


def test_callbacks_reach_through_a_search(callback):
    class Propagated(Recorder):
        max_propagation_depth = None

    recorder = Propagated()
    search = GridSearchCV(tiny(), {"filters": [3, 4]}, cv=2, scoring="f1_micro").set_callbacks(recorder)
    search.fit(TEXTS, Y)
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1
    fits = [clf for clf, _ in recorder.fitted if isinstance(clf, TextCNNClassifier)]
    assert len(fits) >= (2 * 2 + 1) * 2
    assert search.best_estimator_.classes_.tolist() == LABELS
