"""The scripts with signals, with streams that fail, and odd names."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from unittest import mock

import pytest

from tests import forked_script
from tests.commands.networks import save
from tests.data_loader import ink_formats
from tests.tiny_config import CONFIG, changed

pytestmark = pytest.mark.slow

ROOT = forked_script.ROOT
NOT_WRITTEN = "standard output could not be written"
MODELS = Path("saved/models/tiny")
NOT_UTF_8, ESCAPED = os.fsdecode(b"\xff"), "\\udcff"
"""A name of bytes that are not UTF-8, and how it is printed."""


def run(name, *words, stdout=..., encoding="utf-8"):
    """Run a script and return its status, what it printed, and its errors."""
    with TemporaryFile() as out, TemporaryFile() as err:
        stdout = out.fileno() if stdout is ... else stdout
        status = forked_script.run(
            name, *words, stdout=stdout, stderr=err.fileno(), encoding=encoding
        )
        printed = [os.pread(file.fileno(), 10**6, 0).decode(encoding) for file in (out, err)]
    assert "Traceback" not in "".join(printed), printed
    return status, *printed


def python(*lines, **options):
    """Run lines of Python in a new process."""
    code = "\n".join(("import os, signal, sys", *lines))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, **options)


@pytest.fixture
def unread():
    """A pipe whose reader has gone."""
    reader, descriptor = os.pipe()
    os.close(reader)
    yield descriptor
    os.close(descriptor)


@pytest.fixture(params=["full", "closed", "unread"])
def stdout(request, unread):
    """Standard output that cannot be written, and how many errors that is."""
    if request.param != "full":
        yield (None, 1) if request.param == "closed" else (unread, 0)
        return
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "wb") as full:
        yield full.fileno(), 1


# Signals


def test_console_changes_nothing_before_it_is_set_up():
    done = python(
        "from utils import console",
        "old = sys.stdout, signal.getsignal(signal.SIGINT)",
        "with console.Signals(console.interrupt): pass",
        "assert (sys.stdout, signal.getsignal(signal.SIGINT)) == old",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.pages
def test_the_first_signal_is_received_and_gives_status_128_plus_its_number():
    done = python(
        "from utils import console",
        "console.set_up()",
        "for number in console.SIGNALS:",
        "    try:",
        "        with console.Signals(console.interrupt): signal.raise_signal(number)",
        "    except KeyboardInterrupt as error: caught = console.status_of(error)",
        "    assert caught == 128 + number",
        "assert console.status_of(KeyboardInterrupt()) == 130",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, (143, b"", b"error: interrupted\n")), (9.0, (0, b"[10]\n", b""))],
)
def test_a_second_signal_ends_the_process_unless_it_is_the_first_one_passed_on(seconds, expected):
    done = python(
        "from utils import console",
        "import time",
        f"console.REPEATED_SECONDS, received = {seconds}, []",
        "with console.Signals(received.append):",
        "    signal.raise_signal(signal.SIGUSR1); time.sleep(0.01)",
        "    signal.raise_signal(signal.SIGTERM); print([*map(int, received)])",
    )
    assert (done.returncode, done.stdout, done.stderr) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train.py", "-r", "reader"], (-signal.SIGINT, "")),
        (["experiments.py", "write"], (130, "error: interrupted\n")),  # which imports it later
    ],
)
@pytest.mark.pages
def test_ctrl_c_while_a_script_imports_ends_it_without_a_traceback(tmp_path, words, expected):
    (tmp_path / "torch.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = [sys.executable, str(ROOT / words[0]), *words[1:]]
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == expected


def test_an_ignored_interrupt_stays_ignored_as_in_the_background_of_a_shell():
    done = python(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "from utils import console",
        "console.set_up()",
        "with console.Signals(console.interrupt): os.kill(os.getpid(), signal.SIGINT)",
        "print('goes on')",
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"goes on", b"")


def test_signals_that_are_ignored_where_tests_are_started_reach_their_children():
    child = "import signal; print(signal.getsignal(2) is signal.default_int_handler, "
    child += "*(signal.getsignal(number) == signal.SIG_DFL for number in (1, 10, 15)))"
    code = "import os, subprocess, sys, tests.conftest; os.kill(os.getpid(), 2); "
    code += "os.kill(os.getpid(), 1); subprocess.run([sys.executable, '-c', sys.argv[1]])"
    script = f"trap '' HUP INT USR1 TERM; exec {shlex.join([sys.executable, '-c', code, child])}"
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True True True True\n", "")


# Streams that cannot be written


def test_training_ends_well_when_its_output_cannot_be_written(workplace, stdout):
    descriptor, num_errors = stdout
    status, _, error = run("train.py", "-c", "config.json", "--run-id", "a", stdout=descriptor)
    messages = (MODELS / "a" / "train.log").read_text()
    assert status == 0 and error.count(NOT_WRITTEN) == error.count("\n") == num_errors
    assert "finished after epoch 2" in messages and NOT_WRITTEN not in messages


@pytest.mark.pages
def test_a_command_writes_its_files_and_fails_when_its_output_cannot_be_written(workplace, stdout):
    descriptor, num_errors = stdout
    words = ("-r", str(save(workplace / "a.pth")), "-d", "cpu", "--steps", "9", "--output", "o")
    status, _, error = run("experiments.py", "write", *words, stdout=descriptor)
    assert status == error.count(NOT_WRITTEN) == error.count("\n") == num_errors
    assert {path.suffix for path in Path("o").iterdir()} == {".png", ".svg"}


def test_help_ends_well_when_the_reader_of_its_pipe_has_ended(unread):
    assert run("train.py", "--help", stdout=unread) == (0, "", "")


WITHOUT_STREAMS = [
    "from utils import console",
    "console.set_up()",
    "with open('/dev/null') as file: assert file.fileno() > 2, file.fileno()",
    "print('é', file=sys.stderr)",
    "print('é')",
    "sys.exit(3 + console.output_is_lost())",
]


def test_a_script_runs_when_all_its_standard_streams_are_closed():
    command = f'exec {shlex.quote(sys.executable)} -c "$0" <&- >&- 2>&-'
    code = "\n".join(("import sys", *WITHOUT_STREAMS))
    assert subprocess.run(["sh", "-c", command, code], cwd=ROOT, timeout=60).returncode == 4


def test_a_character_that_a_stream_lacks_is_escaped():
    done = python(*WITHOUT_STREAMS, env=os.environ | {"PYTHONIOENCODING": "ascii:strict"})
    assert (done.returncode, done.stdout, done.stderr) == (3, b"\\xe9\n", b"\\xe9\n")


# Names


def test_a_run_is_trained_and_resumed_under_names_that_are_not_utf_8(workplace):
    data, config = Path(f"d{NOT_UTF_8}"), f"c{NOT_UTF_8}.json"
    data.mkdir()
    for number in range(12):
        ink = ink_formats.inkml([[(0, 0), (number, 4), (9, 7)]], "ab")
        (data / f"{NOT_UTF_8}{number}.inkml").write_bytes(ink)
    dataset = {"type": "InkMLDataset", "args": {"root": "elsewhere"}}
    changes = {"trainer.args.tensorboard": True, "trainer.args.samples": 1}
    changes["data_loader.args.dataset"] = dataset
    Path(config).write_text(json.dumps(changed(CONFIG, changes)))
    root = f"data_loader.args.dataset.args.root={data}"
    status, printed, error = run("train.py", "-c", config, "-o", root, "-d", "cpu", "--run-id", "a")
    assert status == 0 and f"d{ESCAPED}" in printed and "finished after epoch 2" in printed, error
    record = json.loads((MODELS / "a" / "run.json").read_text(encoding="utf-8"))
    assert record["runs"][0]["command"][2] == config
    status, _, error = run("train.py", "-r", str(MODELS / "a"))
    assert status == 0, error


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.pages
def test_files_are_written_and_read_under_names_that_are_not_utf_8(workplace, encoding):
    primer = Path(f"{NOT_UTF_8}.inkml")
    primer.write_bytes(ink_formats.inkml([[(0, 0), (3, 4), (9, 7)]], "ab"))
    words = f"write -d cpu --steps 9 --num-samples 1 --set inkml=yes --output o{NOT_UTF_8}".split()
    words += ["-r", str(save(workplace / "a.pth", name="tiny")), "--primer", str(primer)]
    status, printed, error = run("experiments.py", *words, encoding=encoding)
    assert status == 0 and f"o{ESCAPED}/tiny-seed0.png" in printed, error
    assert f"in the hand of {ESCAPED}.inkml" in printed
    assert "tiny-seed0.inkml" in os.listdir(f"o{NOT_UTF_8}")


@pytest.mark.parametrize(("prefix", "expected"), [("", 0), ("no ", 2)])
def test_a_name_cannot_control_a_terminal(workplace, prefix, expected):
    name = "a\x1b[31m\nb.inkml"
    Path(name).write_bytes(ink_formats.inkml(text="ab"))
    words = ["-r", str(save(workplace / "reader.pth", "CTCNetwork", "small")), prefix + name]
    status, printed, error = run("experiments.py", "read", *words, "--output", "o")
    assert "\x1b" not in printed + error and "a\\x1b[31m" in printed + error
    assert status == expected and (status == 0 or error.count("\n") == 1)


@pytest.mark.parametrize("words", [("experiments.py", "runs"), ("train.py", "-r", "reader")])
@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9 GiB"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory\nException raised from"),
        SystemError("error return without exception set"),
    ],
)
def test_a_script_that_lacks_memory_ends_with_a_message(monkeypatch, words, error):
    lacking = mock.Mock(side_effect=error)
    monkeypatch.setattr("commands.runs.run", lacking)
    monkeypatch.setattr("commands.train.start.resolve_start", lacking)
    status, printed, said = run(*words)
    assert status == 2 and str(error).splitlines()[0] in said and said.count("\n") == 1, printed


@pytest.mark.parametrize(
    "words", ["train.py -c configs/conditional.json", "experiments.py page --text a"]
)
@pytest.mark.pages
def test_a_script_that_lacks_memory_for_its_imports_ends_with_a_message(words):
    command = f"ulimit -v 250000; exec {shlex.quote(sys.executable)} {words}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 2 and not done.stdout
    assert re.fullmatch(rb"error: not enough memory: .+\n", done.stderr), done.stderr
