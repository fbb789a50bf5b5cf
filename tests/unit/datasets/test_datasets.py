"""The embedded corpus."""

from __future__ import annotations

import re
import sys

import numpy as np
import pandas as pd
import pytest

from sktextcnn import as_label_matrix
from sktextcnn.datasets import load_news_tags


@pytest.fixture(scope="module")
def news():
    return load_news_tags()


def test_shapes_and_types(news):
    n, k = news.target.shape
    assert n >= 600
    assert k >= 8
    assert isinstance(news.data, list)
    assert all(isinstance(text, str) for text in news.data)
    assert len(news.data) == len(news.tags) == n
    assert news.target.dtype == np.int8
    assert news.target.label_names.tolist() == news.target_names == sorted(news.target_names)


def test_tags_and_target_say_the_same(news):
    np.testing.assert_array_equal(news.target, as_label_matrix(news.tags))


def test_every_text_has_one_to_four_tags(news):
    assert {*map(len, news.tags)} == {1, 2, 3, 4}
    assert all(len(set(tags)) == len(tags) for tags in news.tags)


def test_the_tags_of_the_documentation_are_among_them(news):
    assert {"Child", "Reporter", "Data Science"} <= set(news.target_names)


def test_every_tag_has_texts_to_learn_from(news):
    assert news.target.sum(axis=0).min() >= 50


def test_no_text_comes_twice(news):
    assert len({" ".join(text.lower().split()) for text in news.data}) == len(news.data)


def test_texts_are_short_sentences(news):
    assert all(text == text.strip() and "\n" not in text for text in news.data)
    assert max(map(len, news.data)) < 300
    assert min(len(text.split()) for text in news.data) >= 4


def test_texts_are_not_stamped_from_a_template(news):
    """Few sentences begin or end with the same three words."""
    for part in (slice(3), slice(-3, None)):
        ends = [" ".join(re.findall(r"\w+", text.lower())[part]) for text in news.data]
        assert len(set(ends)) > 0.9 * len(ends)


def test_the_description_is_true(news):
    counts = news.target.sum(axis=0)
    assert f"{len(news.data)} short" in news.DESCR
    assert f"{counts.min()}-{counts.max()}" in news.DESCR
    assert f"{news.target.sum(axis=1).mean():.2f}" in news.DESCR
    assert ", ".join(news.target_names) in " ".join(news.DESCR.split())


def test_return_data_and_target(news):
    data, target = load_news_tags(return_X_y=True)
    assert data == news.data
    np.testing.assert_array_equal(target, news.target)
    assert target.label_names.tolist() == news.target_names


def test_every_call_returns_data_of_its_own(news):
    other = load_news_tags()
    other.data[0], other.target[0], other.tags[0][0] = "", 1 - other.target[0], ""
    assert load_news_tags().data[0] == news.data[0]
    np.testing.assert_array_equal(load_news_tags().target[0], news.target[0])
    assert load_news_tags().tags[0] == news.tags[0]


def test_as_frame(news):
    bunch = load_news_tags(as_frame=True)
    assert isinstance(bunch.data, pd.Series)
    assert bunch.data.name == "text"
    assert bunch.data.tolist() == news.data
    assert isinstance(bunch.target, pd.DataFrame)
    assert [*bunch.target.columns] == news.target_names
    np.testing.assert_array_equal(bunch.target.to_numpy(), news.target)
    assert [*bunch.frame.columns] == ["text", *news.target_names]
    assert bunch.frame.shape == (len(news.data), 1 + len(news.target_names))
    assert as_label_matrix(bunch.target).label_names.tolist() == news.target_names


def test_as_frame_and_return_data_and_target(news):
    data, target = load_news_tags(as_frame=True, return_X_y=True)
    assert data.tolist() == news.data
    np.testing.assert_array_equal(target.to_numpy(), news.target)


def test_as_frame_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"as_frame=True needs pandas, .*: pip install pandas\."):
        load_news_tags(as_frame=True)
    assert len(load_news_tags().data) >= 600
