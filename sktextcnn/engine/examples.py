"""What training works on, and by which settings. NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from sktextcnn.text.tokens import TokenIds

#: Batches whose texts are sorted by length together, so that the texts of a batch are about as long.
BATCHES_PER_SORT = 32


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    kernel_sizes : tuple of int
    loss, optimizer : str
        Names as of the classifier's parameters, "auto" resolved.
    exclusive : bool
        Whether the labels of a text share one distribution under that loss.
    learning_rate, embedding_dropout, dropout : float
    decays : bool
        Whether the learning rate decays linearly, to zero at the end of the last epoch.
    batch_size, epochs, seed : int
    embedding_mode : str, default="trainable"
        "static": the embeddings are left as they are; "multichannel": the first half of their columns.
    negative_samples : int or None, default=None
        Labels of a step beside those that its texts carry; None for all.
    """

    kernel_sizes: tuple[int, ...]
    loss: str
    optimizer: str
    exclusive: bool
    learning_rate: float
    decays: bool
    embedding_dropout: float
    dropout: float
    batch_size: int
    epochs: int
    seed: int
    embedding_mode: str = "trainable"
    negative_samples: int | None = None


@dataclass
class State:
    """What training changes.

    Attributes
    ----------
    weights : dict of str to ndarray
        See `weights.initial_weights`.
    slots : dict of str to list of ndarray
        What the optimizer remembers of each weight.
    step : int
        Batches seen so far.
    epoch : int
        Passes over the data so far.
    optimizer : str
        The one that `slots` belong to; another one starts without.
    """

    weights: dict[str, np.ndarray]
    slots: dict[str, list[np.ndarray]] = field(default_factory=dict)
    step: int = 0
    epoch: int = 0
    optimizer: str = ""


@dataclass(frozen=True)
class Examples:
    """What to train on.

    Attributes
    ----------
    ids : TokenIds of n texts
    targets : csr_matrix of shape (n, k)
        0/1.
    sample_weight : ndarray of shape (n,), dtype float32
    label_weight : ndarray of shape (2, k), dtype float32
        Weight of a 1 and of a 0 in each column.
    soft_targets : ndarray of shape (n, k), dtype float32, or None, default=None
        Probabilities to learn in the place of `targets`, for a loss of labels on their own.
    """

    ids: TokenIds
    targets: sparse.csr_matrix
    sample_weight: np.ndarray
    label_weight: np.ndarray
    soft_targets: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Examples:
        """Return the examples at `rows`; those on disk are written there once more."""
        return replace(
            self,
            ids=self.ids.take(rows),
            targets=self.targets[rows],
            sample_weight=self.sample_weight[rows],
            soft_targets=None if self.soft_targets is None else self.soft_targets[rows],
        )


def batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """Yield the rows of each batch of an epoch.

    Texts are shuffled, with texts of about the same length together: those share more tokens, and need
    less padding where texts are padded.

    Parameters
    ----------
    lengths : ndarray of shape (n,)
        Tokens of each text.
    batch_size, seed, epoch : int

    Yields
    ------
    ndarray of int
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    for start in range(0, len(order), BATCHES_PER_SORT * batch_size):
        window = order[start : start + BATCHES_PER_SORT * batch_size]
        window = window[np.argsort(lengths[window], kind="stable")]
        for first in rng.permutation(range(0, len(window), batch_size)):
            yield window[first : first + batch_size]


def draw_negatives(
    carried: np.ndarray, settings: Settings, n_labels: int, epoch: int, step: int
) -> tuple[np.ndarray, np.float32]:
    """Draw some of the labels that no text of a batch carries, all of them equally likely.

    Parameters
    ----------
    carried : ndarray of int
        The other labels.
    settings : Settings
        With `negative_samples`: how many, if there are so many.
    n_labels, epoch, step : int

    Returns
    -------
    labels : ndarray of int
    times : float32
        For how many labels each of them stands.
    """
    others = np.delete(np.arange(n_labels), carried)
    n = min(settings.negative_samples or 0, len(others))
    rng = np.random.default_rng([settings.seed, epoch, step])
    return rng.choice(others, n, replace=False), np.float32(max(len(others), 1) / max(n, 1))
