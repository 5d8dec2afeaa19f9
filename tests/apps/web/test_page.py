"""The page in Chromium, driven as a person drives it, with a stand-in for its worker."""

import json
import os
import re
import shutil
import signal
import string
import threading
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pypdf
import pytest

from apps.hand.lines import read_recorded
from apps.web import flat_file
from apps.web.site import PACKAGE_SCRIPTS
from ink.formats.checks import MAX_SAMPLE_POINTS
from ink.formats.files import MAX_INK_BYTES
from ink.geometry import strokes, to_points, x_height
from ink.reading import read_ink
from model.loading import load
from tests.apps.web.conftest import ROOT, Quiet, served

MOST_SECONDS = 120
pytestmark = [pytest.mark.slow, pytest.mark.timeout(MOST_SECONDS)]

WRITTEN = """(text) => document.querySelector("#stop").hidden &&
    [...document.querySelectorAll(".sheet")].some((sheet) => sheet.ariaLabel?.includes(text))"""
SENTENCES = (ROOT / "apps/web/sentences.txt").read_text().splitlines()
ZIGZAG = [[(30, 60), (50, 110), (70, 60), (90, 110)], [(120, 60), (120, 110)], [(150, 80)]]


@pytest.fixture
def kept_page(context, site):
    """The page, whose errors and requests to other hosts fail the test."""
    page = context.new_page()
    page.set_default_timeout(60_000)
    client = context.new_cdp_session(page)
    client.send("Storage.clearDataForOrigin", {"origin": site[0], "storageTypes": "indexeddb"})
    errors, foreign = [], []
    page.on("pageerror", lambda error: errors.append(error))
    page.on("request", lambda request: foreign.append(request.url))
    yield page
    page.close()
    assert errors == []
    assert [url for url in foreign if not url.startswith(("http://127.0.0.1:", "blob:"))] == []


@pytest.fixture
def page(kept_page):
    """The page without its service worker, which loads faster."""
    kept_page.add_init_script("delete Navigator.prototype.serviceWorker")
    return kept_page


def go_to_read(page, address):
    """Open the part Read, and wait until it is shown: its canvas has no size before."""
    page.goto(f"{address}#read")
    page.wait_for_selector("#read-pad", state="visible")


def write(page, text):
    page.fill("[name=text]", text)
    page.click("#compose .main")
    page.wait_for_function(WRITTEN, arg=text[:12])


def shows(page, text):
    """Wait until a text was read."""
    page.wait_for_function(
        "(text) => document.querySelector('#text').innerText.trim() === text", arg=text
    )


def saved(page, button, folder):
    with page.expect_download() as download:
        page.click(button)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def draw(page, canvas, parts=ZIGZAG):
    """Draw strokes with the mouse, and return where they are on the canvas."""
    box = page.wait_for_selector(canvas, state="visible").bounding_box()
    for part in parts:
        page.mouse.move(box["x"] + part[0][0], box["y"] + part[0][1])
        page.mouse.down()
        for x, y in part[1:]:
            page.mouse.move(box["x"] + x, box["y"] + y)
        page.mouse.up()


def go_on(page):
    """Keep a line, which the stand-in never reads as the sentence."""
    page.click("#next")
    page.click("#remedy")


KEPT = """async (key) => {
    const done = (asked) => new Promise((resolve) => {
        asked.onsuccess = () => resolve(asked.result);
    });
    const database = await done(indexedDB.open("handwriting"));
    const drawing = await done(database.transaction("lines").objectStore("lines").get(key));
    database.close();
    return drawing?.strokes.map(({points}) => points) ?? [];
}"""


def keeps(page, key, check):
    """Wait until the browser keeps strokes that pass a check under a key; `wait_for_function` takes
    the promise of a script for true."""
    while not check(page.evaluate(KEPT, key)):  # else the test's time limit
        page.wait_for_timeout(20)


FORGET = """navigator.serviceWorker.getRegistrations().then((all) =>
    Promise.all(all.map((one) => one.unregister())))"""


def keeps_network(page):
    """Wait until the service worker keeps the page and its network, a little after their use."""
    page.wait_for_function("() => navigator.serviceWorker.controller")
    page.wait_for_function(WRITTEN, arg="The ink is still wet")
    while not page.evaluate("caches.match('networks/writer.bin').then(Boolean)"):
        page.wait_for_timeout(20)  # else the test's time limit


def problem(page):
    page.wait_for_selector("#problem", state="visible")
    return page.inner_text("#problem p")


