"""The six ways in which a training begins; `resolve_start` chooses one by the command line.

- New: `-c CONFIG`. A new run, initial weights.
- Fine-tuned: `-c CONFIG -r CHECKPOINT`. A new run, the weights of the checkpoint.
- Resumed: `-r RUN`, or `-r` and the run's newest checkpoint. The same run, the whole checkpoint.
- Branched: `-r CHECKPOINT`, if the run has a newer checkpoint, if the checkpoint is in no run's
  folder, or if `--run-id` names a new run. A new run, the whole checkpoint.
- Started over: `-r RUN` of a run without a checkpoint. The same run; its `run.json` has the config
  and names the checkpoint of the initial weights, if any.
- Started or resumed: `-c CONFIG --run-id ID --start-or-resume`. Resumed if the run has a
  checkpoint; otherwise new, or fine-tuned.
"""

import argparse
import logging
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from base import distributed
from base.base_dataset import Loaded, is_same_ink
from base.base_model import BaseModel, ExtraShapes
from base.checkpoint import CheckpointFile, check_weights, find_checkpoint, newest_checkpoint
from base.config import bases, user_modules
from base.config.trial import TRIAL_ALPHABET, TRIAL_NORMALISATION
from base.run_folder import SAVED, RunFolder
from model.loading import naming_incompatibilities
from parse_config import ConfigParser
from utils.alphabet import Alphabet
from utils.checks import ABSENT, CheckpointError, ConfigError, ConfigFault, DataError, UserError
from utils.strict_json import children

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """The beginning of a training.

    Attributes:
        config: the run's config.
        run: the run's folder.
        checkpoint: the checkpoint to begin with; None for initial weights.
        is_resumed: whether the whole checkpoint is used, not only its weights.
        tries_older: whether an older checkpoint is used if the training state does not fit: true if
            the command line names no checkpoint file.
    """

    config: ConfigParser
    run: RunFolder
    checkpoint: CheckpointFile | None = None
    is_resumed: bool = False
    tries_older: bool = False

    @property
    def alphabet(self) -> Alphabet | None:
        """The checkpoint's alphabet; None without a checkpoint, or if the network takes no text."""
        if self.checkpoint is None or not self.config.needs_text:
            return None
        if not self.checkpoint.content["alphabet"]:
            problem = "it lacks the alphabet that the config's network needs"
            raise CheckpointError(f"{self.checkpoint.path}: {problem}")
        return Alphabet(self.checkpoint.content["alphabet"])

    def state_dict_for(self, model: BaseModel, device: str = "cpu") -> Mapping[str, Tensor]:
        """Return the weights on a device; for a new run, extended to the alphabet of `model`."""
        stored = self.checkpoint.content["state_dict"]
        weights = {name: weight.to(device) for name, weight in stored.items()}
        if self.is_resumed:
            return weights
        return model.extend_state_dict(weights, self.alphabet and len(self.alphabet))

    def model_on_meta(self, extras: Any = ABSENT) -> BaseModel | None:
        """Return the network without memory for its weights; works before data are loaded.

        None if the network takes extras, and neither `extras` nor the checkpoint has their shapes.

        Raises:
            CheckpointError: if the weights of the checkpoint do not fit the network.
        """
        if self.checkpoint is not None and "extras" in self.checkpoint.content:
            extras = ExtraShapes(self.checkpoint.content["extras"])
        alphabet = self.alphabet or TRIAL_ALPHABET
        with torch.device("meta"):
            model = self.config.build_model(TRIAL_NORMALISATION, alphabet, extras)
        if model is not None and self.checkpoint is not None:
            arch, path = self.checkpoint.content["config"].get("arch"), self.checkpoint.path
            with naming_incompatibilities(arch, self.config.config["arch"], path):
                check_weights(model, self.state_dict_for(model, "meta"), path)
        return model

    def is_finished(self) -> bool:
        """Return whether a resumed run's trainer has nothing left to do."""
        former = self.checkpoint.content["config"] if self.is_resumed else {}
        same_trainer = self.config.config["trainer"] == former.get("trainer")
        return same_trainer and self.run.is_finished()

    def older(self) -> "Start | None":
        """Return the start from the next older usable checkpoint, or None; see `tries_older`."""
        path = self.checkpoint.path

        def find() -> CheckpointFile | None:
            with suppress(CheckpointError):
                return newest_checkpoint(path.parent, path)
            return None

        checkpoint = distributed.broadcast_object(find) if self.tries_older else None
        return checkpoint and replace(self, checkpoint=checkpoint)

    def check_data(self, loaded: Loaded, new_data: bool) -> None:
        """Raise a DataError if a resumed run's data have changed, unless `new_data` is set."""
        if not self.is_resumed:
            return
        dataset = children(self.checkpoint.content.get("dataset"))
        former, inks = children(dataset.get("fingerprints")), children(dataset.get("ink_sums"))
        if not former:
            path = self.checkpoint.path
            log.info("%s does not say what the data were: they are recorded from now on", path)
        present = loaded.fingerprints
        changed = [
            split
            for split in former
            if former[split] != present.get(split)
            # Checkpoints of former versions have no sums of the ink.
            or (split in inks and not is_same_ink(inks[split], loaded.ink_sums[split]))
        ]
        if changed and not new_data:
            raise DataError(
                f"{self.checkpoint.path}: the data are not those of the run; other lines, texts, "
                f"ink or another order in {', '.join(changed)}. --new-data resumes with the "
                "changed data"
            )


