"""Lay out a text in one hand on pages: SVG, PDF, PNG, InkML, JSON, .xopp or .excalidraw."""

import argparse
import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import apps.pages
import model
from apps.pages import writing_options
from apps.pages.mail_merge import (
    FILE_COLUMN,
    Document,
    Summary,
    Texts,
    check_replaced,
    merged,
    named_texts,
    report_beside,
)
from apps.pages.page_options import (
    LOOK_PARSERS,
    PROOFREADERS,
    SECOND,
    PageOptions,
    network_for,
)
from apps.pages.paper import RULINGS, SIZES, Paper, size_of
from apps.pages.source_text import MAX_TEXT_BYTES, PageText, check_texts
from apps.pages.styles import USUAL_STYLES
from base.run.pretrained import resolve_checkpoint
from commands.shared import network_options
from commands.shared.network_options import Networks, print_visible, require
from commands.shared.options import Parser
from model.drawing.page import PAGE_SUFFIXES, PNG_DPI
from utils.checks import UserError, number, visible
from utils.files import prepare_output, read_text, write_json
from utils.program import typed

PAGE_SETTINGS = (
    *LOOK_PARSERS,
    *("line_height", "ruling_spacing", "pen_sharpness", "extras"),
    *writing_options.PRIMER_KEYS,
)
"""The keys of --set."""
WORD_ADDRESS = re.compile(r"\d+:\d+:\d+")
DOUBTFUL = "doubtful"  # value of --rewrite for all doubtful words
UNWRITTEN = 3  # exit status if a word could not be written


def rewrite_target(text: str) -> tuple[int, int, int] | str:
    """Parse a value of --rewrite: PAGE:ROW:WORD, `DOUBTFUL`, or the text of a word."""
    return network_options.word_address(text) if WORD_ADDRESS.fullmatch(text) else text


def margins(text: str) -> tuple[float, float, float, float]:
    """Parse the value of --margins: one number for all sides, or four numbers."""
    sides = [*map(number(float, 0, 5000), text.split(","))]
    if len(sides) not in (1, 4):
        raise UserError(f"{text!r}: must be one number of mm, or four: top,right,bottom,left")
    return tuple(sides * 4 if len(sides) == 1 else sides)


def add_options(parser: Parser) -> None:
    text = parser.add_argument_group("text")
    hand = parser.add_argument_group("hand")
    add = text.add_argument
    file = "file of the text, in UTF-8; - for standard input; several become pages of their own"
    add("files", nargs="*", metavar="FILE", help=file)
    add("--text", action="append", help="paragraph, instead of FILE; may be given several times")
    data = "write the text for each record of a table (CSV or JSON, in UTF-8): {name} in the text, "
    data += "in its front matter and in --output is the column `name`, {{ a brace"
    add("--data", type=Path, metavar="FILE", help=data)
    writing_options.add_shared(text, "--skip-unknown")
    network_options.add_network(hand, of_style=True)
    defaults = ", ".join(f"{style} for {network}" for network, style in USUAL_STYLES.items())
    defaults += "; for others the hand that the network learned, or own"
    writing_options.add_style(hand, defaults)
    writing_options.add_shared(hand, "--primer")
    font = "single-line SVG font to write with instead of a hand, as Inkscape's Hershey Text has "
    font += "them; without networks, so nothing is proofread"
    hand.add_argument("--pen-font", type=Path, metavar="FILE", help=font)
    network_options.add_seed(hand, "seed of the first line, incremented for each further line")
    add_paper(parser.add_argument_group("paper and look"))
    status = "A word that no try could write is named, and the exit status is 3."
    add_proofreading(parser.add_argument_group("proofreading", status))
    output = parser.add_argument_group("output")
    network_options.add_output(output, PAGE_SUFFIXES)
    replacing = "remove the pages and the report that an older text has beside the new ones; with "
    replacing += "several texts, write those again whose file is there (default: it is kept)"
    output.add_argument("--replace", action="store_true", help=replacing)
    dpi = f"pixels per inch of a PNG (default: {PNG_DPI})"
    output.add_argument("--dpi", type=number(int, 10, 1200), metavar="N", help=dpi)
    verbose = "print the networks, and the line whose hand the page continues"
    output.add_argument("--verbose", action="store_true", help=verbose)


