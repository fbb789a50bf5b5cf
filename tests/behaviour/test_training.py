"""Training: lazy rows, repeatability, early stopping, rate and epochs."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import f1_score, hamming_loss
from sklearn.preprocessing import MultiLabelBinarizer

from sktextcnn import TextCNNClassifier, as_label_matrix
from sktextcnn.decision.thresholds import tune_thresholds
from sktextcnn.engine.observers import EarlyStopping, ValidationScore

TEXTS = [
    "the match ended in a draw",
    "a goal in the last minute",
    "parliament votes on the budget",
    "the minister resigns",
    "the minister opens the match",
    "budget",
    "",
    "a late goal wins the match",
]
TAGS = [
    ["sport"],
    ["sport"],
    ["politics"],
    ["politics"],
    ["politics", "sport"],
    ["politics"],
    [],
    ["sport"],
]


def tiny(**params):
    defaults = {
        "min_df": 1,
        "embedding_dim": 8,
        "filters": 4,
        "kernel_sizes": (1, 2),
        "epochs": 2,
        "batch_size": 3,
        "linear": False,
        "validation": None,
        "learning_rate": 0.002,
        "learning_rate_schedule": "constant",
        "random_state": 0,
    }
    return TextCNNClassifier(**{**defaults, **params})


def same(a, b):
    """Whether two estimators, or two dicts of weights, have bit-equal weights."""
    a, b = (getattr(x, "weights_", x) for x in (a, b))
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(TEXTS, TAGS)


# -- embedding rows ----------------------------------------------------------------------------------


def test_the_vector_of_unknown_tokens_is_trained_on_them(fitted):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    before = clf.weights_["embedding"].copy()
    clf.fit(["zebra", "yak gnu"], [["sport"], ["politics"]])
    changed = (clf.weights_["embedding"] != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [1]


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_the_vector_of_padding_stays_zero(optimizer):
    # Texts shorter than the kernels: padding is part of winning windows.
    clf = tiny(optimizer=optimizer, kernel_sizes=(2, 5), learning_rate=0.1, epochs=4).fit(TEXTS, TAGS)
    assert not clf.weights_["embedding"][0].any()
    assert np.isfinite(clf.weights_["embedding"]).all()


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_the_loss_falls(optimizer):
    rate = {"adam": 0.01, "adagrad": 0.05, "sgd": 0.2}[optimizer]
    clf = tiny(optimizer=optimizer, learning_rate=rate, epochs=25, dropout=0.0).fit(TEXTS, TAGS)
    assert clf.history_["loss"][-1] < 0.6 * clf.history_["loss"][0]


def test_history_and_epochs(fitted):
    assert sorted(fitted.history_) == ["loss", "seconds"]
    assert {len(values) for values in fitted.history_.values()} == {2}
    assert all(seconds > 0 for seconds in fitted.history_["seconds"])
    assert fitted.n_epochs_ == 2


def test_the_loss_in_history_is_the_mean_of_a_text():
    """With nothing moving: the same for every batch size, and what the probabilities say."""
    still = {"learning_rate": 1e-30, "dropout": 0.0, "embedding_dropout": 0.0, "epochs": 1}
    y = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [0, 1], [0, 0], [1, 0]])
    clf = tiny(**still, batch_size=3).fit(TEXTS, y)
    p = clf.predict_proba(TEXTS).astype(np.float64)
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1).mean()
    np.testing.assert_allclose(clf.history_["loss"], expected, rtol=1e-5)
    other = tiny(**still, batch_size=8).fit(TEXTS, y)
    np.testing.assert_allclose(other.history_["loss"], expected, rtol=1e-5)


# -- repeatability -----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights(fitted):
    again = tiny().fit(TEXTS, TAGS)
    assert same(again, fitted)
    assert again.history_["loss"] == fitted.history_["loss"]
    assert not same(tiny(random_state=1).fit(TEXTS, TAGS), fitted)


def test_unseeded_fits_differ():
    assert not same(tiny(random_state=None).fit(TEXTS, TAGS), tiny(random_state=None).fit(TEXTS, TAGS))


@pytest.mark.parametrize("what", ["dropout", "embedding_dropout"])
def test_dropout_is_in_use(fitted, what):
    assert not same(tiny(**{what: 0.0}).fit(TEXTS, TAGS), fitted)


SCRIPT = """
import hashlib
from sktextcnn import TextCNNClassifier

clf = TextCNNClassifier(**{params!r}).fit({texts!r}, {tags!r})
digest = hashlib.sha256()
for name in sorted(clf.weights_):
    digest.update(clf.weights_[name].tobytes())
