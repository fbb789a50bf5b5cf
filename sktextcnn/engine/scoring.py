"""Weights + ids -> logits, of the standard network or of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from sktextcnn.engine import inference
from sktextcnn.text import TokenIds
from sktextcnn.threads import Team


class Network(Protocol):
    """A trained network that can be asked several times."""

    def compute_logits(self, ids: TokenIds) -> np.ndarray:
        """Return the logits (n, k), float32, of n texts, each truncated to the maximal length."""


class _OwnNetwork:
    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = weights

    def compute_logits(self, ids: TokenIds) -> np.ndarray:
        from sktextcnn.engine import own_network

        return own_network.compute_logits(self._weights, ids)


def open_network(weights: Mapping[str, np.ndarray], team: Team | None = None) -> Network:
    """Return the network of a fitted classifier, of whatever kind it is.

    Parameters
    ----------
    weights : mapping of str to ndarray
    team : Team or None, default=None
        Threads that share the work, see `sktextcnn.engine.inference.Network`.

    Returns
    -------
    Network
    """
    return _OwnNetwork(weights) if "network" in weights else inference.Network(weights, team)


def compute_logits(weights: Mapping[str, np.ndarray], ids: TokenIds) -> np.ndarray:
    """Return the network's logits, of whatever kind it is.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As of a fitted classifier.
    ids : TokenIds
        Of n texts, each truncated to the maximal length.

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    return open_network(weights).compute_logits(ids)
