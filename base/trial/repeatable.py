"""Checks that samples and batches of a user's parts are the same whenever they are asked for."""

import logging
from typing import Any

import numpy as np

from base.base_data_loader import BaseDataLoader, Batch
from base.base_sampler import SAMPLER, KeySampler
from base.config.user_code import AUGMENTATION, errors_as_config_fault
from base.run.digest import digest
from utils.checks import ConfigFault

log = logging.getLogger(__name__)


def two_samples(loader: BaseDataLoader) -> Batch:
    """Return a batch of two training samples, of different lengths if there are such.

    They are drawn twice. A transform of the user that changes no sample is warned of.

    Raises:
        ConfigFault: naming the dataset or the transforms whose draws differ.
    """
    lengths = loader.keys.lengths
    draws = []
    dataset: Any = loader.dataset
    # The first sample that differs in length from sample 0; argmax is 0 if all lengths are equal.
    other = int(np.argmax(lengths != lengths[0]))
    if other == 0:
        other = min(1, len(lengths) - 1)
    samples = getattr(dataset, "samples", ())
    with errors_as_config_fault(AUGMENTATION, dataset, "transforms of ink, missing, a generator"):
        # An odd number of draws between shows what changes with each second one.
        for numbers in ([0, other], [0], [0, other]):
            is_compared = len(numbers) > 1
            recorded = [samples[n] for n in numbers] if samples and is_compared else []
            digest_before = digest(recorded)
            batch = dataset[[(0, n) for n in numbers]]
            draws.append((digest_before, digest(vars(batch))))
        has_other_samples = draws[0][0] != draws[2][0]
        if has_other_samples:
            kinds = ", ".join({type(each).__name__ for each in getattr(samples, "columns", ())})
            expected = "one whose samples are the same whenever they are asked for"
            raise ConfigFault("data_loader.args.dataset", kinds, expected)
        if draws[0] != draws[2]:
            kinds = ", ".join(type(change).__name__ for change in dataset.augmentation)
            expected = "transforms without a state that draw only from `generator`"
            raise ConfigFault(AUGMENTATION, kinds, f"{expected}: repeated draws differ")
        idle = dataset.idle_augmentation() if hasattr(dataset, "idle_augmentation") else ()
        for name in idle:
            log.warning("%s changed none of the samples on which it was tried", name)
    return batch


def check_batches(keys: KeySampler) -> None:
    """Raise a ConfigFault if a sampler has other batches of an epoch when it is asked again."""
    digests = []
    for epoch in (0, 1, 0):  # Another epoch between shows what depends on the epoch before.
        batches = [np.asarray(batch) for batch in keys.batches(epoch)]
        digests.append(digest(batches))
    if digests[0] != digests[2]:
        expected = "one that draws by seed and epoch: asked again, it has other batches of epoch 0"
        raise ConfigFault(SAMPLER, type(keys.sampler).__name__, expected)
