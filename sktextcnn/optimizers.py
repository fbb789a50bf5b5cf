"""Optimizers: (weight, gradient, slots, learning rate, step) -> (weight, slots).

Arithmetic alone, on tensors or arrays: a square root is ``** 0.5``, which TensorFlow makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def _adam(w: Any, g: Any, slots: Sequence, rate: Any, step: Any) -> tuple[Any, list]:
    """Kingma & Ba (2015), https://arxiv.org/abs/1412.6980, with Keras' constants."""
    m = 0.9 * slots[0] + 0.1 * g
    v = 0.999 * slots[1] + 0.001 * g * g
    rate = rate * (1.0 - 0.999**step) ** 0.5 / (1.0 - 0.9**step)
    return w - rate * m / (v**0.5 + 1e-7), [m, v]


def _adagrad(w: Any, g: Any, slots: Sequence, rate: Any, step: Any) -> tuple[Any, list]:
    """Duchi et al. (2011), https://jmlr.org/papers/v12/duchi11a.html."""
    total = slots[0] + g * g
    return w - rate * g / (total**0.5 + 1e-7), [total]


def _sgd(w: Any, g: Any, slots: Sequence, rate: Any, step: Any) -> tuple[Any, list]:
    return w - rate * g, []


#: Name -> (update, number of slots).
OPTIMIZERS: dict[str, tuple[Callable, int]] = {
    "adam": (_adam, 2),
    "adagrad": (_adagrad, 1),
    "sgd": (_sgd, 0),
}
