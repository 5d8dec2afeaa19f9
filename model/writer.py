"""Writes lines of ink with a trained network."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from base.config import user_modules
from base.run.pretrained import SHIPPED, pretrained
from ink.alphabet import PANGRAM, nfc
from model.batches import BATCH_SIZE, by_length
from model.generation.generators import GenerationNetwork
from model.generation.line import Line, Primer, Sampling, check_lengths
from model.generation.long_lines import text_parts, write_other_parts
from model.generation.sampling import sample
from model.trained_network import TrainedNetwork
from utils import strict_json
from utils.checks import UserError, described, short
from utils.licences import OPEN
from utils.strict_json import children

NUM_REFERENCE_LINES = 8
"""Number of `reference_lines` of a network (measured, notebook: writer, reference lines)."""
REFERENCE_TEXT = "It was a quiet evening by the sea"
"""Text of the reference lines, mostly small letters, which show an x-height best (measured,
notebook: writer, reference lines)."""
REFERENCE_STEPS = 300
"""Limit on the steps of each reference line (measured, notebook: writer, reference lines)."""
LETTER_FILE = SHIPPED / "pretrained" / "letters.json"
"""File that says, for each pretrained network and letter beyond ASCII, in which fraction of words a
reader reads the letter right (measured, notebook: pages, letters that networks hardly know)."""


@dataclass(repr=False)
class Writer(TrainedNetwork):
    """A trained network that writes."""

    model: GenerationNetwork

    @property
    def takes_hand(self) -> bool:
        """Whether the network is conditioned on the hand in which it writes."""
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

        `changes` replace attributes of `sampling`: for example `bias=0.5`, or, for a network that
        takes a `mood`, `extras={"mood": [0.2, 0.4]}`.
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
            sampling: how points are drawn, and the extras on which the network is conditioned.
            primer: ink whose hand is continued, and the ink's text. A bias makes lines smaller
                than the primer; a `apps.pages.Hand` corrects their size.
            progress: show a progress bar.

        Raises:
            UserError: if a text is missing or superfluous, or a text or the primer is too long, or
                has characters unknown to the network; if a network of the user's own fails.
            DataError: if the primer is no ink.
        """
        if self.model.needs_text != (texts is not None):
            needed = "needs a" if texts is None else "takes no"
            raise UserError(f"{self.path}: its network {needed} text")
        # Blanks around a text and double blanks between words cannot be seen in handwriting.
        titles = [re.sub(" +", " ", nfc(text).strip(" ")) for text in texts or ()]
        if primer is not None:
            primer = primer[0], primer[1].rstrip()  # the new text begins with the space
        check_lengths(titles, primer)
        options = f" · {sampling}" if self.model.prediction_type.draws_offset else ""
        new_texts = None if texts is None else [self._text_after(primer, text) for text in titles]
        try:
            lines = self._write_batches(new_texts, seeds, sampling, primer, progress)
        except Exception as error:
            if isinstance(error, UserError | OSError) or not user_modules.is_any_from_user(
                self.model
            ):
                raise
            items = sampling.extras.items()
            extras = ", ".join(f"{name} = {short(value)}" for name, value in items)
            problem = f"its {type(self.model).__name__}, with {extras or 'no extras'}, cannot write"
            raise UserError(f"{self.path}: {problem}: {described(error)}") from error
        described_lines = []
        for line, title, seed in zip(lines, titles or [""] * len(lines), seeds, strict=True):
            description = f"{line.text or 'no text'}{options} · seed {seed}"
            described_lines.append(replace(line, written_text=title, description=description))
        return described_lines

    def _write_batches(
        self,
        texts: Sequence[str] | None,
        seeds: Sequence[int],
        sampling: Sampling,
        primer: Primer | None,
        progress: bool,
    ) -> list[Line]:
        """Write lines in batches of similar length. `sample` writes a whole text or, if the text is
        longer than the network's `longest`, its first part; `write_other_parts` writes the rest."""
        if texts is not None and len(texts) != len(seeds):
            raise UserError(f"{len(seeds)} seeds need as many texts")
        model, lines = self.model, dict[int, Line]()
        parts = [text_parts(text, model.longest) for text in texts or [""] * len(seeds)]
        # A row of extras for each line, as batches change the order of the lines.
        tensors = model.make_conditions(len(seeds), sampling.extras).extras
        extras = {name: value.float().numpy(force=True) for name, value in tensors.items()}

        def sampling_of_rows(rows: Sequence[int]) -> Sampling:
            return replace(sampling, extras={name: value[rows] for name, value in extras.items()})

        shows_batches = progress and len(seeds) > BATCH_SIZE
        sampled = partial(sample, model, primer=primer, progress=progress and not shows_batches)
        lengths = [len(first) for first, *_ in parts]
        for batch in by_length(lengths, "writing", progress=shows_batches):
            rows = sorted(batch)
            firsts = None if texts is None else [parts[row][0] for row in rows]
            batch_seeds = [seeds[row] for row in rows]
            batch_lines = sampled(batch_seeds, firsts, sampling_of_rows(rows))
            lines |= zip(rows, batch_lines, strict=True)
        write_rest = partial(write_other_parts, model, primer=primer, progress=progress)
        for row in range(len(seeds)):
            if len(parts[row]) > 1:
                settings = seeds[row], sampling_of_rows([row])
                lines[row] = write_rest(lines[row], parts[row], *settings)
        return [lines[row] for row in range(len(seeds))]

    @property
    def default_text(self) -> str:
        """The characters of a pangram that the network knows; if none, its alphabet's first 30."""
        alphabet = self.model.alphabet
        text = "".join(character for character in PANGRAM if character in alphabet).strip()
        return text or "".join(alphabet.characters)[:30]

    @property
    def reference_text(self) -> str:
        """The characters of `REFERENCE_TEXT` that the network knows; if none, its first letters."""
        alphabet = self.model.alphabet
        text = "".join(character for character in REFERENCE_TEXT if character in alphabet)
        return text if text.strip() else "".join(alphabet.characters).strip()[: len(REFERENCE_TEXT)]

    def reference_lines(self, sampling: Sampling = Sampling()) -> list[np.ndarray]:
        """Return lines that the network writes without a primer, to compare ink with.

        Args:
            sampling: how points are drawn, and the hand on which the network is conditioned.

        Raises:
            UserError: if all lines are empty, or the network draws no offsets, as of a regression.
        """
        texts = [self.reference_text] * NUM_REFERENCE_LINES if self.model.needs_text else None
        sampling = replace(sampling, max_steps=REFERENCE_STEPS)
        lines = sample(self.model, range(NUM_REFERENCE_LINES), texts, sampling)
        inks = [line.ink for line in lines if len(line.ink) > 1]
        if not inks or not self.model.prediction_type.draws_offset:
            raise UserError(
                "the network writes no lines to compare the primer with: give the factor for the "
                "primer's units as primer_scale"
            )
        return inks

    def _text_after(self, primer: Primer | None, text: str) -> str:
        """Return `text`, after a space if `primer` has a text and `text` begins with no space."""
        if not (primer and primer[1] and text) or text[0].isspace():
            return text
        return text if self.model.alphabet.unknown(" ") else f" {text}"


