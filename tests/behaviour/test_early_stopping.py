"""Early stopping: which epoch is kept, when training ends, and what it is judged by."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import hamming_loss

from sktextcnn import as_label_matrix
from tests.examples import TAGS, TEXTS, TOPICS, Scripted, corpus, every_engine, same_weights, tiny


def stopping(*scores, metric=None, **parameters):
    """Fit by a metric with these scores, by default."""
    # At a threshold of 0 every label is predicted: the network counts as one that has started.
    options = {"threshold": 0.0, "validation": 0.25, "epochs": 9, "n_iter_no_change": 2}
    return tiny(metric=metric or Scripted(*scores), **{**options, **parameters}).fit(TEXTS, TAGS)


# -- which epoch -------------------------------------------------------------------------------------


@every_engine
def test_the_best_epoch_is_kept():
    metric = Scripted(0.1, 0.5, 0.3, 0.4, 0.9)  # the last of them is asked of the final model
    clf = stopping(metric=metric)
    assert clf.history_["validation_score"] == [0.1, 0.5, 0.3, 0.4]
    assert {len(values) for values in clf.history_.values()} == {4}
    assert clf.n_epochs_ == 2
    assert clf.validation_score_ == 0.9
    assert same_weights(clf, stopping(0.1, 0.5, epochs=2))
    for truth, predicted in metric.asked:
        assert truth.shape == predicted.shape == (3, 3)
        assert set(np.unique(truth)) <= {0, 1}


def test_the_best_of_all_epochs_is_kept():
    clf = stopping(0.1, 0.2, 0.9, 0.3, epochs=4)
    assert clf.n_epochs_ == 3
    assert same_weights(clf, stopping(0.1, 0.2, 0.9, epochs=3))


@every_engine
def test_it_waits_through_epochs_without_a_hit():
    """The threshold is fixed, and a rate of next to nothing moves no score across it."""
    still = {"learning_rate": 1e-30, "epochs": 9, "metric": "f1_micro"}
    clf = stopping(**still, threshold=1.0)
    assert clf.history_["validation_score"] == [0.0] * 9
    assert clf.n_epochs_ == 9
    assert len(stopping(**still, threshold=0.0).history_["loss"]) == 3


@pytest.mark.parametrize(
    "options", [{}, {"threshold": "tune"}, {"validation": 2}, {"linear": True}], ids=str
)
def test_a_metric_that_is_never_anything_but_minus_infinity(options):
    clf = stopping(-np.inf, **{"epochs": 4, **options})
    assert set(clf.history_["validation_score"]) == {-np.inf}
    assert np.isfinite(clf.predict_proba(TEXTS)).all()


def test_the_best_value_of_a_loss_is_a_plateau():
    """A negative Hamming loss of 0, once all is told right; 40 epochs would be allowed."""
    learn = {"learning_rate": 0.05, "dropout": 0.0, "embedding_dropout": 0.0, "threshold": "tune"}
    clf = tiny(
        **{**learn, "epochs": 40, "validation": 0.1, "n_iter_no_change": 2},
        metric=lambda truth, predicted: -hamming_loss(truth, predicted),
    ).fit(["a goal", "a vote"] * 10, [["sport"], ["politics"]] * 10)
    scores = clf.history_["validation_score"]
    assert scores[-3:] == [0.0] * 3
    assert len(scores) == clf.n_epochs_ + 2 < 40


@every_engine
def test_one_label_per_text():
    metric = Scripted(0.5)
    clf = tiny(early_stopping=True, validation=0.25, metric=metric).fit(TEXTS, TOPICS)
    assert clf.history_["validation_score"] == [0.5, 0.5]
    truth, predicted = metric.asked[0]
    assert truth.shape == predicted.shape == (3,)
    assert set(truth.tolist()) <= {0, 1, 2}


# -- what it is judged by ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [24, 1008])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"validation": "auto"}, True),
        ({"validation": "auto", "early_stopping": False}, False),
        ({"validation": None}, False),
    ],
    ids=str,
)
def test_when_epochs_are_validated(options, n, expected):
    texts, tags = [*TEXTS * 84][:n], [*TAGS * 84][:n]
    clf = tiny(batch_size=256, epochs=1, **options).fit(texts, tags)
    assert ("validation_score" in clf.history_) == expected


@every_engine
def test_the_texts_that_are_held_out_are_not_learned_from():
    metric = Scripted(0.5)
    clf = stopping(metric=metric)
    first = metric.asked[0][0]
    assert len(first) == 3
    assert all(np.array_equal(truth, first) for truth, _ in metric.asked)
    assert len(clf.history_["loss"]) == 3
    assert not same_weights(clf, tiny(epochs=1).fit(TEXTS, TAGS))
    # The measure has its say in when to stop, not in what is learned.
    once = {"validation": 0.25, "epochs": 1}
    assert same_weights(tiny(**once, metric=Scripted(1.0)).fit(TEXTS, TAGS), clf)


@pytest.mark.parametrize("y", [TAGS, ["a", "b"] * 6], ids=["several labels", "one label"])
@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro"])
def test_sample_weight_counts(y, metric):
    """What is told right, or what is told wrong, weighs next to nothing."""
    texts, y = TEXTS * 7, y * 7
    still = {"learning_rate": 1e-30, "dropout": 0.0, "embedding_dropout": 0.0, "epochs": 1}
    still |= {"metric": metric} | ({"threshold": 0.46} if isinstance(y[0], list) else {})
    predicted = tiny(**still).fit(texts, y).predict(texts)
    truth = np.asarray(as_label_matrix(y)) if predicted.ndim == 2 else np.array(y)
    right = (predicted == truth).reshape(len(y), -1).all(axis=1)
    assert 0 < right.sum() < len(right)

    def score(*weights):
        clf = tiny(**still, validation=0.5).fit(texts, y, sample_weight=np.where(right, *weights))
        return clf.history_["validation_score"][0]

    assert score(1.0, 1e-4) > score(1.0, 1.0) > score(1e-4, 1.0)


# -- the network that is left in the end -------------------------------------------------------------

NOISE = corpus(120, noise=True)  # soon there is nothing more to gain
FOLDS = {"validation": 3, "n_iter_no_change": 2, "learning_rate": 0.02, "filters": 8}


def test_it_learns_from_all_texts_for_as_many_epochs_as_were_best():
    clf = tiny(**FOLDS, epochs=20).fit(*NOISE)
    scores = clf.history_["validation_score"]
    assert clf.n_epochs_ == np.argmax(scores) + 1
    assert len(clf.history_["loss"]) == len(scores) == clf.n_epochs_ + 2 < 20
    plain = tiny(**{**FOLDS, "validation": None}, epochs=clf.n_epochs_).fit(*NOISE)
    assert same_weights(clf, plain)
    # The history is that of the network which was validated, on fewer texts.
    assert clf.history_["loss"][: clf.n_epochs_] != plain.history_["loss"]


class StopAfter:
    """Ends a fit after some epochs, in the midst of its schedule: a callback of scikit-learn."""

    def __init__(self, n_epochs):
        self.n_left = n_epochs

    def setup(self, estimator, context):
        pass

    teardown = setup

    def on_fit_task_begin(self, estimator, context, **given):
        pass

    def on_fit_task_end(self, estimator, context, **given):
        self.n_left -= context.parent is not None
        return self.n_left <= 0


def test_its_rates_are_those_that_the_first_network_had():
    """They decay as if all epochs were to come, though early stopping found fewer to be best."""
    pytest.importorskip("sklearn.callback")
    decaying = {**FOLDS, "learning_rate_schedule": "linear", "epochs": 12}
    clf = tiny(**decaying).fit(*NOISE)
    assert clf.n_epochs_ < 12 == clf.resolved_.epochs
    plain = tiny(**{**decaying, "validation": None}).set_callbacks(StopAfter(clf.n_epochs_)).fit(*NOISE)
    assert plain.n_epochs_ == clf.n_epochs_
    assert same_weights(clf, plain)
    shorter = tiny(**{**decaying, "validation": None, "epochs": clf.n_epochs_}).fit(*NOISE)
    assert not same_weights(clf, shorter)


def test_without_early_stopping_it_trains_for_all_epochs():
    clf = tiny(early_stopping=False, validation=2, epochs=3).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == len(clf.history_["loss"]) == 3
    assert "validation_score" not in clf.history_
    assert same_weights(clf, tiny(epochs=3).fit(TEXTS, TAGS))


# -- going on ----------------------------------------------------------------------------------------


def test_it_goes_on_from_the_best_epoch():
    clf = stopping(0.1, 0.5, 0.4, 0.3, 0.6, warm_start=True)
    assert clf.n_epochs_ == 2
    clf.set_params(epochs=1).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 3
    assert same_weights(clf, stopping(0.1, 0.2, 0.3, epochs=3))


@every_engine
def test_histories_stay_in_step():
    clf = tiny(early_stopping=True, validation=0.25, warm_start=True).fit(TEXTS, TAGS).fit(TEXTS, TAGS)
    assert len(clf.history_["validation_score"]) == len(clf.history_["loss"]) == 4
    clf.set_params(validation=None).fit(TEXTS, TAGS).partial_fit(TEXTS, TAGS)
    assert {len(values) for values in clf.history_.values()} == {7}
    assert np.isnan(clf.history_["validation_score"]).tolist() == [False] * 4 + [True] * 3
