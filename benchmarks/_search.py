"""A grid search: 12 candidates x 3 folds on 4,000 short texts."""

from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import Result, fresh
from _networks import DEFAULTS, Encoder, keras_network, ours
from sklearn.model_selection import GridSearchCV

SET, N_TEXTS, EPOCHS = "stackoverflow30k", 4000, 3
FILTERS, RATES, DROPOUTS = [32, 64, 128], [1e-3, 2e-3], [0.3, 0.5]


def rows(options):
    """Return the results. SciKeras searches once, as it takes minutes; we do before and after."""
    n_texts = min(N_TEXTS, options.rows or N_TEXTS)
    our_runs = [fresh(our_search, n_texts, 1)]
    scikeras_run = fresh(scikeras_search, n_texts)
    our_runs.append(fresh(our_search, n_texts, 1))
    two_workers = fresh(our_search, n_texts, 2)
    what = f"grid search, 12 candidates x 3 folds, {n_texts:,} texts"
    note = (
        f"Grid search, {EPOCHS} epochs each: best mean micro-F1 of 3 folds at 0.5, ours "
        f"{our_runs[0][1]:.3f}, SciKeras {scikeras_run[1]:.3f}. SciKeras got ready-made token ids and "
        "searched once. n_jobs=2 includes starting two workers that import TensorFlow."
    )
    mine = [seconds for seconds, _ in our_runs]
    return [
        Result(what, "SciKeras, plain Keras", mine, [scikeras_run[0]], target=8, note=note),
        Result(f"{what}, n_jobs=2", "ours, n_jobs=1", [two_workers[0]], mine),
    ]


def data(n_texts):
    texts, labels, _, _ = load(SET, n_rows=n_texts)
    return texts, indicator(labels, label_names(labels))


def search(estimator, grid, X, Y, n_jobs=1):
    """Return the seconds of a search without refit, and its best score."""
    found = GridSearchCV(estimator, grid, cv=3, scoring="f1_micro", refit=False, n_jobs=n_jobs)
    start = perf_counter()
    found.fit(X, Y)
    return perf_counter() - start, float(found.cv_results_["mean_test_score"].max())


def our_search(n_texts, n_jobs):
    """Search from raw texts."""
    if n_jobs == 1:
        import sktextcnn.training  # noqa: F401  loads TensorFlow before the clock starts

    texts, Y = data(n_texts)
    grid = {"filters": FILTERS, "learning_rate": RATES, "dropout": DROPOUTS}
    found = search(ours(DEFAULTS, epochs=EPOCHS), grid, np.array(texts, dtype=object), Y, n_jobs)
    if n_jobs > 1:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown()  # this process would wait for its idle workers
    return found


def scikeras_search(n_texts):
    """Search with plain Keras in SciKeras, on token ids made before the clock starts."""
    from dataclasses import replace

    from scikeras.wrappers import KerasClassifier

    texts, Y = data(n_texts)
    encoder = Encoder(texts, DEFAULTS)

    def build(filters, dropout, learning_rate):
        network = replace(DEFAULTS, filters=filters, dropout=dropout, learning_rate=learning_rate)
        return keras_network(network, encoder.n_tokens, Y.shape[1], encoder.length)

    estimator = KerasClassifier(
        build,
        filters=FILTERS[0],
        dropout=DROPOUTS[0],
        learning_rate=RATES[0],
        batch_size=DEFAULTS.batch_size,
        epochs=EPOCHS,
        verbose=0,
    )
    grid = {"filters": FILTERS, "learning_rate": RATES, "dropout": DROPOUTS}
    return search(estimator, grid, encoder(texts), Y)
