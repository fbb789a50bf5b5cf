"""Hypothesis strategies shared by the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

#: What must be ordinary text: emoji (joined ones too), NUL, lone surrogates, right-to-left script.
ODD_TEXTS = [
    "",
    " \t\n\u2028",
    "\0",
    "a\0b\0",
    "\ud800",
    "half \udfff of a pair",
    "\U0001f600\U0001f469\u200d\U0001f680 emoji",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u202e\u0645\u0631\u062d\u0628\u0627 mixed",
    "\u5317\u4eac \u0e44\u0e17\u0e22",
    "I\u0307 \u0130stanbul stra\u00dfe",
    "e\u0301 \u00e9 \ufb01",
]

_WORDS = ["news", "sport", "the", "a", "na\u00efve", "C#", "l'eau", "42", "!", "..."]


def examples_up_to(n: int, **options: Any) -> settings:
    """Let a property see `n` examples where all tests run; where only fast ones do, a share of them."""
    share = settings.default.max_examples / settings.get_profile("thorough").max_examples
    return settings(max_examples=round(n * share), **options)


def texts(min_size: int = 0) -> st.SearchStrategy[str]:
    """Texts of a few words and odd characters."""
    pieces = st.sampled_from(_WORDS) | st.sampled_from(ODD_TEXTS) | st.text(max_size=4)
    return st.lists(pieces, min_size=min_size, max_size=8).map(" ".join)


def corpora(min_size: int = 1, max_size: int = 8) -> st.SearchStrategy[list[str]]:
    """Lists of texts."""
    return st.lists(texts(), min_size=min_size, max_size=max_size)


def label_names(max_size: int = 5) -> st.SearchStrategy[list[str]]:
    """Distinct label names, odd ones among them."""
    names = st.sampled_from(["Child", "Reporter", "Data Science", "a,b", "", " "])
    return st.lists(names | texts(), min_size=1, max_size=max_size, unique=True)


@st.composite
def label_sets(draw: st.DrawFn, max_rows: int = 8) -> list[list[str]]:
    """Label sets as lists without repetition, at least one label among them all."""
    names = draw(label_names())
    rows = st.lists(st.sampled_from(names), unique=True, max_size=len(names))
    sets = draw(st.lists(rows, min_size=1, max_size=max_rows))
    if not any(sets):
        sets[draw(st.integers(0, len(sets) - 1))].append(names[0])
    return sets


@st.composite
def indicators(draw: st.DrawFn, max_rows: int = 10, max_columns: int = 5) -> np.ndarray:
    """0/1 matrices, rows and columns of zeros among them."""
    shape = draw(st.tuples(st.integers(1, max_rows), st.integers(1, max_columns)))
    return draw(arrays(np.int8, shape, elements=st.integers(0, 1)))


def token_rows(max_rows: int = 8, max_length: int = 8) -> st.SearchStrategy[list[list[int]]]:
    """Token ids of texts, empty texts among them."""
    return st.lists(st.lists(st.integers(1, 9), max_size=max_length), max_size=max_rows)


@st.composite
def scores(draw: st.DrawFn, max_rows: int = 8, max_columns: int = 6) -> np.ndarray:
    """Probabilities, with ties."""
    shape = draw(st.tuples(st.integers(1, max_rows), st.integers(1, max_columns)))
    return draw(arrays(np.float64, shape, elements=st.integers(0, 10).map(lambda tenth: tenth / 10)))
