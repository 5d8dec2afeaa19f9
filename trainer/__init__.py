"""One trainer per task, and the optimisers that torch lacks."""

from trainer.generation_trainer import GenerationTrainer
from trainer.optimizers import GravesRMSprop
from trainer.recognition_trainer import RecognitionTrainer

__all__ = ["GenerationTrainer", "GravesRMSprop", "RecognitionTrainer"]
