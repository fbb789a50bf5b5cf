"""Files of word vectors, of any form and with any fault."""

from __future__ import annotations

import gzip
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.embeddings import (
    load_embeddings,
)
from tests.vector_files import ARRAY, FILES, HEADER, binary_of, each_file, text_of


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@each_file
def test_file_is_recognised(content, packed, write, vectors):
    path = write(gzip.compress(content, mtime=0) if packed else content)
    assert load_embeddings(path) == vectors
    assert load_embeddings(str(path)) == vectors


words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=6)


@given(
    st.lists(words, min_size=1, max_size=8, unique=True).filter(
        lambda found: not any(word.strip() != word or word.startswith("PK") for word in found)
    ),
    st.data(),
)
def test_what_is_written_is_read(tmp_path_factory, found, data):
    dim = data.draw(st.integers(2, 5))
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
    row = st.lists(floats, min_size=dim, max_size=dim)
    array = np.array(data.draw(st.lists(row, min_size=len(found), max_size=len(found))), np.float32)
    path = tmp_path_factory.getbasetemp() / "drawn"
    header = f"{len(found)} {dim}\n".encode()
    for content in (header + text_of(found, array), text_of(found, array)):
        path.write_bytes(content)
        if content.startswith(header) or not found[0].isdecimal():
            assert load_embeddings(path) == load_embeddings(array, found)
    # Numbers of binary files could in principle all look like letters; these cannot.
    array[0, 0] = 1.0
    for end in (b"", b"\n"):
        path.write_bytes(header + binary_of(found, array, end))
        assert load_embeddings(path) == load_embeddings(array, found)


def test_words_with_spaces(write):
    names = ["the", ". . .", "at name@domain.com", "\u00a0", "a\u0085b", "3", "-1.5", "nan"]
    array = np.arange(24, dtype=np.float32).reshape(8, 3)
    expected = load_embeddings(array, names)
    assert load_embeddings(write(text_of(names, array))) == expected
    assert load_embeddings(write(b"8 3\n" + text_of(names, array))) == expected


@pytest.mark.parametrize("first", [". . .", "5", "nan", "\U0001f600"])
def test_first_word_of_a_file_without_header(write, first):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert load_embeddings(write(text_of([first, "a"], array))).words == (first, "a")


def test_binary_vectors_that_hold_newlines_and_spaces(write):
    odd = struct.unpack("<2f", b"\n\n \n a b")
    array = np.array([odd, [1, 2], odd], np.float32)
    for end in (b"", b"\n"):
        path = write(b"3 2\n" + binary_of(["x", "y", "z"], array[[1, 0, 2]], end))
        assert load_embeddings(path) == load_embeddings(array[[1, 0, 2]], ["x", "y", "z"])


def test_long_files_are_read_in_pieces(write, monkeypatch):
    monkeypatch.setattr("sktextcnn.text.vector_files._CHUNK", 50)
    names = [f"word{i}" for i in range(300)]
    array = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)
    for end in (b"", b"\n"):
        path = write(b"300 20\n" + binary_of(names, array, end))
        assert load_embeddings(path) == load_embeddings(array, names)


def test_more_words_than_first_made_room_for(write):
    array = np.arange(20000, dtype=np.float32).reshape(10000, 2)
    names = [f"w{i}" for i in range(10000)]
    loaded = load_embeddings(write(text_of(names, array)))
    assert loaded == load_embeddings(array, names)


