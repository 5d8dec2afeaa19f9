"""Where the compiled kernels come from: compilers, the cache, and doing without."""

import errno
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from model.layers.kernels import build
from tests.model.builders import needs_compiler
from utils.files import user_cache

pytestmark = needs_compiler

ROOT = Path(__file__).parents[4]
posix = pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
PROGRAM = (
    "import sys; from pathlib import Path; from model.layers.kernels.build import build; "
    "print(build(Path(sys.argv[1]), ('-DANSWER=5',)).answer())"
)
"""Runs in a process of its own: what a process has loaded, it does not load again."""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A source in C, compiled into a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(build.KERNELS_SWITCH, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    build._warn.cache_clear()
    (tmp_path / "temporary").mkdir()
    (tmp_path / "tiny").mkdir()
    path = tmp_path / "tiny" / "tiny.c"
    path.write_text("int answer(void) { return ANSWER; }\n")
    return path


def answer(source, number):
    library = build.build(source.parent, (f"-DANSWER={number}",))
    return None if library is None else library.answer()


def suffixes_in_cache():
    """Return the endings of the compiled files; beside them is the lock alone."""
    folder = user_cache() / "kernels"
    return [path.suffix for path in folder.iterdir() if path != folder / "lock"]


def test_compiled_files_are_kept_by_their_options(source, monkeypatch):
    assert (answer(source, 1), answer(source, 2)) == (1, 2)
    assert suffixes_in_cache() == [".so", ".so"]
    monkeypatch.setattr(build, "_compile", lambda *_: pytest.fail("compiled again"))
    assert answer(source, 1) == 1


@pytest.mark.parametrize("name", ["tiny.c", "more.h"])
def test_kernels_are_compiled_again_when_a_source_or_header_changes(source, name):
    source.write_text('#include "more.h"\nint answer(void) { return ANSWER + MORE + 3; }\n')
    source.with_name("more.h").write_text("#define MORE 3\n")
    assert answer(source, 1) == 7
    changed = source.with_name(name)
    changed.write_text(changed.read_text().replace("3", "4"))
    assert answer(source, 1) == 8


FULL = OSError(errno.ENOSPC, "No space left on device")


def without_room(monkeypatch, *folders):
    """Let the disks of some folders be full."""

    def open_file(dir):
        if any(Path(dir).is_relative_to(folder) for folder in folders):
            raise FULL
        return temporary_file(dir=dir)

    temporary_file = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", open_file)


@pytest.mark.parametrize("problem", ["Not a directory", "No space left on device"])
def test_without_a_cache_kernels_are_compiled_once_in_another_place_with_a_warning(
    source, tmp_path, monkeypatch, caplog, problem
):
    folder = tmp_path / "cache"
    if problem == "Not a directory":
        folder.write_text("")
    without_room(monkeypatch, folder)
    run, commands = build._run, []
    monkeypatch.setattr(build, "_run", lambda command: commands.append(command) or run(command))
    assert [answer(source, number) for number in (4, 5, 5)] == [4, 5, 5]
    assert sum("-o" in command for command in commands) == 2
    (warning,) = caplog.messages
    assert f"cannot be kept in {folder}/online-handwriting/kernels ({problem}); until" in warning
    assert f"they are in {tmp_path}/temporary/online-handwriting-" in warning
    assert warning.endswith("in XDG_CACHE_HOME")


def test_without_room_anywhere_there_are_no_kernels_but_a_warning(
    source, tmp_path, monkeypatch, caplog
):
    without_room(monkeypatch, tmp_path)
    monkeypatch.setattr(build, "_run", lambda _: subprocess.CompletedProcess([], 0, ""))
    assert (answer(source, 4), answer(source, 5)) == (None, None)
    (warning,) = caplog.messages
    assert warning.count("No space left on device") == 2 and "which are slower" in warning


def test_what_a_killed_process_left_is_removed(source):
    answer(source, 1)
    left = user_cache() / "kernels" / ".kernels-0123.tmp"
    left.touch()
    assert answer(source, 1) == 1 and not left.exists()


def planted(source):
    """Plant a library that answers 9 in the place of one that answers 1; return its path."""
    answer(source, 9)
    folder = user_cache() / "kernels"
    (library,) = folder.glob("*.so")
    content, checksum = library.read_bytes(), library.stem.rpartition("-")[2]
    answer(source, 1)
    kept = next(path for path in folder.glob("*.so") if path != library)
    kept.unlink()
    kept = kept.with_name(f"{kept.stem.rpartition('-')[0]}-{checksum}.so")
    kept.write_bytes(content)
    kept.chmod(0o600)
    return kept


@posix
@pytest.mark.parametrize(
    ("place", "mode", "expected"),
    [
        (".", 0o700, 9),  # what is planted here would be loaded
        *((place, mode, 1) for place in ("..", ".", "*.so") for mode in (0o777, 0o722)),
        ("*.so", 0o660, 1),
    ],
)
def test_planted_code_is_not_loaded_where_other_users_can_write(source, place, mode, expected):
    kept = planted(source)
    exposed = kept if place == "*.so" else kept.parent / place
    exposed.resolve().chmod(mode)
    assert answer(source, 1) == expected


@posix
@pytest.mark.parametrize(
    ("mode", "group", "is_primary", "members", "expected"),
    [
        (0o770, "staff", True, [], 1),  # others have it as their primary group, too
        (0o770, "ann", True, ["ann", "bob"], 1),
        (0o770, "ann", False, [], 1),  # another group, to which the user's name was given
        (0o770, None, True, [], 1),  # a number without a name
        (0o1770, "staff", True, [], 9),  # as in /tmp, nobody renames what is another's
        (0o770, "ann", True, [], 9),
        (0o770, "ann", True, ["ann"], 9),
        (0o772, "ann", True, [], 1),
    ],
)
@pytest.mark.parametrize("place", ["..", "../.."])
def test_planted_code_is_not_loaded_below_a_folder_of_a_group(
    source, monkeypatch, mode, group, is_primary, members, place, expected
):
    import grp
    import pwd

    def group_of(number):
        if group is None:
            raise KeyError(number)
        return SimpleNamespace(gr_gid=number, gr_name=group, gr_mem=members)

    folder = (planted(source).parent / place).resolve()
    folder.chmod(mode)
    user = SimpleNamespace(pw_name="ann", pw_gid=folder.stat().st_gid + (not is_primary))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: user)
    monkeypatch.setattr(grp, "getgrgid", group_of)
    assert answer(source, 1) == expected


