"""Write single lines, with or without a text, in a synthetic hand."""

import argparse
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import apps.pages
import model
from apps.pages import writing_options
from apps.pages.page_options import OWN, USUAL, HandSource, PrimerFile
from apps.pages.styles import USUAL_STYLES, network_of, usual_style_of
from base.run.pretrained import letter_warning
from commands.shared import network_options
from commands.shared.network_options import FIGURES, Networks
from commands.shared.options import Parser
from ink.alphabet import PANGRAM
from ink.geometry import bounds, side_by_side
from model.generation.line import Sampling
from utils.checks import CheckpointError, UserError, short
from utils.program import NEEDS_TORCH, has_torch, typed

NUM_UNPROMPTED_LINES = 5  # default of --num-samples for a network without a text
NUM_COMPARED = 10  # default of --num-samples for each of several networks
SHEET_DPI = 300  # pixels per inch of a sheet (assumed: single digits are small on paper)
LINE_SUFFIXES = (".svg", ".png", ".inkml")  # of a file that --output names

LINE_SETTINGS = (
    *("style", "bias", "pen_sharpness", "lines_per_hand", "extras", "inkml", "show"),
    *writing_options.PRIMER_KEYS,
)
"""The keys of --set."""


def add_options(parser: Parser) -> None:
    network_options.add_network(parser, nargs="+", of_style=True)
    add = parser.add_argument
    text = "texts for a conditional network to write, a line each, before -r (default: "
    text += f"{PANGRAM!r}, without characters that the network does not know)"
    add("lines", nargs="*", metavar="TEXT", help=text)
    add("--text", action="append", default=[], help="a further text; may be given several times")
    texts = (
        "file with a text a line, which become a set to train on (docs/data.md), in a new folder"
    )
    add("--texts", type=Path, metavar="FILE", help=texts)
    writing_options.add_shared(parser, "--skip-unknown", "--bias")
    writing_options.add_lines(
        parser,
        samples="number of lines of each text (default: 1), of a network that takes no text "
        f"(default: {NUM_UNPROMPTED_LINES}, or 1 if --output is a file), or of each of several "
        f"networks, on one sheet (default: {NUM_COMPARED})",
        steps="default: enough for the text, or 700 without a text",
    )
    seed = "seed of the first line of each text, incremented for each further line of the text"
    network_options.add_seed(parser, seed)
    network_options.add_output(parser, LINE_SUFFIXES)
    writing_options.add_style(parser, "each line in another hand")
    writing_options.add_shared(parser, "--primer")
    keys = "pen_sharpness, how much the bias also sharpens the probability of lifting the pen (0: "
    keys += f"not at all, as in the paper; default: {Sampling.pen_sharpness:g}), inkml=yes, which "
    keys += "saves each line as InkML as well, show, lines_per_hand, extras, primer_text, "
    keys += "primer_number or primer_scale (docs/write.md)"
    writing_options.add_set(parser, keys)


@dataclass(frozen=True)
class Lines:
    """The options of lines.

    Attributes:
        text: texts to write; None for the default text.
        texts: file with a text a line, which become a set to train on.
        num_samples: number of lines of each text; None for the default.
        seed: seed of the first line of each text; of a set, of its first line.
        lines_per_hand: number of lines of a set in one of many hands.
        bias, pen_sharpness, steps: options of the sampling; None for their defaults.
        extras: numbers that the network gets, by name.
        skip_unknown: whether characters that the network does not know are left out.
        hand: the source of the hand; None if each line is in another hand.
        output: folder or file of the output.
        inkml: whether InkML is saved as well.
        show: kinds of pictures that are saved for each line.
    """

    text: list[str] | None
    texts: Path | None
    num_samples: int | None
    seed: int
    lines_per_hand: int
    bias: float | None
    pen_sharpness: float | None
    steps: int | None
    extras: Mapping[str, list[float]]
    skip_unknown: bool
    hand: HandSource | None
    output: network_options.Output
    inkml: bool
    show: list[str]

    def sampling(self, writer: "model.Writer") -> Sampling:
        """Return the sampling options for a network."""
        from model.loading import sampling_of

        return sampling_of(writer, self.bias, self.pen_sharpness, self.steps, self.extras)

    def texts_for(self, writer: "model.Writer") -> list[str] | None:
        """Return the texts to write; None for a network that takes no text."""
        if not writer.model.needs_text:
            return None
        if self.text is None:
            return [writer.default_text]
        return writing_options.without_unknown(writer.model.alphabet, self.text, self.skip_unknown)


