"""The script as its users call it: small untrained networks, whole files, real exit statuses."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import experiments
import model
import train
from base.checkpoint import save_checkpoint
from data_loader import EmbeddedDataset
from model import PredictionNetwork, SynthesisNetwork, sample
from trainer.scores import evaluate
from utils.alphabet import Alphabet
from utils.checks import CheckpointError, UserError
from utils.ink import strokes
from utils.normalisation import Normalisation

ROOT = Path(experiments.__file__).parent
NORMALISATION = Normalisation(mean=(8.0, 0.5), std=(40.0, 35.0))
ALPHABET = Alphabet([chr(code) for code in range(32, 127)])
SMALL = {"hidden_size": 12, "num_layers": 1, "num_mixtures": 3}
DATA = {"seed": 3, "size": 4, "valid_size": 5, "test_size": 3, "writers": 2, "max_characters": 20}


def config_of(arch, name):
    dataset = {"type": "EmbeddedDataset", "args": DATA}
    return {
        "name": name,
        "arch": {"type": arch, "args": SMALL},
        "data_loader": {
            "type": "HandwritingDataLoader",
            "args": {"dataset": dataset, "batch_size": 2},
        },
        "optimizer": {"type": "Adam", "args": {"lr": 0.001}},
        "lr_scheduler": None,
        "loss": {"type": "NegativeLogLikelihood", "args": {}},
        "metrics": [{"type": "SSE", "args": {}}],
        "trainer": {"type": "GenerationTrainer", "args": {"epochs": 1}},
    }


def network(arch):
    torch.manual_seed(4)
    if arch == "PredictionNetwork":
        return PredictionNetwork(NORMALISATION, **SMALL).eval()
    return SynthesisNetwork(NORMALISATION, ALPHABET, **SMALL).eval()


def save(path, arch, name, **changes):
    """Write a checkpoint of an untrained network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "config": config_of(arch, name),
        "state_dict": network(arch).state_dict(),
        "alphabet": ALPHABET.characters if arch == "SynthesisNetwork" else None,
        "normalisation": NORMALISATION.to_dict(),
        "metrics": {},
        "dataset": {"canonical": None, "quantisation_step": None},
        "epoch": 1,
        "step": 10,
    }
    save_checkpoint(path, content | changes)
    return path


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "conditional" / "one" / "checkpoint-epoch1.pth"
    return save(path, "SynthesisNetwork", "conditional")


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "unconditional" / "one" / "checkpoint-epoch1.pth"
    return save(path, "PredictionNetwork", "unconditional")


def call(checkpoint, output, *words):
    """Run the script in this process, on the CPU."""
    words = ["-r", str(checkpoint), "-d", "cpu", "--output", str(output), *map(str, words)]
    experiments.main(experiments.parse(words))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def points_in(svg):
    """The end points of all curves of an SVG, stroke by stroke."""
    found = []
    for path in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}path"):
        parts = path.get("d").replace("L", "C")[1:].split("C")
        found.append(np.array([part.split()[-2:] for part in parts], dtype=float))
    return found


def script(*words, **options):
    """Run the script as its users do."""
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments.py"), *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **options,
    )


# Writing and drawing


def test_conditional_network_writes_texts(conditional, tmp_path, capsys):
    call(
        *(conditional, tmp_path / "out", "--text", "On it!", "--text", "B <&> $x"),
        *("--num-samples", 2, "--seed", 5, "--bias", 0.25),
    )
    expected = [
        f"conditional-{text}-seed{seed}.{kind}"
        for text in ("B-x", "On-it")
        for seed in (5, 6)
        for kind in ("png", "svg")
    ]
    assert names(tmp_path / "out") == sorted([*expected, "conditional.png"])
    lines = sample(
        network("SynthesisNetwork"), [5, 6, 5, 6], ["On it!"] * 2 + ["B <&> $x"] * 2, bias=0.25
    )
    ended = sum(line.ended for line in lines)
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"{ended} of 4 lines ended by the stopping rule"
    assert str(tmp_path / "out" / "conditional-On-it-seed6.svg") in printed
    # The SVG holds that line: the same text, and the same strokes.
    svg = tmp_path / "out" / "conditional-B-x-seed6.svg"
    root = ElementTree.parse(svg).getroot()
    assert root.find("{http://www.w3.org/2000/svg}title").text == "B <&> $x"
    assert "bias 0.25" in root.find("{http://www.w3.org/2000/svg}desc").text
    drawn, own = points_in(svg), strokes(lines[3].ink)
    assert len(drawn) == len(own)
    for read, stroke in zip(drawn, own, strict=True):
        np.testing.assert_allclose(read[[0, -1]], stroke[[0, -1]], atol=0.5)
    for path in (tmp_path / "out").glob("*.png"):
        with Image.open(path) as picture:
            assert (np.asarray(picture.convert("L")) < 100).any(), path.name


