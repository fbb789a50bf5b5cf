"""What pretrained vectors do where labels are few: 500 labelled texts, vectors from all texts.

Vectors are trained by gensim on the training texts without their labels. Each mode then learns from
500 labelled training texts, drawn at random, and is scored on the test part.
"""

import argparse
from pathlib import Path

import numpy as np
from _data import SINGLE_LABEL, indicator, label_names, load
from _peers import tokenize
from quality import machine
from sklearn.metrics import accuracy_score, f1_score

MODES = [None, "static", "trainable", "multichannel"]

#: Passes of gensim over the texts, more over the smaller set.
EPOCHS = {"mr": 20, "stackoverflow30k": 8}

#: The network alone, with a constant rate, for so many epochs.
ALONE = {
    "learning_rate": 0.002,
    "learning_rate_schedule": "constant",
    "epochs": 40,
    "linear": False,
    "validation": None,
}


def main():
    """Read the arguments, run every mode on every set and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=EPOCHS, default=[*EPOCHS])
    parser.add_argument("--labelled", type=int, default=500)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--vectors", type=Path, help="folder of word2vec files SET.bin; else gensim")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to")
    args = parser.parse_args()

    from sktextcnn import TextCNNClassifier, as_label_matrix, load_embeddings

    lines = [
        f"{machine()}; {args.labelled} labelled texts, mean of seeds {', '.join(map(str, args.seeds))} "
        "± standard deviation.",
        "",
        "| set | measure | no vectors | static | trainable | multichannel |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name in args.sets:
        train_texts, train_labels, test_texts, test_labels = load(name)
        if args.vectors:
            vectors = load_embeddings(args.vectors / f"{name}.bin")
        else:
            from gensim.models import Word2Vec

            corpus = [tokenize(text) for text in train_texts]
            options = {"sg": 1, "min_count": 2, "epochs": EPOCHS[name], "workers": 1, "seed": 1}
            vectors = load_embeddings(Word2Vec(corpus, **options).wv)
        drawn = np.random.default_rng(0).permutation(len(train_texts))[: args.labelled]
        texts, labels = [train_texts[row] for row in drawn], [train_labels[row] for row in drawn]
        single_label = name in SINGLE_LABEL
        classes = label_names(labels)
        cells = []
        for mode in MODES:
            options = {} if mode is None else {"embeddings": vectors, "embedding_mode": mode}
            scores = []
            for seed in args.seeds:
                model = TextCNNClassifier(random_state=seed, **ALONE, **options)
                if single_label:
                    model.fit(texts, np.array([label for (label,) in labels]))
                    truth = np.array([label for (label,) in test_labels])
                    scores.append(accuracy_score(truth, model.predict(test_texts)))
                else:
                    model.fit(texts, as_label_matrix(labels, classes=classes))
                    truth, predicted = indicator(test_labels, classes), model.predict(test_texts)
                    scores.append(f1_score(truth, predicted, average="micro", zero_division=0))
            cells.append(f"{np.mean(scores):.3f} ± {np.std(scores):.3f}")
        measure = "accuracy" if single_label else "micro-F1"
        lines.append(f"| {name} | {measure} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
