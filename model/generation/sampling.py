"""Writing with a generation network: points are drawn from the mixture and fed back.

Shapes: B lines of a batch, T steps, U characters, I numbers of a point.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from model.generation.line import Line
from model.generation.mixture import PEN_SHARPNESS
from model.generation.networks import MixtureNetwork
from model.generation.stepper import PERIOD, Lines, make_stepper
from utils.alphabet import nfc
from utils.checks import UserError
from utils.ink import to_points, x_height

BLOCK = 256
"""Steps for which a line's random numbers are drawn at once. Part of what a seed means: another
value gives other lines."""

DEFAULT_STEPS = 700
"""Steps of a line without a text (measured: a line of IAM-OnDB has about 628 points)."""

STEPS_PER_CHARACTER = 40
"""Limit for a line with a text (measured: IAM-OnDB has about 22 points a character)."""

REST = 0.1
"""Standard deviations within which both parts of an offset lie while the pen rests (measured: with
the pen down, 95 of 100 recorded lines never rest through `PERIOD` points, and none through more
than 66; of a pen read at 500 Hz many would)."""

LONGEST_FINISH = 40
"""Steps within which a stroke ends that the window has left behind (measured on 206 recorded lines:
half within 5, all within 24), and so many again for dots and bars that follow it."""

SURPLUS_GAP = 0.45
"""Letter heights by which a stroke too many begins beyond all other ink, see `_surplus` (measured
on 500 texts written at bias 1: behind signs 12 that were read as a mark too many began 0.5 to 1.7
beyond it; of all that were read right one did by more than 0.2, by 0.41)."""

LEAVING = 0.5
"""The window's weight behind a last letter, over the highest on the text, above which a stroke may
be one too many (measured, with the other conditions: of 1,785 texts that end so, written at bias 1,
8 lines lose a stroke, none of which was read right with it and 7 are without; of 2,149 recorded
lines 8 would, 4 of them ink that their text lacks)."""


class _Noise:
    """Random numbers of many lines, each from a generator of its own, so that a line's numbers do
    not depend on what else is in the batch, on the device, or on the limit."""

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.device = device

    def block(self) -> tuple[Tensor, Tensor]:
        """Return uniform and normal numbers for the next steps, `(BLOCK, B, 2)` each."""
        pairs = [
            (torch.rand(BLOCK, 2, generator=one), torch.randn(BLOCK, 2, generator=one))
            for one in self.generators
        ]
        uniform, normal = (torch.stack(parts, 1) for parts in zip(*pairs, strict=True))
        return uniform.to(self.device), normal.to(self.device)


def _encode(model: MixtureNetwork, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return the texts as indices, `(B, U)` padded with 0, and their lengths, `(B,)`."""
    device = model.min_scales.device
    encoded = [torch.from_numpy(model.alphabet.encode(text)) for text in texts]
    lengths = torch.tensor([len(one) for one in encoded], device=device)
    return torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True).to(device), lengths


def _past_end(phi: Tensor, text_lengths: Tensor) -> Tensor:
    """Return whether the window's peak lies behind the text, `(..., B)`.

    The paper, section 5.3: phi(t, U + 1) > phi(t, u) for all u <= U.

    Args:
        phi: `(..., B, U + 1)`, of which a line with a shorter text uses fewer places.
        text_lengths: `(B,)`.
    """
    positions = torch.arange(phi.shape[-1], device=phi.device)
    behind = phi.gather(-1, text_lengths[:, None].expand(*phi.shape[:-1], 1))[..., 0]
    before = phi.masked_fill(positions >= text_lengths[:, None], -1.0).amax(-1)
    return behind > before


def _at_last(phi: Tensor, text_lengths: Tensor) -> Tensor:
    """Return whether the window's peak is at the last character or behind it, `(..., B)`.

    Args:
        phi, text_lengths: as `_past_end` has them.
    """
    positions = torch.arange(phi.shape[-1], device=phi.device)
    peak = phi.masked_fill(positions > text_lengths[:, None], -1.0).argmax(-1)
    return peak >= text_lengths - 1


