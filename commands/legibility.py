"""Let a recogniser judge how legible a writer is, by bias, kind of text or character."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from base.pretrained import resolve_checkpoint
from commands import options, search_options
from commands.options import Parser, number
from utils.alphabet import describe
from utils.checks import Range, UserError
from utils.files import write_json

BIASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Default of --biases."""

SENTENCES = 50
"""How many are written without --text, --texts and --num-samples."""

EVERYDAY = {"everyday": "test", "choosing": "valid"}
"""Names that --texts takes for texts of everyday life: the split they belong to."""

SAMPLES, BIAS, IN_ROW = 10, 1.0, 6
"""Of --characters: the defaults of --num-samples and --biases, and the characters per row of its
sheet."""

TRIES = 4
"""Default of --tries, that of a page."""

SHOWN = 3
"""Texts in the picture of what was written and read."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="writer")
    add = parser.add_argument
    add(
        "--reader",
        default="reader",
        metavar="CHECKPOINT",
        help="the recogniser (default: reader)",
    )
    add(
        "--text",
        action="append",
        help="text to write at every bias; may be given several times (default: see --texts)",
    )
    add(
        "--texts",
        metavar="plain|everyday|choosing|FILE",
        help="texts to write at every bias. plain: sentences; everyday: 200 addresses, amounts, "
        "dates, names and the like; choosing: 400 other ones, to choose networks and settings by; "
        "no network was trained on any of these; FILE: a text in each line, or its kind, a tab "
        "and the text (default: plain)",
    )
    options.add_skip_unknown(parser)
    options.add_style(parser)
    samples = f"plain sentences (default: {SENTENCES}), or samples of each text of another kind "
    samples += f"(default: 1) or character (default: {SAMPLES})"
    options.add_sampling(parser, samples=samples, steps="default: enough for its text", bias=False)
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
    add(
        "--sheet",
        action="store_true",
        help="draw the lines of all texts at the smallest bias on a sheet that marks what was "
        "misread, the first sample of each (default: no)",
    )
    add(
        "--proofread",
        nargs="?",
        const="reader",
        metavar="RECOGNISER",
        help="write every line as a page's are: read back by this recogniser, and written again if "
        "it is misread; another network than --reader (default: no; without a name reader)",
    )
    add(
        "--tries",
        type=number(int, Range(1, 100)),
        metavar="N",
        help=f"how often a line is written at most, with --proofread (default: {TRIES}), e.g. "
        "--tries 8",
    )
    search_options.add_search(parser)
    options.add_overrides(parser)
    options.add_seed(
        parser,
        "seed of the first text, incremented for each further text, and by a million for each "
        "further sample",
    )
    options.add_output(parser)


def check(arguments: argparse.Namespace) -> None:
    if arguments.text and arguments.texts:
        raise UserError("--texts names other texts than --text: leave out one of them")
    for name in ("text", "texts", "sheet"):
        if arguments.characters and getattr(arguments, name):
            raise UserError(f"--characters has texts and a sheet of its own: leave out --{name}")
    if arguments.characters and len(arguments.biases or ()) > 1:
        raise UserError("--characters writes at one bias: give --biases one value")
    if arguments.skip_unknown and not (arguments.text or texts_file(arguments)):
        raise UserError("--skip-unknown is for a --text, or a FILE of --texts")
    if arguments.tries and not arguments.proofread:
        raise UserError("--tries is for --proofread: without it every line is written once")
    search_options.check_search(arguments)


def texts_file(arguments: argparse.Namespace) -> Path | None:
    """Return the FILE of --texts, if there is one."""
    named = arguments.texts in (None, "plain", *EVERYDAY)
    return None if named else Path(arguments.texts)


def run(arguments: argparse.Namespace) -> None:
    resolve_checkpoint(arguments.reader)
    if arguments.proofread:
        resolve_checkpoint(arguments.proofread)
    options.readable(search_options.language_file(arguments), texts_file(arguments))
    writer = options.load(arguments.resume, arguments, to="write texts")
    from model.reader import Reader

    named = {"--reader": arguments.reader, "--proofread": arguments.proofread}
    readers = {
        option: options.load(path, arguments, quiet=True) for option, path in named.items() if path
    }
    for option, one in readers.items():
        if not isinstance(one, Reader):
            raise UserError(
                f"{option} {named[option]}: it contains a {type(one.model).__name__}, not a "
                "recogniser"
            )
    reader, proofreader = readers["--reader"], readers.get("--proofread")
    if proofreader and proofreader.path.samefile(reader.path):
        raise UserError(
            f"--proofread {arguments.proofread} is the network of --reader: it would judge the "
            "lines that it chose itself, which seem better than they are; give two, such as "
            "--proofread --reader judge"
        )
    options.make_output(arguments.output)
    style = None if arguments.style == options.OWN else arguments.style
    how = {
        "sampling": options.sampling_of(arguments),
        "seed": arguments.seed,
        "primer": options.samples_of([style], writer)[0] if style else None,
        "search": search_options.search_of(reader, arguments),
        "proofreader": proofreader,
        "tries": (arguments.tries or TRIES) if proofreader else 1,
        "progress": True,
    }
    if proofreader:
        kind = type(proofreader.model).__name__
        print(f"{kind} of {proofreader.path} proofreads, {how['tries']} tries at most")
    recorded = record(writer, reader, proofreader, how, style)
    judge = judge_characters if arguments.characters else judge_texts
    judge(writer, reader, arguments, how, recorded)


def introduce(reader: Any, texts: Sequence[str]) -> None:
    """Print how many texts are read, and which of their characters the reader does not know."""
    print(f"{type(reader.model).__name__} of {reader.path} reads {len(texts)} texts")
    if unknown := reader.model.alphabet.unknown("".join(texts)):
        names = ", ".join(map(describe, unknown))
        print(f"always counted as errors, because the reader does not know them: {names}")


def record(
    writer: Any, reader: Any, proofreader: Any, how: Mapping[str, Any], style: Path | None
) -> dict[str, Any]:
    """Return the settings that a file of results records."""
    return {
        "writer": str(writer.path),
        "reader": str(reader.path),
        "seed": how["seed"],
        "pen_sharpness": how["sampling"].pen_sharpness,
        "proofreader": str(proofreader.path) if proofreader else None,
        "tries": how["tries"],
        "style": str(style) if style else None,
    }


def chosen_texts(arguments: argparse.Namespace) -> tuple[list[str], list[str], int]:
    """Return the texts to write, the kind of each (none if they have no kinds), and how often.

    Raises:
        UserError: if the FILE of --texts cannot be read, or has kinds for some of its texts only.
    """
    samples = arguments.num_samples or 1
    if arguments.text:
        return arguments.text, [], samples
    if file := texts_file(arguments):
        rows = [[*map(str.strip, line.split("\t"))] for line in options.lines_of(file)]
        if all(len(row) == 1 for row in rows):
            return [text for (text,) in rows], [], samples
        for row in rows:
            if len(row) != 2:
                raise UserError(
                    f"{file}: {chr(9).join(row)!r} is not a kind, a tab and a text, as other lines"
                )
        return [text for _, text in rows], [kind for kind, _ in rows], samples
    if arguments.texts in EVERYDAY:
        from data_loader.synthetic.everyday import held_out_everyday

        kinds, texts = zip(*held_out_everyday(EVERYDAY[arguments.texts]), strict=True)
        return list(texts), list(kinds), samples
    from data_loader.synthetic.corpus import held_out

    return held_out(arguments.num_samples or SENTENCES), [], 1


def judge_texts(
    writer: Any,
    reader: Any,
    arguments: argparse.Namespace,
    how: Mapping[str, Any],
    recorded: Mapping[str, Any],
) -> None:
    """Have texts read as written at several biases, and draw the rate of errors over bias."""
    from model.legibility import rates_by_kind, read_back, seeds_of
    from utils.plots import draw_curve, draw_lines

    texts, kinds, samples = chosen_texts(arguments)
    skip = arguments.skip_unknown or not (arguments.text or texts_file(arguments))
    texts = options.known(writer.model.alphabet, texts, skip)
    introduce(reader, texts * samples)
    biases = sorted(set(arguments.biases or BIASES))
    results = read_back(writer, reader.model, texts, biases, samples=samples, **how)
    by_kind = [rates_by_kind(one.transcriptions, kinds) if kinds else {} for one in results]
    for one, of_kind in zip(results, by_kind, strict=True):
        print(
            f"  bias {one.bias:<5g} cer {one.rates['cer']:.4f}  wer {one.rates['wer']:.4f}  texts "
            f"read without an error {one.rates['line_accuracy']:.4f}, with any {one.wrong} of "
            f"{len(one.tries)}  ended {one.ended:.4f}, with every word {one.complete:.4f}  dots "
            f"that can be seen {one.clear_dots:.4f}"
            f"{counted(one, arguments)}"
        )
        if of_kind:
            show_kinds([*of_kind.items(), ("all", one.rates)])
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
    written = [curve, lines]
    if arguments.sheet:
        written.append(arguments.output / f"{writer.name}-texts.png")
        draw_texts(written[-1], results[0].transcriptions[: len(texts)], kinds)
    path = arguments.output / "read_back.json"
    seeds = seeds_of(len(texts), samples, how["seed"])
    write_json(
        path,
        {
            **recorded,
            "results": [
                {
                    "bias": one.bias,
                    "ended": one.ended,
                    "complete": one.complete,
                    "wrong": one.wrong,
                    "clear_dots": one.clear_dots,
                    "tries": sum(one.tries),
                    **one.rates,
                }
                | ({"kinds": of_kind} if kinds else {})
                for one, of_kind in zip(results, by_kind, strict=True)
            ],
            "texts": [
                ({"kind": kinds[n % len(texts)]} if kinds else {})
                | {
                    "text": one.reference,
                    "seed": seeds[n],
                    "read": [result.transcriptions[n].hypothesis for result in results],
                    "tries": [result.tries[n] for result in results],
                }
                for n, one in enumerate(results[0].transcriptions)
            ],
        },
    )
    print("  ".join(map(str, [*written, path])))


def counted(result: Any, arguments: argparse.Namespace) -> str:
    """Return how many tries proofreading took, as a part of a line; "" without it."""
    return f"  in {sum(result.tries)} tries" if arguments.proofread else ""


def show_kinds(rates: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Print a table of rates, each with the kind of text it is of."""
    width = max(len(kind) for kind, _ in rates)
    print(f"    {'':{width}}  lines     cer   exact")
    for kind, one in rates:
        print(
            f"    {kind:{width}}  {one['sequences']:>5}  {one['cer']:.4f}  "
            f"{one['line_accuracy']:.4f}"
        )


