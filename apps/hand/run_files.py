"""The files that the run of a learned hand has beside its checkpoints.

This module does not import torch, so that a missing file is named at once.
"""

from pathlib import Path

from utils.checks import UserError

PRACTICE_FILE = "practice.npz"
"""Says which lines the run learns; a resumed run learns the same."""
SAMPLE_FILE = "hand.json"
"""A line of the hand, beside `HAND_FILE`."""


def sample_of(checkpoint: Path, option: str) -> Path:
    """Return the file in which a run saved ink of the hand that its network learned.

    Args:
        checkpoint: the file of the network.
        option: the option that needs the ink, for the message.

    Raises:
        UserError: if there is no such file.
    """
    sample = checkpoint.with_name(SAMPLE_FILE)
    if not sample.exists():
        raise UserError(f"{option}: {checkpoint} learned no hand: beside it is no {SAMPLE_FILE}")
    return sample
