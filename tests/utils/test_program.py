"""What the program asks of the system."""

import pytest

from utils import program
from utils.checks import UserError


@pytest.fixture
def opener(tmp_path, monkeypatch):
    """A function that sets what the system does to open a file."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    script = tmp_path / "xdg-open"

    def set_opener(commands):
        script.write_text(f"#!/bin/sh\n{commands}\n")
        script.chmod(0o755)

    return set_opener


def test_a_file_is_opened_in_the_program_that_the_system_has_for_it(opener, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "OPENING_SECONDS", 0.5)
    file = tmp_path / "a note.xopp"
    opener(f'printf %s "$1" > {tmp_path}/opened')
    program.open_in_program(file)
    assert (tmp_path / "opened").read_text() == str(file)
    opener("exec sleep 3")  # The program itself is running.
    program.open_in_program(file)
    opener("exit 3")
    with pytest.raises(UserError, match=r"a note\.xopp: no program is set for such files"):
        program.open_in_program(file)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"xdg-open is not installed; open .*a note\.xopp yourself"):
        program.open_in_program(file)
