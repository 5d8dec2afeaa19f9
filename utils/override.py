"""Values from the command line that replace those of a config."""

from typing import NamedTuple

from utils.checks import UserError

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
