"""All kinds of values that a checkpoint may hold, those that it does not, and a run with them."""

import warnings
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from enum import Enum
from math import sin
from typing import NamedTuple

import numpy as np
import torch
from tiny_run import ChunkTrainer, Curriculum, TinyModel, TinyOutput
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler

from base.run.checkpoint_archive import DTYPES
from base.run.digest import digest


class Colour(Enum):
    RED = 1


class Count(int):
    pass


class Pair(NamedTuple):
    first: int
    second: int


@dataclass
class Point:
    x: int


def values() -> dict:
    """Return a value of each kind that is not a tensor."""
    return {
        "set": {1, "a", (2, 3.5)},
        "empty set": set(),
        "Counter": Counter("abca"),
        "OrderedDict": OrderedDict(b=1, a=[None, True, 1 << 70]),
        "complex": 1 - 2j,
        "bytes": b"a\xff",
        "bytearray": bytearray(b"a\xff"),
        "empty bytearray": bytearray(),
        "Size": torch.Size([2, 0]),
        "dtype": torch.bfloat16,
        "device": torch.device("cuda", 1),
    }


def tensors() -> dict[str, torch.Tensor]:
    """Return a tensor of each kind."""
    marked = torch.ones(2)
    marked.mark = "an attribute"
    with warnings.catch_warnings(action="ignore"):  # Some kinds are experimental.
        numbers = {name: torch.ones(3).to(getattr(torch, name)) for name in DTYPES}
    return numbers | {
        "Parameter": nn.Parameter(torch.ones(2)),
        "frozen Parameter": nn.Parameter(torch.arange(3), requires_grad=False),
        "marked": marked,
        "expanded": torch.arange(3.0)[:, None].expand(3, 4),
        "windows": torch.arange(5).unfold(0, 3, 1),
        "conjugate": torch.tensor([1 - 2j]).conj(),
        "imaginary": torch.tensor([1 - 2j]).conj().imag,
    }


def refused() -> dict[str, tuple]:
    """Return a value of each kind that is not saved, and what to use instead."""
    parts = [torch.ones(2), torch.ones(3)]
    with warnings.catch_warnings(action="ignore"):  # Some kinds are experimental.
        return {
            "frozenset": (frozenset({1}), "use a set"),
            "empty bytes": (b"", "use None or an empty bytearray"),
            "sparse": (torch.eye(2).to_sparse(), "use to_dense"),
            "compressed": (torch.eye(2).to_sparse_csr(), "use to_dense"),
            "nested": (torch.nested.nested_tensor(parts), "use a list, by unbind"),
            "jagged": (torch.nested.nested_tensor(parts, layout=torch.jagged), "use plain ones"),
            "quantised": (
                torch.quantize_per_tensor(parts[0], 0.1, 0, torch.qint8),
                "use dequantize",
            ),
            "meta": (torch.ones(2, device="meta"), "have no numbers: leave them out"),
            "float8": (torch.ones(2).to(torch.float8_e4m3fn), "use bfloat16 or float32"),
            "array": (torch.ones(2).numpy(), "use torch.from_numpy"),
            "number of an array": (torch.ones(2).numpy()[0], r"number\.item"),
            "deque": (deque([1]), "use a list or a dict"),
            "dataclass": (Point(1), r"use dataclasses\.asdict"),
            "member of an Enum": (Colour.RED, "use its name"),
            "named tuple": (Pair(1, 2), r"use tuple\(value\)"),
            "class of numbers": (Count(1), r"use int\(value\)"),
            "huge number": (1 << 2040, r"use hex\(value\)"),
            "lambda": (lambda: 1, "lambda"),
            "function": (sin, "use a name"),
            "class": (Colour, "use a name"),
            "Generator": (torch.Generator(), r"use get_state\(\)"),
            "generator of NumPy": (
                np.random.default_rng(1),
                r"use generator\.bit_generator\.state",
            ),
            "object": (object(), "neither tensors nor plain values"),
        }


