"""Writes lines by invented persons, with stroke fonts: data that any machine can generate."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded, counts_of
from base.data.samples import Samples
from data_loader.pen_paths import from_strokes, to_ink, to_path, to_strokes
from data_loader.synthetic.invented.damage import with_damage
from data_loader.synthetic.invented.stroke_fonts import (
    FONT_CHARACTERS,
    FONT_X_HEIGHT,
    FONTS,
    OTHER_SHAPES,
    Glyph,
    glyph,
    resample,
)
from data_loader.synthetic.texts import corpus
from ink.alphabet import WRONG
from ink.sample import Sample
from utils.checks import ConfigFault, Fraction, Range, Seed
from utils.licences import OPEN

GRID_SPACING = 1 / 64
"""Spacing of the grid to which points are rounded, in units of the ink. Results on different
machines differ by far less (about 1e-10), and float32 adds offsets on the grid without error."""

DIGIT_IMAGE_SIZE = 28
"""Side of an image of a digit, in pixels (MNIST)."""
DIGIT_SIZE = 20
"""Longer side of the digit in the middle of its image, in pixels (MNIST)."""

MIN_SPREAD = 6
"""Minimum characters between the bounds on a line's length: it ends between words (assumed)."""
# Parts of each seed, so that lines and writers have different random numbers.
LINE_STREAM = 0
WRITER_STREAM = 1

# Coefficients of the speed law of `digitise` (assumed; tests measure the steps that result).
ADDED_CURVATURE = 0.4
"""Curvature, per x-height, added at each point to bound the speed on straight lines."""
END_SLOWNESS = 2.0
"""Slowness (inverse speed) added at both ends of a stroke, as a multiple of the slowness there."""
END_LENGTH = 0.12
"""Distance from an end of a stroke, in x-heights, at which half of `END_SLOWNESS` is added."""


@dataclass(frozen=True)
class FontWriter:
    """The hand of an invented person. Lengths are in font units (see `stroke_fonts`).

    Attributes:
        font: one of `FONTS`.
        rounding: radius to which corners are rounded.
        connected: whether letters of a word are joined where the font allows it.
        size: units of the ink per font unit.
        slant: lean of stems to the right, x over y.
        aspect: factor on the width of letters.
        ascender, descender: factors on the ink above the x-height, and below the baseline.
        letter_space, word_space: space added after each letter, and width of a blank.
        drift: rise of the baseline, y over x.
        wave: amplitude of the baseline's slow wave.
        wobble: amplitude of the smooth deformation along the pen's path.
        variation: factor on the random variation of letters in size, place, slant and bend.
        speed: font units per second at a curvature of one per x-height.
        shapes: by character, the indices in `OTHER_SHAPES` of the group and of the shape that this
            writer makes; without the characters that the writer makes as the font does.
    """

    font: str
    rounding: float
    connected: bool
    size: float
    slant: float
    aspect: float
    ascender: float
    descender: float
    letter_space: float
    word_space: float
    drift: float
    wave: float
    wobble: float
    variation: float
    speed: float
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def invent(
        cls, generator: np.random.Generator, fonts: Sequence[str], shapes: float = 0.0
    ) -> "FontWriter":
        """Draw a writer with one of `fonts`.

        For each group of `OTHER_SHAPES`, the writer makes one of its shapes with the probability
        `shapes`. All numbers are assumed, and checked by eye.
        """
        draws = corpus.Draws(generator)
        name = draws.pick(fonts)
        # Nobody is extreme. Four of the numbers are unused: fewer would change all later draws.
        normal = generator.standard_normal(16).clip(-2.2, 2.2).tolist()
        upright = name in ("print", "joined")
        tightness = {"print": 1.8, "joined": 1.8, "italic": 0.8}.get(name, 0)
        rounding = draws.pick((0.6, 1.0, 1.5))
        connected = draws.chance(0.4 if name == "italic" else 0.8)
        other_shapes: dict[str, tuple[int, int]] = {}
        for number, group in enumerate(OTHER_SHAPES if shapes else ()):
            if draws.chance(shapes):
                chosen = draws.pick(range(len(group)))
                other_shapes |= dict.fromkeys(group[chosen], (number, chosen))
        return cls(
            font=name,
            rounding=rounding,
            connected=connected,
            size=7.2 * float(np.exp(0.13 * normal[0])),
            slant=(0.08 if upright else 0.24) + 0.12 * normal[1],
            aspect=float(np.exp(0.11 * normal[2])) * (0.9 if upright else 0.95),
            ascender=1 + 0.1 * normal[3],
            descender=1 + 0.12 * normal[4],
            letter_space=0.8 * normal[5] - tightness,
            word_space=float(13 * np.exp(0.18 * normal[6])),
            drift=0.012 * normal[7],
            wave=0.6 * float(np.exp(0.4 * normal[8])),
            wobble=0.42 * float(np.exp(0.4 * normal[9])),
            variation=float(np.exp(0.3 * normal[10])),
            speed=226 * float(np.exp(0.13 * normal[11])),
            shapes=other_shapes,
        )

    def glyphs(self, text: str) -> list[Glyph]:
        """Return the glyphs of a text of printable ASCII."""
        return [glyph(self.font, self.rounding, sign, self.shapes.get(sign)) for sign in text]