def _first(true: Tensor, first: int, never: int) -> Tensor:
    """Return the step at which each line of `true` `(T, B)`, from step `first` on, first is so."""
    return torch.where(true.any(0), first + true.int().argmax(0), never)


def _ends_in_letter(text: str) -> bool:
    """Return whether a text ends, but for blanks, in a letter or a digit."""
    return text.rstrip()[-1:].isalnum()


def _surplus(ink: np.ndarray, window: np.ndarray, text: str, onward: float = 1.0) -> int:
    """Return how many of the last points of a line are those of a stroke too many.

    What is written in no time, or was held up before, ends before the window gets behind it, and
    the pen may begin what would come next. So the last stroke is too many if it lies apart from all
    ink, and if another one was begun with the window's peak on the last character, which itself
    went on from the ink before: an earlier dot or bar that was put off is not that character. A
    letter may have two such strokes. There the last one is too many only if all of it lies beyond
    the other ink (a `y` comes back) and the window was leaving as it began.

    Args:
        ink, window: `(points, 3)` and `(points - 1, U + 1)`, as a `Line` has them.
        text: of U characters.
        onward: 1 where the hand runs to the right, -1 where it runs to the left.
    """
    said = text.rstrip()
    starts = np.flatnonzero(ink[:-1, 2] > 0.5) + 1
    at_last = starts[window[starts - 1].argmax(1) >= len(said) - 1]
    if not said or len(at_last) < 2 or starts[-1] != at_last[-1]:
        return 0
    start = at_last[-1]
    x = onward * to_points(ink)[:, 0]
    furthest = np.maximum.accumulate(x)
    beyond = x[at_last] - furthest[at_last - 1]
    apart = beyond[-1] > SURPLUS_GAP * x_height(ink)
    if _ends_in_letter(said):
        phi = window[start - 1]
        apart &= x[start:].min() > furthest[start - 1]
        apart &= phi[len(said) :].max() > LEAVING * phi[: len(said)].max()
    return len(ink) - start if apart and (beyond[:-1] > 0.0).any() else 0


