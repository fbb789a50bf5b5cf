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
from sklearn.model_selection import GridSearchCV
from strategies import indicators

from sktextcnn import TextCNNClassifier, as_label_matrix, classifier, parameters, recipe, validation
from sktextcnn.engine import compiled
from sktextcnn.engine.inference import compute_logits, to_probabilities
from sktextcnn.engine.observers import EarlyStopping
from sktextcnn.model_selection import divide
from sktextcnn.ngrams import Ngrams, add_linear_part, blend_logits, ngram_features
from sktextcnn.text import encode
from sktextcnn.thresholds import decide, tune_thresholds

LABELS = ["a", "b", "c"]
LINEAR = {"linear_ngrams", "linear_idf", "linear_range", "linear_kernel", "linear_bias", "linear_blend"}


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
    return TextCNNClassifier(**{**small, "random_state": 0, **parameters})


def stopping(**parameters):
    return tiny(**{"early_stopping": True, "epochs": 3, **parameters})


def quick(**parameters):
    """Return a classifier for more texts."""
    return tiny(**{"epochs": 1, "batch_size": 256, **parameters})


def linear_part(clf):
    return {name: clf.weights_[name] for name in LINEAR & clf.weights_.keys()}


def network(clf):
    return {name: array for name, array in clf.weights_.items() if name not in LINEAR}


