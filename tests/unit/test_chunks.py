"""Results stacked as they come, chunk by chunk; what a process that only predicts needs."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sktextcnn.chunks import best_labels, stack_rows, stack_sparse
from tests.processes import run_python

sizes = st.lists(st.integers(0, 30), min_size=1, max_size=9)


@given(sizes, st.sampled_from([(), (3,), (1,)]), st.sampled_from([None, np.int64]), st.booleans())
def test_rows_are_stacked(sizes, shape, dtype, known):
    rng = np.random.default_rng(0)
    parts = [rng.random((size, *shape)) < 0.5 for size in sizes]
    found = stack_rows(iter(parts), sum(sizes) if known else None, dtype)
    expected = np.concatenate(parts).astype(dtype or bool)
    assert found.dtype == expected.dtype
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


@given(sizes, st.integers(1, 5))
def test_sparse_rows_are_stacked(sizes, k):
    rng = np.random.default_rng(0)
    parts = [rng.random((size, k)) < 0.3 for size in sizes]
    found = stack_sparse(iter(parts))
    expected = sparse.csr_matrix(np.concatenate(parts).astype(np.int64))
    assert isinstance(found, sparse.csr_matrix)
    for name in ("data", "indices", "indptr"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert found.shape == expected.shape


@given(st.integers(0, 1000), st.integers(0, 9), st.integers(1, 12), st.data())
def test_the_best_labels_are_the_first_of_a_stable_sort(seed, n, n_labels, data):
    """Of equal scores, of which there are many, the earlier one comes first."""
    k = data.draw(st.integers(1, n_labels))
    scores = np.random.default_rng(seed).integers(0, 4, (n, n_labels)).astype(np.float32)
    columns, best = best_labels(scores, k)
    assert columns.shape == best.shape == (n, k)
    np.testing.assert_array_equal(columns, np.argsort(-scores, axis=1, kind="stable")[:, :k])
    np.testing.assert_array_equal(best, np.take_along_axis(scores, columns, axis=1))


# -- a process that only predicts --------------------------------------------------------------------

MODEL = """
import json, re, sys
import numpy as np
from sktextcnn import TextCNNClassifier

def model(k, sparse_output=False):
    rng, V = np.random.default_rng(0), 2000
    weights = {"embedding": rng.normal(0, 0.1, (V + 2, 16)).astype(np.float32)}
    for size in (2, 3):
        weights[f"convolution_{size}_kernel"] = rng.normal(0, 0.1, (size, 16, 16)).astype(np.float32)
        weights[f"convolution_{size}_bias"] = np.zeros(16, np.float32)
    weights["output_kernel"] = rng.normal(0, 0.1, (32, k)).astype(np.float32)
    weights["output_bias"] = np.full(k, -9, np.float32)
    clf = TextCNNClassifier()
    vars(clf).update(
        vocabulary_={f"w{i}": i for i in range(V)}, classes_=np.arange(k), multilabel_=True,
        sparse_output_=sparse_output, loss_="binary_crossentropy", max_length_=128,
        weights_=weights, linear_part_=None, thresholds_=np.full(k, 0.5),
    )
    return clf

texts = [" ".join(f"w{(i * j) % 2000}" for j in range(15)) for i in range(int(sys.argv[1]))]
"""


#: The higher the peak may be, the later: a process tells the highest that there has been.
METHODS = [
    *("score", "sparse", "predict_topk", "predict_labels"),
    *("decision_function", "predict_proba", "predict"),
]
PEAKS = """
import scipy.sparse
import sktextcnn.engine.kernels  # and Numba, which long predictions load

def peak():
    with open("/proc/self/status") as file:  # of this program; getrusage's begins with the parent's
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", file.read()).group(1)) / 2**10

clf, sparse = model(2000), model(2000, sparse_output=True)
clf.predict(texts[:100])
at_first = peak()
nothing = scipy.sparse.csr_matrix((len(texts), 2000), dtype=int)
for method in sys.argv[2:]:
    for X in (texts, iter(texts)):
        if method == "score":
            clf.score(X, nothing)
            size = 0
        else:
            predict = sparse.predict if method == "sparse" else getattr(clf, method)
            size = getattr(predict(X), "nbytes", 0)
        print(json.dumps([method, X is texts, size / 2**20, peak() - at_first]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_is_that_of_the_result_and_little_more():
    """Of a list and of an iterator."""
    lines = run_python(MODEL + PEAKS, 20_000, *METHODS).stdout.splitlines()
    assert len(lines) == 2 * len(METHODS)
    for method, is_list, size, growth in map(json.loads, lines):
        assert growth <= 1.3 * size + 100, (method, is_list)
