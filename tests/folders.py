"""Folders of saved models, looked at and changed from outside: as `sktextcnn.storage` describes them."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

from sktextcnn.linear.part import LinearPart
from sktextcnn.storage.folder import read_folder

#: Values of every kind, as a model has them.
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


def read(path, **options):
    """Return the values in a folder alone."""
    return read_folder(path, **options)[1]


def tree(folder):
    """Names and contents of all files under a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def document_of(model):
    """What model.json says."""
    return json.loads((model / "model.json").read_bytes().decode("utf-8", "surrogatepass"))


def arrays_of(model):
    """The folder with the arrays."""
    return model / document_of(model)["folder"]


def dump(document):
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def put_document(model, document, *, seal=True):
    """Write a model.json, with the right checksum if `seal`."""
    if seal:
        rest = {name: value for name, value in document.items() if name != "crc32"}
        document = {**document, "crc32": zlib.crc32(dump(rest))}
    (model / "model.json").write_bytes(dump(document))


def edit(model, change, *, seal=True):
    """Let `change` edit what model.json says."""
    document = document_of(model)
    change(document)
    put_document(model, document, seal=seal)


def put_file(model, name, data):
    """Put other bytes in the place of an array's file, with the right checksums."""
    path = arrays_of(model) / f"{name}.npy"
    path.write_bytes(data)
    entry = {"size": len(data), "crc32": zlib.crc32(data)}
    edit(model, lambda document: document["arrays"][name].update(entry))


def put_array(model, name, array, **pickled):
    """Put another array in the place of one, and say so."""
    path = arrays_of(model) / f"{name}.npy"
    np.save(path, array, **pickled)
    entry = {"dtype": array.dtype.str, "shape": [*array.shape]}
    edit(model, lambda document: document["arrays"][name].update(entry))
    put_file(model, name, Path(path).read_bytes())


def assert_same_values(a, b):
    """Equal, of equal types, in equal order, at every depth."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert (a.dtype.str, a.shape) == (b.dtype.str, b.shape)
        if a.dtype.kind == "O":
            assert_same_values(a.ravel().tolist(), b.ravel().tolist())
        else:
            assert a.tobytes() == b.tobytes()
    elif isinstance(a, LinearPart):
        assert_same_values(a.to_arrays(), b.to_arrays())
    elif isinstance(a, dict):
        assert_same_values([*a.items()], [*b.items()])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same_values(one, other)
    else:
        assert a == b or (a != a and b != b)
