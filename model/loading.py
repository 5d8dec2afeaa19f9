"""Loading a trained network for use: from its architecture, alphabet, normalisation and weights.

The record of its training is not used here, so that a network writes and reads where the classes
that trained it do not exist. Only its own class must.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import model
from base import extension
from base.base_model import BaseModel
from base.checkpoint import (
    HAND_FILE,
    check_weights,
    find_checkpoint,
    load_weights,
    stored_alphabet,
    stored_normalisation,
)
from base.device import resolve_device
from model.calibration import Calibration, calibrated, scaled
from model.generation.line import Line
from model.generation.mixture import PEN_SHARPNESS
from model.generation.networks import MixtureNetwork, Output
from model.generation.sampling import predict, sample
from model.generation.writing import check_lengths, write
from model.recognition.encoder import GREEDY, RecognitionNetwork, Search
from model.recognition.transcribing import read_lines, read_with_doubts
from utils.alphabet import PANGRAM, Alphabet, nfc
from utils.binding import Binder, arguments_of, by_name, shown
from utils.checks import CheckpointError, ConfigFault, UserError
from utils.files import PLAIN_NAME
from utils.normalisation import Normalisation

log = logging.getLogger(__name__)

BIAS = 0.5
"""Default bias of the mixture."""

OWN_LINES, OWN_STEPS = 8, 300
"""Lines that a network writes for comparison with a primer, and their steps (measured, lab
notebook: constants)."""


@dataclass(repr=False)
class TrainedNetwork:
    """A network of a checkpoint, ready for use.

    Attributes:
        model: the network, in evaluation mode, on its device.
        path: its file.
        device: its device.
        record: the file's other contents, such as `config` and `metrics`, without the state of
            the training.
    """

    model: BaseModel
    path: Path
    device: torch.device
    record: dict[str, Any]

    def __repr__(self) -> str:
        kind = type(self.model).__name__
        return f"{type(self).__name__}({kind} of {self.path} on {self.device})"

    @property
    def name(self) -> str:
        """The name of its experiment, used to name files."""
        name = self.record["config"].get("name")
        return name if isinstance(name, str) and PLAIN_NAME.fullmatch(name) else self.path.stem


@dataclass(repr=False)
class Writer(TrainedNetwork):
    """A trained network that writes."""

    model: MixtureNetwork
    _calibrations: dict[tuple[Any, ...], Calibration] = field(default_factory=dict, init=False)

    def write(
        self,
        text: str | None = None,
        *,
        bias: float = BIAS,
        seed: int = 0,
        pen_sharpness: float = PEN_SHARPNESS,
        stretch: tuple[float, float] | None = None,
        max_steps: int | None = None,
        primer: tuple[np.ndarray, str] | None = None,
    ) -> Line:
        """Write one line, as `write_lines` does several: the same seed gives the same line."""
        texts = None if text is None else [text]
        options = {"pen_sharpness": pen_sharpness, "stretch": stretch, "primer": primer}
        (line,) = self.write_lines(texts, [seed], bias=bias, max_steps=max_steps, **options)
        return line

    def write_lines(
        self,
        texts: Sequence[str] | None,
        seeds: Sequence[int],
        *,
        bias: float = BIAS,
        pen_sharpness: float = PEN_SHARPNESS,
        stretch: tuple[float, float] | None = None,
        max_steps: int | None = None,
        primer: tuple[np.ndarray, str] | None = None,
        progress: bool = False,
    ) -> list[Line]:
        """Write lines, many at a time.

        Args:
            texts: what to write, one for each seed; None for a network without a text.
            seeds: one for each line.
            bias: 0 writes as varied as the training data, 1 and more very legibly (paper, 5.4).
            pen_sharpness: how much the bias also sharpens when the pen is lifted.
            stretch: factors of the expected offsets in x and y; None for the usual ones, and with a
                primer for those with which lines become as large as it (`calibration`), as which
                they are then made.
            max_steps: limit on the points of a line; None for enough.
            primer: ink `(points, 3)` in the units of the training data, whose hand is continued,
                and its text.
            progress: show a progress bar.

        Raises:
            UserError: if a text is missing or too long, or has characters unknown to the network.
            DataError: if the primer is no ink.
        """
        if texts is None and self.model.needs_text:
            raise UserError(f"{self.path}: its network needs a text")
        if texts is not None and not self.model.needs_text:
            raise UserError(f"{self.path}: its network takes no text")
        if texts is not None:  # Nobody writes blanks around a text, or two between words.
            texts = [re.sub(" +", " ", nfc(text).strip(" ")) for text in texts]
        if primer is not None:
            primer = primer[0], primer[1].rstrip()  # the space comes with what follows
        check_lengths(texts or (), primer)
        told = self.model.needs_text and primer is not None and primer[1]
        rest = (1.0, 1.0)
        if stretch is None and told and bias > 0:
            stretch, rest = self.calibration(primer, bias, pen_sharpness)
        lines = write(
            self.model,
            None if texts is None else [self._after(primer, text) for text in texts],
            seeds,
            bias=bias,
            pen_sharpness=pen_sharpness,
            stretch=stretch,
            max_steps=max_steps,
            primer=primer,
            progress=progress,
        )
        sharpened = self.sharpening(bias, pen_sharpness)
        return [
            replace(
                line,
                ink=scaled(line.ink, line.primed, rest),
                title="" if texts is None else texts[number],
                description=f"{line.text or 'no text'}{sharpened} · seed {seeds[number]}",
            )
            for number, line in enumerate(lines)
        ]

    def calibration(
        self,
        primer: tuple[np.ndarray, str],
        bias: float = BIAS,
        pen_sharpness: float = PEN_SHARPNESS,
    ) -> Calibration:
        """Return how the hand of a primer is continued as large as it is; measured once."""
        key = np.asarray(primer[0]).tobytes(), primer[1], bias, pen_sharpness
        if key not in self._calibrations:
            self._calibrations[key] = calibrated(self, primer, bias, pen_sharpness)
        return self._calibrations[key]

    def predict(self, line: Line) -> Output:
        """Return what the network says at each step of a line, see `sampling.predict`."""
        return predict(self.model, line)

    def sharpening(self, bias: float = BIAS, pen_sharpness: float = PEN_SHARPNESS) -> str:
        """Return the bias as part of a line's description; "" if the network has none."""
        if self.model.head == "regression":
            return ""
        pen = "" if pen_sharpness == PEN_SHARPNESS else f" · pen sharpness {pen_sharpness:g}"
        return f" · bias {bias:g}{pen}"

    def own_hand(self) -> list[np.ndarray]:
        """Return lines that the network writes without a primer or bias, to compare with a primer.

        Raises:
            UserError: if they are all empty, or not like its data because it has no mixture.
        """
        texts = None
        if self.model.needs_text:
            text = "".join(c for c in PANGRAM if c in self.model.alphabet).strip()
            texts = [text or "".join(self.model.alphabet.characters)[:30]] * OWN_LINES
        lines = sample(self.model, range(OWN_LINES), texts, bias=0.0, max_steps=OWN_STEPS)
        inks = [line.ink for line in lines if len(line.ink) > 1]
        if not inks or self.model.head == "regression":
            raise UserError(
                "the network writes no lines that a primer could be compared with: give the "
                "factor for its units with --primer-scale"
            )
        return inks

    def _after(self, primer: tuple[np.ndarray, str] | None, text: str) -> str:
        """Return a text with a space before it where it would run into the primer's last word."""
        apart = not (primer and primer[1] and text) or text[0].isspace()
        return text if apart or self.model.alphabet.unknown(" ") else f" {text}"


