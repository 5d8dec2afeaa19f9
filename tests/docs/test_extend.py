"""What docs/extend.md shows, and docs/my_steps.py, trains, resumes, evaluates, writes and reads."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch.distributions import Bernoulli, Categorical

import experiments
import model
import train
from base.config import user_modules
from base.run.checkpoint import load_checkpoint
from logger.metrics_csv import read_rows
from tests.benchmarks import scripts
from utils.checks import UserError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def forget(monkeypatch):
    """Be a process that has loaded no module of a user's."""
    monkeypatch.setattr(user_modules, "_loaded", {})
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(Path.cwd())])
    for name in ("my_parts", "my_steps"):
        sys.modules.pop(name, None)


@pytest.fixture
def workplace(tmp_path, monkeypatch, logging_restored):
    """A folder with what the page shows, none of which is loaded yet."""
    monkeypatch.chdir(tmp_path)
    forget(monkeypatch)
    Path("configs").symlink_to(ROOT / "configs")
    Path("my_parts.py").write_text("\n".join(blocks("python")))
    Path("docs").mkdir()
    shutil.copy(ROOT / "docs" / "my_steps.py", "docs")
    for config in map(json.loads, blocks("json")):
        Path(f"{config['name']}.json").write_text(json.dumps(config))
    yield
    forget(monkeypatch)


@pytest.mark.slow
def test_the_code_and_the_commands_of_the_page_work_as_they_are_printed(workplace, few_lines):
    for line in re.findall(r"^python .*", PAGE, re.MULTILINE):
        _, script, *words = shlex.split(line)
        words += ["-d", "cpu"] if "runs" not in words else []
        words += ["--tries", "1"] if "page" in words else []
        if script == "benchmarks/legibility.py":
            scripts.run("legibility", *words)
        else:
            main = {"train.py": train.main, "experiments.py": experiments.main}[script]
            assert main(words) == 0, line
    # The page names all entries of a checkpoint, and evaluation gives what training logged.
    run = Path("saved/models/my/first")
    checkpoint = load_checkpoint(run / "checkpoint-epoch2.pth")
    assert set(checkpoint) <= set(re.findall(r"`(\w+)`", PAGE.partition("in a checkpoint")[2]))
    assert {"valid_pace", "valid_jumps_first", "pen_accuracy"} <= checkpoint["metrics"].keys()
    tracked = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [{k: str(v) for k, v in row.items()} for row in tracked] == read_rows(
        run / "metrics.csv"
    )
    (evaluation,) = (run / "evaluations").glob("*.json")
    logged = {f"valid_{name}": value for name, value in json.loads(evaluation.read_text()).items()}
    for name in ("jumps_first", "jumps_first_per_point", "pen_accuracy", "median_nats", "pace"):
        assert logged[f"valid_{name}"] == pytest.approx(checkpoint["metrics"][f"valid_{name}"])
    assert (run / "my_parts.py").read_text() == Path("my_parts.py").read_text()
    # So does the evaluation of the page's own trainer.
    (scored,) = Path("saved/models/hands/first/evaluations").glob("*.json")
    logged = load_checkpoint(Path("saved/models/hands/first/checkpoint-epoch1.pth"))["metrics"]
    assert json.loads(scored.read_text())["same_hand"] == pytest.approx(logged["valid_same_hand"])
    # The points that the page's tokens draw are those tokens.
    writer = model.load("saved/models/tokens/first", "cpu")
    ink = writer.write("zag", seed=3).ink[1:]
    offsets = torch.from_numpy(writer.model.normalisation.apply(ink))[:, :2]
    assert torch.cdist(offsets, writer.model.offsets).min(1).values.max() < 1e-4 < len(ink)
    (scored,) = Path("saved/models/tokens/first/evaluations").glob("*.json")
    logged = load_checkpoint(Path("saved/models/tokens/first/checkpoint-epoch1.pth"))["metrics"]
    score = json.loads(scored.read_text())["token_loss"]
    assert score == pytest.approx(logged["valid_token_loss"]) and "sse" not in logged
    assert Path("tokens.svg").exists() and Path("saved/figures/tokens-zag-seed0.svg").exists()
    # The adapter of the page changes what is new alone.
    adapted = load_checkpoint(Path("saved/models/adapted/first/checkpoint-epoch1.pth"))
    before, after = model.load("conditional", "cpu").model.state_dict(), adapted["state_dict"]
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())
    assert after.keys() - before.keys() == {"output.down", "output.up"} and after["output.up"].any()
    # The page's reader trains and is evaluated.
    words = ["--module", "my_parts.py", "-d", "cpu"]
    assert train.main([*words, "-c", "my_reader.json", "--run-id", "a"]) == 0
    reader = ["-r", "saved/models/my_reader/a", *words]
    assert experiments.main(["evaluate", *reader]) == 0


