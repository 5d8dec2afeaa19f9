"""The line of an epoch on the console; `metrics.csv` and TensorBoard have what it leaves out."""

from collections.abc import Mapping


def epoch_line(
    epoch: int,
    epochs: int,
    values: Mapping[str, float],
    *,
    loss: str,
    monitored: str | None,
    best: bool,
    seconds: float,
    skipped: int,
) -> str:
    """Return what matters of an epoch, such that the lines of a run stand in columns.

    Args:
        epoch, epochs: its number, and that of the last.
        values: of training and, as `valid_NAME`, of validation.
        loss: name of the loss: its mean over the points is shown,
        monitored: and the monitored value; if there is none, the loss of validation.
        best: whether the epoch is the best so far.
        seconds: that training took.
        skipped: steps that were not finite; told if there are any.
    """
    shown = dict.fromkeys([f"{loss}_per_point", monitored or f"valid_{loss}_per_point"])
    return "  ".join(
        [
            f"epoch {epoch:>{len(str(epochs))}}/{epochs}",
            *(f"{name} {values[name]:9.5g}" for name in shown if name in values),
            f"{seconds:7.1f} s",
            *(["best so far"] if best else []),
            *([f"{skipped} steps skipped"] if skipped else []),
        ]
    )
