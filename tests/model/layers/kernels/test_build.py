"""Where the compiled kernels come from: compilers, the cache, and doing without."""

import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.layers.kernels import build, library

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


@pytest.fixture
def cache(tmp_path):
    """The folder of compiled files, which is not there yet."""
    return tmp_path / "cache/online-handwriting/kernels"


def kept_in(cache):
    """Return the compiled files, and see that nothing but they and the lock is there."""
    kept = sorted(cache.glob("*.so"))
    assert {*cache.iterdir()} - {cache / "lock"} == {*kept}
    return kept


def test_compiled_files_are_kept_and_rebuilt_for_another_source(tiny, monkeypatch, tmp_path, cache):
    assert answer(tiny, 1) == 1
    assert answer(tiny, 2) == 2
    assert len(kept_in(cache)) == 2
    monkeypatch.setattr(build, "_compile", lambda *arguments: pytest.fail("compiled again"))
    assert answer(tiny, 1) == 1
    tiny.write_text(TINY.replace("return", "return 10 +"))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert answer(tiny, 1) == 11


def test_what_a_header_says_counts_and_all_sources_make_one_library(tiny):
    header = tiny.with_name("more.h")
    header.write_text("int more(void);\n")
    tiny.with_name("other.c").write_text("int more(void) { return 3; }\n")
    tiny.write_text('#include "more.h"\nint answer(void) { return ANSWER + more(); }\n')
    assert answer(tiny, 1) == 4
    header.write_text("#define more() 7\n")
    tiny.with_name("other.c").write_text("")
    assert answer(tiny, 1) == 8
    header.write_text("#define more() 9\n")
    assert answer(tiny, 1) == 10


ANSWER = (
    "import sys; from pathlib import Path; from model.layers.kernels.build import build; "
    "print(build(Path(sys.argv[1]), ('-DANSWER=5',)).answer())"
)
"""A program of its own: what a process has loaded, it does not load again."""


def start_answer(source):
    command = [sys.executable, "-c", ANSWER, str(source.parent)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("size", [0, 100, 4096, -4096, -1])
def test_a_truncated_file_is_made_again(tiny, cache, size):
    """The system's loader does not notice: reading what is missing is a SIGBUS."""
    assert start_answer(tiny).communicate()[0].strip() == "5"
    (kept,) = kept_in(cache)
    content = kept.read_bytes()
    kept.write_bytes(content[:size])
    assert start_answer(tiny).communicate()[0].strip() == "5"
    assert kept_in(cache) == [kept] and kept.read_bytes() == content


def plant(tiny, cache, tmp_path):
    """Put other code where that of `tiny` with an ANSWER of 5 is kept, with its own checksum."""
    assert start_answer(tiny).communicate()[0].strip() == "5"
    (kept,) = kept_in(cache)
    other = tmp_path / "other.c"
    other.write_text("int answer(void) { return 666; }")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", kept, other], check=True)
    checksum = hashlib.sha256(kept.read_bytes()).hexdigest()[:24]
    planted = kept.with_name(f"{kept.stem.rpartition('-')[0]}-{checksum}.so")
    kept.rename(planted).chmod(0o600)
    return planted


def test_what_the_user_alone_can_write_is_run(tiny, cache, tmp_path):
    """The plant of the following tests is as good as one that is not noticed."""
    plant(tiny, cache, tmp_path)
    assert start_answer(tiny).communicate()[0].strip() == "666"


def open_to_all(path):
    path.chmod(0o777)


def open_to_the_group(path):
    path.chmod(0o770)


def give_away(path):
    if os.name == "nt" or os.getuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize("exposed", [open_to_all, open_to_the_group, give_away])
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_others_could_write_is_not_run(tiny, cache, tmp_path, exposed, what):
    planted = plant(tiny, cache, tmp_path)
    exposed(cache if what == "folder" else planted)
    assert answer(tiny, 5) == 5
    assert planted.exists() == (what == "folder")  # nothing in it is touched
    assert len(kept_in(cache)) == 1


def test_a_folder_in_one_of_somebody_else_is_not_used(tiny, cache, tmp_path):
    plant(tiny, cache, tmp_path)
    give_away(cache.parent)
    assert answer(tiny, 5) == 5


def test_a_folder_that_others_could_exchange_is_not_used(tiny, cache, tmp_path):
    plant(tiny, cache, tmp_path)
    cache.parents[1].chmod(0o777)
    assert answer(tiny, 5) == 5
    plant_again = len(kept_in(cache))
    cache.parents[1].chmod(0o1777)  # sticky: they can add to it, and not rename in it
    assert start_answer(tiny).communicate()[0].strip() == "666" and plant_again == 1


def test_what_a_killed_compiler_left_is_removed(tiny, cache):
    assert answer(tiny, 1) == 1
    (cache / ".tiny-0123.tmp").write_bytes(b"half")
    assert answer(tiny, 2) == 2
    assert len(kept_in(cache)) == 2


def test_a_cache_that_cannot_be_written_is_done_without(tiny, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.INFO):
        assert answer(tiny, 4) == 4
    assert "cannot be kept" in caplog.text


def test_processes_that_compile_at_once_do_not_meet(tiny, cache):
    started = [start_answer(tiny) for _ in range(2)]
    assert [one.communicate()[0].strip() for one in started] == ["5"] * 2
    assert len(kept_in(cache)) == 1


def test_without_a_compiler_there_are_no_kernels_and_the_log_says_so(tiny, monkeypatch, caplog):
    with caplog.at_level(logging.INFO):
        monkeypatch.setenv(build.SWITCH, "0")
        assert answer(tiny, 6) is None
        assert f"turned off by {build.SWITCH}=0" in caplog.text
        monkeypatch.delenv(build.SWITCH)
        monkeypatch.setenv("PATH", "")
        monkeypatch.setenv("CC", "")
        assert answer(tiny, 6) is None
        assert "no C compiler found" in caplog.text


def test_further_options_make_another_file_in_the_cache(tiny, monkeypatch, cache):
    tiny.write_text("int answer(void) { return ANSWER + MORE; }")
    for more in (1, 2):
        monkeypatch.setenv(build.MORE_FLAGS, f"-DNAME=1 -DMORE={more}")
        assert answer(tiny, 20) == 20 + more
    assert len(kept_in(cache)) == 2


def test_without_a_home_what_is_compiled_lies_in_a_temporary_folder(tiny, homeless):
    assert answer(tiny, 5) == 5
    (folder,) = homeless.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700 and len(os.listdir(folder)) == 1


def test_what_compiles_and_does_not_load_is_compiled_in_another_way(tiny, monkeypatch):
    """Such as a compiler that has OpenMP's pragmas and not its library."""
    tiny.write_text("int missing(void); int answer(void) { return FLAG ? missing() : ANSWER; }")
    monkeypatch.setattr(build, "OPTIONAL_FLAGS", (("-DFLAG=1",), ("-DFLAG=0",)))
    assert answer(tiny, 8) == 8


def test_a_source_that_does_not_compile_is_logged(tiny, caplog):
    tiny.write_text("this is not C")
    with caplog.at_level(logging.INFO):
        assert answer(tiny, 7) is None
    assert "does not compile tiny" in caplog.text
