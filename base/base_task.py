"""What a run trains, and what each task says of it; `base.base_trainer` has the loop."""

import copy
import logging
import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from base import distributed
from base.base_data_loader import Batch
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.config import user_modules
from base.device import plain_layers
from base.dry_run import trying
from base.run_state import Sums
from base.training_parts import TrainingParts, TrainingSettings
from utils.checks import ConfigFault

log = logging.getLogger(__name__)

ROW = ("epoch", "step", "skipped_steps")
"""What a row of `metrics.csv` has beside the values of `logged_names` and `extra_metrics`."""


class BaseTask(ABC):
    """The parts and settings of a run, and what a subclass per task may override.

    Args:
        parts: what the run is made of.
        settings: of the run.
    """

    task: ClassVar[str] = "learns"
    """What its networks do, for messages: "a network that ..."."""
    use: ClassVar[str] = "evaluate"
    """What `experiments.py` does with them, for the message at the end of a run."""
    losses: ClassVar[tuple[type[BaseLoss], ...]] = ()
    """The losses of its task, one for each `head` that its networks may have; none for any."""
    output_type: ClassVar[type] = object
    """What its networks return."""
    carries_state: ClassVar[bool] = False
    """Whether sequences may be cut into chunks: the output of its networks has a `state`."""
    plain_layers: ClassVar[bool] = False
    """Whether steps use layers of torch operations alone, slower, instead of the compiled ones:
    these cannot be differentiated twice (`create_graph=True`), as for a penalty on a gradient."""

    def __init__(self, parts: TrainingParts, settings: TrainingSettings) -> None:
        self.settings, self.epochs, self.seed = settings, settings.epochs, settings.seed
        self.model, self.loss, self.train_loader = parts.model, parts.loss, parts.train_loader
        self.valid_loader = parts.valid_loader or None  # if it has no batch
        self.metrics = [metric for metric in parts.metrics if metric.in_training]
        self.valid_metrics = copy.deepcopy(list(parts.metrics))
        self.lr_scheduler = parts.lr_scheduler
        self.run, self.device, self.header = parts.run, parts.device, parts.checkpoint_header
        self.rebuild = parts.rebuild

    # What a task may override.

    def check(self) -> None:
        """Raise a ConfigFault if settings do not fit the network, data or device. Writes nothing.

        What needs no data is checked before any is read: by `TrainingSettings.validate`, and by
        `incompatibilities`.
        """
        truncate, expected = self.settings.truncate, ""
        if not self.carries_state:
            expected = f"null: {type(self).__name__} does not cut its sequences"
        elif distributed.world_size() > 1:
            expected = "null, as torchrun has started several processes: sequences are cut in one"
        if truncate is not None and expected:
            raise ConfigFault("trainer.args.truncate", truncate, expected)
        for fault in self.incompatibilities(self.model, self.loss, self.valid_metrics):
            raise fault
        for fault in self.settings.validate(self.lr_scheduler, self.logged_names):
            raise fault

    @abstractmethod
    def forward_batch(
        self, model: nn.Module, batch: Batch, state: dict[str, Tensor] | None = None
    ) -> Any:
        """Return the output of `model` for a batch, or for a chunk of its time steps.

        Args:
            model: the network to use.
            batch: on the device.
            state: carried over from the chunk before; None for the initial state.
        """

    def extra_metrics(self, values: dict[str, float], sums: Sums) -> dict[str, float]:
        """Return further values by name, computed from the values and sums of a validation."""
        return {}

    def dry_run(self, batch: Batch, output: Any) -> None:
        """Use `evaluated_model`, before the first epoch, for a moment as `draw` will.

        Args:
            batch, output: two samples, and what `forward_batch` made of them.
        """

    def draw(self, epoch: int, step: int) -> None:
        """Draw pictures with `evaluated_model` after an epoch, into `run.log` and TensorBoard."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the task keeps from step to step, as tensors and plain values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what `state_dict` returned."""

    def on_start(self) -> None:
        """Write further files into the run's folder, which exists from here on."""

    def on_epoch(self, row: dict[str, float]) -> None:
        """Take what a row of `metrics.csv` has, after each epoch; the main process calls it."""

    def on_end(self) -> None:
        """Log how to use the trained network, after all epochs; the main process calls it."""
        log.info("to use it: python experiments.py %s -r %s", self.use, self.resume_argument)

    # What others use.

    @property
    def logged_names(self) -> list[str]:
        """The names of the values logged after each epoch, which `monitor` may name."""
        return logged_names(self.loss, self.valid_metrics, self.valid_loader is not None)

    @classmethod
    def incompatibilities(
        cls, model: BaseModel, loss: BaseLoss, metrics: Sequence[BaseMetric]
    ) -> Iterator[ConfigFault]:
        """Yield a fault for each of the network, loss and metrics that does not fit the others."""
        head, losses = getattr(model, "head", None), {one.head: one for one in cls.losses}
        if losses and head not in losses:
            expected = f"a network that {cls.task}, for a {cls.__name__}"
            yield ConfigFault("arch", type(model).__name__, expected)
        elif losses and loss.head != head:
            name = losses[head].__name__
            expected = f"a loss of that head, such as {name}, as the network's head is {head!r}"
            yield ConfigFault("loss", type(loss).__name__, expected)
        for number, metric in enumerate(metrics):
            if metric.heads is not None and head not in metric.heads:
                expected = f"a metric of networks whose head is {head!r}"
                yield ConfigFault(f"metrics.{number}", type(metric).__name__, expected)

    @property
    def resume_argument(self) -> str:
        """The run's folder, and the user's modules, as a command line has them."""
        return f"{shlex.quote(str(self.run.models))}{user_modules.options()}"

    def layers(self) -> AbstractContextManager[None]:
        """Return a context in which layers are those that `plain_layers` asks for."""
        return plain_layers() if self.plain_layers else nullcontext()

    def autocast(self) -> torch.autocast:
        """Return a context in which products are of the run's precision."""
        precision = getattr(torch, self.settings.precision)
        return torch.autocast(
            self.device.type, precision, enabled=self.settings.precision != "float32"
        )


def logged_names(loss: BaseLoss, metrics: Sequence[BaseMetric], validates: bool) -> list[str]:
    """Return the names of the values logged after each epoch, also of a validation if there is one.

    Raises:
        ConfigFault: if the loss or a metric, which may be a user's own, has none, or one that
            another value has.
    """
    names: list[str] = []
    valid, others = [], {*ROW, *Sums().rates()}
    for key, part in [("loss", loss), *((f"metrics.{n}", one) for n, one in enumerate(metrics))]:
        with trying(key, part, "one with a name"):
            own = [*Sums().losses(loss.name)] if part is loss else [*part.names]
            for name in own:
                is_name = isinstance(name, str) and name.isidentifier()
                if not is_name or name in {*others, *valid}:
                    expected = (
                        "one whose values have names of letters, digits and _ that no others "
                        f"have, not {name!r}"
                    )
                    raise ConfigFault(key, type(part).__name__, expected)
            valid += own
            names += own if part is loss or part.in_training else []
    return [*names, *Sums().rates(), *(f"valid_{name}" for name in valid if validates)]
