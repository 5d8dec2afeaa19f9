"""The page in Firefox, with its true worker, driven by WebDriver BiDi."""

import asyncio
import json
import shutil
import subprocess

import pytest

from handwriting import flat_file
from model import load
from tests.web.conftest import ROOT, served

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
websocket = pytest.importorskip("tornado.websocket", reason="needs tornado, which ipykernel has")

needs_firefox = pytest.mark.skipif(not FIREFOX, reason="needs Firefox: apt-get install firefox-esr")
pytestmark = [pytest.mark.slow, needs_firefox]


async def text_of_a_stroke(address, url):
    """Draw a stroke downwards on the page, and return what it is read as."""
    firefox = await websocket.websocket_connect(f"{address}/session")

    async def call(method, **params):
        await firefox.write_message(json.dumps({"id": 1, "method": method, "params": params}))
        answer = json.loads(await firefox.read_message())
        assert answer["type"] == "success", answer
        return answer["result"]

    async def true(expression):
        """Wait until an expression is true, and return its value."""
        look = f"() => {{ const value = {expression}; if (value) done(value); }}"
        promise = f"new Promise((done) => setInterval({look}, 50))"
        params = dict(expression=promise, target={"context": tab}, awaitPromise=True)
        return (await call("script.evaluate", **params))["result"]["value"]

    await call("session.new", capabilities={})
    tab = (await call("browsingContext.getTree"))["contexts"][0]["context"]
    await call("browsingContext.navigate", context=tab, url=url, wait="complete")
    await true("document.querySelector('#read-pad').clientWidth")
    way = [dict(type="pointerMove", x=200, y=y, duration=20) for y in range(240, 310, 10)]
    down, up = (dict(type=f"pointer{kind}", button=0) for kind in ("Down", "Up"))
    mouse = dict(type="pointer", id="mouse", actions=[way[0], down, *way[1:], up])
    await call("input.performActions", context=tab, actions=[mouse])
    return await true("document.querySelector('#text').innerText.trim()")


def test_a_stroke_is_drawn_and_read(tmp_path):
    folder = shutil.copytree(ROOT / "web", tmp_path / "web", dirs_exist_ok=True)
    (folder / "networks").mkdir(exist_ok=True)
    flat_file.save(folder / "networks" / "reader.bin", load("reader", "cpu"))
    words = [FIREFOX, "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile"]
    firefox = subprocess.Popen([*words, tmp_path], stderr=subprocess.PIPE, text=True)
    with served(folder) as url, firefox:
        try:
            address = next(line.split()[-1] for line in firefox.stderr if "BiDi listening" in line)
            assert asyncio.run(text_of_a_stroke(address, f"{url}/#read")) in list("lI1|")
        finally:
            firefox.kill()
