"""The same network three times: as a textbook writes it in Keras and in PyTorch, and ours."""

from collections import Counter
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from _peers import tokenize


@dataclass(frozen=True)
class Network:
    """What has to agree for two networks to be the same."""

    title: str
    embedding_dim: int
    kernel_sizes: tuple
    filters: int
    batch_size: int
    min_df: int
    max_features: int
    embedding_dropout: float
    dropout: float
    learning_rate: float


#: Y. Kim (2014), Convolutional Neural Networks for Sentence Classification, EMNLP, section 3.1.
KIM = Network("Kim's network", 300, (3, 4, 5), 100, 50, 1, 20_000, 0.0, 0.5, 1e-3)
DEFAULTS = Network("our defaults", 128, (2, 3, 4), 128, 64, 2, 50_000, 0.2, 0.5, 2e-3)


class Encoder:
    """Texts -> one int32 matrix, as wide as the 95th percentile of the lengths. 0 pads, 1 is unknown."""

    def __init__(self, texts, network):
        documents = [tokenize(text) for text in texts]
        df = Counter(token for tokens in documents for token in set(tokens))
        counts = Counter(token for tokens in documents for token in tokens)
        kept = [token for token, _ in counts.most_common() if df[token] >= network.min_df]
        self.vocabulary = {token: i for i, token in enumerate(kept[: network.max_features], start=2)}
        lengths = [len(tokens) for tokens in documents]
        self.length = max(*network.kernel_sizes, int(np.percentile(lengths, 95)))
        self.n_tokens = len(self.vocabulary) + 2

    def __call__(self, texts):
        ids = np.zeros((len(texts), self.length), np.int32)
        get = self.vocabulary.get
        for i, text in enumerate(texts):
            tokens = tokenize(text)[: self.length]
            ids[i, : len(tokens)] = [get(token, 1) for token in tokens]
        return ids


def ours(network, **parameters):
    """Return an unfitted `TextCNNClassifier` with that network and nothing beside it."""
    from sktextcnn import TextCNNClassifier

    same = {
        "embedding_dim": network.embedding_dim,
        "kernel_sizes": network.kernel_sizes,
        "filters": network.filters,
        "batch_size": network.batch_size,
        "min_df": network.min_df,
        "max_features": network.max_features,
        "embedding_dropout": network.embedding_dropout,
        "dropout": network.dropout,
        "learning_rate": network.learning_rate,
        "learning_rate_schedule": "constant",
        "linear": False,
        "validation": None,
        "threshold": 0.5,
        "random_state": 0,
    }
    return TextCNNClassifier(**as_named({**same, **parameters}))


def as_named(parameters):
    """Return parameters under the names that they have in the version that is imported."""
    from sktextcnn import TextCNNClassifier

    if "linear" in TextCNNClassifier().get_params():
        return parameters
    earlier = {name: value for name, value in parameters.items() if name not in ("linear", "validation")}
    if "linear" in parameters:
        earlier["ngram_range"] = (1, 2) if parameters["linear"] else None
    if "validation" in parameters:
        share = parameters["validation"]
        earlier.update({"early_stopping": share is not None, "validation_folds": 1})
        if share is not None:
            earlier["validation_fraction"] = share
    return earlier


def import_engine(name="compiled"):
    """Import what a fit imports, before a clock starts: of this version, or of an earlier one."""
    for module in (f"sktextcnn.engine.{name}", f"sktextcnn.engine.{name}_engine", "sktextcnn.training"):
        try:
            import_module(module)
        except ImportError as error:
            if error.name not in (module, module.rpartition(".")[0]):
                raise
        else:
            return


def warm_up(texts, Y, network, **parameters):
    """Fit to a few texts, so that all is loaded and compiled before a clock starts."""
    ours(network, epochs=1, **parameters).fit(texts[:640], Y[:640])


def keras_network(network, n_tokens, n_labels, length):
    """Return the network as a compiled Keras model of ids (n, length)."""
    import keras

    layers = keras.layers
    ids = keras.Input((length,), dtype="int32")
    x = layers.Embedding(n_tokens, network.embedding_dim)(ids)
    if network.embedding_dropout:
        x = layers.Dropout(network.embedding_dropout)(x)
    maxima = [
        layers.GlobalMaxPooling1D()(layers.Conv1D(network.filters, size, activation="relu")(x))
        for size in network.kernel_sizes
    ]
    x = layers.Dropout(network.dropout)(layers.Concatenate()(maxima))
    model = keras.Model(ids, layers.Dense(n_labels, activation="sigmoid")(x))
    model.compile(keras.optimizers.Adam(network.learning_rate), loss="binary_crossentropy")
    return model


def torch_network(network, n_tokens, n_labels):
    """Return the network as a PyTorch module from ids (n, length) to logits."""
    import torch
    from torch import nn

    class TextCNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(n_tokens, network.embedding_dim, padding_idx=0)
            self.embedding_dropout = nn.Dropout(network.embedding_dropout)
            self.convolutions = nn.ModuleList(
                nn.Conv1d(network.embedding_dim, network.filters, size) for size in network.kernel_sizes
            )
            self.dropout = nn.Dropout(network.dropout)
            self.output = nn.Linear(network.filters * len(network.kernel_sizes), n_labels)

        def forward(self, ids):
            x = self.embedding_dropout(self.embedding(ids)).transpose(1, 2)  # (n, D, length)
            maxima = [convolution(x).amax(dim=2).relu() for convolution in self.convolutions]
            return self.output(self.dropout(torch.cat(maxima, dim=1)))

    return TextCNN()


def kim_cnn(network, n_tokens, n_labels):
    """Return LibMultiLabel's network of the same layers, from ids (n, length) to logits."""
    import torch
    from libmultilabel.nn.networks import KimCNN

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = KimCNN(
                torch.randn(n_tokens, network.embedding_dim) * 0.1,
                n_labels,
                filter_sizes=list(network.kernel_sizes),
                num_filter_per_size=network.filters,
                embed_dropout=network.embedding_dropout,
                post_encoder_dropout=network.dropout,
            )

        def forward(self, ids):
            return self.network({"text": ids})["logits"]

    return Logits()