def check(chosen: Lines, *, several: bool) -> None:
    """Raise a UserError for options that contradict each other, or a primer that is missing."""
    texts = chosen.text or [PANGRAM]
    is_refused_for_set = chosen.text or chosen.show or several
    if chosen.texts and is_refused_for_set:
        raise UserError("--texts writes a set, without --text, show or a second network")
    if chosen.texts and (chosen.output.file or chosen.output.path == Path(FIGURES)):
        raise UserError("--texts writes a set to train on: name a new folder with --output")
    if chosen.lines_per_hand > 1 and not chosen.texts:
        raise UserError("lines_per_hand is for --texts, which is not given")
    for text in texts:
        if "\n" in text or "\r" in text:
            raise UserError(
                f"--text {short(text)}: contains a line end, but becomes one line; `page` writes "
                "several lines"
            )
    has_texts = chosen.hand or chosen.text or chosen.texts  # a hand may have a primer's text
    if chosen.skip_unknown and not has_texts:
        raise UserError("--skip-unknown is for --text, which is not given")
    is_refused_for_several = chosen.hand or chosen.show or chosen.inkml or len(texts) > 1
    if several and is_refused_for_several:
        refused = "show, inkml, --style, --primer, or a second --text"
        raise UserError(f"several networks write the same text on one sheet, without {refused}")
    lines = len(texts) * (chosen.num_samples or 1)
    if chosen.output.file and lines > 1 and not several:
        raise UserError(
            f"--output {chosen.output.path} is a file for one line, but {lines} lines are "
            "requested: give a folder, or one --text and --num-samples 1"
        )
    primer = chosen.hand.path if isinstance(chosen.hand, PrimerFile) else None
    network_options.check_readable(chosen.texts, primer)


def chosen_lines(
    arguments: argparse.Namespace, values: Mapping[str, Any], hand: HandSource | None
) -> Lines:
    """Return the options of the lines, from the command line and from the `values` of settings."""
    return Lines(
        text=[*arguments.lines, *arguments.text] or None,
        texts=arguments.texts,
        num_samples=arguments.num_samples,
        seed=arguments.seed,
        lines_per_hand=values.get("lines_per_hand", 1),
        bias=values.get("bias"),
        pen_sharpness=values.get("pen_sharpness"),
        steps=arguments.steps,
        extras=values.get("extras", {}),
        skip_unknown=arguments.skip_unknown,
        hand=hand,
        output=arguments.output,
        inkml=values.get("inkml", False),
        show=[*values.get("show", ())],
    )


def run(arguments: argparse.Namespace) -> None:
    values = writing_options.values_of(arguments, LINE_SETTINGS)
    primer = writing_options.primer_of(arguments, values)
    # The values are parsed: a bias is a number, a style its file, a mix, `OWN` or `USUAL`.
    style = values.get("style")
    chosen = chosen_lines(arguments, values, primer or style)
    check(chosen, several=len(arguments.resume or ()) > 1)
    networks = Networks.of(arguments)
    if not has_torch():
        return write_by_engine(networks, arguments.resume or ["open_writer"], chosen)
    style_file = None if style in (OWN, USUAL) else style
    # The networks of -r, or else the one for which the primer or the style was made.
    names = arguments.resume or [network_of(primer.path if primer else style_file)]
    if style_file and (chosen.text or chosen.texts):
        from apps.pages.style_checks import first_lines

        first_lines(style_file)  # refuses a line without a text
    try:
        writers = [networks.writer(name) for name in names]
    except CheckpointError as error:
        if chosen.text or len(names) == 1:
            raise
        raise UserError(f"{error}; a text stands before -r: write TEXT -r NETWORK") from None
    option = ""
    if chosen.texts:
        option = "--texts"
    elif chosen.text:
        option = "--text"
    if option and not any(writer.model.needs_text for writer in writers):
        raise UserError(
            f"{writers[0].path} contains a network without text input: {option} is for others"
        )
    if chosen.texts:
        write_set(writers[0], chosen)
    elif len(writers) == 1:
        write(writers[0], chosen)
    else:
        compare(names, writers, chosen)