def test_a_line_is_the_same_whatever_else_is_written(conditional, tmp_path):
    call(conditional, tmp_path / "alone", "--text", "same", "--seed", 8)
    call(conditional, tmp_path / "among", "--text", "other", "--text", "same", "--seed", 7,
         "--num-samples", 2)  # fmt: skip
    name = "conditional-same-seed8.svg"
    one, two = points_in(tmp_path / "alone" / name), points_in(tmp_path / "among" / name)
    assert len(one) == len(two)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, atol=0.1)


def test_default_text_uses_the_whole_alphabet_of_letters(conditional, tmp_path, capsys):
    assert set(experiments.TEXT.lower()) - set(" ,") == set("abcdefghijklmnopqrstuvwxyz")
    call(conditional, tmp_path, "--steps", 30)
    assert "0 of 1 lines ended by the stopping rule" in capsys.readouterr().out
    (svg,) = tmp_path.glob("*.svg")
    title = ElementTree.parse(svg).getroot().find("{http://www.w3.org/2000/svg}title")
    assert title.text == experiments.TEXT


def test_steps_limit_a_line(unconditional, tmp_path):
    call(unconditional, tmp_path, "--steps", 25, "--num-samples", 1)
    (line,) = sample(network("PredictionNetwork"), [0], bias=0.5, max_steps=25)
    drawn = points_in(tmp_path / "unconditional-seed0.svg")
    assert len(drawn) == len(strokes(line.ink))
    assert sum(map(len, drawn)) >= 26 > sum(map(len, drawn)) - len(drawn)  # a dot has two ends


def test_unconditional_network_draws_lines(unconditional, tmp_path, capsys):
    call(unconditional, tmp_path, "--steps", 20)
    expected = [f"unconditional-seed{seed}.{kind}" for seed in range(5) for kind in ("png", "svg")]
    assert names(tmp_path) == sorted([*expected, "unconditional.png"])
    assert "stopping rule" not in capsys.readouterr().out


