"""Writes lines point by point: draws each point from a network, and feeds it back to the network.

`sample` writes lines in batches: `_begin` shows the network a primer, `_draw` lets a stepper draw
points until `Stopping` finds that every line has ended, and `_cut_at_ends` turns the points into
lines in the units of the data.

The paper (section 5.3) ends a line at the step at which the window's peak moves past the text. But
the window is ahead of the pen, and the last letter would lose its end. So the rules here are:

- The pen finishes the stroke that it draws at the paper's step. If the stroke takes more than
  `MAX_FINISH_STEPS` steps from there, the line ends at the paper's step.
- A delayed stroke, such as a dot or a bar, begins with a move back from where the pen was lifted.
  Delayed strokes belong to the line if the text ends in a letter or a digit, not in punctuation: a
  dot would turn a full stop into a colon. If all delayed strokes together take more than
  `MAX_FINISH_STEPS` steps, the line ends before them.
- A surplus stroke, begun beyond the last character, is left out: see `Stopping.surplus`.
- A network that predicts the end of the sequence ends a line at the first point drawn as that end.
  If there is a text, the window must have reached the last character: in the training data any
  prefix may be a whole line, so the network considers every character a possible end.
- A pen at rest does not end a line. Under a sharpened density the pen may rest forever, so the
  sampler asks `at_rest` and sharpens less.

Shapes: B lines of a batch, T steps, U characters of a text, I numbers of a point.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from base.base_data_loader import padded
from base.base_model import BaseModel, Conditions
from ink.alphabet import nfc
from ink.geometry import check_ink, to_points, x_height
from ink.normalisation import Normalisation
from model.batches import by_length
from model.generation.line import Line, Primer, Sampling
from model.generation.stepping import STEPS_PER_CALL, Stepper, WritingState
from model.layers.kernels import library
from utils.checks import UserError

BLOCK = 256
"""Steps for which a line's random numbers are drawn at once, a multiple of `STEPS_PER_CALL`
(assumed). The value determines which line a seed gives."""
DEFAULT_STEPS = 700
"""Steps of a line without a text (measured: a line of IAM-OnDB has about 628 points)."""
MIN_STEPS = 100
"""Steps that a line with a text may take in addition to `STEPS_PER_CHARACTER` (assumed)."""
STEPS_PER_CHARACTER = 40
"""Steps that a line may take per character (measured: IAM-OnDB has 22 points per character)."""
MAX_REST_OFFSET = 0.1
"""Bound on the x and y of a resting pen's offsets, in standard deviations (measured, notebook:
writer, stopping and the pen)."""
MAX_FINISH_STEPS = 40
"""Steps that a stroke may take once the window has passed the text, and that delayed strokes may
take together (measured, notebook: writer, stopping and the pen)."""
MIN_SURPLUS_GAP = 0.45
"""Least gap along the line, in x-heights, between all other ink and a surplus stroke's start
(measured, notebook: writer, stopping and the pen)."""
LEAVING_FRACTION = 0.5
"""The window leaves the last letter when its highest weight behind the letter exceeds this fraction
of its highest weight on the text (measured, notebook: writer, stopping and the pen)."""


@contextmanager
def _few_threads() -> Iterator[None]:
    """Limit torch to one thread if there is no compiled loop: in small operations several threads
    wait for each other (measured, notebook: speed, writing)."""
    threads = torch.get_num_threads()
    if library.kernels(bfloat16=False) is None:  # there is no compiler
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
    batch_size: int | None = None,
) -> list[Line]:
    """Write lines (the paper, sections 4.3, 5.3-5.5).

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
        batch_size: most lines that are written at once; None: all lines.

    Raises:
        UserError: if there are not as many texts as seeds, if a text is empty, or if the network
            lacks a character or does not take an extra; `DataError` if the primer is no ink.
    """
    if not seeds:
        return []
    if not model.needs_text:
        texts = None
    elif texts is None or len(texts) != len(seeds):
        raise UserError(f"{len(seeds)} seeds need as many texts")
    elif not all(texts):
        raise UserError("a text is empty: it needs at least one character")
    latent_seeds = seeds if sampling.latent_seed is None else [sampling.latent_seed] * len(seeds)
    conditions = model.make_conditions(len(seeds), sampling.extras, latent_seeds)
    batch_size = batch_size or len(seeds)
    # One bar: that of the steps if there is a single batch, else that of the batches.
    shows_batches = progress and len(seeds) > batch_size
    shows_steps = progress and not shows_batches
    lengths = [0] * len(seeds) if texts is None else [len(text) for text in texts]
    lines = dict[int, Line]()
    for batch in by_length(lengths, "writing", batch_size, progress=shows_batches):
        rows = sorted(batch)
        batch_lines = _sample_batch(
            model,
            [seeds[row] for row in rows],
            None if texts is None else [texts[row] for row in rows],
            sampling,
            conditions[rows],
            primer,
            progress=shows_steps,
            precision=precision,
        )
        lines |= zip(rows, batch_lines, strict=True)
    return [lines[row] for row in range(len(seeds))]


def _sample_batch(
    model: BaseModel,
    seeds: Sequence[int],
    texts: Sequence[str] | None,
    sampling: Sampling,
    conditions: Conditions,
    primer: Primer | None,
    *,
    progress: bool,
    precision: Literal["float32", "bfloat16"],
) -> list[Line]:
    """Write lines, all of them at once; for the arguments see `sample`.

    `conditions` are the extras and seeds of the lines.
    """
    start = np.zeros((1, 3))  # without a primer, a line begins with a point of zeros
    primer_text = ""
    if primer is not None:
        start, primer_text = primer
    start = check_ink(start[:, :3])
    whole_texts = None
    primer_length = 0
    if texts is not None:
        # The network sees the primer's text and the new text as one text.
        whole_texts = [nfc(primer_text + text) for text in texts]
        primer_length = len(nfc(primer_text).rstrip())
    limits = _limits(sampling.max_steps, [None] * len(seeds) if texts is None else texts)
    initial, primed_phi = _begin(model, start, whole_texts, primer_length, conditions, sampling)
    matmul_dtype = {"float32": initial.point.dtype, "bfloat16": torch.bfloat16}[precision]
    stepper = model.stepper(initial, matmul_dtype)
    stopping = Stopping(
        initial.point, model.normalisation, whole_texts, limits, model.end_of_sequence, primed_phi
    )
    points, biases = _draw(stepper, stopping, seeds, max(limits), progress)
    drawn = points[..., :3].transpose(0, 1).numpy(force=True)
    offsets = model.normalisation.invert(drawn)  # in the units of the data
    # The primer's steps have the bias of the first step.
    primer_biases = biases[:1].expand(len(start) - 1, -1)
    biases = torch.cat((primer_biases, biases)).T.float().numpy(force=True)
    primed = 0 if primer is None else len(start)
    return _cut_at_ends(stopping, start.astype(np.float32), primed, offsets, biases, conditions)


def _limits(max_steps: int | None, texts: Sequence[str | None]) -> list[int]:
    """Return the limit on the steps of each line: `max_steps`; if None, enough for the text."""
    if max_steps is not None:
        return [max_steps] * len(texts)
    return [
        DEFAULT_STEPS if text is None else MIN_STEPS + STEPS_PER_CHARACTER * len(text)
        for text in texts
    ]


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
        sampling: options of all lines; a `stretch` of None becomes the network's.
    """
    stretch = sampling.stretch or model.stretch_at(sampling.bias)
    sampling = replace(sampling, stretch=stretch)
    weights = model.output.weight
    inputs = torch.from_numpy(model.normalisation.apply(start)).to(weights)
    # A fourth number of 0: the primer's last point does not end the sequence.
    inputs = functional.pad(inputs, (0, model.input_size - 3))  # (points, I)
    num_lines = len(conditions.seeds)
    text = None
    lengths = None
    phi = None
    state = model.initial_state(num_lines, conditions)
    if texts is not None:
        text, lengths = padded([model.alphabet.encode(text) for text in texts], weights.device)
    if len(start) > 1:  # the last point is the input of the first step
        # The network sees the primer once for each distinct text and state.
        firsts, places = _distinct(texts or [""] * num_lines, state)
        first_text = None if text is None else text[firsts]
        first_lengths = None if lengths is None else lengths[firsts]
        first_states = {name: value[firsts] for name, value in state.items()}
        inputs_of_all = inputs[:-1].expand(len(firsts), -1, -1)  # (D, points - 1, I)
        output = model(inputs_of_all, first_text, first_lengths, first_states)
        state = {name: value[places] for name, value in output.state.items()}
        phi = None if text is None else output.attention[places]
        if primer_length:
            state = _with_window_after(primer_length, state, phi[:, -1], lengths)
    point = inputs[-1].repeat(num_lines, 1)
    return WritingState(point, state, sampling, text, lengths), phi


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
    keys: list[tuple[str | bytes, ...]] = [(text,) for text in texts]
    for value in state.values():
        rows = value.double().numpy(force=True)
        keys = [(*key, row.tobytes()) for key, row in zip(keys, rows, strict=True)]
    firsts: dict[tuple[str | bytes, ...], int] = {}
    for row, key in enumerate(keys):
        firsts.setdefault(key, row)
    places = {key: place for place, key in enumerate(firsts)}
    return [*firsts.values()], [places[key] for key in keys]


