"""Write single lines, with or without a text, in a synthetic hand."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from commands import options, primer_options, showing
from commands.options import Parser
from utils.alphabet import PANGRAM
from utils.checks import UserError, short

LINES = 5
"""Lines drawn by a network without a text if --num-samples is not given."""

LONG = 100
"""Characters of a text from which it is said how it becomes a page."""
FILES = (".svg", ".png", ".inkml")
"""Suffixes that make --output the file of a line."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="writer")
    add = parser.add_argument
    add(
        "--text",
        action="append",
        help="text for a conditional network to write; may be given several times "
        f"(default: {PANGRAM!r})",
    )
    options.add_skip_unknown(parser)
    options.add_sampling(
        parser,
        samples="lines per text (default: 1), or lines without a text "
        f"(default: {LINES}, or 1 if --output is a file)",
        steps="default: enough for the text, or 700 without one",
    )
    seed = "seed of the first line of each text, incremented for each further line of it"
    options.add_seed(parser, seed)
    options.add_output(parser, FILES)
    add("--inkml", action="store_true", help="save each line as InkML as well (default: no)")
    primer_options.add_options(parser)
    showing.add_options(parser)


def check(arguments: argparse.Namespace) -> None:
    primer_options.check(arguments)
    if broken := [text for text in arguments.text or () if "\n" in text or "\r" in text]:
        raise UserError(
            f"--text {short(broken[0])}: contains a line end, but becomes one line; `page` writes "
            "several"
        )
    if arguments.skip_unknown and not (arguments.text or arguments.primer):
        raise UserError("--skip-unknown is for a --text, or the text of a --primer")
    file = options.output_file(arguments.output, FILES)
    lines = len(arguments.text or [PANGRAM]) * (arguments.num_samples or 1)
    if file and lines > 1:
        raise UserError(
            f"--output {file} is a file for one line, but {lines} lines are requested: give a "
            "folder, or one --text and --num-samples 1"
        )


def run(arguments: argparse.Namespace) -> None:
    options.readable(arguments.primer)
    writer = options.load(arguments.resume, arguments, to="write")
    showing.check(writer, arguments.show)
    sampling = options.sampling_of(arguments, writer)
    first, count = arguments.seed, arguments.num_samples
    if writer.model.needs_text:
        skip = arguments.skip_unknown or not arguments.text
        texts = options.known(writer.model.alphabet, arguments.text or [PANGRAM], skip)
        seeds = range(first, first + (count or 1))
        jobs = [
            (f"{writer.name}-{name}-seed{seed}", text, seed)
            for name, text in zip(file_names(texts), texts, strict=True)
            for seed in seeds
        ]
    else:
        if arguments.text or arguments.primer_text:
            raise UserError(
                f"{writer.path} contains a network without text input: --text and --primer-text "
                "are for a conditional one"
            )
        one = options.output_file(arguments.output, FILES)
        seeds = range(first, first + (count or (1 if one else LINES)))
        jobs = [(f"{writer.name}-seed{seed}", None, seed) for seed in seeds]
    primer = primer_options.take_primer(writer, arguments)
    options.make_output(arguments.output, FILES)
    names, texts, seeds = zip(*jobs, strict=True)
    lines = writer.write_lines(
        texts if writer.model.needs_text else None,
        seeds,
        sampling,
        primer=primer,
        progress=True,
    )
    save(writer, arguments, names, lines)
    if "bias" in arguments.show:
        stems = [stem_of(arguments, name) for name in names]
        for path in showing.save_biases(writer, arguments, texts, seeds, stems, primer):
            print(path)
    if any(len(text or "") > LONG for text in texts):
        print("a long text became one long line; `page` breaks it into lines")
    ended = f"{sum(line.ended for line in lines)} of {len(lines)} lines ended"
    if writer.model.needs_text:
        print(f"{ended} by the stopping rule")
    elif writer.model.end_of_sequence:
        print(f"{ended} on their own")


def save(writer: Any, arguments: argparse.Namespace, names: Sequence[str], lines: list) -> None:
    """Save the files of each line, and a picture of all, and print where they are."""
    from tqdm import tqdm

    file = options.output_file(arguments.output, FILES)
    jobs = list(zip(names, lines, strict=True))
    written = []
    for name, line in tqdm(jobs, desc="drawing", unit="line", leave=False, disable=None):
        stem = stem_of(arguments, name)
        kinds = [file.suffix] if file else [".png", ".svg"]
        kinds += [".inkml"] if arguments.inkml and kinds != [".inkml"] else []
        written.append(save_line(writer, arguments, line, stem, kinds))
        if file and not written[-1]:
            raise UserError(f"--output {file}: nothing was written after the primer")
    for line, paths in zip(lines, written, strict=True):
        can_end = writer.model.needs_text or writer.model.end_of_sequence
        end = "" if not can_end else ", ended" if line.ended else ", not ended"
        points = f"{len(line.ink) - line.primed} points"
        if line.primed:
            points += f" after the {line.primed} of the primer"
        print(f"{'  '.join(map(str, paths))}  ({points}{end})")
    if len(lines) > 1:
        from utils.plots import draw_lines

        shown, together = lines[: options.SHOWN], arguments.output / f"{writer.name}.png"
        captions, primed = [line.description for line in shown], [line.primed for line in shown]
        draw_lines(together, [line.ink for line in shown], captions, primers=primed)
        some = "all" if len(shown) == len(lines) else "the first"
        print(f"{together}  ({some} {len(shown)} lines)")


def stem_of(arguments: argparse.Namespace, name: str) -> Path:
    """Return what the names of a line's files begin with."""
    file = options.output_file(arguments.output, FILES)
    return file.with_suffix("") if file else arguments.output / name


def save_line(
    writer: Any, arguments: argparse.Namespace, line: Any, stem: Path, kinds: Sequence[str]
) -> list[Path]:
    """Save the files of one line, whose names begin with `stem`, and return their paths.

    A picture shows a primer as well; SVG and InkML hold what was written after it.
    """
    paths = []
    for path in (stem.with_name(f"{stem.name}{kind}") for kind in kinds):
        if path.suffix.lower() == ".png":
            from utils.plots import draw_lines

            draw_lines(path, [line.ink], [line.description], primers=[line.primed])
        elif len(line.written):
            replace(line, description=f"{line.description} · {writer.name}").save(path)
        else:  # the network considered the text complete at the end of the primer
            continue
        paths.append(path)
    if len(line.ink) < 2:  # it ended at once: there is no step to show
        return paths
    return paths + showing.save(writer, arguments, line, stem)


def file_names(texts: Sequence[str]) -> list[str]:
    """Return a distinct name for each text, valid on every file system."""
    names: list[str] = []
    taken: set[str] = set()
    for text in texts:
        plain = name = re.sub("[^A-Za-z0-9]+", "-", text)[:40].strip("-") or "text"
        count = 1
        while name.lower() in taken:  # Some file systems ignore case.
            count += 1
            name = f"{plain}-{count}"
        taken.add(name.lower())
        names.append(name)
    return names
