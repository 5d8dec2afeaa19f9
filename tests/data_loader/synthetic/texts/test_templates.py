"""Templates and what their fields stand for."""

import re

import numpy as np
import pytest

from data_loader.synthetic.texts.templates import Draws, fill

FIELDS = {
    "name": ["ann", "bob"],
    "pair": ["{name} & {name}"],
    "loud": lambda draws: f"{draws.between(5, 5)} TIMES",
}


def filled(template, count=400):
    draws = Draws(np.random.default_rng(0))
    return {fill(template, FIELDS, draws) for _ in range(count)}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{name}", {"ann", "bob"}),
        ("{pair}!", {"ann & ann!", "ann & bob!", "bob & ann!", "bob & bob!"}),
        ("{loud}", {"5 TIMES"}),
        ("{loud:lower}", {"5 times"}),
        ("{name:upper}", {"ANN", "BOB"}),
        ("{name:capital}", {"Ann", "Bob"}),
        ("{name:initial}.", {"A.", "B."}),
        ("{x y|:|}", {"x y", ":", ""}),
        ("{8-11}", {"8", "9", "10", "11"}),
        ("{08-11}", {"08", "09", "10", "11"}),
        ("{0-1}.", {"0.", "1."}),
        ("no <field> [here]", {"no <field> [here]"}),
        ("{{0-1}|x{0-1}}", {"0", "1", "x0", "x1"}),
        ("{who={name}}{who}{ }{who:capital}", {"ann Ann", "bob Bob"}),
        ("{}} {", {"} {"}),
    ],
)
def test_a_field_stands_for_its_choices(template, expected):
    assert filled(template) == expected


def test_a_mask_stands_for_characters_of_its_classes():
    shape = re.compile(r"[A-Z][a-z]-[0-9]\.[A-Z0-9][A-Za-z0-9]")
    drawn = filled("{#Aa-9.Xx}", 2000)
    assert all(shape.fullmatch(text) for text in drawn)
    assert len({text[0] for text in drawn}) == len({text[1] for text in drawn}) == 26
    assert [len({text[place] for text in drawn}) for place in (3, 5, 6)] == [10, 36, 62]
