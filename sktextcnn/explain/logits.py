"""Weights + ids -> which n-grams spoke for which label, and how strongly.

The largest response of a filter comes from one window of the text, an n-gram. From there on everything
is a sum: a label's logit is a constant plus what each of these n-grams adds, and what each n-gram of
the linear part adds. Nothing is approximated and no second model is fitted. With a hidden layer the
sum holds for the units that are active in this text, as for any network of rectified linear units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sktextcnn.engine.engines import open_network
from sktextcnn.engine.inference import Network, kernel_sizes_of
from sktextcnn.engine.weights import Weights, count_token_ids
from sktextcnn.linear.features import find_ngrams
from sktextcnn.linear.part import LinearPart
from sktextcnn.text.tokens import TokenIds


def explain_logits(
    weights: Weights, linear_part: LinearPart | None, ids: TokenIds, columns: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Take logits apart.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Of the network.
    linear_part : LinearPart or None
    ids : TokenIds
        Of n texts, each truncated to the maximal length, tokens outside the vocabulary told apart.
    columns : sequence of ndarray of int
        For each text the labels of interest.

    Yields
    ------
    base : ndarray of shape (number of the text's labels,)
    spans : ndarray of shape (m, 2)
        Start and stop of each n-gram, one text after the other.
    contributions : ndarray of shape (m, number of the text's labels)

    Raises
    ------
    ValueError
        If the network is the user's own, which is not taken apart, and there is no linear part.
    """
    is_own = "network" in weights
    if is_own and linear_part is None:
        raise ValueError(
            "explain takes apart the standard network and the linear part, and this model has neither: "
            "its network is your own. Fit it with linear=True to see what a linear part says."
        )
    known = ids.known(count_token_ids(weights))
    if is_own:
        logits = open_network(weights)(known)
        features, found, sizes = np.zeros((len(ids), 0)), np.zeros((len(ids), 0), int), np.zeros(0, int)
    else:
        features, found = Network(weights).find_windows(known)
        sizes = np.concatenate(
            [
                np.full(weights[f"convolution_{size}_bias"].size, size)
                for size in kernel_sizes_of(weights)
            ]
        )
    if linear_part is not None:
        rows, starts, stops, ngrams, values = find_ngrams(ids, linear_part.ngrams)
        ends = np.searchsorted(rows, np.arange(len(ids) + 1))
    for row, labels in enumerate(columns):
        if is_own:
            head, base = np.zeros((0, len(labels))), logits[row, labels]
        else:
            head, base = _head(weights, features[row], labels)
        active = np.flatnonzero(features[row])
        start = found[row, active]
        stop = np.minimum(start + sizes[active], ids.lengths[row])
        added = features[row, active, None] * head[active]
        if linear_part is not None:
            of_network, of_margins, constant = linear_part.blend[:, labels]
            base = of_network * base + of_margins * linear_part.bias[labels] + constant
            own = slice(*ends[row : row + 2])
            margins = values[own, None] * linear_part.kernel[ngrams[own]][:, labels].toarray()
            start, stop = np.append(start, starts[own]), np.append(stop, stops[own])
            added = np.concatenate([of_network * added, of_margins * margins])
        # Filters that found the same window, and the linear part's n-gram there, are added up.
        width = ids.lengths[row] + 1
        keys, position = np.unique(start * width + stop, return_inverse=True)
        contributions = np.zeros((len(keys), len(labels)))
        np.add.at(contributions, position, added)
        yield base.astype(np.float64), np.stack([keys // width, keys % width], axis=1), contributions


def _head(weights: Weights, features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a unit of each feature adds to the labels' logits in this text, and the constants."""
    kernel, bias = weights["output_kernel"][:, labels], weights["output_bias"][labels]
    if "hidden_kernel" not in weights:
        return kernel, bias
    active = features @ weights["hidden_kernel"] + weights["hidden_bias"] > 0
    kernel = kernel * active[:, None]
    return weights["hidden_kernel"] @ kernel, bias + weights["hidden_bias"] @ kernel
