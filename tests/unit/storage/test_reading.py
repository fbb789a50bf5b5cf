"""What is not a whole model, as it was written, is refused."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import sktextcnn
from sktextcnn.storage import folder
from sktextcnn.storage.folder import read_folder, write_folder
from tests.folders import (
    EMBEDDING,
    STATE,
    arrays_of,
    document_of,
    edit,
    put_array,
    put_file,
    read,
)
from tests.folders import (
    assert_same_values as assert_same,
)
from tests.strategies import examples_up_to


def test_no_folder(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="nowhere does not exist; expected a folder with a saved"
    ):
        read(tmp_path / "nowhere")


def test_a_file_is_no_folder(model):
    with pytest.raises(ValueError, match=r"model\.json is a file; expected a folder with a saved model"):
        read(model / "model.json")


def test_no_model_in_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no model\.json: it is not a saved model"):
        read(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[1, 2", b"\xff\xfe\xfa", b"[" * 100_000])
def test_a_model_that_is_not_json(model, text):
    (model / "model.json").write_bytes(text)
    with pytest.raises(ValueError, match=r"model\.json is not JSON .*: damaged, or not a saved model"):
        read(model)


@pytest.mark.parametrize("text", ["[]", "1", "null", "{}", '{"format": true, "sktextcnn": ""}'])
def test_json_of_something_else(model, text):
    (model / "model.json").write_text(text)
    with pytest.raises(ValueError, match=r"was not written by sktextcnn: it has no format number"):
        read(model)


def test_a_later_format(model):
    (model / "model.json").write_text('{"format": 7, "sktextcnn": "4.2.0", "state": {"$new": []}}')
    message = (
        r"model was written by sktextcnn 4\.2\.0 in format 7; this is sktextcnn "
        rf"{sktextcnn.__version__}, which reads formats up to 1\. Upgrade sktextcnn\."
    )
    with pytest.raises(ValueError, match=message):
        read(model)


def test_a_later_schema(model):
    edit(model, lambda document: document.update(schema=4, sktextcnn="4.2.0"))
    message = r"written by sktextcnn 4\.2\.0 in schema 4; .*, which reads schemas up to 3\. Upgrade"
    with pytest.raises(ValueError, match=message):
        read(model, schema=3)
    with pytest.raises(FileExistsError, match="is left as it is"):
        write_folder(model, STATE, schema=3, overwrite=True)
    assert read_folder(model, schema=4)[0] == 4


@pytest.mark.parametrize("part", ["schema", "folder", "arrays", "state"])
def test_a_model_with_a_part_missing(model, part):
    edit(model, lambda document: document.pop(part))
    with pytest.raises(ValueError, match=rf"model\.json is damaged \('{part}'\)"):
        read(model)


@pytest.mark.parametrize(
    "state",
    [
        {"$array": "01-other"},
        {"$array": [1]},
        {"$later": 1},
        {"$dict": [[1]]},
        {"$dict": [[[], 1]]},
        {"$float": "x"},
        {"$numbered": 3},
        {"$objects": {"shape": [3], "items": ["a"]}},
        {"$objects": []},
        {"$set": [[1]]},
    ],
)
def test_a_damaged_state(model, state):
    edit(model, lambda document: document.update(state={"deep": [state]}))
    with pytest.raises(ValueError, match=r"model\.json is damaged: the values cannot be read \("):
        read(model)


def test_a_missing_array(model):
    (arrays_of(model) / f"{EMBEDDING}.npy").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{EMBEDDING}\.npy is missing; copy the whole folder"):
        read(model)


def test_the_arrays_missing(model):
    shutil.rmtree(arrays_of(model))
    with pytest.raises(FileNotFoundError, match=r"arrays-\w+ is missing; copy the whole folder"):
        read(model)


@pytest.mark.usefixtures("map_from")
@pytest.mark.parametrize("lost", [1, 47, -1])
def test_an_array_of_another_length(model, lost):
    path = arrays_of(model) / f"{EMBEDDING}.npy"
    data = path.read_bytes()
    path.write_bytes(data[:-lost] if lost > 0 else data + b"\0")
    with pytest.raises(ValueError, match=r"has \d+ bytes instead of 176: it was cut off or changed"):
        read(model)


@pytest.mark.usefixtures("map_from")
def test_an_array_of_other_bytes(model):
    path = arrays_of(model) / f"{EMBEDDING}.npy"
    np.save(path, np.ones((4, 3), "f4"))
    with pytest.raises(ValueError, match=rf"{EMBEDDING}\.npy is damaged: its checksum is not the one"):
        read(model)


def test_other_words_in_model_json(model):
    text = (model / "model.json").read_text()
    (model / "model.json").write_text(text.replace('"match"', '"watch"'))
    with pytest.raises(ValueError, match=r"model\.json is damaged \(its checksum is not the one"):
        read(model)


def test_model_json_may_be_laid_out_for_people(model):
    (model / "model.json").write_text(json.dumps(document_of(model), indent=2))
    assert_same(read(model), STATE)


@pytest.mark.parametrize("other", [np.zeros((3, 4), "f4"), np.zeros((4, 3), "f8"), np.zeros(4, ">f4")])
def test_an_array_of_another_model(model, other):
    entry = {**document_of(model)["arrays"][EMBEDDING]}
    put_array(model, EMBEDDING, other)
    edit(model, lambda document: document["arrays"][EMBEDDING].update(dtype="<f4", shape=entry["shape"]))
    message = (
        r"holds an array of shape .*, but \[4, 3\] and <f4 are written down: the files are not from"
    )
    with pytest.raises(ValueError, match=message):
        read(model)


def npy(header):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x93NUMPY\x01", b"\x93NUMPY\x09\x00v\x00{}", b"PK\x03\x04 a zip"),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3"),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3)}" + b" " * 30_000),
        npy(b"(" * 9_000),
    ],
    ids=range(7),
)
def test_a_file_that_holds_no_array(model, data):
    put_file(model, EMBEDDING, data)
    with pytest.raises(ValueError, match=rf"{EMBEDDING}\.npy is not the array that was saved"):
        read(model)


@pytest.mark.parametrize("shape", [(10**12,), (4, 3, 2**40), (2**62, 4)])
@pytest.mark.parametrize("dtype", ["<f4", "<U1000000", "|S1"])
def test_a_header_that_claims_more_than_there_is(model, dtype, shape):
    """Nothing is allocated for it."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}"
    put_file(model, EMBEDDING, npy(header.encode()) + bytes(48))
    edit(model, lambda document: document["arrays"][EMBEDDING].update(dtype=dtype, shape=[*shape]))
    with pytest.raises(ValueError, match=r"\.npy has \d+ bytes, but \d+ items of dtype"):
        read(model)


