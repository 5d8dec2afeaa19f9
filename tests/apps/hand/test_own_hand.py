"""A trained network learns a hand: what is looked at before, composed, and said afterwards."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import experiments
import train
from apps.hand import HandDataset, OwnHandTrainer, dataset, exam, practice
from apps.hand.dataset import load_practice, save_practice
from apps.web import site
from base.base_dataset import InitialNetwork
from base.run.checkpoint import load_checkpoint, save_checkpoint
from base.run.pretrained import pretrained
from base.run.run_folder import RunFolder
from benchmarks.legibility import JUDGE
from commands import web
from data_loader.synthetic.invented.font_writers import EmbeddedDataset
from data_loader.synthetic.texts import corpus
from ink.geometry import from_strokes, strokes, x_height
from ink.reading import read_ink
from model import load
from tests.data_loader import ink_formats
from tests.docs.test_commands import commands
from utils.checks import DataError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
CONFIG = str(ROOT / "configs" / "own_hand.json")
KEPT, HELD = [0, 1, 3, 4, 5, 7], [2, 6]


@pytest.fixture(scope="module")
def lines():
    """Eight lines of one invented writer, as JSON holds them."""
    source = EmbeddedDataset(
        seed=7, size=8, valid_size=1, test_size=1, writers=1, min_characters=8, max_characters=16
    )
    lines = source.load(["train"]).split("train")
    return json.loads(ink_formats.own([(line.text, strokes(line.ink)) for line in lines]))


@pytest.fixture(scope="module")
def networks():
    return load("writer", "cpu"), load("reader", "cpu")


@pytest.fixture
def hand(tmp_path, lines):
    def dataset_of(change=lambda lines: lines, **options):
        path = tmp_path / "hand.json"
        path.write_text(json.dumps(change(lines)))
        return HandDataset(root=str(path), **options)

    return dataset_of


@pytest.fixture
def fitted(monkeypatch, networks):
    """Loads a dataset adapted to the writer."""

    def fit(source):
        monkeypatch.setattr(dataset, "load_pair", lambda *_: networks)
        origin = InitialNetwork(networks[0].path, torch.device("cpu"), is_resumed=False)
        return replace(source, origin=origin).load()

    return fit


def save(loaded, folder):
    save_practice(
        folder / dataset.PRACTICE_FILE, [line.name for line in loaded.recorded], loaded.new
    )


@pytest.fixture
def short_exam(monkeypatch):
    """A few of the characters, and one text, seed and primer."""
    monkeypatch.setattr(corpus, "CARRIERS", dict(list(corpus.CARRIERS.items())[::48]))
    monkeypatch.setattr(exam, "TRIED_FRACTIONS", (1.0,))
    monkeypatch.setattr(exam, "DISCARDED_CER_INCREASE", 1)  # Of two short texts it says little.
    for name in ("NUM_EXAM_LINES", "TEXTS_PER_PRIMER", "NUM_PRIMERS_TRIED", "NUM_SEEDS"):
        monkeypatch.setattr(exam, name, 1)


def turned(matrix):
    """Return the change of lines whose ink lies otherwise: rows (x, y), y growing downwards."""
    return lambda lines: [
        line | {"strokes": [(np.array(part) @ matrix).tolist() for part in line["strokes"]]}
        for line in lines
    ]


def others_texts(lines):
    return [line | {"text": lines[number - 1]["text"]} for number, line in enumerate(lines)]


def test_fitted_units_and_lines_are_the_same_after_saving_and_loading(tmp_path, hand, fitted):
    loaded = fitted(hand(lent=2, composed=6))
    units = loaded.fitted
    assert 32 < len(loaded.used) <= 38
    save(loaded, tmp_path)
    # The network's own units: it writes an x-height of some 100 units.
    assert 80 < units["x_height"] < 160 and 10 < units["step"] < 40
    origin = InitialNetwork(tmp_path / "a.pth", torch.device("cpu"), is_resumed=True)
    again = hand(origin=origin, **units).load()
    assert again.fitted == units
    for line, other in zip(loaded.used, again.used, strict=True):
        assert np.array_equal(line.ink, other.ink) and line.text == other.text


def test_the_network_writes_the_new_lines_when_no_letter_can_be_cut_out(
    tmp_path, hand, networks, fitted, monkeypatch
):
    """As of a person who writes in capitals alone. Held-out lines lend nothing, nor start any."""
    seen = []
    monkeypatch.setattr(HandDataset, "split_indices", lambda *_: (KEPT, HELD))
    monkeypatch.setattr(
        practice, "cut_lines", lambda writer, reader, lines: seen.append(lines) or []
    )
    loaded = fitted(hand(lent=8, composed=6))
    own = [loaded.recorded[k].text for k in KEPT]
    assert [text for _, text in seen[0]] == own
    save(loaded, tmp_path)
    names, texts_learned, _ = load_practice(tmp_path / dataset.PRACTICE_FILE)
    said = practice.sample_texts(8, networks[0].model.alphabet, 0)
    assert len(names) == 8 and 1 <= len(texts_learned) <= 8
    for _, text in texts_learned:  # alone, or behind a line of the person
        assert text in said or any(text.startswith(line) for line in own)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            turned([[1, 0], [0, -1]]),
            "and is the ink level, with x growing to the right",
        ),
        (others_texts, "lines are not read as their texts, such as hand.json:00000"),
        (lambda lines: [line | {"text": "Ж"} for line in lines], "0 lines to learn a hand from"),
    ],
)
def test_lines_turned_misread_or_of_unknown_characters_are_refused(hand, fitted, change, message):
    with pytest.raises(DataError, match=message):
        fitted(hand(change, lent=0, composed=0))


def test_single_lines_that_cannot_be_used_are_left_out_and_named(hand, fitted, caplog):
    def change(lines):
        shorter = lines[2] | {"text": lines[2]["text"][: len(lines[2]["text"]) // 2]}
        wrong, unknown = lines[0] | {"text": "nothing"}, lines[1] | {"text": "Ж"}
        return [wrong, unknown, shorter, *lines[3:7], *turned([[1, 0], [0, -1]])(lines[7:])]

    loaded = fitted(hand(change, lent=0, composed=0))
    assert [line.name for line in loaded.recorded] == [f"hand.json:{k:05}" for k in range(3, 7)]
    said = caplog.text
    assert "do not fit: hand.json:00000 ('nothing' is read as" in said
    assert ", hand.json:00002 (" in said and ", hand.json:00007 (" in said
    assert "1 with characters that the network does not know: 'Ж' (U+0416)" in said
    names = "hand.json:00000,hand.json:00002"
    assert f"to learn from these lines: --keep {names},hand.json:00007" in said
    kept = fitted(hand(change, lent=0, composed=0, keep=names))
    assert [line.name[-1] for line in kept.recorded] == ["0", *"23456"]
    with pytest.raises(DataError, match=r"no line b\.json to keep; there are hand\.json:00000"):
        fitted(hand(change, lent=0, composed=0, keep="b.json"))


def test_a_line_whose_ink_was_cut_is_not_chosen_as_the_primer(networks, lines, monkeypatch):
    """However near its length is to the usual one."""
    monkeypatch.setattr(exam, "TEXTS_PER_PRIMER", 2)
    inks = [from_strokes([np.array(part) for part in line["strokes"]]) for line in lines[:4]]
    pairs = [(ink, line["text"]) for ink, line in zip(inks, lines, strict=False)]
    nearest = min(range(4), key=lambda k: abs(len(pairs[k][1]) - exam.PRIMER_LENGTH))
    half = len(pairs[nearest][0]) // 2
    pairs[nearest] = pairs[nearest][0][:half], pairs[nearest][1]
    monkeypatch.setattr(exam, "NUM_PRIMERS_TRIED", 3)
    assert exam.best_primer(*networks, pairs, 0) in set(range(4)) - {nearest}
    monkeypatch.setattr(exam, "NUM_PRIMERS_READ", 1)  # what is not near is not asked
    assert exam.best_primer(*networks, pairs, 0) == nearest


ARGS, LIMIT = "data_loader.args.dataset.args", "trainer.args.time_limit_minutes"
SMALL = [f"{ARGS}.size=8", f"{ARGS}.lent=0", "trainer.args.samples=0"]
STEPS = [f"{number} of 5" for number in range(1, 6)]
"""What a training says in turn, beside what it does."""


def learn(*words, options=()):
    """Run train.py, and return its exit status."""
    return train.main([*words, "-d", "cpu", *(word for text in options for word in ("-o", text))])


def test_a_hand_learned_in_two_starts_is_saved_with_a_line_of_the_person(
    tmp_path, monkeypatch, hand, caplog, logging_restored, short_exam, few_lines
):
    """By the README's commands, whose data are other lines."""
    monkeypatch.chdir(tmp_path)
    Path("configs").symlink_to(ROOT / "configs")
    Path("docs").mkdir()
    Path("docs/letter.txt").write_text("Dear Anna")
    root, run = hand().root, Path("saved/models/own_hand/mine")
    Path("docs/sample-lines").symlink_to(root)
    words, page = (w for _, w in commands(ROOT / "README.md") if "own_hand" in " ".join(w))
    words += ["--epochs", "2", "--lr", "1e-5"]
    options = [*SMALL, f"{ARGS}.composed=2", f"{LIMIT}=0", "trainer.args.precision=float32"]
    assert learn(*words, options=options) == 0 and not (run / "hand.pth").exists()
    assert learn("-r", str(run), "--run-id", "b") == 0  # stopped at once
    assert run.with_name("b").joinpath("practice.npz").exists()
    assert learn("-r", str(run), options=[f"{LIMIT}=null"]) == 0
    (shown,) = re.findall(r"python experiments\.py page (FILE .*)", caplog.text)
    assert experiments.parser_of("page")[1].parse(shown.split()).resume == str(run)
    assert load(run, "cpu").path.name == "hand.pth"
    assert load(run / "hand.pth", "cpu").write("hi", seed=1).ended
    assert "training" not in load_checkpoint(run / "hand.pth")
    assert str(root).encode() not in (run / "hand.pth").read_bytes()
    (style,) = read_ink(run / "hand.json")
    assert style.text in [line["text"] for line in json.loads(Path(root).read_text())]
    assert 80 < x_height(style.ink) < 160  # in the network's units, whatever the person's were
    assert "of what was learned" in (run / "train.log").read_text()
    assert re.findall(r"\d of \d(?=: )", caplog.text) == STEPS
    # It is shown, and written and served with.
    own = [*page[:-2], "--style", "own", "--output", "own.pdf"]
    for words in (["hand", "-r", str(run)], page, own, ["export", "-r", str(run), "mine.bin"]):
        assert experiments.main(words) == 0
    assert Path("letter.pdf").stat().st_size > 1000 and Path("own.pdf").stat().st_size > 1000
    monkeypatch.setattr(site, "NETWORKS", [])
    headers = []

    def listen(port, files):
        headers.append(json.loads(files["/networks/writer.bin"].read_bytes().partition(b"\n")[0]))
        raise KeyboardInterrupt

    monkeypatch.setattr(web, "_listen", listen)
    with pytest.raises(KeyboardInterrupt):
        experiments.main(["web", "--hand", str(run)])
    assert headers[0]["hands"].keys() == {"hand"}


