"""One bar over all that is done to learn a hand."""

import pytest

from trainer.own_hand.stages import PRACTISING, READING, STAGES, stage


def test_the_stages_follow_each_other_on_one_bar(caplog):
    caplog.set_level("INFO")
    end = 0.0
    for number, (name, seconds) in enumerate(STAGES.items(), 1):
        bar = stage(name, items=range(4))
        assert bar.n / bar.total == pytest.approx(end / sum(STAGES.values()))
        end += seconds
        assert (bar.n + 4) / bar.total == pytest.approx(end / sum(STAGES.values()))
        assert [*bar] == [0, 1, 2, 3] and f"{number} of 6: {name}" in caplog.text
    assert end == sum(STAGES.values()) and next(iter(STAGES)) == READING
    caplog.clear()
    later = stage(PRACTISING, 200, 100)  # the second epoch
    assert later.n - stage(PRACTISING, 200).n == pytest.approx(100)
    assert caplog.text.count(PRACTISING) == 1  # it is said once
