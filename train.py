"""Trains a network from a JSON config, or resumes a run: `python train.py --help`."""

from utils import console

if __name__ == "__main__":
    console.set_up()  # before the slow imports

from commands.train import options as train_options

if __name__ == "__main__":
    REQUEST = train_options.parsed()  # before the slow imports

import gc
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import torch

from base import distributed
from base.base_dataset import InitialNetwork, Preparing
from base.base_trainer import BaseTrainer
from base.config import user_modules
from base.config.user_code import errors_as_config_fault
from base.run.checkpoint import newest_checkpoint
from base.run.run_folder import RunExists, RunRecord
from base.run.run_state import seed_all
from base.run.training_parts import TrainingParts, settings_of
from base.step.device import keep_freed_memory, resolve_device
from base.trial import contract
from commands.train import hash_trial, sweep
from commands.train.options import Request
from commands.train.start import Start, resolve_start
from data_loader.pipeline import Data
from ink.alphabet import table
from logger.logger import setup_logging
from parse_config import grouped_weights
from utils.checks import (
    CheckpointError,
    ConfigFault,
    TrainingFailed,
    UserError,
    described,
    first_of,
    lacks_memory,
    shown,
)
from utils.licences import combined

log = logging.getLogger("train")


def main(words: list[str]) -> int:
    """Run the command line `words`, and return the exit status."""
    return reported(lambda: run(train_options.parse(words)))


def run(request: Request) -> int:
    """Run a command line that is parsed, and return the exit status."""
    with console.Signals(console.interrupt), distributed.started(), errors_as_config_fault():
        setup_logging(logging.INFO if distributed.is_main() else logging.ERROR)
        for path in request.modules:
            user_modules.load_module(path)
        return sweep.train_all(request, train) if request.sweeps else train(request)


def reported(action: Callable[[], int]) -> int:
    """Return the exit status of an action; an error is logged, and has a status of its own."""
    setup_logging()
    try:
        return action()
    except (UserError, TrainingFailed, OSError, distributed.Lost, torch.OutOfMemoryError) as error:
        is_refused = isinstance(error, UserError) or lacks_memory(error)
        status, message = 2 if is_refused else 1, str(error)
    except KeyboardInterrupt as interrupt:
        status, message = console.status_of(interrupt), "interrupted"
    if distributed.claim_message(message):
        log.error("%s", message)
    return status


def train(request: Request) -> int:
    """Start a new run or resume one, or only prepare its data or check its parts; return the exit
    status."""
    is_tried = request.prepare or request.check
    try:
        with ExitStack() as locks:
            start = resolve_start(request, None if is_tried else locks)
            if request.start_or_resume and start.is_finished():
                log.info("%s is finished", start.run.models)
                return 0
            device = resolve_device(request.device)
            if request.prepare:
                part, parts = request.part
                prepare(start, Preparing(request.workers, part, parts, is_examined=True))
                if parts > 1:
                    return 0
            start, data = load_data(start, device)
            if request.prepare:
                print(data.loaded.character_report(data.new_characters))
                return 0
            make = partial(new_trainer, start, data, device)
            remake = partial(new_trainer, replace(start, is_resumed=True), data, device)
            if request.check:
                digest = contract.check(make, remake)
                hash_trial.warn_of_hashes(start, device, digest)
                print(*(rule.__doc__ for rule in contract.RULES), sep="\n")
                print(hash_trial.REPORT, digest)
                return 0
            try_own_parts(start, make, remake, device)
            keep_freed_memory()
            locks.callback(start.run.release)
            stopped_by = build_trainer(start, data, device).train()
            if stopped_by is None:
                check_last_checkpoint(start, remake)
    except RunExists:
        # Another process began and ended the run while this process loaded the data.
        if not request.start_or_resume or distributed.world_size() > 1:
            raise
        return train(request)
    return 0 if stopped_by is None else 128 + stopped_by


def has_own_parts(start: Start) -> bool:
    """Return whether a user wrote one of the parts of a run."""
    return any(user_modules.is_any_from_user(part.cls) for part in start.plan.bound_classes())


def check_last_checkpoint(start: Start, remake: Callable[[], BaseTrainer]) -> None:
    """Load the last checkpoint of a complete run into new parts, which `remake` makes, if a user
    wrote one of them: what the checkpoint holds may no longer fit. Values that these parts restore
    otherwise are warned of.

    Raises:
        TrainingFailed: if it does not fit.
    """
    if not has_own_parts(start):
        return
    gc.collect()  # A trainer refers to itself; new parts need the memory.
    last = newest_checkpoint(start.run.models)
    try:
        lost = remake().run_checkpoints.restore_exactly(last.content, last.path)
    except Exception as error:  # The user's code may raise anything.
        problem = f"{last.path} cannot be resumed: {described(error)}"
        raise TrainingFailed(f"the run is complete, but {problem}") from error
    if lost:
        problem = "a resumed run would not have these values, as load_state_dict drops them"
        log.warning("%s: %s: %s", last.path, problem, first_of(lost))


