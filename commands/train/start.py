"""Decides in which run a command line trains, and with which checkpoint; see `resolve_start`.

A run that goes on, or branches, keeps its config but for what `differing_values` lets through; a
refusal of anything else prints the command that begins a new run from the weights.

| command line | run | checkpoint | used of it |
|---|---|---|---|
| `-c CONFIG` | new | none | |
| `-c CONFIG -r CHECKPOINT` (fine-tuned) | new | named | weights |
| `-r RUN`, or `-r` and its newest checkpoint | the same | the newest | everything |
| `-r CHECKPOINT` that is no run's newest, or with `--run-id` | new | named | everything |
| `-r RUN` of a run without a checkpoint | the same | as its `run.json` says | weights |
| `-c CONFIG --run-id ID --start-or-resume` | that of the id | its newest | everything |

The last is a new or fine-tuned run if the run has no checkpoint. An older checkpoint of a run is
used instead of one that does not fit, if the command line names the run alone.
"""

import json
import logging
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from base import distributed
from base.base_dataset import Loaded
from base.base_model import BaseModel
from base.config import torch_parts, user_modules
from base.config.binder import BoundClass, faults, signature_of
from base.config.values import Override, with_network
from base.run import run_folder
from base.run.checkpoint import (
    CheckpointFile,
    check_weights,
    find_checkpoint,
    is_newest,
    load_weights,
    network_arguments,
    older_checkpoint,
    resumable,
)
from base.run.pretrained import SAVED, resolve_checkpoint
from base.run.run_folder import RunFolder
from base.run.training_parts import settings_of
from commands.train.options import Request
from parse_config import (
    CACHE,
    Plan,
    plan_from_checkpoint,
    plan_of,
)
from utils.checks import (
    ABSENT,
    CheckpointError,
    ConfigError,
    ConfigFault,
    DataError,
    UserError,
    shown,
)
from utils.program import typed
from utils.strict_json import Json, children, differences

log = logging.getLogger(__name__)

FOLDERS = ("root", CACHE)
"""The last names of the keys that set folders of data, which may differ when a run is resumed."""
DATASETS = ("data_loader.args.dataset.", "data_loader.args.sources.")
"""The beginnings of the keys of datasets."""
EPOCHS = "trainer.args.epochs"
"""The key of the number of epochs, which may grow if no step depends on it."""


