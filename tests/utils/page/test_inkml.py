"""InkML as it is written; how it is read: tests/data_loader/sources/test_inkml.py."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from utils.checks import DataError
from utils.page.inkml import to_inkml

INK = [[0, 0, 0], [3, 4, 0], [-1, 6, 1], [10, -2, 0], [0, 1, 1]]


def test_what_is_written_is_inkml_for_others(tmp_path):
    root = ElementTree.parse(io.StringIO(to_inkml(np.array(INK), "a & b"))).getroot()
    space = "{http://www.w3.org/2003/InkML}"
    assert root.tag == f"{space}ink"
    assert [channel.get("name") for channel in root.iter(f"{space}channel")] == ["X", "Y"]
    said = {a.get("type"): a.text for a in root.iter(f"{space}annotation")}
    assert said == {"truth": "a & b"}
    traces = [trace.text for trace in root.iter(f"{space}trace")]
    assert traces == ["0 0, 3 4, 2 10", "12 8, 12 9"]


def test_what_xml_cannot_hold_is_refused():
    with pytest.raises(DataError, match=r"XML cannot hold the character U\+0000"):
        to_inkml(np.array(INK), "a\x00")
    with pytest.raises(DataError, match="the ink is empty"):
        to_inkml(np.empty((0, 3)))
