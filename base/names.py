"""Names in classes of a user's that clash with names of their bases, or nearly are such names."""

import difflib
import dis
import inspect
import logging
import re
import sys
from contextlib import suppress
from functools import cached_property
from types import FunctionType
from typing import Any

from torch import nn

from base.config import user_modules
from base.config.binder import signature_of
from utils.checks import ConfigFault

log = logging.getLogger(__name__)

OWNERS = ("BaseTrainer", "BaseDataset")
"""The base classes whose methods need the attributes that their constructors set."""
METHODS = (FunctionType, classmethod, staticmethod)
PROPERTIES = (property, cached_property)
CLOSENESS = 0.75
"""Least similarity, from 0 to 1, of a name to that of a base which it may be meant to be (assumed:
`on_epoch_end` and `on_epoch` have 0.8)."""


def check_names(key: str, part: object) -> None:
    """Check the names in a user's class; warn of one that may be misspelt.

    Raises:
        ConfigFault: for `key`, if a member hides one of a base, or is hidden by it.
    """
    if not user_modules.is_any_defined(part):
        return
    classes = [cls for cls in type(part).__mro__ if cls is not object]
    own = [cls for cls in classes if user_modules.is_any_defined(cls)]
    bases = [cls for cls in classes if cls not in own]
    for name in sorted(_set_by(part, own)):
        for base in bases:
            if expected := _clash(name, part, own, base):
                raise ConfigFault(key, type(part).__name__, expected)
    names = {name for base in bases for name in dir(base) if name[0] != "_"}
    for cls in own:
        for name in vars(cls).keys() - names:
            if name[0] == "_" or not _is_unused(name, cls):
                continue
            for meant in difflib.get_close_matches(name, names, 1, CLOSENESS):
                message = "%s.%s is used by nothing: no base has this name; is %s meant?"
                log.warning(message, cls.__name__, name, meant)


def _clash(name: str, part: Any, own: list[type], base: type) -> str:
    """Return what is expected if a name that a user's classes set clashes with one of a base."""
    member = vars(base).get(name)
    defined = next((vars(cls)[name] for cls in own if name in vars(cls)), None)
    attribute = vars(part).get(name, defined)
    is_layer = isinstance(part, nn.Module) and name in _layers(part)
    where = f"{name}, a member of {base.__name__}: another name is needed"
    if isinstance(member, METHODS) and (is_layer or not _is_method(attribute)):
        return f"one that does not hide {where}"
    if isinstance(member, PROPERTIES) and (is_layer or isinstance(defined, FunctionType)):
        return f"one that does not hide {where}, or @property"
    is_value = member is not None and not hasattr(member, "__get__")
    if is_value and (is_layer or isinstance(defined, FunctionType)):
        return f"one that does not hide {where}"
    if any(cls.__name__ in OWNERS for cls in base.__mro__):
        # Options, and fields of a dataclass, may be set on purpose.
        public = {name for name in getattr(base, "__dataclass_fields__", {}) if name[0] != "_"}
        if name in _stored(base) - signature_of(base).arguments.keys() - public:
            return f"one that does not set {name}, which {base.__name__} needs for itself"
    return ""


def _is_method(value: object) -> bool:
    return callable(value) or isinstance(value, METHODS + PROPERTIES)


def _set_by(part: Any, own: list[type]) -> set[str]:
    """Return the names that classes define, that their methods store in `self`, and of layers."""
    names = set().union(*(vars(cls).keys() | _stored(cls) for cls in own))
    names |= _layers(part) if isinstance(part, nn.Module) else set()
    return {name for name in names if not name.startswith("__")}


def _layers(module: nn.Module) -> set[str]:
    return {*module._parameters, *module._modules, *module._buffers}


def _stored(cls: type) -> set[str]:
    """Return the attributes that the methods of a class, but not those of its bases, store."""
    names = set()
    for member in vars(cls).values():
        function = getattr(member, "fget", getattr(member, "__func__", member))
        is_made = "__dataclass_params__" in vars(cls) and member is vars(cls).get("__init__")
        if not isinstance(function, FunctionType) or is_made or not function.__code__.co_argcount:
            continue
        itself, previous = function.__code__.co_varnames[0], None
        for step in dis.get_instructions(function):
            loaded = previous.argval if previous and "LOAD_FAST" in previous.opname else None
            # Newer versions of Python load two variables by one instruction.
            loaded = loaded[-1] if isinstance(loaded, tuple) else loaded
            if step.opname == "STORE_ATTR" and loaded == itself:
                names.add(step.argval)
            previous = step
    return names


def _is_unused(name: str, cls: type) -> bool:
    """Return whether the file of a class says that nothing uses a member of this name."""
    with suppress(OSError, TypeError, KeyError):
        source = inspect.getsource(sys.modules[cls.__module__])
        return re.search(rf"[.\"']{name}\b", source) is None
    return False
