"""The script with networks of other heads: sheets of digits, lines continued, and their scores."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import experiments
from base.checkpoint import save_checkpoint
from data_loader import EmbeddedDataset
from model import Line, PredictionNetwork, SynthesisNetwork, sample
from trainer.scores import evaluate
from utils.alphabet import Alphabet
from utils.checks import UserError
from utils.ink import strokes, to_points
from utils.normalisation import Normalisation
from utils.page.pen import INK, PRIMER

NORMALISATION = Normalisation(mean=(8.0, 0.5), std=(40.0, 35.0))
ALPHABET = Alphabet([chr(code) for code in range(32, 127)])
SMALL = {"hidden_size": 12, "num_layers": 1, "num_mixtures": 3}
DATA = {"seed": 3, "size": 4, "valid_size": 5, "test_size": 3, "writers": 2, "max_characters": 20}
EMBEDDED = {"type": "EmbeddedDataset", "args": DATA}


def save(path: Path, *, arch="PredictionNetwork", name=None, dataset=EMBEDDED, bias=None, **more):
    """Write a checkpoint of an untrained network; `bias` is that of its end of the sequence."""
    torch.manual_seed(4)
    options = SMALL | more
    supplied = (NORMALISATION, ALPHABET) if arch == "SynthesisNetwork" else (NORMALISATION,)
    cls = {"PredictionNetwork": PredictionNetwork, "SynthesisNetwork": SynthesisNetwork}[arch]
    network = cls(*supplied, **options)
    if bias is not None:
        with torch.no_grad():
            network.output.bias[-1] = bias
    regression = options.get("head") == "regression"
    config = {
        "name": name or path.parent.name,
        "arch": {"type": arch, "args": options},
        "data_loader": {"type": "HandwritingDataLoader", "args": {"dataset": dataset}},
        "optimizer": {"type": "Adam", "args": {"lr": 0.001}},
        "lr_scheduler": None,
        "loss": {"type": "SquaredError" if regression else "NegativeLogLikelihood"},
        "metrics": [],
        "trainer": {"type": "GenerationTrainer", "args": {"epochs": 1, "monitor": None}},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        path,
        {
            "config": config,
            "state_dict": network.state_dict(),
            "alphabet": ALPHABET.characters if arch == "SynthesisNetwork" else None,
            "normalisation": NORMALISATION.to_dict(),
            "metrics": {},
            "dataset": {"canonical": None, "quantisation_step": None},
            "epoch": 1,
            "step": 10,
        },
    )
    return path


def call(output, *words):
    words = [*map(str, words), "-d", "cpu", "--output", str(output)]
    experiments.main(experiments.parse(words))


def of_colour(path, colour):
    """How many pixels of a picture have the colour, about."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    wanted = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    return int((np.abs(pixels - wanted).max(axis=2) < 8).sum())


# Networks that end by themselves


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
                bias=bias,
            )
        )
    paths[-1] = paths[-1].parent  # a folder will do
    call(tmp_path / "out", "--sheet", *paths, "--num-samples", 4, "--steps", 60, "--seed", 5)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mnist_single_digit-sheet.png"]
    printed = capsys.readouterr().out.splitlines()
    model = experiments.load(paths[0], "cpu").model
    ended = sum(line.ended for line in sample(model, range(5, 9), bias=0.5, max_steps=60))
    assert printed[0].startswith(f"digit 3: {ended} of 4 ended by themselves")
    assert printed[1].startswith("digit 7: 4 of 4 ended by themselves")
    assert printed[2].startswith("mnist_single_digit None: 0 of 4 ended by themselves")
    assert printed[3].endswith("mnist_single_digit-sheet.png  (3 rows of 4, seeds from 5)")
    assert of_colour(tmp_path / "out" / "mnist_single_digit-sheet.png", INK) > 500


