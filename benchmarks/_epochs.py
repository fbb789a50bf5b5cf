"""Seconds per epoch after warm-up: the same network, tokens and batches in Keras and PyTorch."""

from math import ceil
from time import perf_counter

import numpy as np
from _data import indicator, label_names, load
from _measure import Result, fresh, installed, n_cores
from _networks import DEFAULTS, KIM, Encoder, keras_network, kim_cnn, ours, torch_network

#: Share of an epoch that Keras and PyTorch run; every batch of theirs has the same shape and cost.
PARTS = {"reuters90": 0.15, "goemotions": 0.15, "stackoverflow30k": 0.25}
TARGETS = {"reuters90": 10, "goemotions": 5, "stackoverflow30k": 5}


def rows(name, options):
    """Measure one data set with both networks; return the results."""
    results = []
    part = options.part or PARTS[name]
    for network in (KIM, DEFAULTS):
        keras_seconds, our_seconds = fresh(
            beside_keras, name, network, part, options.repeats, options.rows
        )
        share = f"Keras runs {part:.0%} of the batches of an epoch, scaled up."
        what = f"an epoch after warm-up, {name}, {network.title}"
        results.append(
            Result(what, "plain Keras", our_seconds, keras_seconds, target=TARGETS[name], note=share)
        )
        builders = {"torch": ("PyTorch", torch_network)}
        if network is KIM and name == "reuters90":
            builders["libmultilabel"] = ("LibMultiLabel's KimCNN", kim_cnn)
        for package, (peer, build) in builders.items():
            if installed(package):
                seconds = fresh(torch_epoch, build, name, network, part, options.rows)
                note = f"{peer} runs {part:.0%} of an epoch once, scaled up."
                results.append(Result(what, peer, our_seconds, [seconds], note=note))
    return results


def prepare(name, network, n_rows):
    """Return training texts, their 0/1 matrix and the encoder of a network."""
    texts, labels, _, _ = load(name, n_rows=n_rows)
    return texts, indicator(labels, label_names(labels)), Encoder(texts, network)


def timed_part(n, batch_size, part):
    """Return how many full batches to time, and of how many in an epoch."""
    n_batches = ceil(n / batch_size)
    return max(1, min(n // batch_size, round(n_batches * part))), n_batches


def beside_keras(name, network, part, repeats, n_rows):
    """Return seconds per epoch of Keras and of ours, alternating, in one process."""
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

    def keras_epoch(n_batches):
        clock, n = Clock(), n_batches * network.batch_size
        model.fit(ids[:n], targets[:n], network.batch_size, shuffle=True, verbose=0, callbacks=[clock])
        return clock.seconds

    def our_epoch():
        classifier = ours(network, epochs=1, max_length=encoder.length).fit(texts, Y)
        return classifier.history_["seconds"][0]

    keras_epoch(2)  # traces and compiles
    our_epoch()  # the same; what is compiled serves all fits of the process
    theirs, our_seconds = [], []
    for _ in range(repeats):
        theirs.append(keras_epoch(n_timed) * n_batches / n_timed)
        our_seconds.append(our_epoch())
    return theirs, our_seconds


def torch_epoch(build, name, network, part, n_rows):
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

    def batches(first, last):
        for batch in order[first * network.batch_size : last * network.batch_size].split(
            network.batch_size
        ):
            optimizer.zero_grad()
            loss(model(ids[batch]), targets[batch]).backward()
            optimizer.step()

    n_timed, n_batches = timed_part(len(texts), network.batch_size, part)
    batches(0, 2)
    start = perf_counter()
    batches(0, n_timed)
    return (perf_counter() - start) * n_batches / n_timed
