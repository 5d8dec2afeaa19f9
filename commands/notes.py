"""Read pages of notes: as text, as PDFs that can be searched, or to find words in them."""

import argparse
import hashlib
import logging
import pickle
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import TypeAlias, get_args

from tqdm import tqdm

import model
from apps import notes
from apps.plugins import xournalpp_plugin
from base.run.pretrained import resolve_network
from commands.shared import network_options, search_options
from commands.shared.network_options import Networks
from commands.shared.options import Parser
from commands.shared.search_options import SearchOptions
from ink.formats.files import file_state
from ink.guard import note_files
from ink.ink_page import InkPage
from model.drawing.page import INK_KINDS
from utils.checks import (
    CheckpointError,
    DataError,
    UserError,
    described,
    first_of,
    number,
    printable,
    short,
    visible,
)
from utils.files import open_file, prepare_output, safe_path
from utils.processes import MAX_WORKERS, in_processes
from utils.program import NEEDS_TORCH, has_torch

OUTPUT_SUFFIXES = (
    ".pdf",
    ".txt",
    ".md",
    ".json",
    ".inkml",
    *INK_KINDS,
)  # of a file that --output names
MAX_LISTED_KINDS = 12  # kinds of items that a message lists (assumed)
MAX_PLACES = 20  # places of one kind that a message lists (assumed)
PLACE_TITLES = {
    "unread": "not read, may be text",
    "covered": "covered by later ink, not read",
    "crossed_out": "crossed out, not read",
}  # titles of the places that a message lists
MIN_LEARNED_ROWS = 10  # rows from which a reader learns (assumed)
MAX_LEARNED_ROWS = 100  # rows, if some are uncorrected: 0.9 s each on a core (measured)
POLL_SECONDS = 2.0  # from one look of --watch to the next (assumed)
MAX_PAGE = 999_999_999  # number of --page, of as many digits as in a word's address (assumed)
_BETWEEN_TABS = re.compile(r"[^\t\n]+")
VAULT = "vault"
DEFAULT_FORMAT = ".pdf"  # default of --format

log = logging.getLogger(__name__)

Loader: TypeAlias = Callable[[], "tuple[model.Reader, model.Search]"]
"""Loads a network, with the search for its readings."""


