"""Let a recogniser judge how legible a writer is, by bias and kind of text."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from base.pretrained import resolve_checkpoint
from commands import options, primer_options, search_options
from commands.options import Parser, number, require
from utils.alphabet import describe
from utils.checks import UserError
from utils.files import write_json

BIASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Default of --biases."""
SENTENCES = 50
"""How many are written without --text, --texts and --num-samples."""
EVERYDAY = {"everyday": "test", "everyday-valid": "valid"}
"""Names that --texts takes for texts of everyday life: the split they belong to."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="writer")
    add, texts = parser.add_argument, parser.add_mutually_exclusive_group()
    add("--reader", default="reader", metavar="CHECKPOINT", help="the recogniser")
    texts.add_argument(
        "--text",
        action="append",
        help="text to write at every bias; may be given several times (default: see --texts)",
    )
    texts.add_argument(
        "--texts",
        default="plain",
        metavar="plain|characters|everyday|everyday-valid|FILE",
        help="texts to write at every bias. plain: sentences; characters: every visible one of "
        "ASCII, within a word or two; everyday: 200 addresses, amounts, dates, names and the like; "
        "everyday-valid: 400 other ones, to choose networks and settings by; no network was "
        "trained on any of these; FILE: a text in each line, or its kind, a tab and the text",
    )
    options.add_skip_unknown(parser)
    primer_options.add_style(parser)
    samples = f"plain sentences (default: {SENTENCES}), or samples of each other text (default: 1)"
    options.add_lines(parser, samples=samples, steps="default: enough for its text")
    kind = number(float, 0, 100)
    add("--biases", type=kind, nargs="+", default=BIASES, metavar="B", help="biases to write at")
    add(
        "--sheet",
        action="store_true",
        help="draw the lines of all texts at the smallest bias on a sheet that marks what was "
        "misread, the first sample of each",
    )
    add(
        "--proofread",
        nargs="?",
        const="reader",
        metavar="RECOGNISER",
        help="write every line as a page's are: read back by this recogniser, and written again if "
        "it is misread; another network than --reader (default: no; without a name reader)",
    )
    tries = "how often a line is written at most, with --proofread (default: 4)"
    add("--tries", type=number(int, 1, 100), metavar="N", help=tries)
    search_options.add_options(parser)
    options.add_seed(
        parser,
        "seed of the first text, incremented for each further text, and by a million for each "
        "further sample",
    )
    options.add_output(parser)


def run(arguments: argparse.Namespace) -> None:
    require(arguments, tries="proofread")
    search_options.check(arguments)
    for name in filter(None, (arguments.reader, arguments.proofread)):
        resolve_checkpoint(name)
    texts, kinds, samples, own = chosen_texts(arguments)
    writer = options.load(arguments.resume, arguments, to="write texts")
    texts = options.known(writer.model.alphabet, texts, arguments.skip_unknown or not own)
    reader = options.load(arguments.reader, arguments, to="read")
    proofreader = None
    if arguments.proofread:
        proofreader = options.load(arguments.proofread, arguments, to="read")
        if proofreader.path.samefile(reader.path):
            raise UserError(
                f"--proofread {arguments.proofread} is the network of --reader: it would judge the "
                "lines that it chose itself, which seem better than they are; give two, such as "
                "--proofread --reader judge"
            )
    from model.handwriting import TRIES
    from model.legibility import rates_by_kind, read_back

    arguments.output.make()
    style = None if arguments.primer == primer_options.OWN else arguments.primer
    tries = (arguments.tries or TRIES) if proofreader else 1
    sampling = options.sampling_of(arguments)
    print(f"{type(reader.model).__name__} of {reader.path} reads {len(texts) * samples} texts")
    if unknown := reader.model.alphabet.unknown("".join(texts)):
        names = ", ".join(map(describe, unknown))
        print(f"always counted as errors, because the reader does not know them: {names}")
    results = read_back(
        writer,
        reader.model,
        texts,
        sorted(set(arguments.biases)),
        sampling,
        seed=arguments.seed,
        samples=samples,
        primer=primer_options.samples_of([style], writer)[0] if style else None,
        search=search_options.search_of(reader, arguments),
        proofreader=proofreader,
        tries=tries,
        progress=True,
    )
    by_kind = [rates_by_kind(one.transcriptions, kinds) if kinds else {} for one in results]
    for one, of_kind in zip(results, by_kind, strict=True):
        show(one, of_kind, "in {} tries" if proofreader else "")
    files = draw(writer, reader, arguments, results, kinds, len(texts))
    recorded = {
        "writer": str(writer.path),
        "reader": str(reader.path),
        "seed": arguments.seed,
        "pen_sharpness": sampling.pen_sharpness,
        "proofreader": str(proofreader.path) if proofreader else None,
        "tries": tries,
        "style": str(style) if style else None,
    }
    path = arguments.output.folder / "read_back.json"
    each = texts_read(results, kinds, samples, arguments.seed)
    write_json(path, recorded | {"results": rates(results, by_kind), "texts": each})
    print("  ".join(map(str, [*files, path])))


def chosen_texts(arguments: argparse.Namespace) -> tuple[list[str], list[str], int, bool]:
    """Return the texts to write, the kind of each (none if they have no kinds), how often each is
    written, and whether they are the user's own.

    Raises:
        UserError: if the FILE of --texts cannot be read, or has kinds for some of its texts only.
    """
    from data_loader.synthetic.corpus import CARRIERS, held_out
    from data_loader.synthetic.everyday import held_out_everyday

    samples, name = arguments.num_samples or 1, arguments.texts
    if arguments.text:
        return arguments.text, [], samples, True
    if name == "plain":
        return held_out(arguments.num_samples or SENTENCES), [], 1, False
    if name == "characters":
        return list(CARRIERS.values()), list(CARRIERS), samples, False
    if name in EVERYDAY:
        kinds, texts = zip(*held_out_everyday(EVERYDAY[name]), strict=True)
        return list(texts), list(kinds), samples, False
    rows = [[*map(str.strip, line.split("\t"))] for line in options.lines_of(name)]
    if len(lengths := {len(row) for row in rows}) > 1 or max(lengths) > 2:
        raise UserError(f"{name}: not a text in each line, nor in each its kind, a tab and a text")
    return [row[-1] for row in rows], [row[0] for row in rows if len(row) == 2], samples, True


def show(result: Any, by_kind: Mapping[str, Any], tries: str) -> None:
    """Print the rates at one bias, and a table of those of each kind of text."""
    print(
        f"  bias {result.bias:<5g} cer {result.rates['cer']:.4f}  wer {result.rates['wer']:.4f}  "
        f"texts read without an error {result.rates['line_accuracy']:.4f}, with any {result.wrong} "
        f"of {len(result.tries)}  ended {result.ended:.4f}, with every word {result.complete:.4f}  "
        f"dots that can be seen {result.clear_dots:.4f}  {tries.format(sum(result.tries))}".rstrip()
    )
    if not by_kind:
        return
    width = max(map(len, by_kind))
    print(f"    {'':{width}}  lines     cer   exact")
    for kind, one in [*by_kind.items(), ("all", result.rates)]:
        rates = f"{one['cer']:.4f}  {one['line_accuracy']:.4f}"
        print(f"    {kind:{width}}  {one['sequences']:>5}  {rates}")


def draw(
    writer: Any,
    reader: Any,
    arguments: argparse.Namespace,
    results: Sequence[Any],
    kinds: Sequence[str],
    count: int,
) -> list[Path]:
    """Draw the rate of errors over bias, and the sheet of `count` texts; return the files."""
    from utils.plots import curve_figure, sheet_figure, write_png

    curve, sheet = (
        arguments.output.folder / f"{writer.name}-{name}.png" for name in ("legibility", "texts")
    )
    figure = curve_figure(
        [one.bias for one in results],
        [100 * one.rates["cer"] for one in results],
        ("bias", "character error rate, %"),
        f"{writer.name} read by {reader.name}: {count} texts",
    )
    write_png(curve, figure)
    if not arguments.sheet:
        return [curve]
    first = {kind: n for n, kind in reversed(list(enumerate(kinds)))}
    order = sorted(range(count), key=lambda n: first[kinds[n]] if kinds else n)
    each = [results[0].transcriptions[n] for n in order]
    inks, texts = [one.ink for one in each], [one.reference for one in each]
    faults = [f"read: {one.hypothesis}" if one.error_rate else "" for one in each]
    write_png(sheet, sheet_figure(inks, texts, faults))
    return [curve, sheet]


def rates(results: Sequence[Any], by_kind: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what a file of results records of each bias."""
    names = ("bias", "ended", "complete", "wrong", "clear_dots")
    return [
        {name: getattr(one, name) for name in names}
        | {"tries": sum(one.tries), **one.rates}
        | ({"kinds": of_kind} if of_kind else {})
        for one, of_kind in zip(results, by_kind, strict=True)
    ]


def texts_read(
    results: Sequence[Any], kinds: Sequence[str], samples: int, seed: int
) -> list[dict[str, Any]]:
    """Return what a file of results records of each text, for each of its samples."""
    from model.legibility import seeds_of

    written = results[0].transcriptions
    seeds, kinds = seeds_of(len(written) // samples, samples, seed), [*kinds] * samples
    return [
        ({"kind": kinds[n]} if kinds else {})
        | {
            "text": one.reference,
            "seed": seeds[n],
            "read": [result.transcriptions[n].hypothesis for result in results],
            "tries": [result.tries[n] for result in results],
        }
        for n, one in enumerate(written)
    ]
