"""The viewer of notes in Chromium: notes are searched, shown and corrected by clicks and keys."""

import json
import math
import os
import random
import re
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from http.client import HTTPConnection

import pytest
from pypdf import PdfReader

import apps.notes
import model
from apps.notes.learning import Learning
from apps.notes.server import MAX_CORRECTION_BYTES, ViewServer
from apps.notes.viewing import Change, NoteFilter, Viewer
from benchmarks.archive import write_archive, written_notes
from tests.apps.notes.learning import go, learn
from tests.apps.notes.pages import alike_viewer
from utils.checks import UserError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A folder of two notes, and a function that makes a viewer of a folder."""
    folder = tmp_path_factory.mktemp("archive")
    write_archive(folder / "notes", written_notes(2, num_rows=2, num_styles=1))

    @cache
    def reader():
        return model.load("reader", "cpu")

    def read(page):
        """Read a page, and doubt the last three words of each row."""
        text = apps.notes.read_page(page, reader())
        doubted = ([replace(word, confidence=0.5) for word in row.words[-3:]] for row in text.rows)
        rows = (
            replace(row, words=(*row.words[:-3], *words))
            for row, words in zip(text.rows, doubted, strict=True)
        )
        return replace(text, rows=tuple(rows))

    def make_library():
        return apps.notes.Library(read, "reader", folder / "library")

    def viewer(path=folder / "notes"):
        made = Viewer(path, make_library)
        made.scan()
        return made

    return folder / "notes", viewer


@pytest.fixture
def served(archive):
    """A viewer that is served, with its server."""
    viewer = archive[1]()
    with ViewServer(viewer) as server:
        for run in (server.serve_forever, viewer.follow):
            threading.Thread(target=run, daemon=True).start()
        yield viewer, server
        server.shutdown()
    viewer.close()


def words_of(viewer, name):
    """The handwritten words of a note's page with their addresses."""
    rows = viewer.page(name, 1)["rows"]
    return {
        (1, number, index): word
        for number, row in enumerate(rows, 1)
        for index, word in enumerate(row["words"], 1)
        if word["ink"]
    }


def stored(viewer):
    """The texts of the stored corrections."""
    path = viewer._library.folder / "corrections" / "corrections.json"
    corrections = json.loads(path.read_text())["corrections"] if path.exists() else []
    return {correction["text"] for correction in corrections}


def ask(server, method, path, body=None, **headers):
    """The status of the answer to a request that the page might send, but for some headers."""
    host = f"127.0.0.1:{server.server_port}"
    headers = {"Origin": f"http://{host}", "X-Token": server.token, "Host": host} | headers
    connection = HTTPConnection("127.0.0.1", server.server_port)
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    return connection.getresponse().status


