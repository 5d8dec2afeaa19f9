"""The interface of networks, and the further inputs of their sequences."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from base.base_data_loader import Batch
from utils.checks import DataError, UserError, short

_LATENT = 3
"""Part of the seeds of latents, which makes them other seeds than those of a line's points."""


class ExtraShapes(dict[str, tuple[int, ...]]):
    """The shapes of extras by name: of arrays of fixed sizes that a network is told."""

    def __init__(self, shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__({name: tuple(shape) for name, shape in shapes.items()})

    def __missing__(self, name: str) -> NoReturn:
        where = "the samples, or what it kept as `extras`"
        raise DataError(f"the network takes the extra {name!r}; {where}, have {self}")

    def __str__(self) -> str:
        return ", ".join(f"{name} of shape {shape}" for name, shape in self.items()) or "no extras"


@dataclass(frozen=True, eq=False)
class Given:
    """Inputs of the sequences of a batch that are told once, where the sequences begin."""

    extras: Mapping[str, Tensor]
    """By name, `(batch, ...)` each."""
    seeds: Sequence[int] | None = None
    """Seeds of the latents: in writing the lines' seeds, in validation the samples' places. None in
    training, where a network draws from torch's global generators."""

    @property
    def generators(self) -> list[torch.Generator] | None:
        """New generators on the CPU, one for each sequence, each time in the same state."""
        if self.seeds is None:
            return None
        seeds = [np.random.default_rng([seed, _LATENT]).integers(2**63) for seed in self.seeds]
        return [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def __getitem__(self, rows: Sequence[int]) -> "Given":
        """Return the inputs of some of the sequences."""
        extras = {name: value[list(rows)] for name, value in self.extras.items()}
        return Given(extras, None if self.seeds is None else [self.seeds[row] for row in rows])


class BaseModel(nn.Module, ABC):
    """A network that keeps no state between calls.

    Recurrent state is an argument and a result of `forward`, never an attribute of the module.
    """

    needs_text: ClassVar[bool] = False
    """Whether `forward` must be given the text of the samples."""

    # Without a value, which would hide a layer of that name.
    head: str
    """The kind of the output, if losses and metrics have to fit it."""

    def __init__(self) -> None:
        super().__init__()
        self.extras = ExtraShapes({})  # of its sequences

    @abstractmethod
    def forward(self, *inputs: Any) -> Any:
        """Compute the output of the network; each class states its shapes."""

    def initial_state(self, batch: int, given: Given | None = None) -> dict[str, Tensor]:
        """Return the state before the first step, each tensor with `batch` as first dimension.

        A dimension of 0 grows from call to call. Empty for a network that sees its inputs as a
        whole. Without `given` the extras are zeros, as by `told`.
        """
        return {}

    def begin(self, batch: Batch) -> dict[str, Tensor]:
        """Return the state in which the sequences of a batch begin; in validation the latent of a
        sample depends on the sample's place alone."""
        seeds = None if self.training else batch.index.tolist()
        return self.initial_state(len(batch), Given(batch.extras, seeds))

    def told(
        self, batch: int, extras: Mapping[str, Any] = {}, seeds: Sequence[int] | None = None
    ) -> Given:
        """Return the inputs of so many sequences.

        Args:
            batch: the number of sequences.
            extras: by name, the same for all sequences or a row for each; others are zeros.
            seeds: see `Given`.

        Raises:
            UserError: if the network takes no such extra, naming those that it takes.
        """
        zeros = next(self.parameters()).new_zeros
        values = {name: zeros(batch, *shape) for name, shape in self.extras.items()}
        for name, value in extras.items():
            try:
                numbers = torch.tensor(np.asarray(value, np.float32))
                values[name].copy_(numbers.reshape(-1, *self.extras[name]))
            except (KeyError, TypeError, ValueError, RuntimeError):
                what = f"the extra {name} = {short(value)} does not fit"
                raise UserError(f"{what}: {type(self).__name__} takes {self.extras}") from None
        return Given(values, seeds)

    @property
    def features(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """The function that turns ink `(points, 3)` in any unit into inputs `(points, features)`.

        Worker processes call the function, so that pickle has to take it. None: the network sees
        the normalised points themselves.
        """
        return None

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """Weights with one index for each character of `self.alphabet`, in its order.

        By name in `state_dict`: the dimension, and the index of the first character in it.
        """
        return {}

    def extend_state_dict(
        self, state_dict: Mapping[str, Tensor], vocab_size_before: int | None = None
    ) -> dict[str, Tensor]:
        """Return the weights of a network with fewer characters, extended to those of this network.

        New characters get the initial weights of this network. All other weights are those of
        `state_dict`; indices after the characters move along.

        Args:
            state_dict: the weights of the other network. Weights that do not fit stay unchanged.
            vocab_size_before: how many characters of `self.alphabet` the other network knows, the
                first ones; None for all.
        """
        initial, extended = self.state_dict(), dict(state_dict)
        if vocab_size_before is None:
            return extended
        added = len(self.alphabet) - vocab_size_before if self.vocabulary_axes else 0
        for name, (dim, first) in self.vocabulary_axes.items():
            old, fresh = extended.get(name), initial[name].movedim(dim, 0)
            if not isinstance(old, Tensor) or old.ndim != fresh.ndim:
                continue
            old = old.movedim(dim, 0)
            if old.shape[1:] == fresh.shape[1:]:
                end = first + vocab_size_before
                parts = (old[:end], fresh[end : end + added], old[end:])
                extended[name] = torch.cat(parts).movedim(0, dim)
        return extended

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(weights.numel() for weights in self.parameters() if weights.requires_grad)

    def __str__(self) -> str:
        return f"{super().__str__()}\nTrainable parameters: {self.num_parameters:,}"
