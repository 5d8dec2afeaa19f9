"""Values from the command line that replace values of a config."""

from collections.abc import Sequence
from typing import NamedTuple

from utils import strict_json
from utils.checks import ABSENT, ConfigFault, UserError, hint
from utils.strict_json import Json, children

EXAMPLE = "arch.args.hidden_size=64"
CACHE = "cache"
"""A key that ends in this name sets a folder to write to; the default is beside the data. Only the
command line may set it, so that an untrusted config cannot choose where the program writes."""


class Override(NamedTuple):
    """A value from the command line that replaces a value of the config.

    Attributes:
        option: the command-line option, for messages.
        key: the dotted key; None for the key that `root_key` returns.
        text: the value as typed, JSON or a string.
    """

    option: str
    key: str | None
    text: str

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Parse the argument `KEY=VALUE` of an option -o.

        Raises:
            UserError: if the text has no `=`.
        """
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"-o {text!r} is not KEY=VALUE, like {EXAMPLE}")
        return cls("-o", key, value)

    def set_in(self, values: Json) -> None:
        """Set the value in the values of a config; a text that is not JSON is set as a string.

        The last name of the key may be new, as for an argument that the config leaves out.

        Raises:
            ConfigFault: if the config lacks a parent of the key, or the JSON is not accepted.
        """
        try:
            value = strict_json.loads(self.text)
        except strict_json.NotJSON:
            value = self.text
        except ConfigFault as fault:
            raise ConfigFault(self.key, self.text, fault.expected) from None
        *parents, last = self.key.split(".")
        holder, parent = values, ""
        for name in parents:
            members, parent = children(holder), f"{parent}{name}"
            if name == "args" and "type" in members:
                members.setdefault("args", {})
            if name not in members:
                raise ConfigFault(parent, ABSENT, f"no such key{hint(name, members)}")
            holder, parent = members[name], f"{parent}."
        if isinstance(holder, dict):
            holder[last] = value
        elif last in children(holder):
            holder[int(last)] = value
        else:
            raise ConfigFault(self.key, ABSENT, f"no such key{hint(last, children(holder))}")


def option_of(key: str, overrides: Sequence[Override]) -> str:
    """Return the option that last set a key or its parent; "" if no option did."""
    for override in reversed(overrides):
        if f"{key}.".startswith(f"{override.key}."):
            return override.option
    return ""
