"""The substitutions of a font: which form of a character stands where, as OpenType features.

A text is shaped in steps. A letter gets the kind of its joins by its neighbours. Then the forms of
a kind follow each other in a circle, in whatever letters stand between: for this, letters are for a
while *states*, glyphs without ink of the class of marks, and a rule for one letter skips the states
of all others. Every second time a common pair of letters is a glyph of its own. At last each state
becomes its form.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fontTools.agl import UV2AGL

from apps.pages.font_cutting import Join
from apps.pages.font_forms import Form, HandForms, Kind

NAMES = {"": "n", "low": "l", "high": "h"}
"""The letter in the names of glyphs for each kind of join."""


def character_name(character: str) -> str:
    """Return the name of the glyph of a character, by Adobe's list."""
    return UV2AGL.get(ord(character), f"uni{ord(character):04X}")


def form_name(text: str, kind: Kind, number: int) -> str:
    """Return the name of the glyph of a form; the first form of a character that is not joined has
    the name of the character."""
    base = "_".join(map(character_name, text))
    is_usual = kind == ("", "") and number == 0 and len(text) == 1
    return base if is_usual else f"{base}.{''.join(NAMES[join] for join in kind)}{number}"


@dataclass(frozen=True)
class FontForms:
    """The forms of a hand by the names of their glyphs.

    Attributes:
        hand: the forms.
        marks: for each letter whose mark is a glyph of its own, the names of its two glyphs.
    """

    hand: HandForms
    marks: Mapping[str, tuple[str, str]]

    @cached_property
    def names(self) -> dict[tuple[str, Kind], list[str]]:
        """The names of the glyphs of each kind of a character or pair."""
        names: dict[tuple[str, Kind], list[str]] = {}
        for form in self.hand.forms:
            if not self.is_composed(form.text):
                same = names.setdefault((form.text, form.kind), [])
                same.append(form_name(form.text, form.kind, len(same)))
        return names

    @cached_property
    def glyphs(self) -> dict[str, Form]:
        """The form of each glyph; a letter whose mark is a glyph of its own has a single form."""
        glyphs: dict[str, Form] = {}
        numbers: dict[tuple[str, Kind], int] = {}
        for form in self.hand.forms:
            key = form.text, form.kind
            number = numbers[key] = numbers.get(key, -1) + 1
            if not self.is_composed(form.text) or (form.kind == ("", "") and number == 0):
                glyphs[form_name(*key, number)] = form
        return glyphs

    @property
    def states(self) -> list[str]:
        """The names of all states."""
        singles = [key for key in self.names if len(key[0]) == 1]
        return [state for key in singles for state in [*self.states_of(key), _paired(key)]]

    def states_of(self, key: tuple[str, Kind]) -> list[str]:
        """Return the names of the states of a kind of a character."""
        return [f"{name}.state" for name in self.names[key]]

    def is_composed(self, text: str) -> bool:
        """Return whether a character is written as a letter and a mark, two glyphs."""
        return text in self.marks

    def singles(self) -> Iterator[tuple[str, Kind]]:
        """Yield each kind of each character."""
        return (key for key in self.names if len(key[0]) == 1)

    def pairs(self) -> Iterator[tuple[str, Kind]]:
        """Yield each kind of each pair."""
        return (key for key in self.names if len(key[0]) == 2)


def _paired(key: tuple[str, Kind]) -> str:
    """Return the name of the state of a letter that becomes the second of a pair."""
    return f"{form_name(*key, 0)}.paired"


def substitutions(font: FontForms) -> str:
    """Return the features of substitutions, in the language of Adobe's feature files."""
    lines = [*_composition(font)]
    steps = [*_joins(font), *_states(font), *_circles(font), *_pairs(font), *_forms(font)]
    contextual = [name for name, _ in steps if name.startswith("step_")]
    for name, body in steps:
        lines += [f"lookup {name} {{", *body, f"}} {name};"]
    lines += ["feature calt {", *(f"lookup {name};" for name in contextual), "} calt;"]
    return "\n".join(lines)


Lookup = tuple[str, list[str]]
"""The name of a lookup, which begins with `step_` unless others call it, and its rules."""


def _composition(font: FontForms) -> Iterator[str]:
    """Yield the feature that takes marks off letters."""
    if font.marks:
        yield "feature ccmp {"
        for character, glyphs in font.marks.items():
            yield f"sub {character_name(character)} by {' '.join(glyphs)};"
        yield "} ccmp;"


