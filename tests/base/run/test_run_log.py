"""What a run does around its pictures."""

import gc
import weakref

import pytest
from tiny_run import make


class Figure:
    """Refers to itself, as figures do."""

    def __init__(self):
        self.canvas = self


@pytest.fixture(params=[False, True])
def is_frozen(request):
    """Whether somebody has frozen all objects, as the program of the tests does."""
    gc.freeze()
    if not request.param:
        gc.unfreeze()
    yield request.param
    gc.freeze()


def test_a_picture_is_freed_after_its_epoch_without_a_look_at_all_else(tmp_path, is_frozen):
    """A collection that looks at all modules and data takes longer than a short epoch."""
    trainer = make(tmp_path)
    before = weakref.ref(Figure())
    with trainer.run_log.drawing(1):
        drawn = weakref.ref(Figure())
        gc.collect(1)  # Many objects are made in a drawing, so that the figure is an old one.
    assert drawn() is None and (before() is None) == is_frozen
    assert (gc.get_freeze_count() > 0) == is_frozen
    gc.collect()
    assert before() is None
