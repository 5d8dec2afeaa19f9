"""Files are whole or not there, whatever fails on the way."""

import errno
import math
import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import pytest

from ink.formats.files import read_head
from ink.sample import Fault
from tests.rights import without_rights
from utils import files, strict_json
from utils.checks import UserError

ROOT = Path(__file__).parents[2]
FULL = OSError(errno.ENOSPC, "No space left on device")


def failing(error=FULL):
    return mock.Mock(side_effect=error)


@pytest.fixture
def path(tmp_path):
    """A file with the text "old"."""
    files.write_text(tmp_path / "file", "old")
    return tmp_path / "file"


def test_json_keeps_any_character_and_has_null_for_numbers_that_are_not_finite(tmp_path):
    name, path = os.fsdecode(b"o\xff"), tmp_path / "a.json"
    files.write_json(path, {"é": [1.5, math.inf, (math.nan, True)], "name": name}, indent=None)
    assert strict_json.read(path) == {"é": [1.5, None, [None, True]], "name": name}
    assert path.read_text(encoding="utf-8").startswith('{"é": [1.5')


@pytest.mark.timeout(20)  # Opening a pipe waits for its writer.
@pytest.mark.parametrize("name", ["pipe", "/dev/null"])
def test_only_regular_files_are_opened(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=f"no regular file: '{tmp_path / name}'"):
        files.open_file(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such files")
def test_a_file_of_the_system_which_has_no_size_is_empty(tmp_path):
    """Reading others, such as /proc/kmsg, might wait forever."""
    (tmp_path / "a").symlink_to("/proc/self/status")
    assert files.read_bytes(tmp_path / "a") == b"" and Path("/proc/self/status").read_bytes()
    with pytest.raises(Fault, match="an empty file"):
        read_head(tmp_path / "a")


def test_a_file_is_written_through_a_link(tmp_path, path):
    (tmp_path / "link").symlink_to(path)
    files.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and path.read_text() == "new"


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o400])
def test_a_file_is_written_beside_the_old_file_with_its_permissions(path, mode):
    path.chmod(mode)
    seen = []
    files.atomic_write(
        path, lambda file: seen.append((path.read_text(), file.name, os.stat(file.name).st_mode))
    )
    ((text, temporary, mode_before),) = seen
    assert text == "old"
    assert Path(temporary).parent == path.parent and Path(temporary).match(files.TEMPORARY)
    assert stat.S_IMODE(mode_before) == stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_usual_permissions(path):
    path.with_name("usual").touch()
    assert path.stat().st_mode == path.with_name("usual").stat().st_mode


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, name):
    files.check_writable(tmp_path)
    files.check_writable(tmp_path / name)
    files.write_text(tmp_path / name, "new")
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(OSError, match="too long"):
        files.check_writable(tmp_path / ("x" * 256))


@pytest.mark.parametrize("name", ["", "/file"])
def test_a_folder_that_cannot_be_written_is_refused_before_writing(name):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        with without_rights(), pytest.raises(PermissionError, match=f"denied: '{folder}{name}'"):
            files.check_writable(folder + name)


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="no /proc")
def test_a_folder_that_takes_no_files_is_refused_whatever_its_rights_say():
    with pytest.raises(OSError, match="'/proc/file'"):
        files.check_writable("/proc/file")


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()])
def test_a_write_that_fails_at_any_step_leaves_only_the_old_file(path, monkeypatch, step, error):
    write = failing(error) if step == "write" else lambda file: file.write(b"half")
    if step != "write":
        monkeypatch.setattr(files.os, step, failing(error))
    with pytest.raises(type(error)) as caught:
        files.atomic_write(path, write)
    if error is FULL:
        assert str(caught.value) == f"[Errno 28] No space left on device: {str(path)!r}"
    assert path.read_text() == "old" and os.listdir(path.parent) == ["file"]


