"""Writes lines point by point: draws each point from a network, and feeds it back to the network.

`sample` writes a batch of lines: `_begin` shows the network a primer, `_draw` draws points until
`stopping.Stopping` finds that every line has ended, and `_cut_at_ends` turns the points into lines
in the units of the data. A `Stepper` makes the steps.

Shapes: B lines of a batch, T steps, U characters of a text, I numbers of a point.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from base.base_data_loader import padded
from base.base_model import BaseModel, Conditions
from ink.alphabet import nfc
from ink.geometry import check_ink
from model.generation.line import Line, Primer, Sampling
from model.generation.stopping import Stopping
from model.layers.kernels import library
from utils.checks import UserError

PERIOD = 16
"""Most steps of a call of a stepper (assumed: 16 make calls and checks for ended lines rare, and
waste 8 steps a line on average). The value affects lines with a bias: their pens are checked for
rest per call."""
BLOCK = 256
"""Steps for which a line's random numbers are drawn at once, a multiple of `PERIOD` (assumed). The
value determines which line a seed gives."""
DEFAULT_STEPS = 700
"""Steps of a line without a text (measured: a line of IAM-OnDB has about 628 points)."""
MIN_STEPS = 100
"""Steps that a line with a text may take in addition to `STEPS_PER_CHARACTER` (assumed)."""
STEPS_PER_CHARACTER = 40
"""Steps that a line may take per character (measured: IAM-OnDB has 22 points per character)."""


@dataclass
class WritingState:
    """The lines that a stepper works on.

    Attributes:
        point: the next input, `(B, I)`, normalised.
        state: the network's state before the next step: tensors by name, `(B, ...)` each.
        bias: sharpening of the mixture, `(B,)`.
        text, text_lengths: indices of the characters, `(B, U)`, and their number, `(B,)`; None for
            a network without a window.
        sampling: options of all lines. `sampling.bias` is the bias at the first step only.
    """

    point: Tensor
    state: dict[str, Tensor]
    bias: Tensor
    text: Tensor | None = None
    text_lengths: Tensor | None = None
    sampling: Sampling = Sampling()

    def stretch(self, network: BaseModel) -> tuple[float, float]:
        """Return the factors on the mixture's means in x and y: `sampling.stretch`, or else the
        network's factors, 1 + stretch * (1 - exp(-2 bias)) in x and 1 in y."""
        return self.sampling.stretch or network.stretch_at(self.sampling.bias)

    def __getitem__(self, rows: Tensor) -> Self:
        """Return the lines of some rows."""
        state = {name: value[rows] for name, value in self.state.items()}
        lines = replace(self, point=self.point[rows], state=state, bias=self.bias[rows])
        if self.text is None:
            return lines
        return replace(lines, text=self.text[rows], text_lengths=self.text_lengths[rows])


