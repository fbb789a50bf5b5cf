"""Splitters: every form of y, scikit-learn's conventions, and shares of labels."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate

from sktextcnn import as_label_matrix
from sktextcnn.labels.matrix import LabelMatrix
from sktextcnn.model_selection import (
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    train_test_split,
)
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, matrix_of, tiny

MATRIX = as_label_matrix(TAGS)
FORMS = {
    "sets": TAGS,
    "label matrix": MATRIX,
    "array": matrix_of(),
    "sparse": csr_matrix(matrix_of()),
    "frame": pd.DataFrame(matrix_of(), columns=LABELS),
    "series": pd.Series(TAGS),
}
SPLITTERS = {
    "folds": MultilabelStratifiedKFold(3),
    "shuffled": MultilabelStratifiedKFold(3, shuffle=True, random_state=0),
    "divisions": MultilabelStratifiedShuffleSplit(3, test_size=0.25, random_state=0),
}
each_splitter = pytest.mark.parametrize("splitter", SPLITTERS.values(), ids=SPLITTERS)


def listed(splitter, X, y):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(X, y)]


@each_splitter
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_several_labels_is_divided_alike(splitter, form):
    assert listed(splitter, TEXTS, FORMS[form]) == listed(splitter, TEXTS, TAGS)


@each_splitter
def test_both_sides_are_what_was_asked_for(splitter):
    splits = [*splitter.split(np.zeros((12, 1)), TAGS)]
    assert len(splits) == splitter.get_n_splits() == 3
    for train, test in splits:
        assert sorted([*train, *test]) == [*range(12)]
        assert len(test) == len(TEXTS) // len(splits) or "Shuffle" in repr(splitter)
        assert MATRIX[train].any(axis=0).all()


def test_every_row_is_held_out_once():
    held_out = [test for _, test in MultilabelStratifiedKFold(5).split(TEXTS, TAGS)]
    assert sorted(np.concatenate(held_out)) == [*range(12)]
    assert [*map(len, held_out)] == [3, 3, 2, 2, 2]


def test_one_label_per_text_is_stratified_as_in_scikit_learn():
    ours, theirs = (
        [np.unique(np.array(TOPICS)[test], return_counts=True)[1].tolist() for _, test in splits]
        for splits in (
            MultilabelStratifiedKFold(2).split(TEXTS, TOPICS),
            StratifiedKFold(2).split(TEXTS, TOPICS),
        )
    )
    assert ours == theirs


@each_splitter
def test_splitters_can_be_read_and_copied(splitter):
    namespace = {type(splitter).__name__: type(splitter)}
    again = eval(repr(splitter), namespace)
    assert listed(again, TEXTS, TAGS) == listed(splitter, TEXTS, TAGS)
    copied = clone(GridSearchCV(tiny(), {}, cv=splitter)).cv
    assert listed(copied, TEXTS, TAGS) == listed(splitter, TEXTS, TAGS)


def test_random_state_is_what_it_is_in_scikit_learn():
    for make in (
        lambda seed: MultilabelStratifiedKFold(3, shuffle=True, random_state=seed),
        lambda seed: MultilabelStratifiedShuffleSplit(3, random_state=seed),
    ):
        fixed, generator = make(1), make(np.random.RandomState(1))
        assert listed(fixed, TEXTS, TAGS) == listed(fixed, TEXTS, TAGS) != listed(make(2), TEXTS, TAGS)
        assert listed(generator, TEXTS, TAGS) != listed(generator, TEXTS, TAGS)
    plain = MultilabelStratifiedKFold(3)
    assert listed(plain, TEXTS, TAGS) == listed(plain, TEXTS, TAGS)
    with pytest.raises(ValueError, match="Setting a random_state has no effect"):
        MultilabelStratifiedKFold(3, random_state=0)


@each_splitter
def test_splitters_serve_scikit_learn_and_the_classifier(splitter):
    for y in (TAGS, MATRIX):
        scores = cross_validate(tiny(), TEXTS, y, cv=splitter, error_score="raise")
        assert len(scores["test_score"]) == 3
    search = GridSearchCV(tiny(), {"filters": [2, 4]}, cv=splitter, scoring="f1_micro")
    assert search.fit(TEXTS, MATRIX).n_splits_ == 3
    assert tiny(validation=splitter).fit(TEXTS, TAGS).resolved_.n_folds == 3


def test_shuffled_divisions_leave_the_rest_out():
    splitter = MultilabelStratifiedShuffleSplit(4, train_size=6, test_size=3, random_state=0)
    for train, test in splitter.split(TEXTS, TAGS):
        assert (len(train), len(test)) == (6, 3)
        assert not {*train} & {*test}
        assert MATRIX[train].any(axis=0).all()
    assert [len(test) for _, test in MultilabelStratifiedShuffleSplit(1).split(TEXTS, TAGS)] == [2]


def test_train_test_split_divides_whatever_it_gets():
    weight = np.arange(12)
    parts = train_test_split(TEXTS, MATRIX, weight, random_state=0)
    texts, texts_test, Y, Y_test, rows, rows_test = parts
    assert (len(texts), len(texts_test)) == (9, 3)
    assert texts == [TEXTS[row] for row in rows]
    assert texts_test == [TEXTS[row] for row in rows_test]
    assert isinstance(Y_test, LabelMatrix)
    assert Y.label_names.tolist() == LABELS
    np.testing.assert_array_equal(Y, MATRIX[rows])
    for form in FORMS.values():
        assert train_test_split(TEXTS, form, random_state=0)[0] == texts
    frames = train_test_split(pd.Series(TEXTS), FORMS["frame"], test_size=2, random_state=0)
    assert [type(part).__name__ for part in frames] == ["Series", "Series", "DataFrame", "DataFrame"]
    assert [*map(len, frames)] == [10, 2, 10, 2]


def test_the_only_row_of_a_label_is_learned_from():
    tags = [*TAGS, ["rare"], ["rarer", "news"]]
    for seed in range(20):
        train, *_ = train_test_split(range(14), tags, test_size=0.5, random_state=seed)
        assert {12, 13} <= {*train}


# -- bad input ---------------------------------------------------------------------------------------


@each_splitter
def test_splitters_refuse_what_is_no_y(splitter):
    with pytest.raises(ValueError, match="y is None"):
        next(splitter.split(TEXTS, None))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(splitter.split(TEXTS, TAGS[:-1]))
    with pytest.raises(ValueError, match="holds no label anywhere"):
        next(splitter.split(TEXTS, [[]] * 12))


def test_splitters_refuse_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="n_splits=13; expected at most 12, the number of rows"):
        next(MultilabelStratifiedKFold(13).split(TEXTS, TAGS))
    with pytest.raises(ValueError, match="at least one train/test split"):
        MultilabelStratifiedKFold(1)
    with pytest.raises(ValueError, match="test_size=20 should be either positive and smaller"):
        train_test_split(TEXTS, TAGS, test_size=20)
    with pytest.raises(ValueError, match="3 rows leave nothing to test on"):
        train_test_split(TEXTS[:3], [["a"], ["b"], ["c"]])
