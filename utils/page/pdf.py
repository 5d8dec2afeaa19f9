"""PDF: pages as vectors, with invisible text on each word for search and selection in viewers.

The font of this text has glyphs that draw nothing and are half as wide as the font's size; its
`ToUnicode` names the character of each glyph.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise, zip_longest
from os import PathLike
from typing import BinaryIO, TypeAlias

import numpy as np

from utils.files import XML_FORBIDDEN, atomic_write
from utils.page.layers import Layer, Pen, Row, curves, decimal

POINT = 72 / 25.4  # points, the unit of PDF, per millimetre
TEXT_SIZE = 1.4
"""Size of a row's text, as a multiple of the height of its words; viewers then take the row for one
line (measured: pdftotext gives the words of a page in order)."""
MIN_BLANK = 0.1  # minimum width of a blank, as a fraction of the text's size (assumed)
MAX_BLANK = 0.9
"""Maximum width of a blank, as a fraction of the text's size; if a gap is wider, the word before it
is made wider than its ink (measured: poppler takes words that are further apart for columns)."""
GLYPH_WIDTH = 0.5  # width of a glyph, as a fraction of the text's size (poppler infers the size)
EM = 1000  # units of the font per size of the text, as usual
GLYPH_BOX = (0, -200, 500, 800)
"""Left, bottom, right and top of the glyph in units of the font; viewers highlight selected text by
this box (assumed)."""
MAX_CODES = 255  # maximum number of characters of a font, whose codes are bytes from 1
# The numbers of the objects that every file has.
_CATALOG = 1
_PAGES = 2
_RESOURCES = 3
_INFO = 4
_GLYPH = 5

Drawn: TypeAlias = Sequence[tuple[Pen, Sequence[np.ndarray]]]
"""Pens, each with the Bézier curves `(segments, 4, 2)` that it draws."""


@dataclass(frozen=True)
class BoxedWord:
    """A word of a row, and the bounds of its ink in millimetres.

    Attributes:
        text: the text of the word.
        left, top, right, bottom: the bounds of its ink; y grows downwards.
        joined: whether the next word follows without a blank.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    joined: bool = False


@dataclass(frozen=True)
class PdfPage:
    """A page of a PDF: its curves, in millimetres from the top left corner, and its text.

    Attributes:
        width, height: the size of the page in millimetres.
        drawn: the curves of the page.
        rows: the words of each row of text, from the left.
        highlighted: transparent curves, drawn below `drawn`.
        filled: outlines as Bézier curves, filled with black.
    """

    width: float
    height: float
    drawn: Drawn
    rows: Sequence[Sequence[BoxedWord]] = ()
    highlighted: Drawn = ()
    filled: Sequence[np.ndarray] = ()


def pdf_page(size: tuple[float, float], layers: Sequence[Layer], rows: Sequence[Row]) -> PdfPage:
    """Return a page of a PDF, of `size` (width, height) in mm, with its layers and rows of text."""
    drawn = [(layer.pen, list(map(curves, layer.strokes))) for layer in layers]
    words = [boxed_words(row) for row in rows if row.strokes and row.text]
    return PdfPage(*size, drawn, words)


def boxed_words(row: Row) -> list[BoxedWord]:
    """Return the words of a row with strokes; if the words are unknown, the row is one word."""
    if not row.words:
        return [_boxed(row.text, row.strokes)]
    stops = accumulate((word.strokes for word in row.words), initial=0)
    return [
        _boxed(word.text, row.strokes[start:stop], word.joined)
        for word, (start, stop) in zip(row.words, pairwise(stops), strict=True)
        if start < stop
    ]


def _boxed(text: str, strokes: Sequence[np.ndarray], joined: bool = False) -> BoxedWord:
    points = np.concatenate(strokes)
    return BoxedWord(text, *points.min(axis=0).tolist(), *points.max(axis=0).tolist(), joined)


def write_pdf(path: str | PathLike[str], pages: Iterable[PdfPage], title: str = "") -> None:
    """Write pages as a PDF, atomically; the same pages give the same bytes.

    Args:
        path: the file; its folder exists.
        pages: at least one page; written pages are not kept in memory.
        title: the title in the file's metadata; "" for none.
    """
    atomic_write(path, lambda file: write_pages(file, pages, title))


def write_pages(file: BinaryIO, pages: Iterable[PdfPage], title: str = "") -> None:
    """Write pages as a PDF to an open file; see `write_pdf`."""
    _Document(file).write(pages, title)


