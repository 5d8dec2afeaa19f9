"""The packages, installed where no checkout is on any path, and used as their owner uses them.

The folder in which all is typed has modules with the names of the rooms, which raise.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import time
import tomllib
import urllib.request
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from base.run.checkpoint import checkpoints, load_checkpoint
from online_handwriting import build
from tests import tiny_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SHADOWS = ("apps", "base", "commands", "ink", "logger", "model", "train", "trainer", "utils")
LOSS = """
from online_handwriting.base.base_loss import BaseLoss
from online_handwriting.model import NegativeLogLikelihood

SIGNS = {"a", "b"}  # a set: steps are tried in a process with other hashes, too

class MyLoss(NegativeLogLikelihood):
    def terms(self, output, batch):
        return 2 * super().terms(output, batch)
"""
USE = """
import sys
path = [*sys.path]
import online_handwriting as oh
from online_handwriting.base.base_loss import BaseLoss
assert issubclass(oh.load("open_writer", "cpu").model.__class__, oh.base.base_model.BaseModel)
line = oh.load("open_writer", "cpu").write("Hello", seed=1)
line.save("again.inkml")
print(oh.load("open_reader", "cpu").read(line), len(oh.read("again.inkml")))
assert sys.path == path, sys.path
rooms = {"apps", "base", "commands", "data_loader", "ink", "logger", "model", "trainer", "utils"}
rooms |= {"train", "experiments", "parse_config"}
assert not rooms & {name.partition(".")[0] for name in sys.modules}
"""


def run(*words, folder, **options):
    """Run a command to its end; return what it prints, and raise with that if it fails."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} | options
    done = subprocess.run([*map(str, words)], cwd=folder, **options)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The folder of wheels and sdists, and the folder of the sources, an archive without git."""
    source, dist = (tmp_path_factory.mktemp(name) for name in ("source", "dist"))
    tops = [
        "pyproject.toml",
        "README.md",
        "Makefile",
        *build.packed_files(),
        *build.research_files(),
    ]
    own = [path for path in (ROOT / "online_handwriting").rglob("*") if path.is_file()]
    own = [str(path.relative_to(ROOT)) for path in own if path.suffix != ".pyc"]
    for name in dict.fromkeys([*tops, *own]):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
    run(*command, dist, source, folder=source)
    run(*command, dist / "direct", "--wheel", source, folder=source)
    run(sys.executable, source / "online_handwriting/build.py", source / "research", folder=source)
    run(*command, dist, source / "research", folder=source)
    return dist


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def installed(tmp_path_factory, *wheels):
    """Return the folder of programs of an environment with wheels; it also has what the running
    one has, which is not this project."""
    place = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", place, folder=place)
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    lines = [f"import site; site.addsitedir({path!r})\n" for path in paths]
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "further.pth").write_text("".join(lines))
    pip = (sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "-q")
    run(*pip, "--no-deps", "--no-index", *wheels, folder=place)
    return place / "bin"


@pytest.fixture(scope="module")
def open_only(packages, tmp_path_factory):
    return installed(tmp_path_factory, *packages.glob("online_handwriting-*.whl"))


@pytest.fixture(scope="module")
def both(packages, tmp_path_factory):
    return installed(tmp_path_factory, *packages.glob("*.whl"))


@pytest.fixture(scope="module")
def without_torch(packages, tmp_path_factory):
    """An environment that has what the package needs, but nothing of `[train]`."""
    place = tmp_path_factory.mktemp("small")
    run(sys.executable, "-m", "venv", "--without-pip", place, folder=place)
    (target,) = place.glob("lib/python*/site-packages")
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for name in needed_by(re.match(r"[\w-]+", each)[0] for each in requirements):
        tops = {str(file).partition("/")[0] for file in metadata.files(name) or ()}
        for top in tops - {"..", "__pycache__"}:
            source = Path(metadata.distribution(name).locate_file(top)).resolve()
            if source.exists() and not (target / top).exists():
                (target / top).symlink_to(source)
    pip = (sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "-q")
    wheel = packages.glob("online_handwriting-*.whl")
    run(*pip, "--no-deps", "--no-index", *wheel, folder=place)
    return place / "bin"


def needed_by(names):
    """Return the installed distributions of these names, and those that they need."""
    found, todo = set(), [*names]
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            further = (each for each in metadata.requires(name) or () if ";" not in each)
            todo += [re.match(r"[\w.-]+", each)[0] for each in further]
    return found


@pytest.fixture(scope="module", params=["open_only", "both"])
def programs(request):
    """The folder of programs; nothing is written beside what was installed."""
    programs = request.getfixturevalue(request.param)
    before = files_of(programs)
    yield programs
    assert files_of(programs) == before


def files_of(programs):
    paths = programs.parent.glob("lib/python*/site-packages/online_handwriting*/**/*")
    return {path for path in paths if path.suffix != ".pyc" and path.name != "__pycache__"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of somebody who has modules with the names of the rooms."""
    for name in SHADOWS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('this is another module')")
    (tmp_path / "letter.txt").write_text("Dear Anna,")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_both_ways_to_a_wheel_pack_the_same_and_each_has_its_licences(packages):
    (wheel,), (research,) = packages.glob("*g-*.whl"), packages.glob("*research-*.whl")
    (direct,) = packages.glob("direct/*.whl")
    assert names_in(wheel) == names_in(direct)
    names = {name.removeprefix("online_handwriting/") for name in names_in(wheel)}
    assert {*build.packed_files(), "__init__.pyi", "py.typed"} <= names and "build.py" not in names
    assert not {name for name in names if "research" in name or name.endswith("/writer.pth")}
    assert wheel.stat().st_size < 21e6
    cards = "dist-info/licenses/saved/pretrained/README.md"
    assert any(name.endswith(cards) for name in names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names_in(research))
    packed = {name.removeprefix("online_handwriting_research/") for name in names_in(research)}
    assert {name.removeprefix("saved/") for name in build.research_files()} <= packed
    for kind in ("online_handwriting-", "online_handwriting_research-"):
        (sdist,) = packages.glob(f"{kind}*.tar.gz")
        with tarfile.open(sdist) as archive:
            assert any(name.endswith("/LICENSE") for name in archive.getnames())


