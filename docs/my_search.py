"""A search by Optuna, which has to be installed: python -m pip install optuna.

`train.main` is the command line as a function, so a trial is a call. `metrics.csv` has a row for
each epoch; SIGUSR1 ends a run after its step.
"""

import csv
import os
import signal
import threading
from pathlib import Path

import optuna

from online_handwriting import train


def objective(trial):
    rate = trial.suggest_float("lr", 1e-4, 1e-2, log=True)
    run = f"trial-{trial.number}"
    log = Path("saved/models/conditional") / run / "metrics.csv"
    ended = threading.Event()

    def losses():
        rows = [*csv.DictReader(log.open())] if log.exists() else []
        return [float(row["valid_log_loss_per_point"]) for row in rows]

    def watch():  # train.main runs in the main thread, which gets the signals
        num_reported = 0
        while not ended.wait(1):
            new = losses()[num_reported:]
            for epoch, loss in enumerate(new, num_reported + 1):
                trial.report(loss, epoch)
            num_reported += len(new)
            if num_reported and trial.should_prune():
                return os.kill(os.getpid(), signal.SIGUSR1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = train.main(["-c", "conditional", "--run-id", run, "--lr", str(rate)])
    ended.set()
    watcher.join()
    if status == 128 + signal.SIGUSR1:
        raise optuna.TrialPruned
    return min(losses())


optuna.create_study().optimize(objective, n_trials=20)
