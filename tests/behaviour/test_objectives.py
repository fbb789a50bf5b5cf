"""Each objective trained where it can be seen to work, and what steers the decisions."""

import copy

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from sktextcnn import as_label_matrix
from sktextcnn.datasets import load_news_tags
from tests.examples import IS_SPORT, TAGS, TEXTS, TOPICS, eager, matrix_of, tiny

MULTILABEL_LOSSES = ["binary_crossentropy", "kl_divergence", "focal", "asymmetric"]


# -- O1 to O5 ------------------------------------------------------------------------------------------


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


# -- labels of a text as one distribution --------------------------------------------------------------


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


# -- weights -------------------------------------------------------------------------------------------

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


def test_balanced_class_weight_makes_a_coin_of_every_label():
    assert probability_of_rare() == pytest.approx(0.2, abs=0.05)
    assert probability_of_rare(class_weight="balanced") == pytest.approx(0.5, abs=0.07)


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


# -- decisions -----------------------------------------------------------------------------------------


def test_threshold_decides_which_probabilities_are_labels():
    clf = eager().fit(TEXTS, TAGS)
    assert clf.thresholds_.tolist() == [0.5] * 3
    probabilities = clf.predict_proba(TEXTS)
    for threshold in (0.01, 0.99, [0.9, 0.1, 0.5], np.array([0.0, 1.0, 0.5])):
        other = eager(threshold=threshold).fit(TEXTS, TAGS)
        assert np.array_equal(other.predict_proba(TEXTS), probabilities)
        assert np.array_equal(other.predict(TEXTS), (probabilities >= np.asarray(threshold)).astype(int))
        assert other.thresholds_.shape == (3,)


def test_thresholds_may_be_assigned_after_fitting():
    clf = tiny().fit(TEXTS, TAGS)
    clf.thresholds_ = np.zeros(3)
    assert clf.predict(TEXTS).all()
    clf.thresholds_ = np.full(3, 1.0)
    assert not clf.predict(TEXTS).any()
    assert clf.predict_labels(TEXTS) == [()] * len(TEXTS)


@pytest.mark.parametrize("loss", ["binary_crossentropy", "kl_divergence"])
def test_at_least_and_at_most_so_many_labels(loss):
    high, low = (tiny(loss=loss, threshold=t).fit(TEXTS, TAGS) for t in (1.0, 0.0))
    best = high.predict_proba(TEXTS).argmax(axis=1)
    assert not high.predict(TEXTS).any()
    assert low.predict(TEXTS).all()
    one = tiny(loss=loss, threshold=1.0, min_labels=1).fit(TEXTS, TAGS).predict(TEXTS)
    assert np.array_equal(one, np.eye(3, dtype=int)[best])
    same = tiny(loss=loss, threshold=0.0, max_labels=1).fit(TEXTS, TAGS).predict(TEXTS)
    assert np.array_equal(same, one)
    exactly = tiny(loss=loss, min_labels=2, max_labels=2).fit(TEXTS, TAGS).predict(TEXTS)
    assert exactly.sum(axis=1).tolist() == [2] * len(TEXTS)


def test_as_many_labels_as_there_are():
    assert tiny(min_labels=3).fit(TEXTS, TAGS).predict(TEXTS).all()


# -- parts of the network ------------------------------------------------------------------------------


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


def test_vectors_of_absent_tokens_are_left_alone():
    absent = tiny(vocabulary=["match", "soup", "quasar"], epochs=1).fit(TEXTS, TAGS)
    later = tiny(vocabulary=["match", "soup", "quasar"], epochs=3).fit(TEXTS, TAGS)
    row = absent.vocabulary_["quasar"] + 2
    assert np.array_equal(absent.weights_["embedding"][row], later.weights_["embedding"][row])
    row = absent.vocabulary_["match"] + 2
    assert not np.array_equal(absent.weights_["embedding"][row], later.weights_["embedding"][row])


def test_min_df_and_max_features_limit_the_vocabulary():
    assert set(tiny(min_df=3, epochs=1).fit(TEXTS, TAGS).vocabulary_) == {"the", "match", "a", "of"}
    assert len(tiny(max_features=4, epochs=1).fit(TEXTS, TAGS).vocabulary_) == 4
    assert "the" in tiny(min_df=0.5, epochs=1).fit(TEXTS, TAGS).vocabulary_


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
