"""Train a network from a JSON config, or resume a run.

examples:
  python train.py -c configs/unconditional.json
  python train.py -c configs/conditional.json -d cuda --epochs 20 -o arch.args.hidden_size=64
  python train.py -r saved/models/NAME/RUN_ID                     (resumes a run)
  python train.py -c configs/conditional.json -r CHECKPOINT       (starts from its weights)
  torchrun --nproc_per_node=4 train.py -c configs/conditional.json   (splits each batch over 4)
"""

from utils import console

if __name__ == "__main__":
    console.set_up()  # Before the slow imports, during which there may be an interrupt.

import argparse
import logging
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from base import distributed, extension
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer, TrainingFailed
from base.checkpoint import (
    Checkpoint,
    check_weights,
    find_checkpoint,
    load_weights,
    stored_alphabet,
)
from base.device import resolve_device
from base.pretrained import pretrained
from base.random_state import seed_all
from base.run_folder import RunFolder, versions
from base.weight_noise import parameter_groups
from commands import options
from data_loader import HandwritingDataLoader
from logger.logger import setup_logging
from model.loading import naming_incompatibilities
from parse_config import STAND_INS, ConfigParser
from utils.alphabet import Alphabet, table
from utils.checks import CheckpointError, UserError
from utils.normalisation import Normalisation

log = logging.getLogger("train")


def main(words: list[str] | None = None) -> int:
    """Run the command line, and return the exit status."""
    setup_logging()
    try:
        arguments = parse(words)
        with console.Interruptible(), distributed.started():
            setup_logging(logging.INFO if distributed.is_main() else logging.ERROR)
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
    options.load_modules(arguments)
    run = None
    if not (arguments.config or arguments.prepare):
        run = RunFolder.resumed(arguments.resume, arguments.run_id)
    # Held before looking for its newest checkpoint: another process may save one.
    with run.held() if run else nullcontext():
        begun = distributed.broadcast_object(run.beginning) if run else None
        if begun:
            log.warning("%s was stopped before its first checkpoint: starting over", run.models)
        file, place = begun or (arguments.config, arguments.resume)
        former = InitialCheckpoint.find(place, resumed=file is None) if place else None
        stored = former and former.content["config"]
        if file is None:
            config = ConfigParser.from_checkpoint(stored, former.path, arguments.overrides)
        else:
            arch = stored and stored.get("arch")
            config = ConfigParser.from_file(file, arguments.overrides, arch)
        if run is None:
            new = RunFolder(config.name, arguments.run_id)
            run = distributed.broadcast_object(new.refuse_if_there)
        device = resolve_device(arguments.device)
        loader = prepared_data(config, former, device)
        if arguments.prepare:
            print(loader.source.character_report(known=former and former.alphabet(config)))
            return 0
        trainer = build_trainer(config, former, loader, run, device)
        stopped_by = trainer.train(former and former.first_weights())
    return 0 if stopped_by is None else 128 + stopped_by


@dataclass(frozen=True)
class InitialCheckpoint:
    """The checkpoint that a training starts from."""

    path: Path
    content: Checkpoint
    resumed: bool
    """Whether its run goes on; else a new one begins with its weights."""

    @classmethod
    def find(cls, place: str, *, resumed: bool) -> "InitialCheckpoint":
        """Find the checkpoint that -r names.

        Raises:
            CheckpointError: if there is none, or it is to be resumed and cannot be.
        """
        path, content, skipped = distributed.broadcast_object(lambda: find_checkpoint(place))
        for cause in skipped:
            log.warning("skipped %s", cause)
        if resumed and "training" not in content:
            raise CheckpointError(
                f"{path}: contains no training state and cannot be resumed; -c CONFIG starts a new "
                "training from its weights"
            )
        if resumed:
            extension.check(content.get("modules", {}), path)
        return cls(path, content, resumed)

    def alphabet(self, config: ConfigParser) -> Alphabet | None:
        """Return the characters that the network knows; None if that of `config` takes no text."""
        return stored_alphabet(self.content, self.path) if config.needs_text else None

    def first_weights(self) -> Path | None:
        """Return the file with whose weights the run began."""
        if not self.resumed:
            return self.path
        origin = RunFolder.of(self.path)
        return origin and origin.first_weights()


def build_on_meta(config: ConfigParser, former: InitialCheckpoint | None) -> BaseModel:
    """Return the config's network without memory for its weights, before any data loads.

    Raises:
        CheckpointError: if the weights of the checkpoint do not fit.
    """
    alphabet = former and former.alphabet(config)
    with torch.device("meta"):
        model = config.build_model(STAND_INS["normalisation"], alphabet or STAND_INS["alphabet"])
    if former:
        weights = {name: one.to("meta") for name, one in former.content["state_dict"].items()}
        if not former.resumed:
            weights = model.extend_state_dict(weights, alphabet and len(alphabet))
        arch = former.content["config"].get("arch")
        with naming_incompatibilities(arch, config.config["arch"], former.path):
            check_weights(model, weights, former.path)
    return model


def prepared_data(
    config: ConfigParser, former: InitialCheckpoint | None, device: torch.device
) -> HandwritingDataLoader:
    """Return the loader of the training data, with its units and alphabet."""
    features = build_on_meta(config, former).features
    settings = config.config["trainer"]["args"]
    seed, resumed = settings.get("seed", 0), former is not None and former.resumed
    seed_all(seed)
    normalisation = None
    if resumed or (former and settings.get("keep_normalisation", False)):
        normalisation = Normalisation.from_dict(former.content["normalisation"])
    alphabet = former and former.alphabet(config)
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
    settings, source = config.config["trainer"]["args"], loader.source
    model = config.build_model(loader.normalisation, loader.alphabet)
    if former and not former.resumed:
        known = former.alphabet(config)
        weights = model.extend_state_dict(former.content["state_dict"], known and len(known))
        load_weights(model, weights, former.path)
    adaptive = settings.get("weight_noise") == "adaptive"
    optimizer = config.build(
        "optimizer", params=partial(parameter_groups, model.to(device), adaptive)
    )
    schedule = None
    if config.config["lr_scheduler"] is not None:
        steps = BaseTrainer.planned_steps(len(loader), settings)
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


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    text, _, examples = __doc__.partition("\n\n")
    parser = options.Parser(description=text, epilog=examples)
    add = parser.add_argument
    add("-c", "--config", metavar="FILE", help="JSON config (default: that of -r)")
    add(
        *("-r", "--resume"),
        metavar="CHECKPOINT",
        help="resume from this checkpoint, or from the newest complete one in this run folder; "
        "with -c fine-tune instead: start from its weights only, adding characters that it lacks. "
        f"Pretrained networks can be named: {', '.join(pretrained())} (default: a new run)",
    )
    add("--run-id", metavar="ID", help="name of the run's folder (default: the current time)")
    add(
        "--prepare",
        action="store_true",
        help="prepare the data, print its counts, and exit (default: train)",
    )
    options.add_overrides(parser, trains=True)
    options.add_common(parser)
    arguments = parser.parse(words)
    if not (arguments.config or arguments.resume):
        parser.error("-c CONFIG or -r CHECKPOINT is needed")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
