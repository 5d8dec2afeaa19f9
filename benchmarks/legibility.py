"""Lets a recogniser judge how legible a writer is, by bias and kind of text.

`judge` lies beside this script, because no network, epoch or setting may be chosen by it.
"""

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apps.pages import writing_options
from apps.pages.hands import Hand, hand_of
from apps.pages.page_hands import new_hand_primer
from apps.pages.page_options import OWN, PageOptions
from apps.pages.proofreading import UNENDED, line_ink, write_words
from apps.pages.source_text import known_only
from apps.pages.styles import network_of
from commands.shared import network_options
from commands.shared.network_options import Networks, require
from commands.shared.options import Parser
from commands.shared.scripts import main
from data_loader.synthetic.texts.corpus import CARRIERS, held_out
from data_loader.synthetic.texts.everyday import held_out_everyday
from model.drawing.plots import sheet_figure, write_png
from model.generation.line import Primer, Sampling
from model.loading import Reader, Writer, sampling_of
from model.recognition.error_rates import missing_words
from model.recognition.transcribing import Transcription, score
from utils.checks import UserError, number
from utils.files import read_lines, write_json

JUDGE = Path(__file__).with_name("judge.pth")
"""The recogniser that chooses nothing, see the model card."""
BIASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)  # default of --biases
NUM_SENTENCES = 50  # sentences of --texts plain without --num-samples (assumed)
EVERYDAY_SPLITS = {"everyday": "test", "everyday-valid": "valid"}  # by the value of --texts
SAMPLE_SEED_STRIDE = 1_000_000  # seeds between two samples of a text (assumed: fewer texts)


@dataclass(frozen=True)
class Legibility:
    """The legibility of the lines of a writer: a reader's transcriptions, and its rates.

    Attributes:
        transcriptions: each line as the reader reads it.
        lines_ended: whether each line ended by the stopping rule.
        tries: for each line the sum of the tries of its words.
    """

    transcriptions: list[Transcription]
    lines_ended: list[bool]
    tries: list[int]

    @cached_property
    def rates(self) -> dict[str, float]:
        """See `model.recognition.transcribing.score`."""
        return score(self.transcriptions)

    @property
    def ended(self) -> float:
        """Fraction of the lines that ended by the stopping rule."""
        return sum(self.lines_ended) / max(len(self.lines_ended), 1)

    @property
    def complete(self) -> float:
        """Fraction of the lines that ended by the stopping rule and lack no word."""
        num_complete = 0
        for ended, line in zip(self.lines_ended, self.transcriptions, strict=True):
            num_complete += ended and not missing_words(line.reference, line.hypothesis)
        return num_complete / max(len(self.lines_ended), 1)

    @property
    def wrong(self) -> int:
        """Number of the lines that have an error."""
        return sum(line.error_rate > 0 for line in self.transcriptions)

    def summary(self, kinds: Sequence[str] = ()) -> dict[str, Any]:
        """Return all numbers by name; if each text has a kind, also the rates of each kind."""
        lines_of_kinds: dict[str, list[Transcription]] = {}
        for line, kind in zip(self.transcriptions, kinds, strict=bool(kinds)):
            lines_of_kinds.setdefault(kind, []).append(line)
        numbers = {"ended": self.ended, "complete": self.complete, "wrong": self.wrong}
        numbers |= {"tries": sum(self.tries)} | self.rates
        if kinds:
            numbers["kinds"] = {kind: score(lines) for kind, lines in lines_of_kinds.items()}
        return numbers