def test_notes_are_searched_opened_and_corrected_by_clicks_and_keys(context, archive, served):
    viewer, server = served
    name = "2024/note 1.xopp"
    words = words_of(viewer, name)
    address, word = next(item for item in words.items() if len(item[1]["text"]) > 4)
    page, errors = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(f"http://127.0.0.1:{server.server_port}/?{server.token}")
    page.wait_for_function("() => document.querySelectorAll('.card').length === 2")

    page.locator("[name=q]").press_sequentially(word["text"].lower())
    # Hits of the word's beginning may come first. 20 is the margin of the mark.
    marked = "(x) => Number(document.querySelector('.hit .marked')?.getAttribute('x')) === x"
    page.wait_for_function(marked, arg=word["box"][0] - 20)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#rows .chosen:focus")
    assert page.is_hidden("#word")  # A hit is read first; the next Enter corrects it.
    page.keyboard.press("Enter")
    page.wait_for_selector("#word")
    assert page.input_value("[name=text]") == word["text"]
    assert page.locator("#rows .chosen").inner_text() == word["text"]
    offered = page.locator("#others button").all_inner_texts()
    assert offered == list(word["others"])
    page.keyboard.press("ArrowDown")
    assert page.input_value("[name=text]") == [*offered, word["text"]][0]
    page.fill("[name=text]", "Zebra")
    page.keyboard.press("Enter")
    page.wait_for_selector("#said >> text=Saved: Zebra")
    assert stored(viewer) == {"Zebra"}
    page.click("#undo")
    page.wait_for_selector("#said >> text=Undone.")
    assert stored(viewer) == set() and page.is_hidden("#undo")

    page.locator("#sheet rect.word").nth([*words].index(address)).click()
    page.fill("[name=text]", "Quagga")
    page.click("#word .main")
    page.wait_for_selector("#said >> text=Saved: Quagga")
    page.wait_for_selector("#rows .corrected.chosen >> text=Quagga")
    # No word goes behind the header, however high it is.
    page.evaluate("document.querySelector('#about').style.height = '300px'")
    margin = "parseFloat(getComputedStyle(document.querySelector('#page .word')).scrollMarginTop)"
    page.wait_for_function(f"() => {margin} > document.querySelector('header').offsetHeight")
    page.evaluate("document.querySelector('#about').style.height = ''")
    # What another window has corrected since is not undone; the other window's word is shown.
    (undo,) = viewer.correct([Change(name, address, word["ink"], "Okapi")])["undo"]
    assert (undo["text"], undo["undone"]) == ("Quagga", "Okapi")
    page.keyboard.press("Control+z")
    page.wait_for_selector("#said >> text=Not undone: this word was corrected again")
    page.wait_for_selector("#rows .corrected.chosen >> text=Okapi")
    assert stored(viewer) == {"Okapi"}

    # The page is drawn again while the button is down: the click opens its word nevertheless.
    held = []

    def release(what):
        while not held:
            page.wait_for_timeout(20)  # else the test's time limit
        with page.expect_response(f"**/api/{what}?*"):
            page.unroute(f"**/api/{what}?*")  # sends what is held, and holds nothing more
        held.clear()

    other = next(a for a in words if a[1] != address[1])
    page.locator("#rows .chosen").click()
    page.wait_for_selector("#word")
    page.route("**/api/page?*", lambda route: held.append(route))
    page.fill("[name=text]", "Quagga")
    page.keyboard.press("Enter")
    page.wait_for_selector("#word", state="hidden")
    page.locator("#rows a").nth([*words].index(other)).hover()
    page.mouse.down()
    release("page")
    page.mouse.up()
    page.wait_for_selector("#word")
    assert page.input_value("[name=text]") == words[other]["text"]

    # Keys while answers are late: what is typed stays, and the answers move no focus.
    for key in ("Escape", "Escape", "/", "Control+a"):
        page.keyboard.press(key)
    page.keyboard.type("quagga")
    assert page.input_value("[name=q]") == "quagga"
    page.wait_for_selector(".hit .text >> text=Quagga")  # when the note is indexed again
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".hit:focus")
    page.route("**/api/search?*", lambda route: held.append(route))
    page.evaluate("dispatchEvent(new Event('hashchange'))")
    page.keyboard.press("/")
    release("search")
    page.wait_for_timeout(100)  # until the answer is shown
    assert page.evaluate("document.activeElement.name") == "q"
    page.click(".hit")
    page.click("#rows .chosen")
    page.wait_for_selector("#as-read")
    assert "it was read as" in page.inner_text("#read-as")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.fill("[name=q]", "")
    page.click("#filters summary")
    page.fill("[name=since]", "2099-01-01")
    page.wait_for_selector("#found >> text=Nothing was found.")
    page.fill("[name=since]", "")
    page.wait_for_selector(".card")
    page.focus("[name=unread]")
    page.keyboard.press("/")
    page.wait_for_selector("[name=q]:focus")
    page.click("#filters summary")

    # Doubtful words, from the first one; Enter says that it was read right.
    doubtful = [
        (other, address)
        for other in (name, "2025/note 2.xopp")
        for address, word in words_of(viewer, other).items()
        if not word["isSure"]
    ]
    assert len({other for other, _ in doubtful[:3]}) == 1
    page.keyboard.press("n")
    page.wait_for_selector("#word")
    page.keyboard.press("PageUp")
    page.wait_for_selector("#said >> text=This is the first doubtful word.")
    for other, address in doubtful[:3]:
        page.wait_for_selector("#word")
        page.wait_for_function(
            f"() => location.hash.includes('row={address[1]}&word={address[2]}')"
        )
        text = words_of(viewer, other)[address]["text"]
        page.wait_for_function(f"() => document.querySelector('[name=text]').value === `{text}`")
        if address == doubtful[2][1] and other == doubtful[2][0]:
            break
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#said >> text=Saved: {text}")
        # The page, which stays open, shows each saved word as corrected.
        index = [*words_of(viewer, other)].index(address)
        page.wait_for_function(
            f"() => document.querySelectorAll('#rows a')[{index}].matches('.corrected')"
        )
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert {words_of(viewer, o)[a]["read"] for o, a in doubtful[:2]} == stored(viewer) - {"Quagga"}

    # A new note, and one that is half written, while the folder is open in a narrow window.
    page.set_viewport_size({"width": 400, "height": 800})
    (archive[0] / "half.xopp").write_bytes((archive[0] / name).read_bytes()[:2000])
    shutil.copy(archive[0] / name, archive[0] / "2026.xopp")
    page.wait_for_selector(".card >> text=2026.xopp")
    page.wait_for_selector("#faults summary >> text=1 note could not be read")
    assert page.is_hidden("#faults p")
    page.click("#faults summary")
    page.wait_for_selector("#faults p >> text=half.xopp: a file")
    page.click(".card >> text=half.xopp")
    page.wait_for_selector("#place >> text=half.xopp: a file that cannot be read")
    page.click("#place a")
    page.wait_for_selector(".card >> text=could not be read")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.click("#folders summary")
    page.click("#folders a >> text=2025")
    page.wait_for_function("() => document.querySelectorAll('.card').length === 1")
    assert page.inner_text("#folders summary") == "Folder: 2025"
    page.close()
    assert errors == []


