"""Choosing models of texts with several labels: splitters, a linear baseline, comparisons."""

from sktextcnn.model_selection.splitters import (
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    train_test_split,
)

__all__ = ["MultilabelStratifiedKFold", "MultilabelStratifiedShuffleSplit", "train_test_split"]
