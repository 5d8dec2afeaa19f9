"""Puts training samples through the deterministic transforms of the preprocessing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from base import distributed
from base.base_transform import BaseTransform
from base.config import user_modules
from base.data.samples import Samples
from data_loader.checking import fault_of
from data_loader.sources.derived import make_samples
from data_loader.sources.keys import code_of, options_key
from ink.formats.parsed import Parsed
from ink.sample import Sample
from utils.checks import DataError

BLOCK_SAMPLES = 10_000  # samples that a process preprocesses and writes together (assumed)


def preprocessed_samples(samples: Samples, transforms: Sequence[BaseTransform]) -> Samples:
    """Return samples after deterministic transforms, in order; samples in files become shards."""
    key = {"steps": options_key(transforms), "code": code_of(*map(type, transforms))}
    result = Samples()
    for of_store in filter(len, samples.by_store):

        def read(places: range, of_store: Samples = of_store) -> Iterator[Parsed]:
            for place in distributed.bar(places, "preprocessing", unit=" samples", leave=False):
                yield Parsed([preprocessed(of_store[place], transforms)])

        places = range(len(of_store))
        blocks = [places[n : n + BLOCK_SAMPLES] for n in places[::BLOCK_SAMPLES]]
        result += make_samples("preprocessed", [of_store], key, blocks, read)[0]
    return result


def preprocessed(sample: Sample, transforms: Iterable[BaseTransform]) -> Sample:
    """Return a sample whose ink went through deterministic transforms.

    Raises:
        DataError: if a transform leaves fewer than two points, or a number that is not finite.
    """
    ink, missing = sample.ink.copy(), sample.missing_counts.copy()
    for transform in transforms:
        ink, missing = transform(ink, missing, np.random.default_rng(0))
        finite = np.isfinite(ink).all()
        if len(ink) < 2 or not finite:
            few = f"{len(ink)} of {len(sample.ink)} points, but the network needs two"
            raise DataError(
                f"{sample.name}: {type(transform).__name__} leaves "
                f"{few if finite else 'points that are not finite'}; change "
                "the preprocessing, or leave this sample out"
            )
        if user_modules.is_any_from_user(transform) and (fault := fault_of(ink, missing, "ink")):
            cause = f"{type(transform).__name__}, of the preprocessing,"
            raise DataError(f"{sample.name}: {cause} {fault}")
    return replace(sample, ink=ink, missing=missing)
