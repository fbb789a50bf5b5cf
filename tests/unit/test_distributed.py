"""Tagging on a cluster, as far as it needs none; tests/integration has the engines."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sktextcnn import TextCNNClassifier, distributed
from sktextcnn.distributed import predict_dask, predict_spark
from tests.examples import TAGS, TEXTS, TOPICS, tiny

pa = pytest.importorskip("pyarrow", reason="the extra test is not installed")


def tag(texts, clf, **settings):
    asked = {"top_k": None, "probabilities": False, **settings}
    settings = {"column": "text", "partition": 3, "first_row": 10, **asked}
    return distributed.tag_texts(texts, lambda: clf, **settings)


def test_columns_of_the_result():
    clf = tiny().fit(TEXTS, TAGS)
    columns = tag(TEXTS, clf, probabilities=True)
    assert columns["labels"].to_pylist() == [list(row) for row in clf.predict_labels(TEXTS)]
    assert columns["labels"].type == pa.list_(pa.string())
    probabilities = np.array(columns["probabilities"].to_pylist(), dtype=np.float32)
    assert np.array_equal(probabilities, clf.predict_proba(TEXTS))
    assert columns["probabilities"].type == pa.list_(pa.float32())
    assert [*columns] == ["labels", "probabilities"]


def test_most_probable_labels():
    clf = tiny().fit(TEXTS, TAGS)
    columns = tag(TEXTS, clf, top_k=2)
    labels, probabilities = clf.predict_topk(TEXTS, 2)
    assert columns["top_labels"].to_pylist() == labels.tolist()
    assert np.array_equal(np.array(columns["top_probabilities"].to_pylist(), np.float32), probabilities)
    assert [*columns] == ["labels", "top_labels", "top_probabilities"]


@pytest.mark.parametrize("top_k", [0, 4])
def test_more_labels_than_there_are_is_an_error_at_once(top_k):
    with pytest.raises(ValueError, match=rf"top_k: k={top_k}; expected a whole number from 1 to 3"):
        distributed._send(tiny().fit(TEXTS, TAGS), None, top_k)


def test_labels_that_are_numbers_become_words():
    clf = tiny().fit(TEXTS, [len(topic) for topic in TOPICS])
    assert {name for row in tag(TEXTS, clf)["labels"].to_pylist() for name in row} <= {"4", "5"}


def test_no_texts_need_no_model():
    columns = tag([], None, probabilities=True)
    assert {name: array.type for name, array in columns.items()} == {
        "labels": pa.list_(pa.string()),
        "probabilities": pa.list_(pa.float32()),
    }
    assert not any(len(array) for array in columns.values())


@pytest.mark.parametrize("value", [None, 3, b"bytes"])
def test_what_is_no_text_is_named(value):
    with pytest.raises(TypeError, match=rf"Column 'text', partition 3, row 11 .* {value!r} of type"):
        tag(["a", value], None)


@pytest.mark.parametrize(
    ("function", "package", "extra"),
    [(predict_dask, "dask", "dask"), (predict_spark, "pyspark", "spark")],
)
def test_an_extra_that_is_missing_is_named(function, package, extra, monkeypatch):
    for module in (package, "cloudpickle"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs \w+, which is not .*'sktextcnn\[{extra}\]'"):
        function("model", None, "text")


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        ("nowhere", FileNotFoundError, "nowhere does not exist"),
        (3, TypeError, "model is a builtins.int; expected the folder of a saved one, or a fitted Text"),
        (TextCNNClassifier(), NotFittedError, "not fitted"),
    ],
)
def test_what_is_no_model_is_refused_at_once(model, error, match):
    with pytest.raises(error, match=match):
        distributed._send(model, None)


def test_models_that_a_process_keeps_are_few(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "_loaded", {})
    paths = [tmp_path / str(seed) for seed in range(distributed.MODELS_KEPT + 1)]
    for seed, path in enumerate(paths):
        tiny(random_state=seed).fit(TEXTS, TAGS).save(path)
        sent = distributed._send(path, None)
        first, second = (distributed.load_once(sent.path, None, sent.checksum) for _ in range(2))
        assert first is second
        assert first.random_state == seed
        assert len(distributed._loaded) <= distributed.MODELS_KEPT


def test_a_worker_says_which_version_it_has(monkeypatch):
    go = distributed._to_worker(None, 0, "text", None, False)
    monkeypatch.setattr("sktextcnn.__version__", "0.0.1")
    with pytest.raises(RuntimeError, match=r"worker \S+ \(Python \S+\) has sktextcnn 0\.0\.1, but"):
        go([], 0, 0, None)
    monkeypatch.setitem(sys.modules, "sktextcnn", None)
    with pytest.raises(ImportError, match=r"sktextcnn cannot be imported on worker \S+ .* pip install"):
        go([], 0, 0, None)