def test_a_written_page_is_saved_in_every_format_and_read_back(page, site, tmp_path):
    page.goto(f"{site[0]}#write?size=2")
    canned = json.loads((site[1] / "fake.json").read_text())
    write(page, f"{canned['text']}\n\n{canned['text'][:16]} & 1 < 2")
    path = saved(page, "[value=inkml]", tmp_path)
    first, second = read_ink(path)
    assert (first.text, second.text) == (canned["text"], canned["text"][:16] + " & 1 < 2")
    expected = np.reshape(np.array(canned["ink"], np.float32), (-1, 3))
    expected[0, :2] = 0
    scale = np.ptp(to_points(first.ink)[:, 1]) / np.ptp(to_points(expected)[:, 1])
    assert scale == pytest.approx(2.0, rel=1e-3)  # mm of an x-height
    assert np.array_equal(first.ink[:, 2], expected[:, 2])
    np.testing.assert_allclose(first.ink[:, 1], scale * expected[:, 1], atol=0.002)
    assert load("reader").read_lines([first.ink])[0] == canned["text"]
    still = ElementTree.parse(saved(page, "[value=svg]", tmp_path)).getroot()
    assert (still.get("width"), still.get("height")) == ("148mm", "105mm")
    drawn = still.findall(".//{*}g[@stroke='#1b2a4e']/{*}path")
    assert len(drawn) == len(strokes(first.ink)) + len(strokes(second.ink))
    animated = ElementTree.parse(saved(page, "[value=animated]", tmp_path)).getroot()
    assert len(animated.findall(".//{*}animate")) == len(drawn)
    png = saved(page, "[value=png]", tmp_path).read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert [int.from_bytes(png[at : at + 4], "big") for at in (16, 20)] == [1748, 1240]


def test_several_sheets_are_saved_as_a_single_file(page, site, tmp_path):
    page.goto(f"{site[0]}#write?paper=card&text=" + "a+line%0A" * 12)
    page.wait_for_function(WRITTEN, arg="a line")
    for kind, title in {"svg": "", "animated": "-moving", "png": "", "inkml": ""}.items():
        path, title = saved(page, f"[value={kind}]", tmp_path), f"handwriting{title}"
        with zipfile.ZipFile(path) as archive:
            assert path.name == f"{title}.zip" and archive.testzip() is None
            suffix = "svg" if kind == "animated" else kind
            assert archive.namelist() == [f"{title}-{number}.{suffix}" for number in (1, 2)]
            assert archive.read(archive.namelist()[1]).startswith((b"<svg", b"<?xml", b"\x89PNG"))


def test_a_typed_text_is_kept_over_a_reload_and_written_by_ctrl_and_enter(page, site):
    page.goto(f"{site[0]}#write?text=Before")
    page.wait_for_function(WRITTEN, arg="Before")
    page.locator("[name=text]").press_sequentially(" and after")
    page.wait_for_function("() => location.hash.includes('and+after')")
    page.reload()
    page.wait_for_function(WRITTEN, arg="Before and after")
    page.locator("[name=text]").press_sequentially(" it")
    page.keyboard.press("Control+Enter")
    page.wait_for_function(WRITTEN, arg="Before and after it")


def test_a_link_holds_every_option_and_a_hostile_link_does_no_harm(page, site):
    page.goto(f"{site[0]}#write?text=Two+words&paper=a5&ruling=ruled&seed=7&bias=1.5&size=2&"
              "pen=0.7&colour=%238c2332&style=round")  # fmt: skip
    page.wait_for_function(WRITTEN, arg="Two words")
    chosen = page.evaluate("Object.fromEntries(new FormData(document.querySelector('#options')))")
    assert chosen == {
        "text": "Two words", "paper": "a5", "ruling": "ruled", "seed": "7", "bias": "1.5",
        "size": "2", "pen": "0.7", "colour": "#8c2332", "style": "round",
    }  # fmt: skip
    assert (
        page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(7)))") == chosen
    )
    page.click(".ink[value='#1f5c45']")
    assert "colour=%231f5c45" in page.evaluate("location.hash")  # `page.url` follows later
    page.goto(f"{site[0]}#write?text=<img+src=x+onerror=alert(1)>&length=1&paper=none&size=1e9")
    page.reload()
    page.wait_for_selector(".sheet")
    assert page.input_value("[name=text]") == "<img src=x onerror=alert(1)>"
    assert page.input_value("[name=paper]") == "card"
    assert page.locator("img").count() == 0


