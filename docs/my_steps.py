"""Trainers with a step of their own, a network of another task, one that writes tokens.

docs/extend.md explains them. The file takes the page's classes from my_parts.py:
python train.py --module my_parts.py --module docs/my_steps.py -c my.json -o trainer.type=SamTrainer
"""

import math
from dataclasses import dataclass

import torch
from my_parts import JumpsFirst, Moody, MoodySettings
from torch import nn
from torch.nn import functional

from base import distributed
from base.base_loss import BaseLoss
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer
from base.run.random_state import random_state_kept
from model.generation.generators import Output, SynthesisNetwork, SynthesisSettings
from model.generation.loss import NegativeLogLikelihood
from model.generation.mixture import NextPoint, cross_entropy, draw_ends, sharpen_ends
from trainer.generation_trainer import GenerationTrainer, GenerationTrainingSettings


class SamTrainer(GenerationTrainer):
    """Takes the gradient at the worst weights within a radius (Foret et al. 2021)."""

    def __init__(self, parts, *, radius: float = 0.05, settings: GenerationTrainingSettings):
        super().__init__(parts, settings=settings)
        self.radius = radius

    def step(self, chunks):
        update = self.optimizer_step
        with random_state_kept():  # The second pass draws the same dropout.
            sums, finite = self.add_gradients(chunks)
        update.reduce(self.divisor(chunks))
        weights = [weight for weight in update.weights if weight.grad is not None]
        before = [weight.detach().clone() for weight in weights]
        norm = nn.utils.get_total_norm([weight.grad for weight in weights]).clamp(min=1e-12)
        if not finite or not norm.isfinite():
            return sums, math.nan
        try:
            with torch.no_grad():
                torch._foreach_add_(weights, [w.grad * (self.radius / norm) for w in weights])
            update.optimizer.zero_grad()
            _, finite = self.add_gradients(chunks, counts=False)
        finally:
            with torch.no_grad():
                torch._foreach_copy_(weights, before)
        return sums, self.apply_gradients(chunks) if finite else math.nan


@dataclass
class JudgedOutput(Output):
    """An output with the critic's score."""

    realism: torch.Tensor | None = None  # (B,)


class CriticTrainer(GenerationTrainer):
    """Trains a critic after each step of the writer."""

    def __init__(self, parts, *, critic_lr: float = 0.001, settings: GenerationTrainingSettings):
        super().__init__(parts, settings=settings)
        critic = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1)).to(self.device)
        self.critic = self.keep("critic", critic)
        optimizer = torch.optim.Adam(critic.parameters(), lr=critic_lr)
        self.critic_optimizer = self.keep("critic_optimizer", optimizer)

    def forward_batch(self, model, batch, state=None):
        output = super().forward_batch(model, batch, state)
        score = self.critic(output.prediction.mean)[..., 0] * batch.mask
        return JudgedOutput(**vars(output), realism=score.sum(1))

    def step(self, chunks):
        sums, norm = super().step(chunks)
        divisor = self.divisor(chunks)
        self.critic_optimizer.zero_grad()
        for chunk in filter(None, chunks):
            with torch.no_grad():
                expected = self.forward_batch(self.model, chunk.batch, chunk.state).prediction.mean
            real = self.critic(chunk.batch.targets[..., :2])
            false = self.critic(expected)
            losses = functional.softplus(-real) + functional.softplus(false)
            (losses[chunk.batch.mask].sum() / divisor).backward()
        self.critic_optimizer.step()  # Also in a process without a row.
        return sums, norm


class MisleadingLoss(JumpsFirst):
    """`JumpsFirst`, minus a reward for points that the critic takes for recorded ones."""

    name = "misleading"

    def __call__(self, output, batch):
        return super().__call__(output, batch) - 0.01 * output.realism


class Inferring(Moody):
    """Infers its temper from the line in training (Kingma and Welling 2014)."""

    def __init__(self, normalisation, alphabet, extras, *, settings: MoodySettings):
        super().__init__(normalisation, alphabet, extras, settings=settings)
        self.encoder = nn.GRU(self.input_size, 16, batch_first=True)
        self.posterior = nn.Linear(16, 2 * self.temper_size)

    def infer(self, batch):
        hidden = self.encoder(self.points_seen(batch.targets))[0] * batch.mask[..., None]
        return self.posterior(hidden.sum(1) / batch.lengths[:, None]).chunk(2, 1)


@dataclass
class InferredOutput(Output):
    """An output with what inferring the latent costs."""

    divergence: torch.Tensor | float = 0.0  # (B,); 0 in later chunks


