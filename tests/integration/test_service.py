"""The service of the tutorial: examples/service/app.py."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.examples import TAGS, TEXTS, eager

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("httpx2", reason="httpx2 is not installed")

FOLDER = Path(__file__).parents[2] / "examples" / "service"


@pytest.fixture(scope="module")
def clf():
    return eager().fit(TEXTS, TAGS)


@pytest.fixture(scope="module")
def model(clf, tmp_path_factory):
    path = tmp_path_factory.mktemp("service") / "model"
    clf.save(path)
    return path


@pytest.fixture(scope="module")
def client(model):
    from fastapi.testclient import TestClient

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL", str(model))
        spec = spec_from_file_location("service", FOLDER / "app.py")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    with TestClient(module.app) as client:
        yield client


def test_service_gives_labels_with_their_probabilities(clf, client):
    answer = client.post("/tags", json={"texts": TEXTS})
    assert answer.status_code == 200
    probabilities = clf.predict_proba(TEXTS)
    columns = clf.classes_.tolist()
    for given, names, row in zip(answer.json(), clf.predict_labels(TEXTS), probabilities, strict=True):
        assert given == pytest.approx({name: row[columns.index(name)] for name in names})
    assert [sorted(given) for given in answer.json()] == TAGS  # eager knows them by heart


@pytest.mark.parametrize("body", [{}, {"texts": []}, {"texts": "one text"}, {"texts": [1]}])
def test_service_refuses_what_is_no_list_of_texts(client, body):
    assert client.post("/tags", json=body).status_code == 422


def test_service_needs_no_tensorflow(model):
    code = "import sys, app; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    environment = {**os.environ, "MODEL": str(model), "PYTHONPATH": str(FOLDER.parents[1])}
    subprocess.run([sys.executable, "-c", code], cwd=FOLDER, env=environment, check=True)
