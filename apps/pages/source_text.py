"""Reads a user's text: its lines with their front matter, in characters that a network knows."""

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TypeVar

from apps.pages.formulas import FIRST, has_formula, with_placeholders, with_sources
from apps.pages.front_matter import SourceLine, with_front_matter
from apps.pages.page_options import LOOK_PARSERS, PageOptions, Values, line_height
from apps.pages.paragraphs import FILL, kind_of
from apps.pages.row_breaks import BLANKS, NO_BREAK, OTHER_BLANKS, SOFT_HYPHEN
from apps.pages.styles import listed_styles, network_of, styles
from apps.pages.transliteration import (
    LINE_ENDS,
    MU,
    MU_WITHOUT_LEG,
    RIGHT_TO_LEFT,
    explain,
    is_right_to_left,
    replaced_by,
    transliterate,
)
from base.run.pretrained import SHIPPED, pretrained
from ink.alphabet import SHOWN, Alphabet, describe, nfc
from utils import strict_json
from utils.checks import UserError, listed, short
from utils.strict_json import children

MAX_TEXT_BYTES = 500_000  # of a text (assumed: a long novel, which takes hours to write)
MAX_LINES = 5_000  # largest number of lines (assumed: 5,000 empty lines are 170 pages of A4)
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True))
"""Raised characters, and for each the character that is written, smaller, in its place."""
Result = TypeVar("Result")
_COLUMN_NUMBER = re.compile(r"(?<=column )\d+")
LEADING_BLANKS = re.compile(f"^[{BLANKS}]+")  # blanks at the start of a line
ALPHABETS = SHIPPED / "pretrained" / "alphabets.json"
"""The file of the characters of the pretrained networks that write texts, which are known from it
before a network is loaded."""
MAX_WORD = 99  # largest number of characters of a word (assumed: longer ones take minutes)


@dataclass(frozen=True)
class PageText:
    """A text that becomes pages of its own.

    Attributes:
        text: lines, with front matter or without.
        source: where the text is from, for error messages.
        number: number of the text among all texts in one hand; each has seeds of its own.
    """

    text: str
    source: str = "the text"
    number: int = 0


def parse_text(text: str, source: str, options: PageOptions) -> list[SourceLine]:
    """Return each line of a text with the values of the front matter before it.

    Raises:
        UserError: if there are too many lines, or a word is too long, or the front matter or
            formulas have faults, or the front matter does not fit on the paper.
    """

    def check(values: Values) -> None:
        look = replace(options, **values).look
        line_height(look, options.line_height, options.paper)

    lines = LINE_ENDS.sub("\n", text).split("\n")
    if len(lines) > MAX_LINES:
        raise UserError(f"{source}: {len(lines):,} lines; at most {MAX_LINES:,} are accepted")
    source_lines = with_front_matter(lines, source, LOOK_PARSERS, check)
    source_lines = _with_formulas(source_lines, source, options.formulas)
    for word in chain.from_iterable(FILL.sub(" ", line.text).split() for line in source_lines):
        if len(word) > MAX_WORD:
            problem = f"{short(word)} is no word: {len(word):,} characters without a blank"
            raise UserError(f"{source}: {problem}; at most {MAX_WORD} are accepted")
    return source_lines


def _with_formulas(lines: Sequence[SourceLine], source: str, default: bool) -> list[SourceLine]:
    """Return lines with placeholders for their formulas, where these are on, and the formulas;
    `default`: whether they are on where front matter does not say it."""
    parsed = []
    faults = []
    for line in lines:
        if line.values.get("formulas", default):
            try:
                text, formulas = with_placeholders(line.text, line.number)
            except UserError as error:
                faults.append(str(error))
                continue
            located = (replace(each, location=f"{source}, {each.location}") for each in formulas)
            line = line._replace(text=text, formulas=tuple(located))
        parsed.append(line)
    if faults:
        raise UserError(listed(source, faults) if faults[1:] else f"{source}, {faults[0]}")
    return parsed


def check_texts(texts: Sequence[PageText], options: PageOptions, network: Path | None) -> None:
    """Raise a UserError for faults of texts; for characters that a network lacks only if it is a
    pretrained one, whose alphabet is known before it is loaded. `network`: None for a font."""
    paths = pretrained()
    alphabets = {paths[name]: Alphabet(text) for name, text in page_alphabets().items()}

    def check_text(text: PageText) -> None:
        lines = parse_text(text.text, text.source, options)
        if alphabet := alphabets.get(network):
            known_lines(lines, text.source, alphabet, options.skip_unknown)

    each_checked(check_text, texts)


def each_checked(check: Callable[[PageText], Result], texts: Sequence[PageText]) -> list[Result]:
    """Return what `check` returns for each text; raise one UserError that lists the faults of all
    texts for which it raises one. A fault that only differs in its column, as of
    texts that a table fills, is listed for the first text, with the number of texts."""
    results = []
    faults = dict[str, list[str]]()
    for text in texts:
        try:
            results.append(check(text))
        except UserError as error:
            message = str(error)
            key = _COLUMN_NUMBER.sub("", message.removeprefix(text.source))
            faults.setdefault(key, []).append(message)
    if faults:
        shown = []
        for first, *further in faults.values():
            shown.append(f"{first} (in {1 + len(further)} texts)" if further else first)
        raise UserError(listed(f"{len(texts)} texts", shown) if shown[1:] else shown[0])
    return results


def page_alphabets() -> dict[str, str]:
    """Return the characters of each pretrained network that writes texts."""
    values = children(strict_json.read(ALPHABETS))
    return {name: str(values[name]) for name in pretrained().keys() & values.keys()}


