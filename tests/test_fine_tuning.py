"""Any Unicode text, and checkpoints that learn further characters, as a person uses both."""

import copy
import json
import random
import re
from pathlib import Path

import pytest
import torch

import experiments
import train
from base.config import user_modules
from base.run.checkpoint import load_checkpoint, load_weights
from data_loader.sources.own_ink import OwnInk
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import SynthesisNetwork
from tests.tiny_config import CONFIG, changed
from utils.checks import UserError

pytestmark = pytest.mark.slow

UNIT = Normalisation((0.0, 0.0), (1.0, 1.0))
OLD, NEW = Alphabet("cab "), Alphabet("cab éß")
SAME = {"rtol": 0, "atol": 1e-13}
"""But for the rounding of products whose order of summation changes with their size."""


def networks(cell="LSTM", layers=3, **options):
    """Return a network that knows the old letters, and one made anew that knows all."""
    torch.manual_seed(1)
    options |= {"cell": cell, "num_layers": layers, "hidden_size": 9, "num_mixtures": 3}
    return tuple(SynthesisNetwork(UNIT, alphabet, **options).eval() for alphabet in (OLD, NEW))


def predicted(network, text, points):
    """Return by name the numbers of all mixtures along `points` `(steps, any)`."""
    encoded = ()
    if text is not None:
        codes = torch.from_numpy(network.alphabet.encode(text))[None]
        encoded = codes, torch.tensor([codes.shape[1]])
    mixture = vars(network(points[None], *encoded).prediction)
    return {name: value for name, value in mixture.items() if isinstance(value, torch.Tensor)}


# The weights.


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize(("layers", "ends"), [(1, True), (3, False)])
def test_a_network_extended_by_characters_writes_as_before_and_uses_them(cell, layers, ends):
    before, after = networks(cell, layers, end_of_sequence=ends)
    fresh = copy.deepcopy(after.state_dict())
    load_weights(after, after.extend_state_dict(before.state_dict(), 4), "file.pth")
    first = "layers.0.weight_window"
    assert torch.equal(after.state_dict()[first][:, :4], before.state_dict()[first])
    assert torch.equal(after.state_dict()[first][:, 4:], fresh[first][:, 4:])
    before, after = before.double(), after.double()
    points = torch.randn(30, 3, dtype=torch.float64)
    known, other = predicted(after, "abba cab", points), predicted(after, "abéa cab", points)
    torch.testing.assert_close(known, predicted(before, "abba cab", points), **SAME)
    assert (other["means"] - known["means"]).abs().max() > 1e-4
    sum(value.sum() for value in other.values()).backward()
    for name in after.vocabulary_axes:
        gradient = after.get_parameter(name).grad
        column = 0 if "weight_window" in name else 3 + ends
        heard = gradient[:, column : column + 6].abs().amax(0) > 0
        assert heard.tolist() == [True, True, True, True, True, False]  # no ß in the text


# The scripts.