def draw_texts(path: Path, transcriptions: Sequence[Any], kinds: Sequence[str]) -> None:
    """Draw lines with their texts, those of a kind together, and what was read if it differs."""
    from utils.plots import draw_sheet

    order = range(len(transcriptions))
    if kinds:
        first = {kind: n for n, kind in reversed(list(enumerate(kinds)))}
        order = sorted(order, key=lambda n: first[kinds[n]])
    shown = [transcriptions[n] for n in order]
    draw_sheet(
        path,
        [one.ink for one in shown],
        [one.reference for one in shown],
        [f"read: {one.hypothesis}" if one.error_rate else "" for one in shown],
    )


def judge_characters(
    writer: Any,
    reader: Any,
    arguments: argparse.Namespace,
    how: Mapping[str, Any],
    recorded: Mapping[str, Any],
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
    how = {**how, "sampling": replace(how["sampling"], bias=bias)}
    result, judged = read_characters(writer, reader.model, carriers, count, **how)
    for one in judged:
        others = f"  misread: {'  '.join(one.misreadings)}" if one.misreadings else ""
        counts = f"{one.exact:>3} of {count}, itself {one.itself:>3}"
        print(f"  {one.character}  {counts}  {one.text}{others}")
    exact = sum(one.exact for one in judged) / (count * len(judged))
    itself = sum(one.itself for one in judged) / (count * len(judged))
    print(
        f"bias {result.bias:g}: of {len(judged)} characters, {count} times each, {exact:.4f} read"
        f" exactly with their whole carrier, {itself:.4f} counting the character alone; ended "
        f"{result.ended:.4f}{counted(result, arguments)}"
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
            **recorded,
            "bias": result.bias,
            "samples": count,
            "written": sum(result.tries),
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
