"""Evaluation of classifiers that give texts one or several labels."""

from sktextcnn.metrics.evaluation import Evaluation, evaluate
from sktextcnn.metrics.measures import measure_names
from sktextcnn.metrics.ranking import ndcg_at_k, precision_at_k, recall_at_k
from sktextcnn.metrics.scorers import Scorer, get_scorer

__all__ = [
    "Evaluation",
    "Scorer",
    "evaluate",
    "get_scorer",
    "measure_names",
    "ndcg_at_k",
    "precision_at_k",
    "recall_at_k",
]
