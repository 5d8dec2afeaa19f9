"""Read pages of notes: as text, as PDFs that can be searched, or to find words in them."""

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

from tqdm import tqdm

import model
import notes
from base.pretrained import resolve_checkpoint
from commands import options, search_options
from commands.options import Networks, Parser
from commands.search_options import SearchOptions
from utils.checks import DataError, UserError
from utils.files import prepare_output

SUFFIXES = (".pdf", ".txt", ".md", ".json", ".inkml")  # of a file that --output names


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
    library = _library(options.from_arguments(Networks, arguments), arguments.resume, chosen)
    if arguments.correct:
        note = library.note(path.name, path)
        for address, text in arguments.correct:
            library.correct(note, options.word_address(address), text)
    read_notes = _read(library, files, is_single=not path.is_dir())
    if arguments.search:
        for note in read_notes:
            _print_hits(note, arguments.search)
    elif lines:
        print(f"{lines}  ({notes.save_lines(read_notes, lines)} lines)")
    elif output and output.file:
        print(*notes.save([*read_notes], output.file), sep="\n")
    else:
        for note in read_notes:
            if output:
                pdf = output.folder / f"{_safe_path(note.name)}.pdf"
                pdf.parent.mkdir(parents=True, exist_ok=True)
                tqdm.write("\n".join(map(str, notes.save([note], pdf))))
            else:
                tqdm.write(f"# {note.name}\n" * (len(files) > 1) + notes.as_text([note]))


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


def _library(networks: Networks, path: str, chosen: SearchOptions) -> "notes.Library":
    """Return the library of pages, which loads the network to read the first new page."""

    @cache
    def reader() -> "tuple[model.Reader, model.Search]":
        with redirect_stdout(sys.stderr):
            loaded = networks.reader(path)
            return loaded, chosen.search(loaded)

    checkpoint = resolve_checkpoint(path)
    content = (reader()[0].path if checkpoint.is_dir() else checkpoint).read_bytes()
    content += b"".join(Path(file).read_bytes() for file in chosen.files)
    name = f"{hashlib.sha256(content).hexdigest()} {chosen}"
    return notes.Library(lambda page: notes.read_page(page, *reader()), name)


def _read(
    library: "notes.Library", files: Mapping[str, Path], *, is_single: bool
) -> "Iterator[notes.Note]":
    """Yield notes; print how many items are in no row, by name. A file that cannot be read is
    reported and skipped; if it is the only file, its DataError is raised."""
    left_out: Counter[str] = Counter()
    for name, file in tqdm(files.items(), "notes", unit="file", disable=is_single or None):
        try:
            note = library.note(name, file)
        except DataError as error:
            if is_single:
                raise
            tqdm.write(f"left out: {error}", sys.stderr)
            continue
        for _, text in note.pages:
            left_out.update(text.left_out)
        yield note
    if left_out:
        counts = ", ".join(f"{kind}: {count}" for kind, count in left_out.items())
        print(f"items in no row: {counts}", file=sys.stderr)


def _print_hits(note: "notes.Note", words: str) -> None:
    """Print each place of a note where `words` probably stand."""
    for hit in notes.search(words, note):
        address = f"{hit.page_number}:{hit.row_number}:{hit.word_number}"
        tqdm.write(f"{note.name}\t{address}\t{hit.confidence:.2f}\t{hit.row.marked}")


def _safe_path(name: str) -> Path:
    """Return a note's name as a relative path without `..`; a tablet allows any name."""
    return Path(*(part for part in name.split("/") if part not in ("", ".", "..")))