def add_paper(group: argparse._ArgumentGroup) -> None:
    """Add the options of the paper and of the look of the writing."""
    add = group.add_argument
    sizes = f"{', '.join(SIZES)}, or width x height in mm, e.g. 100x150 (default: a4)"
    add("--paper", type=size_of, default=SIZES["a4"], metavar="SIZE", help=sizes)
    add("--landscape", action="store_true", help="turn the sheet, so that it is wider than high")
    margin = "mm, or one number for all sides (default: 22,20,22,25; on small paper a tenth of the "
    margin += "shorter side)"
    add("--margins", type=margins, metavar="TOP,RIGHT,BOTTOM,LEFT", help=margin)
    add("--ruling", choices=RULINGS, help="kind of paper (default: plain)")
    fit = "use the largest size, at least half of the key size, at which the text fits on SHEETS "
    fit += "(default: 1); without the key, short lines become as wide as the sheet"
    add("--fit", nargs="?", const=1, type=number(int, 1, 1000), metavar="SHEETS", help=fit)
    keys = f"a key of front matter ({', '.join(LOOK_PARSERS)}), or line_height, ruling_spacing, "
    keys += "pen_sharpness, extras, primer_text, primer_number or primer_scale, e.g. --set size=3 "
    keys += "--set colour=navy (docs/write.md has their meanings and defaults)"
    writing_options.add_set(group, keys)


def add_proofreading(group: argparse._ArgumentGroup) -> None:
    """Add the options of proofreading, and of writing words again."""
    add = group.add_argument
    add_either = group.add_mutually_exclusive_group().add_argument
    readers = f"{PROOFREADERS}; and {SECOND}"
    proofread = f"read every word back, and write misread words again (default: {readers})"
    add_either("--proofread", dest="reader", nargs="?", metavar="RECOGNISER", help=proofread)
    no_proofread = "write every word once"
    add_either("--no-proofread", dest="proofread", action="store_false", help=no_proofread)
    writing_options.add_shared(group, "--tries")
    report = "JSON of the pages and of the readings of their words, from which --rewrite goes on; "
    report += "with several texts, what to look at in each of them (default: beside the output, if "
    report += "a word is doubtful)"
    add("--report", type=Path, metavar="FILE", help=report)
    rewrite = "write these words of the pages of --report again, and leave all else as it is: "
    rewrite += "numbers of page, row and word, a word such as Agatha (Agatha:2: the second), or "
    rewrite += DOUBTFUL
    add("--rewrite", nargs="+", type=rewrite_target, metavar="PAGE:ROW:WORD", help=rewrite)
    words = "print each word with the numbers of its page, row and word; with --report instead of "
    words += "a text, the words of these pages"
    add("--words", action="store_true", help=words)


def check(arguments: argparse.Namespace) -> None:
    """Raise a UserError for options that contradict each other, or a file that cannot be read."""
    has_text = arguments.text is not None
    if bool(arguments.files) == has_text:  # both, or neither
        words = ", or with --words the pages of --report" if arguments.words else ""
        raise UserError(f"give a text to write: either FILE or --text{words}")
    if arguments.data and arguments.files[1:]:
        raise UserError(f"--data is for one text, not for {len(arguments.files)}")
    if arguments.pen_font and arguments.resume:
        raise UserError("--pen-font writes without a network: leave out -r")
    require(arguments, tries="proofread", report="proofread")
    network_options.check_readable(arguments.primer, arguments.pen_font, arguments.data)
    if arguments.reader:
        resolve_checkpoint(arguments.reader)


def is_proofread(arguments: argparse.Namespace) -> bool:
    """Return whether words are read back: unless --no-proofread or --pen-font is given."""
    return arguments.proofread and not arguments.pen_font


