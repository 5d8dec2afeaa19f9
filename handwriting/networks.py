"""Networks that write or read, loaded for it."""

from pathlib import Path

import data_loader
import model
from base.licence import OPEN
from base.pretrained import PRETRAINED, pretrained
from model.generation.options import Sampling
from utils import strict_json
from utils.checks import UserError


def load_writer(path: str | Path, device: str = "auto") -> "model.Writer":
    """Load a network that writes texts; see `model.load`."""
    return checked_writer(model.load(path, device), of_texts=True)


def load_reader(path: str | Path, device: str = "auto") -> "model.Reader":
    """Load a network that reads; see `model.load`."""
    return checked_reader(model.load(path, device))


def checked_writer(network: "model.TrainedNetwork", *, of_texts: bool) -> "model.Writer":
    """Return a network that writes; raise a UserError if it does not, or takes no text."""
    if isinstance(network, model.Writer) and (network.model.needs_text or not of_texts):
        return network
    raise _unfit(network, "writes texts" if of_texts else "writes")


def checked_reader(network: "model.TrainedNetwork") -> "model.Reader":
    """Return a network that reads; raise a UserError if it does not."""
    if isinstance(network, model.Reader):
        return network
    raise _unfit(network, "reads")


PROOFREADERS = "proofreader, or open_reader where the writer is free for any use"
"""What `usual_proofreader` returns, for help."""


def usual_proofreader(writer: "model.Writer") -> str:
    """Return the pretrained network that proofreads what one writes: one that is as free."""
    return "open_reader" if writer.licence == OPEN else "proofreader"


LETTERS = PRETRAINED / "letters.json"
"""Of networks, the share of each letter beyond ASCII that is read in what they write (measured, lab
notebook: letters that networks hardly know)."""


def warning(path: Path, text: str) -> str:
    """Return which letters of a text a pretrained network hardly knows, as fewer than half of them
    are read, in a sentence; an empty one if it knows all, or is no pretrained network."""
    name = next((name for name, file in pretrained().items() if file == path.resolve()), "")
    shares = strict_json.read(LETTERS).get(name, {})
    letters = [one for one in dict.fromkeys(text) if shares.get(one, 1.0) < 0.5]
    hardly = f"{name} hardly knows {' '.join(letters)}: fewer than half of them can be read"
    return hardly if letters else ""


SECOND = "eye"
"""The pretrained network that is asked about what this one reads: of pictures, and free for any
use."""


def sampling_of(
    writer: "model.Writer",
    bias: float | None = None,
    pen_sharpness: float | None = None,
    max_steps: int | None = None,
) -> Sampling:
    """Return how points are drawn; None for what is usual.

    Raises:
        UserError: if a bias is for a writer without a density that it could sharpen.
    """
    values = {"bias": bias, "pen_sharpness": pen_sharpness}
    given = {name: value for name, value in values.items() if value is not None}
    if given and not writer.model.has_density:
        raise UserError(
            f"{writer.path} contains a network with a regression head, which has no density to "
            f"sharpen: leave out --{next(iter(given)).replace('_', '-')}"
        )
    return Sampling(**given, max_steps=max_steps)


def read(path: str | Path, reader: "model.Reader | None" = None) -> list[str]:
    """Return the texts of a file of ink, or of a folder of them, in any format that is known.

    Args:
        path: of the ink.
        reader: reads it; None for the pretrained one.
    """
    inks = [sample.ink for sample in data_loader.read_ink(path)]
    return (reader or load_reader("reader")).read_lines(inks)


def _unfit(network: "model.TrainedNetwork", does: str) -> UserError:
    kind = type(network.model).__name__
    return UserError(f"{network.path} contains a {kind}; a network that {does} is needed")