class Reader(TrainedNetwork):
    """A trained network that reads."""

    model: RecognitionNetwork

    def read(self, ink: np.ndarray | Line, search: Search = GREEDY) -> str:
        """Return the text of a line of ink.

        Args:
            ink: `(points, 3)` in any unit, y downwards; or a line that a network wrote.
            search: how to find the text: greedy decoding or a beam search.
        """
        (text,) = self.read_lines([ink], search)
        return text

    def read_lines(
        self,
        inks: Sequence[np.ndarray | Line],
        search: Search = GREEDY,
        *,
        progress: bool = False,
    ) -> list[str]:
        """Return the texts of lines of ink; see `read`."""
        arrays = [ink.written if isinstance(ink, Line) else ink for ink in inks]
        return read_lines(self.model, arrays, search, progress=progress)

    def proofread(
        self, lines: Sequence[Line], texts: Sequence[str], *, progress: bool = False
    ) -> list[tuple[str, float]]:
        """Return what is read of lines, and the doubt that they say `texts`; see
        `read_with_doubts`."""
        inks = [line.written for line in lines]
        return read_with_doubts(self.model, inks, texts, progress=progress)


def load(path: str | Path, device: str = "auto") -> TrainedNetwork:
    """Make the network of a checkpoint ready for use; nothing but the file is needed.

    Args:
        path: the file; the folder of a run for its newest complete checkpoint, or, if it learned a
            hand, for what it made of that; or the name of a pretrained network, such as
            "conditional".
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Returns:
        a `Writer`, a `Reader`, or, for a network of another kind, a `TrainedNetwork`.

    Raises:
        UserError: if there is no such device or checkpoint, or the checkpoint is not valid.
    """
    place = resolve_device(device)
    if (hand := Path(path) / HAND_FILE).exists():
        path = hand
    path, checkpoint, skipped = find_checkpoint(path)
    for cause in skipped:
        log.warning("skipped %s", cause)
    modules = checkpoint.get("modules", {})
    arch = checkpoint["config"].get("arch")
    cls = network_class(arch, path, modules)
    if faults := list(_BINDER.check(BaseModel, arch, "arch")):
        raise CheckpointError(f"{path}: {faults[0]}")
    normalisation = stored_normalisation(checkpoint, path)
    alphabet = stored_alphabet(checkpoint, path) if cls.needs_text else None
    weights = checkpoint["state_dict"]
    try:
        network = build_network(cls, arch.get("args", {}), normalisation, alphabet, weights, path)
    except ConfigFault as fault:
        raise CheckpointError(f"{path}: {fault}") from None
    load_weights(network, weights, path)
    kinds = {MixtureNetwork: Writer, RecognitionNetwork: Reader}
    kind = next((kinds[base] for base in kinds if isinstance(network, base)), TrainedNetwork)
    heavy = ("state_dict", "training")
    record = {name: value for name, value in checkpoint.items() if name not in heavy}
    return kind(network.to(place).eval(), path, place, record)


