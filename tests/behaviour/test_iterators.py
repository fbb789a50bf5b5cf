"""Texts from iterators: read as they are needed, and let go."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sktextcnn import prediction
from tests.examples import tiny
from tests.forms import METHODS

WORDS = ["the", "match", "ended", "in", "a", "draw", "goal", "last", "minute", "parliament"]
WORDS += ["votes", "on", "budget", "minister"]
MANY = [" ".join(WORDS[i % 14 : i % 14 + i % 5]) for i in range(20)]
SEVERAL = [["x"], ["y", "z"]] * 10

FITS = {
    "several labels": lambda: tiny(hidden_units=5).fit(MANY, SEVERAL),
    "one label": lambda: tiny().fit(WORDS, ["x", "y"] * 7),
    "sparse": lambda: tiny().fit(MANY, sparse.csr_matrix(np.eye(3, dtype=int)[[0, 1] * 10])),
    "linear part": lambda: tiny(linear=True, validation=0.4).fit(MANY, SEVERAL),
}


def dense(values):
    return values.toarray() if sparse.issparse(values) else np.asarray(values, dtype=object)


@pytest.fixture(scope="module", params=FITS)
def any_fitted(request):
    clf = FITS[request.param]()
    assert (clf.linear_part_ is not None) == (request.param == "linear part")
    return clf


@pytest.fixture(scope="module")
def fitted():
    texts = [" ".join(WORDS[i : i + 4]) for i in range(len(WORDS))]
    return tiny(hidden_units=5).fit(texts, [["x"], ["y", "z"]] * 7)


@pytest.fixture
def chunk(monkeypatch):
    """Let three texts at most be in work at the same time."""
    monkeypatch.setattr(prediction, "TEXTS_PER_CHUNK", 3)
    return 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 20])
def test_iterators_and_chunks_change_nothing(any_fitted, method, n, monkeypatch):
    call = getattr(any_fitted, method)
    expected = call(MANY[:n])
    for size in (8192, 3, 1):
        monkeypatch.setattr(prediction, "TEXTS_PER_CHUNK", size)
        for X in (iter(MANY[:n]), (text for text in MANY[:n]), MANY[:n], np.array(MANY[:n])):
            found = call(X)
            assert type(found) is type(expected)
            np.testing.assert_array_equal(dense(found), dense(expected))


def test_score_of_an_iterator(any_fitted, chunk):
    y = any_fitted.predict(MANY)
    assert any_fitted.score(iter(MANY), y) == 1.0
    with pytest.raises(ValueError, match="X has 19 texts, but y has 20 rows; expected as many"):
        any_fitted.score(iter(MANY[1:]), y)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_text_in_an_iterator(fitted, chunk, method):
    with pytest.raises(TypeError, match=r"^X\[17\] is None; every text must be a str"):
        getattr(fitted, method)(text if i != 17 else None for i, text in enumerate(MANY))
    with pytest.raises(ValueError, match="X holds no texts: at least one is needed"):
        getattr(fitted, method)(iter([]))


def test_an_iterator_that_fails(fitted, chunk):
    def read():
        yield from MANY
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        fitted.predict(read())


def test_an_unfitted_classifier_reads_nothing():
    X = iter(MANY)
    with pytest.raises(NotFittedError):
        tiny().predict(X)
    assert [*X] == MANY


class Text(str):
    """A str that can be waited on to go: plain ones take no weak references."""

    __slots__ = ("__weakref__",)


def test_texts_of_an_iterator_are_read_as_needed_and_let_go(chunk):
    alive, ahead, n_read, n_tokenized = weakref.WeakSet(), [], 0, 0

    def read():
        nonlocal n_read
        for i in range(300):
            n_read += 1
            text = Text(f"match number {i}")
            alive.add(text)
            yield text

    def tokenize(text):
        nonlocal n_tokenized
        n_tokenized += 1
        ahead.append((n_read - n_tokenized, len(alive)))
        return text.split()

    clf = tiny(tokenizer=tokenize).fit(["match", "number"], [["x"], ["y"]])
    n_tokenized = 0
    ahead.clear()
    assert clf.predict_proba(read()).shape == (300, 2)
    assert n_read == n_tokenized == 300
    unused, held = np.max(ahead, axis=0)
    assert unused < chunk
    assert held <= 2 * chunk  # those in work, and those before them
