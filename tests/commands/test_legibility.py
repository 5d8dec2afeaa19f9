"""A recogniser judges a writer."""

import json
import re

import pytest
from PIL import Image

import model.loading
from data_loader.synthetic.corpus import CARRIERS
from data_loader.synthetic.everyday import KINDS, held_out_everyday
from model import CTCNetwork, load
from model.generation.options import Sampling
from model.legibility import read_back
from model.recognition.error_rates import rates
from tests.commands.networks import ALPHABET, of_colour, use
from utils.alphabet import Alphabet
from utils.checks import UserError
from utils.plots import FAULT


def judge(writer, *words):
    use("legibility", "-r", writer, *words)


def test_read_back_gives_a_rate_for_each_bias(checkpoints, tmp_path, capsys):
    use(
        *("legibility", "-r", checkpoints["SynthesisNetwork"]),
        *("--reader", checkpoints["CTCNetwork"]),
        *("--text", "one", "--text", "two and", "--biases", 1, 0.5, "--steps", 40),
        *("--output", tmp_path),
    )
    written = json.loads((tmp_path / "read_back.json").read_text())
    assert [one["bias"] for one in written["results"]] == [0.5, 1.0]
    assert written["pen_sharpness"] == 3.0
    writer = load(checkpoints["SynthesisNetwork"])
    reader = load(checkpoints["CTCNetwork"]).model
    results = read_back(writer, reader, ["one", "two and"], [0.5, 1.0], Sampling(max_steps=40))
    for one, stored in zip(results, written["results"], strict=True):
        assert stored["cer"] == pytest.approx(one.rates["cer"])
        pairs = [(each.reference, each.hypothesis) for each in one.transcriptions]
        assert one.rates["cer"] == rates(pairs)["cer"]
        assert [truth for truth, _ in pairs] == ["one", "two and"]
    assert "bias 0.5" in capsys.readouterr().out
    assert Image.open(tmp_path / "synthesisnetwork-legibility.png").width > 100


def test_read_back_leaves_out_what_the_writer_lacks_and_says_what_the_reader_lacks(
    checkpoints, tmp_path, capsys, monkeypatch
):
    real = model.loading.load

    def with_fewer(path, *arguments):
        loaded = real(path, *arguments)
        if isinstance(loaded.model, CTCNetwork):
            loaded.model.alphabet = Alphabet([*ALPHABET.characters[:-1], "ß"])  # "~" is lacking
        return loaded

    monkeypatch.setattr(model.loading, "load", with_fewer)
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    words += ("--text", "a\u00e9~b", "--biases", 1, "--steps", 5, "--output", tmp_path)
    with pytest.raises(UserError, match="does not know 'é'"):
        judge(*words)
    judge(*words, "--skip-unknown")
    printed = capsys.readouterr().out
    assert "the reader does not know them: '~'" in printed
    assert "left out, because the network does not know it: 'é'" in printed
    stored = json.loads((tmp_path / "read_back.json").read_text())
    assert [one["text"] for one in stored["texts"]] == ["a~b"]


def test_lines_are_proofread_by_another_network_than_their_judge(
    checkpoints, tmp_path, monkeypatch, capsys
):
    """Untrained ones: the proofreader is never content, so that every line is written thrice."""
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    words += ("--text", "one", "--text", "two", "--biases", 1, 0.5, "--steps", 9)
    proofread = ("--proofread", checkpoints["AttentionNetwork"], "--tries", 3)
    judge(*words, *proofread, "--output", tmp_path)
    printed = capsys.readouterr().out
    assert printed.count("with any 2 of 2") == printed.count("in 6 tries") == 2
    stored = json.loads((tmp_path / "read_back.json").read_text())
    assert stored["proofreader"] == str(checkpoints["AttentionNetwork"]) and stored["tries"] == 3
    assert [(one["wrong"], one["tries"]) for one in stored["results"]] == [(2, 6)] * 2
    assert [one["tries"] for one in stored["texts"]] == [[3, 3]] * 2
    judge(*words, "--output", tmp_path)
    assert "tries" not in capsys.readouterr().out
    stored = json.loads((tmp_path / "read_back.json").read_text())
    assert (stored["proofreader"], stored["tries"]) == (None, 1)
    assert [(one["wrong"], one["tries"]) for one in stored["results"]] == [(2, 2)] * 2


def test_proofreading_needs_two_recognisers(checkpoints, tmp_path):
    writer, reader = checkpoints["SynthesisNetwork"], checkpoints["CTCNetwork"]
    words = (writer, "--reader", reader, "--output", tmp_path / "out")
    (tmp_path / "same.pth").symlink_to(reader)
    for same in (reader, tmp_path / "same.pth"):
        with pytest.raises(UserError, match="is the network of --reader: it would judge the lines"):
            judge(*words, "--proofread", same)
    with pytest.raises(UserError, match="SynthesisNetwork: it writes; use `write`"):
        judge(*words, "--proofread", writer)
    with pytest.raises(UserError, match="--tries is for --proofread"):
        judge(*words, "--tries", 2)
    with pytest.raises(UserError, match="nonsuch: no such file"):
        judge(*words, "--proofread", "nonsuch")
    assert not (tmp_path / "out").exists()


