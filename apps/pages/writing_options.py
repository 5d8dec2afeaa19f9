"""Options of commands that write: lines, the hand, and the settings of --set."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from apps.pages.page_options import (
    JOINED_BIAS,
    LOOK_PARSERS,
    OWN,
    PageOptions,
    PrimerFile,
    Values,
    choice,
    key_of,
    parse_value,
)
from apps.pages.source_text import known_only
from apps.pages.styles import styles
from ink.alphabet import Alphabet
from model.generation.line import Sampling
from utils.checks import UserError, listed, number


def extras(text: str) -> dict[str, list[float]]:
    """Parse the numbers of an extra."""
    name, _, values = text.partition("=")
    if not name or not values:
        raise UserError(f"{text!r}: must be NAME=NUMBER,NUMBER")
    return {name: [*map(number(float, -1e6, 1e6), values.split(","))]}


def primer_scale(text: str) -> float | str:
    """Parse the scale of a primer: a factor, or `auto`."""
    return text if text == "auto" else number(float, 1e-6, 1e6)(text)


def yes_or_no(text: str) -> bool:
    """Parse `yes` or `no`."""
    return choice(text, Literal["yes", "no"]) == "yes"


def shown_kinds(text: str) -> dict[str, bool]:
    """Parse the kinds of pictures that show how a network works; several texts add up."""
    kind = Literal["density", "window", "weights"]
    return {choice(name, kind): True for name in text.split(",")}


KEYS: dict[str, Callable[[str], Any]] = LOOK_PARSERS | {
    "line_height": number(float, 0.5, 500),
    "ruling_spacing": number(float, 1, 100),
    "pen_sharpness": number(float, 0, 100),
    "extras": extras,
    "primer_text": str,
    "primer_number": number(int, 0),
    "primer_scale": primer_scale,
    "inkml": yes_or_no,
    "show": shown_kinds,
    "lines_per_hand": number(int, 1, 1_000_000),
}
"""The function that parses the value of each key of --set; keys of front matter come first."""
PRIMER_KEYS = ("primer_text", "primer_number", "primer_scale")


class Setting(NamedTuple):
    """A value on the command line: the option, its key of --set, and the value's text."""

    option: str
    key: str
    text: str

    @classmethod
    def of_set(cls, text: str) -> "Setting":
        """Parse the value of --set."""
        key, equals, value_text = text.partition("=")
        if not equals:
            raise UserError(f"{text!r}: must be KEY=VALUE, such as size=3")
        return cls("--set", key_of(key.strip()), value_text)


SETTING: dict[str, Any] = {"dest": "settings", "action": "append", "default": []}
"""Arguments of `add_argument` for --set, and for each option that stands for a key of --set."""
SHARED = {
    "--bias": {
        **SETTING,
        "type": partial(Setting, "--bias", "bias"),
        "metavar": "B",
        "help": "0: as varied as the training data; 1 and more: an average, very legible hand; the "
        "paper calls 0.15 a good balance; briefly trained networks need more "
        f"(default: {Sampling.bias:g}, joined hands {JOINED_BIAS:g})",
    },
    "--primer": {
        "type": Path,
        "metavar": "FILE",
        "help": "ink whose handwriting is continued instead, in any format that `read` accepts",
    },
    "--skip-unknown": {
        "action": "store_true",
        "help": "leave out characters that the network does not know (default: they are an error)",
    },
    "--tries": {
        "type": number(int, 1, 100),
        "metavar": "N",
        "help": f"most tries of a word that is proofread (default: {PageOptions.tries})",
    },
}
"""Options of several commands: the arguments of `add_argument` by name."""


def add_shared(parser: argparse._ActionsContainer, *names: str) -> None:
    """Add options of `SHARED`."""
    for name in names:
        parser.add_argument(name, **SHARED[name])


def add_set(parser: argparse._ActionsContainer, meaning: str) -> None:
    """Add --set."""
    meaning = f"{meaning}; may be given several times"
    parser.add_argument("--set", **SETTING, type=Setting.of_set, metavar="KEY=VALUE", help=meaning)


def add_style(parser: argparse._ActionsContainer, meaning: str) -> None:
    """Add --style; `meaning` describes the default."""
    names = ", ".join([*styles(), OWN])
    text = f"hand to write in: {names} (another hand with each seed), a file that `style make` "
    text += f"saved, or a mix such as flowing:0.3,round:0.7 (default: {meaning})"
    parse = partial(Setting, "--style", "style")
    parser.add_argument("--style", **SETTING, type=parse, metavar="NAME|FILE", help=text)


def values_of(arguments: argparse.Namespace, names: Iterable[str]) -> Values:
    """Return the values of --set, and of the options that stand for its keys, by key; `names` are
    the keys that the command takes.

    Raises:
        UserError: if settings have faults; names all of them.
    """
    keys = {name: KEYS[name] for name in names}
    values: Values = {}
    faults = []
    for option, key, text in arguments.settings:
        try:
            new = parse_value(key, text, keys)
        except UserError as error:
            location = f"--set {key}" if option == "--set" else option
            faults.append(f"{location}: {error}")
            continue
        if isinstance(new, dict):  # as of `extras`, which may be given several times
            new = values.get(key, {}) | new
        values[key] = new
    if faults:
        raise UserError(listed("the command line", faults) if len(faults) > 1 else faults[0])
    return values


def add_lines(parser: argparse._ActionsContainer, *, samples: str, steps: str) -> None:
    """Add --num-samples and --steps; `samples` and `steps` are their help texts."""
    steps = f"maximum number of pen steps in a line ({steps})"
    parser.add_argument("--num-samples", type=number(int, 1, 10_000), metavar="N", help=samples)
    parser.add_argument("--steps", type=number(int, 1, 100_000), metavar="N", help=steps)


def without_unknown(alphabet: Alphabet, texts: Sequence[str], skip: bool | None) -> list[str]:
    """Return `texts` without unknown characters, see `source_text.known_only`; print these."""
    known_texts, left_out = known_only(alphabet, texts, skip)
    if left_out:
        print(left_out)
    return known_texts


def primer_of(arguments: argparse.Namespace, values: Values) -> PrimerFile | None:
    """Return the primer of --primer, and remove the keys of the primer from `values`, of --set.

    Raises:
        UserError: if `values` have a style as well, or say something of a primer that is missing.
    """
    settings = {}
    for name in ("text", "number", "scale"):
        if f"primer_{name}" in values:
            settings[name] = values.pop(f"primer_{name}")
    if settings and not arguments.primer:
        raise UserError(f"primer_{next(iter(settings))} is for --primer, which is not given")
    if arguments.primer and "style" in values:
        raise UserError("--style and --primer: only one of them can be the hand")
    return PrimerFile(arguments.primer, **settings) if arguments.primer else None
