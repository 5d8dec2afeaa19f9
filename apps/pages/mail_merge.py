"""Fills the columns of a text from a table, as in a mail merge, and names a file for each text."""

import csv
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice, takewhile
from pathlib import Path
from typing import NamedTuple

import apps.pages
from apps.pages.source_text import MAX_TEXT_BYTES, PageText
from ink.alphabet import nfc
from model.drawing.page import WHOLE_SUFFIXES, Page, save_pages
from utils import strict_json
from utils.checks import ConfigFault, UserError, hint, listed, short
from utils.files import CONTROLS, MAX_NAME_BYTES, move, read_text, temporary_folder

COLUMN = re.compile(r"\{\{|\{([^{}\n]*)\}|\{")
"""A brace that stands for itself, a column, or a brace without an end."""
DELIMITERS = ",;\t"
SEPARATOR_LINE = re.compile(r'"?sep=([^"\s]|\t)"?(?=[\r\n])')
"""The first line of some tables, by which Excel knows the delimiter."""
NUMBERED = re.compile(r"(.+)-([1-9]\d{0,8})(\.[^.]+)", re.DOTALL)
"""The name of a file of one of several pages."""
LINE_END = re.compile(r"\r\n?|\n")
MAX_TABLE_BYTES = 10_000_000  # of a table (assumed: 50,000 addresses)
MAX_CELLS = MAX_TABLE_BYTES // 10  # of a table (assumed: 200 columns of `MAX_RECORDS`)
MAX_RECORDS = 5_000  # most records of a table (assumed: their letters take a day)
FILE_COLUMN = "file"
"""The column of a text without a table: the name of its file without the ending."""


class Record(NamedTuple):
    """A record of a table.

    Attributes:
        values: the value of each column.
        source: the file and the place of the record, for messages.
    """

    values: Mapping[str, str]
    source: str


@dataclass(frozen=True)
class Document:
    """A text, and the file that its pages are saved as.

    Attributes:
        template: the text, with columns if there is a record.
        source: where the text is from.
        path: the file of its pages.
        number: see `PageText`.
        record: the values of the columns; None for a text without columns.
    """

    template: str
    source: str
    path: Path
    number: int = 0
    record: Record | None = None

    @property
    def text(self) -> PageText:
        """The text, filled each time it is asked for, as the texts of many records are large."""
        if self.record is None:
            return PageText(self.template, self.source, self.number)
        text = fill(self.template, self.record, self.source)
        return PageText(text, f"{self.source} ({self.record.source})", self.number)

    @property
    def remarks(self) -> list[str]:
        """A sentence on each thing that a person may have overlooked in the record."""
        empty = empty_columns(self.template, self.record) if self.record else []
        return [f"{self.record.source}: empty {', '.join(map(short, empty))}"] if empty else []

    @property
    def exists(self) -> bool:
        """Whether the file is there, or the first of numbered files."""
        is_whole = self.path.suffix.lower() in WHOLE_SUFFIXES
        return self.path.exists() or (not is_whole and _numbered(self.path, 1).exists())

    def save(self, pages: Sequence[Page], dpi: int, *, replaces: bool = False) -> list[Path]:
        """Save the pages of the text in a folder that exists, and return their files. The first of
        several files is there only once all are, so that a document that `exists` is whole.

        Args:
            pages: the pages of the text.
            dpi: pixels per inch of a PNG.
            replaces: whether to remove the files of an older text then: its report, and pages that
                the text no longer has, whose numbers follow on. If the process is killed before,
                the next one that replaces the text removes them.
        """
        with temporary_folder(self.path) as folder:
            saved = save_pages(pages, folder / self.path.name, dpi=dpi)
            files = [self.path.with_name(file.name) for file in saved]
            jobs = [*zip(saved, files, strict=True)]
            for temporary, file in (*jobs[1:], jobs[0]):
                move(temporary, file)
        for file in self.outdated(files) if replaces else ():
            file.unlink(missing_ok=True)
        return files

    def outdated(self, files: Sequence[Path]) -> list[Path]:
        """Return the files of an older text beside the new `files`, the last page first, so that no
        number is missing if the process is killed while they are removed."""
        numbers = page_numbers(self.path.parent).get(self.path, set())
        start = 1 + len(files)
        if files == [self.path]:
            start = 1 if 1 in numbers else 2
        following = [*takewhile(numbers.__contains__, count(start))]
        outdated = [_numbered(self.path, number) for number in reversed(following)]
        if self.path not in files and self.path.exists():
            outdated.append(self.path)
        report = report_beside(self.path)
        with suppress(UserError):  # It is no report, or another version's, which is refused.
            output = apps.pages.load_report(report).origin.output
            if output in (None, str(self.path.resolve())):
                outdated.append(report)
        return outdated


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def page_numbers(folder: Path) -> dict[Path, set[int]]:
    """Return the numbers of the pages in a folder, by the path that they are numbered from."""
    numbers = defaultdict[Path, set[int]](set)
    for name in os.listdir(folder) if folder.is_dir() else ():
        match = NUMBERED.fullmatch(name)
        if match and match[3].lower() not in WHOLE_SUFFIXES:
            numbers[folder / f"{match[1]}{match[3]}"].add(int(match[2]))
    return numbers


