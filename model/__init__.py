"""The networks, their losses and metrics, and writing and reading with them."""

from model.generation.line import Line
from model.generation.loss import NegativeLogLikelihood, SquaredError
from model.generation.metrics import SSE
from model.generation.mixture import Mixture
from model.generation.networks import PredictionNetwork, SynthesisNetwork
from model.generation.regression import PointEstimate
from model.generation.sampling import sample
from model.loading import load
from model.recognition.error_rates import ErrorRates
from model.recognition.loss import CTCLoss, TranscriptionLoss
from model.recognition.networks import AttentionNetwork, CTCNetwork

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
    "load",
    "sample",
]
