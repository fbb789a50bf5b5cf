"""The two engines: which of them trains, and what computes scores from the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sktextcnn.engine import inference
from sktextcnn.engine.examples import State
from sktextcnn.engine.observers import History
from sktextcnn.engine.weights import Weights
from sktextcnn.text.tokens import TokenIds
from sktextcnn.threads import Team

Train = Callable[..., tuple[State, History]]


@dataclass(frozen=True)
class Engine:
    """Trains networks.

    Attributes
    ----------
    name : {"compiled", "keras"}
    train, train_final : callable
        How a network is trained, and how the final one, whose callbacks the user has given: see
        `sktextcnn.engine.compiled.train`.
    has_callbacks : bool
        Whether the user's callbacks watch the final network, and may change how it learns.
    in_threads : bool
        Whether several networks can be trained at the same time. Keras' are not: a strategy of
        `tf.distribute` is that of the thread it was entered in.
    """

    name: str
    train: Train
    train_final: Train
    has_callbacks: bool
    in_threads: bool


def open_engine(
    engine: str,
    network: Callable | None,
    keras_callbacks: Callable | None,
    negative_samples: int | None = None,
) -> Engine:
    """Import an engine, and nothing that it does not need.

    Parameters
    ----------
    engine : {"auto", "compiled", "keras"}
        "auto" means Keras where something needs it, whatever the machine.
    network, keras_callbacks : callable or None
        As of the classifier. Both need Keras.
    negative_samples : int or None, default=None
        As of the classifier. The compiled engine alone can sample labels.

    Returns
    -------
    Engine

    Raises
    ------
    ValueError
        If an engine is asked for something that it cannot do.
    ImportError
        If Keras runs on another backend than TensorFlow.
    """
    given = [f"{n}=" for n, v in {"network": network, "keras_callbacks": keras_callbacks}.items() if v]
    if engine == "compiled" and given:
        raise ValueError(
            f"engine='compiled' trains the standard network without Keras, and {' and '.join(given)} "
            "needs Keras; set engine='keras' (or 'auto'), or leave it out."
        )
    if (engine == "keras" or given) and negative_samples is not None:
        asked = " and ".join(given) or "engine='keras'"
        raise ValueError(
            f"negative_samples={negative_samples!r} is for the compiled engine, and Keras, which "
            f"computes all labels in every step, is what {asked} asks for. Leave one or the other out."
        )
    if engine == "keras" or given:
        from sktextcnn.engine import keras_engine

        final = partial(keras_engine.train, keras_callbacks=keras_callbacks)
        return Engine(
            "keras", keras_engine.train, final, has_callbacks=bool(keras_callbacks), in_threads=False
        )
    from sktextcnn.engine import compiled

    return Engine("compiled", compiled.train, compiled.train, has_callbacks=False, in_threads=True)


def open_network(weights: Weights, team: Team | None = None) -> Callable[[TokenIds], np.ndarray]:
    """Return the network of a fitted classifier, the standard one or the user's own.

    Parameters
    ----------
    weights : mapping of str to ndarray
    team : Team or None, default=None
        Threads that share the work, see `sktextcnn.engine.inference.Network`.

    Returns
    -------
    callable
        From the TokenIds of n texts, each truncated to the maximal length, to their logits (n, k) in
        float32.
    """
    if "network" not in weights:
        return inference.Network(weights, team).compute_logits
    from sktextcnn.engine import own_network

    return partial(own_network.compute_logits, weights)