def assert_same_arrays(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def assert_same_model(first, second):
    assert_same_arrays(first.weights_, second.weights_)
    np.testing.assert_array_equal(first.thresholds_, second.thresholds_)
    assert first.n_epochs_ == second.n_epochs_


@pytest.fixture(scope="module")
def blended():
    return tiny(ngram_range=(1, 2)).fit(TEXTS, Y)


@pytest.fixture(scope="module")
def pure():
    return stopping(ngram_range=None, epochs=2).fit(TEXTS, Y)


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
    return [
        (
            len(args[1].ids),
            args[2].epochs,
            any(isinstance(observer, EarlyStopping) for observer in kwargs["observers"]),
        )
        for args, kwargs, _ in calls
    ]


# -- dividing ----------------------------------------------------------------------------------------


@given(indicators(max_rows=30), st.integers(2, 5), st.integers(0, 5))
def test_every_text_is_held_out_once(targets, n_folds, seed):
    matrix, n = sparse.csr_matrix(targets), len(targets)
    if n < n_folds:
        message = rf"^{n} texts cannot be divided into validation_folds={n_folds} parts\.$"
        with pytest.raises(ValueError, match=message):
            divide(matrix, n_folds, np.random.default_rng(seed))
        return
    folds = divide(matrix, n_folds, np.random.default_rng(seed))
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
    again = divide(matrix, n_folds, np.random.default_rng(seed))
    assert [part.tolist() for fold in folds for part in fold] == [
        part.tolist() for fold in again for part in fold
    ]
    np.testing.assert_array_equal(matrix.toarray(), targets)


def test_another_seed_divides_otherwise():
    first, other = (divide(sparse.csr_matrix(Y), 3, np.random.default_rng(seed)) for seed in (0, 1))
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
    calls = spy(validation, "tune_thresholds")
    clf = tiny(threshold="cardinality", validation_fraction=0.5).fit(TEXTS, Y)
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
    assert blended.weights_.keys() > LINEAR
    m = len(blended.weights_["linear_ngrams"])
    assert m > 15
    assert blended.weights_["linear_kernel"].shape == (m, 3)
    assert blended.weights_["linear_range"].tolist() == [1, 2]
    assert blended.weights_["linear_blend"].shape == (3, 3)
    assert (blended.weights_["linear_blend"][:2] >= 0).all()
    assert all(isinstance(array, np.ndarray) for array in blended.weights_.values())


def test_the_linear_part_helps_where_the_network_has_hardly_learned(blended, pure):
    with_it, without = (
        f1_score(NEW_Y, clf.predict(NEW_TEXTS), average="micro", zero_division=0)
        for clf in (blended, pure)
    )
    assert with_it > 0.9
    assert with_it > without + 0.1


def test_the_pure_network(blended, pure):
    """None leaves it alone, and the linear part changes nothing in it."""
    assert not linear_part(pure)
    assert_same_arrays(network(stopping(ngram_range=(1, 2), epochs=2).fit(TEXTS, Y)), network(pure))
    ids = encode(NEW_TEXTS, pure._tokenizer(), pure.vocabulary_)
    np.testing.assert_array_equal(pure.decision_function(NEW_TEXTS), compute_logits(network(pure), ids))


def test_scores_are_the_blend_of_both_parts(blended):
    ids = encode(NEW_TEXTS, blended._tokenizer(), blended.vocabulary_)
    part = linear_part(blended)
    ngrams = Ngrams(part["linear_ngrams"], part["linear_idf"], (1, 2), len(blended.vocabulary_) + 2)
    margins = ngram_features(ids, ngrams).toarray() @ part["linear_kernel"] + part["linear_bias"]
    of_network, of_margins, constant = part["linear_blend"]
    logits = of_network * compute_logits(network(blended), ids) + of_margins * margins + constant
    np.testing.assert_allclose(blended.decision_function(NEW_TEXTS), logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(blended.predict_proba(NEW_TEXTS), 1 / (1 + np.exp(-logits)), atol=1e-5)


@pytest.mark.parametrize("form", [[1, 2], (1, 2), np.array([1, 2])], ids=["list", "tuple", "array"])
def test_forms_of_a_range(form, blended):
    assert_same_model(tiny(ngram_range=form).fit(TEXTS, Y), blended)


@pytest.mark.parametrize("ngram_range", [(1, 1), (2, 3), (3, 3)], ids=str)
def test_other_ranges(ngram_range):
    clf = tiny(ngram_range=ngram_range, epochs=1).fit(TEXTS, Y)
    assert clf.weights_["linear_range"].tolist() == [*ngram_range]
    base = len(clf.vocabulary_) + 2
    keys = clf.weights_["linear_ngrams"]
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
        match=r"^ngram_range=.*; expected the fewest and the most tokens of an n-gram, 1 to 3 such as "
        r"\(1, 2\), or None for no linear part\.$",
    ):
        tiny(ngram_range=ngram_range).fit(TEXTS, Y)


@pytest.mark.parametrize("ngram_range", ["(1, 2)", "12", 2, True], ids=repr)
def test_what_is_no_range_at_all(ngram_range):
    with pytest.raises(ValueError, match="The 'ngram_range' parameter of TextCNNClassifier must be"):
        tiny(ngram_range=ngram_range).fit(TEXTS, Y)


def test_a_range_can_be_searched():
    grid = {"ngram_range": [None, (1, 2)]}
    search = GridSearchCV(tiny(), grid, cv=2, scoring="f1_micro").fit(TEXTS, Y)
    assert search.best_params_ == {"ngram_range": (1, 2)}
    assert search.best_estimator_.weights_.keys() > LINEAR


@pytest.mark.parametrize(
    ("n", "options", "expected"),
    [
        (1000, {}, True),
        (999, {}, False),
        (999, {"early_stopping": True}, False),
        (999, {"threshold": "tune"}, False),
        (1000, {"early_stopping": False}, False),  # there is nothing to weigh the parts by
        (1000, {"early_stopping": False, "threshold": "tune"}, True),
        (1000, {"early_stopping": False, "threshold": "cardinality"}, True),
        (1000, {"warm_start": True}, False),
    ],
    ids=str,
)
def test_automatic_range(n, options, expected):
    texts, y = corpus(n)
    clf = quick(**options).fit(texts, y)
    assert bool(linear_part(clf)) == expected
    if expected:
        assert clf.weights_["linear_range"].tolist() == [1, 2]


def test_automatic_range_where_training_goes_on():
    texts, y = corpus(1000)
    clf = quick(warm_start=True).fit(texts, y).fit(texts, y)
    assert not linear_part(clf)
    assert clf.n_epochs_ == 2
    assert not linear_part(quick().partial_fit(texts, y))


def test_mini_batches_and_a_linear_part_do_not_go_together():
    message = r"the linear part does not learn by mini-batches; set .* ngram_range=None\.$"
    clf = tiny(ngram_range=(1, 2))
    for data in ((TEXTS, Y), (None, None)):  # before anything is read
        with pytest.raises(ValueError, match=message):
            clf.partial_fit(*data)
    assert not hasattr(clf, "weights_")
    assert tiny(ngram_range=None).partial_fit(TEXTS, Y).weights_


def test_a_warm_start_and_a_linear_part_do_not_go_together():
    message = r"^The linear part cannot go on learning; pass ngram_range=None to warm_start\.$"
    clf = tiny(ngram_range=(1, 2), warm_start=True)
    for data in ((TEXTS, Y), (None, None)):  # before anything is read
        with pytest.raises(ValueError, match=message):
            clf.fit(*data)
    assert not hasattr(clf, "weights_")
    assert clf.set_params(ngram_range=None).fit(TEXTS, Y).weights_


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("ngram_range", ["auto", None])
def test_going_on_from_a_fit_with_a_linear_part(method, ngram_range, blended):
    clf = copy.deepcopy(blended).set_params(ngram_range=ngram_range, warm_start=True)
    message = (
        r"The fitted model has a linear part, which cannot go on learning; fit it with ngram_range="
    )
    for data in ((TEXTS, Y), (None, None)):  # before anything is read
        with pytest.raises(ValueError, match=message):
            getattr(clf, method)(*data)
    assert_same_model(clf, blended)
    assert not linear_part(clf.set_params(ngram_range=None, warm_start=False).fit(TEXTS, Y))


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


@pytest.mark.parametrize("folds", [1, 3])
def test_nothing_is_judged_by_texts_it_was_learned_from(spy, folds):
    """Labels that have nothing to do with the texts can be learned by heart, and not be foretold."""
    options = {"validation_folds": folds, "validation_fraction": 0.5, "threshold": "tune"}
    blends, tunings = spy(recipe, "fit_blend"), spy(validation, "tune_thresholds")
    texts, y = corpus(200, noise=True)
    noise = tiny(ngram_range=(1, 2), **BY_HEART, **options).fit(texts, y)
    logits, margins, truth, _ = blends[0][0]
    assert truth.shape == (200 if folds > 1 else 100, 3)
    assert auc(truth, logits) < 0.6
    assert auc(truth, margins) < 0.6
    scores, same_truth = tunings[-1][0][:2]
    np.testing.assert_array_equal(same_truth, truth)
    assert auc(truth, scores) < 0.6
    # Of what it has learned from it says more.
    ids = encode(texts, noise._tokenizer(), noise.vocabulary_)
    assert auc(y, compute_logits(network(noise), ids)) > 0.7
    only_margins = {**noise.weights_, "linear_blend": np.array([[0], [1], [0]], np.float32)}
    assert auc(y, add_linear_part(compute_logits(only_margins, ids), only_margins, ids)) > 0.8
    # So neither part is trusted.
    assert noise.weights_["linear_blend"][:2].max() < 1
    learnable = tiny(ngram_range=(1, 2), validation_folds=folds).fit(*corpus(200))
    assert learnable.weights_["linear_blend"][1].min() > 3


@pytest.mark.parametrize("ngram_range", [None, (1, 2)], ids=str)
def test_thresholds_from_all_texts(spy, ngram_range):
    trained, tunings = spy(compiled, "train"), spy(validation, "tune_thresholds")
    clf = stopping(
        ngram_range=ngram_range, threshold="tune", threshold_metric="f1_macro", validation_folds=3
    ).fit(TEXTS, Y)
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
    divisions, trained = spy(classifier, "hold_out"), spy(compiled, "train")
    linear, blends = spy(recipe, "fit_linear"), spy(recipe, "fit_blend")
    tunings = spy(validation, "tune_thresholds")
    clf = tiny(ngram_range=(1, 2), validation_fraction=0.3, refit=True).fit(TEXTS, Y)
    _, held_out = divisions[0][2]
    ids = encode([TEXTS[row] for row in held_out], clf._tokenizer(), clf.vocabulary_)
    (logits, margins, truth, weight), options, blend = blends[0]
    assert weight.tolist() == [1.0] * 36
    assert options.pop("counts").tolist() == Y.sum(axis=0).tolist()
    assert options == {"exclusive": False}
    np.testing.assert_array_equal(truth, Y[held_out])
    np.testing.assert_array_equal(logits, compute_logits(trained[0][2][0].weights, ids))
    kernel, bias = linear[0][2]
    part = linear_part(clf)
    ngrams = Ngrams(part["linear_ngrams"], part["linear_idf"], (1, 2), len(clf.vocabulary_) + 2)
    np.testing.assert_array_equal(margins, ngram_features(ids, ngrams) @ kernel + bias)
    (scores, *_), _, thresholds = tunings[-1]
    expected = to_probabilities(blend_logits(logits, margins, blend), exclusive=False)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(clf.thresholds_, thresholds)


def test_the_linear_part_is_fitted_without_each_part_and_then_to_all(spy):
    linear, blends = spy(recipe, "fit_linear"), spy(recipe, "fit_blend")
    clf = tiny(ngram_range=(1, 2), validation_folds=3, epochs=1).fit(TEXTS, Y)
    assert [args[0].shape[0] for args, _, _ in linear] == [80, 80, 80, 120]
    assert [args[1].shape[0] for args, _, _ in linear] == [80, 80, 80, 120]
    kernel, bias = linear[-1][2]
    np.testing.assert_array_equal(clf.weights_["linear_kernel"], kernel)
    np.testing.assert_array_equal(clf.weights_["linear_bias"], bias)
    assert len(blends) == 1
    np.testing.assert_allclose(clf.weights_["linear_blend"], blends[0][2], rtol=1e-6)


def macro(y, predicted):
    return float(f1_score(y, predicted, average="macro", zero_division=0))


@pytest.mark.parametrize(
    ("n", "options", "n_networks"),
    [
        (1000, {}, 4),
        (1000, {"threshold_metric": "f1_macro"}, 4),
        (1000, {"threshold": "tune"}, 4),
        (999, {"threshold": "tune"}, 1),
        (999, {"threshold": "tune", "threshold_metric": "f1_macro"}, 1),
        (1000, {"threshold": "cardinality"}, 4),
        (1000, {"threshold": 0.3, "threshold_metric": "f1_macro"}, 1),
        (1000, {"threshold": [0.3] * 3, "threshold_metric": "f1_macro"}, 1),
        (1000, {"early_stopping": False}, 1),  # nothing is held out
        (1000, {"validation_folds": 1}, 1),
        (60, {"threshold": "tune", "validation_folds": 2}, 3),
        (60, {"threshold": "tune", "refit": True}, 2),
        (60, {"refit": True}, 1),
        (60, {"validation_folds": 3}, 1),  # nothing is held out
    ],
    ids=str,
)
def test_how_often_texts_are_held_out(spy, n, options, n_networks):
    trained = spy(compiled, "train")
    quick(**{"ngram_range": None if n < 1000 else "auto", **options}).fit(*corpus(n))
    assert len(trained) == n_networks
    assert trainings(trained)[-1][0] == n or n_networks == 1


def test_a_tenth_of_many_texts_is_enough(spy, monkeypatch):
    """But for rare labels under macro-F1."""
    monkeypatch.setattr(parameters, "LARGE", 1000)
    trained = spy(compiled, "train")
    quick().fit(*corpus(1000))
    assert [n for n, _, _ in trainings(trained)] == [900]
    quick(threshold_metric="f1_macro").fit(*corpus(1000))
    assert len(trained) == 1 + 4


def test_one_label_per_text_is_held_out_once(spy):
    trained = spy(compiled, "train")
    texts, y = corpus(1000)
    quick(threshold_metric="f1_macro").fit(texts, ["a" if row[0] else "b" for row in y])
    assert [n for n, _, _ in trainings(trained)] == [900]


def test_more_parts_than_texts():
    with pytest.raises(ValueError, match="12 texts cannot be divided into validation_folds=13 parts"):
        tiny(threshold="tune", validation_folds=13).fit(TEXTS[:12], Y[:12])


@pytest.mark.parametrize("folds", [0, -1, 2.5, "three", None], ids=repr)
def test_bad_numbers_of_parts(folds):
    with pytest.raises(
        ValueError, match="The 'validation_folds' parameter of TextCNNClassifier must be"
    ):
        tiny(validation_folds=folds).fit(TEXTS, Y)


# -- refit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"refit": True}, {"validation_folds": 3}], ids=str)
def test_the_network_that_stays_has_learned_from_all_texts(spy, options):
    trained = spy(compiled, "train")
    texts, y = corpus(120, noise=True)  # soon there is nothing more to gain
    clf = stopping(epochs=20, n_iter_no_change=2, learning_rate=0.02, **options).fit(texts, y)
    first, last = trainings(trained)[0], trainings(trained)[-1]
    assert first == (80 if "validation_folds" in options else 108, 20, True)
    assert last == (120, clf.n_epochs_, False)
    scores = clf.history_["validation_score"]
    assert clf.n_epochs_ == np.argmax(scores) + 1
    assert len(clf.history_["loss"]) == len(scores) == clf.n_epochs_ + 2 < 20
    plain = tiny(epochs=clf.n_epochs_, learning_rate=0.02).fit(texts, y)
    assert_same_arrays(network(clf), network(plain))
    # The history is that of the network which was validated, on fewer texts.
    validated = trained[0][2][1]
    assert clf.history_ == validated
    assert clf.history_["loss"][: clf.n_epochs_] != plain.history_["loss"]


def test_without_early_stopping_every_network_trains_for_all_epochs(spy):
    trained = spy(compiled, "train")
    clf = tiny(threshold="tune", refit=True, epochs=3).fit(TEXTS, Y)
    assert trainings(trained) == [(108, 3, False), (120, 3, False)]
    assert clf.n_epochs_ == len(clf.history_["loss"]) == 3
    assert "validation_score" not in clf.history_


# -- the same again ----------------------------------------------------------------------------------

EVERYTHING = {"validation_folds": 3, "threshold": "tune", "threshold_metric": "f1_macro"}


@pytest.mark.parametrize("options", [{}, {"refit": True}, EVERYTHING], ids=str)
def test_the_same_seed_gives_the_same_model(options):
    clf = stopping(ngram_range=(1, 2), **options).fit(TEXTS, Y)
    assert_same_model(clf, clone(clf).fit(TEXTS, Y))
    other = clone(clf).set_params(random_state=1).fit(TEXTS, Y)
    assert not np.array_equal(other.weights_["output_kernel"], clf.weights_["output_kernel"])
    assert not np.array_equal(other.weights_["linear_blend"], clf.weights_["linear_blend"])


def test_a_fit_leaves_its_inputs_alone():
    texts, y, weight = list(TEXTS), Y.copy(), np.linspace(0.5, 2, 120)
    y.setflags(write=False)
    weight.setflags(write=False)
    clf = stopping(ngram_range=(1, 2), validation_folds=2).fit(texts, y, sample_weight=weight)
    assert linear_part(clf)
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
    clf = tiny(ngram_range=(1, 2), loss=loss).fit(TEXTS, y)
    assert (clf.weights_["linear_blend"][2] == 0).all()  # fixed there
    assert (clf.weights_["linear_blend"][1] > 0).all()
    p = clf.predict_proba([*NEW_TEXTS, ""])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert (p >= 0).all()
    z = clf.decision_function(NEW_TEXTS)
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    np.testing.assert_allclose(p[:-1], shares / shares.sum(axis=1, keepdims=True), atol=1e-5)


def test_one_label_per_text_follows_the_blend():
    clf = tiny(ngram_range=(1, 2)).fit(TEXTS, TOPICS)
    pure = stopping(ngram_range=None, epochs=2).fit(TEXTS, TOPICS)
    chosen = clf.classes_[clf.predict_proba(TEXTS).argmax(axis=1)]
    np.testing.assert_array_equal(clf.predict(TEXTS), chosen)
    assert clf.score(TEXTS, TOPICS) > pure.score(TEXTS, TOPICS)


def test_two_classes():
    is_a = ["yes" if row[0] else "no" for row in Y]
    clf = tiny(ngram_range=(1, 2)).fit(TEXTS, is_a)
    z, p = clf.decision_function(TEXTS), clf.predict_proba(TEXTS)
    assert z.shape == (120,)
    np.testing.assert_allclose(1 / (1 + np.exp(-z)), p[:, 1], atol=1e-5)
    assert clf.score(TEXTS, is_a) > 0.9


@pytest.mark.parametrize("loss", ["focal", "asymmetric"])
def test_other_losses_of_independent_labels(loss):
    clf = tiny(ngram_range=(1, 2), loss=loss).fit(TEXTS, Y)
    assert f1_score(NEW_Y, clf.predict(NEW_TEXTS), average="micro") > 0.9


def test_sample_weight_reaches_the_linear_part(spy):
    """Every text comes twice, with opposite labels; the linear part believes the heavier one."""
    calls, blends = spy(recipe, "fit_linear"), spy(recipe, "fit_blend")
    texts, y = [*TEXTS, *TEXTS], np.concatenate([np.asarray(Y), 1 - np.asarray(Y)])
    weight = np.repeat([5.0, 0.2], 120)
    clf = tiny(ngram_range=(1, 2), epochs=1).fit(texts, y, sample_weight=weight)
    assert sorted(np.unique(blends[0][0][3]).tolist()) == [np.float32(0.2), 5.0]
    np.testing.assert_array_equal(calls[-1][0][2], weight.astype(np.float32))
    only_margins = {**clf.weights_, "linear_blend": np.array([[0], [1], [0]], np.float32)}
    ids = encode(NEW_TEXTS, clf._tokenizer(), clf.vocabulary_)
    assert auc(NEW_Y, add_linear_part(compute_logits(only_margins, ids), only_margins, ids)) > 0.9
    turned = tiny(ngram_range=(1, 2), epochs=1).fit(texts, y, sample_weight=weight[::-1])
    only_margins = {**turned.weights_, "linear_blend": np.array([[0], [1], [0]], np.float32)}
    assert auc(NEW_Y, add_linear_part(compute_logits(only_margins, ids), only_margins, ids)) < 0.1


def test_class_weight_reaches_the_linear_part(spy, blended):
    calls = spy(recipe, "fit_linear")
    clf = tiny(ngram_range=(1, 2), class_weight={"a": 20.0}).fit(TEXTS, Y)
    for args, _, _ in calls:
        np.testing.assert_array_equal(args[3], [[20, 1, 1], [1, 1, 1]])
    first, second = clf.weights_, blended.weights_
    for name in ("linear_kernel", "linear_bias"):
        assert not np.array_equal(first[name][..., 0], second[name][..., 0])
        np.testing.assert_array_equal(first[name][..., 1:], second[name][..., 1:])
    assert first["linear_bias"][0] > second["linear_bias"][0]


def test_balanced_class_weight_with_a_linear_part(spy):
    calls = spy(recipe, "fit_linear")
    tiny(ngram_range=(1, 2), class_weight="balanced").fit(TEXTS, Y)
    counts = np.asarray(Y).sum(axis=0)
    expected = [120 / (2 * counts), 120 / (2 * (120 - counts))]
    for args, _, _ in calls:
        np.testing.assert_allclose(args[3], expected, rtol=1e-6)


@pytest.mark.parametrize("threshold", [0.5, "tune", "cardinality"])
def test_exactly_two_labels_for_every_text(threshold):
    bounds = {"min_labels": 2, "max_labels": 2}
    clf = tiny(ngram_range=(1, 2), threshold=threshold, **bounds).fit(TEXTS, Y)
    texts = [*NEW_TEXTS, "", "never seen"]
    predicted = clf.predict(texts)
    assert (predicted.sum(axis=1) == 2).all()
    # With one threshold for all labels these are the two most probable ones.
    p = clf.predict_proba(texts)
    assert (np.where(predicted, p, 1).min(axis=1) >= np.where(predicted, 0, p).max(axis=1)).all()


def test_a_label_of_a_single_text():
    """It cannot be in every part, and not in every part's complement."""
    y = np.hstack([np.asarray(Y), np.eye(120, 1, dtype=int)])
    for options in ({}, EVERYTHING):
        clf = stopping(ngram_range=(1, 2), **options).fit(TEXTS, y)
        p = clf.predict_proba(NEW_TEXTS)
        assert p.shape == (100, 4)
        assert np.isfinite(p).all()
        assert ((clf.thresholds_ > 0) & (clf.thresholds_ < 1)).all()


# -- what sees the fitted model ----------------------------------------------------------------------


def assert_keras_agrees(clf, texts):
    ids = encode(texts, clf._tokenizer(), clf.vocabulary_)
    model, expected = clf.to_keras(), clf.predict_proba(texts)
    np.testing.assert_allclose(np.asarray(model(ids.padded(0))), expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(model(ids.padded(3))), expected, atol=1e-5)


@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 2), (2, 3)], ids=str)
def test_the_keras_model_says_the_same(ngram_range):
    clf = tiny(ngram_range=ngram_range, min_df=2).fit(TEXTS, Y)
    texts = [*NEW_TEXTS[:30], "", "a0", "never seen", "a0 a0 a0 b1 a0 b1", "a0 unseen b1"]
    assert_keras_agrees(clf, texts)
    assert_keras_agrees(tiny(ngram_range=ngram_range).fit(TEXTS, TOPICS), texts)


def test_the_keras_model_of_a_linear_part_without_ngrams():
    texts = [f"one{i} two{i} three{i}" for i in range(40)]
    y = [["a"] if i % 4 else ["b"] for i in range(40)]
    clf = tiny(ngram_range=(1, 2)).fit(texts, y)
    assert "linear_kernel" not in clf.weights_
    assert_keras_agrees(clf, texts)


def test_callbacks_see_the_whole_model_at_the_end():
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="f1_micro")
    clf = tiny(ngram_range=(1, 2)).set_callbacks(monitor).fit(TEXTS, Y)
    scores = [row["f1_micro"] for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert scores == pytest.approx([get_scorer("f1_micro")(clf, TEXTS, Y)])


@pytest.mark.parametrize("options", [{"refit": True}, {"validation_folds": 3}], ids=str)
def test_a_warm_start_holds_out_texts_that_were_not_learned(options):
    texts, y = corpus(100, noise=True)
    clf = tiny(threshold="tune", warm_start=True, validation_fraction=0.5, **BY_HEART, **options)
    with pytest.raises(ValueError, match="warm_start needs refit=False and validation_folds=1"):
        clf.fit(texts, y)
