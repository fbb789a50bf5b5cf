"""Weights + ids -> logits, of the standard network or of the user's own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sktextcnn.engine import inference
from sktextcnn.text import TokenIds


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
    if "network" in weights:
        from sktextcnn.engine import own_network

        return own_network.compute_logits(weights, ids)
    return inference.compute_logits(weights, ids)
