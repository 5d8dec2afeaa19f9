"""Measures how recognisers read accents: lines in eight languages, in hands that taught no reader.

The letters are cut from forms of IAM-OnDB's `testset_f`. The accents are ink of these people too,
and none of the drawn marks that networks learn from: a comma makes an acute, mirrored a grave; a
small v a caron, upside down a circumflex; dots of i a diaeresis; a small o a ring; a bent hyphen a
tilde; a comma below a cedilla, mirrored an ogonek; a turned hyphen the bar of ł and ø. They stand
where the person sets dots on i, in half of the lines after their words. So the judge knows real
places and real ink, but nobody's habits of making accents: bars for two dots, ticks for all.
"""

import argparse
import sys
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from commands.shared import network_options, search_options
from commands.shared.options import Parser
from commands.shared.scripts import main
from data_loader import IAMOnDBDataset
from data_loader.pen_paths import at_left_edge, from_strokes, moved, to_ink, to_strokes
from data_loader.synthetic.composed.accents import (
    UnusablePiece,
    base_and_mark,
    combining,
    without_dot,
)
from data_loader.synthetic.composed.alignment import Alignment
from data_loader.synthetic.composed.composing import Bank, Composer
from data_loader.synthetic.composed.cutting import Piece, measured_lines, parts_of
from data_loader.synthetic.composed.drawn_characters import Drawer
from data_loader.synthetic.composed.recorded_hands import recorded_hands
from ink.sample import Sample
from model.drawing.plots import lines_figure, write_png
from model.recognition.error_rates import normalised, rates, read_in_place

TEXTS = Path(__file__).with_suffix(".tsv")
"""A language and a text in each line, without `ß`, `æ` and `œ`, which are no accents."""
CODES = {
    **{"French": "fr", "German": "de", "Spanish": "es", "Portuguese": "pt", "Italian": "it"},
    **{"Polish": "pl", "Czech": "cs", "Danish": "da"},
}
"""The code of each language."""
MIN_FORM_LINES = 4
"""Minimum number of lines of a form (assumed)."""
MAX_TRIES = 30
"""Largest number of forms that are tried for a text (assumed)."""
DOTS_TRIED = 12
"""Number of copies of `i` from which dots are taken (assumed)."""
CAPITAL_TOP = -1.3
"""Height above which ink belongs to a capital or a tall letter, in x-heights; marks of capitals
stand nearer."""

MARK_NAMES = {
    combining(name): name
    for name in (
        "grave accent",
        "acute accent",
        "circumflex accent",
        "tilde",
        "diaeresis",
        "ring above",
        "caron",
        "dot above",
        "cedilla",
        "ogonek",
        "comma above right",
    )
}
MARK_SOURCES = {
    "acute accent": (",", (0.22, 0.45), (1, 1, 1)),
    "grave accent": (",", (0.22, 0.45), (-1, 1, 1)),
    "circumflex accent": ("v", (0.2, 0.35), (1, -1, 1)),
    "caron": ("v", (0.2, 0.35), (1, 1, 1)),
    "ring above": ("o", (0.22, 0.4), (1, 1, 1)),
    "cedilla": (",", (0.3, 0.5), (1, 1, 1)),
    "ogonek": (",", (0.3, 0.5), (-1, 1, 1)),
    "comma above right": (",", (0.3, 0.5), (1, 1, 1)),
}
"""For each mark, the character whose ink makes it, bounds on its height in x-heights, and factors
that mirror it."""


