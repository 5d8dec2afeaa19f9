"""The networks, their losses and metrics, and writing and reading with them."""

from utils.lazy import importer
from utils.program import has_torch

_LOADING = "loading" if has_torch() else "engine_networks"
_HOMES = {
    "CharacterLanguageModel": "recognition.language_model",
    "WordLanguageModel": "recognition.language_model",
    "SSE": "generation.metrics",
    "AttentionNetwork": "recognition.recognisers",
    "CTCLoss": "recognition.loss",
    "CTCNetwork": "recognition.recognisers",
    "ErrorRates": "recognition.error_rates",
    "Line": "generation.line",
    "Mixture": "generation.mixture",
    "NegativeLogLikelihood": "generation.loss",
    "PictureNetwork": "recognition.picture_network",
    "PointEstimate": "generation.regression",
    "PredictionNetwork": "generation.generators",
    "Reader": "loading",
    "Sampling": "generation.line",
    "Search": "recognition.beam",
    "SquaredError": "generation.loss",
    "SynthesisNetwork": "generation.generators",
    "TrainedNetwork": "loading",
    "Transcription": "recognition.transcribing",
    "TranscriptionLoss": "recognition.loss",
    "Writer": "loading",
    "checked_reader": _LOADING,
    "checked_writer": _LOADING,
    "load": _LOADING,
    "sample": "generation.sampling",
    "step_figures": "generation.step_figures",
}
__all__ = list(_HOMES)
# Lazy imports, so that writing does not load modules that only training needs.
__getattr__ = importer(__name__, _HOMES)