def add_options(parser: Parser) -> None:
    network_options.add_network(parser, default="reader")
    path = "file of Xournal++, reMarkable, Excalidraw, SVG or InkML, any file that `read` takes, "
    path += "or a folder of such files; pages that were read before are not read again"
    parser.add_argument("path", type=Path, metavar="PATH", help=path)
    either = parser.add_mutually_exclusive_group()
    search = "print where these words probably stand on a page: file, page:row:word, confidence "
    search += 'from 0 to 1, and row; "old garden" in succession, Vaux* with more letters, and '
    search += "without -word; in:folder, after:2026-01 and before:2026-03 choose notes; without "
    search += "words to find, the names of these notes (--search=-word: without the word)"
    either.add_argument("--search", metavar="WORDS", help=search)
    lines = "save the corrected rows as InkML, from which configs/own_hand_reader.json learns"
    either.add_argument("--lines", type=Path, metavar="FILE", help=lines)
    learn = "train the reader on the corrected rows of these notes and, with --language-model, on "
    learn += f"others as that reads them, up to {MAX_LEARNED_ROWS} in all; if it then reads "
    learn += "better, it is the reader of all notes from then on, instead of that of -r"
    either.add_argument("--learn", action="store_true", help=learn)
    forget = "remove what readers have learned by --learn; PATH is not read"
    either.add_argument("--forget", action="store_true", help=forget)
    numbers = "print each row behind the numbers of its page and of the row, for --correct"
    either.add_argument("--numbers", action="store_true", help=numbers)
    listed = "print the corrected words: file, page:row:word, what was read, and what it is"
    either.add_argument("--corrections", action="store_true", help=listed)
    view = "open the notes of a folder in the browser, to search and correct them; with WORDS, "
    view += "search them"
    either.add_argument("--view", nargs="?", const="", metavar="WORDS", help=view)
    address = "PAGE:ROW:WORD"
    correct = "correct the reading of a word of a file, now and later (an empty TEXT: it is no "
    correct += "word); may be given several times"
    many = dict(action="append", default=[])
    parser.add_argument("--correct", nargs=2, metavar=(address, "TEXT"), help=correct, **many)
    alike = "with --correct: also correct the doubtful words that look like these, in notes that "
    alike += "were read and lie in the file's folder or below it"
    parser.add_argument("--alike", action="store_true", help=alike)
    undo = "undo the correction of a word; may be given several times"
    parser.add_argument("--undo", metavar=address, help=undo, **many)
    any_pdf = "save notes also over PDFs outside the note's folder; a note may name any PDF"
    parser.add_argument("--any-pdf", action="store_true", help=any_pdf)
    ink = "what stands at the words of --output: their ink as it is (default); typed text; level: "
    ink += "their ink, moved a little so that rows are level, and sizes, slants and gaps even"
    parser.add_argument("--ink", choices=get_args(notes.InkKind), default="keep", help=ink)
    kept = "keep the ink that --ink typed replaces, in a layer of its own"
    parser.add_argument("--keep-ink", action="store_true", help=kept)
    strength = "how even --ink level makes ink, from 0 (not at all) to 1 (default: 1)"
    parser.add_argument("--strength", type=number(float, 0, 1), metavar="S", help=strength)
    page = "change the ink of this page only, with --ink (default: of all pages)"
    parser.add_argument("--page", type=number(int, 1, MAX_PAGE), metavar="N", help=page)
    prose = "join the rows of texts and Markdown to paragraphs, and leave out question marks"
    parser.add_argument("--prose", action="store_true", help=prose)
    watch = f"go on: look every {POLL_SECONDS:g} s, and do the same with notes that have changed"
    parser.add_argument("--watch", action="store_true", help=watch)
    workers = "processes that read new notes of a folder (default: %(default)s)"
    num_workers = number(int, 1, MAX_WORKERS)
    parser.add_argument("--workers", type=num_workers, default=1, metavar="N", help=workers)
    search_options.add_options(parser)
    plugin = (
        "install a plugin for Xournal++ that saves the open note as PDF, text or neater ink, and "
    )
    plugin += "searches in the folder PATH (default: where the installed Xournal++ looks)"
    either.add_argument("--install-plugin", nargs="?", const="", metavar="FOLDER", help=plugin)
    network_options.add_output(either, OUTPUT_SUFFIXES, default=None)
    kind = "format of the files in an output folder, one for each note; or vault: Markdown with "
    kind += f"front matter, links and pictures, for Obsidian and Joplin (default: {DEFAULT_FORMAT})"
    parser.add_argument("--format", choices=(*OUTPUT_SUFFIXES, VAULT), help=kind)


def run(arguments: argparse.Namespace) -> None:
    path = arguments.path
    check(arguments)
    if output := arguments.output:
        prepare_output(output.path, "--output", output.folder, is_checked_only=True)
    if arguments.install_plugin is not None:
        checkpoint = resolve_network(arguments.resume).absolute()
        return xournalpp_plugin.install(path.absolute(), checkpoint, arguments.install_plugin)
    if arguments.forget:
        return _forget()
    chosen = search_options.options_of(arguments)
    given = Networks.of(arguments), arguments.resume, chosen, arguments.any_pdf
    make = partial(_Readers, *given, learns=arguments.learn)
    if arguments.view is not None:
        from apps.notes.learning import Learning
        from apps.notes.server import serve
        from apps.notes.viewing import Viewer

        readers = make()
        learn = partial(_learn_for_viewer, partial(make, learns=True), path)
        learning = Learning(learn, readers.learned)
        viewer = Viewer(path, readers.library, readers.load, learning)
        return serve(viewer, arguments.view)
    _read_all(arguments, make)


