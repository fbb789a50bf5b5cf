"""Search over networks: the standard one beside networks of one's own, in one grid.

The two networks are those of the guide's page on engines. The search chooses by micro-F1 of three folds;
each network is then fitted to the training texts and measured on the test part.
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
    """Return a bidirectional LSTM over embeddings: its last states, then one logit a label."""
    import keras
    from keras import layers

    ids = keras.Input((None,), dtype="int32")
    rows = layers.Embedding(n_tokens, embedding_dim, mask_zero=True)(ids)
    text = layers.Bidirectional(layers.LSTM(filters))(rows)
    return keras.Model(ids, layers.Dense(n_labels)(layers.Dropout(dropout)(text)))


def attention(n_tokens, n_labels, embedding_dim, dropout):
    """Return attention over embeddings: what each token sees of the others, then which tokens count."""
    import keras
    from keras import layers, ops

    ids = keras.Input((None,), dtype="int32")
    is_token = ops.not_equal(ids, 0)
    rows = layers.Embedding(n_tokens, embedding_dim)(ids)
    seen = layers.MultiHeadAttention(num_heads=4, key_dim=embedding_dim // 4)(
        rows, rows, attention_mask=is_token[:, None, :]
    )
    rows = layers.LayerNormalization()(rows + seen)
    score = layers.Dense(1)(rows) - 1e9 * (1 - ops.cast(is_token, "float32")[:, :, None])
    text = ops.sum(layers.Softmax(axis=1)(score) * rows, axis=1)
    return keras.Model(ids, layers.Dense(n_labels)(layers.Dropout(dropout)(text)))


NETWORKS = {"the standard CNN": None, "BiLSTM": bilstm, "self-attention": attention}


def main():
    """Read the arguments, search, fit each network, and print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["stackoverflow30k"])
    parser.add_argument("--rows", type=int, default=6000, help="first training rows to use")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, help="folder to write a table to, such as docs")
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
    rows = [["data", "network", "micro-F1, 3 folds", "micro-F1, test", "macro-F1, test", "to fit"]]
    for name in args.sets:
        texts, labels, test_texts, test_labels = load(name)
        texts, labels = texts[: args.rows], labels[: args.rows]
        classes = label_names(labels)
        Y = as_label_matrix(labels, classes=classes)
        truth = as_label_matrix(test_labels, classes=classes, unseen="ignore")
        # The network alone, whichever it is: what the linear part adds is the same for all.
        options = {"epochs": args.epochs, "linear": False, "validation": 0.1, "random_state": 0}
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
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "own_networks_table.inc").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
