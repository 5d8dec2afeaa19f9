"""A parser in a child process can neither take, nor break, nor leave more than it may."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ink import guard
from ink.formats.archives import NoBar
from ink.guard import Bar, Limits, call, children, each, iterate, service
from ink.sample import Fault
from tests.ink import guarded
from utils.checks import ConfigFault, DataError, UserError

ROOT = Path(__file__).parents[2]
SMALL = Limits(seconds=1, max_bytes=500_000_000)
SHORT = Limits(wall_seconds=1)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("guarded_calls")]


@pytest.fixture
def guarded_calls(real_children, monkeypatch):
    """Functions of the tests may be called, too."""
    monkeypatch.setattr(guard, "ROOMS", (*guard.ROOMS, "tests.ink.guarded"))


def is_alive(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def ends(pid, seconds=60):
    """Return whether a process, of which others take care, ends soon."""
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(pid)


def test_calls_share_a_process_that_is_not_this_one():
    assert call(guarded.pid) == call(guarded.pid) != os.getpid()
    assert [*iterate(guarded.numbers, 3)] == [0, 1, 2]
    assert {*each(guarded.pid, range(3))} == {call(guarded.pid)}


def test_results_are_those_of_a_plain_call_and_can_be_changed():
    ours, theirs = guarded.samples(300), call(guarded.samples, 300)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.ink, other.ink)
        assert mine.text == other.text and other.ink.dtype == np.float32
    theirs[5].ink[0, :2] = 0
    assert ours[4].ink.tolist() == theirs[4].ink.tolist()


@pytest.mark.parametrize("function", [os.getpid, print, subprocess.run, lambda: 0])
def test_functions_of_other_packages_are_refused(function):
    for use in (call, lambda f: [*iterate(f)], lambda f: [*each(f, [1])]):
        with pytest.raises(TypeError, match=r"is not in ink\.formats"):
            use(function)


def test_paths_are_relative_to_the_present_folder_of_the_caller(tmp_path, monkeypatch):
    call(guarded.folder)
    monkeypatch.chdir(tmp_path)
    assert Path(call(guarded.folder)) == tmp_path


def test_what_a_parser_prints_is_lost():
    assert call(guarded.speak) == "spoken"


ENDS = {
    "takes more than 1 s of processor time to parse": (guarded.work, 9),
    "takes more than 0.5 GB of memory to parse": (guarded.take, 10**10),
    "nested too deeply": (guarded.nest,),
    "ends the process that parses it (SIGKILL)": (guarded.die,),
    "crashes its parser (SIGSEGV)": (guarded.die, signal.SIGSEGV),
    "it cannot be parsed (ValueError: x)": (guarded.fail, ValueError("x\ny")),
    "too large when it is parsed; divide it (60 MB)": (guarded.texts, 1000, 60_000),
}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize("message", ENDS)
def test_what_exceeds_a_limit_or_fails_is_a_fault_of_one_line(message, capfd):
    function, *arguments = ENDS[message]
    with pytest.raises(Fault) as caught:
        call(function, *arguments, limits=SMALL)
    assert str(caught.value) == message
    assert capfd.readouterr() == ("", "")
    assert call(guarded.behave, "well", limits=SMALL) == "well"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "stand_still", [partial(guarded.sleep, 60), guarded.stop, guarded.stop_in_the_middle]
)
def test_a_parser_that_stands_still_is_ended_by_the_clock(stand_still):
    with pytest.raises(Fault, match=r"^takes more than 1 s by the clock to parse$"):
        call(stand_still, limits=SHORT)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_a_parser_that_works_is_not_ended_by_the_clock():
    assert call(guarded.work, 1.6, limits=SHORT) == 1.6


@pytest.mark.parametrize(
    "error",
    [
        Fault("reason", "detail", "name"),
        Fault("its text says: out of memory"),
        DataError("broken"),
        ConfigFault("encoding", "x", "another one"),
        FileNotFoundError(2, "No such file", "a.inkml"),
    ],
    ids=str,
)
def test_errors_for_users_arrive_as_they_are(error):
    with pytest.raises(type(error)) as caught:
        call(guarded.fail, error)
    assert str(caught.value) == str(error)


def test_items_go_on_with_a_new_process_after_one_that_ended():
    words = ["well", "die", "a", "nest", "fault", "take", "fail", "b", "die"]
    values = [*map(str, each(guarded.behave, words, limits=Limits(max_bytes=500_000_000)))]
    assert values == [
        "well",
        "ends the process that parses it (SIGKILL)",
        "a",
        "nested too deeply",
        "wrong (fault)",
        "takes more than 0.5 GB of memory to parse",
        "it cannot be parsed (ValueError: x)",
        "b",
        "ends the process that parses it (SIGKILL)",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_items_have_processor_time_anew_and_what_a_request_yields_a_little_more():
    assert [*each(guarded.work, [0.4] * 6, limits=SMALL)] == [0.4] * 6
    yielded = []
    with pytest.raises(Fault, match=r"^takes more than 1 s of processor time to parse$"):
        yielded += iterate(guarded.working, *[0.5] * 20, limits=SMALL)
    assert [*iterate(guarded.working, *[0.09] * 24, limits=SMALL)] == [0.09] * 24


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_an_archive_has_time_for_its_size_and_shows_its_progress():
    class Shown(NoBar):
        def __init__(self, items, description, **options):
            shown.append((description, options))

        def update(self, count):
            shown.append(count)

    shown = []
    call(guarded.loop, 7, 0.3, Bar, limits=SMALL, bar=Shown)
    assert shown[0] == ("looping", {"total": 7_000_000, "unit": "B"})
    assert all(count % 1_000_000 == 0 for count in shown[1:]) and shown[1:]


def test_an_iteration_that_is_left_ends_its_process():
    pages = iterate(guarded.numbers, 10**9)
    assert next(pages) == 0
    other = call(guarded.pid)  # by another process, as the first is busy
    assert len(children._children) == 2
    pages.close()
    assert len(children._children) == 1 and call(guarded.pid) == other


def test_threads_have_a_process_each():
    def use(number):
        return [call(guarded.behave, f"{number} {n}") for n in range(50)]

    with ThreadPoolExecutor(4) as pool:
        for number, values in enumerate(pool.map(use, range(4))):
            assert values == [f"{number} {n}" for n in range(50)]
    assert len(children._children) <= 4 and len(children._idle) == len(children._children)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked")
def test_a_forked_process_has_its_own_and_leaves_that_of_the_first():
    pages = iterate(guarded.numbers, 10**9)
    next(pages)
    ours = call(guarded.pid)
    reading, writing = os.pipe()
    if not (forked := os.fork()):
        with suppress(BaseException):
            pages.close()
            os.write(writing, f"{call(guarded.pid)} {len(children._children)}".encode())
            children.end_all()
        os._exit(0)
    os.waitpid(forked, 0)
    theirs, count = os.read(reading, 100).split()
    os.close(reading), os.close(writing)
    assert int(theirs) != ours and int(count) == 1 and ends(int(theirs))
    assert next(pages) == 1 and call(guarded.pid) == ours


def test_a_system_that_does_not_tell_of_memory_is_no_fault(monkeypatch):
    """A status without VmHWM."""
    monkeypatch.setattr(Path, "read_text", lambda path: "Name:\tpython\n")
    assert service._most_memory() == 0


SCRIPT = """
import sys
from pathlib import Path
from ink import guard
from ink.guard import children, service
from tests.ink import guarded
guard.ROOMS = ("tests.ink.guarded",)
guard.call(getattr(guarded, sys.argv[1]), *map(Path, sys.argv[2:]))
print("done")
"""


def started(*words, **options):
    words = [sys.executable, "-c", SCRIPT, *map(str, words)]
    return subprocess.Popen(words, cwd=ROOT, stdout=-1, stderr=-1, text=True, **options)


def test_no_process_is_left_after_the_caller():
    done = started("pid").communicate(timeout=60)
    assert done == ("done\n", "")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_caller_that_is_ended_leaves_no_process_even_while_it_parses(tmp_path, number):
    caller = started("note_and_work", tmp_path / "pid", start_new_session=True)
    while not (tmp_path / "pid").exists():
        assert caller.poll() is None
        time.sleep(0.02)
    child = int((tmp_path / "pid").read_text())
    os.killpg(caller.pid, number)  # as Ctrl-C in a terminal does
    output, errors = caller.communicate(timeout=60)
    assert output == "" and ends(child)
    assert errors.count("Traceback") == (number == signal.SIGINT)  # the caller's alone


def test_where_no_process_can_be_started_the_error_says_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UserError, match=r"no process can be started .*No such file"):
        call(guarded.pid)
