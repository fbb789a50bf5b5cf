"""Saved models that were damaged: an error that the docs name, or the same predictions.

Two kinds of harm. *Damage*, which knows nothing of checksums, must never change a prediction. *Edits*,
of someone who corrects the checksums as well, may make another model; but then it is one that works.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from sktextcnn import load
from tests.examples import IS_SPORT, TAGS, TEXTS, tiny
from tests.folders import arrays_of, document_of, edit, put_array, put_document, put_file

NEW_TEXTS = ["", "the match", "soup soup soup", "unheard of", *TEXTS]

KINDS = {
    "linear part": lambda: tiny(linear=True, validation=0.3, epochs=3, hidden_units=3).fit(
        TEXTS * 4, TAGS * 4
    ),
    "one label": lambda: tiny(kernel_sizes=(2,)).fit(TEXTS, IS_SPORT),
    "own vocabulary": lambda: tiny(
        vocabulary={"match": 1, "soup": 0, "budget": 2}, threshold=[0.4, 0.5, 0.6], max_labels=2
    ).fit(TEXTS, TAGS),
    "optimizer": lambda: tiny(warm_start=True).fit(TEXTS, TAGS),
}

#: Edits and damages of each kind of model, those that take some seconds, and many more.
FEW, MANY = range(84), range(84, 336)


def predictions(clf):
    """All that a classifier says of some texts."""
    scores = clf.predict_proba(NEW_TEXTS)
    return scores.tolist(), clf.predict_labels(NEW_TEXTS), clf.decision_function(NEW_TEXTS).tolist()


@pytest.fixture(scope="module", params=KINDS)
def saved(request, tmp_path_factory):
    """The folder of a model, and what that predicts."""
    clf = KINDS[request.param]()
    path = tmp_path_factory.mktemp("saved") / "model"
    clf.save(path, include_optimizer=True)
    return path, predictions(clf)


class Planted:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Interrupt what hangs, where the system can."""

    def stop(*_):
        raise TimeoutError(f"not done after {seconds} seconds")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def load_or_refuse(model):
    """Return a loaded classifier, or None if it was refused as the docs say."""
    try:
        with at_most(20):
            return load(model)
    except (ValueError, FileNotFoundError) as error:
        assert str(model) in str(error), "the message names no file"  # noqa: PT017 - either is right
        return None


# -- damage ------------------------------------------------------------------------------------------


def some_file(rng, model):
    return rng.choice([model / "model.json", *sorted(arrays_of(model).iterdir())])


def flip_bytes(rng, model):
    path = some_file(rng, model)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    at = rng.integers(len(data), size=rng.integers(1, 4))
    data[at] ^= rng.integers(1, 256, size=len(at), dtype=np.uint8)
    path.write_bytes(data.tobytes())


def flip_a_bit(rng, model):
    path = some_file(rng, model)
    data = bytearray(path.read_bytes())
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    path.write_bytes(data)


def cut_off(rng, model):
    path = some_file(rng, model)
    path.write_bytes(path.read_bytes()[: rng.integers(path.stat().st_size)])


def append(rng, model):
    path = some_file(rng, model)
    path.write_bytes(path.read_bytes() + rng.bytes(rng.integers(1, 100)))


def overwrite_block(rng, model):
    path = some_file(rng, model)
    data, block = path.read_bytes(), bytes(rng.integers(1, 64))
    at = rng.integers(len(data))
    path.write_bytes((data[:at] + block + data[at + len(block) :])[: len(data)])


def swap_files(rng, model):
    first, second = some_file(rng, model), some_file(rng, model)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def remove(rng, model):
    some_file(rng, model).unlink()


def rename(rng, model):
    path = some_file(rng, model)
    path.rename(path.with_name(path.name + ".bak"))


def in_place_of_a_file(rng, model):
    path = some_file(rng, model)
    elsewhere = model.parent / f"elsewhere-{path.name}"
    path.rename(elsewhere)
    kinds = ["folder", "empty", "link", "dangling", "pipe", "device"]
    kind = rng.choice(kinds if hasattr(os, "mkfifo") else kinds[:2])
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "empty":
        path.touch()
    else:
        path.symlink_to({"link": elsewhere, "dangling": "nowhere", "device": "/dev/zero"}[kind])


def plant(rng, model):
    some_file(rng, model).write_bytes(pickle.dumps(Planted(model.parent / "trap")))


def change_words(rng, model):
    document = document_of(model)
    change_something(rng, document)
    put_document(model, document, seal=False)


DAMAGES = [
    *(flip_bytes, flip_a_bit, cut_off, append, overwrite_block, swap_files, remove, rename),
    *(in_place_of_a_file, plant, change_words, change_words),
]

# -- edits -------------------------------------------------------------------------------------------

VALUES = [
    *(None, True, False, 0, 1, -1, 3, 0.5, -0.5, 1.5, 10**12, 10**400, "", "x", "adam", "char", "(", []),
    *({}, [[]], {"$float": "nan"}, {"$float": "inf"}, {"$array": "00-x"}, {"$tuple": [1]}, {"$x": 1}),
    *({"$objects": {"shape": [1], "items": [None]}}, {"$dict": [[1, 2]]}, {"$numbered": ["a", "a"]}),
]


