"""The pinned requirements: complete, and each with the hashes of its files."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = {
    "requirements.txt": PROJECT["dependencies"] + EXTRAS["train"],
    "requirements-dev.txt": PROJECT["dependencies"] + EXTRAS["dev"] + EXTRAS["remarkable"],
}
"""What each file pins, with all that it needs."""
UNPINNED = "torch"
"""Its hashes differ between the builds for CPUs and GPUs: the Makefile installs it."""


def pinned(name):
    """Return the requirements in a file by name, and their options."""
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    parts = [re.split(r"\s+(?=--)", line.strip()) for line in lines]
    requirements = [(Requirement(first), options) for first, *options in parts]
    return {canonicalize_name(each.name): (each, options) for each, options in requirements}


def test_there_are_no_other_files_of_requirements():
    assert {path.name for path in ROOT.glob("*requirements*")} == ASKED.keys()


@pytest.mark.parametrize("name", ASKED)
def test_each_requirement_is_one_version_with_hashes_and_comes_from_no_named_place(name):
    assert "://" not in (ROOT / name).read_text()
    for requirement, options in pinned(name).values():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert options, f"{requirement} has no hash"
        for option in options:
            assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option), requirement


@pytest.mark.parametrize("name", ASKED)
def test_what_pyproject_asks_for_is_pinned_within_its_range_and_with_its_marker(name):
    pins = pinned(name)
    for requirement in map(Requirement, ASKED[name]):
        if requirement.name == UNPINNED:
            assert UNPINNED not in pins
            continue
        pin, _ = pins[canonicalize_name(requirement.name)]
        (version,) = pin.specifier
        assert version.version in requirement.specifier, requirement
        for python in ("3.11.4", "3.13.9", "3.14.0"):
            environment = {"python_version": python[:4], "python_full_version": python}
            markers = [each.marker for each in (pin, requirement)]
            needed = [marker is None or marker.evaluate(environment) for marker in markers]
            assert needed[0] == needed[1], (requirement, python)


@pytest.mark.parametrize("name", ASKED)
def test_what_a_pinned_package_needs_is_pinned(name):
    """As installed here: pip takes the file as it is, as rmscene asks for an older packaging."""
    pins = pinned(name)
    for package, (pin, _) in pins.items():
        if pin.marker is None or pin.marker.evaluate():
            for needed in map(Requirement, metadata.requires(package) or ()):
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    assert canonicalize_name(needed.name) in pins, (package, needed)


def test_the_files_agree():
    first, second = map(pinned, ASKED)
    shared = first.keys() & second.keys()
    assert shared
    assert not {name for name in shared if first[name][0].specifier != second[name][0].specifier}