def text_path(
    text: str,
    writer: FontWriter,
    generator: np.random.Generator,
    glyphs: Sequence[Glyph] | None = None,
) -> np.ndarray:
    """Return the path of a line of text in font units; `glyphs` replace the writer's glyphs."""
    glyphs = glyphs or writer.glyphs(text)
    # The deviations below are assumed, in font units or as fractions, and checked by eye.
    widths = np.array([glyph.width for glyph in glyphs])
    leans = np.array([glyph.lean for glyph in glyphs])
    owner = np.repeat(np.arange(len(glyphs)), [len(glyph.path) for glyph in glyphs])
    normal = generator.standard_normal((8, len(glyphs)))
    normal = normal.clip(-2.5, 2.5) * writer.variation
    wide, high, aside, down, slanting, stem_bend, bar_bend, spacing = normal
    # Neighbouring letters have similar shifts in y.
    down[1:] = 0.6 * (down[1:] + down[:-1])
    width_factors = writer.aspect * (1 + 0.08 * wide)
    height_factors = 1 + 0.06 * high
    advance = widths * width_factors + writer.letter_space + 0.5 * spacing
    blank = np.array([character == " " for character in text])
    advance = np.where(blank, writer.word_space * (1 + 0.1 * spacing), advance)
    left = np.cumsum(advance) - advance + 0.3 * aside

    x, y, lift = np.concatenate([glyph.path for glyph in glyphs]).T
    # Only ink above the x-height, and below the baseline, is stretched.
    y = y + (writer.ascender - 1) * np.minimum(y + FONT_X_HEIGHT, 0)
    y += (writer.descender - 1) * np.maximum(y, 0)
    from_middle_x = (x - 0.5 * widths[owner]) / FONT_X_HEIGHT
    from_middle_y = y / FONT_X_HEIGHT + 0.5
    slant = writer.slant * leans + 0.05 * slanting
    # Parabolas about a letter's middle bend its stems and bars.
    bent_x = (0.6 * stem_bend)[owner] * from_middle_y**2
    bent_y = (0.5 * bar_bend)[owner] * from_middle_x**2
    x = left[owner] + width_factors[owner] * x - slant[owner] * y
    x += bent_x
    y = height_factors[owner] * y + (0.35 * down)[owner]
    y += bent_y

    if writer.connected:
        for last in np.flatnonzero(np.diff(owner)).tolist():
            number = owner[last]
            if glyphs[number].leaves and glyphs[number + 1].enters:
                lift[last] = 0  # The pen goes on to the next letter.
    return np.column_stack([x, y, lift])


