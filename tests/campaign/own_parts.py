"""Someone's own loss, metric, trainer and data: whatever they count with, a run resumes bit for
bit, or it is refused by name before it begins."""

import random
from pathlib import Path

from base.checkpoint import checkpoints
from tests.campaign.damage import check_answer
from tests.campaign.frame import Family, demand, run
from tests.campaign.interruptions import killed, signalled
from tests.campaign.tiny import (
    CONFIG,
    RUN,
    TRAIN,
    changed,
    check_finished,
    check_tidy,
    check_went_well,
    check_whole,
    go_on,
    last_line,
    undisturbed,
    write,
)

CODE = """
import numpy as np
import torch

from base.base_metric import BaseMetric
from data_loader.sources.own_ink import OwnInk
from model.generation.loss import NegativeLogLikelihood
from trainer import GenerationTrainer


class OwnLoss(NegativeLogLikelihood):
    steps = 0

    def __call__(self, output, batch):
        self.steps += 1
        return {loss}

    def state_dict(self):
        return {{"steps": self.steps}}

    def load_state_dict(self, state):
        self.steps = state["steps"]


class OwnLines(OwnInk):
    def __init__(self, *, first: int = 0, **options):
        super().__init__(**options)
        self.first = first

    def lines(self):
        for number in [*range(self.first, 30), *range(self.first)]:
            yield "ab", [[(n * n, (n * number) % 7) for n in range(9)]]


class OwnMetric(BaseMetric):
    names, sums = ("own",), ("total", "count")

    def __init__(self):
        self.reset()

    def reset(self):
        self.total, self.count = {zero}, 0

    def update(self, output, batch):
        nats = output.prediction.end_logits[batch.mask].double()
        self.total += {term}
        self.count += batch.points

    def compute(self):
        mean = self.total / self.count
        return {{"own": {value}}}


class OwnTrainer(GenerationTrainer):
    def __init__(self, *supplied, **options):
        super().__init__(*supplied, **{{"accumulate": 2, **options}})

    def extra_metrics(self, values, sums):
        return {{"half": torch.tensor(values["own"] / 2)}}
"""
SUMS = {
    "0": ("int(nats.sum())", "float(nats.sum())", "nats.numpy().sum()", "nats.sum()"),
    "torch.zeros(2).double()": ("nats.sum().expand(2)",),
    "np.zeros(2)": ("nats.numpy().sum()",),
}
"""What may be added to a sum, by what `reset` makes of it."""
SOUND = ("float(np.sum(np.asarray(mean)))", "torch.as_tensor(mean).sum()", "np.asarray(mean).sum()")
WARM = "min(self.steps, 9) * super().__call__(output, batch)"
UNSOUND_LOSSES = ("batch.lengths.float()", "(WARM).mean()", "WARM + output.attention", "None")
UNSOUND = ("torch.ones(2)", "np.zeros(3)", "None", "'a half'", "[0.5]", "1j")
MODULE = ("--module", "own.py")


def give(zero: str, term: str, value: str, loss: str = WARM, **more: object) -> None:
    """Put a module and a config that uses it into the working directory; `more` of the config."""
    Path("own.py").write_text(CODE.format(zero=zero, term=term, value=value, loss=loss))
    own = {"metrics": [{"type": "OwnMetric"}], "loss": {"type": "OwnLoss"}}
    write(Path("config.json"), changed(CONFIG, own | {"trainer.type": "OwnTrainer"} | more))


def stopped(rng: random.Random, folder: Path) -> None:
    """End a run at any moment, and go on with it."""
    zero = rng.choice(list(SUMS))
    parts = zero, rng.choice(SUMS[zero]), rng.choice(SOUND)
    words = [*TRAIN, *MODULE]
    whole = undisturbed(f"own-{hash(parts)}", words, lambda: give(*parts))
    give(*parts)
    rng.choice((killed, signalled))(words, rng, whole)
    if rng.random() < 0.5 or not checkpoints(RUN):
        go_on(*MODULE)
    else:  # Its defaults written out change nothing.
        same = ["trainer.args.accumulate=2", "trainer.args.early_stop=null"]
        done = run([*words, "--start-or-resume", "-o", same[0], "-o", same[1]])
        check_went_well(done, "started again")
    check_finished(whole)


def reordered(rng: random.Random, folder: Path) -> None:
    """Stop a run on lines of one's own, and go on with them in another order."""
    key = "data_loader.args.dataset"
    give("0", "float(nats.sum())", SOUND[0], **{key: {"type": "OwnLines"}})
    done = run([*TRAIN, *MODULE, "-o", "trainer.args.time_limit_minutes=0"])
    check_went_well(done, "stopped")
    demand(checkpoints(RUN), "stopped, it saved nothing")
    words = ["train.py", "-r", str(RUN), "-d", "cpu", *MODULE]
    words += ["-o", "trainer.args.time_limit_minutes=null"]
    words += ["-o", f"{key}.args.first={rng.randrange(1, 30)}"]
    before = checkpoints(RUN)
    done = run(words)
    check_answer(done, statuses=(2,))
    demand("--new-data" in last_line(done), f"it does not say what to do: {last_line(done)}")
    demand(checkpoints(RUN) == before, "refused, and yet it trained")
    check_went_well(run([*words, "--new-data"]), "gone on with")
    check_whole(Path("saved"))
    check_tidy(folder)


def unsound(rng: random.Random, folder: Path) -> None:
    """Train with a metric that computes no number, or whose sums change their shape, or with a loss
    without a gradient, of a batch as a whole, or that fails."""
    name = rng.choice(("OwnMetric", "OwnLoss"))
    if name == "OwnLoss":
        loss = rng.choice(UNSOUND_LOSSES).replace("WARM", WARM)
        give("0", "float(nats.sum())", SOUND[0], loss)
    elif rng.random() < 0.7:
        give("0", "float(nats.sum())", rng.choice(UNSOUND))
    else:
        give("0", "nats.numpy().sum() * np.ones(2)", "0.5")
    done = run([*TRAIN, *MODULE])
    check_answer(done, statuses=(2,))
    demand(name in last_line(done), f"{name} is not named by {last_line(done)!r}")
    demand(not Path("saved").exists(), "refused, and yet it wrote files")


FAMILIES = [
    Family("someone's own parts", 60, stopped),
    Family("someone's own parts that are not sound", 30, unsound),
    Family("someone's own lines in another order", 10, reordered),
]
