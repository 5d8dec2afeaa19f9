"""The hands in which lines are written that a writer learns from."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

import numpy as np

from apps.pages.hands import Hand, extras_of_style
from apps.pages.page_hands import own_hand
from apps.pages.styles import MAX_JOINED_STROKES, styles
from data_loader import ToldHandsDataset
from ink.measures import NUM_HAND_LINES, strokes_per_character
from ink.sample import Sample
from model import Reader
from model.generation.hand_encoder import hand_extra
from model.generation.line import Primer, Sampling
from model.loading import Writer

PRIMER_LENGTHS = range(8, 41)
"""Numbers of characters of the recorded lines that are continued (assumed)."""
MIN_LINES = 4  # least described lines of a person (assumed)
NUM_PEOPLE = 160  # people of whom some are chosen (assumed)
OWN_SEEDS = range(1, 54)
"""Seeds of a network's own hands: each of 53 begins at another one (`HandEncoder.draw`)."""
JOINED_TURNS = (True, False)
"""Whether each hand in turn joins its letters: half do (assumed)."""


@dataclass(frozen=True)
class NamedHand:
    """A hand with a name: of a primer, or of the extras on which a network is conditioned."""

    name: str
    primer: Primer | None = None
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)

    def written_by(self, writer: Writer, sampling: Sampling, seed: int) -> Hand:
        """Return the hand; if it has no primer, with a line that the writer writes by a seed."""
        if self.primer is not None:
            return Hand(writer, self.primer, sampling=sampling)
        return own_hand(writer, seed, replace(sampling, extras=self.extras), of_page=True)


def named_hands(
    writer: Writer, told: ToldHandsDataset, left_out: Collection[str], seed: int
) -> list[NamedHand]:
    """Return hands in turn, joined ones and others as in `JOINED_TURNS`: of a writer's own, of
    styles that are not `left_out`, and of people.

    Args:
        writer: takes a hand.
        told: names the file of descriptors; the people are those of its training split.
        left_out: names of styles.
        seed: seed of the order and of the choice of people.
    """
    generator = np.random.default_rng(seed)
    hands = [*_people(told, generator)]
    named_styles = styles()
    for name in sorted(named_styles.keys() - {*left_out}):
        if not name.startswith("open_"):
            hands.append(NamedHand(name, extras=extras_of_style(named_styles[name])))
    for number in OWN_SEEDS:
        drawn = writer.model.hand_encoder.draw(number)
        hands.append(_conditioned(f"own-{number}", hand_extra(drawn)))
    hands = [hands[k] for k in generator.permutation(len(hands))]
    kinds: dict[bool, list[NamedHand]] = {True: [], False: []}
    for hand, is_joined in zip(hands, _are_joined(writer, hands), strict=True):
        kinds[is_joined].append(hand)
    left = {kind: iter(of_kind) for kind, of_kind in kinds.items()}
    chosen = []
    for is_joined in cycle(JOINED_TURNS):
        hand = next(left[is_joined], None)
        if hand is None:
            return chosen
        chosen.append(hand)


def _people(told: ToldHandsDataset, generator: np.random.Generator) -> Iterator[NamedHand]:
    """Yield the hands of some people, each with up to `NUM_HAND_LINES` lines."""
    rows, table = told.table()
    samples = told.dataset.load().split("train")
    rows_of: dict[str, list[int]] = defaultdict(list)
    for name, hand in zip(samples.strings("name"), samples.hands, strict=True):
        if name in rows:
            rows_of[hand].append(rows[name])
    names = [hand for hand, lines in rows_of.items() if len(lines) >= MIN_LINES]
    for number in generator.permutation(len(names))[:NUM_PEOPLE]:
        chosen = generator.permutation(rows_of[names[number]])[:NUM_HAND_LINES]
        extra = np.zeros((NUM_HAND_LINES, table.shape[1]), np.float32)
        extra[: len(chosen)] = table[chosen]
        yield _conditioned(f"person-{names[number]}", extra)


def _conditioned(name: str, hand: np.ndarray) -> NamedHand:
    return NamedHand(name, extras={"hand": hand, "composed": np.zeros(1, np.float32)})


def _are_joined(writer: Writer, hands: Sequence[NamedHand]) -> list[bool]:
    """Return whether each hand joins its letters, as a line of each shows."""
    extras = {"hand": np.stack([hand.extras["hand"] for hand in hands])}
    text = writer.reference_text
    lines = writer.write_lines([text] * len(hands), range(len(hands)), Sampling(extras=extras))
    return [strokes_per_character([(line.written, text)]) < MAX_JOINED_STROKES for line in lines]


def recorded_hands(
    samples: Iterable[Sample], reader: Reader, count: int, generator: np.random.Generator
) -> list[NamedHand]:
    """Return `count` hands that are continued; see `legible_primers`."""
    primers = islice(legible_primers(samples, reader, generator), count)
    return [NamedHand(f"hand-{number}", primer) for number, primer in enumerate(primers)]


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
