"""A dozen short texts and the smallest network worth the name, for tests of behaviour."""

from functools import cache
from itertools import chain, repeat

import numpy as np
import pytest

from sktextcnn import TextCNNClassifier, as_label_matrix

#: Engines that the tests of behaviour run over, and the one that `tiny` takes where it is not told.
ENGINES = ("compiled", "keras")
ENGINE = "auto"

#: For tests of behaviour that hold for each of them.
every_engine = pytest.mark.usefixtures("engine")


def every_engine_and(names, cases):
    """Run a test of behaviour over all cases with the compiled engine, and over the first with Keras.

    Whatever the forms of texts and labels, an engine gets token ids and a matrix of 0s and 1s.
    """
    keras = pytest.param("keras", *cases[0], marks=pytest.mark.slow)
    each = [*(("compiled", *case) for case in cases), keras]
    over = pytest.mark.parametrize(("engine", *names), each, indirect=["engine"])
    return lambda test: every_engine(over(test))


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


@cache
def corpus(n, seed=0, *, noise=False):
    """Return texts in which words of its own stand for each of three labels, or, as noise, for none."""
    rng = np.random.default_rng(seed)
    carries = rng.random((n, 3)) < 0.4
    texts = []
    for row in carries:
        words = [f"w{i}" for i in rng.integers(0, 15, 4)]
        for label in np.array(["a", "b", "c"])[row]:
            words += [f"{label}{i}" for i in rng.integers(0, 4, 2)]
        texts.append(" ".join(rng.permutation(words)))
    if noise:
        carries = rng.random((n, 3)) < 0.4
    y = as_label_matrix(carries.astype(int), classes=["a", "b", "c"])
    y.setflags(write=False)  # many tests share it
    return tuple(texts), y


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


def usual(**parameters):
    """Return an unfitted classifier, tiny as well, with the rate and the batches of the default."""
    default = TextCNNClassifier().get_params()
    rate = ("learning_rate", "learning_rate_schedule", "batch_size")
    return tiny(**{"filters": 8, **{name: default[name] for name in rate}, **parameters})


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
    """Tell whether two fitted classifiers, states of training, or dicts of weights hold equal bits.

    Of classifiers, those of the linear part as well.
    """
    first, second = _weights_of(a), _weights_of(b)
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first
    )


def _weights_of(holder):
    if not hasattr(holder, "weights_"):
        return getattr(holder, "weights", holder)
    part = holder.linear_part_
    return {**holder.weights_, **(part.to_arrays() if part is not None else {})}


def fitted_attributes(clf):
    """Return what fitting has left: the attributes whose names end in an underscore."""
    return {name: value for name, value in vars(clf).items() if name.endswith("_")}


class Scripted:
    """A metric that gives the scores it was told, then the last one, and remembers what it was asked."""

    def __init__(self, *scores):
        self.scores, self.asked = chain(scores, repeat(scores[-1])), []

    def __call__(self, truth, predicted):
        self.asked.append((truth, predicted))
        return next(self.scores)
