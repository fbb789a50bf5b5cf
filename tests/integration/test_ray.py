"""Searches and tagging on Ray, as the guide shows them."""

from __future__ import annotations

import os
import sys

import joblib
import pytest

from sktextcnn import load
from tests.clusters import check_same_search, look_at_process, search
from tests.examples import TAGS, TEXTS, tiny

ray = pytest.importorskip("ray", reason="the extra ray is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]


@pytest.fixture(scope="module", autouse=True)
def _cluster():
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}},
    )
    yield
    ray.shutdown()


def test_two_searches_in_a_row_find_the_same_as_here():
    from ray.util.joblib import register_ray

    register_ray()
    expected = search()
    with joblib.parallel_config("ray", n_jobs=-1):  # without n_jobs it is one: this process
        for _ in range(2):
            check_same_search(search(), expected)
        workers = joblib.Parallel()(joblib.delayed(look_at_process)() for _ in range(2))
    for process, *others in workers:
        assert process != os.getpid()
        assert others == [1, 1, False]


class Tagger:
    """What the guide shows."""

    def __init__(self, model):
        self.clf = load(model)

    def __call__(self, batch):
        return {**batch, "labels": [list(row) for row in self.clf.predict_labels(batch["text"])]}


def test_result_equals_that_of_here(tmp_path):
    import ray.data

    clf = tiny().fit(TEXTS, TAGS)
    clf.save(tmp_path / "model")
    rows = ray.data.from_items([{"number": number, "text": text} for number, text in enumerate(TEXTS)])
    tagged = rows.map_batches(
        Tagger, fn_constructor_args=[str(tmp_path / "model")], concurrency=2, batch_size=4
    )
    found = sorted(tagged.take_all(), key=lambda row: row["number"])
    assert [tuple(row["labels"]) for row in found] == clf.predict_labels(TEXTS)
