"""Numbers on disk: the same numbers, in plain arrays, and no file that stays."""

from __future__ import annotations

import gc
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.text import tokens
from sktextcnn.text.numbering import TokenNumbering
from sktextcnn.text.spool import Spool, join_on_disk
from sktextcnn.text.tokens import encode
from tests.strategies import corpora


@given(parts=st.lists(st.lists(st.integers(-5, 2**31 - 1), max_size=5), max_size=5))
def test_parts_come_back_as_one_array(parts):
    array = join_on_disk(map(np.array, parts), np.int32)
    assert array.tolist() == [number for part in parts for number in part]
    assert type(array) is np.ndarray
    assert array.dtype == np.int32


def test_arrays_can_be_changed_and_appended_to():
    spool = Spool(np.int32)
    spool.append(np.arange(3))
    array = spool.to_array()
    array[1] = 7
    spool.append(np.array([5]))
    assert spool.to_array().tolist() == [0, 7, 2, 5]


def test_arrays_outlive_their_spool(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = join_on_disk([np.arange(10_000)], np.int32)
    gc.collect()
    assert array.sum() == sum(range(10_000))
    assert not [*tmp_path.iterdir()]


def number(texts, size):
    numbering = TokenNumbering(str.split)
    for start in range(0, len(texts), size):
        numbering.add(texts[start : start + size])
    return numbering.finish()


@pytest.fixture(scope="module", autouse=True)
def small_parts():
    """Texts on disk are worked on a few tokens at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "TOKENS_PER_PART", 3)
        yield


@given(texts=corpora(), size=st.integers(1, 9), max_length=st.integers(1, 4), data=st.data())
def test_texts_on_disk_become_what_others_become(texts, size, max_length, data):
    on_disk, in_memory = number(texts, size), encode(texts, str.split, {}, keep_unknown=True)
    assert on_disk.on_disk
    vocabulary = {token: i for i, token in enumerate(sorted({*in_memory.unknown})[::2])}
    rows = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1))), int)
    changes = {
        "none": lambda ids: ids,
        "other terms": lambda ids: ids.in_terms_of(vocabulary),
        "truncated": lambda ids: ids.in_terms_of(vocabulary).truncated(max_length),
        "known": lambda ids: ids.in_terms_of(vocabulary).known(len(vocabulary) + 2),
        "some": lambda ids: ids.take(rows),
    }
    for change in changes.values():
        found, expected = change(on_disk), change(in_memory)
        assert found.flat.tolist() == expected.flat.tolist()
        assert found.offsets.tolist() == expected.offsets.tolist()
        assert found.unknown == expected.unknown
