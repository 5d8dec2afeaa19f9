"""Writes pages of ink as SVG pictures, as a PDF shows them but for a PDF below the ink."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ink.alphabet import with_few_marks
from ink.drawing.layers import decimal
from ink.formats.pdf.paths import UNITS_PER_MM, Look, paths_of
from ink.formats.xml import escape
from ink.ink_page import LINE_PITCH, InkPage, PageImage, TypedText


def to_picture(page: InkPage, box: Sequence[float] | None = None) -> str:
    """Return a page, or a box of it (left, top, right, bottom), as SVG."""
    scale = UNITS_PER_MM * page.millimetres  # units of the picture per unit of the page
    left, top, right, bottom = box or (0.0, 0.0, page.width, page.height)
    width = decimal(page.millimetres * (right - left))
    height = decimal(page.millimetres * (bottom - top))
    x = f"{scale * left:.0f}"
    y = f"{scale * top:.0f}"
    size = f"{scale * (right - left):.0f} {scale * (bottom - top):.0f}"
    place = f' x="{x}" y="{y}"' if box else ""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" '
        f'viewBox="{x} {y} {size}" stroke-linecap="round" stroke-linejoin="round" fill="none">',
        f'<rect{place} width="100%" height="100%" fill="{page.paper}"/>',
    ]
    lines += _paths(paths_of(page.ruling, scale))
    for layer in page.by_layer():
        lines += (_image(image, scale) for image in layer.images)
        # Highlighters come first, below the ink.
        strokes = sorted(layer.strokes, key=lambda stroke: stroke.tool != "highlighter")
        lines += _paths(paths_of(strokes, scale))
        for text in layer.typed:
            lines += _typed(text, scale)
    return "\n".join([*lines, "</svg>\n"])


def joined_paths(paths: Iterable[tuple[Look, str]]) -> Iterator[tuple[Look, str]]:
    """Yield the look and the data of paths, each given by its look and the commands of a PDF;
    successive paths of one look become one."""
    for look, alike in groupby(paths, lambda path: path[0]):
        commands = []
        for _, path in alike:
            for line in path.splitlines():
                numbers, _, name = line.rpartition(" ")  # In a PDF the name comes last.
                commands.append(f"{name.upper()}{numbers}")
        yield look, "".join(commands)


def _paths(paths: Iterable[tuple[Look, str]]) -> Iterator[str]:
    """Yield the elements of `joined_paths`."""
    for look, data in joined_paths(paths):
        part = "stroke" if look.width else "fill"
        style = ""
        if look.width:
            dash = f' stroke-dasharray="{" ".join(map(str, look.dash))}"' if look.dash else ""
            style = f' stroke-width="{look.width:g}"{dash}'
        if look.opacity < 1:
            style += f' {part}-opacity="{look.opacity:g}"'
        if look.blend != "Normal":
            style += f' style="mix-blend-mode:{look.blend.lower()}"'
        yield f'<path {part}="{look.colour}"{style} d="{data}"/>'


def _image(image: PageImage, scale: float) -> str:
    left, top, right, bottom = (scale * edge for edge in image.box)
    place = f'x="{left:.0f}" y="{top:.0f}" width="{right - left:.0f}" height="{bottom - top:.0f}"'
    return f'<image {place} preserveAspectRatio="none" href="{image.data_url}"/>'


def _typed(text: TypedText, scale: float) -> Iterator[str]:
    for number, line in enumerate(text.text.splitlines()):
        # The baseline: the first is 0.9 sizes below the top, as in a PDF.
        y = scale * (text.y + (0.9 + LINE_PITCH * number) * text.size)
        font = f'font-size="{scale * text.size:.0f}" font-family="DejaVu Sans, sans-serif"'
        place = f'x="{scale * text.x:.0f}" y="{y:.0f}" fill="{text.colour}" {font}'
        shown = escape(with_few_marks(line.expandtabs()))
        yield f'<text {place} xml:space="preserve">{shown}</text>'