def test_open_networks_write_read_and_search_without_the_research_package(open_only, place):
    command = open_only / "online-handwriting"
    said = run(command, "page", "letter.txt", "--verbose", "--output", "letter.pdf", folder=place)
    warning = "warning: the network writer is not installed (online-handwriting-research has it)"
    assert said.count(warning) == 1 and "in the hand of open_round" in said
    assert "proofread" in said and Path("letter.pdf").read_bytes().startswith(b"%PDF")
    run(command, "write", "Hello", "-r", "open_writer", "--output", "a.inkml", folder=place)
    assert "hello" in run(command, "read", "a.inkml", folder=place).lower()
    shutil.copy(ROOT / "docs" / "sample-notes" / "diary.xopp", place)
    found = run(command, "notes", "diary.xopp", "--search", "train", folder=place)
    assert "diary.xopp\t1:" in found
    done = subprocess.run([command, "write", "a", "-r", "recognition"], capture_output=True)
    assert done.returncode == 2 and b"online-handwriting-research has more" in done.stderr
    run(command, "style", "make", "--ink", "a.inkml", "--name", "mine", folder=place)
    assert Path("saved/styles/mine.json").exists()
    words = ("write", "Hi", "--style", "mine", "--steps", "50", "--output", "b.svg")
    assert "open_writer.pth" in run(command, *words, folder=place)


def test_a_site_is_saved_and_served(programs, place):
    command = programs / "online-handwriting"
    run(command, "web", "--networks", "open", "--output", "site", folder=place)
    assert {"index.html", "LICENSE", "networks"} <= {path.name for path in Path("site").iterdir()}
    words = [command, "web", "--networks", "open", "--port", "8913"]
    environment = os.environ | {"BROWSER": "true"}
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = server.stdout.readline().split()[0]
        with urllib.request.urlopen(f"{address}networks/writer.bin") as answer:
            assert answer.read() == Path("site/networks/writer.bin").read_bytes()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


def newest_step(folder):
    return load_checkpoint(checkpoints(folder)[0])["step"]


def stopped(words, is_reached):
    """Start a training, end it by Ctrl-C when something is reached; return what it has said."""
    with open("log.txt", "w") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file)
        while not is_reached():
            assert process.poll() is None, Path("log.txt").read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, Path("log.txt").read_text()
    return Path("log.txt").read_text()


def test_a_network_trains_with_a_loss_of_ones_own_and_goes_on(programs, place):
    """In a module that has the name of a room, with worker processes; then in two processes."""
    shutil.rmtree("model")
    Path("model.py").write_text(LOSS)
    changes = {"loss.type": "MyLoss", "trainer.args.epochs": 9000}
    changes["data_loader.args.num_workers"] = 2
    Path("my.json").write_text(json.dumps(tiny_config.changed(tiny_config.CONFIG, changes)))
    command = programs / "online-handwriting"
    words = [command, "train", "--module", "model.py", "-d", "cpu"]
    folder = Path("saved/models/tiny/a")
    said = stopped([*words, "-c", "my.json", "--run-id", "a"], lambda: checkpoints(folder))
    assert "trying the steps in another process, with other hashes" in said
    assert f"to resume: online-handwriting train -r {folder}" in said, said
    first = newest_step(folder)
    stopped([*words, "-r", folder], lambda: newest_step(folder) > first)
    start = json.loads((folder / "run.json").read_text())["runs"][-1]
    assert start["package"] == "0.2.0" and start["checkout"] is None
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m")
    config = ("-c", "my.json", "--module", "model.py", "-d", "cpu", "--run-id", "b")
    program = (programs / "python", "-P", *launcher, "online_handwriting.train")
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo"}
    ended = run(*program, *config, "--epochs", "1", folder=place, env=environment)
    assert "to use it: online-handwriting write -r saved/models/tiny/b" in ended
    assert Path("saved/models/tiny/b/checkpoint-epoch1.pth").exists()
    shutil.rmtree("base")
    Path("old.py").write_text("from base.base_loss import BaseLoss")
    old = [command, "train", "--module", "old.py", "-c", "my.json"]
    refused = subprocess.run(old, capture_output=True, text=True)
    assert "base.base_loss is now online_handwriting.base.base_loss" in refused.stderr
    refused = subprocess.run([*words, "-c", "conditionl"], capture_output=True, text=True)
    assert refused.returncode == 2 and "did you mean conditional" in refused.stderr


