"""Sets of written lines: what a file of texts becomes, what is refused, how one is trained on."""

import json
from dataclasses import replace

import numpy as np
import pytest

import train
from apps.pages import written_set
from apps.pages.hands import Hand
from apps.pages.written_set import WrittenSet, checked_texts
from base.run.checkpoint import load_checkpoint
from data_loader import InkMLDataset
from ink.reading import read_ink
from model import load
from model.generation.hand_encoder import hand_extra
from model.generation.line import Sampling
from tests.commands.networks import names, save, use
from tests.tiny_config import CONFIG, changed
from utils.checks import ConfigFault, DataError, UserError
from utils.licences import RESEARCH_ONLY

TEXTS = ("over the hills", "a", "far away", "we met", "at noon")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """An untrained writer that is told hands."""
    path = tmp_path_factory.mktemp("told") / "told.pth"
    changes = {"licence": RESEARCH_ONLY}
    return load(save(path, "SynthesisNetwork", "told", hand_size=4, changes=changes), "cpu")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS) + "\n")
    return path


def set_of(writer, file, *, skip_unknown=False, **options):
    texts = checked_texts(file, writer.model.alphabet, skip_unknown)
    return WrittenSet(writer, texts, **options)


def content(folder):
    """Return the content of all files but the lock, by path."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_each_line_has_the_ink_of_its_text_and_seed(told, file, tmp_path):
    samples = set_of(told, file, num_samples=2, seed=7).write(tmp_path / "set").all
    hands = np.stack([hand_extra(told.model.hand_encoder.draw(seed)) for seed in range(7, 17)])
    lines = told.write_lines(TEXTS * 2, range(7, 17), Sampling(extras={"hand": hands}))
    assert all(line.ended for line in lines)
    for sample, line, text in zip(samples, lines, TEXTS * 2, strict=True):
        assert sample.text == text and (sample.ink == line.ink).all()
    assert [*samples.strings("writer")] == [f"own-{seed}" for seed in range(7, 17)]


def test_consecutive_lines_may_share_a_hand(told, file, tmp_path):
    samples = set_of(told, file, seed=3, lines_per_hand=2).write(tmp_path / "set").all
    assert [*samples.strings("writer")] == ["own-3", "own-3", "own-4", "own-4", "own-5"]
    extras = {"hand": hand_extra(told.model.hand_encoder.draw(4))}
    (line,) = told.write_lines(["we met"], [6], Sampling(extras=extras))
    assert (samples[3].ink == line.ink).all()


def test_a_set_in_a_single_hand_has_the_lines_of_that_hand(told, file, tmp_path):
    ink = np.float32([[0, 0, 0], [9, -20, 0], [9, 20, 1], [9, -20, 0], [9, 20, 1]])
    hand = Hand(told, (ink, "nn"), sampling=Sampling(extras={"hand": np.ones((8, 65))}))
    samples = set_of(told, file, hand=hand).write(tmp_path / "set").all
    for sample, line in zip(samples, hand.write_texts(TEXTS, range(5)), strict=True):
        assert (sample.ink == line.written).all() and sample.writer == ""
    with pytest.raises(UserError, match="lines_per_hand = 2 is for many hands"):
        set_of(told, file, hand=hand, lines_per_hand=2)


def test_ink_and_text_are_read_back_from_inkml(told, file, tmp_path, monkeypatch):
    monkeypatch.setattr(written_set, "FILE_LINES", 3)
    samples = set_of(told, file, inkml=True).write(tmp_path / "set").all
    files = sorted((tmp_path / "set").glob("*.inkml"))
    assert [path.name for path in files] == ["lines-00000001.inkml", "lines-00000004.inkml"]
    read = [sample for path in files for sample in read_ink(path)]
    for sample, other in zip(samples, read, strict=True):
        assert (other.text, other.writer) == (sample.text, sample.writer)
        np.testing.assert_array_equal(other.ink, sample.ink)


@pytest.mark.parametrize("whole", [0, 1, 2])
def test_a_set_that_was_interrupted_goes_on_and_becomes_the_same(
    told, file, tmp_path, monkeypatch, whole
):
    monkeypatch.setattr(written_set, "BLOCK_LINES", 2)
    set_of(told, file, inkml=True).write(tmp_path / "once")
    calls, write_lines = [], WrittenSet._lines

    def interrupted(self, texts, *seeds):
        if len(calls) == whole:
            raise KeyboardInterrupt
        calls.append(texts)
        return write_lines(self, texts, *seeds)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(WrittenSet, "_lines", interrupted)
        set_of(told, file, inkml=True).write(tmp_path / "set")
    assert not (tmp_path / "set" / "index.json").exists() and len(calls) == whole
    resumed = []
    monkeypatch.setattr(
        WrittenSet, "_lines", lambda *words: resumed.append(words[1]) or write_lines(*words)
    )
    set_of(told, file, inkml=True).write(tmp_path / "set")
    assert calls + resumed == [[*TEXTS[:2]], [*TEXTS[2:4]], [*TEXTS[4:]]]
    assert content(tmp_path / "set") == content(tmp_path / "once")


def test_a_set_that_is_not_whole_is_no_source(told, file, tmp_path):
    set_of(told, file, inkml=True).write(tmp_path / "set")
    (tmp_path / "set" / "index.json").unlink()
    with pytest.raises(DataError, match="set: a set of which lines are still lacking; the command"):
        InkMLDataset(root=str(tmp_path / "set")).load()


def test_a_folder_of_another_set_or_with_other_files_is_refused(told, file, tmp_path):
    set_of(told, file).write(tmp_path / "set")
    before = content(tmp_path / "set")
    with pytest.raises(DataError, match=r"set: the samples there have seed = 0, not 1; name anot"):
        set_of(told, file, seed=1).write(tmp_path / "set")
    assert content(tmp_path / "set") == before
    with pytest.raises(DataError, match="has other files; name a new folder"):
        set_of(told, file).write(tmp_path)
    assert names(tmp_path) == ["set", "texts.txt"]
    (tmp_path / "set" / "identity.json").write_text("[")
    with pytest.raises(ConfigFault, match=r"set/identity\.json: "):
        set_of(told, file).write(tmp_path / "set")


def test_lines_that_do_not_end_are_left_out_and_named(told, file, tmp_path):
    made = set_of(told, file, sampling=Sampling(max_steps=60)).write(tmp_path / "set")
    left_out = [str(fault) for fault in made.faults]
    assert "line-00000001: a line that did not end" in left_out and 0 < len(made.all) < 5
    assert len(left_out) + len(made.all) == 5


LONG = "x" * 1001
FAULTS = {
    b"a\n\nb\n": ["{}: line 2: there is nothing to write in ''"],
    b"a\n \n": ["{}: line 2: there is nothing to write in ' '"],
    "a\ncaf\u00e9\n\u0142".encode(): [
        "{}: 2 faults",
        "line 2: the network does not know '\u00e9' (U+00E9); --skip-unknown leaves that out",
        "line 3: the network does not know '\u0142' (U+0142); --skip-unknown leaves that out",
    ],
    b"a\n" + b"x" * 1001: ["1,001 characters; a line has at most 1,000"],
    b"a\nb\xff\n": ["{}: line 2: not UTF-8 text (its byte 1 is 0xff); save the file as UTF-8"],
    b"x" * 200_000 + b"\n\n": ["{}: line 1: 'xxxxxx"],
    b"": ["{}: contains no text"],
}


@pytest.mark.parametrize("text", FAULTS)
def test_texts_that_cannot_be_written_are_named_with_their_lines(told, file, text):
    file.write_bytes(text)
    with pytest.raises(UserError) as raised:
        set_of(told, file)
    for message, expected in zip(str(raised.value).split("\n  "), FAULTS[text], strict=True):
        assert expected.format(file) in message


def test_unknown_characters_can_be_left_out_and_a_byte_order_mark_is_skipped(told, file):
    file.write_bytes("\ufeffa\r\ncaf\u00e9\r\n".encode())
    texts = set_of(told, file, skip_unknown=True).texts
    assert [*texts.block(0)] == ["a", "caf"] and texts.count == 2


def test_the_command_writes_a_set_that_trains_a_network_under_its_licence(
    told, file, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "set"
    words = ("write", "-r", told.path, "--texts", file, "--num-samples", 6, "--output", folder)
    use(*words, "--set", "lines_per_hand=3")
    assert RESEARCH_ONLY in (folder / "LICENCE.txt").read_text()
    assert f"{folder}: 30 lines" in capsys.readouterr().out
    source = {"type": "InkMLDataset", "args": {"root": str(folder)}}
    changes = {"data_loader.args.dataset": source, "trainer.args.epochs": 1}
    (tmp_path / "c.json").write_text(json.dumps(changed(CONFIG, changes)))
    monkeypatch.chdir(tmp_path)
    assert train.main(["-d", "cpu", "-c", "c.json", "--run-id", "a"]) == 0
    trained = load_checkpoint(tmp_path / "saved/models/tiny/a/model_best.pth")
    assert trained["licence"] == RESEARCH_ONLY and trained["step"] > 3
    assert not list(tmp_path.rglob("InkMLDataset-*"))  # nothing had to be prepared


def test_no_hand_is_in_two_splits(told, file, tmp_path):
    made = set_of(told, file, num_samples=4, lines_per_hand=2)
    made.write(tmp_path / "set")
    splits = InkMLDataset(root=str(tmp_path / "set")).load().samples
    hands = [{*samples.strings("writer")} for samples in splits.values()]
    assert sum(map(len, hands)) == len(set().union(*hands)) == 10


def test_texts_of_more_than_a_batch_have_their_own_hands(told):
    extras = {"hand": np.random.default_rng(0).normal(size=(70, 8, 65))}
    texts = ["ab" if number % 2 else "a" for number in range(70)]
    lines = told.write_lines(texts, range(70), Sampling(extras=extras))
    for row in (0, 1, 69):
        alone = replace(Sampling(), extras={"hand": extras["hand"][row]})
        (line,) = told.write_lines([texts[row]], [row], alone)
        np.testing.assert_array_equal(lines[row].ink, line.ink)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--text", "a"], "--texts writes a set, without --text, show or a second network"),
        (["--output", "a.svg"], "name a new folder with --output"),
        ([], "name a new folder with --output"),
    ],
)
def test_options_that_do_not_go_with_a_set_are_refused(file, words, message):
    with pytest.raises(UserError, match=message):
        use("write", "--texts", file, *words)
