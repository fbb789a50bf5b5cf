"""Other ways to classify the same texts.

Each function takes the training texts, their 0/1 matrix, the test texts, whether every text has
exactly one label, and a seed. It returns the predicted 0/1 matrix of the test texts, the seconds
spent on fitting and the seconds spent on predicting, both from raw texts.
"""

import re
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

TOKEN = re.compile(r"\w+|[^\w\s]")


def tokenize(text):
    """Split a text into lower-case words and single punctuation marks."""
    return TOKEN.findall(text.lower())


def decide(scores, single_label):
    """Return the best class of each row, or every class scored above 0.5."""
    if single_label:
        return np.eye(scores.shape[1], dtype=np.int8)[scores.argmax(axis=1)]
    return (scores > 0.5).astype(np.int8)


def linear_svc(train_texts, train_Y, test_texts, single_label, seed):
    """Tf-idf of words and word pairs with a linear SVM, one per label, threshold 0."""
    start = perf_counter()
    svc = LinearSVC(random_state=seed)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
        svc if single_label else OneVsRestClassifier(svc),
    )
    model.fit(train_texts, train_Y.argmax(axis=1) if single_label else train_Y)
    fitted = perf_counter()
    predicted = model.predict(test_texts)
    if single_label:
        predicted = np.eye(train_Y.shape[1], dtype=np.int8)[predicted]
    return predicted, fitted - start, perf_counter() - fitted


def keras_textbook(train_texts, train_Y, test_texts, single_label, seed, epochs=6):
    """Embedding, one convolution, global maximum and a dense layer, through SciKeras."""
    import keras
    from scikeras.wrappers import KerasClassifier

    def build():
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input((length,), dtype="int32"),
                layers.Embedding(len(vocabulary) + 2, 128),
                layers.Conv1D(128, 5, activation="relu"),
                layers.GlobalMaxPooling1D(),
                layers.Dropout(0.5),
                layers.Dense(train_Y.shape[1], activation="softmax" if single_label else "sigmoid"),
            ]
        )

    def encode(documents):
        ids = np.zeros((len(documents), length), dtype=np.int32)  # 0 is padding, 1 is unknown
        for i, tokens in enumerate(documents):
            tokens = tokens[:length]
            ids[i, : len(tokens)] = [vocabulary.get(token, 1) for token in tokens]
        return ids

    # SciKeras' random_state would switch on deterministic, slower operations: seed Keras instead.
    keras.utils.set_random_seed(seed)
    start = perf_counter()
    documents = [tokenize(text) for text in train_texts]
    counts = Counter(token for tokens in documents for token in tokens)
    vocabulary = {token: i for i, (token, _) in enumerate(counts.most_common(20_000), start=2)}
    length = max(5, int(np.percentile([len(tokens) for tokens in documents], 95)))
    model = KerasClassifier(
        build,
        loss="categorical_crossentropy" if single_label else "binary_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=1e-3,
        batch_size=64,
        epochs=epochs,
        verbose=0,
    )
    model.fit(encode(documents), train_Y)
    fitted = perf_counter()
    scores = model.predict_proba(encode([tokenize(text) for text in test_texts]))
    predicted = decide(scores, single_label)
    return predicted, fitted - start, perf_counter() - fitted


def fasttext_ova(train_texts, train_Y, test_texts, single_label, seed):
    """FastText on words and word pairs: one-versus-all, or softmax for single labels."""
    import fasttext

    prefix = "__label__"

    def lines(texts):
        return [" ".join(tokenize(text)) for text in texts]

    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.txt"
        with path.open("w", encoding="utf-8") as file:
            for line, row in zip(lines(train_texts), train_Y, strict=True):
                labels = " ".join(f"{prefix}{j}" for j in np.flatnonzero(row))
                file.write(f"{labels} {line}\n")
        model = fasttext.train_supervised(
            str(path),
            loss="softmax" if single_label else "ova",
            lr=0.5,
            epoch=25,
            wordNgrams=2,
            thread=joblib.cpu_count(),
            seed=seed,
            verbose=0,
        )
    fitted = perf_counter()
    found, _ = model.predict(
        lines(test_texts), k=1 if single_label else -1, threshold=0.0 if single_label else 0.5
    )
    predicted = np.zeros((len(test_texts), train_Y.shape[1]), dtype=np.int8)
    for i, labels in enumerate(found):
        predicted[i, [int(label.removeprefix(prefix)) for label in labels]] = 1
    return predicted, fitted - start, perf_counter() - fitted


PEERS = {"linear_svc": linear_svc, "keras": keras_textbook, "fasttext": fasttext_ova}
