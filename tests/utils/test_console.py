"""The scripts, interrupted while they import, with streams that take nothing, and odd names."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked_script
from tests.commands.networks import save
from tests.data_loader import ink_formats
from tests.tiny_config import CONFIG, changed

pytestmark = pytest.mark.slow

ROOT = forked_script.ROOT
NOT_WRITTEN = "standard output could not be written"
MODELS = Path("saved/models/tiny")


@pytest.fixture
def run(tmp_path):
    """Runs a script and returns its status, what it printed, and its errors."""

    def call(name, *words, stdout=..., stderr=..., encoding="utf-8"):
        with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
            status = forked_script.run(
                name,
                *words,
                stdout=out.fileno() if stdout is ... else stdout,
                stderr=err.fileno() if stderr is ... else stderr,
                encoding=encoding,
            )
        printed = [(tmp_path / name).read_bytes().decode(encoding) for name in ("out", "err")]
        assert "Traceback" not in "".join(printed), printed
        return status, *printed

    return call


@pytest.fixture(params=["full", "closed", "unread"])
def stdout(request):
    """Standard output that takes nothing: on a full disk, closed, a pipe whose reader has gone."""
    if request.param == "full":
        if not os.path.exists("/dev/full"):
            pytest.skip("there is no /dev/full here")
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    yield request.param, None if request.param == "closed" else descriptor
    os.close(descriptor)


# Interrupts.


@pytest.mark.parametrize("words", [["train.py", "--help"], ["experiments.py", "write"]])
def test_an_interrupt_while_importing_is_one_line(tmp_path, words):
    # The first slow import is interrupted, and makes another error of it, as extensions do.
    (tmp_path / "torch.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(20)\n"
        "except BaseException as error:\n"
        "    raise ImportError('torch is broken') from error\n"
    )
    done = subprocess.run(
        [sys.executable, str(ROOT / words[0]), *words[1:]],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")


def python(*lines: str, **options) -> subprocess.CompletedProcess:
    """Run lines of Python."""
    code = "\n".join(("import os, signal, sys", "before = set(sys.modules)", *lines))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, **options)


def test_a_signal_is_an_interrupt_with_its_number_and_nothing_before_set_up():
    done = python(
        "old = sys.stdout, signal.getsignal(signal.SIGINT)",
        "before |= {'utils', 'utils.console'}",
        "from utils import console",
        "assert set(sys.modules) == before",  # nothing slow
        "with console.Interruptible(): pass",
        "assert (sys.stdout, signal.getsignal(signal.SIGINT)) == old",
        "console.set_up()",
        "for number in console.SIGNALS:",
        "    try:",
        "        with console.Interruptible():",
        "            try: signal.raise_signal(number)",
        "            except KeyboardInterrupt as error: raise ImportError from error",
        "    except KeyboardInterrupt as error: caught = console.status_of(error)",
        "    assert caught == 128 + number",
        "assert console.status_of(KeyboardInterrupt()) == 130",
    )
    assert done.returncode == 0, done.stderr


def test_a_signal_in_a_callback_that_lets_no_exception_out_ends_the_process():
    done = python(
        "import weakref",
        "from utils import console",
        "console.set_up()",
        "class Thing: pass",
        "thing = Thing()",
        "seen = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))",
        "with console.Interruptible(): del thing; print('goes on')",
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"error: interrupted\n")


def test_an_ignored_interrupt_stays_ignored():
    """As a shell has it for what it starts in the background."""
    done = python(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "from utils import console",
        "console.set_up()",
        "os.kill(os.getpid(), signal.SIGINT)",
        "print('goes on')",
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"goes on", b"")


def test_standard_error_escapes_control_characters_but_not_those_of_bars():
    done = python(
        "from utils import console",
        "console.set_up()",
        "from tqdm import tqdm",
        "for bar in (tqdm(total=2, position=n, ncols=40) for n in range(2)): bar.update()",
        "sys.stderr.write('\\x1b]0;title\\x07 \\x9b2J')",
    )
    assert b"\\x1b]0;title\\x07 \\x9b2J" in done.stderr
    assert b"\r" in done.stderr and done.stderr.count(b"\x1b") == done.stderr.count(b"\x1b[A") > 0


# Streams that take nothing.


def test_nothing_depends_on_what_standard_output_takes(workplace, run, stdout):
    fault, descriptor = stdout
    status, _, error = run("train.py", "-c", "config.json", "--run-id", "a", stdout=descriptor)
    assert status == 0 and error.count(NOT_WRITTEN) == error.count("\n") == (fault != "unread")
    messages = (MODELS / "a" / "train.log").read_text()
    assert "finished after epoch 2" in messages and NOT_WRITTEN not in messages
    words = ("-r", str(MODELS / "a"), "-d", "cpu", "--steps", "9", "--output", "o")
    status, _, error = run("experiments.py", "write", *words, stdout=descriptor)
    assert status == error.count(NOT_WRITTEN) == error.count("\n") == (fault != "unread")
    assert {path.suffix for path in Path("o").iterdir()} == {".png", ".svg"}
    if fault == "unread":
        assert run("train.py", "--help", stdout=descriptor) == (0, "", "")


def test_a_script_may_stand_without_any_stream():
    """Real streams of Python's own, closed by a shell."""
    lines = [
        "from utils import console",
        "console.set_up()",
        "with open('/dev/null') as file: assert file.fileno() > 2, file.fileno()",
        "print('é', file=sys.stderr)",
        "print('é')",
        "sys.exit(3 + console.output_is_lost())",
    ]
    command = f'exec {shlex.quote(sys.executable)} -c "$0" <&- >&- 2>&-'
    code = "\n".join(("import sys", *lines))
    assert subprocess.run(["sh", "-c", command, code], cwd=ROOT, timeout=60).returncode == 4
    done = python(*lines, env=os.environ | {"PYTHONIOENCODING": "ascii:strict"})
    printed = (b"\\xe9" + os.linesep.encode(),) * 2
    assert (done.returncode, done.stdout, done.stderr) == (3, *printed)