@torch.inference_mode()
def sample(
    model: MixtureNetwork,
    seeds: Sequence[int],
    texts: Sequence[str] | None = None,
    *,
    bias: float | Sequence[float] = 0.0,
    pen_sharpness: float = PEN_SHARPNESS,
    max_steps: int | None = None,
    primer: tuple[np.ndarray, str] | None = None,
    progress: bool = False,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> list[Line]:
    """Write lines, all of them at once (the paper, sections 4.3, 5.3-5.5).

    A line with a text ends with the stroke at which the window's peak gets behind the text. The
    paper ends it there and then; but the window is ahead of the pen (measured on recorded lines:
    seven points, the median), and the last letter would lose its end. A stroke that goes on for
    more than `LONGEST_FINISH` steps is ended as the paper has it. Where the text ends in a letter
    or a digit, strokes that then go back from where the pen was lifted belong to the line as well,
    the dot or the bar of a letter that was put off (measured on 331 recorded lines: 290 end where
    they end without that, 311 with it; behind a sign there is nothing to gain, and a full stop may
    become a colon); all of them together may have as many steps again. A stroke that the pen has
    begun beyond the last character is left out.

    Of a pen that rests, a sharpened density knows hardly anything but more rest, and the pen may
    never go on. So the bias of a line is halved each time that its pen has rested through the
    `PERIOD` steps of a call of the stepper.

    With a network that predicts the end of the sequence, a line ends as well after the first point
    that is drawn as such (with a text only once the window has reached its last character: what has
    come so far may be a whole line too, so that these networks give every character some chance of
    being the last).

    A line depends on its seed, text, bias and the primer alone, not on the other lines (without
    the compiled loop up to the rounding of matrix products, whose order of summation may change
    with the number of rows). Dropout is applied at most to a primer: call `model.eval()` first.

    Args:
        model: the network.
        seeds: one for each line, each at least 0.
        texts: what to write, one for each line, for a network that needs a text.
        bias: sharpening of the mixture, at least 0, for all lines or for each (eqs 61-62).
        pen_sharpness: how much the bias also sharpens when the pen is lifted, at least 0: not at
            all in the paper, see `mixture.sharpen_ends`.
        max_steps: limit on the steps of a line; by default enough for the longest text.
        primer: ink `(points, 3)` in the units of the data, whose hand is to be continued, and
            its text (ignored by a network without a window). To keep the words apart, let
            one of the texts have a space where they meet.
        progress: show a progress bar.
        precision: of the matrix products, where the weights are float32.

    Raises:
        UserError: if there are not as many texts or biases as seeds, an empty text, or a negative
            bias or sharpness; `UnknownCharacters` if the alphabet lacks a character.
    """
    count = len(seeds)
    biases = [bias] * count if isinstance(bias, int | float) else list(bias)
    if len(biases) != count or (model.needs_text and len(texts or ()) != count):
        raise UserError(f"{count} seeds need as many biases, and texts if the network takes any")
    if any(not one >= 0.0 for one in biases):
        raise UserError(f"bias {min(biases)} does not fit: at least 0")
    if not pen_sharpness >= 0.0:
        raise UserError(f"pen_sharpness {pen_sharpness} does not fit: at least 0")
    if model.needs_text and not all(texts):
        raise UserError("there is no text to write: a text needs at least one character")
    if not count:
        return []
    weights = model.output.weight
    device = weights.device
    start = np.zeros((1, 3), np.float32) if primer is None else primer[0][:, :3]
    inputs = torch.from_numpy(model.normalisation.apply(start)).to(weights)
    # A point that is to be continued is not the end of the sequence.
    inputs = functional.pad(inputs, (0, model.input_size - 3))
    inputs = inputs.expand(count, -1, -1)  # (B, points, I)
    text = lengths = whole = None
    if model.needs_text:
        # As the alphabet has it, so that phi has a place for each character of `Line.text`.
        whole = [nfc(("" if primer is None else primer[1]) + one) for one in texts]
        text, lengths = _encode(model, whole)
        to_letter = torch.tensor([_ends_in_letter(one) for one in whole], device=device)
    if max_steps is None:
        longest = max(map(len, texts)) if model.needs_text else 0
        max_steps = 100 + STEPS_PER_CHARACTER * longest if longest else DEFAULT_STEPS
    state, primed_phi = model.initial_state(count), None
    if len(start) > 1:  # the last point is the first step's
        output = model(inputs[:, :-1], text, lengths, state)
        state, primed_phi = output.state, output.attention
    products = {"float32": weights.dtype, "bfloat16": torch.bfloat16}[precision]
    bias_of = torch.tensor(biases).to(weights)
    begin = Lines(inputs[:, -1], state, bias_of, text, lengths, pen_sharpness)
    still = torch.from_numpy(model.normalisation.apply(np.zeros((1, 3), np.float32)))
    still = still[:, :2].to(weights)  # the offset of a pen that rests
    onward = -1.0 if model.normalisation.mean[0] < 0 else 1.0  # some hands run to the left
    stepper = make_stepper(model, begin, products)

    noise = _Noise(seeds, device)
    active = torch.arange(count, device=device)
    never = max_steps + 1
    ends = torch.full((count,), never, device=device)  # steps of which a line is made
    behind = ends.clone()  # steps after which the window's peak is behind the text
    finished = ends.clone()  # steps after which the stroke under way then has ended
    points = weights.new_zeros(max_steps, count, model.input_size)
    sharpening = weights.new_zeros(max_steps, count)
    phis = None if text is None else weights.new_zeros(max_steps, count, text.shape[1] + 1)
    bar = tqdm(
        total=max_steps,
        desc="writing",
        unit="step",
        leave=False,
        disable=None if progress else True,
    )
    for first in range(0, max_steps, PERIOD):
        if first % BLOCK == 0:
            uniform, normal = noise.block()
        part = slice(first, min(first + PERIOD, max_steps))
        now = slice(first % BLOCK, first % BLOCK + part.stop - first)
        before = points[first - 1, active, 2] if first else inputs[active, -1, 2]
        drawn, phi = stepper.run(uniform[now, active], normal[now, active])
        points[part, active] = drawn
        lifted = torch.cat((before[None], drawn[..., 2])) > 0.5  # (T + 1, B)
        bar.update(part.stop - first)
        sharpening[part, active] = bias_of[active]
        moved = ((drawn[..., :2] - still).abs().amax((0, 2)) > REST) | lifted[1:].any(0)
        bias_of[active] *= torch.where(moved, 1.0, 0.5)
        stepper.sharpen(bias_of[active])
        if text is None and not model.end_of_sequence:
            continue
        if text is not None:
            phis[part, active] = phi
            past = _past_end(phi, lengths[active])  # (T, B)
            behind[active] = torch.minimum(behind[active], _first(past, first, never))
            steps = torch.arange(first, part.stop + 1, device=device)[:, None]
            lifted &= steps >= behind[active]
            lifts = torch.minimum(finished[active], _first(lifted, first, never))
            cut = lifts.clamp_max(part.stop) - behind[active] > LONGEST_FINISH
            finished[active] = lifts = torch.where(cut, behind[active], lifts)
            # What follows the last of these steps is drawn in the next call.
            goes_back = ((drawn[..., 0] - still[0, 0]) * onward < 0) & to_letter[active]
            goes_back &= steps[:-1] > 0  # before the first stroke nothing was put off
            stops = _first(lifted[:-1] & ~goes_back, first, never)
            cut |= stops.clamp_max(part.stop) - lifts > LONGEST_FINISH
            stops = torch.where(cut, lifts, stops)
            ends[active] = torch.where(ends[active] < never, ends[active], stops)
        if model.end_of_sequence:
            last = drawn[..., 3] > 0.5  # (T, B)
            if text is not None:
                last &= _at_last(phi, lengths[active])
            ends[active] = torch.minimum(ends[active], _first(last, first + 1, never))
        going_on = ends[active] > part.stop
        left = int(going_on.sum())
        if left == 0:
            break
        if left < len(active) and left <= stepper.least_share * len(active):
            rows = going_on.nonzero()[:, 0]
            active = active[rows]
            stepper.keep(rows)
    bar.close()
    # Where the limit cuts a stroke that was put off, the line ends before it.
    ends = torch.where(ends < never, ends, finished)

    lines, ended = [], (ends < never).tolist()
    written, stops = points[..., :3].cpu().numpy(), ends.clamp(max=max_steps).tolist()
    for number, stop in enumerate(stops):
        offsets = model.normalisation.invert(written[:stop, number])
        ink = np.concatenate((start.astype(np.float32), offsets.astype(np.float32)))
        ink[-1, 2] = 1.0  # the pen leaves the paper in the end
        window = None
        if phis is not None:
            characters = len(whole[number]) + 1
            parts = [] if primed_phi is None else [primed_phi[number]]
            parts.append(phis[:stop, number])
            window = torch.cat([part[:, :characters] for part in parts]).float().cpu().numpy()
            if ended[number] and not model.end_of_sequence:
                surplus = _surplus(ink, window, whole[number], onward)
                kept = max(len(ink) - surplus, len(start))
                stop -= len(ink) - kept
                ink, window = ink[:kept], window[: kept - 1]
        lines.append(
            Line(
                ink=ink,
                primed=0 if primer is None else len(start),
                attention=window,
                text=None if whole is None else whole[number],
                ended=ended[number],
                bias=np.pad(
                    sharpening[:stop, number].float().cpu().numpy(),
                    (len(start) - 1, 0),
                    constant_values=biases[number],
                ),
            )
        )
    return lines
