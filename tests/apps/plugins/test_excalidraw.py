"""Excalidraw itself opens our drawings, and has the button that reads."""

import io
import json
import subprocess
from dataclasses import replace

import numpy as np
import pypdfium2
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt

from ink.formats import read_pages
from ink.formats.pdf.pages import PdfPage, write_pdf
from ink.geometry import from_strokes
from model.drawing.page import page_of_line, save_ink_pages
from tests.apps.web.conftest import ROOT, served
from tests.ink.formats.test_note_files import PAGE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OPEN = """async (drawing) => {
    const {restore, exportToSvg, serializeAsJSON} = await import("/library.js");
    const {elements, appState, files} = restore(drawing, null, null);
    const look = {exportBackground: false, exportScale: 3};
    const exported = {elements, files, exportPadding: 0, appState: look};
    document.body.replaceChildren(await exportToSvg(exported));
    return serializeAsJSON(elements, appState, files, "local");
}"""
PIXELS = 3 * 96 / 25.4  # a millimetre


@pytest.fixture(scope="module")
def site(build, packages):
    """The address of the example, and of the library beside it."""
    folder = build("excalidraw")
    words = "@excalidraw/excalidraw --bundle --format=esm --conditions=production --log-level=error"
    words += f" --external:@excalidraw/mermaid-to-excalidraw --outfile={folder}/library.js"
    subprocess.run([packages / ".bin/esbuild", *words.split()], cwd=packages.parent, check=True)
    (folder / "empty.html").write_text(
        "<!doctype html><style>body { margin: 0 }</style>"
        "<script>window.EXCALIDRAW_ASSET_PATH = location.origin + '/'</script>"
    )
    with served(folder) as address:
        yield address


@pytest.fixture
def page(context):
    """A page whose errors and requests to other hosts fail the test."""
    page, faults = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: faults.append(error))
    page.on(
        "request",
        lambda request: (
            faults.append(request.url)
            if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:"))
            else None
        ),
    )
    yield page
    page.close()
    assert faults == []


def style_strokes():
    style = json.loads((ROOT / "saved/styles/round.json").read_text())
    return [np.array(stroke) for stroke in style["strokes"]]


def is_drawn(image):
    """Return where an image is not white."""
    return (np.array(image.convert("RGB")) < 240).any(2)


def test_excalidraw_draws_a_page_as_we_do_and_what_it_saves_is_read_as_that_page(
    page, site, tmp_path
):
    ink = replace(PAGE.strokes[0], colour="#000000")
    note = replace(PAGE, paper="#ffffff", strokes=(ink, *PAGE.strokes[1:]))
    line = page_of_line(from_strokes(style_strokes())).to_ink_page()
    page.goto(f"{site}/empty.html")
    for drawn in (note, line):
        (file,) = save_ink_pages([drawn], tmp_path / "a.excalidraw")
        saved = page.evaluate(OPEN, json.loads(file.read_text()))
        theirs = Image.open(io.BytesIO(page.locator("body > svg").screenshot()))
        write_pdf(tmp_path / "a.pdf", [PdfPage(drawn)])
        pdf = pypdfium2.PdfDocument(tmp_path / "a.pdf")[0]
        ours = pdf.render(scale=theirs.width / pdf.get_width()).to_pil()
        box = (0, 0, theirs.width, min(theirs.height, ours.height))
        masks = [is_drawn(image.crop(box)) for image in (theirs, ours)]
        for mask, other in (masks, masks[::-1]):
            distances = distance_transform_edt(~other)[mask] / PIXELS
            assert np.quantile(distances, 0.99) < 0.25
        file.write_text(saved)
        (again,) = read_pages(file)
        assert (again.left_out, again.layers, again.paper) == ({}, drawn.layers, drawn.paper)
        assert [typed.text for typed in again.typed] == [typed.text for typed in drawn.typed]
        assert [image.content for image in again.images] == [i.content for i in drawn.images]
        for stroke, original in zip(again.strokes, drawn.strokes, strict=True):
            assert (stroke.tool, stroke.colour) == (original.tool, original.colour)
            points = again.unit * stroke.points[: len(original.points)]
            np.testing.assert_allclose(points, drawn.unit * original.points, atol=0.02)


def saved_elements(page):
    """Return the elements of the file that Excalidraw saves."""
    with page.expect_download() as download:
        page.keyboard.press("Control+s")
    return json.loads(download.value.path().read_text())["elements"]


def test_selected_handwriting_becomes_text_at_its_place_until_it_is_undone(page, site):
    page.add_init_script("delete window.showOpenFilePicker")  # saves a download instead
    page.goto(site)
    page.click("text=To text")
    page.wait_for_selector("text=Select handwriting of the pen first.")
    page.keyboard.press("p")
    for stroke in style_strokes()[3:7]:
        (x, y), *others = 0.2 * stroke + (250, 300)
        page.mouse.move(x, y)
        page.mouse.down()
        for x, y in others:
            page.mouse.move(x, y)
        page.mouse.up()
    page.keyboard.press("1")
    page.keyboard.press("Control+a")
    pens = saved_elements(page)
    assert [pen["type"] for pen in pens] == 4 * ["freedraw"]
    page.click("text=To text")
    page.wait_for_selector("text=Font family")  # the selected text's
    (text,) = saved_elements(page)
    places = [(pen["x"], pen["y"]) for pen in pens]
    points = np.concatenate([np.add(pens[i]["points"], place) for i, place in enumerate(places)])
    (left, top), (right, bottom) = points.min(0), points.max(0)
    assert text["text"] == "was a"
    assert [text["x"], text["width"]] == pytest.approx([left, right - left], abs=1)
    assert text["y"] + text["height"] / 2 == pytest.approx((top + bottom) / 2, abs=1)
    page.keyboard.press("Control+z")
    assert [pen["id"] for pen in saved_elements(page)] == [pen["id"] for pen in pens]
    page.keyboard.press("Control+Shift+z")
    assert [element["id"] for element in saved_elements(page)] == [text["id"]]
