"""Texts from templates with fields, such as `{first} {last}, {1-99} {street|road}`."""

import re
import string
from collections.abc import Callable, Mapping, Sequence

from data_loader.synthetic.corpus import Draws, capital

Fields = Mapping[str, Sequence[str] | Callable[[Draws], str]]
"""By name what a field stands for: one of several texts or templates, or what a function draws."""

FIELD = re.compile(r"\{([^{}]+)\}")
NUMBER = re.compile(r"(\d+)-(\d+)")
FORMS: Mapping[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "capital": capital,
    "initial": lambda text: text[0].upper(),
}
CLASSES = {
    "9": string.digits,
    "A": string.ascii_uppercase,
    "a": string.ascii_lowercase,
    "X": string.ascii_uppercase + string.digits,
    "x": string.ascii_letters + string.digits,
}
"""Characters that those of a mask stand for."""


def fill(template: str, fields: Fields, draws: Draws) -> str:
    """Return a template with each of its fields drawn anew.

    A field is in braces one of:
        `name`: one of the texts of that name in `fields`, whose own fields are filled as well;
            `name:lower`, `:upper`, `:capital` (the first letter) and `:initial` give it that form;
        `one|two|`: one of the texts between the bars;
        `2-99`: a whole number from 2 to 99; `00-59` one of two digits, `07` for 7;
        `#AA-99`: a mask, see `CLASSES`; what is no class stands for itself.

    Raises:
        KeyError: if there is no such field or form.
    """
    return FIELD.sub(lambda match: _value(match[1], fields, draws), template)


def _value(field: str, fields: Fields, draws: Draws) -> str:
    if field.startswith("#"):
        return "".join(draws.pick(CLASSES.get(one, one)) for one in field[1:])
    if "|" in field:
        return draws.pick(field.split("|"))
    if bounds := NUMBER.fullmatch(field):
        low, high = bounds.groups()
        width = len(low) if low[0] == "0" else 0
        return f"{draws.between(int(low), int(high)):0{width}}"
    name, _, form = field.partition(":")
    choices = fields[name]
    text = choices(draws) if callable(choices) else fill(draws.pick(choices), fields, draws)
    return FORMS[form](text) if form else text
