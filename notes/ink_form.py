"""What stands at a word of a page that is saved: the ink, typed text, or neater ink."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from notes.ink_page import InkPage
from notes.neat import levelled
from notes.page_text import Note, PageText
from notes.typed_ink import typed

InkKind: TypeAlias = Literal["keep", "typed", "level", "fair"]
Rewriting: TypeAlias = Callable[[InkPage, PageText, str, int], tuple[InkPage, PageText]]
"""Returns a page, of which some words are written anew, with its text. It is told where the page
is: the name of the note, and the page's number from 1."""


@dataclass(frozen=True)
class InkForm:
    """What stands at a word.

    Attributes:
        kind: "keep" for the ink as it is; "typed" for text; "level" for the ink, neater; "fair" for
            ink of which sure words are written anew.
        keep_ink: whether typed words have their ink in a layer of its own.
        strength: how much neater ink becomes, from 0, where nothing changes, to 1.
        has_doubts: whether typed words that are unsure have a colour of their own.
    """

    kind: InkKind = "keep"
    keep_ink: bool = False
    strength: float = 1.0
    has_doubts: bool = True

    def changed(self, page: InkPage, text: PageText) -> tuple[InkPage, PageText]:
        """Return a page in this form, with its text; for "fair" all words are level."""
        if self.kind == "typed":
            return typed(page, text, keep_ink=self.keep_ink, has_doubts=self.has_doubts)
        return (page, text) if self.kind == "keep" else levelled(page, text, self.strength)


def in_form(note: Note, form: InkForm, rewrite: Rewriting | None = None) -> Note:
    """Return a note whose pages have the form; `rewrite` then writes words of "fair" anew. A page
    is changed when it is iterated over."""
    if form.kind == "keep":
        return note
    summary = replace(note.summary, digest=f"{note.summary.digest} {form}")
    return replace(note, pages=_Pages(note, form, rewrite), summary=summary)


@dataclass(frozen=True)
class _Pages:
    """The pages of a note in a form."""

    note: Note
    form: InkForm
    rewrite: Rewriting | None

    def __iter__(self) -> Iterator[tuple[InkPage, PageText]]:
        for number, (page, text) in enumerate(self.note.pages, 1):
            changed = self.form.changed(page, text)
            if self.rewrite and self.form.kind == "fair":
                changed = self.rewrite(*changed, self.note.name, number)
            yield changed
