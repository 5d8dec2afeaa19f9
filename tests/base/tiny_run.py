"""A network, a loss and data small enough to train in a moment, and a run with them.

The network has dropout and a carried state, so that generators and states matter.
"""

import copy
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from base.base_data_loader import BaseDataLoader, Batch, padded
from base.base_dataset import Facts, Loaded
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel, Conditions
from base.base_sampler import BaseSampler, BucketBatchSampler
from base.base_trainer import BaseTrainer
from base.run.checkpoint import newest_checkpoint
from base.run.run_folder import RunFolder, RunRecord
from base.run.run_state import seed_all
from base.run.training_parts import TrainingParts, TrainingSettings
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from logger.metrics_csv import read_rows
from trainer.generation_trainer import GenerationTrainer, GenerationTrainingSettings

TRAIN = range(13)
VALID = range(13, 18)
ONE_STEP = {"optimizer": "SGD", "dropout": 0.0, "steps_per_epoch": 1, "epochs": 1}


def sequence(index: int) -> np.ndarray:
    """Return sample `index`, `(points, 3)`: 3 to 11 steps."""
    generator = np.random.default_rng([7, index])
    points = generator.standard_normal((4 + (5 * index) % 9, 3))
    points[:, 2] = points[:, 2] > 0.8
    return points.astype(np.float32)


@dataclass
class Sequences(torch.utils.data.Dataset):
    """Samples by key `(epoch, place)`; those in `broken` hold a NaN."""

    indices: Sequence[int]
    broken: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, keys: list[tuple[int, int]]) -> Batch | None:
        if not keys:
            return None
        indices = [self.indices[number] for _, number in keys]
        inks = [sequence(index) for index in indices]
        for index, ink in zip(indices, inks, strict=True):
            if index in self.broken:
                ink[1, 0] = np.nan
        inputs, lengths = padded([ink[:-1] for ink in inks])
        targets, _ = padded([ink[1:] for ink in inks])
        no_text, ones = torch.zeros(len(keys), 1, dtype=torch.int64), torch.ones_like(lengths)
        return Batch(inputs, targets, lengths, no_text, ones, torch.tensor(indices))


class TinyLoader(BaseDataLoader):
    def __init__(
        self,
        indices=TRAIN,
        *,
        seed=3,
        batch_size=3,
        shuffle=True,
        broken=(),
        sampler=None,
        **options,
    ) -> None:
        samples = Sequences(indices, broken)
        lengths = [len(sequence(index)) - 1 for index in indices]
        if sampler is None:
            sampler = partial(BucketBatchSampler, batch_size=batch_size, shuffle=shuffle)
        super().__init__(samples, lengths, sampler(seed, lengths), **options)


@dataclass
class TinyOutput:
    prediction: Tensor
    state: dict[str, Tensor]


class TinyModel(BaseModel):
    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(4, 3)
        self.calls: list[Tensor] = []

    def initial_state(self, batch: int, conditions: Conditions | None = None) -> dict[str, Tensor]:
        return {"hidden": torch.zeros(batch, 4), "seen": torch.zeros(batch, 0, 3)}  # grows

    def forward(self, inputs, text=None, text_lengths=None, state=None) -> TinyOutput:
        state = self.initial_state(len(inputs)) if state is None else state
        hidden, last = self.layer(inputs, state["hidden"][None].to(inputs))
        prediction = self.output(self.dropout(hidden)) + state["seen"].sum(1, keepdim=True) / 100
        if self.training:
            self.calls.append(inputs)
        seen = torch.cat((state["seen"], inputs), 1)
        return TinyOutput(prediction.float(), {"hidden": last[0].float(), "seen": seen})


class SquaredError(BaseLoss):
    name: ClassVar[str] = "error"

    def __init__(self, by_points: bool = True) -> None:
        self.by_points = by_points

    def __call__(self, output: TinyOutput, batch: Batch) -> Tensor:
        squares = (output.prediction - batch.targets).square().sum(-1)
        return (squares * batch.mask).sum(1)

    def divisor(self, batch: Batch) -> int:
        return batch.points if self.by_points else len(batch)


class MeanPrediction(BaseMetric):
    names: ClassVar[tuple[str, ...]] = ("mean_prediction",)
    sums: ClassVar[tuple[str, ...]] = ("sum", "count")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sum, self.count = torch.zeros((), dtype=torch.float64), 0

    def update(self, output: TinyOutput, batch: Batch) -> None:
        self.sum = self.sum + output.prediction[batch.mask].double().sum()
        self.count += batch.points

    def compute(self) -> dict[str, float]:
        return {"mean_prediction": float(self.sum) / self.count if self.count else float("nan")}