def late(answer, generator):
    """A method of a viewer that answers late."""

    def answers(*arguments):
        time.sleep(generator.uniform(0, 0.25))
        return answer(*arguments)

    return answers


def test_a_word_typed_while_answers_come_late_is_saved_as_it_was_typed(
    context, served, monkeypatch
):
    viewer, server = served
    name, generator = "2024/note 1.xopp", random.Random(1)
    words = words_of(viewer, name)
    before, corrected = stored(viewer), set()
    for method in ("page", "correct", "doubtful", "state"):
        monkeypatch.setattr(viewer, method, late(getattr(viewer, method), generator))
    correct = type(viewer).correct.__get__(viewer)  # as another window, at once
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/?{server.token}#name={name}&number=1")
    for index, (address, word) in enumerate([*words.items()][:8]):
        text, row = f"Vauxhall{index}", f"row={address[1]}&word={address[2]}"
        correct([Change(name, address, word["ink"], "Vausehall")])
        page.evaluate(f"location.hash = 'name={name}&number=1&{row}&edit=1'")
        page.wait_for_function(f"() => document.activeElement.name === 'text' && {index + 1}")
        page.wait_for_timeout(generator.uniform(0, 150))
        page.keyboard.type(text, delay=generator.uniform(0, 40))
        with page.expect_response("**/api/correct"):
            page.keyboard.press("Enter")
        corrected.add(text)
        assert {text for text in stored(viewer) if "Vau" in text} == corrected

    # Who types on while the next doubtful word is looked for corrects no word that he has not seen.
    page.wait_for_selector("#word", state="hidden")
    page.keyboard.press("n")
    page.wait_for_selector("[name=text]:focus")
    for _ in range(4):
        page.keyboard.type("Vauxhall", delay=generator.uniform(0, 60))
        page.keyboard.press("Enter")
    page.wait_for_timeout(600)
    page.close()
    assert stored(viewer) - before <= corrected | {"Vauxhall"}