def read_back(
    writer: Writer,
    reader: Reader,
    texts: Sequence[str],
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    proofreader: Reader | None = None,
    tries: int = PageOptions.tries,
    progress: bool = False,
) -> Legibility:
    """Write texts and read them back, to measure legibility.

    Args:
        writer: a writer that takes a text.
        reader: a recogniser, which should not have learnt from ink that networks wrote.
        texts: the texts to write, in NFC. Characters that the writer does not know are left out;
            these, and characters that the reader does not know, count as errors.
        seeds: the seed of each line.
        sampling: how points are drawn.
        primer: a line whose hand is continued.
        proofreader: a recogniser other than `reader`: a recogniser reads best the words that it
            chose itself. With a proofreader, lines are written as on a page: in the hand of the
            primer or in a hand of the network's own, and misread words are written again.
        tries: largest number of times that a word is written.
        progress: show progress bars.

    Raises:
        UserError: if `Writer.write_lines` raises it, if the writer knows no character of a text, or
            if the proofreader is the reader.
    """
    if proofreader and proofreader.path.samefile(reader.path):
        raise UserError(
            f"--proofread {proofreader.path} is also the network of --reader, which would make "
            "lines seem better than they are: give two networks"
        )
    writable, _ = known_only(writer.model.alphabet, texts, skip=True)
    if proofreader:
        sampling = replace(sampling, latent_seed=seeds[0])
        primer = primer or new_hand_primer(writer, proofreader, seeds[0], sampling)
        hand = Hand(writer, primer, proofreader, sampling, tries, progress=progress)
        checked = write_words(hand, writable, seeds)
        inks = [line_ink(line) for line in checked]
        ended = [not any(UNENDED in word.faults for word in line) for line in checked]
        tries_of_lines = [sum(word.tries for word in line) for line in checked]
    else:
        if primer is None:
            lines = writer.write_lines(writable, seeds, sampling, progress=progress)
        else:
            hand = Hand(writer, primer, sampling=sampling, progress=progress)
            lines = hand.write_texts(writable, seeds)
        inks = [line.visible for line in lines]
        ended = [line.ended for line in lines]
        tries_of_lines = [1] * len(lines)
    hypotheses = reader.read_lines(inks, progress=progress)
    lines_read = enumerate(zip(inks, texts, hypotheses, strict=True), 1)
    transcriptions = [Transcription(f"text {number}", *values) for number, values in lines_read]
    return Legibility(transcriptions, ended, tries_of_lines)


def run(arguments: argparse.Namespace) -> None:
    """Write texts at each bias, read them back, and print and save the rates."""
    require(arguments, tries="proofread")
    values = writing_options.values_of(arguments, ("style", "pen_sharpness", "extras"))
    style = None if values.get("style", OWN) == OWN else values["style"]
    texts, kinds, samples = chosen_texts(arguments.texts, arguments.text, arguments.num_samples)
    networks = Networks.of(arguments)
    writer = networks.writer(arguments.resume or network_of(style), of_texts=True)
    if arguments.text or arguments.texts not in ("plain", "characters", *EVERYDAY_SPLITS):
        alphabet = writer.model.alphabet
        texts = writing_options.without_unknown(alphabet, texts, arguments.skip_unknown)
    reader = networks.reader(arguments.reader)
    proofreader = arguments.proofread and networks.reader(arguments.proofread)
    arguments.output.make()
    folder = arguments.output.folder
    extras = values.get("extras", {})
    sampling = sampling_of(writer, None, values.get("pen_sharpness"), arguments.steps, extras)
    sampling, primer = in_style(writer, style, sampling)
    first_seeds = range(arguments.seed, arguments.seed + len(texts))
    seeds = [seed + n * SAMPLE_SEED_STRIDE for n in range(samples) for seed in first_seeds]
    texts, kinds = texts * samples, kinds * samples
    print(f"{type(reader.model).__name__} of {reader.path} reads {len(texts)} texts")
    tries = (arguments.tries or PageOptions.tries) if proofreader else 1
    record = {
        "writer": str(writer.path),
        "reader": str(reader.path),
        "seed": arguments.seed,
        "pen_sharpness": sampling.pen_sharpness,
        **({"extras": values["extras"]} if "extras" in values else {}),
        "proofreader": proofreader and str(proofreader.path),
        "tries": tries,
        "style": style and str(style),
        "unknown": {"writer": unknown_to(writer, texts), "reader": unknown_to(reader, texts)},
    }
    options = {"primer": primer, "proofreader": proofreader, "tries": tries, "progress": True}
    judged, results = {}, []
    for bias in sorted(set(arguments.biases)):
        biased = replace(sampling, bias=bias)
        judged[bias] = read_back(writer, reader, texts, seeds, biased, **options)
        results.append({"bias": bias, **judged[bias].summary(kinds)})
        show(results[-1], len(texts), with_tries=proofreader is not None)
    if arguments.sheet:
        draw(folder / f"{writer.name}-texts.png", judged[min(judged)], kinds, len(first_seeds))
    record |= {"results": results, "texts": readings(judged.values(), seeds, kinds)}
    write_json(folder / "read_back.json", record)
    print(folder / "read_back.json")