def test_other_files_stay_and_the_same_call_gives_the_same_files(unconditional, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    contents = []
    for _ in range(2):
        call(unconditional, tmp_path, "--steps", 20, "--num-samples", 2)
        contents.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert contents[0] == contents[1]
    assert contents[0]["mine.txt"] == b"mine"
    call(unconditional, tmp_path, "--steps", 20, "--num-samples", 1, "--seed", 9)
    later = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert contents[0].items() <= later.items()
    assert later.keys() - contents[0].keys() == {f"unconditional-seed9.{k}" for k in ("png", "svg")}


def test_window_and_density_are_drawn_on_request(conditional, unconditional, tmp_path):
    call(conditional, tmp_path / "a", "--text", "ab", "--steps", 40, "--window", "--density")
    assert names(tmp_path / "a") == [
        f"conditional-ab-seed0{kind}" for kind in ("-density.png", "-window.png", ".png", ".svg")
    ]
    call(unconditional, tmp_path / "b", "--num-samples", 1, "--steps", 30, "--density")
    assert "unconditional-seed0-density.png" in names(tmp_path / "b")
    for path in tmp_path.glob("*/*-[dw]*.png"):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5, path.name


def test_the_pen_can_be_left_to_the_paper(conditional, tmp_path):
    words = ("--text", "ab", "--steps", 60, "--bias", 1.0)
    call(conditional, tmp_path / "usual", *words)
    call(conditional, tmp_path / "paper", *words, "--pen-sharpness", 0)
    svg = {one: next((tmp_path / one).glob("*.svg")) for one in ("usual", "paper")}
    told = {one: " · bias 1 · pen sharpness 0" in svg[one].read_text() for one in svg}
    assert told == {"usual": False, "paper": True}
    (line,) = sample(
        experiments.load(conditional, "cpu").model, [0], ["ab"],
        bias=1.0, pen_sharpness=0.0, max_steps=60,
    )  # fmt: skip
    ends = int(line.ink[:, 2].sum())
    assert svg["paper"].read_text().count("<path") == ends
    assert svg["usual"].read_text().count("<path") != ends


def test_what_a_line_was_drawn_from_is_what_the_density_shows(conditional):
    """Fed with its own line, the network predicts what it did when it wrote it."""
    loaded = experiments.load(conditional, "cpu")
    (line,) = sample(loaded.model, [1], ["abc"], max_steps=30)
    mixture = experiments.predict(loaded, line)
    assert mixture.weights.shape[0] == len(line.ink) - 1
    target = torch.from_numpy(NORMALISATION.apply(line.ink[1:]))
    text = torch.from_numpy(ALPHABET.encode("abc"))[None]
    state, log_prob = None, []
    points = torch.from_numpy(NORMALISATION.apply(line.ink))
    with torch.no_grad():
        for step in range(len(line.ink) - 1):
            output = loaded.model(points[None, step : step + 1], text, torch.tensor([3]), state)
            state = output.state
            log_prob.append(output.prediction.log_prob(points[None, step + 1 : step + 2])[0, 0])
    np.testing.assert_allclose(mixture.log_prob(target), torch.stack(log_prob), atol=1e-3)


# Texts


def test_unknown_characters_are_named_and_can_be_left_out(conditional, tmp_path, capsys):
    words = ("--text", "caf\u00e9 \u0142", "--steps", 20)
    with pytest.raises(UserError, match=r"U\+00E9.*U\+0142.*--skip-unknown"):
        call(conditional, tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()
    call(conditional, tmp_path / "out", *words, "--skip-unknown")
    assert "U+00E9" in capsys.readouterr().out
    assert "conditional-caf-seed0.svg" in names(tmp_path / "out")
    with pytest.raises(UserError, match="--skip-unknown is for a --text"):
        call(conditional, tmp_path / "out", "--evaluate", "--skip-unknown")
    with pytest.raises(UserError, match="nothing to write in '\u00e9'"):
        call(conditional, tmp_path / "out", "--text", "\u00e9", "--skip-unknown")


def test_the_default_text_fits_any_alphabet(tmp_path, capsys):
    torch.manual_seed(0)
    few = Alphabet(list(" aeiou"))
    state = SynthesisNetwork(NORMALISATION, few, **SMALL).state_dict()
    path = save(
        tmp_path / "model_best.pth", "SynthesisNetwork", "few", state_dict=state,
        alphabet=few.characters,
    )  # fmt: skip
    call(path, tmp_path / "out", "--steps", 20)
    assert "'S' (U+0053)" in capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("*.svg"))) == 1


@pytest.mark.parametrize("text", ["", "   "])
def test_empty_text_is_an_error(conditional, tmp_path, text):
    with pytest.raises(UserError, match="nothing to write"):
        call(conditional, tmp_path, "--text", text)


def test_file_names_are_plain_and_differ():
    for text, name in [
        ("Hello, world!", "Hello-world"),
        ("../../etc", "etc"),
        ("?!", "text"),
        ("\u65e5\u672c", "text"),
        ("x" * 99, "x" * 40),
    ]:
        assert experiments.file_names([text]) == [name]
    texts = ["Hello, world!", "hello world", "HELLO  world?", "?"]
    made = experiments.file_names(texts)
    assert made == ["Hello-world", "hello-world-2", "HELLO-world-3", "text"]


