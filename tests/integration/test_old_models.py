"""Models that earlier versions saved are loaded, and say what they said then."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sktextcnn import load
from tests.models.make import CURRENT, HERE, TEXTS, train

FOLDERS = sorted(HERE.glob("format-*-schema-*"))
MODELS = sorted(path.parent for folder in FOLDERS for path in folder.glob("*/model.json"))


def test_there_are_models_of_the_numbers_of_today():
    """If not: see how to go on to another number, in `sktextcnn.storage.folder` and `.schema`."""
    assert CURRENT in FOLDERS


def test_no_model_is_left_out():
    for folder in FOLDERS:
        said = json.loads((folder / "said.json").read_text("utf-8"))["said"]
        assert {path.name for path in MODELS if path.parent == folder} == said.keys()


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_model_says_what_it_said_when_it_was_saved(path):
    document = json.loads((path.parent / "said.json").read_text("utf-8"))
    said = document["said"][path.name]
    clf = load(path)
    found = clf.predict_proba(document["texts"])
    np.testing.assert_allclose(found, said["probabilities"], rtol=0, atol=1e-6)
    assert clf.predict_labels(document["texts"]) == [tuple(labels) for labels in said["labels"]]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_model_can_be_saved_in_the_form_of_today(path, tmp_path):
    clf = load(path)
    clf.save(tmp_path / "model", include_optimizer=True)
    again = load(tmp_path / "model")
    assert np.array_equal(again.predict_proba(TEXTS), clf.predict_proba(TEXTS))
    if clf.warm_start:
        again.partial_fit(TEXTS, [clf.classes_[:1]] * len(TEXTS))
        assert again.optimizer_state_["step"] > clf.optimizer_state_["step"]


def test_models_can_still_be_made():
    assert train().keys() == {path.name.replace("_", " ") for path in MODELS if path.parent == CURRENT}
