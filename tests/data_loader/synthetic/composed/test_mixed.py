from dataclasses import replace

import numpy as np
import pytest

from base.base_dataset import SPLITS, mapped
from data_loader import CutLongSteps, EmbeddedDataset, MixedDataset
from data_loader.sources.own_ink import OwnInk
from data_loader.synthetic.composed.mixed import inks_side_by_side, word_numbers
from ink.geometry import from_strokes, to_points, x_height
from utils.checks import ConfigFault, DataError


class Large(OwnInk):
    """Zigzags 300 units high, on a grid of 1, as a device with whole numbers has them."""

    canonical = (40.0, 30.0)
    quantisation_step = 1.0

    def lines(self):
        for n in range(60):
            x = np.arange(40) * 50
            yield "wwww", [list(zip(x, (np.arange(40) % 2) * (300 + n), strict=True))]

    def preprocessing(self):
        return [CutLongSteps(threshold=250.0)]


class Gaps(OwnInk):
    """Lines of which every third point has one missing before it, and that do not end."""

    def lines(self):
        yield from ((f"gaps {n}", [[(m, m % 5) for m in range(30)]]) for n in range(40))

    def load(self, splits=SPLITS):
        return cut_off(super().load(splits), lambda ink: np.arange(30) % 3 == 0)


class Words(OwnInk):
    """Lines of zigzags, one for each letter, a letter wide; words stand two letters apart."""

    TEXTS = ("aa bbb cc dddd", "ee ff ,", "ggg hh ii j", "kkkk", "ll mmm nn")

    def lines(self):
        for number, text in enumerate(self.TEXTS * 8):  # Equal lines would be in one split.
            widths = [200 if letter == " " else 100 for letter in text]
            lefts = np.cumsum([0, *widths[:-1]])[np.array([*text]) != " "]
            yield (
                text,
                [
                    [(x + 8 * m, (300 + number) * (m % 2)) for m in range(10)]
                    for x in lefts.tolist()
                ],
            )

    def load(self, splits=SPLITS):
        # The missing points tell where a point is from.
        return cut_off(super().load(splits), lambda ink: np.arange(len(ink)))


def cut_off(loaded, missing):
    """Return what was loaded, of lines that do not end and have missing points."""

    def cut(line):
        return [replace(line, ends=False, missing=missing(line.ink).astype(np.uint8))]

    return replace(loaded, samples=mapped(loaded.samples, cut))


def embedded(**options):
    return EmbeddedDataset(**{"size": 20, "valid_size": 2, "test_size": 2, **options})


def mixed(dataset, added, **options):
    return MixedDataset(dataset=dataset, added=added, **options).load()


def new_lines(loaded, kind):
    """Return the lines that join the training, of "added", "joined" or "piece"."""
    return [line for line in loaded.split("train") if line.name.startswith(kind)]


def test_lines_are_added_to_the_training_alone():
    main, added = Large().load(), embedded(symbols=1.0).load().split("train")
    dataset = MixedDataset(dataset=Large(), added=embedded(symbols=1.0), joined=7)
    loaded = dataset.load()
    for split in ("valid", "test"):
        names = [line.name for line in main.split(split)]
        assert [line.name for line in loaded.split(split)] == names
        assert [line.name for line in dataset.load([split]).split(split)] == names
    assert len(loaded.split("train")) == len(main.split("train")) + 20 + 7
    assert (loaded.canonical, loaded.quantisation_step) == ((40.0, 30.0), 1.0)
    assert [type(other) for other in dataset.preprocessing()] == [CutLongSteps]
    assert len({line.name for line in loaded.used}) == len(loaded.used)
    assert [line.text for line in new_lines(loaded, "added")] == [line.text for line in added]
    assert "added to the training: 20 lines of EmbeddedDataset" in loaded.report
    assert "7 joined lines" in loaded.report


def test_added_lines_get_the_x_height_and_the_grid_of_the_recorded_lines():
    source = embedded(size=80, writers=80, symbols=0.0)
    lines, own = new_lines(mixed(Large(), source), "added"), source.load().split("train")
    heights = [x_height(line.ink) for line in lines]
    # 330 is the median of the zigzags; rounding moves a point by half a unit at most.
    assert np.median(heights) == pytest.approx(330, rel=0.05)
    factors = np.array(heights) / [x_height(line.ink) for line in own]
    np.testing.assert_allclose(factors, 330 / EmbeddedDataset.x_height, rtol=0.05)
    for line, other in zip(lines, own, strict=True):
        ink = line.ink
        assert not ink[0, :2].any() and np.array_equal(ink[:, :2], np.rint(ink[:, :2]))
        assert np.array_equal(ink[:, 2], other.ink[:, 2])


def test_a_joined_line_holds_a_recorded_and_an_added_line_side_by_side():
    added, behind = embedded(symbols=1.0), 0
    texts = {line.text for line in added.load().split("train")}
    for line in new_lines(mixed(Large(), added, joined=30), "joined"):
        ink, text = line.ink, line.text
        first = text.startswith("wwww ")
        behind += first
        assert first or text.endswith(" wwww")
        assert text.replace("wwww", "").strip() in texts
        seam = 40 if first else len(ink) - 40  # points of a zigzag
        left, right = np.split(to_points(ink)[:, 0], [seam])
        assert ink[seam - 1, 2] == 1
        assert 0.7 * 300 < right.min() - left.max() < 1.9 * 360
    assert 5 < behind < 25  # outside with a chance of 3 in 10,000


