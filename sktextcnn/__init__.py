"""Convolutional networks for texts with several labels, at home in scikit-learn."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> the module that defines it. Loaded when first used: importing the package costs
# nothing, and TensorFlow is imported by `fit` alone.
_EXPORTS = {
    "TextCNNClassifier": "classifier",
    "TextStream": "stream",
    "as_label_matrix": "labels.parsing",
    "group_rows": "labels.parsing",
    "learn_embeddings": "embeddings",
    "load": "loading",
    "load_embeddings": "embeddings",
}

__all__ = [
    "TextCNNClassifier",
    "TextStream",
    "__version__",
    "as_label_matrix",
    "group_rows",
    "learn_embeddings",
    "load",
    "load_embeddings",
]

if TYPE_CHECKING:
    from sktextcnn.classifier import TextCNNClassifier
    from sktextcnn.embeddings import learn_embeddings, load_embeddings
    from sktextcnn.labels.parsing import as_label_matrix, group_rows
    from sktextcnn.loading import load
    from sktextcnn.stream import TextStream


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