class Ranked(BaseMetric):
    """The median of the errors of sequences, and the sample that has the largest one."""

    names: ClassVar[tuple[str, ...]] = ("median", "worst")
    sums: ClassVar[tuple[str, ...]] = ()
    lists: ClassVar[tuple[str, ...]] = ("errors", "samples")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.errors, self.samples = [], []

    def update(self, output: TinyOutput, batch: Batch) -> None:
        self.errors.append(SquaredError()(output, batch))
        self.samples.append(batch.index)

    def compute(self) -> dict[str, float]:
        errors, samples = map(torch.cat, (self.errors, self.samples))
        return {"median": errors.quantile(0.5), "worst": samples[errors.argmax()]}


class Curriculum(BaseSampler):
    """Draws from the shortest sequences, and from more of them with each step."""

    def __init__(self, seed: int, lengths: Sequence[int]) -> None:
        self.seed = seed
        self.order = np.argsort(lengths, kind="stable")
        self.widest = 3

    def batches(self, epoch: int) -> list[list[int]]:
        generator = np.random.default_rng([self.seed, epoch])
        return [generator.choice(self.order[: self.widest], 3).tolist() for _ in range(5)]

    def state_dict(self) -> dict[str, int]:
        return {"widest": self.widest}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.widest = state["widest"]


class TinyTrainer(BaseTrainer):
    """The least that a task has to say."""

    def forward_batch(self, model, batch, state=None):
        return model(batch.inputs)


class ChunkTrainer(GenerationTrainer):
    """The generation trainer, for its chunks, of any network, without anything to draw."""

    losses, output_type = (SquaredError,), TinyOutput

    def dry_run(self, batch, output) -> None:
        pass

    def draw(self, epoch: int, step: int) -> None:
        pass

    def is_training(self) -> bool:
        """Whether the trial before the run is over."""
        return hasattr(self.run_log, "events")


def make(
    saved: Path,
    run: str = "run",
    *,
    trainer: type[BaseTrainer] = ChunkTrainer,
    network: type[TinyModel] = TinyModel,
    optimizer: str | type[torch.optim.Optimizer] = "Adam",
    lr: float = 0.05,
    scheduler=None,
    loader: dict[str, Any] | None = None,
    dropout: float = 0.2,
    by_points: bool = True,
    valid: bool = True,
    metrics: Sequence[type[BaseMetric]] = (MeanPrediction,),
    checkpoint: dict[str, Any] | None = None,
    source: Path | None = None,
    **options: Any,
) -> BaseTrainer:
    """Return a trainer of the tiny network; from `checkpoint`, read from `source`, if given.

    Args:
        optimizer: a class, or the name of one of torch.
        scheduler: makes a schedule of an optimiser and the number of its steps.
        options: of the trainer.
    """
    options = {"epochs": 3, "seed": 5, "monitor": "min valid_error", "tensorboard": False} | options
    seed_all(options["seed"])
    model = network(dropout)
    train_loader = TinyLoader(**(loader or {}))
    optimizer = getattr(torch.optim, optimizer) if isinstance(optimizer, str) else optimizer
    built = optimizer(model.parameters(), lr=lr)
    writes = issubclass(trainer, GenerationTrainer)
    kind = GenerationTrainingSettings if writes else TrainingSettings
    names = options.keys() & {field.name for field in fields(kind)}
    settings = kind(**{name: options.pop(name) for name in names})
    schedule = None
    if scheduler is not None:
        schedule = scheduler(built, settings.planned_steps(len(train_loader)))
    parts = TrainingParts(
        model,
        SquaredError(by_points),
        [metric() for metric in metrics],
        built,
        schedule,
        train_loader,
        TinyLoader(VALID, shuffle=False) if valid else None,
        RunFolder("tiny", run, saved),
        torch.device("cpu"),
        Facts(Normalisation((0.0, 0.0), (1.0, 1.0)), Alphabet([]), {}, Loaded({}, "")),
        RunRecord(given_config={"name": "tiny", "lr": lr}),
    )
    result = trainer(parts, settings=settings, **options)
    if checkpoint is not None:
        result.run_checkpoints.load(checkpoint, source)
    return result


def trained(*words: Any, **options: Any) -> BaseTrainer:
    """Return a trainer as `make`, after its training."""
    trainer = make(*words, **options)
    trainer.train()
    return trainer


def resumed(saved: Path, run: str = "run", **options: Any) -> BaseTrainer:
    """Return a trainer as `make`, from the newest checkpoint of a run."""
    path, checkpoint = newest_checkpoint(saved / "models" / "tiny" / run)
    return make(saved, run, checkpoint=checkpoint, source=path, **options)


def go_on(*words: Any, **options: Any) -> tuple[BaseTrainer, int | None]:
    """Return a trainer as `resumed`, after its training, and the signal that stopped it."""
    trainer = resumed(*words, **options)
    return trainer, trainer.train()


