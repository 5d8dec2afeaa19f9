"""Trained networks for use: `load` gives a `Writer` (text to line) or a `Reader` (ink to text).

A network is built from the architecture, alphabet, normalisation and weights of its checkpoint. The
record of the training is not used, so that only the network's class must exist, not the classes
that trained the network.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import model
from base.base_model import BaseModel
from base.config import user_modules
from base.config.binder import Binder, Registry, faults
from base.run.checkpoint import (
    Checkpoint,
    check_weights,
    find_checkpoint,
    load_weights,
    network_arguments,
)
from base.run.pretrained import resolve_checkpoint
from base.step.device import resolve_device
from ink.alphabet import PANGRAM, Alphabet, nfc
from model.batches import BATCH_SIZE
from model.generation.generators import GenerationNetwork
from model.generation.line import Line, Primer, Sampling, check_lengths
from model.generation.long_lines import text_parts, write_other_parts
from model.generation.sampling import sample
from model.recognition.encoder import GREEDY, Recogniser, RecognitionNetwork, Search
from model.recognition.ink_words import InkWord
from model.recognition.transcribing import read_each_way, read_with_doubts, read_words
from utils.checks import (
    CheckpointError,
    ConfigFault,
    DataError,
    UserError,
    described,
    short,
)
from utils.files import PLAIN_NAME
from utils.licences import OPEN, RESEARCH_ONLY

HAND_FILE = "hand.pth"
"""File of the network to use and share, in the folder of a run that learned a hand."""
HUB_FILE = "model.safetensors"
"""File of a network in a folder of a model hub, as `export` writes it."""
NUM_REFERENCE_LINES = 8
"""Number of `reference_lines` of a network (measured, notebook: writer, reference lines)."""
REFERENCE_TEXT = "It was a quiet evening by the sea"
"""Text of the reference lines, mostly small letters, which show an x-height best (measured,
notebook: writer, reference lines)."""
REFERENCE_STEPS = 300
"""Limit on the steps of each reference line (measured, notebook: writer, reference lines)."""


def load(
    path: str | Path, device: str = "auto", *, modules: Sequence[str | Path] = ()
) -> "TrainedNetwork":
    """Load a network for use from the file of a checkpoint.

    Args:
        path: the file; a folder, for its `HAND_FILE`, its `HUB_FILE` or else its newest complete
            checkpoint; the name of a pretrained network, such as "conditional"; or the id of a run
            in saved/models.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        modules: Python files with the user's classes; the files are run.

    Returns:
        a `Writer`, a `Reader`, or, if the network does not write or read, a `TrainedNetwork`.

    Raises:
        UserError: if there is no such device, module or checkpoint, or the checkpoint is not valid.
    """
    for module in modules:
        user_modules.load_module(module)
    torch_device = resolve_device(device)
    place = resolve_checkpoint(path)
    files = (place / name for name in (HAND_FILE, HUB_FILE))
    place = next((file for file in files if file.exists()), place)
    file, checkpoint = find_checkpoint(place)
    return from_checkpoint(checkpoint, file, torch_device)


def from_checkpoint(checkpoint: Checkpoint, path: Path, device: torch.device) -> "TrainedNetwork":
    """Return, on a device, the network of a checkpoint that was read from `path`; see `load`."""
    try:
        network = _build(checkpoint, path)
    except (ConfigFault, DataError) as fault:
        user_modules.check(checkpoint.get("modules", {}), f"{path}: {fault}")
        raise CheckpointError(f"{path}: {fault}") from None
    load_weights(network, checkpoint["state_dict"], path)
    kind: type[TrainedNetwork] = TrainedNetwork
    if isinstance(network, GenerationNetwork):
        kind = Writer
    elif isinstance(network, Recogniser):
        kind = Reader
    user_modules.warn_of_changes(checkpoint.get("modules", {}), path)
    record = checkpoint.copy()
    record.pop("state_dict")
    record.pop("training", None)
    return kind(network.to(device).eval(), path, device, record)


def _build(checkpoint: Checkpoint, path: Path) -> BaseModel:
    """Build the network of a checkpoint, with initial weights.

    Raises:
        CheckpointError: if the weights do not fit, or the alphabet or the extras are missing.
        ConfigFault: if there is no such class, or an argument does not fit.
    """
    arguments = network_arguments(checkpoint)
    part = Binder(Registry((model,))).bind(BaseModel, checkpoint["config"].get("arch"), "arch")
    for fault in faults(part):
        raise fault
    lacking = {*part.signature.from_program} - arguments.keys()
    if lacking:
        names = " and the ".join(sorted(lacking))
        raise CheckpointError(f"{path}: it lacks the {names} that its network needs")
    # A small config can describe gigabytes. So the weights' names and shapes are compared with a
    # network on the device "meta" first, which allocates no memory. The layers of a user's network
    # may depend on numbers, which "meta" lacks.
    if not user_modules.is_any_from_user(part.cls):
        with torch.device("meta"):
            check_weights(part.build(arguments), checkpoint["state_dict"], path)
    return part.build(arguments)


@dataclass(repr=False)
class TrainedNetwork:
    """A network of a checkpoint, ready for use.

    Attributes:
        model: the network, in evaluation mode, on its device.
        path: the network's file.
        device: the network's device.
        record: the file's contents, such as `config` and `metrics`, without the weights and the
            state of the training.
    """

    model: BaseModel
    path: Path
    device: torch.device
    record: Checkpoint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __str__(self) -> str:
        licence = f" ({self.licence})" if self.licence == RESEARCH_ONLY else ""
        return f"{type(self.model).__name__} of {self.path} on {self.device}{licence}"

    @property
    def licence(self) -> str | None:
        """The licence of the weights, see `utils.licences`; None if unknown."""
        return self.record.get("licence")

    @property
    def name(self) -> str:
        """The name of the network's experiment, used to name files."""
        name = self.record["config"].get("name")
        return name if isinstance(name, str) and PLAIN_NAME.fullmatch(name) else self.path.stem


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
                than the primer; `Sampling.stretch` corrects their size.
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
        titles = [re.sub(" +", " ", nfc(text).strip(" ")) for text in texts or [""] * len(seeds)]
        if primer is not None:
            primer = primer[0], primer[1].rstrip()  # the new text begins with the space
        check_lengths(titles, primer)
        parts = [self._parts(primer, title) for title in titles]
        with self._naming_errors(sampling.extras):
            lines = sample(
                self.model,
                seeds,
                [first for first, *_ in parts],
                sampling,
                primer=primer,
                progress=progress,
                batch_size=BATCH_SIZE,
            )
            for row, line in enumerate(lines):
                if len(parts[row]) > 1:
                    lines[row] = write_other_parts(
                        self.model,
                        line,
                        parts[row],
                        seeds[row],
                        sampling,
                        primer=primer,
                        progress=progress,
                    )
        options = f" · {sampling}" if self.model.prediction_type.draws_offset else ""
        described_lines = []
        for line, title, seed in zip(lines, titles, seeds, strict=True):
            description = f"{line.text or 'no text'}{options} · seed {seed}"
            described_lines.append(replace(line, written_text=title, description=description))
        return described_lines

    @contextmanager
    def _naming_errors(self, extras: Mapping[str, Any]) -> Iterator[None]:
        """Raise an error of a user's network as a UserError that names its file and `extras`."""
        try:
            yield
        except (UserError, OSError):
            raise
        except Exception as error:
            if not user_modules.is_any_from_user(self.model):
                raise  # A fault of the project is not the user's: its traceback is needed.
            values = ", ".join(f"{name} = {short(value)}" for name, value in extras.items())
            problem = f"its {type(self.model).__name__}, with {values or 'no extras'}, cannot write"
            raise UserError(f"{self.path}: {problem}: {described(error)}") from error

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

    def _parts(self, primer: Primer | None, text: str) -> list[str]:
        """Return the parts in which a text is written: one, unless it is longer than the network's
        `longest`. After the text of a primer comes a space."""
        has_primer_text = primer is not None and primer[1] != ""
        begins_with_letter = text != "" and not text[0].isspace()
        if has_primer_text and begins_with_letter and not self.model.alphabet.unknown(" "):
            text = f" {text}"
        longest = self.model.longest
        if longest is None or len(text) <= longest:
            return [text]
        return text_parts(text, longest)