class Stepper:
    """Advances lines by a network's `forward`, called once for each step.

    `GenerationNetwork.stepper` returns a stepper for each call of `sample`, because the network may
    be trained between two calls. On a CPU the project's networks return a `CompiledStepper`, which
    does the work of `run` in C.

    Args:
        network: a `GenerationNetwork`, used with its present weights.
        lines: the lines before their first step.
        matmul_dtype: dtype of the matrix products: the weights' dtype, or bfloat16. All else has
            the weights' dtype.
    """

    def __init__(self, network: BaseModel, lines: WritingState, matmul_dtype: torch.dtype) -> None:
        self.network, self.lines, self.bfloat16 = network, lines, matmul_dtype == torch.bfloat16

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the next points of all lines, `(T, B, I)`, and phi `(T, B, U + 1)` or None.

        The next call may overwrite the returned tensors.

        Args:
            uniform, normal: random numbers for `Mixture.sample`, `(T, B, 2)` each, for at most
                `PERIOD` steps.
        """
        points, phis = [], []
        # The context encloses all steps, so that autocast rounds the weights only once.
        with torch.autocast(uniform.device.type, torch.bfloat16, self.bfloat16):
            for random_numbers in zip(uniform, normal, strict=True):
                lines = self.lines
                inputs = lines.point[:, None], lines.text, lines.text_lengths, lines.state
                output = self.network(*inputs)
                prediction, factors = output.prediction[:, -1], lines.stretch(self.network)
                prediction = prediction.stretched(factors, self.network.normalisation)
                prediction = prediction.biased(lines.bias, lines.sampling.pen_sharpness)
                points.append(prediction.sample(*random_numbers))
                if output.attention is not None:
                    phis.append(output.attention[:, -1])
                # A fourth number of the next input is 0: the sequence continues.
                point = functional.pad(points[-1][:, :3], (0, lines.point.shape[1] - 3))
                self.lines = replace(lines, point=point, state=output.state)
        return torch.stack(points), torch.stack(phis) if phis else None

    def select(self, rows: Tensor) -> None:
        """Go on with the lines of `rows` only, ascending indices of the present lines."""
        self.lines = self.lines[rows]

    def sharpen(self, bias: Tensor) -> None:
        """Set the bias of each of the present lines, `(B,)`."""
        self.lines = replace(self.lines, bias=bias.clone())


@contextmanager
def _few_threads() -> Iterator[None]:
    """Limit torch to one thread if there is no compiled loop: in small operations several threads
    wait for each other (measured, notebook: speed, writing)."""
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
    model: BaseModel,
    seeds: Sequence[int],
    texts: Sequence[str] | None = None,
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    progress: bool = False,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> list[Line]:
    """Write lines, all of them at once (the paper, sections 4.3, 5.3-5.5).

    A line depends only on its seed, text, bias and the primer, not on the other lines. (Without the
    compiled loop this holds up to the rounding of matrix products, whose order of summation may
    change with the number of rows.) Call `model.eval()` first: otherwise dropout applies to a
    primer.

    Args:
        model: a `GenerationNetwork`.
        seeds: a seed for each line.
        texts: a text for each line, for a network that needs a text.
        sampling: how points are drawn, and the extras on which the network is conditioned.
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
    # Without a primer, a line begins with a point of zeros.
    start, primer_text = (np.zeros((1, 3)), "") if primer is None else primer
    start, has_text = check_ink(start[:, :3]), model.needs_text
    # The network sees the primer's text and the new text as one text.
    whole_texts = _whole_texts(texts, len(seeds), primer_text) if has_text else None
    limits = _limits(sampling.max_steps, texts if has_text else [None] * len(seeds))
    latent_seeds = seeds if sampling.latent_seed is None else [sampling.latent_seed] * len(seeds)
    conditions = model.make_conditions(len(seeds), sampling.extras, latent_seeds)
    primer_length = len(nfc(primer_text).rstrip()) if has_text else 0
    initial, primed_phi = _begin(model, start, whole_texts, primer_length, conditions, sampling)
    matmul_dtype = {"float32": initial.point.dtype, "bfloat16": torch.bfloat16}[precision]
    stepper = model.stepper(initial, matmul_dtype)
    stopping = Stopping(
        initial.point, model.normalisation, whole_texts, limits, model.end_of_sequence, primed_phi
    )
    points, biases = _draw(stepper, stopping, initial.bias.clone(), seeds, max(limits), progress)
    # Back to the units of the data.
    offsets = model.normalisation.invert(points[..., :3].transpose(0, 1).numpy(force=True))
    primer_biases = initial.bias.expand(len(start) - 1, -1)  # the primer's steps have it, too
    biases = torch.cat((primer_biases, biases)).T.float().numpy(force=True)
    primed = 0 if primer is None else len(start)
    return _cut_at_ends(stopping, start.astype(np.float32), primed, offsets, biases, conditions)


def _draw(
    stepper: Stepper,
    stopping: Stopping,
    bias: Tensor,
    seeds: Sequence[int],
    max_steps: int,
    progress: bool,
) -> tuple[Tensor, Tensor]:
    """Draw points until `stopping` has ended all lines, and return the points, `(T, B, I)`
    normalised, and their biases, `(T, B)`.

    The bias of a line, `(B,)` before the first step, is halved each time that its pen rests through
    the `PERIOD` steps of a call: under a sharpened density the pen might rest forever.
    """
    active = torch.arange(len(seeds), device=bias.device)  # the lines that go on
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    points, biases = [], []
    disable = None if progress else True  # None: disabled if the output is not a terminal
    with tqdm(total=max_steps, desc="writing", unit="step", leave=False, disable=disable) as bar:
        for step in range(0, max_steps, PERIOD):
            if step % BLOCK == 0:
                uniform, normal = _random_numbers(generators, active)
            count = min(PERIOD, max_steps - step)
            steps = slice(step % BLOCK, step % BLOCK + count)
            drawn, phi = stepper.run(uniform[steps, active], normal[steps, active])
            # The points of lines that have ended are zeros.
            points.append(bias.new_zeros(count, len(seeds), drawn.shape[2]))
            points[-1][:, active] = drawn
            biases.append(bias.repeat(count, 1))
            bar.update(count)
            bias[active] *= torch.where(stopping.at_rest(drawn), 0.5, 1.0)
            stepper.sharpen(bias[active])
            continuing = stopping.feed(active, drawn, phi).nonzero()[:, 0]
            if not len(continuing):
                break
            if len(continuing) < len(active):
                active = active[continuing]
                stepper.select(continuing)
    return torch.cat(points), torch.cat(biases)


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
    """Return uniform and normal numbers for `BLOCK` steps, `(BLOCK, B, 2)` each. The numbers of
    lines that are not in `rows` are undefined.

    Each line has its own generator, so that the numbers of a line do not depend on the other lines,
    the device, or the limit on steps.
    """
    uniform, normal = torch.empty(2, BLOCK, len(generators), 2)
    for row in rows.tolist():
        uniform[:, row] = torch.rand(BLOCK, 2, generator=generators[row])
        normal[:, row] = torch.randn(BLOCK, 2, generator=generators[row])
    return uniform.to(rows.device), normal.to(rows.device)


