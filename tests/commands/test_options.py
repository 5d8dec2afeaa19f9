"""The options of commands: defaults, help, and what is refused."""

import os
import re
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

import experiments
from base.device import resolve_device
from commands import command_line, options, search_options
from commands.command_line import parser_of
from data_loader.sources.ink_files import MAX_HAND_RATIO
from experiments import COMMANDS
from model.generation.options import Sampling
from model.generation.sampling import DEFAULT_STEPS
from model.loading import load
from tests.commands.networks import ROOT, names
from tests.rights import closed_folder, without_rights
from utils.checks import DEVICES, UserError, device_name
from utils.style_file import write_style


def parse(*words):
    return command_line.parse([str(word) for word in words], COMMANDS)


def refused(*words):
    """The message of a command line that is wrong."""
    with pytest.raises(UserError) as told:
        parse(*words)
    assert str(told.value).count("\n") <= 1 and len(str(told.value)) < 1000
    return str(told.value)


def script(*words, **options):
    """Run the script as its users do."""
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments.py"), *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **options,
    )


def test_without_arguments_the_help_is_shown(capsys):
    assert experiments.main([]) == 2
    shown = capsys.readouterr().out
    assert experiments.main(["--help"]) == 0 and capsys.readouterr().out == shown
    assert len(shown.splitlines()) <= 24 and max(map(len, shown.splitlines())) <= 100
    for name in COMMANDS:
        assert shown.count(f"\n  {name} ") == 1
    assert shown.count("\n  python experiments.py ") == 2


def test_the_help_of_a_command_shows_its_options_and_defaults(capsys):
    shown = {}
    for name in COMMANDS:
        with pytest.raises(SystemExit) as stopped:
            experiments.main([name, "--help"])
        assert stopped.value.code == 0
        shown[name] = " ".join(capsys.readouterr().out.split())
        for option in ("--device", "--module"):
            assert option in shown[name]
    for option in ("--resume", "--device", "--text", "--bias", "--pen-sharpness", "--num-samples",
                   "--steps", "--seed", "--output", "--show"):  # fmt: skip
        assert option in shown["write"]
    for option in ("--override", "--data", "--beam", "--language-model", "SPLIT"):
        assert option in shown["evaluate"]
    assert shown["write"].count("(default") >= 11


def test_the_help_tells_the_defaults_of_the_library(capsys):
    """The numbers stand in the text, so that it is shown without what they are from."""
    with pytest.raises(SystemExit):
        experiments.main(["write", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"need more (default: {Sampling.bias:g})" in shown
    assert f"as in the paper (default: {Sampling.pen_sharpness:g})" in shown
    assert f"or {DEFAULT_STEPS} without one" in shown
    assert f"a factor of {MAX_HAND_RATIO:g}," in shown and f"than {MAX_HAND_RATIO:g} times" in shown
    with pytest.raises(SystemExit):
        experiments.main(["page", "--help"])
    assert "need more (default: 0.75)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate"], "required: -r/--resume"),
        (["write", "-r", "x", "--bias", "-1"], "from 0 to 100"),
        (["write", "-r", "x", "--bias", "nan"], "from 0 to 100"),
        (["write", "-r", "x", "--steps", "0"], "whole number from 1"),
        (["write", "-r", "x", "--num-samples", "2.5"], "whole number from 1"),
        (["write", "-r", "x", "--seed", "-1"], "whole number from 0"),
        (["evaluate", "-r", "x", "--text", "a"], "--text belongs to write, page, style, ha"),
        (
            ["evaluate", "-r", "x", "--num-samples", "3"],
            "--num-samples belongs to write, hand",
        ),
        (["evaluate", "-r", "x", "--steps", "3"], "--steps belongs to write, legibility, cont"),
        (["read", "a", "-r", "x", "--language-weight", "1"], "needs a --language-model"),
        (["evaluate", "-r", "x", "--bias", "1"], "--bias belongs to write, page, style, ha"),
        (["read", "a", "-r", "x", "--bias", "0"], "--bias belongs to write, page, style, ha"),
        (["evaluate", "-r", "x", "--pen-sharpness", "0"], "--pen-sharpness belongs to write, p"),
        (["write", "-r", "x", "--pen-sharpness", "-1"], "from 0 to 100"),
        (["export", "y", "-r", "x", "--text", "a"], "--text belongs to write, page, style, ha"),
        (["export", "y", "-r", "x", "--continue", "valid"], "--continue is unknown"),
        (["evaluate", "-r", "x", "-o", "hidden"], "-o/--override: -o 'hidden' is not KEY=VALUE"),
        (["write", "-d", "gpu"], f"-d/--device: device 'gpu': {DEVICES} is accepted"),
        (["wirte", "--text", "a"], "no command 'wirte': did you mean write?"),
        (["7", "--text", "a"], "no command '7': there are write, page, style, hand, rea"),
        (["write", "--bias=--"], "--bias=--: -- is no value"),
        (["write", "--text=--"], "--text=--: -- is no value"),
        (["write", "-r--"], "-r--: -- is no value"),
        (["write", "--text", "a\n" * 10_000], "--text 'a\\na\\na\\n"),
        (["write", "--text-file", "x"], "written by `page FILE`; `write --help` shows"),
        (["write", "--text-file=x"], "=x is unknown: a page of a text file is written by"),
        (["write", "a"], "a is not an option: a text follows --text; `write --help` shows"),
    ],
)
def test_wrong_options_are_refused(words, message):
    assert message in refused(*words)


