"""Folders of values: what goes in comes out, and whatever is not a whole model is refused."""

from __future__ import annotations

import functools
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone

import sktextcnn
from sktextcnn import TextCNNClassifier, load
from sktextcnn.storage import files, folder
from sktextcnn.storage.folder import read_folder, write_folder
from sktextcnn.storage.params import join_params, split_params
from tests.examples import TAGS, TEXTS, same_weights, tiny
from tests.folders import arrays_of, document_of, edit, put_array, put_file, tree
from tests.strategies import ODD_TEXTS

STATE = {
    "params": {"kernel_sizes": (2, 3), "learning_rate": 0.002, "classes": None},
    "fitted": {
        "vocabulary_": {"the": 0, "match": 1},
        "classes_": np.array(["news", "sport"], dtype=object),
        "weights_": {"embedding": np.arange(12, dtype=np.float32).reshape(4, 3)},
        "history_": {"loss": [0.5, 0.25], "validation_score": [float("nan"), 0.5]},
    },
}
EMBEDDING = "00-weights_-embedding"


@pytest.fixture
def model(tmp_path):
    """A folder with `STATE`."""
    path = tmp_path / "model"
    write_folder(path, STATE)
    return path


@pytest.fixture(params=[1, 1 << 20], ids=["mapped", "read"])
def map_from(request, monkeypatch):
    """Lets even the smallest array be mapped, and not."""
    monkeypatch.setattr(files, "MAP_FROM", request.param)


