"""Pretrained vectors in the classifier: which of them move, which tokens they add, who shares them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import sktextcnn
from sktextcnn import as_label_matrix, load_embeddings
from sktextcnn.engine.weights import concatenate_kernels, initial_weights, split_kernels
from sktextcnn.text.tokens import FIRST_TOKEN, PADDING, UNKNOWN, build_tokenizer, encode
from tests.examples import TAGS, TEXTS, same_weights, tiny

DIM = 5
MODES = ["trainable", "static", "multichannel"]
LEARNED = ["match", "budget", "Minister", "soup", "TEAM"]
NEW = ["striker", "Cabinet", "lemon", "fixture"]
ARRAY = np.random.default_rng(7).normal(0.0, 0.5, (len(LEARNED + NEW), DIM)).astype(np.float32)
ARRAY[-1] = ARRAY[0]  # "fixture" means what "match" means
VECTORS = load_embeddings(ARRAY, LEARNED + NEW)


def reading(mode="trainable", **parameters):
    """Return an unfitted classifier in which every token has its say: one wins some filter."""
    wide = {"filters": 32, "embedding_dropout": 0.0, "dropout": 0.0}
    return tiny(**{"embeddings": VECTORS, "embedding_mode": mode, **wide, **parameters})


def table(clf):
    return clf.weights_["embedding"]


def rows(clf, tokens):
    return [clf.vocabulary_[token] + FIRST_TOKEN for token in tokens]


def occurring(clf, texts=TEXTS):
    """Tell which rows of the table training texts make use of."""
    occurs = np.zeros(len(table(clf)), bool)
    occurs[encode(texts, build_tokenizer(), clf.vocabulary_).flat] = True
    return occurs


def moved(before, after):
    """Tell which rows differ, and which columns."""
    differs = before != after
    return differs.any(axis=1), differs.any(axis=0)


def moving_columns(mode):
    fixed, free = [False] * DIM, [True] * DIM
    return {"trainable": free, "static": fixed, "multichannel": fixed + free}[mode]


@pytest.fixture(scope="module", params=MODES)
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(mode):
    return reading(mode).fit(TEXTS, TAGS)


@pytest.fixture(scope="module")
def start():
    """The table that all modes start from: nothing of it moves in static mode."""
    return table(reading("static", epochs=1).fit(TEXTS, TAGS))


# -- what moves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_static_vectors_stay(optimizer, start):
    clf = reading("static", optimizer=optimizer, epochs=3).fit(TEXTS, TAGS)
    shorter = reading("static", optimizer=optimizer, epochs=1).fit(TEXTS, TAGS)
    assert np.array_equal(table(clf), table(shorter))
    assert np.array_equal(table(clf), start)
    for name in ("convolution_1_kernel", "convolution_2_bias", "output_kernel", "output_bias"):
        assert (clf.weights_[name] != shorter.weights_[name]).any()


def test_static_vectors_are_those_given(start):
    clf = reading("static").fit(TEXTS, TAGS)
    tokens = [word.lower() for word in LEARNED + NEW]
    assert np.array_equal(table(clf)[rows(clf, tokens)], ARRAY)
    assert (table(clf)[PADDING] == 0).all()
    others = np.setdiff1d(np.arange(UNKNOWN, len(start)), rows(clf, tokens))
    # Tokens without a vector are drawn: each another one.
    assert len(np.unique(start[others], axis=0)) == len(others)


def test_trainable_vectors_of_occurring_tokens_move(start):
    clf = reading("trainable").fit(TEXTS, TAGS)
    which, columns = moved(start, table(clf))
    expected = occurring(clf)
    assert np.array_equal(which, expected)
    assert columns.all()
    assert not expected[rows(clf, ["striker", "cabinet"])].any()  # nor is it all of them


def test_multichannel_vectors_move_in_their_second_half(start):
    clf = reading("multichannel").fit(TEXTS, TAGS)
    assert table(clf).shape == (len(start), 2 * DIM)
    assert clf.weights_["convolution_2_kernel"].shape == (2, 2 * DIM, 32)
    assert np.array_equal(table(clf)[:, :DIM], start)
    which, columns = moved(start, table(clf)[:, DIM:])
    assert np.array_equal(which, occurring(clf))
    assert columns.all()


def test_the_vector_of_unknown_tokens(start):
    """It moves like any other, if rare tokens are there to be trained on."""
    for mode, moves in zip(MODES, (True, False, True), strict=True):
        clf = reading(mode, min_df=2).fit(TEXTS, TAGS)
        again = reading(mode, min_df=2, epochs=4).fit(TEXTS, TAGS)
        assert (table(clf)[UNKNOWN, -DIM:] != table(again)[UNKNOWN, -DIM:]).any() == moves


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
@pytest.mark.parametrize("break_between", ["none", "pickle", "save"])
def test_learning_goes_on_in_the_same_mode(fitted, mode, how, break_between, tmp_path):
    clf = pickle.loads(pickle.dumps(fitted))
    if break_between == "pickle":
        clf = pickle.loads(pickle.dumps(clf))
    elif break_between == "save":
        with pytest.warns(UserWarning, match="embeddings=.* cannot be saved"):
            clf.save(tmp_path / "model")
        clf = sktextcnn.load(tmp_path / "model", embeddings=VECTORS)
    before = table(clf).copy()
    for _ in range(2):
        if how == "partial_fit":
            clf.partial_fit(TEXTS[:6], TAGS[:6])
        else:
            clf.set_params(warm_start=True).fit(TEXTS[:6], TAGS[:6])
    which, columns = moved(before, table(clf))
    assert columns.tolist() == moving_columns(mode)
    expected = occurring(clf, TEXTS[:6])
    assert not which[~expected].any()
    assert which.any() == (mode != "static")
    assert (clf.weights_["output_kernel"] != fitted.weights_["output_kernel"]).any()


def test_a_model_can_begin_with_mini_batches(mode):
    clf = reading(mode).partial_fit(TEXTS[:6], TAGS[:6])
    before = table(clf).copy()
    clf.partial_fit(TEXTS[6:], TAGS[6:])
    which, columns = moved(before, table(clf))
    assert columns.tolist() == moving_columns(mode)
    assert which.any() == (mode != "static")


def test_without_vectors_the_mode_means_nothing():
    plain = tiny().fit(TEXTS, TAGS)
    for mode in MODES:
        assert same_weights(tiny(embedding_mode=mode).fit(TEXTS, TAGS), plain)


# -- the vocabulary ----------------------------------------------------------------------------------


def test_words_follow_the_learned_tokens(fitted):
    learned = [*tiny().fit(TEXTS, TAGS).vocabulary_]
    assert [*fitted.vocabulary_] == [*learned, "striker", "cabinet", "lemon", "fixture"]
    assert [*fitted.vocabulary_.values()] == [*range(len(fitted.vocabulary_))]


def test_rare_tokens_with_a_vector_are_no_longer_unknown():
    plain, clf = tiny(min_df=2).fit(TEXTS, TAGS), reading(min_df=2).fit(TEXTS, TAGS)
    n = len(plain.vocabulary_)
    assert [*clf.vocabulary_][:n] == [*plain.vocabulary_]
    tokens = [word.lower() for word in LEARNED + NEW]
    assert [*clf.vocabulary_][n:] == [token for token in tokens if token not in plain.vocabulary_]


def test_case_is_kept_where_texts_keep_theirs():
    texts = ["the Minister votes", *TEXTS]
    clf = reading("static", lowercase=False).fit(texts, [["news"], *TAGS])
    assert [*clf.vocabulary_][-4:] == NEW
    assert {"Minister", "minister", "TEAM"} <= clf.vocabulary_.keys()
    # Both forms find the one vector there is.
    for row in table(clf)[rows(clf, ["Minister", "minister"])]:
        assert np.array_equal(row, VECTORS["Minister"])
    assert (clf.decision_function(["Cabinet"]) != clf.decision_function(["cabinet"])).any()


def test_words_that_differ_in_case_alone_are_one_token():
    vectors = load_embeddings(ARRAY[:4], ["Lemon", "match", "LEMON", "lemon"])
    clf = reading("static", embeddings=vectors).fit(TEXTS, TAGS)
    assert [*clf.vocabulary_][-2:] == [[*clf.vocabulary_][-2], "lemon"]
    assert [*clf.vocabulary_].count("lemon") == 1
    assert np.array_equal(table(clf)[rows(clf, ["lemon"])[0]], vectors["lemon"])


@pytest.mark.parametrize("room", [0, 1, 3, 100])
def test_words_join_up_to_max_features(room):
    learned = [*tiny().fit(TEXTS, TAGS).vocabulary_]
    clf = reading(max_features=len(learned) + room).fit(TEXTS, TAGS)
    assert [*clf.vocabulary_] == [*learned, *["striker", "cabinet", "lemon", "fixture"][:room]]


def test_no_limit_of_features():
    clf = reading(max_features=None).fit(TEXTS, TAGS)
    assert [*clf.vocabulary_][-1] == "fixture"


def test_a_fixed_vocabulary_gets_no_words():
    vocabulary = ["soup", "match", "the", "lemon", "goal"]
    clf = reading("static", vocabulary=vocabulary).fit(TEXTS, TAGS)
    assert [*clf.vocabulary_] == vocabulary
    assert table(clf).shape == (7, DIM)
    for token in ("soup", "match", "lemon"):
        assert np.array_equal(table(clf)[rows(clf, [token])[0]], VECTORS[token])
    same = clf.decision_function(["a striker", "no cabinet"])
    assert np.array_equal(same[0], same[1])


def test_no_vector_for_a_fixed_vocabulary():
    message = (
        r"None of the 2 tokens of the vocabulary \('goal', 'milk'\) is among the 9 words of the "
        r"embeddings \('match', 'budget', 'Minister', \.\.\.\)\. They may be of another language"
    )
    clf = reading(vocabulary=["goal", "milk"])
    with pytest.raises(ValueError, match=message):
        clf.fit(TEXTS, TAGS)
    assert not hasattr(clf, "weights_")


def test_no_vector_for_any_token_of_the_texts():
    vectors = load_embeddings(ARRAY[:2], ["partita", "zuppa"])
    with pytest.raises(ValueError, match=r"None of the .* among the 2 words"):
        reading(embeddings=vectors).fit(TEXTS, TAGS)


def test_words_that_join_have_their_vectors():
    vectors = load_embeddings(ARRAY[:4], ["match", "iPhone", "McDonald", "New_York"])
    clf = reading("static", embeddings=vectors).fit(TEXTS, TAGS)
    learned = tiny().fit(TEXTS, TAGS).vocabulary_
    added = [token for token in clf.vocabulary_ if token not in learned]
    assert (vectors.find(added) >= 0).all()


@pytest.mark.parametrize(
    "options", [{"analyzer": "char"}, {"strip_accents": "unicode"}, {"token_pattern": "[a-z]+"}], ids=str
)
def test_words_that_join_can_be_tokens(options):
    vectors = load_embeddings(ARRAY[:4], ["a", "match", "caf\u00e9", "vis-a-vis"])
    clf = reading("static", embeddings=vectors, **options).fit(TEXTS, TAGS)
    tokenize = build_tokenizer(**options)
    assert [token for token in clf.vocabulary_ if [*tokenize(token)] != [token]] == []


def test_a_callable_analyzer_keeps_the_case_of_words():
    clf = reading("static", analyzer=str.split).fit(TEXTS, TAGS)
    assert "Cabinet" in clf.vocabulary_
    assert (clf.decision_function(["Cabinet"]) != clf.decision_function(["unheard"])).any()


# -- prediction --------------------------------------------------------------------------------------


def test_vectors_of_words_never_seen_in_training_count(fitted):
    known, other, unknown, unheard = fitted.decision_function(["striker", "lemon", "beyond", "unheard"])
    assert (known != other).all()
    assert (known != unknown).all()
    assert np.array_equal(unknown, unheard)


def test_a_new_word_with_the_vector_of_a_known_one_says_the_same(fitted, mode):
    texts = ["the match ended in a draw", "match", "soup before the match"]
    known = fitted.decision_function(texts)
    new = fitted.decision_function([text.replace("match", "fixture") for text in texts])
    # Where vectors learn, that of the word seen in training has gone its own way.
    assert np.array_equal(known, new) == (mode == "static")


# -- parameters --------------------------------------------------------------------------------------


@pytest.mark.parametrize("embedding_dim", [1, DIM, 300])
def test_vectors_bring_their_own_length(fitted, embedding_dim):
    clf = clone(fitted).set_params(embedding_dim=embedding_dim)
    assert same_weights(clf.fit(TEXTS, TAGS), fitted)
    clf.partial_fit(TEXTS, TAGS)
    assert table(clf).shape == table(fitted).shape


@pytest.fixture
def path(tmp_path):
    lines = [
        " ".join([word, *map(repr, row.tolist())])
        for word, row in zip(VECTORS.words, ARRAY, strict=True)
    ]
    file = tmp_path / "vectors.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize("form", ["str", "path", "mapping", "pair"])
def test_forms_of_vectors(form, path):
    embeddings = {
        "str": os.fspath(path),
        "path": path,
        "mapping": dict(zip(VECTORS.words, ARRAY, strict=True)),
        "pair": (ARRAY, VECTORS.words),
    }[form]
    clf = reading("multichannel", embeddings=embeddings)
    assert same_weights(clf.fit(TEXTS, TAGS), reading("multichannel").fit(TEXTS, TAGS))
    assert clf.embeddings is embeddings


def test_a_file_is_not_read_again_to_go_on(path):
    clf = reading("static", embeddings=path).fit(TEXTS, TAGS)
    before = table(clf).copy()
    Path(path).unlink()
    clf.partial_fit(TEXTS, TAGS)
    assert np.array_equal(table(clf), before)


def test_a_bad_mode():
    with pytest.raises(
        ValueError, match="'embedding_mode' parameter of TextCNNClassifier must be a str"
    ):
        reading("frozen").fit(TEXTS, TAGS)


def test_a_loaded_model_does_not_thaw_unasked(tmp_path):
    clf = reading("static", embedding_dim=DIM).fit(TEXTS, TAGS)
    with pytest.warns(UserWarning, match="embeddings=.* cannot be saved"):
        clf.save(tmp_path / "model")
    clf = sktextcnn.load(tmp_path / "model")
    before = table(clf).copy()
    try:
        clf.partial_fit(TEXTS, TAGS)
    except ValueError as error:
        assert "embedding" in str(error)  # noqa: PT017 - either is right
    assert np.array_equal(table(clf), before)


@pytest.mark.parametrize("other", ["trainable", "multichannel"])
def test_a_model_that_goes_on_learning_keeps_its_mode(other):
    clf = reading("static").fit(TEXTS, TAGS).set_params(embedding_mode=other)
    with pytest.raises(ValueError, match="embedding_mode changed from"):
        clf.partial_fit(TEXTS, TAGS)


# -- sharing -----------------------------------------------------------------------------------------


def test_clones_share_the_vectors(fitted):
    assert clone(fitted).embeddings is fitted.embeddings is VECTORS
    assert clone(clone(fitted)).get_params()["embeddings"] is VECTORS


def test_a_fit_leaves_the_vectors_alone(fitted):
    assert np.array_equal(VECTORS.vectors, ARRAY)
    assert not np.shares_memory(table(fitted), VECTORS.vectors)


def test_a_search_over_modes():
    grid = {"embedding_mode": MODES, "embeddings": [VECTORS, None]}
    search = GridSearchCV(tiny(epochs=1), grid, cv=2, scoring="f1_micro", error_score="raise")
    search.fit(TEXTS, as_label_matrix(TAGS))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    assert best.embeddings is search.best_params_["embeddings"]
    assert best.embedding_mode == search.best_params_["embedding_mode"]
    assert same_weights(best, tiny(epochs=1, **search.best_params_).fit(TEXTS, TAGS))


def test_a_pickle_holds_the_vectors_once():
    vectors = load_embeddings(np.ones((3000, 30), np.float32), ["match", *map(str, range(2999))])
    clf = tiny(embeddings=vectors, embedding_mode="static", max_features=50, epochs=1)
    search = GridSearchCV(clf, {"embeddings": [vectors], "filters": [2]}, cv=2, scoring="f1_micro")
    search.fit(TEXTS, as_label_matrix(TAGS))
    pickled = pickle.dumps([search, clf, clone(clf)])
    size = vectors.vectors.nbytes
    assert size < len(pickled) < 1.3 * size
    search, one, other = pickle.loads(pickled)
    assert one.embeddings is other.embeddings is search.best_estimator_.embeddings
    assert one.embeddings == vectors
    assert search.best_estimator_.embeddings is search.estimator.embeddings


# -- the form in which it computes -------------------------------------------------------------------


@given(
    kernel_sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True),
    dim=st.integers(1, 4),
    filters=st.integers(1, 4),
    hidden=st.none() | st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_kernels_are_laid_side_by_side_and_taken_apart(kernel_sizes, dim, filters, hidden, seed):
    kernel_sizes = sorted(kernel_sizes)
    weights = initial_weights(
        np.random.default_rng(seed),
        n_tokens=3,
        n_labels=2,
        embedding_dim=dim,
        kernel_sizes=kernel_sizes,
        filters=filters,
        hidden_units=hidden,
        output_bias=np.arange(2.0),
    )
    for size in kernel_sizes:
        weights[f"convolution_{size}_bias"] += size
    arrays = concatenate_kernels(weights, kernel_sizes)
    assert arrays["kernel"].shape == (sum(kernel_sizes), filters, dim)
    assert arrays["bias"].tolist() == np.repeat(kernel_sizes, filters).tolist()
    first = 0
    for size in kernel_sizes:
        for offset in range(size):
            expected = weights[f"convolution_{size}_kernel"][offset].T
            np.testing.assert_array_equal(arrays["kernel"][first + offset], expected)
        first += size
    apart = split_kernels(arrays, kernel_sizes)
    assert [*apart] == [*weights]  # in the same order, too
    for name, weight in weights.items():
        np.testing.assert_array_equal(apart[name], weight)
        assert apart[name].flags.c_contiguous
        assert not any(np.shares_memory(apart[name], array) for array in arrays.values())
        assert not any(np.shares_memory(weight, array) for array in arrays.values())
    assert all(array.flags.c_contiguous for array in arrays.values())
