"""Values of a config by dotted key, and those from the command line that replace them."""

from collections.abc import Callable, Container, Iterator
from typing import Any, NamedTuple

from utils import strict_json
from utils.binding import ABSENT, BadValue, hint
from utils.checks import ConfigFault, UserError

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

    def set_in(self, values: dict[str, Any], key: str) -> BadValue | None:
        """Set the value, JSON or else a string, in a config; return what is wrong with it.

        Args:
            values: of the config.
            key: dotted; its last name may be new, as that of an argument left at its default.
        """
        try:
            value = strict_json.loads(self.text)
        except strict_json.NotJSON:
            value = self.text
        except ConfigFault as fault:
            return BadValue(key, self.text, fault.expected, self.option)
        *parents, last = key.split(".")
        holder: Any = values
        for depth, name in enumerate(parents, 1):
            if name == "args" and "type" in (inside := children(holder)):
                inside.setdefault("args", {})
            if name not in (inside := children(holder)):
                problem = f"no such key{hint(name, inside)}"
                return BadValue(".".join(parents[:depth]), ABSENT, problem, self.option)
            holder = inside[name]
        if isinstance(holder, dict):
            holder[last] = value
        elif last in children(holder):
            holder[int(last)] = value
        else:
            return BadValue(key, ABSENT, f"no such key{hint(last, children(holder))}", self.option)
        return None


def children(holder: Any) -> dict[str, Any]:
    """Return the values of an object or a list, by name or index as in a dotted key."""
    if isinstance(holder, list):
        return {str(index): child for index, child in enumerate(holder)}
    return holder if isinstance(holder, dict) else {}


def named(values: Any, names: Container[str], key: str = "") -> Iterator[str]:
    """Find the keys of all values, but null, that have one of some names."""
    for name, child in children(values).items():
        if name in names and child is not None:
            yield f"{key}{name}"
        else:
            yield from named(child, names, f"{key}{name}.")


def without(values: Any, unwanted: Callable[[str, Any], bool]) -> Any:
    """Return the values of a config without those that are unwanted by their names and values."""
    if isinstance(values, list):
        return [without(v, unwanted) for v in values if not unwanted("", v)]
    if isinstance(values, dict):
        return {k: without(v, unwanted) for k, v in values.items() if not unwanted(k, v)}
    return values


def blocks(values: Any, types: Container[str], key: str = "") -> Iterator[tuple[str, Any]]:
    """Find all blocks whose type is one of `types`, with their keys."""
    if isinstance(values, dict) and isinstance(values.get("type"), str) and values["type"] in types:
        yield key, values
    for name, child in children(values).items():
        yield from blocks(child, types, f"{key}.{name}" if key else name)
