"""Measure how written lines or pages look, over bias or length, beside recorded ones."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from base.pretrained import resolve_checkpoint
from commands import options, page_appearance
from commands.options import Parser, number
from model.generation.options import Sampling
from utils.checks import Range, UserError
from utils.files import write_json

BIASES = (0.5,)
"""Default of --biases."""

LINES = 100
"""How many are written, and recorded ones measured, without --num-samples."""

NEAR = 5
"""Characters by which a text may be shorter or longer than --lengths asks for."""

OF_LINES = ("lengths", "num_samples", "steps")
"""Options that are for single lines."""

ALONG = ("slope", "x_height_ratio")
"""Measures that are printed for each length."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="writer")
    samples = f"sentences, and at most as many recorded lines (default: {LINES})"
    steps = "default: enough for its text"
    options.add_sampling(parser, samples=samples, steps=steps, bias=False)
    add = parser.add_argument
    add(
        "--biases",
        type=number(float, Range(0, 100)),
        nargs="+",
        metavar="B",
        help=f"biases to write at (default: {' '.join(f'{bias:g}' for bias in BIASES)}, of "
        "--pages that of `write`), e.g. --biases 0.5 0.75",
    )
    add(
        "--recorded",
        metavar="SPLIT",
        help="train, valid or test: measure lines of this split of the config's dataset as well, "
        "one of each writer, or of each form where writers are unknown (default: none), "
        "e.g. --recorded valid",
    )
    options.add_overrides(parser)
    add(
        "--lengths",
        type=number(int, Range(10, 1000)),
        nargs="+",
        metavar="N",
        default=[],
        help="also write texts of about N characters, and have them read (default: none), "
        "e.g. --lengths 40 120 200",
    )
    add(
        "--reader",
        metavar="CHECKPOINT",
        help="the recogniser for --lengths (default: reader)",
    )
    add(
        "--pages",
        type=number(int, Range(1, 1000)),
        metavar="N",
        help="measure instead how the lines of a page differ, on N pages of one hand each as "
        "`page` lays them out, and on the forms of --recorded (default: single "
        "lines), e.g. --pages 20",
    )
    add(
        "--liveliness",
        type=number(float, Range(0, 1)),
        nargs="+",
        metavar="SHARE",
        help="of the words of --pages, as `write` has it (default: that of `write`), "
        "e.g. --liveliness 0 0.5 1",
    )
    options.add_seed(parser, "seed of the first text or page, incremented for each further one")
    options.add_output(parser)


def check(arguments: argparse.Namespace) -> None:
    if arguments.overrides and not arguments.recorded:
        raise UserError(f"{arguments.overrides[0].option} is for the lines of --recorded SPLIT")
    if arguments.reader and not arguments.lengths:
        raise UserError("--reader reads the texts of --lengths")
    if arguments.pages is None:
        if arguments.liveliness:
            raise UserError("--liveliness is for --pages")
        return
    if lines := [name for name in OF_LINES if getattr(arguments, name)]:
        raise UserError(f"--{lines[0].replace('_', '-')} is for single lines, not for --pages")
    if len(arguments.biases or ()) > 1:
        raise UserError("--biases: pages are written at one bias, give one")


