"""Weights + ids -> which n-grams spoke for which label, and how strongly.

The largest response of a filter comes from one window of the text, an n-gram. From there on everything
is a sum: a label's logit is a constant plus what each of these n-grams adds, and what each n-gram of
the linear part adds. Nothing is approximated and no second model is fitted. With a hidden layer the
sum holds for the units that are active in this text, as for any network of rectified linear units.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from sktextcnn.engine.engines import open_network
from sktextcnn.engine.inference import Network, kernel_sizes_of
from sktextcnn.engine.weights import Weights, count_token_ids
from sktextcnn.linear.features import find_ngrams
from sktextcnn.linear.part import LinearPart
from sktextcnn.text.tokens import TokenIds


class Evidence(NamedTuple):
    """An n-gram at a position of a text, and what it adds to a label's logit.

    Attributes
    ----------
    ngram : str
        Its tokens, joined. Empty for a text without tokens.
    start, stop : int
        Its position among the text's tokens, the second one exclusive.
    contribution : float
        Positive if it speaks for the label.
    """

    ngram: str
    start: int
    stop: int
    contribution: float


class Explanation(NamedTuple):
    """What a label's logit is made of.

    Attributes
    ----------
    label : object
        Name of the label.
    logit : float
        `base` plus all contributions. It is what `decision_function` gives, save for two classes and one
        label per text, where that is the second's minus the first's.
    base : float
        What is left without n-grams: constants. With a hidden layer, those of the units that are active.
    evidence : list of Evidence
        The strongest first, for or against.
    """

    label: Any
    logit: float
    base: float
    evidence: list[Evidence]


class NgramMean(NamedTuple):
    """An n-gram, and what it adds to a label's logit where it occurs.

    Attributes
    ----------
    ngram : str
        Its tokens, joined.
    contribution : float
        Mean, over the texts in which it counts, of what it adds there.
    n_texts : int
        How many these are.
    """

    ngram: str
    contribution: float
    n_texts: int


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
            margins = values[own, None] * linear_part.kernel[ngrams[own]][:, labels]
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


def to_explanations(
    part: tuple, tokens: Sequence[str], labels: Sequence[Any], separator: str
) -> list[Explanation]:
    """Put names to one text's part of `explain_logits`.

    Parameters
    ----------
    part : tuple
        Base, spans and contributions.
    tokens : sequence of str
    labels : sequence
        Names of the labels.
    separator : str
        What stands between the tokens of an n-gram.

    Returns
    -------
    list of Explanation, one for each label
    """
    base, spans, contributions = part
    tokens = [*map(str, tokens)]
    found = [(separator.join(tokens[start:stop]), start, stop) for start, stop in spans.tolist()]
    explanations = []
    for label, own_base, values in zip(labels, base.tolist(), contributions.T, strict=True):
        order = np.argsort(-np.abs(values), kind="stable")
        evidence = [Evidence._make((*found[i], float(values[i]))) for i in order if values[i] != 0]
        explanations.append(Explanation(label, own_base + float(values.sum()), own_base, evidence))
    return explanations


def rank_ngrams(explanations: Iterable[Explanation], min_texts: int) -> list[NgramMean]:
    """Take the evidence for one label together, over many texts.

    Parameters
    ----------
    explanations : iterable of Explanation
        Of one label, one for each text.
    min_texts : int
        Leave out what counts in fewer texts.

    Returns
    -------
    list of NgramMean
        The highest mean first.
    """
    sums: dict[str, float] = defaultdict(float)
    n_texts: Counter[str] = Counter()
    for explanation in explanations:
        told = [evidence for evidence in explanation.evidence if evidence.stop > evidence.start]
        for evidence in told:
            sums[evidence.ngram] += evidence.contribution
        n_texts.update({evidence.ngram for evidence in told})
    means = [NgramMean(ngram, sums[ngram] / n, n) for ngram, n in n_texts.items() if n >= min_texts]
    return sorted(means, key=lambda mean: (-mean.contribution, mean.ngram))