def _draw(
    stepper: Stepper,
    stopping: "Stopping",
    seeds: Sequence[int],
    max_steps: int,
    progress: bool,
) -> tuple[Tensor, Tensor]:
    """Draw points until `stopping` has ended all lines, and return the points, `(T, B, I)`
    normalised, and their biases, `(T, B)`. Points and biases behind a line's end are zeros.

    The bias of a line is halved each time that its pen rests through the `STEPS_PER_CALL` steps of
    a call: under a sharpened density the pen might rest forever.
    """
    active = torch.arange(len(seeds), device=stepper.bias.device)  # the lines that go on
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    points = []
    biases = []
    disable = None if progress else True  # None: disabled if the output is not a terminal
    with tqdm(total=max_steps, desc="writing", unit="step", leave=False, disable=disable) as bar:
        for step in range(0, max_steps, STEPS_PER_CALL):
            start = step % BLOCK
            if start == 0:
                uniform, normal = _random_numbers(generators, active)
            count = min(STEPS_PER_CALL, max_steps - step)
            steps = slice(start, start + count)
            drawn, phi = stepper.run(uniform[steps, active], normal[steps, active])
            all_points = drawn.new_zeros(count, len(seeds), drawn.shape[2])
            all_points[:, active] = drawn
            points.append(all_points)
            all_biases = stepper.bias.new_zeros(count, len(seeds))
            all_biases[:, active] = stepper.bias
            biases.append(all_biases)
            bar.update(count)
            stepper.halve_bias(stopping.at_rest(drawn))
            continuing = stopping.feed(active, drawn, phi).nonzero()[:, 0]
            if not len(continuing):
                break
            if len(continuing) < len(active):
                active = active[continuing]
                stepper.select(continuing)
    return torch.cat(points), torch.cat(biases)


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


