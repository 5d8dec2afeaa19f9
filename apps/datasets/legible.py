"""Writes legible lines in many hands, as further training data for the writer that wrote them.

The lines consist of words of a page: repaired, with drawn letters and marks. Only words that both
readers of a page accept are kept (rejection sampling, as in Gulcehre et al. 2023, "Reinforced
self-training for language modeling"). A writer that takes a hand is conditioned on its own hands,
on those of styles and of recorded people; any other writer continues recorded lines.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from apps.datasets.inner_datasets import dataset_within
from apps.datasets.line_hands import NamedHand, named_hands, recorded_hands
from apps.datasets.line_ink import as_by_pen, least_joined_left_out
from apps.datasets.line_texts import MAX_LENGTH, new_texts
from apps.pages.drawn_signs import DRAWN
from apps.pages.hands import Hand
from apps.pages.marks import without_marks
from apps.pages.page_options import SECOND
from apps.pages.proofreading import LOOKALIKES, CheckedWord, line_ink, spellings, write_words
from commands.shared import network_options, options
from commands.shared.scripts import main
from data_loader import ToldHandsDataset
from data_loader.sources.cache import CacheKey, columns_in
from data_loader.synthetic.texts.corpus import running_text
from data_loader.synthetic.texts.templates import Draws
from ink.resampling import mean_step
from ink.sample import Parsed, Sample
from model import Reader
from model.generation.line import SEEDS, Sampling
from model.loading import Writer, default_proofreader
from parse_config import plan_from_file
from utils.checks import UserError
from utils.files import digest_of_file

TRIES = 2  # of a word (assumed: a word that fails twice takes more time than another word)
MAX_DOUBT = 0.6  # nats of doubt of both readers up to which a word is kept (assumed)
MAX_DOUBT_OF_LETTERS = 0.1
"""The same of a word with a letter that pages draw, and that the network wrote itself (assumed)."""
MAX_LINE_DOUBT = 3.0
"""Nats of a reader's doubt of a whole line with what was drawn, up to which the line is kept (by
eye: a drawn letter that covers another is read wrong)."""
LONG_WORD = 8  # characters from which on a longer word may be doubted more (assumed)
MARK_DOUBT = 2.0  # nats more for each letter with a mark: readers forget marks (assumed)
SHORTEST = 12
"""Characters, drawn between this number and `MAX_LENGTH`, from which on no text is added to a line
(assumed)."""
DRAWN_FRACTION = 0.75
"""Fraction of the texts with letters that pages draw; in the others the network writes all letters
itself, and those that readers hardly doubt are kept, so that letters vary (assumed)."""
JOINED_FACTOR = 3
"""How many times as many texts are written in a hand that joins its letters (measured: half as many
words stay as of another hand, and where joined lines were fewer than others, the network joined
less)."""
DOTS_AND_BARS = "ijt"  # letters with a second stroke in most hands
NUM_MEASURED = 24  # lines of a hand that are measured as the network writes them (assumed)
MAX_EXCESS = -0.06
"""Strokes per letter of the kept words of a hand that joins beyond its own, dots and bars apart
(measured, notebook: writer, its own best words: a network joins less than what it learns from)."""


@dataclass(frozen=True)
class LineMaker:
    """Writes the lines of one hand after another.

    Attributes:
        writer: takes a text.
        reader, second_reader: proofread the words.
        sampling: how points are drawn.
        lines: number of texts in each hand, see also `JOINED_FACTOR`.
        signs, rare: fractions of the texts, see `new_texts`.
        seed: seed of texts and lines.
    """

    writer: Writer
    reader: Reader
    second_reader: Reader
    sampling: Sampling
    lines: int
    signs: float
    rare: float
    seed: int

    def samples(self, numbered: tuple[int, NamedHand]) -> Iterator[Parsed]:
        """Yield the lines of a hand, given with its number."""
        number, named = numbered
        generator = np.random.default_rng([self.seed, number])
        hand = named.written_by(self.writer, self.sampling, number)
        readers = {"reader": self.reader, "second_reader": self.second_reader}
        hand = replace(hand, tries=TRIES, **readers)
        hand, usual_breaks = measured(hand, generator)
        texts = new_texts(
            Draws(generator), [self.writer.model.alphabet], self.signs, rare=self.rare
        )
        first = (self.seed + number * JOINED_FACTOR * self.lines) % SEEDS
        num_texts = self.lines * (JOINED_FACTOR if hand.shape.joined else 1)
        num_drawn = round(DRAWN_FRACTION * num_texts)
        written: list[CheckedWord] = []
        for draws_letters, count in ((True, num_drawn), (False, num_texts - num_drawn)):
            each = replace(hand, draws_letters=draws_letters)
            written += clear_words(each, [*islice(texts, count)], first)
            first += count
        if hand.shape.joined:
            stay = least_joined_left_out([*map(breaks, written)], usual_breaks + MAX_EXCESS)
            written = [word for word, stays in zip(written, stay, strict=True) if stays]
        lines = lines_of(written, hand.mean_step, generator)
        parsed = Parsed()
        for place, (ink, text) in enumerate(self._kept([*lines], hand.shape.x_height)):
            name = f"{named.name}-{place:03}"
            parsed.samples.append(Sample(ink, text, name, group=named.name, extras=named.extras))
        yield parsed

    def _kept(
        self, lines: Sequence["WordLine"], x_height: float
    ) -> Iterator[tuple[np.ndarray, str]]:
        """Yield the ink, in the hand's units, and the text of the lines that the reader reads."""
        texts = [[*spellings(line.text), *spellings(without_marks(line.text))] for line in lines]
        readings = self.reader.proofread([line.ink for line in lines], texts, LOOKALIKES)
        scale = np.float32([x_height, x_height, 1])
        for line, (_, doubt) in zip(lines, readings, strict=True):
            num_marked = sum(not letter.isascii() for letter in line.text)
            if doubt <= MAX_LINE_DOUBT + MARK_DOUBT * num_marked:
                yield line.ink * scale, line.text