def check_replaced(documents: Iterable[Document]) -> None:
    """Raise a UserError that names the first file beside each document that is numbered as a page
    of it, but not with the page before it: nobody can tell whose it is. Page 1 may be missing, as
    it is saved last."""
    faults = []
    listed_folders: dict[Path, dict[Path, set[int]]] = {}
    for path in (document.path for document in documents):
        if path.parent not in listed_folders:
            listed_folders[path.parent] = page_numbers(path.parent)
        numbers = listed_folders[path.parent].get(path, set())
        following = takewhile(numbers.__contains__, count(2))
        if strangers := sorted(numbers - {1, *following}):
            absent = _numbered(path, strangers[0] - 1).name
            faults.append(f"{_numbered(path, strangers[0])} is there without {absent}")
    if faults:
        advice = "is it of another text? --replace needs it moved, or another --output"
        raise UserError(listed(advice, faults) if len(faults) > 1 else f"{faults[0]}; {advice}")


def report_beside(path: Path) -> Path:
    """Return the file of the report of pages that are saved at a path, if no other is named."""
    return path.with_name(f"{path.stem}-report.json")


class Texts(Sequence[PageText]):
    """The texts of documents, each made when it is asked for."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def __getitem__(self, index: int) -> PageText:
        return self._documents[index].text

    def __len__(self) -> int:
        return len(self._documents)


@dataclass(frozen=True)
class Summary:
    """The result of writing a document.

    Attributes:
        path: the file of the document; `files`: all files, if its pages are numbered.
        source: where the text is from.
        words: the number of words; `rewritten` of them were written again.
        missing: the number of words that could not be written.
        remarks, doubts: see `Pages`.
        report: the report of its pages; None if no word is doubtful.
    """

    path: str
    files: Sequence[str]
    source: str
    words: int
    rewritten: int
    missing: int
    remarks: Sequence[str]
    doubts: Sequence[str]
    report: str | None

    @classmethod
    def of(
        cls,
        document: Document,
        files: Sequence[Path],
        pages: "apps.pages.Pages",
        report: Path | None,
    ) -> "Summary":
        """Return the summary of a document whose pages were saved."""
        return cls(
            path=str(document.path),
            files=[*map(str, files)],
            source=document.text.source,
            words=len(pages.proofread),
            rewritten=sum(word.tries > 1 for word in pages.proofread),
            missing=len(pages.missing),
            remarks=[*document.remarks, *pages.remarks],
            doubts=pages.doubts,
            report=str(report) if report else None,
        )


def merged(template: str, source: str, table: Path, output: str) -> list[Document]:
    """Return a document for each record of a table.

    Args:
        template: the text, with columns such as `{name}`.
        source: where the text is from.
        table: the file of the table; see `read_records`.
        output: the path of a document's file, with columns.

    Raises:
        UserError: if a column is missing, a value is no part of a file's name, or two documents
            would have the same file.
    """
    records = read_records(table)
    documents = []
    for number, record in enumerate(records):
        fill(template, record, source)  # raises; the text is not kept
        documents.append(Document(template, source, file_of(output, record), number, record))
    check_files(documents, [record.source for record in records])
    return documents


def named_texts(texts: Mapping[str, str], output: str) -> list[Document]:
    """Return a document for each text, by the file of the text; in `output`, the column `file` is
    the name of the text's file without its ending. Raise a UserError as `merged` does."""
    documents = []
    for number, (source, text) in enumerate(texts.items()):
        record = Record({FILE_COLUMN: Path(source).stem}, source)
        documents.append(Document(text, source, file_of(output, record), number))
    check_files(documents, [*texts])
    return documents


