"""The hands of a page, which its options and front matter name."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from apps.pages.hands import Hand, hand_of, usual_bias
from apps.pages.page_options import (
    OWN,
    SECOND,
    USUAL,
    HandSource,
    Look,
    PageOptions,
    PrimerFile,
    parse_style,
)
from apps.pages.pen_hand import PenHands
from apps.pages.proofreading import LOOKALIKES, TRY_SEED_STRIDE, spellings
from apps.pages.style_checks import check_lines, first_lines
from apps.pages.styles import network_of, usual_style_of
from ink.alphabet import Alphabet
from model.generation.hand_encoder import hand_extra
from model.generation.line import SEEDS, Primer, Sampling
from model.loading import Reader, Writer, default_proofreader, load_reader, load_writer, sampling_of
from utils.checks import UserError

NEW_HAND_TRIES = 24  # how often a line is written if a reader chooses one (assumed)


class Hands:
    """The hands of a page, each made when it is first needed.

    Args:
        writer: writes all hands; None for the network that each style names.
        options: the options of the page.
        device: the device of the networks that are loaded.
        progress: show progress bars.

    Attributes:
        name: the network that writes, for messages.
        sources: a sentence on each network and primer that was loaded.
    """

    name = "the network"

    def __init__(
        self, writer: Writer | None, options: PageOptions, device: str, progress: bool
    ) -> None:
        self._options = options
        self._device = device
        self._progress = progress
        self._seed = options.seed if options.hand_seed is None else options.hand_seed
        self._writes_all = writer is not None
        self._writers: dict[Path, Writer] = {}
        self._hands: dict[tuple[HandSource | None, float | None, float | None], Hand] = {}
        self.sources: list[str] = []
        if writer is None:
            page_style = None if options.style in (OWN, USUAL) else parse_style(options.style)
            style = options.primer.path if options.primer else page_style
            writer = self._load(network_of(style))
        self.writer = writer
        self._writers[writer.path] = writer
        sampling = sampling_of(writer, options.bias, options.pen_sharpness, extras=options.extras)
        self.sampling = replace(sampling, latent_seed=self._seed)

    @property
    def alphabet(self) -> Alphabet:
        """The characters that can be written."""
        return self.writer.model.alphabet

    @cached_property
    def reader(self) -> Reader | None:
        """The network that proofreads; None without proofreading."""
        if not self._options.proofread:
            return None
        reader = load_reader(self._options.reader or default_proofreader(self.writer), self._device)
        self.sources.append(str(reader))
        return reader

    @cached_property
    def second_reader(self) -> Reader | None:
        """The second network that proofreads; None if the options choose the reader."""
        if not self._options.proofread or self._options.reader:
            return None
        second_reader = load_reader(SECOND, self._device)
        self.sources.append(str(second_reader))
        return second_reader

    def of(self, look: Look) -> Hand:
        """Return the hand that writes lines with a look: the hand of its style, bias and slant.

        Hands of the same source share a primer; hands of the same source and bias also share a
        calibration.
        """
        source = self._source_of(look.style)
        key = (source, look.bias, look.slant)
        if key not in self._hands:
            by_bias = {}
            for (other_source, other_bias, _), other in self._hands.items():
                if other_source == source:
                    by_bias[other_bias] = other
            if look.bias in by_bias:
                hand = by_bias[look.bias]
            elif by_bias:
                hand = next(iter(by_bias.values()))
            else:
                hand = self._new(source, look.bias)
            bias = hand.usual_bias if look.bias is None else look.bias
            if bias != hand.sampling.bias:
                sampling = replace(hand.sampling, bias=bias)
                # None: the calibration is measured anew for this bias.
                hand = replace(hand, sampling=sampling, calibration=None)
            self._hands[key] = replace(hand, slant=look.slant)
        return self._hands[key]

    def _source_of(self, style_name: str | Path | None) -> HandSource | None:
        """Return the source of the hand for the style that a look names; None for a hand that the
        network invents."""
        # A primer is the own and the usual hand of its page; own without a primer: None.
        if style_name == OWN or (style_name == USUAL and self._options.primer):
            return self._options.primer
        if style_name == USUAL:
            return usual_style_of(self.writer.path)
        return parse_style(str(style_name))

    def _new(self, source: HandSource | None, bias: float | None) -> Hand:
        """Return a hand whose lines are written with a bias; None for its usual bias."""
        options = self._options
        reader = self.reader
        is_style = source is not None and not isinstance(source, PrimerFile)
        names_network = is_style and not self._writes_all
        path = network_of(source) if names_network else self.writer.path
        writer = self._writers.get(path) or self._load(path)
        if isinstance(source, Path) and reader and not options.reader:
            check_lines(source, reader)
        shared = {"bias": bias, "of_page": True, "progress": self._progress}
        if source is None:
            hand = own_hand(writer, self._seed, self.sampling, reader, **shared)
        else:
            shared["skip_unknown"] = options.skip_unknown
            hand = hand_of(writer, source, self.sampling, **shared)
            if hand.primer is None:  # of a mix: the network writes a line
                sampling = replace(hand.sampling, bias=self.sampling.bias)
                primer = new_hand_primer(writer, reader, self._seed, sampling)
                hand = replace(hand, primer=primer)
            else:
                self.sources.append(f"in the hand of {hand.description}")
        return replace(hand, reader=reader, second_reader=self.second_reader, tries=options.tries)

    def _load(self, path: Path) -> Writer:
        self._writers[path] = load_writer(path, self._device)
        self.sources.append(str(self._writers[path]))
        return self._writers[path]


def hands_of(
    writer: Writer | None, options: PageOptions, device: str, progress: bool
) -> Hands | PenHands:
    """Return the hands of a page: of networks, see `Hands`, or of the pen font of the options.

    Raises:
        UserError: if there are both a writer and a pen font, or a file cannot be used.
    """
    if options.pen_font is None:
        return Hands(writer, options, device, progress)
    if writer is not None:
        raise UserError(f"a pen font is written without a network: leave out {writer.path}")
    return PenHands(options)


def check_styles(names: Iterable[str | Path]) -> None:
    """Raise a UserError that names the file of a style whose first line has no text."""
    for name in dict.fromkeys(map(str, names)):
        if name not in (OWN, USUAL):
            first_lines(parse_style(name))


def own_hand(
    writer: Writer,
    seed: int,
    sampling: Sampling = Sampling(),
    reader: Reader | None = None,
    *,
    bias: float | None = None,
    of_page: bool = False,
    progress: bool = False,
) -> Hand:
    """Return a hand that the network invents by a seed.

    A writer that takes a hand vector is conditioned on the vector that the seed draws. Any other
    writer continues a line of `new_hand_primer`. The arguments that are not here are as in
    `hand_of`.

    Args:
        writer: takes a text.
        seed: each seed stands for another hand.
        reader: chooses the line of the hand, as the proofreader of a page does.
    """
    sampling = replace(sampling, latent_seed=seed)
    primer = None
    usual = sampling.bias
    if writer.takes_hand:
        drawn = {"hand": hand_extra(writer.model.hand_encoder.draw(seed))}
        sampling = replace(sampling, extras=drawn | dict(sampling.extras))
        usual = usual_bias([new_hand_primer(writer, None, seed, sampling)], sampling)
    if of_page or not writer.takes_hand:
        primer = new_hand_primer(writer, reader, seed, sampling)
    sampling = replace(sampling, bias=usual if bias is None else bias)
    return Hand(writer, primer, sampling=sampling, usual_bias=usual, progress=progress)


def new_hand_primer(writer: Writer, reader: Reader | None, seed: int, sampling: Sampling) -> Primer:
    """Write a line in a hand that the network invents; return the line and its text as a primer.

    The reader, if there is one, chooses among several lines. These are written without a bias,
    because with a bias hands are alike (measured, notebook: pages, hands of a network's own).
    """
    sampling = replace(sampling, bias=0.0 if reader else sampling.bias, max_steps=None)
    text = writer.reference_text
    tries = range(NEW_HAND_TRIES if reader else 1)
    seeds = [(seed + number * TRY_SEED_STRIDE) % SEEDS for number in tries]
    lines = writer.write_lines([text] * len(seeds), seeds, sampling)
    doubts = [0.0] * len(lines)
    if reader:
        inks = [line.written for line in lines]
        texts = [spellings(text)] * len(lines)
        doubts = [doubt for _, doubt in reader.proofread(inks, texts, LOOKALIKES)]
    best = min(tries, key=lambda number: (not lines[number].ended, doubts[number]))
    return lines[best].ink, text
