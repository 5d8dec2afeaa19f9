"""The page as static files, below a path of any host, writes and reads with the open networks."""

import pytest

import experiments
from apps.web import site as web_site
from ink.formats.inkml.lines import write_inkml
from ink.reading import read_ink
from tests.apps.web.conftest import ROOT, served
from utils.checks import UserError


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The networks of the page are two small files, which are no networks."""
    networks = [tmp_path / f"{name}.bin" for name in ("open_writer", "open_reader")]
    for path in networks:
        path.write_bytes(b"weights")
    monkeypatch.setattr(web_site, "OPEN_NETWORKS", networks)


def save(folder):
    assert experiments.main(["web", "--networks", "open", "--output", str(folder)]) == 0


def test_a_site_is_replaced_as_a_whole_and_other_folders_are_refused(
    small, tmp_path, monkeypatch, capsys
):
    site = tmp_path / "a" / "site"
    save(site)
    assert "frame-ancestors 'none'" in capsys.readouterr().out
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {"index.html", "LICENSE", "LICENCES.txt", "networks/writer.bin"} < files
    assert not files & {"engine.c", "package.json", "README.md", "view.html"}
    (site / "index.html").write_text("old")
    save(site)
    assert "<!doctype html>" in (site / "index.html").read_text()
    with monkeypatch.context() as patch, pytest.raises(UserError, match="cannot be written"):
        patch.setattr(web_site.shutil, "copyfile", _full_disk)
        save(site)
    (site / "CNAME").write_text("mine")
    with pytest.raises(UserError, match="it has other files, such as CNAME; name a new folder"):
        save(site)
    with pytest.raises(UserError, match="it is no folder"):
        save(site / "CNAME")
    assert (site / "CNAME").read_text() == "mine" and "<!doc" in (site / "index.html").read_text()
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def _full_disk(source, target):
    raise OSError(28, "No space left on device")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_site_below_a_path_writes_and_reads_also_without_its_host(
    start, tmp_path, tmp_path_factory
):
    save(tmp_path / "some" / "path")
    style = read_ink(ROOT / "saved/styles/open_round.json")[0]
    write_inkml(tmp_path / "line.inkml", style.ink, "")
    context = start(tmp_path_factory.mktemp("site_profile"))
    page, errors = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(error))
    with served(tmp_path) as address:
        page.goto(f"{address}/some/path/")
        _write_and_read(page, tmp_path / "line.inkml", style.text)
        for network in ("writer", "reader"):  # kept a little after its use
            while not page.evaluate(f"caches.match('networks/{network}.bin').then(Boolean)"):
                page.wait_for_timeout(20)  # else the test's time limit
    page.reload()  # the host is gone
    _write_and_read(page, tmp_path / "line.inkml", style.text)
    assert page.get_attribute("#licences a", "href") == "LICENCES.txt" and errors == []
    context.close()


def _write_and_read(page, inkml, text):
    """Write a line in a style, and read a file."""
    page.wait_for_selector("#write", state="visible")
    page.wait_for_function("() => document.querySelector('[name=style]').options.length === 11")
    page.select_option("[name=style]", "open_clear")
    page.fill("[name=text]", "Dear Anna")
    page.click("#compose .main")
    page.wait_for_function(
        """() => document.querySelector("#stop").hidden &&
            document.querySelector(".sheet")?.ariaLabel === "Dear Anna\""""
    )
    assert "open_writer: CC BY 4.0" in page.inner_text("#licence")
    assert not page.inner_text("#doubts") and page.is_visible("#licences")
    page.click("nav a[href='#read']")
    page.wait_for_selector("#read-pad", state="visible")
    page.set_input_files("#open-read", inkml)
    page.wait_for_function(
        "(text) => document.querySelector('#text').innerText.trim() === text", arg=text
    )
    page.click("nav a[href='#write']")
