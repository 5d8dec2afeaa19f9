"""Let a recogniser judge how legible a writer is, by bias and kind of text."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import handwriting
import model
from base.pretrained import network_of
from commands import options, primer_options, search_options
from commands.options import Parser, number, require
from handwriting.options import OWN, PrimerFile
from utils.alphabet import describe
from utils.checks import UserError
from utils.files import write_json

BIASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Default of --biases."""
SENTENCES = 50
"""How many are written without --text, --texts and --num-samples."""
EVERYDAY = {"everyday": "test", "everyday-valid": "valid"}
"""Names that --texts takes for texts of everyday life: the split they belong to."""
SAMPLE_SEED_STRIDE = 1_000_000
"""Difference between the seeds of two samples of a text: more than there are texts (assumed)."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, of_style=True)
    add, texts = parser.add_argument, parser.add_mutually_exclusive_group()
    add("--reader", default="proofreader", metavar="CHECKPOINT", help="the recogniser")
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
    options.add_pen_sharpness(parser)
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
        const="proofreader",
        metavar="RECOGNISER",
        help="write as a page is: in one hand, each word read back by this recogniser, and written "
        "again if it is misread; another network than --reader (default: no; without a name "
        "proofreader)",
    )
    tries = "how often a word is written at most, with --proofread (default: 6)"
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
    texts, kinds, samples = chosen_texts(arguments)
    style = None if arguments.style == OWN else arguments.style
    named = arguments.resume or network_of(style)
    writer = options.load_writer(named, arguments, of_texts=True)
    own = arguments.text or arguments.texts not in ("plain", "characters", *EVERYDAY)
    texts = options.without_unknown(writer.model.alphabet, texts, arguments.skip_unknown or not own)
    reader = options.load_reader(arguments.reader, arguments)
    proofreader = proofreader_of(arguments, reader)
    from handwriting.hand import TRIES, Hand, own_hand
    from handwriting.primers import load_primer
    from utils.plots import curve_figure, write_png

    arguments.output.make()
    primer = load_primer(PrimerFile(style), writer)[0] if style else None
    tries = (arguments.tries or TRIES) if proofreader else 1
    sampling = options.sampling_of(arguments, writer)
    search = search_options.search_of(reader, arguments)
    seeds = [
        arguments.seed + n + sample * SAMPLE_SEED_STRIDE
        for sample in range(samples)
        for n in range(len(texts))
    ]
    count, texts, kinds = len(texts), texts * samples, kinds * samples
    print(f"{type(reader.model).__name__} of {reader.path} reads {len(texts)} texts")
    if unknown := reader.model.alphabet.unknown("".join(texts)):
        names = ", ".join(map(describe, unknown))
        print(f"always counted as errors, because the reader does not know them: {names}")
    found: dict[float, handwriting.Legibility] = {}
    for bias in sorted(set(arguments.biases)):
        biased, hand = replace(sampling, bias=bias), None
        if proofreader:
            sample = primer or own_hand(writer, proofreader, arguments.seed, biased)
            hand = Hand(writer, sample, proofreader, biased, tries, progress=True)
        found[bias] = handwriting.read_back(
            writer,
            reader,
            texts,
            seeds,
            biased,
            primer=primer,
            search=search,
            hand=hand,
            progress=True,
        )
    results = [rates(bias, one, kinds) for bias, one in found.items()]
    for one in results:
        show(one, len(texts), with_tries=proofreader is not None)
    recorded = {
        "writer": str(writer.path),
        "reader": str(reader.path),
        "seed": arguments.seed,
        "pen_sharpness": sampling.pen_sharpness,
        "proofreader": str(proofreader.path) if proofreader else None,
        "tries": tries,
        "style": str(style) if style else None,
        "results": results,
        "texts": readings(list(found.values()), texts, kinds, seeds),
    }
    path = arguments.output.folder / "read_back.json"
    curve, sheet = (
        arguments.output.folder / f"{writer.name}-{name}.png" for name in ("legibility", "texts")
    )
    files = [curve, sheet, path] if arguments.sheet else [curve, path]
    caption = f"{writer.name} read by {reader.name}: {count} texts"
    errors = [100 * one.rates["cer"] for one in found.values()]
    axes = ("bias", "character error rate, %")
    write_png(curve, curve_figure(list(found), errors, axes, caption))
    if arguments.sheet:
        draw_sheet(sheet, found[min(found)].transcriptions[:count], kinds)
    write_json(path, recorded)
    print("  ".join(map(str, files)))


def chosen_texts(arguments: argparse.Namespace) -> tuple[list[str], list[str], int]:
    """Return the texts to write, the kind of each (none if they have no kinds), and how often each
    is written.

    Raises:
        UserError: if the FILE of --texts cannot be read, or has kinds for some of its texts only.
    """
    from data_loader.synthetic.corpus import CARRIERS, held_out
    from data_loader.synthetic.everyday import held_out_everyday

    samples, name = arguments.num_samples or 1, arguments.texts
    if arguments.text:
        return arguments.text, [], samples
    if name == "plain":
        return held_out(arguments.num_samples or SENTENCES), [], 1
    if name == "characters":
        rows = list(CARRIERS.items())
    elif name in EVERYDAY:
        rows = held_out_everyday(EVERYDAY[name])
    else:
        rows = [[*map(str.strip, line.split("\t"))] for line in options.lines_of(name)]
        if len(lengths := {len(row) for row in rows}) > 1 or max(lengths) > 2:
            problem = "not a text in each line, nor in each its kind, a tab and a text"
            raise UserError(f"{name}: {problem}")
    return [row[-1] for row in rows], [row[0] for row in rows if len(row) == 2], samples


def proofreader_of(arguments: argparse.Namespace, judge: "model.Reader") -> "model.Reader | None":
    """Return the network of --proofread, if it is given.

    Raises:
        UserError: if it is the one that judges.
    """
    if not arguments.proofread:
        return None
    proofreader = options.load_reader(arguments.proofread, arguments)
    if proofreader.path.samefile(judge.path):
        raise UserError(
            f"--proofread {arguments.proofread} is the network of --reader: it would judge the "
            "lines that it chose itself, which seem better than they are; give two, such as "
            "--proofread --reader judge"
        )
    return proofreader


def rates(bias: float, found: "handwriting.Legibility", kinds: Sequence[str]) -> dict[str, Any]:
    """Return what is recorded of the lines written at a bias, and of each kind of text."""
    from model.recognition.transcribing import score

    of_kind = {
        kind: score(
            one for one, own in zip(found.transcriptions, kinds, strict=True) if own == kind
        )
        for kind in dict.fromkeys(kinds)
    }
    return {
        "bias": bias,
        "ended": found.ended,
        "complete": found.complete,
        "wrong": found.wrong,
        "clear_dots": found.clear_dots,
        "tries": sum(found.tries),
        **found.rates,
        **({"kinds": of_kind} if kinds else {}),
    }


def show(one: Mapping[str, Any], lines: int, *, with_tries: bool) -> None:
    """Print the rates at one bias, and a table of those of each kind of text."""
    tries = f"  {one['tries']} words written" if with_tries else ""
    print(
        f"  bias {one['bias']:<5g} cer {one['cer']:.4f}  wer {one['wer']:.4f}  texts read without "
        f"an error {one['line_accuracy']:.4f}, with any {one['wrong']} of {lines}  ended "
        f"{one['ended']:.4f}, with every word {one['complete']:.4f}  dots that can be seen "
        f"{one['clear_dots']:.4f}{tries}"
    )
    if kinds := one.get("kinds"):
        width = max(map(len, kinds))
        print(f"    {'':{width}}  lines     cer   exact")
        for kind, own in [*kinds.items(), ("all", one)]:
            values = f"{own['cer']:.4f}  {own['line_accuracy']:.4f}"
            print(f"    {kind:{width}}  {own['sequences']:>5}  {values}")


def draw_sheet(path: Path, lines: Sequence["model.Transcription"], kinds: Sequence[str]) -> None:
    """Draw lines, those of a kind together, and mark what was misread."""
    from utils.plots import sheet_figure, write_png

    order = sorted(range(len(lines)), key=lambda n: kinds.index(kinds[n]) if kinds else n)
    lines = [lines[n] for n in order]
    faults = [f"read: {one.hypothesis}" if one.error_rate else "" for one in lines]
    inks, texts = [one.ink for one in lines], [one.reference for one in lines]
    write_png(path, sheet_figure(inks, texts, faults))


def readings(
    found: Sequence["handwriting.Legibility"],
    texts: Sequence[str],
    kinds: Sequence[str],
    seeds: Sequence[int],
) -> list[dict[str, object]]:
    """Return what is recorded of each line: what was read at every bias."""
    return [
        ({"kind": kinds[n]} if kinds else {})
        | {
            "text": text,
            "seed": seeds[n],
            "read": [one.transcriptions[n].hypothesis for one in found],
            "tries": [one.tries[n] for one in found],
        }
        for n, text in enumerate(texts)
    ]
