"""Binding of plain values, as from JSON, to the annotated parameters of constructors.

An object is described as `{"type": NAME, "args": {...}}`. A constructor's parameters before `*` are
supplied by the program, by their names; keyword-only ones are what "args" may set, and their
annotations say which values fit: `int`, `float`, `bool`, `str`, `Literal`, `X | None`, `list`,
`tuple` and `dict` of these, `Annotated[int, Range(low, high)]` for bounds, and base classes for
objects within objects.
"""

import collections.abc
import inspect
import operator
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from itertools import repeat
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from utils import strict_json
from utils.checks import ABSENT, ConfigFault, UserError, described, hint, shown
from utils.strict_json import Json

Annotation: TypeAlias = Any
"""A type, or a form of `typing` such as `Literal["a", "b"]`."""

UNIONS = (typing.Union, types.UnionType)
SEQUENCES = (list, tuple, collections.abc.Iterable, collections.abc.Sequence)
WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    types.NoneType: "null",
}
MAX_INTEGER = 2**63 - 1  # What a tensor holds.
POSITIONAL, KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
NOTHING: Mapping[str, Any] = {}
OBJECT = 'an object {"type": ..., "args": {...}}'


@dataclass(eq=False)
class Arguments:
    """What a class is constructed with.

    As an annotation: an object of these arguments, without a type.
    """

    cls: type
    supplied: list[str]  # by the program, in order
    accepted: dict[str, Annotation]  # of a description
    defaults: dict[str, object]  # of the accepted ones that may be left out
    construct: Callable[..., object] = operator.call  # of the class, and of its arguments
    is_watched: bool = False  # whether it matters what the class hands on to its base


def arguments_of(cls: type, from_program: Collection[str] = ()) -> Arguments:
    """Read the constructor of `cls`, and those that it passes `**options` or `*supplied` to: of its
    bases, and of a dataclass by which `**options` is annotated, as `Annotated[Any, Settings]`.

    Args:
        cls: the class.
        from_program: the names that the program supplies, for a third-party class that does not
            follow the convention; all others are accepted then.
    """
    found = Arguments(cls, [], {}, {})
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
                found.supplied.extend([name] if passes_supplied else [])
            elif kind in (KEYWORD, POSITIONAL) and name not in found.accepted:
                found.accepted[name] = hints.get(name, Any)
                if parameter.default is not parameter.empty:
                    found.defaults[name] = parameter.default
        passes_supplied = passes_supplied and inspect.Parameter.VAR_POSITIONAL in kinds
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return found


def owners(cls: type) -> list[type]:
    """Return the classes whose constructors arguments of `cls` may reach, itself first."""
    found = []
    for owner in (base for base in cls.__mro__ if "__init__" in vars(base)):
        found.append(owner)
        if inspect.isfunction(owner.__init__):
            options = inspect.getfullargspec(owner.__init__).varkw
            hint = owner.__init__.__annotations__.get(options)
            found += filter(is_dataclass, get_args(hint))
    return found


def by_name(offered: Iterable[object], base: Annotation) -> dict[str, type]:
    """Return by name those of `offered` that are `base` or its subclasses."""
    if not isinstance(base, type):
        return {}
    return {cls.__name__: cls for cls in offered if isinstance(cls, type) and issubclass(cls, base)}


