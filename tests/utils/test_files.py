"""Files are whole or not there, whatever fails on the way."""

import errno
import math
import os
import stat
import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from tests.rights import without_rights
from utils import files, strict_json
from utils.checks import UserError

FULL = OSError(errno.ENOSPC, "No space left on device")


def fail(*_):
    raise FULL


@pytest.fixture
def path(tmp_path):
    """A file with the text "old"."""
    files.write_text(tmp_path / "file", "old")
    return tmp_path / "file"


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_json_keeps_any_character_and_has_null_for_what_is_not_finite(tmp_path):
    name, path = os.fsdecode(b"o\xff"), tmp_path / "a.json"
    files.write_json(path, {"é": [1.5, math.inf, (math.nan, True)], "name": name}, indent=None)
    assert strict_json.read(path) == {"é": [1.5, None, [None, True]], "name": name}
    assert path.read_text(encoding="utf-8").startswith('{"é": [1.5')


@pytest.mark.timeout(20)  # What waits for a writer waits for ever.
def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(UserError, match=f"no regular file: '{path}'"):
            files.open_file(path)


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path, path):
    (tmp_path / "link").symlink_to(path)
    files.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and path.read_text() == "new"


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o400, None])
def test_the_permissions_of_an_old_file_are_kept_and_new_ones_are_usual(path, mode):
    old = os.umask(0o022)
    path.unlink() if mode is None else path.chmod(mode)

    def write(file):
        assert stat.S_IMODE(os.stat(file.name).st_mode) == (mode or 0o644)  # before it has content
        file.write(b"new")

    try:
        files.atomic_write(path, write)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == (mode or 0o644) and path.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_a_name_may_be_as_long_as_the_file_system_takes_it(tmp_path, name):
    files.check_writable(tmp_path / name)
    files.write_text(tmp_path / name, "new")
    assert names(tmp_path) == [name]
    with pytest.raises(OSError, match="too long"):
        files.check_writable(tmp_path / ("x" * 256))


def test_what_cannot_be_written_is_known_before(tmp_path):
    files.check_writable(tmp_path)
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        with without_rights():
            for path in (name, f"{name}/file"):
                with pytest.raises(PermissionError, match=f"Permission denied: '{path}'"):
                    files.check_writable(path)


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()])
def test_each_step_that_fails_leaves_the_old_file_whole(path, monkeypatch, step, error):
    def fails(*_):
        raise error

    def write(file):
        file.write(b"new, but only ha")
        file.flush()
        assert path.read_text() == "old"
        assert list(path.parent.glob(files.TEMPORARY))  # beside its place: on the same disk
        if step == "write":
            raise error

    if step != "write":
        monkeypatch.setattr(files.os, step, fails)
    with pytest.raises(type(error)) as caught:
        files.atomic_write(path, write)
    if error is FULL:
        assert str(caught.value) == f"[Errno 28] No space left on device: {str(path)!r}"
    assert path.read_text() == "old" and names(path.parent) == ["file"]


def test_a_failing_sync_of_the_folder_is_an_error_with_the_new_file_whole(path, monkeypatch):
    monkeypatch.setattr(files, "sync_folder", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write_text(path, "new")
    assert caught.value.filename == str(path) and path.read_text() == "new"


@pytest.mark.parametrize("linked", [True, False])
def test_a_copy_takes_the_place_of_what_was_there(path, monkeypatch, linked):
    source = path.with_name("source")
    files.write_text(source, "new")
    if not linked:
        monkeypatch.setattr(files.os, "link", fail)
    with monkeypatch.context() as broken, pytest.raises(OSError, match="No space") as caught:
        broken.setattr(files.os, "replace", fail)
        files.link_or_copy(source, path)
    assert caught.value.filename == str(path) and path.read_text() == "old"
    for _ in range(2):  # The second time they may be one file already.
        files.link_or_copy(source, path)
        assert path.read_text() == "new" and path.samefile(source) == linked
        assert names(path.parent) == ["file", "source"]


def test_remove_temporary_takes_only_what_was_left(path):
    for name in (".checkpoint.pth.12-ab.tmp", ".hidden", "notes.tmp"):
        path.with_name(name).touch()
    files.remove_temporary(path.parent)
    assert names(path.parent) == [".hidden", "file", "notes.tmp"]


def test_caches_lie_where_the_user_says_or_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (str(tmp_path / "own"), "own", "../own", ""):  # relative: where one stands
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        place = given if given.startswith("/") else tmp_path / ".cache"
        assert files.user_cache() == Path(place) / "online-handwriting"
    monkeypatch.setattr(Path, "home", mock.Mock(side_effect=RuntimeError))
    with pytest.raises(OSError, match="Not a directory"):
        files.user_cache().mkdir(parents=True)


def test_a_mark_of_utf_8_is_no_part_of_the_text(tmp_path):
    (tmp_path / "notepad.txt").write_bytes(b"\xef\xbb\xbfHello\r\n\r\nyou\r\n")
    assert files.read_lines(tmp_path / "notepad.txt") == ["Hello", "you"]


def test_what_cannot_be_written_is_seen_before_a_folder_is_made(tmp_path):
    (tmp_path / "file").write_text("mine")
    check = partial(files.prepare_output, option="--output", is_checked_only=True)
    check(tmp_path / "new" / "folder" / "a.svg")
    for path, message in (
        (tmp_path / "file" / "a.svg", "Not a directory"),
        (tmp_path / "file" / "new" / "a.svg", "Not a directory"),
        (tmp_path, "this is a folder"),
    ):
        with pytest.raises(UserError, match=message):
            check(path)
    assert names(tmp_path) == ["file"]
