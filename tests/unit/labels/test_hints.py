"""What is said where one text carries different labels."""

from __future__ import annotations

import pytest

from sktextcnn.labels.hints import warn_if_repeated
from sktextcnn.labels.parsing import read_labels

PAIR_TEXTS = ["news", "news", "machine learning news", "news", "machine learning news"]
PAIR_TAGS = ["Child", "Reporter", "Data Science", "Child", "Reporter"]


def test_warning_where_one_text_carries_different_labels():
    message = (
        r"The text 'news' carries different labels \('Child', 'Reporter'\), .*"
        r"fit\(\*sktextcnn\.group_rows\(X, y\)\)"
    )
    with pytest.warns(UserWarning, match=message):
        warn_if_repeated(PAIR_TEXTS, read_labels(PAIR_TAGS))


def test_long_text_is_truncated_in_the_warning():
    with pytest.warns(UserWarning, match=r"The text 'x{57}\.\.\.' carries"):
        warn_if_repeated(["x" * 100] * 2, read_labels(["a", "b"]))


def test_no_warning_where_nothing_competes(recwarn):
    warn_if_repeated(["news", "news", "other"], read_labels(["a", "a", "b"]))
    warn_if_repeated(["news", "news"], read_labels([["a"], ["b"]]))
    assert not recwarn.list
