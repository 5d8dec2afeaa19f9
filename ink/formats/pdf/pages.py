"""PDF: pages as vectors and images, with invisible text on each word for search and selection.

The font of this text has glyphs that draw nothing and are half as wide as the font's size; its
`ToUnicode` names the character of each glyph. A row of text lies at the angle of its ink, and its
glyphs are as high as the row, from the descenders to the ascenders.
"""

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import accumulate, groupby, pairwise, takewhile
from math import isnan, pi
from os import PathLike
from typing import BinaryIO, NamedTuple

import numpy as np

from ink.drawing.layers import Row
from ink.formats.pdf.paths import UNITS_PER_MM, Look, path_commands, paths_of, straight
from ink.geometry import from_strokes, turned_back
from ink.ink_page import LINE_PITCH, PT_PER_MM, InkPage, PageImage, TypedText, image_kind
from ink.measures import baseline_angle
from utils.checks import UserError
from utils.files import XML_FORBIDDEN, atomic_write

TEXT_SIZE = 0.4
"""Size of a row's text, as a multiple of the height of its ink (measured, notebook: notes, text of
PDFs)."""
MIN_BLANK = 0.2
"""Minimum width of a blank, as a fraction of the text's size (measured: poppler loses narrower
ones)."""
MAX_BLANK = 0.65
"""Maximum width of a blank, as a fraction of the text's size; if a gap is wider, the word before it
is made wider than its ink (measured: poppler takes words that are further apart for columns)."""
MIN_GLYPH = 0.11
"""Minimum width of a glyph, as a fraction of the text's size, if there is room (measured: poppler
takes the second of two equal letters that are closer for its shadow)."""
MAX_REACH = 1.25
"""Greatest distance of a word's baseline from the middle of its box, as a fraction of the height of
the row (measured, notebook: notes, text of PDFs)."""
OUTLIERS = 0.005
"""Fraction of a row's points that may lie above its text, and as many below (assumed)."""
MAX_UNPACKED_PIXELS = 50_000_000  # of an image that is unpacked (assumed)
_PNG_DEPTH = 24  # position in a PNG of the number of bits of a colour
GLYPH_WIDTH = 0.5  # width of a glyph, as a fraction of the text's size (poppler infers the size)
EM = 1000  # units of the font per size of the text, as usual
OUTLINE_EM = 10_000  # units of a typed glyph per size of its text (assumed: fine at any size)
RISES = 16
"""Number of fonts, by the height of the glyph's box above the baseline, for each height of the box
(measured, notebook: notes, text of PDFs)."""
MAX_CODES = 255  # maximum number of characters of a font, whose codes are bytes from 1
LINK_SIZE = 5 * PT_PER_MM  # side of the frame that links to a note's file (assumed, by eye)
LINK_GAP = 3 * PT_PER_MM  # from the frame to the edges of the page (assumed, by eye)
# The numbers of the objects that every file has.
_CATALOG = 1
_PAGES = 2
_RESOURCES = 3
_INFO = 4


@dataclass(frozen=True, eq=False)
class WordInk:
    """A word of a row of text.

    Attributes:
        text: the text of the word.
        points: positions of its ink, or corners of its box, `(n, 2)`, in the page's units.
        joined: whether the next word follows without a blank.
        turn: how many quarter turns clockwise the row lies.
    """

    text: str
    points: np.ndarray
    joined: bool = False
    turn: int = 0

    @property
    def upright(self) -> np.ndarray:
        """The positions with the row turned back by its quarter turns."""
        return turned_back(self.points, self.turn * pi / 2)


@dataclass(frozen=True, eq=False)
class PdfNote:
    """The note that successive pages of a PDF belong to.

    Attributes:
        name: its folders and its title, with `/` between them.
        address: address of its file, relative to the PDF; empty for none.
        times: when it was made and last changed, in seconds since 1970; None if unknown.
    """

    name: str
    address: str = ""
    times: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class PdfPage:
    """A page of a PDF: its ink and images, and the words of each row of its text, from the left.

    A PDF that the page annotates is not drawn.
    """

    page: InkPage
    rows: Sequence[Sequence[WordInk]] = ()
    note: PdfNote | None = None


