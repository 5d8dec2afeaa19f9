"""Trains a network from a JSON config, or resumes a run: `python train.py --help`."""

from utils import console

if __name__ == "__main__":
    console.set_up()  # before the slow imports, which a signal may interrupt

import argparse
import logging
import sys
from contextlib import ExitStack
from functools import partial

import torch

from base import distributed
from base.base_trainer import BaseTrainer, TrainingFailed
from base.checkpoint import Checkpoint, load_weights
from base.config import user_modules
from base.device import resolve_device
from base.dry_run import trying
from base.provenance import versions
from base.random_state import seed_all
from base.training_parts import TrainingParts
from commands import sweep, train_options
from commands.start import Start, resolve_start
from data_loader.data_loaders import Data
from logger.logger import setup_logging
from model.trained_network import licence_of
from utils.alphabet import table
from utils.checks import CheckpointError, ConfigFault, UserError, first_line, shown
from utils.licences import combined
from utils.normalisation import Normalisation

log = logging.getLogger("train")


def main(words: list[str] | None = None) -> int:
    """Run the command line `words`, or that of the process, and return the exit status."""
    setup_logging()
    try:
        arguments = train_options.parse(words)
        with console.Interruptible(), distributed.started():
            setup_logging(logging.INFO if distributed.is_main() else logging.ERROR)
            for path in arguments.modules:
                user_modules.load_module(path)
            if arguments.sweeps:
                return sweep.train_all(arguments, train)
            return prepare(arguments) if arguments.prepare else train(arguments)
    except (UserError, TrainingFailed, OSError, distributed.Lost) as error:
        status, message = 2 if isinstance(error, UserError) else 1, str(error)
    except MemoryError as error:
        status, message = 2, f"not enough memory: {first_line(error)}"
    except KeyboardInterrupt as interrupt:
        status, message = console.status_of(interrupt), "interrupted"
    if distributed.claim_message(message):
        log.error("%s", message)
    return status


def train(arguments: argparse.Namespace) -> int:
    """Start a new run or resume one, and return the exit status."""
    with ExitStack() as locks:
        start = resolve_start(arguments, locks)
        if arguments.start_or_resume and start.is_finished():
            log.info("%s is finished", start.run.models)
            return 0
        device = resolve_device(arguments.device)
        data = load_data(start, device, arguments.new_data)
        trainer = build_trainer(start, data, device)
        stopped_by = trainer.train()
    return 0 if stopped_by is None else 128 + stopped_by


def prepare(arguments: argparse.Namespace) -> int:
    """Prepare the data, and print their characters."""
    start = resolve_start(arguments)
    data = load_data(start, resolve_device(arguments.device), arguments.new_data)
    print(data.loaded.character_report(data.new_characters))
    return 0


def load_data(start: Start, device: torch.device, new_data: bool) -> Data:
    """Return the data of a training, prepared for its network.

    The data of a resumed run may only differ from its former data if `new_data` is true.
    """
    model, config, weights = start.model_on_meta(), start.config, start.checkpoint
    seed, normalisation = config.settings.seed, None
    seed_all(seed)
    if start.is_resumed or (weights and config.settings.keep_normalisation):
        normalisation = Normalisation.from_dict(weights.content["normalisation"])
    alphabet = start.alphabet
    if not start.is_resumed:
        config.name_by_content()
    settings = config.build("data_loader")
    with trying("data_loader.args.dataset", settings.dataset, "a dataset that loads samples"):
        if weights:
            loaded, fitted = settings.dataset.load_adapted(
                weights.path, alphabet, device, resumed=start.is_resumed
            )
            config.set_dataset_arguments(fitted)
        else:
            loaded = settings.dataset.load()
        model = start.model_on_meta(loaded.extras) if model is None else model
        data = settings.for_network(
            loaded,
            seed=seed,
            normalisation=normalisation,
            alphabet=alphabet,
            features=model.features,
            extras=model.extras,
            extends_alphabet=weights is not None and not start.is_resumed,
        )
    start.check_data(loaded, new_data)
    log.info("%s", loaded.report)
    if new := data.new_characters:
        log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))
    seed_all(seed)  # again, as the main process may have drawn numbers while it loaded the data
    return data


def build_trainer(start: Start, data: Data, device: torch.device) -> BaseTrainer:
    """Return the trainer of a run, with its initial or resumed weights."""
    config, train_loader = start.config, data.training_loader()
    build_model = partial(config.build_model, data.normalisation, data.alphabet, data.extras)
    model = build_model()
    if start.checkpoint and not start.is_resumed:
        load_weights(model, start.state_dict_for(model), start.checkpoint.path)
    steps = config.settings.planned_steps(len(train_loader))
    optimizer = config.build("optimizer", params=[*model.to(device).parameters()])
    schedule = config.build("lr_scheduler", optimizer=optimizer, steps=steps, total_steps=steps)
    parts = TrainingParts(
        model=model,
        loss=config.build("loss", model=model),
        metrics=config.build("metrics", model=model),
        optimizer=optimizer,
        lr_scheduler=schedule,
        train_loader=train_loader,
        valid_loader=data.loader("valid"),
        run=start.run,
        device=device,
        checkpoint_header=checkpoint_header(start, data, device),
        rebuild=build_model,
        config=config.resolved,
        weights_from=start.checkpoint and start.checkpoint.path,
    )
    trainer = config.build("trainer", parts=parts)
    # Data and schedule depend on the config's settings, so the trainer must have the same settings.
    for name, value in vars(config.settings).items():
        if (passed := getattr(trainer.settings, name)) != value:
            cause = f"{type(trainer).__name__} gives its base {shown(passed)}"
            raise ConfigFault(f"trainer.args.{name}", value, f"{cause}: name it as an argument")
    if not start.is_resumed:
        return trainer
    try:
        trainer.checkpoint_writer.load(start.checkpoint.content, start.checkpoint.path)
    except CheckpointError as error:
        if (older := start.older()) is None:
            raise
        log.warning("%s; an older checkpoint is tried", error)
        return build_trainer(older, data, device)
    return trainer


def checkpoint_header(start: Start, data: Data, device: torch.device) -> Checkpoint:
    """Return what all checkpoints of a run have in common, as no step changes it."""
    config, loaded = start.config, data.loaded
    weights_licences = {licence_of(start.checkpoint.content)} if start.checkpoint else set()
    header = {
        "config": config.stored,
        "alphabet": data.alphabet.characters if config.needs_text else None,
        "normalisation": data.normalisation.to_dict(),
        "dataset": {
            "canonical": loaded.canonical,
            "quantisation_step": loaded.quantisation_step,
            "fingerprints": loaded.fingerprints,
        },
        "licence": combined(data.settings.dataset.licences() | weights_licences),
        "versions": versions(device),
        "modules": user_modules.digests(),
    }
    if data.extras:
        header["extras"] = {name: [*shape] for name, shape in data.extras.items()}
    return header


if __name__ == "__main__":
    sys.exit(main())