def in_style(
    writer: Writer, style: str | Path | None, sampling: Sampling
) -> tuple[Sampling, Primer | None]:
    """Return a sampling with the extras of a style, and the primer of the style; with no style, the
    same sampling, and None."""
    if style is None:
        return sampling, None
    # Without a bias nothing is measured here: the lines are measured at each of the biases.
    hand = hand_of(writer, style, sampling, bias=0.0, of_page=True)
    return replace(sampling, extras=hand.sampling.extras), hand.primer


def unknown_to(network: Writer | Reader, texts: Sequence[str]) -> str:
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
        lengths = {len(row) for row in rows}
        if len(lengths) > 1 or max(lengths) > 2:
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


def draw(path: Path, judged: Legibility, kinds: Sequence[str], count: int) -> None:
    """Draw the first `count` lines on a sheet, sorted by kind, with marks at misread lines."""
    order = sorted(range(count), key=lambda n: kinds.index(kinds[n])) if kinds else range(count)
    lines = [judged.transcriptions[n] for n in order]
    faults = [f"read: {line.hypothesis}" if line.error_rate else "" for line in lines]
    figure = sheet_figure([line.ink for line in lines], [line.reference for line in lines], faults)
    write_png(path, figure)
    print(path)


def readings(
    judged: Collection[Legibility], seeds: Sequence[int], kinds: Sequence[str]
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


if __name__ == "__main__":
    parser = Parser(description=__doc__)
    add = parser.add_argument
    either = parser.add_mutually_exclusive_group().add_argument
    network_options.add_network(parser, of_style=True)
    judge = f"recogniser that judges (default: {JUDGE.name} beside this script)"
    add("--reader", metavar="CHECKPOINT", default=JUDGE, help=judge)
    text = "text to write at every bias; may be given several times (default: see --texts)"
    either("--text", action="append", help=text)
    texts = "texts to write at every bias. plain: sentences; characters: words with every visible "
    texts += "character of ASCII; everyday: 200 addresses, amounts, dates, names and the like; "
    texts += "everyday-valid: 400 other such texts, by which networks and settings are chosen. No "
    texts += "network was trained on these texts; characters that the writer does not know count "
    texts += "as errors. FILE: every line a text, or every line a kind, a tab and a text "
    texts += "(default: %(default)s)"
    names = "plain|characters|everyday|everyday-valid|FILE"
    either("--texts", default="plain", metavar=names, help=texts)
    writing_options.add_shared(parser, "--skip-unknown", "--tries")
    samples = f"number of plain sentences (default: {NUM_SENTENCES}), or samples of each other "
    samples += "text (default: 1)"
    writing_options.add_lines(parser, samples=samples, steps="default: enough for the text")
    seed = "seed of the first text, incremented for each further text, and by a million for each "
    network_options.add_seed(parser, seed + "further sample")
    writing_options.add_style(parser, OWN)
    writing_options.add_set(parser, "pen_sharpness or extras, see experiments.py write")
    biases = "biases of the written lines (default: %(default)s)"
    bias = number(float, 0, 100)
    add("--biases", type=bias, nargs="+", default=BIASES, metavar="B", help=biases)
    sheet = "draw the first sample of each text at the smallest bias on a sheet that marks misread "
    add("--sheet", action="store_true", help=sheet + "lines")
    proofread = "write in one hand, as on a page, and write again each word that this recogniser "
    proofread += "misreads; --reader must be another recogniser (default: off; --proofread alone "
    proofread += "takes %(const)s)"
    add("--proofread", nargs="?", const="reader", metavar="RECOGNISER", help=proofread)
    network_options.add_output(parser)
    main(run, parser)
