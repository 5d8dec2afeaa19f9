"""Under sanitizers, whatever the engine is given has a status and no fault."""

import ctypes
import json
import time

import numpy as np
import pytest

from apps.web import flat_file
from ink.geometry import strokes
from ink.reading import read_ink
from model import load
from tests.commands.networks import save
from tests.engine.conftest import HERE, ROOT, SANITIZERS, needs_compiler, open_networks, run
from tests.engine.library import EngineError, Options, Work

pytestmark = [needs_compiler, pytest.mark.web]

KINDS = {
    "writer": ("SynthesisNetwork", dict(hidden_size=5, num_mixtures=2, end_of_sequence=True)),
    "hands": (
        "SynthesisNetwork",
        dict(hidden_size=5, num_mixtures=2, end_of_sequence=True, hand_size=3),
    ),
    "reader": ("CTCNetwork", dict(hidden_size=5, num_layers=2, channels=5, parts=3)),
}
POINTS = 1_000_000


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """The files of small networks, by name."""
    folder = tmp_path_factory.mktemp("networks")
    for name, (arch, options) in KINDS.items():
        network = load(save(folder / "a.pth", arch, **options), "cpu")
        flat_file.save(folder / f"{name}.bin", network)
    return {name: folder / f"{name}.bin" for name in KINDS}


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """A function that compiles a program with the engine, both with sanitizers."""
    folder = tmp_path_factory.mktemp("programs")
    command = ["cc", "-std=c17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", *SANITIZERS]
    command += ["-Wno-unknown-pragmas", "-Wno-unused-parameter", f"-I{ROOT / 'engine'}"]
    run(*command, "-c", *ROOT.glob("engine/*.c"), cwd=folder)

    def compiled(program):
        run(*command, program, *folder.glob("*.o"), "-lm", "-o", folder / program.stem)
        return folder / program.stem

    return compiled


@pytest.mark.slow
def test_damaged_files_and_hostile_ink_have_a_status_and_no_fault(sanitized, networks):
    """Some thousand files were tried once: `hostile 2500 77 FILE...`."""
    program = sanitized(HERE / "hostile.c")
    counts = [int(count) for count in run(program, 80, 1, *networks.values()).split()]
    ok, _, no_memory, bad_file, bad_ink, *_ = counts
    assert min(ok, no_memory, bad_file, bad_ink) > 0 and sum(counts) > 240


@pytest.mark.slow
def test_the_example_in_c_reads_what_it_writes(sanitized, tmp_path):
    program = sanitized(ROOT / "engine/examples/handwriting.c")
    assert len((ROOT / "engine/examples/handwriting.c").read_text().splitlines()) <= 75
    writer, reader = open_networks()
    (tmp_path / "strokes.json").write_text(run(program, writer, "Dear Anna"))
    drawn = json.loads((tmp_path / "strokes.json").read_text())
    assert len(drawn) > 4 and np.shape(drawn[0])[1] == 2
    with open(tmp_path / "strokes.json") as strokes:
        assert run(program, reader, stdin=strokes) == "Dear Anna\n"


def test_a_million_points_are_read_in_seconds_and_more_are_refused(work, networks):
    reader = work.open(networks["reader"].read_bytes())
    scribble = np.cumsum(np.random.default_rng(3).normal(size=(POINTS, 2)), 0)
    start = time.process_time()
    assert work.read_page(reader, [scribble])
    assert time.process_time() - start < 20  # measured: 2; a square of it would take hours
    for count, message in ((POINTS + 1, "1000000 points"), (20_001, "20000 strokes")):
        dots = np.zeros((count, 1, 2)) if count < POINTS else [np.zeros((count, 2))]
        with pytest.raises(EngineError, match=f"The ink has more than {message}") as refused:
            work.read_row(reader, dots)
        assert refused.value.status == "too_large"


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_position_that_is_no_number_is_named(work, networks, value):
    reader = work.open(networks["reader"].read_bytes())
    for ink, message in (([[[0, 0], [1, value]]], "Point 1 of the ink"), ([], "has no points")):
        with pytest.raises(EngineError, match=message) as refused:
            work.read_page(reader, ink)
        assert refused.value.status == "bad_ink"


def test_a_callback_stops_reading_and_writing(library, networks):
    fractions = []

    def progress(_, fraction):
        fractions.append(fraction)
        return len(fractions) > 3

    work = Work(library, progress=Options.Progress(progress))
    reader = work.open(networks["reader"].read_bytes())
    ink = [part for line in read_ink(ROOT / "docs/sample-lines") for part in strokes(line.ink)]
    with pytest.raises(EngineError) as stopped:
        work.read_page(reader, ink)
    assert stopped.value.status == "stopped" and fractions == sorted(fractions)
    work.close()
    work = Work(library)
    writer = work.open(networks["writer"].read_bytes())
    with pytest.raises(EngineError, match="The work was stopped"):
        work.write(writer, "A line", drawn=lambda ink: len(ink["strokes"]) > 0)
    work.close()


def test_a_network_of_another_role_a_text_and_a_style_are_refused_in_sentences(work, networks):
    reader, writer = (work.open(networks[name].read_bytes()) for name in ("reader", "writer"))
    with pytest.raises(EngineError, match="is a writer; a reader is needed"):
        work.read_row(writer, [[[0, 0], [1, 1]]])
    with pytest.raises(EngineError, match="is a reader; a writer is needed"):
        work.write(reader, "a")
    for text, message in ((" ", "is blank"), ("漢 a\x01", "cannot write 漢, U\\+0001")):
        with pytest.raises(EngineError, match=message):
            work.write(writer, text)
    with pytest.raises(EngineError, match="There is no style “__proto__”; there are none"):
        work.write(writer, "a", name="__proto__")
    with pytest.raises(EngineError, match="The bias is no number"):
        work.write(writer, "a", bias=float("nan"))


def test_memory_of_the_caller_is_all_given_back(library, networks):
    libc, held = ctypes.CDLL(None), set()
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]

    def allocate(_, size):
        held.add(memory := libc.malloc(size))
        return memory

    def release(_, memory):
        held.remove(memory)
        libc.free(memory)

    work = Work(library, allocate=Options.Allocate(allocate), release=Options.Release(release))
    for name in networks:
        network = work.open(networks[name].read_bytes())
        if name == "reader":
            work.read_page(network, [[[0, 0], [1, 5], [2, 0]]])
        else:
            work.write(network, "ab")
        assert held
        work.c.hw_close(network)
    work.close()
    assert not held
