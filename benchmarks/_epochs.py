"""Seconds per epoch after warm-up: the same network, tokens and batches in Keras and PyTorch."""

from functools import partial
from math import ceil
from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import (
    BASELINE,
    KERAS_ENGINE,
    Result,
    alternate,
    baseline,
    baseline_title,
    missing,
    n_cores,
)
from _networks import DEFAULTS, KIM, Encoder, keras_network, kim_cnn, ours, torch_network, warm_up

#: Share of an epoch that Keras and PyTorch run; every batch of theirs has the same shape and cost.
PARTS = {"reuters90": 0.15, "goemotions": 0.15, "stackoverflow30k": 0.25}


def rows(name, options):
    """Measure one data set with both networks; return the results."""
    results = []
    part = options.part or PARTS[name]
    for network in (KIM, DEFAULTS):
        data = name, network, options.rows
        contestants = {
            "ours": (our_epoch, data, None),
            "plain Keras": (keras_epoch, (*data, part), None),
            "PyTorch": (torch_epoch, (*data, part, torch_network), None),
            "LibMultiLabel's KimCNN": (torch_epoch, (*data, part, kim_cnn), None),
            KERAS_ENGINE: (our_epoch, (*data, part, "keras"), None),
            BASELINE: (our_epoch, data, baseline()),
        }
        if network is not KIM or name != "reuters90":
            del contestants["LibMultiLabel's KimCNN"]
        reasons = missing(contestants)
        contestants = {peer: call for peer, call in contestants.items() if peer not in reasons}
        seconds = alternate(contestants, options.repeats)
        what = f"{name}, {network.title}"
        scaled = f"Epochs on {name}: the other libraries run {part:.0%} of the batches, scaled up."
        for peer in [*contestants][1:]:
            results.append(
                Result(
                    what,
                    baseline_title() if peer == BASELINE else peer,
                    seconds["ours"],
                    seconds[peer],
                    note=scaled,
                    charted=peer not in (BASELINE, KERAS_ENGINE),
                )
            )
        options.skipped.update(reasons)
    return results


def prepare(name, network, n_rows):
    """Return training texts, their 0/1 matrix and the encoder of a network."""
    texts, labels, _, _ = load(name, n_rows=n_rows)
    return texts, indicator(labels, label_names(labels)), Encoder(texts, network)


def timed_part(n, batch_size, part):
    """Return how many full batches to time, and of how many in an epoch."""
    n_batches = ceil(n / batch_size)
    return max(1, min(n // batch_size, round(n_batches * part))), n_batches


def our_epoch(name, network, n_rows, part=1, engine=None):
    """Return seconds per epoch of ours, or of an earlier version."""
    texts, Y, encoder = prepare(name, network, n_rows)
    engine = {} if engine is None else {"engine": engine}
    fit = partial(ours, network, epochs=1, max_length=encoder.length, **engine)
    warm_up(texts, Y, network, max_length=encoder.length, **engine)
    if part == 1:
        return fit().fit(texts, Y).history_["seconds"][0]
    n_timed, n_batches = timed_part(len(texts), network.batch_size, part)
    rows = np.random.default_rng(0).permutation(len(texts))[: n_timed * network.batch_size]
    # All tokens, as the table of vectors has in a whole epoch; the first epoch traces.
    model = fit(vocabulary=[*encoder.vocabulary], epochs=2).fit([texts[row] for row in rows], Y[rows])
    return model.history_["seconds"][1] * n_batches / n_timed


def keras_epoch(name, network, n_rows, part):
    """Return seconds per epoch of plain Keras, from a part of one."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = perf_counter() - self.start

    texts, Y, encoder = prepare(name, network, n_rows)
    ids, targets = encoder(texts), Y.astype(np.float32)
    n_timed, n_batches = timed_part(len(texts), network.batch_size, part)
    model = keras_network(network, encoder.n_tokens, Y.shape[1], encoder.length)

    def epoch(n_batches):
        clock, n = Clock(), n_batches * network.batch_size
        model.fit(ids[:n], targets[:n], network.batch_size, shuffle=True, verbose=0, callbacks=[clock])
        return clock.seconds

    epoch(2)  # traces and compiles
    return epoch(n_timed) * n_batches / n_timed


def torch_epoch(name, network, n_rows, part, build):
    """Return seconds per epoch of a PyTorch network, from a part of one."""
    import torch

    torch.set_num_threads(n_cores())
    torch.manual_seed(0)
    texts, Y, encoder = prepare(name, network, n_rows)
    ids, targets = torch.from_numpy(encoder(texts)).long(), torch.from_numpy(Y).float()
    model = build(network, encoder.n_tokens, Y.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), network.learning_rate)
    loss = torch.nn.BCEWithLogitsLoss()
    order = torch.randperm(len(texts))

    def run(n_batches):
        for batch in order[: n_batches * network.batch_size].split(network.batch_size):
            optimizer.zero_grad()
            loss(model(ids[batch]), targets[batch]).backward()
            optimizer.step()

    n_timed, n_batches = timed_part(len(texts), network.batch_size, part)
    run(2)
    start = perf_counter()
    run(n_timed)
    return (perf_counter() - start) * n_batches / n_timed