def one_cycle(optimizer: torch.optim.Optimizer, steps: int) -> lr_scheduler.LRScheduler:
    return lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps)


def halving(optimizer: torch.optim.Optimizer, _: int) -> lr_scheduler.LRScheduler:
    return lr_scheduler.ExponentialLR(optimizer, 0.5)


class Calming(lr_scheduler.LRScheduler):
    """Has a lower rate, the larger the largest gradient was."""

    def __init__(self, optimizer: torch.optim.Optimizer, _: int, *, strength: float = 1.0) -> None:
        self.strength, self.largest = strength, 0.0
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        gradients = [w.grad for group in self.optimizer.param_groups for w in group["params"]]
        sizes = [float(gradient.abs().max()) for gradient in gradients if gradient is not None]
        self.largest = max([self.largest, *sizes])
        return [rate / (1 + self.strength * self.largest) for rate in self.base_lrs]


class Counting(torch.optim.SGD):
    """Writes into its groups how many steps it has made, and makes smaller and smaller ones."""

    def step(self, closure=None) -> None:
        for group in self.param_groups:
            group["k"] = group.get("k", 0) + 1
            group["dampening"] = 1 - 1 / group["k"]
            group["momentum"] = 0.5
        super().step(closure)


class ScheduleFree(torch.optim.Optimizer):
    """SGD at y, between z, which makes the steps, and the average x of z (Defazio et al. 2024)."""

    def __init__(self, params, lr: float = 1.0, beta: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "beta": beta, "k": 0, "is_training": False})

    @torch.no_grad()
    def eval(self) -> None:
        for group in self.param_groups:
            for weight in group["params"] if group["is_training"] else ():
                weight.lerp_(self.state[weight].get("z", weight), 1 - 1 / group["beta"])
            group["is_training"] = False

    @torch.no_grad()
    def train(self) -> None:
        for group in self.param_groups:
            for weight in () if group["is_training"] else group["params"]:
                weight.lerp_(self.state[weight].get("z", weight), 1 - group["beta"])
            group["is_training"] = True

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            if not group["is_training"]:
                raise RuntimeError("the optimiser is not in its mode of training")
            group["k"] += 1
            for weight in group["params"]:
                z = self.state[weight].setdefault("z", weight.clone())
                weight.lerp_(z, 1 / group["k"])
                rate = group["lr"] * (group["beta"] * (1 - 1 / group["k"]) - 1)
                weight.add_(weight.grad, alpha=rate)
                z.sub_(weight.grad, alpha=group["lr"])


def thawing(params, lr: float, *, from_step: int = 6) -> torch.optim.Optimizer:
    """Return an optimiser of the tiny network whose layer is frozen until a step."""
    *layer, weight, bias = params
    groups = [{"params": [weight]}, {"params": [bias], "lr": lr / 10}]
    groups += [{"params": layer, "from_step": from_step}]
    return torch.optim.SGD(groups, lr=lr, momentum=0.9, weight_decay=0.1)


EVERYTHING = {
    **{"truncate": 3, "accumulate": 2, "steps_per_epoch": 4, "scheduler": one_cycle},
    **{"ema_decay": 0.8, "weight_noise": "fixed"},
}
"""Options of a run that has something of everything."""


def weights(trainer: BaseTrainer) -> dict[str, Tensor]:
    """Return a copy of the weights under training."""
    return copy.deepcopy(trainer.model.state_dict())


def rows(trainer):
    return read_rows(trainer.run.models / "metrics.csv")


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def close(first, second, tolerance=1e-6):
    return all(
        torch.allclose(first[name], second[name], atol=tolerance, rtol=1e-4) for name in first
    )


def error_of(model, indices):
    """Return the summed squared errors of samples taken one by one, a scalar, and their steps."""
    total, points = torch.zeros((), dtype=torch.float64), 0
    for index in indices:
        ink = torch.from_numpy(sequence(index))
        total = total + (model(ink[None, :-1]).prediction[0] - ink[1:]).double().square().sum()
        points += len(ink) - 1
    return total, points


def scripted(*values: float) -> type[ChunkTrainer]:
    """Return a trainer whose validation gives these errors, epoch by epoch."""

    class Scripted(ChunkTrainer):
        def validate(self):
            return super().validate() | {"error": values[self.progress.epoch]}

    return Scripted


def stopped_at(base: type[BaseTrainer], step: int) -> type[BaseTrainer]:
    """Return a trainer that gets a real signal in the middle of a step."""

    class Stopped(base):
        def forward_batch(self, model, batch, state=None):
            if self.is_training() and model.training and self.progress.step == step:
                os.kill(os.getpid(), signal.SIGINT)
            return super().forward_batch(model, batch, state)

    return Stopped