def test_a_model_json_that_is_too_long(model, monkeypatch):
    monkeypatch.setattr(folder, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match=r"model\.json has \d+ bytes; expected 100 at most"):
        read(model)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
@pytest.mark.parametrize("which", ["model.json", "an array", "the arrays"])
def test_what_is_no_regular_file_is_never_opened(model, which, kind):
    """Opening a pipe that nobody writes to would wait for ever."""
    arrays = arrays_of(model)
    path = {"model.json": model / "model.json", "an array": arrays / f"{EMBEDDING}.npy"}.get(
        which, arrays
    )
    path.rename(model.parent / "elsewhere")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(model.parent / "elsewhere")
    elif which == "the arrays":
        path.write_text("a file")
        kind = "file"
    else:
        path.mkdir()
    words = {"link": "a symbolic link", "pipe": "a special file, such as a pipe or a device"}
    expected = "folder" if which == "the arrays" else "regular file"
    message = f"{path.name} is {words.get(kind, f'a {kind}')}; expected a {expected}. Copy"
    with pytest.raises(ValueError, match=re.escape(message)):
        read(model)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_to_a_whole_model_is_a_model(model):
    link = model.parent / "current"
    link.symlink_to(model)
    assert_same(read(link), STATE)
    write_folder(link, {"new": 1}, overwrite=True)
    assert read(model) == {"new": 1}
    assert link.is_symlink()


class Planted:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_are_never_read(model, tmp_path):
    path = arrays_of(model) / f"{EMBEDDING}.npy"
    planted = np.empty((4, 3), object)
    planted[:] = Planted(tmp_path / "trap")
    put_array(model, EMBEDDING, planted, allow_pickle=True)  # and model.json speaks of objects
    with pytest.raises(ValueError, match="holds Python objects, which are never read"):
        read(model)
    put_file(model, EMBEDDING, pickle.dumps(Planted(tmp_path / "trap")))
    with pytest.raises(ValueError, match="is not the array that was saved"):
        read(model)
    assert not (tmp_path / "trap").exists()
    pickle.loads(path.read_bytes())  # the trap does work
    assert (tmp_path / "trap").exists()


def test_no_pickle_is_written(model):
    for path in arrays_of(model).iterdir():
        assert not np.load(path, allow_pickle=False).dtype.hasobject
    assert {path.name for path in arrays_of(model).iterdir()} == {f"{EMBEDDING}.npy"}


@examples_up_to(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_wrong_byte_is_refused_or_changes_nothing(model, data):
    path = data.draw(st.sampled_from([model / "model.json", arrays_of(model) / f"{EMBEDDING}.npy"]))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(min_size=0, max_size=1))
    path.write_bytes(whole[:at] + byte + whole[at + 1 :])
    try:
        assert_same(read(model), STATE)
    except (ValueError, FileNotFoundError) as error:
        assert str(model) in str(error)  # noqa: PT017 - either is right
    finally:
        path.write_bytes(whole)
