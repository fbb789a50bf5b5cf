"""Scores of texts whose labels are known -> the thresholds that do best. NumPy and SciPy.

Scores and truth are dense arrays or, where labels are many, sparse matrices with the same entries: what
has no entry is a score that no threshold will ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse

from sktextcnn.decision.rule import check_label_bounds

#: Numbers of texts and labels: an ndarray or csr_matrix of shape (n, k).
Matrix = Any

#: From positions among the entries of a matrix to the weights of their texts.
WeightOf = Callable[[np.ndarray], np.ndarray]

#: Held-out texts of a label at which its own threshold counts as much as the safer one, by measure.
#: Chosen on parts of the training splits of four and five data sets; half and twice as many do about as
#: well.
POSITIVES_FOR_HALF = {"f1_micro": 50, "f1_macro": 20}

#: Where to look for a threshold that all labels share: evenly spaced log-odds.
_SHARED_THRESHOLDS = 1 / (1 + np.exp(-np.linspace(-6.0, 4.0, 101)))


def default_threshold(loss: str, labels_per_text: float) -> float:
    """Return the probability from which a label is predicted when the user names none.

    One half for independent labels. Where the probabilities of a text sum to 1, its m labels share
    that sum (1 / m each), so the line is drawn at the share that one label more than usual would
    leave: 1 / (m + 1).

    Parameters
    ----------
    loss : str
        Name of the loss, as resolved.
    labels_per_text : float
        Mean number of labels of the training texts that carry one.

    Returns
    -------
    float
    """
    return 1.0 / (1.0 + labels_per_text) if loss == "kl_divergence" else 0.5


def check_thresholds(threshold: Any, n_labels: int) -> np.ndarray:
    """Return one threshold per label.

    Parameters
    ----------
    threshold : float or array-like of shape (n_labels,)
    n_labels : int

    Returns
    -------
    ndarray of shape (n_labels,), dtype float64

    Raises
    ------
    ValueError
        If the shape does not fit or a value is outside [0, 1].
    """
    try:
        values = np.asarray(threshold, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"threshold={threshold!r}; expected numbers between 0 and 1.") from error
    if values.ndim and values.shape != (n_labels,):
        raise ValueError(
            f"threshold has shape {values.shape}; expected a float, or one value for each of the "
            f"{n_labels} labels in the order of classes_."
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"threshold must lie between 0 and 1; got {threshold!r}.")
    return np.broadcast_to(values, (n_labels,)).copy()


def resolve_thresholds(
    threshold: Any,
    *,
    loss: str,
    matrix: sparse.csr_matrix,
    multilabel: bool,
    min_labels: int = 0,
    max_labels: int | None = None,
) -> np.ndarray:
    """Return the threshold of each label that the parameters of a decision mean.

    Parameters
    ----------
    threshold : float, array-like of shape (k,), "tune" or "cardinality"
        The last two give those of no tuning, until `tune_thresholds` has seen scores.
    loss : str
        Name of the loss, as resolved.
    matrix : csr_matrix of shape (n, k)
        0/1 labels of the training texts.
    multilabel : bool
        Whether a text may carry several labels.
    min_labels : int, default=0
        See `decide`.
    max_labels : int or None, default=None
        See `decide`.

    Returns
    -------
    ndarray of shape (k,), dtype float64

    Raises
    ------
    ValueError
        If the parameters contradict each other, or have no meaning for one label per text.
    """
    automatic = isinstance(threshold, str)
    chosen = not automatic or threshold != "tune"
    if not multilabel and (chosen or min_labels or max_labels is not None):
        raise ValueError(
            "threshold, min_labels and max_labels have no meaning for one label per text, where the "
            "most probable class is predicted. Leave them at their defaults, or pass label sets."
        )
    check_label_bounds(min_labels, max_labels, matrix.shape[1])
    if not automatic:
        return check_thresholds(threshold, matrix.shape[1])
    labelled = max(1, np.count_nonzero(np.diff(matrix.indptr)))
    return np.full(matrix.shape[1], default_threshold(loss, matrix.nnz / labelled))


def tune_thresholds(
    scores: Matrix,
    truth: Matrix,
    metric: str | Callable[..., float] = "f1_micro",
    *,
    labels_per_text: float | None = None,
    sample_weight: np.ndarray | None = None,
) -> np.ndarray:
    """Choose the thresholds that do best on texts the network has not learned from.

    Every label has a threshold of its own. But the best one of a label seen a few times is little more
    than chance, so its log-odds are shrunk, the more the rarer the label is (cf. SCutFBR [2]_, which
    replaces such thresholds), towards a safer choice.

    "f1_micro": of all thresholds, those with the highest micro-F1 together [6]_, shrunk towards the best
    one that all labels share. "f1_macro": each label's best one, as in SCut [1]_, shrunk towards that of
    the best *expected* F1: scores that are probabilities say themselves how many hits there will be
    above it [4]_. They are made probabilities first, by one line through the log-odds of all labels
    [5]_. Labels that no text carries get the shared threshold of "f1_micro".

    Parameters
    ----------
    scores : ndarray or csr_matrix of shape (n, k)
        Probabilities.
    truth : ndarray or csr_matrix of shape (n, k)
        0/1; if sparse, with the same entries as `scores`, zeros among them.
    metric : {"f1_micro", "f1_macro", "cardinality"} or callable, default="f1_micro"
        What to maximise. For a callable of true and predicted 0/1 matrices it is one shared threshold;
        for "cardinality" the shared one at which a text gets `labels_per_text` labels on average [3]_.
    labels_per_text : float or None, default=None
        None: the mean of `truth`.
    sample_weight : ndarray of shape (n,) or None, default=None
        Weight of each text, 1 for one that counts as a text; a callable does not get it.

    Returns
    -------
    ndarray of shape (k,), dtype float64

    References
    ----------
    .. [1] Y. Yang (2001), A Study of Thresholding Strategies for Text Categorization, SIGIR,
       https://doi.org/10.1145/383952.383975.
    .. [2] R.-E. Fan and C.-J. Lin (2007), A Study on Threshold Selection for Multi-label Classification,
       https://www.csie.ntu.edu.tw/~cjlin/papers/threshold.pdf.
    .. [3] J. Read, B. Pfahringer, G. Holmes and E. Frank (2009), Classifier Chains for Multi-label
       Classification, ECML PKDD, https://doi.org/10.1007/978-3-642-04174-7_17, eq. 2.
    .. [4] N. Ye, K. Chai, W. Lee and H. Chieu (2012), Optimizing F-measures: A Tale of Two Approaches,
       ICML, https://icml.cc/2012/papers/175.pdf.
    .. [5] J. Platt (1999), Probabilistic Outputs for Support Vector Machines and Comparisons to
       Regularized Likelihood Methods, in Advances in Large Margin Classifiers, MIT Press.
    .. [6] I. Pillai, G. Fumera and F. Roli (2013), Threshold Optimisation for Multi-label Classifiers,
       Pattern Recognition 46, https://doi.org/10.1016/j.patcog.2013.01.012.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.decision.thresholds import tune_thresholds
    >>> scores = np.array([[0.4, 0.1], [0.3, 0.1], [0.1, 0.2]])
    >>> truth = np.array([[1, 0], [1, 0], [0, 0]])
    >>> tune_thresholds(scores, truth).round(2)
    array([0.25, 0.25])
    """
    n_labels = scores.shape[1]
    positives = _sum_up(truth, sample_weight)
    if metric == "f1_micro":
        shared = _shared_threshold(scores, truth, sample_weight)
        own = _thresholds_together(scores, truth, positives, shared, sample_weight)
        return _shrink(own, shared, positives, POSITIVES_FOR_HALF["f1_micro"])
    if metric == "cardinality":
        shared = _threshold_of_cardinality(scores, positives.sum(), labels_per_text, sample_weight)
        return np.full(n_labels, shared)
    if callable(metric):
        carried = without_zeros(truth)
        values = [metric(carried, _reach(scores, shared)) for shared in _SHARED_THRESHOLDS]
        return np.full(n_labels, _SHARED_THRESHOLDS[int(np.argmax(values))])
    # "f1_macro"
    own, expected = _thresholds_of_labels(scores, truth, positives, sample_weight)
    if not positives.all():
        # Of a label that no text carries, probabilities of next to nothing would be the best there are.
        expected[positives == 0] = _shared_threshold(scores, truth, sample_weight)
    return _shrink(own, expected, positives, POSITIVES_FOR_HALF["f1_macro"])


def _shrink(own: np.ndarray, safe: Any, positives: np.ndarray, half: int) -> np.ndarray:
    """Return thresholds between each label's own and a safer one: halfway at `half` positives."""
    share = positives / (positives + half)
    return _probability(share * _log_odds(own) + (1 - share) * _log_odds(safe))


