"""Transcription with the script as its users call it."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import experiments
import train
from base.checkpoint import load_checkpoint, save_checkpoint
from data_loader import EmbeddedDataset
from data_loader.synthetic.corpus import CARRIERS, held_out, split_of
from model import AttentionNetwork, CTCNetwork, SynthesisNetwork
from model.generation.sampling import Line, sample
from model.legibility import read_back
from model.recognition.error_rates import rates
from model.recognition.language_model import CharacterLanguageModel
from model.recognition.networks import Search
from model.recognition.transcribing import read_lines, score, worst
from tests import small_sources
from utils.alphabet import Alphabet
from utils.checks import UserError
from utils.normalisation import Normalisation
from utils.page.inkml import write_inkml

NORMALISATION = Normalisation(mean=(8.0, 0.5), std=(40.0, 35.0))
ALPHABET = Alphabet([chr(code) for code in range(32, 127)])
DATA = {"seed": 3, "size": 6, "valid_size": 5, "test_size": 3, "writers": 2, "max_characters": 20}
NETWORKS = {
    "CTCNetwork": (CTCNetwork, {"hidden_size": 8, "channels": 8, "num_layers": 1}, "CTCLoss"),
    "AttentionNetwork": (
        AttentionNetwork,
        {"hidden_size": 8, "channels": 8, "num_layers": 2},
        "TranscriptionLoss",
    ),
    "SynthesisNetwork": (
        SynthesisNetwork,
        {"hidden_size": 12, "num_layers": 1, "num_mixtures": 3},
        "NegativeLogLikelihood",
    ),
}


def save(folder, arch, alphabet=ALPHABET):
    """Write a checkpoint of an untrained network."""
    cls, arguments, loss = NETWORKS[arch]
    torch.manual_seed(4)
    model = cls(NORMALISATION, alphabet, **arguments)
    if arch != "SynthesisNetwork":
        with torch.no_grad():  # so that something is read
            model.labels.bias[:-1] += 2.0
    writes = arch == "SynthesisNetwork"
    dataset = {"type": "EmbeddedDataset", "args": DATA}
    config = {
        "name": arch.lower(),
        "arch": {"type": arch, "args": arguments},
        "data_loader": {
            "type": "HandwritingDataLoader",
            "args": {"dataset": dataset, "batch_size": 2},
        },
        "optimizer": {"type": "Adam", "args": {"lr": 0.001}},
        "lr_scheduler": None,
        "loss": {"type": loss, "args": {}},
        "metrics": [],
        "trainer": {
            "type": "GenerationTrainer" if writes else "RecognitionTrainer",
            "args": {"epochs": 1, **({} if writes else {"monitor": None})},
        },
    }
    path = folder / f"{arch}.pth"
    save_checkpoint(
        path,
        {
            "config": config,
            "state_dict": model.state_dict(),
            "alphabet": alphabet.characters,
            "normalisation": NORMALISATION.to_dict(),
            "metrics": {},
            "dataset": {"canonical": None, "quantisation_step": None},
            "epoch": 1,
            "step": 10,
        },
    )
    return path


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return {arch: save(folder, arch) for arch in NETWORKS}


@pytest.fixture(scope="module")
def data():
    dataset = EmbeddedDataset(**DATA)
    dataset.prepare()
    return dataset


def run(*words):
    experiments.main(experiments.parse([*map(str, words)]))


READERS = ["CTCNetwork", "AttentionNetwork"]


@pytest.mark.parametrize("arch", READERS)
def test_ink_files_are_read_and_drawn(checkpoints, data, tmp_path, capsys, arch):
    (tmp_path / "ink").mkdir()
    for number in range(3):
        write_inkml(tmp_path / "ink" / f"{number}.inkml", data.ink(number), data.text(number))
    run("-r", checkpoints[arch], "--input", tmp_path / "ink", "--output", tmp_path / "out")
    printed = capsys.readouterr().out.splitlines()
    model = experiments.load(checkpoints[arch]).model
    for number in range(3):
        read = model.read([data.ink(number)]).hypotheses[0]
        assert f"{number}.inkml\t{read}" in printed
    truths = [data.text(number) for number in range(3)]
    read = read_lines(model, [data.ink(number) for number in range(3)])
    cer = rates(zip(truths, read, strict=True))["cer"]
    assert any(f"cer {cer:.4f}" in line for line in printed)
    assert Image.open(tmp_path / "out" / f"{arch.lower()}-read.png").width > 100


@pytest.mark.parametrize("arch", READERS)
def test_an_evaluation_gives_rates_and_a_page(checkpoints, data, tmp_path, capsys, arch):
    run("-r", checkpoints[arch], "--evaluate", "test", "--output", tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    indices = [int(index) for index in data.indices("test")]
    model = experiments.load(checkpoints[arch]).model
    read = [model.read([data.ink(index)]).hypotheses[0] for index in indices]
    expected = rates(zip(map(data.text, indices), read, strict=True))
    for name in ("cer", "wer", "sequences", "characters"):
        assert metrics[name] == pytest.approx(expected[name]), name
    assert f"cer {expected['cer']:.4f}" in capsys.readouterr().out
    assert (tmp_path / f"{arch.lower()}-worst.png").exists()


@pytest.mark.parametrize("arch", READERS)
def test_a_validation_gives_the_rates_of_an_evaluation(
    checkpoints, tmp_path, monkeypatch, logging_restored, arch
):
    """Of ink on a digitiser's grid, where the pen often stays on a height for some points."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    splits = {"train": ["testset_v"], "valid": ["trainset"], "test": ["testset_t"]}
    small_sources.iam_ondb(Path("data"), {})
    config = load_checkpoint(checkpoints[arch])["config"]
    dataset = {"type": "IAMOnDBDataset", "args": {"root": "data", "splits": splits}}
    config["data_loader"]["args"]["dataset"] = dataset
    config["optimizer"]["args"]["lr"] = 1e-4  # what it says goes on being of all characters
    config["metrics"] = [{"type": "ErrorRates"}]
    config["trainer"]["args"] |= {"samples": 0, "tensorboard": False}
    Path("config.json").write_text(json.dumps(config))
    words = ["-d", "cpu", "-c", "config.json", "-r", str(checkpoints[arch]), "--run-id", "a"]
    assert train.main(words) == 0
    folder = Path("saved/models", config["name"], "a")
    with (folder / "metrics.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    run("-d", "cpu", "-r", folder, "--evaluate", "valid", "--output", "out")
    metrics = json.loads(Path("out/metrics.json").read_text())
    assert metrics["sequences"] == 6
    for name in ("cer", "wer"):
        assert float(row[f"valid_{name}"]) == pytest.approx(metrics[name], rel=1e-5), name


@pytest.mark.parametrize("arch", READERS)
def test_beam_and_language_model_are_reported_apart(checkpoints, tmp_path, capsys, arch):
    text = tmp_path / "text.txt"
    text.write_text("zzz zzz\nzz zzzz\n", encoding="utf-8")
    options = ("--beam", 3, "--language-model", text, "--language-weight", 30)
    run("-r", checkpoints[arch], "--evaluate", "test", "--output", tmp_path, *options)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    printed = capsys.readouterr().out
    assert re.search(r"greedy +cer", printed) and re.search(r"language_model +cer", printed)
    assert metrics["language_model"]["cer"] != metrics["cer"]
    assert metrics["beam"]["sequences"] == metrics["sequences"] == DATA["test_size"]
    run("-r", checkpoints[arch], "--evaluate", "test", "--output", tmp_path / "plain")
    plain = json.loads((tmp_path / "plain" / "metrics.json").read_text())
    assert plain["cer"] == metrics["cer"]  # off by default, and what stands first is without


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_language_model_is_of_the_training_texts(checkpoints, data, tmp_path, capsys, split):
    words = ["-r", str(checkpoints["CTCNetwork"]), "--evaluate", split, "--beam", "2"]
    words += ["--language-model", "--output", str(tmp_path)]
    run(*words)
    assert "language model of train" in capsys.readouterr().out
    loaded = experiments.load(checkpoints["CTCNetwork"])
    found = experiments.search_of(loaded, experiments.parse(words)).language_model
    texts = {name: [data.text(int(n)) for n in data.indices(name)] for name in ("train", split)}
    of = {name: CharacterLanguageModel.fit(texts[name], ALPHABET) for name in texts}
    assert found.perplexity(texts[split]) == of["train"].perplexity(texts[split])
    assert of["train"].perplexity(texts[split]) > 2 * of[split].perplexity(texts[split])


def test_read_back_gives_a_rate_for_each_bias(checkpoints, tmp_path, capsys):
    run(
        *("-r", checkpoints["SynthesisNetwork"], "--read-back", checkpoints["CTCNetwork"]),
        *("--text", "one", "--text", "two and", "--biases", 1, 0.5, "--steps", 40),
        *("--output", tmp_path),
    )
    written = json.loads((tmp_path / "read_back.json").read_text())
    assert [one["bias"] for one in written["results"]] == [0.5, 1.0]
    assert written["pen_sharpness"] == 3.0
    writer = experiments.load(checkpoints["SynthesisNetwork"]).model
    reader = experiments.load(checkpoints["CTCNetwork"]).model
    results = read_back(writer, reader, ["one", "two and"], [0.5, 1.0], max_steps=40)
    for one, stored in zip(results, written["results"], strict=True):
        assert stored["cer"] == pytest.approx(one.rates["cer"])
        pairs = [(each.reference, each.hypothesis) for each in one.transcriptions]
        assert one.rates["cer"] == rates(pairs)["cer"]
        assert [truth for truth, _ in pairs] == ["one", "two and"]
    assert "bias 0.5" in capsys.readouterr().out
    for name in ("legibility", "read-back"):
        assert Image.open(tmp_path / f"synthesisnetwork-{name}.png").width > 100


def test_every_visible_character_is_written_read_and_drawn(checkpoints, tmp_path, capsys):
    """An untrained writer is read wrongly; one whose lines are read as their texts, rightly."""
    words = ("-r", checkpoints["SynthesisNetwork"], "--read-back", checkpoints["CTCNetwork"])
    words += ("--characters", "--num-samples", 2, "--steps", 12, "--output", tmp_path)
    run(*words)
    stored = json.loads((tmp_path / "characters.json").read_text())
    assert sorted(stored["characters"]) == [chr(code) for code in range(33, 127)]
    assert all(one in entry["text"] for one, entry in stored["characters"].items())
    assert all(len(entry["read"]) == 2 for entry in stored["characters"].values())
    assert (stored["exact"], stored["bias"], stored["samples"]) == (0.0, 1.0, 2)
    printed = capsys.readouterr().out
    assert "bias 1: 0.0000 of 94 characters" in printed
    assert "0 of 2, itself   0  anna@home" in printed
    assert Image.open(tmp_path / "synthesisnetwork-characters.png").height > 500


def test_what_is_read_exactly_is_counted_by_character(checkpoints, tmp_path, monkeypatch, capsys):
    read = []

    def by_heart(model, inks, search=None, progress=False):
        texts = [text for text in CARRIERS.values() for _ in range(3)]
        read.extend(texts)
        read[:3] = ["Ann", "anna came!", "anna came"]  # the samples of the first character
        return read

    monkeypatch.setattr("model.legibility.read_lines", by_heart)
    words = ("-r", checkpoints["SynthesisNetwork"], "--read-back", checkpoints["CTCNetwork"])
    run(*words, "--characters", "--num-samples", 3, "--steps", 3, "--output", tmp_path)
    stored = json.loads((tmp_path / "characters.json").read_text())
    first, *others = stored["characters"].values()
    assert first["exact"] == 0 and first["read"] == ["Ann", "anna came!", "anna came"]
    assert first["itself"] == 1  # an A is read in "Ann", none in the others
    assert {(one["exact"], one["itself"]) for one in others} == {(3, 3)}
    assert stored["exact"] == pytest.approx(1 - 3 / (94 * 3))
    assert stored["itself"] == pytest.approx(1 - 2 / (94 * 3))
    printed = capsys.readouterr().out
    assert "0 of 3, itself   1  Anna came  else: Ann  anna came!  anna came" in printed
    assert re.search("0.9894 of 94 characters.* carriers, 0.9929 whatever", printed)


def test_what_reader_and_writer_lack_of_the_characters_is_said(tmp_path, capsys):
    paths = {}
    for arch, lacks in (("CTCNetwork", "@~"), ("SynthesisNetwork", "#")):
        left = Alphabet([one for one in ALPHABET.characters if one not in lacks])
        paths[arch] = save(tmp_path, arch, left)
    words = ("-r", paths["SynthesisNetwork"], "--read-back", paths["CTCNetwork"])
    run(*words, "--characters", "--num-samples", 1, "--steps", 3, "--output", tmp_path)
    printed = capsys.readouterr().out
    assert "left out: #, because their texts hold what the writer does not know: '#'" in printed
    assert "CTCNetwork of" in printed and "reads 93 texts" in printed
    assert re.search("the reader does not know them: '[@~]' .*, '[@~]' ", printed)


def test_a_line_is_complete_that_ended_with_all_words(checkpoints, monkeypatch):
    """Of four lines that end one lacks a word; a line that ran out of steps never counts."""
    texts = ["one two", "one two", "one two", "one two"]
    read = ["one two", "ons tvvo", "one", "onetwo"]
    monkeypatch.setattr("model.legibility.read_lines", lambda *words, **options: read)
    ink = np.zeros((2, 3), dtype=np.float32)

    def written(ended):
        def write(writer, seeds, part, **options):
            return [Line(ink, 0, None, text, ended, np.zeros(len(ink) - 1)) for text in part]

        return write

    for ended, complete in ((True, 0.75), (False, 0.0)):
        monkeypatch.setattr("model.legibility.sample", written(ended))
        (result,) = read_back(None, None, texts, [0.5])
        assert (result.ended, result.complete) == (float(ended), complete)


def test_a_letter_of_the_other_case_is_misread(monkeypatch):
    """Two of seven characters, both words and none of the lines; no word is left out."""
    monkeypatch.setattr("model.legibility.read_lines", lambda *words, **options: ["abc Def"])
    line = Line(np.zeros((2, 3), dtype=np.float32), 0, None, "Abc def", True, np.zeros(1))
    monkeypatch.setattr("model.legibility.sample", lambda *words, **options: [line])
    (result,) = read_back(None, None, ["Abc def"], [0.5])
    assert result.rates["cer"] == pytest.approx(2 / 7)
    assert (result.rates["wer"], result.rates["line_accuracy"]) == (1.0, 0.0)
    assert (result.ended, result.complete) == (1.0, 1.0)


def test_texts_beyond_the_first_batch_have_seeds_of_their_own(checkpoints, monkeypatch):
    """Text n is written with the first seed plus n, whatever is written with it."""
    writer, reader = (
        experiments.load(checkpoints[arch]).model for arch in ("SynthesisNetwork", "CTCNetwork")
    )
    texts, options = ["one"] * 7, {"seed": 5, "max_steps": 30}
    (whole,) = read_back(writer, reader, texts, [1.0], **options)
    monkeypatch.setattr("model.legibility.TOGETHER", 3)
    (parts,) = read_back(writer, reader, texts, [1.0], **options)
    inks = [one.ink for one in whole.transcriptions]
    assert len({ink.tobytes() for ink in inks}) == len(parts.transcriptions) == len(texts)
    for number, (ink, one) in enumerate(zip(inks, parts.transcriptions, strict=True)):
        (alone,) = sample(writer, [5 + number], ["one"], bias=1.0, max_steps=30)
        np.testing.assert_allclose(one.ink, ink, atol=1e-2)
        np.testing.assert_allclose(one.ink, alone.ink, atol=1e-2)


def test_sentences_of_read_back_are_those_no_training_has():
    sentences = held_out(30)
    assert len(set(sentences)) == 30 and held_out(10) == sentences[:10]
    assert all(split_of(text) == 2 and 20 <= len(text) <= 40 for text in sentences)


def test_the_worst_lines_come_first():
    ink = np.zeros((2, 3), dtype=np.float32)
    read = [("abcd", "abcd"), ("abcd", "abce"), ("ab", "")]
    transcriptions = [
        experiments.Transcription(str(number), ink, *pair) for number, pair in enumerate(read)
    ]
    assert [one.name for one in worst(transcriptions, 2)] == ["2", "1"]
    assert score(transcriptions)["cer"] == pytest.approx(
        3 / 10
    )  # over all characters, no mean of ratios


def test_reading_in_one_batch_or_apart_is_the_same(checkpoints, data):
    model = experiments.load(checkpoints["CTCNetwork"]).model
    inks = [data.ink(number) for number in range(5)]
    apart = [read_lines(model, [ink])[0] for ink in inks]
    assert read_lines(model, inks) == apart
    assert read_lines(model, [], Search()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--input PATH says what it is to read"),
        (("--input", "nowhere.inkml"), "nowhere.inkml"),
        (("--read-back", "CTCNetwork"), "a writer is needed"),
        (("--evaluate", "--beam", "2", "--language-model", "nowhere.txt"), "nowhere.txt"),
        (("--evaluate", "sometimes"), "no split 'sometimes'"),
        (("--continue", "valid"), "holds a CTCNetwork, not a writer"),
        (("--text", "a"), "--text is for a network that writes"),
        (("--skip-unknown",), "--skip-unknown is for a network that writes"),
        (("--num-samples", "1"), "--num-samples is for a network that writes"),
        (("--steps", "9"), "--steps is for a network that writes"),
        (("--primer", "x.inkml"), "--primer is for a network that writes"),
        (("--inkml",), "--inkml is for a network that writes"),
        (("--input", "x.inkml", "--window"), "--window is for a network that writes"),
        (("--input", "x.inkml", "--density"), "--density is for a network that writes"),
    ],
)
def test_what_does_not_fit_is_said(checkpoints, tmp_path, words, message):
    words = [str(checkpoints.get(word, word)) for word in words]
    with pytest.raises(UserError, match=re.escape(message)):
        run("-r", checkpoints["CTCNetwork"], "--output", tmp_path, *words)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--input", "x.inkml"), "--input"),
        (("--beam", "2"), "--beam"),
        (("--evaluate", "--beam", "2", "--language-model"), "--beam"),
        (("--continue", "valid", "--beam", "3", "--length-bonus", "1"), "--beam"),
    ],
)
def test_a_writer_refuses_what_is_for_readers(checkpoints, tmp_path, words, option):
    with pytest.raises(UserError, match=f"{option} is for a network that reads: .*Synthesis"):
        run("-r", checkpoints["SynthesisNetwork"], "--output", tmp_path, *words)


