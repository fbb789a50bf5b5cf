"""The two engines, and which of them trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.observers import History, Observer


class Train(Protocol):
    """How an engine trains a network, see `sktextcnn.engine.compiled.train`."""

    def __call__(
        self,
        state: State,
        examples: Examples,
        settings: Settings,
        *,
        observers: Iterable[Observer] = (),
        n_threads: int | None = None,
    ) -> tuple[State, History]:
        """Train."""


@dataclass(frozen=True)
class Engine:
    """Trains networks.

    Attributes
    ----------
    train, train_final : callable
        How a network is trained, and how the final one, whose callbacks the user has given.
    in_threads : bool
        Whether several networks can be trained at the same time. Keras' are not: a strategy of
        `tf.distribute` is that of the thread it was entered in.
    """

    train: Train
    train_final: Train
    in_threads: bool


def choose_engine(engine: str, network: Callable | None, keras_callbacks: Callable | None) -> str:
    """Return the engine that `engine` means: Keras where something needs it, whatever the machine.

    Parameters
    ----------
    engine : {"auto", "compiled", "keras"}
    network, keras_callbacks : callable or None
        Both need Keras.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the compiled engine is asked for something that it cannot do.
    """
    given = [f"{n}=" for n, v in {"network": network, "keras_callbacks": keras_callbacks}.items() if v]
    if engine == "compiled" and given:
        raise ValueError(
            f"engine='compiled' trains the standard network without Keras, and {' and '.join(given)} "
            "needs Keras; set engine='keras' (or 'auto'), or leave it out."
        )
    return engine if engine != "auto" else "keras" if given else "compiled"


def open_engine(engine: str, network: Callable | None, keras_callbacks: Callable | None) -> Engine:
    """Import an engine, and nothing that it does not need.

    Parameters
    ----------
    engine : {"auto", "compiled", "keras"}
    network, keras_callbacks : callable or None
        As of the classifier.

    Returns
    -------
    Engine

    Raises
    ------
    ValueError
        As of `choose_engine`.
    ImportError
        If Keras runs on another backend than TensorFlow.
    """
    if choose_engine(engine, network, keras_callbacks) == "compiled":
        from sktextcnn.engine import compiled

        return Engine(compiled.train, compiled.train, in_threads=True)
    from sktextcnn.engine import keras_engine

    final = partial(keras_engine.train, keras_callbacks=keras_callbacks)
    return Engine(keras_engine.train, final, in_threads=False)