def _thresholds_together(
    scores: Matrix, truth: Matrix, positives: np.ndarray, shared: float, weight: np.ndarray | None
) -> np.ndarray:
    """Return the threshold of each label that together have the highest micro-F1.

    Let F be that micro-F1. Then each label's threshold is the one with the largest ``2 * hits - F *
    predictions``, whatever those of the others. F is found in a few rounds, from that of the shared
    threshold up (Dinkelbach's algorithm for the maximum of a ratio).
    """
    predicted = _reach(scores, shared)
    n_hits = _sum_up(predicted * truth if _is_dense(truth) else predicted.multiply(truth), weight).sum()
    f1 = 2 * n_hits / max(_sum_up(predicted, weight).sum() + positives.sum(), 1e-9)
    lightest = 1.0 if weight is None else weight.min()
    # Of each label that some text carries: scores that may be worth predicting, hits and predictions so
    # far. Others keep the shared threshold.
    ranked: list[tuple[int, np.ndarray, np.ndarray, np.ndarray | None]] = []
    for label, (column, carries, each) in enumerate(_columns(scores, truth, weight)):
        total = positives[label]
        if not total:
            continue
        # Beyond so many predictions they outweigh all hits. One score more: a threshold is halfway
        # to the next score.
        most = 2 * total / max(f1, 1e-9) / lightest + 2
        top = np.arange(len(column))
        if most < len(column):
            top = np.argpartition(-column, int(most))[: int(most) + 1]
        order = top[np.argsort(-column[top], kind="stable")]
        gained = np.ones(len(order)) if each is None else each[order]
        hits = np.cumsum(gained * carries[order]).astype(np.float32)
        ranked.append((label, column[order], hits, None if each is None else np.cumsum(gained)))
    thresholds = np.full(len(positives), shared)
    for _ in range(20):
        sums = np.zeros(2)
        for label, descending, hits, so_far in ranked:
            so_far = np.arange(1.0, len(hits) + 1) if so_far is None else so_far
            gain = 2 * hits - f1 * so_far
            gain[:-1][descending[:-1] == descending[1:]] = -np.inf  # no threshold between equal scores
            best = int(gain.argmax())
            if gain[best] > 0:
                following = float(descending[best + 1]) if best + 1 < len(descending) else 0.0
                thresholds[label] = (float(descending[best]) + following) / 2
                sums += hits[best], so_far[best]
            else:
                thresholds[label] = (float(descending[0]) + 1) / 2
        before, f1 = f1, 2 * sums[0] / max(sums[1] + positives.sum(), 1e-9)
        if f1 <= before + 1e-9:
            break
    return thresholds