def test_a_bonus_is_for_ctc(checkpoints, tmp_path):
    options = ("--evaluate", "test", "--beam", 2, "--length-bonus", 0.5, "--output", tmp_path)
    with pytest.raises(UserError, match="--length-bonus is for a CTCNetwork"):
        run("-r", checkpoints["AttentionNetwork"], *options)
    run("-r", checkpoints["CTCNetwork"], *options)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["beam"]["search"] == "beam of 2, bonus 0.5"


def test_read_back_leaves_out_what_the_writer_lacks_and_says_what_the_reader_lacks(
    checkpoints, tmp_path, capsys, monkeypatch
):
    load = experiments.load

    def with_fewer(path, *arguments):
        loaded = load(path, *arguments)
        if isinstance(loaded.model, CTCNetwork):
            loaded.model.alphabet = Alphabet([*ALPHABET.characters[:-1], "ß"])  # "~" is lacking
        return loaded

    monkeypatch.setattr(experiments, "load", with_fewer)
    words = ("-r", checkpoints["SynthesisNetwork"], "--read-back", checkpoints["CTCNetwork"])
    words += ("--text", "a\u00e9~b", "--biases", 1, "--steps", 5, "--output", tmp_path)
    with pytest.raises(UserError, match="does not know 'é'"):
        run(*words)
    run(*words, "--skip-unknown")
    printed = capsys.readouterr().out
    assert "the reader does not know them: '~'" in printed
    assert "left out, because the network does not know it: 'é'" in printed
    stored = json.loads((tmp_path / "read_back.json").read_text())
    assert [one["text"] for one in stored["texts"]] == ["a~b"]