# Names that are no text.


ODD = os.fsdecode(b"\xff")
SHOWN = "\\udcff"


def test_files_are_used_under_names_that_are_no_text(workplace, run):
    data = f"d{ODD}"
    Path(data).mkdir()
    for number in range(12):
        ink = ink_formats.inkml([[(0, 0), (number, 4), (9, 7)]], "ab")
        Path(data, f"{ODD}{number}.inkml").write_bytes(ink)
    dataset = {"type": "InkMLDataset", "args": {"root": "elsewhere"}}
    changes = {"trainer.args.tensorboard": True, "trainer.args.samples": 1}
    config = changed(CONFIG, changes | {"data_loader.args.dataset": dataset})
    Path(f"c{ODD}.json").write_text(json.dumps(config))
    root = f"data_loader.args.dataset.args.root={data}"
    words = ("-c", f"c{ODD}.json", "-o", root, "-d", "cpu", "--run-id", "a")
    status, printed, error = run("train.py", *words)
    assert status == 0, error
    assert f"d{SHOWN}" in printed and "finished after epoch 2" in printed
    folder = MODELS / "a"
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["runs"][0]["command"][2] == f"c{ODD}.json"
    status, printed, error = run("train.py", "-r", str(folder), "--epochs", "3")
    assert status == 0, error
    checkpoint = str(folder / "checkpoint-epoch3.pth")
    output = (
        "-r",
        checkpoint,
        "-d",
        "cpu",
        "--output",
        f"o{ODD}",
        "--steps",
        "9",
        "--set",
        "inkml=yes",
    )
    primer = ("--num-samples", "1", "--primer", str(Path(data, f"{ODD}3.inkml")))
    for encoding in ("utf-8", "ascii"):
        words = ("experiments.py", "write", *output, *primer)
        status, printed, error = run(*words, encoding=encoding)
        assert status == 0 and f"o{SHOWN}/tiny-seed0.png" in printed, error
        assert f"in the hand of {SHOWN}3.inkml" in printed
        assert "tiny-seed0.inkml" in os.listdir(f"o{ODD}")


def test_names_cannot_control_a_terminal(workplace, run):
    reader = str(save(workplace / "reader.pth", "CTCNetwork", "small"))
    name = "a\x1b[31m\nb.inkml"
    Path(name).write_bytes(ink_formats.inkml(text="ab"))
    for path in (name, f"no {name}"):
        status, printed, error = run("experiments.py", "read", "-r", reader, path, "--output", "o")
        assert "\x1b" not in printed + error and "a\\x1b[31m" in printed + error
        assert status == 0 or (status == 2 and error.count("\n") == 1)


@pytest.mark.parametrize("words", [("experiments.py", "runs"), ("train.py", "-c", "a.json")])
def test_a_lack_of_memory_ends_in_a_line(tmp_path, monkeypatch, words):
    def lacks(_):
        raise MemoryError("Unable to allocate 9 GiB")

    monkeypatch.setattr("commands.runs.run", lacks)
    monkeypatch.setattr("commands.train_options.parse", lacks)
    with open(tmp_path / "said", "wb") as file:
        assert forked_script.run(*words, stdout=file.fileno(), stderr=file.fileno()) == 2
    said = (tmp_path / "said").read_text()
    assert "not enough memory: Unable to allocate 9 GiB" in said and "Traceback" not in said
