"""Binding of plain values, as from JSON, to the annotated parameters of constructors.

An object is described as `{"type": NAME, "args": {...}}`. A constructor's parameters before `*` are
supplied by the program; keyword-only ones are what "args" may set, and their annotations say which
values fit: `int`, `float`, `bool`, `str`, `Literal`, `X | None`, `list`, `tuple` and `dict` of
these, `Annotated[X, Range(low, high)]` for bounds, and base classes for objects within objects.
"""

import collections.abc
import inspect
import json
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from utils.checks import ConfigFault, Range, nearest

UNIONS = (typing.Union, types.UnionType)
SEQUENCES = (list, tuple, collections.abc.Iterable, collections.abc.Sequence)
ABSENT = object()
MAX_INTEGER = 2**63 - 1  # What a tensor holds.
MAX_SHOWN, MAX_KEY = 60, 200  # Characters of a value and of a key in a message; assumed.


class BadValue(NamedTuple):
    """One fault: the dotted key, the value (or ABSENT), what is accepted."""

    key: str
    value: Any
    expected: str
    source: str = ""

    def __str__(self) -> str:
        key = self.key if self.key.isprintable() else json.dumps(self.key)
        key = key if len(key) <= MAX_KEY else f"{key[: MAX_KEY - 3]}..."
        value = "" if self.value is ABSENT else f" = {shown(self.value)}"
        return ": ".join(filter(None, (self.source, f"{key}{value}", self.expected)))


class Arguments(NamedTuple):
    """The parameters of a constructor."""

    supplied: list[str]  # by the program, in order
    accepted: dict[str, Any]  # of a description, with their annotations
    defaults: dict[str, Any]  # of the accepted ones that may be left out


def arguments_of(cls: type, from_program: Collection[str] | None = None) -> Arguments:
    """Read the constructor of `cls`, and those that it passes `**options` or `*supplied` to.

    Args:
        cls: the class.
        from_program: the names that the program supplies, for a third-party class that does not
            follow the convention; all others are accepted then.
    """
    arguments = Arguments([], {}, {})
    handed_on = True  # what the program supplies, so far
    for owner in cls.__mro__:
        if "__init__" not in vars(owner):
            continue
        try:
            # torch imports some names of its annotations for type checkers only.
            names = vars(collections.abc)
            hints = typing.get_type_hints(owner.__init__, localns=names, include_extras=True)
        except NameError:
            hints = {}
        parameters = list(inspect.signature(owner.__init__).parameters.values())[1:]
        for parameter in parameters:
            name = parameter.name
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            if from_program is None:
                supplied = parameter.kind is not parameter.KEYWORD_ONLY
            else:
                supplied = name in from_program
            if supplied:
                if handed_on:
                    arguments.supplied.append(name)
            elif name not in arguments.accepted:
                arguments.accepted[name] = hints.get(name, Any)
                if parameter.default is not parameter.empty:
                    arguments.defaults[name] = parameter.default
        kinds = {parameter.kind for parameter in parameters}
        handed_on = handed_on and inspect.Parameter.VAR_POSITIONAL in kinds
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return arguments


def by_name(offered: Iterable[Any], base: type) -> dict[str, type]:
    """Return by name those of `offered` that are subclasses of `base` and can be constructed."""
    return {
        cls.__name__: cls
        for cls in offered
        if isinstance(cls, type) and issubclass(cls, base) and cls is not base
        if not inspect.isabstract(cls)
    }