def networks() -> dict[str, type[BaseModel]]:
    """Return by name the classes of networks: the project's and those of the user's modules."""
    offered = [getattr(model, name) for name in model.__all__]
    return by_name(offered + extension.classes(), BaseModel)


def network_class(
    arch: Any, source: str | Path, modules: Mapping[str, str] | None = None
) -> type[BaseModel]:
    """Return the class of the network that an `arch` block describes.

    Args:
        arch: the block.
        source: the file that it is from, for the error.
        modules: the user's own modules that the file was made with.

    Raises:
        CheckpointError: if there is no such class.
    """
    kind, known = arch.get("type") if isinstance(arch, dict) else None, networks()
    if not isinstance(kind, str) or kind not in known:
        lacking = extension.missing(dict(modules or {}))
        why = lacking or f"there are {', '.join(known)}"
        raise CheckpointError(f"{source}: its network is of the class {shown(kind)}; {why}")
    return known[kind]


class _NetworkBinder(Binder):
    """Binds an `arch` block to the classes of networks."""

    def choices(self, base: Any) -> dict[str, type] | None:
        return networks() if base is BaseModel else None


_BINDER = _NetworkBinder()


def build_network(
    cls: type[BaseModel],
    args: Mapping[str, Any],
    normalisation: Normalisation,
    alphabet: Alphabet | None,
    weights: Mapping[str, Any] | None = None,
    source: str | Path = "",
) -> BaseModel:
    """Build a network.

    Args:
        cls: its class.
        args: of an `arch` block, which have no fault.
        normalisation: of its data.
        alphabet: of its texts, which it gets only if it needs them.
        weights: those to be loaded into it, if any.
        source: their file, for the error.

    Raises:
        CheckpointError: if the weights do not fit, which is checked before any memory is
            allocated: a few bytes of config can describe gigabytes.
        ConfigFault: if the constructor refuses an argument.
    """
    supplied = [normalisation, *([alphabet] if cls.needs_text else [])]
    if weights is not None:
        with torch.device("meta"):
            check_weights(_BINDER.construct(cls, args, "arch", *supplied), weights, source)
    return _BINDER.construct(cls, args, "arch", *supplied)


@contextmanager
def naming_incompatibilities(
    arch: Any,
    other: Mapping[str, Any],
    normalisation: Normalisation,
    alphabet: Alphabet | None,
    source: str | Path,
) -> Iterator[None]:
    """Name the differing arguments, instead of the weights' shapes, where weights are refused.

    Args:
        arch: the block of the network in the file.
        other: that of the config.
        normalisation, alphabet: of the config's network.
        source: the file.
    """
    try:
        yield
    except CheckpointError:
        if not (differing := differing_arguments(arch, other, normalisation, alphabet)):
            raise
        raise CheckpointError(
            f"{source}: does not fit the config: {'; '.join(differing)}"
        ) from None


def differing_arguments(
    arch: Any,
    other: Mapping[str, Any],
    normalisation: Normalisation,
    alphabet: Alphabet | None,
) -> list[str]:
    """Return the arguments that make the weights of two networks of a class differ in shape.

    Args:
        arch, other, normalisation, alphabet: as `naming_incompatibilities` has them.

    Returns:
        such as "hidden_size is 400 in the file, 224 in the config".
    """
    if not isinstance(arch, Mapping) or not isinstance(arch.get("args", {}), Mapping):
        return []
    if arch.get("type") != other["type"]:
        return [f"the network is a {arch.get('type')} in the file, a {other['type']} in the config"]
    cls = networks()[other["type"]]
    defaults = arguments_of(cls).defaults
    before, now = (defaults | block.get("args", {}) for block in (arch, other))

    def shapes(args: Mapping[str, Any]) -> dict[str, torch.Size] | None:
        try:
            with torch.device("meta"):
                network = build_network(cls, args, normalisation, alphabet)
        except ConfigFault:
            return None
        return {name: value.shape for name, value in network.state_dict().items()}

    own = shapes(other.get("args", {}))
    return [
        f"{name} is {shown(before.get(name))} in the file, {shown(now.get(name))} in the config"
        for name in dict.fromkeys([*now, *before])
        if before.get(name) != now.get(name)
        and shapes({**other.get("args", {}), name: before.get(name)}) != own
    ]
