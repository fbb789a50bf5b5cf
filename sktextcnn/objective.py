"""What training minimises: which loss, and the weights of texts and labels in it."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse

#: Losses that fit several labels per text (True) and one (False); the first is what "auto" means.
LOSSES = {
    True: ("binary_crossentropy", "kl_divergence", "focal", "asymmetric"),
    False: ("categorical_crossentropy",),
}

#: How the two kinds of y are called in messages.
KINDS_OF_Y = {True: "several labels per text", False: "one label per text"}


def resolve_loss(loss: str, multilabel: bool, n_labels: int) -> str:
    """Return the name of the loss that `loss` means for this kind of y.

    Parameters
    ----------
    loss : str
        "auto" or the name of a loss.
    multilabel : bool
        Whether a text may carry several labels.
    n_labels : int
        How many labels there are.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the loss makes no sense for this kind.
    """
    if loss == "auto":
        return LOSSES[multilabel][0]
    if loss == "kl_divergence" and n_labels == 1:
        raise ValueError(
            "loss='kl_divergence' divides each text among its labels, and there is a single one, which "
            "would get all of every text. Use 'binary_crossentropy' (or 'auto')."
        )
    if loss in LOSSES[multilabel]:
        return loss
    hint = (
        "'kl_divergence' is its counterpart for several labels."
        if multilabel
        else "If texts may carry several labels, pass them as lists: ['news'] rather than 'news'."
    )
    raise ValueError(
        f"loss={loss!r} is not for y with {KINDS_OF_Y[multilabel]}; use one of "
        f"{', '.join(map(repr, ('auto', *LOSSES[multilabel])))}. {hint}"
    )


def check_kind(given: bool, fitted: bool) -> None:
    """Refuse a y of another kind than the classifier was fitted on."""
    if given != fitted:
        raise ValueError(
            f"y has {KINDS_OF_Y[given]}, but the classifier was fitted on {KINDS_OF_Y[fitted]}; pass "
            "labels of that kind."
        )


def is_exclusive(loss: str) -> bool:
    """Tell whether the labels of a text share one distribution under `loss`."""
    return loss in ("categorical_crossentropy", "kl_divergence")


def check_sample_weight(sample_weight: Any, n: int) -> np.ndarray:
    """Return one weight per text.

    Parameters
    ----------
    sample_weight : array-like of shape (n,) or None
        None means 1 for all.
    n : int
        Number of texts.

    Returns
    -------
    ndarray of shape (n,), dtype float64

    Raises
    ------
    ValueError
        If the shape does not fit, or weights are negative, not finite or all zero.
    """
    if sample_weight is None:
        return np.ones(n)
    try:
        weight = np.asarray(sample_weight, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError("sample_weight must hold one number per text.") from error
    if weight.shape != (n,):
        raise ValueError(f"sample_weight has shape {weight.shape}; expected ({n},), one per text.")
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise ValueError("sample_weight must be finite, not negative, and not all zero.")
    return weight


def label_weights(
    class_weight: Any, matrix: sparse.csr_matrix, classes: np.ndarray, multilabel: bool
) -> np.ndarray:
    """Return the weights of the 1s and of the 0s of each column.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Label -> weight of its 1s. "balanced" follows `sklearn.utils.class_weight`: n / (k * count) for
        one label per text; for several, each column is a problem of two classes, with n / (2 * count)
        for its 1s and n / (2 * (n - count)) for its 0s.
    matrix : csr_matrix of shape (n, k)
        0/1.
    classes : ndarray of shape (k,)
        Labels.
    multilabel : bool
        Whether a text may carry several labels.

    Returns
    -------
    ndarray of shape (2, k), dtype float32
        Row 0 weighs the 1s, row 1 the 0s.

    Raises
    ------
    ValueError
        If a key is not a label, or a weight is negative.
    """
    n, k = matrix.shape
    weights = np.ones((2, k), np.float32)
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):
        counts = np.bincount(matrix.indices, minlength=k)
        n_classes = 2 if multilabel else k
        weights[0] = n / (n_classes * np.maximum(counts, 1))
        if multilabel:
            weights[1] = n / (n_classes * np.maximum(n - counts, 1))
        return weights
    column_of = {label: column for column, label in enumerate(classes.tolist())}
    for label, weight in class_weight.items():
        if label not in column_of:
            raise ValueError(
                f"class_weight names {label!r}, which is not among the labels {classes.tolist()}."
            )
        if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
            raise ValueError(
                f"class_weight of {label!r} is {weight!r}; it must not be negative or infinite."
            )
        weights[0, column_of[label]] = weight
    return weights
