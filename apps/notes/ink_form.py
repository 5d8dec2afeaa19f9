"""Changes the ink of pages that are saved: as it is, typed text, or neater ink."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from apps.notes.neat import levelled
from apps.notes.page_text import Note, PageText
from apps.notes.typed_ink import typed
from ink.ink_page import InkPage
from utils.checks import UserError

InkKind: TypeAlias = Literal["keep", "typed", "level"]


@dataclass(frozen=True)
class InkForm:
    """The form of the words on a saved page.

    Attributes:
        kind: "keep" for the ink as it is; "typed" for text; "level" for the ink, neater.
        keep_ink: whether typed words also have their ink, in a separate layer.
        strength: fraction of the moves that make ink neater, from 0 (nothing changes) to 1.
        has_doubts: whether unsure typed words have another colour.
        page: number of the only page that has the form, from 1; None for all pages.
    """

    kind: InkKind = "keep"
    keep_ink: bool = False
    strength: float = 1.0
    has_doubts: bool = True
    page: int | None = None

    def apply(self, page: InkPage, text: PageText) -> tuple[InkPage, PageText]:
        """Return a page in this form, with its text."""
        if self.kind == "typed":
            return typed(page, text, keep_ink=self.keep_ink, has_doubts=self.has_doubts)
        if self.kind == "level":
            return levelled(page, text, self.strength)
        return page, text


def in_form(note: Note, form: InkForm) -> Note:
    """Return a note whose pages have the form. A page is changed when it is iterated
    over.

    Raises:
        UserError: if the note has no page `form.page`.
    """
    if form.kind == "keep":
        return note
    if form.page and form.page > note.summary.pages:
        raise UserError(f"{note.name}: no page {form.page}; pages: {note.summary.pages}")
    summary = replace(note.summary, digest=f"{note.summary.digest} {form}")
    return replace(note, pages=_Pages(note, form), summary=summary)


@dataclass(frozen=True)
class _Pages:
    """The pages of a note in a form."""

    note: Note
    form: InkForm

    def __iter__(self) -> Iterator[tuple[InkPage, PageText]]:
        for number, (page, text) in enumerate(self.note.pages, 1):
            is_changed = self.form.page in (None, number)
            yield self.form.apply(page, text) if is_changed else (page, text)