class _Document:
    """Writes the objects of a PDF, which all are dictionaries, to a file one after another."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._starts: dict[int, int] = {}  # by an object's number, the position of its first byte
        self._next = _GLYPH + 1
        self._codes: dict[str, int] = {}  # by character of the text, its code from 0

    def write(self, pages: Iterable[PdfPage], title: str) -> None:
        """Write the whole file."""
        self._file.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
        numbers = [self._page(page) for page in pages]
        kids = " ".join(f"{number} 0 R" for number in numbers)
        self._put(f"/Type/Pages/Count {len(numbers)}/Kids[{kids}]", number=_PAGES)
        fonts = "".join(f"/F{number} {font} 0 R" for number, font in enumerate(self._fonts()))
        modes = "".join(f"/{mode}<</BM/{mode}>>" for mode in ("Multiply", "Normal"))
        self._put(f"/Font<<{fonts}>>/ExtGState<<{modes}>>", number=_RESOURCES)
        self._put("", f"{EM * GLYPH_WIDTH:g} 0 {' '.join(map(str, GLYPH_BOX))} d1", _GLYPH)
        info = f"/Title<FEFF{_utf16(XML_FORBIDDEN.sub('?', title))}>" if title else ""
        self._put(info, number=_INFO)
        self._put(f"/Type/Catalog/Pages {_PAGES} 0 R", number=_CATALOG)
        start, size = self._file.tell(), len(self._starts) + 1
        table = "".join(f"{self._starts[number]:010} 00000 n \n" for number in range(1, size))
        self._file.write(
            f"xref\n0 {size}\n0000000000 65535 f \n{table}"
            f"trailer\n<</Size {size}/Root {_CATALOG} 0 R/Info {_INFO} 0 R>>\n"
            f"startxref\n{start}\n%%EOF\n".encode()
        )

    def _put(self, entries: str, stream: str = "", number: int = 0) -> int:
        """Write an object, and return its number; `number` 0 gives it the next free number."""
        if not number:
            number, self._next = self._next, self._next + 1
        self._starts[number] = self._file.tell()
        content = f"<<{entries}>>".encode()
        if stream:
            packed = zlib.compress(stream.encode(), 9)
            head = f"<<{entries}/Filter/FlateDecode/Length {len(packed)}>>stream\n".encode()
            content = head + packed + b"\nendstream"
        self._file.write(b"%d 0 obj\n%b\nendobj\n" % (number, content))
        return number

    def _page(self, page: PdfPage) -> int:
        width, height = (decimal(POINT * side) for side in (page.width, page.height))
        # Units are millimetres from the top left corner, y downwards; ends and corners are round.
        lines = [f"{POINT:.6f} 0 0 {-POINT:.6f} 0 {height} cm 1 J 1 j"]
        if page.highlighted:
            lines += ["/Multiply gs", *_strokes(page.highlighted), "/Normal gs"]
        lines += _strokes(page.drawn)
        lines += [*map(_path, page.filled), "f"] if page.filled else []
        lines += ["BT 3 Tr", *(part for row in page.rows for part in self._row(row)), "ET"]
        content = self._put("", "\n".join(lines))
        return self._put(
            f"/Type/Page/Parent {_PAGES} 0 R/MediaBox[0 0 {width} {height}]"
            f"/Resources {_RESOURCES} 0 R/Contents {content} 0 R"
        )

    def _row(self, words: Sequence[BoxedWord]) -> Iterator[str]:
        """Yield the commands that write a row of invisible text. A word is as wide as its ink, but
        ends before the next word; a blank fills the gap up to the next word."""
        words = [word for word in words if word.text]
        if not words:
            return
        size = TEXT_SIZE * float(np.median([word.bottom - word.top for word in words])) or 1.0
        min_blank, max_blank = MIN_BLANK * size, MAX_BLANK * size
        for word, following, baseline in zip_longest(words, words[1:], _baselines(words, size)):
            right = word.right
            if following:
                gap = np.clip(following.left - right, min_blank, max_blank)
                right = following.left - (0.0 if word.joined else gap)
            right = max(right, word.left + min_blank)
            yield from self._stretched(word.text, word.left, right, size, baseline)
            if following and not word.joined:
                stop = max(following.left, right + min_blank)
                yield from self._stretched(" ", right, stop, size, baseline)

    def _stretched(
        self, text: str, left: float, right: float, size: float, baseline: float
    ) -> Iterator[str]:
        codes = [self._codes.setdefault(c, len(self._codes)) for c in XML_FORBIDDEN.sub("?", text)]
        percent = 100 * (right - left) / (GLYPH_WIDTH * size * len(codes))
        yield f"{decimal(percent)} Tz 1 0 0 -1 {decimal(left)} {decimal(baseline)} Tm"
        for font, run in groupby(codes, lambda code: code // MAX_CODES):
            shown = bytes(code % MAX_CODES + 1 for code in run).hex()
            yield f"/F{font} {decimal(size)} Tf <{shown}> Tj"

    def _fonts(self) -> Iterator[int]:
        """Write the fonts, and yield their numbers."""
        characters = list(self._codes)
        for start in range(0, len(characters), MAX_CODES):
            chunk = characters[start : start + MAX_CODES]
            names = [f"/g{code}" for code in range(1, len(chunk) + 1)]
            glyphs = "".join(f"{name} {_GLYPH} 0 R" for name in names)
            widths = f"{EM * GLYPH_WIDTH:g} " * len(chunk)
            yield self._put(
                f"/Type/Font/Subtype/Type3/FontBBox[{' '.join(map(str, GLYPH_BOX))}]"
                f"/FontMatrix[{1 / EM} 0 0 {1 / EM} 0 0]/Resources<<>>/CharProcs<<{glyphs}>>"
                f"/Encoding<</Type/Encoding/Differences[1{''.join(names)}]>>"
                f"/FirstChar 1/LastChar {len(chunk)}/Widths[{widths}]"
                f"/ToUnicode {self._put('', _to_unicode(chunk))} 0 R"
            )


def _baselines(words: Sequence[BoxedWord], size: float) -> list[float]:
    """Return the y of each word's baseline; all are equal unless the row falls by over `size`."""
    bottom = np.array([word.bottom for word in words])
    middle = np.array([word.left + word.right for word in words]) / 2
    # Of words in one place, or of a size beyond numbers, the slope is NaN, and the row level.
    with np.errstate(all="ignore"):
        across = middle - middle.mean()
        fitted = bottom.mean() + across * (across @ bottom / (across @ across))
    level = np.full(len(words), np.median(bottom))
    return (fitted if np.ptp(fitted) > size else level).tolist()


