"""Searches and tagging on Spark: an engine of its own on this machine."""

from __future__ import annotations

import os
import shutil
import sys

import joblib
import numpy as np
import pytest

from sktextcnn.distributed import predict_spark
from tests.clusters import DiesOnce, check_same_search, look_at_process, search
from tests.examples import TAGS, TEXTS, tiny

pytest.importorskip("pyspark", reason="the extra spark is not installed")
if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
    pytest.skip("Spark needs Java, which is not found", allow_module_level=True)

pytestmark = [
    pytest.mark.slow,
    # Of joblibspark and PySpark themselves.
    pytest.mark.filterwarnings("ignore:`apply_async` is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Spark local mode doesn't support stage-level:UserWarning"),
    pytest.mark.filterwarnings("ignore:Spark session is not provided:UserWarning"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture(scope="module")
def spark():
    """A session on two cores that starts a failed task once again, which `local[2]` does not."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = (
            SparkSession.builder.master("local[2, 2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.memory", "512m")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.log.level", "OFF")
            .getOrCreate()
        )
        yield session
        session.stop()


@pytest.fixture(scope="module")
def clf():
    return tiny(linear=True, validation=0.1).fit(TEXTS, TAGS)


@pytest.fixture(scope="module")
def folder(clf, tmp_path_factory):
    path = tmp_path_factory.mktemp("spark") / "model"
    clf.save(path)
    return path


@pytest.fixture(scope="module")
def one_null(spark):
    return spark.createDataFrame([("a text",), (None,)], "text string").coalesce(1)


@pytest.fixture(scope="module")
def frame(spark):
    """Numbered texts in three partitions, one of them empty; and a number that only int64 holds."""
    rows = [(number, text, 2**53 + 1 if number else None) for number, text in enumerate(TEXTS * 2)]
    frame = spark.createDataFrame(rows, "number long, text string, large long")
    return frame.coalesce(2).union(frame.limit(0))


def test_two_searches_in_a_row_find_the_same_as_here(spark):
    pytest.importorskip("joblibspark", reason="the extra spark is not installed").register_spark()
    expected = search()
    with joblib.parallel_config("spark", n_jobs=2):
        for _ in range(2):
            check_same_search(search(), expected)
        workers = joblib.Parallel()(joblib.delayed(look_at_process)() for _ in range(2))
    for process, *others in workers:
        assert process != os.getpid()
        assert others == [1, 1, False]


@pytest.mark.parametrize("form", ["folder", "classifier"])
def test_result_equals_that_of_here(form, clf, folder, frame):
    tagged = predict_spark(
        folder if form == "folder" else clf, frame, "text", top_k=2, probabilities=True
    )
    results = ["labels", "top_labels", "top_probabilities", "probabilities"]
    assert tagged.columns == ["number", "text", "large", *results]
    rows = tagged.collect()
    assert [tuple(row.labels) for row in rows] == clf.predict_labels(TEXTS * 2)
    labels, _ = clf.predict_topk(TEXTS * 2, 2)
    assert [row.top_labels for row in rows] == labels.tolist()
    probabilities = np.array([row.probabilities for row in rows], dtype=np.float32)
    assert np.array_equal(probabilities, clf.predict_proba(TEXTS * 2))
    given = [(row.number, row.text, row.large) for row in frame.collect()]
    assert [(row.number, row.text, row.large) for row in rows] == given


def test_workers_read_the_model_once_and_load_no_tensorflow(folder, frame):
    def look(batches):
        import pyarrow as pa

        from sktextcnn import distributed
        from tests.clusters import look_at_process

        for _ in batches:
            *_, tensorflow = look_at_process()
            yield pa.record_batch([[len(distributed._loaded)], [tensorflow]], names=["n", "tensorflow"])

    predict_spark(folder, frame, "text").collect()
    for row in frame.mapInArrow(look, "n long, tensorflow boolean").collect():
        assert row.n <= 3
        assert not row.tensorflow


def test_a_killed_worker_loses_nothing(spark, frame, tmp_path):
    fatal = tmp_path / "fatal"
    clf = tiny(tokenizer=DiesOnce(str(fatal))).fit(TEXTS, TAGS)
    fatal.touch()
    rows = predict_spark(clf, frame, "text").collect()
    assert not fatal.exists()
    assert [tuple(row.labels) for row in rows] == clf.predict_labels(TEXTS * 2)


def test_null_is_named_with_its_partition_and_row(folder, one_null):
    from pyspark.errors import PythonException

    with pytest.raises(
        PythonException, match=r"'text', partition 0, row 1 .* holds None of type NoneType"
    ):
        predict_spark(folder, one_null, "text").collect()


def test_model_that_workers_do_not_see(clf, one_null, tmp_path):
    from pyspark.errors import PythonException

    clf.save(tmp_path / "model")
    tagged = predict_spark(tmp_path / "model", one_null.limit(1), "text")
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    with pytest.raises(PythonException, match=r"Worker \S+ cannot read the model \S+ \(No such file"):
        tagged.collect()


@pytest.mark.parametrize(
    ("change", "column", "error", "match"),
    [
        (
            lambda frame: frame,
            "txt",
            ValueError,
            r"no column 'txt'; the dataframe has \['number', 'text'",
        ),
        (lambda frame: frame, "number", TypeError, "'number' is of type bigint; expected string"),
        (
            lambda frame: frame.toDF("a", "text", "labels"),
            "text",
            ValueError,
            r"columns \['labels'\] alr",
        ),
        (lambda frame: TEXTS, "text", TypeError, "a builtins.list; expected a Spark dataframe"),
    ],
)
def test_dataframe_that_does_not_do(change, column, error, match, folder, frame):
    with pytest.raises(error, match=match):
        predict_spark(folder, change(frame), column)
