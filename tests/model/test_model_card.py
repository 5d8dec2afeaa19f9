"""The model card of an exported network says what hubs and people ask."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.loading import TrainedNetwork, load
from model.model_card import MARK, model_card
from tests.commands.networks import save
from tests.model.builders import LETTERS
from utils.licences import OPEN, RESEARCH_ONLY


def front_matter(card):
    """Return the values of a card's front matter: YAML of single lines, whose values are JSON."""
    _, front, _ = card.split("---\n", 2)
    mark, *lines = front.splitlines()
    assert mark == MARK and mark.startswith("# ")
    return {name: json.loads(value) for name, value in (line.split(": ", 1) for line in lines)}


@pytest.fixture
def reader(tmp_path):
    return load(save(tmp_path / "mine" / "a.pth", "CTCNetwork", alphabet=LETTERS), "cpu")


def test_a_card_names_task_characters_and_validation(reader):
    metrics = {"ctc_loss": 9.25, "valid_cer": 0.125, "valid_wer": 0.5, "valid_other": 7.0}
    card = model_card(replace(reader, record=reader.record | {"metrics": metrics}), "a.safetensors")
    values = front_matter(card)
    assert values["library_name"] == "online-handwriting"
    assert "handwriting-recognition" in values["tags"]
    assert values["metrics"] == ["cer", "wer"] and values["language"] == ["en"]
    assert "# mine\n" in card and "abcdefgh \n```" in card
    assert f"{reader.model.num_parameters:,} parameters" in card
    assert "| valid_cer | 0.125 |" in card and "9.25" not in card
    assert 'load("a.safetensors")\nprint(network.read(ink))' in card


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        (OPEN, {"license": "cc-by-4.0"}),
        (RESEARCH_ONLY, {"license": "other", "license_name": RESEARCH_ONLY}),
        ("of my school", {"license": "other", "license_name": "of my school"}),
        (None, {"license": "unknown"}),
    ],
)
def test_the_licence_has_the_name_that_hubs_know_or_its_own(reader, licence, expected):
    card = model_card(replace(reader, record=reader.record | {"licence": licence}), "a.safetensors")
    values = front_matter(card)
    assert {name: values[name] for name in values if "license" in name} == expected
    assert (licence or "that of the lines with which it was trained") in card


@pytest.mark.parametrize(
    ("characters", "languages"), [("aé", ["multilingual"]), ("0123", None), ("aZ1", ["en"])]
)
def test_languages_are_those_of_the_letters(reader, characters, languages):
    record = reader.record | {"alphabet": [*characters]}
    card = model_card(replace(reader, record=record), "a.safetensors")
    assert front_matter(card).get("language") == languages


def test_the_card_of_a_network_that_neither_reads_nor_writes_claims_neither(reader):
    card = model_card(
        TrainedNetwork(reader.model, reader.path, reader.device, reader.record), "a.pth"
    )
    assert "A network for online handwriting" in card and "print(network.model)" in card
    assert front_matter(card)["tags"] == ["online-handwriting", "pytorch"]


def test_the_card_of_a_shipped_network_has_its_limits_and_the_attribution_of_its_data():
    network = load("open_writer", "cpu")
    for path in (network.path, Path("elsewhere.pth")):
        card = model_card(replace(network, path=path), "model.safetensors")
        is_shipped = path == network.path
        assert ("10.5281/zenodo.1195803" in card) == is_shipped
        assert ("It is harder to read than `writer`" in card) == is_shipped
        assert "](" not in card and "\n## conditional" not in card
        assert 'network.write("Hello").save("line.svg")' in card
