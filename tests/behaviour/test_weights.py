"""`sample_weight` and `class_weight`: which texts and labels count how much."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from sktextcnn import as_label_matrix
from sktextcnn.objective import LOSSES
from tests.examples import TAGS, TEXTS, eager, every_engine, every_engine_and, same_weights, tiny
from tests.forms import Y_FORMS, fitted

# -- of texts ---------------------------------------------------------------------------------------


@every_engine_and(["y_form"], [(form,) for form in Y_FORMS])
def test_weight_zero_is_absence(y_form):
    y = Y_FORMS[y_form]()
    kept = np.array([0, 1, 2, 4, 5, 6, 7, 9, 11])
    weight = np.zeros(len(TEXTS))
    weight[kept] = 1
    less = y[kept] if hasattr(y, "shape") and y_form != "DataFrame" else None
    if y_form == "DataFrame":
        less = y.iloc[kept]
    elif less is None:
        less = [y[i] for i in kept]
    part = tiny().fit([TEXTS[i] for i in kept], less)
    weighted = tiny().fit(TEXTS, y, sample_weight=weight)
    assert same_weights(weighted, part)
    assert weighted.vocabulary_ == part.vocabulary_
    assert weighted.history_["loss"] == part.history_["loss"]


@every_engine
def test_weights_of_one_are_no_weights():
    assert same_weights(tiny().fit(TEXTS, TAGS, sample_weight=np.ones(len(TEXTS))), fitted())
    assert same_weights(tiny().fit(TEXTS, TAGS, sample_weight=[1] * len(TEXTS)), fitted())
    assert not same_weights(tiny().fit(TEXTS, TAGS, sample_weight=[1, 2] * 6), fitted())


def test_sample_weight_as_a_series_with_its_own_index():
    weight = np.linspace(0.5, 2, len(TEXTS))
    series = pd.Series(weight, index=range(len(TEXTS), 0, -1))
    a, b = (tiny().fit(TEXTS, TAGS, sample_weight=w) for w in (weight, series))
    assert same_weights(a, b)


@every_engine
def test_partial_fit_weighs_texts():
    weight = [1] * 6 + [0] * 6
    a = tiny().partial_fit(TEXTS, TAGS, sample_weight=weight)
    b = tiny().partial_fit(TEXTS[:6], TAGS[:6])
    assert same_weights(a, b)


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
    assert same_weights(plain, weighted)
    assert np.array_equal(plain.thresholds_, weighted.thresholds_)
    assert plain.history_.get("validation_score") == weighted.history_.get("validation_score")


WEIGHT = np.array([1.0, 5, 0.5, 2, 0.01, 3, 40, 0.01, 1, 4, 0.1, 7])


@pytest.mark.parametrize("options", [{}, {"early_stopping": False}], ids=str)
def test_a_metric_gets_weights_if_it_takes_them(options):
    seen = []

    def metric(truth, predicted, sample_weight=None):
        seen.append(sample_weight)
        assert sample_weight is None or sample_weight.shape == truth.shape[:1]
        return float(np.average((truth == predicted).all(axis=1), weights=sample_weight))

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
    plain.set_params(metric=ready, threshold=0.5)
    assert plain.fit(TEXTS, TAGS, sample_weight=WEIGHT).weights_


# -- of labels --------------------------------------------------------------------------------------

MULTILABEL_LOSSES = LOSSES[True]

# A rare label on an uninformative text: the network cannot tell, so the weight decides.
COIN = ["heads or tails"] * 10
RARE = [["rare"]] * 2 + [["common"]] * 8


def probability_of_rare(**parameters):
    clf = eager(**parameters).fit(COIN, RARE)
    return clf.predict_proba(COIN[:1])[0, clf.classes_.tolist().index("rare")]


@pytest.mark.parametrize("loss", MULTILABEL_LOSSES)
def test_class_weight_makes_a_rare_label_more_probable(loss):
    plain = probability_of_rare(loss=loss)
    assert probability_of_rare(loss=loss, class_weight={"rare": 8.0}) > plain + 0.1
    assert probability_of_rare(loss=loss, class_weight={"rare": 1.0}) == plain
    assert probability_of_rare(loss=loss, class_weight={"rare": 0.1}) < plain


@pytest.mark.parametrize(
    "options", [{}, {"linear": True, "validation": 2}], ids=["network", "both parts"]
)
def test_balanced_class_weight_makes_a_coin_of_every_label(options):
    assert probability_of_rare(**options) == pytest.approx(0.2, abs=0.05)
    assert probability_of_rare(**options, class_weight="balanced") == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("class_weight", ["balanced", {"rare": 4.0}])
def test_class_weight_with_one_label_per_text(class_weight):
    y = [label for (label,) in RARE]
    with pytest.warns(UserWarning, match="carries different labels"):
        plain = eager().fit(COIN, y)
    with pytest.warns(UserWarning, match="carries different labels"):
        weighted = eager(class_weight=class_weight).fit(COIN, y)
    assert plain.predict_proba(COIN[:1])[0, 1] == pytest.approx(0.2, abs=0.05)
    assert weighted.predict_proba(COIN[:1])[0, 1] == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("loss", MULTILABEL_LOSSES)
def test_sample_weight_pulls(loss):
    weight = np.array([8.0] * 2 + [1.0] * 8)
    plain = eager(loss=loss).fit(COIN, RARE)
    pulled = eager(loss=loss).fit(COIN, RARE, sample_weight=weight)
    assert pulled.predict_proba(COIN[:1])[0, 1] > plain.predict_proba(COIN[:1])[0, 1] + 0.1


def test_sample_weight_pulls_with_one_label_per_text():
    weight = np.array([4.0] * 2 + [1.0] * 8)
    with pytest.warns(UserWarning, match="carries different labels"):
        clf = eager().fit(COIN, [label for (label,) in RARE], sample_weight=weight)
    assert clf.predict_proba(COIN[:1])[0, 1] == pytest.approx(0.5, abs=0.07)


def test_weights_of_classes_and_texts_work_together():
    """Doubling a label's weight and doubling that of its texts are not the same for label sets."""
    both = tiny(class_weight={"sport": 2.0}).fit(TEXTS, TAGS, sample_weight=[1, 2] * 6)
    assert not same_weights(both, tiny(class_weight={"sport": 2.0}).fit(TEXTS, TAGS))
    assert not same_weights(both, tiny().fit(TEXTS, TAGS, sample_weight=[1, 2] * 6))


