"""A trained network learns the hand of a person.

`prepare` checks the lines with a recogniser and composes new ones of their letters; after the
training `conclude` has the network write every character and lines of the hand, as before it, and
undoes as much of what was learned as makes them illegible, or a letter unreadable.
"""

from trainer.own_hand.exam import SAMPLE, conclude
from trainer.own_hand.preparation import FILE, Prepared, networks, prepare, prepared, use

__all__ = [
    "FILE",
    "SAMPLE",
    "Prepared",
    "conclude",
    "networks",
    "prepare",
    "prepared",
    "use",
]
