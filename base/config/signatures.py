"""Reads the arguments of a class's constructor from the signatures of the class and its bases.

The program supplies a constructor's parameters before `*`, by name; a config may set the
keyword-only parameters.
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
    supplied: list[str]  # the names of arguments that the program supplies, in order
    accepted: dict[str, Annotation]  # the arguments that a config may set
    owners: dict[str, type]  # for each accepted argument, the class whose constructor names it
    defaults: dict[str, object]  # the defaults of accepted arguments, where there are any
    construct: Callable[..., object] = operator.call  # takes the class and its arguments
    # By argument, the base to which `cls` has to pass the argument; the binder checks this.
    handed_on: dict[str, type] = field(default_factory=dict)


def arguments_of(cls: type, from_program: Collection[str] = ()) -> Arguments:
    """Read the constructor of `cls`, and the constructors that get its `**options` or `*supplied`.

    Args:
        cls: the class.
        from_program: for a third-party class without the convention, the names that the program
            supplies; a config may then set all other arguments.
    """
    arguments = Arguments(cls, [], {}, {}, {})
    passes_supplied = True
    for owner in owners(cls):
        try:
            # Some annotations of torch use names that torch imports only for type checkers.
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
    """Return the classes whose constructors may get arguments of `cls`: `cls`, its bases, and
    dataclasses that annotate `**options`, as in `Annotated[Any, Settings]`."""
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
