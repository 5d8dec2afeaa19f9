"""Let a recogniser judge how legible a writer is, over bias or character by character."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from base.pretrained import located
from commands import options
from commands.options import Parser, number
from utils.alphabet import describe
from utils.checks import Range, UserError
from utils.files import write_json

BIASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Default of --biases."""

SENTENCES = 50
"""How many are written without --text and --num-samples."""

SAMPLES, BIAS, IN_ROW = 10, 1.0, 6
"""Of --characters: the defaults of --num-samples and --biases, and the characters per row of its
sheet."""

SHOWN = 3
"""Texts in the picture of what was written and read."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="conditional")
    add = parser.add_argument
    add(
        "--reader",
        default="recognition",
        metavar="CHECKPOINT",
        help="the recogniser (default: recognition)",
    )
    add(
        "--text",
        action="append",
        help="text to write at every bias; may be given several times (default: --num-samples "
        f"or {SENTENCES} sentences that no network was trained on)",
    )
    options.add_skip_unknown(parser)
    samples = f"sentences, or samples of each character (default: {SENTENCES} or {SAMPLES})"
    options.add_sampling(
        parser, samples=samples, steps="default: enough for the longest text", bias=False
    )
    add(
        "--biases",
        type=number(float, Range(0, 100)),
        nargs="+",
        metavar="B",
        help=f"biases to write at (default: {' '.join(f'{bias:g}' for bias in BIASES)}; "
        f"one with --characters, default {BIAS:g})",
    )
    add(
        "--characters",
        action="store_true",
        help="write every visible ASCII character within a word or two, instead of sentences, and "
        "draw them on a sheet (default: no)",
    )
    options.add_search(parser)
    options.add_overrides(parser)
    options.add_seed(parser, "seed of the first text, incremented for each further text")
    options.add_output(parser)


def check(arguments: argparse.Namespace) -> None:
    if arguments.text and arguments.num_samples:
        raise UserError("each --text is written once per bias: leave out --num-samples")
    if arguments.characters and arguments.text:
        raise UserError("--characters has texts of its own: leave out --text")
    if arguments.characters and len(arguments.biases or ()) > 1:
        raise UserError("--characters writes at one bias: give --biases one value")
    if arguments.skip_unknown and not arguments.text:
        raise UserError("--skip-unknown is for a --text")
    options.check_search(arguments)


def run(arguments: argparse.Namespace) -> None:
    located(arguments.reader)
    options.readable(options.language_file(arguments))
    writer = options.load(arguments.resume, arguments)
    from model.loading import Reader, Writer

    if not isinstance(writer, Writer) or not writer.model.needs_text:
        kind = type(writer.model).__name__
        raise UserError(f"{writer.path} contains a {kind}: a network that writes texts is needed")
    reader = options.load(arguments.reader, arguments, quiet=True)
    if not isinstance(reader, Reader):
        raise UserError(
            f"--reader {arguments.reader}: it contains a {type(reader.model).__name__}, not a "
            "recogniser"
        )
    options.make_output(arguments.output)
    how = {
        **options.sharpening(arguments),
        "seed": arguments.seed,
        "max_steps": arguments.steps,
        "search": options.search_of(reader, arguments),
        "progress": True,
    }
    if arguments.characters:
        judge_characters(writer, reader, arguments, how)
    else:
        judge_texts(writer, reader, arguments, how)


def introduce(reader: Any, texts: Sequence[str]) -> None:
    """Print how many texts are read, and which of their characters the reader does not know."""
    print(f"{type(reader.model).__name__} of {reader.path} reads {len(texts)} texts")
    if unknown := reader.model.alphabet.unknown("".join(texts)):
        names = ", ".join(map(describe, unknown))
        print(f"always counted as errors, because the reader does not know them: {names}")


def record(writer: Any, reader: Any, how: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a file of results records."""
    from model.generation.mixture import PEN_SHARPNESS

    return {
        "writer": str(writer.path),
        "reader": str(reader.path),
        "seed": how["seed"],
        "pen_sharpness": how.get("pen_sharpness", PEN_SHARPNESS),
    }


