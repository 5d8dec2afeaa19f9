"""The readers that learned a hand are found by the reader with which they began."""

from apps.notes.learned_reader import learned_file, learned_files


def test_a_learned_reader_is_that_of_one_version_of_one_reader(tmp_path):
    base = tmp_path / "reader.pth"
    base.write_bytes(b"one")
    first = learned_file(tmp_path, base)
    assert first == learned_file(tmp_path, base) and first.name.startswith("reader-")
    copy = tmp_path / "copy" / "reader.pth"
    copy.parent.mkdir()
    copy.write_bytes(b"one")
    assert learned_file(tmp_path, copy) == first
    base.write_bytes(b"two")
    assert learned_file(tmp_path, base) != first
    assert learned_files(tmp_path) == []
    first.parent.mkdir()
    first.touch()
    assert learned_files(tmp_path) == [first]
