"""From examples to a model: held-out texts, both parts and their blend, thresholds, refit."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import f1_score, get_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit, ShuffleSplit, StratifiedKFold

from sktextcnn import TextCNNClassifier, as_label_matrix, fitting, preparation, resolved
from sktextcnn.decision import evaluator
from sktextcnn.decision.rule import decide
from sktextcnn.decision.splits import make_folds
from sktextcnn.decision.thresholds import tune_thresholds
from sktextcnn.engine import compiled
from sktextcnn.engine.inference import compute_logits, to_probabilities
from sktextcnn.engine.observers import EarlyStopping, EpochLimit
from sktextcnn.linear.features import ngram_features
from sktextcnn.linear.part import blend_logits
from sktextcnn.text.tokens import FIRST_TOKEN, encode
from tests.strategies import indicators

LABELS = ["a", "b", "c"]


@cache
def corpus(n, seed=0, *, noise=False):
    """Return texts in which words of its own stand for each label, or, as noise, for nothing."""
    rng = np.random.default_rng(seed)
    carries = rng.random((n, 3)) < 0.4
    texts = []
    for row in carries:
        words = [f"w{i}" for i in rng.integers(0, 15, 4)]
        for label in np.array(LABELS)[row]:
            words += [f"{label}{i}" for i in rng.integers(0, 4, 2)]
        texts.append(" ".join(rng.permutation(words)))
    if noise:
        carries = rng.random((n, 3)) < 0.4
    y = as_label_matrix(carries.astype(int), classes=LABELS)
    y.setflags(write=False)  # many tests share it
    return tuple(texts), y


TEXTS, Y = corpus(120)
NEW_TEXTS, NEW_Y = corpus(100, seed=1)
TOPICS = [LABELS[int(row.argmax())] if row.any() else "none" for row in np.asarray(Y)]


def tiny(**parameters):
    small = {"min_df": 1, "embedding_dim": 8, "filters": 8, "kernel_sizes": (1, 2), "epochs": 2}
    small.update({"linear": False, "validation": None})
    return TextCNNClassifier(**{**small, "random_state": 0, **parameters})


def stopping(**parameters):
    return tiny(**{"validation": 0.1, "epochs": 3, **parameters})


def both(**parameters):
    """Return a classifier with a linear part."""
    return tiny(**{"linear": True, "validation": 0.1, "early_stopping": False, **parameters})


def quick(**parameters):
    """Return a classifier for more texts, as it is by default but for its size."""
    small = {"linear": True, "validation": "auto", "epochs": 1, "batch_size": 256}
    return tiny(**{**small, **parameters})


def assert_same_arrays(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def assert_same_model(first, second):
    assert_same_arrays(first.weights_, second.weights_)
    parts = [clf.linear_part_ and clf.linear_part_.to_arrays() for clf in (first, second)]
    assert_same_arrays(*(part or {} for part in parts))
    np.testing.assert_array_equal(first.thresholds_, second.thresholds_)
    assert first.n_epochs_ == second.n_epochs_


@pytest.fixture(scope="module")
def blended():
    return both().fit(TEXTS, Y)


@pytest.fixture(scope="module")
def pure():
    return stopping(linear=False, epochs=2).fit(TEXTS, Y)


@pytest.fixture
def spy(monkeypatch):
    """Return a function that records the calls of another: (positional, named arguments, result)."""

    def watch(module, name):
        real, calls = getattr(module, name), []

        def recorded(*args, **kwargs):
            result = real(*args, **kwargs)
            calls.append((args, kwargs, result))
            return result

        monkeypatch.setattr(module, name, recorded)
        return calls

    return watch


def trainings(calls):
    """Return how many texts and epochs each network was given, and whether it was validated."""

    def observer(kwargs, kind):
        return next((one for one in kwargs["observers"] if isinstance(one, kind)), None)

    return [
        (
            len(args[1].ids),
            observer(kwargs, EpochLimit)._n_epochs,
            observer(kwargs, EarlyStopping) is not None,
        )
        for args, kwargs, _ in calls
    ]


# -- dividing ----------------------------------------------------------------------------------------


@given(indicators(max_rows=30), st.integers(2, 5), st.integers(0, 5))
def test_every_text_is_held_out_once(targets, n_folds, seed):
    matrix, n = sparse.csr_matrix(targets), len(targets)
    if n < n_folds:
        message = rf"^{n} texts cannot be divided into validation={n_folds} parts\. Pass more texts, or"
        with pytest.raises(ValueError, match=message):
            make_folds(matrix, n_folds, np.random.default_rng(seed))
        return
    folds = make_folds(matrix, n_folds, np.random.default_rng(seed))
    assert len(folds) == n_folds
    assert sorted(np.concatenate([held_out for _, held_out in folds])) == [*range(n)]
    sizes = [len(held_out) for _, held_out in folds]
    assert max(sizes) - min(sizes) <= 1
    for train, held_out in folds:
        assert sorted([*train, *held_out]) == [*range(n)]
        assert (np.diff(train) > 0).all()
        assert (np.diff(held_out) > 0).all()
    # The rows whose rarest label it is are shared out evenly, for each label.
    counts = targets.sum(axis=0)
    rarest = np.array(
        [min(np.flatnonzero(row), key=lambda c: (counts[c], c), default=-1) for row in targets]
    )
    for label in range(targets.shape[1]):
        shares = [(rarest[held_out] == label).sum() for _, held_out in folds]
        assert max(shares) - min(shares) <= 1
        if (rarest == label).sum() >= n_folds:
            assert all(targets[held_out, label].any() for _, held_out in folds)
    again = make_folds(matrix, n_folds, np.random.default_rng(seed))
    assert [part.tolist() for fold in folds for part in fold] == [
        part.tolist() for fold in again for part in fold
    ]
    np.testing.assert_array_equal(matrix.toarray(), targets)


def test_another_seed_divides_otherwise():
    first, other = (make_folds(sparse.csr_matrix(Y), 3, np.random.default_rng(seed)) for seed in (0, 1))
    assert first[0][1].tolist() != other[0][1].tolist()


# -- as many labels as in training -------------------------------------------------------------------


@st.composite
def distinct_scores(draw):
    n, k = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    order = np.array(draw(st.permutations(range(n * k))))
    return ((order + 1) / (n * k + 1)).reshape(n, k)


@given(distinct_scores(), st.floats(0, 5))
def test_a_text_gets_as_many_labels_as_wanted_on_average(scores, labels_per_text):
    truth = np.zeros(scores.shape, int)
    thresholds = tune_thresholds(scores, truth, "cardinality", labels_per_text=labels_per_text)
    assert thresholds.shape == (scores.shape[1],)
    assert len({*thresholds.tolist()}) == 1
    assert 0 <= thresholds[0] <= 1
    wanted = min(max(labels_per_text * len(scores), 1), scores.size)
    assert abs(decide(scores, thresholds).sum() - wanted) <= 0.5


@given(indicators(), st.integers(0, 100))
def test_equal_scores_are_not_told_apart(truth, seed):
    """Without a number of labels, it is that of the truth; ties may add some."""
    scores = np.random.default_rng(seed).integers(0, 5, truth.shape) / 4
    thresholds = tune_thresholds(scores.astype(np.float32), truth, "cardinality")
    n_chosen, wanted = decide(scores, thresholds).sum(), max(truth.sum(), 1)
    lowest = scores[decide(scores, thresholds)].min()
    assert (scores > lowest).sum() < wanted <= n_chosen


def test_labels_on_average_in_the_classifier(spy):
    calls = spy(evaluator, "tune_thresholds")
    clf = tiny(threshold="cardinality", validation=0.5).fit(TEXTS, Y)
    (scores, truth, rule), options, thresholds = calls[-1]
    assert rule == "cardinality"
    assert options["labels_per_text"] == Y.sum() / len(Y)
    assert truth.shape == (60, 3)
    np.testing.assert_array_equal(clf.thresholds_, thresholds)
    n_chosen = decide(scores, thresholds).sum()
    assert abs(n_chosen - 60 * Y.sum() / len(Y)) <= 0.5
    np.testing.assert_array_equal(clf.thresholds_, clf.thresholds_[:1].repeat(3))


# -- with and without the linear part ----------------------------------------------------------------


def test_a_model_with_a_linear_part(blended):
    ngrams = blended.linear_part_.ngrams
    m = len(ngrams.keys) + len(ngrams.characters.ngrams)
    assert m > 15
    assert len(ngrams.idf) == m
    assert blended.linear_part_.kernel.shape == (m, 3)
    assert ngrams.ngram_range == (1, 2)
    assert blended.linear_part_.blend.shape == (3, 3)
    assert (blended.linear_part_.blend[:2] >= 0).all()


def test_the_linear_part_helps_where_the_network_has_hardly_learned(blended, pure):
    with_it, without = (
        f1_score(NEW_Y, clf.predict(NEW_TEXTS), average="micro", zero_division=0)
        for clf in (blended, pure)
    )
    assert with_it > 0.9
    assert with_it > without + 0.1


def test_the_pure_network(blended, pure):
    """None leaves it alone, and the linear part changes nothing in it."""
    assert pure.linear_part_ is None
    assert_same_arrays(stopping(linear=True, epochs=2).fit(TEXTS, Y).weights_, pure.weights_)
    ids = encode(NEW_TEXTS, pure._tokenizer(), pure.vocabulary_)
    np.testing.assert_array_equal(pure.decision_function(NEW_TEXTS), compute_logits(pure.weights_, ids))


def test_scores_are_the_blend_of_both_parts(blended):
    ids = encode(NEW_TEXTS, blended._tokenizer(), blended.vocabulary_)
    part = blended.linear_part_
    margins = ngram_features(ids, part.ngrams).toarray() @ part.kernel + part.bias
    of_network, of_margins, constant = part.blend
    logits = of_network * compute_logits(blended.weights_, ids) + of_margins * margins + constant
    np.testing.assert_allclose(blended.decision_function(NEW_TEXTS), logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(blended.predict_proba(NEW_TEXTS), 1 / (1 + np.exp(-logits)), atol=1e-5)


@pytest.mark.parametrize("form", [[1, 2], (1, 2), np.array([1, 2])], ids=["list", "tuple", "array"])
def test_forms_of_a_range(form, blended):
    assert_same_model(both(linear_ngram_range=form).fit(TEXTS, Y), blended)


@pytest.mark.parametrize("ngram_range", [(1, 1), (2, 3), (3, 3)], ids=str)
def test_other_ranges(ngram_range):
    clf = both(linear_ngram_range=ngram_range, epochs=1).fit(TEXTS, Y)
    assert clf.linear_part_.ngrams.ngram_range == ngram_range
    base = len(clf.vocabulary_) + 2
    keys = clf.linear_part_.ngrams.keys
    assert (keys >= 2 * base ** (ngram_range[0] - 1)).all()
    assert (keys < base ** ngram_range[1]).all()
    assert np.isfinite(clf.predict_proba([*NEW_TEXTS, ""])).all()


@pytest.mark.parametrize(
    "ngram_range",
    [(), (1,), (1, 2, 3), (2, 1), (0, 1), (1, 4), (1.0, 2), (True, 2), (1, None), [[1, 2], [1, 2]]],
    ids=str,
)
def test_bad_ranges(ngram_range):
    with pytest.raises(
        ValueError,
        match=r"^linear_ngram_range=.*; expected the fewest and the most tokens of an n-gram, 1 to 3, "
        r"such as \(1, 2\)\. linear=False leaves the linear part out\.$",
    ):
        both(linear_ngram_range=ngram_range).fit(TEXTS, Y)


@pytest.mark.parametrize("ngram_range", ["(1, 2)", "12", 2, True], ids=repr)
def test_what_is_no_range_at_all(ngram_range):
    with pytest.raises(
        ValueError, match="The 'linear_ngram_range' parameter of TextCNNClassifier must be"
    ):
        both(linear_ngram_range=ngram_range).fit(TEXTS, Y)


def test_a_range_can_be_searched():
    grid = [{"linear": [False]}, {"linear_ngram_range": [(1, 2)], "linear_C": [1.0]}]
    search = GridSearchCV(both(), grid, cv=2, scoring="f1_micro").fit(TEXTS, Y)
    assert search.best_params_ == {"linear_ngram_range": (1, 2), "linear_C": 1.0}
    assert search.best_estimator_.linear_part_ is not None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, True),
        ({"early_stopping": False}, True),
        ({"threshold": 0.3}, True),
        ({"threshold": "cardinality"}, True),
        ({"validation": 0.2}, True),
        ({"validation": None}, False),  # there is nothing to weigh the parts by
        ({"linear": False}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("n", [30, 900, 1100])
def test_the_same_kind_of_model_at_every_number_of_texts(n, options, expected):
    clf = quick(**options).fit(*corpus(n))
    assert (clf.linear_part_ is not None) == expected == clf.resolved_.linear
    tuned = options.get("validation", 3) is not None and options.get("threshold") != 0.3
    assert (clf.resolved_.threshold != "fixed") == tuned


def test_a_larger_cost_follows_the_texts_more_closely():
    close, loose = (both(linear_C=C, epochs=1).fit(TEXTS, Y).linear_part_.kernel for C in (10, 0.1))
    assert np.abs(close).sum() > 2 * np.abs(loose).sum()


@pytest.mark.parametrize("n", [60, 1100])
def test_mini_batches_by_default_train_the_network_alone(n):
    texts, y = corpus(n)
    clf = quick().partial_fit(texts, y)
    assert clf.linear_part_ is None
    assert clf.thresholds_.tolist() == [0.5] * 3
    assert np.isnan(clf.validation_score_)
    assert np.isnan(clf.validation_label_scores_).all()
    assert not clf.resolved_.linear
    assert clf.resolved_.n_folds == 0
    assert clf.partial_fit(texts, y).n_epochs_ == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": 0.2}, r"^partial_fit cannot hold texts out, and validation=0\.2 asks for it;"),
        ({"validation": 3}, r"^partial_fit cannot hold texts out, and validation=3 asks for it;"),
        ({"threshold": "cardinality"}, r"^partial_fit holds no texts out that threshold='cardinality'"),
    ],
    ids=str,
)
def test_mini_batches_hold_nothing_out(options, message):
    clf = tiny(**options)
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(TEXTS, Y)
    assert not hasattr(clf, "weights_")


@pytest.mark.parametrize("n", [60, 1100])
def test_a_warm_start_and_a_linear_part_do_not_go_together(n):
    """No text is read before that is said."""
    message = r"^warm_start goes on learning, which the linear part cannot do; set linear=False\.$"
    clf = quick(warm_start=True)
    with pytest.raises(ValueError, match=message):
        clf.fit([None] * n, None)
    assert not hasattr(clf, "weights_")
    assert clf.set_params(linear=False).fit(*corpus(n)).weights_


@pytest.mark.parametrize("validation", [3, KFold(2)], ids=str)
def test_a_warm_start_and_several_folds_do_not_go_together(validation):
    clf = tiny(warm_start=True, validation=validation)
    with pytest.raises(
        ValueError, match=r"learned from all texts cannot be judged by some of them later"
    ):
        clf.fit(TEXTS, Y)


@pytest.mark.parametrize("n", [120, 1100])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_from_a_fit_with_a_linear_part(method, n):
    """No text is read before that is said."""
    fitted = quick().fit(*corpus(n))
    clf = copy.deepcopy(fitted).set_params(linear=False, warm_start=True)
    message = (
        r"The fitted model has a linear part, which cannot go on learning; fit it with linear=False"
    )
    with pytest.raises(ValueError, match=message):
        getattr(clf, method)([None] * n, None)
    assert_same_model(clf, fitted)
    assert clf.set_params(warm_start=False).fit(TEXTS, Y).linear_part_ is None


# -- held-out texts ----------------------------------------------------------------------------------


#: How a network learns what can only be learned by heart.
BY_HEART = {
    "epochs": 20,
    "batch_size": 50,
    "learning_rate": 0.05,
    "learning_rate_schedule": "constant",
    "dropout": 0.0,
    "embedding_dropout": 0.0,
}


def auc(truth, scores):
    return roc_auc_score(np.asarray(truth).ravel(), np.asarray(scores).ravel())


@pytest.mark.parametrize("folds", [0.5, 3])
def test_nothing_is_judged_by_texts_it_was_learned_from(spy, folds):
    """Labels that have nothing to do with the texts can be learned by heart, and not be foretold."""
    options = {"validation": folds}
    blends, tunings = spy(fitting, "fit_blend"), spy(evaluator, "tune_thresholds")
    texts, y = corpus(200, noise=True)
    noise = both(**BY_HEART, **options).fit(texts, y)
    logits, margins, truth, *_ = blends[0][0]
    assert truth.shape == (200 if folds == 3 else 100, 3)
    assert auc(truth, logits) < 0.6
    assert auc(truth, margins) < 0.6
    scores, same_truth = tunings[-1][0][:2]
    np.testing.assert_array_equal(same_truth, truth)
    assert auc(truth, scores) < 0.6
    # Of what it has learned from it says more, and so does the linear part.
    ids = encode(texts, noise._tokenizer(), noise.vocabulary_)
    assert auc(y, compute_logits(noise.weights_, ids)) > 0.7
    assert auc(y, noise.linear_part_.margins(ids)) > 0.8
    # So neither part gets much weight.
    assert noise.linear_part_.blend[:2].max() < 1
    learnable = both(validation=folds).fit(*corpus(200))
    assert learnable.linear_part_.blend[1].min() > 2.5


@pytest.mark.parametrize("linear", [False, True])
def test_thresholds_from_all_texts(spy, linear):
    trained, tunings = spy(compiled, "train"), spy(evaluator, "tune_thresholds")
    clf = stopping(linear=linear, metric="f1_macro", validation=3).fit(TEXTS, Y)
    *of_epochs, (args, _, thresholds) = tunings
    scores, truth, metric = args
    assert scores.shape == truth.shape == (120, 3)
    assert metric == "f1_macro"
    assert sorted(truth.tolist()) == sorted(Y.tolist())
    np.testing.assert_array_equal(clf.thresholds_, thresholds)
    # While training, each epoch of the first network is judged by its own part.
    assert {args[0].shape for args, _, _ in of_epochs} == {(40, 3)}
    assert len(of_epochs) == len(clf.history_["validation_score"])
    assert trainings(trained) == [
        (80, 3, True),
        (80, clf.n_epochs_, False),
        (80, clf.n_epochs_, False),
        (120, clf.n_epochs_, False),
    ]


def test_what_both_parts_say_of_held_out_texts(spy):
    """Their blend is chosen from it, and the thresholds from the blend."""
    divisions, trained = spy(preparation, "choose_folds"), spy(compiled, "train")
    linear, blends = spy(fitting, "fit_linear"), spy(fitting, "fit_blend")
    tunings = spy(evaluator, "tune_thresholds")
    clf = both(validation=0.3).fit(TEXTS, Y)
    ((_, held_out),) = divisions[0][2]
    ids = encode([TEXTS[row] for row in held_out], clf._tokenizer(), clf.vocabulary_)
    (logits, margins, truth, weight, label_weight), options, blend = blends[0]
    assert weight.tolist() == [1.0] * 36
    assert label_weight.tolist() == [[1.0] * 3] * 2
    assert options.pop("counts").tolist() == Y.sum(axis=0).tolist()
    assert options == {"exclusive": False}
    np.testing.assert_array_equal(truth, Y[held_out])
    np.testing.assert_array_equal(logits, compute_logits(trained[0][2][0].weights, ids))
    kernel, bias = linear[0][2]
    features = ngram_features(ids, clf.linear_part_.ngrams)
    np.testing.assert_array_equal(margins, features @ kernel + bias)
    (scores, *_), _, thresholds = tunings[-1]
    expected = to_probabilities(blend_logits(logits, margins, blend), exclusive=False)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(clf.thresholds_, thresholds)


def test_the_linear_part_is_fitted_without_each_part_and_then_to_all(spy):
    linear, blends = spy(fitting, "fit_linear"), spy(fitting, "fit_blend")
    clf = both(validation=3, epochs=1).fit(TEXTS, Y)
    assert [args[0].shape[0] for args, _, _ in linear] == [80, 80, 80, 120]
    assert [args[1].shape[0] for args, _, _ in linear] == [80, 80, 80, 120]
    kernel, bias = linear[-1][2]
    np.testing.assert_array_equal(clf.linear_part_.kernel, kernel)
    np.testing.assert_array_equal(clf.linear_part_.bias, bias)
    assert len(blends) == 1
    np.testing.assert_allclose(clf.linear_part_.blend, blends[0][2], rtol=1e-6)


def macro(y, predicted):
    return float(f1_score(y, predicted, average="macro", zero_division=0))


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, [80, 80, 80, 120]),
        ({"metric": "f1_macro"}, [80, 80, 80, 120]),
        ({"threshold": "cardinality"}, [80, 80, 80, 120]),
        ({"threshold": 0.3}, [80, 80, 80, 120]),
        ({"early_stopping": False}, [80, 80, 80, 120]),
        ({"linear": False}, [80, 80, 80, 120]),
        ({"validation": 2}, [60, 60, 120]),
        ({"validation": 0.25}, [90]),
        ({"validation": ShuffleSplit(1, test_size=20, random_state=0)}, [100]),
        ({"validation": ShuffleSplit(2, test_size=20, random_state=0)}, [100, 100, 120]),
        ({"validation": PredefinedSplit([-1] * 60 + [0] * 30 + [1] * 30)}, [90, 90, 120]),
        ({"validation": None}, [120]),
    ],
    ids=str,
)
def test_how_often_texts_are_held_out(spy, options, sizes):
    trained = spy(compiled, "train")
    clf = quick(**options).fit(TEXTS, Y)
    assert [n for n, _, _ in trainings(trained)] == sizes
    assert clf.resolved_.n_folds == len(sizes) - (len(sizes) > 1 or sizes == [120])
    assert np.isnan(clf.validation_score_) == (sizes == [120])


@pytest.mark.parametrize("one_label", [False, True])
def test_a_tenth_of_many_texts_is_enough(spy, monkeypatch, one_label):
    """But for rare labels under macro-F1."""
    for name in ("MANY", "MANY_OF_ONE_LABEL"):
        monkeypatch.setattr(resolved, name, 1000)
    trained = spy(compiled, "train")
    texts, y = corpus(1000)
    y = ["a" if row[0] else "b" for row in y] if one_label else y
    quick().fit(texts, y)
    assert [n for n, _, _ in trainings(trained)] == [900]
    quick(metric="f1_macro").fit(texts, y)
    assert len(trained) == 1 + (1 if one_label else 4)
    quick().fit(texts[:999], y[:999])
    assert len(trained) == 1 + (1 if one_label else 4) + 4


def test_a_handful_of_texts_are_all_learned(spy):
    """What so few held-out ones say would be chance."""
    trained = spy(compiled, "train")
    clf = quick().fit(TEXTS[:11], Y[:11])
    assert [n for n, _, _ in trainings(trained)] == [11]
    assert clf.resolved_.n_folds == clf.resolved_.n_held_out == 0
    assert clf.thresholds_.tolist() == [0.5] * 3
    assert clf.linear_part_ is None
    assert quick().fit(TEXTS[:12], Y[:12]).resolved_.n_held_out == 12
    assert quick(validation=2).fit(TEXTS[:2], Y[:2]).resolved_.n_held_out == 2


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (
            PredefinedSplit([0] * 120),
            r"gives a split of 0 and 120 rows, up to number 119; expected some",
        ),
        (PredefinedSplit([-1] * 120), r"gives no split; expected one at least\.$"),
        (PredefinedSplit([-1] * 119 + [0, 0]), r"gives a split of 119 and 2 rows, up to number 120;"),
    ],
    ids=["all", "none", "too many"],
)
def test_splitters_that_do_not_fit(splitter, message):
    with pytest.raises(ValueError, match=message):
        quick(validation=splitter).fit(TEXTS, Y)


def test_a_stratified_splitter_of_one_label_per_text():
    clf = quick(validation=StratifiedKFold(3)).fit(TEXTS, TOPICS)
    assert (clf.resolved_.n_folds, clf.resolved_.n_held_out) == (3, 120)


def test_a_splitter_that_holds_out_what_it_trains_on():
    class Same(PredefinedSplit):
        def split(self, X=None, y=None, groups=None):
            yield np.arange(60), np.arange(50, 120)

    with pytest.raises(ValueError, match="holds rows out that it also trains on"):
        quick(validation=Same([0] * 120)).fit(TEXTS, Y)


def test_cardinality_needs_held_out_texts():
    message = r"^threshold='cardinality' looks at held-out texts, and there are none: validation=None\."
    with pytest.raises(ValueError, match=message):
        tiny(threshold="cardinality").fit(TEXTS, Y)


def test_the_score_of_the_whole_model():
    """It is that of network and linear part together, with the tuned thresholds."""
    split = PredefinedSplit([-1] * 80 + [0] * 40)
    for metric in ("f1_micro", "f1_macro"):
        clf = both(validation=split, metric=metric).fit(TEXTS, Y)
        alone = both(validation=split, metric=metric, linear=False).fit(TEXTS, Y)
        assert clf.validation_score_ > alone.validation_score_ + 0.1
        expected = f1_score(Y[80:], alone.predict(TEXTS[80:]), average=metric[3:], zero_division=0)
        assert alone.validation_score_ == pytest.approx(expected)
        each = f1_score(Y[80:], alone.predict(TEXTS[80:]), average=None, zero_division=0)
        np.testing.assert_allclose(alone.validation_label_scores_, each)


def test_the_score_of_one_label_per_text():
    split = PredefinedSplit([-1] * 80 + [0] * 40)
    clf = both(validation=split, linear=False).fit(TEXTS, TOPICS)
    predicted = clf.predict(TEXTS[80:])
    assert clf.validation_score_ == pytest.approx(np.mean(predicted == np.array(TOPICS[80:])))
    each = f1_score(TOPICS[80:], predicted, average=None, labels=clf.classes_, zero_division=0)
    np.testing.assert_allclose(clf.validation_label_scores_, each)


def test_more_parts_than_texts():
    with pytest.raises(ValueError, match=r"^12 texts cannot be divided into validation=13 parts"):
        tiny(validation=13).fit(TEXTS[:12], Y[:12])


@pytest.mark.parametrize("folds", [0, 1, -1, 2.5, "three", True], ids=repr)
def test_bad_numbers_of_parts(folds):
    with pytest.raises(ValueError, match="The 'validation' parameter of TextCNNClassifier must be"):
        tiny(validation=folds).fit(TEXTS, Y)


# -- the final network -------------------------------------------------------------------------------


def test_the_final_network_has_learned_from_all_texts(spy):
    trained = spy(compiled, "train")
    texts, y = corpus(120, noise=True)  # soon there is nothing more to gain
    options = {"learning_rate": 0.02, "learning_rate_schedule": "constant"}
    clf = stopping(epochs=20, n_iter_no_change=2, validation=3, **options).fit(texts, y)
    first, last = trainings(trained)[0], trainings(trained)[-1]
    assert first == (80, 20, True)
    assert last == (120, clf.n_epochs_, False)
    scores = clf.history_["validation_score"]
    assert clf.n_epochs_ == np.argmax(scores) + 1
    assert len(clf.history_["loss"]) == len(scores) == clf.n_epochs_ + 2 < 20
    plain = tiny(epochs=clf.n_epochs_, **options).fit(texts, y)
    assert_same_arrays(clf.weights_, plain.weights_)
    # The history is that of the network which was validated, on fewer texts.
    validated = trained[0][2][1]
    assert clf.history_ == validated
    assert clf.history_["loss"][: clf.n_epochs_] != plain.history_["loss"]


def test_the_final_network_has_the_rates_that_the_first_one_had(spy):
    """They decay as if all epochs were to come, though early stopping found fewer to be best."""
    trained = spy(compiled, "train")
    texts, y = corpus(120, noise=True)
    clf = stopping(epochs=12, n_iter_no_change=2, validation=3, learning_rate=0.02).fit(texts, y)
    assert clf.n_epochs_ < 12 == clf.resolved_.epochs
    assert [args[2].epochs for args, _, _ in trained] == [12] * 4
    shorter = tiny(epochs=clf.n_epochs_, learning_rate=0.02).fit(texts, y)
    assert not np.array_equal(shorter.weights_["output_kernel"], clf.weights_["output_kernel"])


def test_without_early_stopping_every_network_trains_for_all_epochs(spy):
    trained = spy(compiled, "train")
    clf = tiny(early_stopping=False, validation=2, epochs=3).fit(TEXTS, Y)
    assert trainings(trained) == [(60, 3, False), (60, 3, False), (120, 3, False)]
    assert clf.n_epochs_ == len(clf.history_["loss"]) == 3
    assert "validation_score" not in clf.history_


# -- the same again ----------------------------------------------------------------------------------

EVERYTHING = {"validation": 3, "metric": "f1_macro"}


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=str)
def test_the_same_seed_gives_the_same_model(options):
    clf = stopping(linear=True, **options).fit(TEXTS, Y)
    assert_same_model(clf, clone(clf).fit(TEXTS, Y))
    other = clone(clf).set_params(random_state=1).fit(TEXTS, Y)
    assert not np.array_equal(other.weights_["output_kernel"], clf.weights_["output_kernel"])
    assert not np.array_equal(other.linear_part_.blend, clf.linear_part_.blend)


def test_a_fit_leaves_its_inputs_alone():
    texts, y, weight = list(TEXTS), Y.copy(), np.linspace(0.5, 2, 120)
    y.setflags(write=False)
    weight.setflags(write=False)
    clf = stopping(linear=True, validation=2).fit(texts, y, sample_weight=weight)
    assert clf.linear_part_ is not None
    assert texts == [*TEXTS]
    np.testing.assert_array_equal(y, Y)


def test_copies_predict_the_same(blended, tmp_path):
    joblib.dump(blended, tmp_path / "model.joblib")
    copies = [
        pickle.loads(pickle.dumps(blended)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
        copy.deepcopy(blended),
        clone(blended).fit(TEXTS, Y),
    ]
    expected = blended.predict_proba(NEW_TEXTS)
    for other in copies:
        np.testing.assert_array_equal(other.predict_proba(NEW_TEXTS), expected)
        np.testing.assert_array_equal(other.predict(NEW_TEXTS), blended.predict(NEW_TEXTS))


def test_a_text_is_scored_alike_alone_and_among_others(blended):
    texts = [*NEW_TEXTS[:30], "", "never seen", " ".join(NEW_TEXTS)]
    together = blended.decision_function(texts)
    assert np.isfinite(together).all()
    alone = np.concatenate([blended.decision_function([text]) for text in texts])
    np.testing.assert_array_equal(alone, together)
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = blended.decision_function([texts[row] for row in order])
    np.testing.assert_array_equal(shuffled, together[order])


def test_predicting_in_several_threads(blended):
    expected = blended.predict_proba(NEW_TEXTS)
    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(blended.predict_proba, [NEW_TEXTS] * 16)]
    for result in results:
        np.testing.assert_array_equal(result, expected)


# -- objectives, weights and bounds ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "loss"), [(TOPICS, "auto"), (Y, "kl_divergence")], ids=["one label", "shared"]
)
def test_probabilities_that_share_one_distribution(y, loss):
    clf = both(loss=loss).fit(TEXTS, y)
    assert (clf.linear_part_.blend[2] == 0).all()  # fixed there
    assert (clf.linear_part_.blend[1] > 0).all()
    p = clf.predict_proba([*NEW_TEXTS, ""])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert (p >= 0).all()
    z = clf.decision_function(NEW_TEXTS)
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    np.testing.assert_allclose(p[:-1], shares / shares.sum(axis=1, keepdims=True), atol=1e-5)


def test_one_label_per_text_follows_the_blend():
    clf = both().fit(TEXTS, TOPICS)
    pure = stopping(linear=False, epochs=2).fit(TEXTS, TOPICS)
    chosen = clf.classes_[clf.predict_proba(TEXTS).argmax(axis=1)]
    np.testing.assert_array_equal(clf.predict(TEXTS), chosen)
    assert clf.score(TEXTS, TOPICS) > pure.score(TEXTS, TOPICS)


def test_two_classes():
    is_a = ["yes" if row[0] else "no" for row in Y]
    clf = both().fit(TEXTS, is_a)
    z, p = clf.decision_function(TEXTS), clf.predict_proba(TEXTS)
    assert z.shape == (120,)
    np.testing.assert_allclose(1 / (1 + np.exp(-z)), p[:, 1], atol=1e-5)
    assert clf.score(TEXTS, is_a) > 0.9


@pytest.mark.parametrize("loss", ["focal", "asymmetric"])
def test_other_losses_of_independent_labels(loss):
    clf = both(loss=loss).fit(TEXTS, Y)
    assert f1_score(NEW_Y, clf.predict(NEW_TEXTS), average="micro") > 0.9


def test_sample_weight_reaches_the_linear_part(spy):
    """Every text comes twice, with opposite labels; the linear part learns the heavier one."""
    calls, blends = spy(fitting, "fit_linear"), spy(fitting, "fit_blend")
    texts, y = [*TEXTS, *TEXTS], np.concatenate([np.asarray(Y), 1 - np.asarray(Y)])
    weight = np.repeat([5.0, 0.2], 120)
    clf = both(epochs=1).fit(texts, y, sample_weight=weight)
    assert sorted(np.unique(blends[0][0][3]).tolist()) == [np.float32(0.2), 5.0]
    np.testing.assert_array_equal(calls[-1][0][2], weight.astype(np.float32))
    ids = encode(NEW_TEXTS, clf._tokenizer(), clf.vocabulary_)
    assert auc(NEW_Y, clf.linear_part_.margins(ids)) > 0.9
    turned = both(epochs=1).fit(texts, y, sample_weight=weight[::-1])
    assert auc(NEW_Y, turned.linear_part_.margins(ids)) < 0.1


def test_class_weight_reaches_the_linear_part(spy, blended):
    calls = spy(fitting, "fit_linear")
    clf = both(class_weight={"a": 20.0}).fit(TEXTS, Y)
    for args, _, _ in calls:
        np.testing.assert_array_equal(args[3], [[20, 1, 1], [1, 1, 1]])
    first, second = clf.linear_part_, blended.linear_part_
    for one, other in [(first.kernel, second.kernel), (first.bias, second.bias)]:
        assert not np.array_equal(one[..., 0], other[..., 0])
        np.testing.assert_array_equal(one[..., 1:], other[..., 1:])
    assert first.bias[0] > second.bias[0]


def test_balanced_class_weight_with_a_linear_part(spy):
    calls = spy(fitting, "fit_linear")
    both(class_weight="balanced").fit(TEXTS, Y)
    counts = np.asarray(Y).sum(axis=0)
    expected = [120 / (2 * counts), 120 / (2 * (120 - counts))]
    for args, _, _ in calls:
        np.testing.assert_allclose(args[3], expected, rtol=1e-6)


@pytest.mark.parametrize("threshold", [0.5, "tune", "cardinality"])
def test_exactly_two_labels_for_every_text(threshold):
    bounds = {"min_labels": 2, "max_labels": 2}
    clf = both(threshold=threshold, **bounds).fit(TEXTS, Y)
    texts = [*NEW_TEXTS, "", "never seen"]
    predicted = clf.predict(texts)
    assert (predicted.sum(axis=1) == 2).all()
    # Those furthest above their thresholds; with one for all labels, the two most probable ones.
    p = clf.predict_proba(texts) - clf.thresholds_
    assert (np.where(predicted, p, 1).min(axis=1) >= np.where(predicted, -1, p).max(axis=1)).all()


def test_a_label_of_a_single_text():
    """It cannot be in every part, and not in every part's complement."""
    y = np.hstack([np.asarray(Y), np.eye(120, 1, dtype=int)])
    for options in ({}, EVERYTHING):
        clf = stopping(linear=True, **options).fit(TEXTS, y)
        p = clf.predict_proba(NEW_TEXTS)
        assert p.shape == (100, 4)
        assert np.isfinite(p).all()
        assert ((clf.thresholds_ > 0) & (clf.thresholds_ < 1)).all()


