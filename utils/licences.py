"""Licences of data, and of the weights of networks that learned from them."""

from collections.abc import Set

OPEN = "CC BY 4.0"
OPEN_DATA = (
    "UNIPEN, train_r01_v07 (doi.org/10.5281/zenodo.1195803), and Pen-Based Recognition of "
    "Handwritten Digits (E. Alpaydin, F. Alimoglu), both CC BY 4.0"
)
"""The data of the shipped networks for any use, which their licence asks to name."""
RESEARCH_ONLY = "for non-commercial research only, as the IAM On-Line Handwriting Database"

UNKNOWN = "that of the lines with which it was trained"
"""Stands in a file for the licence of weights that is not known."""


def combined(licences: Set[str | None]) -> str | None:
    """Return the licence of a work whose parts have `licences`; None if the licence is unknown."""
    if RESEARCH_ONLY in licences:
        return RESEARCH_ONLY
    return next(iter(licences)) if len(licences) == 1 else None
