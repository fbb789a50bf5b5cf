"""Labels a few at a time: what they say is what they say together, errors among it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.labels.collecting import LabelCollector
from sktextcnn.labels.parsing import read_labels
from tests.strategies import label_names, label_sets


def collect(rows, size, classes=None):
    collector = LabelCollector(classes)
    for start in range(0, len(rows), size):
        collector.add(rows[start : start + size])
    return collector.finish()


def outcome_of(read, *arguments):
    """Return what labels say, or the error, as something that can be compared."""
    try:
        labels = read(*arguments)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    classes = labels.classes
    return classes.dtype, classes.tolist(), labels.matrix.toarray().tolist(), labels.multilabel


@given(rows=label_sets(), size=st.integers(1, 9), as_sets=st.booleans(), fixed=st.booleans())
def test_label_sets_in_chunks_say_the_same(rows, size, as_sets, fixed):
    rows = [set(row) if as_sets else row for row in rows]
    classes = sorted({label for row in rows for label in row}, reverse=True) if fixed else None
    assert outcome_of(collect, rows, size, classes) == outcome_of(read_labels, rows, classes)


@given(
    rows=label_names().flatmap(lambda names: st.lists(st.sampled_from(names), min_size=1, max_size=9))
    | st.lists(st.integers(0, 3), min_size=1, max_size=9)
    | st.lists(st.booleans(), min_size=1, max_size=9),
    size=st.integers(1, 9),
)
def test_single_labels_in_chunks_say_the_same(rows, size):
    found, expected = outcome_of(collect, rows, size), outcome_of(read_labels, rows)
    assert found == expected


@given(
    rows=st.lists(st.lists(st.integers(0, 2), unique=True, max_size=3), min_size=1),
    size=st.integers(1, 9),
)
def test_rows_of_a_matrix_are_known_in_the_end_alone(rows, size):
    assert outcome_of(collect, rows, size) == outcome_of(read_labels, rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a"], ["b"], "c"], r"y\[2\] is the str 'c' among label sets"),
        (["a", "b", ["c"]], r"y\[2\] is of type list"),
        (["a", "b", None], r"y\[2\] is None"),
        ([0.0, 1.0, 0.5], r"y\[2\] is 0\.5, a continuous value"),
        (["a", "b", 1], "y mixes str labels with numbers"),
    ],
)
def test_errors_name_the_row_in_the_stream(rows, message):
    with pytest.raises((TypeError, ValueError), match=message):
        collect(rows, 2)


def test_labels_take_four_bytes_each():
    labels = collect([["a", "b"]] * 100, 7)
    assert labels.matrix.indices.dtype == np.int32
    assert labels.matrix.data.dtype == np.int8