def test_a_style_has_its_usual_legibility_unless_another_is_chosen(page, site):
    page.goto(f"{site[0]}#write")
    write(page, "First words")  # The styles are listed then.
    for number, (style, bias) in enumerate([("round", "1"), ("", "0.75"), ("round", "1")]):
        page.select_option("[name=style]", style)
        write(page, f"Words {number}")
        assert page.input_value("[name=bias]") == bias
    page.fill("[name=bias]", "1.5")
    page.select_option("[name=style]", "")
    write(page, "Clear words")
    assert page.input_value("[name=bias]") == "1.5"


NO_PARTS = dict.fromkeys(["constructor", "__proto__?text=a", "%00", "write?learned=x"], "write")
NO_PARTS |= {"read?x": "read"}


def test_an_address_that_names_no_part_of_the_page_shows_some_part(page, site):
    for name, part in NO_PARTS.items():
        page.goto(f"{site[0]}#hand")
        page.wait_for_selector("#hand", state="visible")
        page.goto(f"{site[0]}#{name}")
        page.wait_for_selector(f"#{part}", state="visible")
        assert page.locator("main section:not([hidden])").count() == 1, name
        assert page.is_hidden("#problem"), name


def test_drawn_strokes_are_saved_as_points_without_a_text(page, site, tmp_path):
    go_to_read(page, site[0])
    draw(page, "#read-pad")
    shows(page, "3 strokes")
    (sample,) = read_ink(saved(page, "#save-read", tmp_path))
    expected = np.concatenate([np.array(part, float) for part in ZIGZAG])
    np.testing.assert_allclose(to_points(sample.ink), expected - expected[0], atol=1e-3)
    assert [len(part) for part in strokes(sample.ink)] == [4, 2, 1]
    assert not sample.text  # what was read is no truth


def test_strokes_are_undone_erased_and_cleared_and_kept_over_a_reload(page, site):
    go_to_read(page, site[0])
    draw(page, "#read-pad")
    page.keyboard.press("Control+z")
    shows(page, "2 strokes")
    page.click("#read .buttons >> text=Redo")
    shows(page, "3 strokes")
    page.click("#read .buttons >> text=Erase")
    draw(page, "#read-pad", [[(100, 85), (140, 85)]])
    shows(page, "2 strokes")
    keeps(page, "", lambda kept: len(kept) == 2)
    page.reload()
    shows(page, "2 strokes")
    page.click("#read .buttons >> text=Clear")
    shows(page, "")
    page.keyboard.press("Control+z")
    shows(page, "2 strokes")


PADS = {
    "read": ("#read-pad", "#read", ""),
    "hand": ("#hand-pad", "#recording .tools", SENTENCES[0]),
}


def leftmost(kept):
    return min((point[0] for points in kept for point in points), default=None)


@pytest.mark.parametrize("part", PADS)
def test_strokes_become_as_neat_as_the_slider_says_and_are_undone_and_kept(page, site, part):
    canvas, tools, key = PADS[part]
    page.goto(f"{site[0]}#{part}")
    if part == "hand":
        page.click("#begin")
    draw(page, canvas)
    for button, left in {"Neater": 40, "slider": 35, "Undo": 30, "Redo": 35}.items():
        if button == "slider":
            page.fill(f"{tools} [type=range]", "0.5")
        else:
            page.click(f"{tools} >> text={button}")
        keeps(page, key, lambda kept, left=left: leftmost(kept) == left)


def test_a_broken_file_leaves_the_ink_of_the_file_before(page, site, tmp_path):
    good, bad = tmp_path / "good.inkml", tmp_path / "bad.inkml"
    good.write_text('<ink xmlns="http://www.w3.org/2003/InkML"><trace>0 0, 5 9</trace></ink>')
    bad.write_text("<ink><trace>1 2, <b onclick='alert(1)'>x</b></trace></ink>")
    go_to_read(page, site[0])
    page.set_input_files("#open-read", good)
    shows(page, "1 strokes")
    page.set_input_files("#open-read", bad)
    assert problem(page).startswith("bad.inkml has a point that is not two numbers (“”).")
    assert page.inner_text("#text").strip() == "1 strokes"


POINTERS = """([selector, events]) => {
    const canvas = document.querySelector(selector), box = canvas.getBoundingClientRect();
    for (const [type, pointerType, x, y, {count = 0, ...more}] of events) {
        const given = {pointerType, pointerId: pointerType === "pen" ? 2 : 3, bubbles: true,
            clientX: box.left + x, clientY: box.top + y, ...more};
        const coalescedEvents = Array.from({length: count}, (_, i) => new PointerEvent(type,
            {...given, clientX: given.clientX + i / 300, clientY: given.clientY + i % 7}));
        canvas.dispatchEvent(new PointerEvent(type, {...given, coalescedEvents}));
    }
}"""


