"""Readers and writers of one folder at the same time, and writers that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

import sktextcnn
from sktextcnn.storage import folder
from sktextcnn.storage.folder import read_folder, write_folder
from tests.folders import arrays_of


def state(n):
    """Return values whose parts tell whether they belong together."""
    return {"n": n, "arrays": [np.full(50, n + i) for i in range(6)]}


def number_of(path):
    """Return which state is in a folder; all of it must be."""
    _, found = read_folder(path)
    assert [array.tolist() for array in found["arrays"]] == [
        array.tolist() for array in state(found["n"])["arrays"]
    ]
    return found["n"]


@pytest.fixture
def model(tmp_path):
    write_folder(tmp_path / "model", state(0))
    return tmp_path / "model"


can_lock = pytest.mark.skipif(os.name == "nt", reason="folders cannot be locked there")


def test_a_reader_whose_model_is_replaced_gets_the_new_one(model, monkeypatch):
    real, opened = folder.open_array, []

    def open_array(path, *arguments, **options):
        opened.append(path)
        if len(opened) in (3, 5):  # twice, in the midst of the arrays
            write_folder(model, state(len(opened)), overwrite=True)
        return real(path, *arguments, **options)

    monkeypatch.setattr(folder, "open_array", open_array)
    assert number_of(model) == 5


def test_a_reader_that_has_opened_all_keeps_the_old_one(model, monkeypatch):
    real, looked_at = folder.to_array, []

    def to_array(raw, *arguments):
        looked_at.append(raw)
        if len(looked_at) == 2:
            write_folder(model, state(1), overwrite=True)
        return real(raw, *arguments)

    monkeypatch.setattr(folder, "to_array", to_array)
    assert number_of(model) == 0
    assert number_of(model) == 1


@can_lock
def test_a_reader_and_two_writers(model):
    """Every reader gets a whole model, no writer fails, and one model is left."""
    found = set()

    def write(first):
        for n in range(first, first + 25):
            write_folder(model, state(n), overwrite=True)

    def read():
        while writing:
            found.add(number_of(model))

    writing = True
    with ThreadPoolExecutor(3) as pool:
        reader = pool.submit(read)
        writers = [pool.submit(write, first) for first in (100, 200)]
        wait(writers)
        writing = False
    for job in [reader, *writers]:
        job.result()
    assert len(found) > 2
    assert number_of(model) in (124, 224)
    assert {*os.listdir(model)} == {"model.json", arrays_of(model).name}


@can_lock
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_writer_waits_for_another(tmp_path, monkeypatch, overwrite):
    """The second one finds what the first one wrote: an error, or a model to replace."""
    path, started, go_on = tmp_path / "model", threading.Event(), threading.Event()
    real = folder.write_array

    def write_array(file, array):
        if array[0] == 1:
            started.set()
            assert go_on.wait(60)
        return real(file, array)

    monkeypatch.setattr(folder, "write_array", write_array)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(write_folder, path, state(1))
        assert started.wait(60)
        second = pool.submit(write_folder, path, state(7), overwrite=overwrite)
        assert not wait([second], timeout=0.3).done
        go_on.set()
        first.result()
        if overwrite:
            second.result()
        else:
            with pytest.raises(FileExistsError, match=r"exists\. Choose another path"):
                second.result()
    assert number_of(path) == (7 if overwrite else 1)


@can_lock
def test_a_writer_goes_on_where_the_one_that_it_waited_for_fails(tmp_path, monkeypatch):
    """That one had made the folder, and removes it."""
    path, started, go_on = tmp_path / "model", threading.Event(), threading.Event()
    real = folder.write_array

    def write_array(file, array):
        if array[0] == 1:
            started.set()
            assert go_on.wait(60)
            raise OSError("no space left")
        return real(file, array)

    monkeypatch.setattr(folder, "write_array", write_array)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(write_folder, path, state(1))
        assert started.wait(60)
        second = pool.submit(write_folder, path, state(7))
        assert not wait([second], timeout=0.3).done
        go_on.set()
        with pytest.raises(OSError, match="no space left"):
            first.result()
        second.result()
    assert number_of(path) == 7


KILLED = """
import os, signal, sys
import numpy as np
from sktextcnn.storage import folder

path, function, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
real, calls = getattr(os, function), []


def kill(*arguments):
    calls.append(arguments)
    if len(calls) == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)


setattr(os, function, kill)
folder.write_folder(path, {"n": 7, "arrays": [np.full(50, 7 + i) for i in range(6)]}, overwrite=True)
"""


@can_lock
@pytest.mark.parametrize(
    ("function", "at", "left"),
    [("fsync", 1, 0), ("fsync", 7, 0), ("replace", 1, 0), ("unlink", 3, 7), ("rmdir", 1, 7)],
)
def test_a_killed_writer_leaves_a_whole_model_and_the_next_one_tidies_up(model, function, at, left):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(model), function, str(at)],
        cwd=Path(sktextcnn.__file__).parents[1],
        check=False,
        timeout=60,
    )
    assert done.returncode == -9
    assert len(os.listdir(model)) == 3
    assert number_of(model) == left
    write_folder(model, state(1), overwrite=True)
    assert {*os.listdir(model)} == {"model.json", arrays_of(model).name}
    assert number_of(model) == 1


def test_where_folders_cannot_be_locked_only_the_old_model_is_removed(model, monkeypatch):
    monkeypatch.setattr(folder, "find_spec", lambda name: None)
    (model / "arrays-0123abcd").mkdir()  # of another writer, at work or killed
    for n in range(3):
        write_folder(model, state(n), overwrite=True)
        assert number_of(model) == n
    assert {*os.listdir(model)} == {"model.json", arrays_of(model).name, "arrays-0123abcd"}