def _read_all(arguments: argparse.Namespace, make: "Callable[[], _Readers]") -> None:
    """Read notes and carry out the options on them, with `--watch` again when they change; `make`
    makes their readers."""
    readers = make()
    path = arguments.path
    output = arguments.output
    states: dict[str, str] = {}
    while True:
        library = readers.library()
        if not states and (arguments.correct or arguments.undo):
            changes = [*arguments.correct, *((address, None) for address in arguments.undo)]
            _correct(library, path, changes, arguments.alike)
        files = note_files(path) if path.is_dir() else {path.name: path}
        if not files:
            raise UserError(f"{path}: no notes in this folder")
        corrections = sorted(correction.name for correction in library.corrections.all)
        kept = hashlib.sha256(" ".join([library.reader, *corrections]).encode()).hexdigest()
        before = states
        states = {note: f"{file_state(file)} {kept}" for note, file in files.items()}
        changed = {note: files[note] for note in files if states[note] != before.get(note)}
        has_new_names = states.keys() != before.keys()
        if changed or has_new_names:
            for fault in library.corrections.faults:
                log.warning("left out: %s", fault)
            uses_all = arguments.lines or (output and output.file)  # All notes are in one file.
            if arguments.format == VAULT and has_new_names:
                uses_all = True  # Any note may name one that is new.
            is_single = not (path.is_dir() or before)  # While it is watched it may be half written.
            wanted = files if uses_all else changed
            ahead = _read_ahead(make, library, wanted.values(), arguments.workers)
            reading = _Reading(library, wanted, readers.load, ahead, is_single=is_single)
            if arguments.learn:
                _learn(reading, readers)
            else:
                _use(arguments, library, reading, files)
            reading.report()
            if not reading.num_read and not arguments.watch:
                raise SystemExit(1)
        if not arguments.watch:
            break
        time.sleep(POLL_SECONDS)


class _Readers:
    """Loads the reader of notes: that of -r, or the one that has learned the owner's hand from it,
    as soon as there is one. To learn rows as they are read, that of -r reads them, so that no
    reader learns its own errors.

    Attributes:
        max_learned_rows: largest number of rows from which a reader learns if it learns some as
            they are read; 0 if it learns corrected rows only.
        base: the file of the reader of -r.
        learned: the file of the reader that has learned from it; it need not exist.
    """

    def __init__(
        self,
        networks: Networks,
        checkpoint: str,
        chosen: SearchOptions,
        any_pdf: bool,
        learns: bool,
    ) -> None:
        self.networks = networks
        self.base = _network_file(networks, checkpoint)
        folder = notes.notes_folder()
        self.learned = notes.learned_file(folder, self.base)
        self._chosen = chosen
        self.max_learned_rows = MAX_LEARNED_ROWS if learns and chosen.language_model else 0
        self._any_pdf = any_pdf
        self._loaded = cache(self._load)
        self._named = cache(self._name)
        others = [file.name for file in notes.learned_files(folder)]
        if others and not {self.learned.name, self.base.name} & {*others}:
            remedy = f"--learn teaches {self.base.name}, --forget forgets"
            log.warning("%s learned your hand from another reader: %s", first_of(others), remedy)

    @property
    def _file(self) -> tuple[Path, str]:
        """The file of the reader that reads, and its state."""
        state = "" if self.max_learned_rows else file_state(self.learned)
        return (self.learned, state) if state else (self.base, file_state(self.base))

    def load(self) -> "tuple[model.Reader, model.Search]":
        """Return the reader, with the search for its readings; it is loaded at the first call."""
        return self._loaded(*self._file)

    def library(self) -> "notes.Library":
        """Return the library of what the reader reads."""
        file = self._file

        def read(page: InkPage) -> "notes.PageText":
            reader, search = self._loaded(*file)
            return notes.read_page(page, reader, search)

        return notes.Library(read, self._named(*file), any_pdf=self._any_pdf)

    def _load(self, file: Path, _: str) -> "tuple[model.Reader, model.Search]":
        """Load a reader; the file's state is a key of the cache."""
        with redirect_stdout(sys.stderr):
            try:
                reader = self.networks.reader(file)
            except CheckpointError as error:
                if file in notes.learned_files(notes.notes_folder()):
                    raise UserError(f"{error}; --forget removes this reader") from None
                raise
            return reader, self._chosen.search(reader)

    def _name(self, file: Path, _: str) -> str:
        """Return a digest of a reader and its options, by which a library finds its readings; the
        file's state is a key of the cache."""
        digest = hashlib.sha256()
        for path in (file, *self._chosen.files):
            with open_file(path) as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return f"{digest.hexdigest()} {self._chosen}"


