"""Linear SVMs of many labels on the same texts: dual coordinate descent, many labels side by side.

Each text in turn moves its dual variable to the best value given all others [1]_, and a little beyond
[2]_. The labels of a block do so together. Their weights lie next to each other, so a text's features
are looked up once for all of them, and the processor multiplies several at a time. Every label still
has the numbers that it would have alone: who shares its block changes nothing.

Texts at a bound are not set aside meanwhile ("shrinking"): in a block nearly every text matters to some
label, and for a single one it would save but a sixth of the work.

Most weights of a label are next to nothing. A block that is done keeps the others alone [3]_, so that
memory grows with them, and not with n-grams times labels.

.. [1] C.-J. Hsieh, K.-W. Chang, C.-J. Lin, S. Keerthi and S. Sundararajan (2008), A Dual Coordinate
   Descent Method for Large-scale Linear SVM, ICML, https://doi.org/10.1145/1390156.1390208.
.. [2] O. Mangasarian and D. Musicant (1999), Successive Overrelaxation for Support Vector Machines,
   IEEE Transactions on Neural Networks 10, https://doi.org/10.1109/72.788643.
.. [3] R. Babbar and B. Schölkopf (2017), DiSMEC: Distributed Sparse Machines for Extreme Multi-label
   Classification, WSDM, https://doi.org/10.1145/3018661.3018741.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sktextcnn.jit import kernel, prepare
from sktextcnn.threads import Team

#: More are hardly faster each, and need more of the cache.
LABELS_PER_BLOCK = 32

#: How far a step goes, the best value being at 1. It saves up to a third of the sweeps.
STEP = np.float32(1.3)

#: Sweeps over the texts, at most; as in liblinear.
MOST_SWEEPS = 1000

#: Smallest weight that is kept, as a share of its label's largest, so that it means the same whatever an
#: error costs. On parts of the training splits of four data sets the F1s and the precision of the first
#: label stay as they are, within .001, with a twelfth to two thirds of the weights; at twice as many
#: labels follow.
SMALLEST_WEIGHT = 0.01

_ZERO, _ONE, _INFINITY = np.float32(0), np.float32(1), np.float32(np.inf)


@dataclass(frozen=True)
class _Problem:
    """What the SVMs of all labels share. The last feature is the constant 1, whose weight is the bias.

    Attributes
    ----------
    features : csr_matrix of shape (n, M + 1)
    rows : tuple of ndarray
        Its three arrays, as the kernel wants them, and the squared lengths of the texts.
    costs : ndarray of shape (n,)
        Weight of an error, for each text.
    positive_weight, negative_weight : ndarray of shape (k,)
        Weight of the 1s and of the 0s of each label in those costs.
    targets : csc_matrix of shape (n, k)
        The costs of the texts that carry each label.
    total : ndarray of shape (M + 1,)
        Sum of all texts, times their costs.
    """

    features: sparse.csr_matrix
    rows: tuple[np.ndarray, ...]
    costs: np.ndarray
    positive_weight: np.ndarray
    negative_weight: np.ndarray
    targets: sparse.csc_matrix
    total: np.ndarray


def fit_svms(
    features: sparse.csr_matrix,
    targets: sparse.csr_matrix,
    sample_weight: np.ndarray,
    label_weight: np.ndarray,
    labels: np.ndarray,
    *,
    tolerance: float,
    seed: int,
    n_threads: int = 1,
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Fit one linear SVM with squared hinge loss to each of some labels.

    It has the least ``w @ w / 2 + sum(weight * maximum(0, 1 - sign * (features @ w)) ** 2)``, where one
    more feature is always 1 and its weight is the bias. Then weights below `SMALLEST_WEIGHT` become 0.

    Parameters
    ----------
    features : csr_matrix of shape (n, M)
    targets : csr_matrix of shape (n, k)
        0/1.
    sample_weight : ndarray of shape (n,)
        Positive.
    label_weight : ndarray of shape (2, k)
        Weight of a 1 and of a 0 in each column; positive in those that are fitted.
    labels : ndarray of shape (m,)
        The columns to fit. Each has a 1 and a 0 at least. All weights of the others are 0.
    tolerance : float
        A label is done once the derivatives by its dual variables, as a sweep over the texts finds them,
        lie no further apart than this.
    seed : int
        Of the orders of the texts.
    n_threads : int, default=1
        Threads that share the labels. The result is the same for every number of them.

    Returns
    -------
    kernel : csr_matrix of shape (M, k), dtype float32
    bias : ndarray of shape (k,), dtype float32

    Warns
    -----
    ConvergenceWarning
        If a label is not done after `MOST_SWEEPS` sweeps.
    """
    shape, bias = (features.shape[1], targets.shape[1]), np.zeros(targets.shape[1], np.float32)
    if not len(labels):
        return sparse.csr_matrix(shape, dtype=np.float32), bias
    prepare([(_sweep, _smallest_sweep())])
    problem = _state(features, targets, sample_weight, label_weight)
    # Labels of like frequency take about as many sweeps, so none waits long for others of its block.
    labels = labels[np.argsort(-targets.getnnz(axis=0)[labels], kind="stable")]

    def fit(block: np.ndarray) -> sparse.csc_matrix:
        weights = _fit_block(problem, block, tolerance, seed)
        bias[block] = weights[-1]
        return _prune(weights[:-1])

    size = min(LABELS_PER_BLOCK, -(-len(labels) // n_threads))
    with Team(n_threads) as team:
        columns = team.map(fit, np.split(labels, range(size, len(labels), size)))
    others = np.setdiff1d(np.arange(len(bias)), labels)
    columns.append(sparse.csc_matrix((shape[0], len(others)), dtype=np.float32))
    kernel = sparse.hstack(columns, format="csc")
    return kernel[:, np.argsort(np.append(labels, others))].tocsr(), bias


def _prune(weights: np.ndarray) -> sparse.csc_matrix:
    """Return weights (M, number of labels) without those that are small beside their label's largest."""
    size = np.abs(weights)
    return sparse.csc_matrix(np.where(size < SMALLEST_WEIGHT * size.max(axis=0), 0, weights))


def _state(
    features: sparse.csr_matrix,
    targets: sparse.csr_matrix,
    sample_weight: np.ndarray,
    label_weight: np.ndarray,
) -> _Problem:
    """State the problem, in arrays of the types that the kernel was compiled for."""
    constant = np.ones((features.shape[0], 1), np.float32)
    features = sparse.hstack([features.astype(np.float32), constant], format="csr")
    costs = sample_weight.astype(np.float64)
    positive_weight, negative_weight = label_weight.astype(np.float64)
    # Numbers that cannot be negative save the kernel a question at every index.
    starts, indices = features.indptr.astype(np.uint32), features.indices.astype(np.uint32)
    squares = np.asarray(features.multiply(features).sum(axis=1)).ravel()
    return _Problem(
        features=features,
        rows=(starts, indices, features.data, squares),
        costs=costs,
        positive_weight=positive_weight,
        negative_weight=negative_weight,
        targets=(sparse.diags(costs) @ targets).tocsc(),
        total=features.T @ costs,
    )


def _fit_block(problem: _Problem, labels: np.ndarray, tolerance: float, seed: int) -> np.ndarray:
    """Return the weights of a block of labels, shape (M + 1, len(labels))."""
    carries = problem.targets[:, labels].toarray("C") > 0
    label_weight = np.where(carries, problem.positive_weight[labels], problem.negative_weight[labels])
    costs = problem.costs[:, None] * label_weight
    weights, (of_1, of_0) = _start(problem, labels)
    alphas = costs * np.where(carries, of_1, of_0)
    signs = np.where(carries, _ONE, -_ONE)
    # A generator of its own: every label sees the texts in the same orders, whatever its block.
    random = np.random.default_rng(seed)
    orders = (random.permutation(len(costs)) for _ in range(MOST_SWEEPS))
    columns = (signs, (0.5 / costs).astype(np.float32), alphas.astype(np.float32), weights)
    return _descend(problem, orders, columns, tolerance)


def _start(problem: _Problem, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the descent starts: weights, and the two factors that the dual variables share.

    Each dual variable is its cost times one factor for the texts that carry the label and another one
    for those that do not, by which the dual objective is a quadratic function of two numbers.
    """
    positive_weight, negative_weight = problem.positive_weight[labels], problem.negative_weight[labels]
    total = problem.total
    sums = (problem.features.T @ problem.targets[:, labels]).tocsc()  # of the texts that carry a label
    # Products of vectors, summed up without BLAS, which may divide a sum among threads.
    own, mixed = np.asarray(sums.multiply(sums).sum(axis=0)).ravel(), sums.T @ total
    other = (total**2).sum() - 2 * mixed + own
    n_1 = np.asarray(sums[-1].todense()).ravel()
    n_1, n_0 = positive_weight * n_1, negative_weight * (total[-1] - n_1)  # what all costs add up to
    q_11, q_00 = positive_weight**2 * own + n_1 / 2, negative_weight**2 * other + n_0 / 2
    q_10 = positive_weight * negative_weight * (own - mixed)
    determinant = q_11 * q_00 - q_10**2
    factors = np.stack([n_1 * q_00 - n_0 * q_10, n_0 * q_11 - n_1 * q_10]) / determinant
    factors = np.maximum(factors, 0)
    per_positive, per_negative = positive_weight * factors[0], negative_weight * factors[1]
    weights = np.outer(total.astype(np.float32), (-per_negative).astype(np.float32))
    column = np.repeat(np.arange(len(labels)), np.diff(sums.indptr))
    weights[sums.indices, column] += sums.data * (per_positive + per_negative)[column]
    return weights, factors


def _descend(
    problem: _Problem, orders: Iterator[np.ndarray], columns: tuple[np.ndarray, ...], tolerance: float
) -> np.ndarray:
    """Sweep over the texts, in one order after the other, until every label is done."""
    weights = columns[-1]
    steps = np.full(weights.shape[1], STEP)
    highest, lowest = np.empty_like(steps), np.empty_like(steps)
    for order in orders:
        _sweep(order, *problem.rows, steps, highest, lowest, *columns)
        steps[highest - lowest <= tolerance] = 0  # a label that is done stays as it is
        pending = np.flatnonzero(steps)
        if not len(pending):
            break
        if len(pending) <= len(steps) // 2:  # go on with these alone
            narrow = tuple(np.ascontiguousarray(part[:, pending]) for part in columns)
            weights[:, pending] = _descend(problem, orders, narrow, tolerance)
            break
    else:
        warnings.warn(
            f"The linear part has not converged after {MOST_SWEEPS} sweeps over the texts; very large "
            "sample or class weights are the usual reason.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return weights


@kernel
def _sweep(
    order: np.ndarray,
    starts: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    squares: np.ndarray,
    steps: np.ndarray,
    highest: np.ndarray,
    lowest: np.ndarray,
    signs: np.ndarray,
    slack: np.ndarray,
    alphas: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Take one step for each text and each label; change `alphas` and `weights`.

    `highest` and `lowest` receive the extremes of each label's derivatives. Those at the bound 0 count
    if they lead away from it. `slack` is what the squared hinge adds to the diagonal: 1 / (2 * cost).
    """
    width = len(steps)
    margins, moves = np.empty_like(steps), np.empty_like(steps)
    highest[:], lowest[:] = -_INFINITY, _INFINITY
    for i in order:
        margins[:] = _ZERO
        for p in range(starts[i], starts[i + 1]):
            value, row = data[p], weights[indices[p]]
            for j in range(width):
                margins[j] += value * row[j]
        sign, diagonal, alpha = signs[i], slack[i], alphas[i]
        for j in range(width):
            slope = sign[j] * margins[j] - _ONE + diagonal[j] * alpha[j]
            counts = slope if alpha[j] > _ZERO or slope < _ZERO else _ZERO
            highest[j], lowest[j] = max(highest[j], counts), min(lowest[j], counts)
            moved = max(alpha[j] - steps[j] * slope / (squares[i] + diagonal[j]), _ZERO)
            moves[j] = sign[j] * (moved - alpha[j])
            alpha[j] = moved
        for p in range(starts[i], starts[i + 1]):
            value, row = data[p], weights[indices[p]]
            for j in range(width):
                row[j] += value * moves[j]


def _smallest_sweep() -> tuple[Any, ...]:
    """Return arguments of `_sweep`, of the types that it is called with."""
    rows = np.zeros(1, np.int64), np.array([0, 1], np.uint32), np.zeros(1, np.uint32)
    columns = [np.ones((1, 1), np.float32) for _ in range(4)]
    return *rows, *np.ones((5, 1), np.float32), *columns
