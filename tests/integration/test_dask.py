"""Searches and tagging on Dask: a cluster of two worker processes on this machine."""

from __future__ import annotations

import os
import sys

import joblib
import numpy as np
import pytest

from sktextcnn.distributed import predict_dask
from tests.clusters import DiesOnce, PickledText, X, Y, check_same_search, look_at_process, search
from tests.examples import TAGS, TEXTS, tiny

pytest.importorskip("distributed", reason="the extra dask is not installed")
pd = pytest.importorskip("pandas", reason="the extra dask is not installed")
dd = pytest.importorskip("dask.dataframe", reason="the extra dask is not installed")

pytestmark = pytest.mark.slow

#: Rows of the dataframe, in four partitions.
ROWS = TEXTS * 4


@pytest.fixture(scope="module")
def client():
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit="1GiB", dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def clf():
    return tiny(linear=True, validation=0.1).fit(TEXTS, TAGS)


@pytest.fixture(scope="module")
def folder(clf, tmp_path_factory):
    path = tmp_path_factory.mktemp("dask") / "model"
    clf.save(path)
    return path


@pytest.fixture(scope="module")
def frame():
    return dd.from_pandas(pd.DataFrame({"number": range(len(ROWS)), "text": ROWS}), npartitions=4)


def forget_models(client):
    """Let workers be as if they had seen no model yet."""
    client.run(lambda: __import__("sktextcnn.distributed").distributed._loaded.clear())


def labels_of(frame):
    return [tuple(row) for row in frame["labels"]]


# -- searches ----------------------------------------------------------------------------------------


def test_two_searches_in_a_row_find_the_same_as_here(client):
    expected = search()
    with joblib.parallel_config("dask"):
        for _ in range(2):
            check_same_search(search(), expected)
        workers = joblib.Parallel()(joblib.delayed(look_at_process)() for _ in range(2))
    for process, *others in workers:
        assert process != os.getpid()
        assert others == [1, 1, False]


@pytest.mark.parametrize(("form", "n_times"), [("list", 4), ("scattered", 1), ("array", 1)])
def test_only_a_plain_list_travels_with_every_task(form, n_times, client):
    texts, y = [PickledText(text) for text in [*X, *X]], np.vstack([Y, Y])  # of a size to care about
    given = np.array(texts, dtype=object) if form == "array" else texts
    PickledText.n_times = 0
    with joblib.parallel_config("dask", scatter=[texts] if form == "scattered" else None):
        fits = (joblib.delayed(tiny(filters=filters).fit)(given, y) for filters in (1, 2, 3, 4))
        joblib.Parallel(batch_size=1)(fits)
    assert PickledText.n_times == n_times * len(texts)


# -- tagging -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["folder", "classifier"])
def test_result_equals_that_of_here(form, clf, folder, frame, client):
    tagged = predict_dask(
        folder if form == "folder" else clf, frame, "text", top_k=2, probabilities=True
    )
    assert tagged.divisions == frame.divisions
    result = tagged.compute()
    assert labels_of(result) == clf.predict_labels(ROWS)
    labels, _ = clf.predict_topk(ROWS, 2)
    assert [list(row) for row in result["top_labels"]] == labels.tolist()
    probabilities = np.array(result["probabilities"].tolist(), dtype=np.float32)
    assert np.array_equal(probabilities, clf.predict_proba(ROWS))
    pd.testing.assert_frame_equal(result[["number", "text"]], frame.compute())
    assert result.dtypes.to_dict() == tagged.dtypes.to_dict()


def test_partitions_without_rows(clf, frame, client):
    tagged = predict_dask(clf, frame[frame["number"] < 2], "text").compute()
    assert labels_of(tagged) == clf.predict_labels(ROWS[:2])


def test_parquet_of_the_result_can_be_read(clf, folder, frame, client, tmp_path):
    predict_dask(folder, frame, "text").to_parquet(tmp_path / "tagged")
    back = pd.read_parquet(tmp_path / "tagged", dtype_backend="pyarrow")
    assert labels_of(back) == clf.predict_labels(ROWS)


