"""Trains a network from a JSON config, or resumes a run: `python train.py --help`."""

from utils import console

if __name__ == "__main__":
    console.set_up()  # Before the slow imports, during which there may be an interrupt.

import argparse
import logging
import sys
from contextlib import ExitStack
from functools import partial

import torch

from base import distributed, extension
from base.base_trainer import BaseTrainer, TrainingFailed
from base.checkpoint import load_weights
from base.device import resolve_device
from base.initial_checkpoint import InitialCheckpoint
from base.provenance import versions
from base.random_state import seed_all
from base.run_folder import SAVED, RunFolder
from base.training_parts import TrainingParts, planned_steps
from base.weight_noise import parameter_groups
from commands import options, sweep, train_options
from data_loader import HandwritingDataLoader
from data_loader.looking import samples_figure
from logger.logger import setup_logging
from parse_config import ConfigParser
from utils.alphabet import table
from utils.checks import CheckpointError, UserError
from utils.normalisation import Normalisation
from utils.plots import write_png

log = logging.getLogger("train")


def main(words: list[str] | None = None) -> int:
    """Run the command line, and return the exit status."""
    setup_logging()
    try:
        arguments = train_options.parse(words)
        with console.Interruptible(), distributed.started():
            setup_logging(logging.INFO if distributed.is_main() else logging.ERROR)
            options.load_modules(arguments)
            if arguments.sweeps:
                return sweep.train_all(arguments, check, train)
            return train(arguments)
    except (UserError, TrainingFailed, OSError, distributed.Lost) as error:
        status, message = 2 if isinstance(error, UserError) else 1, str(error)
    except KeyboardInterrupt as interrupt:
        status, message = console.status_of(interrupt), "interrupted"
    if distributed.claim_message(message):
        log.error("%s", message)
    return status


def train(arguments: argparse.Namespace) -> int:
    """Start a new run or resume one, and return the exit status."""
    with ExitStack() as held:
        config, initial, run = beginning(arguments, held)
        again = arguments.start_or_resume and initial and initial.resumed
        same = again and config.config["trainer"] == initial.content["config"]["trainer"]
        if same and run.is_finished():
            log.info("%s is finished", run.models)
            return 0
        device = resolve_device(arguments.device)
        loader = prepared_data(config, initial, device)
        if arguments.prepare:
            print(loader.source.character_report(loader.new_characters))
            if arguments.show:
                model, cut = config.build_on_meta(initial), config.settings["truncate"]
                write_png(arguments.show, samples_figure(loader, model, cut))
            return 0
        trainer = build_trainer(config, initial, loader, run, device)
        stopped_by = trainer.train(config.resolved, initial and initial.first_weights())
    return 0 if stopped_by is None else 128 + stopped_by


def check(arguments: argparse.Namespace) -> None:
    """Raise a UserError for what can be known to be wrong before any data loads."""
    with ExitStack() as held:
        config, initial, _ = beginning(arguments, held)
        config.build_on_meta(initial)


def beginning(
    arguments: argparse.Namespace, held: ExitStack
) -> tuple[ConfigParser, InitialCheckpoint | None, RunFolder]:
    """Return the config, what the training starts from, and the folder of the run.

    A run that goes on is held before its newest checkpoint is looked for, as another process may
    save one.
    """
    place, overrides, initial = arguments.resume, arguments.overrides, None
    if arguments.config:  # A new run, perhaps fine-tuning; or its own run goes on.
        if place:
            initial = InitialCheckpoint.find(place, resumed=False)
        arch = initial and initial.content["config"].get("arch")
        config = ConfigParser.from_file(arguments.config, overrides, arch)
        run = RunFolder(config.name, arguments.run_id, arguments.saved)
        if not (arguments.start_or_resume and distributed.broadcast_object(run.has_checkpoint)):
            return config, initial, distributed.broadcast_object(run.refuse_if_there)
        run.hold()
        held.callback(run.release)
        initial = InitialCheckpoint.find(run.models, resumed=True)
        return config.resumed(initial.content["config"], initial.path), initial, run

    # A checkpoint's run goes on or starts over; or a run of another id goes on from there.
    run = None if arguments.prepare else RunFolder.resumed(place, arguments.run_id)
    if run:
        if arguments.saved not in (SAVED, run.saved):
            raise UserError(f"--saved is for a new run: {run.models} goes on where it is")
        run.hold()
        held.callback(run.release)
        if begun := distributed.broadcast_object(run.beginning):
            log.warning("%s was stopped before its first checkpoint: starting over", run.models)
            given, weights = begun
            if weights:
                initial = InitialCheckpoint.find(weights, resumed=False)
            return ConfigParser(given, str(run.models / "run.json"), overrides), initial, run
    initial = InitialCheckpoint.find(place, resumed=True)
    config = ConfigParser.from_checkpoint(initial.content["config"], initial.path, overrides)
    if run is None:
        new = RunFolder(config.name, arguments.run_id, arguments.saved)
        run = distributed.broadcast_object(new.refuse_if_there)
    return config, initial, run


