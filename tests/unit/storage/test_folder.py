"""Folders of values: what goes in comes out, whole or not at all."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sktextcnn
from sktextcnn.storage import files, folder
from sktextcnn.storage.folder import read_folder, write_folder
from tests.folders import (
    EMBEDDING,
    STATE,
    arrays_of,
    edit,
    read,
    tree,
)
from tests.folders import (
    assert_same_values as assert_same,
)
from tests.processes import run_python
from tests.strategies import ODD_TEXTS

# -- there and back ---------------------------------------------------------------------------------


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


# -- whole or not at all ----------------------------------------------------------------------------


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


# -- the format -------------------------------------------------------------------------------------


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


def test_reading_needs_neither_tensorflow_nor_scikit_learn(model):
    code = (
        "import sys; from sktextcnn.storage.folder import read_folder; read_folder(sys.argv[1]); "
        "print([n for n in ('sklearn', 'scipy', 'keras', 'tensorflow') if n in sys.modules])"
    )
    done = run_python(code, model)
    assert (done.stdout, done.stderr) == ("[]\n", "")