def write(writer: "model.Writer", chosen: Lines) -> None:
    """Write lines with a network; save each line, and a picture of all lines.

    `hand_of` reads the style or the primer. `Hand.write_texts` makes lines behind a primer as large
    as the primer, `Writer.write_lines` prepares texts and makes batches, and `sample` writes a
    batch (`model/generation/sampling.py`): `Stopping` ends a line there, and `Mixture` draws each
    point, or on a CPU the compiled loop does (`draw` in `model/layers/kernels/sampling.c`).
    """
    if chosen.show:
        from model.generation.step_figures import check_pictures

        check_pictures(writer, chosen.show)
    texts = chosen.texts_for(writer)
    output = chosen.output
    sampling = chosen.sampling(writer)
    hand = chosen_hand(writer, chosen)
    message = letter_warning(writer.path, "".join(texts)) if texts else None
    if message:
        print(message)
    output.make()
    default_samples = 1 if texts or output.file else NUM_UNPROMPTED_LINES
    num_samples = chosen.num_samples or default_samples
    seeds = range(chosen.seed, chosen.seed + num_samples)
    names = [f"-{name}" for name in file_names(texts)] if texts else [""]
    stems = [output.named(f"{writer.name}{name}-seed{n}") for name in names for n in seeds]
    if output.file:
        stems = [output.file.with_suffix("")]
    if texts:
        texts = [text for text in texts for _ in seeds]
    all_seeds = [*seeds] * len(names)
    if hand:
        lines = hand.write_texts(texts, all_seeds)
    else:
        lines = writer.write_lines(texts, all_seeds, sampling, progress=True)
    save(writer, chosen, sampling, stems, lines)
    ended = f"{sum(line.ended for line in lines)} of {len(lines)} lines ended"
    if writer.model.needs_text:
        print(f"{ended} by the stopping rule")
    elif writer.model.end_of_sequence:
        print(f"{ended} on their own")


def write_by_engine(networks: Networks, names: Sequence[str], chosen: Lines) -> None:
    """Write lines without PyTorch, in a style of the network or in another hand with each seed.

    Raises:
        UserError: for an option that needs PyTorch.
    """
    refused = {
        "several networks": len(names) > 1,
        "--texts": chosen.texts,
        "--primer": isinstance(chosen.hand, PrimerFile),
        "--steps": chosen.steps,
        "show": chosen.show,
        "pen_sharpness": chosen.pen_sharpness,
        "extras": chosen.extras,
    }
    if named := [name for name, is_given in refused.items() if is_given]:
        raise UserError(f"{named[0]} {NEEDS_TORCH}")
    writer = networks.writer(names[0], of_texts=True)
    style = None
    if chosen.hand == USUAL:
        style = USUAL_STYLES.get(writer.name)
    elif chosen.hand not in (None, OWN):
        style = Path(str(chosen.hand)).stem
        if style not in writer.biases:
            present = f"{writer.name} has the styles {', '.join(writer.biases)}"
            raise UserError(f"{present}; the style {style} {NEEDS_TORCH}")
    texts = chosen.text or [PANGRAM]
    texts = writing_options.without_unknown(writer.alphabet, texts, chosen.skip_unknown)
    chosen.output.make()
    seeds = range(chosen.seed, chosen.seed + (chosen.num_samples or 1))
    stems = [
        chosen.output.named(f"{writer.name}-{name}-seed{seed}")
        for name in file_names(texts)
        for seed in seeds
    ]
    if chosen.output.file:
        stems = [chosen.output.file.with_suffix("")]
    all_seeds = [*seeds] * len(texts)
    texts = [text for text in texts for _ in seeds]
    options = {"style": style, "bias": chosen.bias, "progress": True}
    lines = writer.write_lines(texts, all_seeds, **options)
    save(writer, chosen, sampling=None, stems=stems, lines=lines)
    print(f"{sum(line.ended for line in lines)} of {len(lines)} lines ended by the stopping rule")