class Holding:
    """A part whose state has a value of each kind, which each step changes."""

    def __init__(self) -> None:
        self.held = values() | tensors() | {"count": 0}

    def advance(self) -> None:
        held = self.held
        held["count"] = count = held["count"] + 1
        held["set"].add(count)
        held["Counter"].update("ab")
        held["OrderedDict"].move_to_end("b")
        held["complex"] *= 1j
        held["bytes"] += bytes([count])
        held["bytearray"].append(count)
        held["Size"] = held["Size"] + (count,)
        for name in tensors().keys() - {"expanded", "windows"}:
            held[name].detach()[0] = count
        held["expanded"] = held["expanded"][:, :1].add(1).expand(3, 4)
        held["windows"] = (held["windows"] + 1)[:, 0].unfold(0, 2, 1)[:1].repeat(2, 1)

    def state_dict(self) -> dict:
        return {"held": self.held}

    def load_state_dict(self, state: dict) -> None:
        self.held = state["held"]


class HoldingSampler(Curriculum):
    """Draws by what it holds."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.part = Holding()

    def state_dict(self) -> dict:
        return super().state_dict() | self.part.state_dict()

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.part.load_state_dict(state)


class HoldingSGD(SGD):
    """Has values of each kind in its groups and in the states of its weights."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.param_groups[0] |= Holding().state_dict()
        for weight in self.param_groups[0]["params"]:
            self.state[weight] |= Holding().state_dict() | {"text": "warm", "texts": ["a", ("b",)]}


class HoldingSchedule(LRScheduler):
    """Has values of each kind, and a rate by their number."""

    def __init__(self, optimizer, _) -> None:
        self.held = Holding().held
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        return [rate * len(self.held["bytes"]) / 2 for rate in self.base_lrs]


class HoldingTrainer(ChunkTrainer):
    """Holds values of each kind, itself and in all parts, and predicts by them."""

    def __init__(self, *parts, **options) -> None:
        super().__init__(*parts, **options)
        self.part, self.other = Holding(), self.keep("other", Holding())
        self.network = self.keep("network", Turning())

    def state_dict(self) -> dict:
        return self.part.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.part.load_state_dict(state)

    def forward_batch(self, model, batch, state=None):
        output = super().forward_batch(model, batch, state)
        shift = digest([self.part.held, self.other.held])[0] / 1000
        output.prediction = output.prediction + shift * self.network.turn.abs().mean()
        return output

    def step(self, chunks):
        for part in (self.part, self.other, self.sampler.part):
            part.advance()
        return super().step(chunks)


class Turning(TinyModel):
    """Turns what it sees by complex weights, and carries an angle from chunk to chunk."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__(dropout)
        self.turn = nn.Parameter(torch.tensor([1.0 + 0.1j, 0.9 - 0.2j]))
        self.tied = self.turn
        for name, tensor in tensors().items():
            self.register_buffer(f"a_{name}".replace(" ", "_"), tensor.detach())

    def initial_state(self, batch, conditions=None):
        angle, count = torch.ones(batch, 2, dtype=torch.complex64), torch.zeros(batch, 1)
        state = super().initial_state(batch) | {"angle": angle, "count": count.to(torch.uint16)}
        return state | {"wide": torch.ones(1).expand(batch, 3)}

    def forward(self, inputs, text=None, text_lengths=None, state=None) -> TinyOutput:
        state = self.initial_state(len(inputs)) if state is None else state
        turned = state["angle"] * self.turn * self.a_complex64[0]
        seen = inputs * turned.real.mean(1)[:, None, None] + self.a_expanded[0, 0]
        output = super().forward(seen, text, text_lengths, state)
        count = (state["count"].int() + inputs.shape[1]).to(torch.uint16)
        angle = turned / turned.abs()
        output.state |= {"angle": angle.detach(), "count": count, "wide": state["wide"]}
        return output


RUN = {
    **{"trainer": HoldingTrainer, "network": Turning, "loader": {"sampler": HoldingSampler}},
    **{"optimizer": HoldingSGD, "scheduler": HoldingSchedule, "steps_per_epoch": 6},
    **{"ema_decay": 0.8, "truncate": 4},
}
"""Options of a run in which all parts hold values of each kind."""
