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
    if arguments.resume and not (arguments.config or arguments.prepare):
        run = RunFolder.of(arguments.resume)
        if run and not (arguments.run_id in (None, run.run_id) and run.continues(arguments.resume)):
            run = None
    # Held before looking for its newest checkpoint: another process may save one.
    with run.held() if run else nullcontext():
        begun = distributed.broadcast_object(run.beginning) if run else None
        if begun:
            log.warning("%s was stopped before its first checkpoint: starting over", run.models)
        file, place = begun or (arguments.config, arguments.resume)
        resumed = file is None
        path, former = find(place, resumed) if place else (None, None)
        if resumed:
            config = ConfigParser.from_checkpoint(former["config"], path, arguments.overrides)
        else:
            arch = former and former["config"].get("arch")
            config = ConfigParser.from_file(file, arguments.overrides, arch)
        alphabet = stored_alphabet(former, path) if former and config.needs_text else None
        features = sketch(config, former, path, alphabet, resumed).features
        run = run or distributed.broadcast_object(lambda: new_run(config.name, arguments.run_id))
        settings = config.config["trainer"]["args"]
        device, seed = resolve_device(arguments.device), settings.get("seed", 0)
        seed_all(seed)

        normalisation, fitted = None, {}
        if resumed or (former and settings.get("keep_normalisation", False)):
            normalisation = Normalisation.from_dict(former["normalisation"])
        loader = config.build(
            "data_loader", seed=seed, normalisation=normalisation, alphabet=alphabet
        )
        if former:
            fitted = loader.source.fit(path, alphabet, device, resumed=resumed)
        loader.prepare(features, extends_alphabet=former is not None and not resumed)
        log.info("%s", loader.source.report())
        if new := loader.new_characters:
            log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))
        if arguments.prepare:
            print(loader.source.character_report(known=alphabet))
            return 0

        seed_all(seed)  # Again: the main process alone may have drawn while the data was prepared.
        model, weights_from = config.build_model(loader.normalisation, loader.alphabet), path
        if resumed:
            weights_from = (origin := RunFolder.of(path)) and origin.first_weights()
        elif former:
            size = alphabet and len(alphabet)
            load_weights(model, model.extend_state_dict(former["state_dict"], size), path)
        adaptive = settings.get("weight_noise") == "adaptive"
        optimizer = config.build("optimizer", params=parameter_groups(model.to(device), adaptive))
        schedule = None
        if config.config["lr_scheduler"] is not None:
            steps = BaseTrainer.planned_steps(len(loader), settings)
            schedule = config.build("lr_scheduler", optimizer=optimizer, steps=steps)
        loss, metrics = config.build("loss"), config.build("metrics")
        header = checkpoint_header(config.stored, fitted, loader, model, device)
        trainer = config.build(
            "trainer",
            model=model,
            loss=loss,
            metrics=metrics,
            optimizer=optimizer,
            lr_scheduler=schedule,
            train_loader=loader,
            valid_loader=loader.split("valid"),
            run=run,
            device=device,
            checkpoint_header=header,
        )
        if resumed:
            trainer.resume(former, path)
        stopped_by = trainer.train(weights_from)
    return 0 if stopped_by is None else 128 + stopped_by


def find(place: str, resumed: bool) -> tuple[Path, dict[str, Any]]:
    """Return the file and the contents of the checkpoint that -r names.

    Raises:
        CheckpointError: if there is none, or it is to be resumed and cannot be.
    """
    path, checkpoint, skipped = distributed.broadcast_object(lambda: find_checkpoint(place))
    for cause in skipped:
        log.warning("skipped %s", cause)
    if resumed and "training" not in checkpoint:
        raise CheckpointError(
            f"{path}: contains no training state and cannot be resumed; -c CONFIG starts a new "
            "training from its weights"
        )
    if resumed:
        extension.check(checkpoint.get("modules", {}), path)
    return path, checkpoint


def sketch(
    config: ConfigParser,
    former: dict[str, Any] | None,
    path: Path | None,
    alphabet: Alphabet | None,
    resumed: bool,
) -> BaseModel:
    """Return the config's network without memory for its weights, before any data loads.

    Raises:
        CheckpointError: if the weights of the checkpoint `former`, read from `path`, do not fit.
    """
    with torch.device("meta"):
        model = config.build_model(STAND_INS["normalisation"], alphabet or STAND_INS["alphabet"])
    if former:
        weights = {name: one.to("meta") for name, one in former["state_dict"].items()}
        if not resumed:
            weights = model.extend_state_dict(weights, alphabet and len(alphabet))
        with naming_incompatibilities(former["config"].get("arch"), config.config["arch"], path):
            check_weights(model, weights, path)
    return model


def checkpoint_header(
    config: dict[str, Any],
    fitted: dict[str, Any],
    loader: HandwritingDataLoader,
    model: BaseModel,
    device: torch.device,
) -> dict[str, Any]:
    """Return what the checkpoints of a run hold beside its state; `fitted` goes into the config."""
    if fitted:
        config["data_loader"]["args"]["dataset"]["args"] |= fitted
    source = loader.source
    units = {"canonical": source.canonical, "quantisation_step": source.quantisation_step}
    return {
        "config": config,
        "alphabet": loader.alphabet.characters if model.needs_text else None,
        "normalisation": loader.normalisation.to_dict(),
        "dataset": units,
        "versions": versions(device),
        "modules": extension.versions(),
    }


def new_run(name: str, run_id: str | None) -> RunFolder:
    """Return the folder of a new run, which does not exist yet."""
    run = RunFolder(name, run_id)
    run.refuse_if_there()
    return run


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