def chosen_hand(writer: "model.Writer", chosen: Lines) -> "apps.pages.Hand | None":
    """Return the hand of all lines, and print its source; None if each line has another hand."""
    source = chosen.hand
    if source == USUAL:
        source = usual_style_of(writer.path) or OWN
    if source is None or (source == OWN and not writer.model.needs_text):
        return None
    if source == OWN:
        return hand_of_seed(writer, chosen)
    from apps.pages.hands import hand_of

    options = {"bias": chosen.bias, "skip_unknown": chosen.skip_unknown, "progress": True}
    hand = hand_of(writer, source, chosen.sampling(writer), **options)
    if hand.description:
        network_options.print_visible(f"in the hand of {hand.description}")
    return hand


def hand_of_seed(writer: "model.Writer", chosen: Lines) -> "apps.pages.Hand":
    """Return the hand in which `page --style own` writes with the same seed."""
    from model.loading import default_proofreader, load_reader

    reader = None
    sampling = chosen.sampling(writer)
    if not writer.takes_hand:
        reader = load_reader(default_proofreader(writer), str(writer.device))
    shared = {"bias": chosen.bias, "progress": True}
    return apps.pages.own_hand(writer, chosen.seed, sampling, reader, **shared)


def write_set(writer: "model.Writer", chosen: Lines) -> None:
    """Write the texts of a file as a set to train on."""
    from apps.pages.written_set import LICENCE_FILE, WrittenSet, checked_texts
    from ink.sample import summarise

    texts = checked_texts(chosen.texts, writer.model.alphabet, chosen.skip_unknown)
    if message := letter_warning(writer.path, "".join(texts.characters)):
        print(message)
    sampling = chosen.sampling(writer)
    hand = chosen_hand(writer, chosen)
    folder = chosen.output.folder
    written_set = WrittenSet(
        writer,
        texts,
        sampling,
        hand=hand,
        lines_per_hand=chosen.lines_per_hand,
        num_samples=chosen.num_samples or 1,
        seed=chosen.seed,
        inkml=chosen.inkml,
    )
    written = written_set.write(folder)
    lines = written.all
    network_options.print_visible(
        f"{folder}: {len(lines):,} lines, {lines.lengths.sum():,} points",
        *summarise(written.faults),
        f"the licence: {folder / LICENCE_FILE}",
    )
    dataset = {"type": "InkMLDataset", "args": {"root": str(folder)}}
    option = shlex.quote(f"data_loader.args.dataset={json.dumps(dataset)}")
    print(f"to train on it: {typed('train')} -c recognition -o {option}")


def compare(names: Sequence[str], writers: Sequence["model.Writer"], chosen: Lines) -> None:
    """Draw lines of several networks in one picture, with a row for each network."""
    from model.drawing.plots import lines_figure, write_png

    count = chosen.num_samples or NUM_COMPARED
    seeds = range(chosen.seed, chosen.seed + count)
    jobs = [(writer, chosen.texts_for(writer), chosen.sampling(writer)) for writer in writers]
    chosen.output.make()
    rows = []
    captions = []
    for name, (writer, texts, sampling) in zip(names, jobs, strict=True):
        if texts:
            texts = texts * count
        lines = writer.write_lines(texts, seeds, sampling, progress=True)
        rows.append([line.ink for line in lines])
        captions.append(f"{name} · {sum(line.ended for line in lines)} of {count} ended")
        network_options.print_visible(captions[-1])
    widths = []
    for row in rows:
        widths += [right - left for left, _, right, _ in map(bounds, row)]
    # A quantile: one very wide line must not move all others apart. Lines of a dot have no width.
    pitch = 1.3 * float(np.quantile(widths, 0.9)) or 1.0
    path = chosen.output.named("sheet.png").with_suffix(".png")
    figure = lines_figure([side_by_side(row, pitch) for row in rows], captions)
    write_png(path, figure, SHEET_DPI)
    sheet = f"{path}  ({len(rows)} rows of {count}, seeds from {chosen.seed})"
    network_options.print_visible(sheet)