def _to_unicode(characters: Sequence[str]) -> str:
    """Return the CMap of a font, which maps codes, counted from 1, to `characters`."""
    lines = [f"<{code:02x}> <{_utf16(c)}>" for code, c in enumerate(characters, 1)]
    blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]  # as PDF demands
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            "/CIDSystemInfo <</Registry(Adobe)/Ordering(UCS)/Supplement 0>> def",
            "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
            "1 begincodespacerange <00> <ff> endcodespacerange",
            *("\n".join([f"{len(block)} beginbfchar", *block, "endbfchar"]) for block in blocks),
            "endcmap CMapName currentdict /CMap defineresource pop end end",
        ]
    )


def _utf16(text: str) -> str:
    return text.encode("utf-16-be").hex()


def _colour(colour: str) -> str:
    """Return red, green and blue of `#rrggbb`, each from 0 to 1."""
    return " ".join(decimal(part / 255) for part in bytes.fromhex(colour[1:]))


def _strokes(drawn: Drawn) -> Iterator[str]:
    """Yield the commands that draw strokes, pen by pen."""
    for pen, strokes in drawn:
        yield f"{_colour(pen.colour)} RG {decimal(pen.width)} w"
        yield from map(_path, strokes)
        yield "S"


def straight(points: np.ndarray) -> np.ndarray:
    """Return the straight lines between points `(n, 2)` as Bézier segments `(n - 1, 4, 2)`."""
    start, end = points[:-1, None], points[1:, None]
    return start + (end - start) * np.linspace(0, 1, 4)[:, None]


def _path(segments: np.ndarray) -> str:
    """Return the commands of a path along Bézier segments `(segments, 4, 2)`, at least one; each
    begins at the end of the one before."""
    rows = segments[:, 1:].reshape(-1, 6).tolist()
    curves_to = "".join(f"{' '.join(map(decimal, row))} c\n" for row in rows)
    return f"{' '.join(map(decimal, segments[0, 0].tolist()))} m\n{curves_to}"
