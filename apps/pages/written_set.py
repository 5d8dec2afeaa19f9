"""Sets of written lines to train on: a prepared folder, written from a file with a text a line."""

import hashlib
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from apps.pages.hands import Hand
from apps.pages.source_text import known_only
from base.data.samples import Columns
from data_loader.sources.cache import CacheKey, columns_in
from ink.alphabet import Alphabet
from ink.formats.inkml.lines import lines_to_inkml
from ink.sample import Fault, Parsed, Sample
from model.generation.hand_encoder import hand_extra
from model.generation.line import SEEDS, Line, Sampling, check_lengths
from model.loading import Writer
from utils.checks import UserError, listed
from utils.files import digest_of_file, open_file, write_text
from utils.licences import UNKNOWN

BLOCK_LINES = 2_000  # which are written again if a process is killed amid them (assumed)
FILE_LINES = 500  # of an InkML file (assumed: 3 MB)
MAX_BYTES = 1 << 16  # of a text, so that a file without line ends does not fill the memory
LICENCE_FILE = "LICENCE.txt"
LICENCE = """These lines of handwriting were written by the network {name}, by no person.
Their licence is that of its weights: {licence}.
"""


@dataclass(frozen=True)
class Texts:
    """The texts in a file, one a line, all of which a network can write; see `checked_texts`.

    Attributes:
        path: the file.
        known: returns the text in a line of bytes; raises a UserError if it cannot be written.
        count: the number of texts.
        starts: the byte at which each block of `BLOCK_LINES` texts begins.
        characters: all characters of the texts.
    """

    path: Path
    known: Callable[[bytes], str]
    count: int
    starts: Sequence[int]
    characters: Set[str]

    def block(self, start: int) -> list[str]:
        """Return the texts of the block that begins at a byte."""
        return [*map(self.known, islice(_lines(self.path, start), BLOCK_LINES))]


def checked_texts(path: Path, alphabet: Alphabet, skip_unknown: bool) -> Texts:
    """Return the texts in a file, one a line, after all were read once.

    Args:
        path: the file.
        alphabet: the alphabet of the network.
        skip_unknown: whether other characters are left out; else they are refused.

    Raises:
        UserError: if the file cannot be read, or texts cannot be written; names their lines.
    """
    known = partial(_text_of, alphabet=alphabet, skip_unknown=skip_unknown)
    starts: list[int] = []
    faults: list[str] = []
    characters: set[str] = set()
    position = 0
    number = 0
    bar = tqdm(_lines(path), "checking", unit="line", leave=False, disable=None)
    for number, line in enumerate(bar, 1):
        if number % BLOCK_LINES == 1:
            starts.append(position)
        position += len(line)
        try:
            characters.update(known(line))
        except UserError as error:
            faults.append(f"line {number}: {error}")
            if len(line) == MAX_BYTES:  # What follows is no line.
                break
    if not number:
        raise UserError(f"{path}: contains no text")
    if faults:
        raise UserError(listed(str(path), faults) if len(faults) > 1 else f"{path}: {faults[0]}")
    return Texts(path, known, number, starts, characters)


def _lines(path: Path, start: int = 0) -> Iterator[bytes]:
    """Yield the lines of a file from a byte on."""
    try:
        with open_file(path) as file:
            file.seek(start)
            yield from iter(partial(file.readline, MAX_BYTES), b"")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _text_of(line: bytes, alphabet: Alphabet, skip_unknown: bool) -> str:
    """Return the text in a line, see `Texts`."""
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = f"its byte {error.start} is 0x{line[error.start]:02x}"
        raise UserError(f"not UTF-8 text ({byte}); save the file as UTF-8") from None
    check_lengths([text])
    (known_text,), _ = known_only(alphabet, [text], skip_unknown)
    return known_text


def _digest(path: Path) -> str:
    """Return a digest of the content of a file, on which a set depends."""
    digest = digest_of_file(path)
    if digest is None:
        raise UserError(f"{path}: cannot be read")
    return digest


