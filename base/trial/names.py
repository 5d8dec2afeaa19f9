"""Checks names in a user's classes that clash with names of their bases, or nearly match them."""

import ast
import difflib
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

OWNERS = {"BaseTrainer", "BaseDataset"}
"""The base classes whose methods need the attributes that they set."""
METHODS = (FunctionType, classmethod, staticmethod)
PROPERTIES = (property, cached_property)
CLOSENESS = 0.88
"""Least similarity of a misspelt name (assumed: `on_epochs` to `on_epoch` has 0.94)."""


def check_member_names(key: str, part: Any) -> None:
    """Raise a ConfigFault for `key` if a member of a user's class hides one of a base, or is hidden
    by it; warn of a name that may be misspelt."""
    if not user_modules.is_any_from_user(part):
        return
    classes = type(part).__mro__[:-1]  # without `object`
    user_classes = [cls for cls in classes if user_modules.is_any_from_user(cls)]
    bases = [cls for cls in classes if cls not in user_classes]
    members = dict[str, Any]()
    for cls in reversed(user_classes):  # A class's member hides that of a class before it.
        members |= vars(cls)
    is_network = isinstance(part, nn.Module)
    layers = {*part._parameters, *part._modules, *part._buffers} if is_network else set()
    attributes = set[str]().union(*map(_stored, user_classes))
    for name in sorted({*members, *layers, *attributes}):
        value = vars(part).get(name, members.get(name))
        for base in bases:
            if not name.startswith("__") and _clash(name, value, name in layers, base):
                need = f"of its own, which {base.__name__} needs for itself"
                raise ConfigFault(key, type(part).__name__, f"one without a {name} {need}")
    names = {name for base in bases for name in dir(base) if name[0] != "_"}
    for name in members.keys() - names:
        longer = [each for each in names if name.startswith(f"{each}_")]  # such as `on_epoch_end`
        meant = difflib.get_close_matches(name, names, 1, CLOSENESS) or longer
        if name[0] != "_" and meant and _is_unused(name, user_classes):
            message = "%s.%s is used by nothing: no base has this name; is %s meant?"
            log.warning(message, type(part).__name__, name, meant[0])


def _clash(name: str, value: Any, is_layer: bool, base: type) -> bool:
    """Return whether a user's value, or a layer, of a name hides what a base has or sets."""
    member = vars(base).get(name)
    is_function = isinstance(value, FunctionType)
    if isinstance(member, METHODS):
        is_method = callable(value) or isinstance(value, METHODS + PROPERTIES)
        # Python looks for layers only where it finds no member, so a method hides them.
        return is_layer or not is_method or hasattr(member, "__final__")
    is_plain_value = member is not None and not hasattr(member, "__get__")
    if is_plain_value or isinstance(member, PROPERTIES):
        return is_layer or is_function
    needs_attributes = not OWNERS.isdisjoint(cls.__name__ for cls in base.__mro__)
    if not needs_attributes or name not in _stored(base):
        return False
    # Options, and public fields of a dataclass, may be set on purpose.
    is_field = name[0] != "_" and name in getattr(base, "__dataclass_fields__", {})
    return not is_field and name not in signature_of(base).arguments


def _stored(cls: type) -> set[str]:
    """Return the attributes that the methods of a class, but not those of its bases, assign."""
    names = set()
    for member in vars(cls).values():
        function = getattr(member, "fget", member)
        function = inspect.unwrap(function) if isinstance(function, FunctionType) else None
        if function is None or not function.__code__.co_argcount:
            continue
        instance = function.__code__.co_varnames[0]  # named `self` as a rule
        with suppress(OSError):  # A dataclass's constructor has no source.
            source = inspect.getsource(function)
            if source[0] == " ":  # It is indented, and needs a class around it.
                source = f"class _:\n{source}"
            for node in ast.walk(ast.parse(source)):
                match node:
                    case ast.Attribute(ast.Name(owner), name, ast.Store()) if owner == instance:
                        names.add(name)
    return names


def _is_unused(name: str, classes: list[type]) -> bool:
    """Return whether the files of classes use no member of a name."""
    with suppress(OSError, TypeError, KeyError):
        sources = [inspect.getsource(sys.modules[cls.__module__]) for cls in classes]
        return not any(re.search(rf"[.\"']{name}\b", source) for source in sources)
    return False