def _cut_at_ends(
    stopping: Stopping,
    start: np.ndarray,
    primed: int,
    offsets: np.ndarray,
    biases: np.ndarray,
    conditions: Conditions,
) -> list[Line]:
    """Return the lines, each up to the end that `stopping` finds.

    Args:
        stopping: has seen all drawn points.
        start: the ink before the drawn points, `(points, 3)` float32.
        primed: the length of `start` if it is a primer, or else 0.
        offsets: the drawn points in the units of the data, `(B, T, 3)`.
        biases: the bias of each point but the first, `(B, points - 1)`.
        conditions: the extras and seeds of the lines.
    """
    lines, texts, all_peaks = [], stopping.texts, None
    extras = {name: value.float().numpy(force=True) for name, value in conditions.extras.items()}
    if texts is not None:
        all_peaks = stopping.peaks[: biases.shape[1]].T.contiguous().numpy(force=True)
    for row, (steps, ended) in enumerate(stopping.ends()):
        ink, text, peaks = np.concatenate((start, offsets[row, :steps])), None, None
        ink[-1, 2] = 1.0  # the pen leaves the paper in the end
        if texts is not None:
            surplus = stopping.surplus(row, ink, all_peaks[row]) if ended else 0
            ink = ink[: max(len(ink) - surplus, len(start))]
            text, peaks = texts[row], all_peaks[row, : len(ink) - 1].copy()
        bias = biases[row, : len(ink) - 1].copy()
        row_extras = {name: value[row] for name, value in extras.items()}
        seed = conditions.seeds[row]
        lines.append(
            Line(ink, primed, peaks, text, ended, bias, extras=row_extras, latent_seed=seed)
        )
    return lines


def _begin(
    model: BaseModel,
    start: np.ndarray,
    texts: Sequence[str] | None,
    primer_length: int,
    conditions: Conditions,
    sampling: Sampling,
) -> tuple[WritingState, Tensor | None]:
    """Return the lines before their first step, and phi of a primer, `(B, points - 1, U + 1)`.

    The network's first state has the hand vector, if any; the state after a primer has the primer's
    hand.

    Args:
        start: the primer's points, or a row of zeros, `(points, 3)`.
        texts: the whole texts, including the primer's text; None without texts.
        primer_length: characters of the primer's text without blanks at its end; for 0 the window
            is not moved.
        conditions: the extras and seeds of the lines.
    """
    weights = model.output.weight
    inputs = torch.from_numpy(model.normalisation.apply(start)).to(weights)
    # A fourth number of 0: the primer's last point does not end the sequence.
    inputs = functional.pad(inputs, (0, model.input_size - 3))  # (points, I)
    num_lines, text, lengths, phi = len(conditions.seeds), None, None, None
    state = model.initial_state(num_lines, conditions)
    if texts is not None:
        text, lengths = padded([model.alphabet.encode(text) for text in texts], weights.device)
    if len(start) > 1:  # the last point is the input of the first step
        firsts, places = _distinct(texts or [""] * num_lines, state)
        first_texts = (None, None) if text is None else (text[firsts], lengths[firsts])
        first_states = {name: value[firsts] for name, value in state.items()}
        inputs_of_all = inputs[:-1].expand(len(firsts), -1, -1)  # (D, points - 1, I)
        output = model(inputs_of_all, *first_texts, first_states)
        state = {name: value[places] for name, value in output.state.items()}
        phi = None if text is None else output.attention[places]
        if primer_length:
            state = _with_window_after(primer_length, state, phi[:, -1], lengths)
    bias = weights.new_full((num_lines,), sampling.bias)
    point = inputs[-1].repeat(num_lines, 1)
    return WritingState(point, state, bias, text, lengths, sampling), phi


def _with_window_after(
    primer_length: int, state: Mapping[str, Tensor], phi: Tensor, lengths: Tensor
) -> dict[str, Tensor]:
    """Return the state with the median of the window on the first character after a primer's text.

    In a hand that the network hardly knows, the window after the primer is some characters off
    (measured, notebook: pages, the words of a page), and the line would begin amid a word.

    Args:
        primer_length: characters of the primer's text.
        state: the state after the primer.
        phi: the window after the primer, `(B, U + 1)`.
        lengths: characters of the whole texts, `(B,)`.
    """
    padding = torch.arange(phi.shape[1], device=phi.device) > lengths[:, None]
    window = phi.masked_fill(padding, 0.0)
    median = (window.cumsum(1) < window.sum(1, keepdim=True) / 2).sum(1)  # index, from 0
    shift = (primer_length - median)[:, None]
    kappas = {name: kappa + shift for name, kappa in state.items() if name.endswith("kappa")}
    return dict(state) | kappas


def _distinct(texts: Sequence[str], state: Mapping[str, Tensor]) -> tuple[list[int], list[int]]:
    """Return the first row of each of the D distinct lines, and the index of each line among the
    distinct lines. Lines with the same text and state begin alike."""
    arrays = [value.double().numpy(force=True) for value in state.values()]
    states = [[row.tobytes() for row in array] for array in arrays]
    firsts: dict[tuple, int] = {}
    keys = [*zip(texts, *states, strict=True)]
    for row, key in enumerate(keys):
        firsts.setdefault(key, row)
    places = {key: place for place, key in enumerate(firsts)}
    return [*firsts.values()], [places[key] for key in keys]
