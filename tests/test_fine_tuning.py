"""Any Unicode text, and checkpoints that learn further characters, as a person uses both."""

import copy
import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import experiments
import train
from base.config import user_modules
from base.run.checkpoint import load_checkpoint, load_weights
from data_loader.sources.own_ink import OwnInk
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import PredictionNetwork, SynthesisNetwork
from model.generation.generators import RecurrentSettings, SynthesisSettings
from tests.construct import construct
from tests.same_run import differences
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
    made = (construct(SynthesisNetwork, UNIT, alphabet, **options) for alphabet in (OLD, NEW))
    return tuple(network.eval() for network in made)


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


class LowRank(nn.Linear):
    """A linear layer with a further term of low rank."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.down = nn.Parameter(torch.randn(2, inputs))
        self.up = nn.Parameter(torch.zeros(outputs, 2))

    def forward(self, inputs):
        return super().forward(inputs) + inputs @ self.down.t() @ self.up.t()


class Adapted(SynthesisNetwork):
    """Trains a term of its output layer alone."""

    def __init__(self, normalisation, alphabet, *, settings: SynthesisSettings) -> None:
        super().__init__(normalisation, alphabet, settings=settings)
        for name, weight in self.named_parameters():
            weight.requires_grad_(name in ("output.down", "output.up"))

    def output_layer(self, size):
        return LowRank(size, super().output_layer(size).out_features)


class Captioned(PredictionNetwork):
    """Reads a text beside the points, each of which moves by the text's characters."""

    needs_text = True

    def __init__(self, normalisation, alphabet, *, settings: RecurrentSettings) -> None:
        super().__init__(normalisation, settings=settings)
        self.alphabet = alphabet
        self.characters = nn.Embedding(len(alphabet), 1)

    @property
    def vocabulary_axes(self):
        return {"characters.weight": (0, 0)}

    def forward(self, inputs, text=None, text_lengths=None, state=None):
        inside = torch.arange(text.shape[1]) < text_lengths[:, None]
        shift = (self.characters(text) * inside[..., None]).sum(1, keepdim=True)
        output = super().forward(inputs + shift, state=state)
        phi = torch.zeros(*inputs.shape[:2], text.shape[1] + 1)
        return replace(output, attention=phi)


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
    """An empty folder in which the scripts run, with classes of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(user_modules, "classes", lambda: [Mine, Adapted, Captioned])
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


ADAPTED = ["-o", "arch.type=Adapted", "-o", "trainer.args.keep_normalisation=true"]


def test_an_adapter_of_a_trained_network_trains_what_is_new_in_it(trained, capsys):
    texts = [*KNOWN[:-1], "c\u00e9"]
    words = ["-r", str(trained), *ADAPTED, "-o", "lr_scheduler=null", "-o", "optimizer.type=Adam"]
    assert run(texts, *words, "--run-id", "new") == 0
    said = "Adapted trains weights that the checkpoint lacks: output.down, output.up\n"
    assert capsys.readouterr().out.count(said) == 1
    old, new = (load_checkpoint(path) for path in (trained, checkpoint_of("new")))
    weights, added = new["state_dict"], new["state_dict"].keys() - old["state_dict"].keys()
    assert added == {"output.down", "output.up"} and weights["output.up"].any()
    # What was known of the text goes on as it was, beside what is new of it.
    for name, value in old["state_dict"].items():
        kept = weights[name]
        assert kept.shape != value.shape or torch.equal(kept, value), name
    assert weights["layers.0.weight_window"].shape[1] == 6
    # It is a checkpoint like any other.
    limit = "trainer.args.time_limit_minutes"
    assert run(texts, *words, "--run-id", "again", "-o", f"{limit}=0") == 0
    assert train.main(["-d", "cpu", "-r", str(MODELS / "again"), "-o", f"{limit}=null"]) == 0
    ends = load_checkpoint(checkpoint_of("again")), new
    assert [place for place in differences(*ends) if "time_limit" not in place] == []
    assert experiments.main(["evaluate", "-d", "cpu", "-r", str(MODELS / "new")]) == 0
    write(MODELS / "new", "c\u00e9")


def test_a_writer_with_a_text_begins_with_the_weights_of_one_without(workplace, capsys):
    arch = {"type": "PredictionNetwork", "args": {"hidden_size": 6, "num_layers": 2}}
    captioned = json.dumps(arch | {"type": "Captioned"})
    assert run(KNOWN, "-o", f"arch={json.dumps(arch)}", "--run-id", "plain") == 0
    words = ["-o", f"arch={captioned}", "-o", "lr_scheduler=null", "-o", "optimizer.args.lr=0.0"]
    assert run(KNOWN, *words, "-r", str(checkpoint_of("plain")), "--run-id", "text") == 0
    assert "the checkpoint lacks: characters.weight\n" in capsys.readouterr().out
    plain, begun = (load_checkpoint(checkpoint_of(name)) for name in ("plain", "text"))
    assert sorted(begun["alphabet"]) == sorted({*"".join(KNOWN)})
    assert all(
        torch.equal(weight, begun["state_dict"][name])
        for name, weight in plain["state_dict"].items()
    )
    assert train.main(["-d", "cpu", "-r", str(MODELS / "text"), "--epochs", "2"]) == 0
    # The other way a weight has no place, and is named.
    capsys.readouterr()
    words = ["-o", f"arch={json.dumps(arch)}", "-r", str(MODELS / "text")]
    assert run(KNOWN, *words) == 2
    assert "characters.weight: shape (5, 1) instead of none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            [*ADAPTED, "-o", "arch.args.hidden_size=5"],
            ["layers.0.bias: shape (24,) instead of (20,)", "hidden_size is 6 in the file, 5 in"],
        ),
        (
            [*ADAPTED, "-o", "arch.args.num_layers=1"],
            ["layers.1.layer.bias_hh_l0: shape (24,) instead of none", "num_layers is 2 in"],
        ),
        (["-o", "arch.args.hand_size=4"], ["hand_size is null in the file, 4 in the config"]),
    ],
    ids=["another shape", "no place", "new ones of the same class"],
)
def test_weights_that_do_not_fit_an_adapter_are_named(trained, capsys, words, named):
    assert run(KNOWN, "-r", str(trained), *words) == 2
    message = capsys.readouterr().err
    assert all(each in message for each in named) and message.count("is ") == 1
