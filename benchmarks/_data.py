"""Read the benchmark data sets and turn their labels into 0/1 matrices."""

import gzip
import json
import os
from itertools import islice
from pathlib import Path

import numpy as np

SINGLE_LABEL = {"mr", "trec"}

#: Training rows that are used of large sets, the first ones.
TRAIN_ROWS = {"arxiv_cs": 20_000}


def data_folder():
    """Return the folder named by ``SKTEXTCNN_DATA``, or stop with a message."""
    folder = os.environ.get("SKTEXTCNN_DATA")
    if not folder:
        raise SystemExit(
            "SKTEXTCNN_DATA is not set. Set it to the folder that holds the data sets, "
            "one subfolder each with train.jsonl.gz and test.jsonl.gz (see benchmarks/README.md)."
        )
    if not Path(folder).is_dir():
        raise SystemExit(f"SKTEXTCNN_DATA is {folder!r}, which is not a folder.")
    return Path(folder)


def load(name, *, n_rows=None):
    """Return train texts, train labels, test texts and test labels of one data set.

    Labels are lists of str, one list per text. ``n_rows`` keeps the first rows of each part.
    """
    parts = []
    for part in ("train", "test"):
        path = data_folder() / name / f"{part}.jsonl.gz"
        if not path.is_file():
            raise SystemExit(f"No data set {name!r}: {path} does not exist.")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in islice(lines, n_rows)]
        parts += [[row["text"] for row in rows], [row["labels"] for row in rows]]
    return tuple(parts)


def label_names(labels):
    """Return the distinct labels, sorted."""
    return sorted({label for row in labels for label in row})


def indicator(labels, classes):
    """Return a 0/1 matrix with one column per class; other labels are ignored."""
    column = {label: j for j, label in enumerate(classes)}
    matrix = np.zeros((len(labels), len(classes)), dtype=np.int8)
    for i, row in enumerate(labels):
        for label in row:
            if label in column:
                matrix[i, column[label]] = 1
    return matrix