class Binder:
    """Makes objects from their descriptions.

    Args:
        choices: returns the known subclasses of a class by name; none of what is no class.
        arguments: returns the parameters of a class's constructor.

    Attributes:
        faults: all that was found so far.
        defaults: by dotted key what the arguments are that were left out, where those are plain.
    """

    def __init__(
        self,
        choices: Callable[[Annotation], Mapping[str, type]],
        arguments: Callable[[type], Arguments] = arguments_of,
    ) -> None:
        self.choices, self.arguments = choices, arguments
        self.faults: list[ConfigFault] = []
        self.defaults: dict[str, Json] = {}

    def make(
        self,
        annotation: Annotation,
        value: Json,
        key: str,
        supplied: Mapping[str, Any] = NOTHING,
    ) -> Any:
        """Make what `annotation` asks for; None if there are faults, which are added to `faults`.

        Args:
            annotation: what is wanted.
            value: the plain value that describes it.
            key: its dotted key, for messages.
            supplied: what the program passes to the constructor (of each object of a list), by
                name. An object that needs one that is `ABSENT` is checked, and not made.
        """
        origin, members = get_origin(annotation), get_args(annotation)
        if value is ABSENT:
            return self._refuse(key, value, f"is missing: {self._wanted(annotation)}")
        if annotation is Any:
            return value
        if origin in UNIONS:
            return self._make_member(annotation, value, key, supplied)
        if isinstance(value, list) and origin in SEQUENCES:
            size = _size(annotation)
            if size in (None, len(value)):
                kinds = repeat(members[0]) if size is None else members
                return (tuple if origin is tuple else list)(
                    self.make(kind, element, f"{key}.{index}", supplied)
                    for index, (kind, element) in enumerate(zip(kinds, value, strict=False))
                )
        elif isinstance(value, dict) and origin is dict:
            return {name: self.make(members[1], value[name], f"{key}.{name}") for name in value}
        elif isinstance(value, dict) and (classes := self.choices(annotation)):
            return self._make_object(classes, value, key, supplied)
        elif _fits(annotation, value):
            return float(value) if float in (annotation, *members[:1]) else value
        return self._refuse(key, value, self._wanted(annotation))

    def _refuse(self, key: str, value: object, expected: str) -> None:
        self.faults.append(ConfigFault(key, value, expected))

    def _make_member(
        self, union: Annotation, value: Json, key: str, supplied: Mapping[str, Any]
    ) -> Any:
        """Make what the first fitting member of a union asks for."""
        found = [ConfigFault(key, value, self.described(union))]
        for member in get_args(union):
            binder = Binder(self.choices, self.arguments)
            made = binder.make(member, value, key, supplied)
            if not binder.faults:
                self.defaults |= binder.defaults
                return made
            if binder.faults[0].key != key:  # A list or an object that fits but for a part of it.
                found = binder.faults
        self.faults += found
        return None

    def _make_object(
        self,
        classes: Mapping[str, type],
        value: Mapping[str, Json],
        key: str,
        supplied: Mapping[str, Any],
    ) -> Any:
        """Make an object of one of `classes` from its description."""
        before = len(self.faults)
        for name in value:
            if name not in ("type", "args"):
                expected = 'unknown key; an object has "type" and "args"'
                self._refuse(f"{key}.{name}", value[name], expected)
        kind, given = value.get("type", ABSENT), value.get("args", {})
        if not isinstance(kind, str) or kind not in classes:
            problem = "is missing" if kind is ABSENT else "unknown type"
            known = f"{hint(kind, classes)}; --module FILE adds classes of your own"
            return self._refuse(f"{key}.type", kind, problem + known)
        if not isinstance(given, dict):
            return self._refuse(f"{key}.args", given, "an object of arguments")
        arguments = self.arguments(classes[kind])
        if not supplied.keys() >= set(arguments.supplied):
            known = f"parameters before * are among {', '.join(supplied)}"
            known = f"a class whose {known}" if supplied else "a class without parameters before *"
            self._refuse(f"{key}.type", kind, known)
        made = self._make_arguments(arguments, given, f"{key}.args", kind)
        if len(self.faults) > before:
            return None
        return self._construct(arguments, [supplied[one] for one in arguments.supplied], made, key)

    def _construct(
        self, arguments: Arguments, supplied: Sequence[Any], made: Mapping[str, Any], key: str
    ) -> Any:
        """Construct an object, unless something supplied is `ABSENT`; see what it hands on."""
        kind, whole = arguments.cls.__name__, None
        try:
            if not any(one is ABSENT for one in supplied):
                whole = arguments.construct(arguments.cls, *supplied, **made)
        except ConfigFault as fault:
            place = ".".join(filter(None, (key, "args", fault.key)))
            return self._refuse(place, fault.value, fault.expected)
        except (UserError, OSError):
            raise
        except Exception as error:  # of a user's class
            problem = f"its constructor ended in {described(error)}"
            return self._refuse(f"{key}.type", kind, problem)
        handed_on = _handed_on(arguments, supplied, made) if arguments.is_watched else {}
        for name, value in handed_on.items():
            if name not in made:
                self._keep_default(arguments.accepted[name], value, f"{key}.args.{name}")
            elif type(made[name]) in WORDS and made[name] != value:
                problem = f"{kind} does not hand it on: super().__init__(..., **options)"
                self._refuse(f"{key}.args.{name}", made[name], problem)
        return whole

    def _make_arguments(
        self, arguments: Arguments, given: Mapping[str, Json], key: str, kind: str
    ) -> dict[str, Any]:
        """Make what is given of the arguments of a `kind` of object."""
        made, accepted = {}, arguments.accepted
        for name, value in given.items():
            if name in accepted:
                made[name] = self.make(accepted[name], value, f"{key}.{name}")
            elif name in arguments.supplied:
                self._refuse(f"{key}.{name}", value, "is set by the program: leave it out")
            else:
                problem = f"{kind} takes no such argument{hint(name, accepted)}"
                self._refuse(f"{key}.{name}", value, problem)
        for name in (name for name in accepted if name not in given):
            if name in arguments.defaults:
                self._keep_default(accepted[name], arguments.defaults[name], f"{key}.{name}")
            else:
                self.make(accepted[name], ABSENT, f"{key}.{name}")
        return made

    def _keep_default(self, annotation: Annotation, default: object, key: str) -> None:
        trial = Binder(self.choices, self.arguments)
        with suppress(ConfigFault):
            value = strict_json.plain(default)
            trial.make(annotation, value, key)
            if not trial.faults:
                self.defaults[key] = value

    def _wanted(self, annotation: Annotation) -> str:
        unclear = f"nothing fits its annotation {annotation!r}: say of what, such as list[int]"
        return self.described(annotation) or unclear

    def described(self, annotation: Annotation) -> str:
        """Describe the values that fit `annotation`; "" if JSON has none."""
        origin, members = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return f"{WORDS[members[0]]} {members[1]}"
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
        return WORDS.get(annotation) or (OBJECT if self.choices(annotation) else "")