def test_a_palm_draws_nothing_and_pressure_and_100_000_points_are_kept(page, site, tmp_path):
    go_to_read(page, site[0])
    page.wait_for_selector("#read-pad")
    touch = [("pointerdown", "touch", 200, 200, {}), ("pointermove", "touch", 220, 200, {})]
    pen = [
        ("pointerdown", "pen", 10, 20, {"pressure": 0.25}),
        ("pointermove", "pen", 14, 30, {"pressure": 0.75}),
        ("pointerup", "pen", 14, 30, {}),
    ]
    page.evaluate(POINTERS, ["#read-pad", [*touch, *pen, ("pointerup", "touch", 220, 200, {})]])
    page.evaluate(POINTERS, ["#read-pad", [*touch, ("pointerup", "touch", 220, 200, {})]])
    page.wait_for_function("() => document.querySelector('#text mark')")
    text = saved(page, "#save-read", tmp_path).read_text()
    (trace,) = re.findall("<trace>(.*?)</trace>", text)
    values = [list(map(float, point.split())) for point in trace.split(",")]
    assert [(x, y, force) for x, y, _, force in values] == [(10, 20, 0.25), (14, 30, 0.75)]
    # As many points do not freeze the page, or the test's time limit ends it.
    page.click("#read .buttons >> text=Clear")
    pen[1] = ("pointermove", "pen", 14, 80, {"count": 100_000})
    page.evaluate(POINTERS, ["#read-pad", pen])
    assert saved(page, "#save-read", tmp_path).read_text().count(", ") == 100_000


def test_the_page_writes_in_the_hand_of_the_lines_that_were_recorded(page, site, tmp_path):
    page.goto(f"{site[0]}#write?style=My+hand&text=Dear+Anna")
    assert problem(page) == "No line of your hand is recorded here; four lines are enough."
    page.click("#remedy")
    page.click("#begin")
    for _ in range(4):
        assert page.is_hidden("#write-mine") or page.inner_text("#lines-done") != "0 of 30"
        draw(page, "#hand-pad")
        go_on(page)
    page.click("#write-mine")
    for _ in range(2):
        page.wait_for_function(WRITTEN, arg="Dear Anna")
        assert page.input_value("[name=style]") == "My hand"
        (line,) = read_ink(saved(page, "[value=inkml]", tmp_path))
        canned = np.reshape(json.loads((site[1] / "fake.json").read_text())["ink"], (-1, 3))
        high = np.ptp(to_points(line.ink)[:, 1]) / np.ptp(to_points(canned[: len(line.ink)])[:, 1])
        assert high == pytest.approx(3 * 4 / 2, rel=0.1)  # mm, and of four lines
        page.reload()


FULL = """IDBObjectStore.prototype.put = function () {
    this.transaction.abort();
    throw new DOMException("full", "QuotaExceededError");
}"""
REFUSED = "indexedDB.open = () => { throw new DOMException('no', 'SecurityError'); }"


@pytest.mark.parametrize(
    ("storage", "reason"), [(FULL, "is full"), (REFUSED, "refuses to keep anything")]
)
def test_ink_that_the_browser_cannot_keep_stays_on_the_page_with_a_message(
    page, site, tmp_path, storage, reason
):
    page.add_init_script(storage)
    page.goto(f"{site[0]}#hand")
    page.click("#begin")
    draw(page, "#hand-pad")
    assert problem(page).startswith(f"The browser's storage {reason}: what you write is here only")
    page.click("#close")
    go_on(page)
    page.click("#pause")
    lines = read_ink(saved(page, "#download", tmp_path))
    assert [line.text for line in lines] == SENTENCES[:1]
    assert page.is_hidden("#problem")


def test_doubtful_words_are_marked_and_an_error_is_a_message(page, site):
    network = site[1] / "networks" / "writer.bin"
    whole = network.read_bytes()
    try:
        network.write_bytes(b"cut")
        page.goto(site[0])
        assert problem(page) == "The network file is cut off."
    finally:
        network.write_bytes(whole)
    write(page, "no doubt here")
    mark = page.wait_for_selector("#doubts mark")
    assert mark.inner_text() == "doubt"
    page.click("#doubts button")
    mark.wait_for_element_state("hidden")
    page.wait_for_selector("#doubts mark")
    page.fill("[name=text]", "x" * 100_000)
    page.click("#compose .main")
    page.wait_for_function(
        "(text) => document.querySelector('#problem').innerText.includes(text)",
        arg="The text has 100000 characters; at most 5000 are written here.",
    )
    write(page, "But this can, and in rows that are no longer than what the network learned")
    rows = page.get_attribute(".sheet", "aria-label").split("\n")
    assert len(rows) > 1 and max(map(len, rows)) <= 40


