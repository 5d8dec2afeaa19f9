"""The files of pages."""

from types import SimpleNamespace

from PIL import Image

from commands.page_files import save
from utils.page.page import Page


def test_a_picture_has_the_pixels_that_are_asked_for(tmp_path):
    """A sheet of 4 by 2 inches."""
    for dpi, size in ((50, (200, 100)), (None, (1200, 600))):
        path = tmp_path / f"{dpi}.png"
        arguments = SimpleNamespace(dpi=dpi, nib=False)
        assert save(arguments, path, iter([Page(101.6, 50.8)])) == [path]
        with Image.open(path) as picture:
            assert picture.size == size
