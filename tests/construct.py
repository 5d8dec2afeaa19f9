"""Makes objects of the flat arguments of a config."""

from typing import Any

from base.config.binder import signature_of


def construct(cls: type, *supplied: Any, **arguments: Any) -> Any:
    """Return an object of a class, of what the program supplies and of arguments of a config."""
    return cls(*supplied, **signature_of(cls).keywords(arguments))
