"""Whole fits: seconds from raw texts to a micro-F1 that another classifier reaches.

A tenth of the training part is set aside, the same for all. The other classifier sets the bar there. How
many epochs we need for it is found in untimed runs; then the whole fit with so many epochs is timed,
tokenising, building and loading compiled kernels included, in a new process that has imported its
libraries and done nothing else. All decide at 0.5 (the SVM at 0). Our learning rate decays linearly to
zero in the epochs there are, as by default; Keras' stays as it is. An earlier version takes the epochs
it needs.
"""

from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import BASELINE, Result, baseline, baseline_title, fresh, missing
from _networks import DEFAULTS, Encoder, import_engine, keras_network, ours, warm_up
from _peers import PEERS, decide
from sklearn.metrics import f1_score

#: Plain Keras is fitted on these; one fit of it takes minutes.
KERAS_EPOCHS = {"reuters90": 10, "stackoverflow30k": 6}
#: Epochs that we try, the fewest first.
EPOCHS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
#: How we learn in them.
BY_DEFAULT = {"learning_rate": 0.006, "learning_rate_schedule": "linear"}


def rows(name, options, curves):
    """Measure one data set; return the results. F1 against seconds goes into `curves`."""
    bars, results = {}, []
    drawn = name in KERAS_EPOCHS
    reasons = missing(["fastText", BASELINE])
    options.skipped.update(reasons)
    if "fastText" not in reasons:
        bars["fastText"] = fresh(peer_fit, "fasttext", name, options.rows)
    if drawn:
        bars["plain Keras"] = fresh(keras_fit, name, KERAS_EPOCHS[name], options.rows)
    if not bars:
        return []
    highest = max(f1 for _, f1, *_ in bars.values())
    our_curve = fresh(curve, name, highest, 8 if drawn else 1, options.rows)
    earlier = None
    if BASELINE not in reasons:
        earlier = fresh(curve, name, highest, 1, options.rows, path=baseline())
    for peer, (seconds, bar, test, *_) in bars.items():
        what = f"{name}, to the micro-F1 of {peer}"
        epochs = epochs_to(bar, our_curve)
        if epochs is None:
            note = f"{name}: {bar:.3f} not reached in {EPOCHS[-1]} epochs, {our_curve[-1][1]:.3f} was."
            results.append(Result(what, peer, [], [seconds], note=note, charted=False))
            continue
        earlier_epochs = epochs_to(bar, earlier or [])
        # The run that set the bar is the first of theirs; Keras', which takes minutes, is the only one.
        theirs, our_fits, earlier_fits = [seconds], [], []
        for repeat in range(options.repeats):
            our_fits.append(fresh(our_fit, name, epochs, options.rows))
            if peer == "fastText" and repeat:
                theirs.append(fresh(peer_fit, "fasttext", name, options.rows)[0])
            if earlier_epochs is not None:
                earlier_fits.append(fresh(our_fit, name, earlier_epochs, options.rows, path=baseline()))
        our_seconds, our_f1, our_test = np.transpose(our_fits)
        note = (
            f"{name}, micro-F1 on the tenth: {peer} {bar:.3f}, ours {np.median(our_f1):.3f} after "
            f"{epochs} epoch{'s' * (epochs > 1)}; on the test part {test:.3f} and "
            f"{np.median(our_test):.3f}."
        )
        mine = our_seconds.tolist()
        results.append(Result(what, peer, mine, theirs, note=note))
        if earlier_fits:
            seconds = [fit[0] for fit in earlier_fits]
            results.append(Result(what, baseline_title(), mine, seconds, charted=False))
    if drawn:
        svm = fresh(peer_fit, "linear_svc", name, options.rows)
        curves[name] = {
            "ours": our_curve,
            **{peer: fit[3] if len(fit) > 3 else [fit[:2]] for peer, fit in bars.items()},
            "tf-idf + LinearSVC": [svm[:2]],
        }
    return results


