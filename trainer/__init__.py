"""Trainers of each task, and the paper's optimiser."""

from trainer.generation_trainer import GenerationTrainer
from trainer.optimizers import GravesRMSprop
from trainer.recognition_trainer import RecognitionTrainer

__all__ = [
    "GenerationTrainer",
    "GravesRMSprop",
    "RecognitionTrainer",
]
