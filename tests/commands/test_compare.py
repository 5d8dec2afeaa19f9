"""Networks without a text side by side."""

import pytest

from model import load, sample
from model.generation.options import Sampling
from tests.commands.networks import names, of_colour, save, use
from utils.checks import UserError
from utils.page.pen import INK


def compare(output, *words):
    use("compare", *words, "--output", output)


@pytest.mark.slow
def test_a_sheet_has_a_row_for_each_checkpoint(tmp_path, capsys):
    digits = {"type": "MNISTStrokesDataset", "args": {"root": "data/mnist_strokes", "digit": None}}
    paths = []
    for digit, bias in ((3, 4.0), (7, -30.0), (None, 30.0)):
        args = digits["args"] | {"digit": digit}
        paths.append(
            save(
                tmp_path / f"runs/mnist_single_digit/{digit}/model_best.pth",
                name="mnist_single_digit",
                dataset=digits | {"args": args},
                end_of_sequence=True,
                end_bias=bias,
            )
        )
    paths[-1] = paths[-1].parent  # a folder will do
    compare(tmp_path / "out", *paths, "--num-samples", 4, "--steps", 60, "--seed", 5)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mnist_single_digit-sheet.png"]
    printed = capsys.readouterr().out.splitlines()
    model = load(paths[0], "cpu").model
    ended = sum(
        line.ended for line in sample(model, range(5, 9), sampling=Sampling(bias=0.5, max_steps=60))
    )
    assert printed[0].startswith(f"digit 3: {ended} of 4 ended on their own")
    assert printed[1].startswith("digit 7: 4 of 4 ended on their own")
    assert printed[2].startswith("mnist_single_digit None: 0 of 4 ended on their own")
    assert printed[3].endswith("mnist_single_digit-sheet.png  (3 rows of 4, seeds from 5)")
    assert of_colour(tmp_path / "out" / "mnist_single_digit-sheet.png", INK) > 500


def test_a_sheet_is_of_networks_without_a_text_and_of_nothing_else(tmp_path):
    path = save(tmp_path / "a/one/c.pth", "SynthesisNetwork")
    with pytest.raises(
        UserError, match="contains a SynthesisNetwork; only networks without a text"
    ):
        compare(tmp_path / "out", path)
    for words in (["-r", path], ["--text", "a"]):
        with pytest.raises(UserError) as told:
            compare(tmp_path / "out", path, *words)
        assert "`compare --help` shows what compare takes" in str(told.value)
    plain = save(tmp_path / "b/one/c.pth")
    with pytest.raises(UserError, match="--beam belongs to read, evaluate and legibility"):
        compare(tmp_path / "out", plain, "--beam", 4)


def test_a_sheet_can_be_a_file(tmp_path):
    path = save(tmp_path / "a/one/c.pth")
    compare(tmp_path / "new" / "page.png", path, "--num-samples", 2, "--steps", 9)
    assert names(tmp_path / "new") == ["page.png"]


@pytest.mark.parametrize("command", ["compare", "continue", "write"])
def test_a_squared_error_has_no_density_to_sharpen(tmp_path, command):
    path = save(tmp_path / "a" / "c.pth", head="regression")
    words = (path,) if command == "compare" else ("-r", path)
    for option in ("--bias", "--pen-sharpness"):
        with pytest.raises(UserError, match=f"regression head.*leave out {option}"):
            use(command, *words, option, 1, "--output", tmp_path / "out.png")