def save(
    writer: "model.Writer",
    chosen: Lines,
    sampling: Sampling | None,
    stems: Sequence[Path],
    lines: Sequence["model.Line"],
) -> None:
    """Save the files of each line, and a picture of several lines; print the paths. `sampling` is
    None if the engine wrote the lines."""
    from tqdm import tqdm

    file = chosen.output.file
    messages = []
    suffixes = [file.suffix] if file else [".png", ".svg"]
    if chosen.inkml and ".inkml" not in suffixes:
        suffixes.append(".inkml")
    jobs = zip(stems, lines, strict=True)
    bar = tqdm(jobs, "drawing", len(lines), unit="line", leave=False, disable=None)
    for stem, line in bar:
        paths = save_line(writer, line, stem, suffixes)
        if file and not paths:
            raise UserError(f"--output {file}: nothing was written after the primer")
        # A line of one point has no step to show.
        if sampling and len(line.ink) > 1 and chosen.show:
            from model.drawing.plots import write_png
            from model.generation.step_figures import step_figures

            figures = step_figures(writer, line, chosen.show, sampling.pen_sharpness)
            for kind, figure in figures.items():
                paths.append(stem.with_name(f"{stem.name}-{kind}.png"))
                write_png(paths[-1], figure)
        end = ", ended" if line.ended else ", not ended"
        if sampling and not (writer.model.needs_text or writer.model.end_of_sequence):
            end = ""  # Lines of this network have no end.
        after = f" after the {line.primed} of the primer" if line.primed else ""
        points = f"{len(line.ink) - line.primed} points{after}"
        messages.append(f"{'  '.join(map(str, paths))}  ({points}{end})")
    network_options.print_visible(*messages)
    if len(lines) > 1:
        shown = lines[: network_options.MAX_PICTURED_LINES]
        picture = chosen.output.named(f"{writer.name}.png")
        draw(picture, shown)
        extent = "all" if len(shown) == len(lines) else "the first"
        network_options.print_visible(f"{picture}  ({extent} {len(shown)} lines)")


def save_line(
    writer: "model.Writer", line: "model.Line", stem: Path, suffixes: Sequence[str]
) -> list[Path]:
    """Save the files of a line, at `stem` with `suffixes`, and return their paths.

    A PNG shows the primer as well; SVG and InkML have only the ink after the primer.
    """
    paths = [stem.with_name(f"{stem.name}{suffix}") for suffix in suffixes]
    if not len(line.written):  # The network ended the line at the end of the primer.
        paths = [path for path in paths if path.suffix.lower() == ".png"]
    for path in paths:
        if path.suffix.lower() == ".png":
            draw(path, [line])
        else:
            replace(line, description=f"{line.description} · {writer.name}").save(path)
    return paths


def draw(path: Path, lines: Sequence["model.Line"]) -> None:
    """Draw lines, with their primers."""
    from model.drawing.plots import lines_figure, write_png

    captions = [line.description for line in lines]
    primers = [line.primed for line in lines]
    write_png(path, lines_figure([line.ink for line in lines], captions, primers=primers))


def file_names(texts: Sequence[str]) -> list[str]:
    """Return a name for each text, which no other text has and which every file system allows."""
    names: list[str] = []
    for text in texts:
        plain = re.sub("[^A-Za-z0-9]+", "-", text)[:40].strip("-") or "text"
        name = plain
        count = 1
        while name.lower() in map(str.lower, names):  # Some file systems ignore case.
            count += 1
            name = f"{plain}-{count}"
        names.append(name)
    return names
