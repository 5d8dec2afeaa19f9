"""Changes the ink of pages that are saved: as it is, typed text, or neater ink."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ink.ink_page import InkPage
from notes.neat import levelled
from notes.page_text import Note, PageText
from notes.typed_ink import typed

InkKind: TypeAlias = Literal["keep", "typed", "level"]


@dataclass(frozen=True)
class InkForm:
    """The form of the words on a saved page.

    Attributes:
        kind: "keep" for the ink as it is; "typed" for text; "level" for the ink, neater.
        keep_ink: whether typed words also have their ink, in a separate layer.
        strength: fraction of the moves that make ink neater, from 0 (nothing changes) to 1.
        has_doubts: whether unsure typed words have another colour.
    """

    kind: InkKind = "keep"
    keep_ink: bool = False
    strength: float = 1.0
    has_doubts: bool = True

    def apply(self, page: InkPage, text: PageText) -> tuple[InkPage, PageText]:
        """Return a page in this form, with its text."""
        if self.kind == "typed":
            return typed(page, text, keep_ink=self.keep_ink, has_doubts=self.has_doubts)
        return (page, text) if self.kind == "keep" else levelled(page, text, self.strength)


def in_form(note: Note, form: InkForm) -> Note:
    """Return a note whose pages have the form. A page is changed when it is iterated
    over."""
    if form.kind == "keep":
        return note
    summary = replace(note.summary, digest=f"{note.summary.digest} {form}")
    return replace(note, pages=_Pages(note, form), summary=summary)


@dataclass(frozen=True)
class _Pages:
    """The pages of a note in a form."""

    note: Note
    form: InkForm

    def __iter__(self) -> Iterator[tuple[InkPage, PageText]]:
        for page, text in self.note.pages:
            yield self.form.apply(page, text)
