"""The networks, their losses and metrics, and writing and reading with them."""

from model.error_rates import ErrorRates
from model.loss import NegativeLogLikelihood, SquaredError
from model.metrics import SSE
from model.mixture import Mixture
from model.networks import PredictionNetwork, SynthesisNetwork
from model.recognition import AttentionNetwork, CTCNetwork
from model.recognition_loss import CTCLoss, TranscriptionLoss
from model.regression import PointEstimate
from model.sampling import Line, sample

__all__ = [
    "SSE",
    "AttentionNetwork",
    "CTCLoss",
    "CTCNetwork",
    "ErrorRates",
    "Line",
    "Mixture",
    "NegativeLogLikelihood",
    "PointEstimate",
    "PredictionNetwork",
    "SquaredError",
    "SynthesisNetwork",
    "TranscriptionLoss",
    "sample",
]
