"""From a text to pages in a hand: `write_page`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from os import PathLike
from pathlib import Path

from handwriting import front_matter, layout
from handwriting.fitting import set_to_fit
from handwriting.hands import Hands
from handwriting.layout import Word
from handwriting.page_options import OF_LOOK, PageOptions
from handwriting.paper import Paper
from handwriting.paragraphs import LAST_COLUMN, Look, Setting, columns, kind_of, line_height
from handwriting.proofreading import Proofread
from handwriting.source_text import explain, fit, known_only, split
from handwriting.text_lines import RAISED, Passage, write_passages
from model.generation.writing import check_lengths
from model.writer import Writer, warning
from utils.alphabet import Alphabet
from utils.checks import UserError
from utils.page.layers import PlacedWord
from utils.page.page import DPI, Page, save_pages

MAX_LINES = 5_000
"""Most lines of a text (assumed: so many empty ones are 170 pages of A4)."""


Place = tuple[int, int, int]
"""The numbers of a page, a row on it, and a word in that, each from 1."""


@dataclass(frozen=True)
class Origin:
    """What a word of written pages is written again with.

    Attributes:
        options: of the pages.
        looks: of each line of their text.
        network: that wrote all of it; None for that of each style.
    """

    options: PageOptions
    looks: Sequence[Look]
    network: str | None


class Pages(list[Page]):
    """The pages of a text, in order.

    Attributes:
        proofread: its words, as they were written and read back.
        notes: what was done that the text and the options did not say, a sentence each.
        origin: what it takes to write a word again; see `rewriting.rewrite`.
    """

    def __init__(
        self,
        pages: Sequence[Page],
        proofread: Sequence[Proofread],
        notes: Sequence[str],
        origin: Origin,
    ) -> None:
        super().__init__(pages)
        self.proofread, self.notes, self.origin = list(proofread), list(notes), origin

    @property
    def doubts(self) -> list[str]:
        """The words that a person should look at, each with its page, row and number and why."""
        return [
            f"page {page}, row {row}, word {number}, {word.text!r}: {word.doubt}"
            for (page, row, number), word in self._doubted()
        ]

    @property
    def doubtful(self) -> list[Place]:
        """Where these words are."""
        return [place for place, _ in self._doubted()]

    def _doubted(self) -> Iterator[tuple[Place, PlacedWord]]:
        for page, sheet in enumerate(self, 1):
            for row, own in enumerate(sheet.rows, 1):
                for number, word in own.numbered():
                    if word.doubt:
                        yield (page, row, number), word

    def save(self, path: str | PathLike[str], *, dpi: int = DPI) -> list[Path]:
        """Save all pages, in one PDF or in numbered files of another format, and return the files;
        see `save_pages`."""
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
        writer: writes all; None for the network that each style names, else the pretrained one.
        options: how.
        source: where the text is from, for errors.
        device: of the networks that are loaded; a GPU writes more slowly.
        progress: show progress bars.

    Raises:
        UserError: if the text is empty or too long, has characters that the network does not know
            or front matter with a fault; or if the size or the style does not fit.
    """
    marked = read_text(text, source, options)
    hands = Hands(writer, options, device, progress)
    known = hands.writer.model.alphabet
    lines, notes = known_lines([line for _, line in marked], known, options.skip_unknown)
    looks = looks_of([values for values, _ in marked], lines, options)
    rows = [*map(columns, lines)]
    passages = [
        [Passage(hands.of(look), one, width_of(look, len(row), options.paper)) for one in row]
        for look, row in zip(looks, rows, strict=True)
    ]
    notes += warnings(chain.from_iterable(passages))
    words, proofread = write_words(passages, options.seed, progress)
    indents = [first.indent for first, *_ in passages]
    kinds = [*map(kind_of, lines)]
    setting = Setting(looks, kinds, indents, words, options.paper, options.line_height)
    paragraphs, on_fit = set_to_fit(setting, options)
    pages = [*layout.pages(paragraphs, options.paper)]
    if len(pages) > 1 and not options.fit:
        notes.append(f"{len(pages)} sheets; --fit sets the text on one, where half of its "
                     "size is enough")  # fmt: skip
    origin = Origin(options, looks, None if writer is None else str(writer.path))
    return Pages(pages, proofread, [*hands.notes, *notes, *on_fit], origin)


def read_text(
    text: str, source: str, options: PageOptions
) -> list[tuple[front_matter.Values, str]]:
    """Return the lines of a text, each with the values of the front matter before it.

    Raises:
        UserError: if they are too many, or the front matter has faults, or does not fit on the
            paper.
    """

    def check(values: front_matter.Values) -> None:
        line_height(replace(options.look, **values), options.line_height, options.paper)

    lines = split(text)
    if len(lines) > MAX_LINES:
        raise UserError(f"{source}: {len(lines):,} lines; at most {MAX_LINES:,} are accepted")
    return front_matter.paragraphs(lines, source, OF_LOOK, check)


def known_lines(
    lines: Sequence[str], alphabet: Alphabet, skip_unknown: bool
) -> tuple[list[str], list[str]]:
    """Return lines of characters that a network knows, none empty at the end, and a sentence on
    what was written as what, if there is one.

    Raises:
        UserError: if a character is not known, or nothing is left to write.
    """
    raw, in_table = "", False
    for line in lines:  # Tabs at its start are columns below a row of a table, else an indent.
        in_table = kind_of(line) == "table" and (in_table or "\t" in line.lstrip())
        raw += (line if in_table else line.expandtabs(4)) + "\n"
    raised = (sign for sign, plain in RAISED.items() if not alphabet.unknown(plain))
    fitted = fit(raw, {*alphabet.characters, "\t", *raised})
    if fitted.left_out and not skip_unknown:
        known_only(alphabet, [*fitted.left_out], skip=False)
    check_lengths(fitted.text.split())
    return fitted.text.rstrip().split("\n"), [*filter(None, [explain(fitted)])]


def looks_of(
    values: Sequence[front_matter.Values], lines: Sequence[str], options: PageOptions
) -> list[Look]:
    """Return the look of each line.

    Raises:
        UserError: if one does not fit on the paper.
    """
    looks = [replace(options.look, **own) for own, _ in zip(values, lines, strict=False)]
    for look in looks:
        line_height(look, options.line_height, options.paper)
    return looks


def width_of(look: Look, num_columns: int, paper: Paper) -> float:
    """Return the width of a row in x-heights."""
    share = LAST_COLUMN if num_columns > 1 else 1.0
    return (paper.column - look.indent) / look.size * share


def warnings(passages: Iterable[Passage]) -> list[str]:
    """Return a sentence for each network that hardly knows some letters of what it is to write,
    which no proofreader knows either."""
    texts: dict[Path, str] = {}
    for passage in passages:
        path, reader, text = passage.hand.writer.path, passage.hand.reader, passage.text
        unread = "".join(reader.model.alphabet.unknown(text)) if reader else text
        texts[path] = texts.get(path, "") + unread
    return [*filter(None, map(warning, texts, texts.values()))]


def write_words(
    rows: Sequence[Sequence[Passage]], seed: int, progress: bool
) -> tuple[list[list[list[Word]]], list[Proofread]]:
    """Return the words of the columns of each line, in x-heights, and what was proofread."""
    found = [*write_passages([*chain.from_iterable(rows)], seed, progress=progress)]
    words = iter([own for own, _ in found])
    read = [*chain.from_iterable(of_passage for _, of_passage in found)]
    return [[*islice(words, len(row))] for row in rows], read
