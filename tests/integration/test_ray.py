"""Searches and tagging on Ray, as the guide shows them."""

from __future__ import annotations

import os
import sys

import joblib
import numpy as np
import pytest

from sktextcnn import load
from tests.clusters import check_same_search, look_at_process, search
from tests.examples import TAGS, TEXTS, tiny

ray = pytest.importorskip("ray", reason="the extra ray is not installed")
pa = pytest.importorskip("pyarrow", reason="the extra ray is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="the extra ray is not installed")
pytest.importorskip("ray.data", reason="the extra ray is not installed")

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
        labels = self.clf.predict_labels(batch["text"].to_pylist())
        return batch.append_column("labels", pa.array(map(list, labels), pa.list_(pa.string())))


@pytest.mark.parametrize("n_files", [1, 3])
def test_result_equals_that_of_here(tmp_path, n_files):
    """Also where the texts of a batch have no labels, and all processors may have a process."""
    clf = tiny(threshold=0.6).fit(TEXTS, TAGS)
    clf.save(tmp_path / "model")
    texts = ["", "unknown", *TEXTS]
    (tmp_path / "texts").mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(texts)), n_files)):
        table = pa.table({"number": rows, "text": [texts[row] for row in rows]})
        pq.write_table(table, tmp_path / "texts" / f"{number}.parquet")
    tagged = ray.data.read_parquet(str(tmp_path / "texts")).map_batches(
        Tagger,
        fn_constructor_args=[str(tmp_path / "model")],
        batch_format="pyarrow",
        batch_size=2,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=2),
    )
    tagged.write_parquet(str(tmp_path / "tagged"))
    found = pq.read_table(tmp_path / "tagged").sort_by("number")
    expected = clf.predict_labels(texts)
    assert [tuple(row) for row in found["labels"].to_pylist()] == expected
    assert () in expected
