"""Saves notes as a folder of Markdown files, for Obsidian and Joplin."""

import hashlib
import json
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from apps.notes.drawings import drawings_of
from apps.notes.exporting import TextForm, escaped, markdown_blocks, note_times, relative_address
from apps.notes.page_text import Box, Note, PageText
from ink.formats.svg.drawing import to_picture
from ink.ink_page import InkPage
from utils.checks import UserError
from utils.files import XML_FORBIDDEN, read_bytes, safe_path, write_text

ATTACHMENTS = "attachments"
"""Folder of the pictures of pages in a vault."""
MIN_LINKED_LETTERS = 4
"""Minimum number of letters of a name to which one that differs by a letter is linked (assumed)."""

_UNSAFE = re.compile(
    r'[\0-\x1f\x7f-\x9f\ud800-\udfff<>:"|?*\\#^\[\]%]|^\.|[. ]$'
    r"|^(CON|PRN|AUX|NUL|COM\d|LPT\d)(?=\.|$)",
    re.IGNORECASE,
)
"""The characters, ends and whole names of files that some system, Obsidian or Joplin refuses."""
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")  # as YAML has it
_UNSEALED = b'digest: "0000000000000000"'
"""The line of a digest while the digest itself is computed."""
_SEAL = re.compile(rb'digest: "[0-9a-f]{16}"')
_TAG = re.compile(r"#([\w/-]*[^\W\d_][\w/-]*)[.,;:!?)]*")  # a name with a letter
_MARKED_TAG = re.compile(r"(?<!\S)\\#((?:[\w/-]|\\_)+)")  # in Markdown, which escapes # and _
# Of two brackets, one may be read as a parenthesis (measured, notebook: notes, tags and links), and
# there may be a blank between them.
_OPENING = r"(?:\\\[ ?\\\[|\( ?\\\[|\\\[ ?\()"
_CLOSING = r"(?:\\\] ?\\\]|\) ?\\\](?! ?\\\])|\\\] ?\))"
_MARKED_LINK = re.compile(f"{_OPENING} ?(.+?) ?{_CLOSING}")


class EditedByHandError(UserError):
    """Files of a vault were edited by hand, and left as they are."""


@dataclass(frozen=True)
class Vault:
    """A folder with a Markdown file for each note, and a folder of the pictures of all pages.

    Attributes:
        folder: the vault.
        files: the Markdown file of each note, by the note's name.
    """

    folder: Path
    files: Mapping[str, Path]

    @classmethod
    def of(cls, folder: Path, sources: Mapping[str, Path]) -> "Vault":
        """Return the vault of the notes with these files, by name. Notes that some system could
        not keep apart have a digest of their names in those of their files."""
        titles = {name: Note(name, (), path=path).title for name, path in sources.items()}
        paths = {name: _safe(title) for name, title in titles.items()}
        counts = Counter(str(path).casefold() for path in paths.values())
        for name, path in paths.items():
            if counts[str(path).casefold()] > 1:
                paths[name] = _with_digest(path, name)
        return cls(folder, {name: folder / f"{path}.md" for name, path in paths.items()})

    @cached_property
    def digest(self) -> str:
        """A digest of the names of all files, to which links may lead."""
        return hashlib.sha256(repr(self).encode(errors="replace")).hexdigest()

    @cached_property
    def _by_key(self) -> Mapping[str, Sequence[Path]]:
        """The Markdown files by the letters of their names, without and with their folders."""
        files = defaultdict[str, list[Path]](list)
        for file in self.files.values():
            path = file.relative_to(self.folder).with_suffix("")
            for key in {_key(path.name), _key(str(path))}:
                files[key].append(file)
        return files

    def save(self, note: Note) -> list[Path]:
        """Save a note, and return its files. Files that would not change are not written.

        Raises:
            EditedByHandError: if files were edited by hand; the others are saved.
            OSError: if a file cannot be written.
        """
        file = self.files[note.name]
        bodies = list[str]()
        tags = dict[str, None]()  # an ordered set
        files = list[Path]()
        edited = list[str]()

        def write(path: Path, text: str) -> None:
            files.append(path)
            if not _write_sealed(path, text):
                edited.append(str(path))

        for number, (page, text) in enumerate(note.pages, 1):
            picture = self._picture(file, number)
            write(picture, _sealed_picture(page))
            tags |= dict.fromkeys(_tags(text))
            drawings = drawings_of(page, text)
            drawn = []
            for index, drawing in enumerate(drawings, 1):
                part = self._picture(file, f"{number}.{index}")
                write(part, _sealed_picture(drawing.on_page_alone(page), drawing.box))
                words = ", ".join(row.text for row in drawing.labels)
                title = f"{drawing.title}: {words}" if words else f"{drawing.title} {index}"
                address = relative_address(part, file.parent)
                drawn.append((drawing.box, f"![{escaped(title)}]({address})"))
            labels = [row for drawing in drawings for row in drawing.labels]
            prose = replace(text, rows=tuple(row for row in text.rows if row not in labels))
            form = TextForm(is_prose=True)
            blocks = [*markdown_blocks(number, page, prose, form, drawn)]
            if page.background:
                name = escaped(page.background.name)
                blocks.append(f"*Page {page.background_page + 1} of {name} lies below the ink.*")
            blocks.append(f"![Page {number}]({relative_address(picture, file.parent)})")
            bodies.append("\n\n".join(blocks))
        if len(bodies) > 1:
            bodies = [f"## Page {number}\n\n{body}" for number, body in enumerate(bodies, 1)]
        body = self._linked("\n\n".join(bodies), file, tags)
        write(file, "\n".join([*_front_matter(note, file, tags), "", body, ""]))
        if edited:
            raise EditedByHandError(f"{', '.join(edited)}: edited by hand, left as it is")
        return files

    def _picture(self, file: Path, number: object) -> Path:
        """Return the file of the picture of a page, or of a drawing of it, of the note with a
        Markdown file."""
        stem = self.folder / ATTACHMENTS / file.relative_to(self.folder).with_suffix("")
        return stem.with_name(f"{stem.name}-{number}.svg")

    def _linked(self, text: str, file: Path, tags: Mapping[str, None]) -> str:
        """Return the Markdown of a file with its tags and its links to other notes."""

        def link(match: re.Match[str]) -> str:
            target = self._target(match[1], file.parent)
            if target is None:
                return match[0]
            return f"[{match[1]}]({relative_address(target, file.parent)})"

        def tag(match: re.Match[str]) -> str:
            name = match[1].replace("\\", "")
            return f"#{name}" if name in tags else match[0]

        return _MARKED_TAG.sub(tag, _MARKED_LINK.sub(link, text))

    def _target(self, name: str, folder: Path) -> Path | None:
        """Return the file of the note that a link in `folder` names, if only one may be meant."""
        key = _key(name)
        files = self._by_key.get(key, ())
        if not files and len(key) >= MIN_LINKED_LETTERS:
            near = [k for k in self._by_key if Levenshtein.distance(k, key, score_cutoff=1) == 1]
            files = [*chain.from_iterable(self._by_key[k] for k in near)]
        in_folder = [file for file in files if file.parent == folder]
        candidates = in_folder or files
        return candidates[0] if len(candidates) == 1 else None


