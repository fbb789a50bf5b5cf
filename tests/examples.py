"""A dozen short texts and the smallest network worth the name, for tests of behaviour."""

import numpy as np

from sktextcnn import TextCNNClassifier

#: Engines that the tests of behaviour run over, and the one that `tiny` takes where it is not told.
ENGINES = ("compiled", "keras")
ENGINE = "auto"

LABELS = ["food", "news", "sport"]

# Every four rows hold each label once at least, and miss it once at least: folds of a cross-validation
# without shuffling can be scored by any metric.
ROWS = [
    ("the match ended in a draw", "sport", ["sport"]),
    ("parliament votes on the budget", "news", ["news"]),
    ("a soup of beans and carrots", "food", ["food"]),
    ("the minister opens the match", "sport", ["news", "sport"]),
    ("a goal in the last minute", "sport", ["sport"]),
    ("the minister resigns", "news", ["news"]),
    ("bread, cheese and a glass of milk", "food", ["food"]),
    ("the budget of the football club", "news", ["news", "sport"]),
    ("the team wins the cup", "sport", ["sport"]),
    ("voters elect a new mayor", "news", ["news"]),
    ("fry the carrots, then add the beans", "food", ["food"]),
    ("the team eats soup before the match", "food", ["food", "sport"]),
]

TEXTS = [text for text, _, _ in ROWS]
TAGS = [tags for _, _, tags in ROWS]
TOPICS = [topic for _, topic, _ in ROWS]
IS_SPORT = ["sport" if "sport" in tags else "other" for tags in TAGS]


def matrix_of(tags=TAGS):
    """Return label sets as a plain 0/1 array with the columns of `LABELS`."""
    return np.array([[int(label in row) for label in LABELS] for row in tags])


def tiny(**parameters):
    """Return an unfitted classifier that fits a dozen texts in a few hundredths of a second."""
    small = {
        "min_df": 1,
        "embedding_dim": 8,
        "kernel_sizes": (1, 2),
        "filters": 4,
        "epochs": 2,
        "batch_size": 6,
        "linear": False,
        "validation": None,
        "learning_rate": 0.002,
        "learning_rate_schedule": "constant",
        "random_state": 0,
        "engine": ENGINE,
    }
    return TextCNNClassifier(**{**small, **parameters})


def eager(**parameters):
    """Return an unfitted classifier that learns a dozen texts by heart."""
    strong = {
        "embedding_dim": 16,
        "filters": 16,
        "epochs": 30,
        "batch_size": 12,
        "learning_rate": 0.03,
        "embedding_dropout": 0.0,
        "dropout": 0.0,
    }
    return tiny(**{**strong, **parameters})


def same_weights(a, b):
    """Tell whether two fitted classifiers hold bit-equal weights, of the linear part as well."""
    first, second = (
        {**clf.weights_, **(clf.linear_part_.to_arrays() if clf.linear_part_ else {})} for clf in (a, b)
    )
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first
    )