def _read_ahead(
    make: Callable[[], _Readers], library: "notes.Library", files: Iterable[Path], workers: int
) -> Iterator[None]:
    """Have several `workers` processes read the files that are new to a library, in their order;
    yield when each of them is read."""
    new = [path for path in files if workers > 1 and not library.has(path)]
    if len(new) > 1:
        read = partial(_read_in_worker, pickle.dumps(make))
        with suppress(BrokenProcessPool):  # The caller reads what is left.
            yield from in_processes(read, new, workers)


def _read_in_worker(make: bytes, path: Path) -> None:
    """Read a file of notes for the library of another process, which reports its faults."""
    with suppress(Exception):
        _library_of_worker(make).read_ahead(path)


@cache
def _library_of_worker(make: bytes) -> "notes.Library":
    if has_torch():
        import torch

        torch.set_num_threads(1)  # Each worker has a core.
    return pickle.loads(make)().library()


def _correct(
    library: "notes.Library", path: Path, changes: Iterable[tuple[str, str | None]], alike: bool
) -> None:
    """Correct words of a file, by address, or undo the correction of those without a text; print
    the words that look like the corrected ones, and with `alike` correct these, too."""
    words = [(network_options.word_address(address), text) for address, text in changes]
    note = library.note(path.name, path)
    library.correct(note, words)
    corrections = dict(library.corrected_words(note))
    answered = {(path.name, address) for address in corrections}
    for address, _ in words:
        if address in corrections:
            _print_alike(library, path, corrections[address].reading, answered, alike)


def _print_alike(
    library: "notes.Library",
    path: Path,
    reading: "notes.Reading",
    answered: set[tuple],
    is_accepted: bool,
) -> None:
    """Print the words of notes in the folder of a file that look like a corrected word of it, and
    correct them if they are accepted."""
    files = library.files_below(path.parent)
    alike = _alike(library, reading, files, answered)
    if not alike:
        return
    lines = []
    changes: dict[str, list[tuple[notes.WordAddress, str | None]]] = {}
    for name, address, read, _ in alike:
        text = reading.corrected(read)
        changes.setdefault(name, []).append((address, text))
        place = f"{printable(name)}\t{':'.join(map(str, address))}"
        lines.append(f"{place}\t{visible(read)}\t{visible(text)}")
    for name, of_note in changes.items() if is_accepted else ():
        library.correct(library.note(name, files[name]), of_note)
    count = f"{len(alike)} more word{'s' * (len(alike) > 1)}"
    ending = "corrected" if is_accepted else "--alike corrects them"
    heading = f"{count} like {short(reading.read)}: {ending}"
    print("\n  ".join([heading, *lines]), file=sys.stderr)  # all, as each may be undone


def _alike(
    library: "notes.Library",
    reading: "notes.Reading",
    files: Mapping[str, Path],
    answered: set[tuple],
) -> "list[notes.UnsureWord]":
    """Return the words of files that look like a corrected word, and that can be corrected."""
    present = dict(files)
    for name in {word.name for word in library.alike(reading, files, answered)}:
        try:
            library.note(name, files[name])  # It may have changed.
        except (UserError, OSError):
            del present[name]
    words = library.alike(reading, present, answered)
    correctable = set[tuple[str, notes.WordAddress]]()
    for name in {word.name for word in words}:
        addresses = [word.address for word in words if word.name == name]
        note = library.note(name, files[name])
        correctable |= {(name, address) for address in library.correctable(note, addresses)}
    return [word for word in words if (word.name, word.address) in correctable]


