"""Binding of plain values, as from JSON, to the annotated parameters of constructors.

An object is described as `{"type": NAME, "args": {...}}`. The annotations of a constructor's
parameters say which values of "args" fit: `int`, `float`, `bool`, `str`, `Literal`, `X | None`;
`list`, `tuple` and `dict` of these; `Annotated[int, Range(low, high)]` for bounds; and a base class
for an object within the object. `Annotated[dict[str, X], reading]` is for objects by name: each may
have the name of one before it in the place of an object. `reading` returns how the arguments of
their classes are read, of how they would be read elsewhere. Binding makes no object: it gives a
`Part` for each.
"""

import collections.abc
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Annotated, Any, Literal, get_args, get_origin

from base.config import user_modules
from base.config.signatures import Annotation, Arguments, arguments_of
from utils import strict_json
from utils.checks import ABSENT, NOTHING, ConfigFault, UserError, described, hint, shown
from utils.strict_json import Config, Json

UNIONS = (typing.Union, types.UnionType)
SEQUENCES = (list, tuple, collections.abc.Iterable, collections.abc.Sequence)
DESCRIPTIONS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    types.NoneType: "null",
}
MAX_INTEGER = 2**63 - 1
"""The largest number in a tensor of int64."""
OBJECT_DESCRIPTION = 'an object {"type": ..., "args": {...}}'


@dataclass(frozen=True)
class Outcome:
    """What binding or building gives for a value of a config."""

    value: Any = None
    """The value, or None if there are faults: after binding a plain value, a `Part`, or a list,
    tuple or dictionary of these; after building, with objects in the place of parts."""
    faults: tuple[ConfigFault, ...] = ()
    defaults: Mapping[str, Json] = field(default_factory=dict)
    """By dotted key, the plain defaults that classes give their bases; known after building."""

    def sound(self) -> Any:
        """Return the value; raise the first fault if there is one."""
        for fault in self.faults:
            raise fault
        return self.value

    @classmethod
    def gathered(cls, value: Any, outcomes: Iterable["Outcome"]) -> "Outcome":
        """Return the outcome of a value that is made of others."""
        faults, defaults = (), {}
        for outcome in outcomes:
            faults += outcome.faults
            defaults |= outcome.defaults
        return cls(value, faults, defaults)


def refused(key: str, value: object, expected: str) -> Outcome:
    """Return the outcome of a value that does not fit."""
    return Outcome(faults=(ConfigFault(key, value, expected),))


@dataclass(frozen=True)
class Part:
    """A class with its bound arguments, of which objects are built."""

    arguments: Arguments
    key: str
    """The dotted key of the object's description in the config."""
    values: Mapping[str, Any]
    """The bound arguments by name."""
    defaults: Mapping[str, Json]
    """The plain defaults of arguments that are left out."""

    @property
    def cls(self) -> type:
        """The class."""
        return self.arguments.cls

    def build(self, supplied: Mapping[str, Any], named: Mapping[str, Any] = NOTHING) -> Outcome:
        """Build the object, and check that its bases got their arguments.

        Args:
            supplied: by name, the arguments that the program passes; if one lacks that the
                constructor needs, only the objects within the object are built.
            named: the objects that stand for a `Named`, by name.
        """
        parts = {name: build(value, named=named) for name, value in self.values.items()}
        whole = Outcome.gathered(None, parts.values())
        if whole.faults or not supplied.keys() >= {*self.arguments.supplied}:
            return whole
        values = {name: part.value for name, part in parts.items()}
        arguments = self.arguments
        try:
            positional = [supplied[name] for name in arguments.supplied]
            result = arguments.construct(arguments.cls, *positional, **values)
        except ConfigFault as fault:
            key = ".".join(filter(None, (self.key, "args", fault.key)))
            return refused(key, fault.value, fault.expected)
        except (UserError, OSError):
            raise
        except Exception as error:  # A user's class may raise anything.
            problem = f"its constructor ended in {described(error)}"
            return refused(f"{self.key}.type", arguments.cls.__name__, problem)
        handed_on = [self._handed_on(result, name, values) for name in arguments.handed_on]
        return Outcome.gathered(result, [whole, *handed_on])

    def _handed_on(self, result: object, name: str, values: Mapping[str, Any]) -> Outcome:
        """Check that a base got an argument; if the argument was left out, find its default."""
        # A base keeps an argument as an attribute of `result`, or of a dataclass that `result` has.
        owner, key = self.arguments.handed_on[name], f"{self.key}.args.{name}"
        holders = (part for part in (result, *vars(result).values()) if isinstance(part, owner))
        value = getattr(next(holders, None), name, ABSENT)
        if name not in values:  # The default is what the class gives its base.
            default = _plain_default(self.arguments.accepted[name], value)
            return Outcome(defaults={key: default.value} if default else {})
        if {type(value), type(values[name])} <= DESCRIPTIONS.keys() and value != values[name]:
            problem = f"{self.cls.__name__} does not hand it on: super().__init__(..., **options)"
            return refused(key, values[name], problem)
        return Outcome()


