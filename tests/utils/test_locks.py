"""Waiting for another process is told, and can be interrupted."""

import signal
import subprocess
import sys

import pytest
from filelock import FileLock, Timeout

from utils import locks

WAIT = (
    "from utils import console\n"
    "from utils.locks import locked\n"
    "from pathlib import Path\n"
    "try:\n"
    "    with console.Signals(console.interrupt), locked(Path({!r}), 'compiles'):\n"
    "        pass\n"
    "except KeyboardInterrupt as interrupt:\n"
    "    raise SystemExit(console.status_of(interrupt))\n"
)


def test_a_lock_that_is_free_is_taken_in_silence(tmp_path, caplog):
    with locks.locked(tmp_path / "lock", "compiles"), pytest.raises(Timeout):
        FileLock(tmp_path / "lock").acquire(timeout=0)
    FileLock(tmp_path / "lock").acquire(timeout=0)
    assert not caplog.messages


def test_a_time_limit_holds_and_the_warning_says_who_is_waited_for(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(locks, "SILENT_SECONDS", 0.01)
    wait = locks.locked(path := tmp_path / "lock", "compiles kernels", 0.02)
    with FileLock(path), pytest.raises(OSError, match="lock"):
        wait.__enter__()
    assert caplog.messages == [
        f"waiting for another process, which compiles kernels (it holds {path})"
    ]


def test_waiting_ends_with_a_signal(tmp_path):
    with FileLock(path := tmp_path / "lock"):
        words = [sys.executable, "-c", WAIT.format(str(path))]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert process.stderr.readline().startswith("waiting for another process, which compiles")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        process.stderr.close()
