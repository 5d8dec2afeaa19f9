import numpy as np
import pytest

from data_loader import CutLongSteps, FillMissing, Rotate, Scale, Slant, Stretch, Warp
from tests.data_loader.transforms.applied import applied
from utils.checks import ConfigFault

INK = np.array([[0, 0, 0], [3, 6, 0], [9, -3, 1], [300, 400, 0], [30, 40, 1]], dtype=np.float32)


def test_fill_missing_interpolates_within_a_stroke():
    missing = np.array([0, 0, 2, 0, 0], dtype=np.uint8)
    ink, left = applied(FillMissing(), INK, missing=missing)
    thirds = [[3, -1, 0], [3, -1, 0], [3, -1, 1]]
    assert ink.tolist() == [[0, 0, 0], [3, 6, 0], *thirds, [300, 400, 0], [30, 40, 1]]
    assert not left.any()
    capped, _ = applied(FillMissing(max_missing=2), INK, missing=missing * 50)
    assert (capped == ink).all()
    jumps = np.array([4, 0, 0, 7, 0], dtype=np.uint8)  # and before the first point
    assert (applied(FillMissing(), INK, missing=jumps)[0] == INK).all()


def test_cut_long_steps_keeps_direction_and_pen():
    ink, _ = applied(CutLongSteps(threshold=50.0), INK)
    assert ink[3].tolist() == pytest.approx([30, 40, 0])
    assert ink[4].tolist() == [30, 40, 1]
    assert (ink[:3] == INK[:3]).all()


@pytest.mark.parametrize(("kind", "columns"), [(Scale, 2), (Stretch, 1)])
def test_factors_stay_between_their_bounds(kind, columns):
    factors = []
    for seed in range(200):
        ink, _ = applied(kind(low=0.5, high=2.0), INK, seed=seed)
        factors.append(ink[1, 0] / INK[1, 0])
        np.testing.assert_allclose(ink[:, :columns], INK[:, :columns] * factors[-1], rtol=1e-5)
        assert (ink[:, columns:] == INK[:, columns:]).all()
    assert 0.5 <= min(factors) < 0.6 and 1.8 < max(factors) <= 2  # fails by 1 in 10^10
    # As often smaller as larger: 200 draws lie within 4 standard deviations of one half.
    assert abs(np.mean(np.array(factors) < 1) - 0.5) < 4 * 0.5 / 200**0.5


def test_bounds_the_wrong_way_round_are_refused():
    with pytest.raises(ConfigFault, match=r"low = 2.0: at most high, which is 1.0"):
        Scale(low=2.0, high=1.0)
    with pytest.raises(ConfigFault, match="shortest"):
        Warp(shortest=3.0, longest=2.0)


def test_slant_leaves_level_lines_and_leans_upright_lines():
    ink = np.array([[0, 0, 0], [10, 0, 0], [0, -10, 1]], dtype=np.float32)  # right, then up
    leans = []
    for seed in range(200):
        slanted, _ = applied(Slant(degrees=45.0), ink, seed=seed)
        assert slanted[1].tolist() == [10, 0, 0] and slanted[2, 1] == -10
        angle = np.random.default_rng(seed).uniform(-45, 45)  # positive: to the right
        leans.append(slanted[2, 0])
        assert leans[-1] == pytest.approx(10 * np.tan(np.radians(angle)), rel=1e-5)
    assert -10 <= min(leans) < -8 and 8 < max(leans) <= 10  # fails by 1 in 10^4


def test_rotate_keeps_lengths_and_turns_all_steps_alike():
    angles = []
    for seed in range(200):
        ink, _ = applied(Rotate(degrees=30.0), INK, seed=seed)
        before = INK[1:, 0] + 1j * INK[1:, 1]
        turned = (ink[1:, 0] + 1j * ink[1:, 1]) / before
        np.testing.assert_allclose(turned, turned[0], rtol=1e-4)
        assert abs(turned[0]) == pytest.approx(1, abs=1e-5)
        angles.append(np.degrees(np.angle(turned[0])))
    assert -30.01 <= min(angles) < -27 and 27 < max(angles) <= 30.01  # fails by 1 in 10^4


def test_warp_moves_points_by_its_amplitude_in_heights_of_the_letters():
    """Of a line of zigzags of height 30, 200 times as long."""
    ink = np.zeros((400, 3), dtype=np.float32)
    ink[1:, 0] = 15
    ink[1::2, 1] = 30
    ink[2::2, 1] = -30
    ink[-1, 2] = 1
    moves = []
    for seed in range(40):
        warped, _ = applied(Warp(amplitude=0.2), ink, seed=seed)
        assert (warped[:, 2] == ink[:, 2]).all() and not warped[0, :2].any()
        moves.append(np.cumsum(warped[:, :2] - ink[:, :2], axis=0, dtype=np.float64))
    moves = np.stack(moves)
    moves -= moves.mean(axis=1, keepdims=True)  # the first place is moved as well
    # 40 lines of 17 or more wave lengths: hardly ever 15 % off.
    assert moves.std(axis=(0, 1)) == pytest.approx([0.2 * 30, 0.2 * 30], rel=0.15)