@pytest.mark.parametrize("words", [["--text", "a"], ["--window"]])
def test_a_network_without_a_text_takes_none(unconditional, tmp_path, words):
    with pytest.raises(UserError, match="conditional one"):
        call(unconditional, tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


# Checkpoints


def test_no_training_data_is_needed(tmp_path):
    config = config_of("PredictionNetwork", "far")
    config["data_loader"]["args"]["dataset"] = {
        "type": "IAMOnDBDataset",
        "args": {"root": str(tmp_path / "nowhere")},
    }
    path = save(tmp_path / "far.pth", "PredictionNetwork", "far", config=config)
    call(path, tmp_path / "out", "--num-samples", 1, "--steps", 10)
    assert "far-seed0.png" in names(tmp_path / "out")
    with pytest.raises(UserError, match="nowhere"):
        call(path, tmp_path / "out", "--evaluate")


def test_a_folder_means_its_newest_whole_checkpoint(tmp_path, capsys):
    for epoch in (1, 2, 3):
        save(tmp_path / f"run/checkpoint-epoch{epoch}.pth", "PredictionNetwork", f"epoch{epoch}")
    newest = tmp_path / "run/checkpoint-epoch3.pth"
    newest.write_bytes(newest.read_bytes()[:-500])
    call(tmp_path / "run", tmp_path / "out", "--num-samples", 1, "--steps", 10)
    assert names(tmp_path / "out") == ["epoch2-seed0.png", "epoch2-seed0.svg"]
    assert "checkpoint-epoch3.pth" in capsys.readouterr().err


def test_overrides_reach_the_network(unconditional, tmp_path):
    loaded = experiments.load(
        unconditional,
        "cpu",
        experiments.parse(["-r", "x", "-o", "arch.args.min_scale=3.5"]).overrides,
    )
    assert loaded.model.min_scale == 3.5
    with pytest.raises(CheckpointError, match="another architecture"):
        call(unconditional, tmp_path, "-o", "arch.args.hidden_size=13")
    with pytest.raises(UserError, match=r"hiden_size.*hidden_size"):
        call(unconditional, tmp_path, "-o", "arch.args.hiden_size=12")


def test_a_checkpoint_that_lacks_what_is_needed_is_refused(tmp_path):
    for key, message in (("alphabet", "alphabet"), ("normalisation", "normalisation")):
        path = save(tmp_path / f"{key}.pth", "SynthesisNetwork", "less", **{key: None})
        with pytest.raises(UserError, match=message):
            call(path, tmp_path / "out")


# Evaluation

KEYS = [
    *("split", "sequences", "points", "log_loss", "log_loss_per_point"),
    *("log_loss_dequantised", "bits_per_point", "sse", "sse_strokes", "sse_jumps"),
]


def test_evaluation_in_normalised_units(conditional, tmp_path, capsys):
    call(conditional, tmp_path, "--evaluate")
    scores = json.loads((tmp_path / "metrics.json").read_text())
    assert list(scores)[: len(KEYS)] == KEYS
    assert scores["split"] == "valid"
    data = EmbeddedDataset(**DATA)
    data.prepare()
    inks = {index: data.ink(index) for index in data.indices("valid").tolist()}
    assert scores["sequences"] == len(inks) == 5
    assert scores["points"] == sum(len(ink) - 1 for ink in inks.values())
    assert scores["log_loss_dequantised"] is None and scores["bits_per_point"] is None
    # One line at a time, and nothing padded.
    model, nats = network("SynthesisNetwork"), 0.0
    with torch.no_grad():
        for index, ink in inks.items():
            points = torch.from_numpy(NORMALISATION.apply(ink))[None]
            text = torch.from_numpy(ALPHABET.encode(data.text(index)))[None]
            output = model(points[:, :-1], text, torch.tensor([text.shape[1]]))
            nats -= output.prediction.log_prob(points[:, 1:]).double().sum().item()
    assert scores["log_loss"] == pytest.approx(nats / 5, rel=1e-5)
    assert scores["log_loss_per_point"] == pytest.approx(nats / scores["points"], rel=1e-5)
    printed = capsys.readouterr().out
    assert f"{scores['log_loss']:.4f}" in printed
    assert "normalised units" in printed and "sigma is at least 0.1" in printed


def test_evaluation_in_canonical_units_on_a_lattice(unconditional, tmp_path, monkeypatch, capsys):
    call(unconditional, tmp_path / "plain", "--evaluate", "test")
    monkeypatch.setattr(EmbeddedDataset, "canonical", (41.95, 37.12))
    monkeypatch.setattr(EmbeddedDataset, "quantisation_step", 1.0)
    call(unconditional, tmp_path / "canonical", "--evaluate", "test")
    plain, canonical = (
        json.loads((tmp_path / kind / "metrics.json").read_text())
        for kind in ("plain", "canonical")
    )
    assert canonical["split"] == "test" and canonical["sequences"] == 3
    shift = np.log(40.0 / 41.95) + np.log(35.0 / 37.12)
    assert canonical["log_loss_per_point"] == pytest.approx(plain["log_loss_per_point"] + shift)
    # Noise of one unit on a density as wide as dozens changes little: the number is in bits.
    bits = (canonical["log_loss_per_point"] + np.log(41.95 * 37.12)) / np.log(2)
    assert canonical["bits_per_point"] == pytest.approx(bits, rel=1e-3)
    assert canonical["log_loss_dequantised"] != canonical["log_loss"]
    assert "41.95 and 37.12" in capsys.readouterr().out


def test_evaluation_of_a_split_that_is_not_there(unconditional, tmp_path):
    with pytest.raises(UserError, match="valid"):
        call(unconditional, tmp_path, "--evaluate", "vaild")
    assert not (tmp_path / "metrics.json").exists()


def test_dequantising_noise_follows_the_seed(unconditional, tmp_path, monkeypatch):
    monkeypatch.setattr(EmbeddedDataset, "quantisation_step", 20.0)
    found = []
    for seed in (1, 1, 2):
        call(unconditional, tmp_path, "--evaluate", "--seed", seed)
        found.append(json.loads((tmp_path / "metrics.json").read_text()))
    assert found[0] == found[1]
    assert found[0]["log_loss"] == found[2]["log_loss"]
    assert found[0]["log_loss_dequantised"] != found[2]["log_loss_dequantised"]


def test_evaluate_is_reachable_without_the_script(unconditional):
    loaded = experiments.load(unconditional, "cpu")
    loader = loaded.config.build("data_loader", 0, NORMALISATION, None)
    loader.prepare()
    scores = evaluate(loaded.model, loader.split("valid"), normalisation=NORMALISATION)
    assert scores["sequences"] == 5


# The command line


def test_without_arguments_the_help_is_shown(capsys):
    with pytest.raises(SystemExit) as stopped:
        experiments.parse([])
    assert stopped.value.code == 2
    shown = " ".join(capsys.readouterr().out.split())
    for option in ("--resume", "--device", "--text", "--bias", "--pen-sharpness", "--num-samples",
                   "--steps", "--seed", "--output", "--evaluate", "--window", "--density",
                   "--override"):  # fmt: skip
        assert option in shown
    assert shown.count("(default") >= 11


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--text", "a"], "-r CHECKPOINT is needed"),
        (["-r", "x", "--bias", "-1"], "from 0 to 100"),
        (["-r", "x", "--bias", "nan"], "from 0 to 100"),
        (["-r", "x", "--steps", "0"], "whole number from 1"),
        (["-r", "x", "--num-samples", "2.5"], "whole number from 1"),
        (["-r", "x", "--seed", "-1"], "whole number from 0"),
        (["-r", "x", "--evaluate", "--text", "a"], "--evaluate draws nothing"),
        (["-r", "x", "--evaluate", "--num-samples", "3"], "--evaluate takes a whole split"),
        (["-r", "x", "--evaluate", "--steps", "3"], "--evaluate takes a whole split"),
        (["-r", "x", "--input", "a", "--language-weight", "1"], "that of a --language-model"),
        (["-r", "x", "--evaluate", "--bias", "1"], "--bias is for writing"),
        (["-r", "x", "--input", "a", "--bias", "0"], "--bias is for writing"),
        (["-r", "x", "--evaluate", "--pen-sharpness", "0"], "--pen-sharpness is for writing"),
        (["-r", "x", "--pen-sharpness", "-1"], "from 0 to 100"),
        (["-r", "x", "--export", "y", "--text", "a"], "nothing else: leave out --text"),
        (["-r", "x", "--export", "y", "--continue", "valid"], "nothing else: leave out --continue"),
        (["-r", "x", "-o", "hidden"], "KEY=VALUE"),
    ],
)
def test_wrong_options_are_refused(capsys, words, message):
    with pytest.raises(SystemExit) as stopped:
        experiments.parse(words)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_the_script_from_another_folder(conditional, tmp_path):
    """One real call, relative paths and a text beyond ASCII included."""
    done = script("-r", conditional, "--steps", 15, "--text", "h\u00ebllo", "--skip-unknown",
                  cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert names(tmp_path / "saved" / "figures") == [
        "conditional-hllo-seed0.png",
        "conditional-hllo-seed0.svg",
    ]


def test_bad_input_ends_with_status_2_and_no_traceback(conditional, tmp_path):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(conditional.read_bytes()[:3000])
    occupied = tmp_path / "file"
    occupied.write_text("mine")
    for words, message in [
        (["-r", tmp_path / "none.pth"], "no such file"),
        (["-r", broken], "truncated or damaged"),
        (["-r", conditional, "-d", "cuda:99"], "cuda:99"),
        (["-r", conditional, "--output", occupied], "no folder can be made there"),
    ]:
        done = script(*words, cwd=tmp_path)
        assert done.returncode == 2, (words, done.stderr)
        assert done.stderr.startswith("error: ") and message in done.stderr
        assert "Traceback" not in done.stderr
    assert names(tmp_path) == ["broken.pth", "file"]
    assert occupied.read_text() == "mine"


def notebook(page, shown, checkpoint):
    """Return the one code of a page that calls `shown`, which then loads a checkpoint."""
    text = (Path(experiments.__file__).parent / page).read_text(encoding="utf-8")
    (code,) = [
        code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if shown in code
    ]
    return code.replace(shown, f"load({str(checkpoint)!r})")


def test_the_lines_that_the_page_shows_for_a_notebook(conditional, monkeypatch):
    monkeypatch.setattr(model, "load", experiments.load, raising=False)
    values = {}
    exec(notebook("docs/write.md", 'load("saved/models/conditional/RUN_ID")', conditional), values)
    assert [line.text for line in values["lines"]] == ["Hello", "world"]
    assert values["picture"].dtype == np.uint8 and values["picture"].ndim == 3
    assert values["picture"].min() < 128  # there is ink


@pytest.mark.skipif(not hasattr(model, "load"), reason="model.load is not there yet")
@pytest.mark.parametrize("page", ["README.md", "docs/write.md"])
def test_a_line_in_a_notebook(conditional, tmp_path, monkeypatch, page):
    monkeypatch.chdir(tmp_path)
    exec(notebook(page, 'load("conditional")', conditional), values := {})
    if "line" in values:
        assert values["line"].text == "Hello" and (tmp_path / "hello.svg").exists()


def test_an_export_is_small_and_writes_like_the_checkpoint(conditional, tmp_path, capsys):
    path = tmp_path / "mine.pth"
    moved = "data_loader.args.dataset.args.seed=9"
    words = ["-r", str(conditional), "--export", str(path), "-o", moved]
    experiments.main(experiments.parse(words))
    assert str(path) in capsys.readouterr().out
    whole, shared = experiments.load(conditional), experiments.load(path)
    for name, weight in whole.model.state_dict().items():
        half = shared.model.state_dict()[name]
        assert half.dtype == weight.dtype
        torch.testing.assert_close(half, weight, rtol=2**-11, atol=1e-7)
    assert shared.model.alphabet == whole.model.alphabet
    # Trained with, a checkpoint is three times the size of its weights or more; this one was not.
    assert path.stat().st_size < 0.75 * conditional.stat().st_size
    content = torch.load(path, weights_only=True)
    assert "training" not in content and content["epoch"] == 1
    assert content["config"]["data_loader"]["args"]["dataset"]["args"]["seed"] == 9


def test_an_export_destroys_no_training(conditional, tmp_path):
    trained, other = tmp_path / "trained.pth", tmp_path / "other.pth"
    whole = torch.load(conditional, weights_only=True) | {"training": {"update": None}}
    for path in (trained, other):
        torch.save(whole, path)
    link, hard = tmp_path / "link.pth", tmp_path / "hard.pth"
    link.symlink_to(trained)
    os.link(trained, hard)
    before = [path.read_bytes() for path in (trained, other)]
    for target, cause in (
        (trained, "that is the checkpoint itself"),
        (link, "that is the checkpoint itself"),
        (hard, "that is the checkpoint itself"),
        (other, "holds the state of a training, which would be lost"),
    ):
        words = ["-r", str(trained), "--export", str(target)]
        with pytest.raises(UserError, match=re.escape(f"--export {target}: ")) as caught:
            experiments.main(experiments.parse(words))
        assert cause in str(caught.value)
        assert [path.read_bytes() for path in (trained, other)] == before and link.is_symlink()
    shared = tmp_path / "shared.pth"
    for _ in range(2):  # an earlier export makes way
        experiments.main(experiments.parse(["-r", str(trained), "--export", str(shared)]))
    assert "training" not in torch.load(shared, weights_only=True)


def test_training_starts_from_an_export(conditional, tmp_path, monkeypatch):
    path = tmp_path / "mine.pth"
    experiments.main(experiments.parse(["-r", str(conditional), "--export", str(path)]))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(config_of("SynthesisNetwork", "conditional")))
    monkeypatch.chdir(tmp_path)
    assert train.main(["-c", str(config), "-r", str(path), "--run-id", "on", "-d", "cpu"]) == 0
    # On its own it cannot be gone on with: there is no state of a training in it.
    assert train.main(["-r", str(path), "-d", "cpu"]) == 2