def deform(path: np.ndarray, writer: FontWriter, generator: np.random.Generator) -> np.ndarray:
    """Return a path with smooth shifts: wobble along the path, drift and wave along the line.

    The wobble of each axis is a sum of three sines along the path, with periods of 1 to 5
    x-heights. The sines are drawn anew for every line.
    """
    steps = np.diff(path[:, :2], axis=0, prepend=path[:1, :2])
    length_so_far = np.cumsum(np.abs(steps).sum(1))
    periods = FONT_X_HEIGHT * (1 + 4 * generator.random((2, 3)))
    phases = 2 * np.pi * generator.random((2, 3))
    amplitudes = generator.standard_normal((2, 3))
    shift = np.zeros_like(path)
    for axis in (0, 1):
        for n in range(3):
            sine = np.sin(length_so_far * (2 * np.pi / periods[axis, n]) + phases[axis, n])
            shift[:, axis] += writer.wobble * amplitudes[axis, n] * sine
    wavelength = FONT_X_HEIGHT * (10 + 15 * generator.random())
    phase = 2 * np.pi * generator.random()
    drift = writer.drift + 0.005 * generator.standard_normal()
    x = path[:, 0]
    shift[:, 1] += writer.wave * np.sin(x * (2 * np.pi / wavelength) + phase) - drift * x
    return path + shift


def digitise(path: np.ndarray, speed: float, rate: float) -> np.ndarray:
    """Return the points of a path at equal times.

    The speed follows the two-thirds power law (Lacquaniti, Terzuolo and Viviani 1983): the speed is
    proportional to the curvature to the power -1/3. Here, the speed is bounded on straight lines,
    and lower at both ends of a stroke. The clock restarts with each stroke, and a stroke's last
    point is at the last tick before the lift.

    Args:
        path: path in font units, with dense points.
        speed: font units per second at a curvature of one per x-height.
        rate: points per second.
    """
    x, y, lift = path.T
    step_x, step_y = np.diff(x), np.diff(y)
    step = np.sqrt(step_x * step_x + step_y * step_y) + 1e-9  # never 0, see below
    step_x /= step
    step_y /= step
    # Turn at each point between two steps: the angle's sine, or 2 - sine beyond a right angle.
    sine = np.abs(step_x[:-1] * step_y[1:] - step_y[:-1] * step_x[1:])
    cosine = step_x[:-1] * step_x[1:] + step_y[:-1] * step_y[1:]
    turn = np.where(cosine > 0, sine, 2 - sine)
    curvature = np.zeros_like(x)  # per x-height
    curvature[1:-1] = turn * (2 * FONT_X_HEIGHT) / (step[:-1] + step[1:])

    ends = np.flatnonzero(lift)
    starts = np.concatenate([[0], ends[:-1] + 1])
    counts = ends - starts + 1
    curvature[starts] = 0  # At its ends a stroke has no turn.
    curvature[ends] = 0
    slowness = np.cbrt(curvature + ADDED_CURVATURE)
    # A hand changes its speed gradually, so the slowness is smoothed.
    for _ in range(2):
        slowness[1:-1] = (slowness[:-2] + 2 * slowness[1:-1] + slowness[2:]) / 4

    length = np.concatenate([[0.0], np.cumsum(step)])
    from_start = length - np.repeat(length[starts], counts)
    to_end = np.repeat(length[ends], counts) - length
    distance = np.minimum(from_start, to_end) / (END_LENGTH * FONT_X_HEIGHT)
    slowness *= 1 + END_SLOWNESS / (1 + distance * distance)

    duration = step * (slowness[:-1] + slowness[1:]) * (0.5 / speed)  # by the mean slowness
    time = np.concatenate([[0.0], np.cumsum(duration)])
    strokes = []
    for start, end in zip(time[starts], time[ends], strict=True):
        num_ticks = int((end - start) * rate)
        times = start + np.arange(num_ticks + 1) / rate
        points = [np.interp(times, time, axis) for axis in (x, y)]
        strokes.append(np.stack(points, axis=1))
    return from_strokes(strokes)


