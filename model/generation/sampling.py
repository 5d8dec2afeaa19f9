"""Writing with a generation network: points are drawn from the mixture and fed back.

The loop is here. A point is drawn by `Mixture.sample`, which the stepper of `stepper` calls,
or by `draw` of `layers/kernels/sampling.c`, which does the same; where a line ends says `stopping`.

Shapes: B lines of a batch, T steps, U characters, I numbers of a point.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from model.generation.line import Line
from model.generation.networks import MixtureNetwork, Output
from model.generation.options import Primer, Sampling
from model.generation.stepper import PERIOD, Lines
from model.generation.stopping import Stopping
from utils.alphabet import nfc
from utils.checks import UserError
from utils.ink import check_ink

BLOCK = 256
"""Steps for which a line's random numbers are drawn at once. Another value gives other lines for
the same seed."""

DEFAULT_STEPS = 700
"""Steps of a line without a text (measured: a line of IAM-OnDB has about 628 points)."""

STEPS_PER_CHARACTER = 40
"""Limit for a line with a text (measured: IAM-OnDB has about 22 points per character)."""


@torch.inference_mode()
def sample(
    model: MixtureNetwork,
    seeds: Sequence[int],
    texts: Sequence[str] | None = None,
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    progress: bool = False,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> list[Line]:
    """Write lines, all of them at once (the paper, sections 4.3, 5.3-5.5).

    Where a line ends: see `stopping`. The bias of a line is halved each time that its pen has
    rested through the `PERIOD` steps of a call of the stepper.

    A line depends only on its seed, text, bias and the primer, not on the other lines (without
    the compiled loop up to the rounding of matrix products, whose order of summation may change
    with the number of rows). Dropout would apply to a primer: call `model.eval()` first.

    Args:
        model: the network.
        seeds: one for each line.
        texts: what to write, one for each line, for a network that needs a text.
        sampling: how points are drawn.
        primer: whose hand is continued; its text is ignored by a network without a window. To keep
            the words apart, one of the texts needs a space where they meet.
        progress: show a progress bar.
        precision: of the matrix products, where the weights are float32.

    Raises:
        UserError: if there are not as many texts as seeds, or an empty text; `DataError` if the
            primer is no ink; `UserError` if the alphabet lacks a character.
    """
    count, max_steps = len(seeds), sampling.max_steps
    if model.needs_text and len(texts or ()) != count:
        raise UserError(f"{count} seeds need as many texts")
    if model.needs_text and not all(texts):
        raise UserError("a text is empty: it needs at least one character")
    if not count:
        return []
    start, primer_text = (np.zeros((1, 3)), "") if primer is None else primer
    start = check_ink(start[:, :3])
    # As in the alphabet, so that phi has an entry for each character of `Line.text`.
    whole = [nfc(primer_text + one) for one in texts] if model.needs_text else None
    limits = [DEFAULT_STEPS if max_steps is None else max_steps] * count
    if model.needs_text and max_steps is None:
        limits = [100 + STEPS_PER_CHARACTER * len(one) for one in texts]
    max_steps = max(limits)

    begin, start_phi = _begin(model, start, whole, count, sampling)
    point, current = begin.point, begin.bias
    products = {"float32": point.dtype, "bfloat16": torch.bfloat16}[precision]
    stepper = model.stepper(begin, products)
    stopping = Stopping(point, model.normalisation, whole, limits, model.end_of_sequence, start_phi)
    active = torch.arange(count, device=point.device)
    primed = len(start) - 1  # steps
    points = point.new_zeros(max_steps, count, model.input_size)
    biases = current.repeat(primed + max_steps, 1)
    hidden = None if progress else True
    with tqdm(total=max_steps, desc="writing", unit="step", leave=False, disable=hidden) as bar:
        numbers = _random_numbers(seeds, point.device)
        for first, (uniform, normal) in zip(range(0, max_steps, PERIOD), numbers, strict=False):
            stop = min(first + PERIOD, max_steps)
            drawn, phi = stepper.run(*(one[: stop - first, active] for one in (uniform, normal)))
            points[first:stop, active] = drawn
            biases[primed + first : primed + stop, active] = current[active]
            bar.update(stop - first)
            current[active] *= torch.where(stopping.at_rest(drawn), 0.5, 1.0)
            stepper.sharpen(current[active])
            rows = stopping.feed(active, drawn, phi).nonzero()[:, 0]
            if not len(rows):
                break
            if len(rows) < len(active):
                active = active[rows]
                stepper.keep(rows)

    lines, written = [], points[..., :3].cpu().numpy()
    biases = biases.float().cpu().numpy()
    for number, (steps, ended) in enumerate(stopping.ends()):
        offsets = model.normalisation.invert(written[:steps, number])
        ink = np.concatenate((start.astype(np.float32), offsets))
        ink[-1, 2] = 1.0  # the pen leaves the paper in the end
        text = peaks = None
        if whole is not None and ended:
            ink = ink[: max(len(ink) - stopping.surplus(number, ink), len(start))]
        if whole is not None:
            text, peaks = whole[number], stopping.peaks[: len(ink) - 1, number].cpu().numpy().copy()
        bias = biases[: len(ink) - 1, number].copy()
        lines.append(Line(ink, 0 if primer is None else len(start), peaks, text, ended, bias))
    return lines


def _random_numbers(seeds: Sequence[int], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield uniform and normal numbers `(PERIOD, B, 2)` without end.

    Each line has its own generator, so that its numbers do not depend on the rest of the batch, the
    device, or the limit.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    while True:
        uniform, normal = zip(
            *((torch.rand(BLOCK, 2, generator=one), torch.randn(BLOCK, 2, generator=one))
              for one in generators), strict=True,
        )  # fmt: skip
        blocks = (torch.stack(parts, 1).to(device).split(PERIOD) for parts in (uniform, normal))
        yield from zip(*blocks, strict=True)


@torch.inference_mode()
def predict(model: MixtureNetwork, line: Line) -> Output:
    """Return what a network says at each step of a line, `(1, steps, ...)`.

    It sees the line as a whole, as it became, though it may have written it in parts.
    """
    inputs = torch.from_numpy(model.normalisation.apply(line.ink[:-1]))[None]
    device, text, lengths = model.output.weight.device, None, None
    if line.text is not None:
        text = torch.from_numpy(model.alphabet.encode(line.text))[None].to(device)
        lengths = torch.tensor([text.shape[1]], device=device)
    return model(inputs.to(device), text, lengths)


def _begin(
    model: MixtureNetwork,
    start: np.ndarray,
    texts: Sequence[str] | None,
    count: int,
    sampling: Sampling,
) -> tuple[Lines, Tensor | None]:
    """Return the lines before their first step, and phi at the primer's, `(B, points - 1, U + 1)`.

    Args:
        start: the primer's points, or one of zeros, `(points, 3)`.
        texts: the whole texts, the primer's included; None without.
    """
    weights = model.output.weight
    inputs = torch.from_numpy(model.normalisation.apply(start)).to(weights)
    # The sequence continues, so the primer's last point does not end it.
    inputs = functional.pad(inputs, (0, model.input_size - 3))
    inputs = inputs.expand(count, -1, -1)  # (B, points, I)
    text = lengths = None
    if texts is not None:
        encoded = [torch.from_numpy(model.alphabet.encode(one)) for one in texts]
        lengths = torch.tensor([len(one) for one in encoded], device=weights.device)
        text = torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True).to(weights.device)
    state, phi = model.initial_state(count), None
    if len(start) > 1:  # the last point is the first step's
        output = model(inputs[:, :-1], text, lengths, state)
        state, phi = output.state, output.attention
    bias = weights.new_full((count,), sampling.bias)
    return Lines(inputs[:, -1], state, bias, text, lengths, sampling), phi
