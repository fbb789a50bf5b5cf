"""Each objective trained where it can be seen to work."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from sktextcnn.datasets import load_news_tags
from sktextcnn.objective import LOSSES
from tests.examples import IS_SPORT, TAGS, TEXTS, TOPICS, eager, matrix_of, tiny

MULTILABEL_LOSSES = LOSSES[True]


# -- O1 to O5 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", MULTILABEL_LOSSES)
def test_several_labels_are_learned_by_heart(loss):
    clf = eager(loss=loss).fit(TEXTS, TAGS)
    assert clf.loss_ == loss
    assert f1_score(matrix_of(), clf.predict(TEXTS), average="micro") > 0.9
    assert clf.score(TEXTS, TAGS) > 0.8
    assert clf.history_["loss"][-1] < 0.5 * clf.history_["loss"][0]


def test_auto_is_independent_labels():
    assert eager().fit(TEXTS, TAGS).loss_ == "binary_crossentropy"
    assert eager().fit(TEXTS, TOPICS).loss_ == "categorical_crossentropy"


def test_one_label_is_learned_by_heart():
    clf = eager(loss="categorical_crossentropy").fit(TEXTS, TOPICS)
    assert accuracy_score(TOPICS, clf.predict(TEXTS)) > 0.9
    np.testing.assert_allclose(clf.predict_proba(TEXTS).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("y", [IS_SPORT, [label == "sport" for label in IS_SPORT]], ids=["str", "bool"])
def test_two_classes_are_learned_by_heart(y):
    clf = eager().fit(TEXTS, y)
    assert clf.score(TEXTS, y) == 1
    assert clf.predict(TEXTS).tolist() == y
    assert clf.predict_proba(TEXTS).shape == (len(TEXTS), 2)


def test_news_tags_held_out():
    news = load_news_tags()
    learned, held_out = slice(0, 480), slice(480, None)
    clf = tiny(
        min_df=2, embedding_dim=32, filters=32, batch_size=32, epochs=12, learning_rate=0.005
    ).fit(news.data[learned], news.target[learned])
    assert clf.classes_.tolist() == news.target_names
    score = f1_score(news.target[held_out], clf.predict(news.data[held_out]), average="micro")
    everything = f1_score(news.target[held_out], np.ones_like(news.target[held_out]), average="micro")
    assert score > everything + 0.15


# -- labels of a text as one distribution -----------------------------------------------------------


def test_kl_divergence_shares_one_distribution():
    clf = eager(loss="kl_divergence", epochs=120, learning_rate=0.01).fit(TEXTS, TAGS)
    probabilities = clf.predict_proba(TEXTS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    pairs = matrix_of().sum(axis=1) == 2
    assert clf.thresholds_ == pytest.approx(np.full(3, 1 / (1 + 15 / 12)))
    # Both labels of a pair get about half, which the default threshold lets through.
    assert (probabilities[pairs].max(axis=1) < 0.75).all()
    assert clf.predict(TEXTS)[pairs].sum(axis=1).tolist() == [2] * pairs.sum()
    assert clf.predict(TEXTS)[~pairs].sum(axis=1).tolist() == [1] * (~pairs).sum()


def test_a_text_without_label_adds_nothing_under_kl_divergence():
    y = [*TAGS, []]
    texts = [*TEXTS, "the match"]
    clf = tiny(loss="kl_divergence", batch_size=100, epochs=1, embedding_dropout=0.0, dropout=0.0)
    clf.fit(texts, y)
    without = copy.deepcopy(clf).fit(TEXTS, TAGS)
    # The mean of the loss is over all texts, and the sum is the same.
    assert clf.history_["loss"][0] * 13 == pytest.approx(without.history_["loss"][0] * 12, rel=1e-2)
    assert np.isfinite(clf.predict_proba(texts)).all()


@pytest.mark.parametrize("loss", ["binary_crossentropy", "focal", "asymmetric"])
def test_texts_without_label_are_learned_from(loss):
    """A word that stands for nothing, among words that stand for labels."""
    texts = [*TEXTS, "nothing to see here", "nothing happened", "nothing new", "nothing at all"]
    y = [*TAGS, [], [], [], []]
    clf = eager(loss=loss).fit(texts, y)
    assert clf.predict_labels(texts[-4:]) == [()] * 4
    assert clf.score(texts, y) > 0.8


# -- rare labels ------------------------------------------------------------------------------------


# A rare label on an uninformative text: the network cannot tell, so the weight decides.
COIN = ["heads or tails"] * 10
RARE = [["rare"]] * 2 + [["common"]] * 8


def probability_of_rare(**parameters):
    clf = eager(**parameters).fit(COIN, RARE)
    return clf.predict_proba(COIN[:1])[0, clf.classes_.tolist().index("rare")]


@pytest.mark.parametrize("loss", ["focal", "asymmetric"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rare_label_is_more_probable_under_the_losses_for_rare_labels(loss, seed):
    assert (
        probability_of_rare(loss=loss, random_state=seed) > probability_of_rare(random_state=seed) + 0.02
    )


def texts_with_a_rare_label(seed):
    """Four hundred texts of random words; one in 25 holds one of two words that give it a rare label."""
    rng = np.random.default_rng(seed)
    texts, rows = [], []
    for number in range(400):
        words = [*rng.choice([f"w{i}" for i in range(40)], 6)]
        common, rare = bool({"w0", "w1", "w2"} & {*words}), number % 25 == 0
        if rare:
            words[rng.integers(6)] = rng.choice(["zebra", "quagga"])
        texts.append(" ".join(words))
        rows.append([int(common), int(rare)])
    return texts, np.array(rows)


def test_losses_for_rare_labels_find_one_sooner():
    """Six epochs in, cross-entropy still says no to nearly every text; the others know both labels."""
    train_texts, train_Y = texts_with_a_rare_label(0)
    test_texts, test_Y = texts_with_a_rare_label(1)

    def mean_f1(loss):
        values = []
        for seed in range(3):
            clf = eager(
                loss=loss, epochs=6, batch_size="auto", learning_rate=0.005, random_state=seed
            ).fit(train_texts, train_Y)
            values.append(f1_score(test_Y, clf.predict(test_texts), average=None, zero_division=0))
        return np.mean(values, axis=0)

    plain = mean_f1("binary_crossentropy")
    for loss in ("focal", "asymmetric"):
        common, rare = mean_f1(loss)
        assert common > 0.9
        assert rare > plain[1] + 0.2


# -- parts of the network ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden_units": 16},
        {"kernel_sizes": (1,)},
        {"kernel_sizes": (5, 3, 20)},
        {"analyzer": "char", "kernel_sizes": (2, 3, 4)},
        {"analyzer": str.split},
        {"tokenizer": lambda text: text.split(" ")},
        {"max_length": 4, "kernel_sizes": (1, 2)},
        {"vocabulary": sorted({word for text in TEXTS for word in text.split()})},
        {"optimizer": "adagrad", "learning_rate": 0.1},
        {"optimizer": "sgd", "learning_rate": 0.5, "epochs": 80},
        {"batch_size": 1, "learning_rate": 0.01, "epochs": 15},
        {"batch_size": 100},
        {"embedding_dropout": 0.2, "dropout": 0.3, "epochs": 60},
    ],
    ids=lambda changed: "-".join(changed),
)
def test_every_kind_of_network_learns(changed):
    clf = eager(**changed).fit(TEXTS, TAGS)
    assert f1_score(matrix_of(), clf.predict(TEXTS), average="micro") > 0.9
    sizes = changed.get("kernel_sizes", (1, 2))
    assert all(clf.weights_[f"convolution_{size}_kernel"].shape == (size, 16, 16) for size in sizes)


def test_hidden_units_are_a_layer():
    weights = tiny(hidden_units=5).fit(TEXTS, TAGS).weights_
    assert weights["hidden_kernel"].shape == (8, 5)
    assert weights["output_kernel"].shape == (5, 3)
    assert "hidden_kernel" not in tiny().fit(TEXTS, TAGS).weights_