def sampling_of(
    writer: Writer,
    bias: float | None = None,
    pen_sharpness: float | None = None,
    max_steps: int | None = None,
    extras: Mapping[str, Any] = {},
) -> Sampling:
    """Return the options of drawing points; a bias or pen sharpness of None is the default.

    Raises:
        UserError: if there is a bias or pen sharpness, but the network draws no offsets to sharpen.
    """
    values = {"bias": bias, "pen_sharpness": pen_sharpness}
    chosen: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    if chosen and not writer.model.prediction_type.draws_offset:
        raise UserError(
            f"{writer.path} contains a network with a {writer.model.head} head, which draws no "
            f"offset that could be sharpened: leave out {next(iter(chosen))}"
        )
    return Sampling(**chosen, max_steps=max_steps, extras=extras)


def default_proofreader(writer: Writer) -> str:
    """Return the name of the pretrained proofreader whose licence is as open as the writer's."""
    return "open_reader" if writer.licence == OPEN else "reader"


def letter_warning(path: Path, text: str) -> str:
    """Return a sentence that names the letters of `text` that a pretrained network hardly knows:
    read in fewer than half of its words. "" if there are none, or if the network is another."""
    name = next((name for name, file in pretrained().items() if file == path.resolve()), "")
    fractions = children(strict_json.read(LETTER_FILE)).get(name, {})
    letters = [letter for letter in dict.fromkeys(text) if fractions.get(letter, 1.0) < 0.5]
    if not letters:
        return ""
    listed = " ".join(letters)
    return f"{name} hardly knows {listed}: it writes fewer than half of them legibly"
