"""Learning that goes on: `warm_start`, `partial_fit`, and from one to the other."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold

from tests.examples import (
    LABELS,
    TAGS,
    TEXTS,
    TOPICS,
    corpus,
    every_engine,
    every_engine_and,
    matrix_of,
    same_weights,
    tiny,
    usual,
)

# -- warm_start -------------------------------------------------------------------------------------


@every_engine
def test_warm_start_goes_on():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    vocabulary, weights = clf.vocabulary_, clf.weights_
    first = list(clf.history_["loss"])
    clf.fit([*TEXTS[1:], "words never seen before"], TAGS)
    assert clf.vocabulary_ == vocabulary
    assert clf.n_epochs_ == 4
    assert clf.history_["loss"][:2] == first
    assert [len(values) for values in clf.history_.values()] == [4, 4]
    assert not np.array_equal(clf.weights_["output_kernel"], weights["output_kernel"])
    assert "optimizer_state_" in vars(clf)


@every_engine
def test_warm_start_in_two_halves_is_one_fit():
    halves = tiny(warm_start=True).fit(TEXTS, TAGS).fit(TEXTS, TAGS)
    whole = tiny(epochs=4).fit(TEXTS, TAGS)
    assert same_weights(halves, whole)
    assert halves.history_["loss"] == whole.history_["loss"]


@every_engine
def test_without_warm_start_fit_forgets():
    clf = tiny().fit(TEXTS, TAGS)
    clf.fit(TEXTS[:6], TOPICS[:6])
    assert not clf.multilabel_
    assert clf.n_epochs_ == 2
    assert "optimizer_state_" not in vars(clf)


def test_warm_start_refuses_new_labels():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    with pytest.raises(
        ValueError,
        match=r"y\[1\] holds 'travel', which is not among classes=.*"
        r"Add it to classes \(of a fitted model by partial_fit\)",
    ):
        clf.fit(TEXTS[:2], [["sport"], ["travel"]])
    assert clf.n_epochs_ == 2


@pytest.mark.parametrize(("classes", "label"), [(["food", "travel"], "travel"), ([7, 1, 2], 7)], ids=str)
def test_going_on_refuses_a_parameter_that_names_new_labels(classes, label):
    """Before anything is read."""
    message = (
        rf"The parameter classes holds {label!r}, which the fitted model lacks; it knows "
        rf"\['food', 'news', 'sport'\]\. partial_fit\(X, y, classes=\[\*clf\.classes_, {label!r}\]\)"
    )
    clf = tiny(warm_start=True).fit(TEXTS, TAGS).set_params(classes=classes)
    for method in (clf.fit, clf.partial_fit):
        with pytest.raises(ValueError, match=message):
            method(None, None)
    assert clf.n_epochs_ == 2
    clf.set_params(classes=["sport", "news", "food"]).fit(TEXTS, TAGS).partial_fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 5
    assert clf.classes_.tolist() == LABELS
    assert clf.set_params(classes=["travel", *LABELS], warm_start=False).fit(TEXTS, TAGS).n_epochs_ == 2


def test_warm_start_refuses_another_kind():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="one label per text, but the classifier was fitted on several"):
        clf.fit(TEXTS, TOPICS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("filters", 5), ("embedding_dim", 9), ("kernel_sizes", (1, 3)), ("hidden_units", 7)],
)
def test_warm_start_refuses_another_shape(name, value):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    clf.set_params(**{name: value})
    with pytest.raises(ValueError, match=rf"^{name} changed from"):
        clf.fit(TEXTS, TAGS)


@pytest.mark.parametrize("kernel_sizes", [[1, 2], (2, 1), np.array([1, 2]), np.array([2, 1])])
def test_warm_start_with_kernel_sizes_in_any_form(kernel_sizes):
    clf = tiny(warm_start=True, kernel_sizes=kernel_sizes).fit(TEXTS, TAGS)
    assert clf.fit(TEXTS, TAGS).n_epochs_ == 4


@every_engine_and(["optimizer"], [("sgd",), ("adagrad",)])
def test_warm_start_with_another_optimizer(optimizer):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    clf.set_params(optimizer=optimizer).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 4
    assert all(np.isfinite(weight).all() for weight in clf.weights_.values())


@every_engine
def test_warm_start_after_an_ordinary_fit():
    clf = tiny().fit(TEXTS, TAGS)
    vocabulary = clf.vocabulary_
    clf.set_params(warm_start=True).fit(TEXTS[:6], TAGS[:6])
    assert clf.n_epochs_ == 4
    assert clf.vocabulary_ == vocabulary


def test_epochs_in_one_fit_or_in_several_are_the_same():
    whole = tiny(warm_start=True, epochs=3).fit(TEXTS, TAGS)
    parts = tiny(warm_start=True, epochs=1)
    for _ in range(3):
        parts.fit(TEXTS, TAGS)
    assert same_weights(parts, whole)
    assert parts.n_epochs_ == whole.n_epochs_ == 3
    assert parts.history_["loss"] == whole.history_["loss"]


# -- partial_fit ------------------------------------------------------------------------------------


def batches(size=4):
    return [(TEXTS[i : i + size], TAGS[i : i + size]) for i in range(0, len(TEXTS), size)]


@every_engine
def test_partial_fit_on_mini_batches():
    clf = tiny(vocabulary=sorted({word for text in TEXTS for word in text.split()}))
    for number, (texts, tags) in enumerate(batches(), 1):
        assert clf.partial_fit(texts, tags, classes=LABELS) is clf
        assert len(clf.history_["loss"]) == clf.n_epochs_ == number
    assert clf.classes_.tolist() == LABELS
    assert clf.predict(TEXTS).shape == (12, 3)


@every_engine
def test_partial_fit_learns():
    clf = tiny(learning_rate=0.05, dropout=0.0, embedding_dropout=0.0)
    for _ in range(30):
        clf.partial_fit(TEXTS, TAGS)
    assert clf.history_["loss"][-1] < 0.5 * clf.history_["loss"][0]
    assert f1_score(matrix_of(), clf.predict(TEXTS), average="micro") > 0.9


@every_engine
def test_partial_fit_fixes_vocabulary_and_classes_in_its_first_call():
    clf = tiny().partial_fit(TEXTS[:4], TAGS[:4])
    vocabulary = clf.vocabulary_
    clf.partial_fit(TEXTS[4:], TAGS[4:])
    assert clf.vocabulary_ == vocabulary
    assert "resigns" not in vocabulary
    assert clf.classes_.tolist() == LABELS


def test_partial_fit_takes_classes_from_the_constructor_or_the_call():
    a = tiny(classes=LABELS).partial_fit(TEXTS[:1], TAGS[:1])
    b = tiny().partial_fit(TEXTS[:1], TAGS[:1], classes=LABELS)
    assert a.classes_.tolist() == b.classes_.tolist() == LABELS
    assert same_weights(a, b)


def test_partial_fit_with_the_same_classes_again():
    clf = tiny().partial_fit(TEXTS[:4], TAGS[:4], classes=np.array(LABELS))
    clf.partial_fit(TEXTS[4:8], TAGS[4:8], classes=np.array(LABELS))
    assert clf.n_epochs_ == 2
    with pytest.raises(ValueError, match=r"classes=\['food', 'news'\] lacks 'sport', which the fitted"):
        clf.partial_fit(TEXTS[:4], TAGS[:4], classes=["food", "news"])


@every_engine
def test_partial_fit_with_one_label_per_text():
    clf = tiny().partial_fit(TEXTS[:2], TOPICS[:2], classes=LABELS)
    clf.partial_fit(TEXTS[2:3], TOPICS[2:3])
    assert clf.predict(TEXTS).shape == (12,)
    assert clf.classes_.tolist() == LABELS


def test_partial_fit_with_a_batch_without_labels():
    clf = tiny().partial_fit(TEXTS, TAGS)
    clf.partial_fit(TEXTS[:2], [[], []])
    assert clf.n_epochs_ == 2


def test_partial_fit_refuses_new_labels():
    clf = tiny().partial_fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match=r"y\[0\] holds 'travel'"):
        clf.partial_fit(["a long journey"], [["travel"]])
    assert clf.n_epochs_ == 1


def test_partial_fit_refuses_another_kind():
    clf = tiny().partial_fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="one label per text, but the classifier was fitted on several"):
        clf.partial_fit(TEXTS, TOPICS)
    clf = tiny().partial_fit(TEXTS, TOPICS)
    with pytest.raises(
        ValueError, match="several labels per text, but the classifier was fitted on one"
    ):
        clf.partial_fit(TEXTS, TAGS)


@every_engine
def test_partial_fit_goes_on_from_fit():
    clf = tiny().fit(TEXTS, TAGS)
    clf.partial_fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 3
    assert len(clf.history_["loss"]) == 3


def test_partial_fit_keeps_thresholds_that_were_assigned():
    clf = tiny().partial_fit(TEXTS, TAGS)
    clf.thresholds_ = np.array([0.1, 0.2, 0.3])
    clf.partial_fit(TEXTS, TAGS)
    assert clf.thresholds_.tolist() == [0.1, 0.2, 0.3]


def test_partial_fit_takes_the_classes_in_any_order():
    clf = tiny().partial_fit(TEXTS, TAGS).partial_fit(TEXTS, TAGS, classes=LABELS[::-1])
    assert clf.classes_.tolist() == LABELS
    with pytest.raises(TypeError, match="classes is a int; pass a list of labels"):
        clf.partial_fit(TEXTS, TAGS, classes=5)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_learning_resumed_from_a_pickle_equals_uninterrupted_learning(optimizer):
    batches = [(TEXTS[:4], TAGS[:4]), (TEXTS[4:], TAGS[4:]), (TEXTS[::2], TAGS[::2])]
    whole, resumed = tiny(optimizer=optimizer), tiny(optimizer=optimizer)
    for texts, tags in batches:
        whole.partial_fit(texts, tags, classes=LABELS)
        resumed = pickle.loads(pickle.dumps(resumed.partial_fit(texts, tags, classes=LABELS)))
    assert same_weights(whole, resumed)
    assert whole.history_["loss"] == resumed.history_["loss"]
    assert len(whole.history_["loss"]) == whole.n_epochs_ == 3


@every_engine
def test_copies_go_on_learning_alike():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    other = pickle.loads(pickle.dumps(clf))
    assert same_weights(other.fit(TEXTS, TAGS), clf.fit(TEXTS, TAGS))


# -- what cannot go on ------------------------------------------------------------------------------


def quick(**parameters):
    """Return a classifier for more texts, as it is by default but for its size."""
    return usual(**{"linear": True, "validation": "auto", "epochs": 1, "batch_size": 256, **parameters})


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
        clf.partial_fit(TEXTS, TAGS)
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
        clf.fit(TEXTS, TAGS)


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
    assert same_weights(clf, fitted)
    assert clf.set_params(warm_start=False).fit(TEXTS, TAGS).linear_part_ is None
