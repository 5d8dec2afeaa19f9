import numpy as np
import pytest
import torch

from utils.checks import DataError
from utils.normalisation import Normalisation


def random_inks(count=7, shift=0.0):
    generator = np.random.default_rng(3)
    return [
        np.column_stack(
            [
                generator.normal(shift, 3, points),
                generator.normal(-2, 0.5, points),
                generator.integers(0, 2, points),
            ]
        ).astype(np.float32)
        for points in generator.integers(1, 90, count)
    ]


def test_fit_by_hand():
    # The offsets that count are (2, 1), (4, 1), (6, 7): first rows are no movement.
    # Means 12/3 = 4 and 9/3 = 3; squared distances 4+0+4 and 4+4+16, so variances 8/3 and 8.
    inks = [
        np.array([[500, 500, 0], [2, 1, 0], [4, 1, 1]], np.float32),
        np.array([[-70, 20, 0], [6, 7, 1]], np.float32),
    ]
    fitted = Normalisation.fit(iter(inks))
    assert fitted.mean == pytest.approx((4, 3), rel=1e-12)
    assert fitted.std == pytest.approx(((8 / 3) ** 0.5, 8**0.5), rel=1e-12)


def test_fit_does_not_lose_digits_to_a_large_mean():
    # In float32, or as mean(x^2) - mean(x)^2, a deviation of 3 about a million is lost.
    inks = random_inks(shift=1e6)
    exact = np.concatenate([ink[1:, :2] for ink in inks]).astype(np.longdouble)
    np.testing.assert_allclose(
        Normalisation.fit(inks).std, exact.std(axis=0).astype(float), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("inks", "message"),
    [
        ([], "no offsets"),
        ([np.zeros((1, 3))], "no offsets"),
        ([np.array([[0, 0, 0], [1, 5, 0], [2, 5, 1]])], "both must be above 0"),
        ([np.array([[0, 0, 0], [1, 5, 0], [np.nan, 6, 1]])], "two finite numbers"),
    ],
)
def test_fit_refuses_what_cannot_be_normalised(inks, message):
    with pytest.raises(DataError, match=message):
        Normalisation.fit(inks)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mean": [0, 0]}, "should have the keys 'mean' and 'std'"),
        ({"mean": [0, 0], "std": [1, 1, 1]}, "std is .* two finite numbers"),
        ({"mean": None, "std": [1, 1]}, "mean is None; two finite numbers"),
        ({"mean": [10**400, 0], "std": [1, 1]}, r"mean is .{1,80}; two finite numbers"),
        (["a" * 10**6] * 3, r"normalisation: .{1,80} should have the keys"),
    ],
)
def test_from_dict_refuses_broken_values(values, message):
    with pytest.raises(DataError, match=message):
        Normalisation.from_dict(values)


def test_nats_in_another_unit_by_torch_s_own_densities():
    """The same Gaussian in both units: the log-densities differ by the factor of the units."""
    own, unit = (20.0, 5.0), (40.0, 8.0)
    shift = Normalisation((3.0, 1.0), own).nats_in(unit)
    x = torch.tensor([7.0, -2.0])
    density = [
        torch.distributions.Normal(torch.zeros(2), 10.0 / torch.tensor(scale))
        .log_prob(x / torch.tensor(scale))
        .sum()
        for scale in (own, unit)
    ]
    assert float(density[0] - density[1]) == pytest.approx(shift, abs=1e-5)


def test_apply_and_invert_by_hand_leave_the_pen_and_the_argument_alone():
    ink, before = (np.array([[0, 0, 0], [5, 1, 1]], np.float32) for _ in range(2))
    normalisation = Normalisation((1, -1), (2, 0.5))
    applied = normalisation.apply(ink)
    assert applied.tolist() == [[-0.5, 2, 0], [2, 4, 1]] and (ink == before).all()
    inverted = normalisation.invert(applied)
    assert inverted.tolist() == before.tolist()
    assert applied.dtype == inverted.dtype == np.float32
