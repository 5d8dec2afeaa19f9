"""Lines in batches of similar length."""

from utils import batches


def test_every_line_is_in_one_batch_with_those_of_its_length(monkeypatch):
    monkeypatch.setattr(batches, "BATCH_SIZE", 2)
    assert list(batches.by_length([5, 1, 4, 1, 3], "sorting")) == [[1, 3], [4, 2], [0]]
    assert list(batches.by_length([], "sorting")) == []