def prepared_data(
    config: ConfigParser, initial: InitialCheckpoint | None, device: torch.device
) -> HandwritingDataLoader:
    """Return the loader of the training data, with its units and alphabet."""
    features = config.build_on_meta(initial).features
    seed, resumed = config.settings["seed"], initial is not None and initial.resumed
    seed_all(seed)
    normalisation = None
    if resumed or (initial and config.settings["keep_normalisation"]):
        normalisation = Normalisation.from_dict(initial.content["normalisation"])
    alphabet = initial and initial.alphabet(config.needs_text)
    loader = config.build(
        "data_loader", seed=seed, normalisation=normalisation, alphabet=alphabet, only=None
    )
    if initial:
        fitted = loader.source.fit(initial.path, alphabet, device, resumed=resumed)
        config.set_dataset_arguments(fitted)
    loader.prepare(features, extends_alphabet=initial is not None and not resumed)
    log.info("%s", loader.source.report())
    if new := loader.new_characters:
        log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))
    seed_all(seed)  # Again: the main process alone may have drawn while the data was prepared.
    return loader


def build_trainer(
    config: ConfigParser,
    initial: InitialCheckpoint | None,
    loader: HandwritingDataLoader,
    run: RunFolder,
    device: torch.device,
) -> BaseTrainer:
    """Return the trainer of the config's network, which has the weights to begin or go on with."""
    model, source = config.build_model(loader.normalisation, loader.alphabet), loader.source
    if initial and not initial.resumed:
        known = initial.alphabet(config.needs_text)
        weights = model.extend_state_dict(initial.content["state_dict"], known and len(known))
        load_weights(model, weights, initial.path)
    adaptive = config.settings["weight_noise"] == "adaptive"
    has_schedule = config.config["lr_scheduler"] is not None
    steps = planned_steps(len(loader), config.settings) if has_schedule else None
    header = {
        "config": config.stored,
        "alphabet": loader.alphabet.characters if model.needs_text else None,
        "normalisation": loader.normalisation.to_dict(),
        "dataset": {"canonical": source.canonical, "quantisation_step": source.quantisation_step},
        "versions": versions(device),
        "modules": extension.versions(),
    }
    params = partial(parameter_groups, model.to(device), adaptive)
    optimizer = config.build("optimizer", params=params)
    schedule = config.build("lr_scheduler", optimizer=optimizer, steps=steps, total_steps=steps)
    loss, metrics = config.build("loss", model=model), config.build("metrics", model=model)
    valid = loader.split("valid")
    parts = TrainingParts(
        model, loss, metrics, optimizer, schedule, loader, valid, run, device, header
    )
    trainer = config.build("trainer", parts=parts)
    if initial and initial.resumed:
        try:
            trainer.resume(initial.content, initial.path)
        except CheckpointError as error:
            older = initial.older()
            if older is None:
                raise
            log.warning("%s; the checkpoint before it is tried", error)
            return build_trainer(config, older, loader, run, device)
    return trainer


if __name__ == "__main__":
    sys.exit(main())