def test_a_joined_line_goes_on_at_the_height_at_which_a_rising_line_ends():
    rising, level = np.zeros((2, 101, 3), dtype=np.float32)
    rising[1:, :2], level[1:, 0] = (10, -1), 10
    points = to_points(inks_side_by_side(rising, level, height=5.0, gap=30.0))
    # The last 20 units of the first line lie at -98 to -100, their median is -99.
    assert points[101:, 1].tolist() == [-99.0] * 101
    assert points[101:, 0].tolist() == (1030 + 10.0 * np.arange(101)).tolist()


def test_missing_points_and_the_end_of_a_joined_line_are_those_of_its_parts():
    source = embedded()
    for main, added in ((Gaps(), source), (source, Gaps())):
        dataset = mixed(main, added, joined=12)
        assert all(line.ends == (added is source) for line in new_lines(dataset, "added"))
        for line in new_lines(dataset, "joined"):
            last_is_gaps = line.text.split()[-2] == "gaps"
            assert line.ends == (not last_is_gaps)
            start = len(line.ink) - 30 if last_is_gaps else 0
            # The first point of a part has the jump before it, whatever was missing there.
            gaps = np.flatnonzero(line.missing)
            assert gaps.tolist() == (start + np.arange(3, 30, 3)).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"added": embedded(), "alone": False}, "joined = 0: at least 1 where `alone` is false"),
        ({"joined": 3}, "joined = 3: 0 without `added`"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ConfigFault, match=message):
        MixedDataset(dataset=Large(), **options)


def test_pieces_have_up_to_three_words_of_a_line():
    dataset = mixed(Words(), None, pieces=60)
    lengths = set()
    whole = {line.name: line for line in Words().load().split("train")}
    for piece in new_lines(dataset, "piece"):
        text = piece.text
        name = piece.name
        ink = piece.ink
        line = whole[name.partition("/")[2].partition("[")[0]]
        words, count = line.text.split(), len(text.split())
        lengths.add(count)
        start = next(m for m in range(9) if words[m : m + count] == text.split())
        assert name.endswith(f"[{start}:{start + count}]") and count < len(words)
        assert text not in (",", "j")  # of a lone comma or stem nobody knows how high it stands
        # Each character is ten points: the piece's stand behind those of the words before it.
        first = 10 * len("".join(words[:start]))
        rows = slice(first, first + 10 * len(text.replace(" ", "")))
        expected = to_points(line.ink)[rows]
        np.testing.assert_array_equal(to_points(ink), expected - expected[0])
        np.testing.assert_array_equal(ink[:, 2], line.ink[rows, 2])
        assert piece.missing.tolist() == [0, *range(rows.start + 1, rows.stop)]
        assert piece.ends == (start + count < len(words))
    assert len(new_lines(dataset, "piece")) == 60
    assert lengths == {1, 2, 3} and "60 pieces" in dataset.report


def test_pieces_need_words_that_stand_apart():
    with pytest.raises(DataError, match="pieces: no line of Large has clearly separated words"):
        mixed(Large(), embedded(), pieces=3)


def numbers(text, *edges):
    """Return the word of each of some level strokes from a left edge to a right one."""
    strokes = [np.array([(a, 0), ((a + b) / 2, 5), (b, 0)]) for a, b in edges]
    words = word_numbers(from_strokes(strokes), text)
    return None if words is None else words[::3].tolist()


# Gaps of 2 within the words, of 6 and 5 between them.
LINE = (0, 20), (22, 40), (46, 80), (82, 100), (105, 125)


@pytest.mark.parametrize(
    ("text", "edges", "words"),
    [
        ("four fours it", LINE, [0, 0, 1, 1, 2]),
        # The bar of a t, and a dot to the left of the last word's first stroke.
        ("this will pass", [(0, 40), (50, 90), (100, 140), (15, 30), (97, 99)], [0, 1, 2, 0, 2]),
        # The third stroke touches the long first one; the second lies far before it.
        ("abcd ef", [(0, 10), (1, 2), (9, 12), (15, 21)], [0, 0, 0, 1]),
        # A gap of 4 within the second word is no narrower than the 4.5 / 1.3 that is asked for.
        ("four four more", [(0, 40), (46, 62), (66, 80), (84.5, 120)], None),
        ("four four more", [(0, 40), (46, 62), (65, 80), (84.5, 120)], [0, 1, 1, 2]),
        # More words than strokes, or words that touch or overlap.
        ("one two three", [(0, 40), (60, 100)], None),
        ("", [(0, 40)], None),
        # The first word would be the one at the right.
        ("\u05d0\u05d1\u05d2 \u05d3\u05d4\u05d5", [(0, 40), (60, 100)], None),
        # A dash of its own that touches its word, and a gap inside another word instead.
        ("confused, clear -", [(0, 40), (50, 70), (80, 170)], None),
        # An i and an m may be half and twice as wide as others.
        ("i am so", [(0, 5), (20, 50), (65, 85)], [0, 1, 2]),
    ],
)
def test_words_lie_between_the_widest_gaps_or_are_not_guessed(text, edges, words):
    assert numbers(text, *edges) == words
