"""Who looks on while a network learns: the one interface that both engines speak to.

An observer is told when an epoch begins and ends, may add to the epoch's logs, and may stop training.
Progress, scikit-learn's callbacks and early stopping are observers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sktextcnn.engine.examples import State
from sktextcnn.text.tokens import TokenIds

History = dict[str, list[float]]

#: No weight of a network that learns is as large; products of larger ones are not finite.
LARGEST_WEIGHT = 1e9


class Run(Protocol):
    """A network on its way, as observers see it."""

    def open_network(self) -> Callable[[TokenIds], np.ndarray]:
        """Return the network of now: from the TokenIds of n texts to their logits (n, k)."""

    def state(self) -> State:
        """Return a copy of all that is needed to go on later, or to predict."""


class Observer:
    """Does nothing when told; a base for those who do."""

    def begin_epoch(self, epoch: int) -> None:
        """Look on as an epoch begins, numbered from 0."""

    def end_batch(self, n_texts: int) -> None:
        """Look on as a batch of so many texts ends."""

    def end_epoch(self, epoch: int, logs: dict[str, float], run: Run) -> bool:
        """Look on as the epoch ends; may add to its logs. Return whether to stop."""
        return False


class Observers(Observer):
    """Several observers, told in turn, and the history of what they were told.

    Parameters
    ----------
    observers : iterable of Observer
    history : dict of str to list of float or None, default=None
        The logs of epochs that were run before.

    Attributes
    ----------
    history : dict of str to list of float
        The logs of every epoch.
    """

    def __init__(self, observers: Iterable[Observer], history: History | None = None) -> None:
        self._observers = [*observers]
        self.history: History = {name: [*values] for name, values in (history or {}).items()}

    @property
    def n_epochs(self) -> int:
        """How many epochs have been run."""
        return len(self.history.get("loss", []))

    def begin_epoch(self, epoch: int) -> None:
        """Tell all of them."""
        for observer in self._observers:
            observer.begin_epoch(epoch)

    def end_batch(self, n_texts: int) -> None:
        """Tell all of them."""
        for observer in self._observers:
            observer.end_batch(n_texts)

    def end_epoch(self, epoch: int, logs: dict[str, float], run: Run) -> bool:
        """Tell all of them, and take down the logs; return whether one of them wants to stop."""
        stops = [observer.end_epoch(epoch, logs, run) for observer in self._observers]
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        return any(stops)


class EpochLimit(Observer):
    """Stops after some epochs, while the learning rate decays as if there were more to come.

    Parameters
    ----------
    n_epochs : int
    """

    def __init__(self, n_epochs: int) -> None:
        self._n_epochs = n_epochs

    def end_epoch(self, epoch: int, logs: dict[str, float], run: Run) -> bool:
        """Return whether these were all."""
        return epoch + 1 >= self._n_epochs


@dataclass(frozen=True)
class ValidationScore:
    """What held-out texts say of a network.

    Attributes
    ----------
    score : float
        Higher is better.
    has_hits : bool
        Whether a label is predicted of a text that carries it.
    """

    score: float
    has_hits: bool


@dataclass
class Memory:
    """What early stopping remembers of the epochs so far.

    Attributes
    ----------
    best : State or None
        Of the best epoch.
    score : float
        Its score.
    has_started : bool
        Whether there has been a hit.
    n_waited : int
        Epochs since the best one.
    """

    best: State | None = None
    score: float = -np.inf
    has_started: bool = False
    n_waited: int = 0


class EarlyStopping(Observer):
    """Evaluates held-out texts, remembers the best epoch, and stops when none gets better.

    A network without a single hit so far is only starting: no plateau, whatever the score. (For the F1s
    that is a score of 0; other measures give what predicts nothing any value, and may have 0 as their
    best one.)

    Parameters
    ----------
    validate : callable
        From a network, see `Run.open_network`, to what the held-out texts say of it.
    n_iter_no_change : int
        Epochs to wait for an improvement.
    memory : Memory or None, default=None
        Of epochs that were run before.

    Attributes
    ----------
    memory : Memory
    """

    def __init__(
        self,
        validate: Callable[[Callable[[TokenIds], np.ndarray]], ValidationScore],
        n_iter_no_change: int,
        memory: Memory | None = None,
    ) -> None:
        self.memory = memory or Memory()
        self._validate, self._n_iter_no_change = validate, n_iter_no_change

    def end_epoch(self, epoch: int, logs: dict[str, float], run: Run) -> bool:
        """Evaluate the held-out texts; return whether training has waited long enough."""
        found = self._validate(run.open_network())
        score = logs["validation_score"] = found.score
        memory = self.memory
        memory.has_started |= found.has_hits
        is_best = memory.best is None or score > memory.score
        # Of equals the latest while there is no hit, since it has learned more; the earliest later.
        if is_best or (score == memory.score and not memory.has_started):
            memory.score, memory.best = score, run.state()
        memory.n_waited = memory.n_waited + 1 if memory.has_started and not is_best else 0
        return memory.n_waited >= self._n_iter_no_change


def check_finite(loss: float, learning_rate: float, weights: Iterable[np.ndarray] = ()) -> float:
    """Return the loss of an epoch, or say that training has diverged.

    Parameters
    ----------
    loss : float
    learning_rate : float
        For the message.
    weights : iterable of ndarray, default=()
        Looked at, too: those after the last batch have not been felt by any loss.

    Returns
    -------
    float
        The loss.

    Raises
    ------
    ValueError
        If it is not finite, or a weight is not.
    """
    largest = max((max(weight.max(), -weight.min()) for weight in weights if weight.size), default=0.0)
    if not np.isfinite(loss):
        found = f"The loss is {loss}"
    elif not largest < LARGEST_WEIGHT:
        found = f"A weight has grown to {largest:.1e}"
    else:
        return loss
    raise ValueError(
        f"{found}: training has diverged with learning_rate={learning_rate}. "
        "Lower it, or the sample or class weights."
    )


def join_histories(first: History, second: History) -> History:
    """Append one history to another; what an epoch did not record is NaN."""
    lengths = len(first["loss"]), len(second["loss"])
    return {
        name: first.get(name, [np.nan] * lengths[0]) + second.get(name, [np.nan] * lengths[1])
        for name in {**first, **second}
    }