def _joins(font: FontForms) -> Iterator[Lookup]:
    """Yield the lookups that give letters their joins."""
    hand = font.hand
    if not hand.exits:
        return
    by_kind: dict[Kind, list[str]] = {}
    for text, kind in font.singles():
        if kind != ("", ""):
            by_kind.setdefault(kind, []).append(text)
    entered: dict[Join, set[str]] = {}
    for kind, texts in by_kind.items():
        entered.setdefault(kind[0], set()).update(texts)
    rules = []
    for kind in sorted(by_kind, key=lambda kind: (bool(kind[0]), bool(kind[1])), reverse=True):
        entry, exit_join = kind
        name = f"join_{''.join(NAMES[join] for join in kind)}"
        texts = by_kind[kind]
        yield name, [f"sub {character_name(t)} by {form_name(t, kind, 0)};" for t in texts]
        before = [form_name(*key, 0) for key in font.singles() if entry and key[1][1] == entry]
        behind = [*map(character_name, sorted(entered.get(exit_join, ())))] if exit_join else []
        target = f"{_group(map(character_name, texts))}' lookup {name}"
        rules.append(f"sub {_group(before)} {target} {_group(behind)};")
    yield "step_joins", ["lookupflag IgnoreMarks;", *rules]


def _group(names: Iterator[str] | Sequence[str]) -> str:
    """Return a class of glyphs; an empty text for no glyphs."""
    text = " ".join(names)
    return f"[{text}]" if text else ""


def _states(font: FontForms) -> Iterator[Lookup]:
    """Yield the lookup that turns each first form into its first state."""
    keys = [*font.singles()]
    yield "step_states", [f"sub {font.names[key][0]} by {font.states_of(key)[0]};" for key in keys]


def _circles(font: FontForms) -> Iterator[Lookup]:
    """Yield the lookups that let the forms of each kind follow each other."""
    keys = [key for key in font.singles() if len(font.names[key]) > 1]
    for number in range(1, max((len(font.names[key]) for key in keys), default=0)):
        states = [font.states_of(key) for key in keys if len(font.names[key]) > number]
        yield f"form_{number}", [f"sub {each[0]} by {each[number]};" for each in states]
    for count, key in enumerate(keys):
        states = font.states_of(key)
        rules = [
            f"sub {before} {states[0]}' lookup form_{number};"
            for number, before in enumerate(states[:-1], 1)
        ]
        flag = f"lookupflag UseMarkFilteringSet [{' '.join(states)}];"
        yield f"step_circle_{count}", [flag, *rules]


def _pairs(font: FontForms) -> Iterator[Lookup]:
    """Yield the lookups that write every second pair in its own form."""
    contexts = []
    ligatures = []
    for key in font.pairs():
        (first, second), (entry, exit_join) = key
        inner = font.hand.join_between(first, second)
        keys = (first, (entry, inner)), (second, (inner, exit_join))
        if not all(each in font.names for each in keys):
            continue
        odd = font.states_of(keys[0])[1::2]
        if odd:
            behind = f"{_group(font.states_of(keys[1]))}' lookup second"
            contexts.append(f"sub {_group(odd)} {behind};")
        forms = font.names[key]
        for number, state in enumerate(odd):
            form = forms[number % len(forms)]
            ligatures.append(f"sub {state} {_paired(keys[1])} by {form};")
    if contexts:
        singles = [*font.singles()]
        rules = [f"sub {s} by {_paired(key)};" for key in singles for s in font.states_of(key)]
        yield "second", rules
        marks = _group(sorted({mark for _, mark in font.marks.values()}))
        states = _group(font.states)
        unless = [f"ignore sub {states} {states}' {marks};"] if marks else []
        yield "step_second", [*unless, *contexts]
        yield "step_pairs", ligatures


def _forms(font: FontForms) -> Iterator[Lookup]:
    """Yield the lookup that turns each state into its form."""
    rules = []
    for key in font.singles():
        names = font.names[key]
        rules += [f"sub {s} by {n};" for s, n in zip(font.states_of(key), names, strict=True)]
        rules.append(f"sub {_paired(key)} by {names[0]};")
    yield "step_forms", rules