def positions(value, found=()):
    """Yield every container in a document with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from positions(value[key])


def change_something(rng, document):
    """Remove, rename, replace, repeat or swap something in a document."""
    found = [*positions(document)]
    container, key = found[rng.integers(len(found))]
    how = rng.choice(["remove", "rename", "replace", "replace", "replace", "repeat", "swap"])
    if how == "remove":
        del container[key]
    elif how == "rename" and isinstance(container, dict):
        container[f"{key}_"] = container.pop(key)
    elif how == "repeat" and isinstance(container, list):
        container.append(container[key])
    elif how == "swap":
        other, its_key = found[rng.integers(len(found))]
        container[key], other[its_key] = other[its_key], container[key]
    else:
        container[key] = VALUES[rng.integers(len(VALUES))]


def edit_words(rng, model):
    document = document_of(model)
    try:
        change_something(rng, document)
        put_document(model, document)
    except (RecursionError, ValueError):  # something that is now inside of itself
        (model / "model.json").write_text("{}")


def edit_a_field(rng, model):
    """Words of prediction: what few of all words are."""
    names = ["classes_", "vocabulary_", "loss_", "max_length_", "weights_", "thresholds_", "multilabel_"]
    names += ["optimizer_state_", "resolved_", "sparse_output_", "embedding_mode_", "history_"]

    def change(document):
        fitted = document["state"]["fitted"]
        fitted[rng.choice(names)] = VALUES[rng.integers(len(VALUES))]

    edit(model, change)


def edit_a_parameter(rng, model):
    def change(document):
        params = document["state"]["params"]
        params[rng.choice([*params])] = VALUES[rng.integers(len(VALUES))]

    edit(model, change)


def edit_an_array(rng, model):
    name = rng.choice([*document_of(model)["arrays"]])
    array = np.load(arrays_of(model) / f"{name}.npy")
    how = rng.integers(9)
    if how == 0:
        array = np.ones(array.shape, rng.choice(["f8", "f2", "i4", ">f4", "U3", "?", "c8", "M8[s]"]))
    elif how == 1:
        array = array[:-1] if array.ndim else array[None]
    elif how == 2:
        array = array.T
    elif how == 3:
        array = array[..., None]
    elif how == 4:
        array = np.zeros((0, *array.shape[1:]), array.dtype)
    elif how == 5:
        array = np.concatenate([array, array]) if array.ndim else array
    elif how == 6:
        array = np.asfortranarray(array)
    elif array.dtype.kind == "f" and array.size:
        array.flat[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf, -1, 2, 1e30])
    elif array.dtype.kind == "i" and array.size:
        value = min(int(rng.choice([-1, 0, 2, 10**6, 2**62])), np.iinfo(array.dtype).max)
        array.flat[rng.integers(array.size)] = value
    put_array(model, name, array)


def edit_a_header(rng, model):
    name = rng.choice([*document_of(model)["arrays"]])
    shape = [(10**12,), (2**62, 2**62), (-1,), (0, 10**12), (1,) * 70, (True,)][rng.integers(6)]
    dtype = rng.choice(["<f4", "|O", "<U1000000000", "|V8", "<U0", "garbage"])
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    put_file(model, name, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    edit(model, lambda d: d["arrays"][name].update(dtype=str(dtype), shape=[*map(int, shape)]))


def plant_and_seal(rng, model):
    name = rng.choice([*document_of(model)["arrays"]])
    planted = np.empty(1, object)
    planted[0] = Planted(model.parent / "trap")
    put_array(model, name, planted, allow_pickle=True)


EDITS = [
    *(edit_words, edit_words, edit_a_field, edit_a_field, edit_a_parameter, edit_a_parameter),
    *(edit_an_array, edit_an_array, edit_an_array, edit_an_array, edit_a_header, plant_and_seal),
]

# -- both --------------------------------------------------------------------------------------------


def check_all(saved, tmp_path, harms, seeds):
    """Harm copies of a model, and return how many were loaded all the same."""
    path, expected = saved
    n_loaded = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        harm = harms[seed % len(harms)]
        folder = tmp_path / str(seed)
        folder.mkdir()
        model = folder / "model"
        shutil.copytree(path, model)
        harm(rng, model)
        clf = load_or_refuse(model)
        assert not (folder / "trap").exists()
        if clf is not None:
            n_loaded += 1
            with at_most(20):
                found = predictions(clf)
            where = f"{harm.__name__}, seed {seed}"
            if harms is DAMAGES:
                assert found == expected, where
            else:
                assert np.isfinite(found[0]).all(), where
        shutil.rmtree(folder)
    return n_loaded


SETS = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("seeds", SETS)
def test_damage_is_refused_or_changes_nothing(saved, tmp_path, seeds):
    n_loaded = check_all(saved, tmp_path, DAMAGES, seeds)
    assert n_loaded < len(seeds) / 4


@pytest.mark.parametrize("seeds", SETS)
def test_an_edited_model_is_refused_or_works(saved, tmp_path, seeds):
    n_loaded = check_all(saved, tmp_path, EDITS, seeds)
    assert 0 < n_loaded < len(seeds)


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(Planted(tmp_path / "trap")))
    assert (tmp_path / "trap").exists()
