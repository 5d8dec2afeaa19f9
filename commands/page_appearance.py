"""How the lines of a page differ: pages in one hand each beside recorded sheets."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from commands import options
from commands.page_options import BIAS, HEIGHT, LINE_HEIGHT
from utils.checks import UserError

ROWS, CHARACTERS = 8, 40
"""Rows of a page, and about how many characters stand in one, as in IAM-OnDB's forms."""
SENTENCES = 14
"""Those of the text of a page, some 30 characters each: enough for its rows."""
SHEETS = 100
"""Recorded ones that are measured at most."""

Measures = list[dict[str, float]]
"""What `utils.page.evenness` measures of each page."""


def run(writer: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Write pages, measure them and recorded sheets, print the table, and return the results."""
    from model.handwriting import LIVELINESS

    bias = (arguments.biases or [BIAS])[0]
    shares = sorted(set(arguments.liveliness or [LIVELINESS]))
    recorded = recorded_pages(writer, arguments) if arguments.recorded else []
    pages = written_pages(writer, arguments, bias, shares)
    columns = [(f"liveliness {share:g}", pages[share]) for share in shares]
    if recorded:
        columns.append((f"{len(recorded)} recorded", recorded))
    summaries = [(title, summary(one)) for title, one in columns]
    print_table(summaries)
    result: dict[str, Any] = {"writer": str(writer.path), "seed": arguments.seed, "bias": bias}
    result["written"] = [
        {"liveliness": share, "pages": arguments.pages, "measures": one}
        for share, (_, one) in zip(shares, summaries, strict=False)
    ]
    if recorded:
        measures = summaries[-1][1]
        split = {"split": arguments.recorded, "pages": len(recorded)}
        result["recorded"] = split | {"measures": measures}
    return result


def written_pages(
    writer: Any, arguments: argparse.Namespace, bias: float, shares: Sequence[float]
) -> dict[float, Measures]:
    """Return the measures of pages as `page` lays them out, by their liveliness.

    Page n has the seed `--seed` + n, and the hand that the network chooses by it.
    """
    from tqdm import tqdm

    from data_loader.synthetic.corpus import held_out
    from model.handwriting import Hand, Passage, own_hand
    from utils.ink import from_strokes
    from utils.page.evenness import of_page
    from utils.page.layout import Paragraph, pages, scaled
    from utils.page.paper import Paper

    texts = options.known(writer.model.alphabet, held_out(arguments.pages * SENTENCES), skip=True)
    sampling = replace(options.sampling_of(arguments), bias=bias)
    step = LINE_HEIGHT * HEIGHT
    found: dict[float, Measures] = {share: [] for share in shares}
    numbers = range(arguments.pages)
    for number in tqdm(numbers, desc="pages", unit="page", leave=False, disable=None):
        seed = arguments.seed + number
        hand = Hand(writer, own_hand(writer, None, seed, sampling), None, sampling)
        text = " ".join(texts[number * SENTENCES : (number + 1) * SENTENCES])
        parts = Passage(hand, text).lines
        lines = hand.write(parts, range(seed, seed + len(parts)))
        paper = Paper(CHARACTERS * hand.blank * HEIGHT, (ROWS + 0.5) * step, (0.0,) * 4)
        for share in shares:
            own = replace(hand, liveliness=share)
            words = [scaled(word, HEIGHT) for line in lines for word in own.words(line.line)]
            page = next(pages([Paragraph(words, step)], paper))
            rows = [(from_strokes(row.strokes), row.text) for row in page.rows]
            found[share].append(of_page(rows))
    return found


def recorded_pages(writer: Any, arguments: argparse.Namespace) -> Measures:
    """Return the measures of recorded sheets, of `SHEETS` chosen at random if there are more.

    Raises:
        UserError: if the dataset has none of enough lines.
    """
    import numpy as np

    from parse_config import data_of
    from utils.page.evenness import LEAST_LINES, of_page

    loader = data_of(writer, arguments.overrides)
    loader.split(arguments.recorded)
    source = loader.source
    sheets: dict[str, list[int]] = {}
    for index in source.indices(arguments.recorded).tolist():
        if source.text(index):
            sheets.setdefault(source.group(index), []).append(index)
    whole = [lines for name, lines in sorted(sheets.items()) if name and len(lines) >= LEAST_LINES]
    if not whole:
        raise UserError(
            f"the split {arguments.recorded!r} has no sheet: {LEAST_LINES} lines of a form, with "
            "texts, are needed"
        )
    order = np.random.default_rng(arguments.seed).permutation(len(whole))[:SHEETS]
    return [
        of_page([(source.ink(index), source.text(index)) for index in whole[n]])
        for n in order.tolist()
    ]


def summary(pages: Measures) -> dict[str, dict[str, float]]:
    """Return for each measure its `median` and quartiles `lower` and `upper` over the pages, and
    the number of `pages` on which it could be measured; NaN where on none."""
    import numpy as np

    from utils.hand_measures import quartiles

    found = {}
    for name in pages[0]:
        values = np.array([one[name] for one in pages])
        values = values[~np.isnan(values)]
        found[name] = quartiles(values) | {"pages": len(values)}
    return found


def print_table(columns: Sequence[tuple[str, Mapping[str, Mapping[str, float]]]]) -> None:
    """Print the median and the quartiles of each measure, a column for each summary."""
    from utils.page.evenness import BETWEEN, WITHIN

    print(f"{'spread':<20}" + "".join(f"{title:<24}" for title, _ in columns))
    for title, names in (("between the lines", BETWEEN), ("within a line", WITHIN)):
        print(title)
        for name in names:
            cells = ["{median:.3f} ({lower:.3f} {upper:.3f})".format(**one[name])
                     for _, one in columns]  # fmt: skip
            print(f"  {name:<18}" + "".join(f"{cell:<24}" for cell in cells))