def has_documents(arguments: argparse.Namespace) -> bool:
    """Return whether several texts are written, each in a file of its own."""
    return bool(arguments.data or arguments.files[1:])


def check_rewrite(arguments: argparse.Namespace) -> None:
    """Raise a UserError for --rewrite or --words without --report, or with options that the report
    has."""
    require(arguments, rewrite="report")
    allowed = ("rewrite", "report", "device", "modules", "output", "dpi", "words", "verbose")
    names = {
        "files": "FILE",
        "resume": "-r",
        "reader": "--proofread",
        "proofread": "--no-proofread",
    }
    parser = Parser()
    add_options(parser)
    defaults = vars(parser.parse([]))
    changed = [option for option, _, _ in arguments.settings]
    for name, argument in vars(arguments).items():
        if name not in (*allowed, "settings") and argument != defaults[name]:
            option = f"--{name.replace('_', '-')}"
            changed.append(names.get(name, option))
    if changed:
        raise UserError(f"--report determines these options: leave out {', '.join(changed)}")
    network_options.check_readable(arguments.report)


def check_output(arguments: argparse.Namespace, paths: Sequence[Path], report: Path | None) -> None:
    """Raise a UserError for --dpi without a PNG, or output or a report that cannot be written, or
    would replace another file of the command."""
    read = {file: "FILE" for file in arguments.files} | {arguments.data: "--data"}
    others = {Path(file).resolve(): option for file, option in read.items() if file}
    for path in paths:
        suffix = path.suffix.lower()
        if arguments.dpi and suffix != ".png":
            raise UserError(f"--dpi is for --output FILE ending in .png, not {suffix}")
        check_other(path, "--output", others)
        prepare_output(path, "--output", is_checked_only=True)
    if report:
        check_other(report, "--report", others | {path.resolve(): "--output" for path in paths})
        prepare_output(report, "--report", is_checked_only=True)


def check_other(path: Path, option: str, others: Mapping[Path, str]) -> None:
    """Raise a UserError if a file to write is one of `others`, which have an option each."""
    if other := others.get(path.resolve()):
        raise UserError(f"{option} {path}: this is also {other}, which would be lost")


def options_of(arguments: argparse.Namespace) -> PageOptions:
    """Return the options of pages that the command line sets."""
    values = writing_options.values_of(arguments, PAGE_SETTINGS)
    if "ruling_spacing" in values and not arguments.ruling:
        raise UserError("ruling_spacing is for --ruling, which is not given")
    paper = Paper.of(
        arguments.paper,
        landscape=arguments.landscape,
        margins=arguments.margins,
        ruling=arguments.ruling or "plain",
        spacing=values.pop("ruling_spacing", None),
    )
    primer = writing_options.primer_of(arguments, values)
    return PageOptions(
        paper=paper,
        primer=primer,
        pen_font=arguments.pen_font,
        seed=arguments.seed,
        fit=arguments.fit,
        proofread=is_proofread(arguments),
        reader=arguments.reader,
        tries=arguments.tries or PageOptions.tries,
        skip_unknown=arguments.skip_unknown,
        **values,  # of the look: by name, as front matter has them
    )


def check_known(texts: Sequence[PageText], options: PageOptions, checkpoint: str | None) -> None:
    """Raise a UserError for faults of texts that are known before networks are loaded."""
    network = network_for(options, checkpoint) if options.pen_font is None else None
    check_texts(texts, options, network)


def documents_of(arguments: argparse.Namespace) -> list[Document]:
    """Return the texts of the command line with their files: of several FILEs, or of --data."""
    output = str(arguments.output.path)
    if not arguments.data:
        template = output if arguments.output.file else f"{output}/{{{FILE_COLUMN}}}.svg"
        return named_texts(
            {file: read_text(file, MAX_TEXT_BYTES) for file in arguments.files}, template
        )
    if not arguments.output.file:
        raise UserError("--data: --output has to name a file by a column, such as out/{name}.pdf")
    source, text = text_of(arguments)
    return merged(text, source, arguments.data, output)