def test_the_tokens_of_the_page_are_those_of_a_categorical_distribution(workplace):
    for file in ("my_parts.py", "docs/my_steps.py"):
        user_modules.load_module(file)
    torch.manual_seed(2)
    offsets = torch.randn(4, 2)
    logits = torch.randn(4)
    ends = torch.tensor(0.3)
    count = 20_000
    tokens = sys.modules["my_steps"].Tokens(ends.expand(count), logits.expand(count, 4), offsets)
    chosen, pen = torch.randint(4, (count,)), torch.randint(2, (count,)).float()
    points = torch.cat((offsets[chosen], pen[:, None]), 1)
    expected = Categorical(logits=logits).log_prob(chosen) + Bernoulli(logits=ends).log_prob(pen)
    assert torch.allclose(tokens.log_prob(points), expected, atol=1e-5)
    for bias in (0.0, 1.0):
        drawn = tokens.biased(torch.full((count,), bias), 0.0).sample(torch.rand(count, 2), None)
        seen = torch.stack([(drawn[:, :2] == offset).all(1).float().mean() for offset in offsets])
        # 6 standard errors of a fraction are at most 0.021 (chance 1e-8).
        assert torch.allclose(seen, ((1 + bias) * logits).softmax(0), atol=0.022)
        assert drawn[:, 2].mean() == pytest.approx(ends.sigmoid().item(), abs=0.022)
    assert tokens[:7].log_prob(points[:7]).shape == (7,)


@pytest.mark.slow
@pytest.mark.parametrize("own", ["EvenPace", None])
def test_a_users_module_is_loaded_only_if_it_is_named(workplace, monkeypatch, capsys, own):
    words, module = ["-d", "cpu", "-c", "my.json", "--run-id", "a"], ["--module", "my_parts.py"]
    if own is None:
        arch = {"type": "SynthesisNetwork", "args": {"hidden_size": 8}}
        words += ["-o", f"arch={json.dumps(arch)}", "-o", "trainer.type=GenerationTrainer"]
    assert train.main(words) == 2 and "unknown type" in capsys.readouterr().err
    assert train.main([*words, *module]) == 0
    run = ["-r", "saved/models/my/a", "-d", "cpu", "--output", "out"]
    # It writes without the module, unless that is the network itself.
    forget(monkeypatch)
    write = ["write", *run, "--steps", "9", "--text", "zag"]
    if own:
        with pytest.raises(UserError, match=rf'"{own}".*: the module my_parts\.py .*--module'):
            experiments.main(write)
        assert not Path("out").exists()
    else:
        assert experiments.main(write) == 0 and list(Path("out").glob("*.svg"))
        forget(monkeypatch)
    network = model.load("saved/models/my/a", "cpu", modules=["my_parts.py"])
    assert type(network.model).__name__ == (own or "SynthesisNetwork")
    forget(monkeypatch)
    # Its config is of use only with it.
    with pytest.raises(UserError, match=r"module my_parts\.py .* is not loaded: --module FILE"):
        experiments.main(["evaluate", *run])


MORE = """
class Warm(JumpsFirst):  # a loss with a state
    calls = 0

    def __call__(self, output, batch):
        self.calls += 1
        return self.calls * super().__call__(output, batch)

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = state["calls"]


class Listed(EvenPace):  # its list hides a layer from state_dict
    def __init__(
        self, normalisation, alphabet, *, hidden_size: int = 64, settings: GenerationSettings
    ):
        super().__init__(normalisation, alphabet, hidden_size=hidden_size, settings=settings)
        self.layers = [nn.Linear(self.output.out_features, self.output.out_features)]

    def predict(self, numbers):
        return super().predict(self.layers[0](numbers))
"""


@pytest.fixture
def own_parts(workplace):
    with open("my_parts.py", "a") as file:
        file.write(MORE)
    return ["--module", "my_parts.py", "-d", "cpu"]


@pytest.mark.slow
def test_an_evaluation_restores_the_state_of_a_loss(own_parts):
    words = ["-c", "my.json", "--run-id", "a", "-o", "loss.type=Warm", "--epochs", "1"]
    assert train.main([*words, *own_parts]) == 0
    assert experiments.main(["evaluate", "-r", "saved/models/my/a", *own_parts]) == 0
    run = Path("saved/models/my/a")
    logged = load_checkpoint(run / "checkpoint-epoch1.pth")["metrics"]["valid_jumps_first"]
    (evaluation,) = (run / "evaluations").glob("*.json")
    assert json.loads(evaluation.read_text())["jumps_first"] == pytest.approx(logged)


def test_a_network_with_weights_outside_its_state_dict_is_refused(own_parts, capsys):
    assert train.main(["-c", "my.json", "-o", "arch.type=Listed", *own_parts]) == 2
    assert 'Listed": a network whose state_dict holds all' in capsys.readouterr().err
    assert not Path("saved").exists()