def _use(
    arguments: argparse.Namespace,
    library: "notes.Library",
    reading: "_Reading",
    files: Mapping[str, Path],
) -> None:
    """Carry out the options on notes that are read; `files` are those of all notes."""
    output = arguments.output
    form = notes.TextForm(arguments.prose, arguments.numbers)
    in_form = partial(notes.in_form, form=ink_form_of(arguments))
    if arguments.search:
        files_read = {note.name: reading.files[note.name] for note in reading}
        _print_hits(library, files_read, arguments.search)
    elif arguments.corrections:
        _print_corrections(library, reading)
    elif arguments.lines:
        print(f"{arguments.lines}  ({notes.save_lines(reading, arguments.lines)} lines)")
    elif output and output.file:
        if read_notes := [*map(in_form, reading)]:
            output.make()
            _save(library, read_notes, output.file, form)
    elif output:
        folder = output.folder
        read_notes = map(in_form, reading)
        if arguments.format == VAULT:
            save = partial(_save_in_vault, library, notes.Vault.of(folder, files))
        else:
            save = partial(_save_file, library, folder, arguments.format or DEFAULT_FORMAT, form)
        _save_each(read_notes, folder, save, is_single=reading.is_single)
    else:
        are_several = len(reading.files) > 1
        for note in reading:
            if are_several:
                tqdm.write(f"# {printable(note.name)}")
            for part in notes.text_parts([note], form):
                tqdm.write(_BETWEEN_TABS.sub(lambda text: visible(text[0]), part), end="")
            if are_several:
                tqdm.write("")


def check(arguments: argparse.Namespace) -> None:
    """Check the arguments before a network is loaded.

    Raises:
        UserError: if the notes cannot be read, a file that is saved would replace the notes or
            cannot be written, or options are wrong or contradict each other.
    """
    path = arguments.path
    output = arguments.output
    if not arguments.forget:
        network_options.check_readable(path)
    output_file = output.file if output else None
    for saved in filter(None, (arguments.lines, output_file)):
        if saved.exists() and saved.samefile(path):
            raise UserError(f"{saved}: would replace the notes; name another file")
    if arguments.install_plugin is not None and not path.is_dir():
        raise UserError(f"{path}: name the folder with your notes, in which the plugin searches")
    for name in ("correct", "undo", "page"):
        if getattr(arguments, name) and path.is_dir():
            raise UserError(f"--{name} is for a file; {path} is a folder")
    if arguments.alike and not arguments.correct:
        raise UserError("--alike is for --correct, which is not given")
    if arguments.learn and not has_torch():
        raise UserError(f"--learn {NEEDS_TORCH}")
    if arguments.watch and (arguments.learn or arguments.forget):
        raise UserError("--watch is not for --learn or --forget")
    if arguments.forget and (arguments.correct or arguments.undo):
        raise UserError("--correct and --undo are not for --forget")
    if arguments.view is not None and not path.is_dir():
        raise UserError(f"--view is for a folder; {path} is a file")
    if arguments.ink != "keep" and not output:
        raise UserError(f"--ink {arguments.ink} is for --output, which is not given")
    if arguments.page and arguments.ink == "keep":
        raise UserError("--page is for --ink level or --ink typed")
    if arguments.keep_ink and arguments.ink != "typed":
        raise UserError("--keep-ink is for --ink typed")
    if arguments.strength is not None and arguments.ink != "level":
        raise UserError("--strength is for --ink level")
    suffix = None
    if output:
        of_folder = arguments.format or DEFAULT_FORMAT
        suffix = output.file.suffix.lower() if output.file else of_folder
    if arguments.ink == "typed" and suffix == ".inkml":
        raise UserError("--ink typed: InkML has no typed text; name .xopp, .excalidraw or .pdf")
    _check_format(arguments, suffix)
    if arguments.search is not None and notes.Query.of(arguments.search).is_empty:
        raise UserError("--search: no words to find")
    if arguments.lines:
        prepare_output(arguments.lines, "--lines")
    words = [*(address for address, _ in arguments.correct), *arguments.undo]
    for address, times in Counter(map(network_options.word_address, words)).items():
        if times > 1:
            name = ":".join(map(str, address))
            raise UserError(
                f"--correct, --undo: the word {name} is named {times} times; name it once"
            )


