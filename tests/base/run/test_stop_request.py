"""What asks a run to end is kept until it is asked for."""

import os
import signal
import time

import pytest

from base.run.stop_request import StopRequest
from utils import console


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_kept_until_the_trainer_polls(capfd, first):
    with StopRequest() as stop:
        assert not stop.poll() and stop.signal is None
        os.kill(os.getpid(), first)
        assert stop.signal is None and not stop.immediate
        assert stop.poll() and stop.immediate
        assert stop.signal == first
    assert capfd.readouterr().err.count(f"{first.name}: finishing the step and saving") == 1


def test_a_second_signal_ends_a_run_at_once(monkeypatch, capfd):
    ended = []
    monkeypatch.setattr(console, "REPEATED_SECONDS", 0.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    with StopRequest() as stop:
        for number in (signal.SIGUSR1, signal.SIGTERM):
            os.kill(os.getpid(), number)
            time.sleep(0.01)
        assert stop.poll() and stop.signal == signal.SIGUSR1 and ended == [128 + signal.SIGTERM]
    assert "error: interrupted" in capfd.readouterr().err


def test_a_time_limit_runs_from_the_start_and_does_not_stop_within_an_epoch():
    for minutes, over in ((0.0, True), (1.0, False)):
        stop = StopRequest(minutes)
        assert not stop.poll()
        with stop:
            assert stop.poll() == over and not stop.immediate


def test_an_os_error_asks_to_stop_and_the_first_error_is_reported():
    with StopRequest() as stop:
        with stop.catch_os_errors():
            pass
        assert not stop.poll()
        with stop.catch_os_errors():
            raise FileNotFoundError("first")
        with stop.catch_os_errors():
            raise OSError("second")
        assert stop.poll() and stop.immediate and stop.signal is None
        assert str(stop.failure) == "first"
        with pytest.raises(ValueError, match="no disk"), stop.catch_os_errors():
            raise ValueError("no disk error passes")


def test_signal_stays_ignored_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.poll()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
