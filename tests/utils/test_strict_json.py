import json
import os

import pytest

from utils import strict_json
from utils.checks import ConfigFault

VALUES = {"a": "Grüße", "b": [1, -2.5e3, True, None], "c": {"d": {}}, "e": os.fsdecode(b"\xff")}
EXPONENTIAL = []
for _ in range(12):
    EXPONENTIAL = [EXPONENTIAL] * 20  # 20 ** 12 lists when written out
ENDLESS = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_is_read_as_it_was_written_with_or_without_a_byte_order_mark(tmp_path, mark):
    (tmp_path / "values.json").write_text(mark + json.dumps(VALUES), encoding="utf-8")
    assert strict_json.read(tmp_path / "values.json") == strict_json.plain(VALUES) == VALUES


def test_lists_are_read_16_deep():
    assert strict_json.loads("[" * 16 + "]" * 16)


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "b", "stands twice in one object"),
        ("NaN", "nan", "no finite number"),
        ('{"optimizer": {"lr": NaN}}', "optimizer.lr", "no finite number"),
        ('{"a": [0, -1e400]}', "a.1", "no finite number"),
        ("9" * 5000, "", "4300 digits"),
        ('"\\ud800"', "", "holds '\\ud800', which is no character"),
        ('{"a": "b\\u0000c"}', "a", "holds '\\x00', which is no character"),
        ('{"a\\\\\\u0000": 1}', "", "holds '\\x00', which is no character"),
        ("[" * 17 + "]" * 17, "", "nested more than 16 deep"),
        ("[" * 100_000 + "]" * 100_000, "", "nested more than 16 deep"),
        ('"' + "x" * 2**20 + '"', "", "larger than 1,048,576 bytes"),
        ("[" + "1," * 20_001 + "1]", "", "larger than 20,000 values"),
        ('{"a": {"%s": [1, 1]}}' % ("k" * 200), "a", "a dotted key of more than 200 characters"),
    ],
)
def test_json_that_the_standard_forbids_or_no_config_needs_is_a_fault(text, key, message):
    with pytest.raises(ConfigFault) as error:
        strict_json.loads(text)
    assert not isinstance(error.value, strict_json.NotJSON)
    assert error.value.key == key and message in error.value.expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, // one\n"b": 2}', "line 1, column 10: not JSON: JSON has no comments"),
        ("# a\n{}", "line 1, column 1: not JSON: JSON has no comments"),
        ('{"a": [1, 2,]}', "not JSON: a comma after the last value is not allowed"),
        ('{"a": 1,\n}', "not JSON: a comma after the last value is not allowed"),
        ('{"a" 1}', "line 1, column 6: not JSON: Expecting ':' delimiter"),
    ],
)
def test_a_fault_of_syntax_is_named_with_its_place(text, message):
    with pytest.raises(strict_json.NotJSON) as error:
        strict_json.loads(text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "value", [ENDLESS, EXPONENTIAL, {"a": float("nan")}, {"a": {1, 2}}, {"a": b"x"}, {(1, 2): 3}],
    ids=["endless", "exponential", "nan", "set", "bytes", "tuple as key"],
)  # fmt: skip
def test_a_value_that_json_cannot_hold_is_a_fault(value):
    with pytest.raises(ConfigFault):
        strict_json.plain(value)