class InferringTrainer(GenerationTrainer):
    """Trains an `Inferring` network."""

    def forward_batch(self, model, batch, state=None):
        if state is not None:  # A later chunk, or a state that is chosen.
            return InferredOutput(**vars(super().forward_batch(model, batch, state)))
        mean, log_variance = model.infer(batch)
        noise = torch.randn_like(mean) * (0.5 * log_variance).exp()
        temper = mean + noise if model.training else mean
        mood = batch.extras["mood"]
        state = model.begin(batch) | {"mood": torch.cat((mood, temper), 1)}
        output = super().forward_batch(model, batch, state)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return InferredOutput(**vars(output), divergence=divergence)


class Evidence(NegativeLogLikelihood):
    """The log-loss, plus the divergence of the inferred latent from the one drawn in writing."""

    name = "evidence"

    def __call__(self, output, batch):
        return super().__call__(output, batch) + output.divergence


class HandEncoder(BaseModel):
    """Turns a line into a vector of length 1."""

    def __init__(self, normalisation, *, size: int = 8):
        super().__init__()
        self.normalisation = normalisation
        self.layer = nn.GRU(4, size, batch_first=True)

    def forward(self, inputs, mask):
        hidden = self.layer(inputs)[0] * mask[..., None]
        return functional.normalize(hidden.sum(1), dim=-1)  # (B, size)


class SameHand(BaseLoss):
    """The log-loss of finding a line of the same hand in the batch (Khosla et al. 2020)."""

    name = "same_hand"

    def __call__(self, vectors, batch):
        others, hands = map(distributed.gather_rows, (vectors, batch.hand))  # its own first
        itself = torch.eye(len(vectors), len(others), dtype=torch.bool, device=vectors.device)
        nearness = (vectors @ others.t() / 0.1).masked_fill(itself, -1e9)
        same = (batch.hand[:, None] == hands) & (hands >= 0) & ~itself
        nats = -nearness.log_softmax(1).masked_fill(~same, 0.0)
        return nats.sum(1) / same.sum(1).clamp(min=1)

    def divisor(self, batch):
        return len(batch)


class HandTrainer(BaseTrainer):
    """Trains a `HandEncoder`."""

    def forward_batch(self, model, batch, state=None):
        return model(batch.inputs, batch.mask)


def nearest(points, offsets):
    """Return the index of the offset that is nearest to each point."""
    return torch.cdist(points[..., :2].float(), offsets).argmin(-1)


@dataclass
class Tokens(NextPoint):
    """The distribution of the next of N offsets."""

    end_logits: torch.Tensor  # (...)
    logits: torch.Tensor  # (..., N)
    offsets: torch.Tensor  # (N, 2)

    def __getitem__(self, index):
        return Tokens(self.end_logits[index], self.logits[index], self.offsets)

    def log_prob(self, points):
        tokens = nearest(points, self.offsets)[..., None]
        nats = self.logits.log_softmax(-1).gather(-1, tokens)[..., 0]
        return nats - cross_entropy(self.end_logits, points[..., 2])

    def biased(self, bias, pen_sharpness):
        ends = sharpen_ends(self.end_logits, bias, pen_sharpness)
        return Tokens(ends, self.logits * (1.0 + bias[..., None]), self.offsets)

    def sample(self, uniform, normal):
        cumulative = self.logits.softmax(-1).cumsum(-1)
        tokens = (cumulative < uniform[..., :1] * cumulative[..., -1:]).sum(-1)
        ends = draw_ends(uniform, self.end_logits, None)
        return torch.cat((self.offsets[tokens], ends), -1)


class TokenNetwork(SynthesisNetwork):
    """The synthesis network, with tokens for its mixture."""

    prediction_type = Tokens

    def __init__(self, normalisation, alphabet, *, side: int = 15, settings: SynthesisSettings):
        self.side = side
        super().__init__(normalisation, alphabet, settings=settings)
        self.head = "tokens"
        steps = torch.linspace(-2.5, 2.5, side).sinh()  # standard deviations
        self.register_buffer("offsets", torch.cartesian_prod(steps, steps), persistent=False)

    def points_seen(self, inputs):
        offsets = self.offsets[nearest(inputs, self.offsets)]
        return super().points_seen(torch.cat((offsets, inputs[..., 2:]), -1))

    def output_layer(self, size):
        return nn.Linear(size, 1 + self.side**2)

    def predict(self, raw):
        return Tokens(raw[..., 0].float(), raw[..., 1:].float(), self.offsets)


class TokenLoss(JumpsFirst):
    """`JumpsFirst` for tokens."""

    name, head = "token_loss", "tokens"


class TokenTrainer(GenerationTrainer):
    """Trains a `TokenNetwork`."""

    losses = (TokenLoss,)