def write(
    text: str,
    writer: FontWriter,
    generator: np.random.Generator,
    rate: float,
    glyphs: Sequence[Glyph] | None = None,
) -> np.ndarray:
    """Return the ink of a line of text in a writer's hand, `(points, 3)` float32.

    `text` is printable ASCII, and not only blanks; `rate` is in points per second.
    """
    path = deform(text_path(text, writer, generator, glyphs), writer, generator)
    speed = writer.speed * (1 + 0.05 * float(generator.standard_normal()))
    path = digitise(path, speed, rate)
    return to_ink(path * (writer.size, writer.size, 1), GRID_SPACING)


@dataclass(kw_only=True, eq=False)
class EmbeddedDataset(BaseDataset):
    """Synthetic lines of English by invented writers, generated in memory from a seed.

    Sample n of a split is the same for all sizes, and on every machine. No two splits have a writer
    or a sentence in common; short texts with `signs` recur. The x-height is about 100 units and
    differs by writer.

    Args:
        seed: seed of all writers and lines.
        size, valid_size, test_size: number of lines of the split.
        writers: number of writers of the training lines; each other split has a quarter as many.
        min_characters, max_characters: bounds on the length of a line.
        symbols: fraction of sentences of numbers, addresses, formulas or code, which have most
            of the digits and signs.
        signs: fraction of the lines that are short texts with a sign, a digit or a rare capital.
            Short texts have 1 to 19 characters, whatever the bounds on the length. They recur in
            all splits, so they serve training, not scores.
        shapes: probability that a writer does not use the plain shape of a character, but another
            common shape, such as a brace with a small tip, or a `7` with a bar.
        damaged: fraction of the training lines in which one character is damaged; the text has
            `�` in its place, a label for ink that is no character.
        fonts: the fonts in use; all fonts if None.
        rate: points per second; the default gives about 20 per character.

    Raises:
        ConfigFault: if `max_characters` is not at least 6 above `min_characters`, or no font is
            given.
    """

    licence = OPEN
    x_height = 95.0
    """Median x-height of plain lines in all fonts, in units (measured; 82 to 101 by font)."""

    seed: Seed = 0
    size: Annotated[int, Range(1, 100_000)] = 2000
    valid_size: Annotated[int, Range(1, 100_000)] = 200
    test_size: Annotated[int, Range(1, 100_000)] = 200
    writers: Annotated[int, Range(1, 1_000_000)] = 200
    min_characters: Annotated[int, Range(2, 200)] = 10
    max_characters: Annotated[int, Range(8, 250)] = 45
    symbols: Fraction = 0.2
    signs: Fraction = 0.0
    shapes: Fraction = 0.0
    damaged: Fraction = 0.0
    fonts: list[Literal["print", "joined", "italic", "cursive", "mixed"]] | None = None
    rate: Annotated[float, Range(10, 500)] = 75.0

    def __post_init__(self) -> None:
        if self.max_characters < self.min_characters + MIN_SPREAD:
            expected = f"at least {MIN_SPREAD} more than min_characters ({self.min_characters})"
            raise ConfigFault("max_characters", self.max_characters, expected)
        if self.fonts == []:
            raise ConfigFault("fonts", [], f"at least one of {', '.join(FONTS)}, or null")

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Return lines named such as "train-000017", by writers such as "train-writer-017"."""
        sizes = {"train": self.size, "valid": self.valid_size, "test": self.test_size}
        lines = []
        for split in SPLITS:
            if split in splits:
                lines += [(split, n) for n in range(sizes[split])]
        samples: dict[str, list[Sample]] = {split: [] for split, _ in lines}
        for split, n in distributed.bar(lines, "writing lines", unit="line", leave=False, delay=1):
            samples[split].append(self._line(split, n))
        title = f"{type(self).__name__}: {len(lines):,} samples"
        return Loaded(Samples.by_split(samples), "\n  ".join([title, *counts_of(samples)]))

    def _line(self, split: str, n: int) -> Sample:
        """Return line n of a split."""
        split_number = SPLITS.index(split)
        bounds = (self.min_characters, self.max_characters)
        generator = np.random.default_rng([self.seed, split_number, LINE_STREAM, n])
        draws = corpus.Draws(generator)
        num_writers = self.writers if split == "train" else max(1, self.writers // 4)
        writer_number = draws.between(0, num_writers - 1)
        if self.signs and draws.chance(self.signs):
            text = corpus.sign(draws)
        else:
            text = corpus.running_text(draws, split_number, *bounds, self.symbols)
        writer = self.invent(split_number, writer_number)
        glyphs = None
        if self.damaged and split == "train" and draws.chance(self.damaged):
            glyphs = writer.glyphs(text)
            text, paths = with_damage(text, [glyph.path for glyph in glyphs], generator)
            glyphs = [g._replace(path=path) for g, path in zip(glyphs, paths, strict=True)]
        ink = write(text, writer, generator, self.rate, glyphs)
        return Sample(ink, text, f"{split}-{n:06d}", writer=f"{split}-writer-{writer_number:03d}")

    def invent(self, split: int, number: int) -> FontWriter:
        """Return writer `number` of a split; `split` is an index in `SPLITS`."""
        generator = np.random.default_rng([self.seed, split, WRITER_STREAM, number])
        fonts = [font for font in FONTS if self.fonts is None or font in self.fonts]
        return FontWriter.invent(generator, fonts, self.shapes)

    @property
    def characters(self) -> str:
        """All printable ASCII, or the characters of plain sentences if `symbols` and `signs` are 0;
        and `WRONG` if `damaged` is not 0."""
        has_all = self.symbols or self.signs
        characters = "".join(FONT_CHARACTERS) if has_all else corpus.PLAIN_CHARACTERS
        return characters + WRONG if self.damaged else characters


def embedded_digit(digit: int, generator: np.random.Generator, writer: FontWriter) -> np.ndarray:
    """Return a digit of an invented writer as MNIST's stroke data has it, `(points, 3)` float32.

    The digit's longer side is 20 pixels, and the digit lies in the middle of the image. Within
    strokes the pen moves by one pixel at a time; the first offset is from the image's corner.
    """
    strokes = to_strokes(to_path(write(str(digit), writer, generator, rate=75.0)))
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = DIGIT_SIZE / (high - low).max()
    pixels = []
    for stroke in strokes:
        stroke = (stroke - (low + high) / 2) * scale + DIGIT_IMAGE_SIZE / 2
        if len(stroke) > 1:  # A quarter of a pixel a step, so that no pixel is left out.
            stroke = resample(stroke, 0.25)
        grid = np.rint(stroke)
        has_moved = (np.diff(grid, axis=0) != 0).any(axis=1)
        is_kept = np.concatenate([[True], has_moved])
        pixels.append(grid[is_kept])
    ink = to_ink(from_strokes(pixels))
    first_stroke = pixels[0]
    ink[0, :2] = first_stroke[0]  # the offset from the image's corner
    return ink


def embedded_digits(size: int) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """Yield `size` digits of "train", and then a sixth as many, at least 10, of "test": the split,
    the index in the split, the digit, and its ink."""
    counts = {"train": size, "test": max(10, size // 6)}
    for split_number, (split, count) in enumerate(counts.items()):
        title = f"writing digits for {split}"
        for n in distributed.bar(range(count), title, unit=" digits", delay=1):
            generator = np.random.default_rng([0, split_number, n])
            writer = FontWriter.invent(generator, list(FONTS))
            digit = int(generator.integers(10))
            yield split, n, digit, embedded_digit(digit, generator, writer)
