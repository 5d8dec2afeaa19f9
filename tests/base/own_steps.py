"""Trainers with steps of their own, for the tiny network."""

import ast
import math
from pathlib import Path

import torch
from tiny_run import ChunkTrainer, TinyModel
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from base import distributed
from base.run.random_state import random_state_kept
from trainer.generation_trainer import GenerationTrainingSettings

SHOWN = Path(__file__).parents[2] / "docs" / "my_steps.py"


def shown(name: str) -> type[ChunkTrainer]:
    """Return a trainer of docs/my_steps.py, whose base is the tiny network's."""
    source = SHOWN.read_text(encoding="utf-8")
    (node,) = [node for node in ast.parse(source).body if getattr(node, "name", "") == name]
    space = {"GenerationTrainer": ChunkTrainer, "torch": torch, "nn": nn, "math": math}
    space["random_state_kept"] = random_state_kept
    space["GenerationTrainingSettings"] = GenerationTrainingSettings
    exec(ast.get_source_segment(source, node), space)
    return space[name]


class Turning(TinyModel):
    """Turns what it sees by complex weights, and counts its batches in 16 bits."""

    def __init__(self, dropout: float) -> None:
        super().__init__(dropout)
        self.turn = nn.Parameter(torch.tensor([1.0 + 0.1j, 0.9 - 0.2j]))
        self.register_buffer("seen", torch.zeros(2, 2, dtype=torch.int32).to(torch.uint16).t())

    def forward(self, inputs, *arguments):
        if self.training:
            self.seen.copy_(self.seen.int() + 1)
        return super().forward(inputs * (self.turn * (1 + 1j)).mean().real, *arguments)


class Critic(ChunkTrainer):
    """What the network predicts is changed by a critic that has an optimiser of its own."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        torch.manual_seed(distributed.rank())  # The weights of the main process count.
        self.critic = self.keep("critic", nn.Linear(3, 1))
        optimizer = torch.optim.Adam(self.critic.parameters(), lr=0.02)
        self.critic_optimizer = self.keep("critic_optimizer", optimizer)

    def forward_batch(self, model, batch, state=None):
        output = super().forward_batch(model, batch, state)
        output.prediction = output.prediction + 0.1 * self.critic(output.prediction)
        return output

    def critic_losses(self, targets: Tensor) -> Tensor:
        return (self.critic(targets) - 1.0).square()

    def step(self, chunks):
        sums, norm = super().step(chunks)
        divisor = self.divisor(chunks)
        self.critic_optimizer.zero_grad()
        for chunk in filter(None, chunks):
            losses = self.critic_losses(chunk.batch.targets[chunk.batch.mask])
            (losses.sum() / divisor).backward()
        self.critic_optimizer.step()
        return sums, norm


class Judged(Critic):
    """What the network predicts is changed by a judge, whose buffers change in training, by a
    frozen teacher, and by the number of passes."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        judge = nn.Sequential(spectral_norm(nn.Linear(3, 3)), nn.BatchNorm1d(3))
        self.judge = self.keep("judge", judge)
        teacher = nn.Sequential(spectral_norm(nn.Linear(3, 3)), nn.Dropout(0.5))
        self.teacher = self.keep("teacher", teacher.eval().requires_grad_(False))
        self.passes = 0

    def forward_batch(self, model, batch, state=None):
        output = super().forward_batch(model, batch, state)
        self.passes += 1
        points, changed = output.prediction[batch.mask], output.prediction.clone()
        changed[batch.mask] = points + self.judge(points) * (1 + self.passes / 1000)
        changed[batch.mask] += self.teacher(points)
        output.prediction = changed
        return output

    def state_dict(self):
        return {"passes": self.passes}

    def load_state_dict(self, state):
        self.passes = state["passes"]


class Satisfied(ChunkTrainer):
    """Ends its run, by what only the main process knows, when its error is as small as wanted."""

    wanted = 18.95

    def is_complete(self):
        is_satisfied = self.state.values["valid_error"] < self.wanted
        return super().is_complete() or (distributed.is_main() and is_satisfied)


class Gathering(ChunkTrainer):
    """What the network predicts for a row depends on all rows of the batch."""

    def forward_batch(self, model, batch, state=None):
        output = super().forward_batch(model, batch, state)
        rows = (output.prediction * batch.mask[..., None]).sum(1)
        everyone = distributed.gather_rows(rows)
        assert torch.equal(everyone[: len(rows)], rows)
        output.prediction = output.prediction + 0.1 * everyone.mean(0)
        return output


class Normalised(ChunkTrainer):
    """Keeps statistics of what it has seen, and in each process those of its rows alone."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.norm = self.keep("norm", nn.BatchNorm1d(3))

    def forward_batch(self, model, batch, state=None):
        output = super().forward_batch(model, batch, state)
        self.norm.train(model.training)(batch.inputs[batch.mask])
        output.prediction = output.prediction * (1 + self.norm.running_var)
        return output


class Queueing(ChunkTrainer):
    """Keeps the numbers of the samples that this process has seen."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.queue = []

    def step(self, chunks):
        for chunk in filter(None, chunks):
            self.queue += chunk.batch.index.tolist()
        return super().step(chunks)

    def state_dict(self):
        return {"queue": self.queue}

    def load_state_dict(self, state):
        self.queue = state["queue"]


class Widening(ChunkTrainer):
    """Widens what the sampler draws from after each step."""

    def step(self, chunks):
        self.sampler.widest = min(self.sampler.widest + 1, len(self.sampler.order))
        return super().step(chunks)


Sam = shown("SamTrainer")
