import numpy as np
import pytest

from data_loader import CutLongSteps, EmbeddedDataset, MixedDataset
from data_loader.sources.own_ink import OwnInk
from data_loader.synthetic.mixed import join
from utils.checks import ConfigFault, DataError
from utils.ink import to_points, x_height


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

    def missing(self, index):
        return (np.arange(30) % 3 == 0).astype(np.uint8)

    def ends(self, index):
        return False


class Words(OwnInk):
    """Lines of zigzags, one for each letter, a letter wide; words stand two letters apart."""

    TEXTS = ("aa bbb cc dddd", "ee ff ,", "ggg hh ii j", "kkkk", "ll mmm nn")

    def lines(self):
        for n in range(40):
            x, strokes = 0, []
            for character in self.TEXTS[n % 5]:
                if character == " ":
                    x += 200
                else:
                    strokes.append([(x + 8 * m, 300 * (m % 2)) for m in range(10)])
                    x += 100
            yield self.TEXTS[n % 5], strokes

    def missing(self, index):
        return np.arange(len(self.ink(index))).astype(np.uint8)  # tells where a point is from

    def ends(self, index):
        return False


def embedded(**options):
    return EmbeddedDataset(**{"size": 20, "valid_size": 2, "test_size": 2, **options})


def mixed(dataset, added, **options):
    dataset = MixedDataset(dataset=dataset, added=added, **options)
    dataset.prepare()
    return dataset


def test_lines_join_the_training_alone():
    dataset = mixed(Large(), embedded(symbols=1.0), joined=7)
    main, added = dataset.dataset, dataset.added
    for split in ("valid", "test"):
        assert dataset.indices(split).tolist() == main.indices(split).tolist()
    assert len(dataset.indices("train")) == len(main.indices("train")) + 20 + 7
    assert (dataset.canonical, dataset.quantisation_step) == ((40.0, 30.0), 1.0)
    assert [type(one) for one in dataset.preprocessing()] == [CutLongSteps]
    assert len({dataset.name(n) for n in range(len(dataset))}) == len(dataset)
    assert [dataset.text(60 + n) for n in range(20)] == [added.text(n) for n in range(20)]
    assert "joins the training: 20 lines of EmbeddedDataset" in dataset.report()
    assert "7 lines made of both" in dataset.report()


def test_x_heights_are_matched_and_points_lie_on_the_grid():
    dataset = mixed(Large(), embedded(size=80, writers=80, symbols=0.0))
    heights = [x_height(dataset.ink(60 + n)) for n in range(80)]
    # 330 is the median of the zigzags; rounding moves a point by half a unit at most.
    assert np.median(heights) == pytest.approx(330, rel=0.05)
    factors = np.array(heights) / [x_height(dataset.added.ink(n)) for n in range(80)]
    np.testing.assert_allclose(factors, 330 / EmbeddedDataset.x_height, rtol=0.05)
    # Signs are higher than small letters: where they are all there is, letters stay as high.
    signs = mixed(Large(), embedded(signs=1.0))
    of_signs = [x_height(signs.ink(60 + n)) / x_height(signs.added.ink(n)) for n in range(20)]
    assert np.median(of_signs) == pytest.approx(np.median(factors), rel=0.02)
    for n in range(60, 80):
        ink = dataset.ink(n)
        assert not ink[0, :2].any() and np.array_equal(ink[:, :2], np.rint(ink[:, :2]))
        assert np.array_equal(ink[:, 2], dataset.added.ink(n - 60)[:, 2])


def test_a_joined_line_holds_both_side_by_side():
    dataset = mixed(Large(), embedded(symbols=1.0), joined=30)
    behind = 0
    for n in range(80, 110):
        ink, text = dataset.ink(n), dataset.text(n)
        first = text.startswith("wwww ")
        behind += first
        assert first or text.endswith(" wwww")
        assert text.replace("wwww", "").strip() in {dataset.added.text(m) for m in range(20)}
        seam = 40 if first else len(ink) - 40  # points of a zigzag
        left, right = np.split(to_points(ink)[:, 0], [seam])
        assert ink[seam - 1, 2] == 1
        assert 0.7 * 300 < right.min() - left.max() < 1.9 * 360
    assert 5 < behind < 25  # outside with a chance of 3 in 10,000