@dataclass(frozen=True)
class WordLine:
    """A line of words of a page, as a network learns it."""

    words: Sequence[CheckedWord]
    step: float
    """The pen's usual step, in x-heights."""
    generator: np.random.Generator

    @property
    def text(self) -> str:
        return text_of(self.words)

    @cached_property
    def ink(self) -> np.ndarray:
        """The ink in x-heights, `(points, 3)`."""
        made = [
            replace(
                word, words=tuple(as_by_pen(part, self.step, self.generator) for part in word.words)
            )
            for word in self.words
        ]
        return line_ink(made)


def measured(hand: Hand, generator: np.random.Generator) -> tuple[Hand, float]:
    """Return a hand in which marks and signs are drawn at the pen's speed, and the `breaks_of`
    lines of small letters, as the network writes them."""
    draws = Draws(generator)
    texts = []
    for _ in range(NUM_MEASURED):
        text = running_text(draws, split=0, low=20, high=40, symbols=0.0).lower()
        texts.append("".join(c for c in text if c.isalpha() or c == " "))
    lines = hand.write_texts(texts, range(NUM_MEASURED))
    ended = [line for line in lines if line.ended]
    inks = [line.written for line in ended]
    step = float(np.median([*map(mean_step, inks)])) / hand.shape.x_height
    num_strokes = sum(int(ink[:, 2].sum()) for ink in inks)
    text = "".join(line.written_text for line in ended)
    return replace(hand, mean_step=step), breaks_of(num_strokes, text.replace(" ", ""))


def breaks_of(num_strokes: int, text: str) -> float:
    """Return the strokes per letter of a text of small letters, without those of `DOTS_AND_BARS`:
    texts differ in how many they have, and not in how the hand joins letters. NaN without text."""
    letters = num_strokes - sum(letter in DOTS_AND_BARS for letter in text)
    return letters / len(text) if text else np.nan


def breaks(word: CheckedWord) -> float:
    """Return the `breaks_of` a word of small ASCII letters; NaN for another one."""
    is_plain = word.text.isascii() and word.text.islower() and word.text.isalpha()
    return breaks_of(sum(len(part.strokes) for part in word.words), word.text * is_plain)


def clear_words(hand: Hand, texts: Sequence[str], seed: int) -> Iterator[CheckedWord]:
    """Write texts in a hand, and yield their words that `is_clear` accepts."""
    for words in write_words(hand, texts, range(seed, seed + len(texts))):
        yield from (word for word in words if is_clear(word, hand.draws_letters))


