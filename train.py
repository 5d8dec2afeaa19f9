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
from pathlib import Path
from typing import Any

import torch

from base import distributed, extension
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer, TrainingFailed
from base.checkpoint import (
    check_weights,
    find_checkpoint,
    load_weights,
    stored_alphabet,
    stored_normalisation,
)
from base.device import resolve_device
from base.pretrained import pretrained
from base.random_state import seed_all
from base.run_folder import RunFolder, versions
from commands import options
from data_loader import HandwritingDataLoader
from logger.logger import setup_logging
from model.loading import naming_incompatibilities
from parse_config import STAND_INS, ConfigParser
from utils.alphabet import Alphabet, table
from utils.checks import CheckpointError, UserError

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
    begun, run = (arguments.config, arguments.resume), None
    if arguments.resume and not arguments.config and not arguments.prepare:
        run = RunFolder.of(arguments.resume)
        if run and not (arguments.run_id in (None, run.run_id) and run.continues(arguments.resume)):
            run = None
    # Held before looking for its newest checkpoint: another process may save one.
    with run.held() if run else nullcontext():
        if run and (beginning := distributed.broadcast_object(run.beginning)):
            log.warning("%s was stopped before its first checkpoint: starting over", run.models)
            begun = beginning
        former = None if begun[1] is None else find(begun[1], resumed=not begun[0])
        if begun[0]:
            arch = None if former is None else former.checkpoint["config"].get("arch")
            config = ConfigParser.from_file(begun[0], arguments.overrides, arch)
        else:
            stored = former.checkpoint["config"]
            config = ConfigParser.from_checkpoint(stored, former.path, arguments.overrides)
        settings = config.config["trainer"]["args"]
        alphabet = former.alphabet(config) if former else None
        # Weights that do not fit are refused before data is loaded.
        features = sketch(config, former, alphabet).features
        run = run or distributed.broadcast_object(lambda: new_run(config.name, arguments.run_id))
        device, seed = resolve_device(arguments.device), settings.get("seed", 0)
        seed_all(seed)

        normalisation = None
        if former and (former.resumed or settings.get("keep_normalisation", False)):
            normalisation = stored_normalisation(former.checkpoint, former.path)
        loader = config.build("data_loader", seed, normalisation, alphabet)
        fitted = {}
        if former:
            fitted = loader.source.fit(former.path, alphabet, device, resumed=former.resumed)
        loader.prepare(features, extends_alphabet=former is not None and not former.resumed)
        log.info("%s", loader.source.report())
        if new := loader.new_characters:
            log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))
        if arguments.prepare:
            print(loader.source.character_report(known=alphabet))
            return 0

        seed_all(seed)  # Again: the main process alone may have drawn while the data was prepared.
        model = config.build_model(loader.normalisation, loader.alphabet)
        if former and not former.resumed:
            size, weights = alphabet and len(alphabet), former.checkpoint["state_dict"]
            load_weights(model, weights, former.path, vocab_size=size, grow=True)
        optimizer = config.build("optimizer", model.to(device).parameters())
        schedule = None
        if config.config["lr_scheduler"] is not None:
            steps = BaseTrainer.planned_steps(len(loader), settings)
            schedule = config.build("lr_scheduler", optimizer, steps)
        loss, metrics = config.build("loss"), config.build("metrics")
        header = checkpoint_header(config.stored, fitted, loader, model, device)
        trainer = config.build(
            *("trainer", model, loss, metrics, optimizer, schedule),
            *(loader, loader.split("valid"), run, device, header),
        )
        if former and former.resumed:
            trainer.resume(former.checkpoint, former.path)
        stopped_by = trainer.train(former and former.first_weights)
    return 0 if stopped_by is None else 128 + stopped_by


@dataclass(frozen=True)
class Former:
    """The training that this one continues.

    Attributes:
        path: the checkpoint's file.
        checkpoint: what it holds.
        resumed: whether the run itself goes on; else a new one starts from its weights.
    """

    path: Path
    checkpoint: dict[str, Any]
    resumed: bool

    def alphabet(self, config: ConfigParser) -> Alphabet | None:
        """Return the alphabet of its network, if the config's network needs one."""
        return stored_alphabet(self.checkpoint, self.path) if config.needs_text else None

    @property
    def first_weights(self) -> Path | None:
        """The checkpoint with whose weights the run began, if any."""
        run = RunFolder.of(self.path) if self.resumed else None
        return (run and run.first_weights()) if self.resumed else self.path


def find(place: str, resumed: bool) -> Former:
    """Return the training whose checkpoint -r names.

    Raises:
        CheckpointError: if there is none, or it is to be resumed and cannot be.
    """
    path, checkpoint, skipped = distributed.broadcast_object(lambda: find_checkpoint(place))
    for cause in skipped:
        log.warning("skipped %s", cause)
    if resumed:
        if "training" not in checkpoint:
            raise CheckpointError(
                f"{path}: contains no training state and cannot be resumed; -c CONFIG starts a new "
                "training from its weights"
            )
        extension.check(checkpoint.get("modules", {}), path)
    return Former(path, checkpoint, resumed)


def sketch(config: ConfigParser, former: Former | None, alphabet: Alphabet | None) -> BaseModel:
    """Return the config's network without memory for its weights.

    Raises:
        CheckpointError: if the former network's weights do not fit.
    """
    supplied = STAND_INS["normalisation"], alphabet
    with torch.device("meta"):
        if former is None:
            return config.build_model(STAND_INS["normalisation"], STAND_INS["alphabet"])
        model = config.build_model(*supplied)
        weights = {name: one.to("meta") for name, one in former.checkpoint["state_dict"].items()}
        size = None if alphabet is None else len(alphabet)
        if not former.resumed:
            weights = model.extend_state_dict(weights, size)
    before = former.checkpoint["config"].get("arch")
    with naming_incompatibilities(before, config.config["arch"], former.path):
        check_weights(model, weights, former.path, size)
    return model


def checkpoint_header(
    config: dict[str, Any],
    fitted: dict[str, Any],
    loader: HandwritingDataLoader,
    model: BaseModel,
    device: torch.device,
) -> dict[str, Any]:
    """Return what the checkpoints of a run hold beside its state; `fitted` goes into the config."""
    source = loader.source
    if fitted:
        config["data_loader"]["args"]["dataset"]["args"] |= fitted
    return {
        "config": config,
        "alphabet": loader.alphabet.characters if model.needs_text else None,
        "normalisation": loader.normalisation.to_dict(),
        "dataset": {
            "canonical": source.canonical,
            "quantisation_step": source.quantisation_step,
        },
        "versions": versions(device),
        "modules": extension.versions(),
    }


def new_run(name: str, run_id: str | None) -> RunFolder:
    """Return the folder of a new run, which does not exist yet."""
    run = RunFolder(name, run_id)
    run.refuse_if_there()
    return run


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line; without any words print the help and exit with status 2."""
    text, _, examples = __doc__.partition("\n\n")
    parser = options.Parser(
        description=text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    words = sys.argv[1:] if words is None else words
    if not words:
        parser.print_help()
        parser.exit(2)
    arguments = parser.parse_args(words)
    if not (arguments.config or arguments.resume):
        parser.error("-c CONFIG or -r CHECKPOINT is needed")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
