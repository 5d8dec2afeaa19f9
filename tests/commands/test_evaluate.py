"""Networks are scored on splits of their data."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from base.base_dataset import SPLITS
from data_loader import EmbeddedDataset
from ink.alphabet import Alphabet
from model import load
from model import scores as library
from model.recognition.error_rates import rates
from parse_config import data_of
from tests import small_sources
from tests.commands.networks import ALPHABET, DATA, READERS, evaluate, names, save, use
from utils.checks import UserError


def change_what_is_loaded(monkeypatch, change):
    load = EmbeddedDataset.load
    changed = lambda self, splits=SPLITS: change(load(self, splits))  # noqa: E731
    monkeypatch.setattr(EmbeddedDataset, "load", changed)


def scores_in(folder):
    """Return what the one evaluation in a folder found."""
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text())


def test_several_networks_are_scored_and_runs_keep_their_scores(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = save(Path("saved/models/a/1/model_best.pth"), "PredictionNetwork")
    other = save(Path("plain.pth"), "CTCNetwork", "plain")
    use("evaluate", "-r", path, other, "test")
    table = [line.split() for line in capsys.readouterr().out.splitlines()[-3:]]
    mine, others = scores_in(path.parent / "evaluations"), scores_in(Path("saved/figures"))
    assert table == [
        ["checkpoint", "split", "log_loss", "cer"],
        [str(path), "test", f"{mine['log_loss']:.4f}"],
        [str(other), "test", f"{others['cer']:.4f}"],
    ]
    use("evaluate", "-r", path, "--seed", 1)
    use("evaluate", "-r", path, "-o", "data_loader.args.batch_size=1")
    assert len(names(path.parent / "evaluations")) == 3


def test_a_mistyped_split_behind_networks_is_no_split_either():
    splits = r"; nor a split \(train, valid, test\)$"
    for words, message in (
        (("-r", "reader", "tset"), f"^tset: no such file .*writer\\){splits}"),
        (("-r", "tset"), r"^tset: no such file .*writer\)$"),
        (("-r", "radeer", "test"), r"^radeer: no such file .*writer\)$"),
    ):
        with pytest.raises(UserError, match=message):
            use("evaluate", *words)


def test_a_refused_evaluation_leaves_no_folder(tmp_path, checkpoints):
    words = ("-o", "data_loader.args.dataset.args.size=-1")
    with pytest.raises(UserError, match="size"):
        evaluate(checkpoints["CTCNetwork"], tmp_path / "new", *words)
    assert not (tmp_path / "new").exists()


def test_points_on_a_grid_are_scored_in_canonical_units(
    unconditional, tmp_path, monkeypatch, capsys
):
    units = {"canonical": (41.95, 37.12), "quantisation_step": 20.0}
    change_what_is_loaded(monkeypatch, lambda loaded: replace(loaded, **units))
    scores_by_seed = []
    for seed in (1, 2):
        evaluate(unconditional, tmp_path / str(seed), "test", "--seed", seed)
        scores_by_seed.append(scores_in(tmp_path / str(seed)))
    assert scores_by_seed[0]["split"] == "test" and "41.95 and 37.12" in scores_by_seed[0]["unit"]
    assert "41.95 and 37.12" in capsys.readouterr().out
    loaded = load(unconditional, "cpu")
    split = data_of(loaded, "test").loader("test")
    expected = library.evaluate(loaded.model, split, seed=2, **units)
    assert {name: scores_by_seed[1][name] for name in expected} == pytest.approx(expected)
    assert scores_by_seed[0]["log_loss"] == scores_by_seed[1]["log_loss"]
    assert scores_by_seed[0]["log_loss_dequantised"] != scores_by_seed[1]["log_loss_dequantised"]


def test_overrides_change_the_data_and_are_refused_for_the_network(unconditional, tmp_path):
    key = "data_loader.args.dataset.args"
    evaluate(unconditional, tmp_path, "-o", f"{key}.valid_size=2")
    assert scores_in(tmp_path)["sequences"] == 2
    with pytest.raises(UserError, match=r"arch\.args\.min_scale: the checkpoint fixes the arch"):
        evaluate(unconditional, tmp_path, "-o", "arch.args.min_scale=3.5")
    with pytest.raises(UserError, match=r"valid_sise.*valid_size"):
        evaluate(unconditional, tmp_path, "-o", f"{key}.valid_sise=12")


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("SynthesisNetwork", {}),
        ("PredictionNetwork", {"end_of_sequence": True}),
        ("PredictionNetwork", {"head": "regression"}),
    ],
)
def test_scores_are_saved_and_printed_with_their_units(tmp_path, capsys, arch, options):
    path = save(tmp_path / "c.pth", arch, **options)
    evaluate(path, tmp_path)
    printed, scores = capsys.readouterr().out, scores_in(tmp_path)
    loaded = load(path, "cpu")
    expected = library.evaluate(loaded.model, data_of(loaded, "valid").loader("valid"))
    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert all(f"  {name} " in printed for name in expected.keys() - {"sequences", "points"})
    assert "normalised units" in printed and scores["split"] == "valid"
    ends, has_density = "end_of_sequence" in options, "head" not in options
    assert ("whether the sequence ends at the point" in printed, "end_of_sequence" in scores) == (
        ends,
    ) * 2
    assert ("sigma is at least 0.1" in printed, "min_scale" in scores) == (has_density,) * 2


@pytest.mark.parametrize("arch", READERS)
def test_readers_get_error_rates_and_their_worst_lines(checkpoints, data, tmp_path, capsys, arch):
    evaluate(checkpoints[arch], tmp_path, "test")
    metrics = scores_in(tmp_path)
    samples, model = data.split("test"), load(checkpoints[arch]).model
    read = [model.read([sample.ink]).hypotheses[0] for sample in samples]
    expected = rates(zip([sample.text for sample in samples], read, strict=True))
    for name in ("cer", "wer", "sequences", "characters"):
        assert metrics[name] == pytest.approx(expected[name]), name
    assert f"cer {expected['cer']:.4f}" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*-test-worst.png"))) == 1


@pytest.mark.parametrize("arch", READERS)
def test_beam_and_language_model_have_scores_of_their_own(checkpoints, tmp_path, capsys, arch):
    text = tmp_path / "text.txt"
    text.write_text("zzz zzz\nzz zzzz\n", encoding="utf-8")
    words = ("--beam", 3, "--language-model", text, "--language-weight", 30)
    evaluate(checkpoints[arch], tmp_path, "test", *words)
    metrics = scores_in(tmp_path)
    printed = capsys.readouterr().out
    assert re.search(r"greedy +cer", printed) and re.search(r"language_model +cer", printed)
    assert metrics["language_model"]["cer"] != metrics["cer"]
    assert metrics["beam"]["sequences"] == metrics["sequences"] == DATA["test_size"]


def test_lines_without_a_text_are_not_scored(checkpoints, tmp_path, capsys, monkeypatch):
    def without_a_text(loaded):
        first, *others = loaded.split("test")
        return replace(loaded, samples={"test": [replace(first, text=""), *others]})

    change_what_is_loaded(monkeypatch, without_a_text)
    evaluate(checkpoints["CTCNetwork"], tmp_path, "test")
    assert "no text: 1 of 3 lines" in capsys.readouterr().out
    assert scores_in(tmp_path)["sequences"] == 2


def test_options_of_readers_are_refused_for_writers(conditional, tmp_path):
    with pytest.raises(UserError, match=r"--beam is for a network that reads"):
        evaluate(conditional, tmp_path, "--beam", 2)


def test_the_option_data_sets_the_folder_of_a_dataset_within_other_datasets(tmp_path):
    small_sources.iam_ondb(tmp_path / "here", {})
    splits = {"train": ["testset_v"], "valid": ["trainset"], "test": ["testset_t"]}
    lines = {"type": "IAMOnDBDataset", "args": {"root": "nowhere", "splits": splits}}
    shaped = {"type": "ShapedDataset", "args": {"dataset": lines, "shaping": []}}
    digits = {"type": "UnipenDataset", "args": {"root": "none"}}  # which only training needs
    mixed = {"type": "MixedDataset", "args": {"dataset": shaped, "added": digits}}
    for name, dataset in (("plain", lines), ("shaped", shaped), ("mixed", mixed)):
        path = save(tmp_path / f"{name}.pth", name=name, dataset=dataset)
        evaluate(path, tmp_path / name, "--data", tmp_path / "here")
        assert scores_in(tmp_path / name)["sequences"] == 6
        with pytest.raises(UserError, match="nowhere"):
            evaluate(path, tmp_path / name)


def test_texts_are_encoded_by_the_alphabet_of_the_network(tmp_path):
    """Not by that of the data, whose order is another."""
    alphabet = Alphabet(ALPHABET.characters[::-1])
    path = save(tmp_path / "a.pth", "SynthesisNetwork", "a", alphabet=alphabet)
    data = data_of(load(path, "cpu"), "test")
    (batch, *_) = data.loader("test")
    index, length = int(batch.index[0]), batch.text_lengths[0]
    assert alphabet.decode(batch.text[0][:length]) == data.loaded.split("test")[index].text
