"""What goes wrong in the code of a part becomes a fault of the config that names the part."""

from collections.abc import Iterator
from contextlib import contextmanager

from base.distributed import Lost
from utils.checks import ConfigFault, UserError, described


@contextmanager
def trying(key: str, part: object, wanted: str, hint: str = "") -> Iterator[None]:
    """A block in which an error in the code of `part` becomes a ConfigFault for `key`; `wanted`
    says what is expected of the code, and `hint` ends the message."""
    try:
        yield
    except (UserError, OSError, Lost):
        raise
    except Exception as error:
        expected = f"{wanted}: trying it ended in {described(error)}{hint}"
        raise ConfigFault(key, type(part).__name__, expected) from error
