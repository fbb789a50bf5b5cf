"""Losses and their gradients, against formulas written down anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sktextcnn.engine.losses import compute_loss
from sktextcnn.objective import LOSSES
from tests.plain_loops import loss_of_text, slope_of_text

EVERY_LOSS = sorted({*LOSSES[True], *LOSSES[False]})


@pytest.mark.parametrize("loss", EVERY_LOSS)
@given(
    z=arrays(np.float64, (2, 3), elements=st.floats(-15, 15)),
    y=arrays(np.float64, (2, 3), elements=st.sampled_from([0.0, 1.0])),
    seed=st.integers(0, 100),
)
def test_losses_and_their_gradients(loss, z, y, seed):
    if loss == "categorical_crossentropy":
        y = np.eye(3)[y.sum(axis=1).astype(int) % 3]
    if loss == "asymmetric":  # which has a kink
        assume((np.abs(1 / (1 + np.exp(-z)) - 0.05) > 1e-4).all())
    weight = np.random.default_rng(seed).uniform(0.2, 3, (2, 3))
    values, gradient = compute_loss(loss, z, y, weight)
    for i in range(2):
        text = z[i].tolist(), y[i].tolist(), *weight.tolist()
        assert values[i] == pytest.approx(loss_of_text(loss, *text), rel=1e-8, abs=1e-8)
        np.testing.assert_allclose(gradient[i], slope_of_text(loss, *text), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", EVERY_LOSS)
def test_losses_of_extreme_logits_are_finite(loss):
    z = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 88.0], [0, 0, 0], [-104, 103, -1]], np.float32)
    y = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
    values, gradient = compute_loss(loss, z, y, np.ones((2, 3), np.float32))
    assert values.dtype == gradient.dtype == np.float32
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()
    assert (values >= 0).all()


def test_a_text_without_label_adds_nothing_under_a_shared_distribution():
    z, y = np.array([[1, 2], [3, 4]], np.float32), np.array([[0, 0], [1, 1]], np.float32)
    values, gradient = compute_loss("kl_divergence", z, y, np.ones((2, 2), np.float32))
    assert values[0] == 0
    assert not gradient[0].any()
    assert values[1] > 0
