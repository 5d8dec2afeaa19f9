"""The networks that come with the project do what their card says, without the data of others."""

import csv
import json
import re

import pytest
from PIL import Image

import experiments
from base.checkpoint import PRETRAINED, load_checkpoint, pretrained
from data_loader import EmbeddedDataset, HandwritingDataLoader, IAMOnDBDataset
from data_loader.corpus import CARRIERS, held_out
from model import sample
from model.error_rates import rates
from model.evaluation import evaluate
from model.reading import read_back, read_lines
from tests.shared_data import DATA

CARD = (PRETRAINED / "README.md").read_text(encoding="utf-8")
SMALL = ["digits", "digits_gru", *(f"digit_{digit}" for digit in range(10))]


def run(*words):
    experiments.main(experiments.parse([str(word) for word in words]))


def test_the_recogniser_reads_writers_and_a_device_that_it_never_saw():
    """Trained on a whiteboard's ink, it reads lines of stroke fonts in other units.

    Measured: 0.7 % of the characters wrong.
    """
    model = experiments.load("recognition", "cpu").model
    data = EmbeddedDataset(
        seed=5, size=2, valid_size=2, test_size=40, writers=20, fonts=["joined"], symbols=0.0
    )
    data.prepare()
    indices = [int(index) for index in data.indices("test")]
    read = read_lines(model, [data.ink(index) for index in indices])
    pairs = list(zip(map(data.text, indices), read, strict=True))
    # In float32 on another machine a few characters may differ.
    assert rates(pairs)["cer"] == pytest.approx(0.007, abs=0.01)


def test_the_writer_writes_sentences_that_are_read(box):
    """Twenty sentences that no network was trained on, at bias 0.75.

    Measured: 2.8 % of the characters misread, 20 of 20 ended.
    On another machine other lines may be drawn.
    """
    (result,) = read_back(*box, held_out(20), [0.75])
    assert result.rates["cer"] < 0.055
    assert result.ended > 0.85


def test_the_writer_writes_every_printable_character(box):
    """One sample of each of the 94, each read exactly with its carrier. Measured: 85."""
    (result,) = read_back(*box, list(CARRIERS.values()), [1.0])
    exact = sum(one.read == one.truth for one in result.readings)
    assert len(result.readings) == 94 and exact >= 75
    assert result.ended > 0.9


@pytest.fixture(scope="module")
def box():
    """The writer and the reader that come with the project."""
    return tuple(experiments.load(name, "cpu").model for name in ("conditional", "recognition"))


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """The first lines of `testset_v`, as far as IAM-OnDB is there."""
    root = DATA / "iam_ondb"
    if not root.is_dir():
        pytest.skip(f"no iam_ondb in {DATA} (HANDWRITING_DATA names another folder)")
    splits = {"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_v"]}
    cache = str(tmp_path_factory.mktemp("cache"))
    dataset = IAMOnDBDataset(root=str(root), splits=splits, cache=cache)
    dataset.prepare()
    return dataset


@pytest.mark.parametrize(("name", "measured"), [("conditional", -928.8), ("unconditional", -865.3)])
def test_recorded_lines_are_as_likely_as_the_card_says(name, measured, lines):
    """The canonical log-loss of 63 lines; of the whole split it stands in the card."""
    model = experiments.load(name, "cpu").model
    alphabet = model.alphabet if model.needs_text else None
    loader = HandwritingDataLoader(0, model.normalisation, alphabet, dataset=lines, batch_size=64)
    split = loader.split("valid")
    chosen = lines.indices("valid")[::23][:64]
    split.fill(chosen, lines.lengths[chosen] - 1)
    scores = evaluate(
        model,
        split,
        normalisation=model.normalisation,
        canonical=lines.canonical,
        lattice=lines.lattice,
    )
    assert scores["sequences"] == 63
    assert scores["log_loss"] == pytest.approx(measured, abs=1.0)
    assert scores["log_loss_dequantised"] < measured + 15


def test_recorded_lines_are_read_as_well_as_the_card_says(lines):
    """The same 63 lines; these are harder than those of `testset_f`.

    Measured: 7.2 % of the characters.
    """
    model = experiments.load("recognition", "cpu").model
    chosen = lines.indices("valid")[::23][:64].tolist()
    read = read_lines(model, [lines.ink(index) for index in chosen])
    assert rates(zip(map(lines.text, chosen), read, strict=True))["cer"] < 0.08


def assert_drawn(folder, count):
    """Each of `count` lines has a picture, with ink on it."""
    pictures = sorted(folder.glob("*-seed*.png"))
    assert len(pictures) == count
    assert all(Image.open(picture).convert("L").getextrema()[0] < 100 for picture in pictures)


@pytest.mark.parametrize("name", SMALL)
def test_the_small_ones_are_drawn_from_by_name_and_end_by_themselves(name, tmp_path, capsys):
    told = ("--text", "2026", "--text", "31415") if name.startswith("digits") else ()
    run("-r", name, "--num-samples", 3, "--output", tmp_path, *told)
    printed = capsys.readouterr().out
    count = 6 if told else 3
    assert f"{count} of {count} lines ended by" in printed
    assert re.search(rf"of .*/saved/pretrained/{name}\.pth", printed)
    assert_drawn(tmp_path, count)


def test_the_network_of_squared_errors_is_drawn_from_by_name(tmp_path, capsys):
    run("-r", "regression", "--num-samples", 2, "--steps", 60, "--output", tmp_path)
    assert re.search(r"of .*/saved/pretrained/regression.*\.pth", capsys.readouterr().out)
    assert_drawn(tmp_path, 2)


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_is_about_as_large_as_those_it_was_trained_on(digit):
    """Twenty pixels of MNIST's image high, give or take; a network that lost itself is not."""
    model = experiments.load(f"digit_{digit}", "cpu").model
    for line in sample(model, range(5), bias=0.5):
        _, top, _, bottom = experiments.bounds(line.ink)
        assert 12 < bottom - top < 30


def test_every_network_has_its_card_and_the_log_of_its_training():
    for name, path in pretrained().items():
        assert f"`{name}`" in CARD or name in (f"digit_{digit}" for digit in range(1, 9)), name
        log = PRETRAINED / ("digit.csv" if name.startswith("digit_") else f"{path.stem}.csv")
        with open(log, newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows and "epoch" in rows[0], name


def test_commands_of_the_card_name_networks_that_are_there():
    named = re.findall(r"(?:-r|--read-back|--sheet) ([a-z]\w*)(?=\s)", CARD)
    assert named and set(named) <= set(pretrained())


@pytest.mark.parametrize("path", sorted(PRETRAINED.glob("*.pth")), ids=lambda path: path.stem)
def test_shipped_weights_are_small_and_tell_nothing_of_a_machine(path):
    assert path.stat().st_size <= 8 * 2**20
    content = path.read_bytes()
    for word in (b"/home/", b"/work/", b"/tmp/", b"/root/"):
        assert word not in content, word
    config = load_checkpoint(path)["config"]
    dataset = config["data_loader"]["args"]["dataset"]["args"]
    root = dataset.get("dataset", {}).get("args", dataset)["root"]
    assert root.startswith("data/") and json.dumps(config)


def test_the_small_ones_are_at_most_8_mib_together():
    small = [path for name, path in pretrained().items() if name in (*SMALL, "regression")]
    assert sum(path.stat().st_size for path in small) <= 8 * 2**20