def judge_texts(
    writer: Any, reader: Any, arguments: argparse.Namespace, how: Mapping[str, Any]
) -> None:
    """Have texts read as written at several biases, and draw the rate of errors over bias."""
    from data_loader.synthetic.corpus import held_out
    from model.legibility import read_back
    from utils.plots import draw_curve, draw_lines

    texts = arguments.text or held_out(arguments.num_samples or SENTENCES)
    skip = arguments.skip_unknown or not arguments.text
    texts = options.known(writer.model.alphabet, texts, skip)
    introduce(reader, texts)
    biases = sorted(set(arguments.biases or BIASES))
    results = read_back(writer.model, reader.model, texts, biases, **how)
    for one in results:
        print(
            f"  bias {one.bias:<5g} cer {one.rates['cer']:.4f}  wer {one.rates['wer']:.4f}  texts "
            f"read without an error {one.rates['line_accuracy']:.4f}  ended {one.ended:.4f}, with "
            f"every word {one.complete:.4f}"
        )
    curve = arguments.output / f"{writer.name}-legibility.png"
    draw_curve(
        curve,
        [one.bias for one in results],
        [100 * one.rates["cer"] for one in results],
        ("bias", "character error rate, %"),
        f"{writer.name} read by {reader.name}: {len(texts)} texts",
    )
    lines = arguments.output / f"{writer.name}-read-back.png"
    shown = [(one, one.transcriptions[n]) for n in range(min(SHOWN, len(texts))) for one in results]
    draw_lines(
        lines,
        [line.ink for _, line in shown],
        [
            f"bias {one.bias:g} · written: {line.reference}\nread: {line.hypothesis}"
            for one, line in shown
        ],
    )
    path = arguments.output / "read_back.json"
    write_json(
        path,
        {
            **record(writer, reader, how),
            "results": [
                {"bias": one.bias, "ended": one.ended, "complete": one.complete, **one.rates}
                for one in results
            ],
            "texts": [
                {
                    "text": one.reference,
                    "read": [result.transcriptions[n].hypothesis for result in results],
                }
                for n, one in enumerate(results[0].transcriptions)
            ],
        },
    )
    print(f"{curve}  {lines}  {path}")


def judge_characters(
    writer: Any, reader: Any, arguments: argparse.Namespace, how: Mapping[str, Any]
) -> None:
    """Have every visible character of ASCII read several times, and draw the first of each."""
    import numpy as np

    from data_loader.synthetic.corpus import CARRIERS
    from model.legibility import read_characters
    from utils.ink import bounds, side_by_side
    from utils.plots import draw_lines

    alphabet, count = writer.model.alphabet, arguments.num_samples or SAMPLES
    carriers = {one: text for one, text in CARRIERS.items() if not alphabet.unknown(text)}
    if left_out := [one for one in CARRIERS if one not in carriers]:
        unknown = ", ".join(map(describe, alphabet.unknown("".join(CARRIERS.values()))))
        print(
            f"left out: {' '.join(left_out)}, because their texts contain characters that the "
            f"writer does not know: {unknown}"
        )
    if not carriers:
        raise UserError(f"{writer.path}: its network knows the characters of none of the texts")
    introduce(reader, [text for text in carriers.values() for _ in range(count)])
    (bias,) = arguments.biases or [BIAS]
    result, judged = read_characters(writer.model, reader.model, carriers, count, bias, **how)
    for one in judged:
        others = f"  misread: {'  '.join(one.misreadings)}" if one.misreadings else ""
        counts = f"{one.exact:>3} of {count}, itself {one.itself:>3}"
        print(f"  {one.character}  {counts}  {one.text}{others}")
    exact = sum(one.exact for one in judged) / (count * len(judged))
    itself = sum(one.itself for one in judged) / (count * len(judged))
    print(
        f"bias {result.bias:g}: of {len(judged)} characters, {count} times each, {exact:.4f} read"
        f" exactly with their whole carrier, {itself:.4f} counting the character alone; ended "
        f"{result.ended:.4f}"
    )
    inks = [one.transcriptions[0].ink for one in judged]
    pitch = 1.2 * float(np.quantile([bounds(ink)[2] - bounds(ink)[0] for ink in inks], 0.95)) or 1.0
    sheet = arguments.output / f"{writer.name}-characters.png"
    rows = [slice(first, first + IN_ROW) for first in range(0, len(judged), IN_ROW)]
    draw_lines(
        sheet,
        [side_by_side(inks[row], pitch) for row in rows],
        ["  ·  ".join(one.text for one in judged[row]) for row in rows],
    )
    path = arguments.output / "characters.json"
    write_json(
        path,
        {
            **record(writer, reader, how),
            "bias": result.bias,
            "samples": count,
            "exact": exact,
            "itself": itself,
            "characters": {
                one.character: {
                    "text": one.text,
                    "exact": one.exact,
                    "itself": one.itself,
                    "read": [each.hypothesis for each in one.transcriptions],
                }
                for one in judged
            },
        },
    )
    print(f"{sheet}  {path}")