def test_the_page_works_again_without_network(kept_page, site):
    page = kept_page
    page.goto(site[0])
    keeps_network(page)
    page.goto(f"{site[0]}#hand")
    page.context.set_offline(True)
    try:
        page.goto(f"{site[0]}/?again#write")
        write(page, "No network")
        page.goto(f"{site[0]}/?again#hand")
        page.click("#begin")
    finally:
        page.context.set_offline(False)
        page.evaluate(FORGET)


def test_a_text_is_checked_before_the_sheet_is_touched(page, site):
    page.goto(site[0])
    write(page, "The sheet of before")
    page.fill("[name=text]", "ok line\nHello 😀 ½ world, 1½\u00ad 😀\nlast")
    page.click("#compose .main")
    assert problem(page) == "The network cannot write 😀, ½ (1/2 instead), U+00AD."
    assert page.get_attribute(".sheet", "aria-label") == "The sheet of before"
    page.click("#remedy")
    page.wait_for_function(WRITTEN, arg="ok line\nHello 1/2 world, 1 1/2\nlast")
    assert page.is_hidden("#problem")
    assert page.input_value("[name=text]") == "ok line\nHello  1/2 world, 1 1/2 \nlast"
    for blank, said in {
        " \n\t ": "The text is blank.",
        "👩‍👩‍👧 €": "The network cannot write 👩, U+200D, 👧, €.",
    }.items():
        page.fill("[name=text]", blank)
        page.click("#compose .main")
        page.wait_for_function(
            "(said) => document.querySelector('#problem p').innerText === said", arg=said
        )
        assert page.is_hidden("#remedy")
    assert page.get_attribute(".sheet", "aria-label").startswith("ok line")


def record(page, address, part):
    """Draw strokes in a part of the page that records."""
    page.goto(f"{address}#{part}")
    if part == "hand":
        page.click("#begin")
    draw(page, f"#{part}-pad")


@pytest.mark.parametrize(("part", "key"), [("read", ""), ("hand", SENTENCES[0])])
def test_a_second_tab_records_only_when_the_first_is_closed(page, site, part, key):
    record(page, site[0], part)
    other = page.context.new_page()
    other.goto(f"{site[0]}#{part}")
    other.wait_for_selector("#elsewhere", state="visible")
    assert "Another tab is recording here" in other.inner_text("#elsewhere")
    assert other.is_hidden(f"#{part}")
    page.goto("about:blank")
    other.wait_for_selector(f"#{part}", state="visible")
    assert other.is_hidden("#elsewhere")
    record(other, site[0], part)
    keeps(other, key, lambda kept: len(kept) == 6)
    other.close()


def test_a_line_can_be_deleted(page, site):
    page.goto(f"{site[0]}#hand")
    page.click("#begin")
    for _ in range(2):
        draw(page, "#hand-pad")
        go_on(page)
    page.click("#pause")
    for answer, left in (("dismiss", 2), ("accept", 1)):
        page.once("dialog", lambda dialog, answer=answer: getattr(dialog, answer)())
        page.click("#lines li:last-child >> text=Delete")
        page.wait_for_function(
            "(left) => document.querySelectorAll('#lines li').length === left", arg=left
        )
    keeps(page, SENTENCES[0], lambda kept: kept == [])
    page.reload()
    page.wait_for_selector("#begin", state="visible")
    assert page.inner_text("#lines-done") == "1 of 30"


@pytest.fixture(scope="module")
def reading_site(tmp_path_factory):
    """The address of the page with its true worker and the shipped reader."""
    folder = tmp_path_factory.mktemp("reading")
    shutil.copytree(ROOT / "apps" / "web", folder, dirs_exist_ok=True)
    (folder / "networks").mkdir(exist_ok=True)
    flat_file.save(folder / "networks" / "reader.bin", load("reader", "cpu"))
    with served(folder) as address:
        yield address


def test_a_line_that_reads_as_another_sentence_is_asked_about(page, reading_site):
    """The reader reads what a network has written, of an x-height of 18 pixels."""
    lines = load("writer", "cpu").write_lines(["We met at the old bridge", SENTENCES[0]], [1, 1])
    page.goto(f"{reading_site}#hand")
    page.click("#begin")
    for line in lines:
        events = []
        for stroke in strokes(line.ink):
            (x, y), *others = (stroke * 18 / x_height(line.ink) + [20, 130]).tolist()
            events.append(("pointerdown", "pen", x, y, {}))
            events += [("pointermove", "pen", x, y, {}) for x, y in others]
            events.append(("pointerup", "pen", *stroke[-1].tolist(), {}))
        page.evaluate(POINTERS, ["#hand-pad", events])
        page.click("#next")
        if line is lines[0]:
            assert problem(page).startswith("This reads “We met at the ")
            assert page.inner_text("#sentence") == SENTENCES[0]
            page.click("#hand >> text=Clear")
    page.wait_for_function(
        "(text) => document.querySelector('#sentence').innerText === text", arg=SENTENCES[1]
    )
    assert page.is_hidden("#problem")


