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
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from base import distributed, extension
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer, TrainingFailed
from base.checkpoint import (
    checkpoints,
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
from data_loader import HandDataset
from logger.logger import setup_logging
from model.loading import naming_incompatibilities
from parse_config import STAND_INS, ConfigParser
from trainer import own_hand
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
    own = RunFolder.of(arguments.resume) if arguments.resume and not arguments.config else None
    is_resumed = own is not None and arguments.run_id in (None, own.run_id)
    if not is_resumed or arguments.prepare or not own.continues(arguments.resume):
        return train_in(None, arguments)
    with own.held():  # Before looking for its newest checkpoint: another process may save one.
        if begun := distributed.broadcast_object(own.beginning):
            log.warning("%s was stopped before its first checkpoint: starting over", own.models)
            arguments.config, arguments.resume = begun
        return train_in(own, arguments)


def train_in(run: RunFolder | None, arguments: argparse.Namespace) -> int:
    """Train in the folder of an existing run, or, without one, in that of a new run."""
    path, checkpoint = (None, None) if arguments.resume is None else find(arguments)
    if arguments.config:
        arch = None if checkpoint is None else checkpoint["config"].get("arch")
        config = ConfigParser.from_file(arguments.config, arguments.overrides, arch)
    else:
        config = ConfigParser.from_checkpoint(checkpoint["config"], path, arguments.overrides)
    settings = config.config["trainer"]["args"]
    former = None if checkpoint is None else Former(path, checkpoint, not arguments.config)
    if former is not None:  # Weights that do not fit are refused before data is loaded.
        # Without memory where nothing new has to be added to the weights.
        with torch.device("meta" if former.resumed else "cpu"):
            build_network(config, former, STAND_INS["normalisation"], former.alphabet(config))
    run = run or distributed.broadcast_object(lambda: new_run(config.name, arguments.run_id))
    device, seed = resolve_device(arguments.device), settings.get("seed", 0)
    seed_all(seed)

    loader = build_loader(config, former, seed, run, device)
    seed_all(seed)  # Again: some of what was drawn meanwhile was drawn in the main process alone.
    if arguments.prepare:
        print(loader.source.character_report(known=former and former.alphabet(config)))
        return 0
    model = build_network(config, former, loader.normalisation, loader.alphabet).to(device)
    loader.features = model.features
    optimizer, schedule = config.build("optimizer", model.parameters()), None
    if config.config["lr_scheduler"] is not None:
        steps = BaseTrainer.planned_steps(len(loader), settings)
        schedule = config.build_scheduler(optimizer, steps)
    trainer = config.build(
        "trainer",
        model,
        config.build("loss"),
        config.build("metrics"),
        optimizer,
        schedule,
        loader,
        loader.split("valid"),
        run,
        device,
        checkpoint_header(config, loader, device),
    )
    if former is not None and former.resumed:
        trainer.resume(checkpoint, path)
    elif former is not None:
        run.weights_from = path
    kept = False
    try:
        stopped_by = trainer.train()
        if trainer.unfinished is False:
            kept = None  # not known until then
            kept = own_hand.conclude(run, loader.source, device)
    finally:
        if not kept and trainer.unfinished is not None and checkpoints(run.models):
            what = f"use it: python experiments.py {trainer.use}"
            if trainer.unfinished or kept is None:
                what = f"{'resume' if trainer.unfinished else 'finish'}: python train.py"
            where = f"{shlex.quote(str(run.models))}{extension.options()}"
            log.info("to %s -r %s", what, where)
    return 0 if stopped_by is None else 128 + stopped_by


@dataclass
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


def find(arguments: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """Return the checkpoint that -r names, and its file.

    Raises:
        CheckpointError: if there is none, or it is to be resumed and cannot be.
    """
    path, checkpoint, skipped = distributed.broadcast_object(
        lambda: find_checkpoint(arguments.resume)
    )
    for cause in skipped:
        log.warning("skipped %s", cause)
    if arguments.config:
        return path, checkpoint
    if "training" not in checkpoint:
        raise CheckpointError(
            f"{path}: contains no training state and cannot be resumed; -c CONFIG starts a new "
            "training from its weights"
        )
    extension.check(checkpoint.get("modules", {}), path)
    return path, checkpoint


def build_loader(
    config: ConfigParser, former: Former | None, seed: int, run: RunFolder, device: torch.device
) -> Any:
    """Return the config's data loader, prepared; what it found is logged."""
    normalisation = alphabet = None
    if former is not None:
        alphabet = former.alphabet(config)
        if former.resumed or config.config["trainer"]["args"].get("keep_normalisation", False):
            normalisation = stored_normalisation(former.checkpoint, former.path)
    loader = config.build("data_loader", seed, normalisation, alphabet)
    loader.extends_alphabet = former is None or not former.resumed
    if isinstance(loader.source, HandDataset) and former is not None:
        found = own_hand.prepare(
            loader.source, run, former.path, alphabet, device, resumed=former.resumed
        )
        # So that the checkpoints say in which units the lines are.
        dataset = config.config["data_loader"]["args"]["dataset"]
        dataset["args"] |= {"x_height": found.height, "step": found.step}
    loader.prepare()
    log.info("%s", loader.source.report())
    if new := loader.new_characters:
        log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))
    return loader


def build_network(
    config: ConfigParser,
    former: Former | None,
    normalisation: Normalisation,
    alphabet: Alphabet | None,
) -> BaseModel:
    """Return the config's network, with the weights of a former one where it does not resume it.

    Raises:
        CheckpointError: if the former's weights do not fit.
    """
    arguments = normalisation, alphabet
    if former is None:
        return config.build_model(*arguments)
    weights, path = former.checkpoint["state_dict"], former.path
    before, now = former.checkpoint["config"].get("arch"), config.config["arch"]
    with naming_incompatibilities(before, now, *arguments, path):
        if former.resumed:  # the trainer loads its weights
            return config.build_model(*arguments, weights)
        model, known = config.build_model(*arguments), former.alphabet(config)
        size = None if known is None else len(known)
        load_weights(model, weights, path, vocab_size=size, grow=True)
        return model


def checkpoint_header(config: ConfigParser, loader: Any, device: torch.device) -> dict[str, Any]:
    """Return what the checkpoints of a run hold beside its state."""
    source = loader.source
    return {
        "config": config.stored,
        "alphabet": loader.alphabet.characters if config.needs_text else None,
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
