"""A set with as many labels as one likes, made from the frequencies of real words."""

import os
import re
from collections import Counter

import numpy as np
from _data import load

#: Sets whose words are counted, if they are there.
SOURCES = ["reuters90", "goemotions", "stackoverflow30k", "tmdb_genres"]
#: Least number of times that a word occurs there.
MIN_COUNT = 5
#: Shares of texts with 1 to 5 labels.
LABELS_PER_TEXT = [0.4, 0.25, 0.15, 0.12, 0.08]
#: Words that point to a label, and how many of them a text with that label holds.
WORDS_PER_LABEL, WORDS_IN_TEXT = 4, 2
#: Most frequent words, which point to nothing.
FUNCTION_WORDS = 100


def count_words():
    """Return the words of the data sets, or else of the embedded sample, with their counts."""
    if os.environ.get("SKTEXTCNN_DATA"):
        texts = [text for name in SOURCES for text in load(name)[0]]
    else:
        from sktextcnn.datasets import load_news_tags

        texts = load_news_tags().data
    counts = Counter(word for text in texts for word in re.findall(r"[a-z]{2,}", text.lower()))
    return {word: n for word, n in counts.most_common() if n >= MIN_COUNT}


def zipf_set(n_labels, n_train, n_test, *, n_tokens=20, seed=0):
    """Return train texts, their label sets, test texts and theirs.

    Words are as frequent as they really are. The r-th label has a share of 1 / (r + 10): a few labels
    are everywhere, and most of 10,000 have a handful of texts. Each has `WORDS_PER_LABEL` words, which
    other labels may have as well, and which turn up by themselves, too.
    """
    rng = np.random.default_rng([seed, n_labels])
    counts = count_words()
    words = np.array([*counts])
    frequency = np.array([*counts.values()], float)
    frequency /= frequency.sum()
    content = np.arange(min(FUNCTION_WORDS, len(words) // 4), len(words))
    # Rarer words say more: they are drawn as if all words were equally frequent.
    points = rng.choice(content, (n_labels, WORDS_PER_LABEL))
    share = 1 / (np.arange(n_labels) + 10)
    share /= share.sum()
    n = n_train + n_test
    numbers = 1 + rng.choice(len(LABELS_PER_TEXT), n, p=LABELS_PER_TEXT)
    drawn = rng.choice(n_labels, (n, len(LABELS_PER_TEXT)), p=share)
    background = rng.choice(len(words), (n, n_tokens), p=frequency)
    order = rng.random((n, n_tokens)).argsort(axis=1)
    texts, labels = [], []
    for i in range(n):
        own = np.unique(drawn[i, : numbers[i]])
        said = [rng.permutation(points[label])[:WORDS_IN_TEXT] for label in own]
        tokens = np.concatenate([*said, background[i]])[:n_tokens][order[i]]
        texts.append(" ".join(words[tokens]))
        labels.append([f"label{label}" for label in own])
    return texts[:n_train], labels[:n_train], texts[n_train:], labels[n_train:]