@dataclass(frozen=True)
class Named:
    """A name in the place of an object, which stands before it."""

    name: str
    part: Part | None
    """The object's part; None if its description has faults."""


def build(
    bound: Any, supplied: Mapping[str, Any] = NOTHING, named: Mapping[str, Any] = NOTHING
) -> Outcome:
    """Build the objects of a bound value.

    Args:
        bound: the value of an outcome of `Binder.bind`.
        supplied: by name, the arguments that the program passes to the value's own constructors, or
            to those of its elements, but not to those of objects within objects.
        named: the objects that stand for a `Named`, by name.
    """
    if isinstance(bound, Part):
        return bound.build(supplied, named)
    if isinstance(bound, Named):
        return Outcome(named[bound.name])
    if isinstance(bound, list | tuple):
        elements = [build(element, supplied, named) for element in bound]
        return Outcome.gathered(type(bound)(part.value for part in elements), elements)
    if isinstance(bound, dict):
        members: dict[str, Outcome] = {}
        for name, member in bound.items():
            built = {name: outcome.value for name, outcome in members.items()}
            members[name] = build(member, named={**named, **built})
            if members[name].faults:  # What is made of this object cannot be built.
                break
        value = {name: member.value for name, member in members.items()}
        return Outcome.gathered(value, members.values())
    return Outcome(bound)


def parts(bound: Any) -> Iterator[Part]:
    """Yield the parts in a bound value, at any depth, outer parts first."""
    if isinstance(bound, Part):
        yield bound
        yield from parts(bound.values)
    elif isinstance(bound, list | tuple | Mapping):
        for element in bound.values() if isinstance(bound, Mapping) else bound:
            yield from parts(element)


