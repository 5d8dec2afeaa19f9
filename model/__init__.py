"""The networks, their losses and metrics, and writing and reading with them."""

from importlib import import_module
from typing import Any

_HOMES = {
    "CharacterLanguageModel": "recognition.language_model",
    "SSE": "generation.metrics",
    "AttentionNetwork": "recognition.networks",
    "CTCLoss": "recognition.loss",
    "CTCNetwork": "recognition.networks",
    "ErrorRates": "recognition.error_rates",
    "Line": "generation.line",
    "Mixture": "generation.mixture",
    "NegativeLogLikelihood": "generation.loss",
    "PointEstimate": "generation.regression",
    "PredictionNetwork": "generation.networks",
    "Reader": "reader",
    "Sampling": "generation.options",
    "Search": "recognition.decoding",
    "SquaredError": "generation.loss",
    "SynthesisNetwork": "generation.networks",
    "TrainedNetwork": "trained_network",
    "TransformerNetwork": "generation.transformer",
    "TransformerReader": "recognition.transformer",
    "Transcription": "recognition.transcribing",
    "TranscriptionLoss": "recognition.loss",
    "Writer": "writer",
    "load": "loading",
    "sample": "generation.sampling",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a name on first use, so that writing does not import what only training needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
