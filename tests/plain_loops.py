"""A step of training in plain loops and double precision, to hold the engines against."""

from __future__ import annotations

import math

import numpy as np

from sktextcnn.engine.examples import batches

SHARED = ["kl_divergence", "categorical_crossentropy"]


def logistic(z):
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def loss_of_text(loss, z, y, positive, negative):
    """Return the loss of one text, of lists of as many numbers as there are labels."""
    total = 0.0
    if loss in SHARED:
        largest = max(z)
        log_sum = largest + math.log(sum(math.exp(a - largest) for a in z))
        for a, b, weight in zip(z, y, positive, strict=True):
            target = b / max(sum(y), 1) if loss == "kl_divergence" else b
            if target:
                entropy = math.log(target) if loss == "kl_divergence" else 0.0
                total += weight * target * (entropy - (a - log_sum))
        return total
    for a, b, one, zero in zip(z, y, positive, negative, strict=True):
        p, q = logistic(a), logistic(-a)
        if loss == "binary_crossentropy":
            total -= one * math.log(p) if b else zero * math.log(q)
        elif loss == "focal":
            total -= one * q**2 * math.log(p) if b else zero * p**2 * math.log(q)
        else:
            shifted = max(p - 0.05, 0)
            total -= one * math.log(p) if b else zero * shifted**4 * math.log(1 - shifted)
    return total


def slope_of_text(loss, z, *rest, step=1e-5):
    """Return the derivative of the loss with respect to each logit, from differences."""
    slopes = []
    for c in range(len(z)):
        above, below = list(z), list(z)
        above[c] += step
        below[c] -= step
        difference = loss_of_text(loss, above, *rest) - loss_of_text(loss, below, *rest)
        slopes.append(difference / (2 * step))
    return slopes


def reference_step(weights, examples, rows, settings):
    """Return the sum of the texts' losses, and the gradient of their mean, without dropout."""
    weights = {name: w.astype(np.float64) for name, w in weights.items()}
    gradients = {name: np.zeros_like(w) for name, w in weights.items()}
    n_filters, total = weights[f"convolution_{settings.kernel_sizes[0]}_bias"].size, 0.0
    for row in rows:
        tokens = examples.ids.flat[examples.ids.offsets[row] : examples.ids.offsets[row + 1]]
        vectors = weights["embedding"][tokens]
        features, positions = [], []
        for size in settings.kernel_sizes:
            kernel = weights[f"convolution_{size}_kernel"]
            bias = weights[f"convolution_{size}_bias"]
            for f in range(n_filters):
                best, where = -math.inf, 0
                for t in range(max(len(tokens) - size + 1, 1)):
                    value = bias[f]
                    for j in range(min(size, len(tokens) - t)):
                        value += vectors[t + j] @ kernel[j, :, f]
                    if value > best:
                        best, where = value, t
                features.append(max(best, 0.0))
                positions.append((size, f, where))
        features = hidden = np.array(features)
        if "hidden_kernel" in weights:
            hidden = np.maximum(features @ weights["hidden_kernel"] + weights["hidden_bias"], 0)
        logits = hidden @ weights["output_kernel"] + weights["output_bias"]
        y = examples.targets[[row]].toarray()[0].tolist()
        given_loss = settings.loss, logits.tolist(), y, *examples.label_weight.tolist()
        weight = float(examples.sample_weight[row])
        total += weight * loss_of_text(*given_loss)
        upstream = np.array(slope_of_text(*given_loss)) * weight / len(rows)
        gradients["output_kernel"] += np.outer(hidden, upstream)
        gradients["output_bias"] += upstream
        upstream = weights["output_kernel"] @ upstream
        if "hidden_kernel" in weights:
            upstream = upstream * (hidden > 0)
            gradients["hidden_kernel"] += np.outer(features, upstream)
            gradients["hidden_bias"] += upstream
            upstream = weights["hidden_kernel"] @ upstream
        for (size, f, where), feature, g in zip(positions, features, upstream, strict=True):
            if feature > 0:
                kernel = weights[f"convolution_{size}_kernel"]
                gradients[f"convolution_{size}_bias"][f] += g
                for j in range(min(size, len(tokens) - where)):
                    gradients[f"convolution_{size}_kernel"][j, :, f] += g * vectors[where + j]
                    gradients["embedding"][tokens[where + j]] += g * kernel[j, :, f]
    frozen = {"trainable": 0, "static": 1, "multichannel": 0.5}[settings.embedding_mode]
    gradients["embedding"][:, : int(frozen * weights["embedding"].shape[1])] = 0
    return total, gradients


def reference_training(weights, examples, settings):
    """Train as Keras' formulas say, rows of tokens that do not occur in a batch left alone."""
    weights = {name: w.astype(np.float64) for name, w in weights.items()}
    start = {"sgd": 0, "adagrad": 0.1, "adam": 0}[settings.optimizer]
    first = {name: np.full_like(w, start) for name, w in weights.items()}
    second = {name: np.zeros_like(w) for name, w in weights.items()}
    lengths, step, losses = examples.ids.lengths, 0, []
    n_batches = -(-len(lengths) // settings.batch_size)
    for epoch in range(settings.epochs):
        losses.append(0.0)
        for number, rows in enumerate(batches(lengths, settings.batch_size, settings.seed, epoch)):
            rate = settings.learning_rate
            if settings.decays:
                rate *= 1 - (epoch * n_batches + number) / (settings.epochs * n_batches)
            step += 1
            total, gradients = reference_step(weights, examples, rows, settings)
            losses[-1] += total / len(lengths)
            for name, w in weights.items():
                part = slice(None)
                if name == "embedding":
                    part = np.unique(examples.ids.take(rows).flat)
                g, a, b = gradients[name][part], first[name], second[name]
                if settings.optimizer == "adam":
                    a[part] += (g - a[part]) * 0.1
                    b[part] += (g**2 - b[part]) * 0.001
                    size = rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                    w[part] -= size * a[part] / (np.sqrt(b[part]) + 1e-7)
                elif settings.optimizer == "adagrad":
                    a[part] += g**2
                    w[part] -= rate * g / np.sqrt(a[part] + 1e-7)
                else:
                    w[part] -= rate * g
    return weights, losses