def text_of(arguments: argparse.Namespace) -> tuple[str, str]:
    """Return where the text of the command line is from, and the text."""
    if arguments.files:
        return arguments.files[0], read_text(arguments.files[0], MAX_TEXT_BYTES)
    return "--text", "\n".join(arguments.text or ())


def run_documents(arguments: argparse.Namespace, networks: Networks) -> None:
    """Write several texts, each in a file of its own, and a report of what to look at."""
    check(arguments)
    options = options_of(arguments)
    documents = documents_of(arguments)
    folder = Path(os.path.commonpath([document.path.parent for document in documents]))
    report = arguments.report or folder / "report.json"
    check_output(arguments, [document.path for document in documents], report)
    if arguments.replace:
        check_replaced(documents)
    new = [each for each in documents if arguments.replace or not each.exists]
    if num_kept := len(documents) - len(new):
        files = f"{num_kept} of {len(documents)} files are there and are kept"
        print(f"{files}; --replace writes them again")
    if not new:
        return
    texts = Texts(new)
    check_known(texts, options, arguments.resume)
    writer = writer_of(networks, arguments.resume)
    computing = {"device": networks.device, "progress": True}
    written = apps.pages.write_pages(texts, writer, options, **computing)
    summaries = []
    for document, pages in zip(new, written, strict=True):
        if arguments.verbose and not summaries:
            print_visible(*pages.sources)
        prepare_output(document.path, "--output")
        dpi = arguments.dpi or PNG_DPI
        files = document.save(pages, dpi, replaces=arguments.replace)
        print_visible(*files)
        if arguments.words:
            show_words(pages)
        page_report = report_beside(document.path) if pages.doubts else None
        if page_report:
            apps.pages.save_report(page_report, pages)
        summaries.append(Summary.of(document, files, pages, page_report))
    show_summaries(summaries, proofread=options.proofread)
    doubtful = [summary for summary in summaries if summary.doubts]
    if arguments.report or doubtful:
        prepare_output(report, "--report")
        write_json(report, {"texts": [*map(asdict, summaries)]}, indent=1)
        print_visible(report)
    for summary in doubtful:
        show_advice(arguments.modules, arguments.dpi, summary.path, summary.report)
    if any(summary.missing for summary in summaries):
        raise SystemExit(UNWRITTEN)


def writer_of(networks: Networks, checkpoint: str | None) -> "model.Writer | None":
    """Load the user's classes, and the network that writes all words; None for each style's own."""
    from base.step.device import return_freed_memory  # imports torch

    networks.load_modules()
    return_freed_memory()
    return networks.writer(checkpoint, of_texts=True) if checkpoint else None


def show_summaries(summaries: Sequence[Summary], *, proofread: bool) -> None:
    """Print what to look at in several texts, and how many words were read back."""
    remarks = Counter(remark for summary in summaries for remark in summary.remarks)
    for remark, count in remarks.items():
        print_visible(f"{remark} ({count} of {len(summaries)} texts)")
    for summary in summaries:
        for doubt in summary.doubts:
            print_visible(f"look at {summary.path}, {doubt}")
    num_words = sum(summary.words for summary in summaries)
    num_rewritten = sum(summary.rewritten for summary in summaries)
    rewritten = f", {num_rewritten} of them written again" if proofread else ""
    print(f"{len(summaries)} texts, {num_words} words{rewritten}")


