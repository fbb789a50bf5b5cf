"""Weights of labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from sktextcnn.labels.parsing import read_labels
from sktextcnn.objective import label_weights
from tests.strategies import indicators


def weights_of(class_weight, y, classes=None):
    labels = read_labels(y, classes)
    weights = label_weights(class_weight, labels.matrix, labels.classes, labels.multilabel)
    assert weights.shape == (2, len(labels.classes))
    assert weights.dtype == np.float32
    return weights


@pytest.mark.parametrize("y", [["a", "b"], [["a"], ["b"]]], ids=["single", "several"])
def test_no_class_weight(y):
    assert weights_of(None, y).tolist() == [[1, 1], [1, 1]]


@given(st.lists(st.sampled_from("abcd"), min_size=2).filter(lambda y: len(set(y)) > 1), st.booleans())
def test_weights_of_one_label_per_text_are_those_of_scikit_learn(y, balanced):
    classes = np.unique(y)
    class_weight = "balanced" if balanced else {"a": 2.0, "b": 0.0, "c": 0.25, "d": 7.0}
    if not balanced:
        class_weight = {label: class_weight[label] for label in classes.tolist()}
    expected = compute_class_weight(class_weight, classes=classes, y=np.array(y))
    weights = weights_of(class_weight, y)
    np.testing.assert_allclose(weights[0], expected, rtol=1e-6)
    assert (weights[1] == 1).all()


@given(indicators())
def test_balanced_weights_of_several_labels_are_those_of_two_classes_each(matrix):
    weights = weights_of("balanced", matrix)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    for column, pair in zip(matrix.T, weights.T, strict=True):
        if 0 < column.sum() < len(column):
            expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=column)
            np.testing.assert_allclose(pair[::-1], expected, rtol=1e-6)


def test_balanced_weights_give_ones_and_zeros_the_same_total():
    matrix = np.array([[1, 1], [0, 1], [0, 1], [0, 0]])
    weights = weights_of("balanced", matrix)
    np.testing.assert_allclose((weights[0] * matrix).sum(axis=0), [2, 2])
    np.testing.assert_allclose((weights[1] * (1 - matrix)).sum(axis=0), [2, 2])


def test_weights_by_name():
    weights = weights_of({"b": 3, "c": 0}, [["a", "b"], ["c"]])
    assert weights.tolist() == [[1, 3, 0], [1, 1, 1]]


def test_weights_of_a_class_without_texts_are_finite():
    assert np.isfinite(weights_of("balanced", ["a", "b"], ["a", "b", "c"])).all()


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({"z": 1.0}, r"class_weight names 'z', which is not among the labels \['a', 'b'\]"),
        ({"a": -1}, "class_weight of 'a' is -1; it must not be negative"),
        ({"a": float("nan")}, "class_weight of 'a' is nan"),
    ],
    ids=str,
)
def test_bad_class_weight(class_weight, message):
    with pytest.raises(ValueError, match=message):
        weights_of(class_weight, [["a"], ["b"]])


def test_infinite_class_weight():
    with pytest.raises(ValueError, match="class_weight of 'a' is inf"):
        weights_of({"a": float("inf")}, [["a"], ["b"]])