def test_workers_read_the_model_once_and_load_no_tensorflow(folder, frame, client):
    forget_models(client)
    predict_dask(folder, frame, "text").compute()
    loaded = client.run(lambda: len(sys.modules["sktextcnn.distributed"]._loaded))
    assert {*loaded.values()} <= {0, 1}
    assert not any(client.run(lambda: bool({"tensorflow", "keras"} & {*sys.modules})).values())


def test_a_killed_worker_loses_nothing(frame, client, tmp_path):
    fatal = tmp_path / "fatal"
    clf = tiny(tokenizer=DiesOnce(str(fatal))).fit(TEXTS, TAGS)
    fatal.touch()
    before = client.run(os.getpid)
    result = predict_dask(clf, frame, "text").compute()
    assert not fatal.exists()
    assert labels_of(result) == clf.predict_labels(ROWS)
    client.wait_for_workers(2, timeout=60)
    assert len({*client.run(os.getpid).values()} - {*before.values()}) == 1  # in the place of the dead


# -- what workers say --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, float("nan"), 3])
def test_row_that_is_no_text_is_named_with_its_partition(value, folder, client):
    import dask

    texts = pd.Series(ROWS, dtype=object)
    texts[13] = value
    with dask.config.set({"dataframe.convert-string": False}):
        frame = dd.from_pandas(texts.to_frame("text"), npartitions=4)
        tagged = predict_dask(folder, frame, "text")
        match = rf"'text', partition 1, row 1 of it \(from 0\), holds {value} of type"
        with pytest.raises(TypeError, match=match):
            tagged.compute()


def test_model_that_workers_do_not_see(clf, frame, client, tmp_path):
    clf.save(tmp_path / "model")
    tagged = predict_dask(tmp_path / "model", frame, "text")
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    forget_models(client)
    with pytest.raises(FileNotFoundError, match=r"Worker \S+ cannot read the model \S+ \(No such file"):
        tagged.compute()


def test_model_that_is_another_one_on_the_workers(clf, frame, client, tmp_path):
    clf.save(tmp_path / "model")
    tagged = predict_dask(tmp_path / "model", frame, "text")
    tiny(random_state=5).fit(TEXTS, TAGS).save(tmp_path / "model", overwrite=True)
    forget_models(client)
    with pytest.raises(RuntimeError, match=r"Worker \S+ finds another model in \S+ than the driver"):
        tagged.compute()


@pytest.fixture
def package_on_workers(client):
    """Sets the version of the package on all workers, or None: it cannot be imported there."""
    import sktextcnn

    def change(version):
        def on_worker():
            package = sys.modules.setdefault("kept", __import__("sktextcnn"))
            package.__version__ = version
            sys.modules["sktextcnn"] = package if version is not None else None

        client.run(on_worker)

    yield change
    client.run(lambda: sys.modules.update(sktextcnn=sys.modules["kept"]))
    change(sktextcnn.__version__)


@pytest.mark.parametrize("form", ["folder", "classifier"])
def test_workers_with_another_version_or_without_the_package(
    form, clf, folder, frame, package_on_workers
):
    tagged = predict_dask(folder if form == "folder" else clf, frame, "text")
    package_on_workers("0.0.1")
    with pytest.raises(RuntimeError, match=r"has sktextcnn 0\.0\.1, but the driver has .* pip install"):
        tagged.compute()
    package_on_workers(None)
    with pytest.raises(
        ImportError, match=r"cannot be imported on worker \S+ \(Python 3.*Install on all"
    ):
        tagged.compute()


@pytest.mark.parametrize(
    ("change", "column", "error", "match"),
    [
        (
            lambda frame: frame,
            "txt",
            ValueError,
            r"no column 'txt'; the dataframe has \['number', 'text'",
        ),
        (lambda frame: frame, "number", TypeError, "Column 'number' has dtype int64; expected texts"),
        (lambda frame: frame.assign(labels=1), "text", ValueError, r"has columns \['labels'\] already"),
        (
            lambda frame: frame.compute(),
            "text",
            TypeError,
            r"a pandas\S*DataFrame; expected a Dask data",
        ),
    ],
)
def test_dataframe_that_does_not_do(change, column, error, match, folder, frame):
    with pytest.raises(error, match=match):
        predict_dask(folder, change(frame), column)
