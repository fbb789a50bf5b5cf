"""The label space of a model that goes on learning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sktextcnn.labels.classes import extend_classes
from sktextcnn.labels.matrix import to_names
from sktextcnn.labels.parsing import read_labels
from tests.strategies import label_names


@given(data=st.data(), names=label_names(max_size=6))
def test_known_labels_stay_in_front_and_new_ones_follow_as_named(data, names):
    known = to_names(names[: data.draw(st.integers(1, len(names)))])
    named = data.draw(st.permutations(names))
    extended = extend_classes(known, named).tolist()
    assert extended[: len(known)] == known.tolist()
    assert extended[len(known) :] == [name for name in named if name not in {*known}]
    assert extend_classes(known, None) is known
    assume(len(names) > 1)
    with pytest.raises(ValueError, match=r"lacks .*, which the fitted model knows"):
        extend_classes(to_names(names), names[1:])


def test_the_type_of_names_stays():
    assert extend_classes(np.array(["a", "b"]), ["a", "b", "longer"]).dtype == "<U6"
    assert extend_classes(np.array(["a", "b"], object), ["a", "b", "longer"]).dtype == object
    assert extend_classes(np.array([1, 2]), (1, 2, 3)).dtype.kind == "i"


@given(names=label_names(), data=st.data())
def test_columns_in_another_order_say_the_same(names, data):
    matrix = np.array(data.draw(st.lists(st.tuples(*[st.integers(0, 1)] * len(names)), min_size=1)))
    given_labels = read_labels(matrix, names)
    other = to_names(data.draw(st.permutations(names)))
    ordered = given_labels.ordered(other)
    assert ordered.classes.tolist() == other.tolist()
    for column, name in enumerate(other.tolist()):
        found = ordered.matrix.toarray()[:, column]
        np.testing.assert_array_equal(found, matrix[:, names.index(name)])
    assert ordered.matrix.has_sorted_indices
