"""Parameters that files hold, and those that are passed again."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest

from sktextcnn import TextCNNClassifier
from sktextcnn.storage.params import join_params, split_params


def split_on_spaces(text):
    return text.split()


class Metric:
    def __call__(self, truth, decisions):
        return 0.5


def test_parameters_are_split():
    params = {
        "analyzer": "word",
        "tokenizer": split_on_spaces,
        "strip_accents": functools.partial(str.replace, "e"),
        "metric": Metric(),
        "keras_callbacks": lambda: [],
        "random_state": np.random.RandomState(0),
        "vocabulary": {"a", "b"},
        "kernel_sizes": pd.Series([1, 2]),
        "classes": pd.Index(["a", "b"]),
        "class_weight": {0: np.float32(2)},
        "learning_rate": np.float64(0.5),
        "embeddings": None,
    }
    written, left_out = split_params(params, leave_out=["embeddings"])
    assert left_out == {
        "tokenizer": "test_params.split_on_spaces",
        "strip_accents": "functools.partial(str.replace)",
        "metric": "an instance of test_params.Metric",
        "keras_callbacks": "test_params.test_parameters_are_split.<locals>.<lambda>",
        "random_state": "an instance of numpy.random.mtrand.RandomState",
    }
    assert [*written] == [name for name in params if name not in left_out]
    assert type(written["kernel_sizes"]) is type(written["classes"]) is np.ndarray
    assert written["learning_rate"] is params["learning_rate"]
    assert split_params({"embeddings": [1.0]}, leave_out=["embeddings"])[1] == {
        "embeddings": "an instance of list"
    }


def test_all_default_parameters_are_written():
    params = TextCNNClassifier().get_params()
    assert split_params(params) == (params, {})


def test_parameters_are_joined():
    left_out = {"tokenizer": "words.split", "metric": "my.metric", "analyzer": "words.all"}
    needed = ["analyzer", "tokenizer", "strip_accents"]
    join = functools.partial(join_params, {"filters": 4}, known=["filters", *left_out], needed=needed)
    given = {"tokenizer": split_on_spaces, "analyzer": str.split}
    assert join(left_out, given) == {"filters": 4, **given}
    assert join({}, {}) == {"filters": 4}
    message = (
        r"saved without analyzer=words\.all, tokenizer=words\.split, which files do not hold\. Pass the "
        r"same again: load\(path, analyzer=\.\.\., tokenizer=\.\.\.\)"
    )
    with pytest.raises(ValueError, match=message):
        join(left_out, {})
    with pytest.raises(ValueError, match=r"without analyzer=words\.all, which"):
        join(left_out, {"tokenizer": str.split})
    with pytest.raises(TypeError, match="filters was saved with the model, or is no parameter"):
        join(left_out, {**given, "filters": 5})
    with pytest.raises(TypeError, match="left out were none"):
        join({}, {"tokeniser": str.split})
    with pytest.raises(ValueError, match=r"does not know: attention, filters\. A later version"):
        join({"attention": "later.attend"}, {}, known=["analyzer"])
