import numpy as np
import pytest

from data_loader.synthetic.embedded import FontWriter, write
from data_loader.synthetic.stroke_fonts import FONTS
from data_loader.transforms.augmentation import FillMissing
from data_loader.transforms.slips import RemoveSlips
from tests.data_loader.transforms.applied import applied
from utils.ink import from_strokes, strokes, to_points, x_height


def line(text="a quick word", font="print", seed=0, **hand):
    writer = FontWriter.invent(np.random.default_rng([seed, 1]), [font])
    return write(text, FontWriter(**vars(writer) | hand), np.random.default_rng(seed), 75.0)


def cleaned(ink, missing=None, **options):
    return applied(RemoveSlips(**options), ink, missing)


def with_glitch(pieces, place, count, jump):
    """Return the strokes, the longest of which is elsewhere for `count` points from `place`."""
    changed = [stroke.copy() for stroke in pieces]
    max(changed, key=len)[place : place + count] += jump
    return changed


@pytest.mark.parametrize("count", [1, 2, 3])
def test_glitches_go_and_their_time_stays(count):
    ink = line()
    pieces, height = strokes(ink), x_height(ink)
    slipped = from_strokes(with_glitch(pieces, 8, count, (1.5 * height, height)))
    result, gaps = cleaned(slipped)
    sizes = list(map(len, pieces))
    start = sum(sizes[: np.argmax(sizes)]) + 8
    expected = np.delete(to_points(ink), range(start, start + count), axis=0)
    np.testing.assert_allclose(to_points(result), expected - expected[0], atol=0.02)
    assert gaps[start] == count and gaps.sum() == count
    filled, _ = FillMissing()(result, gaps, np.random.default_rng(0))
    assert len(filled) == len(ink) and (filled[:, 2] == ink[:, 2]).all()
    assert len(cleaned(slipped, jump=0.0)[0]) == len(ink)
    missing = np.zeros(len(ink), dtype=np.uint8)
    missing[start] = 250
    assert cleaned(slipped, missing)[1].sum() <= 250  # it had the time: no glitch


def test_long_steps_that_are_no_glitches_stay():
    pieces, far = strokes(line()), 2 * x_height(line())
    longer = with_glitch(pieces, 8, 4, (far, 0))
    turned = with_glitch(pieces, 8, 1000, (far, 0))  # never back
    ends = with_glitch(pieces, 0, 1, (far, 0))  # a bar may begin with a long step
    fast = [np.cumsum([[0, 0], *[[15, 90], [15, -90]] * n], axis=0) for n in (1, 2, 5)]  # v, w
    corner = with_glitch(with_glitch(pieces, 8, 1, (far, 0)), 9, 1000, (far, far))
    for positions in (longer, turned, ends, corner, *([one] for one in fast)):
        assert len(cleaned(from_strokes(positions))[0]) == sum(map(len, positions))


def test_taps_on_the_next_stroke_go():
    ink = line()
    pieces, size = strokes(ink), x_height(ink)
    tap = pieces[3][:1] + 0.05 * size
    bounced = [*pieces[:3], tap, tap + 0.01 * size, *pieces[3:]]
    result, gaps = cleaned(from_strokes(bounced))
    np.testing.assert_allclose(to_points(result), to_points(ink), atol=0.02)
    assert gaps.sum() == 2 and gaps[sum(map(len, pieces[:3]))] == 2
    assert len(cleaned(from_strokes(bounced), tap=0.0)[0]) == len(ink) + 2
    first, gaps = cleaned(from_strokes([pieces[0][:1], *pieces]))
    np.testing.assert_allclose(to_points(first), to_points(ink), atol=0.02)
    assert (first[0] == [0, 0, 0]).all() and not gaps.any()
    dot = tap + np.array([1, -2]) * size
    twice = from_strokes([*pieces, dot, dot + 0.02 * size])
    assert len(cleaned(twice)[0]) == len(ink) + 1


def test_dots_and_short_bars_stay():
    ink = line()
    pieces, size = strokes(ink), x_height(ink)
    end = pieces[-1][-1]
    stop = end + np.array([[0.02, 0.02]]) * size  # a full stop that touches the last letter
    bar = end + np.array([[-0.04, 0], [0, 0], [0.04, 0]]) * size  # a short bar across a stem
    diaeresis = end + np.array([[[0.5, -1.5]], [[0.8, -1.5]]]) * size
    for marks in ([stop], [bar], [stop, stop + np.array([0.3, 0]) * size], diaeresis):
        positions = [*pieces, *marks]
        assert len(cleaned(from_strokes(positions))[0]) == sum(map(len, positions))


@pytest.mark.parametrize("font", FONTS)
def test_marks_of_every_font_stay(font):
    for seed, text in enumerate(["i.j;:!?,'\"-_=%", "it's \"his\" - I'll, i.e. jij;", "f.i:!j..."]):
        ink = line(text, font, seed)
        assert len(cleaned(ink)[0]) == len(ink)


def test_no_more_points_than_a_byte_holds_are_missing():
    """200 missing before a tap, the tap and 100 behind it are 301, and counted as 255."""
    pieces = strokes(line())
    slipped = from_strokes([*pieces[:3], pieces[3][:1], *pieces[3:]])
    tap = sum(map(len, pieces[:3]))
    missing = np.zeros(len(slipped), dtype=np.uint8)
    missing[tap : tap + 2] = 200, 100
    result, gaps = cleaned(slipped, missing)
    assert len(result) == len(slipped) - 1 and gaps[tap] == gaps.sum() == 255
