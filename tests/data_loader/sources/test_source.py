import numpy as np
import pytest

from data_loader import InkMLDataset
from data_loader.sources.stroke_arrays import StrokeArraysDataset
from utils.checks import ConfigFault
from utils.page.inkml import write_inkml


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.9, "val": 0.1}, '"val": one of train, valid, test'),
        ({"train": 1.0}, "more than 0 for train and for valid"),
        ({"train": 0.8, "valid": 0.1}, "together 1"),
    ],
)
def test_fractions_that_do_not_fit_are_refused(fractions, message):
    with pytest.raises(ConfigFault, match=message):
        StrokeArraysDataset(fractions=fractions)


def test_names_with_blanks_can_be_left_out(tmp_path):
    (tmp_path / "ink").mkdir()
    for number in range(12):
        write_inkml(tmp_path / "ink" / f"line {number}.inkml", np.array([[0, 0, 0], [1, 2, 1.0]]))
    (tmp_path / "list.txt").write_text("line 3\nline 12\n")
    dataset = InkMLDataset(root=str(tmp_path / "ink"), leave_out=str(tmp_path / "list.txt"))
    dataset.prepare()
    used = {dataset.name(n) for part in dataset.split_indices().values() for n in part.tolist()}
    assert used == {f"line {number}" for number in range(12) if number != 3}
    assert "1 names in " in dataset.report()