# -- what sees the fitted model ----------------------------------------------------------------------


def assert_keras_agrees(clf, texts):
    # Ids do not tell what an unknown token looks like, to the Keras model or to ours.
    ids = encode(texts, clf._tokenizer(), clf.vocabulary_)
    logits = compute_logits(clf.weights_, ids)
    if clf.linear_part_ is not None:
        logits = clf.linear_part_.add_to(logits, ids)
    model, expected = clf.to_keras(), to_probabilities(logits, exclusive=not clf.multilabel_)
    if (ids.flat >= FIRST_TOKEN).all():
        np.testing.assert_allclose(expected, clf.predict_proba(texts), atol=1e-6)
    np.testing.assert_allclose(np.asarray(model(ids.padded(0))), expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(model(ids.padded(3))), expected, atol=1e-5)


@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 2), (2, 3)], ids=str)
def test_the_keras_model_says_the_same(ngram_range):
    clf = both(linear_ngram_range=ngram_range, min_df=2).fit(TEXTS, Y)
    texts = [*NEW_TEXTS[:30], "", "a0", "never seen", "a0 a0 a0 b1 a0 b1", "a0 unseen b1"]
    assert_keras_agrees(clf, texts)
    assert_keras_agrees(clf, TEXTS)
    assert_keras_agrees(both(linear_ngram_range=ngram_range).fit(TEXTS, TOPICS), texts)
    words = both(linear_ngram_range=ngram_range, linear_char_ngram_range=None).fit(TEXTS, Y)
    assert_keras_agrees(words, texts)


def test_the_keras_model_of_a_linear_part_without_ngrams():
    texts = [f"one{i} two{i} three{i}" for i in range(40)]
    y = [["a"] if i % 4 else ["b"] for i in range(40)]
    clf = both(linear_char_ngram_range=None).fit(texts, y)
    assert clf.linear_part_ is None
    assert_keras_agrees(clf, texts)


def test_callbacks_see_the_whole_model_at_the_end():
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="f1_micro")
    clf = both().set_callbacks(monitor).fit(TEXTS, Y)
    scores = [row["f1_micro"] for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert scores == pytest.approx([get_scorer("f1_micro")(clf, TEXTS, Y)])
