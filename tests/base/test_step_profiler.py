import gzip
import json
import logging

import torch
from tiny_run import ChunkTrainer, make, weights

from base.step_profiler import SKIPPED, TRACED, WARM_UP


def trace(trainer: ChunkTrainer) -> list[dict]:
    (path,) = trainer.run.log.glob("trace-*")
    assert path.name == f"trace-step{SKIPPED + WARM_UP + TRACED}.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]


def test_a_trace_of_a_few_steps(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    plain = make(tmp_path, "plain", epochs=2)
    plain.train()
    trainer = make(tmp_path, "traced", epochs=2, profile=True)
    trainer.train()
    assert f"{trainer.run.log / 'trace-step8.json.gz'}" in caplog.text
    events = trace(trainer)
    counts = {
        name: sum(
            event.get("name") == name and event.get("cat") == "user_annotation" for event in events
        )
        for name in ("batch", "forward", "backward", "update")
    }
    assert counts == dict.fromkeys(("batch", "forward", "backward", "update"), TRACED)
    assert any("gru" in event["name"] for event in events)
    # What Perfetto needs of each event: a phase, and of a complete one its start and length.
    assert all({"ph", "name"} <= event.keys() for event in events)
    assert all({"ts", "dur"} <= event.keys() for event in events if event["ph"] == "X")
    assert list(plain.run.log.glob("trace-*")) == []
    for name, weight in weights(plain).items():
        assert torch.equal(weight, weights(trainer)[name])


def test_a_run_that_is_too_short_says_so(tmp_path, caplog):
    trainer = make(tmp_path, epochs=1, profile=True)
    trainer.train()
    assert list(trainer.run.log.glob("trace-*")) == []
    assert "a run of 5 steps is too short" in caplog.text
