"""Search over networks: the standard one beside networks of one's own, in one grid.

The two networks are those of the guide's page on engines. The search chooses by micro-F1 of three folds;
each network is then fitted to the training part and measured on the test part, which nothing is chosen by.
"""

import argparse
import os
from pathlib import Path
from time import perf_counter

from _data import label_names, load
from _measure import environment
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV

from sktextcnn import TextCNNClassifier, as_label_matrix

SETS = ["stackoverflow30k", "goemotions", "reuters90", "tmdb_genres"]


def bilstm(n_tokens, n_labels, embedding_dim, filters, dropout):
    """Return a bidirectional LSTM: the largest of its outputs over time, then one logit a label."""
    import keras

    layers = keras.layers
    ids = keras.Input((None,), dtype="int32")
    rows = layers.Embedding(n_tokens, embedding_dim)(ids)
    states = layers.Bidirectional(layers.LSTM(filters, return_sequences=True))(rows)
    text = layers.Dropout(dropout)(layers.GlobalMaxPooling1D()(states))
    return keras.Model(ids, layers.Dense(n_labels)(text))


def attention(n_tokens, n_labels, embedding_dim, dropout):
    """Return a network of one self-attention layer over embeddings, and their mean over time."""
    import keras

    layers = keras.layers
    ids = keras.Input((None,), dtype="int32")
    rows = layers.Embedding(n_tokens, embedding_dim)(ids)
    attended = layers.MultiHeadAttention(num_heads=4, key_dim=embedding_dim // 4)(rows, rows)
    rows = layers.LayerNormalization()(layers.Add()([rows, attended]))
    text = layers.Dropout(dropout)(layers.GlobalAveragePooling1D()(rows))
    return keras.Model(ids, layers.Dense(n_labels)(text))


NETWORKS = {"the standard CNN": None, "BiLSTM": bilstm, "self-attention": attention}


def main():
    """Read the arguments, search, fit each network, and print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["stackoverflow30k"])
    parser.add_argument("--rows", type=int, default=6000, help="first training rows to use")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument(
        "--out", type=Path, help="folder to write own_networks_table.inc to, such as docs"
    )
    args = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    lines = [
        ".. Written by benchmarks/own_networks.py.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 20 20 18 18 12 12",
        "",
    ]
    rows = [
        ["data", "network", "micro-F1, 3 folds", "micro-F1, test", "macro-F1, test", "seconds to fit"]
    ]
    for name in args.sets:
        texts, labels, test_texts, test_labels = load(name)
        texts, labels = texts[: args.rows], labels[: args.rows]
        classes = label_names(labels)
        Y = as_label_matrix(labels, classes=classes)
        truth = as_label_matrix(test_labels, classes=classes, unseen="ignore")
        # The network alone, whichever it is: what the linear part adds is the same for all.
        options = {"epochs": args.epochs, "ngram_range": None, "validation_folds": 1, "random_state": 0}
        search = GridSearchCV(
            TextCNNClassifier(**options),
            {"network": [*NETWORKS.values()]},
            cv=3,
            scoring="f1_micro",
            refit=False,
        ).fit(texts, Y)
        scores = search.cv_results_["mean_test_score"]
        for (title, network), score in zip(NETWORKS.items(), scores, strict=True):
            start = perf_counter()
            model = TextCNNClassifier(**options, network=network).fit(texts, Y)
            seconds = perf_counter() - start
            predicted = model.predict(test_texts)
            measures = [
                f1_score(truth, predicted, average=average, zero_division=0)
                for average in ("micro", "macro")
            ]
            cells = [f"{score:.3f}", *(f"{measure:.3f}" for measure in measures), f"{seconds:.0f} s"]
            rows.append([name, title, *cells])
            print(" | ".join(rows[-1]), flush=True)
    for cells in rows:
        lines += [f"   {'*' if not j else ' '} - {cell}" for j, cell in enumerate(cells)]
    lines += [
        "",
        f"The first {args.rows:,} training texts, {args.epochs} epochs, one seed. {environment()}",
    ]
    if args.out:
        (args.out / "own_networks_table.inc").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