def test_a_failing_sync_of_the_folder_is_an_error_after_the_new_file_is_whole(path, monkeypatch):
    monkeypatch.setattr(files, "sync_folder", failing())
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        files.write_text(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("has_links", [True, False])
def test_a_copy_replaces_the_old_file_and_is_a_link_if_there_are_links(
    path, monkeypatch, has_links
):
    source = path.with_name("source")
    files.write_text(source, "new")
    if not has_links:
        monkeypatch.setattr(files.os, "link", failing())
    for _ in range(2):  # the second time over the same file
        files.link_or_copy(source, path)
        assert path.read_text() == "new" and path.samefile(source) == has_links
        assert sorted(os.listdir(path.parent)) == ["file", "source"]


def test_a_copy_that_fails_leaves_the_old_file(path, monkeypatch):
    monkeypatch.setattr(files.os, "replace", failing())
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        files.link_or_copy(__file__, path)
    assert path.read_text() == "old"


def test_in_a_held_folder_all_temporary_files_are_removed(path):
    for name in (".checkpoint.pth.12-ab.tmp", ".hidden", "notes.tmp"):
        path.with_name(name).touch()
    files.remove_temporary(path.parent, is_held=True)
    assert sorted(os.listdir(path.parent)) == [".hidden", "file", "notes.tmp"]


KILLED = """
import os, sys
from utils import files
files.atomic_write(sys.argv[1], lambda file: file.flush() or os.kill(os.getpid(), 9))
"""
KILLED_WITH_FOLDER = """
import os, sys
from pathlib import Path
from utils import files
with files.temporary_folder(Path(sys.argv[1])) as folder:
    files.write_text(folder / "b", "b")
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("code", [KILLED, KILLED_WITH_FOLDER])
def test_the_next_process_that_writes_in_a_folder_removes_what_a_killed_one_left(tmp_path, code):
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], cwd=ROOT)
    (left,) = os.listdir(tmp_path)
    assert done.returncode == -9 and (tmp_path / left).match(files.TEMPORARY)
    _, number, machine, rest = re.split(r"\.(\d+)-(\w+)-", left)
    others = [  # of a process that lives, of another machine, of somebody else
        f".a.{os.getppid()}-{machine}-{rest}",
        f".a.{number}-{machine[::-1]}-{rest}",
        *(f".a.{number}-0123abcd.tmp", f"{left}.tmp", ".tmp", ".mine.tmp"),
    ]
    for other in others:
        (tmp_path / other).touch()
    files.write_text(tmp_path / "b", "new")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "b"])


def test_the_files_of_another_users_process_stay(tmp_path, monkeypatch):
    left = tmp_path / f".a.1-{files._machine()}-0123abcd.tmp"
    left.touch()
    monkeypatch.setattr(files.os, "kill", failing(PermissionError(1, "not permitted")))
    files.write_text(tmp_path / "b", "new")
    assert left.exists()


@pytest.mark.parametrize(
    ("variable", "folder"),
    [("/own", "/own"), ("own", "/home/.cache"), ("../own", "/home/.cache"), ("", "/home/.cache")],
)
def test_caches_are_in_an_absolute_xdg_cache_home_or_at_home(monkeypatch, variable, folder):
    monkeypatch.setenv("HOME", "/home")
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert files.user_cache() == Path(folder, "online-handwriting")


def test_no_cache_can_be_made_without_a_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", failing(RuntimeError))
    with pytest.raises(OSError, match="Not a directory"):
        files.user_cache().mkdir(parents=True)


def test_a_byte_order_mark_and_empty_lines_are_left_out_of_the_lines_of_a_text(path):
    path.write_bytes(b"\xef\xbb\xbfHello\r\n\r\nyou\r\n")
    assert files.read_lines(path) == ["Hello", "you"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("file/a", "Not a directory"), ("file/new/a", "Not a directory"), ("", "this is a folder")],
)
def test_an_output_that_cannot_be_written_is_refused_and_leaves_no_folder(path, name, message):
    files.prepare_output(path.parent / "new/folder/a", "--output", is_checked_only=True)
    with pytest.raises(UserError, match=f"--output {path.parent / name}: .*{message}"):
        files.prepare_output(path.parent / name, "--output", is_checked_only=True)
    assert os.listdir(path.parent) == ["file"]
