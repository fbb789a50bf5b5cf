"""Values in one file: whole, or not at all, and never others than were written."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.storage.archive import read_archive, write_archive

STATE = {
    "epoch": 3,
    "loss": [0.1, float("nan"), float("inf")],
    "best": None,
    "name": "half a pair: \ud800",
    "weights": {"kernel": np.arange(12, dtype=np.float32).reshape(3, 4).T, "bias": np.zeros((0, 2))},
    "steps": np.array(7),
    "words": np.array(["goal", "vote"]),
}


def assert_equal(found, expected):
    np.testing.assert_equal(found, expected)
    for name in ("kernel", "bias"):
        assert found["weights"][name].dtype == expected["weights"][name].dtype
        assert found["weights"][name].flags.writeable


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "state"
    write_archive(path, STATE)
    return path


def test_values_come_back(path):
    assert_equal(read_archive(path), STATE)
    write_archive(path, {"epoch": 4})
    assert read_archive(path) == {"epoch": 4}
    assert os.listdir(path.parent) == ["state"]


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "state"
    write_archive(path, STATE)
    return path, path.read_bytes()


@given(data=st.data())
def test_every_damage_is_found(content, data):
    path, whole = content
    at = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(["cut", "lose the front", "insert"]))
    if kind == "cut":
        damaged = whole[:at]
    elif kind == "lose the front":
        damaged = whole[at + 1 :]
    else:
        damaged = whole[:at] + data.draw(st.binary(min_size=1, max_size=30)) + whole[at:]
    path.write_bytes(bytes(damaged))
    with pytest.raises(ValueError):
        read_archive(path)


def test_every_byte_counts(content):
    path, whole = content
    for at in range(0, len(whole), 11):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(bytes(damaged))
        with pytest.raises(ValueError):
            read_archive(path)


def test_no_file_and_no_regular_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "none")
    with pytest.raises(ValueError, match="is a folder; expected a regular file"):
        read_archive(tmp_path)


def test_what_cannot_be_written_leaves_what_was_there(path, monkeypatch):
    with pytest.raises(TypeError, match="which cannot be saved"):
        write_archive(path, {"weights": object()})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_archive(path, {"epoch": 4})
    assert os.listdir(path.parent) == ["state"]
    assert_equal(read_archive(path), STATE)


def test_writers_and_readers_at_the_same_time(path):
    found = []

    def write():
        for _ in range(10):
            write_archive(path, STATE)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        found.append(read_archive(path))
    for each in found:
        assert_equal(each, STATE)
    assert found
    assert os.listdir(path.parent) == ["state"]
