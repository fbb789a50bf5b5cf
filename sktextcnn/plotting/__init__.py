"""Pictures of a model and of its evaluation, in the style of scikit-learn's displays."""

from sktextcnn.plotting.cooccurrence import CooccurrenceDisplay
from sktextcnn.plotting.history import TrainingHistoryDisplay
from sktextcnn.plotting.label_scores import LabelScoresDisplay
from sktextcnn.plotting.learning_curve import LearningCurveDisplay
from sktextcnn.plotting.reliability import ReliabilityDisplay
from sktextcnn.plotting.threshold_curve import ThresholdCurveDisplay

__all__ = [
    "CooccurrenceDisplay",
    "LabelScoresDisplay",
    "LearningCurveDisplay",
    "ReliabilityDisplay",
    "ThresholdCurveDisplay",
    "TrainingHistoryDisplay",
]
