"""What `export` saves to share: small, without what is private, and over no other file."""

import json
import re

import onnxruntime
import pytest
import torch

from base.config.values import Override
from base.run.checkpoint import load_checkpoint, save_checkpoint
from model import load
from parse_config import config_of as config_of_network
from tests.commands.networks import config_of, names, save, use
from utils.checks import UserError

pytestmark = pytest.mark.web


def test_an_export_is_small_and_has_the_weights_of_the_checkpoint(conditional, tmp_path, capsys):
    path = tmp_path / "mine.pth"
    moved = "data_loader.args.dataset.args.seed=9"
    use("export", "-r", conditional, path, "-o", moved)
    assert str(path) in capsys.readouterr().out
    whole, shared = load(conditional), load(path)
    for name, weight in whole.model.state_dict().items():
        half = shared.model.state_dict()[name]
        assert half.dtype == weight.dtype
        torch.testing.assert_close(half, weight, rtol=2**-11, atol=1e-7)
    assert shared.model.alphabet == whole.model.alphabet
    # In half precision: `conditional` has its weights alone, and no training state.
    assert path.stat().st_size < 0.75 * conditional.stat().st_size
    content = torch.load(path, weights_only=True)
    assert "training" not in content and content["epoch"] == 1
    assert content["config"]["data_loader"]["args"]["dataset"]["args"]["seed"] == 9


def test_a_name_with_control_characters_is_shown_with_escapes(conditional, tmp_path, capsys):
    path = tmp_path / "a\x1b[2J\u202eb.pth"
    use("export", "-r", conditional, path)
    shown = capsys.readouterr().out
    assert path.exists() and "a\\x1b[2J\\u202eb.pth  (" in shown and "\x1b" not in shown


@pytest.mark.parametrize("private", ["/home/alice", "~alice/noise", "C:\\Users\\alice"])
def test_an_export_has_no_path_of_the_config_and_no_name_of_the_machine(tmp_path, private):
    """Paths may name a person: that of the data, and any that begins at a root or a home."""
    place = "alice/lines"
    dataset = {"type": "InkMLDataset", "args": {"root": place, "leave_out": private, "subset": 3}}
    network, shared = save(tmp_path / "mine" / "a.pth", dataset=dataset), tmp_path / "b.pth"
    whole = load_checkpoint(network)
    assert whole["config"]["data_loader"]["args"]["dataset"] == dataset
    save_checkpoint(network, whole | {"versions": {"platform": "Linux alice-laptop"}})
    use("export", "-r", network, shared)
    assert b"alice" in network.read_bytes() and b"alice" not in shared.read_bytes()
    config = load_checkpoint(shared)["config"]
    assert config["arch"] == whole["config"]["arch"] and config["name"] == "mine"
    assert config["data_loader"]["args"]["dataset"]["args"] == {"subset": 3}
    # A relative path of -o is exported; who uses the file without a path says where the data are.
    root = "data_loader.args.dataset.args.root"
    cache = root.replace("root", "cache") + f"={tmp_path}"  # a place on this machine
    use("export", "-r", network, shared, "-o", f"{root}=data/inkml_of_all", "-o", cache)
    args = load_checkpoint(shared)["config"]["data_loader"]["args"]["dataset"]["args"]
    assert args == {"root": "data/inkml_of_all", "subset": 3}
    use("export", "-r", network, shared)
    with pytest.raises(UserError, match=r"no/such: .*; --data, or -o"):
        use("evaluate", "-r", shared, "--data", "no/such")


@pytest.mark.parametrize("words", [("a.bin", "-o", "name=a"), ("a.bin",), ("a.pth", "-o", "no=1")])
def test_a_refused_export_leaves_no_folder(unconditional, tmp_path, words):
    file, *others = words
    with pytest.raises(UserError):
        use("export", "-r", unconditional, tmp_path / "new" / file, *others)
    assert not (tmp_path / "new").exists()


def folder_of_lines(path, *overrides):
    """Return where the lines of a network's config lie."""
    config = config_of_network(load(path, "cpu"), overrides)
    return config.build("data_loader").dataset.root


def test_the_folder_of_a_hands_lines_is_in_the_config_of_its_run_not_in_its_checkpoint(tmp_path):
    """The checkpoint of a learned hand is shared, so it does not say where the lines are."""
    dataset = {"type": "HandDataset", "args": {"x_height": 100.0, "step": 20.0}}
    hand = save(tmp_path / "hand.pth", "SynthesisNetwork", dataset=dataset)
    with pytest.raises(UserError, match=r"args\.root: is missing: .*; --data names the folder$"):
        config_of_network(load(hand, "cpu"))
    assert folder_of_lines(hand, Override("--data", None, "lines.json")) == "lines.json"
    config = config_of("SynthesisNetwork", "hand", dataset)
    config["data_loader"]["args"]["dataset"]["args"]["root"] = "my/lines.json"
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert folder_of_lines(hand) == folder_of_lines(tmp_path) == "my/lines.json"


def test_an_export_replaces_no_file_but_an_earlier_export(conditional, tmp_path):
    trained, other, letter = (tmp_path / name for name in ("trained.pth", "other.pth", "letter"))
    letter.write_text("dear")
    whole = torch.load(conditional, weights_only=True) | {"training": {"optimizer_step": None}}
    for path in (trained, other):
        torch.save(whole, path)
    link = tmp_path / "link.pth"
    link.symlink_to(trained)
    before = [path.read_bytes() for path in (trained, other, letter)]
    for target in (trained, link, other, letter):
        with pytest.raises(UserError, match=f"^{re.escape(str(target))}: exists, and is"):
            use("export", "-r", trained, target)
        assert [path.read_bytes() for path in (trained, other, letter)] == before
        assert link.is_symlink()
    shared = tmp_path / "shared.pth"
    for _ in range(2):  # an earlier export makes way
        use("export", "-r", trained, shared)
    assert "training" not in torch.load(shared, weights_only=True)


