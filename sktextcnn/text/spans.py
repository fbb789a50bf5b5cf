"""Where tokens stand in a text, counted in characters.

Lower-casing and stripping accents change lengths: 'İ' becomes two characters, an accent none. Both treat
each character by itself, so every character that a token is made of can be traced to the one it was.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from sktextcnn.text.tokens import STEPS_BY_CHARACTER, Tokenize, Tokenizer

Spans = list[tuple[int, int]]


def find_spans(text: str, tokens: Sequence[str], tokenize: Tokenize) -> Spans | None:
    """Return where each token stands in its text.

    Parameters
    ----------
    text : str
    tokens : sequence of str
        ``tokenize(text)``.
    tokenize : callable
        What `sktextcnn.text.tokens.build_tokenizer` returned.

    Returns
    -------
    list of (int, int), or None
        Start and stop of each token, as of ``text[start:stop]``. None if a function of the user's made
        the tokens, and they do not make up the text again, with white space between them.

    Examples
    --------
    >>> from sktextcnn.text.spans import find_spans
    >>> from sktextcnn.text.tokens import build_tokenizer
    >>> tokenize = build_tokenizer(strip_accents="unicode")
    >>> text = "İzmir, déjà-vu"
    >>> tokens = tokenize(text)
    >>> tokens
    ['izmir', ',', 'deja', '-', 'vu']
    >>> [text[start:stop] for start, stop in find_spans(text, tokens, tokenize)]
    ['İzmir', ',', 'déjà', '-', 'vu']
    """
    if not isinstance(tokenize, Tokenizer):
        return _find_one_after_another(tokens, text)
    sources: list[int] | None = None
    prepared = text
    for step in tokenize.steps:
        before, prepared = prepared, step(prepared)
        if step not in STEPS_BY_CHARACTER and before != prepared:
            return None
        if before != prepared and not before.isascii():
            sources = _trace(step, before, sources or range(len(text)))
    spans = _find_in_prepared(prepared, tokens, tokenize)
    return spans if spans is None or sources is None else _to_original(spans, sources, text)


def _trace(step: Callable[[str], str], text: str, sources: Sequence[int]) -> list[int]:
    """Return where the characters that a step leaves come from; `sources` says it of those it got."""
    lengths = [1 if character < "\x80" else len(step(character)) for character in text]
    return [source for source, n in zip(sources, lengths, strict=True) for _ in range(n)]


def _find_in_prepared(text: str, tokens: Sequence[str], tokenize: Tokenizer) -> Spans | None:
    if tokenize.split is list:
        return [(position, position + 1) for position in range(len(text))]
    if tokenize.pattern is None:
        return _find_one_after_another(tokens, text)
    matches, group = tokenize.pattern.finditer(text), tokenize.pattern.groups
    if not group:
        return [match.span() for match in matches]
    # A group without a part in the match has no position: its token is empty.
    spans = [match.span(group if match[group] is not None else 0) for match in matches]
    return spans if spans == sorted(spans) else None  # a group may look ahead


def _find_one_after_another(tokens: Iterable[str], text: str) -> Spans | None:
    """Return where tokens stand that are all of the text, but for white space; else None."""
    spans, position = [], 0
    for token in map(str, tokens):
        start = text.find(token, position)
        if start < 0 or text[position:start].strip():
            return None
        position = start + len(token)
        spans.append((start, position))
    return None if text[position:].strip() else spans


def _to_original(spans: Spans, sources: list[int], text: str) -> Spans:
    kept = {*sources}
    sources = [*sources, len(text)]

    def stop_after(source: int) -> int:
        stop = source + 1
        while stop < len(text) and stop not in kept and unicodedata.combining(text[stop]):
            stop += 1  # an accent that was stripped belongs to the letter before it
        return stop

    return [
        (sources[start], stop_after(sources[stop - 1]) if stop > start else sources[start])
        for start, stop in spans
    ]
