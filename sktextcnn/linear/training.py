"""Fitting the linear part: one linear SVM per label, and how its margins join the network's logits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize, sparse

from sktextcnn.linear.svm import fit_svms

#: When an SVM is good enough, see `svm.fit_svms`. liblinear's default of 1e-4 takes up to four times as
#: long, for the same F1 to three digits on two data sets.
TOLERANCE = 1e-2


def fit_linear(
    features: sparse.csr_matrix,
    targets: sparse.csr_matrix,
    sample_weight: np.ndarray,
    label_weight: np.ndarray,
    seed: int,
    *,
    C: float = 1.0,
    n_threads: int = 1,
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Fit one linear SVM per label.

    Parameters
    ----------
    features : csr_matrix of shape (n, M)
    targets : csr_matrix of shape (n, k)
        0/1.
    sample_weight : ndarray of shape (n,)
    label_weight : ndarray of shape (2, k)
        Weight of a 1 and of a 0 in each column.
    seed : int
    C : float, default=1.0
        Inverse of the regularization strength.
    n_threads : int, default=1
        Threads that share the labels. The result is the same for every number of them.

    Returns
    -------
    kernel : csr_matrix of shape (M, k), dtype float32
    bias : ndarray of shape (k,), dtype float32
        A label that all or no texts carry has kernel 0 and bias 1 or -1. Texts of weight 0 do not count.
    """
    rows = np.flatnonzero(sample_weight > 0)
    if len(rows) < len(sample_weight):
        features, targets, sample_weight = features[rows], targets[rows], sample_weight[rows]
    counts = targets.getnnz(axis=0)
    has_1, has_0 = (counts > 0) & (label_weight[0] > 0), (counts < len(rows)) & (label_weight[1] > 0)
    fitted = np.flatnonzero(has_1 & has_0) if features.shape[1] else np.zeros(0, np.intp)
    kernel, bias = fit_svms(
        features,
        targets,
        sample_weight * np.float32(C),
        label_weight,
        fitted,
        tolerance=TOLERANCE,
        seed=seed,
        n_threads=n_threads,
    )
    constant = np.ones(targets.shape[1], bool)
    constant[fitted] = False
    bias[constant] = np.where(has_1 & ~has_0, 1, -1)[constant]
    return kernel, bias


def fit_blend(
    logits: np.ndarray,
    margins: np.ndarray,
    truth: np.ndarray,
    sample_weight: np.ndarray,
    label_weight: np.ndarray,
    *,
    counts: np.ndarray,
    exclusive: bool,
) -> np.ndarray:
    """Find the sums of logits and margins with the least cross-entropy on held-out texts.

    As in Platt's scaling of SVMs [1]_, the logistic function of a sum, or the softmax of a text's sums,
    is a probability. Of rare labels the margins may say more, but held-out texts hold too few of them to
    learn weights of their own from. So the weights are linear in the labels' log counts: six numbers,
    those of the rarest label and those of the most frequent one.

    Parameters
    ----------
    logits, margins : ndarray of shape (n, k)
        Of texts that neither part has learned from.
    truth : ndarray of shape (n, k)
        0/1.
    sample_weight : ndarray of shape (n,)
    label_weight : ndarray of shape (2, k)
        Weight of a 1 and of a 0 in each column: as in the losses of the two parts, so that the blend
        does not undo what they were told to prefer.
    counts : ndarray of shape (k,)
        Training texts that carry each label.
    exclusive : bool
        Softmax (True) or one logistic function per label.

    Returns
    -------
    ndarray of shape (3, k)
        Weight of the logits and of the margins, neither below 0, and a constant (0 for softmax).

    References
    ----------
    .. [1] J. Platt (1999), Probabilistic Outputs for Support Vector Machines and Comparisons to
       Regularized Likelihood Methods, in Advances in Large Margin Classifiers, MIT Press.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.linear.training import fit_blend
    >>> truth = np.array([[1], [0], [1], [0]])
    >>> logits, margins = np.array([[1.0], [1], [0], [0]]), np.array([[1.0], [-1], [0.2], [0.5]])
    >>> of_logits, of_margins, constant = fit_blend(
    ...     logits, margins, truth, np.ones(4), np.ones((2, 1)), counts=np.array([2]), exclusive=False
    ... )
    >>> bool(of_logits < of_margins)
    True
    """
    weight = (sample_weight / sample_weight.sum()).astype(np.float64)
    frequency = np.log1p(counts)
    frequency = (frequency - frequency.min()) / max(np.ptp(frequency), 1e-9)
    ends = np.stack([1 - frequency, frequency])  # how near each label is to the two ends
    cross_entropy = _cross_entropy(logits, margins, truth, weight, label_weight, ends, exclusive)

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = cross_entropy(numbers)
        # Slight shrinkage: held-out texts that are all told right would drive the weights to infinity.
        shrinkage = 1e-4 * numbers
        return value + shrinkage @ numbers, gradient + 2 * shrinkage

    constant = (0, 0) if exclusive else (None, None)
    found = optimize.minimize(
        loss,
        np.repeat([1.0, 1.0, 0.0], 2),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * 4 + [constant] * 2,
    )
    return found.x.reshape(3, 2) @ ends


