"""The size at which a written text fits on its sheets, and its rows do not touch."""

from collections.abc import Callable, Sequence
from itertools import takewhile

from handwriting import layout
from handwriting.layout import Paragraph
from handwriting.page_options import PageOptions
from handwriting.paragraphs import LINE_HEIGHT, Setting
from utils.checks import UserError

STEPS = 40
"""Sizes that are tried up to the usual one, and from there to twice as much (assumed)."""
SIZES_TRIED = [step / STEPS for step in range(STEPS, STEPS // 2 - 1, -1)]
"""Sizes of a text that is made to fit, in usual ones (assumed: below half it is another page)."""


def set_to_fit(setting: Setting, options: PageOptions) -> tuple[list[Paragraph], list[str]]:
    """Return paragraphs of the size that is asked for, and sentences on what does not fit.

    Raises:
        UserError: if no size fits on the sheets.
    """
    usual, sheets, notes = options.usual_size, options.fit, []
    sized = options.size or setting.paper.letter
    follows = not (setting.spreads or sized or options.line_height)

    def rows(paragraphs: Sequence[Paragraph]) -> list[int]:
        return [len(page.rows) for page in layout.pages(paragraphs, setting.paper)]

    def touch(paragraphs: Sequence[Paragraph]) -> bool:
        return layout.crowding(paragraphs, setting.paper) > 1.0 + 1e-6

    def within(paragraphs: Sequence[Paragraph]) -> bool:
        edge = setting.paper.width - setting.paper.margins[1] + 1e-6
        found = layout.set_rows(paragraphs, setting.paper)
        return all(stroke[:, 0].max() <= edge for row, _ in found for stroke in row.strokes)

    def fit(paragraphs: Sequence[Paragraph]) -> bool:
        fills = not sheets or (len(rows(paragraphs)) <= sheets and within(paragraphs))
        return fills and not (follows and touch(paragraphs))

    def fit_in_columns(paragraphs: Sequence[Paragraph]) -> bool:
        return fit(paragraphs) and setting.keeps_columns(paragraphs)

    def stands_in_rows(paragraphs: Sequence[Paragraph]) -> bool:
        own = sum(bool(one.words or one.lead) for one in paragraphs)
        return fit_in_columns(paragraphs) and not touch(paragraphs) and sum(rows(paragraphs)) == own

    size = usual
    if sheets or follows:
        in_columns = _largest(setting, usual, fit_in_columns) if sheets else None
        size = in_columns or _largest(setting, usual, fit)
    if sheets and size == usual and not sized:
        larger = (round(usual * step / STEPS, 2) for step in range(STEPS + 1, _highest(setting)))
        size = max(
            takewhile(lambda tried: stands_in_rows(setting.paragraphs(tried / usual)), larger),
            default=usual,
        )
    if size is None:
        reason = f"there is no size from {usual:g} to {usual / 2:g} mm at which the text fits"
        if sheets:
            raise UserError(f"--fit {sheets}: {reason}; give more sheets, larger paper, smaller "
                            "margins or a smaller --size")  # fmt: skip
        notes.append(reason)
    elif size != usual:
        notes.append(f"size {size:g}: the largest that fits")
    paragraphs = setting.paragraphs((size or usual) / usual)
    if not setting.keeps_columns(paragraphs):
        notes.append("columns run on as text, as they are wider than a row: a smaller --size, "
                     "--landscape or --fit keeps them")  # fmt: skip
    if touch(paragraphs):
        notes.append("rows touch: a smaller --size or a larger --line-height keeps them apart")
    return paragraphs, notes


def _largest(
    setting: Setting, usual: float, fits: Callable[[list[Paragraph]], bool]
) -> float | None:
    """Return the largest x-height at which paragraphs fit; None if they fit at none."""
    sizes = (round(usual * factor, 2) for factor in SIZES_TRIED)
    return next((size for size in sizes if fits(setting.paragraphs(size / usual))), None)


def _highest(setting: Setting) -> int:
    """Return the steps up to the size at which a line is as high as what is between the margins."""
    paper = setting.paper
    height = paper.bottom - paper.margins[0] - paper.spacing / 2  # that a line is rounded up by
    return int(STEPS * height / (LINE_HEIGHT * max(look.size for look in setting.looks))) + 1