@dataclass(frozen=True)
class Start:
    """The beginning of a training.

    Attributes:
        request: the values of the command line.
        plan: the plan of the run's config.
        run: the run's folder.
        checkpoint: the checkpoint to begin with; None for initial weights.
        is_resumed: whether the whole checkpoint is used, not only its weights.
        place: the folder or file of the run that goes on or starts over; None for random weights.
    """

    request: Request
    plan: Plan
    run: RunFolder
    checkpoint: CheckpointFile | None = None
    is_resumed: bool = False
    place: Path | None = None

    @property
    def network_arguments(self) -> dict[str, Any]:
        """The `network_arguments` of the checkpoint, {} without one; a network that takes no text
        gets no alphabet, and one that is the first to take texts gets that of the data.
        """
        if self.checkpoint is None or self.plan["arch"] is None:
            return {}
        arguments = network_arguments(self.checkpoint.content)
        if not self.plan["arch"].cls.needs_text:
            arguments.pop("alphabet", None)
        return arguments

    def tried(self) -> "Start":
        """Return this start after a trial of the constructors.

        Raises:
            ConfigError: if the plan or a constructor has faults; names all of them.
            CheckpointError: if the weights of the checkpoint do not fit the network.
        """
        network = self.plan.try_constructors(self.network_arguments)
        if network is not None:
            self.give_weights(network)
        return self

    def new_weights(self, network: BaseModel) -> list[str]:
        """Return the names of the weights of a new run's network that the checkpoint lacks, such as
        those of an adapter. Only a network of another class than the checkpoint's may have any."""
        if self.checkpoint is None or self.is_resumed:
            return []
        content = self.checkpoint.content
        if children(content["config"].get("arch")).get("type") == type(network).__name__:
            return []
        return [name for name in network.state_dict() if name not in content["state_dict"]]

    def give_weights(self, network: BaseModel) -> None:
        """Load the weights of the checkpoint, if any, into a network, for a new run extended to its
        alphabet; on the device "meta" they only have to fit. The network keeps its `new_weights`.

        Raises:
            CheckpointError: if a weight finds no place; names the weights, or the arguments that
                differ.
        """
        if self.checkpoint is None:
            return
        path, content = self.checkpoint
        device = next(network.parameters()).device
        initial = network.state_dict()
        weights = {name: weight.to(device) for name, weight in content["state_dict"].items()}
        alphabet = None if self.is_resumed else self.network_arguments.get("alphabet")
        if alphabet is not None:
            weights = network.extend_state_dict(weights, len(alphabet))
        new = self.new_weights(network)
        weights |= {name: initial[name] for name in new}
        try:
            check_weights(network, weights, path)
        except CheckpointError as error:
            stored = content["config"].get("arch")
            present = self.plan.bound["arch"]
            if differing := differing_arguments(stored, present):
                is_same_class = children(stored).get("type") == type(network).__name__
                fault = f"{path}: does not fit the config" if is_same_class else error
                raise CheckpointError(f"{fault}: {'; '.join(differing)}") from None
            raise
        if device.type != "meta":
            load_weights(network, weights, path)

    def is_finished(self) -> bool:
        """Return whether a resumed run's trainer has nothing left to do."""
        if self.checkpoint is None or not self.is_resumed:
            return False
        previous = self.checkpoint.content["config"].get("trainer")
        return self.plan.config["trainer"] == previous and self.run.is_finished()

    def older(self) -> Iterator["Start"]:
        """Yield the starts of a resumed run from its older complete checkpoints, newest first, for
        a training state that does not fit; none if the command line names a checkpoint file."""
        checkpoint = self.checkpoint if self.is_resumed else None
        while checkpoint is not None and checkpoint.path != self.place:
            checkpoint = distributed.broadcast_object(partial(older_checkpoint, checkpoint.path))
            if checkpoint is not None:
                yield replace(self, checkpoint=checkpoint)

    def check_data(self, loaded: Loaded) -> None:
        """Raise a DataError if a resumed run's data have changed."""
        if self.checkpoint is None or not self.is_resumed:
            return
        path, content = self.checkpoint
        if changed := loaded.changed_splits(content.get("dataset")):
            problem = "the data are not those of the run: other lines, texts, ink or another order"
            raise DataError(f"{path}: {problem} in {', '.join(changed)}{self.advice()}")

    def adjusted(self, previous: Plan) -> list[Override]:
        """Return the `differing_values` of a run that goes on from its `previous` plan.

        Raises:
            UserError: if the run cannot go on with them; the message ends with the `advice`.
        """
        schedule = self.plan.checked().bound["lr_scheduler"]
        cause = settings_of(self.plan["trainer"]).depends_on_epochs
        if schedule is not None and torch_parts.depends_on_length(schedule):
            cause = schedule.cls.__name__
        try:
            return differing_values(self.plan, previous, cause)
        except ConfigError as error:
            weights_fit = True
            try:
                replace(self, is_resumed=False).tried()
            except CheckpointError:
                weights_fit = False
            raise UserError(f"{error}{self.advice(weights_fit)}") from error

    def advice(self, weights_fit: bool = True) -> str:
        """Return the last line of a refusal: the command of a new run with the values of the
        command line, from the weights of `place` if they fit."""
        request = self.request
        previous = None if self.place is None else RunFolder.of(self.place)
        words = [*typed("train").split(), "-c", str(self._config_file())]
        from_weights = weights_fit and self.place is not None
        words += ["-r", str(self.place)] if from_weights else []
        is_new = request.run_id not in (None, previous and previous.run_id)
        words += ["--run-id", request.run_id] if is_new else []
        words += ["--saved", str(request.saved)] if request.saved != SAVED else []
        words += ["-d", request.device] if request.device != "auto" else []
        for option, key, value in request.overrides:
            text = value if option == "--data" else json.dumps(value, ensure_ascii=False)
            is_key = option in ("-o", "--sweep")
            words += ["-o", f"{key}={text}"] if is_key else [option, text]
        begins = "begins with its weights" if from_weights else "starts anew"
        return f"\n  a new run {begins}: {shlex.join(words)}{user_modules.options()}"

    def _config_file(self) -> Path:
        """Return the file of the config for a new run: that of the command line, or else that of
        the run that the checkpoint is from."""
        if self.request.config:
            return Path(self.request.config)
        folder = self.run.models
        if self.checkpoint is not None and self.is_resumed:
            folder = self.checkpoint.path.parent
        file = folder / run_folder.RESOLVED_CONFIG
        return file if file.exists() else Path("CONFIG")


