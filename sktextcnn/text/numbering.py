"""Texts that come a few at a time -> token ids on disk, with bounded memory."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable

import numpy as np

from sktextcnn.text.spool import Spool
from sktextcnn.text.tokens import FIRST_TOKEN, UNKNOWN, Encoder, TokenIds, Tokenize, to_offsets
from sktextcnn.text.vocabulary import count_tokens

#: Distinct tokens that are told apart, at most; some 250 bytes each.
MOST_TOKENS = 1_000_000


class TokenNumbering:
    """Numbers tokens as they come, and writes the texts down in these numbers.

    Where there are more than `MOST_TOKENS` distinct tokens, or twice `at_least`, the less frequent half
    of them is dropped: their places in the texts are those of an unknown token from then on. One that
    comes again later is counted from then on alone. So what a `min_df` of a few texts decides about the
    rarest tokens may be wrong by what came before; of frequent ones, everything is right.

    Parameters
    ----------
    tokenize : callable
        From a text to its tokens.
    at_least : int, default=0
        Tokens that are told apart in any case.
    kept : collection of str, default=()
        Tokens that are never dropped.
    """

    def __init__(self, tokenize: Tokenize, at_least: int = 0, kept: Collection[str] = ()) -> None:
        self._tokenize, self._protected = tokenize, kept
        self._most = max(MOST_TOKENS, 2 * at_least, 2 * len(kept))
        self._flat, self._lengths = Spool(np.int32), [np.zeros(0, np.int64)]
        self._renumber(())

    def _renumber(self, tokens: Iterable[str]) -> None:
        """Go on after these tokens, which have the first numbers."""
        self._first = {token: number for number, token in enumerate(tokens)}
        self._encoder = Encoder(self._tokenize, self._first, keep_unknown=True, most_unknown=sys.maxsize)
        self._later: tuple[str, ...] = ()

    def add(self, texts: list[str]) -> None:
        """Take the next texts.

        Parameters
        ----------
        texts : list of str
        """
        found = self._encoder(texts)
        self._flat.append(found.flat)
        self._lengths.append(found.lengths)
        self._later = found.unknown
        if len(self._first) + len(self._later) > self._most:
            self._drop_rare()

    def _drop_rare(self) -> None:
        """Keep the more frequent half of the tokens, and forget the others, also in the file."""
        ids = self.finish()
        counts, _ = count_tokens(ids)
        counts[[token in self._protected for token in ids.unknown]] = sys.maxsize
        kept = np.sort(np.argsort(-counts, kind="stable")[: self._most // 2])
        new_ids = np.full(FIRST_TOKEN + len(ids.unknown), UNKNOWN, np.int32)
        new_ids[FIRST_TOKEN + kept] = FIRST_TOKEN + np.arange(len(kept))
        for part in ids.parts():
            part.flat[:] = new_ids[part.flat]
        self._renumber(ids.unknown[i] for i in kept)

    def finish(self) -> TokenIds:
        """Return all texts.

        Returns
        -------
        TokenIds
            On disk, in terms of an empty vocabulary: all tokens are told apart.
        """
        offsets = to_offsets(np.concatenate(self._lengths))
        return TokenIds(self._flat.to_array(), offsets, (*self._first, *self._later), on_disk=True)
