"""The hands of a page, which its options and front matter name."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from handwriting.hands import TRY_SEED_STRIDE, Hand
from handwriting.page_options import OWN, SECOND, USUAL, Look, PageOptions, PrimerFile, style
from handwriting.primers import in_hand_of, load_primer
from handwriting.proofreading import ALIKE, spellings
from handwriting.styles import network_of, style_of
from model.generation.hand_encoder import hand_extra
from model.generation.sampling_options import Primer, Sampling
from model.generation.writing import SEEDS
from model.loading import load_reader, load_writer
from model.reader import Reader
from model.writer import Writer, default_proofreader, sampling_of
from utils.checks import UserError

OWN_TEXT = "It was a quiet evening by the sea"
"""The text that a network writes as the sample of a hand of its own."""
OWN_TRIES = 24  # how often a network writes `OWN_TEXT` at most (assumed)


class Hands:
    """The hands of a page, each made when it is first asked for.

    Args:
        writer: writes all of them; None for the network that each style names.
        options: of the page.
        device: of the networks that are loaded.
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
        self._primers: dict[str | Path | None, Primer] = {}
        self._hands: dict[tuple[str | Path | None, float, float | None], Hand] = {}
        self.remarks: list[str] = []
        if writer is None:
            chosen = None if options.style in (OWN, USUAL) else style(options.style)
            writer = self._load(network_of(options.primer.path if options.primer else chosen))
        self.writer = self._writers[writer.path] = writer
        usual = sampling_of(writer, options.bias, options.pen_sharpness)
        self.sampling = replace(usual, extras=options.extras, latent_seed=options.seed)

    @cached_property
    def reader(self) -> Reader | None:
        """The network that proofreads, if one does."""
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
        second = load_reader(SECOND, self._device)
        self.remarks.append(str(second))
        return second

    def of(self, look: Look) -> Hand:
        """Return the hand of a line, with one primer for all biases of a style."""
        file, options, reader = self._file_of(look.style), self._options, self.reader
        bias = self.sampling.bias if look.bias is None else look.bias
        path = network_of(file) if file and not self._writes_all else self.writer.path
        writer = self._writers.get(path) or self._load(path)
        if file not in self._primers:
            self._primers[file] = self._primer(file, writer)
        alike = [hand for key, hand in self._hands.items() if key[:2] == (file, bias)]
        if (key := (file, bias, look.slant)) not in self._hands and alike:
            self._hands[key] = replace(alike[0], slant=look.slant)  # the same calibration
        elif key not in self._hands:
            self._hands[key] = Hand(
                writer,
                self._primers[file],
                reader,
                replace(self._sampling_of(file, writer), bias=bias),
                options.tries,
                look.slant,
                self._progress,
                self.second_reader,
            )
        return self._hands[key]

    def _sampling_of(self, file: str | Path | None, writer: Writer) -> Sampling:
        """Return how a writer draws points in the hand of a style, or in a hand of its own. A
        writer that is told no hand, or goes on from a primer, draws points as usual."""
        if file is None and writer.is_told and not self._options.primer:
            drawn = {"hand": hand_extra(writer.model.hand_encoder.draw(self._options.seed))}
            return replace(self.sampling, extras=drawn | dict(self.sampling.extras))
        return in_hand_of(self.sampling, file, writer)

    def _file_of(self, name: str | Path | None) -> str | Path | None:
        """Return a style's file, or a mix of styles as a text; None for the page's primer, or a
        hand of the network's own."""
        if name == OWN or (name == USUAL and self._options.primer):
            return None
        return style_of(self.writer.path) if name == USUAL else style(str(name))

    def _primer(self, file: str | Path | None, writer: Writer) -> Primer:
        primer_file = PrimerFile(file) if isinstance(file, Path) else self._options.primer
        if isinstance(file, str) and not writer.is_told:
            raise UserError(
                f"{writer.path} cannot be told a hand, so it mixes no styles: name one style"
            )
        if primer_file is None or isinstance(file, str):
            return own_hand(
                writer, self.reader, self._options.seed, self._sampling_of(file, writer)
            )
        primer, described = load_primer(primer_file, writer, self._options.skip_unknown)
        self.remarks.append(f"in the hand of {described}")
        return primer

    def _load(self, path: Path) -> Writer:
        self._writers[path] = load_writer(path, self._device)
        self.remarks.append(str(self._writers[path]))
        return self._writers[path]


def own_hand(writer: Writer, reader: Reader | None, seed: int, sampling: Sampling) -> Primer:
    """Return a line of a hand of the network's own, and its text: the primer of a `Hand`.

    A reader chooses among several lines, written without a bias: with a bias hands are alike
    (measured, lab notebook: hands of a network's own).
    """
    sampling = replace(sampling, bias=0.0) if reader else sampling
    alphabet = writer.model.alphabet
    text = "".join(letter for letter in OWN_TEXT if letter in alphabet)
    if not text.strip():
        text = "".join(alphabet.characters).strip()[: len(OWN_TEXT)]
    tries = range(OWN_TRIES if reader else 1)
    seeds = [(seed + number * TRY_SEED_STRIDE) % SEEDS for number in tries]
    lines = writer.write_lines([text] * len(seeds), seeds, sampling)
    doubts = [0.0] * len(lines)
    if reader:
        inks, texts = [line.written for line in lines], [spellings(text)] * len(lines)
        doubts = [doubt for _, doubt in reader.proofread(inks, texts, ALIKE)]
    best = min(tries, key=lambda number: (not lines[number].ended, doubts[number]))
    return lines[best].ink, text