def run(arguments: argparse.Namespace) -> None:
    if arguments.lengths:
        resolve_checkpoint(arguments.reader or "reader")
    writer = options.load(arguments.resume, arguments, to="write texts")
    from data_loader.synthetic.corpus import held_out
    from utils.hand_measures import measure, summary, variety

    options.make_output(arguments.output)
    path = arguments.output / "appearance.json"
    if arguments.pages:
        write_json(path, page_appearance.run(writer, arguments))
        print(path)
        return
    count, biases = arguments.num_samples or LINES, sorted(set(arguments.biases or BIASES))
    columns: list[tuple[str, dict[str, Any]]] = []
    recorded = measures_of_recorded(writer, arguments, count) if arguments.recorded else []
    texts = options.known(writer.model.alphabet, held_out(count), skip=True)
    seeds = range(arguments.seed, arguments.seed + count)
    sampling = options.sampling_of(arguments)
    for bias in biases:
        lines = writer.write_lines(texts, seeds, replace(sampling, bias=bias), progress=True)
        written = [measure(line.ink, text) for line, text in zip(lines, texts, strict=True)]
        one: dict[str, Any] = {"bias": bias, "ended": sum(line.ended for line in lines) / count}
        one["measures"] = summary(written)
        if recorded:
            one["variety"] = variety(written, recorded)
        columns.append((f"bias {bias:g}", one))
    result: dict[str, Any] = {
        "writer": str(writer.path),
        "seed": arguments.seed,
        "pen_sharpness": sampling.pen_sharpness,
        "texts": count,
        "written": [one for _, one in columns],
    }
    if recorded:
        result["recorded"] = {
            "split": arguments.recorded,
            "lines": len(recorded),
            "measures": summary(recorded),
        }
        columns.append((f"{len(recorded)} recorded", result["recorded"]))
    print_table(columns)
    if arguments.lengths:
        result["lengths"] = lengths(writer, arguments, count, biases, sampling)
    write_json(path, result)
    print(path)


def measures_of_recorded(
    writer: Any, arguments: argparse.Namespace, count: int
) -> list[dict[str, float]]:
    """Return the measures of recorded lines, as many as `count` at most, each of another hand."""
    import numpy as np

    from parse_config import data_of
    from utils.hand_measures import measure

    loader = data_of(writer, arguments.overrides)
    loader.split(arguments.recorded)
    source = loader.source
    generator = np.random.default_rng(arguments.seed)
    chosen = source.one_of_each_hand(arguments.recorded, generator)[:count].tolist()
    if not chosen:
        raise UserError(f"the split {arguments.recorded!r} has no lines with a text")
    return [measure(source.ink(index), source.text(index)) for index in chosen]


def print_table(columns: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Print the median and the quartiles of each measure, and the variety, a column each."""
    from utils.hand_measures import MEASURES, VARIED

    print(f"{'':<20}" + "".join(f"{title:<24}" for title, _ in columns))
    for name in MEASURES:
        print(f"{name:<20}" + "".join(f"{_shown(one, name):<24}" for _, one in columns))
    varied = [one["variety"] for _, one in columns if "variety" in one]
    if varied:
        print("variety, the spread over lines divided by that over the recorded ones")
        for name in (*VARIED, "mean"):
            print(f"  {name:<18}" + "".join(f"{one[name]:<24.2f}" for one in varied))


def _shown(one: Mapping[str, Any], name: str) -> str:
    values = one["measures"][name]
    return "{median:.3f} ({lower:.3f} {upper:.3f})".format(**values)


def lengths(
    writer: Any,
    arguments: argparse.Namespace,
    count: int,
    biases: Sequence[float],
    sampling: Sampling,
) -> list[dict[str, Any]]:
    """Write texts of each of --lengths at several biases, have them read, and print the rates."""
    from data_loader.synthetic.corpus import held_out
    from model.legibility import read_back
    from utils.hand_measures import measure, summary

    name = arguments.reader or "reader"
    reader = options.load(name, arguments, to="read", quiet=True)
    found = []
    for length in sorted(set(arguments.lengths)):
        texts = held_out(count, length - NEAR, length + NEAR)
        texts = options.known(writer.model.alphabet, texts, skip=True)
        results = read_back(
            writer, reader.model, texts, biases, sampling, seed=arguments.seed, progress=True
        )
        for one in results:
            measures = summary([measure(each.ink, each.reference) for each in one.transcriptions])
            found.append({"length": length, "bias": one.bias, **one.rates, "ended": one.ended})
            found[-1] |= {"complete": one.complete, "measures": measures}
            looks = "  ".join(f"{along} {_shown(found[-1], along)}" for along in ALONG)
            print(
                f"{length:>4} characters, bias {one.bias:<5g} cer {one.rates['cer']:.4f}  ended "
                f"{one.ended:.4f}, with every word {one.complete:.4f}  {looks}"
            )
    return found
