"""Small data for every ready config, in its source's own format and where the config looks for it.

The ink is that of the embedded writers, whose lines differ in length and letters as real ones do.
"""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from base.base_dataset import BaseDataset
from base.config.binder import built
from data_loader import EmbeddedDataset
from data_loader.sources.cache import CacheKey, columns_in
from data_loader.synthetic.composed.alignment import AlignedLine, Alignment
from data_loader.synthetic.invented.font_writers import FontWriter, embedded_digit
from data_loader.synthetic.invented.stroke_fonts import FONTS
from ink.formats.inkml.lines import write_inkml
from ink.geometry import from_strokes, strokes
from ink.measures import NUM_HAND_LINES
from ink.sample import Parsed, Sample
from model.generation.hand_encoder import DESCRIPTOR
from parse_config import config_binder
from tests.data_loader import ink_formats
from tests.data_loader.archives import pack, pack_folders, put

Maker = Callable[[Path, dict[str, Any]], dict[str, Any]]

LINES, DIGITS = 10, "0123456789" * 3

FORMS = {  # form of IAM-OnDB: (task file, lines)
    "a01-000u": ("trainset", 3),
    "a01-003x": ("trainset", 3),
    "b02-105": ("testset_v", 2),
    "c03-003a": ("testset_t", 1),
    "d04-081": ("testset_f", 1),
}
SUBSET = 6
"""Of the eight lines that the paper's protocol trains on."""


@cache
def written() -> list[tuple[list[np.ndarray], str]]:
    """Return lines as strokes, each `(points, 2)` in whole units, and their texts."""
    dataset = EmbeddedDataset(seed=5, size=LINES, writers=3, max_characters=16, rate=30.0)
    lines = dataset.load(["train"]).split("train")
    return [([np.rint(s) for s in strokes(line.ink)], line.text) for line in lines]


@cache
def digit(number: int, value: int) -> list[np.ndarray]:
    """Return a digit as strokes, each `(points, 2)` in pixels of MNIST's image."""
    generator = np.random.default_rng([5, number])
    return strokes(embedded_digit(value, generator, FontWriter.invent(generator, list(FONTS))))


