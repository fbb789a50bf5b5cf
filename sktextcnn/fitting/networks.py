"""Training the networks of a fit, each in one go or on from where an interrupted fit left it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from sktextcnn.callbacks import Progress
from sktextcnn.checkpoints import Checkpoint, EpochSaver, UnfinishedNetwork, pack_state, unpack_state
from sktextcnn.decision.evaluator import Evaluator
from sktextcnn.decision.held_out import in_parts
from sktextcnn.engine.engines import Engine, open_network
from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.observers import EarlyStopping, EpochLimit, History, Observer, ValidationScore
from sktextcnn.fitting.plan import Plan
from sktextcnn.text.tokens import TokenIds
from sktextcnn.threads import Team


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that has learned.

    Attributes
    ----------
    state : State
    history : dict of str to list of float
    """

    state: State
    history: History

    def pack(self, start: State) -> dict[str, Any]:
        """Return plain values; `start` is where all networks started."""
        return {**vars(self), "state": pack_state(self.state, start)}

    @classmethod
    def unpack(cls, values: Mapping[str, Any], start: State) -> TrainedNetwork:
        """Undo `pack`."""
        return cls(**{**values, "state": unpack_state(values["state"], start)})


@dataclass(frozen=True)
class NetworkTrainer:
    """Trains the networks of a fit: one for each fold, and perhaps one for all texts.

    Attributes
    ----------
    start : State
        Where every network starts; it is not changed.
    examples : Examples
    settings : Settings
    plan : Plan
    evaluator : Evaluator
    engine : Engine
    observers : sequence of Observer
        Of the final network.
    progress : Progress
    checkpoint : Checkpoint
    check : callable
        Raises where nobody waits for the networks any more.
    n_threads : int
        Of each network.
    """

    start: State
    examples: Examples
    settings: Settings
    plan: Plan
    evaluator: Evaluator
    engine: Engine
    observers: Sequence[Observer]
    progress: Progress
    checkpoint: Checkpoint
    check: Callable[[], None]
    n_threads: int

    def train(self, number: int, epochs: int, rows: np.ndarray, held_out: np.ndarray) -> TrainedNetwork:
        """Train a network, or what is left to train of it.

        Parameters
        ----------
        number : int
            Of the network, from 0. The first one finds out how many epochs are best, if texts are held
            out; the others take as many, at the learning rates that it had in them.
        epochs : int
            At most.
        rows : ndarray of int
            Of the texts to learn from.
        held_out : ndarray of int
            Of those held out.

        Returns
        -------
        TrainedNetwork
        """
        name = f"network {number + 1} of {self.plan.n_networks}"
        is_final = number == self.plan.n_networks - 1
        goes_on = is_final and self.plan.goes_on
        stored = self.checkpoint.read(name)
        if stored is not None and "memory" not in stored:
            self.progress.restore(name, n_texts=len(rows) * epochs)
            return TrainedNetwork.unpack(stored, self.start)
        begun = UnfinishedNetwork(self.start)
        if stored is not None:
            begun = UnfinishedNetwork.unpack(stored, self.start)
            done = begun.n_epochs
            self.progress.restore(f"{name}  epochs 1 to {done}", n_texts=len(rows) * done)
        watching: list[Observer] = [
            self.progress.network(number, len(rows), epochs, self.check),
            EpochLimit(epochs),
        ]
        stopping = None
        if number == 0 and self.plan.n_iter_no_change is not None and len(held_out):
            validate = partial(_validate, self.evaluator, self.examples.take(held_out))
            stopping = EarlyStopping(validate, self.plan.n_iter_no_change, begun.memory)
            watching.insert(0, stopping)
        watching += self.observers if is_final else ()
        # Callbacks of Keras remember what they have seen, and such a network begins anew.
        if self.checkpoint.is_open and not (is_final and self.engine.has_callbacks):
            write = partial(self.checkpoint.write, name)
            watching.append(EpochSaver(write, self.start, begun.history, stopping, goes_on=goes_on))
        state, history = (self.engine.train_final if is_final else self.engine.train)(
            begun.state,
            self.examples.take(rows),
            self.settings,
            observers=watching,
            history=begun.history,
            n_threads=self.n_threads,
        )
        if stopping is not None and stopping.memory.best is not None:
            state = stopping.memory.best
        if not goes_on:
            state = replace(state, slots={})
        trained = TrainedNetwork(state, history)
        self.checkpoint.write(name, trained.pack(self.start))
        return trained


def _validate(
    evaluator: Evaluator, held_out: Examples, network: Callable[[TokenIds], np.ndarray]
) -> ValidationScore:
    """Return what held-out texts say of a network."""
    logits = in_parts(network, held_out.ids, held_out.targets.shape[1])
    return evaluator.validate(evaluator.collect(logits, held_out.targets), held_out.sample_weight)


def held_out_logits(
    trained: Sequence[TrainedNetwork], examples: Examples, parts: Sequence[np.ndarray], team: Team
) -> Iterator[np.ndarray]:
    """Yield the logits of held-out texts, some of them at a time.

    Parameters
    ----------
    trained : sequence of TrainedNetwork
        One for each part.
    examples : Examples
    parts : sequence of ndarray of int
        Rows that the network of each part has not learned from.
    team : Team

    Yields
    ------
    ndarray of shape (n_rows, k)
    """
    for each, rows in zip(trained, parts, strict=True):
        network = open_network(each.state.weights, team)
        yield from in_parts(network, examples.ids.take(rows), examples.targets.shape[1])
