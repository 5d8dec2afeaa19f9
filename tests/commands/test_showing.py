"""What `write --set show=...` draws, and for which networks."""

import numpy as np
import pytest
from PIL import Image

from tests.commands.networks import names, save, write
from utils.checks import UserError

pytestmark = pytest.mark.pages


@pytest.mark.slow
def test_pictures_are_drawn_on_request(conditional, unconditional, tmp_path):
    shown = ("--set", "show=window", "--set", "show=density,weights")
    write(conditional, tmp_path / "a", "--text", "ab", "--steps", 15, *shown)
    kinds = ("-density.png", "-weights.png", "-window.png", ".png", ".svg")
    assert names(tmp_path / "a") == [f"conditional-ab-seed0{kind}" for kind in kinds]
    words = ("--num-samples", 1, "--steps", 15, "--set", "show=weights")
    write(unconditional, tmp_path / "b", *words)
    assert names(tmp_path / "b")[0] == "unconditional-seed0-weights.png"
    for path in tmp_path.glob("?/*-[dw]*.png"):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5, path.name


def test_a_picture_that_a_network_cannot_give_is_refused(unconditional, tmp_path):
    with pytest.raises(UserError, match="no window over a text: leave out show=window"):
        write(unconditional, tmp_path / "out", "--set", "show=window")
    path = save(tmp_path / "c.pth", "SynthesisNetwork", head="regression")
    for kind in ("density", "weights"):
        with pytest.raises(UserError, match=f"regression head.*leave out show={kind}"):
            write(path, tmp_path / "out", "--set", f"show={kind}")
    assert not (tmp_path / "out").exists()
    write(path, tmp_path / "out", "--steps", 20, "--set", "show=window")
    assert len(list((tmp_path / "out").glob("*-window.png"))) == 1
