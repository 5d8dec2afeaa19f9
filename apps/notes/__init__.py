"""Reads pages of handwritten notes, searches them for words, and saves them as searchable files.

from apps import notes

library = notes.Library(lambda page: notes.read_page(page, reader), "reader")
note = library.note("diary", Path("diary.xopp"))
notes.save([note], Path("diary.pdf"))
"""

from ink.formats.files import file_state
from ink.guard import note_files, read_pages
from utils.lazy import importer

_HOMES = {
    "EditedByHandError": "vault",
    "InkForm": "ink_form",
    "InkKind": "ink_form",
    "LearnableLines": "exporting",
    "Library": "reading_cache",
    "Note": "page_text",
    "PageText": "page_text",
    "Query": "searching",
    "Reading": "alike",
    "TextForm": "exporting",
    "UnsureWord": "doubtful",
    "Vault": "vault",
    "WordAddress": "doubtful",
    "in_form": "ink_form",
    "learnable_lines": "exporting",
    "learned_file": "learned_reader",
    "learned_files": "learned_reader",
    "notes_folder": "reading_cache",
    "read_page": "reading",
    "save": "exporting",
    "save_lines": "exporting",
    "search": "searching",
    "searched_files": "reading_cache",
    "text_parts": "exporting",
}
__all__ = [*_HOMES, "file_state", "note_files", "read_pages"]
__getattr__ = importer(__name__, _HOMES)
