"""Names of values: the same in another process, and another for other values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

from sktextcnn.storage.fingerprint import fingerprint
from tests.processes import run_python


@dataclass
class Pair:
    first: object
    second: object
    note: str = field(default="", compare=False)


def half(x):
    return x / 2


def third(x):
    return x / 3


def nested(x):
    return sorted(x, key=lambda each: each)


def nested_otherwise(x):
    return sorted(x, key=lambda each: -each)


def enclosing(number):
    def function(x, bias=0):
        return x * number + bias

    return function


class Measure:
    def __init__(self, beta):
        self.beta = beta

    def __call__(self, truth, predicted):
        return self.beta

    def other(self):
        return self.beta


DISTINCT = [
    *(None, True, 1, 1.0, np.float32(1), np.int64(1), "1", b"1", float("nan"), 1j, ...),
    *([], (), {}, set(), frozenset(), [1], (1,), {1}, [[1], [2]], [[1, 2]], [1, [2]]),
    *(["ab", "c"], ["a", "bc"], ["abc"], ("ab", "c"), ["ab", 1], ["\ud800"], "ab", range(3)),
    *({"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 1}),
    *(np.zeros(3), np.zeros(3, np.float32), np.zeros((3, 1)), np.zeros(0), np.zeros((0, 3))),
    *(np.array(["a"]), np.array(["a"], object), np.array([["a"]], object)),
    *(np.array([0.0, -0.0]), np.array([0.0, 0.0])),
    *(sparse.csr_matrix(np.eye(2)), sparse.csr_matrix(np.ones((2, 2))), np.eye(2)),
    *(Pair(1, 2), Pair(2, 1), Pair(1, Pair(1, 2))),
    *(half, third, nested, nested_otherwise, enclosing(1), enclosing(2), partial(half, 1), len, str),
    *(Measure(1), Measure(2), Measure(1).other, Measure(2).other),
]


def test_other_values_have_other_fingerprints():
    names = [fingerprint(value) for value in DISTINCT]
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        assert a != b, (DISTINCT[i], DISTINCT[j])


def test_equal_values_have_the_same_one():
    array = np.arange(12.0).reshape(3, 4)
    assert fingerprint(array) == fingerprint(np.asfortranarray(array)) == fingerprint(array.copy())
    assert fingerprint(sparse.csr_matrix(array)) == fingerprint(sparse.csr_matrix(array.copy()))
    assert fingerprint(Pair(1, 2, "a")) == fingerprint(Pair(1, 2, "b"))
    assert fingerprint({3, 1, 2}) == fingerprint({1, 2, 3})
    assert fingerprint(enclosing(1)) == fingerprint(enclosing(1))
    assert fingerprint(Measure(1)) == fingerprint(Measure(1))
    assert fingerprint(Measure(1).other) == fingerprint(Measure(1).other)


def test_the_same_in_other_processes():
    """In which sets have other orders, and functions other addresses."""
    script = """
    import numpy as np
    from sktextcnn.storage.fingerprint import fingerprint

    words = set("abcdefgh")
    print(fingerprint([words, lambda x: x in {"a", "b", "c"}, len, np.arange(3), print, str]))
    """
    first, second = (run_python(script, PYTHONHASHSEED=seed).stdout for seed in "12")
    assert first == second


def test_what_has_none():
    with pytest.raises(TypeError, match=r"cannot be pickled .*; use a function in its place"):
        fingerprint(i for i in range(3))
    circle = []
    circle.append(circle)
    with pytest.raises(TypeError, match="contain themselves"):
        fingerprint(circle)
