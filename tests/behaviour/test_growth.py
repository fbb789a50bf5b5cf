"""New labels and words of a fitted model: `partial_fit` with more `classes`, or with a `teacher`."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

import sktextcnn
from sktextcnn import TextStream, as_label_matrix, load_embeddings
from sktextcnn.engine import compiled
from sktextcnn.text.tokens import encode
from tests.examples import (
    LABELS,
    TAGS,
    TEXTS,
    TOPICS,
    eager,
    every_engine,
    fitted_attributes,
    same_weights,
    tiny,
)

MORE = ["a train to the coast", "the coast by train", "a soup on the train", "the train resigns"]
MORE_TAGS = [["travel"], ["travel"], ["food", "travel"], ["news"]]
GROWN = [*LABELS, "travel"]


@pytest.fixture(scope="module")
def fitted():
    """A model of three labels that goes on learning."""
    return tiny(warm_start=True).fit(TEXTS, TAGS)


def grow(clf, **options):
    """Return a copy that has learned `MORE`."""
    return copy.deepcopy(clf).partial_fit(MORE, MORE_TAGS, **{"classes": GROWN, **options})


def stop_before_the_first_step(monkeypatch):
    """Let training end where it starts."""
    monkeypatch.setattr(compiled._Run, "run_epoch", lambda run, rate_at, end_batch: 0.0)


# -- what grows -------------------------------------------------------------------------------------


@every_engine
def test_new_labels_and_words_join_the_old_ones():
    clf = grow(tiny().fit(TEXTS, TAGS))
    assert clf.classes_.tolist() == GROWN
    assert {"train", "coast", "to"} <= {*clf.vocabulary_}
    assert clf.weights_["embedding"].shape[0] == len(clf.vocabulary_) + 2
    assert sorted(clf.vocabulary_.values()) == [*range(len(clf.vocabulary_))]
    assert clf.predict_proba(TEXTS).shape == (12, 4)
    assert clf.n_epochs_ == 3
    assert len(clf.history_["loss"]) == 3


def test_no_score_changes_before_the_first_step(fitted, monkeypatch):
    """A new word starts as the unknown token that it was; a new label has weights of its own."""
    stop_before_the_first_step(monkeypatch)
    clf = grow(fitted)
    assert len(clf.vocabulary_) > len(fitted.vocabulary_)
    texts = [*TEXTS, *MORE]
    scores = clf.decision_function(texts)[:, :3]  # a wider product may be rounded in another way
    np.testing.assert_allclose(scores, fitted.decision_function(texts), rtol=0, atol=1e-6)


def test_new_labels_start_from_how_frequent_they_are(fitted, monkeypatch):
    stop_before_the_first_step(monkeypatch)
    bias = grow(fitted).weights_["output_bias"]
    assert bias[3] == pytest.approx(np.log(3.5 / 1.5))
    np.testing.assert_array_equal(bias[:3], fitted.weights_["output_bias"])


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_the_memory_of_the_optimizer_grows(optimizer, monkeypatch):
    clf = tiny(optimizer=optimizer).partial_fit(TEXTS, TAGS)
    stop_before_the_first_step(monkeypatch)
    start = compiled.OPTIMIZERS[optimizer][2]
    before, after = (each.optimizer_state_ for each in (clf, grow(clf)))
    assert before["step"] == after["step"] > 0
    for name, slots in before["slots"].items():
        for old, new in zip(slots, after["slots"][name], strict=True):
            known = tuple(map(slice, old.shape))
            np.testing.assert_array_equal(new[known], old)
            rest = np.ones(new.shape, bool)
            rest[known] = False
            assert (new[rest] == start).all()
            assert rest.any() == (name in ("embedding", "output_kernel", "output_bias"))


@pytest.mark.slow
def test_the_memory_of_a_keras_optimizer_grows():
    clf = tiny(engine="keras").partial_fit(TEXTS, TAGS)
    sizes = [np.size(slot) for slot in clf.optimizer_state_["slots"]["optimizer"]]
    grown = grow(clf).optimizer_state_["slots"]["optimizer"]
    assert all(np.size(new) >= old for new, old in zip(grown, sizes, strict=True))
    assert int(grown[0]) == 3  # it still knows its steps: two batches, and one


def test_known_labels_keep_their_columns_and_new_ones_come_as_named(fitted):
    named = ["travel", "sport", "art", "food", "news"]
    clf = grow(fitted, classes=named)
    assert clf.classes_.tolist() == [*LABELS, "travel", "art"]
    matrix = as_label_matrix(MORE_TAGS, classes=named)
    for y in (matrix, np.asarray(matrix)):  # the second one's columns are named by `classes`
        other = copy.deepcopy(fitted).partial_fit(MORE, y, classes=named)
        assert same_weights(other, clf)
        assert other.classes_.tolist() == clf.classes_.tolist()


def test_the_names_of_columns_in_another_order_without_new_ones(fitted):
    y = np.asarray(as_label_matrix(TAGS, classes=LABELS[::-1]))
    one = copy.deepcopy(fitted).partial_fit(TEXTS, y, classes=LABELS[::-1])
    assert same_weights(one, copy.deepcopy(fitted).partial_fit(TEXTS, TAGS))


def test_growing_again_and_again(fitted):
    clf = copy.deepcopy(fitted)
    for number in range(3):
        label, word = f"label{number}", f"word{number}"
        clf.partial_fit([f"the {word}", "a goal"], [[label], ["sport"]], classes=[*clf.classes_, label])
        assert clf.classes_[-1] == label
        assert word in clf.vocabulary_
        clf.partial_fit(TEXTS[:4], TAGS[:4])
    assert clf.predict(TEXTS).shape == (12, 6)
    assert clf.n_epochs_ == 8
    clf.fit(TEXTS, TAGS)  # a warm start keeps what has grown
    assert clf.classes_.tolist() == [*LABELS, "label0", "label1", "label2"]


def test_one_label_per_text_grows():
    clf = tiny().fit(TEXTS, TOPICS)
    clf.partial_fit(MORE, ["travel", "travel", "food", "news"], classes=GROWN)
    assert clf.predict_proba(TEXTS).shape == (12, 4)
    np.testing.assert_allclose(clf.predict_proba(TEXTS).sum(axis=1), 1, rtol=1e-5)


def test_numbers_as_labels_grow():
    clf = tiny().fit(TEXTS, [[LABELS.index(tag) for tag in tags] for tags in TAGS])
    clf.partial_fit(MORE, [[3], [3], [0, 3], [1]], classes=range(4))
    assert clf.classes_.tolist() == [0, 1, 2, 3]
    assert clf.classes_.dtype.kind == "i"


def test_new_labels_are_learned():
    clf = eager().fit(TEXTS, TAGS)
    texts, tags = [*MORE, *TEXTS], [*MORE_TAGS, *TAGS]
    for _ in range(30):
        clf.partial_fit(texts, tags, classes=GROWN)
    assert clf.predict_labels(["by train", "the match"]) == [("travel",), ("sport",)]


def test_streams_grow_words_chunk_by_chunk():
    rows = [*zip(TEXTS, TAGS, strict=True), *zip(MORE, MORE_TAGS, strict=True)]
    stream = TextStream(lambda: iter(rows), chunk_size=4)
    clf = tiny().partial_fit(stream, classes=GROWN, new_words=True)
    assert clf.n_epochs_ == 4
    assert {"train", "coast", "soup", "match"} <= {*clf.vocabulary_}
    clf = tiny().fit(TEXTS, TAGS)
    clf.partial_fit(TextStream(lambda: iter(rows)), classes=GROWN, teacher=copy.deepcopy(clf))
    assert clf.classes_.tolist() == GROWN


# -- thresholds, words ------------------------------------------------------------------------------


def test_new_labels_have_the_thresholds_of_no_tuning(fitted):
    clf = copy.deepcopy(fitted)
    clf.thresholds_ = np.array([0.1, 0.2, 0.3])
    assert grow(clf).thresholds_.tolist() == [0.1, 0.2, 0.3, 0.5]


def test_thresholds_given_as_a_parameter_need_one_for_each_new_label():
    clf = tiny(threshold=[0.5, 0.4, 0.3]).fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="one value for each of the 4 labels in the order of classes_"):
        grow(clf)
    assert grow(clf.set_params(threshold=0.6)).thresholds_.tolist() == [0.5, 0.4, 0.3, 0.6]


def test_nothing_grows_where_no_new_label_is_named(fitted):
    clf = copy.deepcopy(fitted)
    clf.partial_fit(MORE, [[], [], ["food"], ["news"]], classes=LABELS)
    assert clf.vocabulary_ == fitted.vocabulary_
    assert clf.classes_.tolist() == LABELS


def test_words_grow_on_their_own(fitted):
    clf = copy.deepcopy(fitted).partial_fit(MORE, [[], [], ["food"], ["news"]], new_words=True)
    assert clf.classes_.tolist() == LABELS
    assert "train" in clf.vocabulary_
    assert len(clf.vocabulary_) == len(clf.weights_["embedding"]) - 2


def test_labels_grow_on_their_own(fitted):
    clf = grow(fitted, new_words=False)
    assert clf.vocabulary_ == fitted.vocabulary_
    assert clf.classes_.tolist() == GROWN


def test_bounds_of_frequency_hold_for_new_words(fitted):
    clf = copy.deepcopy(fitted).set_params(min_df=2)
    assert {*grow(clf).vocabulary_} - {*fitted.vocabulary_} == {"train", "coast"}
    clf.set_params(max_df=3)
    assert {*grow(clf).vocabulary_} - {*fitted.vocabulary_} == {"coast"}
    clf.set_params(min_df=1, max_df=1.0, max_features=len(fitted.vocabulary_) + 1)
    assert {*grow(clf).vocabulary_} - {*fitted.vocabulary_} == {"train"}


def test_a_vocabulary_fixed_in_advance_does_not_grow():
    clf = tiny(vocabulary=["the", "match", "soup"]).fit(TEXTS, TAGS)
    assert len(grow(clf).vocabulary_) == 3
    with pytest.raises(ValueError, match=r"vocabulary= fixes it in advance; set one of them to None"):
        grow(clf, new_words=True)


@pytest.mark.parametrize("mode", ["trainable", "static", "multichannel"])
def test_new_words_start_from_their_vectors(mode, monkeypatch):
    words = {"match": [1.0, 2.0], "soup": [3.0, 4.0]}
    clf = tiny(embeddings=load_embeddings(words), embedding_mode=mode).fit(TEXTS, TAGS)
    clf.set_params(embeddings={**words, "train": [5.0, 6.0]})
    stop_before_the_first_step(monkeypatch)
    grown = grow(clf)
    vector = grown.weights_["embedding"][grown.vocabulary_["train"] + 2]
    assert vector.tolist() == [5.0, 6.0] * (2 if mode == "multichannel" else 1)
    unknown = grown.weights_["embedding"][[1, grown.vocabulary_["coast"] + 2]]
    np.testing.assert_array_equal(*unknown)


def test_vectors_of_another_length_are_refused():
    clf = tiny(embeddings={"match": [1.0, 2.0]}).fit(TEXTS, TAGS)
    clf.set_params(embeddings={"train": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="embeddings has vectors of length 3, and the fitted model"):
        grow(clf)


# -- a teacher --------------------------------------------------------------------------------------


class _Constant:
    """Says the same of every text."""

    classes_ = np.array(["sport", "food"])

    def predict_proba(self, texts):
        return np.tile([0.9, 0.1], (len(texts), 1))


def test_a_teacher_keeps_what_was_known():
    """Texts of new labels alone teach that old labels are absent, unless somebody says otherwise."""
    fit = eager(epochs=30).fit(TEXTS, TAGS)
    texts = ["soup on the train", "a match on the train", "parliament by train"]
    alone, taught = copy.deepcopy(fit), copy.deepcopy(fit)
    for _ in range(20):
        alone.partial_fit(texts, [["travel"]] * 3, classes=GROWN)
        taught.partial_fit(texts, [["travel"]] * 3, classes=GROWN, teacher=fit)
    before = fit.predict_proba(texts)
    lost, kept = (np.abs(clf.predict_proba(texts)[:, :3] - before).max() for clf in (alone, taught))
    assert kept < 0.1 < 0.4 < lost
    assert (taught.predict_proba(texts)[:, 3] > 0.5).all()


def test_what_y_says_goes_before_what_the_teacher_says(fitted, monkeypatch):
    seen = []
    train = compiled.train
    monkeypatch.setattr(
        compiled,
        "train",
        lambda start, examples, settings: seen.append(examples) or train(start, examples, settings),
    )
    grow(fitted, teacher=fitted)
    soft = seen[0].soft_targets
    told = fitted.predict_proba(MORE)
    told[2, 0] = told[3, 1] = 1  # these are in y
    np.testing.assert_array_equal(soft[:, :3], told.astype(np.float32))
    np.testing.assert_array_equal(soft[:, 3], [1, 1, 1, 0])


def test_a_teacher_of_another_kind():
    """In the first call, too; y speaks for labels that it does not know."""
    clf = eager(epochs=1)
    for _ in range(60):
        clf.partial_fit(TEXTS, [["news"]] * 12, classes=LABELS, teacher=_Constant())
    np.testing.assert_allclose(clf.predict_proba(TEXTS), [[0.1, 1.0, 0.9]] * 12, atol=0.15)


@pytest.mark.parametrize(
    ("engine", "negative_samples"),
    [("compiled", None), ("compiled", 2), pytest.param("keras", None, marks=pytest.mark.slow)],
)
def test_every_way_of_training_learns_from_a_teacher(engine, negative_samples):
    """The loss of the first step is that of the weights all start from."""
    options = {"batch_size": 12, "dropout": 0.0, "embedding_dropout": 0.0, "engine": engine}
    clf = tiny(**options, negative_samples=negative_samples)
    clf.partial_fit(TEXTS, [["news"]] * 12, classes=LABELS, teacher=_Constant())
    start = tiny(**options | {"engine": "compiled"})
    start.set_params(learning_rate=1e-30)
    start.partial_fit(TEXTS, [["news"]] * 12, classes=LABELS)
    p, told = start.predict_proba(TEXTS), np.array([0.1, 1.0, 0.9])
    loss = -(told * np.log(p) + (1 - told) * np.log(1 - p)).sum(axis=1).mean()
    assert clf.history_["loss"] == pytest.approx([loss], rel=1e-5)


class _Odd:
    classes_ = np.array(["food"])

    def __init__(self, told):
        self.told = told

    def predict_proba(self, texts):
        return self.told


@pytest.mark.parametrize(
    ("options", "teacher", "message"),
    [
        (
            {"loss": "focal"},
            _Odd(0),
            r"each label on its own, and the loss is 'focal'; it needs",
        ),
        ({}, "old", "teacher is a str; expected a fitted classifier, with classes_ and predict_proba"),
        ({}, tiny(), "teacher is a TextCNNClassifier; expected a fitted classifier"),
        ({}, tiny().fit(TEXTS, [["x"]] * 12), "The teacher knows the label 'x', which is not among"),
        ({}, _Odd(np.ones(4)), r"an array of shape \(4,\); expected \(4, 1\), a probability of each"),
        ({}, _Odd(np.full((4, 1), 1.5)), "predict_proba returned numbers outside 0 to 1"),
        ({}, _Odd(np.full((4, 1), np.nan)), "predict_proba returned numbers outside 0 to 1"),
    ],
)
def test_what_is_no_teacher(options, teacher, message):
    clf = tiny(**options).fit(TEXTS, TAGS)
    before = fitted_attributes(clf)
    with pytest.raises((TypeError, ValueError), match=message):
        clf.partial_fit(MORE, MORE_TAGS, classes=GROWN, teacher=teacher)
    assert fitted_attributes(clf) == before


# -- what cannot grow -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "tags", "error", "message"),
    [
        (
            ["travel", "food"],
            MORE_TAGS,
            ValueError,
            r"lacks 'news', which the fitted model knows.*\*",
        ),
        ([*LABELS, 4], MORE_TAGS, TypeError, "classes mixes str labels with numbers"),
        ([*GROWN, "travel"], MORE_TAGS, ValueError, "classes holds 'travel' more than once"),
        ([*LABELS, "art"], MORE_TAGS, ValueError, r"y\[0\] holds 'travel', which is not among"),
        (GROWN, ["travel"] * 4, ValueError, "one label per text, but the classifier was fitted on sev"),
        (GROWN, MORE_TAGS[1:], ValueError, "X has 4 texts, but y has 3 rows"),
    ],
)
def test_errors_change_nothing(fitted, classes, tags, error, message):
    clf = copy.deepcopy(fitted)
    with pytest.raises(error, match=message):
        clf.partial_fit(MORE, tags, classes=classes)
    assert clf.classes_.tolist() == LABELS
    assert clf.vocabulary_ == fitted.vocabulary_
    assert same_weights(clf, fitted)
    assert clf.n_epochs_ == 2


def test_a_linear_part_does_not_grow():
    clf = tiny(linear=True, validation=3).fit(TEXTS, TAGS).set_params(validation="auto")
    with pytest.raises(ValueError, match="has a linear part, which cannot go on learning; fit it with"):
        grow(clf)


@pytest.mark.slow
def test_a_network_of_ones_own_does_not_grow():
    import keras

    def network(n_tokens, n_labels):
        layers = [keras.layers.Embedding(n_tokens, 4), keras.layers.GlobalAveragePooling1D()]
        return keras.Sequential([*layers, keras.layers.Dense(n_labels)])

    clf = tiny(network=network).fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match=r"network= built a network for 3 labels and \d+ tokens, and"):
        grow(clf)
    assert clf.partial_fit(TEXTS, TAGS).n_epochs_ == 3


# -- afterwards -------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_grown_model(fitted):
    assert same_weights(grow(fitted), grow(fitted))
    copied = pickle.loads(pickle.dumps(fitted))
    assert same_weights(grow(copied), grow(fitted))


def test_a_grown_model_is_saved_copied_and_explained(fitted, tmp_path):
    clf = grow(fitted)
    clf.save(tmp_path / "model", include_optimizer=True)
    loaded = sktextcnn.load(tmp_path / "model")
    assert loaded.classes_.tolist() == GROWN
    texts = [*TEXTS, *MORE]
    for other in (loaded, pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(other.predict_proba(texts), clf.predict_proba(texts))
    assert not hasattr(clone(clf), "weights_")
    assert clf.explain(MORE[:1], labels="travel")
    assert clf.top_ngrams(MORE, "travel")
    assert clf.tune_thresholds(texts, [*TAGS, *MORE_TAGS]).thresholds_.shape == (4,)
    again = [each.partial_fit(MORE, MORE_TAGS, classes=[*GROWN, "art"]) for each in (loaded, clf)]
    assert same_weights(*again)
    assert loaded.classes_[-1] == "art"


@pytest.mark.slow
def test_a_grown_model_goes_to_keras(fitted):
    clf = grow(fitted)
    ids = encode(MORE, clf._tokenizer(), clf.vocabulary_).padded(0)
    np.testing.assert_allclose(clf.to_keras()(ids), clf.predict_proba(MORE), atol=1e-6)