def test_the_style_of_a_hand_is_exported_only_with_the_option_with_ink(conditional, tmp_path):
    network, style = tmp_path / "hand.pth", tmp_path / "hand.json"
    use("export", "-r", conditional, network)
    with pytest.raises(UserError, match=r"--with-ink: .* learned no hand: beside it"):
        use("export", "-r", network, tmp_path / "a.pth", "--with-ink")
    style.write_text('{"text": "a", "strokes": [[[0, 0], [1, 1]]]}')
    use("export", "-r", network, tmp_path / "b.pth")
    assert not (tmp_path / "b.json").exists()
    use("export", "-r", network, tmp_path / "c.pth", "--with-ink")
    assert (tmp_path / "c.json").read_bytes() == style.read_bytes()
    style.write_text('{"text": "b", "strokes": [[[0, 0], [1, 1]]]}')
    with pytest.raises(UserError, match=r"c\.json exists; name another file"):
        use("export", "-r", network, tmp_path / "c.pth", "--with-ink")


def test_a_file_of_safetensors_writes_and_reads_what_the_checkpoint_does(
    checkpoints, tmp_path, capsys
):
    for name in ("SynthesisNetwork", "CTCNetwork", "AttentionNetwork"):
        archive, file = tmp_path / f"{name}.pth", tmp_path / f"{name}.safetensors"
        use("export", "-r", checkpoints[name], archive)
        use("export", "-r", checkpoints[name], "--output", file)
        first, second = load(archive, "cpu"), load(file, "cpu")
        assert first.record == second.record
        for key, weight in first.model.state_dict().items():
            assert torch.equal(second.model.state_dict()[key], weight)
    writers = [load(tmp_path / f"SynthesisNetwork.{end}", "cpu") for end in ("pth", "safetensors")]
    lines = [writer.write("abc", seed=2, max_steps=60) for writer in writers]
    assert lines[0].ink.tobytes() == lines[1].ink.tobytes()
    lines[0].save(tmp_path / "line.inkml")
    capsys.readouterr()
    texts = []
    for end in ("pth", "safetensors"):
        use("read", tmp_path / "line.inkml", "--text", "-r", tmp_path / f"CTCNetwork.{end}")
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] and len(texts[0]) > 3


def test_a_folder_gets_a_network_and_its_card_which_a_later_export_replaces(checkpoints, tmp_path):
    folder, words = tmp_path / "hub", ("--format", "safetensors", "--output")
    use("export", "-r", checkpoints["SynthesisNetwork"], *words, folder)
    assert names(folder) == ["README.md", "model.safetensors"]
    card = folder / "README.md"
    first = card.read_text("utf-8")
    assert "SynthesisNetwork" in first and 'load("model.safetensors")' in first
    use("export", "-r", checkpoints["CTCNetwork"], *words, folder)
    assert "CTCNetwork" in card.read_text("utf-8")
    assert load(folder, "cpu").path == folder / "model.safetensors"
    card.write_text("mine")
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match=r"README\.md exists; name another file"):
        use("export", "-r", checkpoints["SynthesisNetwork"], *words, folder)
    assert card.read_text() == "mine" and (folder / "model.safetensors").read_bytes() == before
    use("export", "-r", checkpoints["CTCNetwork"], folder / "b.safetensors")
    assert names(folder) == ["README.md", "b.md", "b.safetensors", "model.safetensors"]


def test_a_reader_is_exported_as_a_graph_with_its_record(checkpoints, tmp_path, capfd):
    reader, folder = checkpoints["CTCNetwork"], tmp_path / "new"
    for _ in range(2):  # an earlier export makes way
        use("export", "-r", reader, "--format", "onnx", "--output", folder)
    assert names(folder) == ["model.onnx"] and "warn" not in capfd.readouterr().err.lower()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    texts = session.get_modelmeta().custom_metadata_map
    record = load(reader, "cpu").record
    for name in ("alphabet", "normalisation", "metrics", "epoch"):
        assert json.loads(texts[name]) == record[name]
    assert json.loads(texts["config"])["arch"] == record["config"]["arch"]


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("SynthesisNetwork", ["a.onnx"], r"SynthesisNetwork does not read; what draws each point "),
        ("AttentionNetwork", ["a.onnx"], r"AttentionNetwork reads by a decoder, whose search is "),
        (
            "CTCNetwork",
            ["a.pth", "--format", "onnx"],
            r"a\.pth: a folder .* or a file that ends in",
        ),
        ("CTCNetwork", ["a.pth", "--output", "b.pth"], "name one output: FILE or --output"),
        ("CTCNetwork", [], "name one output: FILE or --output"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    checkpoints, tmp_path, monkeypatch, kind, words, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        use("export", "-r", checkpoints[kind], *words)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.onnx", "a.safetensors", "model.safetensors"])
def test_no_other_file_is_replaced(checkpoints, tmp_path, name):
    target = tmp_path / name
    target.write_text("dear")
    with pytest.raises(UserError, match="exists, and is the checkpoint itself or no export"):
        use("export", "-r", checkpoints["CTCNetwork"], target)
    assert target.read_text() == "dear" and names(tmp_path) == [name]
