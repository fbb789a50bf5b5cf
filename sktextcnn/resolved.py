"""What parameters become that depend on the texts, on labels or on each other: every "auto" rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

#: Of fewer texts none is held out: what so few of them say is chance.
FEW = 12

#: From so many texts on, a tenth of them is enough to find one threshold, or a blend alone, on.
MANY, MANY_OF_ONE_LABEL = 10_000, 5_000

#: Epochs for one text, as it were: eight times as many texts need half as many passes. Found on training
#: rows of five data sets, with the linear part beside the network.
EPOCHS_BY_SIZE = 100

#: The least that ``max_length`` comes to where it is a share: truncating shorter texts saves nothing.
SHORTEST = 128


#: Tokens of the texts that the linear part learns from, at most, where texts come as a stream. Features
#: and SVMs take some 200 bytes of memory a token.
MOST_LINEAR_TOKENS = 5_000_000


@dataclass(frozen=True)
class Resolved:
    """What the parameters that depend on the texts, on labels or on each other became in a fit.

    Attributes
    ----------
    engine : {"compiled", "keras"}
        Who trained.
    loss : str
        What was minimised.
    max_length : int or None
        Tokens after which texts are truncated.
    batch_size : int
        Texts per step.
    epochs : int
        Passes over the training texts, at most.
    learning_rate : float
        Step size at first.
    learning_rate_schedule : {"linear", "constant"}
        Whether it decayed linearly.
    n_folds : int
        How often texts were held out; 0 if none were.
    n_held_out : int
        Texts that were held out, all in all.
    linear : bool
        Whether there is a linear part.
    threshold : {"tune", "cardinality", "fixed"}
        How the thresholds were found.

    See Also
    --------
    TextCNNClassifier : Has it as ``resolved_``.
    """

    engine: str
    loss: str
    max_length: int | None
    batch_size: int
    epochs: int
    learning_rate: float
    learning_rate_schedule: str
    n_folds: int
    n_held_out: int
    linear: bool
    threshold: str


def choose_max_length(max_length: Any, lengths: np.ndarray) -> int | None:
    """Return after how many tokens to truncate texts.

    Parameters
    ----------
    max_length : int, float or None
        A float is a share of the texts that are to remain whole. The few longest texts of a collection
        cost as much as all others together and say little more after their first page.
    lengths : ndarray of shape (n_texts,)
        Number of tokens of each text.

    Returns
    -------
    int or None
    """
    if max_length is None or isinstance(max_length, Integral):
        return max_length  # type: ignore[return-value]
    return max(SHORTEST, int(np.quantile(lengths, max_length)))


def choose_batch_size(batch_size: int | str, n: int) -> int:
    """Return the number of texts per step that `batch_size` means for n texts."""
    return min(64, max(16, n // 32)) if isinstance(batch_size, str) else batch_size


def choose_epochs(epochs: int | str, n: int) -> int:
    """Return the number of epochs that `epochs` means for n texts: from 40 to 4 of them."""
    return min(40, max(4, round(EPOCHS_BY_SIZE * n ** (-1 / 3)))) if isinstance(epochs, str) else epochs


def choose_learning_rate(learning_rate: float, schedule: str, *, ends: bool) -> tuple[float, bool]:
    """Return the learning rate and whether it decays linearly.

    Parameters
    ----------
    learning_rate : float
    schedule : {"linear", "constant"}
    ends : bool
        Whether it is known when training will end. If not, a rate that would decay is constant, at a
        third.

    Returns
    -------
    tuple of (float, bool)
    """
    if schedule == "constant" or ends:
        return learning_rate, schedule == "linear"
    return learning_rate / 3, False


def choose_validation(
    validation: Any, n: int, metric: str | Callable, *, multilabel: bool, resumes: bool
) -> Any:
    """Return the share of n texts, or the number of folds, that ``validation="auto"`` means.

    A tenth of a small collection is too little to tune thresholds and to blend on; under macro-F1, where
    rare labels count as much as others, so is a tenth of a large one.

    Parameters
    ----------
    validation : "auto", or anything else that is returned as it is
    n : int
        Number of training texts.
    metric : str or callable
    multilabel : bool
        Whether a text may carry several labels.
    resumes : bool
        Whether training may go on later, so that some texts must never be learned from.

    Returns
    -------
    float, int, splitter or None
    """
    if not is_option(validation, "auto"):
        return validation
    if n < FEW:
        return None
    many = n >= (MANY if multilabel else MANY_OF_ONE_LABEL)
    return 0.1 if resumes or (many and not (multilabel and metric == "f1_macro")) else 3


def is_option(value: Any, name: str) -> bool:
    """Return whether a parameter is that word; arrays have an ``==`` of their own."""
    return isinstance(value, str) and value == name


def choose_linear_texts(lengths: np.ndarray, seed: int) -> np.ndarray | None:
    """Return the texts of a stream that the linear part learns from.

    Parameters
    ----------
    lengths : ndarray of shape (n_texts,)
        Number of tokens of each text.
    seed : int

    Returns
    -------
    ndarray of int, or None
        As many texts as have `MOST_LINEAR_TOKENS` tokens together, at random, ascending; None where all
        have no more.
    """
    if lengths.sum() <= MOST_LINEAR_TOKENS:
        return None
    order = np.random.default_rng([seed, len(lengths)]).permutation(len(lengths))
    n = max(1, int(np.searchsorted(np.cumsum(lengths[order]), MOST_LINEAR_TOKENS, side="right")))
    return np.sort(order[:n])
