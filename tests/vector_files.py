"""Five word vectors, in every form of file that holds them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

WORDS = ["the", "caf\u00e9", "London", "UK", "\U0001f600"]
ARRAY = np.array(
    [[0.5, -1.25, 3], [0, 1e-3, -7], [1e6, 2, 2], [0.1, 0.2, 0.3], [-1, -2, -3]], np.float32
)
HEADER = b"5 3\n"


def text_of(words, array, end=b"\n"):
    rows = [" ".join([word, *map(str, row)]) for word, row in zip(words, array.tolist(), strict=True)]
    return b"".join(row.encode() + end for row in rows)


def binary_of(words, array, end=b""):
    """Without `end` as gensim writes it, with a newline as word2vec does."""
    rows = zip(words, array.tolist(), strict=True)
    return b"".join(
        word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + end for word, row in rows
    )


FILES = {
    "word2vec text": HEADER + text_of(WORDS, ARRAY),
    "word2vec text, spaces before the newline": HEADER + text_of(WORDS, ARRAY, b" \n"),
    "word2vec text, Windows": b"5 3\r\n" + text_of(WORDS, ARRAY, b"\r\n"),
    "word2vec text, no newline at the end": (HEADER + text_of(WORDS, ARRAY)).rstrip(),
    "word2vec binary of gensim": HEADER + binary_of(WORDS, ARRAY),
    "word2vec binary of word2vec": HEADER + binary_of(WORDS, ARRAY, b"\n"),
    "GloVe text": text_of(WORDS, ARRAY),
    "GloVe text, blank line at the end": text_of(WORDS, ARRAY) + b"\n",
}
TEXT = [name for name in FILES if "text" in name]
each_file = pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
