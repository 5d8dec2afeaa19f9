"""Reading: a trained recogniser turns ink into text."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ink.alphabet import Alphabet
from model.generation.line import Line
from model.recognition.encoder import GREEDY, Recogniser, RecognitionNetwork, Search
from model.recognition.ink_words import InkWord
from model.recognition.transcribing import read_each_way, read_with_doubts, read_words
from model.trained_network import TrainedNetwork
from utils.checks import UserError


@dataclass(repr=False)
class Reader(TrainedNetwork):
    """A trained network that reads."""

    model: Recogniser

    @property
    def alphabet(self) -> Alphabet:
        """The characters that the network reads."""
        return self.model.alphabet

    def read(self, ink: np.ndarray | Line, search: Search = GREEDY) -> str:
        """Return the text of a line of ink.

        Args:
            ink: `(points, 3)` in any unit, y downwards; or a line that a network wrote.
            search: how to find the text: greedy decoding or a beam search.
        """
        (text,) = self.read_lines([ink], search)
        return text

    def read_lines(
        self, inks: Sequence[np.ndarray | Line], search: Search = GREEDY, *, progress: bool = False
    ) -> list[str]:
        """Return the texts of lines of ink; see `read`."""
        arrays = [ink.written if isinstance(ink, Line) else ink for ink in inks]
        return read_each_way(self.model, arrays, {"": search}, progress=progress)[""]

    def read_words(
        self, inks: Sequence[np.ndarray], search: Search = GREEDY, *, progress: bool = False
    ) -> list[list[InkWord]]:
        """Return the words of lines of ink; see `read`.

        Raises:
            UserError: if the network sees pictures: it cannot tell where a word is.
        """
        if not isinstance(self.model, RecognitionNetwork):
            raise UserError(f"{self}: a network that sees the movement of the pen is needed")
        return read_words(self.model, inks, search, progress=progress)

    def proofread(
        self,
        inks: Sequence[np.ndarray],
        spellings: Sequence[Collection[str]] | None = None,
        alike: Sequence[str] = (),
        height: float | None = None,
        *,
        search: Search = GREEDY,
        progress: bool = False,
    ) -> list[tuple[str, float]]:
        """Return each line's text as read, and the doubt that the line says one of its `spellings`,
        or without spellings the text read; see `read_with_doubts`."""
        read = partial(read_with_doubts, search=search, alike=alike, height=height)
        return read(self.model, inks, spellings, progress=progress)
