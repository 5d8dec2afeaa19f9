"""The networks, their losses and metrics, and writing with them."""

from model.loss import NegativeLogLikelihood
from model.metrics import SSE
from model.mixture import Mixture
from model.networks import PredictionNetwork, SynthesisNetwork
from model.sampling import Line, sample

__all__ = [
    "SSE",
    "Line",
    "Mixture",
    "NegativeLogLikelihood",
    "PredictionNetwork",
    "SynthesisNetwork",
    "sample",
]
