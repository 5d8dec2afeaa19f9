"""Writes legible lines in many hands, as further training data for the writer that wrote them.

The writer continues recorded lines. Only words that both readers of a page accept are kept
(rejection sampling, as in Gulcehre et al. 2023, "Reinforced self-training for language modeling").
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from apps.pages.hands import Hand
from apps.pages.page_options import SECOND
from apps.pages.proofreading import CheckedWord, line_ink, write_words
from commands.shared import network_options, options
from commands.shared.scripts import main
from data_loader.synthetic.texts import corpus
from data_loader.synthetic.texts.everyday import CHARACTER_CLASSES, everyday, random_characters
from data_loader.synthetic.texts.templates import Draws
from ink.alphabet import Alphabet
from ink.formats.stroke_arrays import ARRAY_FILES, TEXTS
from ink.sample import Sample
from model import Reader
from model.generation.line import Primer, Sampling
from model.loading import default_proofreader
from parse_config import plan_from_file
from utils.files import atomic_write, prepare_output, write_text

PRIMER_LENGTHS = range(8, 41)
"""Numbers of characters of the recorded lines that are continued (assumed)."""
MAX_LENGTH = 60
"""Maximum number of characters of a text, and of a line to which words are added (assumed)."""


def run(arguments: argparse.Namespace) -> None:
    """Write the lines, and save them after each hand."""
    networks = network_options.Networks.of(arguments)
    writer = networks.writer(arguments.resume, of_texts=True)
    reader = networks.reader(default_proofreader(writer))
    second_reader = networks.reader(SECOND)
    sampling = Sampling(bias=arguments.bias)
    prepare_output(arguments.output / ARRAY_FILES[-1], "--output")
    loader = plan_from_file(arguments.config, arguments.overrides).build("data_loader")
    recorded = loader.dataset.load(["train"]).split("train")
    alphabets = [network.model.alphabet for network in (writer, reader, second_reader)]
    lines: list[tuple[np.ndarray, str]] = []
    primers = legible_primers(recorded, reader, np.random.default_rng(arguments.seed))
    chosen = [*islice(primers, arguments.hands)]
    for number, primer in enumerate(tqdm(chosen, unit="hands")):
        generator = np.random.default_rng([arguments.seed, number])
        texts = new_texts(Draws(generator), alphabets, arguments.signs)
        texts = [*islice(texts, arguments.lines)]
        hand = Hand(writer, primer, reader, sampling, second_reader=second_reader)
        lines += lines_of(hand, texts, arguments.seed + number * arguments.lines, generator)
        save_lines(lines, arguments.output)
    print(f"{arguments.output}  ({len(lines):,} lines)")


def legible_primers(
    samples: Iterable[Sample], reader: Reader, generator: np.random.Generator
) -> Iterator[Primer]:
    """Yield recorded lines that `reader` reads without an error, one of each hand in turn."""
    suitable = []
    for sample in samples:
        if len(sample.text) in PRIMER_LENGTHS and any(map(str.islower, sample.text)):
            suitable.append(sample)
    chosen = [suitable[k] for k in generator.permutation(len(suitable))]
    texts = reader.read_lines([sample.ink for sample in chosen], progress=True)
    primers: dict[str, list[Primer]] = {}  # by hand
    for sample, text in zip(chosen, texts, strict=True):
        if text == sample.text:
            primers.setdefault(sample.hand, []).append((sample.ink, text))
    while primers:
        for hand in list(primers):
            yield primers[hand].pop()
            if not primers[hand]:
                del primers[hand]


def new_texts(draws: Draws, alphabets: Iterable[Alphabet], signs: float) -> Iterator[str]:
    """Yield texts of the training split that all alphabets cover.

    The fraction `signs` are characters with a sign. Of the others, half are everyday texts, a
    quarter sentences, and a quarter random characters.
    """
    others = 1.0 - signs
    while True:
        number = draws.number()
        if number < 0.25 * others:
            text = random_characters(draws)
        elif number < 0.5 * others:
            text = corpus.running_text(draws, split=0, low=10, high=45, symbols=0.0)
        elif number < others:
            text = everyday(draws)
        else:
            text = characters_with_sign(draws)
        if len(text) <= MAX_LENGTH and not any(alphabet.unknown(text) for alphabet in alphabets):
            yield text


def characters_with_sign(draws: Draws) -> str:
    """Return 1 to 3 characters of a class, a sign, and 0 to 3 of the class, such as `ab/c`."""
    *classes, signs = CHARACTER_CLASSES
    chosen = draws.pick(classes)
    start = "".join(draws.pick(chosen) for _ in range(draws.between(1, 3)))
    end = "".join(draws.pick(chosen) for _ in range(draws.between(0, 3)))
    return start + draws.pick(signs) + end


def lines_of(
    hand: Hand, texts: list[str], seed: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, str]]:
    """Write texts in a hand, and yield the ink, in the hand's units, and the text of lines of their
    legible words.

    With the probability 0.5, a line also has the words of the next text.
    """
    lines: list[list[CheckedWord]] = [[]]
    for words in write_words(hand, texts, range(seed, seed + len(texts))):
        lines[-1] += [word for word in words if word.accepted]
        if generator.random() < 0.5 or len(text_of(lines[-1])) > MAX_LENGTH:
            lines.append([])
    scale = np.float32([hand.shape.x_height, hand.shape.x_height, 1])
    for words in lines:
        text = text_of(words)
        if len(text) > 1:
            yield line_ink(words) * scale, text


def text_of(words: Iterable[CheckedWord]) -> str:
    """Return the text of a line of words."""
    return " ".join(word.text for word in words)


def save_lines(lines: list[tuple[np.ndarray, str]], folder: Path) -> None:
    """Save lines in a folder as stroke arrays, in which y grows upwards."""
    arrays = np.empty(len(lines), dtype=object)
    for number, (ink, _) in enumerate(lines):
        arrays[number] = ink[:, [2, 0, 1]] * np.float32([1, 1, -1])  # (end of stroke, dx, -dy)
    atomic_write(folder / ARRAY_FILES[-1], lambda file: np.save(file, arrays))
    write_text(folder / TEXTS, "".join(f"{text}\n" for _, text in lines))


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    parser.add_argument("config", type=Path, help="config whose recorded lines are continued")
    network_options.add_network(parser, default="open_writer")
    options.add_overrides(parser)
    add = parser.add_argument
    add("--hands", type=int, default=188, help="number of hands (default: 188)")
    add("--lines", type=int, default=96, help="number of texts in each hand (default: 96)")
    add("--signs", type=float, default=0.0, help="fraction of short texts with a sign (default: 0)")
    add("--bias", type=float, default=0.5, help="see experiments.py write (default: 0.5)")
    add("--seed", type=int, default=0, help="seed of texts, primers and lines (default: 0)")
    add("--output", type=Path, required=True, help="folder for the stroke arrays")
    main(run, parser)
