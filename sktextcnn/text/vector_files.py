"""Files of word vectors -> words and an array.

Formats are recognised by what is in a file: word2vec text and binary begin with a line that names the
number of words and the length of a vector, GloVe text begins with the first word; any of them may be
compressed with gzip.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any, BinaryIO

import numpy as np

#: How other files begin that are easily taken for word vectors, and what to do with them.
_OTHER_FILES = {
    b"PK\x03\x04": "is a zip archive; unpack it and pass one of its files.",
    b"\x80": "is a pickle; load it with what wrote it (gensim: KeyedVectors.load) and pass the result.",
    b"\xba\x16\x4f\x2f": "is a fastText model; pass the .vec file that fastText writes beside it.",
    b"\x93NUMPY": "is a NumPy array; pass the array and its words.",
}

_CHUNK = 1 << 20

#: Words, their vectors, and the words that came again.
Found = tuple[list[str], np.ndarray, list[str]]
Entries = Iterator[tuple[str, np.ndarray]]


def collect(entries: Entries, dim: int, room: int, limit: int | None, wanted: set | None) -> Found:
    """Put words and vectors together as they come, in room for so many or, if need be, more."""
    rows: dict[str, int] = {}
    vectors = np.empty((min(room, limit or room), dim), np.float32)
    repeated = []
    for word, vector in islice(entries, limit):
        if wanted is not None and word not in wanted:
            continue
        row = len(rows)
        if rows.setdefault(word, row) < row:
            repeated.append(word)
            continue
        if row == len(vectors):
            vectors.resize((row + row // 2 + 1, dim), refcheck=False)
        vectors[row] = vector
    vectors.resize((len(rows), dim), refcheck=False)
    return [*rows], vectors, repeated


def read_file(path: Any, limit: int | None, wanted: set | None, name: str) -> Found:
    """Read a file in any of the formats: the first `limit` words, and of them those `wanted`."""
    with open(path, "rb") as plain:
        start = plain.read(8)
        plain.seek(0)
        for magic, advice in _OTHER_FILES.items():
            if start.startswith(magic):
                raise ValueError(f"{name} {advice}")
        packed = start.startswith(b"\x1f\x8b")
        try:
            with gzip.GzipFile(fileobj=plain) if packed else plain as stream:
                return _from_stream(stream, limit, wanted, name)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{name} is damaged or cut off: {error}") from error


def _from_stream(stream: Any, limit: int | None, wanted: set | None, name: str) -> Found:
    first = stream.readline(_CHUNK)
    header = re.fullmatch(rb"(\d{1,9})[ \t]+(\d{1,5})\s*", first)
    if header:
        n_words, dim = map(int, header.groups())
        body = stream.tell()
        payload = stream.read(4 * dim + 4096).partition(b" ")[2][: 4 * dim]
        stream.seek(body)
        read = _binary_entries if _is_binary(payload) else _text_entries
        entries = read(stream, dim, n_words, name)
        room = n_words
    else:
        dim, room = _count_numbers(first), 4096  # this format does not say how many words there are
        stream.seek(0)
        if first.strip() and not dim:
            raise ValueError(
                f"{name} is neither in word2vec's nor in GloVe's format: its first line is "
                f"{first[:40]!r}; expected a word and its numbers, separated by single spaces."
            )
        entries = _text_entries(stream, dim, None, name)
    return collect(entries, dim, room, limit, wanted)


def _is_binary(payload: bytes) -> bool:
    """Tell the bytes of numbers from digits."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(payload)  # the end may be missing
    except UnicodeDecodeError:
        return True
    return any(character < " " and character not in "\t\r\n" for character in text)


def _text_entries(stream: BinaryIO, dim: int, n_words: int | None, name: str) -> Entries:
    n_read = 0
    for number, line in enumerate(stream, start=1 if n_words is None else 2):
        where = f"Line {number} of {name}"
        fields = line.rstrip().rsplit(b" ", dim)
        if fields == [b""]:
            continue
        if n_read == n_words:
            raise ValueError(f"{where} is one more than the {n_words} words that its header promises.")
        n_read += 1
        try:
            if b" " in fields[0] and _is_number(fields[0].rpartition(b" ")[2]):
                raise ValueError("too many numbers")
            vector = np.fromiter(map(float, fields[1:]), np.float32, dim)
        except ValueError:
            raise ValueError(
                f"{where}: expected {dim} numbers after the word, got {_count_numbers(line)} at the end "
                f"of {line.rstrip()[-40:]!r}."
            ) from None
        yield _decode(fields[0], where), vector
    if n_words is not None and n_read < n_words:
        raise _cut_off(name, n_read, n_words)


def _binary_entries(stream: BinaryIO, dim: int, n_words: int, name: str) -> Entries:
    buffer, start, width = b"", 0, 4 * dim
    for number in range(n_words):
        while (space := buffer.find(b" ", start)) < 0 or len(buffer) - space - 1 < width:
            if space < 0 and len(buffer) - start > _CHUNK:
                raise ValueError(f"Word {number + 1} of {name} does not end; is the file damaged?")
            chunk = stream.read(_CHUNK + width)
            if not chunk:
                raise _cut_off(name, number, n_words)
            buffer, start = buffer[start:] + chunk, 0
        # The original word2vec ends each vector with a newline, gensim does not.
        word = _decode(buffer[start:space].lstrip(b"\n"), f"Word {number + 1} of {name}")
        yield word, np.frombuffer(buffer, "<f4", dim, space + 1)
        start = space + 1 + width
    if (buffer[start:] + stream.read(_CHUNK)).strip(b"\n"):
        raise ValueError(f"{name} goes on after the {n_words} words that its header promises.")


def _cut_off(name: str, n_read: int, n_words: int) -> ValueError:
    return ValueError(
        f"{name} ends after {n_read} of the {n_words} words that its header promises; is it cut off?"
    )


def _decode(word: bytes, where: str) -> str:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(
            f"{where} begins with {word[:40]!r}, which is not UTF-8. Convert the file, or read it with "
            "gensim (unicode_errors='ignore') and pass the KeyedVectors."
        ) from None


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _count_numbers(line: bytes) -> int:
    """Return how many numbers end a line, after at least one field for the word."""
    fields = reversed(line.rstrip().split(b" ")[1:])
    return sum(1 for _ in takewhile(_is_number, fields))
