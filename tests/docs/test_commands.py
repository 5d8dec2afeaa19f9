"""The commands that pages show have the options that they name, and those of `RUN` are run."""

import argparse
import re
import shlex
import shutil
from itertools import takewhile
from pathlib import Path
from unittest import mock

import pytest

import experiments
import train
from commands.train import options as train_options
from experiments import parser_of
from tests.benchmarks import scripts
from tests.docs.test_links import PAGES, ROOT
from utils.checks import UserError

SCRIPT = re.compile(
    r"^(?:(?:.*?\s)?(?:(experiments|train|benchmarks/\w+)\.py|(tests/faults|docs\.\w+))"
    r"|(online-handwriting))(?=\s|$)",
    re.MULTILINE,
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page):
    """Return the script and the words behind it, of each command line in a page's blocks, and
    of each between single backticks in its text if it has options."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    # A style that is there once a hand has been learned.
    text = text.replace("saved/models/own_hand/RUN_ID/hand.json", "flowing")
    blocks = [block for language, block in BLOCK.findall(text) if not language]
    inline = re.findall(
        r"`((?:\.venv/bin/)?python [^`\s]+\s+[^`\s]+\s+[^`]*)`", BLOCK.sub("", text)
    )
    result = []
    for block in [*blocks, *(" ".join(command.split()) for command in inline)]:
        for line in SCRIPT.finditer(block):
            rest = re.sub(r"(?<=\s)#.*", "", block[line.end() :])  # without comments
            words = shlex.shlex(rest, posix=True, punctuation_chars="\n|&;>()")
            words.whitespace = " \t"
            words.whitespace_split = True
            words.commenters = ""
            words = [*takewhile(lambda word: word[0] not in "\n|&;>()", words)]
            script = line[1] or line[2] or "experiments"
            if line[3] and words[0] == "train":  # of the package
                script, words = words[0], words[1:]
            if "..." not in words:
                result.append((script, words))
    return result


class Parsed(Exception):
    """A script has parsed its command line."""


def parse(script, words):
    """Parse a command line as the script does, and do no more."""
    if script == "train":
        arguments = train_options.parse(words)
        assert arguments.config or arguments.resume
    elif script == "experiments":
        parser_of(words[0])[1].parse(words[1:])
    elif script.startswith("benchmarks/"):
        parse_args = argparse.ArgumentParser.parse_args

        def stopping(parser, *arguments):
            parse_args(parser, *arguments)
            raise Parsed

        stopped = mock.patch.object(argparse.ArgumentParser, "parse_args", stopping)
        with stopped, pytest.raises(Parsed):
            scripts.run(script.removeprefix("benchmarks/"), *words)
    else:
        path = ROOT / script.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_line_that_a_page_shows_is_accepted(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for script, words in commands(page):
        try:
            parse(script, words)
        except (UserError, SystemExit) as error:
            raise AssertionError(f"{script} {shlex.join(words)}: {error}") from error


def test_each_target_of_make_that_a_page_shows_is_one_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = "".join(block for _, block in BLOCK.findall(text))
        targets = re.findall(r"^make (?:[A-Z]+=\S+ )*([a-z]\w*)", blocks, re.MULTILINE)
        for target in [
            *targets,
            *re.findall(r"`make (?:[A-Z]+=\S+ )*([a-z]\w*)[^`]*`", BLOCK.sub("", text)),
        ]:
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), (page, target)


RUN = {
    "README.md": """
        experiments.py page letter.txt --output letter.pdf
        experiments.py page docs/envelope.txt --paper envelope --output envelope.svg
        experiments.py notes docs/sample-notes/diary.xopp --search Vauxhall
        train.py -c configs/conditional.json --run-id first
        train.py -r saved/models/conditional/first
        train.py -c configs/conditional.json -o arch.args.hiden_size=64 --lr -1
    """,
    "docs/read.md": """
        experiments.py write "Hello world" --output hello.inkml
        experiments.py read hello.inkml
    """,
    "docs/data.md": """
        train.py -c configs/inkml.json --data docs/sample-lines --prepare
    """,
    "docs/notes.md": """
        experiments.py notes docs/sample-notes/diary.xopp
        experiments.py notes docs/sample-notes --search "Vauxhall"
        experiments.py notes docs/sample-notes/diary.xopp --output diary.pdf
        experiments.py notes docs/sample-notes/diary.xopp --correct 1:10:4 Vauxhall
    """,
}
"""Commands of pages that need nothing but the repository, in the order in which they are run. Tests
of their own run those of docs/python.md and docs/extend.md, and of a hand."""
SHORTER = "-o data_loader.args.dataset.args.size=8 -o data_loader.args.dataset.args.valid_size=2 "
SHORTER += "-o trainer.args.samples=0 -o trainer.args.time_limit_minutes=0.0"
"""Options of a new run: it is stopped after an epoch, and resumed for another."""


@pytest.fixture
def folder(tmp_path, monkeypatch, logging_restored, few_lines, cache_home):
    """A folder that has what the repository has, with short texts."""
    monkeypatch.chdir(tmp_path)
    Path("configs").symlink_to(ROOT / "configs")
    shutil.copytree(ROOT / "docs", "docs", ignore=shutil.ignore_patterns("*.png"))
    for name in ("docs/letter", "docs/envelope", "letter"):
        Path(f"{name}.txt").write_text("Dear Anna")
    return tmp_path


def outputs(page):
    """Return what a page shows of the output of each command behind `$`."""
    text = page.read_text(encoding="utf-8")
    blocks = (block for _, block in BLOCK.findall(text) if block.startswith("$ python "))
    pairs = (block.removeprefix("$ python ").split("\n", 1) for block in blocks)
    return dict(pairs)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_commands_that_need_nothing_are_run_and_print_what_the_page_says(page, folder, capsys):
    shown, present = outputs(ROOT / page), commands(ROOT / page)
    for command in map(str.strip, RUN[page].strip().splitlines()):
        script, *words = shlex.split(command)
        assert (script.removesuffix(".py"), words) in present, command
        is_refused = command in shown and script == "train.py"
        words += shlex.split(SHORTER) if "--run-id" in words else []
        capsys.readouterr()
        main = {"train.py": train.main, "experiments.py": experiments.main}[script]
        assert main(words) == (2 if is_refused else 0), command
        said = capsys.readouterr()
        assert shown.get(command, "") in (said.err if is_refused else said.out)
        if "--output" in words:
            assert Path(words[-1]).stat().st_size > 500
    if page == "README.md":
        assert len(shown) == 2
        assert list(Path("saved/models/conditional/first").glob("checkpoint-*.pth"))


@pytest.mark.slow
def test_the_python_of_the_readme_writes_a_line_and_reads_it(folder, monkeypatch, capsys):
    (block,) = [
        block
        for language, block in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
        if language == "python"
    ]
    exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})
    assert Path("hello.svg").exists() and capsys.readouterr().out == "Hello\n"