@pytest.fixture
def examined(tmp_path, monkeypatch, hand):
    """Examines a network whose weights have all learned 1 too much, with given error rates."""
    monkeypatch.chdir(tmp_path)
    path, run = pretrained()["conditional"], RunFolder("own_hand", "a")
    weights = load(path, "cpu").model.state_dict()
    learned = {"state_dict": {name: weight + 1 for name, weight in weights.items()}}
    run.models.mkdir(parents=True)
    save_checkpoint(run.best, load_checkpoint(path) | learned)
    monkeypatch.setattr(RunFolder, "first_weights", lambda run: path)
    monkeypatch.setattr(exam, "best_primer", lambda *_: 0)
    monkeypatch.setattr(exam, "TRIED_FRACTIONS", (1.0, 0.8))
    facts = SimpleNamespace(loaded=hand(x_height=100.0, step=20.0).load())

    def examine(*rates):
        rates = iter(rates)
        monkeypatch.setattr(exam.Exam, "score", lambda *_: (set(), [], next(rates)))
        trainer = OwnHandTrainer.__new__(OwnHandTrainer)
        trainer.run, trainer.device = run, torch.device("cpu")
        trainer.facts = facts
        trainer.on_end()
        return run.models / "hand.pth"

    return examine


def test_the_fraction_of_what_was_learned_that_stays_legible_is_kept(examined, caplog):
    caplog.set_level("INFO")
    kept = load_checkpoint(examined(0.0, 0.5, 0.0))["state_dict"]["output.bias"].float()
    former = load("conditional", "cpu").model.output.bias.detach()
    torch.testing.assert_close(kept, former + 0.8, rtol=2e-3, atol=2e-3)
    assert "80 % of the learned change stays" in caplog.text and "to use it" not in caplog.text


def test_what_was_learned_is_not_kept_when_no_part_of_it_is_legible(examined, caplog):
    caplog.set_level("INFO")
    assert not examined(0.0, 0.5, 0.2).exists()
    assert "forgets how to write" in caplog.text and "to use it" in caplog.text


def test_a_reader_learns_a_hand(tmp_path, monkeypatch, hand, caplog, logging_restored):
    monkeypatch.chdir(tmp_path)
    config, data = CONFIG.replace("hand.json", "hand_reader.json"), hand(lambda lines: lines[:3])
    words = ["-c", config, "-r", str(JUDGE), "--data", data.root, "--epochs", "1"]
    assert learn(*words, options=[*SMALL, f"{ARGS}.composed=0"]) == 0
    assert "in 3 learned lines:" in caplog.text
    assert re.findall(r"\d of \d(?=: )", caplog.text) == STEPS


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-r", "unconditional"], "a hand is learned by a network that writes texts, or that r"),
        (["-r", "recognition"], 'arch = "CTCNetwork": a network that predicts the next point'),
    ],
)
def test_unsuited_networks_are_refused(hand, caplog, words, message, logging_restored, tmp_path):
    assert train.main(["-c", CONFIG, "--data", hand().root, *words]) == 2
    assert message in caplog.text
