"""Weights + ids -> which n-grams spoke for which label, and how strongly.

The largest response of a filter comes from one window of the text, an n-gram. From there on everything
is a sum: a label's logit is a constant plus what each of these n-grams adds, and what each n-gram of
the linear part adds. Nothing is approximated and no second model is fitted. With a hidden layer the
sum holds for the units that are on in this text, as for any network of rectified linear units.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sktextcnn.inference import kernel_sizes_of, winning_windows
from sktextcnn.ngrams import find_ngrams
from sktextcnn.text import TokenIds

Weights = Mapping[str, np.ndarray]


class Evidence(NamedTuple):
    """An n-gram at a place of a text, and what it adds to a label's logit.

    Attributes
    ----------
    ngram : str
        Its tokens, joined. Empty for a text without tokens.
    start, stop : int
        Its place among the text's tokens, the second one exclusive.
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
        As `decision_function` gives it: `base` plus all contributions.
    base : float
        What does not depend on n-grams.
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
    contribution : float
        Mean, over the texts in which it counts, of what it adds there.
    n_texts : int
        How many these are.
    """

    ngram: str
    contribution: float
    n_texts: int


def explain_logits(weights: Weights, ids: TokenIds, columns: Sequence[np.ndarray]) -> list[tuple]:
    """Take logits apart.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Of the network and, if there is one, the linear part.
    ids : TokenIds
        Of n texts, each cut to the maximal length.
    columns : sequence of ndarray of int
        For each text the labels of interest.

    Returns
    -------
    list of (base, places, contributions)
        For each text: base of shape (number of its labels,), places a list of m (start, stop), and
        contributions of shape (m, number of its labels), both float64.
    """
    features, starts = winning_windows(weights, ids)
    sizes = np.concatenate(
        [np.full(weights[f"convolution_{size}_bias"].size, size) for size in kernel_sizes_of(weights)]
    )
    is_linear = "linear_kernel" in weights
    k = len(weights["output_bias"])
    of_network, of_margins, constant = (
        weights["linear_blend"] if is_linear else ([1] * k, [0] * k, [0] * k)
    )
    found = []
    for row, labels in enumerate(columns):
        tokens = ids.flat[ids.offsets[row] : ids.offsets[row + 1]]
        head, base = _head(weights, features[row], labels)
        share = np.asarray(of_network)[labels]
        base = base * share + np.asarray(constant)[labels]
        places: dict[tuple[int, int], np.ndarray] = {}

        def add(start: int, stop: int, value: np.ndarray, places: dict = places) -> None:
            places[start, stop] = places.get((start, stop), 0.0) + value

        for j in np.flatnonzero(features[row]):
            start = int(starts[row, j])
            stop = min(start + int(sizes[j]), len(tokens))
            add(start, stop, share * (features[row, j] * head[j]))
        if is_linear:
            share = of_margins[labels]
            base = base + share * weights["linear_bias"][labels]
            for start, stop, n_gram, value in find_ngrams(tokens, weights):
                add(start, stop, share * (value * weights["linear_kernel"][n_gram, labels]))
        contributions = np.array([*places.values()], np.float64).reshape(len(places), len(labels))
        found.append((base.astype(np.float64), [*places], contributions))
    return found


def _head(weights: Weights, features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a unit of each feature adds to the labels' logits in this text, and the constants."""
    kernel, bias = weights["output_kernel"][:, labels], weights["output_bias"][labels]
    if "hidden_kernel" not in weights:
        return kernel, bias
    on = features @ weights["hidden_kernel"] + weights["hidden_bias"] > 0
    kernel = kernel * on[:, None]
    return weights["hidden_kernel"] @ kernel, bias + weights["hidden_bias"] @ kernel


def to_explanations(
    part: tuple, tokens: Sequence[str], labels: Sequence[Any], separator: str
) -> list[Explanation]:
    """Put names to one text's part of `explain_logits`.

    Parameters
    ----------
    part : tuple
        Base, places and contributions.
    tokens : sequence of str
    labels : sequence
        Names of the labels.
    separator : str
        What stands between the tokens of an n-gram.

    Returns
    -------
    list of Explanation, one for each label
    """
    base, places, contributions = part
    explanations = []
    for column, label in enumerate(labels):
        values = contributions[:, column]
        order = np.argsort(-np.abs(values), kind="stable")
        evidence = []
        for i in order[values[order] != 0]:
            start, stop = places[i]
            evidence.append(Evidence(separator.join(tokens[start:stop]), start, stop, float(values[i])))
        logit = float(base[column] + values.sum())
        explanations.append(Explanation(label, logit, float(base[column]), evidence))
    return explanations


def rank_ngrams(explanations: Sequence[Explanation], min_texts: int) -> list[NgramMean]:
    """Take the evidence for one label together, over many texts.

    Parameters
    ----------
    explanations : sequence of Explanation
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
        for evidence in explanation.evidence:
            sums[evidence.ngram] += evidence.contribution
        n_texts.update({evidence.ngram for evidence in explanation.evidence})
    means = [NgramMean(ngram, sums[ngram] / n, n) for ngram, n in n_texts.items() if n >= min_texts]
    return sorted(means, key=lambda mean: (-mean.contribution, mean.ngram))