@dataclass(repr=False)
class Reader(TrainedNetwork):
    """A trained network that reads."""

    model: Recogniser

    @property
    def alphabet(self) -> Alphabet:
        """The characters that the network reads."""
        return self.model.alphabet

    def read(self, ink: np.ndarray | Line, search: Search = GREEDY) -> str:
        """Return the text of a line of ink.

        Args:
            ink: `(points, 3)` in any unit, y downwards; or a line that a network wrote.
            search: how to find the text: greedy decoding or a beam search.
        """
        (text,) = self.read_lines([ink], search)
        return text

    def read_lines(
        self, inks: Sequence[np.ndarray | Line], search: Search = GREEDY, *, progress: bool = False
    ) -> list[str]:
        """Return the texts of lines of ink; see `read`."""
        arrays = [ink.written if isinstance(ink, Line) else ink for ink in inks]
        return read_each_way(self.model, arrays, {"": search}, progress=progress)[""]

    def read_words(
        self, inks: Sequence[np.ndarray], search: Search = GREEDY, *, progress: bool = False
    ) -> list[list[InkWord]]:
        """Return the words of lines of ink; see `read`.

        Raises:
            UserError: if the network sees pictures: it cannot tell where a word is.
        """
        if not isinstance(self.model, RecognitionNetwork):
            raise UserError(f"{self}: a network that sees the movement of the pen is needed")
        return read_words(self.model, inks, search, progress=progress)

    def proofread(
        self,
        inks: Sequence[np.ndarray],
        spellings: Sequence[Collection[str]] | None = None,
        alike: Sequence[str] = (),
        height: float | None = None,
        *,
        search: Search = GREEDY,
        progress: bool = False,
    ) -> list[tuple[str, float]]:
        """Return each line's text as read, and the doubt that the line says one of its `spellings`,
        or without spellings the text read; see `read_with_doubts`."""
        return read_with_doubts(
            self.model,
            inks,
            spellings,
            search=search,
            alike=alike,
            height=height,
            progress=progress,
        )


def load_writer(path: str | Path, device: str = "auto") -> Writer:
    """Load a network that writes texts; see `load`."""
    return checked_writer(load(path, device), of_texts=True)


def load_reader(path: str | Path, device: str = "auto") -> Reader:
    """Load a network that reads; see `load`."""
    return checked_reader(load(path, device))


def checked_writer(network: TrainedNetwork, *, of_texts: bool) -> Writer:
    """Return `network` if it writes and, with `of_texts`, needs a text; or raise a UserError."""
    if isinstance(network, Writer) and (network.model.needs_text or not of_texts):
        return network
    raise _error(network, "writes texts" if of_texts else "writes")


def checked_reader(network: TrainedNetwork) -> Reader:
    """Return `network` if it reads; or raise a UserError."""
    if isinstance(network, Reader):
        return network
    raise _error(network, "reads")


def _error(network: TrainedNetwork, task: str) -> UserError:
    kind = type(network.model).__name__
    return UserError(f"{network.path} contains a {kind}; a network that {task} is needed")


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