class Binder(ABC):
    """Checks descriptions of objects, and makes the objects."""

    @abstractmethod
    def choices(self, base: Any) -> dict[str, type] | None:
        """Return the known subclasses of `base` by name; None if it is not a base class."""

    def arguments(self, cls: type) -> Arguments:
        """Return the parameters of the constructor of `cls`."""
        return arguments_of(cls)

    def trial(self, cls: type, args: dict[str, Any], key: str) -> Iterator[BadValue]:
        """Find the faults that show only when `cls` is constructed with `args`."""
        yield from ()

    def check(
        self, annotation: Any, value: Any, key: str, bounds: Range | None = None
    ) -> Iterator[BadValue]:
        """Find the faults of `value`, which should fit `annotation`, and of what it contains."""
        origin, members = get_origin(annotation), get_args(annotation)
        wrong = BadValue(key, value, self.described(annotation, bounds))
        if annotation is Any:
            return
        if origin is Annotated:
            yield from self.check(members[0], value, key, _bounds(annotation, bounds))
        elif origin in UNIONS:
            found = [list(self.check(member, value, key, bounds)) for member in members]
            if all(found):
                within = [faults for faults in found if faults[0].key != key]
                yield from within[0] if within else [wrong]
        elif origin is Literal:
            if not any(value == member and type(value) is type(member) for member in members):
                yield wrong
        elif origin in SEQUENCES:
            kinds = _kinds(annotation, value)
            if kinds is None:
                yield wrong
                return
            for index, (kind, element) in enumerate(zip(kinds, value, strict=True)):
                yield from self.check(kind, element, f"{key}.{index}", bounds)
        elif origin is dict:
            if not isinstance(value, dict):
                yield wrong
                return
            for name, element in value.items():
                yield from self.check(members[0], name, f"{key}.{name}")
                yield from self.check(members[1], element, f"{key}.{name}", bounds)
        elif self.choices(annotation) is not None:
            yield from self._check_object(annotation, value, key)
        elif not _fits(annotation, value, bounds):
            yield wrong

    def _check_object(self, base: type, value: Any, key: str) -> Iterator[BadValue]:
        """Bind a description to the constructor that it names."""
        if not isinstance(value, dict):
            yield BadValue(key, value, self.described(base))
            return
        for name in value:
            if name not in ("type", "args"):
                expected = 'unknown key; an object has "type" and "args"'
                yield BadValue(f"{key}.{name}", value[name], expected)
        kind, given = value.get("type", ABSENT), value.get("args", {})
        names = self.choices(base)
        if not isinstance(kind, str) or kind not in names:
            problem = "is missing" if kind is ABSENT else "unknown type"
            own = "" if kind is ABSENT else "; --module FILE adds classes of your own"
            yield BadValue(f"{key}.type", kind, f"{problem}{hint(kind, names)}{own}")
            return
        if not isinstance(given, dict):
            yield BadValue(f"{key}.args", given, "an object of arguments")
            return
        arguments = self.arguments(names[kind])
        faults = []
        for name, argument in given.items():
            place = f"{key}.args.{name}"
            if name in arguments.accepted:
                faults += self.check(arguments.accepted[name], argument, place)
            elif name in arguments.supplied:
                faults.append(BadValue(place, argument, "is set by the program: leave it out"))
            else:
                problem = f"{kind} takes no such argument{hint(name, arguments.accepted)}"
                faults.append(BadValue(place, argument, problem))
        for name, annotation in arguments.accepted.items():
            if name not in given and name not in arguments.defaults:
                needed = f"is missing: {self.described(annotation)}"
                faults.append(BadValue(f"{key}.args.{name}", ABSENT, needed))
        yield from faults or self.trial(names[kind], given, key)

    def described(self, annotation: Any, bounds: Range | None = None) -> str:
        """Describe the values that fit `annotation`; "" if JSON has none."""
        origin, members = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self.described(members[0], _bounds(annotation, bounds))
        if origin in UNIONS:
            words = [self.described(member, bounds) for member in members]
            return " or ".join(dict.fromkeys(filter(None, words)))
        if origin is Literal:
            return f"one of {', '.join(map(shown, members))}"
        if origin in SEQUENCES:
            fixed = origin is tuple and members[-1] is not Ellipsis
            size = f" of {len(members)}" if fixed else ""
            return f"a list{size}, each {self.described(members[0], bounds)}"
        if origin is dict:
            keys, values = self.described(members[0]), self.described(members[1], bounds)
            return f"an object, each key {keys}, each value {values}"
        if annotation in (int, float):
            number = "a whole number" if annotation is int else "a number"
            if bounds is None:
                return number
            ends = (int(end) if end is not None and end == int(end) else end for end in bounds)
            return f"{number} {Range(*ends)}"
        if annotation in PLAIN:
            return PLAIN[annotation]
        return "" if self.choices(annotation) is None else 'an object {"type": ..., "args": {...}}'

    def make(self, annotation: Any, value: Any, key: str, *supplied: Any) -> Any:
        """Make what `annotation` asks for from a value without faults.

        Args:
            annotation: what is wanted.
            value: the description.
            key: its key, for messages.
            supplied: what the program passes to the constructor (of each object of a list).

        Raises:
            ConfigFault: if a constructor refuses an argument.
        """
        origin, members = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self.make(members[0], value, key, *supplied)
        if origin in UNIONS:
            fitting = (kind for kind in members if not any(self.check(kind, value, key)))
            return self.make(next(fitting), value, key, *supplied)
        if origin in SEQUENCES:
            pairs = enumerate(zip(_kinds(annotation, value), value, strict=True))
            made = [self.make(kind, item, f"{key}.{n}", *supplied) for n, (kind, item) in pairs]
            return tuple(made) if origin is tuple else made
        if origin is dict:
            return {name: self.make(members[1], value[name], f"{key}.{name}") for name in value}
        if (names := self.choices(annotation)) is not None:
            return self.construct(names[value["type"]], value.get("args", {}), key, *supplied)
        return float(value) if annotation is float else value

    def construct(self, cls: type, args: dict[str, Any], key: str, *supplied: Any) -> Any:
        """Construct a `cls` from what the program supplies and the values of its "args"."""
        accepted = self.arguments(cls).accepted
        made = {name: self.make(accepted[name], args[name], f"{key}.args.{name}") for name in args}
        try:
            return cls(*supplied, **made)
        except ConfigFault as fault:
            place = f"{key}.args.{fault.key}"
            raise ConfigFault(place, fault.value, fault.expected) from fault


PLAIN = {bool: "true or false", str: "a string", types.NoneType: "null"}


def _fits(kind: Any, value: Any, bounds: Range | None) -> bool:
    """Return whether `value` is a number within `bounds`, a string, true or false, or null."""
    if kind not in (int, float):
        return kind in PLAIN and isinstance(value, kind)
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        return False
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return False
    return bounds is None or value in bounds


def _bounds(annotation: Any, otherwise: Range | None) -> Range | None:
    ranges = [mark for mark in annotation.__metadata__ if isinstance(mark, Range)]
    return ranges[0] if ranges else otherwise


def _kinds(annotation: Any, value: Any) -> list[Any] | None:
    """Return the annotation of each element of a list; None if not a list, or of other length."""
    members = get_args(annotation)
    if not isinstance(value, list):
        return None
    if get_origin(annotation) is tuple and members[-1] is not Ellipsis:
        return list(members) if len(members) == len(value) else None
    return [members[0]] * len(value)


def shown(value: Any) -> str:
    """Return a value as JSON, on one line of bounded length."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = text if text.isprintable() else json.dumps(value, default=repr)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def hint(name: Any, names: Iterable[str]) -> str:
    """Suggest which of `names` a misspelt one may have meant, or list them."""
    names = list(names)
    if close := nearest(name, names) if isinstance(name, str) else []:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there are {', '.join(names)}" if names else ""
