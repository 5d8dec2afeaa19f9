"""What all datasets of files share, with InkML as the example."""

import numpy as np
import pytest

from base.base_dataset import SPLITS
from data_loader import InkMLDataset
from data_loader.sources.source import SourceDataset
from ink.sample import Parsed, Sample
from tests.data_loader import ink_formats
from tests.loaded import in_order
from utils.checks import ConfigFault, DataError


@pytest.fixture
def root(tmp_path):
    """A folder with twelve files; their names have blanks."""
    folder = tmp_path / "ink"
    folder.mkdir()
    for number in range(12):
        (folder / f"line {number}.inkml").write_bytes(ink_formats.inkml())
    return folder


def prepared(root, **options):
    return InkMLDataset(root=str(root), **options).load()


def names(dataset, *splits):
    parts = [dataset.split(split) for split in splits or dataset.samples]
    return {sample.name for part in parts for sample in part}


def cache_of(dataset):
    return dataset.report.rpartition("cache: ")[2]


@pytest.mark.parametrize("fractions", [{"train": 0.9, "val": 0.1}, {"train": 0.8, "valid": 0.1}])
def test_fractions_that_do_not_fit_are_refused(fractions):
    with pytest.raises(ConfigFault, match=r"fractions = .* of train, valid, test, together 1"):
        InkMLDataset(fractions=fractions)


def test_a_source_may_be_all_for_the_training(root):
    assert {*prepared(root, fractions={"train": 1}).samples} == {"train"}
    assert names(prepared(root, fractions={"train": 1})) == names(prepared(root))


def test_files_left_out_are_counted_or_an_error_if_strict_also_from_the_cache(root):
    (root / "bad.inkml").write_bytes(b"<ink>")
    with pytest.raises(DataError, match=r'^bad.inkml: broken XML .*; without "strict": true it'):
        prepared(root, strict=True)
    (root / "worse.inkml").write_bytes(b"<ink>")
    for _ in range(2):
        assert "2 left out: broken XML: bad.inkml (" in prepared(root).report
    with pytest.raises(DataError, match=r"^bad.inkml: .*, and 1 more; without"):
        prepared(root, strict=True)


def test_another_option_makes_a_new_cache_beside_the_data_or_elsewhere(root, tmp_path):
    usual, other = cache_of(prepared(root)), cache_of(prepared(root, require_text=True))
    assert usual != other and usual.startswith(f"{root}/cache/")
    assert cache_of(prepared(root, cache=str(tmp_path / "own"))).startswith(f"{tmp_path}/own/")


def test_a_subset_takes_training_samples_by_its_seed_and_leaves_validation_whole(root):
    full, some = prepared(root), prepared(root, subset=3)
    assert len(names(some, "train")) == 3 and names(some, "train") < names(full, "train")
    assert names(some, "valid") == names(full, "valid")
    count = len(names(full, "train"))
    assert f"{count - 3} training samples are outside the subset" in some.report
    assert names(prepared(root, subset=3, subset_seed=1), "train") != names(some, "train")
    with pytest.raises(ConfigFault, match=f"subset = {count + 1}: at most the {count} training"):
        prepared(root, subset=count + 1)


def test_samples_of_a_list_are_in_no_split(root, tmp_path):
    for name in ("crossed", "cut"):
        (root / f"{name}.inkml").write_bytes(ink_formats.inkml())
    full = prepared(root)
    listed = tmp_path / "list.txt"
    listed.write_text(
        "# read by two people\n\nline 3\n  line 12\nline 3\ncrossed off: e\n cut # off\n"
    )
    some, left_out = prepared(root, leave_out=str(listed)), {"line 3", "crossed", "cut"}
    assert names(some) == names(full) - left_out
    assert f"3 samples are left out by {listed}\n" in some.report
    assert f"1 names in {listed} do not occur: line" in some.report
    assert "left out by" not in full.report and cache_of(some) == cache_of(full)
    most = len(names(full, "train") - left_out)
    with pytest.raises(ConfigFault, match=f"subset = {most + 1}: at most the {most}"):
        prepared(root, leave_out=str(listed), subset=most + 1)


def test_a_list_that_cannot_be_used_is_named(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigFault, match=r'leave_out = "absent\.txt": .* this is a file that c'):
        prepared(root, leave_out="absent.txt")
    (tmp_path / "all.txt").write_text("\n".join(names(prepared(root), "valid")))
    with pytest.raises(DataError, match=r"no samples for the split 'valid': \d samples are left"):
        prepared(root, leave_out="all.txt")
    (tmp_path / "all.txt").write_bytes(b"line 1\n\xff\n")
    with pytest.raises(ConfigFault, match=r"not UTF-8 text \(byte 0xff in line 2\)"):
        prepared(root, leave_out="all.txt")


def test_ink_of_whole_numbers_has_a_quantisation_step_and_other_ink_has_none(root):
    assert prepared(root).quantisation_step == 1.0
    (root / "half.inkml").write_bytes(ink_formats.inkml([[(0, 0), (1.5, 2)]]))
    dataset = prepared(root)
    assert dataset.quantisation_step is None and np.isin(1.5, in_order(dataset)[0].ink)


class WordFiles(SourceDataset):
    """Words in text files, of which each split has one, by the methods of a source."""

    title = "Words"

    def __init__(self, root: str) -> None:
        self.root, self.cache = root, None
        self.finds = 0

    def find(self):
        self.finds += 1
        return sorted(self._path.glob("*.word"))

    def read(self, files, workers=1):
        for file in files:
            ink = np.array([[0, 0, 0], [3, 4, 1]], np.float32)
            yield Parsed([Sample(ink, file.read_text(), file.stem)])

    def _divide(self, samples, faults):
        return {split: np.array([place]) for place, split in enumerate(SPLITS)}, ["by name"]


def test_a_source_of_ones_own_finds_its_files_once_and_says_how_they_are_read_and_divided(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.word").write_text(name.upper())
    for _ in range(2):  # the second time from the cache
        words = WordFiles(str(tmp_path))
        data = words.load()
        assert [data.split(split)[0].text for split in SPLITS] == ["A", "B", "C"]
        assert "by name" in data.report and words.finds == 1
