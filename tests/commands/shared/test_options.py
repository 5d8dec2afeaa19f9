"""The options of commands: defaults, help, what pages show, and what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

import experiments
from apps.pages.page_options import PrimerFile
from commands import page
from commands.shared import search_options
from commands.shared.network_options import Output
from experiments import COMMANDS, parser_of
from model.generation.line import Sampling
from model.generation.sampling import DEFAULT_STEPS
from model.loading import load
from tests.commands.networks import ROOT, names
from utils.checks import DEVICES, UserError


def test_without_arguments_the_help_is_shown(capsys):
    assert experiments.main([]) == 2
    shown = capsys.readouterr().out
    assert experiments.main(["--help"]) == 0 and capsys.readouterr().out == shown
    assert len(shown.splitlines()) <= 24 and max(map(len, shown.splitlines())) <= 100
    for name in COMMANDS:
        assert shown.count(f"\n  {name} ") == 1


def test_the_help_imports_no_command():
    code = "import experiments, sys; experiments.main(['-h']); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT)})


def test_the_help_shows_the_defaults_of_the_library(capsys):
    """The numbers stand in the text, so that it is shown without what they are from."""
    shown = {}
    for name in COMMANDS:
        with pytest.raises(SystemExit) as stopped:
            experiments.main([name, "--help"])
        assert stopped.value.code == 0
        shown[name] = " ".join(capsys.readouterr().out.split())
        if name not in ("runs", "style", "web"):
            assert "--device" in shown[name] and "--module" in shown[name]
    write = shown["write"]
    assert write.count("(default") >= 11 and f"more (default: {Sampling.bias:g}," in write
    assert f"as in the paper; default: {Sampling.pen_sharpness:g})" in write
    assert f"or {DEFAULT_STEPS} without a text" in write


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("read", ""), "PATH"),
        (("read", "a.inkml", ""), "PATH"),
        (("notes", ""), "PATH"),
        (("page", ""), "FILE"),
        (("runs", ""), "FOLDER"),
        (("export", "-r", "reader", ""), "FILE"),
        (("page", "--style", ""), "--style"),
        (("page", "--proofread", ""), "--proofread"),
        (("write", "a", "-r", ""), "-r/--resume"),
        (("write", "a", "-r", "writer", ""), "-r/--resume"),
        (("write", "a", "--output="), "--output"),
        (("write", "a", "--primer", ""), "--primer"),
        (("read", "a.inkml", "--module", ""), "--module"),
        (("evaluate", "-r", "reader", "--data", ""), "--data"),
        (("web", "--hand", ""), "--hand"),
    ],
)
def test_an_empty_name_is_not_the_current_folder(tmp_path, monkeypatch, words, named):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^argument {named}: the name is empty; see"):
        experiments.main([*words])
    assert names(tmp_path) == []


def test_a_text_may_be_empty_and_the_folder_of_plugins_be_left_out():
    parse = parser_of("notes")[1].parse
    assert parse(["a.inkml", "--correct", "1:1:1", ""]).correct == [["1:1:1", ""]]
    assert parse([".", "--install-plugin"]).install_plugin == parse([".", "--view", ""]).view == ""


def test_options_of_a_page_have_the_values_that_are_set():
    words = "bias=1 size=3 color=red pen_width=0.6 align=center extras=mood=1,2 extras=age=3"
    primer = ["--primer", "a.xml", "--set", "primer_text=a b", "--set", "primer_scale=3"]
    settings = [word for setting in words.split() for word in ("--set", setting)]
    chosen = page.options_of(parser_of("page")[1].parse([*settings, *primer]))
    assert (chosen.bias, chosen.size, chosen.pen, chosen.align) == (1.0, 3.0, 0.6, "centred")
    assert chosen.extras == {"mood": [1, 2], "age": [3]}
    assert chosen.primer == PrimerFile(Path("a.xml"), "a b", 0, 3.0)


def test_all_faults_of_settings_are_named_at_once():
    words = ("--set", "size=0", "--set", "colourr=red", "--set", "slant=99", "--set", "size=3")
    with pytest.raises(UserError) as error:
        experiments.main(["page", "--text", "a", *words])
    assert str(error.value).split("\n  ") == [
        "the command line: 3 faults",
        "--set size: '0': a number from 0.3 to 100 is accepted",
        "--set colourr: no key 'colourr'; did you mean colour?",
        "--set slant: '99': a number from -45 to 45 is accepted",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate"], "required: -r/--resume; see `python experiments.py evaluate --help`"),
        (["write", "--num-samples", "2.5"], "whole number from 1"),
        (["evaluate", "-r", "x", "--num-samples", "3"], "unrecognized arguments: --num-sam"),
        (["write", "-d", "gpu"], f"-d/--device: device 'gpu': {DEVICES} is accepted"),
        (["wirte", "--text", "a"], "no command 'wirte'; did you mean write"),
        (["write", "--text", "a\n" * 10_000], "contains a line end, but becomes one line; `page`"),
        (["write", "--output", "a.pdf"], "a folder is needed, or a file that ends in .svg, .png"),
        (["write", "--text", "a", "--text", "b", "--output", "a.svg"], "one line, but 2 lines are"),
        (
            ["write", "--texst", "a"],
            "unrecognized arguments: --texst; see `python experiments.py write --help`",
        ),
        (["write", "--skip-unknown"], "--skip-unknown is for --text, which is not given"),
        (["write", "--set", "extras=mood"], "--set extras: 'mood': must be NAME=NUMBER,NUMBER"),
        (["write", "--set", "show=bias"], "--set show: 'bias': one of density, window, weights"),
        (["write", "--set", "lines_per_hand=2"], "lines_per_hand is for --texts, which is not"),
        (
            ["page", "--text", "a", "--set", "extras=m=1,x"],
            "--set extras: 'x': a number from -1000000",
        ),
        (["page", "--rewrite", "1:1:1"], "--rewrite is for --report, which is not given"),
        (["page", "--words"], "FILE or --text, or with --words the pages of --report"),
        (["page", "--words", "--report", "r", "--seed", "1"], "leave out --seed"),
        (["page", "--rewrite", "1:1:1", "--report", "r", "--set", "bias=1"], "leave out --set"),
        (["read", "x", "--language-weight", "1"], "--language-weight is for --language-model"),
        (["read", "x", "--language-model", "x", "--words", "y"], "--words is for --language-model"),
        (["read", "x", "--words", "nowhere.txt"], "nowhere.txt"),
        (
            ["write", "-r", "digits", "digit_0", "--set", "show=window"],
            "several networks write the same text",
        ),
    ],
)
def test_wrong_options_are_refused(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        experiments.main(words)
    assert message in str(error.value)
    assert str(error.value).count("\n") <= 1 and len(str(error.value)) < 1000
    assert not names(tmp_path)


def test_a_file_of_another_kind_is_refused_as_an_output_folder(tmp_path):
    with pytest.raises(UserError, match="a folder is needed, not a file"):
        Output(tmp_path / "hi.txt")
    Output(tmp_path / "letters.v2").make()  # a name with a dot is not a kind of file
    (tmp_path / "odd.pdf").mkdir()
    assert Output(tmp_path / "odd.pdf", (".svg",)).file is None
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"file: cannot be written \(File exists\)"):
        Output(tmp_path / "file").make()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(("given", "weight"), [((), 0.7), (("0",), 0.0), (("1.5",), 1.5)])
def test_a_language_model_has_the_weight_that_is_given_or_0_7(checkpoints, tmp_path, given, weight):
    """0 is a weight as well."""
    (tmp_path / "text.txt").write_text("a text\n")
    words = ["--beam", "2", "--language-model", str(tmp_path / "text.txt")]
    words += ["--language-weight", *given] if given else []
    arguments = parser_of("read")[1].parse(["x", *words])
    reader = load(checkpoints["CTCNetwork"], "cpu")
    assert search_options.options_of(arguments).search(reader).language_weight == weight