@pytest.mark.parametrize("header", [b"", b"6000 60\n"], ids=["GloVe", "word2vec"])
def test_memory_is_that_of_the_table(write, header):
    array = np.full((6000, 60), 0.25, np.float32)
    path = write(header + text_of([f"w{i}" for i in range(6000)], array))
    tracemalloc.start()
    try:
        load_embeddings(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # As lists of floats the numbers alone would take eight times as much.
    assert peak < 3 * array.nbytes


LINE = b"the 0.5 1 2\n"
LATIN = "caf\u00e9 1 2 3\n".encode("latin-1")
PAIR = binary_of(["a", "b"], ARRAY[:2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "'.*vectors' holds no vectors"),
        (b"\n\n", "holds no vectors"),
        (b"0 3\n", "holds no vectors"),
        (b"3 0\n", "holds no vectors|ends after 0 of the 3 words"),
        (b"\n".join([b"An essay", b"about words"]), "neither in word2vec's nor in GloVe's .*b'An essay"),
        (bytes(range(1, 200)), "neither in word2vec's nor in GloVe's"),
        (LINE + b"a 1 2\n", "Line 2 of '.*vectors': expected 3 numbers after the word, got 2"),
        (LINE + b"a 1 2 3 4\n", "Line 2 of .*: expected 3 numbers after the word, got 4"),
        (LINE + b"a\n", "Line 2 of .*: expected 3 numbers after the word, got 0"),
        (LINE + b"\na 1 2\n", "Line 3 of .*: expected 3 numbers after the word, got 2"),
        (
            LINE + b"a 1 x 3\n",
            r"Line 2 of .*: expected 3 numbers after the word, got 1 at the end of b'a 1 x 3'",
        ),
        (
            LINE + b"a 1  3\n",
            r"Line 2 of .*: expected 3 numbers after the word, got 1 at the end of b'a 1  3'",
        ),
        (b"2 3\n" + LINE + b"a 1 2\n", "Line 3 of .*: expected 3 numbers after the word, got 2"),
        (b"2 2\n" + LINE, "Line 2 of .*: expected 2 numbers after the word, got 3"),
        (b"2 4\n" + LINE, "Line 2 of .*: expected 4 numbers after the word, got 3"),
        (LINE + b"a 1 nan 3\n", "The vector of 'a' in '.*vectors' is not finite"),
        (LINE + b"a 1 -inf 3\n", "The vector of 'a' in .* is not finite"),
        (LINE + b"a 1 1e39 3\n", "The vector of 'a' in .* is not finite, at least in float32"),
        (LINE + LATIN, r"Line 2 of .* begins with b'caf\\xe9', which is not UTF-8\. Convert the file"),
        (b"3 3\n" + LINE, "ends after 1 of the 3 words that its header promises; is it cut off"),
        (b"3 3\n", "ends after 0 of the 3 words"),
        (b"99999 3\n" + LINE, "ends after 1 of the 99999 words"),
        (b"3 99999\n" + LINE, "Line 2 of .*: expected 99999 numbers after the word, got 3"),
        (b"9999999999999 3\n" + LINE, "Line 2 of .*: expected 1 numbers"),  # not a header
        (
            b"1 3\n" + LINE + b"a 1 2 3\n",
            "Line 3 of .* is one more than the 1 words that its header pro",
        ),
        (b"2 3\n" + PAIR[:-1], "ends after 1 of the 2 words"),
        (b"3 3\n" + PAIR, "ends after 2 of the 3 words"),
        (b"1 3\n" + PAIR, "goes on after the 1 words that its header promises"),
        (b"2 3\n" + PAIR.replace(b"b ", b"\xff "), r"Word 2 of .* begins with b'\\xff', which is not"),
        (b"1 3\n" + binary_of(["a"], ARRAY[:1] * np.nan), "The vector of 'a' in .* is not finite"),
        (b"PK\x03\x04rest", "is a zip archive; unpack it and pass one of its files"),
        (pickle.dumps({"a": 1}), r"is a pickle; load it with what wrote it \(gensim: KeyedVectors.load"),
        (b"\xba\x16\x4f\x2f\x0c", r"is a fastText model; pass the \.vec file"),
        (b"\x93NUMPY\x01", "is a NumPy array; pass the array and its words"),
        (
            gzip.compress(FILES["GloVe text"], mtime=0)[:-9],
            "is damaged or cut off: Compressed file ended",
        ),
        (gzip.compress(FILES["GloVe text"], mtime=0)[:-8] + b"\0" * 8, "is damaged or cut off: .*CRC"),
        (
            gzip.compress(b"PKword 1 2\nb 1\n", mtime=0),
            "Line 2 of .*: expected 2 numbers after the word, got 1",
        ),
    ],
)
def test_bad_files(write, content, message):
    with pytest.raises(ValueError, match=message):
        load_embeddings(write(content))


def test_word_without_end(write, monkeypatch):
    monkeypatch.setattr("sktextcnn.text.vector_files._CHUNK", 50)
    content = b"2 3\n" + binary_of(["a"], ARRAY[:1]) + b"x" * 300
    with pytest.raises(ValueError, match=r"Word 2 of .* does not end; is the file damaged"):
        load_embeddings(write(content))


def test_folder_is_no_file(tmp_path):
    with pytest.raises(OSError, match=tmp_path.name):
        load_embeddings(tmp_path)


@pytest.mark.parametrize("name", ["word2vec text", "word2vec binary of gensim", "GloVe text"])
def test_repeated_words_in_files(name, write):
    names = ["a", "b", "a", "a", "c"]
    content = binary_of(names, ARRAY) if "binary" in name else text_of(names, ARRAY)
    path = write(content if "GloVe" in name else HEADER + content)
    with pytest.warns(UserWarning, match="vectors' holds 2 vectors of words that came before, .* 'a'"):
        loaded = load_embeddings(path)
    assert loaded == load_embeddings(ARRAY[[0, 1, 4]], ["a", "b", "c"])
