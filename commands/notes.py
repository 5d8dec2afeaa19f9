"""Read pages of notes: as text, as PDFs that can be searched, or to find words in them."""

import argparse
import hashlib
import logging
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import TypeAlias

from tqdm import tqdm

import model
import notes
from base.pretrained import resolve_checkpoint
from commands import options, search_options
from commands.options import Networks, Parser
from commands.search_options import SearchOptions
from data_loader.sources.parsing import first_of
from utils.checks import DataError, UserError, described, printable
from utils.files import prepare_output

SUFFIXES = (".pdf", ".txt", ".md", ".json", ".inkml")  # of a file that --output names
MAX_KINDS = 12  # kinds of items that a message lists (assumed)
MAX_NAME_BYTES = 200  # of a note's title in the name of a file (assumed; file systems take 255)

log = logging.getLogger(__name__)

Loader: TypeAlias = Callable[[], "tuple[model.Reader, model.Search]"]
"""Loads a network, with the search for its readings."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="reader")
    path = "file of Xournal++, reMarkable, Excalidraw, SVG or InkML, any file that `read` takes, "
    path += "or a folder of such files; pages that were read before are not read again"
    parser.add_argument("path", type=Path, metavar="PATH", help=path)
    either = parser.add_mutually_exclusive_group()
    search = "print where these words probably stand side by side: file, page:row:word, confidence "
    search += "from 0 to 1, and row"
    either.add_argument("--search", metavar="WORDS", help=search)
    lines = "save the corrected rows as InkML, from which configs/own_hand_reader.json learns"
    either.add_argument("--lines", type=Path, metavar="FILE", help=lines)
    parser.add_argument(
        "--correct",
        nargs=2,
        action="append",
        default=[],
        metavar=("PAGE:ROW:WORD", "TEXT"),
        help="correct the reading of a word of a file, now and later (an empty TEXT: it is no "
        "word); may be given several times",
    )
    any_pdf = "save notes also over PDFs outside the note's folder; a note may name any PDF"
    parser.add_argument("--any-pdf", action="store_true", help=any_pdf)
    search_options.add_options(parser)
    options.add_output(either, SUFFIXES, default=None)


def run(arguments: argparse.Namespace) -> None:
    chosen, path = search_options.options_of(arguments), arguments.path
    check(arguments)
    files = notes.note_files(path) if path.is_dir() else {path.name: path}
    if not files:
        raise UserError(f"{path}: no notes in this folder")
    output, lines = arguments.output, arguments.lines
    if output:
        output.make()
    reader = _loader(Networks.of(arguments), arguments.resume, chosen)
    name = _name(reader, arguments.resume, chosen)
    library = notes.Library(
        lambda page: notes.read_page(page, *reader()), name, any_pdf=arguments.any_pdf
    )
    if arguments.correct:
        note = library.note(path.name, path)
        for address, text in arguments.correct:
            library.correct(note, options.word_address(address), text)
    is_single = not path.is_dir()
    read_notes = _read(library, files, reader, is_single=is_single)
    if arguments.search:
        for note in read_notes:
            _print_hits(note, arguments.search)
    elif lines:
        print(f"{lines}  ({notes.save_lines(read_notes, lines)} lines)")
    elif output and output.file:
        _save([*read_notes], output.file)
    elif output:
        _save_each(read_notes, output.folder, is_single=is_single)
    else:
        for note in read_notes:
            title = f"# {printable(note.name)}\n" * (len(files) > 1)
            tqdm.write(title, end="")
            for part in notes.text_parts([note]):
                tqdm.write(part, end="")


def check(arguments: argparse.Namespace) -> None:
    """Check the arguments before a network is loaded.

    Raises:
        UserError: if the notes cannot be read, a file that is saved would replace the notes or
            cannot be written, or options are wrong or contradict each other.
    """
    path, output = arguments.path, arguments.output
    options.check_readable(path)
    for saved in filter(None, (arguments.lines, output and output.file)):
        if saved.exists() and saved.samefile(path):
            raise UserError(f"{saved}: would replace the notes; name another file")
    if arguments.correct and path.is_dir():
        raise UserError(f"--correct is for a file; {path} is a folder")
    if arguments.search is not None and not arguments.search.split():
        raise UserError("--search: no words")
    if arguments.lines:
        prepare_output(arguments.lines, "--lines")
    for address, _ in arguments.correct:
        options.word_address(address)


def _loader(networks: Networks, path: str, chosen: SearchOptions) -> Loader:
    """Return a function that loads the network at its first call, to read the first new page."""

    @cache
    def reader() -> "tuple[model.Reader, model.Search]":
        with redirect_stdout(sys.stderr):
            loaded = networks.reader(path)
            return loaded, chosen.search(loaded)

    return reader


def _name(reader: Loader, path: str, chosen: SearchOptions) -> str:
    """Return a digest of the network and its options, by which a library knows what was read."""
    checkpoint = resolve_checkpoint(path)
    content = (reader()[0].path if checkpoint.is_dir() else checkpoint).read_bytes()
    content += b"".join(Path(file).read_bytes() for file in chosen.files)
    return f"{hashlib.sha256(content).hexdigest()} {chosen}"


def _read(
    library: "notes.Library",
    files: Mapping[str, Path],
    reader: Loader,
    *,
    is_single: bool,
) -> "Iterator[notes.Note]":
    """Yield notes; print how many items are in no row, by name. A file that cannot be read is
    reported and skipped; if it is the only file, its error is raised."""
    left_out: Counter[str] = Counter()
    for name, file in tqdm(files.items(), "notes", unit="file", disable=is_single or None):
        try:
            note = library.note(name, file)
        except Exception as error:
            if is_single:
                raise
            if not isinstance(error, DataError):
                reader()  # raises the error again if it is the network's, and not the note's
            _leave_out(name, error)
            continue
        for _, text in note.pages:
            left_out.update(text.left_out)
        yield note
    if left_out:
        counts = [f"{kind}: {count}" for kind, count in left_out.items()]
        print(f"items in no row: {first_of(counts, MAX_KINDS)}", file=sys.stderr)


def _leave_out(name: str, error: Exception) -> None:
    cause = error if isinstance(error, UserError | OSError) else described(error)
    log.warning("left out: %s: %s", printable(name), cause)


def _save_each(read_notes: "Iterable[notes.Note]", folder: Path, *, is_single: bool) -> None:
    """Save each note as a PDF in a folder.

    Raises:
        UserError: if some of several notes could not be saved; they are reported.
    """
    unsaved = 0
    for note in read_notes:
        try:
            pdf = folder / f"{_safe_path(note.name)}.pdf"
            pdf.parent.mkdir(parents=True, exist_ok=True)
            _save([note], pdf)
        except Exception as error:
            if is_single:
                raise
            _leave_out(note.name, error)
            unsaved += 1
    if unsaved:
        raise UserError(f"{folder}: {unsaved} notes could not be saved")


def _save(read_notes: "Sequence[notes.Note]", path: Path) -> None:
    """Save notes; print the files, and the PDFs that were copied below the ink."""
    saved, below = notes.save(read_notes, path), ""
    pages = (page for note in read_notes for page, _ in note.pages)
    pdfs = sorted({str(page.background) for page in pages if page.background})
    if pdfs and path.suffix.lower() == ".pdf":
        below = f"  (over {first_of(pdfs)})"
    tqdm.write("\n".join(f"{file}{below}" for file in saved))


def _print_hits(note: "notes.Note", words: str) -> None:
    """Print each place of a note where `words` probably stand."""
    for hit in notes.search(words, note):
        address = f"{hit.page_number}:{hit.row_number}:{hit.word_number}"
        tqdm.write(f"{printable(note.name)}\t{address}\t{hit.confidence:.2f}\t{hit.row.marked}")


def _safe_path(name: str) -> Path:
    """Return a note's name as a relative path without `..`; a tablet allows any name."""
    return Path(*(_file_name(part) for part in name.split("/") if part not in ("", ".", "..")))


def _file_name(part: str) -> str:
    """Return a part of a note's name without control characters, and cut to `MAX_NAME_BYTES`; if
    this changes it, a digest keeps it apart from others."""
    safe = os.fsencode(re.sub(r"[\0-\x1f\x7f-\x9f]", "?", part))[:MAX_NAME_BYTES]
    if safe == os.fsencode(part):
        return part
    return f"{safe.decode(errors='ignore')} {hashlib.sha256(os.fsencode(part)).hexdigest()[:8]}"