def resolve_start(request: Request, locks: ExitStack | None = None) -> Start:
    """Return the start of the training that a command line asks for.

    Args:
        request: the values of the command line.
        locks: gets the lock of a run that goes on; with None, no run is locked. The run is locked
            before the newest checkpoint is searched for: another process could save a newer one.

    Raises:
        UserError: if the training cannot begin, or another process holds the run.
    """
    if request.config:
        start = new_start(request)
        if request.start_or_resume:
            return start_or_resume(start, locks)
        return start.tried()
    if not request.resume:
        raise UserError("a training begins with a config or a checkpoint, and there is neither")
    place = resolve_checkpoint(request.resume)
    run = RunFolder.of(place)
    if run is None or request.run_id not in (None, run.run_id) or not is_newest(place):
        return resumed_start(request, place, None).tried()
    if request.saved not in (SAVED, run.saved):
        raise UserError(f"--saved is for a new run: {run.models} goes on where it is")
    _hold(run, locks)
    if distributed.broadcast_object(run.has_checkpoint):
        return resumed_start(request, place, run).tried()
    return restart(request, run).tried()


def new_start(request: Request) -> Start:
    """Return the start of a new or fine-tuned training: `-c CONFIG`, perhaps `-r CHECKPOINT`."""
    values, bases = request.config_values
    plan = plan_of(values, request.config, request.overrides, bases)
    name = request.resume or suggested_network(plan)
    checkpoint = _find(resolve_checkpoint(name)) if name else None
    if checkpoint is not None:
        values = with_network(values, checkpoint.content["config"].get("arch"))
        plan = plan_of(values, request.config, request.overrides, bases)
    return Start(request, plan, _new_run(plan, request), checkpoint)


def suggested_network(plan: Plan) -> str | None:
    """Return the pretrained network with which a config begins by default: the argument `network`
    of a dataset. None if the config has a network of its own."""
    datasets = [*plan.main_datasets()]
    if plan["arch"] is not None or faults(datasets):
        return None
    names = ({**part.defaults, **part.values}.get("network") for part in datasets)
    return next(filter(None, names), None)


def start_or_resume(start: Start, locks: ExitStack | None) -> Start:
    """Return `start`, or the start that resumes its run if the run has a checkpoint; both tried."""
    if not distributed.broadcast_object(start.run.has_checkpoint):
        return start.tried()
    _hold(start.run, locks)
    checkpoint = _find(start.run.models, needs_state=True)
    previous = previous_plan(checkpoint)
    resumed = replace(
        start, plan=previous, checkpoint=checkpoint, is_resumed=True, place=start.run.models
    ).tried()
    start.plan.try_constructors(resumed.network_arguments)
    changes = replace(resumed, plan=start.plan).adjusted(previous)
    return replace(resumed, plan=previous.with_overrides(changes))


def resumed_start(request: Request, place: Path, run: RunFolder | None) -> Start:
    """Return the start that resumes `run` from the folder or file `place`, or, if `run` is None,
    that branches to a new run."""
    checkpoint = _find(place, needs_state=True)
    path, content = checkpoint
    plan = plan_from_checkpoint(content["config"], path, request.overrides)
    plan = with_defaults_of(checkpoint, plan)
    folder = run or _new_run(plan, request)
    start = Start(request, plan, folder, checkpoint, is_resumed=True, place=place)
    start.adjusted(previous_plan(checkpoint))
    if run is None:
        log.info("%s: a new run goes on from it, in %s", path, folder.models)
    return start


def restart(request: Request, run: RunFolder) -> Start:
    """Return the start of `run` from its beginning; it was stopped before its first checkpoint."""
    values, weights_from = distributed.broadcast_object(run.recorded_start)
    log.warning("%s was stopped before its first checkpoint: starting over", run.models)
    origin = Path(weights_from) if weights_from else None
    checkpoint = None if origin is None else _find(origin)
    previous = plan_of(values, str(run.models / "run.json"))
    plan = previous.with_overrides(request.overrides)
    start = Start(request, plan, run, checkpoint, place=origin)
    start.adjusted(previous)
    return start


def previous_plan(checkpoint: CheckpointFile) -> Plan:
    """Return the plan with which a run saved a checkpoint."""
    path, content = checkpoint
    return with_defaults_of(checkpoint, plan_of(content["config"], f"checkpoint {path}"))