def test_a_device_is_named_as_it_is_looked_for():
    for name in ("auto", "cpu", "cuda", "cuda:0", "cuda:12", "mps"):
        assert device_name(name) == name
    for name in ("", "gpu", "cuda:", "cuda:x", "cuda:\u0661", "cpu:0", "mps:1", "CPU"):
        with pytest.raises(UserError, match="is accepted"):
            device_name(name)
        with pytest.raises(UserError, match="is accepted"):
            resolve_device(name)


@pytest.mark.slow
def test_bad_input_ends_with_status_2_and_no_traceback(conditional, tmp_path):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(conditional.read_bytes()[:3000])
    occupied = tmp_path / "file"
    occupied.write_text("mine")
    for words, message in [
        (["write", "-r", tmp_path / "none.pth"], "no such file"),
        (["write", "-r", broken], "truncated or damaged"),
        (["write", "-r", conditional, "-d", "cuda:99"], "cuda:99"),
        (["write", "-r", conditional, "--output", occupied], "cannot be written (File exists)"),
        (["write", "-r", conditional, "--steps", "0"], "--steps: '0': a whole number from 1 to"),
    ]:
        done = script(*words, cwd=tmp_path)
        assert done.returncode == 2, (words, done.stderr)
        assert done.stderr.startswith("error: ") and message in done.stderr
        assert "Traceback" not in done.stderr and done.stderr.count("\n") <= 2
    assert names(tmp_path) == ["broken.pth", "file"]
    assert occupied.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["legibility", "--reader", "x", "-r", "x", "--evaluate"], "--evaluate is unknown"),
        (["write", "-r", "x", "--biases", "1"], "--biases belongs to legibility"),
        (["read", "x", "-r", "x", "--language-model", "x.txt"], "give --beam 2 or more"),
        (["read", "x", "-r", "x", "--beam", "0"], "from 1 to 1000"),
        (["read", "x", "-r", "x", "--length-bonus", "1"], "give --beam 2 or more"),
        (["evaluate", "-r", "x", "--input", "x.inkml"], "--input is unknown"),
        (["legibility", "--reader", "x", "-r", "x", "--show", "window"], "--show belongs to wri"),
        (
            ["legibility", "--reader", "x", "-r", "x", "--text", "a", "--texts", "plain"],
            "leave out one of them",
        ),
        (
            ["legibility", "--reader", "x", "-r", "x", "--characters", "--texts", "x.tsv"],
            "leave out --texts",
        ),
        (
            ["legibility", "--reader", "x", "-r", "x", "--characters", "--sheet"],
            "leave out --sheet",
        ),
        (
            ["legibility", "--reader", "x", "-r", "x", "--skip-unknown", "--texts", "everyday"],
            "is for a --text, or a F",
        ),
    ],
)
def test_options_that_contradict_are_refused(words, message):
    assert message in refused(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["write", "-r", "x", "--characters"], "--characters belongs to legibility"),
        (
            ["legibility", "--reader", "x", "-r", "x", "--skip-unknown"],
            "--skip-unknown is for a --text",
        ),
        (
            ["legibility", "--reader", "x", "-r", "x", "--characters", "--text", "a"],
            "leave out --text",
        ),
        (
            ["legibility", "--reader", "x", "-r", "x", "--characters", "--biases", "0", "1"],
            "give --biases one value",
        ),
        (["write", "-r", "x", "--primer-points", "5"], "--primer-points is for a --primer FILE"),
        (["write", "-r", "x", "--primer-text", "a"], "--primer-text is for a --primer FILE"),
        (
            ["write", "-r", "x", "--primer", "x", "--primer-scale", "0"],
            "a number from 1e-06 to 1000000 is accepted",
        ),
        (["write", "-r", "x", "--primer", "x", "--primer-scale", "big"], "'big': a number from"),
        (["evaluate", "-r", "x", "--primer", "x"], "--primer belongs to write"),
        (["read", "x", "-r", "x", "--inkml"], "--inkml belongs to write"),
    ],
)
def test_options_that_contradict_say_what_would_be_right(words, message):
    assert message in refused(*words)


