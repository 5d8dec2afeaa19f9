import numpy as np
import pytest
import torch

from ink.normalisation import Normalisation
from utils.checks import DataError


def test_mean_and_std_are_those_of_all_offsets_but_the_first_of_each_ink():
    # The offsets (2, 1), (4, 1), (6, 7) have the means 12 / 3 = 4 and 9 / 3 = 3, and the variances
    # (4 + 0 + 4) / 3 and (4 + 4 + 16) / 3.
    inks = [
        np.array([[500, 500, 0], [2, 1, 0], [4, 1, 1]], np.float32),
        np.array([[-70, 20, 0], [6, 7, 1]], np.float32),
    ]
    fitted = Normalisation.fit(iter(inks))
    assert fitted.mean == pytest.approx((4, 3), rel=1e-12)
    assert fitted.std == pytest.approx(((8 / 3) ** 0.5, 8**0.5), rel=1e-12)


def test_std_keeps_its_digits_about_a_large_mean():
    # In float32, or as mean(x^2) - mean(x)^2, a deviation of 3 about a million is lost.
    generator = np.random.default_rng(3)
    inks = [generator.normal((1e6, -2, 0), (3, 0.5, 1), (n, 3)) for n in (1, 90, 3, 40, 66)]
    inks = [ink.astype(np.float32) for ink in inks]
    offsets = np.concatenate([ink[1:, :2] for ink in inks]).astype(np.longdouble)
    fitted = Normalisation.fit(inks)
    np.testing.assert_allclose(fitted.std, offsets.std(axis=0).astype(float), rtol=1e-9)


@pytest.mark.parametrize(
    ("inks", "message"),
    [
        ([], "no offsets"),
        ([np.zeros((1, 3))], "no offsets"),
        ([np.array([[0, 0, 0], [1, 5, 0], [2, 5, 1]])], "both must be above 0"),
        ([np.array([[0, 0, 0], [1, 5, 0], [np.nan, 6, 1]])], "two finite numbers"),
    ],
)
def test_offsets_that_are_missing_or_never_differ_or_not_finite_are_refused(inks, message):
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
def test_broken_values_of_a_checkpoint_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        Normalisation.from_dict(values)


def test_the_log_loss_offset_of_another_unit_is_as_much_as_the_log_densities_of_torch():
    stds, x = torch.tensor([[20.0, 5.0], [40.0, 8.0]]), torch.tensor([7.0, -2.0])
    gaussian = torch.distributions.Normal(torch.zeros(2), 10.0 / stds)
    own, other = gaussian.log_prob(x / stds).sum(1)
    shift = Normalisation((3.0, 1.0), (20.0, 5.0)).log_loss_offset((40.0, 8.0))
    assert shift == pytest.approx(float(own - other), abs=1e-5)


def test_apply_and_invert_change_offsets_of_a_copy_in_float32():
    ink = np.array([[0, 0, 0], [5, 1, 1]], np.float32)
    normalisation = Normalisation((1, -1), (2, 0.5))
    applied = normalisation.apply(ink)
    inverted = normalisation.invert(applied)
    assert applied.tolist() == [[-0.5, 2, 0], [2, 4, 1]]
    assert inverted.tolist() == ink.tolist() == [[0, 0, 0], [5, 1, 1]]
    assert applied.dtype == inverted.dtype == np.float32
