"""Losses: from logits and targets to the loss of each text, and its gradient. NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Both in float32.
LossAndGradient = tuple[np.ndarray, np.ndarray]


def compute_loss(
    loss: str, logits: np.ndarray, targets: np.ndarray, label_weight: np.ndarray
) -> LossAndGradient:
    """Return the loss of each text, summed over its labels, and the gradient of that.

    Parameters
    ----------
    loss : str
        One of `sktextcnn.objective.LOSSES`.
    logits, targets : ndarray of shape (n, k), dtype float32
        Targets are 0 or 1.
    label_weight : ndarray of shape (2, k), dtype float32
        Weight of a 1 and of a 0 in each column.

    Returns
    -------
    losses : ndarray of shape (n,)
    gradient : ndarray of shape (n, k)
        Of each text's loss with respect to its logits.
    """
    value, gradient = _LOSS_FUNCTIONS[loss](logits, targets, label_weight)
    return value.sum(axis=1), gradient


def _logistic(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return p = 1 / (1 + exp(-z)), q = 1 - p, -log(p) and -log(q), all without overflow."""
    small = np.exp(-np.abs(z))
    larger = 1 / (1 + small)
    positive, rest = z >= 0, np.log1p(small)
    p = np.where(positive, larger, small * larger)
    q = np.where(positive, small * larger, larger)
    return p, q, rest + np.maximum(-z, 0), rest + np.maximum(z, 0)


def _binary_crossentropy(z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> LossAndGradient:
    p, q, loss_of_1, loss_of_0 = _logistic(z)
    one, zero = weight[0] * y, weight[1] * (1 - y)
    return one * loss_of_1 + zero * loss_of_0, zero * p - one * q


def _focal(z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> LossAndGradient:
    """Lin et al. (2017), https://arxiv.org/abs/1708.02002, eq. 4, with gamma = 2."""
    p, q, loss_of_1, loss_of_0 = _logistic(z)
    one, zero = weight[0] * y, weight[1] * (1 - y)
    value = one * q**2 * loss_of_1 + zero * p**2 * loss_of_0
    return value, zero * p**2 * (2 * q * loss_of_0 + p) - one * q**2 * (2 * p * loss_of_1 + q)


def _asymmetric(z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> LossAndGradient:
    """Ridnik et al. (2021), https://arxiv.org/abs/2009.14119, eq. 7: gamma+ = 0, gamma- = 4, m = .05."""
    p, q, loss_of_1, _ = _logistic(z)
    one, zero = weight[0] * y, weight[1] * (1 - y)
    shifted = np.maximum(p - np.float32(0.05), 0)
    log = np.log1p(-shifted)
    value = one * loss_of_1 - zero * shifted**4 * log
    slope = shifted**3 * (shifted / (1 - shifted) - 4 * log) * p * q  # 0 where nothing is left of p
    return value, zero * slope - one * q


def _log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _categorical_crossentropy(z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> LossAndGradient:
    log_p, one = _log_softmax(z), weight[0] * y
    return -one * log_p, np.exp(log_p) * one.sum(axis=1, keepdims=True) - one


def _kl_divergence(z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> LossAndGradient:
    """From the labels of a text, equally likely; a text without label adds nothing."""
    share = y / np.maximum(y.sum(axis=1, keepdims=True), 1)
    log_p, one = _log_softmax(z), weight[0] * share
    value = one * (np.log(np.where(share > 0, share, 1)) - log_p)
    return value, np.exp(log_p) * one.sum(axis=1, keepdims=True) - one


_LOSS_FUNCTIONS: dict[str, Callable[..., LossAndGradient]] = {
    "binary_crossentropy": _binary_crossentropy,
    "kl_divergence": _kl_divergence,
    "categorical_crossentropy": _categorical_crossentropy,
    "focal": _focal,
    "asymmetric": _asymmetric,
}