def test_a_misspelt_option_names_near_ones():
    said = refused("write", "--bais", "1")
    assert "--bais is unknown: did you mean --bias" in said and "`write --help`" in said
    assert "--qqq is unknown; " in refused("write", "--qqq")
    assert "hi is not an option: a text follows --text" in refused("write", "hi")
    assert "-r/--resume; see `experiments.py evaluate --help`" in refused("evaluate")


def test_a_file_of_another_kind_is_no_folder(tmp_path):
    for command, path, message in (
        ("write", "hi.pdf", "as a file only .svg, .png, .inkml can be written"),
        ("compare", "hi.svg", "as a file only .png can be written"),
        ("read", "hi.txt", "a folder is needed, not a file"),
    ):
        kinds = {"write": (".svg", ".png", ".inkml"), "compare": (".png",), "read": ()}[command]
        with pytest.raises(UserError, match=message):
            options.make_output(tmp_path / path, kinds)
    options.make_output(tmp_path / "letters.v2")  # a name with a dot is not a kind of file
    (tmp_path / "odd.pdf").mkdir()
    options.make_output(tmp_path / "odd.pdf", (".svg",))
    assert {path.name for path in tmp_path.iterdir()} == {"letters.v2", "odd.pdf"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pipe.svg", "a pipe, a socket or a device, and no regular file"),
        ("x" * 300 + ".svg", "File name too long"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, name, message):
    os.mkfifo(tmp_path / "pipe.svg")
    message = re.escape(f"--output {tmp_path / name}: cannot be written ({message})")
    with pytest.raises(UserError, match=message):
        options.make_output(tmp_path / name, (".svg",))
    with pytest.raises(UserError, match=message):
        options.make_room(tmp_path / name, "--output")
    assert names(tmp_path) == ["pipe.svg"]


def test_so_is_a_folder_without_rights():
    with closed_folder() as folder, without_rights():
        for path in (folder, folder / "a.svg"):
            message = re.escape(f"--output {path}: cannot be written (Permission denied)")
            with pytest.raises(UserError, match=message):
                options.make_output(path, (".svg",))


def test_a_bias_of_legibility_is_one_of_its_biases():
    _, arguments = parse("legibility", "-r", "x", "--reader", "y", "--bias", "1")
    assert arguments.biases == [1.0]


def test_commands_do_not_know_each_other():
    """Each is a module with the same functions, and its own options."""
    for name, home in COMMANDS.items():
        command = import_module(home)
        assert all(callable(getattr(command, one)) for one in ("add_options", "run"))
        others = set(COMMANDS.values()) - {home}
        imported = {
            value.__name__ for value in vars(command).values() if hasattr(value, "__spec__")
        }
        assert not imported & others
        assert parser_of(name, COMMANDS).knows("--device")


def test_a_style_gets_the_size_of_the_networks_own_lines(checkpoints, tmp_path):
    """One of a tablet that counts sixteen units where the network counts one."""

    def zigzag(height):
        return np.array([[height / 2, height * (-1) ** n, n == 59] for n in range(60)], np.float32)

    write_style(tmp_path / "large.json", zigzag(640.0), "mine", "large")
    network = load(checkpoints["SynthesisNetwork"], "cpu").model
    writer = SimpleNamespace(own_hand=lambda: [zigzag(40.0)] * 2, model=network)
    ((ink, text),) = options.samples_of([tmp_path / "large.json"], writer)
    assert text == "mine"
    assert np.abs(ink[1:-1, 1]).max() == pytest.approx(40.0, rel=0.05)


def test_a_mark_of_utf_8_is_no_part_of_the_text(tmp_path):
    (tmp_path / "notepad.txt").write_bytes(b"\xef\xbb\xbfHello\r\n\r\nyou\r\n")
    assert options.lines_of(tmp_path / "notepad.txt") == ["Hello", "you"]


@pytest.mark.parametrize(("given", "weight"), [((), 0.7), (("0",), 0.0), (("1.5",), 1.5)])
def test_the_weight_of_a_language_model(checkpoints, tmp_path, given, weight):
    """0 is a weight as well."""
    (tmp_path / "text.txt").write_text("a text\n")
    words = ["--beam", "2", "--language-model", tmp_path / "text.txt"]
    words += ["--language-weight", *given] if given else []
    _, arguments = parse("read", "x", *words)
    reader = load(checkpoints["CTCNetwork"], "cpu")
    assert search_options.search_of(reader, arguments).language_weight == weight