def _threshold_of_cardinality(
    scores: Matrix, n_true: float, labels_per_text: float | None, weight: np.ndarray | None
) -> float:
    """Return the threshold at which texts have nearest to so many labels on a (weighted) average."""
    flat = _flat(scores)
    wanted = float(n_true)
    if labels_per_text is not None:
        wanted = labels_per_text * (scores.shape[0] if weight is None else weight.sum())
    if weight is None:
        position = min(max(round(wanted), 1), flat.size) - 1
        descending = np.sort(flat)[::-1]
    else:
        order = np.argsort(-flat, kind="stable")
        position = int(np.abs(np.cumsum(_weight_of(scores, weight)(order)) - wanted).argmin())
        descending = flat[order]
    following = float(descending[position + 1]) if position + 1 < flat.size else 0.0
    return (float(descending[position]) + following) / 2


def _thresholds_of_labels(
    scores: Matrix, truth: Matrix, positives: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best threshold of each label, and the one of the best expected F1.

    Both are 0.5 where no text carries the label.
    """
    slope, constant = _calibration(scores, truth, weight)
    own, expected = np.full((2, scores.shape[1]), 0.5)
    for label, (column, carries, each) in enumerate(_columns(scores, truth, weight)):
        if not positives[label]:
            continue
        column = column.astype(np.float64)
        calibrated = _probability(slope * _log_odds(column) + constant)
        weight_of = None if each is None else each.__getitem__
        for thresholds, chances in ((own, carries), (expected, calibrated)):
            total = chances.sum() if each is None else each @ chances
            thresholds[label] = _best_threshold(column, chances, total, weight_of)
    return own, expected


# -- dense and sparse --------------------------------------------------------------------------------


def _is_dense(matrix: Matrix) -> bool:
    return isinstance(matrix, np.ndarray)


def _flat(matrix: Matrix) -> np.ndarray:
    """Return the entries, text after text."""
    return matrix.ravel() if _is_dense(matrix) else matrix.data


def _sum_up(matrix: Matrix, weight: np.ndarray | None) -> np.ndarray:
    """Return the sum of each column, or that of its entries times the weights of their texts."""
    return np.asarray(matrix.sum(axis=0)).ravel() if weight is None else weight @ matrix


def _weight_of(matrix: Matrix, weight: np.ndarray) -> WeightOf:
    if _is_dense(matrix):
        return lambda positions: weight[positions // matrix.shape[1]]
    return np.repeat(weight, np.diff(matrix.indptr)).__getitem__


def _columns(
    scores: Matrix, truth: Matrix, weight: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Yield each label's scores, which of them are true, and the weights of their texts."""
    if _is_dense(scores):
        for block in _parts(scores.shape[1], 64):
            # Each label's scores side by side: taken one by one, all would come from far apart.
            columns = np.ascontiguousarray(scores[:, block].T)
            for column, carries in zip(columns, np.ascontiguousarray(truth[:, block].T), strict=True):
                yield column, carries, weight
        return
    columns, carried = scores.tocsc(), truth.tocsc()
    for start, stop in zip(columns.indptr[:-1], columns.indptr[1:], strict=True):
        part = slice(start, stop)
        each = None if weight is None else weight[columns.indices[part]]
        yield columns.data[part], carried.data[part], each


def with_data(matrix: sparse.csr_matrix, data: np.ndarray) -> sparse.csr_matrix:
    """Return a sparse matrix with the same entries, and other numbers in them."""
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), matrix.shape)


