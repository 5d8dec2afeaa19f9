"""Writes with a generation network: draws each point and feeds the point back to the network.

A `stepper` draws the points, by `Mixture.sample` or by its equivalent in
`layers/kernels/sampling.c`; `stopping` finds where a line ends.

Shapes: B lines of a batch, T steps, U characters, I numbers of a point.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from base.base_data_loader import padded
from base.base_model import Given
from model.generation.generators import GenerationNetwork, Output
from model.generation.line import Line
from model.generation.sampling_options import Primer, Sampling
from model.generation.stepper import PERIOD, WritingState
from model.generation.stopping import Stopping
from model.layers.kernels import library
from utils.alphabet import nfc
from utils.checks import UserError
from utils.ink import check_ink

BLOCK = 256
"""Steps for which a line's random numbers are drawn at once, a multiple of `PERIOD` (assumed). The
value determines which line a seed gives."""
DEFAULT_STEPS = 700
"""Steps of a line without a text (measured: a line of IAM-OnDB has about 628 points)."""
MIN_STEPS = 100
"""Steps that a line with a text may take in addition to `STEPS_PER_CHARACTER` (assumed)."""
STEPS_PER_CHARACTER = 40
"""Steps that a line may take per character (measured: IAM-OnDB has 22 points per character)."""


@contextmanager
def _few_threads() -> Iterator[None]:
    """Limit torch to one thread if there is no compiled loop: in small operations several threads
    wait for each other (measured, lab notebook: the speed of writing)."""
    threads = torch.get_num_threads()
    if library.kernels(bfloat16=False) is None:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
@_few_threads()
def sample(
    model: GenerationNetwork,
    seeds: Sequence[int],
    texts: Sequence[str] | None = None,
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    progress: bool = False,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> list[Line]:
    """Write lines, all of them at once (the paper, sections 4.3, 5.3-5.5).

    The bias of a line is halved each time that its pen rests through the `PERIOD` steps of a call
    of the stepper. A line depends only on its seed, text, bias and the primer, not on the other
    lines. (Without the compiled loop this holds up to the rounding of matrix products, whose order
    of summation may change with the number of rows.) Call `model.eval()` first: otherwise dropout
    applies to a primer.

    Args:
        model: the network.
        seeds: a seed for each line.
        texts: a text for each line, for a network that needs a text.
        sampling: how points are drawn, and the extras that the network is told.
        primer: ink whose hand is continued, and its text, which a network without a window ignores.
            To separate words, the primer's text must end or the new text begin with a space.
        progress: show a progress bar.
        precision: dtype of the matrix products if the weights are float32.

    Raises:
        UserError: if there are not as many texts as seeds, if a text is empty, or if the network
            lacks a character or does not take an extra; `DataError` if the primer is no ink.
    """
    if not seeds:
        return []
    start, primer_text = (np.zeros((1, 3)), "") if primer is None else primer
    start = check_ink(start[:, :3])
    whole_texts = _whole_texts(texts, len(seeds), primer_text) if model.needs_text else None
    limits = _limits(sampling.max_steps, texts if whole_texts else [None] * len(seeds))
    max_steps, primer_length = max(limits), len(nfc(primer_text).rstrip()) if whole_texts else 0
    latent_seeds = seeds if sampling.latent_seed is None else [sampling.latent_seed] * len(seeds)
    given = model.told(len(seeds), sampling.extras, latent_seeds)
    initial, primed_phi = _begin(model, start, whole_texts, primer_length, given, sampling)
    point, bias = initial.point, initial.bias
    matmul_dtype = {"float32": point.dtype, "bfloat16": torch.bfloat16}[precision]
    stepper = model.stepper(initial, matmul_dtype)
    predicts_end, normalisation = model.end_of_sequence, model.normalisation
    stopping = Stopping(point, normalisation, whole_texts, limits, predicts_end, primed_phi)
    active = torch.arange(len(seeds), device=point.device)
    primer_steps = len(start) - 1
    points = point.new_zeros(max_steps, len(seeds), model.input_size)
    biases = bias.repeat(primer_steps + max_steps, 1)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    disable = None if progress else True  # None: disabled if the output is not a terminal
    with tqdm(total=max_steps, desc="writing", unit="step", leave=False, disable=disable) as bar:
        for start_step in range(0, max_steps, PERIOD):
            if start_step % BLOCK == 0:
                uniform, normal = _random_numbers(generators, active)
            stop, first = min(start_step + PERIOD, max_steps), start_step % BLOCK
            steps = slice(first, first + stop - start_step)
            drawn, phi = stepper.run(uniform[steps, active], normal[steps, active])
            points[start_step:stop, active] = drawn
            biases[primer_steps + start_step : primer_steps + stop, active] = bias[active]
            bar.update(stop - start_step)
            bias[active] *= torch.where(stopping.at_rest(drawn), 0.5, 1.0)
            stepper.sharpen(bias[active])
            continuing = stopping.feed(active, drawn, phi).nonzero()[:, 0]
            if not len(continuing):
                break
            if len(continuing) < len(active):
                active = active[continuing]
                stepper.keep(continuing)

    primed, texts = 0 if primer is None else len(start), whole_texts or [None] * len(seeds)
    points, biases = points[:stop, :, :3], biases[: primer_steps + stop].float()
    lines = _lines(model, stopping, points, biases, start, primed, texts)
    return [replace(line, given=given[[row]]) for row, line in enumerate(lines)]


def _lines(
    model: GenerationNetwork,
    stopping: Stopping,
    points: Tensor,
    biases: Tensor,
    start: np.ndarray,
    primed: int,
    texts: Sequence[str | None],
) -> list[Line]:
    """Return the lines, up to the ends that `stopping` finds.

    Args:
        points: the drawn points, normalised, `(steps, B, 3)`.
        biases: the bias of each point of `start` and `points` but the first, `(points, B)`.
        start: the ink before `points`; `primed` is its length, or 0 without a primer.
        texts: the whole texts; None for each line without a text.
    """
    lines, start = [], start.astype(np.float32)
    offsets = model.normalisation.invert(points.transpose(0, 1).contiguous().cpu().numpy())
    biases = biases.T.contiguous().cpu().numpy()
    has_text = stopping.texts is not None
    all_peaks = stopping.peaks[: biases.shape[1]].T.contiguous().cpu().numpy() if has_text else None
    for row, (steps, ended) in enumerate(stopping.ends()):
        ink = np.concatenate((start, offsets[row, :steps]))
        ink[-1, 2] = 1.0  # the pen leaves the paper in the end
        text, peaks = texts[row], None
        if text is not None:
            surplus = stopping.surplus(row, ink, all_peaks[row]) if ended else 0
            ink = ink[: max(len(ink) - surplus, len(start))]
            peaks = all_peaks[row, : len(ink) - 1].copy()
        bias = biases[row, : len(ink) - 1].copy()
        lines.append(Line(ink, primed, peaks, text, ended, bias))
    return lines


def _limits(max_steps: int | None, texts: Sequence[str | None]) -> list[int]:
    """Return the limit on the steps of each line: `max_steps`; if None, enough for the text."""
    if max_steps is not None:
        return [max_steps] * len(texts)
    return [
        DEFAULT_STEPS if text is None else MIN_STEPS + STEPS_PER_CHARACTER * len(text)
        for text in texts
    ]


def _whole_texts(texts: Sequence[str] | None, count: int, primer_text: str) -> list[str]:
    """Return each text behind the primer's text, in NFC, as the network sees it; see `sample`."""
    if texts is None or len(texts) != count:
        raise UserError(f"{count} seeds need as many texts")
    if not all(texts):
        raise UserError("a text is empty: it needs at least one character")
    return [nfc(primer_text + text) for text in texts]


