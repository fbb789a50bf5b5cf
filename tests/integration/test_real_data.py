"""Learning on real texts, which lie in the folder that SKTEXTCNN_DATA names."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from sktextcnn import TextCNNClassifier, as_label_matrix

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "SKTEXTCNN_DATA" not in os.environ, reason="SKTEXTCNN_DATA does not name a folder of data sets"
    ),
]


def load(name, n_rows):
    """Return the first training texts of a set and their labels."""
    path = Path(os.environ["SKTEXTCNN_DATA"]) / name / "train.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{name} is not among the data sets")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(n_rows), lines, strict=False)]
    return [row["text"] for row in rows], [row["labels"] for row in rows]


def test_questions_by_the_type_of_their_answer():
    """Six classes, the largest of which holds a quarter of the questions."""
    texts, labels = load("trec", 2500)
    y = np.array([label for (label,) in labels])
    clf = TextCNNClassifier(random_state=0).fit(texts[:2000], y[:2000])
    assert clf.score(texts[2000:], y[2000:]) > 0.7


def test_titles_by_their_tags():
    texts, tags = load("stackoverflow30k", 3000)
    Y = as_label_matrix(tags)
    clf = TextCNNClassifier(random_state=0).fit(texts[:2500], Y[:2500])
    assert clf.resolved_.n_held_out == 2500
    assert clf.validation_score_ > 0.35
    # Each tag has a threshold of its own, none of them far from the others.
    assert 0.05 < clf.thresholds_.min() < clf.thresholds_.max() < 0.7
    tuned = f1_score(Y[2500:], clf.predict(texts[2500:]), average="micro")
    assert tuned > 0.35
    always = np.zeros_like(np.asarray(Y[2500:]))
    always[:, np.asarray(Y).sum(axis=0).argmax()] = 1  # the most frequent tag for every title
    assert tuned > 2 * f1_score(Y[2500:], always, average="micro")
