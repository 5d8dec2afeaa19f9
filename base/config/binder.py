"""Binds plain values, as from JSON, to the annotated parameters of constructors.

The program supplies a constructor's parameters before `*`; a config may set the keyword-only
parameters, and the fields of one whose annotation is a frozen dataclass. An object is described as
`{"type": NAME, "args": {...}}`. Annotations say which values of "args" fit: `int`, `float`, `bool`,
`str`, `Literal`, `X | None`; `list`, `tuple` and `dict` of these; `Annotated[int, Range(low,
high)]` for bounds; a base class for an object within the object, and `type[...]` of it for one that
is made later. `Annotated[dict[str, X], Holder]` is for objects by name, in which the name of one
may stand in the place of a later object; a class `Holder` holds each of them, and its keyword-only
arguments stand beside the object's own. The description of an optimiser may also have `groups`: the
arguments of some weights, by patterns of their names.

Binding makes no object. In a bound value, a `BoundClass` stands in the place of each object, and a
`ConfigFault` in the place of each value that does not fit.
"""

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, is_dataclass, replace
from functools import cache
from importlib import import_module
from inspect import Parameter
from itertools import repeat, takewhile
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from base.config import user_modules
from utils import strict_json
from utils.checks import (
    ABSENT,
    NOTHING,
    ConfigFault,
    Range,
    UserError,
    described,
    hint,
    lacks_memory,
    shown,
)
from utils.strict_json import Config, Json

Annotation: TypeAlias = Any
"""A type, or a form of `typing` such as `Literal["a", "b"]`."""

Choice: TypeAlias = type | str
"""A class that a config may name, or the module of an app that has the class; the module is
imported when a config names the class."""

UNIONS = (typing.Union, types.UnionType)
BEFORE_STAR = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
UNNAMED = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
SEQUENCES = (list, tuple, collections.abc.Iterable, collections.abc.Sequence)
DESCRIPTIONS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    types.NoneType: "null",
}
Count: TypeAlias = Annotated[int, Range(0)]
MAX_INTEGER = 2**63 - 1
"""The largest number in a tensor of int64."""
OBJECT_DESCRIPTION = 'an object {"type": ..., "args": {...}}'
GROUP_DESCRIPTION = 'an object {"names": [...], "args": {...}, "from_step": ...}'


def origin_of(annotation: Annotation) -> tuple[Any, tuple[Any, ...]]:
    """Return the form of an annotation, such as `list`, None without one; and its members."""
    return get_origin(annotation), get_args(annotation)


