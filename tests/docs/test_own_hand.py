"""The README's block on one's own hand goes to its end, with the shortest training that matters."""

import json
from pathlib import Path

import pytest

import experiments
import train
from commands import web
from data_loader.invented.font_writers import EmbeddedDataset
from data_loader.texts import corpus
from ink.geometry import strokes
from model.generation.hand_encoder import NUM_HANDS
from tests.data_loader import ink_formats
from tests.docs.test_commands import commands
from tests.docs.test_links import ROOT
from trainer.own_hand import exam

SHORT = {"data_loader.args.dataset.args.size": NUM_HANDS, "trainer.args.samples": 0}
SHORT |= {"trainer.args.precision": "float32"}  # quick on all processors
SHORT |= {f"data_loader.args.dataset.args.{name}": 0 for name in ("composed", "lent")}
"""A batch whose hand fills all rows from which hands are drawn, as after a real training."""


@pytest.fixture
def block(tmp_path, monkeypatch, logging_restored, few_lines):
    """The block's commands, in a folder that has what they name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(corpus, "CARRIERS", dict(list(corpus.CARRIERS.items())[::48]))
    monkeypatch.setattr(exam, "TRIED_FRACTIONS", (1.0,))
    monkeypatch.setattr(exam, "DISCARDED_CER_INCREASE", 1)  # Of two short texts it says little.
    for name in ("NUM_EXAM_LINES", "TEXTS_PER_PRIMER", "NUM_PRIMERS_TRIED", "NUM_SEEDS"):
        monkeypatch.setattr(exam, name, 1)
    source = EmbeddedDataset(
        seed=7, size=4, valid_size=1, test_size=1, writers=1, min_characters=3, max_characters=9
    )
    lines = [(line.text, strokes(line.ink)) for line in source.load(["train"]).split("train")]
    Path("configs").symlink_to(ROOT / "configs")
    Path("docs").mkdir()
    Path("docs/sample-lines").write_bytes(ink_formats.own(lines))  # fewer and shorter ones
    Path("docs/letter.txt").write_text("Dear Anna")
    return [words for _, words in commands(ROOT / "README.md") if "own_hand" in " ".join(words)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hand_is_learned_shown_written_and_served_as_in_the_readme(block, tmp_path, monkeypatch):
    headers = []

    def served(port, files):
        headers.append(json.loads(files["/networks/writer.bin"].read_bytes().partition(b"\n")[0]))
        raise KeyboardInterrupt

    monkeypatch.setattr(web, "_listen", served)
    monkeypatch.setattr(web, "NETWORKS", [])
    (learn, page), run = block, "saved/models/own_hand/mine"
    options = [word for key, value in SHORT.items() for word in ("-o", f"{key}={value}")]
    assert train.main([*learn, *options, "--bs", str(NUM_HANDS), "--epochs", "1"]) == 0
    own = ["page", "docs/letter.txt", "-r", run, "--style", "own", "--output", "own.pdf"]
    for words in [["hand", "-r", run], page, own, ["export", "-r", run, "mine.bin"]]:
        assert experiments.main(words) == 0
    with pytest.raises(KeyboardInterrupt):
        experiments.main(["web", "--hand", run])
    assert headers[0]["hands"].keys() == {"hand"}
    assert Path("letter.pdf").stat().st_size > 1000 and Path("own.pdf").stat().st_size > 1000