print(digest.hexdigest())
"""


def test_another_process_gives_the_same_weights(fitted):
    digest = hashlib.sha256()
    for name in sorted(fitted.weights_):
        digest.update(fitted.weights_[name].tobytes())
    params = {
        name: value
        for name, value in tiny().get_params().items()
        if value != TextCNNClassifier().get_params()[name]
    }
    script = SCRIPT.format(params=params, texts=TEXTS, tags=TAGS)
    # Sets of str are ordered otherwise in that process.
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.stdout.strip() == digest.hexdigest()


def test_random_state_instances_are_drawn_from():
    rng = np.random.RandomState(5)
    first, second = tiny(random_state=rng).fit(TEXTS, TAGS), tiny(random_state=rng).fit(TEXTS, TAGS)
    assert not same(first, second)
    rng = np.random.RandomState(5)
    assert same(tiny(random_state=rng).fit(TEXTS, TAGS), first)
    assert same(tiny(random_state=rng).fit(TEXTS, TAGS), second)


def test_simultaneous_fits_do_not_disturb_each_other(fitted):
    other = tiny(random_state=1, filters=3).fit(TEXTS, TAGS)

    def fit(number):
        params = {"random_state": 1, "filters": 3} if number % 2 else {}
        return tiny(**params).fit(TEXTS, TAGS)

    with ThreadPoolExecutor(4) as pool:
        for number, clf in enumerate(pool.map(fit, range(6))):
            assert same(clf, other if number % 2 else fitted)


def test_epochs_in_one_fit_or_in_several_are_the_same():
    whole = tiny(warm_start=True, epochs=3).fit(TEXTS, TAGS)
    parts = tiny(warm_start=True, epochs=1)
    for _ in range(3):
        parts.fit(TEXTS, TAGS)
    assert same(parts, whole)
    assert parts.n_epochs_ == whole.n_epochs_ == 3
    assert parts.history_["loss"] == whole.history_["loss"]


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_learning_resumed_from_a_pickle_equals_uninterrupted_learning(optimizer):
    batches = [(TEXTS[:4], TAGS[:4]), (TEXTS[4:], TAGS[4:]), (TEXTS[::2], TAGS[::2])]
    classes = ["politics", "sport"]
    whole, resumed = tiny(optimizer=optimizer), tiny(optimizer=optimizer)
    for texts, tags in batches:
        whole.partial_fit(texts, tags, classes=classes)
        resumed = pickle.loads(pickle.dumps(resumed.partial_fit(texts, tags, classes=classes)))
    assert same(whole, resumed)
    assert whole.history_["loss"] == resumed.history_["loss"]
    assert len(whole.history_["loss"]) == whole.n_epochs_ == 3


def test_every_call_draws_anew():
    """Two passes over the same batch drop other entries: draws depend on epoch and step."""
    still = tiny(learning_rate=1e-30, dropout=0.5, batch_size=8)
    for _ in range(3):
        still.partial_fit(TEXTS, TAGS)
    assert len(set(still.history_["loss"])) == 3


# -- early stopping ----------------------------------------------------------------------------------


def scripted(*scores):
    """A metric that returns these values, one after the other, and then the last one."""
    values = chain(scores, repeat(scores[-1]))
    return lambda truth, predicted: next(values)


def stopped(scores, n_iter_no_change=2):
    """Early stopping that is told these (score, has_hits): it, and the epoch that it stopped in."""
    scores = [ValidationScore(*score) for score in scores]
    run, given = SimpleNamespace(compute_logits=lambda ids: None), iter(scores)
    stopping = EarlyStopping(None, lambda logits: next(given), n_iter_no_change)
    for epoch in range(len(scores)):
        run.state = lambda epoch=epoch: epoch
        if stopping.end_epoch(epoch, {}, run):
            return stopping.best, epoch
    return stopping.best, None


def stopping(metric, **params):
    # At a threshold of 0 every label is predicted: the network counts as one that has started.
    params = {"threshold": 0.0, "validation": 0.25, "n_iter_no_change": 2, **params}
    return tiny(metric=metric, **{"epochs": 9, **params}).fit(TEXTS, TAGS)


def test_early_stopping_gives_back_the_best_epoch():
    clf = stopping(scripted(0.1, 0.5, 0.4, 0.5))
    assert clf.history_["validation_score"] == [0.1, 0.5, 0.4, 0.5]
    assert {len(values) for values in clf.history_.values()} == {4}
    assert clf.n_epochs_ == 2
    assert same(clf, stopping(scripted(0.1, 0.5), epochs=2))


def test_early_stopping_keeps_the_best_of_all_epochs():
    clf = stopping(scripted(0.1, 0.2, 0.9, 0.3), epochs=4)
    assert clf.n_epochs_ == 3
    assert same(clf, stopping(scripted(0.1, 0.2, 0.9), epochs=3))


@pytest.mark.parametrize("low", [0.0, -0.25, -np.inf])
def test_early_stopping_waits_for_a_network_that_predicts_nothing_yet(low):
    """Whatever the measure makes of that."""
    nothing, better, worse = (low, False), (low + 0.3 if low > -9 else 0.3, True), (low, True)
    assert stopped([nothing] * 9) == (8, None)
    assert stopped([nothing] * 5 + [better, worse, nothing, better]) == (5, 7)
    assert stopped([nothing, (low - 0.1, False), nothing, nothing, worse, worse]) == (3, 5)


@pytest.mark.parametrize("best", [0.0, 0.5, -3.0, -np.inf, np.inf])
def test_early_stopping_stops_on_a_plateau_at_any_score(best):
    assert stopped([(best, True)] * 9) == (0, 2)


def test_early_stopping_waits_through_epochs_without_a_hit():
    """The threshold is fixed, and a rate of next to nothing moves no score across it."""
    still = {"learning_rate": 1e-30, "epochs": 9, "threshold": 1.0}
    clf = stopping("f1_micro", **still)
    assert clf.history_["validation_score"] == [0.0] * 9
    assert len(stopping("f1_micro", **{**still, "threshold": 0.0}).history_["loss"]) == 3


@pytest.mark.parametrize(
    "options", [{}, {"threshold": "tune"}, {"validation": 2}, {"linear": True}], ids=str
)
def test_a_metric_that_is_never_anything_but_minus_infinity(options):
    clf = stopping(lambda truth, predicted: -np.inf, **{"epochs": 4, **options})
    assert set(clf.history_["validation_score"]) == {-np.inf}
    assert np.isfinite(clf.predict_proba(TEXTS)).all()


def test_the_best_value_of_a_loss_is_a_plateau():
    """A negative Hamming loss of 0, once all is told right; 40 epochs would be allowed."""
    learn = {"learning_rate": 0.05, "dropout": 0.0, "embedding_dropout": 0.0, "threshold": "tune"}
    corpus = {"X": ["a goal", "a vote"] * 10, "y": [["sport"], ["politics"]] * 10}
    clf = tiny(
        **{**learn, "epochs": 40, "validation": 0.1, "n_iter_no_change": 2},
        metric=lambda truth, predicted: -hamming_loss(truth, predicted),
    ).fit(**corpus)
    scores = clf.history_["validation_score"]
    assert scores[-3:] == [0.0] * 3
    assert len(scores) == clf.n_epochs_ + 2 < 40


def test_early_stopping_resumes_from_the_best_epoch():
    clf = stopping(scripted(0.1, 0.5, 0.4, 0.3, 0.6), warm_start=True)
    assert clf.n_epochs_ == 2
    clf.set_params(epochs=1).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 3
    assert same(clf, stopping(scripted(0.1, 0.2, 0.3), epochs=3))


def test_early_stopping_validates_on_texts_it_does_not_learn_from():
    seen = []

    def metric(truth, predicted):
        assert truth.shape == predicted.shape
        seen.append(truth)
        return 0.5

    clf = stopping(metric)
    assert {len(truth) for truth in seen} == {2}
    assert all(np.array_equal(truth, seen[0]) for truth in seen)
    assert len(clf.history_["loss"]) == 3


# -- sample weights of held-out texts ----------------------------------------------------------------

WEIGHT = np.array([1.0, 5, 0.5, 2, 0.01, 3, 40, 0.01])

#: Nothing is learned, so that folds and the final network are the same, and weights count nowhere else.
STILL = {"learning_rate": 1e-30, "dropout": 0.0, "embedding_dropout": 0.0, "validation": 2}


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


@pytest.mark.parametrize("y", [TAGS, ["a", "b"] * 4], ids=["several labels", "one label"])
@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro"])
def test_sample_weight_counts_in_early_stopping(y, metric):
    """What is told right, or what is told wrong, weighs next to nothing."""
    texts, y = TEXTS * 10, y * 10
    still = {**STILL, "epochs": 1, "metric": metric, "validation": None}
    if isinstance(y[0], list):
        still["threshold"] = 0.5
    predicted = tiny(**still).fit(texts, y).predict(texts)
    truth = np.asarray(as_label_matrix(y)) if predicted.ndim == 2 else np.array(y)
    right = (predicted == truth).reshape(len(y), -1).all(axis=1)
    assert 0 < right.sum() < len(right)
    still |= {"validation": 0.5}

    def score(*weights):
        clf = tiny(**still).fit(texts, y, sample_weight=np.where(right, *weights))
        return clf.history_["validation_score"][0]

    assert score(1.0, 1e-4) > score(1.0, 1.0) > score(1e-4, 1.0)


@pytest.mark.parametrize(
    "options",
    [
        {"validation": 0.1},
        {"metric": "f1_macro", "validation": 2},
        {"threshold": "cardinality", "linear": True, "validation": 0.1},
    ],
    ids=str,
)
def test_equal_weights_are_as_good_as_none(options):
    plain = tiny(**options).fit(TEXTS, TAGS)
    weighted = tiny(**options).fit(TEXTS, TAGS, sample_weight=np.ones(len(TEXTS)))
    assert same(plain, weighted)
    assert np.array_equal(plain.thresholds_, weighted.thresholds_)
    assert plain.history_.get("validation_score") == weighted.history_.get("validation_score")


@pytest.mark.parametrize("constant", [0.3, 7.0])
@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro", "cardinality"])
def test_equal_weights_of_any_size_change_no_bit_of_thresholds(metric, constant):
    threshold = "cardinality" if metric == "cardinality" else "tune"
    params = {"threshold": threshold, "metric": metric.replace("cardinality", "f1_micro")}
    plain = tiny(**STILL, **params).fit(TEXTS, TAGS)
    weighted = tiny(**STILL, **params).fit(TEXTS, TAGS, sample_weight=np.full(len(TEXTS), constant))
    assert np.array_equal(plain.thresholds_, weighted.thresholds_)


@pytest.mark.parametrize("options", [{}, {"early_stopping": False}], ids=str)
def test_a_metric_gets_weights_if_it_takes_them(options):
    seen = []

    def metric(truth, predicted, sample_weight=None):
        seen.append(sample_weight)
        assert sample_weight is None or sample_weight.shape == truth.shape[:1]
        return f1_score(truth, predicted, average="micro", sample_weight=sample_weight, zero_division=0)

    clf = tiny(**options, metric=metric, validation=0.4)
    clf.fit(TEXTS, TAGS, sample_weight=WEIGHT)
    assert all(weight is not None and len(set(weight)) > 1 for weight in seen)
    seen.clear()
    clf.fit(TEXTS, TAGS, sample_weight=np.full(len(TEXTS), 2.0)).fit(TEXTS, TAGS)
    assert seen
    assert not any(weight is not None for weight in seen)
    plain = tiny(**options, validation=0.4, metric=lambda truth, predicted: 0.5)  # takes none
    assert plain.fit(TEXTS, TAGS, sample_weight=WEIGHT).weights_
    ready = functools.partial(f1_score, average="micro", zero_division=0)
    assert tiny(**options, validation=0.4, metric=ready).fit(TEXTS, TAGS, sample_weight=WEIGHT).weights_


# -- rate, epochs and going on -------------------------------------------------------------------------

LINEAR = {"learning_rate": 0.006, "learning_rate_schedule": "linear"}
CONSTANT = {"learning_rate": 0.002, "learning_rate_schedule": "constant"}


def test_the_learning_rate_decays_unless_training_may_go_on():
    """Then it is constant, at a third of what it would decay from."""
    decaying, constant = tiny(**LINEAR).fit(TEXTS, TAGS), tiny(**CONSTANT).fit(TEXTS, TAGS)
    assert not same(decaying, constant)
    assert same(tiny(**LINEAR, warm_start=True).fit(TEXTS, TAGS), constant)
    assert same(tiny(**CONSTANT, warm_start=True).fit(TEXTS, TAGS), constant)
    assert same(tiny(**LINEAR).partial_fit(TEXTS, TAGS), tiny(**CONSTANT).partial_fit(TEXTS, TAGS))


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"),
    [(2, 16, 40), (100, 16, 22), (900, 28, 10), (2100, 64, 8), (9000, 64, 5)],
)
def test_automatic_batches_and_epochs(n, batch_size, epochs):
    """More texts are seen less often, and more at a time."""
    texts, tags = (TEXTS * n)[:n], (TAGS * n)[:n]
    clf = tiny(epochs="auto", batch_size="auto", embedding_dim=1, filters=1).fit(texts, tags)
    assert (clf.resolved_.batch_size, clf.resolved_.epochs) == (batch_size, epochs)
    assert clf.n_epochs_ == epochs


@pytest.mark.parametrize(
    ("lengths", "max_length", "expected"),
    [
        ([5, 9], 0.95, 128),
        ([300] * 20, 0.95, 300),
        ([200] * 99 + [1000], 0.95, 200),
        ([200] * 99 + [1000], 0.999, 920),
        ([5, 9], 7, 7),
        ([5, 9], None, None),
    ],
    ids=str,
)
def test_truncation_follows_all_but_the_longest_texts(lengths, max_length, expected):
    texts = [" ".join(["word"] * length) for length in lengths]
    clf = tiny(max_length=max_length, epochs=1, kernel_sizes=(1,)).fit(texts, [["a"]] * len(texts))
    assert clf.max_length_ == clf.resolved_.max_length == expected