def test_names_for_python_work_with_and_without_a_compiler(programs, place, tmp_path):
    def use(**environment):
        program = (programs / "python", "-P", "-c", USE)
        return run(*program, folder=place, env=os.environ | environment)

    assert use(XDG_CACHE_HOME=str(tmp_path / "one")).splitlines()[-1] == "Hello 1"
    assert shutil.which("cc") is None or [*tmp_path.glob("one/**/*.so")]
    assert use(PATH="/", XDG_CACHE_HOME=str(tmp_path / "other")).splitlines()[-1] == "Hello 1"
    assert not [*tmp_path.glob("other/**/*.so")]


def test_without_torch_the_engine_reads_writes_and_searches(without_torch, place):
    command = without_torch / "online-handwriting"
    run(command, "write", "Hello", "--style", "open_round", "--output", "a.inkml", folder=place)
    assert "\tHello" in run(command, "read", "a.inkml", folder=place)
    shutil.copy(ROOT / "docs" / "sample-notes" / "diary.xopp", place)
    for words in (("--output", "b.pdf"), ("--output", "b.md"), ("--search", "until")):
        said = run(command, "notes", "diary.xopp", *words, folder=place)
    assert "diary.xopp\t1:2:2\t" in said
    assert (
        Path("b.pdf").read_bytes().startswith(b"%PDF")
        and "Rain until noon" in Path("b.md").read_text()
    )
    Path("notes").mkdir()
    shutil.move("diary.xopp", "notes")
    words, environment = [command, "notes", "notes", "--view"], os.environ | {"BROWSER": "true"}
    viewer = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = next(line for line in viewer.stdout if line.startswith("http")).split()[0]
        with urllib.request.urlopen(address.partition("#")[0]) as page:
            assert b"<html" in page.read()
    finally:
        viewer.send_signal(signal.SIGINT)
        viewer.wait(20)
    for words in (
        ("page", "letter.txt", "--output", "letter.pdf"),
        ("train", "-c", "conditional"),
        ("evaluate", "-r", "conditional"),
        ("read", "a.inkml", "-r", ROOT / "benchmarks" / "judge.pth"),
        ("write", "Hi", "--set", "show=window"),
        ("write", "Hi", "--style", ROOT / "saved" / "styles" / "joined.json"),
    ):
        done = subprocess.run([command, *words], capture_output=True, text=True)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert "needs PyTorch: python -m pip install torch tensorboard" in done.stderr, words
    code = "import online_handwriting as oh, sys\n"
    code += "line = oh.load('open_writer').write('Hello', seed=1)\n"
    code += "print(oh.load('open_reader').read(line)); assert 'torch' not in sys.modules\n"
    code += "try: oh.write_page\nexcept Exception as error: print(error)"
    python = without_torch / "python"
    said = run(python, "-P", "-c", code, folder=place).splitlines()
    assert said[0] == "Hello" and said[1].startswith("write_page needs PyTorch")


def test_the_research_package_brings_its_networks_and_styles(both, place):
    command = both / "online-handwriting"
    words = ("page", "letter.txt", "--no-proofread", "--verbose", "--output", "letter.svg")
    said = run(command, *words, folder=place)
    assert "in the hand of slanted" in said and "online_handwriting_research" in said
    assert "warning" not in said
    run(command, "write", "Hello", "--style", "flowing", "--output", "a.inkml", folder=place)
    assert "Hello" in run(command, "read", "a.inkml", folder=place)
    code = "import online_handwriting as oh; print(oh.load('conditional', 'cpu'))"
    assert "for non-commercial research" in run(both / "python", "-P", "-c", code, folder=place)


def test_the_help_comes_at_once(open_only, place):
    """Numpy is not imported for it: it takes 1.5 times as long as numpy's import, and would take
    2.2 times as long with it."""
    timed = "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); "
    timed += "print(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]))"
    timed_by = [sys.executable, "-c", timed]
    code = "import numpy"
    commands = [open_only / "online-handwriting", "--help"], [open_only / "python", "-c", code]
    said = [[run(*timed_by, *each, folder=place) for _ in range(5)] for each in commands]
    assert "usage: online-handwriting COMMAND" in said[0][0] and "  train " in said[0][0]
    seconds, of_numpy = (min(float(each.splitlines()[-1]) for each in rows) for rows in said)
    assert seconds < 1.85 * of_numpy
