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
import signal
import sys

from base import distributed, extension
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
from logger.logger import setup_logging
from model.loading import naming_misfits
from parse_config import ConfigParser
from utils.alphabet import table
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
    except KeyboardInterrupt:
        status, message = 128 + signal.SIGINT, "interrupted; there was nothing to save"
    if distributed.first_to_say(message):
        log.error("%s", message)
    return status


def train(arguments: argparse.Namespace) -> int:
    """Start a new run or resume one, and return the exit status."""
    options.load_modules(arguments)
    own = RunFolder.of(arguments.resume) if arguments.resume and not arguments.config else None
    if own is None or arguments.prepare or arguments.run_id not in (None, own.run_id):
        return train_in(None, arguments)
    with own.held():  # Before looking for its newest checkpoint: another process may save one.
        if begun := distributed.broadcast_object(own.beginning):
            log.warning("%s was stopped before its first checkpoint: starting over", own.models)
            arguments.config, arguments.resume = begun
        return train_in(own, arguments)


def train_in(run: RunFolder | None, arguments: argparse.Namespace) -> int:
    """Train in the folder of an existing run, or, without one, in that of a new run."""
    checkpoint = path = None
    if arguments.resume:
        path, checkpoint, skipped = distributed.broadcast_object(
            lambda: find_checkpoint(arguments.resume)
        )
        for cause in skipped:
            log.warning("skipped %s", cause)
        if not arguments.config and "training" not in checkpoint:
            raise CheckpointError(
                f"{path}: contains no training state and cannot be resumed; -c CONFIG starts a new "
                "training from its weights"
            )
        if not arguments.config:
            extension.check(checkpoint.get("modules", {}), path)
    if arguments.config:
        config = ConfigParser.from_file(arguments.config, arguments.overrides)
    else:
        config = ConfigParser.from_checkpoint(checkpoint["config"], path, arguments.overrides)
    settings = config.config["trainer"]["args"]
    resuming = checkpoint is not None and not arguments.config
    run = run or distributed.broadcast_object(lambda: new_run(config.name, arguments.run_id))
    device = resolve_device(arguments.device)
    seed = settings.get("seed", 0)
    seed_all(seed)

    normalisation = alphabet = None
    if checkpoint is not None:
        if resuming or settings.get("keep_normalisation", False):
            normalisation = stored_normalisation(checkpoint, path)
        if config.needs_text:
            alphabet = stored_alphabet(checkpoint, path)
    loader = config.build("data_loader", seed, normalisation, alphabet)
    loader.extends_alphabet = not resuming
    loader.prepare()
    log.info("%s", loader.source.report())
    if arguments.prepare:
        print(loader.source.character_report(known=alphabet))
        return 0
    if new := loader.new_characters:
        log.info("new characters: %d, with counts in all splits\n%s", len(new), table(new))

    own_weights, former = (
        (checkpoint["state_dict"], checkpoint["config"]) if checkpoint else (None, {})
    )
    with naming_misfits(
        former.get("arch"), config.config["arch"], loader.normalisation, loader.alphabet, path
    ):
        model = config.build_model(
            loader.normalisation, loader.alphabet, own_weights if resuming else None
        )
        if checkpoint is not None and not resuming:
            run.weights_from = path
            vocab_size = None if alphabet is None else len(alphabet)
            load_weights(
                model, own_weights, path, keep_buffers=True, vocab_size=vocab_size, grow=True
            )
    loader.features = model.features
    model.to(device)
    optimizer, schedule = config.build("optimizer", model.parameters()), None
    if config.config["lr_scheduler"] is not None:
        steps = BaseTrainer.planned_steps(len(loader), settings)
        schedule = config.build_scheduler(optimizer, steps)
    header = {
        "config": config.stored,
        "alphabet": loader.alphabet.characters if config.needs_text else None,
        "normalisation": loader.normalisation.to_dict(),
        "dataset": {
            "canonical": loader.source.canonical,
            "quantisation_step": loader.source.quantisation_step,
        },
        "versions": versions(device),
        "modules": extension.versions(),
    }
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
        header,
    )
    if resuming:
        trainer.resume(checkpoint, path)
    try:
        stopped_by = trainer.train()
    finally:
        if trainer.unfinished is not None and checkpoints(run.models):
            use = (
                "resume: python train.py" if trainer.unfinished else "use it: python experiments.py"
            )
            log.info("to %s -r %s", use, shlex.quote(str(run.models)))
    return 0 if stopped_by is None else 128 + stopped_by


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
