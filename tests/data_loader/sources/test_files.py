import pytest

from data_loader.sources.files import files_below, read_file
from data_loader.sources.parsing import Fault
from utils.checks import DataError


def test_files_are_found_in_order_without_hidden_ones_and_caches(tmp_path):
    for name in ("b.txt", "s/a.txt", "s/.a.txt", "cache/c.txt", ".h/d.txt", "e.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    found = [file.relative_to(tmp_path).as_posix() for file in files_below(tmp_path, "*.txt", 9)]
    assert found == ["b.txt", "s/a.txt"]
    with pytest.raises(DataError, match=r"more than 1 files \(the limit max_members\)"):
        files_below(tmp_path, "*", 1)


def test_read_file_stops_at_the_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_file(tmp_path / "a", 5) == b"12345"
    with pytest.raises(Fault) as caught:
        read_file(tmp_path / "a", 4)
    assert str(caught.value.of("a")) == "a: more than 4 bytes (the limit max_bytes) (5)"
    with pytest.raises(Fault, match="cannot be read"):
        read_file(tmp_path, 5)
