"""The table of cases: what is run, what is done to it, and what must hold."""

from tests.faults import accidents as do
from tests.faults import checkpoints as odd
from tests.faults import hostile
from tests.faults import promises as it
from tests.faults.checkpoints import on_a_checkpoint
from tests.faults.runs import (
    KINDS,
    RARELY_SAVED,
    TENSORBOARD,
    WORKERS,
    any_command,
    invented,
    one_of,
    resuming,
    training,
)
from tests.faults.trials import Case

USED = "while drawing, exporting, scoring, reading"
RUNS, ANSWERS = training(one_of(*KINDS)), (hostile.answered,)
LONG, LONGER = {"trainer.args.epochs": 4}, {"trainer.args.epochs": 6}
SAVED, LOGGED = [{}, WORKERS, TENSORBOARD, RARELY_SAVED], {"trainer.args.log_steps": 1}

CASES = [
    Case("damaged archives of checkpoints", 60, on_a_checkpoint(
        odd.damaged_file, odd.damaged_pickle, odd.other_members,
    ), hostile.met, ANSWERS, 90.0),
    Case("checkpoints that run code", 40, on_a_checkpoint(odd.code), hostile.met, ANSWERS, 90.0),
    Case("odd tensors in checkpoints", 80, on_a_checkpoint(
        odd.odd_values("state_dict"),
    ), hostile.met, ANSWERS, 90.0),
    Case("odd values in checkpoints", 100, on_a_checkpoint(
        odd.odd_values(), odd.odd_values("config"),
        odd.odd_values("alphabet", "normalisation", "format", "config"),
    ), hostile.met, ANSWERS, 90.0),
    Case("broken configs", 1000, hostile.broken_config, hostile.parsed, ANSWERS, 15.0),
    Case("hostile files", 500, hostile.hostile_file, hostile.met, ANSWERS, 600.0),
    Case("kills while training", 110, RUNS, do.repeated(do.killed, 1, 1, 2, 3), it.RESUMES),
    Case("kills while starting", 20, training(one_of({})), do.killed_early, it.RESUMES),
    Case(f"kills {USED}", 70, any_command, do.killed, it.REPEATS),
    Case("signals while training", 100, RUNS, do.signalled, it.RESUMES),
    Case(f"signals {USED}", 40, any_command, do.signalled, it.REPEATS),
    Case(f"late signals {USED}", 60, any_command, do.signalled_late, it.REPEATS),
    Case("failing calls while training", 140, RUNS, do.failing, it.RESUMES),
    Case("failing calls while resuming", 60, resuming, do.failing, it.RESUMES),
    Case(f"failing calls {USED}", 100, any_command, do.failing, (*it.REPEATS, it.tidy)),
    Case("resumption of random configs", 120, training(invented), do.repeated(
        do.signalled, 1, 1, 2, 4,
    ), it.RESUMES),
    Case("a data worker is killed", 12, training(one_of(
        LONG | WORKERS,
    )), do.without_worker, it.RESUMES),
    Case("the folder of the log is removed", 8, training(one_of(
        LONG | TENSORBOARD | LOGGED,
    )), do.without_log, it.RESUMES),
    Case("two processes on one run", 30, training(one_of(
        *(kind | LONGER for kind in SAVED),
    )), do.resumed_meanwhile, it.RESUMES),
    Case("two processes that start a run", 20, training(one_of(*SAVED)), do.started_twice, (
        it.whole, it.tidy,
    )),
]  # fmt: skip
