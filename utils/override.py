"""Values of a config by dotted key, and those from the command line that replace them."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from utils import strict_json
from utils.checks import ABSENT, ConfigFault, UserError, hint
from utils.strict_json import Json

EXAMPLE = "arch.args.hidden_size=64"


class Override(NamedTuple):
    """A value from the command line that replaces one of the config.

    Attributes:
        option: of the command line, for messages.
        key: dotted; None for the root of the config's dataset.
        text: the value as typed.
    """

    option: str
    key: str | None
    text: str

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Parse the `KEY=VALUE` of an -o.

        Raises:
            UserError: if it has another form.
        """
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"-o {text!r} is not KEY=VALUE, like {EXAMPLE}")
        return cls("-o", key, value)

    def set_in(self, values: Json) -> None:
        """Set the value, JSON or else a string, in those of a config.

        The last name of the key may be new, as that of an argument left at its default.

        Raises:
            ConfigFault: if there is no place for it, or it is JSON that is not accepted.
        """
        try:
            value = strict_json.loads(self.text)
        except strict_json.NotJSON:
            value = self.text
        except ConfigFault as fault:
            raise ConfigFault(self.key, self.text, fault.expected) from None
        *parents, last = self.key.split(".")
        holder, place = values, ""
        for name in parents:
            inside, place = children(holder), f"{place}{name}"
            if name == "args" and "type" in inside:
                inside.setdefault("args", {})
            if name not in inside:
                raise ConfigFault(place, ABSENT, f"no such key{hint(name, inside)}")
            holder, place = inside[name], f"{place}."
        if isinstance(holder, dict):
            holder[last] = value
        elif last in children(holder):
            holder[int(last)] = value
        else:
            raise ConfigFault(self.key, ABSENT, f"no such key{hint(last, children(holder))}")


def children(holder: Json) -> dict[str, Json]:
    """Return the values of an object or a list, by name or index as in a dotted key."""
    if isinstance(holder, list):
        return {str(index): child for index, child in enumerate(holder)}
    return holder if isinstance(holder, dict) else {}


def nested(values: Json, key: str = "") -> Iterator[tuple[str, Json]]:
    """Yield all values within others, however deep, with their dotted keys."""
    for name, child in children(values).items():
        yield f"{key}{name}", child
        yield from nested(child, f"{key}{name}.")


def differences(
    before: Mapping[str, Json], now: Mapping[str, Json]
) -> dict[str, tuple[Json, Json]]:
    """Return the values that differ of two configs as `nested` gives them, by key: what it was and
    is, `ABSENT` where there is none. Of objects and lists these are the values in them."""
    pairs = {key: (before.get(key, ABSENT), now.get(key, ABSENT)) for key in {**now, **before}}
    return {
        key: (old, new)
        for key, (old, new) in pairs.items()
        if new != old and not children(new) and not children(old)
    }


def without(values: Json, unwanted: Callable[[str, Json], bool]) -> Json:
    """Return the values of a config without those that are unwanted by their names and values."""
    if isinstance(values, list):
        return [without(v, unwanted) for v in values if not unwanted("", v)]
    if isinstance(values, dict):
        return {k: without(v, unwanted) for k, v in values.items() if not unwanted(k, v)}
    return values