def words_of(row: Row) -> list[WordInk]:
    """Return the words of a row with strokes; if the words are unknown, the row is one word."""
    if not row.words:
        return [WordInk(row.text, np.concatenate(row.strokes))]
    stops = accumulate((word.strokes for word in row.words), initial=0)
    return [
        WordInk(word.text, np.concatenate(row.strokes[start:stop]), word.joined)
        for word, (start, stop) in zip(row.words, pairwise(stops), strict=True)
        if start < stop
    ]


def write_pdf(path: str | PathLike[str], pages: Iterable[PdfPage], title: str = "") -> None:
    """Write pages as a PDF, atomically; the same pages give the same bytes.

    Args:
        path: the file; its folder exists.
        pages: at least one page; only one page is in memory at a time.
        title: the title in the file's metadata; "" for none. Pages of several notes have labels
            and an outline by folder and note; the metadata have the first and the last time.

    Raises:
        UserError: if an image of a page is broken.
    """
    atomic_write(path, lambda file: write_pages(file, pages, title))


def write_pages(file: BinaryIO, pages: Iterable[PdfPage], title: str = "") -> None:
    """Write pages as a PDF to an open file; see `write_pdf`."""
    _Document(file).write(pages, title)


class _Document:
    """Writes the objects of a PDF to a file one after another."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._starts: dict[int, int] = {}  # by an object's number, the position of its first byte
        self._next = _INFO + 1
        self._codes: dict[str, int] = {}  # by character of the text, its code from 0
        self._fonts: dict[tuple[int, int], int] = {}  # by chunk of codes and rise, the number
        self._states: dict[tuple[str, float], str] = {}  # names of blend modes with opacities
        self._images: dict[bytes, int] = {}  # by digest, the number of its object
        self._glyphs: dict[str, int] = {}  # of typed text by name, so too; 0 for a blank

    def write(self, pages: Iterable[PdfPage], title: str) -> None:
        """Write the whole file."""
        self._file.write(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
        numbers = list[int]()
        notes = list[tuple[int, PdfNote]]()
        for index, page in enumerate(pages):
            numbers.append(self._page(page))
            _, last_note = notes[-1] if notes else (0, None)
            if page.note and page.note is not last_note:
                notes.append((index, page.note))
        kids = " ".join(f"{number} 0 R" for number in numbers)
        self._put(f"<</Type/Pages/Count {len(numbers)}/Kids[{kids}]>>", number=_PAGES)
        fonts = "".join(f"/F{number} {font} 0 R" for number, font in enumerate(self._put_fonts()))
        states = "".join(
            f"/{name}<</BM/{blend}/CA {opacity:g}/ca {opacity:g}>>"
            for (blend, opacity), name in self._states.items()
        )
        drawn = [*self._images.values(), *filter(None, self._glyphs.values())]
        objects = "".join(f"/X{number} {number} 0 R" for number in drawn)
        resources = f"<</Font<<{fonts}>>/ExtGState<<{states}>>/XObject<<{objects}>>>>"
        self._put(resources, number=_RESOURCES)
        info = f"/Title{_string(title)}" if title else ""
        times = [note.times for _, note in notes if note.times]
        if times:
            created = min(created for created, _ in times)
            changed = max(changed for _, changed in times)
            info += f"/CreationDate{_date(created)}/ModDate{_date(changed)}"
        self._put(f"<<{info}>>", number=_INFO)
        ways = self._put_ways(notes, numbers) if len(notes) > 1 else ""
        self._put(f"<</Type/Catalog/Pages {_PAGES} 0 R{ways}>>", number=_CATALOG)
        start = self._file.tell()
        size = len(self._starts) + 1
        table = "".join(f"{self._starts[number]:010} 00000 n \n" for number in range(1, size))
        self._file.write(
            f"xref\n0 {size}\n0000000000 65535 f \n{table}"
            f"trailer\n<</Size {size}/Root {_CATALOG} 0 R/Info {_INFO} 0 R>>\n"
            f"startxref\n{start}\n%%EOF\n".encode()
        )

    def _put(
        self, value: str, stream: bytes = b"", *, number: int = 0, is_packed: bool = False
    ) -> int:
        """Write an object, and return its number; `number` 0 gives it the next free number. The
        value of a stream is a dictionary; unless the stream is packed, it is compressed."""
        if not number:
            number = self._next
            self._next = self._next + 1
        self._starts[number] = self._file.tell()
        content = value.encode()
        if stream:
            packed = stream if is_packed else zlib.compress(stream, 9)
            filtered = "" if is_packed else "/Filter/FlateDecode"
            head = f"{value.removesuffix('>>')}{filtered}/Length {len(packed)}>>stream\n"
            content = head.encode() + packed + b"\nendstream"
        self._file.write(b"%d 0 obj\n%b\nendobj\n" % (number, content))
        return number

    def _put_ways(self, notes: Sequence[tuple[int, PdfNote]], pages: Sequence[int]) -> str:
        """Write the outline of notes, each with the index of its first page, and return the
        catalog's entries for the outline and the labels of pages."""
        entries = list[tuple[int, str, int]]()
        open_folders = list[str]()
        for index, note in notes:
            *folders, title = note.name.split("/")
            pairs = zip(open_folders, folders, strict=False)
            common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            for depth, name in enumerate([*folders, title][common:], common):
                entries.append((depth, name, pages[index]))
            open_folders = folders
        labels = ""
        for index, note in notes:
            prefix = _string(f"{note.name} ")  # a blank between the name and the page's number
            labels += f"{index}<</S/D/P{prefix}>>"
        outline = self._put_outline(entries)
        return f"/PageMode/UseOutlines/Outlines {outline} 0 R/PageLabels<</Nums[{labels}]>>"

    def _put_outline(self, entries: Sequence[tuple[int, str, int]]) -> int:
        """Write an outline, closed but for its top, and return its number.

        Args:
            entries: the depth of each entry, from 0, its title, and the number of its page.
        """
        root = self._next
        self._next = self._next + len(entries) + 1
        children = defaultdict[int, list[int]](list)
        ancestors = [root]
        for number, (depth, _, _) in enumerate(entries, root + 1):
            del ancestors[depth + 1 :]  # the root and one entry of each lower depth remain
            children[ancestors[-1]].append(number)
            ancestors.append(number)
        relatives = defaultdict[int, str](str)
        for parent, numbers in children.items():
            count = len(numbers) if parent == root else -len(numbers)  # below 0: closed
            ends = f"/First {numbers[0]} 0 R/Last {numbers[-1]} 0 R"
            relatives[parent] += f"{ends}/Count {count}"
            for number in numbers:
                relatives[number] += f"/Parent {parent} 0 R"
            for before, after in pairwise(numbers):
                relatives[before] += f"/Next {after} 0 R"
                relatives[after] += f"/Prev {before} 0 R"
        for number, (_, title, page) in enumerate(entries, root + 1):
            place = f"/Title{_string(title)}/Dest[{page} 0 R/Fit]"
            self._put(f"<<{place}{relatives[number]}>>", number=number)
        return self._put(f"<</Type/Outlines{relatives[root]}>>", number=root)

    def _page(self, pdf_page: PdfPage) -> int:
        page = pdf_page.page
        scale = UNITS_PER_MM * pdf_page.page.millimetres
        points = PT_PER_MM * page.millimetres
        width = f"{points * page.width:.3f}"
        height = f"{points * page.height:.3f}"
        # Units are counted from the top left corner, y downwards; ends and corners are round.
        unit = PT_PER_MM / UNITS_PER_MM
        lines = [f"{unit:.8f} 0 0 {-unit:.8f} 0 {height} cm 1 J 1 j"]
        if page.paper != "#ffffff" and page.background is None:
            sheet = f"0 0 {scale * page.width:.0f} {scale * page.height:.0f} re f"
            lines.append(f"{_colour(page.paper)} rg {sheet}")
        lines += self._painted(paths_of(page.ruling, scale))
        for layer in page.by_layer():
            lines += (self._image(image, scale) for image in layer.images)
            # Highlighters come first, below the ink.
            strokes = sorted(layer.strokes, key=lambda stroke: stroke.tool != "highlighter")
            lines += self._painted(paths_of(strokes, scale))
            for text in layer.typed:
                lines += self._typed(text, scale)
        lines += ["BT 3 Tr", *self._text(pdf_page.rows, scale), "ET"]
        content = self._put("<<>>", "\n".join(lines).encode())
        return self._put(
            f"<</Type/Page/Parent {_PAGES} 0 R/MediaBox[0 0 {width} {height}]"
            f"/Resources {_RESOURCES} 0 R/Contents {content} 0 R{_link(pdf_page)}>>"
        )

    def _painted(self, paths: Iterable[tuple[Look, str]]) -> Iterator[str]:
        """Yield the commands that draw paths; successive paths of one look are drawn at once."""
        for look, alike in groupby(paths, lambda path: path[0]):
            yield f"/{self._state(look.blend, look.opacity)} gs"
            if look.width:
                dash = " ".join(map(str, look.dash))
                yield f"{_colour(look.colour)} RG {look.width:g} w [{dash}] 0 d"
            else:
                yield f"{_colour(look.colour)} rg"
            yield from (path for _, path in alike)
            yield "S" if look.width else "f"

    def _image(self, image: PageImage, scale: float) -> str:
        digest = hashlib.sha256(image.content).digest()
        if digest not in self._images:
            self._images[digest] = self._put_image(image.content)
        left, top, right, bottom = (scale * edge for edge in image.box)
        place = f"{right - left:.0f} 0 0 {top - bottom:.0f} {left:.0f} {bottom:.0f} cm"
        return f"/{self._state('Normal', 1.0)} gs q {place} /X{self._images[digest]} Do Q"

    def _put_image(self, content: bytes) -> int:
        """Write an image: a JPEG or the pixels of a PNG as they are, if a PDF can have them so."""
        from PIL import Image  # slow to import

        try:
            with Image.open(BytesIO(content), formats=("JPEG", "PNG")) as image:
                size = f"<</Type/XObject/Subtype/Image/Width {image.width}/Height {image.height}"
                size += "/Interpolate true"  # As note programs draw it: smooth.
                head = f"{size}/ColorSpace/Device{'Gray' if image.mode in ('1', 'L') else 'RGB'}"
                is_opaque = image.mode in ("1", "L", "RGB") and "transparency" not in image.info
                if is_opaque and image_kind(content) == "jpeg":
                    value = f"{head}/BitsPerComponent 8/Filter/DCTDecode>>"
                    return self._put(value, content, is_packed=True)
                if is_opaque and not image.info.get("interlace"):
                    colours = len(image.getbands())
                    bits = content[_PNG_DEPTH]
                    value = (
                        f"{head}/BitsPerComponent {bits}/Filter/FlateDecode/DecodeParms<<"
                        f"/Predictor 15/Colors {colours}/BitsPerComponent {bits}"
                        f"/Columns {image.width}>>>>"
                    )
                    return self._put(value, _png_data(content), is_packed=True)
                if image.width * image.height > MAX_UNPACKED_PIXELS:
                    raise ValueError(f"more than {MAX_UNPACKED_PIXELS:,} pixels")
                pixels = image.convert("RGBA")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(f"an image of a page is broken ({error})") from None
        head = f"{size}/BitsPerComponent 8/ColorSpace/Device"
        mask = self._put(f"{head}Gray>>", pixels.getchannel("A").tobytes())
        return self._put(f"{head}RGB/SMask {mask} 0 R>>", pixels.convert("RGB").tobytes())

    def _typed(self, text: TypedText, scale: float) -> Iterator[str]:
        """Yield the commands that draw a typed text, whose tabs are blanks up to every eighth
        character. Each of its glyphs is an object that is drawn wherever the glyph stands."""
        from ink.drawing.fonts import glyphs  # slow to import

        yield f"/{self._state('Normal', 1.0)} gs {_colour(text.colour)} rg"
        left = scale * text.x
        size = scale * text.size
        for number, line in enumerate(text.text.splitlines()):
            baseline = scale * text.y + (0.9 + LINE_PITCH * number) * size
            for glyph in glyphs(line.expandtabs()):
                if glyph.name not in self._glyphs:
                    self._glyphs[glyph.name] = self._put_glyph(glyph.name)
                form = self._glyphs[glyph.name]
                if form:
                    x = left + size * glyph.x
                    y = baseline - size * glyph.y
                    factor = size / OUTLINE_EM  # y of a glyph grows upwards
                    place = f"{factor:.6g} 0 0 {-factor:.6g} {x:.1f} {y:.1f} cm"
                    yield f"q {place} /X{form} Do Q"

    def _put_glyph(self, name: str) -> int:
        """Write a glyph of typed text; return 0 for one without an outline."""
        from ink.drawing.fonts import outline  # slow to import

        polygons = [OUTLINE_EM * polygon for polygon in outline(name)]
        if not polygons:
            return 0
        points = np.concatenate(polygons)
        edges = (*points.min(axis=0) - 1, *points.max(axis=0) + 1)  # 1 for rounding
        box = " ".join(f"{edge:.0f}" for edge in edges)
        # The outlines are one path, so that holes of letters are holes.
        drawn = "".join(path_commands(straight(polygon)) for polygon in polygons)
        head = f"<</Type/XObject/Subtype/Form/BBox[{box}]/Resources<<>>>>"
        return self._put(head, f"{drawn}f".encode())

    def _state(self, blend: str, opacity: float) -> str:
        """Return the name of a blend mode with an opacity."""
        return self._states.setdefault((blend, round(opacity, 2)), f"S{len(self._states)}")

    def _text(self, rows: Sequence[Sequence[WordInk]], scale: float) -> Iterator[str]:
        """Yield the commands that write rows of invisible text. A row that is too short to show its
        angle has that of the others."""
        written = []
        angles = []
        for row in rows:
            words = [word for word in row if word.text]
            if words:
                written.append(words)
                angles.append(baseline_angle(from_strokes([word.upright for word in words])))
        measured = [angle for angle in angles if not isnan(angle)]
        typical = float(np.median(measured or [0.0]))
        for words, angle in zip(written, angles, strict=True):
            yield from self._row(words, typical if isnan(angle) else angle, scale)

    def _row(self, words: Sequence[WordInk], angle: float, scale: float) -> Iterator[str]:
        """Yield the commands that write a row. A word is as wide as its ink, but ends before the
        next word; a blank fills the gap up to the next word.

        Each word is level, in the middle of the row where it stands, as programs divide turned
        words into letters. All words have one baseline where their boxes allow it, so that programs
        find the row.
        """
        upright = [scale * word.upright for word in words]
        level = [turned_back(points, angle) for points in upright]
        ys = np.concatenate(level)[:, 1]
        top, bottom = np.quantile(ys, (OUTLIERS, 1 - OUTLIERS)).tolist()
        middles = [((p[:, 0].min() + p[:, 0].max()) / 2, (top + bottom) / 2) for p in level]
        # The y of the middle of each word's box, where the row stands.
        centres = turned_back(np.array(middles), -angle)[:, 1]
        height = bottom - top or UNITS_PER_MM  # of a row of dots
        middle = (centres[0] + centres[-1]) / 2
        baselines = centres + np.clip(middle - centres, -MAX_REACH * height, MAX_REACH * height)
        size = TEXT_SIZE * height
        shortest = MIN_BLANK * size
        edges = [(points[:, 0].min(), points[:, 0].max()) for points in upright]
        for number, (word, (left, right)) in enumerate(zip(words, edges, strict=True)):
            baseline = float(baselines[number])
            stop = None
            # Of the middle of the box above the baseline, in parts of the height.
            rise = round((baseline - centres[number]) / height * RISES)
            if number + 1 < len(words):
                stop, _ = edges[number + 1]
                gap = 0.0 if word.joined else np.clip(stop - right, shortest, MAX_BLANK * size)
                needed = min(left + MIN_GLYPH * size * len(word.text), stop - shortest)
                right = max(stop - gap, needed)
            right = max(right, left + shortest)
            place = _Place(left, right, baseline, word.turn)
            yield from self._stretched(word.text, place, size, rise)
            if stop is not None and not word.joined:
                stop = max(stop, right + shortest)
                place = _Place(right, stop, baseline, word.turn)
                yield from self._stretched(" ", place, size, rise)

    def _stretched(self, text: str, place: "_Place", size: float, rise: int) -> Iterator[str]:
        """Yield the commands that write a text in a font of this rise at a place."""
        left, right, baseline, turn = place
        cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[turn % 4]  # of the quarter turns
        x = cosine * left - sine * baseline
        y = sine * left + cosine * baseline
        characters = XML_FORBIDDEN.sub("?", text)
        codes = [self._codes.setdefault(c, len(self._codes)) for c in characters]
        percent = 100 * (right - left) / (GLYPH_WIDTH * size * len(codes))
        yield f"{percent:.2f} Tz {cosine} {sine} {sine} {-cosine} {x:.0f} {y:.0f} Tm"
        for chunk, run in groupby(codes, lambda code: code // MAX_CODES):
            shown = bytes(code % MAX_CODES + 1 for code in run).hex()  # a font's codes begin at 1
            font = self._fonts.setdefault((chunk, rise), len(self._fonts))
            yield f"/F{font} {size:.0f} Tf <{shown}> Tj"

    def _put_fonts(self) -> Iterator[int]:
        """Write the fonts, and yield their numbers. Fonts of the same characters share all but the
        glyph's box, whose middle is `rise` above the baseline, in parts of its height."""
        shared = []
        characters = [*self._codes]
        for start in range(0, len(characters), MAX_CODES):
            chunk = characters[start : start + MAX_CODES]
            equal_widths = f"{EM * GLYPH_WIDTH:g} " * len(chunk)
            widths = self._put(f"[{equal_widths}]")
            encoding = self._put(f"<</Differences[1{'/g' * len(chunk)}]>>")  # all are glyph g
            cmap = self._put("<<>>", _to_unicode(chunk).encode())
            shared.append(
                f"/FirstChar 1/LastChar {len(chunk)}/Widths {widths} 0 R/Encoding {encoding} 0 R"
                f"/ToUnicode {cmap} 0 R"
            )
        for chunk_number, rise in self._fonts:
            box_height = EM / TEXT_SIZE
            top = round(box_height * (rise / RISES + 0.5))
            bottom = round(box_height * (rise / RISES - 0.5))
            box = f"0 {bottom} {EM * GLYPH_WIDTH:g} {top}"
            glyph = self._put("<<>>", f"{EM * GLYPH_WIDTH:g} 0 {box} d1".encode())
            # The descriptor's box, which poppler takes, has to reach the baseline.
            descriptor = self._put(
                f"<</Type/FontDescriptor/FontName/Invisible/Flags 4/FontBBox[{box}]"
                f"/Ascent {max(top, 1)}/Descent {min(bottom, -1)}>>"
            )
            yield self._put(
                f"<</Type/Font/Subtype/Type3/FontBBox[{box}]/FontMatrix[{1 / EM} 0 0 {1 / EM} 0 0]"
                f"/Resources<<>>/CharProcs<</g {glyph} 0 R>>/FontDescriptor {descriptor} 0 R"
                f"{shared[chunk_number]}>>"
            )


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


def _link(page: PdfPage) -> str:
    """Return the page's entry for the link to its note's file: a frame in the upper right corner,
    which is not printed."""
    if page.note is None or not page.note.address:
        return ""
    points = PT_PER_MM * page.page.millimetres
    right = points * page.page.width
    top = points * page.page.height
    corners = (right - LINK_GAP - LINK_SIZE, top - LINK_GAP - LINK_SIZE)
    rect = " ".join(f"{x:.2f}" for x in (*corners, right - LINK_GAP, top - LINK_GAP))
    target = f"/A<</S/URI/URI<{page.note.address.encode('ascii').hex()}>>>"
    look = f"/Border[0 0 0.5]/C[0.4 0.5 0.8]/Contents{_string(page.note.name)}"
    return f"/Annots[<</Type/Annot/Subtype/Link/Rect[{rect}]{look}{target}>>]"


class _Place(NamedTuple):
    """The left and right end of a text, its baseline, and the quarter turns by which all are
    turned."""

    left: float
    right: float
    baseline: float
    turn: int


def _date(time: float) -> str:
    return f"({datetime.fromtimestamp(time, UTC):D:%Y%m%d%H%M%SZ})"


def _string(text: str) -> str:
    return f"<FEFF{_utf16(XML_FORBIDDEN.sub('?', text))}>"


def _utf16(text: str) -> str:
    return text.encode("utf-16-be").hex()


def _colour(colour: str) -> str:
    """Return red, green and blue of `#rrggbb`, each from 0 to 1."""
    return " ".join(f"{part / 255:.3g}" for part in bytes.fromhex(colour[1:]))


def _png_data(content: bytes) -> bytes:
    """Return the packed pixels of a PNG."""
    parts = []
    position = 8  # behind the signature
    while position + 8 <= len(content):
        # A chunk has its length, its type, its data and a checksum of 4 bytes.
        length = int.from_bytes(content[position : position + 4], "big")
        if content[position + 4 : position + 8] == b"IDAT":
            parts.append(content[position + 8 : position + 8 + length])
        position += length + 12
    return b"".join(parts)