class Binder:
    """Binds plain values to annotations.

    Args:
        choices: returns, for an annotation, the classes that a config may name, by name; {} if the
            annotation is not a class.
        arguments: returns the arguments of a class's constructor.
        named: by name, the parts of objects whose names may stand in the place of an object.
    """

    def __init__(
        self,
        choices: Callable[[Annotation], Mapping[str, type]],
        arguments: Callable[[type], Arguments] = arguments_of,
        named: Mapping[str, Part | None] = NOTHING,
    ) -> None:
        self.choices, self.arguments, self.named = choices, arguments, named

    def bind(
        self, annotation: Annotation, value: Json, key: str, supplied: Collection[str] = ()
    ) -> Outcome:
        """Bind the plain value at a key.

        Args:
            annotation: the annotation of the parameter.
            value: the plain value in the config; `ABSENT` if the config lacks it.
            key: the value's dotted key, for messages.
            supplied: the names of the arguments that the program passes to each constructor.
        """
        origin, members = get_origin(annotation), get_args(annotation)
        if value is ABSENT:
            return refused(key, value, f"is missing: {self._wanted(annotation)}")
        if annotation is Any:
            return Outcome(value)
        if origin in UNIONS:
            return self._bind_member(annotation, value, key, supplied)
        if origin is Annotated and callable(members[1]):
            return self._bind_named(*members, value, key)
        if isinstance(value, str) and value in self.named and self.choices(annotation):
            part = self.named[value]
            if part is None or issubclass(part.cls, annotation):
                return Outcome(Named(value, part))
        if isinstance(value, list) and origin in SEQUENCES:
            size = _size(annotation)
            if size in (None, len(value)):
                kinds = repeat(members[0]) if size is None else members
                elements = [
                    self.bind(kind, element, f"{key}.{index}", supplied)
                    for index, (kind, element) in enumerate(zip(kinds, value, strict=False))
                ]
                values = (tuple if origin is tuple else list)(part.value for part in elements)
                return Outcome.gathered(values, elements)
        elif isinstance(value, dict) and origin is dict:
            bound = {name: self.bind(members[1], value[name], f"{key}.{name}") for name in value}
            values = {name: part.value for name, part in bound.items()}
            return Outcome.gathered(values, bound.values())
        elif isinstance(value, dict) and self.choices(annotation):
            return self._bind_object(annotation, value, key, supplied)
        elif _fits(annotation, value):
            return Outcome(float(value) if float in (annotation, *members[:1]) else value)
        return refused(key, value, self._wanted(annotation))

    def _bind_member(
        self, union: Annotation, value: Json, key: str, supplied: Collection[str]
    ) -> Outcome:
        """Bind a value to the first member of a union that it fits."""
        misfit = refused(key, value, self.described(union))
        for member in get_args(union):
            outcome = self.bind(member, value, key, supplied)
            if not outcome.faults:
                return outcome
            if outcome.faults[0].key != key:  # the fault is within a list or an object
                misfit = outcome
        return misfit

    def _bind_named(
        self, annotation: Annotation, reading: Callable[..., Any], value: Json, key: str
    ) -> Outcome:
        """Bind an object of objects by name, in their order."""
        if not isinstance(value, dict):
            return refused(key, value, self._wanted(annotation))
        outcomes, named = {}, {}
        for name, member in value.items():
            binder = Binder(self.choices, reading(self.arguments), dict(named))
            outcomes[name] = binder.bind(get_args(annotation)[1], member, f"{key}.{name}")
            if member is not None:
                named[name] = outcomes[name].value
        values = {name: outcome.value for name, outcome in outcomes.items()}
        return Outcome.gathered(values, outcomes.values())

    def _bind_object(
        self, base: type, value: Config, key: str, supplied: Collection[str]
    ) -> Outcome:
        """Bind the description of an object of a class of `base`."""
        outcomes, classes = [], self.choices(base)
        for name in (name for name in value if name not in ("type", "args")):
            expected = 'unknown key; an object has "type" and "args"'
            outcomes.append(refused(f"{key}.{name}", value[name], expected))
        kind, args = value.get("type", ABSENT), value.get("args", {})
        if not isinstance(kind, str) or kind not in classes:
            problem = "is missing" if kind is ABSENT else "unknown type"
            expected = f"{problem}{hint(kind, classes)}; --module FILE adds classes of your own"
            for cls in (cls for cls in user_modules.classes() if cls.__name__ == kind):
                wanted = f"a class that inherits from {base.__name__} (of {base.__module__})"
                expected = f"{wanted}; that of {cls.__module__}.py does not"
            outcomes.append(refused(f"{key}.type", kind, expected))
            return Outcome.gathered(None, outcomes)
        if not isinstance(args, dict):
            outcomes.append(refused(f"{key}.args", args, "an object of arguments"))
            return Outcome.gathered(None, outcomes)
        arguments = self.arguments(classes[kind])
        if not {*supplied} >= {*arguments.supplied}:
            names = f"whose parameters before * are among {', '.join(supplied)}"
            condition = names if supplied else "without parameters before *"
            outcomes.append(refused(f"{key}.type", kind, f"a class {condition}"))
        bound = {
            name: self._bind_argument(arguments, name, args.get(name, ABSENT), f"{key}.args.{name}")
            for name in dict.fromkeys((*args, *arguments.accepted))
            if name in args or name not in arguments.defaults
        }
        values = {name: argument.value for name, argument in bound.items()}
        defaults = {}
        for name in arguments.defaults.keys() - args.keys():
            annotation = arguments.accepted[name]
            if default := _plain_default(annotation, arguments.defaults[name]):
                defaults[name] = default.value
        part = Part(arguments, key, values, defaults)
        return Outcome.gathered(part, [*outcomes, *bound.values()])

    def _bind_argument(self, arguments: Arguments, name: str, value: Json, key: str) -> Outcome:
        """Bind the value of an argument of a constructor."""
        if name in arguments.accepted:
            return self.bind(arguments.accepted[name], value, key)
        if name in arguments.supplied:
            return refused(key, value, "is set by the program: leave it out")
        problem = f"{arguments.cls.__name__} takes no such argument"
        return refused(key, value, problem + hint(name, arguments.accepted))

    def _wanted(self, annotation: Annotation) -> str:
        problem = f"no value fits its annotation {annotation!r}; name the elements, as in list[int]"
        return self.described(annotation) or problem

    def described(self, annotation: Annotation) -> str:
        """Describe the plain values that fit `annotation`; "" if no plain value fits."""
        origin, members = get_origin(annotation), get_args(annotation)
        if origin is Annotated and callable(members[1]):
            return self.described(members[0])
        if origin is Annotated:
            return f"{DESCRIPTIONS[members[0]]} {members[1]}"
        if origin in UNIONS:
            return " or ".join(dict.fromkeys(filter(None, map(self.described, members))))
        if origin is Literal:
            return f"one of {', '.join(map(shown, members))}"
        if origin in SEQUENCES:
            size = _size(annotation)
            count = "" if size is None else f" of {size}"
            return f"a list{count}, each {self.described(members[0])}"
        if origin is dict:
            return f"an object, each key a string, each value {self.described(members[1])}"
        if annotation in DESCRIPTIONS:
            return DESCRIPTIONS[annotation]
        if not self.choices(annotation):
            return ""
        names = f", or a name before it: {', '.join(self.named)}" if self.named else ""
        return OBJECT_DESCRIPTION + names


def _plain_default(annotation: Annotation, default: object) -> Outcome | None:
    """Return a default as a plain value; None if JSON cannot hold it, or if it does not fit."""
    try:
        value = strict_json.plain(default)
    except ConfigFault:
        return None
    return None if Binder(lambda _: {}).bind(annotation, value, "").faults else Outcome(value)


def _size(annotation: Annotation) -> int | None:
    """Return the length that an annotation asks of a list; None for any length."""
    members = get_args(annotation)
    return len(members) if get_origin(annotation) is tuple and members[-1] is not ... else None


def _fits(annotation: Annotation, value: Json) -> bool:
    """Return whether a value that is neither a list nor an object fits an annotation."""
    members = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _fits(members[0], value) and value in members[1]
    if get_origin(annotation) is Literal:
        return value in members and type(value) in map(type, members)
    if annotation in (int, float):
        kinds = (int,) if annotation is int else (int, float)
        return type(value) in kinds and (type(value) is float or abs(value) <= MAX_INTEGER)
    return annotation in DESCRIPTIONS and isinstance(value, annotation)
