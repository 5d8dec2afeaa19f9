"""What transforms make of ink, and what is true of all of them."""

import numpy as np


def applied(transform, ink, missing=None, seed=0):
    """Return the ink and the missing points that a transform makes; the given ink stays."""
    before = ink.copy()
    missing = np.zeros(len(ink), dtype=np.uint8) if missing is None else missing
    result, left = transform(ink, missing, np.random.default_rng(seed))
    np.testing.assert_array_equal(ink, before)
    assert result.dtype == np.float32 and left.dtype == np.uint8 and len(left) == len(result)
    return result, left