def run(arguments: argparse.Namespace) -> None:
    networks = Networks(arguments.device, arguments.modules, arguments.verbose)
    if has_documents(arguments) and not arguments.rewrite:
        run_documents(arguments, networks)
        return
    path = arguments.output.named("page.svg")
    rewrite = arguments.rewrite
    is_text_given = bool(arguments.files) or arguments.text is not None
    report = arguments.report
    shows_report = arguments.words and arguments.report and not is_text_given
    if rewrite or shows_report:
        check_rewrite(arguments)
        pages = apps.pages.load_report(arguments.report)
        if not rewrite:
            show_words(pages)
            return
        addresses = addresses_of(pages, rewrite)
        page_options = pages.origin.options
        checkpoint = pages.origin.network
        if pages.origin.output != str(path.resolve()):  # The other output keeps its report.
            report = report_beside(path)
    else:
        check(arguments)
        page_options = options_of(arguments)
        checkpoint = arguments.resume
    check_output(arguments, [path], report)
    source, text = text_of(arguments)
    document = Document(text, source, path)
    if not rewrite:
        check_known([document.text], page_options, checkpoint)
    if arguments.replace:
        check_replaced([document])
    writer = writer_of(networks, checkpoint)
    computing = {"device": networks.device, "progress": True}
    if rewrite:
        pages = apps.pages.rewrite(pages, addresses, writer, **computing)
    else:
        pages = apps.pages.write_page(text, writer, page_options, source=source, **computing)
    arguments.output.make()
    sources = pages.sources if arguments.verbose else ()
    files = pages.save(path, dpi=arguments.dpi or PNG_DPI)
    print_visible(*sources, *pages.remarks, *files)
    if arguments.words:
        show_words(pages)
    if not rewrite:
        show_count(pages)
        clear_older(document, files, arguments.replace)
    show_doubts(pages, path, report, partial(show_advice, arguments.modules, arguments.dpi))
    if pages.missing:
        raise SystemExit(UNWRITTEN)


def clear_older(document: Document, files: Sequence[Path], replaces: bool) -> None:
    """Remove the report of an older text in the same file, which is replaced, and with `replaces`
    its pages beside the new `files`; otherwise print their names."""
    for file in document.outdated(files):
        if replaces or file == report_beside(document.path):
            file.unlink(missing_ok=True)
        else:
            print_visible(f"{file}  (of an older text, it seems: --replace removes it)")


def addresses_of(
    pages: "apps.pages.Pages", targets: Sequence[tuple[int, int, int] | str]
) -> list[tuple[int, int, int]] | None:
    """Return the addresses of the words that --rewrite names; None for all doubtful words."""
    if DOUBTFUL in targets:
        return None
    addresses = []
    for target in targets:
        if isinstance(target, tuple):
            addresses.append(target)
        else:
            addresses += pages.find(target)
    return addresses


def show_words(pages: "apps.pages.Pages") -> None:
    """Print the words of pages: numbers of page, row and word, and the text."""
    for address, text in pages.words:
        print(f"{':'.join(map(str, address)):10} {visible(text)}")


def show_count(pages: "apps.pages.Pages") -> None:
    """Print how many words pages have, and how many of them were written again."""
    words = "1 word" if len(pages.proofread) == 1 else f"{len(pages.proofread)} words"
    if pages.origin.options.proofread:
        num_rewritten = sum(word.tries > 1 for word in pages.proofread)
        print(f"{words} proofread, {num_rewritten} of them written again")
    else:
        print(f"{words}, not proofread")


def show_doubts(
    pages: "apps.pages.Pages", path: Path, report: Path | None, advise: Callable[..., object]
) -> None:
    """Print the doubtful words of pages saved at `path`, and by `advise` the command that writes
    them again, and save their report; of doubtful pages also if `report` is None."""
    for doubt in pages.doubts:
        print_visible(f"look at {doubt}")
    if report or pages.doubts:
        report = report or report_beside(path)
        prepare_output(report, "--report")
        apps.pages.save_report(report, pages)
        print_visible(report)
    if pages.doubts:
        advise(path, report)


def show_advice(
    modules: Sequence[Path], dpi: int | None, path: str | Path, report: str | Path | None
) -> None:
    """Print the command that writes the doubtful words of pages at `path` again."""
    command = [*typed("page").split(), "--rewrite", DOUBTFUL, "--report", report]
    command += ["--output", path]
    for module in modules:
        command += ["--module", module]
    if dpi:
        command += ["--dpi", dpi]
    print_visible(f"to write these words again: {shlex.join(map(str, command))}")