def embedded(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Return the sizes of a small embedded dataset, which needs no files."""
    return {"size": 6, "valid_size": 2, "test_size": 2, "min_characters": 2, "max_characters": 8}


def iam_ondb(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Write both archives and the task files.

    The first line lacks points in a stroke, and its pen once moves further than training keeps.
    """
    left = (
        (ink_formats.iam(timed(line, flawed=number == 0)), text)
        for number, (line, text) in enumerate(written())
    )
    forms = {form: (task, [next(left) for _ in range(n)]) for form, (task, n) in FORMS.items()}
    pack_folders(root, ink_formats.iam_files(forms))
    return {"subset": SUBSET} if args.get("subset") else {}


def timed(line: Iterable[np.ndarray], flawed: bool) -> list[list[tuple[int, int, str]]]:
    """Return a line's points with times as the database has them: every 15 ms, given to 10 ms."""
    time = 7.0
    right = 0
    result = []
    for stroke in line:
        result.append([])
        for number, (x, y) in enumerate(stroke.astype(int).tolist()):
            time += 0.3 if flawed and number == 1 else 0.015
            result[-1].append((x + right, y, f"{time:.2f}"))
        time, right = time + 0.5, 3000 if flawed else 0
    return result


def inkml(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Write a file for each line, half of them without a transcription."""
    root.mkdir(parents=True)
    for number, (line, text) in enumerate(written()):
        ink = ink_formats.rows(line)
        write_inkml(root / f"{number}.inkml", ink, text if number % 2 else "")
    return {}


def stroke_arrays(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Write the object array and the sentences."""
    lines = written()
    content = ink_formats.arrays([line for line, _ in lines])
    sentences = "".join(f"{text}\n" for _, text in lines).encode()
    put(root, {"strokes-py3.npy": content, "sentences.txt": sentences})
    return {}


def mnist_sequences(args: dict[str, Any]) -> dict[str, bytes]:
    """Return the files of digits; where the config wants only one digit, every other is that."""
    wanted, files = args.get("digit"), {}
    for part, values in (("train", DIGITS), ("test", DIGITS[:10])):
        for number, value in enumerate(map(int, values)):
            if wanted is not None and number % 2:
                value = wanted
            content = ink_formats.mnist(digit(number, value))
            target = ink_formats.target(value, content.count(b"\n"))
            files[f"{part}img-{number}-inputdata.txt"] = content
            files[f"{part}img-{number}-targetdata.txt"] = target
    return files


def mnist_archive(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Write `sequences.tar.gz`."""
    root.mkdir(parents=True)
    files = {f"sequences/{name}": content for name, content in mnist_sequences(args).items()}
    pack(root / "sequences.tar.gz", files)
    return {}


def legible(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Write a prepared folder; lines of a writer that takes a hand have their hands."""
    extras = {}
    if root.parent.name.endswith("_writer"):
        extras = {"hand": np.ones((NUM_HAND_LINES, DESCRIPTOR + 1), np.float32)}
        extras["composed"] = np.zeros(1, np.float32)
    parsed = Parsed()
    for number, (line, text) in enumerate(written()):
        ink = from_strokes(line).astype(np.float32)
        parsed.samples.append(Sample(ink, text, f"line-{number}", group="hand", extras=extras))
    columns_in(root, CacheKey("legible", {}, ()), [[parsed]], iter)
    return {"fractions": {"train": 0.6, "valid": 0.2, "test": 0.2}}


def unipen(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Write a file for training and one for test as the UCI pen digits are, of several writers; or
    a collection, of which contributors are held out."""
    if "held_out" in args:
        named = args.get("contributors", ("app", "ced", "sta"))
        return unipen_collection(root, sorted({*named, *args["held_out"]}))
    for part, values in (("train", DIGITS[:20]), ("test", DIGITS[:10])):
        segments = ['.LEXICON "0" "1" "2" "3" "4" "5" "6" "7" "8" "9"\n.HIERARCHY DIGIT\n']
        for number, value in enumerate(values):
            segment = ink_formats.unipen(
                (value,), [s.astype(int) for s in digit(number, int(value))]
            )
            declared, _, pieces = segment.decode().partition("\n")
            segments.append(f"{declared}\n.COMMENT {value} {number % 3} {number}\n{pieces}")
        put(root, {f"pendigits-{part}": "".join(segments).encode()})
    return {}


def unipen_collection(root: Path, contributors: list[str]) -> dict[str, Any]:
    """Write the texts and the digits of a writer of each contributor, of three of the first."""
    digits = [(digit(number, number), str(number)) for number in range(8)]
    content, before = "", 0
    segments = {"8": "", "1a": ""}
    for line, text in [*written(), *digits]:
        last, category = before + len(line) - 1, "1a" if text.isdigit() else "8"
        segments[category] += f'.SEGMENT TEXT {before}-{last} ? "{text}"\n'
        for stroke in line:
            rows = "".join(f"{x} {-y}\n" for x, y in stroke.astype(int))
            content += f".PEN_DOWN\n{rows}.PEN_UP\n"
        before = last + 1
    for number, contributor in enumerate(contributors):
        for writer in range(1 if number else 3):
            name = f"{contributor}/{writer}.dat"
            declared = f".POINTS_PER_SECOND 100\n.WRITER_ID {writer}\n"
            put(root, {f"include/{name}": f"{declared}{content}"})
            for category, named in segments.items():
                put(root, {f"data/{category}/{name}": f".INCLUDE {name}\n{named}"})
    return {}


def dataset_of(block: dict[str, Any]) -> BaseDataset:
    """Return the dataset that a block of a config describes."""
    return built(config_binder().bind(BaseDataset, block, ""))


def evenly(points: int, text: str) -> np.ndarray:
    """Return as many points of each character, as far as possible: no true alignment."""
    return np.bincount(np.arange(points) * len(text) // points, minlength=len(text))


def composed(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Write an alignment of the lines."""
    lines = {}
    for sample in dataset_of(args["dataset"]).load().used:
        every = np.ones(len(sample.text), dtype=bool)
        counts = evenly(len(sample.ink), sample.text)
        lines[sample.name] = AlignedLine(counts, every, every, 0)
    alignment = f"alignment-{min(lines).replace('/', '-')}.npz"  # a config may compose of several
    Alignment(lines).save(Path(alignment))
    lifts = {"lifts": None} if args.get("lifts") else {}
    return {"size": 6, "long": 2, "forms": [0.0, 1.0], "alignment": alignment} | lifts


def hand_conditions(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Write descriptors of the recorded lines."""
    block = args["dataset"]
    while "dataset" in block["args"]:
        block = block["args"]["dataset"]
    recorded = dataset_of(block).load().used
    rows = np.random.default_rng(0).normal(size=(len(recorded), DESCRIPTOR + 1))
    rows[:, -1] = 1.0
    np.savez("hands.npz", names=[sample.name for sample in recorded], values=rows)
    return {"descriptors": "hands.npz"}


def of_loader(args: dict[str, Any]) -> dict[str, Any]:
    """Write the data of a loader's datasets; return what must change of the loader's arguments."""
    if not args.get("sources"):
        few = of_block(args["dataset"])
        return {f"dataset.args.{name}": value for name, value in few.items()}
    blocks, changed = {}, {}
    for name, block in args["sources"].items():
        if block is not None:
            blocks[name] = with_parts(block, blocks)
            few = of_block(blocks[name])
            changed |= {f"sources.{name}.args.{key}": value for key, value in few.items()}
    return changed


def with_parts(block: dict[str, Any], blocks: dict[str, Any]) -> dict[str, Any]:
    """Return a source's block, with the blocks of those that it names in the place of names."""
    args = {name: value for name, value in block.get("args", {}).items() if name != "like"}
    named = {part: args[part] for part in ("dataset", "added", "digits") if args.get(part)}
    return {**block, "args": args | {part: blocks[name] for part, name in named.items()}}


def of_block(block: dict[str, Any]) -> dict[str, Any]:
    """Write the data of a dataset's block where it looks for it; return what its maker does.

    Raises:
        NotImplementedError: naming the dataset, if there is no maker for it.
    """
    if block["type"] not in MAKERS:
        raise NotImplementedError(block["type"])
    args = block.get("args", {})
    root = Path(args.get("root") or "data")
    assert not root.is_absolute(), f"{block['type']}: {root} is a place on one machine"
    return MAKERS[block["type"]](root, args)


def sized(**sizes: int) -> Maker:
    """Return what needs no files; the sizes that its config sets become `sizes`."""
    return lambda root, args: {name: size for name, size in sizes.items() if args.get(name)}


MAKERS: dict[str, Maker] = {
    "ComposedDataset": composed,
    "EmbeddedDataset": embedded,
    "IAMOnDBDataset": iam_ondb,
    "InkMLDataset": inkml,
    "LegibleDataset": legible,
    "MNISTStrokesDataset": mnist_archive,
    "MixedDataset": sized(joined=4, pieces=3),
    "PhrasesDataset": sized(size=6),
    "ShapedDataset": sized(),
    "StrokeArraysDataset": stroke_arrays,
    "ToldHandsDataset": hand_conditions,
    "UnipenDataset": unipen,
}
"""By the dataset's name in a config: given its root and its arguments, writes the files there and
returns the arguments that must be others for so little data."""