def _check_format(arguments: argparse.Namespace, suffix: str | None) -> None:
    """Raise a UserError if --format is not for this output, or the output cannot be a vault;
    `suffix` is that of saved files, None without --output."""
    path = arguments.path
    output = arguments.output
    folder = output.folder if output and not output.file else None
    if arguments.format == VAULT:
        if not folder or not path.is_dir():
            raise UserError(f"--format {VAULT} is for a folder of notes and --output FOLDER")
        if folder.resolve().is_relative_to(path.resolve()):
            message = "in the folder of notes, which the vault's pictures would join"
            raise UserError(f"{folder}: {message}")
    elif arguments.format and arguments.format != suffix:
        reason = f"and {output.path} is a file" if output else "which is not given"
        raise UserError(f"--format {arguments.format} is for --output FOLDER, {reason}")


def ink_form_of(arguments: argparse.Namespace) -> "notes.InkForm":
    """Return the kind of ink at words, as the options say."""
    strength = 1.0 if arguments.strength is None else arguments.strength
    return notes.InkForm(
        arguments.ink,
        keep_ink=arguments.keep_ink,
        strength=strength,
        has_doubts=not arguments.prose,
        page=arguments.page,
    )


def _network_file(networks: Networks, resumed: str) -> Path:
    """Return the file of the network of -r."""
    path = resolve_network(resumed)
    if path.is_dir():  # The reader knows which of the folder's checkpoints it is.
        return replace(networks, verbose=False).reader(path).path
    return path


def _learn(reading: "_Reading", readers: _Readers) -> None:
    """Let the reader learn rows of notes, and print what comes of it.

    Raises:
        UserError: if there are too few rows.
    """
    try:
        rows = _rows_to_learn(reading, readers)
    except UserError as error:
        reading.report()
        raise UserError(f"--learn: {error}") from None
    taken = f"{readers.learned}  (reads your notes from now on; --forget removes it)"
    print(_learned(rows, readers, taken))


def _learn_for_viewer(
    make: Callable[[], _Readers], path: Path, report: Callable[[str], object]
) -> str:
    """Let the reader of a viewer learn, in a process that does nothing else; return what comes of
    it. `report` is called with a text after each epoch.

    Raises:
        UserError: if there are too few rows, or PyTorch is missing.
    """
    if not has_torch():
        raise UserError(f"learning {NEEDS_TORCH}")
    readers = make()
    files = note_files(path)
    reading = _Reading(readers.library(), files, readers.load, is_single=False)
    rows = _rows_to_learn(reading, readers)
    return _learned(rows, readers, "taken: it reads your notes from now on", report)


def _rows_to_learn(reading: "_Reading", readers: _Readers) -> "notes.LearnableLines":
    """Return the rows of notes from which a reader learns.

    Raises:
        UserError: if there are too few rows.
    """
    from apps.notes.exporting import MIN_UNCORRECTED_LENGTH

    rows = notes.learnable_lines(reading, readers.max_learned_rows)
    if len(rows.all) >= MIN_LEARNED_ROWS:
        return rows
    needed = f"of at least {MIN_LEARNED_ROWS} that are needed"
    if readers.max_learned_rows:
        kinds = f"corrected or have {MIN_UNCORRECTED_LENGTH} characters"
        raise UserError(f"{len(rows.all)} rows that are {kinds}, {needed}")
    remedy = "correct or confirm all doubtful words of further rows (--view), or add "
    remedy += "--language-model to learn rows as it reads them"
    raise UserError(f"{len(rows.all)} corrected rows, {needed}; {remedy}")