def assert_same(a, b):
    """Equal, of equal types, in equal order, at every depth."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert (a.dtype.str, a.shape) == (b.dtype.str, b.shape)
        if a.dtype.kind == "O":
            assert_same(a.ravel().tolist(), b.ravel().tolist())
        else:
            assert a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        assert_same([*a.items()], [*b.items()])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        assert a == b or (a != a and b != b)


def read(path, **options):
    """Return the values in a folder alone."""
    return read_folder(path, **options)[1]


# -- there and back ----------------------------------------------------------------------------------

strings = (
    st.text(max_size=5)
    | st.sampled_from(ODD_TEXTS)
    | st.sampled_from(["\ud83d\ude00", "$array", "$x", "$"])
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | strings
keys = scalars.filter(lambda key: key == key) | st.tuples(strings, st.integers())
dtypes = st.sampled_from(
    ["?", "i1", "u2", "<i8", ">i4", "f2", "f4", "f8", "c8", "<U3", ">U2", "S2", "M8[s]", "m8[D]"]
)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


@st.composite
def numeric_arrays(draw):
    array = draw(hnp.arrays(draw(dtypes), draw(shapes)))
    return draw(st.sampled_from([array, np.asfortranarray(array), array[::-1] if array.ndim else array]))


@st.composite
def object_arrays(draw):
    items = draw(st.lists(scalars | st.tuples(strings, strings), max_size=4))
    array = np.empty(len(items), object)
    array[:] = items
    return array


vocabularies = st.lists(strings, unique=True, max_size=5).map(lambda t: {x: i for i, x in enumerate(t)})
shuffled = vocabularies.flatmap(lambda v: st.permutations([*v.items()]).map(dict))
values = st.recursive(
    scalars | numeric_arrays() | object_arrays() | vocabularies | shuffled,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(strings, inner, max_size=4)
        | st.frozensets(strings | st.integers(), max_size=3)
        | st.sets(strings, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("map_from", [1, 1 << 20])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=values)
@example(state={"$array": "00-x"})
@example(state={"a": False, "b": True})
@example(state=[{"a": 0.0}, {"a": 0}, {"": {}}, [], (), {}])
def test_round_trip(state, map_from, monkeypatch):
    monkeypatch.setattr(files, "MAP_FROM", map_from)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        write_folder(path, state)
        assert_same(read(path), state)
        assert_same(read(str(path), map_files=False), state)


def test_what_comes_back_simpler(tmp_path):
    state = {
        "numbers": [np.float32(0.5), np.int64(3), np.bool_(True), np.str_("x")],
        "keys": {np.int64(7): np.float64(1), np.str_("b"): range(2)},
        "labels": sktextcnn.as_label_matrix([["a"], ["a", "b"]]),
        "names": np.array([np.str_("x"), np.int64(1)], dtype=object),
    }
    write_folder(tmp_path / "model", state)
    expected = {
        "numbers": [0.5, 3, True, "x"],
        "keys": {7: 1.0, "b": [0, 1]},
        "labels": np.array([[1, 0], [1, 1]], np.int8),
        "names": np.array(["x", 1], dtype=object),
    }
    assert_same(read(tmp_path / "model"), expected)


@pytest.mark.usefixtures("map_from")
def test_arrays_are_plain_and_can_be_changed_without_changing_the_files(model):
    before = tree(model)
    embedding = read(model)["fitted"]["weights_"]["embedding"]
    assert type(embedding) is np.ndarray
    embedding[1, 2] = 7
    assert_same(read(model), STATE)
    assert tree(model) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_empty_folder_is_as_good_as_none(tmp_path, overwrite):
    write_folder(tmp_path, STATE, overwrite=overwrite)
    assert_same(read(tmp_path), STATE)


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder("model", STATE)
    write_folder("model", STATE, overwrite=True)
    assert_same(read("model"), STATE)
    assert os.listdir() == ["model"]


def test_an_existing_path_is_not_overwritten(model):
    before = tree(model)
    with pytest.raises(FileExistsError, match=r"model exists\. Choose another path, or pass overwrite"):
        write_folder(model, {})
    assert tree(model) == before


@pytest.mark.usefixtures("map_from")
def test_overwriting_replaces_the_model_and_nothing_else(model):
    (model / "README.md").write_text("mine")
    old = read(model)
    for n in range(3):
        write_folder(model, {"n": n, "array": np.full(3, n), "own": old}, overwrite=True)
        new = read(model)
        assert new["n"] == n
        assert new["array"].tolist() == [n] * 3
        # What was read before is as it was, and could itself be written over its own files.
        assert_same(old, STATE)
        assert_same(new["own"], STATE)
        assert len(tree(model)) == 5  # README.md, model.json, a folder, two arrays
    assert (model / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"thesis.tex": "years of work"}, "holds no model.json"),
        ({"model.json": "{}", "thesis.tex": ""}, "was not written by sktextcnn"),
        ({"model.json": '{"format": 1, "layers": []}'}, "was not written by sktextcnn"),
        ({"model.json": "not json"}, "is not JSON"),
        (
            {"model.json": '{"format": 2, "sktextcnn": "9.0"}'},
            "was written by sktextcnn 9.0 in format 2",
        ),
    ],
)
def test_a_folder_with_something_else_is_never_touched(tmp_path, files, reason):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    before = tree(tmp_path)
    with pytest.raises(FileExistsError, match=rf"is left as it is, since .* {reason}"):
        write_folder(tmp_path, STATE, overwrite=True)
    assert tree(tmp_path) == before


def test_a_file_is_never_touched(tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(FileExistsError, match=r"is left as it is, since .* is a file"):
        write_folder(tmp_path / "model", STATE, overwrite=True)
    assert (tmp_path / "model").read_text() == "mine"


@pytest.mark.parametrize(
    "planted",
    [
        {"folder": ".."},
        {"folder": "/tmp"},
        {"folder": "arrays"},
        {"folder": 3},
        {"arrays": {"../x": {}}},
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(model, planted):
    (model.parent / "x.npy").write_bytes((arrays_of(model) / f"{EMBEDDING}.npy").read_bytes())
    edit(model, lambda document: document.update(planted))
    with pytest.raises(ValueError, match=r"damaged \((folder is|arrays has)"):
        read(model)
    with pytest.raises(FileExistsError, match="is left as it is"):
        write_folder(model, STATE, overwrite=True)
    assert (model.parent / "x.npy").exists()


# -- whole or not at all -----------------------------------------------------------------------------


STEPS = ["json.dumps", "os.fsync", "os.fsync 3", "numpy.lib.format.write_array 2", "os.replace"]


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=type)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["model", "new"])
def test_writing_that_fails_leaves_everything_as_it_was(model, monkeypatch, name, step, error):
    call, at = [*step.split(), "1"][:2]
    real = functools.reduce(getattr, call.split(".")[1:], sys.modules[call.split(".")[0]])
    calls = []

    def fail(*args, **kwargs):
        calls.append(args)
        if len(calls) == int(at):
            raise error
        return real(*args, **kwargs)

    before = tree(model.parent)
    monkeypatch.setattr(call, fail)
    with pytest.raises(type(error)):
        write_folder(model.parent / name, {"a": np.ones(2), "b": np.ones(3)}, overwrite=True)
    assert tree(model.parent) == before
    assert_same(read(model), STATE)


def test_an_interrupt_once_the_new_model_is_in_place_keeps_it(model, monkeypatch):
    real = os.replace

    def interrupted(*args):
        real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(model, {"new": np.ones(2)}, overwrite=True)
    assert read(model)["new"].tolist() == [1, 1]


REMAINS = "arrays-0123abcd"


def leave_remains(model):
    """Leave what a writer leaves that was killed."""
    (model / REMAINS).mkdir(parents=True)
    (model / REMAINS / "00-half.npy").write_bytes(b"\x93NUM")
    (model / REMAINS / "model.json").write_bytes(b"{")


def test_the_next_writer_removes_what_killed_ones_left(model):
    leave_remains(model)
    write_folder(model, {"new": np.ones(2)}, overwrite=True)
    assert {*os.listdir(model)} == {"model.json", arrays_of(model).name}
    assert read(model)["new"].tolist() == [1, 1]


def test_remains_of_the_first_writer_do_not_stand_in_the_way(tmp_path):
    leave_remains(tmp_path / "model")
    with pytest.raises(FileNotFoundError, match=r"holds no model\.json: .* or saving was interrupted"):
        read(tmp_path / "model")
    write_folder(tmp_path / "model", STATE)
    assert not (tmp_path / "model" / REMAINS).exists()
    assert_same(read(tmp_path / "model"), STATE)


def test_a_folder_that_only_looks_like_remains_is_left_alone(model):
    leave_remains(model)
    (model / REMAINS / "mine.txt").write_text("years of work")
    for n in range(2):
        write_folder(model, {"new": n}, overwrite=True)
    assert os.listdir(model / REMAINS) == ["mine.txt"]
    assert read(model)["new"] == 1
    other = model.parent / "other"
    leave_remains(other)
    (other / REMAINS / "mine.txt").write_text("years of work")
    with pytest.raises(FileExistsError):
        write_folder(other, STATE)
    assert len(tree(other)) == 4


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("which", ["the model's", "remains"])
def test_links_are_never_followed_when_a_model_is_replaced(model, which):
    """A link in the place of the arrays: once, the files that it leads to were removed."""
    outside = model.parent / "outside"
    if which == "remains":
        leave_remains(model)
        (model / REMAINS).rename(outside)
        (model / REMAINS).symlink_to(outside)
    else:
        arrays = arrays_of(model)
        arrays.rename(outside)
        arrays.symlink_to(outside)
    before = tree(outside)
    write_folder(model, {"new": np.ones(2)}, overwrite=True)
    assert before
    assert tree(outside) == before
    assert read(model)["new"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": [{"b": len}]}, r"state\['a'\]\[0\]\['b'\] is of type builtin_function_or_method"),
        ({"a": (1, object())}, r"state\['a'\]\[1\] is of type object, which cannot be saved"),
        ({b"x": 1}, r"a key of state\[0\] is of type bytes"),
        ({"a": np.array([1, b""], dtype=object)}, r"state\['a'\]\[1\] is of type bytes"),
        ({"a": np.zeros(2, "i4,f4")}, r"state\['a'\] is an array of dtype \[\('f0', '<i4'\)"),
        ({"a": np.longdouble(1)}, r"state\['a'\] is of type longdouble"),
        ({"a": 1j}, r"state\['a'\] is of type complex"),
    ],
)
def test_values_that_cannot_be_written_are_named_and_nothing_is_written(model, state, message):
    before = tree(model.parent)
    for path in (model, model.parent / "other"):
        with pytest.raises(TypeError, match=message):
            write_folder(path, state, overwrite=True)
    assert tree(model.parent) == before


def test_a_folder_to_write_into_must_exist(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_folder(tmp_path / "nowhere" / "model", STATE)


# -- what is refused ---------------------------------------------------------------------------------


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


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


# -- the format --------------------------------------------------------------------------------------

# As version 0.1.0 wrote it. Never edit: a new format gets a text of its own beside this one.
FORMAT_1 = (
    '{"format":1,"sktextcnn":"0.1.0","crc32":1401117262,"schema":3,"folder":"arrays-0123abcd",'
    '"arrays":{"00-weights_-embedding":{"dtype":"<f4","shape":[4,3],"size":176,"crc32":2715578902}},'
    '"state":{"params":{"kernel_sizes":{"$tuple":[2,3]},"learning_rate":0.002,"classes":null},'
    '"fitted":{"vocabulary_":{"$numbered":["the","match"]},'
    '"classes_":{"$objects":{"shape":[2],"items":["news","sport"]}},'
    '"weights_":{"embedding":{"$array":"00-weights_-embedding"}},'
    '"history_":{"loss":[0.5,0.25],"validation_score":[{"$float":"nan"},0.5]}}}}'
)


def test_format_1_is_read(tmp_path):
    (tmp_path / "arrays-0123abcd").mkdir()
    (tmp_path / "model.json").write_text(FORMAT_1, "utf-8")
    path = tmp_path / "arrays-0123abcd" / f"{EMBEDDING}.npy"
    np.save(path, STATE["fitted"]["weights_"]["embedding"])
    schema, state = read_folder(tmp_path, schema=3)
    assert schema == 3
    assert_same(state, STATE)


def test_what_is_written_is_format_1(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "__version__", "0.1.0")
    monkeypatch.setattr(folder, "uuid4", lambda: UUID("0123abcd" + "0" * 24))
    write_folder(tmp_path / "model", STATE, schema=3)
    assert (tmp_path / "model" / "model.json").read_text("utf-8") == FORMAT_1


# -- parameters --------------------------------------------------------------------------------------


def split_on_spaces(text):
    return text.split()


class Metric:
    def __call__(self, truth, decisions):
        return 0.5


def test_parameters_are_split():
    params = {
        "analyzer": "word",
        "tokenizer": split_on_spaces,
        "strip_accents": functools.partial(str.replace, "e"),
        "metric": Metric(),
        "keras_callbacks": lambda: [],
        "random_state": np.random.RandomState(0),
        "vocabulary": {"a", "b"},
        "kernel_sizes": pd.Series([1, 2]),
        "classes": pd.Index(["a", "b"]),
        "class_weight": {0: np.float32(2)},
        "learning_rate": np.float64(0.5),
        "embeddings": None,
    }
    written, left_out = split_params(params, leave_out=["embeddings"])
    assert left_out == {
        "tokenizer": "test_storage.split_on_spaces",
        "strip_accents": "functools.partial(str.replace)",
        "metric": "an instance of test_storage.Metric",
        "keras_callbacks": "test_storage.test_parameters_are_split.<locals>.<lambda>",
        "random_state": "an instance of numpy.random.mtrand.RandomState",
    }
    assert [*written] == [name for name in params if name not in left_out]
    assert type(written["kernel_sizes"]) is type(written["classes"]) is np.ndarray
    assert written["learning_rate"] is params["learning_rate"]
    assert split_params({"embeddings": [1.0]}, leave_out=["embeddings"])[1] == {
        "embeddings": "an instance of list"
    }


def test_all_default_parameters_are_written():
    params = TextCNNClassifier().get_params()
    assert split_params(params) == (params, {})


def test_parameters_are_joined():
    left_out = {"tokenizer": "words.split", "metric": "my.metric", "analyzer": "words.all"}
    needed = ["analyzer", "tokenizer", "strip_accents"]
    join = functools.partial(join_params, {"filters": 4}, known=["filters", *left_out], needed=needed)
    given = {"tokenizer": split_on_spaces, "analyzer": str.split}
    assert join(left_out, given) == {"filters": 4, **given}
    assert join({}, {}) == {"filters": 4}
    message = (
        r"saved without analyzer=words\.all, tokenizer=words\.split, which files do not hold\. Pass the "
        r"same again: load\(path, analyzer=\.\.\., tokenizer=\.\.\.\)"
    )
    with pytest.raises(ValueError, match=message):
        join(left_out, {})
    with pytest.raises(ValueError, match=r"without analyzer=words\.all, which"):
        join(left_out, {"tokenizer": str.split})
    with pytest.raises(TypeError, match="filters was saved with the model, or is no parameter"):
        join(left_out, {**given, "filters": 5})
    with pytest.raises(TypeError, match="left out were none"):
        join({}, {"tokeniser": str.split})
    with pytest.raises(ValueError, match=r"does not know: attention, filters\. A later version"):
        join({"attention": "later.attend"}, {}, known=["analyzer"])


# -- classifiers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    """A classifier with all that can be fitted, optimizer state and tuned thresholds included."""
    return tiny(tokenizer=split_on_spaces, warm_start=True, early_stopping=True, validation=0.4).fit(
        TEXTS, TAGS
    )


@pytest.fixture
def loaded(fitted, tmp_path, map_from):
    fitted.save(tmp_path / "model", include_optimizer=True)
    return load(tmp_path / "model", tokenizer=split_on_spaces)


def test_a_loaded_classifier_is_the_saved_one(fitted, loaded):
    assert_same(vars(loaded), vars(fitted))
    assert np.array_equal(loaded.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    assert loaded.predict_labels(TEXTS) == fitted.predict_labels(TEXTS)


def test_a_loaded_classifier_learns_on(fitted, loaded, tmp_path):
    before = tree(tmp_path)
    saved = pickle.dumps(fitted)
    for go_on in (
        lambda classifier: classifier.fit(TEXTS, TAGS),
        lambda classifier: classifier.set_params(validation=None).partial_fit(TEXTS, TAGS),
    ):
        ours, theirs = clone_with_state(loaded), pickle.loads(saved)
        assert same_weights(go_on(ours), go_on(theirs))
        assert not same_weights(ours, fitted)
    assert tree(tmp_path) == before


def clone_with_state(classifier):
    """Return another classifier that shares the fitted arrays."""
    other = clone(classifier)
    other.__dict__.update(
        {name: value for name, value in vars(classifier).items() if name.endswith("_")}
    )
    return other


def test_a_loaded_classifier_is_changed_in_place(fitted, loaded, tmp_path):
    loaded.thresholds_[0] = 0.0
    loaded.weights_["output_bias"][:] = 1.0
    assert loaded.predict(TEXTS)[:, 0].all()
    for name, weight in load(tmp_path / "model", tokenizer=split_on_spaces).weights_.items():
        assert np.array_equal(weight, fitted.weights_[name])


def test_a_loaded_classifier_is_pickled_whole(fitted, loaded, tmp_path):
    loaded.weights_["output_bias"][:] += 1.0
    copy = pickle.dumps(loaded)
    shutil.rmtree(tmp_path / "model")
    copy = pickle.loads(copy)
    assert copy.weights_["output_bias"].tolist() == (fitted.weights_["output_bias"] + 1).tolist()
    assert same_weights(copy, loaded)


def test_labels_of_any_type_come_back(fitted, tmp_path):
    for n, classes in enumerate([[3, 5, 8], [0.5, 1.5, 2.5], ["b", "a\0", "\ud800"]]):
        copy = pickle.loads(pickle.dumps(fitted))
        copy.classes_ = np.array(classes, dtype=object if n == 2 else None)
        copy.save(tmp_path / str(n), include_optimizer=True)
        assert_same(load(tmp_path / str(n), tokenizer=split_on_spaces).classes_, copy.classes_)


def test_reading_needs_neither_tensorflow_nor_scikit_learn(model):
    code = (
        "import sys; from sktextcnn.storage.folder import read_folder; read_folder(sys.argv[1]); "
        "print([n for n in ('sklearn', 'scipy', 'keras', 'tensorflow') if n in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(model)]
    root = Path(sktextcnn.__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")