#: Margins from which the blend is found, at most: six numbers do not get better by more of them.
MOST_BLENDED = 4_000_000


def sample_texts(n: int, n_labels: int, seed: int) -> np.ndarray:
    """Return which of n held-out texts the blend is found on, ascending: all, or a sample of them.

    Parameters
    ----------
    n, n_labels : int
    seed : int

    Returns
    -------
    ndarray of shape (m,), dtype int64
        As many as have `MOST_BLENDED` margins together, at most.
    """
    most = max(MOST_BLENDED // n_labels, 1)
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(seed).permutation(n)[:most])


#: Numbers of a part of the texts that the blend works on at a time, so that they stay in the cache.
_PART = 1 << 15


def _cross_entropy(
    logits: np.ndarray,
    margins: np.ndarray,
    truth: np.ndarray,
    weight: np.ndarray,
    label_weight: np.ndarray,
    ends: np.ndarray,
    exclusive: bool,
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return the cross-entropy as a function of six numbers; it gives its gradient as well."""
    rows = max(1, _PART // logits.shape[1])
    parts = [slice(first, first + rows) for first in range(0, len(logits), rows)]
    positive, negative = label_weight.astype(np.float64)

    def share_of(part: slice) -> np.ndarray:
        """Return the weight of each label that is true."""
        share = positive * truth[part]
        if exclusive:
            share /= np.maximum(truth[part].sum(axis=1, keepdims=True), 1)
        return share

    # Where a label is true, the blend itself is taken off the loss: that is summed up once for all.
    linear = np.zeros((3, logits.shape[1]))
    for part in parts:
        share = weight[part, None] * share_of(part)
        linear += [(share * summand).sum(axis=0) for summand in (logits[part], margins[part], 1.0)]

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        blend = numbers.reshape(3, 2) @ ends
        value, gradient = -(linear * blend).sum(), -linear
        for part in parts:
            of_network, of_margins = logits[part].astype(np.float64), margins[part].astype(np.float64)
            z = blend[0] * of_network
            z += blend[1] * of_margins
            z += blend[2]
            if exclusive:  # a text without label has no part in it
                values, slope = _log_sum_exp(z)
                counts = weight[part] * share_of(part).sum(axis=1)
                value += counts @ values
                slope *= counts[:, None]
            else:
                values, slope = _softplus(z)
                counts = np.where(truth[part] > 0, positive, negative) * weight[part, None]
                value += (counts * values).sum()
                slope *= counts
            of_network *= slope
            of_margins *= slope
            gradient += [summand.sum(axis=0) for summand in (of_network, of_margins, slope)]
        return value, (gradient @ ends.T).ravel()

    return loss


def _softplus(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``log(1 + exp(z))``, and the derivatives."""
    small = np.exp(-np.abs(z))
    slope = np.where(z >= 0, 1.0, small)
    slope /= 1 + small
    return np.maximum(z, 0) + np.log1p(small), slope


def _log_sum_exp(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's ``log(sum(exp(z)))``, and the derivatives."""
    highest = z.max(axis=1, keepdims=True)
    slope = np.exp(z - highest)
    total = slope.sum(axis=1, keepdims=True)
    slope /= total
    return (highest + np.log(total)).ravel(), slope
