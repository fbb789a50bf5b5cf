"""Contributions at positions -> n-grams by name, in one text or over many."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


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
    char_start, char_stop : int or None
        Its position among the text's characters: ``text[char_start:char_stop]`` are the words as they
        stand there. None where it is not known, see `sktextcnn.TextCNNClassifier.explain`.
    """

    ngram: str
    start: int
    stop: int
    contribution: float
    char_start: int | None = None
    char_stop: int | None = None


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


def name_evidence(
    positions: np.ndarray,
    contributions: np.ndarray,
    tokens: Sequence[str],
    separator: str,
    spans: Sequence[tuple[int, int]] | None = None,
) -> list[list[Evidence]]:
    """Put names to the n-grams of one text.

    Parameters
    ----------
    positions : ndarray of shape (m, 2)
        Start and stop of each n-gram among the tokens.
    contributions : ndarray of shape (m, k)
        What they add to the logits of k labels.
    tokens : sequence of str
    separator : str
        What stands between the tokens of an n-gram.
    spans : sequence of (int, int) or None, default=None
        Where each token stands among the characters, if that is known.

    Returns
    -------
    list of list of Evidence, of length k
        For each label, the strongest first.
    """
    tokens = [*map(str, tokens)]
    places = positions.tolist()
    ngrams = [separator.join(tokens[start:stop]) for start, stop in places]
    characters: list[tuple] = [(None, None)] * len(places)
    if spans is not None:
        spans = [*spans, (0, 0)]  # for the n-gram of a text without tokens
        characters = [(spans[start][0], spans[stop - 1][1]) for start, stop in places]
    evidence = []
    for values in contributions.T:
        order = np.argsort(-np.abs(values), kind="stable").tolist()
        added = values.tolist()
        named = ((ngrams[i], *places[i], added[i], *characters[i]) for i in order if added[i])
        evidence.append([*map(Evidence._make, named)])
    return evidence


def rank_ngrams(evidence: Iterable[Iterable[Evidence]], min_texts: int) -> list[NgramMean]:
    """Take the evidence for one label together, over many texts.

    Parameters
    ----------
    evidence : iterable of iterable of Evidence
        Of each text.
    min_texts : int
        Leave out what counts in fewer texts.

    Returns
    -------
    list of NgramMean
        The highest mean first.
    """
    sums: dict[str, float] = defaultdict(float)
    n_texts: Counter[str] = Counter()
    for of_text in evidence:
        told = [one for one in of_text if one.stop > one.start]
        for one in told:
            sums[one.ngram] += one.contribution
        n_texts.update({one.ngram for one in told})
    means = [NgramMean(ngram, sums[ngram] / n, n) for ngram, n in n_texts.items() if n >= min_texts]
    return sorted(means, key=lambda mean: (-mean.contribution, mean.ngram))
