"""The bindings that are shown read what the library reads, where their compilers are."""

import shutil
import subprocess

import pytest

from ink.geometry import strokes
from ink.reading import read_ink
from tests.engine.conftest import ROOT, needs_compiler, open_networks, run

EXAMPLES = ROOT / "engine" / "examples"
pytestmark = [pytest.mark.web, pytest.mark.slow, needs_compiler]


@pytest.fixture(scope="module", params=["c++", "rustc", "dart"])
def command(request, build, tmp_path_factory):
    """The command line of a compiled example, before the network."""
    if shutil.which(request.param) is None:
        pytest.skip(f"needs {request.param}")
    target = tmp_path_factory.mktemp("examples") / "handwriting"
    if request.param == "c++":
        options = ("-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'engine'}")
        library = build / "libhandwriting.a"
        run("c++", *options, EXAMPLES / "handwriting.cpp", library, "-o", target)
        return [target]
    if request.param == "rustc":
        options = ("-L", f"native={build}", "-l", "static=handwriting", "-l", "m")
        run("rustc", "-o", target, EXAMPLES / "handwriting.rs", *options)
        return [target]
    project = target.with_name("dart")
    (project / "bin").mkdir(parents=True)
    shutil.copy(EXAMPLES / "handwriting.dart", project / "bin")
    pubspec = "name: handwriting\nenvironment: {sdk: ^3.0.0}\ndependencies: {ffi: any}\n"
    (project / "pubspec.yaml").write_text(pubspec)
    run("dart", "pub", "get", cwd=project)
    return ["dart", "run", project / "bin" / "handwriting.dart", build / "libhandwriting.so"]


def test_an_example_reads_a_row_and_says_what_is_wrong(command):
    reader = open_networks()[1]
    (sample,) = read_ink(ROOT / "saved" / "styles" / "open_wide.json")
    lines = [
        f"{x:.3f} {y:.3f} {int(number == len(stroke) - 1)}\n"
        for stroke in strokes(sample.ink)
        for number, (x, y) in enumerate(stroke.tolist())
    ]
    words = [str(word) for word in (*command, reader)]
    assert run(*words, input="".join(lines)) == f"{sample.text}\n"
    done = subprocess.run(words, input="", capture_output=True, text=True)
    assert done.returncode == 1 and "The ink has no points." in done.stdout + done.stderr
