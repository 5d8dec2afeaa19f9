"""The engine's networks read as those of PyTorch, and refuse what they cannot do."""

import numpy as np
import pytest
import torch

from apps.web import flat_file
from base.run.pretrained import SHIPPED
from ink.formats.json_strokes import json_lines
from ink.reading import read_ink
from model import engine_networks
from model.loading import load
from model.recognition.beam import GREEDY, Search, ctc_text
from model.recognition.ctc_paths import ctc_nats
from model.recognition.decoding import ctc_texts
from tests.flat_files import loaded
from utils.checks import UserError

LINES = [read_ink(path)[0] for path in sorted((SHIPPED / "styles").glob("open_*.json"))]


@pytest.fixture(scope="module")
def reader():
    return engine_networks.load("open_reader")


def frames(seed, length, classes):
    generator = np.random.default_rng(seed)
    logits = torch.from_numpy(generator.normal(0, 3, (length, classes)))
    return logits.log_softmax(1).numpy()


@pytest.mark.parametrize("search", [GREEDY, Search(width=4)])
def test_a_row_is_decoded_as_in_a_batch(search):
    rows = [frames(seed, 12, 5) for seed in range(20)]
    batch, lengths = torch.from_numpy(np.stack(rows)), torch.full((20,), 12)
    assert [ctc_text(row, search) for row in rows] == ctc_texts(batch, lengths, search)


@pytest.mark.parametrize("text", [[], [0], [1, 1], [0, 1, 0], [2, 2, 2], [0, 1, 2, 3, 0, 1, 2, 3]])
def test_the_nats_of_a_text_are_those_of_torch(text):
    log_probs, codes = frames(7, 9, 5), np.array(text, int)
    lengths = torch.tensor([9]), torch.tensor([len(text)])
    args = torch.from_numpy(log_probs)[:, None], torch.from_numpy(codes)[None], *lengths
    expected = torch.nn.functional.ctc_loss(*args, blank=4, reduction="sum").item()
    assert ctc_nats(log_probs, codes) == pytest.approx(expected, rel=1e-9)


@pytest.mark.web
def test_shipped_flat_files_are_those_of_the_networks(tmp_path):
    for name in ("open_reader", "open_writer"):
        path = tmp_path / f"{name}.bin"
        flat_file.save(path, load(name, "cpu"))
        assert path.read_bytes() == (SHIPPED / "pretrained" / path.name).read_bytes()


def test_words_are_read_as_by_pytorch(reader):
    """By the network of the same file, whose weights have 8 bits."""
    inks, network = [line.ink for line in LINES], loaded(reader.path)
    own, other = reader.read_words(inks), network.read_words(inks)
    assert reader.read_lines(inks) == network.read_lines(inks)
    for words, expected in zip(own, other, strict=True):
        assert [word.text for word in words] == [word.text for word in expected]
        for word, same in zip(words, expected, strict=True):
            assert (word.points == same.points).all()
            assert word.probability == pytest.approx(same.probability, abs=1e-3)
            assert word.log_probs.shape == same.log_probs.shape
    doubts = [doubt for _, doubt in reader.proofread(inks)]
    np.testing.assert_allclose(doubts, [doubt for _, doubt in network.proofread(inks)], atol=1e-2)


def test_a_writer_writes_what_the_reader_reads(reader):
    writer = engine_networks.load("open_writer")
    texts, style = ["Hello", "the pears are ripe"], "open_round"
    lines = writer.write_lines(texts, [1, 2], style=style)
    again = writer.write(texts[0], seed=1, style=style)
    assert (again.ink == lines[0].ink).all() and again.ended
    assert reader.read_lines(lines) == texts
    assert lines[0].description == "open_round · bias 0.75 · seed 1"
    other = writer.write(texts[0], seed=1, style=style, bias=0.2)
    assert other.ink.shape != again.ink.shape or (other.ink != again.ink).any()


def test_what_the_engine_cannot_do_is_refused(reader, tmp_path):
    writer = engine_networks.load("open_writer")
    with pytest.raises(UserError, match="needs PyTorch"):
        reader.proofread([LINES[0].ink], [["a"]])
    for text, style, message in (
        ("日本", None, "日"),
        (" ", None, "blank"),
        ("Hi", "flowing", "flowing"),
    ):
        with pytest.raises(UserError, match=message):
            writer.write(text, style=style)
    (tmp_path / "a.bin").write_bytes(b"nothing")
    for name, message in (
        (tmp_path / "a.bin", "a.bin"),
        (SHIPPED / "pretrained" / "conditional.pth", "for use without PyTorch"),
        ("conditional", "for use without PyTorch"),
        (json_lines.__code__.co_filename, "a checkpoint needs PyTorch"),
    ):
        with pytest.raises(UserError, match=message):
            engine_networks.load(name)
    assert engine_networks.load(SHIPPED / "pretrained" / "open_reader.pth").name == "open_reader"