def test_a_file_of_ink_is_read(page, reading_site):
    go_to_read(page, reading_site)
    page.set_input_files("#open-read", ROOT / "docs/sample-lines/line-1.inkml")
    shows(page, "The quick brown fox jumped over it")


def ink_file(path, *groups):
    """Write InkML with groups of so many points, or traces without groups."""
    grouped = len(groups) > 1
    with path.open("w") as file:
        file.write('<ink xmlns="http://www.w3.org/2003/InkML">')
        for count in groups:
            trace = f"<trace>{'1 2, ' * (count - 1)}5 9</trace>"
            file.write(f"<traceGroup>{trace}</traceGroup>" if grouped else trace)
        file.write("</ink>")
    return path


def test_a_group_may_have_as_many_points_as_in_python(page, site, tmp_path):
    go_to_read(page, site[0])
    for groups in ([MAX_SAMPLE_POINTS], [MAX_SAMPLE_POINTS] * 2):
        page.set_input_files("#open-read", ink_file(tmp_path / "good.inkml", *groups))
        shows(page, f"{len(groups)} strokes")


def test_a_file_beyond_the_limits_of_python_is_refused(page, site, tmp_path):
    large, hostile = tmp_path / "large.inkml", tmp_path / "hostile.inkml"
    with large.open("wb") as file:
        file.truncate(MAX_INK_BYTES + 1)
    hostile.write_text("<ink>" + "<!--" * 4_000_000)  # in time, though no comment ends
    most = MAX_SAMPLE_POINTS
    refused = {
        ink_file(tmp_path / "long.inkml", most + 1): "a group of more than 20000 points.",
        ink_file(tmp_path / "all.inkml", *[most] * 6): "more than 100000 points.",
        large: f"more than {MAX_INK_BYTES} bytes.",
        hostile: "no ink.",
    }
    go_to_read(page, site[0])
    for path, reason in refused.items():
        page.set_input_files("#open-read", path)
        page.wait_for_function(
            "(said) => document.querySelector('#problem p').innerText === said",
            arg=f"{path.name} has {reason}",
        )


def test_stop_ends_what_is_opened_also_when_a_reading_has_ended(page, site, tmp_path):
    go_to_read(page, site[0])
    page.set_input_files("#open-read", ink_file(tmp_path / "seven.inkml", *[5] * 7))
    page.wait_for_selector("#read .buttons button:enabled:text-is('Undo')")  # the file is open
    page.wait_for_selector("#stop-read", state="visible")  # seven strokes are being read
    page.set_input_files("#open-read", ink_file(tmp_path / "slow.inkml", *[MAX_SAMPLE_POINTS] * 5))
    shows(page, "7 strokes")
    page.wait_for_selector("#stop-read", state="visible")
    page.click("#stop-read")
    page.wait_for_selector("#stop-read", state="hidden")
    page.set_input_files("#open-read", ink_file(tmp_path / "good.inkml", 5))
    shows(page, "1 strokes")
    assert page.is_hidden("#problem")


class Hanging(Quiet):
    """Answers only while `running` is set, or after more time than a page is waited for."""

    running = threading.Event()

    def do_GET(self):
        self.running.wait(MOST_SECONDS)
        super().do_GET()


def test_a_server_that_hangs_is_not_waited_for(kept_page, site):
    page = kept_page
    Hanging.running.set()
    with served(site[1], Hanging) as address:
        page.goto(address)
        keeps_network(page)
        Hanging.running.clear()
        try:
            page.goto(f"{address}/?again#write")
            page.wait_for_function(WRITTEN, arg="The ink is still wet")
        finally:
            Hanging.running.set()