def _learned(
    rows: "notes.LearnableLines",
    readers: _Readers,
    taken: str,
    report: Callable[[str], object] = lambda _: None,
) -> str:
    """Train the reader of -r on rows, and store it if it reads them better; return what came of it.

    Args:
        taken: the text for a reader that is stored.
        report: called with a text after each epoch.
    """
    from apps.hand import fine_tuning

    reader = replace(readers.networks, verbose=False).reader(readers.base)
    lines = fine_tuning.usable(reader, rows.all)
    used = {line.name for line in lines}
    left_out = [printable(row.name) for row in rows.all if row.name not in used]
    without = f", without {', '.join(left_out)}" if left_out else ""
    work = f"learning from {len(lines)} rows"
    print(f"{work}{without}", file=sys.stderr)
    texts = ""
    if num_uncorrected := sum(row.name in used for row in rows.uncorrected):
        texts = f"{num_uncorrected} uncorrected rows count as the language model reads them\n"
    total = fine_tuning.TOTAL_EPOCHS
    epochs = count(1)
    with tqdm(total=total, desc="learning", unit="epoch", leave=False, disable=None) as bar:

        def on_epoch() -> None:
            bar.update()
            report(f"{work}: {next(epochs) / total:.0%}")

        gain = fine_tuning.cross_validated(reader, lines, on_epoch)
        if gain.is_better:
            learned = fine_tuning.fine_tuned(reader, lines, on_epoch)
            fine_tuning.save(readers.learned, learned)
            return f"{texts}{gain}\n{taken}"
    former = f"; {readers.learned} stays" if readers.learned.exists() else ""
    remedy = f"Correct more rows, and learn again{former}"
    return f"{texts}{gain}\nnot taken: it would read no better. {remedy}"


def _forget() -> None:
    """Remove the readers that learned a hand.

    Raises:
        UserError: if there are none.
    """
    files = notes.learned_files(notes.notes_folder())
    if not files:
        raise UserError("--forget: no reader has learned your hand")
    for file in files:
        file.unlink()
        print(f"{file}  (removed)")


class _Reading:
    """Reads the notes of files one after another when it is iterated over, and counts what was
    read. A file that cannot be read is reported and skipped; if it is the only one of the command
    line, its error is raised."""

    def __init__(
        self,
        library: "notes.Library",
        files: Mapping[str, Path],
        load_reader: Loader,
        ahead: Iterable[None] = (),
        *,
        is_single: bool,
    ) -> None:
        self.files = files
        self._library = library
        self._load_reader = load_reader
        self._ahead = iter(ahead)
        self.is_single = is_single
        self.num_read = 0
        self._counts = Counter[str]()
        self._left_out = Counter[str]()
        self._places: dict[str, list[str]] = {title: [] for title in PLACE_TITLES.values()}

    def __iter__(self) -> "Iterator[notes.Note]":
        disable = True if self.is_single else None  # None: shown on a terminal only
        bar = tqdm(self.files.items(), "notes", unit="file", disable=disable)
        for name, file in bar:
            next(self._ahead, None)
            try:
                note = self._library.note(name, file)
            except Exception as error:
                if self.is_single:
                    raise
                if not isinstance(error, DataError):
                    self._load_reader()  # raises the error again if it is the network's
                _leave_out(name, file, error)
                continue
            self.num_read += 1
            summary = note.summary
            for fault in summary.faults:
                log.warning("left out: %s: %s", printable(name), fault)
            self._counts.update(pages=summary.pages, words=summary.words, unsure=summary.unsure)
            self._left_out.update(summary.left_out)
            for kind, title in PLACE_TITLES.items():
                for page, (left, top, right, bottom) in summary.places[kind]:
                    place = f"{left} to {right} mm from the left, {top} to {bottom} mm from the top"
                    self._places[title].append(f"{printable(name)} {page}: {place}")
            yield note

    def report(self) -> None:
        """Print how much was read, how many items are in no row, by kind, and where text may be
        that was not read."""
        parts = [f"files: {self.num_read}"]
        parts += [f"{kind}: {count:,}" for kind, count in self._counts.items()]
        if unread := len(self.files) - self.num_read:
            parts.append(f"files left out: {unread}")
        print(", ".join(parts), file=sys.stderr)
        if self._left_out:
            counts = [f"{kind}: {count}" for kind, count in self._left_out.items()]
            print(f"items in no row: {first_of(counts, MAX_LISTED_KINDS)}", file=sys.stderr)
        for title, places in self._places.items():
            if places:
                heading = f"{title} (all places: --output FILE.json):"
                print("\n  ".join([heading, *places[:MAX_PLACES]]), file=sys.stderr)


def _leave_out(name: str, file: Path | None, error: Exception) -> None:
    cause = str(error) if isinstance(error, UserError | OSError) else described(error)
    log.warning("left out: %s: %s", printable(name), cause.removeprefix(f"{file}: "))


