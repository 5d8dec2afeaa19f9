"""The command line of train.py: what is refused before the slow imports."""

import pytest

import train
from commands.train import options as train_options

pytestmark = pytest.mark.usefixtures("logging_restored")

MISTYPED = {
    "no such config": (["-c", "mistyped.json"], "mistyped.json: cannot be read"),
    "no such network": (["-r", "writr"], "did you mean writer"),
    "neither": ([], "-c CONFIG or -r CHECKPOINT is needed"),
    "empty config": (["-c", "", "-r", "reader"], "argument -c/--config: the name is empty"),
    "empty run": (["-c", "a.json", "--run-id="], "argument --run-id: the name is empty"),
}


@pytest.mark.parametrize(("words", "message"), MISTYPED.values(), ids=MISTYPED)
def test_fault_of_the_command_line_ends_the_process_with_status_2(
    words, message, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", ["train.py", *words])
    with pytest.raises(SystemExit) as end:
        train_options.parsed()
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_refused_training_leaves_no_folder(tmp_path, monkeypatch, capsys):
    words = ["-c", "configs/inkml.json", "--saved", str(tmp_path / "new")]
    assert (
        train.main([*words, "-o", f"data_loader.args.dataset.args.root={tmp_path / 'none'}"]) == 2
    )
    assert "none: no such folder" in capsys.readouterr().err and not any(tmp_path.iterdir())
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["train.py", *words[:-1], str(tmp_path / "file" / "new")])
    with pytest.raises(SystemExit):
        train_options.parsed()
    assert "--saved" in capsys.readouterr().err


def test_other_processes_of_torchrun_exit_without_a_message(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train.py", "-r", "mistyped"])
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit):
        train_options.parsed()
    assert capsys.readouterr().err == ""
