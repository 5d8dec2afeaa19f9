"""Every name that a package lists can be imported from it."""

from importlib import import_module

import pytest

NAMES = [
    (package, name)
    for package in ("apps.notes", "apps.pages", "data_loader", "model", "trainer")
    for name in import_module(package).__all__
]


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_a_listed_name_is_in_its_module(package, name):
    """Otherwise this raises ImportError or AttributeError."""
    getattr(import_module(package), name)