def test_the_sheets_alone_are_printed_at_their_size(page, site, tmp_path):
    page.goto(f"{site[0]}#write?paper=card&text=" + "a+fine%0A" * 12)
    page.wait_for_function(WRITTEN, arg="a fine")
    page.wait_for_function("() => document.querySelectorAll('.sheet').length === 2")
    page.pdf(path=tmp_path / "sheets.pdf", prefer_css_page_size=True)
    pages = pypdf.PdfReader(tmp_path / "sheets.pdf").pages
    printed = [line.strip() for sheet in pages for line in sheet.extract_text().splitlines()]
    assert len(pages) == 2 and printed == ["a fine"] * 12  # no ligature
    for sheet in pages:
        size = np.array([sheet.mediabox.width, sheet.mediabox.height], float) * 25.4 / 72
        np.testing.assert_allclose(size, [148, 105], atol=0.5)  # mm
        assert sheet.get_contents().get_data().count(b"\nS") > 20  # strokes, no picture
    page.goto(f"{site[0]}#hand")
    page.wait_for_selector("#begin", state="visible")
    page.pdf(path=tmp_path / "hand.pdf", prefer_css_page_size=True)
    (printed,) = pypdf.PdfReader(tmp_path / "hand.pdf").pages
    assert "Begin" in printed.extract_text() and printed.mediabox.width > 500
    page.evaluate("window.print = () => { window.asked = true; }")
    page.goto(f"{site[0]}#write")
    page.click("#print")
    assert page.evaluate("window.asked")


def test_a_learned_hand_saved_files_and_controls_are_named(page, site, tmp_path):
    page.goto(site[0])
    write(page, "A name")
    assert page.inner_text("[name=style] option:first-child") == "Its own"
    assert "none of those of “page --style own”" in page.inner_text("#own")
    assert page.get_by_label("Legibility").get_attribute("name") == "bias"
    names = [saved(page, f"[value={kind}]", tmp_path).name for kind in ("svg", "animated")]
    assert names == ["handwriting.svg", "handwriting-moving.svg"]
    (tmp_path / "anna.bin").write_bytes(b"a network")
    page.set_input_files("#learned", tmp_path / "anna.bin")
    page.wait_for_function(
        "() => document.querySelector('[name=style]').selectedOptions[0].innerText === 'anna.bin'"
    )
    assert page.is_hidden("#own")


LOOK = """() => Object.fromEntries(["h1", "#licence", "#licences", "#licences a"].map((name) => {
    const element = document.querySelector(name), style = getComputedStyle(element);
    const left = element.getBoundingClientRect().x + parseFloat(style.paddingLeft);
    return [name, [left, style.color]];
}))"""


def test_a_line_writes_itself_at_the_pace_of_a_pen(page, site):
    page.emulate_media(reduced_motion="no-preference")
    page.goto(site[0])
    page.wait_for_selector("#at-once", state="visible")
    page.wait_for_selector("#status >> text=Line 1")  # for some ten seconds
    page.wait_for_selector("#stop", state="hidden")  # every line is computed, one is drawn
    page.click("#at-once")
    page.wait_for_selector("#at-once", state="hidden")
    assert page.inner_text("#status") == ""
    look = page.evaluate(LOOK)
    assert look["h1"][0] == look["#licences"][0] == look["#licences a"][0] > 0
    assert look["#licence"][1] == look["#licences a"][1]


def test_the_page_says_how_to_start_it_when_it_is_opened_as_a_file(context):
    page = context.new_page()
    page.goto((ROOT / "apps/web/index.html").as_uri())
    page.wait_for_selector("#static", state="visible")
    assert "python experiments.py web" in page.inner_text("body")
    assert page.locator("nav").is_hidden()
    page.close()


def test_the_service_worker_keeps_every_file_of_the_page():
    listed = (ROOT / "apps/web/sw.js").read_text().partition("FILES = ")[2].partition(";")[0]
    names = set(re.findall(r'"([\w.]+)"', listed))
    paths = (ROOT / "apps" / "web").iterdir()
    files = {path.name for path in paths if path.is_file() and path.suffix != ".py"}
    files -= {"sw.js", "engine.c", "package.json", "index.d.ts", "README.md", "LICENSE"}
    files -= {name for name in files if name.startswith("view")}  # the viewer of notes
    files -= {f"{name}{suffix}" for name in PACKAGE_SCRIPTS for suffix in (".js", ".d.ts")}
    assert {name if "." in name else f"{name}.js" for name in names} == files


def test_the_first_twenty_sentences_to_copy_have_every_character():
    assert len(SENTENCES) == len(set(SENTENCES)) == 60
    assert max(map(len, SENTENCES)) < 40
    wanted = set(string.ascii_letters + string.digits + "!\"#$%&'()+,-./:;=?@")
    assert wanted <= set("".join(SENTENCES[:20]))
    assert all("".join(SENTENCES).count(sign) >= 2 for sign in wanted)