def test_lines_side_by_side():
    inks = []
    for points in ([(0, 0), (10, 30)], [(5, 5), (5, 5)], [(0, 0), (40, -9), (-8, 9)]):
        ink = np.zeros((len(points), 3), np.float32)
        ink[1:, :2] = np.diff(points, axis=0)
        ink[-1, 2] = 1
        inks.append(ink)
    row = experiments.side_by_side(inks, 25.0)
    drawn = strokes(row)
    assert row[0, :2].tolist() == [0, 0] and len(drawn) == 3
    lefts = [stroke[:, 0].min() for stroke in drawn]
    assert np.diff(lefts).tolist() == pytest.approx([25.0, 25.0])
    middles = [(stroke[:, 1].min() + stroke[:, 1].max()) / 2 for stroke in drawn]
    assert middles == pytest.approx([middles[0]] * 3, abs=1e-5)
    for stroke, ink in zip(drawn, inks, strict=True):
        np.testing.assert_allclose(stroke - stroke[0], to_points(ink), atol=1e-5)


def test_a_sheet_is_of_networks_without_a_text_and_of_nothing_else(tmp_path, capsys):
    path = save(tmp_path / "a/one/c.pth", arch="SynthesisNetwork")
    with pytest.raises(UserError, match="holds a SynthesisNetwork; only networks without a text"):
        call(tmp_path / "out", "--sheet", path)
    for words in (["-r", path], ["--text", "a"], ["--evaluate"], ["--continue", "valid"]):
        with pytest.raises(SystemExit):
            call(tmp_path / "out", "--sheet", path, *words)
        assert "--sheet draws one picture" in capsys.readouterr().err
    plain = save(tmp_path / "b/one/c.pth")
    with pytest.raises(UserError, match="--beam is for a network that reads"):
        call(tmp_path / "out", "--sheet", plain, "--beam", 4)


def test_lines_say_whether_they_ended_by_themselves(tmp_path, capsys):
    path = save(tmp_path / "a/one/c.pth", end_of_sequence=True, bias=2.0)
    call(tmp_path / "out", "-r", path, "--num-samples", 4, "--steps", 9)
    lines = sample(experiments.load(path, "cpu").model, range(4), bias=0.5, max_steps=9)
    printed = capsys.readouterr().out
    ended = sum(line.ended for line in lines)
    assert 0 < ended < 4 and printed.splitlines()[-1] == f"{ended} of 4 lines ended by themselves"
    assert printed.count(", ended)") == ended and printed.count(", not ended)") == 4 - ended


# Lines continued


@pytest.mark.parametrize("options", [{}, {"head": "regression"}, {"arch": "SynthesisNetwork"}])
def test_recorded_lines_are_continued(tmp_path, capsys, monkeypatch, options):
    path = save(tmp_path / "runs/mine/one/c.pth", name="mine", **options)
    calls = []
    real = experiments.sample

    def watching(model, seeds, texts, **given):
        lines = real(model, seeds, texts, **given)
        calls.append((seeds, texts, given, lines))
        return lines

    monkeypatch.setattr(experiments, "sample", watching)
    words = ("-r", path, "--continue", "valid", "--primer-points", 15, "--steps", 30)
    call(tmp_path / "out", *words, "--num-samples", 3, "--seed", 2)
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["mine-continued.png"]
    source = EmbeddedDataset(**DATA)
    source.prepare()
    recorded = {source.text(n): source.ink(n) for n in source.indices("valid").tolist()}
    assert [seeds for seeds, _, _, _ in calls] == [[2], [3], [4]]
    found = set()
    for _, texts, given, (line,) in calls:
        ink, text = given["primer"]
        assert len(ink) == 15 and text == "" and given["max_steps"] == 30
        own = [t for t, whole in recorded.items() if np.array_equal(whole[:15], ink)]
        assert len(own) == 1 and texts == (own if options.get("arch") else None)
        assert line.primed == 15 and np.array_equal(line.ink[:15], ink)
        found.update(own)
    assert len(found) == 3  # no line twice
    picture = tmp_path / "out" / "mine-continued.png"
    assert of_colour(picture, PRIMER) > 50 and of_colour(picture, INK) > 50
    printed = capsys.readouterr().out
    assert "points after the first 15" in printed and f"{picture}  (3 lines)" in printed
    before = [given["primer"][0] for _, _, given, _ in calls]
    call(tmp_path / "out", *words, "--num-samples", 3, "--seed", 2)  # the seed chooses the lines
    again = [given["primer"][0] for _, _, given, _ in calls[3:]]
    assert all(np.array_equal(one, other) for one, other in zip(before, again, strict=True))


