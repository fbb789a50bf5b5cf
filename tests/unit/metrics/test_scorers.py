"""Scorers by name, in scikit-learn's model selection and where its own fail."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktextcnn import as_label_matrix
from sktextcnn.metrics import get_scorer, measure_names
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, eager, matrix_of, tiny
from tests.strategies import examples_up_to

MATRIX = as_label_matrix(TAGS)
NAMES = [name.replace("at_k", "at_1") for name in measure_names()]

#: Names that scikit-learn has as well, with the functions behind them.
SHARED = {
    "accuracy": metrics.accuracy_score,
    "neg_hamming_loss": lambda *args: -metrics.hamming_loss(*args),
    **{
        f"{family}_{average}": lambda *args, function=function, average=average: function(
            *args, average=average, zero_division=0
        )
        for family, function in {
            "f1": metrics.f1_score,
            "jaccard": metrics.jaccard_score,
            "precision": metrics.precision_score,
            "recall": metrics.recall_score,
        }.items()
        for average in ("micro", "macro", "weighted", "samples")
    },
}


class Decided:
    """A fitted classifier that predicts what it was told."""

    def __init__(self, predicted):
        self.predicted, self.classes_ = predicted, np.arange(predicted.shape[1])

    def predict(self, X):
        return self.predicted


class Told(Decided):
    """It has scores, too."""

    def __init__(self, predicted, scores):
        super().__init__(predicted)
        self.scores = scores

    def decision_function(self, X):
        return self.scores


def outcomes(columns):
    """Truth, decisions and scores of a few texts."""
    cell = st.integers(0, 1)
    row = st.tuples(*[st.tuples(cell, cell, st.integers(0, 4))] * columns)
    rows = st.lists(row, min_size=1, max_size=6)
    return rows.map(lambda cells: np.moveaxis(np.array(cells, dtype=np.int64), 2, 0))


def score(names, told, truth, weight=None):
    estimator = Told(told[0], told[1] / 4)
    return get_scorer(names)(estimator, ["text"] * len(truth), truth, weight)


@examples_up_to(10)  # scikit-learn takes a hundredth of a second for each
@given(outcomes(columns=3), st.data())
def test_scores_equal_those_of_scikit_learn(cells, data):
    truth, predicted, scores = cells
    expected = {name: function(truth, predicted) for name, function in SHARED.items()}
    assert score([*SHARED], (predicted, scores), truth) == pytest.approx(expected)
    weight = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(truth), max_size=len(truth))))
    of_scores = {
        "lrap": metrics.label_ranking_average_precision_score(truth, scores, sample_weight=weight),
        "neg_coverage_error": -metrics.coverage_error(truth, scores, sample_weight=weight),
    }
    if truth.any():
        for average in ("micro", "macro"):
            carried = truth if average == "micro" else truth[:, truth.any(axis=0)]
            columns = scores if average == "micro" else scores[:, truth.any(axis=0)]
            of_scores[f"average_precision_{average}"] = (
                metrics.average_precision_score(carried, columns, average=average, sample_weight=weight)
                if carried.shape[1] > 1
                else metrics.average_precision_score(carried, columns, sample_weight=weight)
            )
    found = score([*of_scores], (predicted, scores), truth, weight)
    assert found == pytest.approx(of_scores)


@examples_up_to(10)
@given(outcomes(columns=1))
def test_one_label_is_scored_as_one_label(cells):
    truth, predicted, scores = cells
    found = score(NAMES, (predicted, scores), truth)
    for family in ("f1", "precision", "recall", "jaccard"):
        expected = SHARED[f"{family}_macro"](
            np.pad(truth, ((0, 0), (0, 1))), np.pad(predicted, ((0, 0), (0, 1)))
        )
        for average in ("micro", "macro"):
            assert found[f"{family}_{average}"] == pytest.approx(2 * expected), average
    assert found["accuracy"] == pytest.approx(1 + found["neg_hamming_loss"])
    assert found["accuracy"] == (truth == predicted).mean()
    assert found["precision_at_1"] == truth.mean()
    assert found["lrap"] == 1


@given(outcomes(columns=2), st.sampled_from(NAMES))
def test_higher_is_better_and_the_truth_is_best(cells, name):
    truth, predicted, scores = cells
    best = score(name, (truth, 4 * truth), truth)
    assert score(name, (predicted, scores), truth) <= best + 1e-9
    assert np.isfinite(best)


def test_weights_count_as_so_many_texts():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 2, (2, 8, 3))
    scores, weight = rng.permutation(24).reshape(8, 3), rng.integers(1, 4, 8)
    weighted = score(NAMES, (predicted, scores), truth, weight)
    rows = np.repeat(np.arange(8), weight)
    repeated = score(NAMES, (predicted[rows], scores[rows]), truth[rows])
    assert weighted == pytest.approx(repeated)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("form", ["matrix", "array"])
def test_every_scorer_works_in_cross_validation(k, form):
    Y = as_label_matrix([[tag for tag in row if tag in LABELS[-k:]] for row in TAGS])
    Y = Y if form == "matrix" else np.asarray(Y)
    found = cross_validate(tiny(), TEXTS, Y, cv=3, scoring=get_scorer(NAMES), error_score="raise")
    assert found.keys() == {"fit_time", "score_time", *(f"test_{name}" for name in NAMES)}
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in NAMES)


def test_label_sets_are_scored_where_scikit_learn_lets_them_through():
    folds = [*KFold(3).split(TEXTS)]
    names = ["f1_micro", "lrap"]
    sets = cross_validate(tiny(), TEXTS, TAGS, cv=folds, scoring=get_scorer(names), error_score="raise")
    matrix = cross_validate(tiny(), TEXTS, MATRIX, cv=folds, scoring=get_scorer(names))
    for name in names:
        np.testing.assert_array_equal(sets[f"test_{name}"], matrix[f"test_{name}"])


def test_scorers_work_alone_in_a_dict_and_in_searches():
    pipeline = make_pipeline(FunctionTransformer(), tiny())
    grid = {"textcnnclassifier__filters": [2, 4]}
    several = {name: get_scorer(name) for name in ("f1_macro", "precision_at_2")}
    search = GridSearchCV(pipeline, grid, cv=2, scoring=several, refit="f1_macro", error_score="raise")
    search.fit(TEXTS, MATRIX)
    assert {"mean_test_f1_macro", "mean_test_precision_at_2"} <= search.cv_results_.keys()
    once = GridSearchCV(
        pipeline, grid, cv=2, scoring=get_scorer([*several]), refit="f1_macro", error_score="raise"
    ).fit(TEXTS, MATRIX)
    for name in several:
        key = f"mean_test_{name}"
        np.testing.assert_array_equal(search.cv_results_[key], once.cv_results_[key])
    assert isinstance(get_scorer("lrap")(search, TEXTS, TAGS), float)
    alone = cross_val_score(tiny(), TEXTS, MATRIX, cv=2, scoring=get_scorer("f1_macro"))
    assert alone.shape == (2,)


def test_one_label_per_text_is_scored_as_scikit_learn_does():
    clf = eager().fit(TEXTS, TOPICS)
    predicted = clf.predict(TEXTS[::-1])
    for name in ("f1_macro", "f1_weighted", "precision_macro", "accuracy"):
        expected = metrics.get_scorer(name)(clf, TEXTS[::-1], TOPICS)
        assert get_scorer(name)(clf, TEXTS[::-1], TOPICS) == pytest.approx(expected), predicted


def test_unseen_true_labels_are_misses_in_every_measure():
    clf = eager().fit(TEXTS, TAGS)
    names = [*SHARED, "lrap", "neg_coverage_error", "recall_at_3", "ndcg_at_3"]
    names = [name for name in names if not name.startswith("precision")]
    known = get_scorer(names)(clf, TEXTS, TAGS)
    missed = get_scorer(names)(clf, TEXTS, [[*tags, "weather"] for tags in TAGS])
    assert all(missed[name] < known[name] for name in names)


def test_scorers_can_be_copied_compared_and_read():
    for scorer in (get_scorer("lrap"), get_scorer(["f1_micro", "ndcg_at_3"])):
        assert pickle.loads(pickle.dumps(scorer)) == scorer
        assert eval(repr(scorer)) == scorer
    search = GridSearchCV(tiny(), {}, scoring=get_scorer("lrap"))
    assert clone(search).scoring == search.scoring
    assert len({get_scorer("lrap"), get_scorer("lrap"), get_scorer(["lrap"])}) == 2


# -- bad input ---------------------------------------------------------------------------------------


def test_unknown_measures_are_named_with_the_nearest():
    with pytest.raises(ValueError, match="no measure 'f1_mirco'; did you mean 'f1_micro'"):
        get_scorer("f1_mirco")
    with pytest.raises(ValueError, match="no measure 'xyz'; expected one of accuracy, average_prec"):
        get_scorer(["accuracy", "xyz"])
    with pytest.raises(ValueError, match="did you mean 'precision_at_k'"):
        get_scorer("precision_at_k2")
    with pytest.raises(ValueError, match="names is empty"):
        get_scorer([])


def test_measures_of_scores_say_what_is_missing():
    clf = tiny().fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="k=4; expected a number from 1 to 3"):
        get_scorer("recall_at_4")(clf, TEXTS, TAGS)
    with pytest.raises(ValueError, match="neither predict_proba nor decision_function"):
        get_scorer("lrap")(Decided(matrix_of()), TEXTS, matrix_of())