def _random_numbers(generators: Sequence[torch.Generator], rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return uniform and normal numbers for `BLOCK` steps, `(BLOCK, B, 2)` each; those of lines
    that are not in `rows` are left as they are in memory.

    Each line has its own generator, so that the numbers of a line do not depend on the other lines,
    the device, or the limit on steps.
    """
    uniform, normal = torch.empty(2, BLOCK, len(generators), 2)
    for row in rows.tolist():
        uniform[:, row] = torch.rand(BLOCK, 2, generator=generators[row])
        normal[:, row] = torch.randn(BLOCK, 2, generator=generators[row])
    return uniform.to(rows.device), normal.to(rows.device)


@torch.inference_mode()
def predict(model: GenerationNetwork, line: Line) -> Output:
    """Return a network's output at each step of a line that the network wrote, `(1, steps, ...)`.
    The network sees the line as a whole, even if the line was written in parts."""
    inputs = torch.from_numpy(model.normalisation.apply(line.ink[:-1]))[None]
    device, text = model.output.weight.device, (None, None)
    if line.text is not None:
        text = padded([model.alphabet.encode(line.text)], device)
    return model(inputs.to(device), *text, model.initial_state(1, line.given))


def _begin(
    model: GenerationNetwork,
    start: np.ndarray,
    texts: Sequence[str] | None,
    primer_length: int,
    given: Given,
    sampling: Sampling,
) -> tuple[WritingState, Tensor | None]:
    """Return the lines before their first step, and phi of a primer, `(B, points - 1, U + 1)`.

    The median of the window is moved to the first character after a primer's text. In a hand that
    the network hardly knows, the window after the primer is some characters off (measured, lab
    notebook: the words of a page), and the line would begin amid a word.

    Args:
        start: the primer's points, or a row of zeros, `(points, 3)`.
        texts: the whole texts, including the primer's text; None without texts.
        primer_length: characters of the primer's text without blanks at its end; for 0 the window
            is not moved.
        given: the extras and seeds that the network is told for the lines.
    """
    weights = model.output.weight
    inputs = torch.from_numpy(model.normalisation.apply(start)).to(weights)
    # A fourth number of 0: the primer's last point does not end the sequence.
    inputs = functional.pad(inputs, (0, model.input_size - 3))
    num_lines, text, lengths, phi = len(given.seeds), None, None, None
    state = model.initial_state(num_lines, given)
    if texts is not None:
        text, lengths = padded([model.alphabet.encode(one) for one in texts], weights.device)
    if len(start) > 1:  # the last point is the input of the first step
        firsts, places = _distinct(texts or [""] * num_lines, state)
        told = (None, None) if text is None else (text[firsts], lengths[firsts])
        inputs_of_all = inputs[:-1].expand(len(firsts), -1, -1)  # (D, points - 1, I)
        output = model(inputs_of_all, *told, {name: value[firsts] for name, value in state.items()})
        state = {name: value[places] for name, value in output.state.items()}
        phi = None if text is None else output.attention[places]
        if primer_length:
            padding = torch.arange(phi.shape[2], device=phi.device) > lengths[:, None]
            window = phi[:, -1].masked_fill(padding, 0.0)
            median = (window.cumsum(1) < window.sum(1, keepdim=True) / 2).sum(1)  # index, from 0
            state |= {
                name: kappa + (primer_length - median)[:, None]
                for name, kappa in state.items()
                if name.endswith("kappa")
            }
    bias = weights.new_full((num_lines,), sampling.bias)
    point = inputs[-1].repeat(num_lines, 1)
    return WritingState(point, state, bias, text, lengths, sampling), phi


def _distinct(texts: Sequence[str], state: Mapping[str, Tensor]) -> tuple[list[int], list[int]]:
    """Return the first row of each of the D distinct lines, and each line's place among these:
    lines with the same text and state begin alike."""
    arrays = [value.double().numpy(force=True) for value in state.values()]
    states = [[row.tobytes() for row in array] for array in arrays]
    firsts: dict[tuple, int] = {}
    keys = [*zip(texts, *states, strict=True)]
    for row, key in enumerate(keys):
        firsts.setdefault(key, row)
    places = {key: place for place, key in enumerate(firsts)}
    return [*firsts.values()], [places[key] for key in keys]
