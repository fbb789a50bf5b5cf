"""Tagging on a cluster: the rows of a Dask or a Spark dataframe get their labels.

The engine divides the rows into partitions, starts workers and replaces those that die. What is ours
is the function that a worker runs on a partition, and that has to arrive there: it travels by value,
with nothing but plain values in it, so that a worker without the package, or with another version of
it, can say so.
"""

from __future__ import annotations

import os
import pickle
import platform
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktextcnn import __version__
from sktextcnn.chunks import best_labels
from sktextcnn.classifier import TextCNNClassifier
from sktextcnn.loading import load
from sktextcnn.storage.folder import MODEL

if TYPE_CHECKING:
    import dask.dataframe
    import pyarrow
    import pyspark.sql

#: Models that a worker process keeps, those of the jobs that come to it in turn.
MODELS_KEPT = 4

#: Columns of the result, and what their lists hold.
_RESULT = {"labels": str, "top_labels": str, "top_probabilities": float, "probabilities": float}

#: The models of this process, by the checksums under which they were sent.
_loaded: dict[int, TextCNNClassifier] = {}
_lock = Lock()


def predict_dask(
    model: str | os.PathLike | TextCNNClassifier,
    dataframe: dask.dataframe.DataFrame,
    column: str,
    *,
    top_k: int | None = None,
    probabilities: bool = False,
) -> dask.dataframe.DataFrame:
    """Tag the texts of a Dask dataframe, lazily: nothing is computed before you ask for the result.

    Needs the extra ``dask`` (``pip install 'sktextcnn[dask]'``), here and on the workers.

    Parameters
    ----------
    model : str, path or TextCNNClassifier
        A folder that `TextCNNClassifier.save` wrote and that all workers see under this path: each of
        their processes reads it once. Or a fitted classifier, which travels to each of them once.
    dataframe : dask.dataframe.DataFrame
        Partitions are tagged as a whole: some ten thousand texts in each are plenty.
    column : str
        Where the texts are.
    top_k : int or None, default=None
        Add the so many most probable labels, as of `TextCNNClassifier.predict_topk`.
    probabilities : bool, default=False
        Add the probabilities of all labels.

    Returns
    -------
    dask.dataframe.DataFrame
        The columns of `dataframe` and ``labels``, a list of str per row, as of
        `TextCNNClassifier.predict_labels`. If asked for, ``top_labels`` and ``top_probabilities``, lists
        of str and of float32; and ``probabilities``, lists of float32 in the order of `classes_`. Index
        and partitions are those of `dataframe`.

    Raises
    ------
    ImportError
        If the extra is not installed; when computed, if a worker lacks the package.
    TypeError
        If `dataframe` or `model` is something else, or the column holds no texts; when computed, if a
        row holds something else than a text, a null among them: the message names it.
    ValueError
        If there is no such column, or one of the result is there already; if `top_k` is out of range, or
        the model is damaged.
    FileNotFoundError
        If there is no model; when computed, if a worker does not see it.
    RuntimeError
        When computed, if a worker has another version of the package, or sees another model.
    sklearn.exceptions.NotFittedError
        If the classifier is not fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> import dask.dataframe  # doctest: +SKIP
    >>> from sktextcnn.distributed import predict_dask
    >>> texts = pd.DataFrame({"id": [1, 2], "text": ["a late goal", "a vote"]})
    >>> texts = dask.dataframe.from_pandas(texts, npartitions=2)  # doctest: +SKIP
    >>> tagged = predict_dask("model", texts, "text")  # doctest: +SKIP
    >>> tagged.to_parquet("tagged")  # doctest: +SKIP
    """
    try:
        import cloudpickle
        import pandas as pd
        import pyarrow
        from dask.dataframe import DataFrame
        from dask.delayed import delayed
    except ImportError as error:
        raise _not_installed("predict_dask", "dask", error) from error
    if not isinstance(dataframe, DataFrame):
        raise TypeError(
            f"dataframe is a {_name_of_type(dataframe)}; expected a Dask dataframe, such as "
            "dask.dataframe.from_pandas(dataframe, npartitions=8)."
        )
    added = _check_columns(list(dataframe.columns), column, top_k, probabilities)
    dtype = dataframe.dtypes[column]
    if not pd.api.types.is_string_dtype(dtype):
        raise TypeError(
            f"Column {column!r} has dtype {dtype}; expected texts. If these are texts in another form, "
            f"convert them first: dataframe[{column!r}].astype(str)."
        )
    sent = _send(model, cloudpickle.dumps, top_k)
    tag = _to_worker(sent.path, sent.checksum, column, top_k, probabilities)

    def tag_partition(frame: Any, pickled: bytes | None, partition_info: Any = None) -> Any:
        number = None if partition_info is None else partition_info["number"]
        arrays = tag(frame[column].tolist(), number, 0, pickled)
        columns = {
            name: pd.Series(array, index=frame.index, dtype=pd.ArrowDtype(array.type))
            for name, array in arrays.items()
        }
        return frame.assign(**columns)

    # A value of its own in the graph goes to a worker once, not with each partition.
    pickled = delayed(sent.pickled, pure=False) if sent.pickled is not None else None
    meta = dataframe._meta.assign(
        **{name: pd.Series([], dtype=pd.ArrowDtype(_arrow_type(pyarrow, name))) for name in added}
    )
    return dataframe.map_partitions(tag_partition, pickled, meta=meta)


