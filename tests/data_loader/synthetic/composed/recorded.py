"""Lines of stroke fonts whose points are known to belong to which characters, as if recorded."""

from collections.abc import Collection
from functools import cache

import numpy as np

from base.base_dataset import SPLITS, BaseDataset, Loaded
from data_loader.pen_paths import to_ink
from data_loader.synthetic.composed.alignment import AlignedLine, Alignment
from data_loader.synthetic.composed.cutting import measured_lines
from data_loader.synthetic.composed.recorded_hands import RecordedHand, recorded_hands
from data_loader.synthetic.invented.font_writers import FontWriter, deform, digitise, text_path
from data_loader.synthetic.texts import corpus
from ink.sample import Sample
from tests.data_loader.synthetic.invented.hands import hand


def line(
    text: str, writer: FontWriter, generator: np.random.Generator, rate: float = 75.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ink of a text, and how many points belong to each character."""
    detailed = deform(text_path(text, writer, generator), writer, generator)
    of = np.repeat(np.arange(len(text)), [len(glyph.path) for glyph in writer.glyphs(text)])
    path = digitise(detailed, writer.speed, rate)
    # Every point lies on a segment of the path, in order.
    segment, owner = 0, []
    places = (detailed[:, 0] + 1j * detailed[:, 1]).tolist()
    for number, point in enumerate((path[:, 0] + 1j * path[:, 1]).tolist()):
        if number and path[number - 1, 2]:
            segment += 1 + int(np.flatnonzero(detailed[segment:, 2])[0])
        while not detailed[segment, 2] and away(point, *places[segment : segment + 2]) > 1e-6:
            segment += 1
        owner.append(of[segment])
    ink = to_ink(path * (writer.size, writer.size, 1))
    return ink, np.bincount(owner, minlength=len(text))


def away(point: complex, start: complex, stop: complex) -> float:
    """Return the distance of a point from a segment."""
    run, to_point = stop - start, point - start
    share = (to_point * run.conjugate()).real / max(abs(run) ** 2, 1e-12)
    return abs(to_point - min(max(share, 0), 1) * run)


HANDS = {
    "plain": dict(font="print"),
    "leaning": dict(font="print", slant=0.35, size=9.0),
    "cursive": dict(font="cursive", connected=True, slant=0.1, speed=280.0),
    "wide": dict(font="print", aspect=1.25, size=5.0, ascender=1.3),
}
"""What each form's writer differs in from a hand without any irregularity."""


FORMS = (*HANDS, "of-valid", "of-test")


@cache
def written(count: int, seed: int, drift: float) -> list[tuple[Sample, np.ndarray]]:
    """Return all lines, with the points of each character."""
    result = []
    for number, form in enumerate(form for form in FORMS for _ in range(count)):
        generator = np.random.default_rng([seed, number])
        own = HANDS.get(form, dict(slant=-0.2, size=6.0))
        writer = hand(wobble=0.15, variation=0.15, drift=drift, **own)
        text = corpus.running_text(corpus.Draws(generator), 0, 20, 40, 0.0)
        ink, counts = line(text, writer, generator)
        result.append((Sample(ink, text, f"line-{number}", group=form), counts))
    return result


class Recorded(BaseDataset):
    """Forms of one hand each: those of `HANDS` in training, and one each in the other splits."""

    def __init__(self, lines: int = 6, seed: int = 0, drift: float = 0.0) -> None:
        self.count, self.options = lines, (lines, seed, drift)

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        lines, count = self.lines(), self.count
        parts = lines[: -2 * count], lines[-2 * count : -count], lines[-count:]
        samples = dict(zip(SPLITS, parts, strict=True))
        samples = {split: samples[split] for split in SPLITS if split in splits}
        return Loaded(samples, "recorded", quantisation_step=0.5, canonical=(30.0, 20.0))

    def lines(self) -> list[Sample]:
        """Return all lines."""
        return [sample for sample, _ in written(*self.options)]

    def hands(self) -> dict[str, RecordedHand]:
        """Return the hands of the training lines."""
        return recorded_hands(measured_lines(self.load().split("train"), self.alignment()))

    def alignment(self) -> Alignment:
        """Return the true one, of which every character was read."""
        lines = {}
        for sample, counts in written(*self.options):
            every = np.ones(len(counts), dtype=bool)
            lines[sample.name] = AlignedLine(counts, every, every.copy(), 0)
        return Alignment(lines)
