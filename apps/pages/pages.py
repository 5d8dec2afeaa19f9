"""Pages of texts in a hand: `write_page`, `write_pages`."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from os import PathLike
from pathlib import Path

from apps.pages.formulas import with_sources
from apps.pages.front_matter import SourceLine
from apps.pages.layout import fill_pages, set_to_fit
from apps.pages.page_hands import Hands, check_styles, hands_of
from apps.pages.page_options import LOOK_PARSERS, OWN, Look, PageOptions, line_height
from apps.pages.paper import Paper
from apps.pages.paragraphs import (
    BULLET,
    LAST_COLUMN_WIDTH,
    TextLine,
    cell_texts,
    kind_of,
    traced,
)
from apps.pages.pen_hand import PenHands
from apps.pages.proofreading import MISSING_WORD, CheckedWord
from apps.pages.row_breaks import SOFT_HYPHEN, with_no_breaks, with_soft_hyphens
from apps.pages.source_text import PageText, each_checked, known_lines, parse_text
from apps.pages.text_lines import Passage, WrittenPassage, seeded, write_texts
from ink.drawing.layers import PlacedWord, Row
from model.drawing.page import PNG_DPI, Page, save_pages
from model.generation.line import SEEDS
from model.loading import Writer
from utils.checks import UserError, hint, short

_SIGNS_AROUND = re.compile(r"^\W+|\W+$")
TEXT_SEED_STRIDE = 100_003
"""Difference between the seeds of two texts in one hand: a prime above the number of lines that the
network writes of a text."""

WordAddress = tuple[int, int, int]
"""The numbers of a page, a row on the page, and a word in the row, each from 1."""


@dataclass(frozen=True)
class Origin:
    """How pages were written; enough to write some of their words again.

    Attributes:
        options: the options of the pages.
        looks: the look of each line of the text.
        network: the file of the network that wrote all pages; None for the network of each style.
        output: the file that the pages were last saved as; None if they were not saved.
    """

    options: PageOptions
    looks: Sequence[Look]
    network: str | None
    output: str | None = None


class Pages(list[Page]):
    """The pages of a text, in order.

    Attributes:
        proofread: all words in order, with their readings if they were proofread.
        remarks: a sentence on each choice that the program made itself.
        sources: a sentence on each network and primer with which the pages were written.
        origin: how the pages were written; see `rewriting.rewrite`.
    """

    def __init__(
        self,
        pages: Sequence[Page],
        proofread: Sequence[CheckedWord],
        remarks: Sequence[str],
        origin: Origin,
        sources: Sequence[str] = (),
    ) -> None:
        super().__init__(pages)
        self.proofread = list(proofread)
        self.remarks = list(remarks)
        self.sources = list(sources)
        self.origin = origin

    @property
    def doubts(self) -> list[str]:
        """A sentence on each word that a person should look at: its page, row, number and text, and
        the reason."""
        return [
            f"page {page}, row {row}, word {number}, {word.text!r}: {word.doubt}"
            for (page, row, number), word in self.placed()
            if word.doubt
        ]

    @property
    def doubtful(self) -> list[WordAddress]:
        """The addresses of the words that a person should look at."""
        return [address for address, word in self.placed() if word.doubt]

    @property
    def missing(self) -> list[WordAddress]:
        """The addresses of the words that could not be written."""
        return [address for address, word in self.placed() if MISSING_WORD in word.doubt]

    @property
    def words(self) -> list[tuple[WordAddress, str]]:
        """The address and the text of each word."""
        words = []
        for page_number, page in enumerate(self, 1):
            for row_number, row in enumerate(page.rows, 1):
                for number, text in enumerate(row.text.split(), 1):
                    words.append(((page_number, row_number, number), text))
        return words

    def find(self, text: str) -> list[WordAddress]:
        """Return the addresses of all words with a text, with or without the signs around them; or,
        for a text such as "Agatha:2", of the second of these words.

        Raises:
            UserError: if there are none.
        """
        words = [
            (address, {word, _SIGNS_AROUND.sub("", word)} - {""}) for address, word in self.words
        ]
        if matches := [address for address, texts in words if text in texts]:
            return matches
        name, _, number = text.rpartition(":")
        matches = [address for address, texts in words if name in texts]
        if number.isdecimal() and 1 <= int(number) <= len(matches):
            return [matches[int(number) - 1]]
        if matches:
            raise UserError(f"{short(text)}: these pages have {len(matches)} such words")
        near = hint(text, dict.fromkeys(chain.from_iterable(texts for _, texts in words)))
        raise UserError(f"{short(text)}: no word of these pages{near}")

    def placed(self) -> Iterator[tuple[WordAddress, PlacedWord]]:
        """Yield each word with its address; words that a stroke joins have that of the first."""
        for page_number, page in enumerate(self, 1):
            for row_number, row in enumerate(page.rows, 1):
                for number, word in row.numbered():
                    yield (page_number, row_number, number), word

    def save(self, path: str | PathLike[str], *, dpi: int = PNG_DPI) -> list[Path]:
        """Save all pages, in one PDF or in numbered files of another format; return the files."""
        self.origin = replace(self.origin, output=str(Path(path).resolve()))
        return save_pages(self, path, dpi=dpi)

    def _repr_html_(self) -> str:
        return "\n".join(page.to_svg() for page in self)


def write_page(
    text: str,
    writer: Writer | None = None,
    options: PageOptions = PageOptions(),
    *,
    source: str = "the text",
    device: str = "cpu",
    progress: bool = False,
) -> Pages:
    """Write a text by hand, and set it on paper.

    Args:
        text: lines, with front matter or without.
        writer: writes all words. With None, each style's network writes the words in the style;
            a style without a network is written by the pretrained network `writer`.
        options: the options of the pages.
        source: where the text is from, for error messages.
        device: the device of the networks that are loaded; a GPU writes more slowly.
        progress: show progress bars.

    Raises:
        UserError: if the text is empty or too long, has characters that the network does not know
            or front matter with a fault; or if the size or the style does not fit.
    """
    texts = [PageText(text, source)]
    (pages,) = write_pages(texts, writer, options, device=device, progress=progress)
    return pages


def write_pages(
    texts: Sequence[PageText],
    writer: Writer | None = None,
    options: PageOptions = PageOptions(),
    *,
    device: str = "cpu",
    progress: bool = False,
) -> Iterator[Pages]:
    """Write texts in one hand, and yield the pages of each.

    All texts are checked, and their hands made, before this function returns; then the lines of
    several texts are written together. Pages do not depend on the other texts: each is written as
    if it were alone, with the same number. The arguments that are not here are as in `write_page`.

    Args:
        texts: what is asked for by its index may be made then: no text is kept once it is written.

    Raises:
        UserError: if a text has faults, see `write_page`; names the faults of all texts.
    """

    def styles_of(text: PageText) -> set[str | Path]:
        lines = parse_text(text.text, text.source, options)
        return {line.values.get("style", OWN) for line in lines}

    check_styles(chain([options.style], *each_checked(styles_of, texts)))
    hands = hands_of(writer, options, device, progress)

    def prepare(text: PageText) -> PreparedText:
        lines = parse_text(text.text, text.source, options)
        return prepared(lines, text.source, hands, numbered_options(options, text.number))

    num_lines = sum(each_checked(lambda text: prepare(text).num_lines, texts))
    network = None if writer is None else str(writer.path)
    # Each is prepared once more, so that only those are in memory that are being written.
    return _written_pages(map(prepare, texts), num_lines, hands.sources, network, progress)


def numbered_options(options: PageOptions, number: int) -> PageOptions:
    """Return the options of one of several texts in the hand of the first; each has other seeds."""
    if number == 0:
        return options
    seed = (options.seed + number * TEXT_SEED_STRIDE) % SEEDS
    return replace(options, seed=seed, hand_seed=options.seed)


@dataclass(frozen=True)
class PreparedText:
    """A text that can be written.

    Attributes:
        lines: the lines of the text, in characters that the network knows.
        looks: the look of each line.
        passages: of each line, a passage for each cell.
        options: the options of its pages.
        remarks: a sentence on each choice that the program made itself.
    """

    lines: Sequence[str]
    looks: Sequence[Look]
    passages: Sequence[Sequence[Passage]]
    options: PageOptions
    remarks: Sequence[str]

    @property
    def all_passages(self) -> list[Passage]:
        """The passages of all lines."""
        return [*chain.from_iterable(self.passages)]

    @property
    def num_lines(self) -> int:
        """The number of lines that the network writes."""
        return sum(len(passage.line_texts) for passage in self.all_passages)


def prepared(
    source_lines: Sequence[SourceLine],
    source: str,
    hands: Hands | PenHands,
    options: PageOptions,
) -> PreparedText:
    """Return the lines of a text with their hands; `source` is where the text is from.

    Raises:
        UserError: if a character is not known, or a hand cannot be made.
    """
    lines, remarks = known_lines(
        source_lines, source, hands.alphabet, options.skip_unknown, hands.name
    )
    looks = looks_of(source_lines, lines, options)
    remarks += _without_effect(source_lines[: len(lines)], options)
    cells = [cell_texts(line) for line in lines]
    passages = []
    for texts, look, (*_, formulas) in zip(cells, looks, source_lines, strict=False):
        width = passage_width(look, len(texts), options.paper)
        for text in texts:
            breakable = with_soft_hyphens(with_no_breaks(text), look.language)
            passages.append(Passage(hands.of(look), breakable, width, formulas=formulas))
    numbered = iter(seeded(passages, options.seed))
    by_line = [[*islice(numbered, len(texts))] for texts in cells]
    return PreparedText(lines, looks, by_line, options, remarks)


def _without_effect(lines: Sequence[SourceLine], options: PageOptions) -> Iterator[str]:
    """Yield a sentence on each option that front matter replaces in all lines with a text."""
    looks = [line.values for line in lines if line.text.strip()]
    for name in LOOK_PARSERS:
        value = getattr(options, name)
        is_replaced = all(name in values and values[name] != value for values in looks)
        if is_replaced and value != getattr(PageOptions, name):
            shown = value.stem if isinstance(value, Path) else value
            yield f"{name} {shown} has no effect: the front matter of all lines has another"


def _written_pages(
    texts: Iterable[PreparedText],
    num_lines: int,
    sources: Sequence[str],
    network: str | None,
    progress: bool,
) -> Iterator[Pages]:
    """Yield the pages of each text, whose lines are `num_lines`. `sources`: a sentence on each
    network and primer; `network`: the file of the network that writes all texts, if there is
    one."""
    waiting = deque[PreparedText]()

    def passages() -> Iterator[list[Passage]]:
        for text in texts:
            waiting.append(text)
            yield text.all_passages

    def set_pages(results: Iterable[WrittenPassage]) -> Pages:
        return _set_pages(waiting.popleft(), results, sources, network)

    # No loop, whose names would keep the ink of a text until that of the next one is written.
    return map(set_pages, write_texts(passages(), num_lines, progress=progress))


def _set_pages(
    text: PreparedText,
    results: Iterable[WrittenPassage],
    sources: Sequence[str],
    network: str | None,
) -> Pages:
    """Return the pages of a text; `results` has the words of each passage."""
    text_lines, checked = to_text_lines(text, iter(results))
    options = text.options
    remarks = [*text.remarks]
    paragraphs, remarks_on_fit = set_to_fit(text_lines, options)
    pages = [*fill_pages(paragraphs, options.paper)]
    if len(pages) > 1 and not options.fit:
        advice = "--fit sets the text on one sheet, if it fits at half of its size"
        remarks.append(f"{len(pages)} sheets; {advice}")
    origin = Origin(options, text.looks, network)
    remarks += remarks_on_fit
    written = Pages(pages, with_divided(checked, pages), remarks, origin, sources)
    formulas = (passages[0].formulas for passages in text.passages)
    check_words(written, map(with_sources, text.lines, formulas))
    return written


def with_divided(checked: Iterable[CheckedWord], pages: Iterable[Page]) -> list[CheckedWord]:
    """Return the proofread words of pages, divided words once for each part."""
    words = iter(checked)
    readings = []
    is_divided = False
    for placed in chain.from_iterable(row.words for page in pages for row in page.rows):
        readings.append(readings[-1] if is_divided else next(words))
        is_divided = placed.divided
    return readings


def check_words(pages: Pages, lines: Iterable[str]) -> None:
    """Raise an AssertionError, which is an error of this program, unless the words of pages are
    those of the lines of their text, and each has ink."""
    marks = {"bullets": BULLET.text}
    texts = (marks.get(kind_of(line), "") + "".join(cell_texts(line)) for line in lines)
    expected = "".join(texts).split()
    rows = chain.from_iterable(page.rows for page in pages)
    written = "".join(_undivided(row) for row in rows).split()
    assert "".join(written) == "".join(expected).replace(SOFT_HYPHEN, "")
    assert all(word.strokes for _, word in pages.placed())


def _undivided(row: Row) -> str:
    """Return the text of a row without the hyphen of a divided word at its end."""
    return row.text[:-1] if row.words and row.words[-1].divided else row.text


def looks_of(
    source_lines: Sequence[SourceLine], lines: Sequence[str], options: PageOptions
) -> list[Look]:
    """Return the look of each of `lines`, made from the values of front matter. `source_lines` may
    have more items, for empty lines that were taken off the end of the text.

    Raises:
        UserError: if a line does not fit on the paper.
    """
    looks = []
    for source_line, line in zip(source_lines, lines, strict=False):
        looks.append(replace(options.look, **source_line.values))
        is_display = any(formula.is_display for formula in source_line.formulas)
        if is_display and len(line.split()) == 1:
            looks[-1] = replace(looks[-1], align="centred", indent=0.0)
        line_height(looks[-1], options.line_height, options.paper)
    return looks


def passage_width(look: Look, num_columns: int, paper: Paper) -> float:
    """Return the largest width of a passage in x-heights: of a row, or, if there are several
    columns, of the last column."""
    fraction = LAST_COLUMN_WIDTH if num_columns > 1 else 1.0
    return (paper.text_width - look.indent) / look.size * fraction


def to_text_lines(
    text: PreparedText, results: Iterator[WrittenPassage]
) -> tuple[list[TextLine], list[CheckedWord]]:
    """Return the lines of a text with their written words, and all proofread words; `results` has
    the words of each passage."""
    text_lines = []
    checked = []
    lines = zip(text.lines, text.looks, text.passages, strict=True)
    for number, (line, look, passages) in enumerate(lines):
        words = []
        kind = kind_of(line)
        if kind == "bullets":
            checked.append(CheckedWord((BULLET,), BULLET.text))
        for cell_words, cell_checked in islice(results, len(passages)):
            words.append([traced(word, look.trace) for word in cell_words])
            checked += cell_checked
        text_lines.append(TextLine(number, look, kind, passages[0].leading_width, words))
    return text_lines, checked
