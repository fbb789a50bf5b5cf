"""Every form of X and of y, and small classifiers fitted to them."""

from __future__ import annotations

from functools import cache
from itertools import cycle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sktextcnn import as_label_matrix
from tests import examples
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, matrix_of, tiny

X_FORMS = {
    "list": list,
    "tuple": tuple,
    "object array": lambda texts: np.array(texts, dtype=object),
    "StringDtype Series": lambda texts: pd.Series(texts, dtype="string", index=range(7, 7 + len(texts))),
    "polars Series": lambda texts: pl.Series("text", texts),
}

Y_FORMS = {
    "1-D": lambda: TOPICS,
    "matrix": matrix_of,
    "label sets": lambda: TAGS,
    "label matrix": lambda: as_label_matrix(TAGS),
    "sparse": lambda: sparse.csr_matrix(matrix_of()),
    "DataFrame": lambda: pd.DataFrame(matrix_of(), columns=LABELS),
}

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function", "predict_labels"]
every_x = pytest.mark.parametrize("x_form", X_FORMS)
every_y = pytest.mark.parametrize("y_form", Y_FORMS)

# Every form once or twice, where the whole product would say the same at five times the cost.
PAIRS = [*zip(cycle(X_FORMS), Y_FORMS, strict=False)]
every_pair = pytest.mark.parametrize(("x_form", "y_form"), PAIRS)


def fitted(x_form="list", y_form="label sets"):
    """Fit once for all tests that only look."""
    return _fitted(x_form, y_form, examples.ENGINE)


@cache
def _fitted(x_form, y_form, engine):
    return tiny(engine=engine).fit(X_FORMS[x_form](TEXTS), Y_FORMS[y_form]())


def dense(values):
    return values.toarray() if sparse.issparse(values) else np.asarray(values)