def try_own_parts(
    start: Start,
    make: Callable[[], BaseTrainer],
    remake: Callable[[], BaseTrainer],
    device: torch.device,
) -> None:
    """Try the parts of a run, which `make` makes, and `remake` for a resumed run, if a user wrote
    one of them.

    A run that goes on is only warned, and only if a module or the hash seed has changed.
    """
    is_own = has_own_parts(start)
    previous = start.checkpoint.content if start.is_resumed else {}
    if is_own and start.is_resumed:
        hash_trial.warn_of_another_seed(previous.get("versions", {}), start.checkpoint.path)
    if not is_own or previous.get("modules") == user_modules.digests():
        return
    try:
        digest = contract.check(make, remake)
        hash_trial.warn_of_hashes(start, device, digest)
    except UserError as error:
        if not start.is_resumed:
            raise
        log.warning("a new run would be refused: %s", error)


def prepare(start: Start, preparing: Preparing) -> None:
    """Prepare the files of a training's datasets, or a part of these files."""
    start.plan.build("data_loader", origin=None).dataset.prepare(preparing)


def load_data(start: Start, device: torch.device) -> tuple[Start, Data]:
    """Return the start with the values that the data add to its plan, and the data."""
    checkpoint, plan = start.checkpoint, start.plan
    settings = settings_of(plan["trainer"])
    seed_all(settings.seed)
    arguments = start.network_arguments
    keeps_units = start.is_resumed or settings.keep_normalisation
    initial_network = None
    if checkpoint:
        initial_network = InitialNetwork(checkpoint.path, device, start.is_resumed)
    data = plan.build("data_loader", origin=initial_network).load(
        seed=settings.seed,
        extras=arguments.get("extras", {}),
        normalisation=arguments.get("normalisation") if keeps_units else None,
        alphabet=arguments.get("alphabet"),
        extends_alphabet=not start.is_resumed,
    )
    start.check_data(data.loaded)
    log.info("%s", data.loaded.report)
    for doubt in () if start.is_resumed else data.loaded.doubts:  # once a run
        log.warning("%s", doubt)
    if new := data.new_characters:
        log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))
    # Again, as the main process may have drawn numbers while it loaded the data.
    seed_all(settings.seed)
    return replace(start, plan=plan.with_values(data.fitted)), data


def build_trainer(start: Start, data: Data, device: torch.device) -> BaseTrainer:
    """Return the trainer of a run, with its initial or resumed weights."""
    trainer = new_trainer(start, data, device)
    if new := start.new_weights(trainer.model):
        name = type(trainer.model).__name__
        log.info("%s trains weights that the checkpoint lacks: %s", name, ", ".join(new))
    if not start.is_resumed:
        return trainer
    older = start.older()
    while True:
        try:
            trainer.run_checkpoints.load(start.checkpoint.content, start.checkpoint.path)
            return trainer
        except CheckpointError as error:
            older_start = next(older, None)
            if older_start is None:
                raise
            log.warning("%s; an older checkpoint is tried", error)
        start = older_start
        trainer = new_trainer(start, data, device)  # What was loaded in part is thrown away.


def new_trainer(start: Start, data: Data, device: torch.device) -> BaseTrainer:
    """Return a new trainer with new parts, and with the initial weights of a new run."""
    plan = start.plan
    settings = settings_of(plan["trainer"])
    facts = data.facts(start.network_arguments.get("extras") or data.loaded.extras)
    model = plan.build("arch", **vars(facts))
    if not start.is_resumed:
        start.give_weights(model)
    train_loader = data.training_loader(model.features)
    steps = settings.planned_steps(len(train_loader))
    model.to(device)
    optimizer = plan.build("optimizer", params=grouped_weights(plan, model))
    length = {"steps": steps, "total_steps": steps, "last_epoch": -1}
    schedule = plan.build("lr_scheduler", optimizer=optimizer, **length)
    parts = TrainingParts(
        model=model,
        loss=plan.build("loss", model=model),
        metrics=plan.build("metrics", model=model),
        optimizer=optimizer,
        lr_scheduler=schedule,
        train_loader=train_loader,
        valid_loader=data.validation_loader(model.features),
        run=start.run,
        device=device,
        facts=facts,
        record=run_record(start, data),
    )
    trainer = plan.build("trainer", parts=parts)
    # Data and schedule depend on the config's settings, so the trainer must have the same settings;
    # a user's trainer may give its base others, which only its constructor knows.
    for name, value in vars(settings).items():
        if (passed := getattr(trainer.settings, name)) != value:
            cause = f"{type(trainer).__name__} gives its base {shown(passed)}"
            remedy = "make it the default in settings of its own"
            raise ConfigFault(f"trainer.args.{name}", value, f"{cause}: {remedy}")
    return trainer


def run_record(start: Start, data: Data) -> RunRecord:
    """Return what the run's folder and checkpoints say of its config, weights and licence."""
    weights_from = start.checkpoint
    licences = {weights_from.content.get("licence")} if weights_from else set()
    return RunRecord(
        given_config=start.plan.given_config,
        resolved_config=start.plan.resolved_config,
        weights_from=None if start.is_resumed else weights_from and weights_from.path,
        licence=combined(data.options.dataset.licences() | licences),
    )


if __name__ == "__main__":
    sys.exit(reported(partial(run, REQUEST)))
