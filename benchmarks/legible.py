"""Writes lines of words that can be read, in many hands, from which a writer learns once more.

The writer continues recorded lines; the words that both readers of a page accept are kept
(rejection sampling, as in Gulcehre et al. 2023, "Reinforced self-training for language modeling").
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import Sample
from benchmarks.measures import main
from commands import options
from data_loader.sources.stroke_arrays import NAMES, TEXTS
from data_loader.synthetic import corpus
from data_loader.synthetic.everyday import CHARACTERS, characters, everyday
from data_loader.synthetic.templates import Draws
from handwriting.hands import Hand
from handwriting.page_options import SECOND
from handwriting.proofreading import CheckedWord, row_ink, write_words
from model import Reader
from model.generation.sampling_options import Primer, Sampling
from model.writer import usual_proofreader
from parse_config import ConfigParser
from utils.alphabet import Alphabet
from utils.files import atomic_write, make_room, write_text

PRIMER = range(8, 41)
"""Characters of a line that is continued (assumed)."""
LONGEST = 60
"""Characters of the longest text; no further words are added to a longer line (assumed)."""


def run(arguments: argparse.Namespace) -> None:
    """Write the lines, and save them after each hand."""
    networks = options.from_arguments(options.Networks, arguments)
    writer = networks.writer(arguments.resume, of_texts=True)
    reader, second = networks.reader(usual_proofreader(writer)), networks.reader(SECOND)
    make_room(arguments.output / NAMES[-1], "--output")
    loader = ConfigParser.from_file(arguments.config, arguments.overrides).build("data_loader")
    recorded = loader.dataset.load(["train"]).split("train")
    alphabets = [network.model.alphabet for network in (writer, reader, second)]
    lines: list[tuple[np.ndarray, str]] = []
    primers = legible(recorded, reader, np.random.default_rng(arguments.seed))
    for number, primer in enumerate(tqdm([*islice(primers, arguments.hands)], unit="hands")):
        generator = np.random.default_rng([arguments.seed, number])
        texts = new_texts(Draws(generator), alphabets, arguments.signs)
        texts = [*islice(texts, arguments.lines)]
        hand = Hand(writer, primer, reader, Sampling(bias=arguments.bias), second_reader=second)
        lines += lines_of(hand, texts, arguments.seed + number * arguments.lines, generator)
        save(lines, arguments.output)
    print(f"{arguments.output}  ({len(lines):,} lines)")


def legible(
    samples: Iterable[Sample], reader: Reader, generator: np.random.Generator
) -> Iterator[Primer]:
    """Yield lines that are read without an error, from each hand in turn."""
    chosen = [s for s in samples if len(s.text) in PRIMER and any(map(str.islower, s.text))]
    chosen = [chosen[k] for k in generator.permutation(len(chosen))]
    read = reader.read_lines([sample.ink for sample in chosen], progress=True)
    primers: dict[str, list[Primer]] = {}  # by hand
    for sample, text in zip(chosen, read, strict=True):
        if text == sample.text:
            primers.setdefault(sample.hand, []).append((sample.ink, text))
    while primers:
        for hand in list(primers):
            yield primers[hand].pop()
            if not primers[hand]:
                del primers[hand]


def new_texts(draws: Draws, alphabets: Iterable[Alphabet], signs: float) -> Iterator[str]:
    """Yield texts of the training split that all networks know: a fraction `signs` `with_sign`, and
    of the others half everyday texts, a quarter sentences, a quarter random characters."""
    without_sign = 1.0 - signs
    while True:
        kind = draws.number()
        if kind < 0.25 * without_sign:
            text = characters(draws)
        elif kind < 0.5 * without_sign:
            text = corpus.line(draws, 0, 10, 45, 0.0)
        elif kind < without_sign:
            text = everyday(draws)
        else:
            text = with_sign(draws)
        if len(text) <= LONGEST and not any(alphabet.unknown(text) for alphabet in alphabets):
            yield text


def with_sign(draws: Draws) -> str:
    """Return one to six characters of a kind, and a sign behind or among them, such as `ab/c`."""
    kind = draws.pick(CHARACTERS[:3])
    start = "".join(draws.pick(kind) for _ in range(draws.between(1, 3)))
    end = "".join(draws.pick(kind) for _ in range(draws.between(0, 3)))
    return start + draws.pick(CHARACTERS[3]) + end


def lines_of(
    hand: Hand, texts: list[str], seed: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, str]]:
    """Yield the legible words of texts in a hand, as text and ink in the hand's units. Half of the
    lines stand alone; the following lines continue the others."""
    groups: list[list[CheckedWord]] = [[]]
    for line in write_words(hand, texts, range(seed, seed + len(texts))):
        groups[-1] += [word for word in line if word.accepted]
        if generator.random() < 0.5 or len(said(groups[-1])) > LONGEST:
            groups.append([])
    for words in groups:
        if len(text := said(words)) > 1:
            yield row_ink(words) * np.float32([hand.shape.letter, hand.shape.letter, 1]), text


def said(words: Iterable[CheckedWord]) -> str:
    """Return the text of words."""
    return " ".join(word.text for word in words)


def save(lines: list[tuple[np.ndarray, str]], folder: Path) -> None:
    """Write lines as stroke arrays, whose y grows upwards."""
    arrays = np.empty(len(lines), dtype=object)
    for number, (ink, _) in enumerate(lines):
        arrays[number] = ink[:, [2, 0, 1]] * np.float32([1, 1, -1])
    atomic_write(folder / NAMES[-1], lambda file: np.save(file, arrays))
    write_text(folder / TEXTS, "".join(f"{text}\n" for _, text in lines))


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    parser.add_argument("config", type=Path, help="config whose recorded lines are continued")
    options.add_network(parser, default="open_writer")
    options.add_overrides(parser)
    parser.add_argument("--hands", type=int, default=188, help="how many")
    parser.add_argument("--lines", type=int, default=96, help="texts in each")
    parser.add_argument("--signs", type=float, default=0.0, help="share of short texts with a sign")
    parser.add_argument("--bias", type=float, default=0.5, help="see experiments.py write")
    parser.add_argument("--seed", type=int, default=0, help="of texts, primers and lines")
    parser.add_argument("--output", type=Path, required=True, help="folder of the stroke arrays")
    main(run, parser)
