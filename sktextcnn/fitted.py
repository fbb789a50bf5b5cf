"""What `fit` leaves on the estimator, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from sktextcnn.linear.part import LinearPart
from sktextcnn.resolved import Resolved


@dataclass(frozen=True)
class FittedState:
    """A field for each fitted attribute, whose name has an underscore at its end.

    What is known before training comes first. `fit` sets all attributes together, at its end, so a fit
    that fails leaves the estimator as it was.

    Attributes
    ----------
    vocabulary : dict of str to int
    classes : ndarray of shape (k,)
    multilabel, sparse_output : bool
    loss : str
    embedding_mode, max_length
        As `TextCNNClassifier` has them.
    thresholds : ndarray of shape (k,)
    weights : mapping of str to ndarray
        Of the network; empty before training.
    linear_part : LinearPart or None, default=None
    validation_score : float, default=nan
    validation_label_scores : ndarray of shape (k,)
    resolved : Resolved or None, default=None
    history : dict of str to list of float
    n_epochs : int, default=0
    optimizer_state : dict or None, default=None
        There is no such attribute where training is over.
    """

    vocabulary: dict[str, int]
    classes: np.ndarray
    multilabel: bool
    sparse_output: bool
    loss: str
    embedding_mode: str | None
    max_length: int | None
    thresholds: np.ndarray
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    linear_part: LinearPart | None = None
    validation_score: float = np.nan
    validation_label_scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    resolved: Resolved | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    n_epochs: int = 0
    optimizer_state: dict[str, Any] | None = None

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of an estimator that was fitted so."""
        found = {f"{each.name}_": getattr(self, each.name) for each in fields(self)}
        if self.optimizer_state is None:
            del found["optimizer_state_"]
        return found


#: Names of all fitted attributes.
FITTED = tuple(f"{each.name}_" for each in fields(FittedState))
