"""What the tests of all engines for clusters share."""

import os
import signal
import sys

import numpy as np
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from tests.examples import corpus, tiny

_TEXTS, Y = corpus(90)
#: As an array, texts travel to a cluster once; a list goes with every task.
X = np.array(_TEXTS, dtype=object)


def search():
    """Fit a search over two candidates, on whatever backend joblib has."""
    grid = {"learning_rate": [0.002, 0.05]}
    with threadpool_limits(1):  # as many as workers have
        return GridSearchCV(tiny(), grid, cv=2, scoring="f1_micro").fit(X, Y)


def check_same_search(found, expected):
    """The same scores, bit by bit, the same choice, and the same model in the end."""
    for name in ("split0_test_score", "split1_test_score"):
        assert found.cv_results_[name].tolist() == expected.cv_results_[name].tolist()
    assert found.best_params_ == expected.best_params_
    assert np.array_equal(found.predict_proba(X), expected.predict_proba(X))


def look_at_process():
    """Return the process, the jobs and threads that a fit has in it, and whether TensorFlow is there."""
    from joblib import effective_n_jobs

    from sktextcnn.threads import limit_jobs, one_blas_thread

    with one_blas_thread() as granted:
        n_jobs = limit_jobs(effective_n_jobs(None), granted)
    return os.getpid(), n_jobs, granted, bool({"tensorflow", "keras"} & {*sys.modules})


class DiesOnce:
    """A tokenizer that kills the process, if it is the first to find a certain file."""

    def __init__(self, file):
        self.file = file

    def __call__(self, text):
        try:
            os.unlink(self.file)
        except FileNotFoundError:
            return text.split()
        os.kill(os.getpid(), signal.SIGKILL)


class PickledText(str):
    """A text that counts how often it is pickled."""

    n_times = 0

    def __reduce__(self):
        PickledText.n_times += 1
        return str, (str(self),)
