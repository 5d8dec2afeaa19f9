"""Writing: a trained network turns text into lines of ink."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from base.pretrained import PRETRAINED, pretrained
from model.generation.generators import GenerationNetwork
from model.generation.line import Line
from model.generation.sampling import sample
from model.generation.sampling_options import Primer, Sampling
from model.generation.writing import check_lengths, write
from model.trained_network import TrainedNetwork
from utils import strict_json
from utils.alphabet import PANGRAM, nfc
from utils.checks import UserError
from utils.licences import OPEN

OWN_LINES = 8
"""Lines that a network writes for comparison with a primer (measured, lab notebook: constants)."""
OWN_STEPS = 300
"""Steps of each of the `OWN_LINES` (measured, lab notebook: constants)."""
LETTERS = PRETRAINED / "letters.json"
"""File of the fraction of each letter beyond ASCII that a reader reads in a network's lines, by
network (measured, lab notebook: letters that networks hardly know)."""


@dataclass(repr=False)
class Writer(TrainedNetwork):
    """A trained network that writes."""

    model: GenerationNetwork

    @property
    def is_told(self) -> bool:
        """Whether the network is told the hand in which it writes."""
        return "hand" in self.model.extras

    def write(
        self,
        text: str | None = None,
        sampling: Sampling = Sampling(),
        *,
        seed: int = 0,
        primer: Primer | None = None,
        **changes: Any,
    ) -> Line:
        """Write one line, see `write_lines`; the same seed gives the same line.

        `changes` are changes of `sampling`, such as `bias=0.5`, or `extras={"mood": [0.2, 0.4]}`
        for a network that takes a `mood`.
        """
        texts = None if text is None else [text]
        sampling = replace(sampling, **changes)
        (line,) = self.write_lines(texts, [seed], sampling, primer=primer)
        return line

    def write_lines(
        self,
        texts: Sequence[str] | None,
        seeds: Sequence[int],
        sampling: Sampling = Sampling(),
        *,
        primer: Primer | None = None,
        progress: bool = False,
    ) -> list[Line]:
        """Write lines, many at a time.

        Args:
            texts: a text for each seed; None for a network without a text.
            seeds: a seed for each line.
            sampling: how points are drawn, and the extras that the network is told.
            primer: ink whose hand is continued, and its text. A bias makes lines smaller than the
                primer; a `handwriting.Hand` makes up for that.
            progress: show a progress bar.

        Raises:
            UserError: if a text is missing or too long, or has characters unknown to the network.
            DataError: if the primer is no ink.
        """
        if self.model.needs_text != (texts is not None):
            needed = "needs a" if texts is None else "takes no"
            raise UserError(f"{self.path}: its network {needed} text")
        # Nobody writes blanks around a text, or two between words.
        titles = [re.sub(" +", " ", nfc(text).strip(" ")) for text in texts or ()]
        if primer is not None:
            primer = primer[0], primer[1].rstrip()  # the new text begins with the space
        check_lengths(titles, primer)
        described = f" · {sampling}" if self.model.has_density else ""
        whole_texts = None if texts is None else [self._after(primer, text) for text in titles]
        lines = write(self.model, whole_texts, seeds, sampling, primer=primer, progress=progress)
        written = []
        for line, title, seed in zip(lines, titles or [""] * len(lines), seeds, strict=True):
            description = f"{line.text or 'no text'}{described} · seed {seed}"
            written.append(replace(line, title=title, description=description))
        return written

    @property
    def usual_text(self) -> str:
        """The text where none is chosen: a pangram in the network's letters, or its alphabet."""
        alphabet = self.model.alphabet
        text = "".join(character for character in PANGRAM if character in alphabet).strip()
        return text or "".join(alphabet.characters)[:30]

    @cached_property
    def reference_lines(self) -> list[np.ndarray]:
        """Lines that the network writes without a primer or bias, to compare with a primer.

        Raises:
            UserError: if all lines are empty, or the network has no mixture to write like its data.
        """
        texts = [self.usual_text] * OWN_LINES if self.model.needs_text else None
        unbiased = Sampling(bias=0.0, max_steps=OWN_STEPS)
        lines = sample(self.model, range(OWN_LINES), texts, unbiased)
        inks = [line.ink for line in lines if len(line.ink) > 1]
        if not inks or not self.model.has_density:
            raise UserError(
                "the network writes no lines that a primer could be compared with: give the "
                "factor for its units with --primer-scale"
            )
        return inks

    def _after(self, primer: Primer | None, text: str) -> str:
        """Return a text, with a space before it if it would run into the primer's last word."""
        is_apart = not (primer and primer[1] and text) or text[0].isspace()
        return text if is_apart or self.model.alphabet.unknown(" ") else f" {text}"


def sampling_of(
    writer: Writer,
    bias: float | None = None,
    pen_sharpness: float | None = None,
    max_steps: int | None = None,
) -> Sampling:
    """Return how points are drawn; None stands for a default.

    Raises:
        UserError: if there is a bias or pen sharpness, but the network has no density to sharpen.
    """
    values = {"bias": bias, "pen_sharpness": pen_sharpness}
    chosen = {name: value for name, value in values.items() if value is not None}
    if chosen and not writer.model.has_density:
        raise UserError(
            f"{writer.path} contains a network with a regression head, which has no density to "
            f"sharpen: leave out --{next(iter(chosen)).replace('_', '-')}"
        )
    return Sampling(**chosen, max_steps=max_steps)


def usual_proofreader(writer: Writer) -> str:
    """Return the pretrained network, with an equally open licence, that proofreads a writer."""
    return "open_reader" if writer.licence == OPEN else "proofreader"


def warning(path: Path, text: str) -> str:
    """Return a sentence that names a text's letters that a pretrained network hardly knows, as
    fewer than half of them are read; empty without such letters, or for any other network."""
    name = next((name for name, file in pretrained().items() if file == path.resolve()), "")
    fractions = strict_json.read(LETTERS).get(name, {})
    letters = [letter for letter in dict.fromkeys(text) if fractions.get(letter, 1.0) < 0.5]
    hardly = f"{name} hardly knows {' '.join(letters)}: fewer than half of them can be read"
    return hardly if letters else ""