def without_zeros(matrix: Matrix) -> Matrix:
    """Return a matrix that, if it is sparse, has no zeros among its entries."""
    if not _is_dense(matrix):
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    return matrix


def _reach(scores: Matrix, threshold: float) -> Matrix:
    """Return which scores reach a threshold, int8."""
    reached = (_flat(scores) >= threshold).astype(np.int8)
    if _is_dense(scores):
        return reached.reshape(scores.shape)
    return without_zeros(with_data(scores, reached))


# -- one threshold -----------------------------------------------------------------------------------


def _parts(n: int, size: int) -> list[slice]:
    return [slice(first, first + size) for first in range(0, n, size)]


def _calibration(scores: Matrix, truth: Matrix, weight: np.ndarray | None) -> np.ndarray:
    """Return the line (slope, constant) through the scores' log-odds that makes them probabilities.

    Newton's method, on the log-odds sorted into narrow bins. Shrinkage towards the scores as they are,
    of one text's weight, keeps the line finite where it would tell all labels right.
    """
    bins = np.linspace(-_MOST_LOG_ODDS, _MOST_LOG_ODDS, 1001)
    n, hits = np.zeros((2, len(bins)))
    flat, carried = _flat(scores), _flat(truth)
    weight_of = None if weight is None else _weight_of(scores, weight)
    for part in _parts(len(flat), (_PART // scores.shape[1] + 1) * scores.shape[1]):
        log_odds = _log_odds(flat[part].astype(np.float64))
        numbers = np.round((log_odds / _MOST_LOG_ODDS + 1) * 500).astype(np.intp)
        carries = carried[part] > 0
        each = None if weight_of is None else weight_of(_positions(part, len(flat)))
        n += np.bincount(numbers, each, minlength=len(bins))
        hit_weight = None if each is None else each[carries]
        hits += np.bincount(numbers[carries], hit_weight, minlength=len(bins))
    inputs = np.stack([bins, np.ones(len(bins))])
    prior = line = np.array([1.0, 0.0])

    def loss(line: np.ndarray) -> float:
        z = line @ inputs
        return n @ np.logaddexp(0, z) - hits @ z + ((line - prior) ** 2).sum() / 2

    for _ in range(100):
        p = _probability(line @ inputs)
        slope = inputs @ (n * p - hits) + line - prior
        step = np.linalg.solve(inputs * (n * p * (1 - p)) @ inputs.T + np.eye(2), slope)
        while loss(line - step) > loss(line) and np.abs(step).max() > 1e-6:
            step /= 2
        line = line - step
        if np.abs(step).max() <= 1e-6:
            break
    return line


def _shared_threshold(scores: Matrix, truth: Matrix, weight: np.ndarray | None) -> float:
    """Return the best threshold that all labels share."""
    if weight is None:
        return _best_threshold(_flat(scores), _flat(truth), truth.sum())
    total = float(weight @ np.asarray(truth.sum(axis=1)).ravel())
    return _best_threshold(_flat(scores), _flat(truth), total, _weight_of(scores, weight))


def _best_threshold(
    scores: np.ndarray, truth: np.ndarray, total: float, weight_of: WeightOf | None = None
) -> float:
    """Return the threshold of the highest F1, halfway between two scores; 0.5 if nothing is true.

    `truth` may hold probabilities; the F1 is then that of the expected numbers. `total` is its sum,
    weighted if there are weights.
    """
    if not truth.any():
        return 0.5
    top = _top(scores, truth, total, weight_of)
    order = top[np.argsort(-scores[top], kind="stable")]
    descending = scores[order].astype(np.float64)
    if weight_of is None:
        n_predicted, hits = np.arange(1, len(order) + 1), truth[order]
    else:
        each = weight_of(order)
        n_predicted, hits = np.cumsum(each), each * truth[order]
    f1 = 2 * np.cumsum(hits, dtype=np.float64) / (n_predicted + total)
    f1[:-1][descending[:-1] == descending[1:]] = -1.0  # no threshold between equal scores
    best = int(np.argmax(f1))
    return float((descending[best] + descending[min(best + 1, len(order) - 1)]) / 2)


def _top(scores: np.ndarray, truth: np.ndarray, total: float, weight_of: WeightOf | None) -> np.ndarray:
    """Return where the highest scores are: so many that the best threshold is among them, and one more.

    Even if n predictions hold all that is true, their F1 is no more than ``2 * total / (n + total)``. So
    a threshold that is known, between two of a few bins, says how many predictions are too many. Of 25
    million scores some hundred thousand remain to be sorted.
    """
    bins = np.empty(len(scores), np.uint8)
    n, hits = np.zeros((2, _N_BINS))
    heaviest = 1.0
    for part in _parts(len(scores), _PART):
        bins[part] = _bins(scores[part])
        each = None
        if weight_of is not None:
            each = weight_of(_positions(part, len(scores)))
            heaviest = max(heaviest, each.max())
        n += np.bincount(bins[part], each, minlength=_N_BINS)
        carried = truth[part] if each is None else each * truth[part]
        hits += np.bincount(bins[part], weights=carried, minlength=_N_BINS)
    n, hits = np.cumsum(n[::-1]), np.cumsum(hits[::-1])
    some = hits > 1e-6 * total
    # Two more than needed, for the next score and for rounding.
    spare = 2 * heaviest
    most = ((n + total)[some] * (total / hits[some])).min() * (1 + 1e-9) - total + spare
    n_bins = np.searchsorted(n, most) + 1
    return np.flatnonzero(bins >= _N_BINS - n_bins) if n_bins < _N_BINS else np.arange(len(scores))


def _positions(part: slice, n: int) -> np.ndarray:
    return np.arange(part.start, min(part.stop, n))


#: Scores that are worked on at a time, so that what is made of them stays in the cache.
_PART = 1 << 16

#: The first 12 bits of a float32: its sign, its exponent and 3 bits of its fraction, so that there are
#: eight bins between a number and its double; from about one in a million to 1.
_BITS_OFF = 20
_FIRST_BIN = 107 << 3
_N_BINS = 161


def _bins(scores: np.ndarray) -> np.ndarray:
    """Sort scores into bins: those of a higher bin are higher, and equal scores share theirs."""
    codes = scores.astype(np.float32).view(np.int32) >> _BITS_OFF
    return np.clip(codes - _FIRST_BIN, 0, _N_BINS - 1).astype(np.uint8)


#: Of a probability of one in a million.
_MOST_LOG_ODDS = np.log((1 - 1e-6) / 1e-6)


def _log_odds(probability: Any) -> Any:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def _probability(log_odds: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -log_odds))
