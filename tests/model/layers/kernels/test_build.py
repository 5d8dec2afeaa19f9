"""Where the compiled kernels come from: compilers, the cache, and doing without."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from model.layers.kernels import build, library
from utils.files import user_cache

pytestmark = pytest.mark.skipif(
    library.kernels(False) is None, reason="there is no C compiler that compiles the kernels"
)

ROOT = Path(__file__).parents[4]
TINY = "int answer(void) { return ANSWER; }\n"


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A source, compiled into a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(build.SWITCH, raising=False)
    source = tmp_path / "tiny" / "tiny.c"
    source.parent.mkdir()
    source.write_text(TINY)
    return source


def answer(source, number):
    library = build.build(source.parent, (f"-DANSWER={number}",))
    return None if library is None else library.answer()


def count_kept():
    """Return how many compiled files there are, and see that beside them is the lock alone."""
    kept = {*(user_cache() / "kernels").iterdir()} - {user_cache() / "kernels" / "lock"}
    assert {path.suffix for path in kept} == {".so"}
    return len(kept)


def test_compiled_files_are_kept_and_rebuilt_for_other_sources_or_headers(tiny, monkeypatch):
    header, other = tiny.with_name("more.h"), tiny.with_name("other.c")
    header.write_text("int more(void);\n")
    other.write_text("int more(void) { return 3; }\n")
    tiny.write_text('#include "more.h"\nint answer(void) { return ANSWER + more(); }\n')
    assert answer(tiny, 1) == 4
    assert answer(tiny, 2) == 5
    assert count_kept() == 2
    with monkeypatch.context() as patch:
        patch.setattr(build, "_compile", lambda *arguments: pytest.fail("compiled again"))
        assert answer(tiny, 1) == 4
    other.write_text("int more(void) { return 10; }\n")
    assert answer(tiny, 1) == 11
    header.write_text("#define more() 7\n")
    other.write_text("")
    assert answer(tiny, 1) == 8


ANSWER = (
    "import sys; from pathlib import Path; from model.layers.kernels.build import build; "
    "print(build(Path(sys.argv[1]), ('-DANSWER=5',)).answer())"
)
"""A program of its own: what a process has loaded, it does not load again."""


def test_a_cache_that_cannot_be_written_is_done_without(tiny, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    caplog.set_level(logging.INFO)
    assert answer(tiny, 4) == 4
    assert "cannot be kept" in caplog.text


def test_processes_that_compile_at_once_do_not_meet(tiny):
    command = [sys.executable, "-c", ANSWER, str(tiny.parent)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    assert [one.communicate()[0].strip() for one in started] == [b"5"] * 2
    assert count_kept() == 1


def test_where_nothing_compiles_there_are_no_kernels_and_the_log_says_why(
    tiny, monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv(build.SWITCH, "0")
    assert answer(tiny, 6) is None
    assert f"turned off by {build.SWITCH}=0" in caplog.text
    monkeypatch.delenv(build.SWITCH)
    tiny.write_text("this is not C")
    assert answer(tiny, 6) is None
    assert "does not compile tiny" in caplog.text
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CC", "")
    caplog.clear()
    assert answer(tiny, 6) is None
    assert "no C compiler works" in caplog.text


def test_what_compiles_and_does_not_load_is_compiled_in_another_way(tiny, monkeypatch):
    """Such as a compiler that has OpenMP's pragmas and not its library."""
    tiny.write_text("int missing(void); int answer(void) { return FLAG ? missing() : ANSWER; }")
    monkeypatch.setattr(build, "OPTIONAL_FLAGS", (("-DFLAG=1",), ("-DFLAG=0",)))
    assert answer(tiny, 8) == 8
