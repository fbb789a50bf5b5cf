"""A grid search: 12 candidates x 3 folds on 4,000 short texts."""

from dataclasses import replace
from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import BASELINE, Result, alternate, baseline, baseline_title, missing
from _networks import DEFAULTS, Encoder, import_engine, keras_network, ours
from sklearn.model_selection import GridSearchCV

SET, N_TEXTS, EPOCHS = "stackoverflow30k", 4000, 3
GRID = {"filters": [32, 64, 128], "learning_rate": [1e-3, 2e-3], "dropout": [0.3, 0.5]}


def rows(options):
    """Return the results. The others search once, as that takes minutes; we do before and after."""
    n_texts = min(N_TEXTS, options.rows or N_TEXTS)
    reasons = missing([BASELINE])
    options.skipped.update(reasons)
    results = []
    for n_jobs in (1, 2):
        contestants = {
            "ours": (our_search, (n_texts, n_jobs), None),
            "SciKeras, plain Keras": (scikeras_search, (n_texts, n_jobs), None),
            BASELINE: (our_search, (n_texts, n_jobs), baseline()),
        }
        contestants = {peer: call for peer, call in contestants.items() if peer not in reasons}
        runs = alternate(contestants, {"ours": 2})
        what = f"12 candidates, 3 folds, n_jobs={n_jobs}"
        mine, theirs = (runs[peer][0][1] for peer in ("ours", "SciKeras, plain Keras"))
        note = (
            f"Grid search with n_jobs={n_jobs} on {n_texts:,} texts of {SET}, {EPOCHS} epochs each: "
            f"best mean micro-F1 of 3 folds at 0.5, ours {mine:.3f}, SciKeras {theirs:.3f}. SciKeras "
            "got ready-made token ids."
        )
        if n_jobs > 1:
            note += " The time of starting workers, which import their libraries, is included."
        for peer in [*contestants][1:]:
            results.append(
                Result(
                    what,
                    baseline_title() if peer == BASELINE else peer,
                    [seconds for seconds, _ in runs["ours"]],
                    [seconds for seconds, _ in runs[peer]],
                    note=note,
                    charted=peer != BASELINE,
                )
            )
    return results


def data(n_texts):
    texts, labels, _, _ = load(SET, n_rows=n_texts)
    return texts, indicator(labels, label_names(labels))


def search(estimator, X, Y, n_jobs):
    """Return the seconds of a search without refit, and its best score."""
    found = GridSearchCV(estimator, GRID, cv=3, scoring="f1_micro", refit=False, n_jobs=n_jobs)
    start = perf_counter()
    found.fit(X, Y)
    seconds = perf_counter() - start
    if n_jobs > 1:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown()  # this process would wait for its idle workers
    return seconds, float(found.cv_results_["mean_test_score"].max())


def our_search(n_texts, n_jobs):
    """Search from raw texts."""
    if n_jobs == 1:
        import_engine()
    texts, Y = data(n_texts)
    return search(ours(DEFAULTS, epochs=EPOCHS), np.array(texts, dtype=object), Y, n_jobs)


def scikeras_search(n_texts, n_jobs):
    """Search with plain Keras in SciKeras, on token ids made before the clock starts."""
    from scikeras.wrappers import KerasClassifier

    texts, Y = data(n_texts)
    encoder = Encoder(texts, DEFAULTS)

    def build(filters, dropout, learning_rate):
        network = replace(DEFAULTS, filters=filters, dropout=dropout, learning_rate=learning_rate)
        return keras_network(network, encoder.n_tokens, Y.shape[1], encoder.length)

    estimator = KerasClassifier(
        build,
        **{name: values[0] for name, values in GRID.items()},
        batch_size=DEFAULTS.batch_size,
        epochs=EPOCHS,
        verbose=0,
    )
    return search(estimator, encoder(texts), Y, n_jobs)
