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
from data_loader import HandwritingDataLoader
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
    except UserError as error:
        status, message = 2, str(error)
    except (TrainingFailed, OSError, distributed.Lost) as error:
        status, message = 1, str(error)
    except KeyboardInterrupt as interrupt:
        status, message = console.status_of(interrupt), "interrupted"
    if distributed.claim_message(message):
        log.error("%s", message)
    return status


def train(arguments: argparse.Namespace) -> int:
    """Start a new run or resume one, and return the exit status."""
    with ExitStack() as held:
        config, former, run = beginning(arguments, held)
        again = arguments.start_or_resume and former and former.resumed
        same = again and config.config["trainer"] == former.content["config"]["trainer"]
        if same and run.is_finished():
            log.info("%s is finished", run.models)
            return 0
        device = resolve_device(arguments.device)
        loader = prepared_data(config, former, device)
        if arguments.prepare:
            known = former and former.alphabet(config.needs_text)
            print(loader.source.character_report(known=known))
            if arguments.show:
                model, cut = config.build_on_meta(former), config.settings["truncate"]
                write_png(arguments.show, samples_figure(loader, model, cut))
            return 0
        trainer = build_trainer(config, former, loader, run, device)
        stopped_by = trainer.train(config.resolved, former and former.first_weights())
    return 0 if stopped_by is None else 128 + stopped_by


def check(arguments: argparse.Namespace) -> None:
    """Raise a UserError for what can be known to be wrong before any data loads."""
    with ExitStack() as held:
        config, former, _ = beginning(arguments, held)
        config.build_on_meta(former)


def beginning(
    arguments: argparse.Namespace, held: ExitStack
) -> tuple[ConfigParser, InitialCheckpoint | None, RunFolder]:
    """Return the config, what the training starts from, and the folder of the run.

    A run that goes on is held before its newest checkpoint is looked for, as another process may
    save one.
    """
    file, place, run = arguments.config, arguments.resume, None
    written = again = None
    if not (file or arguments.prepare) and (run := RunFolder.resumed(place, arguments.run_id)):
        if arguments.saved not in (SAVED, run.saved):
            raise UserError(f"--saved is for a new run: {run.models} goes on where it is")
        run.hold()
        held.callback(run.release)
        if begun := distributed.broadcast_object(run.beginning):
            log.warning("%s was stopped before its first checkpoint: starting over", run.models)
            written, place = begun
    if file or written:
        former = InitialCheckpoint.find(place, resumed=False) if place else None
        arch = former and former.content["config"].get("arch")
        if written:
            config = ConfigParser(written, str(run.models / "run.json"), arguments.overrides)
        else:
            config = ConfigParser.from_file(file, arguments.overrides, arch)
        there = RunFolder(config.name, arguments.run_id, arguments.saved)
        if arguments.start_or_resume and distributed.broadcast_object(there.has_checkpoint):
            there.hold()
            held.callback(there.release)
            again, run, place = config, there, there.models
    if again or not (file or written):
        former = InitialCheckpoint.find(place, resumed=True)
        stored, path = former.content["config"], former.path
        config = again.resumed(stored, path) if again else None
        config = config or ConfigParser.from_checkpoint(stored, path, arguments.overrides)
    if run is None:
        new = RunFolder(config.name, arguments.run_id, arguments.saved)
        run = distributed.broadcast_object(new.refuse_if_there)
    return config, former, run


def prepared_data(
    config: ConfigParser, former: InitialCheckpoint | None, device: torch.device
) -> HandwritingDataLoader:
    """Return the loader of the training data, with its units and alphabet."""
    features = config.build_on_meta(former).features
    seed, resumed = config.settings["seed"], former is not None and former.resumed
    seed_all(seed)
    normalisation = None
    if resumed or (former and config.settings["keep_normalisation"]):
        normalisation = Normalisation.from_dict(former.content["normalisation"])
    alphabet = former and former.alphabet(config.needs_text)
    loader = config.build(
        "data_loader", seed=seed, normalisation=normalisation, alphabet=alphabet, only=None
    )
    if former:
        fitted = loader.source.fit(former.path, alphabet, device, resumed=resumed)
        config.set_dataset_arguments(fitted)
    loader.prepare(features, extends_alphabet=former is not None and not resumed)
    log.info("%s", loader.source.report())
    if new := loader.new_characters:
        log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))
    seed_all(seed)  # Again: the main process alone may have drawn while the data was prepared.
    return loader


def build_trainer(
    config: ConfigParser,
    former: InitialCheckpoint | None,
    loader: HandwritingDataLoader,
    run: RunFolder,
    device: torch.device,
) -> BaseTrainer:
    """Return the trainer of the config's network, which has the weights to begin or go on with."""
    model, source = config.build_model(loader.normalisation, loader.alphabet), loader.source
    if former and not former.resumed:
        known = former.alphabet(config.needs_text)
        weights = model.extend_state_dict(former.content["state_dict"], known and len(known))
        load_weights(model, weights, former.path)
    adaptive = config.settings["weight_noise"] == "adaptive"
    params = partial(parameter_groups, model.to(device), adaptive)
    optimizer = config.build("optimizer", params=params)
    schedule = None
    if config.config["lr_scheduler"] is not None:
        steps = BaseTrainer.planned_steps(len(loader), config.settings)
        schedule = config.build("lr_scheduler", optimizer=optimizer, steps=steps, total_steps=steps)
    header = {
        "config": config.stored,
        "alphabet": loader.alphabet.characters if model.needs_text else None,
        "normalisation": loader.normalisation.to_dict(),
        "dataset": {"canonical": source.canonical, "quantisation_step": source.quantisation_step},
        "versions": versions(device),
        "modules": extension.versions(),
    }
    trainer = config.build(
        "trainer",
        model=model,
        loss=config.build("loss"),
        metrics=config.build("metrics"),
        optimizer=optimizer,
        lr_scheduler=schedule,
        train_loader=loader,
        valid_loader=loader.split("valid"),
        run=run,
        device=device,
        checkpoint_header=header,
    )
    if former and former.resumed:
        trainer.resume(former.content, former.path)
    return trainer


if __name__ == "__main__":
    sys.exit(main())
