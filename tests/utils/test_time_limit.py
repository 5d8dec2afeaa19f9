"""Work with a limit of processor time."""

import time

import pytest

from utils.time_limit import OutOfTime, check_time, time_limit


def test_work_ends_when_its_processor_time_is_used_up_and_not_while_it_waits():
    check_time()  # no limit
    begin = time.thread_time()
    with pytest.raises(OutOfTime), time_limit(0.05):
        time.sleep(0.1)
        check_time()
        while True:
            check_time()
    assert 0.05 <= time.thread_time() - begin < 0.5
    check_time()
