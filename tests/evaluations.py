"""Evaluations without a classifier, for tests of what is made of them."""

import numpy as np
from sklearn.metrics import f1_score, precision_recall_fscore_support

from sktextcnn.metrics import Evaluation


def evaluation_of(
    truth, predicted, *, labels=None, probabilities=None, thresholds=None, multilabel=True
):
    """Return what `evaluate` would of such labels."""
    truth, predicted = np.asarray(truth, np.int8), np.asarray(predicted, np.int8)
    precision, recall, f1, _ = precision_recall_fscore_support(
        np.pad(truth, ((0, 0), (0, 1))), np.pad(predicted, ((0, 0), (0, 1))), zero_division=0
    )
    return Evaluation(
        labels=[*map(str, range(truth.shape[1]))] if labels is None else [*labels],
        multilabel=multilabel,
        truth=truth,
        predicted=predicted,
        probabilities=None if probabilities is None else np.asarray(probabilities, float),
        thresholds=None if thresholds is None else np.asarray(thresholds, float),
        precision=precision[:-1],
        recall=recall[:-1],
        f1=f1[:-1],
        support=truth.sum(axis=0, dtype=np.int64),
        scores={"f1_micro": f1_score(truth, predicted, average="micro", zero_division=0)},
    )


def random_evaluation(n=60, k=5, **given):
    """Return an evaluation of rather good predictions, with probabilities and thresholds."""
    draw = np.random.default_rng(0)
    truth = draw.random((n, k)) < np.linspace(0.6, 0.1, k)
    probabilities = np.clip(0.5 * truth + 0.6 * draw.random((n, k)), 0, 1)
    thresholds = np.linspace(0.4, 0.6, k)
    given = {"probabilities": probabilities, "thresholds": thresholds, **given}
    return evaluation_of(truth, probabilities >= thresholds, **given)