class People(Composer):
    """Writes in one hand, with accents made of the hand's ink.

    The sizes and gaps of marks, in x-heights, are assumed.
    """

    def borrowed(self, character: str) -> Piece | None:
        """Return a copy of a character; an accented letter gets a mark of recorded ink."""
        if character.isascii():
            return super().borrowed(character)
        base, mark = base_and_mark(character)
        try:
            letter = self.copy(base).path
            letter = without_dot(letter) if base in "ij" else letter
            path = np.concatenate([letter, self.mark(letter, MARK_NAMES.get(mark, "bar"))])
        except UnusablePiece:
            return None
        return Piece(character, at_left_edge(path))

    def copy(self, character: str) -> Piece:
        """Return a copy of an ASCII character by the hand, or by another; raise `UnusablePiece`."""
        if character in self.hand.places:
            return self._random_copy(character, self.hand)
        piece = super().borrowed(character)
        if piece is None:
            raise UnusablePiece
        return piece

    def ink(self, character: str, size: float) -> np.ndarray:
        """Return the path of a character of a height, or a hyphen of a width, around the origin."""
        path = self.copy(character).path.copy()
        extent = np.ptp(path[:, 0 if character == "-" else 1])
        if extent < 0.05:
            raise UnusablePiece
        path[:, :2] *= size / extent
        return centred(path)

    def dots(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return dots of i, each with its letter."""
        dots = []
        for _ in range(DOTS_TRIED):
            path = self.copy("i").path
            try:
                letter = without_dot(path)
            except UnusablePiece:
                continue
            dot = min(to_strokes(path), key=lambda stroke: stroke[:, 1].max())
            dots.append((from_strokes([dot]), letter))
        if not dots:
            raise UnusablePiece
        return dots

    def mark(self, letter: np.ndarray, name: str) -> np.ndarray:
        """Return the path of a mark on a letter."""
        x, y, _ = letter.T
        top = y.min()
        middle = float(np.quantile(x, (0.1, 0.9)).mean())
        is_tall = top < CAPITAL_TOP
        mark = self.shape(name, is_tall)
        if name == "bar":
            return moved(mark, middle, 0.5 * top)
        if name in ("cedilla", "ogonek"):
            foot = float(np.quantile(x[y > 0.4 * top], 0.9)) if name == "ogonek" else middle
            return moved(mark, foot, max(y.max(), 0.0) + np.ptp(mark[:, 1]) / 2 - 0.02)
        if name == "comma above right":
            return moved(mark, x.max() + 0.15, top + 0.15)
        # The mark's lower edge stands where a dot's lower edge stands over its i.
        dot, stem = self.dots()[0]
        gap = max(stem[:, 1].min() - dot[:, 1].max(), 0.05) * (0.5 if is_tall else 0.8)
        aside = float(np.clip(dot[:, 0].mean() - stem[:, 0].mean(), -0.3, 0.5))
        return moved(mark, middle + 0.6 * aside, top - gap - mark[:, 1].max())

    def shape(self, name: str, is_tall: bool) -> np.ndarray:
        """Return the path of a mark around the origin; `is_tall` tells whether its letter is."""
        uniform = self.generator.uniform
        if name in ("diaeresis", "dot above"):
            dots = self.dots()
            chosen = [centred(dots[n][0]) for n in self.generator.integers(len(dots), size=2)]
            apart = uniform(0.14, 0.26)
            pair = np.concatenate([moved(chosen[0], -apart), moved(chosen[1], apart)])
            return pair if name == "diaeresis" else chosen[0]
        if name == "tilde":
            bar = self.ink("-", uniform(0.45, 0.7))
            bar[:, 1] -= uniform(0.06, 0.12) * np.sin(2 * np.pi * bar[:, 0] / np.ptp(bar[:, 0]))
            return bar
        if name == "bar":
            bar = self.ink("-", uniform(0.6, 0.9) if is_tall else uniform(1.4, 1.8))
            angle = uniform(-0.9, -0.5)
            cosine, sine = np.cos(angle), np.sin(angle)
            bar[:, :2] = bar[:, :2] @ [[cosine, sine], [-sine, cosine]]
            return bar
        source, bounds, mirrored = MARK_SOURCES[name]
        mark = self.ink(source, uniform(*bounds)) * mirrored
        return mark * (min(1.0, 0.9 / max(np.ptp(mark[:, 0]), 1e-9)), 1, 1)


def centred(path: np.ndarray) -> np.ndarray:
    """Return a path moved so that the middle of its box is the origin."""
    return moved(path, *-(path[:, :2].min(0) + path[:, :2].max(0)) / 2)


def lines(folder: str, copies: int, skip: int = 0) -> list[tuple[str, Sample]]:
    """Return languages and lines: each text of `TEXTS` in `copies` hands of `testset_f`, behind
    those of the first `skip` copies."""
    dataset = IAMOnDBDataset(
        root=folder, splits={"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_f"]}
    )
    samples = dataset.load(["test"]).split("test")
    table = Alignment.load("iam_ondb_judge")
    parts = []
    for sample, line in measured_lines([*samples], table):
        parts += parts_of(sample, line, None)
    hands = recorded_hands(parts)
    chosen = {
        name: hand for name, hand in sorted(hands.items()) if len(hand.lines) >= MIN_FORM_LINES
    }
    bank = Bank(chosen, Drawer())
    pairs = [row.split("\t") for row in TEXTS.read_text(encoding="utf-8").splitlines()]
    written = []
    for number, (language, text) in enumerate(pairs * copies, skip * len(pairs)):
        for trial in range(MAX_TRIES):
            generator = np.random.default_rng([number, trial])
            name = bank.names[int(generator.integers(len(bank.names)))]
            path = People(bank, name, generator, late=bool(number % 2)).write(text)
            if path is not None:
                height = bank.hands[name].height
                written.append((language, Sample(to_ink(path * (height, height, 1)), text, name)))
                break
        else:
            raise SystemExit(f"no hand could write {text!r}")
    return written


def counts(reference: str, hypothesis: str) -> Counter[str]:
    """Return the numbers of letters and of accents of a line, and of accents that were kept, lost,
    and read where none is ("false")."""
    reference, hypothesis = normalised(reference), normalised(hypothesis)
    is_right = read_in_place(reference, hypothesis)
    numbers = Counter(letters=sum(character.isalpha() for character in reference))
    for place, character in enumerate(reference):
        if is_accented(character):
            numbers.update(accents=1, kept=int(is_right[place]))
    for span in Levenshtein.opcodes(reference, hypothesis):
        text_read = hypothesis[span.dest_start : span.dest_end]
        true_text = reference[span.src_start : span.src_end]
        if span.tag == "replace":
            for true, read in zip(true_text, text_read, strict=True):
                plain = base_and_mark(true)[0] if is_accented(true) else ""
                numbers["lost"] += read == plain
                numbers["false"] += is_accented(read) and not is_accented(true)
        elif span.tag == "insert":
            numbers["false"] += sum(map(is_accented, text_read))
    return numbers


def is_accented(character: str) -> bool:
    """Return whether a character is a letter with a mark or bar."""
    return character.isalpha() and not character.isascii() and base_and_mark(character)[0].isascii()


def run(arguments: argparse.Namespace) -> None:
    """Print for each recogniser and language the accents that are kept, and the false ones."""
    written = lines(arguments.data, arguments.copies, arguments.skip)
    if arguments.sheet:
        draw(written, Path(arguments.sheet))
    chosen = search_options.options_of(arguments)
    networks = network_options.Networks.of(arguments)
    for checkpoint in arguments.resume:
        reader = networks.reader(checkpoint)
        pairs = {}
        for language in dict.fromkeys(language for language, _ in written):
            code = CODES[language] if arguments.named else chosen.language_model
            search = replace(chosen, language_model=code).search(reader)
            samples = [line for line_language, line in written if line_language == language]
            hypotheses = reader.read_lines([line.ink for line in samples], search)
            texts = [line.text for line in samples]
            pairs[language] = [*zip(texts, hypotheses, strict=True)]
        report(Path(reader.path).stem, pairs)
        if arguments.show:
            read = chain.from_iterable(pairs.values())
            print(*(f"{true}\n    {text}" for true, text in read if true != text), sep="\n")


def report(name: str, pairs: dict[str, list[tuple[str, str]]]) -> None:
    """Print the percentages of a recogniser for each language, and for all."""
    columns = ("accents", "kept", "lost", "false", "misread")
    print(f"{name:<14}" + "".join(f"{column:>10}" for column in columns))
    groups = {**pairs, "all": [*chain.from_iterable(pairs.values())]}
    for language, group in groups.items():
        numbers = sum((counts(*pair) for pair in group), Counter())
        fractions = (
            numbers["kept"] / numbers["accents"],
            numbers["lost"] / numbers["accents"],
            numbers["false"] / (numbers["letters"] - numbers["accents"]),
            rates(group)["cer"],
        )
        cells = "".join(f"{100 * fraction:>8.2f} %" for fraction in fractions)
        print(f"{language:<14}{numbers['accents']:>10,}{cells}")


def draw(written: list[tuple[str, Sample]], path: Path) -> None:
    """Draw the first 40 lines, with their texts."""
    shown = [line for _, line in written[:40]]
    write_png(path, lines_figure([line.ink for line in shown], [line.text for line in shown]))


if __name__ == "__main__":
    parser = Parser(description=" ".join(__doc__.split()))
    network_options.add_network(parser, nargs="+")
    search_options.add_options(parser)
    parser.add_argument("--data", default="data/iam_ondb", help="folder of IAM-OnDB")
    parser.add_argument("--copies", type=int, default=3, help="hands that write each text")
    skip = "hands before these, by which a network may have been chosen"
    parser.add_argument("--skip", type=int, default=0, help=skip)
    named = "read each language with a language model of its words (see --language-model)"
    parser.add_argument("--named", action="store_true", help=named)
    parser.add_argument("--sheet", metavar="FILE", help="draw the first lines into a PNG file")
    parser.add_argument("--show", action="store_true", help="print each line that is misread")
    main(run, parser)