@dataclass(frozen=True)
class Signature:
    """The arguments of a class's constructor."""

    cls: type[Any]
    from_program: tuple[str, ...]
    """The names of the arguments that the program supplies, in order."""
    arguments: Mapping[str, Parameter]
    """The arguments that a config may set, by name."""
    construct: Callable[..., Any]
    """The class, or a function that makes an object of it."""
    settings: Mapping[str, type[Any]] = field(default_factory=dict)
    """The parameters of the constructor whose fields are arguments, and their dataclasses."""
    fault: str = ""
    """The class that is expected instead, if a config cannot name this one."""

    def keywords(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments of the constructor for the values of arguments, by name."""
        keywords = dict(values)
        for name, settings in self.settings.items():
            fields = [each.name for each in parameters_of(settings)]
            keywords[name] = settings(**{key: keywords.pop(key) for key in fields if key in values})
        return keywords


@cache
def signature_of(cls: type[Any]) -> Signature:
    """Read the constructor of a class.

    The program supplies the parameters before `*`. A parameter after `*` is an argument; if its
    annotation is a frozen dataclass, the fields are arguments in its place.
    """
    parameters = parameters_of(cls)
    named = {each.name: each for each in parameters if each.kind is Parameter.KEYWORD_ONLY}
    settings = {name: each.annotation for name, each in named.items() if _is_settings(each)}
    fields = {each.name: each for kind in settings.values() for each in parameters_of(kind)}
    others = {name: each for name, each in named.items() if name not in settings}
    from_program = tuple(each.name for each in parameters if each.kind in BEFORE_STAR)
    fault = ""
    # A constructor of torch or of Python, which takes no arguments, also has such parameters.
    is_users = user_modules.is_module_from_user(getattr(cls.__init__, "__module__", "torch"))
    if is_users and any(each.kind in UNNAMED for each in parameters):
        fault = _named_arguments(cls)
    elif repeated := sorted(fields.keys() & others.keys()):
        fault = f"one with a single {repeated[0]}: it is a field of its settings and an argument, "
        fault += "and a subclass of the settings may have another default"
    return Signature(cls, from_program, {**fields, **others}, cls, settings, fault)


def _is_settings(parameter: Parameter) -> bool:
    """Return whether a parameter takes a frozen dataclass."""
    options = getattr(parameter.annotation, "__dataclass_params__", None)  # of the decorator
    return isinstance(parameter.annotation, type) and options is not None and options.frozen


def _named_arguments(cls: type) -> str:
    """Return in words how a class is written whose constructor hands on `**options`."""
    for base in cls.__mro__[1:]:
        if is_dataclass(base):
            return (
                "a dataclass: write @dataclass(kw_only=True, eq=False) above the class, and its "
                "arguments as fields, such as `size: int = 8`, in the place of __init__"
            )
        if settings := signature_of(base).settings:
            (name, kind), *_ = settings.items()
            return (
                f"one that names its arguments: write `{name}: {kind.__name__}` (of "
                f"{kind.__module__}) after * in the place of **options, and "
                f"super().__init__(..., {name}={name})"
            )
    return "one whose constructor names its arguments, without * and ** before a name"


def held(signature: Signature, holder: type) -> Signature:
    """Return the arguments of an object that `holder(object, **options)` holds: those of the
    object, and the keyword-only ones of `holder`."""
    of_holder = signature_of(holder).arguments

    def construct(*supplied: Any, **arguments: Any) -> Any:
        options = {name: arguments.pop(name) for name in of_holder if name in arguments}
        return holder(signature.construct(*supplied, **arguments), **options)

    return replace(signature, arguments={**signature.arguments, **of_holder}, construct=construct)


def parameters_of(cls: type[Any]) -> list[Parameter]:
    """Return the parameters of the constructor of `cls`; an annotation is `Any` if it is missing or
    has unknown names."""
    try:
        # Some annotations of torch use names that torch imports only for type checkers.
        names = vars(collections.abc)
        signature = inspect.signature(cls.__init__, eval_str=True, locals=names)
    except NameError:
        signature = inspect.signature(cls.__init__)
    _, *parameters = signature.parameters.values()
    return [
        each.replace(annotation=Any)
        if each.annotation is Parameter.empty or isinstance(each.annotation, str)
        else each
        for each in parameters
    ]


@dataclass(frozen=True)
class BoundClass:
    """A class with its bound arguments, of which objects are built."""

    cls: type[Any]
    signature: Signature
    key: str
    """The dotted key of the object's description in the config."""
    values: Mapping[str, Any]
    """The bound arguments by name."""
    defaults: Mapping[str, Json]
    """The plain defaults of arguments that are left out."""
    is_built_later: bool = False
    """Whether the program gets the bound class itself, and builds the object later, by a call."""
    groups: "Sequence[WeightGroup]" = ()
    """Of an optimiser: the groups of weights that have other arguments."""

    def __call__(self, **supplied: Any) -> Any:
        """Build the object of arguments that the program has only now, see `build`."""
        return self.build(supplied)

    def build(
        self, supplied: Mapping[str, Any] = NOTHING, objects: Mapping[str, Any] = NOTHING
    ) -> Any:
        """Build the object.

        Args:
            supplied: the arguments that the program passes, by name.
            objects: objects that are built already, by key.

        Raises:
            ConfigFault: if a constructor refuses an argument, or fails.
        """
        signature = self.signature
        values = built(self.values, supplied, objects)
        try:
            # A parameter that is not supplied may have a default, as may those behind it.
            names = takewhile(supplied.__contains__, signature.from_program)
            return signature.construct(*map(supplied.get, names), **signature.keywords(values))
        except ConfigFault as fault:
            key = ".".join(filter(None, (self.key, "args", fault.key)))
            raise ConfigFault(key, fault.value, fault.expected) from None
        except (UserError, OSError):
            raise
        except (Exception, SystemExit) as error:  # A user's class may raise anything.
            cause = "not enough memory:" if lacks_memory(error) else "its constructor ended in"
            problem = f"{cause} {described(error)}"
            raise ConfigFault(f"{self.key}.type", self.cls.__name__, problem) from error


@dataclass(frozen=True, kw_only=True)
class WeightGroup(BoundClass):
    """The class of an optimiser with its bound arguments for some weights."""

    names: Sequence[str]
    """The patterns of the weights' names, as of `fnmatch`."""
    args: Mapping[str, Any]
    """The bound arguments that the group sets; `values` has those of the optimiser, too."""
    from_step: int
    """The number of steps of the run before the weights are trained."""


@dataclass(frozen=True)
class Reference:
    """The name of an object, in the place of the object."""

    target: BoundClass | ConfigFault
    """The bound class of the object, or a fault of it."""


class NamedObjects(dict[str, Any]):
    """Bound objects by name, in order; each may refer to objects before it."""


Bound: TypeAlias = Any
"""A bound value: a plain value, a `BoundClass`, `Reference`, `NamedObjects` or `ConfigFault`, or a
list, tuple or dict of these."""


def built(
    bound: Bound, supplied: Mapping[str, Any] = NOTHING, objects: Mapping[str, Any] = NOTHING
) -> Any:
    """Return a bound value with objects in the place of bound classes, see `BoundClass.build`."""
    if isinstance(bound, BoundClass):
        if bound.is_built_later:
            return bound
        return objects[bound.key] if bound.key in objects else bound.build(supplied, objects)
    if isinstance(bound, Reference):
        return objects[bound.target.key]
    if isinstance(bound, NamedObjects):
        objects = {**objects}
        named = {}
        for name, bound_class in bound.items():
            named[name] = built(bound_class, supplied, objects)
            if bound_class is not None:
                objects[bound_class.key] = named[name]
        return named
    if isinstance(bound, list | tuple):
        return type(bound)(built(element, supplied, objects) for element in bound)
    if isinstance(bound, dict):
        return {name: built(member, supplied, objects) for name, member in bound.items()}
    return bound


def bound_classes(bound: Bound) -> list[BoundClass]:
    """Return the bound classes in a bound value, at any depth, inner ones first."""
    return [value for value in _within(bound) if isinstance(value, BoundClass)]


def references(bound: Bound) -> set[str]:
    """Return the keys of the objects whose names stand in a bound value, at any depth."""
    return {value.target.key for value in _within(bound) if isinstance(value, Reference)}


def faults(bound: Bound) -> list[ConfigFault]:
    """Return the faults in a bound value, at any depth."""
    return [value for value in _within(bound) if isinstance(value, ConfigFault)]


def _within(bound: Bound) -> Iterator[Any]:
    """Yield all values within a bound value, inner ones first, and the value."""
    values = [bound.values, bound.groups] if isinstance(bound, BoundClass) else bound
    if isinstance(values, Mapping | list | tuple):
        for value in values.values() if isinstance(values, Mapping) else values:
            yield from _within(value)
    yield bound


FROM_PROGRAM = {
    "BaseDataset": ("origin",),
    "BaseLoss": ("model",),
    "BaseMetric": ("model",),
    "BaseModel": ("normalisation", "alphabet", "extras"),
    "BaseSampler": (
        *("seed", "lengths", "batch_size", "bucket", "shuffle", "batch_points", "window"),
        *("shards", "hands"),
    ),
    "BaseTrainer": ("parts",),
    # torch's schedules take the number of steps of the whole run as `steps`.
    "LRScheduler": ("optimizer", "steps", "total_steps", "last_epoch"),
    "Optimizer": ("params",),
}
"""By the name of a base class, the arguments that the program supplies to its subclasses."""


@dataclass(frozen=True)
class Registry:
    """The classes that a config may name, and their arguments."""

    packages: Sequence[types.ModuleType] = ()
    """The packages whose exported classes may be named."""
    apps: Mapping[str, tuple[type, str]] = field(default_factory=dict)
    """By name, further classes: the base class, and the module, which is imported when a config
    names the class."""
    signatures: Mapping[type, Signature] = field(default_factory=dict)
    """Classes that do not follow the convention, and their arguments."""
    from_program: Mapping[str, Collection[str]] = field(default_factory=lambda: FROM_PROGRAM)

    def choices(self, base: Annotation) -> dict[str, Choice]:
        """Return the subclasses of `base` that a config may name, also of the user's modules, by
        name; {} if it is no class."""
        if not isinstance(base, type):
            return {}
        classes: dict[str, Choice] = {
            name: module for name, (kind, module) in self.apps.items() if issubclass(kind, base)
        }
        # Without functions: their modules would be imported, one of which needs matplotlib.
        offered = [
            getattr(package, name)
            for package in self.packages
            for name in package.__all__
            if name[0].isupper()
        ]
        for cls in (*offered, *self.signatures, *user_modules.classes()):
            if not issubclass(cls, base):
                continue
            if (other := classes.setdefault(cls.__name__, cls)) is not cls:
                place = other if isinstance(other, str) else other.__module__
                problem = f"also has a class {cls.__name__}; rename one of the two"
                raise UserError(f"{cls.__module__}.py: {place} {problem}")
        return classes

    def chosen(self, base: Annotation, name: str) -> type | None:
        """Return the class that a config names; None if the app that has it is missing."""
        choice = self.choices(base)[name]
        if not isinstance(choice, str):
            return choice
        try:
            return getattr(import_module(choice), name)
        except ModuleNotFoundError as error:
            if choice.startswith(str(error.name)):
                return None
            raise

    def signature(self, cls: type) -> Signature:
        """Return the arguments of a class's constructor."""
        return self.signatures.get(cls) or signature_of(cls)


@dataclass(frozen=True)
class Binder:
    """Binds plain values to annotations."""

    registry: Registry = field(default_factory=Registry)
    holder: type | None = None
    """The class that holds the object, if the object has a name."""
    grouped: Collection[type] = ()
    """The base classes whose descriptions may have `groups`."""
    referable: Mapping[str, Any] = field(default_factory=dict)
    """By name, the bound classes of objects whose names may stand in the place of an object, or
    faults."""

    def bind(self, annotation: Annotation, value: Json, key: str) -> Bound:
        """Return the bound value of the plain value at a key; no object is built.

        | annotation | plain value | bound value |
        |---|---|---|
        | `Any` | any | the value |
        | a union | any | what the first member gives that the value fits |
        | `Annotated[dict[str, X], Holder]` | object of objects | `NamedObjects` |
        | `dict[str, X]` | object | a dict of bound values |
        | a base class | object with a type | `BoundClass` |
        | `type[X]` of a base class | object with a type | `BoundClass` that is built later |
        | a base class | the name of an object before it | `Reference` |
        | `list[X]`, `tuple[X, Y]` | list | a list or tuple of bound values |
        | `int`, `Literal[...]`, `Annotated[float, Range(...)]` | plain | the value |
        | any | one that does not fit, or none | `ConfigFault` |

        Args:
            annotation: the annotation of the parameter.
            value: the plain value in the config; `ABSENT` if the config lacks it.
            key: the value's dotted key, for messages.
        """
        if value is ABSENT:
            return ConfigFault(key, value, f"is missing: {self._wanted(annotation)}")
        if annotation is Any:
            return value
        if origin_of(annotation)[0] in UNIONS:
            return self._bind_member(annotation, value, key)
        if isinstance(value, dict):
            return self._bind_mapping(annotation, value, key)
        if isinstance(value, list):
            return self._bind_list(annotation, value, key)
        return self._bind_plain(annotation, value, key)

    def _bind_mapping(self, annotation: Annotation, value: Config, key: str) -> Bound:
        """Bind an object of JSON: the description of an object, or values by name."""
        origin, members = origin_of(annotation)
        if origin is Annotated and isinstance(members[1], type):
            return self._bind_named_objects(members[0], members[1], value, key)
        if origin is dict:
            return {name: self.bind(members[1], value[name], f"{key}.{name}") for name in value}
        if origin is type:
            bound = self._bind_object(members[0], value, key)
            return replace(bound, is_built_later=True) if isinstance(bound, BoundClass) else bound
        if self.registry.choices(annotation):
            return self._bind_object(annotation, value, key)
        return self._misfit(annotation, value, key)

    def _bind_list(self, annotation: Annotation, value: list[Json], key: str) -> Bound:
        """Bind a list of JSON, each element to its own annotation."""
        origin, members = origin_of(annotation)
        size = _size(annotation)
        if origin not in SEQUENCES or size not in (None, len(value)):
            return self._misfit(annotation, value, key)
        kinds = repeat(members[0]) if size is None else members
        keys = (f"{key}.{index}" for index in range(len(value)))
        elements = map(self.bind, kinds, value, keys)
        return tuple(elements) if origin is tuple else list(elements)

    def _bind_plain(self, annotation: Annotation, value: Json, key: str) -> Bound:
        """Bind a value that is neither an object nor a list of JSON."""
        if isinstance(value, str) and value in self.referable and self.registry.choices(annotation):
            bound_class = self.referable[value]
            if isinstance(bound_class, ConfigFault) or issubclass(bound_class.cls, annotation):
                return Reference(bound_class)
        if not _fits(annotation, value):
            return self._misfit(annotation, value, key)
        # An annotated number is the first member of its annotation.
        is_real = float in (annotation, *get_args(annotation)[:1])
        return float(value) if is_real and isinstance(value, int) else value

    def _misfit(self, annotation: Annotation, value: Json, key: str) -> ConfigFault:
        return ConfigFault(key, value, self._wanted(annotation))

    def _bind_member(self, union: Annotation, value: Json, key: str) -> Bound:
        """Bind a value to the first member of a union that it fits."""
        misfit = ConfigFault(key, value, self.described(union))
        for member in get_args(union):
            bound = self.bind(member, value, key)
            bound_faults = faults(bound)
            if not bound_faults:
                return bound
            if bound_faults[0].key != key:  # the fault is within a list or an object
                misfit = bound
        return misfit

    def _bind_named_objects(
        self, annotation: Annotation, holder: type, value: Config, key: str
    ) -> NamedObjects:
        """Bind an object of objects, or of nulls, by name."""
        bound = NamedObjects()
        for name, member in value.items():
            referable = {other: earlier for other, earlier in bound.items() if earlier is not None}
            # A name of an object with faults is no further fault; nothing is built then.
            referable |= {
                other: faults(earlier)[0] for other, earlier in referable.items() if faults(earlier)
            }
            binder = replace(self, holder=holder, referable=referable)
            bound[name] = binder.bind(get_args(annotation)[1], member, f"{key}.{name}")
        return bound

    def _bind_object(self, base: type, value: Config, key: str) -> Bound:
        """Bind the description of an object of a class of `base`."""
        entries = ("type", "args", *(("groups",) if base in self.grouped else ()))
        misfits = _unknown(value, entries, key, "an object")
        bound_class = self._bind_class(base, value.get("type", ABSENT), value.get("args", {}), key)
        if "groups" in entries and isinstance(bound_class, BoundClass):
            groups = self._bind_groups(bound_class, value.get("groups", []), f"{key}.groups")
            bound_class = replace(bound_class, groups=groups)
        return [*misfits, bound_class] if misfits else bound_class

    def _bind_groups(self, whole: BoundClass, groups: Json, key: str) -> list[Bound]:
        """Bind the groups of the weights of an optimiser, `whole`."""
        if not isinstance(groups, list):
            return [ConfigFault(key, groups, f"a list, each {GROUP_DESCRIPTION}")]
        return [self._bind_group(whole, group, f"{key}.{n}") for n, group in enumerate(groups)]

    def _bind_group(self, whole: BoundClass, group: Json, key: str) -> Bound:
        """Bind a group of the weights of an optimiser, `whole`."""
        if not isinstance(group, dict):
            return ConfigFault(key, group, GROUP_DESCRIPTION)
        if not isinstance(args := group.get("args", {}), dict):
            return ConfigFault(f"{key}.args", args, "an object of arguments")
        args = {
            name: self._bind_argument(whole.signature, name, value, f"{key}.args.{name}")
            for name, value in args.items()
        }
        names = self.bind(list[str], group.get("names", ABSENT), f"{key}.names")
        from_step = self.bind(Count, group.get("from_step", 0), f"{key}.from_step")
        misfits = _unknown(group, ("names", "args", "from_step"), key, "a group")
        misfits += faults([names, from_step])
        # Faults of the whole are no further faults of a group.
        values = args if faults(whole) else {**whole.values, **args}
        options = {"names": names, "args": args, "from_step": from_step}
        bound = WeightGroup(whole.cls, whole.signature, key, values, NOTHING, **options)
        return [*misfits, *faults(args)] if misfits else bound

    def _bind_class(self, base: type, kind: Json, args: Json, key: str) -> BoundClass | ConfigFault:
        """Bind the arguments of an object of the class `kind`."""
        classes = self.registry.choices(base)
        from_program = self.registry.from_program.get(base.__name__, ())
        if not isinstance(kind, str) or kind not in classes:
            problem = "is missing" if kind is ABSENT else "unknown type"
            expected = f"{problem}{hint(kind, classes)}; --module FILE adds classes of your own"
            for user_class in user_modules.classes():
                if user_class.__name__ == kind:
                    wanted = f"a class that inherits from {base.__name__} (of {base.__module__})"
                    expected = f"{wanted}; that of {user_class.__module__}.py does not"
            return ConfigFault(f"{key}.type", kind, expected)
        cls = self.registry.chosen(base, kind)
        if cls is None:
            expected = f"a class of {classes[kind]}, which is not installed here"
            return ConfigFault(f"{key}.type", kind, expected)
        signature = self.registry.signature(cls)
        inner = self
        if signature.fault:
            return ConfigFault(f"{key}.type", kind, signature.fault)
        if self.holder is not None:
            signature = held(signature, self.holder)
            inner = replace(self, holder=None)
        if not {*from_program} >= {*signature.from_program}:
            names = f"whose parameters before * are among {', '.join(from_program)}"
            condition = names if from_program else "without parameters before *"
            return ConfigFault(f"{key}.type", kind, f"a class {condition}")
        if not isinstance(args, dict):
            return ConfigFault(f"{key}.args", args, "an object of arguments")
        arguments = signature.arguments
        required = (name for name in arguments if arguments[name].default is Parameter.empty)
        values = {
            name: inner._bind_argument(
                signature, name, args.get(name, ABSENT), f"{key}.args.{name}"
            )
            for name in dict.fromkeys((*args, *required))
        }
        left_out = {name: arguments[name].default for name in arguments if name not in values}
        return BoundClass(cls, signature, key, values, plain_values(arguments, left_out))

    def _bind_argument(self, signature: Signature, name: str, value: Json, key: str) -> Bound:
        """Bind the value of an argument of a constructor."""
        if name in signature.arguments:
            return self.bind(signature.arguments[name].annotation, value, key)
        if name in signature.from_program:
            return ConfigFault(key, value, "is set by the program: leave it out")
        problem = f"{signature.cls.__name__} takes no such argument"
        return ConfigFault(key, value, problem + hint(name, signature.arguments))

    def _wanted(self, annotation: Annotation) -> str:
        problem = f"no value fits its annotation {annotation!r}; name the elements, as in list[int]"
        return self.described(annotation) or problem

    def described(self, annotation: Annotation) -> str:
        """Describe the plain values that fit `annotation`; "" if no plain value fits."""
        origin, members = origin_of(annotation)
        if origin is Annotated and isinstance(members[1], type):
            return self.described(members[0])
        if origin is Annotated:
            return f"{DESCRIPTIONS[members[0]]} {members[1]}"
        if origin is type:
            return OBJECT_DESCRIPTION
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
        if not self.registry.choices(annotation):
            return ""
        names = f", or a name before it: {', '.join(self.referable)}" if self.referable else ""
        return OBJECT_DESCRIPTION + names


def plain_values(
    arguments: Mapping[str, Parameter], values: Mapping[str, object]
) -> dict[str, Json]:
    """Return by name the values of arguments that JSON can hold and that fit their annotations."""
    plain = {}
    binder = Binder()
    for name, value in values.items():
        with suppress(ConfigFault):
            plain[name] = strict_json.plain(value)
    bound = {name: binder.bind(arguments[name].annotation, plain[name], name) for name in plain}
    return {name: plain[name] for name in plain if not faults(bound[name])}


def _unknown(value: Config, entries: Sequence[str], key: str, owner: str) -> list[ConfigFault]:
    """Return a fault for each entry of an object of JSON at `key` but the known `entries`."""
    *others, last = map(shown, entries)
    problem = f"unknown key; {owner} has {', '.join(others)} and {last}"
    return [
        ConfigFault(f"{key}.{name}", value[name], problem) for name in value if name not in entries
    ]


def _size(annotation: Annotation) -> int | None:
    """Return the length that an annotation asks of a list; None for any length."""
    origin, members = origin_of(annotation)
    return len(members) if origin is tuple and members[-1] is not ... else None


def _fits(annotation: Annotation, value: Json) -> bool:
    """Return whether a value that is neither a list nor an object fits an annotation."""
    origin, members = origin_of(annotation)
    if origin is Annotated:
        return _fits(members[0], value) and value in members[1]
    if origin is Literal:
        return value in members and type(value) in map(type, members)
    if type(value) is int and annotation in (int, float):
        return abs(value) <= MAX_INTEGER
    return annotation in DESCRIPTIONS and type(value) is annotation