def test_what_cannot_be_continued_is_named(tmp_path, capsys):
    path = save(tmp_path / "a/one/c.pth")
    with pytest.raises(UserError, match="has 5 lines of more than 1 points: too few for 6"):
        call(tmp_path / "out", "-r", path, "--continue", "valid", "--primer-points", 1)
    with pytest.raises(UserError, match="no split 'dev': there are train, valid, test"):
        call(tmp_path / "out", "-r", path, "--continue", "dev")
    with pytest.raises(SystemExit):
        call(tmp_path / "out", "-r", path, "--continue", "valid", "--density")
    assert "--continue draws one picture: leave out --density" in capsys.readouterr().err


def test_a_primer_is_drawn_in_another_colour(tmp_path):
    loaded = experiments.load(save(tmp_path / "a/one/c.pth"), "cpu")
    arguments = experiments.parse(["-r", "x", "--output", str(tmp_path)])
    ink = np.zeros((40, 3), np.float32)
    ink[1:, :2] = 5.0
    for primed in (0, 20):
        line = Line(ink=ink, primed=primed, attention=None, text=None, ended=False, bias=None)
        experiments.save_line(loaded, arguments, line, "one", "caption", "")
        assert of_colour(tmp_path / "one.png", INK) > 10
        assert (of_colour(tmp_path / "one.png", PRIMER) > 10) == bool(primed)


# Scores, and what there is no density of


def test_scores_with_an_end_of_the_sequence_say_so(tmp_path, capsys):
    path = save(tmp_path / "a/one/c.pth", end_of_sequence=True)
    call(tmp_path, "-r", path, "--evaluate")
    assert "for each point, whether the sequence ends there" in capsys.readouterr().out
    scores = json.loads((tmp_path / "metrics.json").read_text())
    assert scores["end_of_sequence"] is True
    loaded = experiments.load(path, "cpu")
    split = experiments.build_loader(loaded).split("valid")
    expected = evaluate(loaded.model, split, normalisation=NORMALISATION)
    assert scores["log_loss"] == pytest.approx(expected["log_loss"], rel=1e-6)


def test_scores_of_a_regression_head(tmp_path, capsys):
    path = save(tmp_path / "a/one/c.pth", head="regression")
    call(tmp_path, "-r", path, "--evaluate", "test")
    printed = capsys.readouterr().out
    names = ("squared_error", "pen_cross_entropy", "sse", "sse_strokes", "sse_jumps")
    scores = json.loads((tmp_path / "metrics.json").read_text())
    for name in names:
        assert f"  {name} " in printed and np.isfinite(scores[name])
    assert "log_loss" not in printed + str(scores) and "sigma" not in printed
    assert scores["sequences"] == 3 and "min_scale" not in scores


@pytest.mark.parametrize("arch", ["PredictionNetwork", "SynthesisNetwork"])
def test_a_regression_head_has_no_density(tmp_path, arch):
    path = save(tmp_path / "a/one/c.pth", arch=arch, head="regression")
    with pytest.raises(UserError, match="regression head: it has no density to draw"):
        call(tmp_path / "out", "-r", path, "--density")
    assert not (tmp_path / "out").exists()
    call(tmp_path / "out", "-r", path, "--steps", 20, "--num-samples", 1)
    assert len(list((tmp_path / "out").glob("*.svg"))) == 1