def resolve_start(arguments: argparse.Namespace, locks: ExitStack | None = None) -> Start:
    """Return the start of the training that a command line asks for.

    Args:
        arguments: arguments of the command line.
        locks: gets the lock of a run that goes on; with None, no run is locked. The run is locked
            before the newest checkpoint is searched for: another process could save a newer one.

    Raises:
        UserError: if the training cannot begin, or another process holds the run.
    """
    if arguments.config:
        start = new_start(arguments)
        return start_or_resume(start, locks) if arguments.start_or_resume else start
    run = RunFolder.resumed(arguments.resume, arguments.run_id)
    if run is None:
        return resumed_start(arguments, None)
    if arguments.saved not in (SAVED, run.saved):
        raise UserError(f"--saved is for a new run: {run.models} goes on where it is")
    _hold(run, locks)
    has_checkpoint = distributed.broadcast_object(run.has_checkpoint)
    return resumed_start(arguments, run) if has_checkpoint else restart(arguments, run)


def new_start(arguments: argparse.Namespace) -> Start:
    """Return the start of a new or fine-tuned training: `-c CONFIG`, perhaps `-r CHECKPOINT`."""
    name = arguments.resume or suggested_network(arguments)
    checkpoint = _find(name) if name else None
    arch = checkpoint and checkpoint.content["config"].get("arch")
    config = ConfigParser.from_file(arguments.config, arguments.overrides, arch)
    return Start(config, _new_run(config, arguments), checkpoint)


def suggested_network(arguments: argparse.Namespace) -> str | None:
    """Return the name of the pretrained network that a config's dataset suggests.

    None if the config has a network of its own, or faults, which are reported later.
    """
    with suppress(ConfigError, ConfigFault):
        values = bases.merged(bases.read(Path(arguments.config)))
        if "type" not in children(children(values).get("arch")):
            arch = _find("writer").content["config"]["arch"]  # Any `arch` will do.
            config = ConfigParser.from_file(arguments.config, arguments.overrides, arch)
            return config.build("data_loader").dataset.usual_network()
    return None


def start_or_resume(start: Start, locks: ExitStack | None) -> Start:
    """Return `start` if its run has no checkpoint, else the start that resumes the run."""
    if not distributed.broadcast_object(start.run.has_checkpoint):
        return start
    _hold(start.run, locks)
    checkpoint = _find(start.run.models, needs_state=True)
    config = start.config.resumed(checkpoint.content["config"], checkpoint.path)
    return Start(config, start.run, checkpoint, is_resumed=True, tries_older=True)


def resumed_start(arguments: argparse.Namespace, run: RunFolder | None) -> Start:
    """Return the start that resumes `run`, or, if `run` is None, that branches to a new run."""
    checkpoint = _find(arguments.resume, needs_state=True)
    stored = checkpoint.content["config"]
    config = ConfigParser.from_checkpoint(stored, checkpoint.path, arguments.overrides)
    if run is None:
        run = _new_run(config, arguments)
        log.info("%s: a new run goes on from it, in %s", checkpoint.path, run.models)
    is_folder = Path(arguments.resume).is_dir()
    return Start(config, run, checkpoint, is_resumed=True, tries_older=is_folder)


def restart(arguments: argparse.Namespace, run: RunFolder) -> Start:
    """Return the start of `run` from its beginning; it was stopped before its first checkpoint."""
    values, weights_from = distributed.broadcast_object(run.recorded_start)
    log.warning("%s was stopped before its first checkpoint: starting over", run.models)
    checkpoint = _find(weights_from) if weights_from else None
    config = ConfigParser(values, str(run.models / "run.json"), arguments.overrides)
    return Start(config, run, checkpoint)


def _new_run(config: ConfigParser, arguments: argparse.Namespace) -> RunFolder:
    """Return the folder of a run; the run must be new unless --start-or-resume is set."""
    run = RunFolder(config.name, arguments.run_id, arguments.saved)
    # All processes get the main process's folder, whose default name is the time.
    return run if arguments.start_or_resume else distributed.broadcast_object(run.require_new)


def _hold(run: RunFolder, locks: ExitStack | None) -> None:
    """Lock a run until `locks` is closed; without `locks`, do nothing."""
    if locks is not None:
        run.hold()
        locks.callback(run.release)


def _find(place: str | Path, *, needs_state: bool = False) -> CheckpointFile:
    """Return the checkpoint at `place`; with `needs_state` it must have a training state."""
    checkpoint = distributed.broadcast_object(lambda: find_checkpoint(place))
    path, content = checkpoint
    if needs_state and "training" not in content:
        raise CheckpointError(
            f"{path}: contains no training state and cannot be resumed; -c CONFIG starts a new "
            "training from its weights"
        )
    if needs_state:
        user_modules.check(content.get("modules", {}), path)
        user_modules.warn_of_changes(content.get("modules", {}), path)
    return checkpoint
