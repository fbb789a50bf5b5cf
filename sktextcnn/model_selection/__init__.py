"""Choosing models of texts with several labels: splitters, a linear baseline, comparisons."""

from sktextcnn.model_selection.baseline import LinearBaseline
from sktextcnn.model_selection.comparison import Comparison, Difference, compare_with_linear
from sktextcnn.model_selection.splitters import (
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    train_test_split,
)
from sktextcnn.model_selection.wrapped import predict_labels

__all__ = [
    "Comparison",
    "Difference",
    "LinearBaseline",
    "MultilabelStratifiedKFold",
    "MultilabelStratifiedShuffleSplit",
    "compare_with_linear",
    "predict_labels",
    "train_test_split",
]
