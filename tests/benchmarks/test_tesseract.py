"""The same rows, read by our reader in JavaScript and by tesseract.js."""

import pytest

from tests.apps.plugins.conftest import packages  # noqa: F401
from tests.benchmarks import scripts


@pytest.mark.slow
def test_a_row_of_the_table_for_each_program(packages, capsys):  # noqa: F811
    scripts.run("tesseract", "--rows", 2, "--data", "none")
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows] == [["reader", "written"], ["tesseract", "written"]]
    (cer, ms, _, megabytes), other = ([*map(float, row.split()[2:])] for row in rows)
    assert max(cer, other[0]) < 10 and 0 < ms < 2000 and 2 < megabytes < other[3] < 6