def known_lines(
    lines: Sequence[SourceLine],
    source: str,
    alphabet: Alphabet,
    skip_unknown: bool,
    name: str = "the network",
) -> tuple[list[str], list[str]]:
    """Return lines in characters that a network or a font knows, without empty lines at the end,
    and a sentence on characters that were replaced or left out, and on LaTeX that is not set.
    `name`: the network or font, for messages.

    Raises:
        UserError: if a character is not known and not to be skipped, or nothing is left to write.
    """
    text = ""
    in_table = False
    for _, line, *_ in lines:  # Tabs only at a line's start are an indent, if no table is above.
        in_table = kind_of(line) == "table" and (in_table or "\t" in line.lstrip())
        line = LEADING_BLANKS.sub(lambda blanks: " " * len(blanks[0]), line.translate(OTHER_BLANKS))
        text += (line if in_table else line.expandtabs(4)) + "\n"
    num_formulas = max((len(line.formulas) for line in lines), default=0)
    accepted = writable(alphabet) | {chr(FIRST + k) for k in range(num_formulas)}
    _check_formulas(lines, accepted)
    unknown = [sign for sign in dict.fromkeys(nfc(text)) if replaced_by(sign, accepted) is None]
    if unknown and not skip_unknown:
        raise UserError(f"{source}: {_problem(lines, unknown, name)}")
    transliteration = transliterate(text, accepted)
    remarks = filter(None, [explain(transliteration), _unset_formulas(lines)])
    return transliteration.text.rstrip().split("\n"), [*remarks]


def _unset_formulas(lines: Sequence[SourceLine]) -> str:
    """Return a sentence on the first line whose formulas are written as they stand, or nothing."""
    numbers = [line.number for line in lines if not line.formulas and has_formula(line.text)]
    if not numbers:
        return ""
    return f"line {numbers[0]} has LaTeX, which `formulas: on` in front matter sets as a formula"


def _check_formulas(lines: Sequence[SourceLine], accepted: Set[str]) -> None:
    """Raise a UserError for a formula with a text that the hand is to write and cannot."""
    for line in lines:
        for formula in line.formulas:
            texts = dict.fromkeys("".join([*sorted(formula.characters), *formula.words]))
            unknown = [sign for sign in texts if sign not in accepted]
            if unknown:
                names = ", ".join(map(describe, unknown))
                problem = f"the network does not know {names} in {short(formula.source)}"
                raise UserError(f"{formula.location}: {problem}")


def writable(alphabet: Alphabet) -> set[str]:
    """Return the characters that a page has if its network knows an alphabet."""
    raised = (sign for sign, written in RAISED.items() if not alphabet.unknown(written))
    drawn = [MU] if not alphabet.unknown(MU_WITHOUT_LEG) else []
    blanks = [NO_BREAK] if " " in alphabet else []
    return {*alphabet.characters, "\t", "\n", SOFT_HYPHEN, *blanks, *raised, *drawn}


def _problem(lines: Sequence[SourceLine], unknown: Sequence[str], name: str) -> str:
    """Return a sentence that names the first place of each unknown character, and the pretrained
    networks that can write all of them."""
    names = []
    for sign in unknown[:SHOWN]:
        places = ((line.number, _column(line, sign)) for line in lines)
        number, column = next((place for place in places if place[1]), (0, 0))
        names.append(describe(sign) + (f" in line {number}, column {column}" if column else ""))
    more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
    listed = f"{name} does not know {', '.join(names)}{more}"
    if any(map(is_right_to_left, unknown)):
        return f"{listed}; {RIGHT_TO_LEFT}; --skip-unknown leaves that out"
    return f"{listed}; {_able(unknown)}; --skip-unknown leaves that out"


def _column(line: SourceLine, sign: str) -> int:
    """Return the column of the first place of a character in a line, from 1; 0 if it has none."""
    before, found, _ = nfc(line.text).partition(sign)
    return len(with_sources(before, line.formulas)) + 1 if found else 0


def _able(signs: Sequence[str]) -> str:
    """Return a sentence on the pretrained networks that can write characters."""
    able = [
        name
        for name, text in page_alphabets().items()
        if all(replaced_by(sign, writable(Alphabet(text))) is not None for sign in signs)
    ]
    if not able:
        return "no pretrained network can write that"
    files = {name: file for name, file in styles().items() if network_of(file).stem in able}
    return f"{' and '.join(sorted(able))} can, in the styles of {listed_styles(files)}"


def known_only(
    alphabet: Alphabet, texts: Sequence[str], skip: bool | None
) -> tuple[list[str], str]:
    """Return texts without the characters that an alphabet lacks, and a sentence on these
    characters, which is empty if there are none.

    Args:
        alphabet: the alphabet of the network.
        texts: the texts to write.
        skip: True leaves such characters out; False refuses them with a hint to --skip-unknown;
            None refuses them without the hint.

    Raises:
        UserError: if such characters are refused, or if a text has no other characters.
    """
    texts = [nfc(text) for text in texts]
    unknown = list(dict.fromkeys(c for text in texts for c in alphabet.unknown(text)))
    names = ", ".join(map(describe, unknown))
    if unknown and not skip:
        advice = "" if skip is None else "; --skip-unknown leaves that out"
        raise UserError(f"the network does not know {names}{advice}")
    known = ["".join(c for c in text if c not in unknown) for text in texts]
    for text, known_text in zip(texts, known, strict=True):
        if not known_text.strip():
            raise UserError(f"there is nothing to write in {text!r}")
    return known, f"left out, because the network does not know it: {names}" if names else ""
