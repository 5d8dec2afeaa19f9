"""What needs an app says so where apps/ is missing."""

import sys

import pytest

import experiments
from parse_config import plan_from_file
from tests.commands.networks import ROOT
from utils.checks import ConfigError, UserError


@pytest.fixture
def no_apps(monkeypatch):
    """The modules of apps/, and of commands that use them, cannot be imported."""
    for name in [*sys.modules]:
        if name.split(".")[0] in ("apps", "commands"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "apps", None)


def test_a_config_that_names_a_class_of_an_app_says_so_in_one_line(no_apps):
    missing = r"a class of apps\.hand\.\w+, which is not installed here"
    with pytest.raises(ConfigError, match=missing) as found:
        plan_from_file(ROOT / "configs" / "own_hand.json").checked()
    assert "Traceback" not in str(found.value)


@pytest.mark.parametrize("name", ["write", "page", "notes"])
def test_a_command_of_an_app_says_so_in_one_line(name, no_apps):
    with pytest.raises(UserError, match=f"^{name} needs apps/, which is not installed here$"):
        experiments.main([name, "a"])
