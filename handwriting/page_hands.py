"""The hands of a page, which its options and front matter name."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from handwriting.hands import TRY_SEED_STRIDE, Hand
from handwriting.page_options import OWN, SECOND, USUAL, Look, PageOptions, PrimerFile, style
from handwriting.primers import check_lines, check_text, in_hand_of, load_primer
from handwriting.proofreading import LOOKALIKES, spellings
from handwriting.styles import network_of, usual_style_of
from model.generation.hand_encoder import hand_extra
from model.generation.line import Primer, Sampling
from model.generation.writing import SEEDS
from model.loading import load_reader, load_writer
from model.reader import Reader
from model.writer import Writer, default_proofreader, sampling_of
from utils.checks import UserError

NEW_HAND_TRIES = 24  # how often a line is written if a reader chooses one (assumed)

HandSource = Path | str | None
"""What a hand comes from: the file of a style; a mix of styles, as a text; or None, which stands
for the primer of the page's options, and without a primer for a hand of the network's own."""


class Hands:
    """The hands of a page, each made when it is first needed.

    Args:
        writer: writes all hands; None for the network that each style names.
        options: the options of the page.
        device: the device of the networks that are loaded.
        progress: show progress bars.

    Attributes:
        remarks: sentences on the networks and primers that were loaded.
    """

    def __init__(
        self, writer: Writer | None, options: PageOptions, device: str, progress: bool
    ) -> None:
        self._options, self._device, self._progress = options, device, progress
        self._writes_all = writer is not None
        self._writers: dict[Path, Writer] = {}
        self._primers: dict[HandSource, Primer] = {}
        self._hands: dict[tuple[HandSource, float, float | None], Hand] = {}
        self.remarks: list[str] = []
        if writer is None:
            page_style = None if options.style in (OWN, USUAL) else style(options.style)
            writer = self._load(network_of(options.primer.path if options.primer else page_style))
        self.writer = self._writers[writer.path] = writer
        bias, sharpness, extras = options.bias, options.pen_sharpness, options.extras
        sampling = sampling_of(writer, bias, sharpness, extras=extras)
        self.sampling = replace(sampling, latent_seed=options.seed)

    @cached_property
    def reader(self) -> Reader | None:
        """The network that proofreads; None without proofreading."""
        if not self._options.proofread:
            return None
        reader = load_reader(self._options.reader or default_proofreader(self.writer), self._device)
        self.remarks.append(str(reader))
        return reader

    @cached_property
    def second_reader(self) -> Reader | None:
        """The second network that proofreads; None if the options choose the reader."""
        if not self._options.proofread or self._options.reader:
            return None
        second_reader = load_reader(SECOND, self._device)
        self.remarks.append(str(second_reader))
        return second_reader

    def of(self, look: Look) -> Hand:
        """Return the hand of lines with a look. Hands of the same source share a primer; hands of
        the same source and bias also share a calibration."""
        source, options, reader = self._source_of(look.style), self._options, self.reader
        bias = self.sampling.bias if look.bias is None else look.bias
        path = network_of(source) if source and not self._writes_all else self.writer.path
        writer = self._writers.get(path) or self._load(path)
        if source not in self._primers:
            self._primers[source] = self._primer_of(source, writer)
        key = (source, bias, look.slant)
        same_bias = [hand for other, hand in self._hands.items() if other[:2] == key[:2]]
        if key not in self._hands and same_bias:
            self._hands[key] = replace(same_bias[0], slant=look.slant)
        elif key not in self._hands:
            self._hands[key] = Hand(
                writer,
                self._primers[source],
                reader,
                replace(self._sampling_of(source, writer), bias=bias),
                options.tries,
                look.slant,
                self._progress,
                self.second_reader,
            )
        return self._hands[key]

    def _source_of(self, style_name: str | Path | None) -> HandSource:
        """Return the source of the hand for the style that a look names."""
        if style_name == OWN or (style_name == USUAL and self._options.primer):
            return None
        return usual_style_of(self.writer.path) if style_name == USUAL else style(str(style_name))

    def _sampling_of(self, source: HandSource, writer: Writer) -> Sampling:
        """Return how a writer draws points in a hand: with the descriptor of a style, or of a hand
        of its own; without one if the writer is told no hand, or continues the page's primer."""
        if source is None and writer.is_told and not self._options.primer:
            own_extra = {"hand": hand_extra(writer.model.hand_encoder.draw(self._options.seed))}
            return replace(self.sampling, extras=own_extra | dict(self.sampling.extras))
        return in_hand_of(self.sampling, source, writer)

    def _primer_of(self, source: HandSource, writer: Writer) -> Primer:
        """Return the primer of a hand; for a mix of styles, the network writes the primer."""
        primer_file = PrimerFile(source) if isinstance(source, Path) else self._options.primer
        if isinstance(source, str) and not writer.is_told:
            raise UserError(
                f"{writer.path} cannot be told a hand, so it mixes no styles: name one style"
            )
        sampling = self._sampling_of(source, writer)
        if primer_file is None or isinstance(source, str):
            return new_hand_primer(writer, self.reader, self._options.seed, sampling)
        skip_unknown, is_style = self._options.skip_unknown, source is not None
        if is_style and self.reader and not self._options.reader:
            check_lines(source, self.reader)
        primer, description = load_primer(
            primer_file, writer, skip_unknown, sampling, is_style=is_style
        )
        self.remarks.append(f"in the hand of {description}")
        return primer

    def _load(self, path: Path) -> Writer:
        self._writers[path] = load_writer(path, self._device)
        self.remarks.append(str(self._writers[path]))
        return self._writers[path]


def check_styles(names: Iterable[str | Path]) -> None:
    """Raise a UserError that names the file of a style whose first line has no text."""
    for name in dict.fromkeys(map(str, names)):
        if name not in (OWN, USUAL):
            check_text(style(name))


def new_hand_primer(writer: Writer, reader: Reader | None, seed: int, sampling: Sampling) -> Primer:
    """Return a line in a hand of the network's own, and its text, as the primer of a `Hand`.

    The reader, if there is one, chooses among several lines. These are written without a bias,
    because with a bias hands are alike (measured, lab notebook: hands of a network's own).
    """
    sampling = replace(sampling, bias=0.0) if reader else sampling
    text = writer.reference_text
    tries = range(NEW_HAND_TRIES if reader else 1)
    seeds = [(seed + number * TRY_SEED_STRIDE) % SEEDS for number in tries]
    lines = writer.write_lines([text] * len(seeds), seeds, sampling)
    doubts = [0.0] * len(lines)
    if reader:
        inks, texts = [line.written for line in lines], [spellings(text)] * len(lines)
        doubts = [doubt for _, doubt in reader.proofread(inks, texts, LOOKALIKES)]
    best = min(tries, key=lambda number: (not lines[number].ended, doubts[number]))
    return lines[best].ink, text
