"""The command line of train.py: what is refused before the slow imports."""

import pytest

from commands import train_options

pytestmark = pytest.mark.usefixtures("logging_restored")

MISTYPED = {
    "no such config": (["-c", "mistyped.json"], "mistyped.json: cannot be read"),
    "no such network": (["-r", "writr"], "did you mean writer"),
    "neither": ([], "-c CONFIG or -r CHECKPOINT is needed"),
}


@pytest.mark.parametrize(("words", "message"), MISTYPED.values(), ids=MISTYPED)
def test_fault_of_the_command_line_ends_the_process_with_status_2(
    words, message, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", ["train.py", *words])
    with pytest.raises(SystemExit) as end:
        train_options.refuse_faults()
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_other_processes_of_torchrun_exit_without_a_message(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train.py", "-r", "mistyped"])
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit):
        train_options.refuse_faults()
    assert capsys.readouterr().err == ""
