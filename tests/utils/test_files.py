"""Files are whole or not there, whatever fails on the way."""

import errno
import json
import math
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rights import closed_folder, without_rights
from utils import files, strict_json
from utils.checks import UserError
from utils.files import (
    atomic_write,
    check_writable,
    open_file,
    remove_temporary,
    user_cache,
    write_json,
    write_text,
)


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a file.txt"
    write_text(path, "first é")
    write_text(path, "second")
    assert path.read_text(encoding="utf-8") == "second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a file.txt"]


def test_json_round_trip_keeps_any_character(tmp_path):
    value = {"text": "naïve – ✓", "numbers": [1, 2.5, None, True]}
    write_json(tmp_path / "value.json", value)
    content = (tmp_path / "value.json").read_text(encoding="utf-8")
    assert json.loads(content) == value
    assert content.endswith("\n") and "✓" in content


def test_json_has_null_for_what_is_not_finite(tmp_path):
    values = {"a": [1.5, math.inf, (math.nan, 2)], "b": {"c": -math.inf}}
    write_json(tmp_path / "value.json", values, indent=None)
    found = strict_json.loads((tmp_path / "value.json").read_text())
    assert found == {"a": [1.5, None, [None, 2]], "b": {"c": None}}


def test_names_that_are_no_text_are_kept_in_json(tmp_path):
    name = os.fsdecode(b"o\xff")
    write_json(tmp_path / "a.json", {"checkpoint": name})
    assert json.loads((tmp_path / "a.json").read_bytes().decode()) == {"checkpoint": name}


@pytest.mark.timeout(20)  # What waits for a writer waits for ever.
def test_only_regular_files_are_opened(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link"):
        with open_file(tmp_path / name) as file:
            assert file.read() == b"content"
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="no regular file") as caught:
            open_file(path)
        assert caught.value.filename == str(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="no regular file"):
            open_file(tmp_path / "socket")
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "nothing")


def test_mode_follows_the_umask(tmp_path):
    old = os.umask(0o022)
    try:
        write_text(tmp_path / "file", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def special(path, kind):
    """Make what is no regular file."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only the superuser makes devices")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path, kind):
    path, link = tmp_path / "file", tmp_path / "link"
    special(path, kind)
    link.symlink_to(path)
    before = os.lstat(path)
    for name in (path, link):
        for refuse in (check_writable, lambda name: write_text(name, "x")):
            with pytest.raises(UserError, match=f"no regular file: '{name}'"):
                refuse(name)
    assert os.lstat(path) == before and len(os.listdir(tmp_path)) == 2


def test_symbolic_links_are_followed(tmp_path):
    folder, path, link = tmp_path / "folder", tmp_path / "folder" / "file", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(Path("folder", "file"))
    for text in ("new", "newer"):  # at first there is nothing at its end
        check_writable(link)
        write_text(link, text)
        assert link.is_symlink() and path.read_text() == text
    assert os.listdir(folder) == ["file"] and len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400])
def test_the_permissions_of_an_old_file_are_kept(tmp_path, mode):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)

    def write(file):
        assert stat.S_IMODE(os.stat(file.name).st_mode) == mode  # before anything is in it
        file.write(b"new")

    atomic_write(path, write)
    assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_a_name_may_be_as_long_as_the_file_system_takes_it(tmp_path, name):
    path = tmp_path / name
    check_writable(path)
    write_text(path, "new")
    assert os.listdir(tmp_path) == [name]


def test_what_cannot_be_written_is_known_before(tmp_path):
    check_writable(tmp_path)
    with pytest.raises(OSError, match="too long"):
        check_writable(tmp_path / ("x" * 256))
    assert not any(tmp_path.iterdir())
    with closed_folder() as folder, without_rights():
        for path in (folder, folder / "file"):
            with pytest.raises(PermissionError, match=f"Permission denied: '{path}'"):
                check_writable(path)


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_each_step_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_text(path, "old")
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_):
        raise full

    if step == "fsync":
        monkeypatch.setattr(files.os, "fsync", fail)
    if step == "rename":
        monkeypatch.setattr(files.os, "replace", fail)

    def write(file):
        file.write(b"new, but only ha")
        if step == "write":
            raise full

    with pytest.raises(OSError, match="No space left") as caught:
        atomic_write(path, write)
    assert str(caught.value) == f"[Errno 28] No space left on device: {str(path)!r}"
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_interrupt_in_the_middle_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def write(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(path, write)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_nothing_stands_at_the_place_before_the_content_is_whole(tmp_path):
    path = tmp_path / "file"

    def write(file):
        file.write(b"half")
        file.flush()
        assert not path.exists()
        (left,) = tmp_path.glob(files.TEMPORARY)
        assert left.parent == path.parent  # beside its place: the move stays on one disk

    atomic_write(path, write)
    assert path.read_bytes() == b"half"


def test_a_link_takes_the_place_of_what_was_there(tmp_path):
    source, path = tmp_path / "source", tmp_path / "file"
    write_text(source, "new")
    write_text(path, "old")
    for _ in range(2):  # The second time they are one file already.
        files.link_or_copy(source, path)
        assert path.read_text() == "new" and path.samefile(source)
        assert len(list(tmp_path.iterdir())) == 2
    write_text(path, "other")
    assert source.read_text() == "new"


@pytest.mark.parametrize("linked", [True, False])
def test_a_link_that_cannot_be_moved_into_place_leaves_the_old_file(tmp_path, monkeypatch, linked):
    source, path = tmp_path / "source", tmp_path / "file"
    write_text(source, "new")
    write_text(path, "old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace" if linked else "fsync", fail)
    if not linked:
        monkeypatch.setattr(files.os, "link", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        files.link_or_copy(source, path)
    assert caught.value.filename == str(path) and path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failing_sync_of_the_folder_is_an_error_with_the_new_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_text(path, "old")
    sync, calls = os.fsync, []

    def fail_second(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(files.os, "fsync", fail_second)
    with pytest.raises(OSError, match="Input/output") as caught:
        write_text(path, "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "new" and len(calls) == 2


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "nowhere" / "file", "x")


def test_remove_temporary_takes_only_what_was_left(tmp_path):
    for name in (".checkpoint.pth.12-ab.tmp", "checkpoint.pth", ".hidden", "notes.tmp"):
        (tmp_path / name).write_text("x")
    remove_temporary(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        ".hidden",
        "checkpoint.pth",
        "notes.tmp",
    ]


def test_caches_lie_where_the_user_says_or_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert user_cache() == tmp_path / ".cache" / "online-handwriting"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert user_cache() == tmp_path / "own" / "online-handwriting"
    for relative in ("own", "../own", ""):  # depends on where one stands
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert user_cache() == tmp_path / ".cache" / "online-handwriting"


def test_without_a_home_caches_lie_in_one_temporary_folder(homeless):
    folder = user_cache()
    assert folder == user_cache() and folder.parent == homeless
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


HOMELESS = """
import pwd
def unknown(user):
    raise KeyError(user)
pwd.getpwuid = unknown
from utils.files import user_cache
print(user_cache().is_dir())
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows knows every user's home")
def test_which_is_removed_at_the_end(tmp_path):
    environment = {"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", HOMELESS],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True\n" and not any(tmp_path.iterdir()), done.stderr