class Mine(OwnInk):
    """Made-up strokes for given texts, each as a line of its own."""

    def __init__(self, *, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts

    def lines(self):
        for number, text in enumerate(self.texts):
            rng = random.Random(number)
            points = [(3 * n + rng.random(), 20 * rng.random()) for n in range(3 * len(text))]
            yield text, [points]


KNOWN = ["ab cab", "back", "cab", "a b c", "kab", "cak", "ack b", "bb k"]
SCRIPTS = [
    "caf\u00e9 cre\u0300me",  # one of the accents composed, one not
    "\u0633\u0644\u0627\u0645",  # Arabic
    "\u6f22\u5b57 \u304b\u306a",  # Chinese, Japanese
    "\u043c\u0438\u0440",  # Cyrillic
    "\u0939\u093f\u0928\u094d\u0926\u0940",  # Devanagari
    "x\u0302 \u2192 \u221e",  # a combined letter without a composed form, symbols
    "\U0001f469\u200d\U0001f4bb \U0001f600\ufe0f",  # emoji, one of them of three parts
    "\ud55c\uae00",  # Korean
]
MODELS = Path("saved/models/letters")


def config_of(texts):
    sizes = {"hidden_size": 6, "num_layers": 2, "num_mixtures": 2, "num_windows": 2}
    data = {"dataset": {"type": "Mine", "args": {"texts": texts}}, "batch_size": 4}
    arch = {"type": "SynthesisNetwork", "args": sizes}
    changes = {"name": "letters", "arch": arch, "data_loader.args": data, "trainer.args.epochs": 1}
    return changed(CONFIG, changes)


@pytest.fixture
def workplace(tmp_path, monkeypatch, logging_restored):
    """An empty folder in which the scripts run, and `Mine` among the datasets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(user_modules, "classes", lambda: [Mine])
    return tmp_path


def run(texts, *words):
    """Train on `texts` and return the exit status."""
    Path("config.json").write_text(json.dumps(config_of(texts)))
    return train.main(["-d", "cpu", "-c", "config.json", *words])


def write(checkpoint, text, *words):
    """Let a checkpoint write `text`."""
    words = ["-r", str(checkpoint), "-d", "cpu", "--text", text, "--steps", "20", *words]
    assert experiments.main(["write", *words, "--output", "figures"]) == 0


def checkpoint_of(run_id):
    return MODELS / run_id / "checkpoint-epoch1.pth"


@pytest.fixture
def trained(workplace, capsys):
    assert run(KNOWN, "--run-id", "old") == 0
    capsys.readouterr()
    return checkpoint_of("old")


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.pages
def test_texts_in_any_script_train_and_are_written(workplace, capsys):
    assert run(SCRIPTS, "--run-id", "all", "-o", "trainer.args.samples=1") == 0
    alphabet = load_checkpoint(checkpoint_of("all"))["alphabet"]
    assert {"\u00e9", "\u00e8", "\u0302", "\u200d", "\ufe0f", "\u6f22", "\ud55c"} <= set(alphabet)
    assert not {"\u0300", "\u0301"} & set(alphabet)
    for text in SCRIPTS:
        write(checkpoint_of("all"), text)
    # Typed in another normal form, it is the same text and the same ink.
    names = []
    for text in ("cre\u0300me caf\u00e9", "cr\u00e8me cafe\u0301"):
        capsys.readouterr()
        write(checkpoint_of("all"), text)
        (name,) = re.findall(r"\S+\.svg", capsys.readouterr().out)
        names.append(re.findall("<path.*", Path(name).read_text(encoding="utf-8")))
    assert names[0] == names[1] and names[0]
    with pytest.raises(UserError, match=r"does not know '\u00ea' \(U\+00EA\)"):
        write(checkpoint_of("all"), "e\u0302")


@pytest.mark.pages
def test_fine_tuning_keeps_known_characters_and_reports_new_characters(trained, capsys):
    texts = ["c\u00e9 b", "ce\u0301\u00df", "ab \u00e9", "\u0645 a"]
    texts += ["ab", "ba", "\u00e9\u00e9", "b"]
    # Without a learning rate the weights stay those that the run started from.
    words = ["--lr", "0", "-o", "trainer.args.keep_normalisation=true"]
    assert run(texts, "-r", str(trained), *words, "--run-id", "new") == 0
    printed = capsys.readouterr().out
    report = printed[printed.index("new characters") :].split("\n")
    assert report[0] == "new characters: 3, with counts in all splits"
    counts = ["'\u00df' (U+00DF)", "1", "'\u0645' (U+0645)", "1", "'\u00e9' (U+00E9)", "5"]
    assert re.split(r"\s{2,}", report[1].strip()) == counts
    assert "'a' (U" not in printed
    old, new = load_checkpoint(trained), load_checkpoint(checkpoint_of("new"))
    assert old["normalisation"] == new["normalisation"] and old["alphabet"] == list(" abck")
    assert new["alphabet"] == list(" abck\u00df\u00e9\u0645")  # k is kept, though it is not there
    for name, value in old["state_dict"].items():
        kept = new["state_dict"][name]  # of those that grew see the tests of the weights above
        assert kept.shape != value.shape or torch.equal(kept, value), name
    write(checkpoint_of("new"), "k\u00e9 \u00df")
    with pytest.raises(UserError, match=r"does not know '\u00e9' \(U\+00E9\), '\u00df'"):
        write(trained, "k\u00e9 \u00df")


def test_the_report_marks_characters_that_a_checkpoint_does_not_know(trained, capsys):
    texts = [*KNOWN[:6], "c\u00e9", "x\u0302"]
    assert run(texts, "-r", str(trained), "--prepare") == 0
    printed = capsys.readouterr().out
    assert "; * marks 3 that the checkpoint does not know" in printed
    marked = re.findall(r"'(\S+)' \([^)]*\) +[\d,]+\*", printed)
    assert set(marked) == {"\u00e9", "x", "\u25cc\u0302"}
    assert "combining circumflex accent" in printed
    assert run(texts, "--prepare") == 0
    assert "*" not in capsys.readouterr().out
