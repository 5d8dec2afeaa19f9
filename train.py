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
from base.weight_noise import parameter_groups
from commands import options, sweep, train_options
from data_loader.data_loaders import Data
from data_loader.looking import samples_figure
from logger.logger import setup_logging
from parse_config import ConfigParser
from utils.alphabet import table
from utils.checks import UserError
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
        data = load_data(config, initial, device)
        if arguments.prepare:
            print(data.loaded.character_report(data.new_characters))
            if arguments.show:
                model, cut = config.build_on_meta(initial), config.settings["truncate"]
                write_png(arguments.show, samples_figure(data, model, cut))
            return 0
        trainer = build_trainer(config, initial, data, run, device)
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


def load_data(
    config: ConfigParser, initial: InitialCheckpoint | None, device: torch.device
) -> Data:
    """Return the data of a training, with their units and alphabet."""
    features = config.build_on_meta(initial).features
    seed, resumed = config.settings["seed"], initial is not None and initial.resumed
    seed_all(seed)
    normalisation = None
    if resumed or (initial and config.settings["keep_normalisation"]):
        normalisation = Normalisation.from_dict(initial.content["normalisation"])
    alphabet = initial and initial.alphabet(config.needs_text)
    settings = config.build("data_loader")
    if initial:
        loaded, fitted = settings.dataset.load_adapted(
            initial.path, alphabet, device, resumed=resumed
        )
        config.set_dataset_arguments(fitted)
    else:
        loaded = settings.dataset.load()
    data = settings.for_network(
        loaded,
        seed=seed,
        normalisation=normalisation,
        alphabet=alphabet,
        features=features,
        extends_alphabet=initial is not None and not resumed,
    )
    log.info("%s", loaded.report)
    if new := data.new_characters:
        log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))
    seed_all(seed)  # Again: the main process alone may have drawn while the data was loaded.
    return data


def build_trainer(
    config: ConfigParser,
    initial: InitialCheckpoint | None,
    data: Data,
    run: RunFolder,
    device: torch.device,
) -> BaseTrainer:
    """Return the trainer of the config's network, which has the weights to begin or go on with."""
    model, loaded = config.build_model(data.normalisation, data.alphabet), data.loaded
    train_loader = data.training_loader()
    if initial and not initial.resumed:
        known = initial.alphabet(config.needs_text)
        weights = model.extend_state_dict(initial.content["state_dict"], known and len(known))
        load_weights(model, weights, initial.path)
    adaptive = config.settings["weight_noise"] == "adaptive"
    has_schedule = config.config["lr_scheduler"] is not None
    steps = BaseTrainer.planned_steps(len(train_loader), config.settings) if has_schedule else None
    header = {
        "config": config.stored,
        "alphabet": data.alphabet.characters if model.needs_text else None,
        "normalisation": data.normalisation.to_dict(),
        "dataset": {"canonical": loaded.canonical, "quantisation_step": loaded.quantisation_step},
        "versions": versions(device),
        "modules": extension.versions(),
    }
    supplied = {
        "params": partial(parameter_groups, model.to(device), adaptive),
        "steps": steps,
        "total_steps": steps,
        "model": model,
        "train_loader": train_loader,
        "valid_loader": data.loader("valid"),
        "run": run,
        "device": device,
        "checkpoint_header": header,
    }
    for key in ("optimizer", "lr_scheduler", "loss", "metrics", "trainer"):
        supplied[key] = config.build(key, **supplied)
    trainer = supplied["trainer"]
    if initial and initial.resumed:
        trainer.resume(initial.content, initial.path)
    return trainer


if __name__ == "__main__":
    sys.exit(main())
