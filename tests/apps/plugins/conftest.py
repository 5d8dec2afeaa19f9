"""What the tests of the plugins need: npm packages, and plugins that are built with them."""

import shutil
import subprocess

import pytest

from apps.web import flat_file
from model import load
from tests.apps.web.conftest import ROOT

PLUGINS = ROOT / "apps" / "plugins"


@pytest.fixture(scope="session")
def packages():
    """The folder of the npm packages."""
    folder = PLUGINS / "node_modules"
    if shutil.which("node") is None or not (folder / ".package-lock.json").exists():
        pytest.skip("needs Node.js and npm's packages: npm ci --prefix plugins")
    return folder


@pytest.fixture(scope="session")
def build(packages, tmp_path_factory):
    """What builds a plugin, and returns its folder."""
    network = tmp_path_factory.mktemp("network") / "open_reader.bin"
    flat_file.save(network, load("open_reader", "cpu"))

    def built(plugin):
        folder = tmp_path_factory.mktemp(plugin)
        words = ["node", PLUGINS / "build.js", plugin, folder, network]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        assert done.stdout == f"{plugin} is built: {folder}\n"
        assert "CC BY 4.0" in (folder / "LICENCES.txt").read_text()
        assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
        return folder

    return built