@pytest.mark.skipif(
    os.name != "posix" or os.getuid() != 0, reason="the superuser alone gives folders to any group"
)
def test_planted_code_is_not_loaded_below_a_folder_given_to_a_group(source):
    folder = planted(source).parents[2]
    folder.chmod(0o770)
    assert answer(source, 1) == 9  # of root's own group
    os.chown(folder, -1, 65533)
    assert answer(source, 1) == 1


def test_kernels_are_compiled_again_when_the_kept_file_is_damaged(source):
    answer(source, 1)
    (kept,) = (user_cache() / "kernels").glob("*.so")
    content = kept.read_bytes()
    kept.unlink()  # This process has loaded it.
    kept.write_bytes(content[:-1])
    assert answer(source, 1) == 1


def test_processes_that_compile_at_once_share_the_compiled_file(source):
    command = [sys.executable, "-c", PROGRAM, str(source.parent)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in processes] == [b"5"] * 2
    assert suffixes_in_cache() == [".so"]


@pytest.mark.parametrize(
    ("environment", "text", "message"),
    [
        ({build.KERNELS_SWITCH: "0"}, "", f"turned off by {build.KERNELS_SWITCH}=0"),
        ({}, "this is not C", "does not compile tiny"),
        ({"PATH": "", "CC": ""}, "", "no C compiler works"),
    ],
)
def test_log_says_why_there_are_no_kernels(source, monkeypatch, caplog, environment, text, message):
    caplog.set_level(logging.INFO)
    source.write_text(text or source.read_text())
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert answer(source, 6) is None
    assert message in caplog.text


def test_kernels_that_compile_and_do_not_load_are_compiled_with_other_flags(source, monkeypatch):
    """Such as where a compiler has OpenMP's pragmas and not its library."""
    source.write_text("int missing(void); int answer(void) { return FLAG ? missing() : ANSWER; }")
    monkeypatch.setattr(build, "OPTIONAL_FLAGS", (("-DFLAG=1",), ("-DFLAG=0",)))
    assert answer(source, 8) == 8
