"""Every name that a package lists can be imported from it."""

from importlib import import_module
from importlib.util import find_spec

import pytest

APPS = ("apps.hand", "apps.notes", "apps.pages") if find_spec("apps") else ()
PACKAGES = ("data_loader", "model", "trainer", *APPS)
NAMES = [(package, name) for package in PACKAGES for name in import_module(package).__all__]


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_a_listed_name_is_in_its_module(package, name):
    """Otherwise this raises ImportError or AttributeError."""
    getattr(import_module(package), name)
