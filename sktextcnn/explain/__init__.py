"""Which words of a text spoke for or against its labels."""

from sktextcnn.explain.evidence import Evidence, NgramMean
from sktextcnn.explain.html import highlight
from sktextcnn.explain.records import (
    Explanation,
    ExplanationList,
    Explanations,
    Mistake,
    NgramMeans,
)

__all__ = [
    "Evidence",
    "Explanation",
    "ExplanationList",
    "Explanations",
    "Mistake",
    "NgramMean",
    "NgramMeans",
    "highlight",
]