@pytest.mark.parametrize("linear", [False, True], ids=["network", "both parts"])
@pytest.mark.parametrize("loss", ["binary_crossentropy", "focal", "asymmetric"])
def test_a_label_that_weighs_more_is_more_probable(loss, linear):
    """Through network, linear part and blend, to the probabilities of new texts."""
    rng = np.random.default_rng(0)
    carries = rng.random((1500, 2)) < (0.03, 0.4)
    # Words that a label is known by, in most of its texts and in some others.
    shown = rng.random((1500, 2)) < np.where(carries, 0.7, (0.03, 0.2))
    texts = [
        " ".join(
            rng.permutation([*(f"w{i}" for i in rng.integers(0, 30, 6)), *np.array(["x", "y"])[row]])
        )
        for row in shown
    ]
    y = as_label_matrix(carries.astype(int), classes=["rare", "usual"])
    options = {"linear": linear, "validation": 3, "epochs": 5, "batch_size": 32, "loss": loss}
    options.update(learning_rate=0.02, learning_rate_schedule="linear")
    even, heavy = (
        tiny(**options, class_weight=weight).fit(texts[:1200], y[:1200]).predict_proba(texts[1200:])
        for weight in (None, {"rare": 20.0})
    )
    assert heavy[:, 0].mean() > (3 if linear else 1.9) * even[:, 0].mean()
    assert 0.5 < heavy[:, 1].mean() / even[:, 1].mean() < 2