def test_lines_without_a_text_are_not_scored(checkpoints, data, tmp_path, capsys, monkeypatch):
    text = EmbeddedDataset.text
    lacking = {int(data.indices("test")[0])}
    monkeypatch.setattr(
        EmbeddedDataset, "text", lambda self, n: "" if n in lacking else text(self, n)
    )
    ink = EmbeddedDataset.ink  # with a fourth column, as ink may have
    monkeypatch.setattr(
        EmbeddedDataset, "ink", lambda self, n: np.pad(ink(self, n), ((0, 0), (0, 1)))
    )
    words = ("-r", checkpoints["CTCNetwork"], "--evaluate", "test", "--output", tmp_path)
    run(*words)
    assert "no text: 1 of 3 lines" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["sequences"] == 2
    lacking |= set(data.indices("test").tolist())
    with pytest.raises(UserError, match="no line of the split 'test' has a text"):
        run(*words)


def test_a_wide_beam_reads_fewer_lines_at_once(checkpoints, data, monkeypatch):
    model, batches = experiments.load(checkpoints["AttentionNetwork"]).model, []
    read = model.read

    def counted(inks, search):
        batches.append(len(inks))
        return read(inks, search)

    monkeypatch.setattr(model, "read", counted)
    inks = [data.ink(number) for number in range(5)]
    read_lines(model, inks)
    read_lines(model, inks, Search(width=24))
    read_lines(model, inks[:2], Search(width=100))
    assert batches == [5, 2, 2, 1, 1, 1]