def _save_each(
    read_notes: "Iterable[notes.Note]",
    folder: Path,
    save: "Callable[[notes.Note], None]",
    *,
    is_single: bool,
) -> None:
    """Save each note in a folder.

    Raises:
        UserError: if some of several notes could not be saved; they are reported.
    """
    unsaved = 0
    for note in read_notes:
        try:
            save(note)
        except Exception as error:
            if is_single:
                raise
            _leave_out(note.name, note.path, error)
            unsaved += 1
    if unsaved:
        raise UserError(f"{folder}: {unsaved} notes could not be saved")


def _save_file(
    library: "notes.Library",
    folder: Path,
    suffix: str,
    form: "notes.TextForm",
    note: "notes.Note",
) -> None:
    """Save a note as a file in a folder."""
    file = folder / f"{safe_path(note.name)}{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    _save(library, [note], file, form, folder)
    _remove_former(library, note, file, folder)


def _remove_former(library: "notes.Library", note: "notes.Note", file: Path, folder: Path) -> None:
    """Remove what a folder has of a note under another name, and print it."""
    for old in library.remove_former(note, file, folder):
        tqdm.write(visible(f"{old}  (removed: its note is {file})"))


def _save_in_vault(library: "notes.Library", vault: "notes.Vault", note: "notes.Note") -> None:
    """Save a note in a vault; print its file, and those that were edited by hand."""
    file = vault.files[note.name]
    form = f"{note.path} {vault.digest}"
    try:
        save = partial(vault.save, note)
        _, is_new = library.save_changed([note], file, form, save, vault.folder)
        tqdm.write(visible(f"{file}{'' if is_new else '  (unchanged)'}"))
        _remove_former(library, note, file, vault.folder)
    except notes.EditedByHandError as error:
        tqdm.write(visible(str(error)))


def _save(
    library: "notes.Library",
    read_notes: "Sequence[notes.Note]",
    path: Path,
    form: "notes.TextForm",
    folder: Path | None = None,
) -> None:
    """Save notes; print the files, and the PDFs that were copied below the ink. `folder` is the
    folder of outputs in which `path` is the file of a note."""
    saved, is_new = library.save(read_notes, path, form, folder)
    remark = "" if is_new else "  (unchanged)"
    pdfs = sorted({pdf for note in read_notes for pdf in note.summary.pdfs})
    if pdfs and is_new and path.suffix.lower() == ".pdf":
        remark = f"  (over {first_of(pdfs)})"
    tqdm.write("\n".join(visible(f"{file}{remark}") for file in saved))


def _print_hits(library: "notes.Library", files: Mapping[str, Path], words: str) -> None:
    """Print each place of notes where words probably stand, then those where similar words do; for
    a search without words, the names of its notes."""
    query = notes.Query.of(words)
    if not query.terms:
        if names := library.notes(query, notes.searched_files(query, files)):
            return print("\n".join(map(printable, names)))
        return print(f"no note fits {short(words)}", file=sys.stderr)
    hits, similar = library.search(words, files)
    printable_name = cache(printable)
    lines = []
    for index, hit in enumerate((*hits, *similar)):
        address = f"{hit.page_number}:{hit.row_number}:{hit.word_number}"
        confidence = f"{hit.confidence:.2f}" if index < len(hits) else "perhaps"
        lines.append(f"{printable_name(hit.name)}\t{address}\t{confidence}\t{visible(hit.text)}\n")
    sys.stdout.writelines(lines)
    if not hits:
        print(f"no row has {short(words)}", file=sys.stderr)


def _print_corrections(library: "notes.Library", read_notes: "Iterable[notes.Note]") -> None:
    """Print each corrected word of notes, and how many corrections are of other notes."""
    shown_names = set()
    for note in read_notes:
        for address, correction in library.corrected_words(note):
            shown_names.add(correction.name)
            numbers = ":".join(map(str, address))
            words = f"{visible(correction.read)}\t{visible(correction.text)}"
            tqdm.write(f"{printable(note.name)}\t{numbers}\t{words}")
    others = len(library.corrections.all) - len(shown_names)
    print(f"corrections: {len(shown_names)}, of words of other notes: {others}", file=sys.stderr)