def lines_of(
    words: Iterable[CheckedWord], step: float, generator: np.random.Generator
) -> Iterator[WordLine]:
    """Yield lines of words, which have random lengths; see `WordLine`."""
    lines: list[list[CheckedWord]] = [[]]
    length = generator.integers(SHORTEST, MAX_LENGTH)
    for word in words:
        if lines[-1] and len(text_of([*lines[-1], word])) > MAX_LENGTH:
            lines.append([])
        lines[-1].append(word)
        if len(text_of(lines[-1])) >= length:
            lines.append([])
            length = generator.integers(SHORTEST, MAX_LENGTH)
    for line in lines:
        if 1 < len(text_of(line)) <= MAX_LENGTH:
            yield WordLine(line, step, generator)


def is_clear(word: CheckedWord, draws_letters: bool) -> bool:
    """Return whether both readers hardly doubt a word, and no fault of its shape is known."""
    is_own = not draws_letters and any(letter in DRAWN for letter in word.text)
    limit = MAX_DOUBT_OF_LETTERS if is_own else MAX_DOUBT
    is_doubted = word.total_doubt > limit * max(1.0, len(word.text) / LONG_WORD)
    return word.accepted and not word.reason and not is_doubted


def text_of(words: Iterable[CheckedWord]) -> str:
    """Return the text of a line of words."""
    return " ".join(word.text for word in words)


def run(arguments: argparse.Namespace) -> None:
    """Write the lines; whole hands in the folder are not written again."""
    networks = network_options.Networks.of(arguments)
    writer = networks.writer(arguments.resume, of_texts=True)
    reader = networks.reader(default_proofreader(writer))
    second_reader = networks.reader(SECOND)
    dataset = plan_from_file(arguments.config, arguments.overrides).build("data_loader").dataset
    if writer.takes_hand:
        told = dataset_within(dataset, ToldHandsDataset)
        if told is None:
            raise UserError(
                f"{arguments.config} names no ToldHandsDataset, whose hands are written"
            )
        hands = named_hands(writer, told, arguments.leave_out_styles.split(","), arguments.seed)
    else:
        recorded = dataset.load(["train"]).split("train")
        generator = np.random.default_rng(arguments.seed)
        hands = recorded_hands(recorded, reader, arguments.hands, generator)
    sampling = Sampling(bias=arguments.bias)
    names = ("lines", "signs", "rare", "seed")
    chosen = {name: getattr(arguments, name) for name in names}
    maker = LineMaker(writer, reader, second_reader, sampling, **chosen)
    values = {"network": digest_of_file(writer.path), "bias": arguments.bias, **chosen}
    key = CacheKey("legible", values, (), licences=(writer.licence,))
    numbered = [*enumerate(hands[: arguments.hands])]
    with tqdm(total=len(numbered), unit="hands") as bar:
        columns = columns_in(arguments.output, key, numbered, partial(_counted, maker, bar))
    print(f"{arguments.output}  ({len(columns.all):,} lines)")


def _counted(maker: LineMaker, bar: tqdm, numbered: tuple[int, NamedHand]) -> Iterator[Parsed]:
    """Yield the lines of a hand, and count it, and those that were whole before."""
    bar.update(numbered[0] - bar.n)
    yield from maker.samples(numbered)
    bar.update()


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    parser.add_argument("config", type=Path, help="config with the recorded lines or their hands")
    network_options.add_network(parser, default="open_writer")
    options.add_overrides(parser)
    add = parser.add_argument
    add("--hands", type=int, default=188, help="number of hands (default: 188)")
    add("--lines", type=int, default=96, help="number of texts in each hand (default: 96)")
    add("--signs", type=float, default=0.0, help="fraction of short texts with a sign (default: 0)")
    add("--rare", type=float, default=0.0, help="fraction of texts of rare words (default: 0)")
    add("--bias", type=float, default=0.5, help="see experiments.py write (default: 0.5)")
    add("--seed", type=int, default=0, help="seed of texts, hands and lines (default: 0)")
    add("--leave-out-styles", default="", help="styles not to write, separated by commas")
    add("--output", type=Path, required=True, help="folder for the lines")
    main(run, parser)