def test_a_language_model_takes_texts_in_normal_form(checkpoints, tmp_path, capsys):
    path = tmp_path / "text.txt"
    path.write_text("cafe\u0301 and cafe\n", encoding="utf-8")  # the alphabet lacks the letter
    loaded = experiments.load(checkpoints["CTCNetwork"])
    words = ["-r", "x", "--evaluate", "--beam", "2", "--language-model", str(path)]
    found = experiments.search_of(loaded, experiments.parse(words)).language_model
    same = CharacterLanguageModel.fit(["caf and cafe"], ALPHABET)
    assert found.perplexity(["caf and cafe"]) == same.perplexity(["caf and cafe"])
    assert "as the network does not know it: 'é'" in capsys.readouterr().out
    path.write_text("é\nß é\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"text\.txt: it holds no text of characters that the net"):
        experiments.search_of(loaded, experiments.parse(words))


def test_a_reader_for_read_back_must_be_one(checkpoints, tmp_path):
    writer = checkpoints["SynthesisNetwork"]
    with pytest.raises(UserError, match="SynthesisNetwork, not a recogniser"):
        run("-r", writer, "--read-back", writer, "--output", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no line of text"), (b"\n  \n", "no line of text"), (b"\xff\xfe\x00", "no text in UTF")],
)
def test_a_broken_text_file_is_named(checkpoints, tmp_path, content, message):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    options = ("--evaluate", "--beam", 2, "--language-model", path, "--output", tmp_path)
    with pytest.raises(UserError, match=message):
        run("-r", checkpoints["CTCNetwork"], *options)


@pytest.mark.parametrize(
    "words",
    [
        ("--read-back", "x", "--evaluate"),
        ("--biases", "1"),
        ("--language-model", "x.txt"),
        ("--beam", "0"),
        ("--length-bonus", "1"),
        ("--evaluate", "--input", "x.inkml"),
        ("--read-back", "x", "--window"),
        ("--read-back", "x", "--density"),
        ("--read-back", "x", "--text", "a", "--num-samples", "2"),
    ],
)
def test_options_that_contradict_end_with_status_2(words, capsys):
    with pytest.raises(SystemExit) as ended:
        experiments.parse(["-r", "x", *words])
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--characters",), "--characters belongs to --read-back RECOGNISER"),
        (("--read-back", "x", "--bias", "1"), "--read-back takes --biases"),
        (("--read-back", "x", "--characters", "--text", "a"), "leave out --text"),
        (("--read-back", "x", "--characters", "--biases", "0", "1"), "give --biases one value"),
    ],
)
def test_options_of_read_back_that_contradict_say_what_would_be_right(words, message, capsys):
    with pytest.raises(SystemExit):
        experiments.parse(["-r", "x", *words])
    assert message in capsys.readouterr().err
