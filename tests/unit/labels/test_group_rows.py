"""Rows of one pair each, as texts and their label sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn import group_rows
from sktextcnn.labels.parsing import read_labels
from tests.strategies import label_names, texts


def names_by_row(labels):
    names = labels.classes.tolist()
    return [{names[column] for column in np.flatnonzero(row)} for row in labels.matrix.toarray()]


NAMES = ["Child", "Data Science", "Reporter"]
PAIR_TEXTS = ["news", "news", "machine learning news", "news", "machine learning news"]
PAIR_TAGS = ["Child", "Reporter", "Data Science", "Child", "Reporter"]


@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Series, pl.Series])
def test_group_rows(form):
    grouped, Y = group_rows(form(PAIR_TEXTS), form(PAIR_TAGS))
    assert grouped == ["news", "machine learning news"]
    assert all(type(text) is str for text in grouped)
    assert Y.label_names.tolist() == NAMES
    assert Y.tolist() == [[1, 0, 1], [0, 1, 1]]


def test_group_rows_of_categories_and_numbers():
    _, Y = group_rows(pd.Series(["a", "a", "b"]), pd.Series(["x", "y", "x"], dtype="category"))
    assert Y.label_names.tolist() == ["x", "y"]
    _, Y = group_rows(["a", "a", "b"], np.array([7, 3, 7]))
    assert Y.label_names.tolist() == [3, 7]
    assert Y.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA, pd.NaT], ids=repr)
def test_group_rows_missing_tag_is_a_text_without_label(missing):
    grouped, Y = group_rows(["c", "b", "c", "a"], [missing, "x", "y", missing])
    assert grouped == ["c", "b", "a"]
    assert Y.label_names.tolist() == ["x", "y"]
    assert Y.tolist() == [[0, 1], [1, 0], [0, 0]]


def test_group_rows_with_classes():
    _, Y = group_rows(["a", "b"], ["x", "y"], ["y", "w", "x"])
    assert Y.label_names.tolist() == ["y", "w", "x"]
    assert Y.tolist() == [[0, 0, 1], [1, 0, 0]]


@given(st.lists(st.tuples(texts(), st.none() | st.sampled_from("xyz")), min_size=1))
def test_group_rows_against_a_dict(pairs):
    expected = {}
    for text, tag in pairs:
        expected.setdefault(text, set()).update([] if tag is None else [tag])
    grouped, Y = group_rows(*map(list, zip(*pairs, strict=True)), classes=["x", "y", "z"])
    assert grouped == [*expected]
    assert names_by_row(read_labels(Y)) == [*expected.values()]


@given(label_names(max_size=3), st.lists(texts(), min_size=1, unique=True, max_size=4))
def test_group_rows_undoes_pairing(names, corpus):
    pairs = [(text, name) for text in corpus for name in names]
    grouped, Y = group_rows(*map(list, zip(*pairs, strict=True)))
    assert grouped == corpus
    assert Y.label_names.tolist() == sorted(names)
    assert Y.all()


@pytest.mark.parametrize(
    ("pair_texts", "tags", "classes", "error", "message"),
    [
        (["a"], ["x", "y"], None, ValueError, "texts has 1 rows and tags 2; expected one tag a row"),
        (
            ["a", "b"],
            ["x", ["y"]],
            None,
            ValueError,
            r"tags\[1\] is a list; group_rows takes one tag a row",
        ),
        (["a"], [("x", "y")], None, ValueError, r"tags\[0\] is a tuple; group_rows takes one tag a row"),
        (["a"], [{"x"}], None, ValueError, r"tags\[0\] is a set; .* can be passed to fit as they are"),
        (["a", None], ["x", "y"], None, TypeError, r"texts\[1\] is of type NoneType; expected a str"),
        ([b"a"], ["x"], None, TypeError, r"texts\[0\] is of type bytes; expected a str"),
        (["a"], ["x"], ["y"], ValueError, r"holds 'x', which is not among classes=\['y'\]"),
        (["a"], [None], None, ValueError, "y holds no label anywhere"),
        (["a", "b"], ["x", 1], None, TypeError, "y mixes str labels with numbers"),
        ([], [], None, ValueError, "y holds no rows"),
    ],
    ids=str,
)
def test_group_rows_refuses(pair_texts, tags, classes, error, message):
    with pytest.raises(error, match=message):
        group_rows(pair_texts, tags, classes)


def test_group_rows_of_one_str():
    with pytest.raises(TypeError, match="single str"):
        group_rows("ab", ["x", "y"])


def test_group_rows_of_a_dict():
    with pytest.raises(TypeError, match=r"tags\[0\] is"):
        group_rows(["a"], [{"x": 1}])


def test_group_rows_names_the_row_of_an_unknown_tag():
    with pytest.raises(ValueError, match=r"\[2\] .*'z', which is not among classes"):
        group_rows(["a", "a", "b"], ["x", "y", "z"], ["x", "y"])
