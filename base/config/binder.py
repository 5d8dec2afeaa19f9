"""Binding of plain values, as from JSON, to the annotated parameters of constructors.

An object is described as `{"type": NAME, "args": {...}}`. The annotations of a constructor's
parameters say which values of "args" fit: `int`, `float`, `bool`, `str`, `Literal`, `X | None`;
`list`, `tuple` and `dict` of these; `Annotated[int, Range(low, high)]` for bounds; and a base class
for an object within the object.
"""

import collections.abc
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
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


class Binder:
    """Makes objects from their descriptions.

    Args:
        choices: returns, for an annotation, the subclasses that a config may name, by name; {} if
            the annotation is not a class.
        arguments: returns the arguments of a class's constructor.

    Attributes:
        faults: all faults so far.
        defaults: the plain defaults of arguments that were left out, by dotted key.
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
        self, annotation: Annotation, value: Json, key: str, supplied: Mapping[str, Any] = NOTHING
    ) -> Any:
        """Return the value or object that a plain value describes; if the value does not fit, add a
        fault to `faults` and return `ABSENT`.

        Args:
            annotation: the annotation of the parameter.
            value: the plain value in the config.
            key: the value's dotted key, for messages.
            supplied: by name, the arguments that the program passes to each constructor. If one
                that a constructor needs is `ABSENT`, the description is only checked.
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
                elements = (tuple if origin is tuple else list)(
                    self.make(kind, element, f"{key}.{index}", supplied)
                    for index, (kind, element) in enumerate(zip(kinds, value, strict=False))
                )
                return ABSENT if any(element is ABSENT for element in elements) else elements
        elif isinstance(value, dict) and origin is dict:
            return {name: self.make(members[1], value[name], f"{key}.{name}") for name in value}
        elif isinstance(value, dict) and (classes := self.choices(annotation)):
            return self._make_object(annotation, classes, value, key, supplied)
        elif _fits(annotation, value):
            return float(value) if float in (annotation, *members[:1]) else value
        return self._refuse(key, value, self._wanted(annotation))

    def _refuse(self, key: str, value: object, expected: str) -> Any:
        self.faults.append(ConfigFault(key, value, expected))
        return ABSENT

    def _make_member(
        self, union: Annotation, value: Json, key: str, supplied: Mapping[str, Any]
    ) -> Any:
        """Return the value or object of the first member of a union that fits `value`."""
        faults = [ConfigFault(key, value, self.described(union))]
        for member in get_args(union):
            binder = Binder(self.choices, self.arguments)
            result = binder.make(member, value, key, supplied)
            if not binder.faults:
                self.defaults |= binder.defaults
                return result
            if binder.faults[0].key != key:  # the fault is within a list or an object
                faults = binder.faults
        self.faults += faults
        return ABSENT

    def _make_object(
        self,
        base: type,
        classes: Mapping[str, type],
        value: Config,
        key: str,
        supplied: Mapping[str, Any],
    ) -> Any:
        """Return an object of one of `classes`, those of `base`, made from its description."""
        num_faults = len(self.faults)
        for name in (name for name in value if name not in ("type", "args")):
            expected = 'unknown key; an object has "type" and "args"'
            self._refuse(f"{key}.{name}", value[name], expected)
        kind, args = value.get("type", ABSENT), value.get("args", {})
        if not isinstance(kind, str) or kind not in classes:
            others = {cls.__name__: cls for cls in user_modules.classes()}
            if isinstance(kind, str) and (cls := others.get(kind)):
                wanted = f"a class that inherits from {base.__name__} (of {base.__module__})"
                problem = f"{wanted}; that of {cls.__module__}.py does not"
                return self._refuse(f"{key}.type", kind, problem)
            problem = "is missing" if kind is ABSENT else "unknown type"
            remedy = f"{hint(kind, classes)}; --module FILE adds classes of your own"
            return self._refuse(f"{key}.type", kind, problem + remedy)
        if not isinstance(args, dict):
            return self._refuse(f"{key}.args", args, "an object of arguments")
        arguments = self.arguments(classes[kind])
        if not supplied.keys() >= set(arguments.supplied):
            names = f"whose parameters before * are among {', '.join(supplied)}"
            condition = names if supplied else "without parameters before *"
            self._refuse(f"{key}.type", kind, f"a class {condition}")
        values = self._make_arguments(arguments, args, f"{key}.args")
        is_sound = len(self.faults) == num_faults
        if not is_sound or any(supplied[name] is ABSENT for name in arguments.supplied):
            return ABSENT
        return self._construct(arguments, supplied, values, key)

    def _make_arguments(self, arguments: Arguments, args: Config, key: str) -> dict[str, Any]:
        """Return the arguments of a constructor by name, made from their descriptions `args`."""
        values, accepted = {}, arguments.accepted
        missing = {name: ABSENT for name in accepted if name not in args}
        for name, value in {**args, **missing}.items():
            if value is ABSENT and name in arguments.defaults:
                self._keep_default(accepted[name], arguments.defaults[name], f"{key}.{name}")
            elif name in accepted:
                values[name] = self.make(accepted[name], value, f"{key}.{name}")
            elif name in arguments.supplied:
                self._refuse(f"{key}.{name}", value, "is set by the program: leave it out")
            else:
                problem = f"{arguments.cls.__name__} takes no such argument{hint(name, accepted)}"
                self._refuse(f"{key}.{name}", value, problem)
        return values

    def _construct(
        self, arguments: Arguments, supplied: Mapping[str, Any], values: Config, key: str
    ) -> Any:
        """Construct an object, and check that its bases got the arguments `values`."""
        kind, positional = arguments.cls.__name__, [supplied[name] for name in arguments.supplied]
        try:
            result = arguments.construct(arguments.cls, *positional, **values)
        except ConfigFault as fault:
            fault_key = ".".join(filter(None, (key, "args", fault.key)))
            return self._refuse(fault_key, fault.value, fault.expected)
        except (UserError, OSError):
            raise
        except Exception as error:  # A user's class may raise anything.
            problem = f"its constructor ended in {described(error)}"
            return self._refuse(f"{key}.type", kind, problem)
        # A base keeps an argument as an attribute of `result`, or of a dataclass that `result` has.
        holders = (result, *vars(result).values()) if arguments.handed_on else ()
        for name, owner in arguments.handed_on.items():
            holder = next((part for part in holders if isinstance(part, owner)), None)
            value = getattr(holder, name, ABSENT)
            if name not in values:  # The default is what the class gives its base.
                self._keep_default(arguments.accepted[name], value, f"{key}.args.{name}")
            elif {type(value), type(values[name])} <= DESCRIPTIONS.keys() and value != values[name]:
                problem = f"{kind} does not hand it on: super().__init__(..., **options)"
                result = self._refuse(f"{key}.args.{name}", values[name], problem)
        return result

    def _keep_default(self, annotation: Annotation, default: object, key: str) -> None:
        trial = Binder(self.choices, self.arguments)
        with suppress(ConfigFault):
            value = strict_json.plain(default)
            trial.make(annotation, value, key)
            if not trial.faults:
                self.defaults[key] = value

    def _wanted(self, annotation: Annotation) -> str:
        problem = f"no value fits its annotation {annotation!r}; name the elements, as in list[int]"
        return self.described(annotation) or problem

    def described(self, annotation: Annotation) -> str:
        """Describe the plain values that fit `annotation`; "" if no plain value fits."""
        origin, members = get_origin(annotation), get_args(annotation)
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
        return OBJECT_DESCRIPTION if self.choices(annotation) else ""


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
