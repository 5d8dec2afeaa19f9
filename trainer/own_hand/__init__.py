"""A trained network learns the hand of a person.

`HandDataset` checks the lines with a recogniser and composes new ones of their letters;
`OwnHandTrainer` has the trained network write every character and lines of the hand, as before it,
and undoes as much of what was learned as makes them illegible, or a letter unreadable.
"""

from trainer.own_hand.dataset import FILE, HandDataset
from trainer.own_hand.exam import SAMPLE, OwnHandReaderTrainer, OwnHandTrainer

__all__ = ["FILE", "SAMPLE", "HandDataset", "OwnHandReaderTrainer", "OwnHandTrainer"]
