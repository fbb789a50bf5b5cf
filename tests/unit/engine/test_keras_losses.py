"""Losses of the Keras engine, against their formulas and those of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from sktextcnn.engine import keras_engine
from sktextcnn.objective import LOSSES, is_exclusive
from tests.keras_training import plain_loss
from tests.strategies import examples_up_to

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for: whenever a
# callback reads the learning rate or saves weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

EXCLUSIVE = [loss for losses in LOSSES.values() for loss in losses if is_exclusive(loss)]


@st.composite
def labelled_logits(draw):
    """Logits, targets, and the weights of 1s and of 0s."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 5)))
    z = draw(arrays(np.float32, shape, elements=st.floats(-20, 20, width=32)))
    y = draw(arrays(np.float32, shape, elements=st.sampled_from([0.0, 1.0])))
    weight = arrays(np.float32, shape[1], elements=st.floats(0.125, 4, width=32))
    return z, y, draw(weight), draw(weight)


def test_keras_has_every_loss():
    assert {*keras_engine.TENSORFLOW_LOSSES} == {loss for losses in LOSSES.values() for loss in losses}


@pytest.mark.parametrize("name", sorted(keras_engine.TENSORFLOW_LOSSES))
@examples_up_to(25)
@given(batch=labelled_logits())
def test_losses_match_their_formulas(name, batch):
    z, y, positive, negative = batch
    if name == "categorical_crossentropy":
        y = np.eye(y.shape[1], dtype=np.float32)[y.argmax(axis=1)]
    expected = plain_loss(name, z.astype(np.float64), y.astype(np.float64))
    # Under softmax only the labels that a text carries add to its loss.
    expected *= np.where((y > 0) | np.full(y.shape, name in EXCLUSIVE), positive, negative)
    found = keras_engine.TENSORFLOW_LOSSES[name](z, y, [positive, negative])
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)
    # And the same as a Keras loss: summed over labels, weighted, averaged over texts.
    weight = np.arange(len(z), dtype=np.float32)
    found = keras_engine.LabelLoss(name, [positive, negative])(y, z, weight)
    np.testing.assert_allclose(found, (expected.sum(axis=1) * weight).mean(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "keras_loss"),
    [
        ("binary_crossentropy", keras.losses.binary_crossentropy),
        ("focal", keras.losses.binary_focal_crossentropy),
        ("categorical_crossentropy", keras.losses.categorical_crossentropy),
        ("kl_divergence", keras.losses.kl_divergence),
    ],
)
def test_losses_match_those_of_keras(name, keras_loss):
    z = np.random.default_rng(2).normal(0, 2, (6, 4)).astype(np.float32)
    y = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    activation = special.softmax(z, axis=1) if name in EXCLUSIVE else special.expit(z)
    one = np.ones(4, np.float32)
    found = keras_engine.TENSORFLOW_LOSSES[name](z, y, [one, one]).numpy()
    found = found.sum(axis=1) if name in EXCLUSIVE else found.mean(axis=1)
    np.testing.assert_allclose(found, keras_loss(y, activation), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", sorted(keras_engine.TENSORFLOW_LOSSES))
def test_losses_and_gradients_are_finite_for_large_logits(name):
    z = tf.constant([[50.0, -50.0, 0.0], [-50.0, 50.0, 0.0], [50.0, 50.0, 50.0], [-50.0] * 3])
    one = tf.ones(3)
    for row in ([1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0] * 3, [1.0] * 3):
        y = tf.constant([row] * 4)
        with tf.GradientTape() as tape:
            tape.watch(z)
            losses = keras_engine.TENSORFLOW_LOSSES[name](z, y, [one, one])
        assert np.isfinite(losses).all()
        assert np.isfinite(tape.gradient(losses, z)).all()


def test_a_text_without_label_adds_nothing_under_kl_divergence():
    z = tf.constant([[1.0, -2.0, 0.5]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        losses = keras_engine.TENSORFLOW_LOSSES["kl_divergence"](z, tf.zeros((1, 3)), tf.ones((2, 3)))
    np.testing.assert_array_equal(losses, np.zeros((1, 3)))
    np.testing.assert_array_equal(tape.gradient(losses, z), np.zeros((1, 3)))
