"""Where a written line ends.

The paper (section 5.3) ends a line at the step at which the window's peak moves past the text. But
the window is ahead of the pen, and the last letter would lose its end. So the rules here are:

- The current stroke is finished after the paper's step. If the stroke takes more than
  `LONGEST_FINISH` steps, the line ends at the paper's step.
- Delayed strokes, such as a dot or a bar, go back from where the pen was lifted. They belong to the
  line if the text ends in a letter or a digit (after a sign a full stop may become a colon). All
  delayed strokes together may take `LONGEST_FINISH` steps again.
- A surplus stroke, begun beyond the last character, is left out: see `Stopping.surplus`.
- A line ends after the first point drawn as the end of the sequence. With a text the window must
  have reached the last character: any prefix may be a complete line too, so a network that ends
  sequences gives every character some chance of being the last.
- A pen at rest does not end a line, but may rest forever under a sharpened density: the sampler
  asks `at_rest` and sharpens less.

Measurements: lab notebook, stopping.

Shapes: B lines of a batch, T steps, U characters, I numbers of a point.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from utils.ink import to_points, x_height
from utils.normalisation import Normalisation

REST = 0.1
"""Standard deviations within which x and y of an offset lie while the pen rests (measured, lab
notebook: stopping)."""
LONGEST_FINISH = 40
"""Steps that a stroke may take once the window has passed the text, and that delayed strokes may
take together (measured, lab notebook: stopping)."""
SURPLUS_GAP = 0.45
"""X-heights by which a surplus stroke begins beyond all other ink (measured, lab notebook:
stopping)."""
LEAVING = 0.5
"""Window's weight behind the last letter, relative to the highest weight on the text, above which
a stroke may be surplus (measured, lab notebook: stopping)."""


class Stopping:
    """Finds where the lines of a batch end, from their points and phi, some steps at a time.

    Args:
        point: the point before the first step of each line, `(B, I)`, normalised like all points.
        normalisation: of the points.
        texts: of the lines; None for a network without a window.
        limits: limit on the steps of each line.
        end_of_sequence: whether points have a fourth number, 1 where the network ends the line.
        primed_phi: phi at the steps of a primer, `(B, steps, U + 1)`; None without such steps.

    Attributes:
        peaks: index of the character at the window's peak at each step, the primer's first,
            `(steps, B)` int32. (All of phi would take memory that grows with a text's square.)
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
        self.texts, self.end_of_sequence = texts, end_of_sequence
        device, self.fed = point.device, 0
        self.limits = torch.tensor(limits, device=device)
        still = torch.from_numpy(normalisation.apply(np.zeros((1, 3), np.float32)))
        self.still = still[0, :2].to(point)  # the offset of a pen that rests
        self.onward = -1.0 if normalisation.mean[0] < 0 else 1.0  # some scripts run to the left
        if texts is not None:
            self.lengths = torch.tensor([len(text) for text in texts], device=device)
            visible = [text.rstrip() for text in texts]  # without blanks at the end
            self.ends_in_letter = torch.tensor(
                [text[-1:].isalnum() for text in visible], device=device
            )
            self.visible_lengths = torch.tensor([len(text) for text in visible], device=device)
            self.primed = 0 if primed_phi is None else primed_phi.shape[1]
            steps = self.primed + max(limits)
            self.peaks = torch.zeros(steps, len(point), dtype=torch.int32, device=device)
            self.leaving = self.peaks.bool()  # see `surplus`
            if primed_phi is not None:
                self._keep(0, slice(None), primed_phi.transpose(0, 1))
        self.up = point[:, 2] > 0.5  # whether the pen is lifted before the next step
        self.never = max(limits) + 1
        # Steps after which the window's peak is past the text, the current stroke has ended, and
        # the line has ended.
        self.text_passed_at = torch.full((len(point),), self.never, device=device)
        self.stroke_ended_at = self.text_passed_at.clone()
        self.stopped_at = self.text_passed_at.clone()

    def feed(self, rows: Tensor, points: Tensor, phi: Tensor | None) -> Tensor:
        """Take the next steps of the lines that are still being written.

        Args:
            rows: the indices of these lines.
            points: `(T, rows, I)`.
            phi: `(T, rows, U + 1)`; None without texts.

        Returns:
            which of these lines continue after the steps, `(rows,)` bool.
        """
        first, stop = self.fed, self.fed + len(points)
        self.fed, limits = stop, self.limits[rows]
        steps = torch.arange(first, stop + 1, device=points.device)[:, None]
        inside = steps <= limits  # (T + 1, rows)
        up = torch.cat((self.up[rows][None], points[..., 2] > 0.5))  # (T + 1, rows)
        self.up[rows] = up[-1]
        if phi is not None:
            lengths = self.lengths[rows]
            peaks = self._keep(self.primed + first, rows, phi)  # (T, rows)
            # The paper, section 5.3: phi(t, U + 1) > phi(t, u) for all u <= U.
            past = (peaks >= lengths) & inside[1:]
            passed_at = torch.minimum(self.text_passed_at[rows], self._first(past, first))
            lifted = up & (steps >= passed_at) & inside
            ended_at = torch.minimum(self.stroke_ended_at[rows], self._first(lifted, first))
            reached = limits.clamp_max(stop)
            cut = torch.minimum(ended_at, reached) - passed_at > LONGEST_FINISH
            ended_at = torch.where(cut, passed_at, ended_at)
            # Whether a stroke after the last of these steps goes back is seen in the next call.
            goes_back = (points[..., 0] - self.still[0]) * self.onward < 0
            goes_back &= self.ends_in_letter[rows] & (steps[:-1] > 0)  # no first stroke is delayed
            stopped_at = self._first(lifted[:-1] & inside[1:] & ~goes_back, first)
            cut |= torch.minimum(stopped_at, reached) - ended_at > LONGEST_FINISH
            stopped_at = torch.where(cut, ended_at, stopped_at)
            self.text_passed_at[rows], self.stroke_ended_at[rows] = passed_at, ended_at
            earlier = self.stopped_at[rows]
            self.stopped_at[rows] = torch.where(earlier < self.never, earlier, stopped_at)
        if self.end_of_sequence:
            last = (points[..., 3] > 0.5) & inside[1:]  # (T, rows)
            if phi is not None:
                last &= peaks >= lengths - 1
            self.stopped_at[rows] = self.stopped_at[rows].minimum(self._first(last, first + 1))
        return (self.stopped_at[rows] > stop) & (limits > stop)

    def ends(self) -> list[tuple[int, bool]]:
        """Return the steps of each line, and whether a rule ended it rather than the limit."""
        # A line ends before a delayed stroke that the limit would cut.
        stopped = self.stopped_at < self.never
        ends = torch.where(stopped, self.stopped_at, self.stroke_ended_at).tolist()
        limits = self.limits.tolist()
        return [(min(pair), pair[0] < self.never) for pair in zip(ends, limits, strict=True)]

    def at_rest(self, points: Tensor) -> Tensor:
        """Return whether each line's pen rested at all of `points` `(T, B, I)`, `(B,)` bool."""
        moved = (points[..., :2] - self.still).abs().amax((0, 2)) > REST
        return ~(moved | (points[..., 2] > 0.5).any(0))

    def surplus(self, number: int, ink: np.ndarray) -> int:
        """Return the number of points of a surplus last stroke, 0 without one.

        A short character may be finished before the window passes it, and the pen may begin a next
        character. So the last stroke is surplus if it lies apart from all ink, and an earlier
        stroke was begun with the window's peak on the last character, further right than the ink
        before it (a delayed stroke begins further left). A letter may have two such strokes: its
        last stroke is surplus only if the whole stroke lies beyond the other ink (a `y` comes back)
        and the window was leaving the letter as the stroke began.

        Args:
            number: index of the line, which has ended.
            ink: the line's ink, `(points, 3)`.
        """
        text = self.texts[number].rstrip()
        starts = np.flatnonzero(ink[:-1, 2] > 0.5) + 1
        at_end = starts[self.peaks[starts - 1, number].cpu().numpy() >= len(text) - 1]
        if self.end_of_sequence or not text or len(at_end) < 2 or starts[-1] != at_end[-1]:
            return 0  # a network that predicts the end draws no surplus stroke
        start = at_end[-1]
        x = self.onward * to_points(ink)[:, 0]
        furthest = np.maximum.accumulate(x)
        beyond = x[at_end] - furthest[at_end - 1]
        apart = beyond[-1] > SURPLUS_GAP * x_height(ink)
        if text[-1].isalnum():
            apart &= x[start:].min() > furthest[start - 1]
            apart &= bool(self.leaving[start - 1, number])
        return len(ink) - start if apart and (beyond[:-1] > 0.0).any() else 0

    def _keep(self, first: int, rows: Tensor | slice, phi: Tensor) -> Tensor:
        """Record the window's peaks at steps from `first` on, and return them, `(T, rows)`."""
        steps = slice(first, first + len(phi))
        positions = torch.arange(phi.shape[-1], device=phi.device)
        beyond = positions > self.lengths[rows, None]  # (rows, U + 1): padding of the line's text
        after = positions >= self.visible_lengths[rows, None]
        peaks = phi.masked_fill(beyond, -1.0).argmax(-1)  # the text's length where past the text
        height_after = phi.masked_fill(beyond | ~after, 0.0).amax(-1)
        self.peaks[steps, rows] = peaks.int()
        self.leaving[steps, rows] = height_after > LEAVING * phi.masked_fill(after, 0.0).amax(-1)
        return peaks

    def _first(self, true: Tensor, first: int) -> Tensor:
        """Return each line's first step at which `true` `(T, B)`, from step `first` on, holds."""
        return torch.where(true.any(0), first + true.int().argmax(0), self.never)