def test_a_late_change_of_an_option_does_not_lead_back_to_write(page, site):
    page.goto(f"{site[0]}#write")
    page.wait_for_selector("#write", state="visible")
    # The address changes at once, the event of this change comes later.
    page.evaluate("""() => {
        location.hash = "#read";
        document.querySelector("#write form").dispatchEvent(new Event("change"));
    }""")
    page.wait_for_selector("#read", state="visible")


def luminance(colour):
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], parts))


UNNAMED = """() =>
    [...document.querySelectorAll("button, a, input, select, textarea")]
        .filter((node) => node.checkVisibility({visibilityProperty: true}))
        .filter((node) => !(node.ariaLabel || node.innerText || node.labels?.[0]?.innerText))
        .map((node) => node.outerHTML)"""
# Elements without a role of their own may have no such name (ARIA 1.2).
MISNAMED = """() => [...document.querySelectorAll("*")]
    .filter((node) => node.ariaLabel && !node.role &&
        !node.matches("button, a, input, select, textarea, section, nav, ul, ol, output"))
    .map((node) => node.outerHTML)"""
COLOURS = """() => "text quiet desk accent on-accent mark".split(" ").map((name) => {
    document.body.style.color = `var(--${name})`;
    return getComputedStyle(document.body).color;
})"""


def test_every_control_has_a_name_and_room_on_a_phone(page, site):
    page.set_viewport_size({"width": 360, "height": 740})
    for part in ("write", "read", "hand"):
        page.goto(f"{site[0]}#{part}")
        page.wait_for_selector(f"#{part}", state="visible")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, part
        assert page.evaluate(UNNAMED) == page.evaluate(MISNAMED) == [], part
        if part != "write":  # A sentence says what it is for.
            text = " ".join(page.inner_text(f"#{part} > p:first-child").split())
            assert re.fullmatch(r"Write .{40,}\.", text)


def test_text_has_the_contrast_that_wcag_asks_for(page, site):
    page.goto(site[0])
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        text, quiet, desk, accent, on_accent, mark = map(luminance, page.evaluate(COLOURS))
        for pair in [(text, desk), (quiet, desk), (accent, on_accent), (text, mark)]:
            assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5, (scheme, pair)


def test_no_script_of_the_page_makes_markup_of_text():
    for path in (ROOT / "apps" / "web").glob("*.js"):
        assert not re.search("innerHTML|outerHTML|insertAdjacentHTML|document.write|eval\\(",
                             path.read_text()), path  # fmt: skip


def _kill(profile):
    """Kill the browser of a profile, as a crash does."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(profile) in (folder / "cmdline").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
        except OSError:
            pass


def finish_line(page, sentence):
    """Go on with a line that was begun before, and pause."""
    page.click("#begin")
    assert page.inner_text("#sentence") == sentence
    assert page.is_enabled("#next")
    go_on(page)
    page.click("#skip")
    page.click("#pause")


def test_who_goes_on_while_a_line_is_read_is_not_asked_about_it(page, site):
    page.goto(f"{site[0]}#hand")
    page.click("#begin")
    draw(page, "#hand-pad", [[(x, 60), (x, 110)] for x in range(20, 160, 20)])
    page.click("#next")  # seven strokes are being read
    page.click("#skip")
    page.wait_for_timeout(1500)
    assert page.inner_text("#sentence") == SENTENCES[1] and page.is_hidden("#problem")


def test_all_lines_of_my_hand_are_kept_when_the_browser_is_killed(
    start, site, tmp_path, tmp_path_factory
):
    profile = tmp_path_factory.mktemp("killed")
    page = start(profile).pages[0]
    page.goto(f"{site[0]}#hand")
    page.click("#begin")
    for number, sentence in enumerate(SENTENCES[:3], 1):
        assert page.inner_text("#sentence") == sentence
        draw(page, "#hand-pad", [[(x * number, y) for x, y in part] for part in ZIGZAG])
        go_on(page)
    draw(page, "#hand-pad", ZIGZAG[:2])
    keeps(page, SENTENCES[3], lambda kept: len(kept) == 2)
    _kill(profile)
    again = start(profile)
    page = again.pages[0]
    page.goto(f"{site[0]}#hand")
    page.wait_for_selector("#begin", state="visible")
    assert page.inner_text("#lines-done") == "3 of 30"
    assert "3 of 3 lines are written with a mouse" in page.inner_text("#pointers")
    finish_line(page, SENTENCES[3])
    lines = read_recorded(str(saved(page, "#download", tmp_path)), seed=0)
    assert [line.text for line in lines] == SENTENCES[:4]
    assert [len(strokes(line.ink)) for line in lines] == [3, 3, 3, 2]
    again.close()