def test_texts_of_a_file_are_judged_by_kind(checkpoints, tmp_path, monkeypatch, capsys):
    """The second sample of "Ann" is read with one error of three characters, all else rightly."""
    file = tmp_path / "texts.tsv"
    file.write_text("name\tAnn\n\nnumber\t12\nname\tBo B\n")
    read = ["Ann", "12", "Bo B", "Anm", "12", "Bo B"]
    monkeypatch.setattr("model.legibility.read_lines", lambda *words, **options: read)
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    words += ("--texts", file, "--biases", 1, "--num-samples", 2, "--steps", 5, "--seed", 7)
    judge(*words, "--output", tmp_path / "out")
    printed = capsys.readouterr().out
    assert "reads 6 texts" in printed
    assert re.search(r"\n +lines +cer +exact\n +name +4  0.0714  0.7500\n", printed)
    assert re.search(r"\n +number +2  0.0000  1.0000\n +all +6  0.0556  0.8333\n", printed)
    stored = json.loads((tmp_path / "out" / "read_back.json").read_text())
    (result,) = stored["results"]
    assert result["kinds"]["name"]["cer"] == pytest.approx(1 / 14)
    assert [one["kind"] for one in stored["texts"]] == ["name", "number", "name"] * 2
    assert [one["seed"] for one in stored["texts"]] == [7, 8, 9, 1_000_007, 1_000_008, 1_000_009]
    assert [one["read"] for one in stored["texts"]] == [[text] for text in read]
    assert not (tmp_path / "out" / "synthesisnetwork-texts.png").exists()


def test_a_sheet_marks_the_lines_of_the_first_sample_that_were_misread(
    checkpoints, tmp_path, monkeypatch
):
    file = tmp_path / "texts.txt"
    file.write_text("one\ntwo\n")
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    words += ("--texts", file, "--biases", 1, "--num-samples", 2, "--steps", 5, "--sheet")
    marked = []
    for read in (["one", "two", "one", "tvvo"], ["one", "tvvo", "one", "two"]):
        monkeypatch.setattr("model.legibility.read_lines", lambda *words, lines=read, **_: lines)
        judge(*words, "--output", tmp_path)
        marked.append(of_colour(tmp_path / "synthesisnetwork-texts.png", FAULT))
    assert marked[0] == 0 and marked[1] > 100
    stored = json.loads((tmp_path / "read_back.json").read_text())
    assert "kinds" not in stored["results"][0] and "kind" not in stored["texts"][0]


@pytest.mark.parametrize(
    ("name", "split", "count"), [("everyday", "test", 200), ("everyday-valid", "valid", 400)]
)
def test_texts_of_everyday_life_are_those_of_their_split(
    name, split, count, checkpoints, tmp_path, monkeypatch, capsys
):
    expected = held_out_everyday(split)
    monkeypatch.setattr(
        "model.legibility.read_lines", lambda *words, **_: [text for _, text in expected]
    )
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    judge(*words, "--texts", name, "--biases", 1, "--steps", 3, "--sheet", "--output", tmp_path)
    stored = json.loads((tmp_path / "read_back.json").read_text())
    assert [(one["kind"], one["text"]) for one in stored["texts"]] == expected
    printed = capsys.readouterr().out
    for kind in KINDS:
        assert re.search(rf"\n +{kind} +{count // 8}  0.0000  1.0000\n", printed)


def test_a_file_of_texts_has_a_kind_for_each_or_for_none(checkpoints, tmp_path):
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    file = tmp_path / "texts.tsv"
    for content, message in (
        ("name\tAnn\nBob\n", "texts.tsv: not a text in each line, nor in each its kind, a tab"),
        ("name\tAnn\tBob\n", "texts.tsv: not a text in each line"),
        ("\n", "contains no text"),
        ("n\u00e9e", "does not know 'é'"),
    ):
        file.write_text(content)
        with pytest.raises(UserError, match=message):
            judge(*words, "--texts", file, "--output", tmp_path)
    with pytest.raises(UserError, match="evryday: cannot be read"):
        judge(*words, "--texts", "evryday", "--output", tmp_path)


def test_every_visible_character_is_a_kind_of_text(checkpoints, tmp_path):
    words = ("--texts", "characters", "--biases", 1, "--steps", 3, "--sheet", "--output", tmp_path)
    judge(checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"], *words)
    stored = json.loads((tmp_path / "read_back.json").read_text())
    assert sorted(one["kind"] for one in stored["texts"]) == [chr(code) for code in range(33, 127)]
    assert all(one["text"] == CARRIERS[one["kind"]] for one in stored["texts"])
    assert Image.open(tmp_path / "synthesisnetwork-texts.png").height > 500