def read_records(path: Path) -> list[Record]:
    """Return the records of a table: of a JSON file, a list of objects; of any other, CSV whose
    first line names the columns, with commas, semicolons or tabs between the cells.

    Raises:
        UserError: if the file cannot be read, is not such a table, or has no record.
    """
    text = read_text(path, MAX_TABLE_BYTES)
    read = _json_records if path.suffix.lower() == ".json" else _csv_records
    records = [*islice(read(path, text), MAX_RECORDS + 1)]  # one more tells that there are too many
    if not records:
        raise UserError(f"{path}: the table has no record")
    if len(records) > MAX_RECORDS:
        raise UserError(f"{path}: more than {MAX_RECORDS:,} records; divide it")
    return records


def _csv_records(path: Path, text: str) -> Iterator[Record]:
    if match := SEPARATOR_LINE.match(text):
        delimiter = match[1]
        text = text[match.end() :]  # Its first line is empty, so that lines keep their numbers.
    else:
        delimiter = _delimiter_of(LINE_END.split(text, maxsplit=1)[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    num_cells = 0
    try:
        for row in reader:
            num_cells += len(row)
            if num_cells > MAX_CELLS:
                problem = f"more than {MAX_CELLS:,} cells; divide the table"
                raise UserError(f"{path}, line {reader.line_num}: {problem}")
            cells = [nfc(cell.strip()) for cell in row]
            if not any(cells):
                continue
            if not names:
                names = cells
                _check_names(f"{path}, line {reader.line_num}", [*filter(None, names)])
                continue
            source = f"{path}, line {reader.line_num}"
            if len(cells) != len(names):
                problem = f"{len(cells)} cells, but the first line names {len(names)} columns"
                raise UserError(f"{source}: {problem}")
            yield Record(dict(zip(names, cells, strict=True)), source)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: no CSV ({error})") from None


def _delimiter_of(header_line: str) -> str:
    """Return the delimiter with which a line has most cells, as far as it can be read."""
    num_names = dict.fromkeys(DELIMITERS, 0)
    for sign in DELIMITERS:
        with suppress(csv.Error):  # Reading the table says so.
            num_names[sign] = len(next(csv.reader([header_line], delimiter=sign), ()))
    return max(DELIMITERS, key=num_names.__getitem__)


def _check_names(source: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{source}: two columns are called {short(name)}")


def _json_records(path: Path, text: str) -> Iterator[Record]:
    try:
        items = strict_json.loads(text, MAX_TABLE_BYTES, max_values=MAX_CELLS)
    except ConfigFault as error:
        raise UserError(f"{path}: {error}") from None
    if not isinstance(items, list):
        raise UserError(f"{path}: a list of objects is accepted, one for each record")
    for number, item in enumerate(items, 1):
        source = f"{path}, item {number}"
        if not isinstance(item, dict):
            raise UserError(f"{source}: {short(item)}: an object is accepted, with a text a column")
        values = {}
        for name, value in item.items():
            if isinstance(value, bool | list | dict):
                raise UserError(f"{source}, {short(name)}: a text or a number is accepted")
            values[nfc(name.strip())] = "" if value is None else nfc(str(value).strip())
        yield Record(values, source)


def fill(template: str, record: Record, source: str) -> str:
    """Return a text with the values of a record in the places of its columns. `{{` is a brace. A
    line with empty columns and nothing else is left out.

    Raises:
        UserError: if the text becomes too long, the record lacks a column, or a brace has no end;
            lists all faults.
    """
    columns = Counter(match[0] for match in COLUMN.finditer(template))
    size = len(template.encode())
    for column, repeats in columns.items():
        size += repeats * len(_value(COLUMN.match(column), record.values).encode())
    if size > MAX_TEXT_BYTES:  # known before so much is in memory
        problem = f"with the values of {record.source} {size:,} bytes"
        raise UserError(f"{source}: {problem}; at most {MAX_TEXT_BYTES:,} are accepted")
    faults = []
    lines = []
    for number, line in enumerate(template.split("\n"), 1):
        place = f"{source}, line {number}" if "\n" in template else source
        faults += _faults(line, record, place)
        filled = COLUMN.sub(lambda match: _value(match, record.values), line)
        if filled.strip() or not COLUMN.search(line):
            lines.append(filled)
    if faults:
        raise UserError(listed(source, faults) if len(faults) > 1 else faults[0])
    return "\n".join(lines)


def empty_columns(template: str, record: Record) -> list[str]:
    """Return the columns of a text that are empty in a record, on lines that are not left out."""
    empty: dict[str, None] = {}
    for line in template.split("\n"):
        filled = COLUMN.sub(lambda match: _value(match, record.values), line)
        names = [_name(match) for match in COLUMN.finditer(line)]
        if filled.strip():
            empty |= dict.fromkeys(name for name in names if record.values.get(name) == "")
    return [*empty]


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    return "{" if match[0] == "{{" else values.get(_name(match), "")


def _name(match: re.Match[str]) -> str:
    return nfc((match[1] or "").strip())


def _faults(line: str, record: Record, place: str) -> Iterator[str]:
    """Yield a sentence on each column of a line that a record lacks, and on braces without end."""
    for match in COLUMN.finditer(line):
        column = f"{place}, column {match.start() + 1}"
        if match[0] == "{":
            yield f"{column}: a brace without its end; {{{{ is a brace"
        elif match[0] != "{{" and _name(match) not in record.values:
            near = hint(_name(match), filter(None, record.values))
            brace = "; a brace of a formula is {{" if "$" in line else ""
            name = short(_name(match))
            yield f"{column}: no column {name} in {record.source}{near}{brace}"


def file_of(output: str, record: Record) -> Path:
    """Return the path `output` with the values of a record in the places of its columns.

    Raises:
        UserError: if the record lacks a column, or a value cannot be a part of a file's name.
    """
    for match in COLUMN.finditer(output):
        value = record.values.get(_name(match), "-")
        is_name = value.strip(" .") and not re.search(rf"[/\\]|{CONTROLS.pattern}", value)
        if match[0] not in ("{", "{{") and not is_name:
            name = short(_name(match))
            raise UserError(
                f"{record.source}: the value of {name}, {short(value)}, is no part of a file's "
                "name: it is empty, or has a slash, a backslash or a control character"
            )
    path = Path(fill(output, record, "--output"))
    if len(os.fsencode(path.name)) > MAX_NAME_BYTES:
        limit = f"at most {MAX_NAME_BYTES} bytes are accepted"
        raise UserError(f"{record.source}: the file's name {short(path.name)} is too long; {limit}")
    return path


def check_files(documents: Sequence[Document], sources: Sequence[str]) -> None:
    """Raise a UserError if two documents would have the same file, also if a file system does not
    tell small letters from capitals, or if pages are numbered. `sources` name the documents."""
    advice = "texts with one name: a column in --output has to tell them apart"
    if len(documents) > 1 and len({document.path for document in documents}) == 1:
        path = documents[0].path
        raise UserError(f"{path} is the file of all {len(documents)} texts; {advice}")
    used: dict[str, str] = {}
    faults = []
    for document, source in zip(documents, sources, strict=True):
        key = _file_key(document.path)
        if key in used:
            faults.append(f"{document.path} is the file of {used[key]} and of {source}")
        used[key] = source
    for document, source in zip(documents, sources, strict=True):
        stem = re.sub(r"-\d+$", "", document.path.stem)
        suffix = document.path.suffix
        other = used.get(_file_key(document.path.with_name(f"{stem}{suffix}")), source)
        if suffix.lower() not in WHOLE_SUFFIXES and other != source:
            faults.append(f"{document.path} is the file of {source}, and of a page of {other}")
    if faults:
        raise UserError(listed(advice, faults) if len(faults) > 1 else f"{faults[0]}; {advice}")


def _file_key(path: Path) -> str:
    return nfc(str(path)).casefold()