def test_notes_are_browsed_by_folder_and_saved_and_doubtful_words_confirmed_by_kind(
    context, archive, served, tmp_path, monkeypatch
):
    viewer, server = served
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    monkeypatch.setattr("apps.notes.viewing.open_in_program", opened.append)
    opened.clear()
    page = context.new_page()
    page.set_default_timeout(60_000)
    name, address = "2024/note 1.xopp", f"http://127.0.0.1:{server.server_port}/?{server.token}"
    page.goto(f"{address}#by=name")
    page.wait_for_selector("[aria-pressed=true] >> text=By name")
    page.wait_for_selector(".card .thumb svg path")
    page.keyboard.press("ArrowDown")
    assert page.get_attribute(".card:focus", "title") == name
    page.keyboard.press("ArrowUp")
    page.wait_for_selector("[name=q]:focus")
    page.locator("#folders a").first.focus()
    for key in ("ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".bar h2 >> text=2024")
    page.wait_for_selector("#folders a[aria-current] >> text=2024")
    page.fill("[name=q]", "in:2025")  # none of them is in the chosen folder
    page.wait_for_selector("#found >> text=Nothing was found.")
    page.fill("[name=q]", "in:2024")
    page.wait_for_selector(".bar h2 >> text=in:2024")
    assert {*page.locator(".card").evaluate_all("cards => cards.map((each) => each.title)")} == {
        note for note in viewer._notes if note.startswith("2024/")
    }
    page.fill("[name=q]", "")
    page.wait_for_selector(".bar h2 >> text=/^2024/")
    page.click(".card")
    with page.expect_download() as download:
        page.click("#place >> text=PDF")
    assert download.value.suggested_filename == "note 1.pdf"
    (written,) = PdfReader(download.value.path(), strict=True).pages
    assert {word["text"] for word in words_of(viewer, name).values()} <= {
        *written.extract_text().split()
    }
    page.click("#place >> text=Copy the text")
    page.wait_for_selector("#said >> text=The text is copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == viewer.page(name, 1)["text"] and len(copied) > 20
    page.click("#place >> text=Open in its program")
    page.wait_for_selector("#said >> text=is opened")
    assert opened == [archive[0] / name]
    page.keyboard.press("Escape")
    page.wait_for_selector(".card:focus")  # where the list was left

    page.goto("about:blank")
    page.goto(f"{address}#q=zzzz")
    page.wait_for_selector("#found >> text=Nothing was found.")
    assert page.input_value("[name=q]") == "zzzz"
    page.click("#doubtful")
    first = viewer.kinds(NoteFilter(), 1)["kinds"][0]
    page.wait_for_selector(".kind")
    assert page.input_value("[name=q]") == ""
    assert page.get_attribute(".kind", "data-kind") == first["kind"]
    before, num_kinds = stored(viewer), page.locator(".kind").count()
    page.wait_for_selector(".kind .clip svg")
    page.locator(".kind .confirm").first.click()
    page.wait_for_selector("#said >> text=Saved:")
    page.wait_for_function(f"() => document.querySelectorAll('.kind').length === {num_kinds - 1}")
    assert stored(viewer) - before <= {word["text"] for word in first["words"]}
    page.click("#undo")
    page.wait_for_selector("#said >> text=Undone.")
    assert stored(viewer) == before
    # At a word's address, keys go to the word; a list that is looked for says so, and old ones go.
    (row, word), _ = next((a[1:], w) for a, w in words_of(viewer, name).items())
    page.goto("about:blank")
    page.goto(f"{address}#name={name}&number=1&row={row}&word={word}")
    page.wait_for_selector("#rows .chosen:focus")
    held = []
    page.keyboard.press("Escape")
    page.wait_for_selector(".card")
    page.route("**/api/search?*", lambda route: held.append(route))
    page.fill("[name=q]", "the")
    page.wait_for_selector("#found >> text=Searching for “the”")
    assert not page.locator("#found .hit").count()
    page.unroute("**/api/search?*")
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto("about:blank")
    page.goto(f"{address}#q=the")
    page.wait_for_selector(".hit .clip svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    # A word that is wrong is corrected, and the list of the others comes back.
    page.goto("about:blank")
    page.goto(f"{address}#doubtful=1")
    page.locator(".kind .hit").first.click()
    page.wait_for_selector("[name=text]:focus")
    page.keyboard.type("Numbat")
    page.keyboard.press("Enter")
    page.wait_for_selector(".kind")
    assert stored(viewer) - before == {"Numbat"} and page.is_hidden("#page")
    page.close()


def test_the_reader_learns_while_the_viewer_is_used_and_is_stopped_and_forgotten(context, tmp_path):
    learning = Learning(partial(learn, tmp_path), tmp_path / "learned.pth")
    viewer = alike_viewer(tmp_path, ("Voxhall", "zebra"), {"a": 1.0}, learning=learning)
    page, errors = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(error))
    with ViewServer(viewer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.emulate_media(color_scheme="dark")
        page.goto(f"http://127.0.0.1:{server.server_port}/?{server.token}")
        page.wait_for_selector(".card")
        assert page.is_hidden("#learning")
        page.click("#doubtful")
        page.wait_for_selector("#learning >> text=can learn your hand")
        page.focus("#learning button")
        page.keyboard.press("Enter")
        page.wait_for_selector("#learning >> text=Learning: 10%")
        page.wait_for_selector("#learning button:focus >> text=Stop")
        # Another window learns nothing at the same time; the notes are there meanwhile.
        assert ask(server, "POST", "/api/learn", "{}") == 409
        assert ask(server, "POST", "/api/forget", "{}") == 409
        page.click(".kind .hit")
        page.fill("[name=text]", "Vauxhall")
        page.keyboard.press("Enter")
        page.wait_for_selector("#said >> text=Saved: Vauxhall")
        page.wait_for_selector("#learning >> text=Learning: 10%")
        page.click("#learning >> text=Stop")
        page.wait_for_selector("#learning button >> text=Learn")
        assert stored(viewer) == {"Vauxhall"} and not learning.file.exists()

        page.click("#doubtful")
        page.click("#learning button")
        go(tmp_path, "weights")
        page.wait_for_selector("#said >> text=Taken")
        page.wait_for_selector("#learning button >> text=Learn again")
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("#learning >> text=Forget")
        page.wait_for_selector("#learning >> text=Forgotten")
        assert not learning.file.exists()
        assert ask(server, "POST", "/api/forget", "{}") == 409
        server.shutdown()
    page.close()
    viewer.close()
    assert errors == []


def test_words_that_look_like_a_corrected_one_are_shown_and_corrected_by_keys(context, tmp_path):
    texts = ("Voxhall", "Voxholl,", "voxhall", "Voxhall", "zebra")
    viewer = alike_viewer(tmp_path, texts, {"a": 1.0})
    page, errors = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(error))

    def texts_of_notes():
        return [viewer.page(f"{n}.xopp", 1)["text"].strip() for n in range(len(texts))]

    def correct(text):
        page.wait_for_selector("[name=text]:focus")
        page.keyboard.type(text)
        page.keyboard.press("Enter")

    with ViewServer(viewer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/?{server.token}"
        page.emulate_media(color_scheme="dark")
        page.goto(f"{address}#name=0.xopp&number=1&row=1&word=1&edit=1")
        correct("zzz")  # no word looks like this
        page.wait_for_selector("#said >> text=Saved: zzz")
        page.keyboard.press("Control+z")
        page.wait_for_selector("#said >> text=Undone.")
        page.keyboard.press("Enter")
        correct("Vaxhall")
        page.wait_for_selector("#alike >> text=3 more words look like this.")
        page.wait_for_selector("#rows .corrected.chosen:focus")
        page.click("#show-alike")
        page.wait_for_selector(".kind .clip svg")
        assert page.inner_text(".confirm") == "Accept all 3"
        # A word that is another one is taken out, by a key and by a click.
        page.locator("[name=q]").press("ArrowDown")
        page.wait_for_selector(".confirm:focus")
        page.keyboard.press("ArrowRight")
        title = page.get_attribute(".kind .hit:focus", "title")
        page.keyboard.press("Delete")
        page.wait_for_selector(".confirm >> text=Accept all 2")
        page.wait_for_selector(".kind .hit:focus")
        page.click("[aria-label='Take out voxhall']" if "voxhall" not in title else ".out")
        page.wait_for_selector(".confirm >> text=Accept")
        page.click(".confirm")
        page.wait_for_selector("#said >> text=Saved: 1 × Vaxhall")
        page.wait_for_selector("#found >> text=No other doubtful word looks like it.")
        assert sum(text.startswith("Vaxhall") for text in texts_of_notes()) == 2
        page.keyboard.press("Escape")
        page.wait_for_selector("#rows .corrected.chosen >> text=Vaxhall")
        page.keyboard.press("Control+z")
        page.wait_for_selector("#said >> text=Undone.")
        assert texts_of_notes() == ["Vaxhall", *texts[1:]]

        # All of them at once, and back in one step; the words that were taken out are among them.
        viewer.scan()
        page.evaluate("location.hash = 'name=0.xopp&number=1&row=1&word=1&edit=1'")
        correct("Voxhall")
        page.wait_for_selector("#said >> text=Saved: Voxhall")
        page.wait_for_selector("#rows .corrected.chosen:focus >> text=Voxhall")
        page.keyboard.press("Enter")
        correct("Vaxhall")
        page.wait_for_selector("#alike >> text=3 more words")
        page.set_viewport_size({"width": 400, "height": 800})
        page.click("#accept-alike")
        page.wait_for_selector("#said >> text=Saved: 3 × Vaxhall")
        assert page.is_hidden("#alike")
        assert texts_of_notes() == ["Vaxhall", "Vaxhall,", "Vaxhall", "Vaxhall", "zebra"]
        page.click("#undo")
        page.wait_for_selector("#said >> text=Undone.")
        assert texts_of_notes() == ["Vaxhall", *texts[1:]]
        viewer.scan()
        page.goto("about:blank")
        page.goto(f"{address}#alike=1:1:1:0.xopp")
        page.wait_for_selector(".kind .hit")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        server.shutdown()
    page.close()
    assert errors == []


def test_a_code_opens_the_viewer_once_and_the_address_then_reloads_and_opens_tabs(context, served):
    _, server = served
    root = f"http://127.0.0.1:{server.server_port}/"
    address = f"{root}?code={server.make_code()}#by=name"

    def shows_notes(page):
        page.set_default_timeout(60_000)
        page.wait_for_selector(".card")
        assert page.url == f"{root}?{server.token}#by=name"

    page, tab, late = (context.new_page() for _ in range(3))
    page.goto(address)
    shows_notes(page)
    page.reload()
    shows_notes(page)
    tab.goto(page.url)
    shows_notes(tab)
    late.goto(address)
    late.wait_for_selector("#about >> text=Open the address that the command printed.")
    assert "was used already" in late.inner_text("#about") and server.token not in late.url
    late.goto(f"{root}?nothing")
    late.wait_for_selector("#about >> text=This address is of another viewer.")
    for each in (page, tab, late):
        each.close()


def test_a_code_is_exchanged_once_whoever_asks_at_the_same_time(served):
    _, server = served
    code = server.make_code()
    body = json.dumps({"code": code})
    assert ask(server, "POST", "/api/enter", body, Origin="http://evil.example") == 403
    assert ask(server, "POST", "/api/enter", body, X_Token=code, Host="evil.example") == 403
    assert ask(server, "GET", "/api/state", X_Token=code) == 403
    for wrong in ("{}", '{"code": 1}', "[]"):
        assert ask(server, "POST", "/api/enter", wrong, X_Token="") == 400
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, server, "POST", "/api/enter", body, X_Token="") for _ in range(8)]
    assert sorted(answer.result() for answer in asked) == [200, *[409] * 7]


opened = []


def test_only_the_page_itself_may_ask_for_notes_and_correct_them(archive, served):
    viewer, server = served
    name = "2024/note 1.xopp"
    address, word = next(iter(words_of(viewer, name).items()))
    values = {"name": name, "address": address, "ink": word["ink"], "text": "Okapi"}

    def changes(**change):
        return json.dumps({"changes": [values | change]})

    body, path = changes(), "/api/correct"
    for method, where, status, headers in (
        ("GET", "/api/state", 403, {"X_Token": "no"}),
        ("GET", "/api/state", 421, {"Host": f"evil.example:{server.server_port}"}),
        ("GET", "/api/nothing", 400, {}),
        ("GET", "/api/doubtful?name=&address=0%3A0%3A0&step=1&folder=2025&since=", 200, {}),
        ("GET", "/api/page?name=x&number=1", 409, {}),
        ("GET", "/api/alike?name=x&address=1%3A1%3A1", 409, {}),
        ("GET", "/api/alike?name=x&address=1%3A1", 400, {}),
        ("GET", "/api/page?name=x&number=one", 400, {}),
        ("GET", "/../README.md", 404, {}),
        ("POST", path, 403, {"X_Token": "no"}),
        ("POST", path, 403, {"Origin": "http://evil.example"}),
        ("POST", path, 403, {"Origin": "null"}),
        ("POST", "/api/state", 404, {}),
        ("POST", "/api/open", 403, {"Origin": "http://evil.example"}),
        ("GET", "/api/pdf?name=x", 409, {}),
        ("GET", "/api/thumbnail?name=x", 409, {}),
        ("PUT", path, 501, {}),
        ("DELETE", "/", 501, {}),
    ):
        assert ask(server, method, where, body, **headers) == status, (method, where, headers)
    for wrong in (
        *(b"", b"[]", b"{", b"\xff", b'{"name": 1}', b"[" * 5000),
        *(changes(**change).encode() for change in (
            {"text": 5}, {"address": [1, 1]}, {"address": [0, 1, 1]}, {"ink": None},
            {"address": "111"}, {"address": [10**30, 1, 1]}, {"undone": 5}, {"text": math.inf},
            *({"address": [number, 1, 1]} for number in (1.5, True, math.nan, -math.inf)),
        )),
        *(body.replace("[1", f"[{number}, 1").encode() for number in ("1e400", "9" * 5000)),
        *(b'{"changes": %b}' % wrong for wrong in (b"5", b"{}", b'["a"]', b'[{"b": 1}]')),
        *(f'{body[:-3]}, "undone": {number}}}]}}'.encode() for number in ("1e400", "NaN")),
        re.sub(r"\[\d+", "[1e400", body).encode(),
    ):  # fmt: skip
        assert ask(server, "POST", path, wrong) == 400, wrong
    for change in ({"ink": "0" * 16}, {"address": [1, 99, 1]}, {"text": "a\0b"}):
        assert ask(server, "POST", path, changes(**change)) == 409, change
    accepted = {"name": name, "address": [1, 1, 1], "read": "a", "text": "b"}
    for word in ({"read": 1}, {"text": None}, {"address": [0, 1, 1]}, {"ink": "a"}):
        content = json.dumps({"words": [accepted | word]})
        assert ask(server, "POST", "/api/accept", content) == 400, word
    for wrong in ({}, {"kind": 1, "count": 1}, {"kind": "a", "count": "1"}, {"name": 1}):
        assert ask(server, "POST", "/api/confirm", json.dumps(wrong)) == 400, wrong
    assert ask(server, "POST", "/api/open", '{"name": 1}') == 400
    assert ask(server, "POST", path, b" " * (MAX_CORRECTION_BYTES + 1)) == 413
    assert ask(server, "POST", path, b"{}", Content_Length="9" * 5000) == 413
    assert "Okapi" not in stored(viewer)
    assert ask(server, "POST", path, body) == 200
    assert "Okapi" in stored(viewer)


def test_two_viewers_of_a_folder_and_a_full_disk_lose_no_correction(archive, monkeypatch):
    one, other = archive[1](), archive[1]()
    name = "2025/note 2.xopp"
    first, second, third = [*words_of(one, name).items()][:3]
    before = stored(one)

    def correct(viewer, word, text, *undone):
        viewer.correct([Change(name, word[0], word[1]["ink"], text, *undone)])

    correct(one, first, "Gnu")
    correct(other, second, "Kudu")
    assert stored(one) == before | {"Gnu", "Kudu"}

    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr("apps.notes.corrections.write_json", full)
        correct(one, third, "Yak")
    assert stored(one) == before | {"Gnu", "Kudu"}
    correct(one, third, "Yak")
    for viewer in (one, other):
        viewer.scan()
        assert [w["text"] for w in [*words_of(viewer, name).values()][:3]] == ["Gnu", "Kudu", "Yak"]
        assert [hit["word_number"] for hit in viewer.search("kudu", NoteFilter(), 10)["hits"]] == [
            second[0][2]
        ]
    correct(one, third, "Zebu")
    with pytest.raises(UserError, match="corrected again"):
        correct(other, third, None, "Yak")
    correct(other, first, None)
    assert stored(one) == before | {"Kudu", "Zebu"}