def test_the_seam_is_level_where_a_line_rises():
    rising, level = np.zeros((2, 101, 3), dtype=np.float32)
    rising[1:, :2], level[1:, 0] = (10, -1), 10
    points = to_points(join(rising, level, height=5.0, gap=30.0))
    # The last 20 units of the first line lie at -98 to -100, their median is -99.
    assert points[101:, 1].tolist() == [-99.0] * 101
    assert points[101:, 0].tolist() == (1030 + 10.0 * np.arange(101)).tolist()


def test_gaps_and_ends_are_those_of_the_parts():
    source = embedded()
    for main, added in ((Gaps(), source), (source, Gaps())):
        dataset = mixed(main, added, joined=12)
        own, lent = len(main), len(added.indices("train"))
        assert dataset.ends(own) == (added is source)
        for n in range(own + lent, own + lent + 12):
            last_is_gaps = dataset.text(n).split()[-2] == "gaps"
            assert dataset.ends(n) == (not last_is_gaps)
            start = len(dataset.ink(n)) - 30 if last_is_gaps else 0
            # The first point of a part has the jump before it, whatever was missing there.
            gaps = np.flatnonzero(dataset.missing(n))
            assert gaps.tolist() == (start + np.arange(3, 30, 3)).tolist()


def test_a_digit_never_stands_close_to_a_letter():
    """A line is close unless a digit of what is lent would touch its letters."""
    added = embedded(size=60, signs=1.0)
    dataset = mixed(Large(), added, alone=False, joined=200, tight=1.0)
    assert len(dataset.indices("train")) == len(dataset.dataset.indices("train")) + 200
    kinds = {True: 0, False: 0}
    for n in range(len(dataset) - 200, len(dataset)):
        text = dataset.text(n)
        close = not (text.startswith("wwww ") or text.endswith(" wwww"))
        lent = text.removeprefix("wwww").removesuffix("wwww").strip()
        assert lent in set(map(added.text, range(60)))
        assert close != (lent[0] if text.startswith("wwww") else lent[-1]).isdigit()
        kinds[close] += 1
    assert min(kinds.values()) > 10  # fewer with a chance below 1 in a million


def test_lines_that_are_lent_to_none_are_refused():
    with pytest.raises(ConfigFault) as caught:
        MixedDataset(dataset=Large(), added=embedded(), alone=False)
    assert (caught.value.key, caught.value.value) == ("joined", 0)


def test_pieces_are_one_to_three_words_of_a_line():
    dataset = mixed(Words(), embedded(size=9, signs=1.0), pieces=60)
    own = dataset.dataset
    lengths = set()
    whole = {own.name(n): n for n in own.indices("train").tolist()}
    for n in range(49, 109):
        text, name, ink = dataset.text(n), dataset.name(n), dataset.ink(n)
        index = whole[name.partition("/")[2].partition("[")[0]]
        words = own.text(index).split()
        count = len(text.split())
        lengths.add(count)
        start = next(m for m in range(9) if words[m : m + count] == text.split())
        assert name.endswith(f"[{start}:{start + count}]") and count < len(words)
        assert text not in (",", "j")  # of a lone comma or stem nobody knows how high it stands
        # Each character is ten points: the piece's stand behind those of the words before it.
        first = 10 * len("".join(words[:start]))
        rows = slice(first, first + 10 * len(text.replace(" ", "")))
        expected = to_points(own.ink(index))[rows]
        np.testing.assert_array_equal(to_points(ink), expected - expected[0])
        np.testing.assert_array_equal(ink[:, 2], own.ink(index)[rows, 2])
        assert dataset.missing(n).tolist() == [0, *range(rows.start + 1, rows.stop)]
        assert dataset.ends(n) == (start + count < len(words))
    assert lengths == {1, 2, 3} and "60 pieces" in dataset.report()


def test_pieces_need_words_that_stand_apart():
    with pytest.raises(DataError, match="Large: no line has clearly separated words"):
        mixed(Large(), embedded(), pieces=3)
