"""Defines the interface of networks, and the inputs on which a sequence is conditioned."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from base.base_data_loader import Batch
from base.data.samples import ExtraShapes
from ink.alphabet import Alphabet
from utils.checks import ConfigFault, UserError, short

_LATENT_KEY = 3
"""Part of the seed of a latent, which makes it differ from the seeds of a line's points."""


@dataclass(frozen=True, eq=False)
class Conditions:
    """The inputs on which a network is conditioned: one set for each sequence of a batch."""

    extras: Mapping[str, Tensor]
    """The extras by name, each `(batch, ...)`."""
    seeds: Sequence[int] | None = None
    """The seed of each sequence's latent: in writing the seed of the line, in validation the index
    of the sample. None in training, where a network draws from torch's global generators."""

    @property
    def generators(self) -> list[torch.Generator] | None:
        """A generator on the CPU for each sequence, freshly seeded; None without seeds."""
        if self.seeds is None:
            return None
        seeds = [np.random.default_rng([seed, _LATENT_KEY]).integers(2**63) for seed in self.seeds]
        return [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def __getitem__(self, rows: Sequence[int]) -> "Conditions":
        """Return the inputs of the sequences with the indices `rows`."""
        extras = {name: value[list(rows)] for name, value in self.extras.items()}
        seeds = None if self.seeds is None else [self.seeds[row] for row in rows]
        return Conditions(extras, seeds)


class BaseModel(nn.Module, ABC):
    """A network whose results depend on its arguments, weights and buffers alone.

    Recurrent state is an argument and a result of `forward`, never an attribute of the module. In
    evaluation a call changes nothing. In training it may change buffers, which a checkpoint has:
    the statistics of BatchNorm, or the hands of a `HandEncoder`.
    """

    needs_text: ClassVar[bool] = False
    """Whether `forward` needs the text of the samples."""

    # `head` has no value here, because a value would hide a layer of this name.
    head: str
    """The kind of the output, which losses and metrics have to fit; absent if all of them fit."""

    alphabet: Alphabet
    """The characters that the network knows; absent if it has to do with no text."""

    def __init__(self) -> None:
        super().__init__()
        self.extras = ExtraShapes({})  # extras that the network takes

    @abstractmethod
    def forward(self, *inputs: Any) -> Any:
        """Compute the output of the network; each class states its shapes."""

    def initial_state(self, batch: int, conditions: Conditions | None = None) -> dict[str, Tensor]:
        """Return the state before the first step: tensors `(batch, ...)` by name.

        A dimension whose size is 0 here grows from call to call. The state is empty for a network
        that sees its inputs as a whole. Without `conditions` all extras are zeros.
        """
        return {}

    def begin(self, batch: Batch) -> dict[str, Tensor]:
        """Return the state before the first step of a batch, by `initial_state`, for a trainer of
        one's own."""
        seeds = batch.latent_seeds(self.training)
        return self.initial_state(len(batch), Conditions(batch.extras, seeds))

    def make_conditions(
        self, batch: int, extras: Mapping[str, Any] = {}, seeds: Sequence[int] | None = None
    ) -> Conditions:
        """Return the argument of `initial_state` for extras and seeds.

        Args:
            batch: the number of sequences.
            extras: arrays by name, either one for all sequences or a row for each sequence; an
                extra that is missing here is zeros.
            seeds: see `Conditions`.

        Raises:
            UserError: if an extra does not fit, naming the extras that the network takes.
        """
        zeros = next(self.parameters()).new_zeros
        values = {name: zeros(batch, *shape) for name, shape in self.extras.items()}
        for name, value in extras.items():
            try:
                numbers = torch.tensor(np.asarray(value, np.float32))
                values[name].copy_(numbers.reshape(-1, *self.extras[name]))
            except (KeyError, TypeError, ValueError, RuntimeError):
                fault = f"the extra {name} = {short(value)} does not fit"
                raise UserError(f"{fault}: {type(self).__name__} takes {self.extras}") from None
        return Conditions(values, seeds)

    told = make_conditions  # the method's name in users' networks of earlier versions

    @property
    def features(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """The function that turns ink `(points, 3)` in any unit into inputs `(points, features)`;
        None if the network sees the normalised points.

        Worker processes call the function, so it must be picklable. It may have a method `batch`,
        which takes a list of inks and returns the list of their inputs.
        """
        return None

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """The weights with an index for each character of `self.alphabet`, in the alphabet's order.

        By name in `state_dict`: the dimension of these indices, and the first character's index.
        """
        return {}

    def check_vocabulary(self) -> None:
        """Raise a ConfigFault if a dimension in `vocabulary_axes` has not all characters."""
        weights = self.state_dict()
        for name, (dim, first) in self.vocabulary_axes.items():
            size = weights[name].shape[dim]
            needed = first + len(self.alphabet)
            if size < needed:
                expected = f"one whose vocabulary_axes name a dimension of at least {needed}"
                expected += f"; dimension {dim} of {name} has {size}"
                raise ConfigFault("arch", type(self).__name__, expected)

    def extend_state_dict(
        self, state_dict: Mapping[str, Tensor], vocab_size_before: int
    ) -> dict[str, Tensor]:
        """Return the weights of a network with fewer characters, extended by new characters.

        New characters get the initial weights of this network, and are inserted after the old
        characters. All other weights are from `state_dict`.

        Args:
            state_dict: the smaller network's weights; a weight that does not fit stays unchanged.
            vocab_size_before: number of the first characters of `self.alphabet` that the smaller
                network knows.
        """
        initial = self.state_dict()
        extended = dict(state_dict)
        for name, (dim, first) in self.vocabulary_axes.items():
            old = extended.get(name)
            new = initial[name].movedim(dim, 0)
            if not isinstance(old, Tensor) or old.ndim != new.ndim:
                continue
            old = old.movedim(dim, 0)
            if old.shape[1:] == new.shape[1:]:
                first_new = first + vocab_size_before
                end = first + len(self.alphabet)
                blocks = (old[:first_new], new[first_new:end], old[first_new:])
                extended[name] = torch.cat(blocks).movedim(0, dim)
        return extended

    @property
    def num_parameters(self) -> int:
        """The number of trainable parameters."""
        return sum(weights.numel() for weights in self.parameters() if weights.requires_grad)

    def __str__(self) -> str:
        return f"{super().__str__()}\nTrainable parameters: {self.num_parameters:,}"