def with_defaults_of(checkpoint: CheckpointFile, plan: Plan) -> Plan:
    """Return the plan of a run that goes on from a checkpoint, with the values of its resolved
    config where the defaults of classes have changed since."""
    values = {}
    for bound_class in plan.bound_classes():
        block = checkpoint.content["training"]["resolved_config"]
        for name in (*bound_class.key.split("."), "args"):
            block = children(block).get(name)
        args = children(block)
        for name, default in bound_class.defaults.items():
            if args.get(name, default) != default:
                values[f"{bound_class.key}.args.{name}"] = args[name]
    return plan.with_values(values)


def differing_values(plan: Plan, previous: Plan, epochs_matter_to: str = "") -> list[Override]:
    """Return the values of a run's plan that differ from those of its `previous` plan.

    Args:
        plan: the plan with which the run goes on.
        previous: the plan as it was.
        epochs_matter_to: the name of what depends on the number of epochs; "" if nothing does.

    Raises:
        ConfigError: if `plan` has faults, or if keys differ that must not: neither folders nor
            those that their classes name as `adjustable`.
    """
    overrides, refused = [], []
    adjustable = _adjustable_keys(plan)
    for key, (old, new) in differences(previous.complete, plan.checked().complete).items():
        is_folder = key.rpartition(".")[2] in FOLDERS and new is not ABSENT
        may_grow = key == EPOCHS and new > old
        # When a run begins, a fitted value replaces null in a dataset's arguments.
        is_fitted = new is None and key.startswith(DATASETS)
        if is_folder or key in adjustable or (may_grow and not epochs_matter_to):
            overrides.append(Override(plan.source, key, new))
        elif not is_fitted:
            problem = "the run lacks it" if old is ABSENT else f"the run has {shown(old)}"
            problem += f", on which its {epochs_matter_to} depends" if may_grow else ""
            refused.append(ConfigFault(key, new, problem))
    if refused:
        raise plan.error(refused)
    return overrides


def _adjustable_keys(plan: Plan) -> set[str]:
    """Return the keys of a plan that may differ when its run is resumed, as their classes say."""
    keys = set()
    for bound_class in plan.bound_classes():
        for cls in (bound_class.cls, *bound_class.signature.settings.values()):
            names = getattr(cls, "adjustable", ())
            if isinstance(names, tuple):  # A user's class may use the name for something else.
                keys |= {f"{bound_class.key}.args.{name}" for name in names}
    return keys


def differing_arguments(stored: Json, network: BoundClass) -> list[str]:
    """Return in words the arguments by which a network that a checkpoint describes, `stored`,
    differs from that of a config, which may be of a subclass; they explain why weights do not fit.
    """
    block = children(stored)
    values = network.values
    previous, present = {"type": block.get("type")}, {"type": network.cls.__name__}
    bases = {base.__name__: base for base in network.cls.__mro__}
    if base := bases.get(str(block.get("type"))):
        arguments = signature_of(base).arguments
        defaults = {
            name: parameter.default
            for name, parameter in arguments.items()
            if parameter.default is not parameter.empty
        }
        previous = defaults | children(block.get("args"))
        present = defaults | {name: values[name] for name in arguments if name in values}
    return [
        f"{name} is {shown(previous.get(name))} in the file, {shown(value)} in the config"
        for name, value in present.items()
        if "type" in block and previous.get(name) != value
    ]


def _new_run(plan: Plan, request: Request) -> RunFolder:
    """Return the folder of a run; the run must be new unless it may go on."""
    run = RunFolder(plan.name, request.run_id, request.saved)
    # All processes get the main process's folder, whose default name is the time.
    return run if request.start_or_resume else distributed.broadcast_object(run.require_new)


def _hold(run: RunFolder, locks: ExitStack | None) -> None:
    """Lock a run until `locks` is closed; without `locks`, do nothing."""
    if locks is not None:
        run.hold()
        locks.callback(run.release)


def _find(place: Path, *, needs_state: bool = False) -> CheckpointFile:
    """Return the checkpoint at `place`; with `needs_state` it must have a training state."""
    checkpoint = distributed.broadcast_object(lambda: find_checkpoint(place))
    if needs_state:
        checkpoint = resumable(checkpoint)
        digests = checkpoint.content.get("modules", {})
        user_modules.check(digests, checkpoint.path)
        user_modules.warn_of_changes(digests, checkpoint.path)
    return checkpoint
