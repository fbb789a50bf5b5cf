"""Texts that are held out: which, how often, and what is judged by them alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import PredefinedSplit, ShuffleSplit, StratifiedKFold

from sktextcnn import resolved
from sktextcnn.engine.inference import compute_logits
from sktextcnn.linear.features import ngram_features
from sktextcnn.linear.training import fit_blend, fit_linear
from sktextcnn.text.tokens import encode
from tests.examples import corpus, usual

TEXTS, Y = corpus(120)
TOPICS = [["a", "b", "c"][int(row.argmax())] if row.any() else "none" for row in np.asarray(Y)]


def both(**parameters):
    """Return a classifier with a linear part."""
    return usual(**{"linear": True, "validation": 0.1, "early_stopping": False, **parameters})


def quick(**parameters):
    """Return a classifier for more texts, as it is by default but for its size."""
    return usual(**{"linear": True, "validation": "auto", "epochs": 1, "batch_size": 256, **parameters})


#: How a network learns what can only be learned by heart.
BY_HEART = {
    "epochs": 20,
    "batch_size": 50,
    "learning_rate": 0.05,
    "learning_rate_schedule": "constant",
    "dropout": 0.0,
    "embedding_dropout": 0.0,
}


def accuracy(truth, predicted):
    return float((truth == predicted).mean())


@pytest.mark.parametrize("folds", [0.5, 3])
def test_nothing_is_judged_by_texts_it_was_learned_from(folds):
    """Labels that have nothing to do with the texts can be learned by heart, and not be foretold."""
    options = {"validation": folds, "metric": accuracy}
    texts, y = corpus(200, noise=True)
    noise = both(**BY_HEART, **options).fit(texts, y)
    learnable = both(**options).fit(*corpus(200))
    assert noise.validation_score_ < 0.7  # no more than whoever says no to all
    assert learnable.validation_score_ > 0.9
    # So neither part gets much weight, though of what it has learned from each says more.
    assert noise.linear_part_.blend[:2].max() < 1
    assert learnable.linear_part_.blend[1].min() > 2.5
    for blend in ([[1], [0], [0]], [[0], [1], [0]]):
        part = copy.copy(noise)
        part.linear_part_ = replace(noise.linear_part_, blend=np.array(blend, np.float32))
        assert roc_auc_score(y.ravel(), part.decision_function(texts).ravel()) > 0.7


@pytest.mark.parametrize("linear", [False, True])
def test_thresholds_and_score_come_from_all_folds(linear):
    """While training, each epoch of the first network is judged by its own fold."""
    asked = []

    def metric(truth, predicted):
        asked.append(truth)
        return f1_score(truth, predicted, average="macro", zero_division=0)

    clf = usual(linear=linear, validation=3, epochs=3, metric=metric).fit(TEXTS, Y)
    sizes = [len(truth) for truth in asked]
    assert sizes == [40] * sizes.count(40) + [120] * sizes.count(120)
    assert sizes.count(40) >= len(clf.history_["validation_score"])
    assert sorted(asked[-1].tolist()) == sorted(Y.tolist())
    assert (clf.thresholds_ != 0.5).any()


def test_the_blend_is_that_of_held_out_texts():
    """One part is held out: neither network nor divisions change afterwards, and can be asked again."""
    clf = both(validation=PredefinedSplit([-1] * 80 + [0] * 40)).fit(TEXTS, Y)
    part, targets = clf.linear_part_, sparse.csr_matrix(Y)
    ids = encode(TEXTS, str.split, clf.vocabulary_)
    features, even = ngram_features(ids, part.ngrams), np.ones((2, 3), np.float32)
    kernel, bias = fit_linear(features[:80], targets[:80], np.ones(80, np.float32), even, 0)
    margins = features[80:] @ kernel.toarray() + bias
    logits = compute_logits(clf.weights_, ids.take(np.arange(80, 120)))
    expected = fit_blend(
        logits, margins, Y[80:], np.ones(40), even, counts=Y.sum(axis=0), exclusive=False
    )
    np.testing.assert_allclose(part.blend, expected, rtol=0.05, atol=0.05)
    # The linear part that is left has learned from all texts.
    kernel, bias = fit_linear(features, targets, np.ones(120, np.float32), even, 0)
    np.testing.assert_allclose(part.kernel.toarray(), kernel.toarray(), atol=0.02)
    np.testing.assert_allclose(part.bias, bias, atol=0.02)


def test_as_many_labels_on_average_as_in_training():
    split = PredefinedSplit([-1] * 60 + [0] * 60)
    clf = usual(threshold="cardinality", validation=split).fit(TEXTS, Y)
    assert abs(clf.predict(TEXTS[60:]).sum() - 60 * Y.sum() / len(Y)) <= 0.5
    assert len({*clf.thresholds_.tolist()}) == 1


# -- how often --------------------------------------------------------------------------------------


def count_networks(capsys, **options):
    """Fit a classifier; return it, and of how many networks it told."""
    texts, y = options.pop("data", (TEXTS, Y))
    clf = quick(**options, verbose=1).fit(texts, y)
    lines = capsys.readouterr().out.splitlines()
    networks = {line.partition("  ")[0] for line in lines if line.startswith("network")}
    assert networks == {f"network {i + 1} of {len(networks)}" for i in range(len(networks))}
    return clf, len(networks)


@pytest.mark.parametrize(
    ("options", "n_networks", "n_held_out"),
    [
        ({}, 4, 120),
        ({"metric": "f1_macro"}, 4, 120),
        ({"threshold": "cardinality"}, 4, 120),
        ({"threshold": 0.3}, 4, 120),
        ({"early_stopping": False}, 4, 120),
        ({"linear": False}, 4, 120),
        ({"validation": 2}, 3, 120),
        ({"validation": 0.25}, 1, 30),
        ({"validation": ShuffleSplit(1, test_size=20, random_state=0)}, 1, 20),
        ({"validation": ShuffleSplit(2, test_size=20, random_state=0)}, 3, 40),
        ({"validation": PredefinedSplit([-1] * 60 + [0] * 30 + [1] * 30)}, 3, 60),
        ({"validation": None}, 1, 0),
    ],
    ids=str,
)
def test_how_often_texts_are_held_out(capsys, options, n_networks, n_held_out):
    """A network for each part that is held out, and one of all texts if there are several parts."""
    clf, found = count_networks(capsys, **options)
    assert found == n_networks
    assert clf.resolved_.n_folds == (n_networks - 1 or int(n_held_out > 0))
    assert clf.resolved_.n_held_out == n_held_out
    assert np.isnan(clf.validation_score_) == (n_held_out == 0)


@pytest.mark.parametrize("one_label", [False, True])
def test_a_tenth_of_many_texts_is_enough(capsys, monkeypatch, one_label):
    """But for rare labels under macro-F1."""
    for name in ("MANY", "MANY_OF_ONE_LABEL"):
        monkeypatch.setattr(resolved, name, 1000)
    texts, y = corpus(1000)
    y = ["a" if row[0] else "b" for row in y] if one_label else y
    clf, found = count_networks(capsys, data=(texts, y))
    assert (found, clf.resolved_.n_held_out) == (1, 100)
    assert count_networks(capsys, data=(texts, y), metric="f1_macro")[1] == (1 if one_label else 4)
    assert count_networks(capsys, data=(texts[:999], y[:999]))[1] == 4


def test_a_handful_of_texts_are_all_learned(capsys):
    """What so few held-out ones say would be chance."""
    clf, found = count_networks(capsys, data=(TEXTS[:11], Y[:11]))
    assert found == 1
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


def test_more_parts_than_texts():
    with pytest.raises(ValueError, match=r"^12 texts cannot be divided into validation=13 parts"):
        usual(validation=13).fit(TEXTS[:12], Y[:12])


@pytest.mark.parametrize("folds", [0, 1, -1, 2.5, "three", True], ids=repr)
def test_bad_numbers_of_parts(folds):
    with pytest.raises(ValueError, match="The 'validation' parameter of TextCNNClassifier must be"):
        usual(validation=folds).fit(TEXTS, Y)


# -- the score --------------------------------------------------------------------------------------


def test_cardinality_needs_held_out_texts():
    message = r"^threshold='cardinality' looks at held-out texts, and there are none: validation=None\."
    with pytest.raises(ValueError, match=message):
        usual(threshold="cardinality").fit(TEXTS, Y)


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
