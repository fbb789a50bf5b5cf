"""Fitting the linear part: one linear SVM per label, and how its margins join the network's logits."""

from __future__ import annotations

import numpy as np
from scipy import optimize, sparse, special

from sktextcnn.svm import fit_svms

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
    n_threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
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
    n_threads : int, default=1
        Threads that share the labels. The result is the same for every number of them.

    Returns
    -------
    kernel : ndarray of shape (M, k), dtype float32
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
        sample_weight,
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
    *,
    counts: np.ndarray,
    exclusive: bool,
) -> np.ndarray:
    """Find the sums of logits and margins with the least cross-entropy on held-out texts.

    As in Platt's scaling of SVMs [1]_, the logistic function of a sum, or the softmax of a text's sums,
    is a probability. Of rare labels the margins may say more, but held-out texts hold too few of them to
    learn weights of their own from. So the weights are straight lines over the labels' log counts: six
    numbers, those of the rarest label and those of the most frequent one.

    Parameters
    ----------
    logits, margins : ndarray of shape (n, k)
        Of texts that neither part has learned from.
    truth : ndarray of shape (n, k)
        0/1.
    sample_weight : ndarray of shape (n,)
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
    >>> from sktextcnn.linear import fit_blend
    >>> truth = np.array([[1], [0], [1], [0]])
    >>> chance, margins = np.array([[1.0], [1], [0], [0]]), np.array([[1.0], [-1], [0.2], [0.5]])
    >>> of_logits, of_margins, constant = fit_blend(
    ...     chance, margins, truth, np.ones(4), counts=np.array([2]), exclusive=False
    ... )
    >>> bool(of_logits < of_margins)
    True
    """
    logits, margins = logits.astype(np.float64), margins.astype(np.float64)
    share = truth / np.maximum(truth.sum(axis=1, keepdims=True), 1) if exclusive else truth
    weight = (sample_weight / sample_weight.sum())[:, None]
    frequency = np.log1p(counts)
    frequency = (frequency - frequency.min()) / max(np.ptp(frequency), 1e-9)
    ends = np.stack([1 - frequency, frequency])  # how near each label is to the two ends

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        blend = numbers.reshape(3, 2) @ ends
        z = blend[0] * logits + blend[1] * margins + blend[2]
        if exclusive:
            log_p = special.log_softmax(z, axis=1)
            value = -share * log_p
            slope = np.exp(log_p) * share.sum(axis=1, keepdims=True) - share
        else:
            value = np.logaddexp(0, z) - share * z
            slope = special.expit(z) - share
        slope = weight * slope
        gradient = [(slope * logits).sum(axis=0), (slope * margins).sum(axis=0), slope.sum(axis=0)]
        # A little pull to 0: held-out texts that are all told right would drive the weights to infinity.
        pull = 1e-4 * numbers
        return (weight * value).sum() + pull @ numbers, (gradient @ ends.T).ravel() + 2 * pull

    constant = (0, 0) if exclusive else (None, None)
    found = optimize.minimize(
        loss,
        np.repeat([1.0, 1.0, 0.0], 2),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * 4 + [constant] * 2,
    )
    return found.x.reshape(3, 2) @ ends
