"""What a fit does with which texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearSettings:
    """How to fit the linear part.

    Attributes
    ----------
    ngram_range : tuple of (int, int)
        Fewest and most tokens of an n-gram.
    char_ngram_range : tuple of (int, int) or None
        Fewest and most characters of an n-gram within a token, if there are to be any.
    C : float
        Inverse of the regularization strength.
    rows : ndarray or None, default=None
        The texts that it learns from, if not from all of them.
    """

    ngram_range: tuple[int, int]
    char_ngram_range: tuple[int, int] | None
    C: float
    rows: np.ndarray | None = None


@dataclass(frozen=True)
class Plan:
    """What happens to which texts.

    Attributes
    ----------
    folds : list of (train, held_out)
        Rows to learn from and rows to hold out, for each time that texts are held out.
    n_iter_no_change : int or None
        Epochs to wait for an improvement on held-out texts; None to train for all epochs.
    linear : LinearSettings or None
        Of the linear part, if there is to be one.
    goes_on : bool, default=False
        Whether another fit may go on from the final network, and needs what its optimizer remembers.
    """

    folds: list[tuple[np.ndarray, np.ndarray]]
    n_iter_no_change: int | None
    linear: LinearSettings | None
    goes_on: bool = False

    @property
    def refits(self) -> bool:
        """Whether the network is refitted, to all texts."""
        return len(self.folds) != 1

    @property
    def n_networks(self) -> int:
        """How many networks are trained."""
        return len(self.folds) + self.refits

    @property
    def held_out(self) -> np.ndarray:
        """The rows that are held out, fold after fold."""
        return np.concatenate([rows for _, rows in self.folds] or [np.zeros(0, np.int64)])

    def held_out_parts(self, positions: np.ndarray) -> list[np.ndarray]:
        """Return the rows at ascending positions in `held_out`, a part for each fold."""
        ends = np.cumsum([len(rows) for _, rows in self.folds])
        parts = np.split(self.held_out[positions], np.searchsorted(positions, ends[:-1]))
        return parts[: len(self.folds)]