@dataclass(frozen=True)
class _Steps:
    """The next T steps of some lines.

    Attributes:
        rows: the indices of the lines.
        start: number of steps before these.
        points: `(T, rows, I)`.
        pen_up: whether the pen is up before each step and behind the last, `(T + 1, rows)`.
        limits: limit on the steps of each line, `(rows,)`.
    """

    rows: Tensor
    start: int
    points: Tensor
    pen_up: Tensor
    limits: Tensor

    @property
    def stop(self) -> int:
        """Number of steps up to the end of the last step."""
        return self.start + len(self.points)

    @property
    def numbers(self) -> Tensor:
        """Number of steps before each step and behind the last, `(T + 1, 1)`."""
        return torch.arange(self.start, self.stop + 1, device=self.points.device)[:, None]

    @property
    def in_limit(self) -> Tensor:
        """Whether each of `numbers` is within a line's limit, `(T + 1, rows)`."""
        return self.numbers <= self.limits

    @property
    def num_steps(self) -> Tensor:
        """Number of steps of each line so far, `(rows,)`."""
        return self.limits.clamp_max(self.stop)


class Stopping:
    """Finds where the lines of a batch end, from their points and phi, some steps at a time.

    Args:
        point: the point before the first step of each line, `(B, I)`; all points are normalised.
        normalisation: normalisation of the points.
        texts: texts of the lines; None for a network without a window.
        limits: limit on the steps of each line.
        end_of_sequence: whether points have a fourth number, 1 where the network ends the line.
        primed_phi: phi at the steps of a primer, `(B, steps, U + 1)`; None without such steps.

    Attributes:
        peaks: index of the character at the window's peak at each step of the primer and of the
            line, `(steps, B)` int32. (Storing phi would take memory quadratic in the text.)
    """

    def __init__(
        self,
        point: Tensor,
        normalisation: Normalisation,
        texts: Sequence[str] | None,
        limits: Sequence[int],
        end_of_sequence: bool = False,
        primed_phi: Tensor | None = None,
    ) -> None:
        self.texts = texts
        self.end_of_sequence = end_of_sequence
        device = point.device
        self.num_steps = 0
        self.limits = torch.tensor(limits, device=device)
        still = torch.from_numpy(normalisation.apply(np.zeros((1, 3), np.float32)))
        self.still = still[0, :2].to(point)  # the offset of a pen that rests
        self.onward = -1.0 if normalisation.mean[0] < 0 else 1.0  # some scripts run to the left
        if texts is not None:
            self.lengths = torch.tensor([len(text) for text in texts], device=device)
            visible = [text.rstrip() for text in texts]  # without blanks at the end
            self.visible_lengths = torch.tensor([len(text) for text in visible], device=device)
            self.ends_in_alnum = torch.tensor([text[-1:].isalnum() for text in visible]).to(device)
            self.primer_steps = 0 if primed_phi is None else primed_phi.shape[1]
            steps = self.primer_steps + max(limits)
            self.peaks = torch.zeros(steps, len(point), dtype=torch.int32, device=device)
            # Whether the window leaves the last letter.
            self.leaving = torch.zeros_like(self.peaks, dtype=torch.bool)
            if primed_phi is not None:
                self._record(0, slice(None), primed_phi.transpose(0, 1))
        self.pen_up = point[:, 2] > 0.5  # whether the pen is up before the next step
        self.never = max(limits) + 1
        # For each line, the number of steps after which the window's peak is past the text, the
        # current stroke has ended, and the line has ended; `never` until then.
        self.text_passed_at = torch.full((len(point),), self.never, device=device)
        self.stroke_ended_at = self.text_passed_at.clone()
        self.stopped_at = self.text_passed_at.clone()

    def feed(self, rows: Tensor, points: Tensor, phi: Tensor | None) -> Tensor:
        """Take the next steps of some lines; return a mask `(rows,)` of the lines that go on.

        Args:
            rows: the indices of the lines, all that have gone on so far.
            points: `(T, rows, I)`.
            phi: `(T, rows, U + 1)`; None without texts.
        """
        pen_up = torch.cat((self.pen_up[rows][None], points[..., 2] > 0.5))  # (T + 1, rows)
        steps = _Steps(rows, self.num_steps, points, pen_up, self.limits[rows])
        peaks = None
        if phi is not None:
            peaks = self._record(self.primer_steps + steps.start, rows, phi)  # (T, rows)
            self._find_end_of_text(steps, peaks)
            self._find_end_of_stroke(steps)
            self._find_end_of_delayed_strokes(steps)
        if self.end_of_sequence:
            self._find_end_of_sequence(steps, peaks)
        self.num_steps = steps.stop
        self.pen_up[rows] = pen_up[-1]
        return (self.stopped_at[rows] > steps.stop) & (steps.limits > steps.stop)

    def _find_end_of_text(self, steps: _Steps, peaks: Tensor) -> None:
        """Find the paper's step (section 5.3): phi(t, U + 1) > phi(t, u) for all u <= U."""
        past_text = (peaks >= self.lengths[steps.rows]) & steps.in_limit[1:]
        passed_at = self._first_step(past_text, steps.start)
        self.text_passed_at[steps.rows] = self.text_passed_at[steps.rows].minimum(passed_at)

    def _find_end_of_stroke(self, steps: _Steps) -> None:
        """Find where the stroke ends that is drawn at the paper's step, which stands for the end if
        the stroke takes too long."""
        ended_at = self._first_step(self._lifted(steps), steps.start)
        ended_at = self.stroke_ended_at[steps.rows].minimum(ended_at)
        passed_at = self.text_passed_at[steps.rows]
        # Where the text is not passed, `never` makes the difference negative.
        too_long = ended_at.minimum(steps.num_steps) - passed_at > MAX_FINISH_STEPS
        self.stroke_ended_at[steps.rows] = torch.where(too_long, passed_at, ended_at)

    def _find_end_of_delayed_strokes(self, steps: _Steps) -> None:
        """Find the end of the line: the first time that the pen is lifted and does not go back, or,
        if that takes too long, the end of the stroke before the delayed strokes."""
        # points[t] is the move after pen_up[t]; the move after pen_up[-1] is in the next call. So
        # only a lift before one of these points can be judged now.
        moves = steps.points[..., 0] - self.still[0]  # in x, as far as they go from rest
        goes_back = moves * self.onward < 0
        is_delayed = goes_back & self.ends_in_alnum[steps.rows]
        is_delayed &= steps.numbers[:-1] > 0  # the first step goes back behind no stroke
        is_end = self._lifted(steps)[:-1] & steps.in_limit[1:] & ~is_delayed
        stopped_at = self._first_step(is_end, steps.start)
        ended_at = self.stroke_ended_at[steps.rows]
        too_long = stopped_at.minimum(steps.num_steps) - ended_at > MAX_FINISH_STEPS
        stopped_at = torch.where(too_long, ended_at, stopped_at)
        previous = self.stopped_at[steps.rows]
        self.stopped_at[steps.rows] = torch.where(previous < self.never, previous, stopped_at)

    def _find_end_of_sequence(self, steps: _Steps, peaks: Tensor | None) -> None:
        """Find the first point that is drawn as the end of the sequence; if there is a text, with
        the window on the last character or behind it."""
        is_end = (steps.points[..., 3] > 0.5) & steps.in_limit[1:]  # (T, rows)
        if peaks is not None:
            is_end &= peaks >= self.lengths[steps.rows] - 1
        ended_at = self._first_step(is_end, steps.start + 1)  # the line has the point, too
        self.stopped_at[steps.rows] = self.stopped_at[steps.rows].minimum(ended_at)

    def _lifted(self, steps: _Steps) -> Tensor:
        """Return a mask `(T + 1, rows)` of a pen that is up, with the window past the text."""
        is_past = steps.numbers >= self.text_passed_at[steps.rows]
        return steps.pen_up & is_past & steps.in_limit

    def ends(self) -> list[tuple[int, bool]]:
        """Return for each line its number of steps, and whether a rule, not the limit, ended it."""
        # If the limit cuts a delayed stroke, the line ends before its delayed strokes.
        stopped = self.stopped_at < self.never
        ends = torch.where(stopped, self.stopped_at, self.stroke_ended_at).tolist()
        pairs = zip(ends, self.limits.tolist(), strict=True)
        return [(min(end, limit), end < self.never) for end, limit in pairs]

    def at_rest(self, points: Tensor) -> Tensor:
        """Return a mask `(B,)` of the lines whose pen rests at all of `points`, `(T, B, I)`."""
        furthest = (points[..., :2] - self.still).abs().amax((0, 2))  # of all steps and both axes
        is_lifted = (points[..., 2] > 0.5).any(0)
        return ~((furthest > MAX_REST_OFFSET) | is_lifted)

    def surplus(self, row: int, ink: np.ndarray, peaks: np.ndarray) -> int:
        """Return the number of points of a surplus last stroke, 0 if there is no such stroke.

        The pen may finish a short character before the window passes it, and then begin another
        character. So the last stroke is surplus if it begins apart from all other ink, and if an
        earlier stroke began with the window's peak on the last character and beyond all ink before
        it: that earlier stroke is the last character. (A delayed stroke begins within earlier ink.)
        A letter may have two such strokes. After a letter or a digit the last stroke is surplus
        only if all of it also lies beyond the other ink (the second stroke of a `y` reaches
        back), and if the window was leaving the letter when the stroke began.

        Args:
            row: index of the line, which has ended.
            ink: the line's ink, `(points, 3)`.
            peaks: the line's `peaks`, `(steps,)`.
        """
        text = self.texts[row].rstrip()
        if self.end_of_sequence or not text:
            return 0  # a network that predicts the end draws no surplus stroke
        starts = np.flatnonzero(ink[:-1, 2] > 0.5) + 1  # indices of the points that begin strokes
        is_late = peaks[starts - 1] >= len(text) - 1  # with the window on the last character
        late_starts = starts[is_late]
        if len(late_starts) < 2 or not is_late[-1]:
            return 0
        last_start = late_starts[-1]
        x = self.onward * to_points(ink)[:, 0]
        furthest = np.maximum.accumulate(x)
        gaps = x[late_starts] - furthest[late_starts - 1]  # to all ink before; above 0 beyond it
        is_surplus = gaps[-1] > 0.0 and (gaps[:-1] > 0.0).any()
        if is_surplus and text[-1].isalnum():
            is_surplus = x[last_start:].min() > furthest[last_start - 1]
            is_surplus = is_surplus and bool(self.leaving[last_start - 1, row])
        # Last, as it takes longest.
        is_surplus = is_surplus and gaps[-1] > MIN_SURPLUS_GAP * x_height(ink)
        return len(ink) - last_start if is_surplus else 0

    def _record(self, start: int, rows: Tensor | slice, phi: Tensor) -> Tensor:
        """Record `peaks` and `leaving` from step `start` on; return the peaks, `(T, rows)`."""
        steps = slice(start, start + len(phi))
        positions = torch.arange(phi.shape[-1], device=phi.device)
        padding = positions > self.lengths[rows, None]  # of shorter texts, (rows, U + 1)
        behind = positions >= self.visible_lengths[rows, None]  # behind the last letter
        # The peak of a window past the text is the text's length.
        peaks = phi.masked_fill(padding, -1.0).argmax(-1)  # phi is at least 0
        weight_behind = phi.masked_fill(padding | ~behind, 0.0).amax(-1)
        weight_on_text = phi.masked_fill(behind, 0.0).amax(-1)
        self.peaks[steps, rows] = peaks.int()
        self.leaving[steps, rows] = weight_behind > LEAVING_FRACTION * weight_on_text
        return peaks

    def _first_step(self, mask: Tensor, start: int) -> Tensor:
        """Return the number of each line's first true row in `mask`, `(rows, B)`, whose rows are
        numbered from `start` on; `never` if there is none."""
        first_row = mask.int().argmax(0)
        return torch.where(mask.any(0), start + first_row, self.never)


def _cut_at_ends(
    stopping: "Stopping",
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
    lines = []
    texts = stopping.texts
    all_peaks = None
    extras = {name: value.float().numpy(force=True) for name, value in conditions.extras.items()}
    if texts is not None:
        all_peaks = stopping.peaks[: biases.shape[1]].T.contiguous().numpy(force=True)
    for row, (steps, ended) in enumerate(stopping.ends()):
        ink = np.concatenate((start, offsets[row, :steps]))
        text = None
        peaks = None
        ink[-1, 2] = 1.0  # the pen leaves the paper in the end
        if texts is not None:
            surplus = stopping.surplus(row, ink, all_peaks[row]) if ended else 0
            ink = ink[: max(len(ink) - surplus, len(start))]
            text = texts[row]
            peaks = all_peaks[row, : len(ink) - 1].copy()
        bias = biases[row, : len(ink) - 1].copy()
        row_extras = {name: value[row] for name, value in extras.items()}
        seed = conditions.seeds[row]
        lines.append(
            Line(ink, primed, peaks, text, ended, bias, extras=row_extras, latent_seed=seed)
        )
    return lines