def epochs_to(bar, points):
    """Return the fewest epochs whose fit reaches a micro-F1, or None."""
    return next((e for e, (_, f1) in zip(EPOCHS, points, strict=False) if f1 >= bar), None)


def split(name, n_rows):
    """Return texts and 0/1 matrices: nine tenths of train, the tenth set aside, and the test part."""
    texts, labels, test_texts, test_labels = load(name, n_rows=n_rows)
    classes = label_names(labels)
    Y = indicator(labels, classes)
    order = np.random.default_rng(0).permutation(len(texts))
    parts = []
    for rows in (order[len(order) // 10 :], order[: len(order) // 10]):
        parts += [[texts[row] for row in rows], Y[rows]]
    return (*parts, test_texts, indicator(test_labels, classes))


def micro_f1(truth, predicted):
    return float(f1_score(truth, predicted, average="micro", zero_division=0))


def peer_fit(peer, name, n_rows):
    """Return seconds, micro-F1 on the tenth and on the test part of a classifier of `_peers`."""
    texts, Y, dev_texts, dev_Y, test_texts, test_Y = split(name, n_rows)
    predicted, seconds, _ = PEERS[peer](texts, Y, dev_texts + test_texts, False, 0)
    n = len(dev_texts)
    return seconds, micro_f1(dev_Y, predicted[:n]), micro_f1(test_Y, predicted[n:])


def keras_fit(name, epochs, n_rows):
    """Return what `peer_fit` does for plain Keras, and (seconds, micro-F1) after each epoch."""
    import keras

    texts, Y, dev_texts, dev_Y, test_texts, test_Y = split(name, n_rows)
    keras.utils.set_random_seed(0)
    start = perf_counter()
    encoder = Encoder(texts, DEFAULTS)
    ids = encoder(texts)
    model = keras_network(DEFAULTS, encoder.n_tokens, Y.shape[1], encoder.length)
    points, looking = [], 0.0
    dev_ids = None

    def look(epoch, logs):
        nonlocal looking, dev_ids
        now = perf_counter()
        if dev_ids is None:
            dev_ids = encoder(dev_texts)
        f1 = micro_f1(dev_Y, decide(model.predict(dev_ids, batch_size=256, verbose=0), False))
        points.append((now - start - looking, f1))
        looking += perf_counter() - now  # not part of the fit

    model.fit(
        ids,
        Y.astype(np.float32),
        batch_size=DEFAULTS.batch_size,
        epochs=epochs,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)],
    )
    seconds, f1 = points[-1]
    test_scores = model.predict(encoder(test_texts), batch_size=256, verbose=0)
    return seconds, f1, micro_f1(test_Y, decide(test_scores, False)), points


def curve(name, bar, n_epochs, n_rows):
    """Return (seconds, micro-F1 on the tenth) of whole fits, until the bar and `n_epochs` are met."""
    texts, Y, dev_texts, dev_Y, _, _ = split(name, n_rows)
    warm_up(texts, Y, DEFAULTS)  # what loading costs is part of `our_fit`
    points = []
    for epochs in EPOCHS:
        start = perf_counter()
        classifier = ours(DEFAULTS, epochs=epochs, **BY_DEFAULT).fit(texts, Y)
        seconds = perf_counter() - start
        points.append((seconds, micro_f1(dev_Y, classifier.predict(dev_texts))))
        if epochs >= n_epochs and points[-1][1] >= bar:
            break
    return points


def our_fit(name, epochs, n_rows):
    """Return seconds, micro-F1 on the tenth and on the test part of a whole fit of ours."""
    import_engine()
    texts, Y, dev_texts, dev_Y, test_texts, test_Y = split(name, n_rows)
    classifier = ours(DEFAULTS, epochs=epochs, **BY_DEFAULT)
    start = perf_counter()
    classifier.fit(texts, Y)
    seconds = perf_counter() - start
    return (
        seconds,
        micro_f1(dev_Y, classifier.predict(dev_texts)),
        micro_f1(test_Y, classifier.predict(test_texts)),
    )