def predict_spark(
    model: str | os.PathLike | TextCNNClassifier,
    dataframe: pyspark.sql.DataFrame,
    column: str,
    *,
    top_k: int | None = None,
    probabilities: bool = False,
) -> pyspark.sql.DataFrame:
    """Tag the texts of a Spark dataframe, lazily: nothing is computed before you ask for the result.

    Needs the extra ``spark`` (``pip install 'sktextcnn[spark]'``), here and on the workers.

    Parameters
    ----------
    model : str, path or TextCNNClassifier
        A folder that `TextCNNClassifier.save` wrote and that all workers see under this path: each of
        their Python processes reads it once. Or a fitted classifier, which travels with the task.
    dataframe : pyspark.sql.DataFrame
    column : str
        Where the texts are.
    top_k : int or None, default=None
        Add the so many most probable labels, as of `TextCNNClassifier.predict_topk`.
    probabilities : bool, default=False
        Add the probabilities of all labels.

    Returns
    -------
    pyspark.sql.DataFrame
        The columns of `dataframe` and ``labels``, an array of strings per row, as of
        `TextCNNClassifier.predict_labels`. If asked for, ``top_labels`` and ``top_probabilities``,
        arrays of strings and of floats; and ``probabilities``, arrays of floats in the order of
        `classes_`.

    Raises
    ------
    ImportError
        If the extra is not installed.
    TypeError
        If `dataframe` or `model` is something else, or the column holds no strings.
    ValueError
        If there is no such column, or one of the result is there already; if `top_k` is out of range, or
        the model is damaged.
    FileNotFoundError
        If there is no model.
    sklearn.exceptions.NotFittedError
        If the classifier is not fitted.

    Notes
    -----
    What goes wrong on a worker arrives as Spark's ``PythonException``, which tells the same as the
    errors of `predict_dask`.

    The rows come to Python by ``mapInArrow``: with pandas in between, a column of large integers with
    a null in it would lose digits.

    Examples
    --------
    >>> from sktextcnn.distributed import predict_spark
    >>> texts = spark.read.json("texts.jsonl")  # doctest: +SKIP
    >>> tagged = predict_spark("/shared/model", texts, "text")  # doctest: +SKIP
    >>> tagged.write.parquet("tagged")  # doctest: +SKIP
    """
    try:
        import pyarrow  # noqa: F401, which mapInArrow needs
        from pyspark import cloudpickle
        from pyspark.sql import types
    except ImportError as error:
        raise _not_installed("predict_spark", "spark", error) from error
    if not hasattr(dataframe, "mapInArrow"):
        raise TypeError(
            f"dataframe is a {_name_of_type(dataframe)}; expected a Spark dataframe, such as "
            "spark.createDataFrame(dataframe)."
        )
    added = _check_columns(dataframe.columns, column, top_k, probabilities)
    kind = dataframe.schema[column].dataType
    if not isinstance(kind, types.StringType):
        raise TypeError(
            f"Column {column!r} is of type {kind.simpleString()}; expected string. If these are texts "
            f"in another form, cast them first: dataframe[{column!r}].cast('string')."
        )
    sent = _send(model, cloudpickle.dumps, top_k)
    pickled = sent.pickled
    tag = _to_worker(sent.path, sent.checksum, column, top_k, probabilities)

    def tag_partition(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow
        from pyspark import TaskContext

        context, row = TaskContext.get(), 0
        for batch in batches:
            texts = batch.column(batch.schema.get_field_index(column)).to_pylist()
            arrays = tag(texts, context and context.partitionId(), row, pickled)
            row += len(texts)
            yield pyarrow.RecordBatch.from_arrays(
                [*batch.columns, *arrays.values()], names=[*batch.schema.names, *arrays]
            )

    elements = {str: types.StringType(), float: types.FloatType()}
    fields = [
        types.StructField(
            name, types.ArrayType(elements[_RESULT[name]], containsNull=False), nullable=False
        )
        for name in added
    ]
    return dataframe.mapInArrow(tag_partition, types.StructType([*dataframe.schema.fields, *fields]))


# -- where the work is given out ---------------------------------------------------------------------


def _not_installed(function: str, extra: str, error: ImportError) -> ImportError:
    return ImportError(
        f"{function} needs {error.name}, which is not installed: pip install 'sktextcnn[{extra}]'."
    )


def _name_of_type(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _name_columns(top_k: int | None, probabilities: bool) -> list[str]:
    """Return the names of the columns of the result."""
    asked = {"labels": True, "probabilities": probabilities}
    return [name for name in _RESULT if asked.get(name, top_k is not None)]


def _check_columns(columns: list[str], column: str, top_k: int | None, probabilities: bool) -> list[str]:
    """Return the names of the columns to be added, if the column of texts is there and they are not."""
    if column not in columns:
        raise ValueError(f"There is no column {column!r}; the dataframe has {columns}.")
    added = _name_columns(top_k, probabilities)
    taken = [name for name in added if name in columns]
    if taken:
        raise ValueError(
            f"The dataframe has columns {taken} already, which are the names of those of the result; "
            "rename them, or leave them out."
        )
    return added


@dataclass(frozen=True)
class _Sent:
    """A model on its way: where it lies, or what it is; and a number to know it by."""

    path: str | None
    pickled: bytes | None
    checksum: int


def _send(model: Any, dumps: Callable[[Any], bytes], top_k: int | None = None) -> _Sent:
    """Check a model, and return what tells it to a worker; `dumps` also takes functions of the user."""
    if isinstance(model, TextCNNClassifier):
        check_is_fitted(model, "weights_")
        _check_top_k(model, top_k)
        pickled = dumps(model)
        return _Sent(None, pickled, zlib.crc32(pickled))
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            f"model is a {_name_of_type(model)}; expected the folder of a saved one, or a fitted "
            "TextCNNClassifier."
        )
    path = Path(model).resolve()
    _check_top_k(load(path), top_k)
    return _Sent(str(path), None, _checksum(path))


def _check_top_k(classifier: TextCNNClassifier, top_k: int | None) -> None:
    """Let the classifier say now, not on a worker, that it has fewer labels."""
    if top_k is not None:
        try:
            classifier.predict_topk([""], top_k)
        except ValueError as error:
            raise ValueError(f"top_k: {error}") from error


def _checksum(path: Path) -> int:
    """Return a number that a saved model shares with its copies: model.json has those of its arrays."""
    return zlib.crc32((path / MODEL).read_bytes())


def _to_worker(
    path: str | None, checksum: int, column: str, top_k: int | None, probabilities: bool
) -> Callable[..., dict]:
    """Return `tag_texts` with its settings, so that a process without the package can unpickle it."""
    version = __version__

    def tag(texts: list, partition: int | None, first_row: int, pickled: bytes | None) -> dict:
        import platform

        here = f"worker {platform.node()} (Python {platform.python_version()})"
        try:
            from sktextcnn import __version__ as installed
        except ImportError as error:
            raise ImportError(
                f"sktextcnn cannot be imported on {here}: {error}. Install on all workers what the "
                f"driver has: pip install sktextcnn=={version}."
            ) from error
        if installed != version:
            raise RuntimeError(
                f"{here} has sktextcnn {installed}, but the driver has {version}; expected "
                f"the same. Install it on all workers: pip install sktextcnn=={version}."
            )
        from sktextcnn.distributed import load_once, tag_texts

        return tag_texts(
            texts,
            lambda: load_once(path, pickled, checksum),
            column=column,
            partition=partition,
            first_row=first_row,
            top_k=top_k,
            probabilities=probabilities,
        )

    return tag


# -- on a worker -------------------------------------------------------------------------------------


def load_once(path: str | None, pickled: bytes | None, checksum: int) -> TextCNNClassifier:
    """Return a model, read when this process first needs it.

    Parameters
    ----------
    path : str or None
        Where it lies; None: it was sent.
    pickled : bytes or None
        What was sent.
    checksum : int
        What the driver knows it by.

    Returns
    -------
    TextCNNClassifier

    Raises
    ------
    FileNotFoundError
        If this machine does not see the folder.
    RuntimeError
        If there is another model in it.
    """
    with _lock:
        if checksum not in _loaded:
            if len(_loaded) >= MODELS_KEPT:
                _loaded.clear()
            if path is not None:
                _loaded[checksum] = _read(Path(path), checksum)
            elif pickled is not None:
                _loaded[checksum] = pickle.loads(pickled)
        return _loaded[checksum]


def _read(path: Path, checksum: int) -> TextCNNClassifier:
    host = platform.node()
    try:
        found = _checksum(path)
    except OSError as error:
        raise FileNotFoundError(
            f"Worker {host} cannot read the model {path} ({error.strerror}). Save it where all workers "
            "see it under the same path, such as a shared file system, or pass the classifier itself."
        ) from error
    if found != checksum:
        raise RuntimeError(
            f"Worker {host} finds another model in {path} than the driver, or it was replaced "
            "meanwhile. Save each model in a folder of its own, where all workers see the same."
        )
    return load(path)


def tag_texts(
    texts: Sequence[Any],
    open_model: Callable[[], TextCNNClassifier],
    *,
    column: str,
    partition: int | None,
    first_row: int,
    top_k: int | None,
    probabilities: bool,
) -> dict[str, pyarrow.Array]:
    """Return the columns of the result for some rows of a partition.

    Parameters
    ----------
    texts : sequence of str, of length n
        There may be none.
    open_model : callable
        Returns the classifier.
    column : str
        For messages: where the texts come from.
    partition : int or None
        The same; None: nobody knows.
    first_row : int
        Rows of the partition before these.
    top_k : int or None
    probabilities : bool

    Returns
    -------
    dict of str to pyarrow.Array of length n
        ``labels``: lists of str; and what is asked for.

    Raises
    ------
    TypeError
        If a text is none.
    """
    import pyarrow

    for row, text in enumerate(texts, first_row):
        if not isinstance(text, str):
            where = f"row {row}" if partition is None else f"partition {partition}, row {row}"
            raise TypeError(
                f"Column {column!r}, {where} of it (from 0), holds {text!r} of type "
                f"{type(text).__name__}; expected a str. Leave out such rows, or fill them, for example "
                'with "".'
            )
    columns: dict[str, Any] = {name: [] for name in _name_columns(top_k, probabilities)}
    if texts:
        classifier = open_model()

        def finish(scores: np.ndarray) -> dict[str, list]:
            found: dict[str, list] = {"probabilities": [*scores]} if probabilities else {}
            if top_k is not None:
                best, best_scores = best_labels(scores, top_k)
                names = _as_str(classifier.classes_[best])
                found |= {"top_labels": names, "top_probabilities": [*best_scores]}
            return found

        if len(columns) == 1:
            labels = classifier.predict_labels(texts)
        else:
            labels, parts = classifier._predict_labels_and(texts, finish)
            for part in parts:
                for name, rows in part.items():
                    columns[name] += rows
        columns["labels"] = _as_str(labels)
    return {name: pyarrow.array(values, _arrow_type(pyarrow, name)) for name, values in columns.items()}


def _as_str(rows: Iterable[Iterable[Any]]) -> list[list[str]]:
    return [[str(name) for name in row] for row in rows]


def _arrow_type(arrow: Any, name: str) -> pyarrow.DataType:
    """Return the type of a column of the result."""
    return arrow.list_({str: arrow.string(), float: arrow.float32()}[_RESULT[name]])
