"""Turns an error in the code of a user's part into a fault of the config, which names the part."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from base.config import user_modules
from base.distributed import Lost
from utils.checks import ConfigFault, TrainingFailed, UserError, described

AUGMENTATION = "data_loader.args.augmentation"
PREPROCESSING = "data_loader.args.preprocessing"
KEYS = {
    "BaseTrainer": "trainer",
    "BaseLoss": "loss",
    "BaseMetric": "metrics",
    "BaseModel": "arch",
    "Optimizer": "optimizer",
    "LRScheduler": "lr_scheduler",
    "BaseTransform": AUGMENTATION,
    "BaseDataset": "data_loader.args",
}
"""The key of a config that names a part, by the name of the part's base class."""


@contextmanager
def errors_as_config_fault(
    key: str = "", part: object = None, wanted: str = "one that works", hint: str = ""
) -> Iterator[None]:
    """A block in which an error in the code of `part` becomes a ConfigFault for `key`; `wanted`
    says what is expected of the code, and `hint` ends the message.

    If the error comes from a user's part, the fault names this part; SystemExit is such an error.
    Without `part`, any other error stays as it is.
    """
    try:
        yield
    except (UserError, TrainingFailed, OSError, Lost):
        raise
    except (Exception, SystemExit) as error:
        culprit_key, culprit = _innermost(error)
        if culprit is not None and type(culprit) is not type(part):
            key, part = culprit_key, culprit
            wanted, hint = "one that works", ""
        if part is None:
            raise
        expected = f"{wanted}: trying it ended in {described(error)}{hint}"
        raise ConfigFault(key, type(part).__name__, expected) from error


def _innermost(error: BaseException) -> tuple[str, object]:
    """Return the key and the part of the innermost method of a user's part in an error's traceback;
    None if there is none."""
    key, culprit = "", None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        names = frame.f_code.co_varnames
        part = frame.f_locals.get(names[0]) if frame.f_code.co_argcount else None
        for base in type(part).__mro__:
            if base.__name__ in KEYS and user_modules.is_module_from_user(module):
                key, culprit = KEYS[base.__name__], part
    if culprit is not None and key == AUGMENTATION and not culprit.random:
        key = PREPROCESSING
    return key, culprit
