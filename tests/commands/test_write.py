"""Texts are written and lines drawn: small untrained networks, whole files."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import experiments
from apps.pages import PageOptions
from apps.pages.page_hands import Hands
from commands.write import file_names, save_line
from ink.alphabet import Alphabet
from ink.drawing.layers import INK_COLOUR
from ink.reading import read_ink
from model import Line, load, sample
from model.drawing.plots import PRIMER
from model.generation.line import Sampling
from tests.commands.networks import ROOT, names, network, of_colour, save, use, write
from utils.checks import UserError


def test_conditional_network_writes_texts(conditional, tmp_path, capsys):
    words = ("--text", "On it!", "--text", "B <&> $x", "--num-samples", 2, "--seed", 5)
    write(conditional, tmp_path / "out", *words, "--bias", 0.25, "--set", "inkml=yes")
    stems = [f"conditional-{text}-seed{seed}" for text in ("On-it", "B-x") for seed in (5, 6)]
    kinds = ("inkml", "png", "svg")
    made = {f"{stem}.{kind}" for stem in stems for kind in kinds}
    assert set(names(tmp_path / "out")) == made | {"conditional.png"}
    texts = ["On it!"] * 2 + ["B <&> $x"] * 2
    lines = sample(network("SynthesisNetwork"), [5, 6, 5, 6], texts, Sampling(bias=0.25))
    for stem, text, line in zip(stems, texts, lines, strict=True):
        (read,) = read_ink(tmp_path / "out" / f"{stem}.inkml")
        np.testing.assert_array_equal(read.ink[1:], line.ink[1:])
        assert read.text == text
        picture = Image.open(tmp_path / "out" / f"{stem}.png").convert("L")
        assert (np.asarray(picture) < 100).any()
    svg = (tmp_path / "out" / "conditional-B-x-seed6.svg").read_text()
    assert "<title>B &lt;&amp;&gt; $x</title>" in svg and "bias 0.25" in svg
    printed = capsys.readouterr().out
    ended = sum(line.ended for line in lines)
    assert printed.splitlines()[-1] == f"{ended} of 4 lines ended by the stopping rule"
    assert str(tmp_path / "out" / "conditional-On-it-seed6.svg") in printed


@pytest.mark.parametrize("hand_size", [0, 4])
def test_all_texts_are_in_the_hand_that_a_page_has_with_the_same_seed(tmp_path, hand_size):
    """Whether the network is conditioned on the hand or continues a line of it."""
    options = {"window_advance": 0.3} | ({"hand_size": hand_size} if hand_size else {})
    writer = load(save(tmp_path / "own/one/c.pth", "SynthesisNetwork", **options), "cpu")
    write(writer.path, tmp_path, "--text", "ab", "--text", "ba", "--seed", 5, "--style", "own",
          "--steps", 30, "--set", "inkml=yes")  # fmt: skip
    page_options = PageOptions(style="own", seed=5)
    hand = Hands(writer, page_options, "cpu", progress=False).of(page_options.look)
    hand = replace(hand, sampling=replace(hand.sampling, max_steps=30))
    for line in hand.write_texts(["ab", "ba"], [5, 5]):
        (read,) = read_ink(tmp_path / f"one-{line.written_text}-seed5.inkml")
        np.testing.assert_allclose(read.ink[1:], line.written[1:], atol=0.01)


def test_unconditional_network_draws_lines(unconditional, tmp_path, capsys):
    write(unconditional, tmp_path, "--steps", 20)
    expected = [f"unconditional-seed{seed}.{kind}" for seed in range(5) for kind in ("png", "svg")]
    assert names(tmp_path) == sorted([*expected, "unconditional.png"])
    assert "stopping rule" not in capsys.readouterr().out


def test_a_text_is_given_as_a_file_is_to_page_and_stands_before_the_network(tmp_path, capsys):
    path = save(tmp_path / "a/one/c.pth", "SynthesisNetwork")
    words = ["-r", str(path), "-d", "cpu", "--steps", "9", "--output"]
    for option, folder in ((["ab"], "a"), (["--text", "ab"], "b")):
        assert experiments.main(["write", *option, *words, str(tmp_path / folder)]) == 0
    drawn = [next((tmp_path / folder).glob("*.svg")) for folder in "ab"]
    assert drawn[0].read_bytes() == drawn[1].read_bytes() and drawn[0].name == drawn[1].name
    with pytest.raises(UserError, match="a text stands before -r"):
        experiments.main(["write", "-r", str(path), "ab"])


def test_each_printed_line_says_whether_it_ended_by_itself(tmp_path, capsys):
    path = save(tmp_path / "a/one/c.pth", end_of_sequence=True, end_bias=2.0)
    write(path, tmp_path / "out", "--num-samples", 4, "--steps", 9)
    lines = sample(load(path, "cpu").model, range(4), sampling=Sampling(max_steps=9))
    printed = capsys.readouterr().out
    ended = sum(line.ended for line in lines)
    assert 0 < ended < 4 and printed.splitlines()[-1] == f"{ended} of 4 lines ended on their own"
    assert printed.count(", ended)") == ended and printed.count(", not ended)") == 4 - ended


def test_a_primer_is_drawn_in_another_colour(tmp_path):
    loaded = load(save(tmp_path / "a/one/c.pth"), "cpu")
    ink = np.zeros((40, 3), np.float32)
    ink[1:, :2] = 5.0
    for primed in (0, 20):
        line = Line(ink=ink, primed=primed, peaks=None, text=None, ended=False, bias=None)
        save_line(loaded, line, tmp_path / "one", [".png", ".svg"])
        assert of_colour(tmp_path / "one.png", INK_COLOUR) > 10
        assert (of_colour(tmp_path / "one.png", PRIMER) > 10) == bool(primed)


def test_unknown_characters_are_named_and_can_be_left_out(conditional, tmp_path, capsys):
    words = ("--text", "caf\u00e9 \u0142", "--steps", 20)
    with pytest.raises(UserError, match=r"U\+00E9.*U\+0142.*--skip-unknown"):
        write(conditional, tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()
    write(conditional, tmp_path / "out", *words, "--skip-unknown")
    assert "U+00E9" in capsys.readouterr().out
    assert "conditional-caf-seed0.svg" in names(tmp_path / "out")
    with pytest.raises(UserError, match="nothing to write in '\u00e9'"):
        write(conditional, tmp_path / "out", "--text", "\u00e9", "--skip-unknown")


@pytest.mark.parametrize(("known", "text"), [(" aeiou", "i o a ua ue o"), ("2310", "2310")])
def test_the_default_text_has_characters_of_the_alphabet_only(tmp_path, known, text):
    path = save(tmp_path / "few.pth", "SynthesisNetwork", "few", alphabet=Alphabet(known))
    write(path, tmp_path / "a.inkml", "--steps", 20)
    (sample,) = read_ink(tmp_path / "a.inkml")
    assert sample.text == text


def test_file_names_have_plain_characters_and_differ():
    texts = ["Hello, world!", "hello world", "HELLO  world?", "\u65e5?", "../../etc", "x" * 99]
    made = ["Hello-world", "hello-world-2", "HELLO-world-3", "text", "etc", "x" * 40]
    assert file_names(texts) == made


# Files


def test_a_single_line_is_saved_in_the_file_that_is_named(conditional, unconditional, tmp_path):
    words = ("--text", "On it", "--steps", 40)
    for kind in (".svg", ".png", ".inkml"):
        write(conditional, tmp_path / "new" / f"hi{kind}", *words)
    write(
        conditional,
        tmp_path / "more" / "hi.SVG",
        *words,
        "--set",
        "inkml=yes",
        "--set",
        "show=window",
    )
    assert names(tmp_path / "new") == ["hi.inkml", "hi.png", "hi.svg"]
    assert names(tmp_path / "more") == ["hi-window.png", "hi.SVG", "hi.inkml"]
    write(unconditional, tmp_path / "line.svg", "--steps", 9)  # one, where a folder gets five
    assert names(tmp_path) == ["line.svg", "more", "new"]


# What is not imported

SLOW = (
    *("matplotlib", "tensorboard", "parse_config", "trainer", "data_loader.sources", "scipy"),
    *("torch._dynamo", "torch._inductor", "torch.utils.tensorboard", "base.base_trainer"),
)


def imported(*calls):
    """The slow modules that are imported after each call of the script in the same process."""
    code = (
        "import sys, experiments\n"
        f"for words in {[list(map(str, words)) for words in calls]!r}:\n"
        "    try: experiments.main(words)\n"
        "    except experiments.UserError: pass\n"
        f"    print('imported', *[name for name in {('torch', *SLOW)!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return re.findall(r"^imported ?(.*)", done.stdout, re.MULTILINE)


@pytest.mark.slow
def test_writing_imports_nothing_that_trains(conditional, tmp_path):
    words = ("write", "-r", conditional, "-d", "cpu", "--text", "a", "--steps", 9, "--output")
    calls = [(*words, tmp_path / name) for name in ("a.svg", "a.png")]
    assert imported(*calls) == ["torch", "torch matplotlib"]


@pytest.mark.slow
def test_errors_are_reported_without_importing_torch(conditional, tmp_path):
    calls = (
        ("write", "-r", conditional, "--primer", tmp_path / "none.inkml"),
        ("read", tmp_path / "none.inkml"),
        ("write", "-r", "nonsuch", "digit_0"),
        ("write", "--beam", 3),
        ("read", "x", "--beam", 2, "--language-model", tmp_path / "none.txt"),
    )
    assert imported(*calls) == [""] * len(calls)


@pytest.mark.slow
def test_a_sheet_has_a_row_for_each_network(tmp_path, capsys):
    paths = [
        save(tmp_path / f"{bias}.pth", end_of_sequence=True, end_bias=bias) for bias in (4.0, -30.0)
    ]
    words = ("--num-samples", 4, "--steps", 60, "--seed", 5, "--output", tmp_path / "out")
    use("write", "-r", *paths, *words)
    assert names(tmp_path / "out") == ["sheet.png"]
    printed = capsys.readouterr().out
    sampling = Sampling(max_steps=60)
    lines = sample(load(paths[0], "cpu").model, range(5, 9), sampling=sampling)
    assert f"{paths[0]} · {sum(line.ended for line in lines)} of 4 ended\n" in printed
    assert f"{paths[1]} · 4 of 4 ended\n" in printed
    assert "sheet.png  (2 rows of 4, seeds from 5)" in printed
    assert of_colour(tmp_path / "out" / "sheet.png", INK_COLOUR) > 500
    with pytest.raises(UserError, match="a network without text input: --text is for others"):
        use("write", "-r", *paths, *words, "--text", "a")
    assert "ended" not in capsys.readouterr().out
