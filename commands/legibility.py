"""Let a recogniser judge how legible a writer is, by bias and kind of text."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import handwriting
import model
from commands import options, writing_options
from commands.options import Networks, Parser, number, require
from handwriting.page_options import OWN, PROOFREADERS, PageOptions, PrimerFile
from handwriting.styles import network_of
from utils.checks import UserError
from utils.files import read_lines, write_json

BIASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)  # default of --biases
NUM_SENTENCES = 50  # sentences of --texts plain without --num-samples (assumed)
EVERYDAY_SPLITS = {"everyday": "test", "everyday-valid": "valid"}  # by the value of --texts
SAMPLE_SEED_STRIDE = 1_000_000  # seeds between two samples of a text (assumed: fewer texts)


def add_options(parser: Parser) -> None:
    options.add_network(parser, of_style=True)
    judge = f"recogniser that judges (default: {PROOFREADERS})"
    parser.add_argument("--reader", metavar="CHECKPOINT", help=judge)
    add_texts(parser)
    writing_options.add_style(parser)
    writing_options.add_shared(parser, "--pen-sharpness", "--extra")
    add, kind = parser.add_argument, number(float, 0, 100)
    biases = "biases of the written lines (default: %(default)s)"
    add("--biases", type=kind, nargs="+", default=BIASES, metavar="B", help=biases)
    sheet = "draw the first sample of each text at the smallest bias on a sheet that marks misread "
    sheet += "lines"
    add("--sheet", action="store_true", help=sheet)
    proofread = "write in one hand, as on a page, and write again each word that this recogniser "
    proofread += "misreads; --reader must be another recogniser (default: off; --proofread alone "
    proofread += "takes %(const)s)"
    add("--proofread", nargs="?", const="proofreader", metavar="RECOGNISER", help=proofread)
    writing_options.add_shared(parser, "--tries")
    options.add_output(parser)


def add_texts(parser: Parser) -> None:
    """Add the options of the texts to write, the number of samples, and the seeds."""
    texts = parser.add_mutually_exclusive_group()
    text = "text to write at every bias; may be given several times (default: see --texts)"
    texts.add_argument("--text", action="append", help=text)
    texts.add_argument(
        "--texts",
        default="plain",
        metavar="plain|characters|everyday|everyday-valid|FILE",
        help="texts to write at every bias. plain: sentences; characters: words with every visible "
        "character of ASCII; everyday: 200 addresses, amounts, dates, names and the like; "
        "everyday-valid: 400 other such texts, by which networks and settings are chosen. No "
        "network was trained on these texts; characters that the writer does not know count as "
        "errors. FILE: every line a text, or every line a kind, a tab and a text (default: "
        "%(default)s)",
    )
    writing_options.add_shared(parser, "--skip-unknown")
    samples = f"number of plain sentences (default: {NUM_SENTENCES}), or samples of each other "
    samples += "text (default: 1)"
    writing_options.add_lines(parser, samples=samples, steps="default: enough for the text")
    options.add_seed(
        parser,
        "seed of the first text, incremented for each further text, and by a million for each "
        "further sample",
    )


def run(arguments: argparse.Namespace) -> None:
    require(arguments, tries="proofread")
    name, output = arguments.texts, arguments.output
    texts, kinds, samples = chosen_texts(name, arguments.text, arguments.num_samples)
    style = None if arguments.style == OWN else arguments.style
    networks = Networks.of(arguments)
    writer = networks.writer(arguments.resume or network_of(style), of_texts=True)
    if arguments.text or name not in ("plain", "characters", *EVERYDAY_SPLITS):
        texts = writing_options.without_unknown(
            writer.model.alphabet, texts, arguments.skip_unknown
        )
    from handwriting.legibility import read_back
    from handwriting.primers import in_hand_of, load_primer
    from model.writer import default_proofreader, sampling_of

    reader = networks.reader(arguments.reader or default_proofreader(writer))
    proofreader = arguments.proofread and networks.reader(arguments.proofread)
    output.make()
    tries = (arguments.tries or PageOptions.tries) if proofreader else 1
    sampling = sampling_of(writer, None, arguments.pen_sharpness, arguments.steps)
    sampling = replace(sampling, extras=dict(arguments.extras))
    sampling = in_hand_of(sampling, style, writer)
    primer = load_primer(PrimerFile(style), writer, sampling=sampling)[0] if style else None
    first_seeds = range(arguments.seed, arguments.seed + len(texts))
    seeds = [seed + n * SAMPLE_SEED_STRIDE for n in range(samples) for seed in first_seeds]
    texts, kinds = texts * samples, kinds * samples
    print(f"{type(reader.model).__name__} of {reader.path} reads {len(texts)} texts")
    unknown = {"writer": unknown_to(writer, texts), "reader": unknown_to(reader, texts)}
    writing = {"primer": primer, "proofreader": proofreader, "tries": tries}
    judge = partial(read_back, writer, reader, texts, seeds, **writing, progress=True)
    biases = sorted(set(arguments.biases))
    judged = {bias: judge(replace(sampling, bias=bias)) for bias in biases}
    results = [{"bias": bias, **judgement.summary(kinds)} for bias, judgement in judged.items()]
    for rates in results:
        show(rates, len(texts), with_tries=proofreader is not None)
    if arguments.sheet:
        path = output.folder / f"{writer.name}-texts.png"
        draw(path, judged[biases[0]], kinds, len(first_seeds))
        print(path)
    record = {
        "writer": str(writer.path),
        "reader": str(reader.path),
        "seed": arguments.seed,
        "pen_sharpness": sampling.pen_sharpness,
        **({"extras": dict(arguments.extras)} if arguments.extras else {}),
        "proofreader": proofreader and str(proofreader.path),
        "tries": tries,
        "style": style and str(style),
        "unknown": unknown,
        "results": results,
        "texts": readings(judged.values(), seeds, kinds),
    }
    write_json(output.folder / "read_back.json", record)
    print(output.folder / "read_back.json")


def unknown_to(network: "model.Writer | model.Reader", texts: Sequence[str]) -> str:
    """Return the characters of texts that a network does not know; print their number."""
    unknown = "".join(network.model.alphabet.unknown("".join(texts)))
    if unknown:
        counts = [sum(sign in unknown for sign in text) for text in texts]
        print(
            f"{sum(counts)} of {sum(map(len, texts))} characters, in {sum(map(bool, counts))} of "
            f"{len(texts)} texts, always count as errors, because the "
            f"{type(network).__name__.lower()} does not know them: {unknown!r}"
        )
    return unknown


def chosen_texts(
    name: str, texts: list[str] | None, num_samples: int | None
) -> tuple[list[str], list[str], int]:
    """Return the texts to write, their kinds (empty if they have none), and the samples per text.

    Args:
        name: the value of --texts.
        texts: the values of --text, which replace the texts of `name`.
        num_samples: the value of --num-samples.

    Raises:
        UserError: if the FILE of --texts cannot be read, or only some of its texts have kinds.
    """
    from data_loader.texts.corpus import CARRIERS, held_out
    from data_loader.texts.everyday import held_out_everyday

    samples = num_samples or 1
    if texts:
        return texts, [], samples
    if name == "plain":
        return held_out(num_samples or NUM_SENTENCES), [], 1
    if name == "characters":
        rows = list(CARRIERS.items())
    elif name in EVERYDAY_SPLITS:
        rows = held_out_everyday(EVERYDAY_SPLITS[name])
    else:
        rows = [[*map(str.strip, line.split("\t"))] for line in read_lines(name)]
        if len(lengths := {len(row) for row in rows}) > 1 or max(lengths) > 2:
            raise UserError(f"{name}: every line must be TEXT, or every line KIND, a tab and TEXT")
    return [row[-1] for row in rows], [row[0] for row in rows if len(row) == 2], samples


def show(rates: Mapping[str, Any], lines: int, *, with_tries: bool) -> None:
    """Print the rates at one bias, and a table of the rates of each kind of text."""
    tries = f"  {rates['tries']} words written" if with_tries else ""
    print(
        f"  bias {rates['bias']:<5g} cer {rates['cer']:.4f}  wer {rates['wer']:.4f}  error-free "
        f"{rates['line_accuracy']:.4f} ({rates['wrong']} of {lines} texts have errors)  "
        f"ended {rates['ended']:.4f}, without a missing word {rates['complete']:.4f}{tries}"
    )
    if kinds := rates.get("kinds"):
        width = max(map(len, kinds))
        print(f"    {'':{width}}  lines     cer   exact")
        for kind, kind_rates in [*kinds.items(), ("all", rates)]:
            values = f"{kind_rates['cer']:.4f}  {kind_rates['line_accuracy']:.4f}"
            print(f"    {kind:{width}}  {kind_rates['sequences']:>5}  {values}")


def draw(path: Path, judged: "handwriting.Legibility", kinds: Sequence[str], count: int) -> None:
    """Draw the first `count` lines on a sheet, sorted by kind, with marks at misread lines."""
    from utils.plots import sheet_figure, write_png

    lines = judged.transcriptions[:count]
    if kinds:
        order = sorted(range(count), key=lambda n: kinds.index(kinds[n]))
        lines = [lines[n] for n in order]
    faults = [f"read: {line.hypothesis}" if line.error_rate else "" for line in lines]
    figure = sheet_figure([line.ink for line in lines], [line.reference for line in lines], faults)
    write_png(path, figure)


def readings(
    judged: Collection["handwriting.Legibility"], seeds: Sequence[int], kinds: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a record of each line: the text, the seed, and the text read at every bias."""
    records = []
    for n, seed in enumerate(seeds):
        lines = [judgement.transcriptions[n] for judgement in judged]
        records.append({
            **({"kind": kinds[n]} if kinds else {}),
            "text": lines[0].reference,
            "seed": seed,
            "read": [line.hypothesis for line in lines],
            "tries": [judgement.tries[n] for judgement in judged],
        })  # fmt: skip
    return records
