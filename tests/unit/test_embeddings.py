"""Word vectors: forms that they are read from, sharing, and the table to start from."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV

from sktextcnn.embeddings import (
    Coverage,
    check_embeddings,
    initial_embedding,
    load_embeddings,
)
from tests.vector_files import ARRAY, FILES, HEADER, WORDS, text_of

# -- the object --------------------------------------------------------------------------------------


def test_words_and_vectors(vectors):
    assert vectors.words == tuple(WORDS)
    assert vectors.vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors.vectors, ARRAY)
    assert (len(vectors), vectors.dim) == (5, 3)
    assert "London" in vectors
    assert "london" not in vectors
    np.testing.assert_array_equal(vectors["UK"], ARRAY[3])
    with pytest.raises(KeyError, match="uk"):
        vectors["uk"]


def test_nothing_can_be_changed(vectors):
    with pytest.raises(ValueError, match="read-only"):
        vectors.vectors[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        vectors["the"][0] = 1
    with pytest.raises(AttributeError):
        vectors.vectors = ARRAY
    with pytest.raises(AttributeError):
        vectors.name = "new"
    with pytest.raises(TypeError):
        vectors["the"] = ARRAY[0]


def test_changing_the_source_changes_nothing():
    array = ARRAY.copy()
    loaded = load_embeddings(array, WORDS)
    array[:] = 0
    np.testing.assert_array_equal(loaded.vectors, ARRAY)
    assert array.flags.writeable


def test_read_only_array_is_shared():
    array = ARRAY.copy()
    array.flags.writeable = False
    assert np.shares_memory(load_embeddings(array, WORDS).vectors, array)


def test_repr_is_one_short_line(vectors):
    assert repr(vectors) == "WordVectors(n_words=5, dim=3)"


def test_equality_is_that_of_contents(vectors):
    same = load_embeddings(ARRAY.astype(np.float64), np.array(WORDS))
    assert same == vectors
    assert same is not vectors
    assert hash(same) == hash(vectors)
    assert load_embeddings(ARRAY + 1, WORDS) != vectors
    assert load_embeddings(ARRAY, [*WORDS[:4], "other"]) != vectors
    assert load_embeddings(ARRAY[:4], WORDS[:4]) != vectors
    assert vectors != ARRAY.tolist()


# -- copies and pickles ------------------------------------------------------------------------------


class Stub(ClassifierMixin, BaseEstimator):
    """An estimator with the parameter, and no more."""

    def __init__(self, embeddings=None, c=1):
        self.embeddings = embeddings
        self.c = c

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_words_ = 0 if self.embeddings is None else len(check_embeddings(self.embeddings))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[min(self.n_words_, 1)])


def test_copies_are_the_object_itself(vectors):
    assert copy.copy(vectors) is vectors
    assert copy.deepcopy({"a": [vectors]})["a"][0] is vectors


def test_clones_share_it(vectors):
    estimator = Stub(vectors)
    assert clone(estimator).embeddings is vectors
    assert clone(clone(estimator)).embeddings is vectors
    assert copy.deepcopy(estimator).embeddings is vectors


def test_repr_of_an_estimator_is_short(vectors):
    assert repr(Stub(vectors)) == "Stub(embeddings=WordVectors(n_words=5, dim=3))"


def test_pickle_gives_it_back_read_only(vectors):
    again = pickle.loads(pickle.dumps(vectors))
    assert again == vectors
    assert not again.vectors.flags.writeable


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_holds_it_once(protocol):
    vectors = load_embeddings(np.ones((200, 50)), [f"w{i}" for i in range(200)])
    alone = len(pickle.dumps(Stub(vectors), protocol))
    many = [clone(Stub(vectors, c)) for c in range(5)]
    assert len(pickle.dumps(many, protocol)) < alone + 1000
    again = pickle.loads(pickle.dumps(many, protocol))
    assert all(estimator.embeddings is again[0].embeddings for estimator in again)


def test_joblib_knows_it_by_its_contents(vectors):
    hashed = joblib.hash(vectors)
    assert joblib.hash(load_embeddings(ARRAY.copy(), list(WORDS))) == hashed
    assert joblib.hash(load_embeddings(ARRAY + 1, WORDS)) != hashed


def test_numpy_takes_it_for_one_object(vectors):
    array = np.array([vectors, vectors], dtype=object)
    assert array.shape == (2,)
    assert array[0] is array[1] is vectors


@pytest.mark.parametrize("others", [[None], ["same shape"], []], ids=repr)
def test_search_over_vectors(vectors, others):
    others = [load_embeddings(ARRAY + 1, WORDS) if other else None for other in others]
    grid = {"embeddings": [vectors, *others], "c": [1, 2]}
    y = ["a", "b", "b"] * 4
    search = GridSearchCV(Stub(), grid, cv=2).fit(np.array(["x"] * 12), y)
    assert search.best_params_["embeddings"] is vectors
    assert search.best_estimator_.embeddings is vectors
    assert search.best_score_ == pytest.approx(2 / 3)
    column = search.cv_results_["param_embeddings"]
    assert column.shape == (2 + 2 * len(others),)
    assert {id(value) for value in column} == {id(value) for value in grid["embeddings"]}
    assert pd.DataFrame(search.cv_results_)["param_embeddings"].iloc[0] is vectors


# -- arrays, mappings, gensim ------------------------------------------------------------------------

FORMS = {
    "array": lambda: load_embeddings(ARRAY, WORDS),
    "array of doubles": lambda: load_embeddings(ARRAY.astype(float), WORDS),
    "lists": lambda: load_embeddings(ARRAY.tolist(), WORDS),
    "Fortran order": lambda: load_embeddings(np.asfortranarray(ARRAY), WORDS),
    "array of words": lambda: load_embeddings(ARRAY, np.array(WORDS)),
    "index": lambda: load_embeddings(ARRAY, pd.Index(WORDS)),
    "generator of words": lambda: load_embeddings(ARRAY, (word for word in WORDS)),
    "pair": lambda: load_embeddings((ARRAY, WORDS)),
    "dict": lambda: load_embeddings(dict(zip(WORDS, ARRAY, strict=True))),
    "dict of lists": lambda: load_embeddings(dict(zip(WORDS, ARRAY.tolist(), strict=True))),
    "KeyedVectors": lambda: load_embeddings(SimpleNamespace(index_to_key=WORDS, vectors=ARRAY)),
    "Word2Vec": lambda: load_embeddings(
        SimpleNamespace(wv=SimpleNamespace(index_to_key=WORDS, vectors=ARRAY))
    ),
    "WordVectors": lambda: load_embeddings(load_embeddings(ARRAY, WORDS)),
}


@pytest.mark.parametrize("form", FORMS)
def test_form(form, vectors):
    loaded = FORMS[form]()
    assert loaded == vectors
    assert loaded.vectors.flags.c_contiguous
    assert all(type(word) is str for word in loaded.words)


def test_loading_again_is_free(vectors):
    assert load_embeddings(vectors) is vectors
    assert check_embeddings(vectors) is vectors


@pytest.mark.parametrize(
    ("source", "words", "message"),
    [
        (ARRAY, WORDS[:4], "The array of source has 5 rows, but there are 4 words; expected as many"),
        (
            ARRAY[0],
            WORDS,
            r"The array of source has shape \(3,\) and dtype float32; expected numbers of",
        ),
        (ARRAY.astype(str), WORDS, r"has shape \(5, 3\) and dtype <U32"),
        (ARRAY * 1j, WORDS, "dtype complex"),
        (ARRAY[:0], [], "source holds no vectors; at least one is needed"),
        (ARRAY[:, :0], WORDS, "source holds no vectors"),
        (np.where(ARRAY == 2, np.nan, ARRAY), WORDS, "The vector of 'London' in source is not finite"),
        (
            np.where(ARRAY == 2, 1e39, ARRAY.astype(float)),
            WORDS,
            "'London' in source is not finite, at least in float3",
        ),
        ({}, None, "source holds no vectors"),
        ({"a": [1, 2], "b": [1]}, None, r"source\['b'\] has shape \(1,\) .*, as long as the first, 2"),
        ({"a": 3}, None, r"source\['a'\] has shape \(\) and dtype int64; expected a 1-D vector of"),
        ({"a": [[1, 2]]}, None, r"source\['a'\] has shape \(1, 2\)"),
        ({"a": ["x"]}, None, r"source\['a'\] has shape \(1,\) and dtype <U1"),
        ({"a": [1.0, np.inf]}, None, "The vector of 'a' in source is not finite"),
    ],
)
def test_bad_values(source, words, message):
    with pytest.raises(ValueError, match=message):
        load_embeddings(source, words)


def test_value_too_large_for_single_precision_in_a_mapping():
    with pytest.raises(
        ValueError, match="The vector of 'a' in source is not finite, at least in float32"
    ):
        load_embeddings({"a": [1e39, 0.0]})


@pytest.mark.parametrize(
    ("source", "words", "message"),
    [
        (ARRAY, None, r"source is a ndarray; pass what .* a pair \(array, words\)"),
        (ARRAY, "abcde", "The words of source are a str; pass a list of str"),
        (ARRAY, 5, "The words of source are a int; pass a list of str"),
        (ARRAY, [*WORDS[:4], 7], "source holds the word 7 of type int; expected a str"),
        ({b"a": [1]}, None, "source holds the word b'a' of type bytes; expected a str"),
        ({"a": [1]}, ["a"], "words names the rows of an array, but source is a dict"),
        ("file.txt", ["a"], "words names the rows of an array, but source is a str; leave it out"),
        (3, None, "source is a int; pass what load_embeddings returns, a path, a mapping of word -> "),
        (None, None, "source is a NoneType"),
        ([1, 2], None, "source is a list"),
    ],
)
def test_bad_types(source, words, message):
    with pytest.raises(TypeError, match=message):
        load_embeddings(source, words)


def test_first_of_several_vectors_of_a_word_is_kept():
    with pytest.warns(
        UserWarning,
        match="source holds 2 vectors of words that came before, the first being of 'b'; each",
    ) as caught:
        loaded = load_embeddings(np.arange(10.0).reshape(5, 2), ["a", "b", "b", "c", "a"])
    assert loaded == load_embeddings([[0.0, 1], [2, 3], [6, 7]], ["a", "b", "c"])
    assert [warning.filename for warning in caught] == [__file__]


# -- the parameter of an estimator -------------------------------------------------------------------


def test_parameter(vectors, write):
    path = write(FILES["GloVe text"])
    assert check_embeddings(None) is None
    for value in (
        vectors,
        (ARRAY, WORDS),
        dict(zip(WORDS, ARRAY, strict=True)),
        SimpleNamespace(index_to_key=WORDS, vectors=ARRAY),
        path,
        str(path),
    ):
        assert check_embeddings(value) == vectors


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (True, TypeError, "embeddings is a bool; pass what load_embeddings returns"),
        (ARRAY, TypeError, "embeddings is a ndarray; pass what"),
        ((ARRAY, WORDS[:2]), ValueError, "The array of embeddings has 5 rows, but there are 2 words"),
        ({}, ValueError, "embeddings holds no vectors"),
        ("no/such/file", FileNotFoundError, "no/such/file"),
    ],
    ids=["bool", "array", "pair", "empty", "path"],
)
def test_bad_parameter(value, error, message):
    with pytest.raises(error, match=message):
        check_embeddings(value)


# -- parts of a source -------------------------------------------------------------------------------


def sources():
    yield from FILES.items()
    yield "array", (ARRAY, WORDS)
    yield "dict", dict(zip(WORDS, ARRAY, strict=True))
    yield "KeyedVectors", SimpleNamespace(index_to_key=WORDS, vectors=ARRAY)
    yield "WordVectors", load_embeddings(ARRAY, WORDS)


SOURCES = dict(sources())


@pytest.fixture(params=SOURCES)
def source(request, write):
    value = SOURCES[request.param]
    return write(value) if isinstance(value, bytes) else value


@pytest.mark.parametrize("limit", [1, np.int64(3), 5, 100])
def test_limit(source, limit):
    assert load_embeddings(source, limit=limit) == load_embeddings(ARRAY[:limit], WORDS[:limit])


def test_only(source):
    loaded = load_embeddings(source, only=iter(["uk", "nothing", "London", "the"]))
    assert loaded == load_embeddings(ARRAY[[0, 2, 3]], ["the", "London", "UK"])
    assert loaded.vectors.base is None or loaded.vectors.base.nbytes == loaded.vectors.nbytes


def test_limit_comes_before_only(source):
    loaded = load_embeddings(source, limit=3, only={"the": 0, "uk": 1})
    assert loaded.words == ("the",)


@pytest.mark.parametrize("only", [["nothing"], []])
def test_nothing_left(source, only):
    with pytest.raises(
        ValueError, match="holds no vectors of the words in only; at least one is needed"
    ):
        load_embeddings(source, only=only)


def test_only_keeps_what_tokens_find(vectors):
    tokens = ["THE", "uk", "Caf\u00e9", "london", "else"]
    kept = load_embeddings(vectors, only=tokens)
    for token, before, after in zip(tokens, vectors.find(tokens), kept.find(tokens), strict=True):
        assert (before < 0) == (after < 0), token
        if before >= 0:
            np.testing.assert_array_equal(vectors.vectors[before], kept.vectors[after])


@pytest.mark.parametrize("limit", [0, -1, 2.5, "3"])
def test_bad_limit(limit):
    with pytest.raises(ValueError, match=r"limit=.*; expected a number of words from 1 on, or None"):
        load_embeddings(ARRAY, WORDS, limit=limit)


def test_limit_skips_the_rest_of_a_file(write):
    path = write(HEADER + text_of(WORDS, ARRAY)[:60])
    with pytest.raises(ValueError, match=r"Line|ends after"):
        load_embeddings(path)
    assert load_embeddings(path, limit=2).words == ("the", "caf\u00e9")


def test_only_must_not_be_one_word():
    with pytest.raises(TypeError, match=r"only is a single str; pass the tokens to keep as a list"):
        load_embeddings(ARRAY, WORDS, only="the")


# -- looking tokens up -------------------------------------------------------------------------------


def test_order_of_forms():
    forms = load_embeddings(np.eye(4), ["uS", "us", "Us", "US"])
    assert forms.find(["uS", "us", "Us", "US"]).tolist() == [0, 1, 2, 3]
    assert forms.find(["uSx"]).tolist() == [-1]
    for kept, expected in [(["us", "Us", "US"], 0), (["Us", "US"], 0), (["US"], 0)]:
        assert load_embeddings(forms, only=["uS"]).words == ("uS", "us", "Us", "US")
        part = load_embeddings(np.eye(len(kept)), kept)
        assert part.find(["uS"]).tolist() == [expected], kept


def test_find_nothing(vectors):
    rows = vectors.find([])
    assert rows.shape == (0,)
    assert rows.dtype == np.intp


def test_coverage(vectors):
    tokens = ["the", "nowhere", "london", "!"]
    assert vectors.coverage(tokens) == Coverage(0.5, None, ("nowhere", "!"))
    assert vectors.coverage(tokens, [6, 1, 1, 2]) == Coverage(0.5, 0.7, ("!", "nowhere"))
    assert vectors.coverage(dict.fromkeys(tokens, 0)).tokens == 0.5
    counts = dict(zip(tokens, [6, 1, 1, 2], strict=True))
    assert vectors.coverage(counts, counts.values()).occurrences == pytest.approx(0.7)
    assert vectors.coverage(tokens, np.array([6, 1, 1, 2])).occurrences == pytest.approx(0.7)
    assert vectors.coverage(["no", "none"], [1, 1]) == Coverage(0.0, 0.0, ("no", "none"))
    assert vectors.coverage(["the"]) == Coverage(1.0, None, ())


def test_coverage_names_ten_tokens_at_most(vectors):
    missing = vectors.coverage([f"w{i}" for i in range(30)], range(30)).missing
    assert missing == tuple(f"w{i}" for i in range(29, 19, -1))


@pytest.mark.parametrize("counts", [[1], [[1, 2]], [1, -1], [0, 0], [1, np.nan]], ids=repr)
def test_coverage_with_bad_counts(vectors, counts):
    with pytest.raises(ValueError, match="expected one number for each of the 2 tokens, none of them"):
        vectors.coverage(["a", "b"], counts)


def test_coverage_of_nothing(vectors):
    with pytest.raises(ValueError, match="tokens is empty; pass at least one token"):
        vectors.coverage([])


# -- the table to start from -------------------------------------------------------------------------


def rng(seed=0):
    return np.random.default_rng(seed)


def test_rows_of_the_table(vectors):
    vocabulary = {"the": 1, "nowhere": 3, "uk": 0, "london": 2}
    table, covered = initial_embedding(vectors, vocabulary, rng())
    assert table.shape == (6, 3)
    assert table.dtype == np.float32
    assert covered.tolist() == [False, False, True, True, True, False]
    np.testing.assert_array_equal(table[2:5], ARRAY[[3, 0, 2]])
    np.testing.assert_array_equal(table[0], 0)
    assert table[1].all()
    assert table[5].all()


def test_table_is_a_copy(vectors):
    table, _ = initial_embedding(vectors, {"the": 0}, rng())
    table[2] = 7
    np.testing.assert_array_equal(vectors["the"], ARRAY[0])


def test_other_tokens_have_the_variance_of_those_covered():
    scale = np.array([0.1, 1.0, 5.0])
    known = rng(1).normal(3.0, scale, (2000, 3))
    vectors = load_embeddings({f"w{i}": row for i, row in enumerate(known)} | {"far": [900.0] * 3})
    vocabulary = {f"{kind}{i}": i + 2000 * (kind == "x") for kind in "wx" for i in range(2000)}
    table, covered = initial_embedding(vectors, vocabulary, rng())
    assert covered.sum() == 2000
    drawn = table[~covered][1:]
    assert drawn.shape == (2001, 3)
    np.testing.assert_allclose(drawn.std(axis=0), scale, rtol=0.1)  # "far" is in no text
    assert (np.abs(drawn.mean(axis=0)) < 0.1 * scale).all()


def test_one_covered_token_gives_a_variance_too(vectors):
    table, _ = initial_embedding(vectors, {"the": 0} | {f"x{i}": i + 1 for i in range(500)}, rng())
    np.testing.assert_allclose(table[3:].std(), ARRAY[0].std(), rtol=0.1)


def test_draws_are_repeatable_and_leave_covered_tokens_alone(vectors):
    vocabulary = {"the": 0, "uk": 1, "x": 2}
    first, _ = initial_embedding(vectors, vocabulary, rng(5))
    again, _ = initial_embedding(vectors, vocabulary, rng(5))
    other, covered = initial_embedding(vectors, vocabulary, rng(6))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[covered], other[covered])
    assert (first[~covered][1:] != other[~covered][1:]).all()


def test_no_token_covered(vectors):
    message = (
        r"None of the 4 tokens of the vocabulary \('a', 'b', 'c', \.\.\.\) is among the 5 words of the "
        r"embeddings \('the', 'caf\u00e9', 'London', \.\.\.\)\. They may be of another language"
    )
    with pytest.raises(ValueError, match=message):
        initial_embedding(vectors, {"b": 1, "a": 0, "d": 3, "c": 2}, rng())