@dataclass(frozen=True)
class WrittenSet:
    """Lines to train on, and how they are written.

    A line that does not end is left out. What a source reads of the set says which.

    Attributes:
        writer: takes a text.
        texts: the texts.
        sampling: how points are drawn if there is no hand.
        hand: the hand of all lines; None for many hands.
        lines_per_hand: number of consecutive lines in one of the many hands.
        num_samples: how often the texts are written.
        seed: seed of the first line, and of its hand; the next line, or hand, has the next seed.
        inkml: whether the lines are saved as InkML, too.
    """

    writer: Writer
    texts: Texts
    sampling: Sampling = Sampling()
    hand: Hand | None = None
    lines_per_hand: int = 1
    num_samples: int = 1
    seed: int = 0
    inkml: bool = False

    def __post_init__(self) -> None:
        if self.lines_per_hand > 1 and not self._draws_hands:
            problem = "is for many hands of a network that is conditioned on hands"
            raise UserError(f"lines_per_hand = {self.lines_per_hand} {problem}")

    def __len__(self) -> int:
        return self.num_samples * self.texts.count

    @property
    def _draws_hands(self) -> bool:
        """Whether the writer is conditioned on drawn hands, as with the style `own` of a page."""
        return self.hand is None and self.writer.takes_hand and "hand" not in self.sampling.extras

    def write(self, folder: Path) -> Columns:
        """Write the set into a folder as prepared samples; what is whole there stays.

        Raises:
            DataError: if the folder has other files, or those of another set.
        """
        blocks = list[tuple[int, int]]()  # the number of a first line, the byte of its text
        for repeat in range(self.num_samples):
            for number, start in enumerate(self.texts.starts):
                blocks.append((repeat * self.texts.count + number * BLOCK_LINES, start))
        licences = (self.writer.licence,)
        key = CacheKey("written", self._key, (), is_sorted=True, licences=licences)
        with tqdm(total=len(self), desc="writing", unit="line", disable=None) as bar:
            return columns_in(folder, key, blocks, lambda block: self._written(folder, bar, *block))

    @property
    def _key(self) -> dict[str, object]:
        """All on which the lines depend, as the key of the prepared folder."""
        sampling = (self.hand or self).sampling
        extras = sorted(sampling.extras.items())
        conditions = [(name, np.asarray(value, np.float32).tobytes()) for name, value in extras]
        continued = self.hand.continued if self.hand else None
        primer = None
        if continued:
            ink, text = continued
            primer = ink.tobytes(), text
        names = ("bias", "pen_sharpness", "stretch", "max_steps", "latent_seed")
        own_names = ("num_samples", "seed", "lines_per_hand", "inkml")
        return {
            "texts": _digest(self.texts.path),
            "network": _digest(self.writer.path),
            "hand": hashlib.sha256(repr((conditions, primer)).encode()).hexdigest(),
            **{name: getattr(sampling, name) for name in names},
            **{name: getattr(self, name) for name in own_names},
        }

    def _written(self, folder: Path, bar: tqdm, first: int, start: int) -> Iterator[Parsed]:
        """Write a block, by the number of its first line and the byte at which its texts begin."""
        licence = self.writer.licence or UNKNOWN
        write_text(folder / LICENCE_FILE, LICENCE.format(name=self.writer.name, licence=licence))
        bar.update(first - bar.n)  # what was whole before
        texts = self.texts.block(start)
        for place in range(0, len(texts), FILE_LINES):
            some = texts[place : place + FILE_LINES]
            parsed = self._parsed(first + place, some)
            if self.inkml and parsed.samples:
                triples = [(each.ink, each.text, each.writer) for each in parsed.samples]
                file = folder / f"lines-{first + place + 1:08}.inkml"
                write_text(file, lines_to_inkml(triples))
            yield parsed
            bar.update(len(some))

    def _parsed(self, first: int, texts: Sequence[str]) -> Parsed:
        """Return the samples of consecutive lines, and which did not end."""
        numbers = range(first, first + len(texts))
        seeds = [(self.seed + number) % SEEDS for number in numbers]
        hands = [(self.seed + number // self.lines_per_hand) % SEEDS for number in numbers]
        parsed = Parsed()
        lines = self._lines(texts, seeds, hands)
        for number, hand, line in zip(numbers, hands, lines, strict=True):
            name = f"line-{number + 1:08}"
            person = "" if self.hand else f"own-{hand}"
            with parsed.attempt(name):
                if not line.ended or len(line.written) < 2:
                    raise Fault("a line that did not end")
                parsed.samples.append(Sample(line.written, line.written_text, name, person))
        return parsed

    def _lines(
        self, texts: Sequence[str], seeds: Sequence[int], hands: Sequence[int]
    ) -> list[Line]:
        """Write lines; `hands` are seeds of hands that are drawn, if any are."""
        if self.hand:
            return self.hand.write_texts(texts, seeds)
        sampling = self.sampling
        if self._draws_hands:
            draw = self.writer.model.hand_encoder.draw
            vectors = {hand: hand_extra(draw(hand)) for hand in set(hands)}
            rows = np.stack([vectors[hand] for hand in hands])
            sampling = replace(sampling, extras={"hand": rows, **sampling.extras})
        return self.writer.write_lines(texts, seeds, sampling, progress=True)