class _Noted(BaseException):
    """Carries what a base was to be constructed with."""


def _handed_on(
    arguments: Arguments, supplied: Sequence[Any], made: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a class hands on to its first base of another module, or leaves at its default.

    Only a call tells that, as a class may hand on what it likes: the call ends where the base's
    constructor would begin. Empty if it ends before.
    """
    cls = arguments.cls
    base = next(one for one in cls.__mro__ if one.__module__ != cls.__module__)
    own = [one for one in cls.__mro__[: cls.__mro__.index(base)] if "__init__" in vars(one)]
    named = {name for one in own for name in inspect.signature(one.__init__).parameters}

    def note(self: object, *_: Any, **options: Any) -> None:
        raise _Noted(options)

    noting = type(base.__name__, (base,), {"__init__": note})
    values: dict[str, Any] = {}
    try:
        with suppress(Exception):  # It was told, or comes of the parts that a trainer lacks here.
            arguments.construct(type(cls.__name__, (cls, noting), {}), *supplied, **made)
    except _Noted as noted:
        values = arguments_of(base).defaults | noted.args[0]
    return {name: values[name] for name in arguments.accepted.keys() & values.keys() - named}


def _size(annotation: Annotation) -> int | None:
    """Return the length of a list; None if any fits."""
    members = get_args(annotation)
    return len(members) if get_origin(annotation) is tuple and members[-1] is not ... else None


def _fits(annotation: Annotation, value: Json) -> bool:
    """Return whether a value that is neither list nor object fits."""
    members = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _fits(members[0], value) and value in members[1]
    if get_origin(annotation) is Literal:
        return value in members and type(value) in map(type, members)
    if annotation in (int, float):
        kinds = (int,) if annotation is int else (int, float)
        return type(value) in kinds and (type(value) is float or abs(value) <= MAX_INTEGER)
    return annotation in WORDS and isinstance(value, annotation)
