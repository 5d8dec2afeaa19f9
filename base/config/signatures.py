"""The arguments of constructors, read off the signatures of a class and its bases.

The program supplies a constructor's parameters before `*`, by their names; a config may set the
keyword-only ones.
"""

import collections.abc
import inspect
import operator
import typing
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, is_dataclass
from typing import Annotated, Any, TypeAlias, get_args, get_origin

Annotation: TypeAlias = Any
"""A type, or a form of `typing` such as `Literal["a", "b"]`."""

POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
KEYWORD = inspect.Parameter.KEYWORD_ONLY


@dataclass(eq=False)
class Arguments:
    """The arguments of a class's constructor."""

    cls: type
    supplied: list[str]  # by the program, in order
    accepted: dict[str, Annotation]  # from a config
    owners: dict[str, type]  # for each accepted argument, the class whose constructor names it
    defaults: dict[str, object]  # of the accepted arguments that may be left out
    construct: Callable[..., object] = operator.call  # takes the class and its arguments
    handed_on: dict[str, type] = field(default_factory=dict)  # the items of `owners` to check


def arguments_of(cls: type, from_program: Collection[str] = ()) -> Arguments:
    """Read the constructor of `cls`, and the constructors that get its `**options` or `*supplied`.

    Args:
        cls: the class.
        from_program: the names that the program supplies, for a third-party class that does not
            follow the convention; all other arguments are accepted then.
    """
    arguments = Arguments(cls, [], {}, {}, {})
    passes_supplied = True
    for owner in owners(cls):
        try:
            # torch imports some names of its annotations for type checkers only.
            names = vars(collections.abc)
            hints = typing.get_type_hints(owner.__init__, localns=names, include_extras=True)
        except NameError:
            hints = {}
        _, *parameters = inspect.signature(owner.__init__).parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        for parameter in parameters:
            name, kind = parameter.name, parameter.kind
            if name in from_program if from_program else kind is POSITIONAL:
                arguments.supplied.extend([name] if passes_supplied else [])
            elif kind in (KEYWORD, POSITIONAL) and name not in arguments.accepted:
                arguments.accepted[name], arguments.owners[name] = hints.get(name, Any), owner
                if parameter.default is not parameter.empty:
                    arguments.defaults[name] = parameter.default
        passes_supplied = passes_supplied and inspect.Parameter.VAR_POSITIONAL in kinds
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return arguments


def owners(cls: type) -> list[type]:
    """Return the classes whose constructors arguments of `cls` may reach: itself, its bases, and
    dataclasses by which `**options` are annotated, as `Annotated[Any, Settings]`."""
    classes = []
    for owner in (base for base in cls.__mro__ if "__init__" in vars(base)):
        classes.append(owner)
        for hint in getattr(owner.__init__, "__annotations__", {}).values():
            classes += filter(is_dataclass, get_args(hint)) if get_origin(hint) is Annotated else ()
    return classes


def by_name(offered: Iterable[object], base: Annotation) -> dict[str, type]:
    """Return the classes among `offered` that are `base` or its subclasses, by name."""
    if not isinstance(base, type):
        return {}
    return {cls.__name__: cls for cls in offered if isinstance(cls, type) and issubclass(cls, base)}