def _sealed_picture(page: InkPage, box: Box | None = None) -> str:
    """Return a picture of a page or box, with a mark that `_write_sealed` fills in."""
    return f"<!-- {_UNSEALED.decode()} -->\n{to_picture(page, box)}"


def _safe(title: str) -> Path:
    return safe_path(unicodedata.normalize("NFC", title), _UNSAFE, "-")


def _with_digest(path: Path, name: str) -> Path:
    """Return the path of a note that shares its path with others; `name` is the note's."""
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f"{path.name} {digest[:8]}")


def _key(name: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFC", name).casefold()))


def _tags(text: PageText) -> Iterator[str]:
    """Yield the tags of a page: sure words that are `#` and a name with a letter."""
    for word in chain(*(row.words for row in text.rows)):
        match = _TAG.fullmatch(word.text)
        if word.is_sure and match:
            yield match[1]


def _front_matter(note: Note, file: Path, tags: Mapping[str, None]) -> Iterator[str]:
    """Yield the lines of a note's front matter."""
    yield "---"
    yield _UNSEALED.decode()
    yield f"title: {_quoted(note.title.rpartition('/')[2])}"
    if note.path:
        for name, time in zip(("created", "updated"), note_times(note.path), strict=True):
            yield f"{name}: {datetime.fromtimestamp(time).isoformat(timespec='seconds')}"
        yield _source(note.path, file)
    if tags:
        yield from ("tags:", *(f"  - {_quoted(tag)}" for tag in tags))
    if note.summary.words:
        yield f"sure: {1 - note.summary.unsure / note.summary.words:.2f}"
    yield "---"


def _source(path: Path, file: Path) -> str:
    """Return the line of front matter that names a note's file."""
    source = os.path.relpath(path.resolve(), file.parent.resolve())
    return f"source: {_quoted(Path(source).as_posix())}"


def _quoted(text: str) -> str:
    """Return a text as a string of YAML."""
    printable = _UNPRINTABLE.sub("?", XML_FORBIDDEN.sub("?", text))
    return json.dumps(printable, ensure_ascii=False)


def _write_sealed(path: Path, text: str) -> bool:
    """Write a text with a digest of itself, unless the file was edited by hand: it has another
    digest than that of its content. Return whether the file has the text."""
    encoded = text.encode(errors="replace")
    content = _SEAL.sub(_seal(encoded), encoded, count=1)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        old = read_bytes(path).replace(b"\r\n", b"\n")  # as git or an editor may write it
        if old == content:
            return True
        if _seal(old) not in old:
            return False
    write_text(path, content.decode())
    return True


def is_sealed(path: Path) -> bool:
    """Return whether a file is there, and has the digest of its content: nobody edited it."""
    if not path.is_file():
        return False
    content = read_bytes(path).replace(b"\r\n", b"\n")
    return _seal(content) in content


def _seal(content: bytes) -> bytes:
    """Return the line with the digest of a content, whatever digest stands there."""
    digest = hashlib.sha256(_SEAL.sub(_UNSEALED, content, count=1)).hexdigest()
    return b'digest: "%b"' % digest[:16].encode()
