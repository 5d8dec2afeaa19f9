from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest

from base.config.binder import Binder, Registry, built, faults, signature_of
from utils.checks import Range


class Pen:
    def __init__(self, *, width: float = 1.0) -> None:
        self.width = width


def binder(*classes: type, **from_program: list[str]) -> Binder:
    exported = {cls.__name__: cls for cls in classes}
    return Binder(
        Registry([SimpleNamespace(__all__=[*exported], **exported)], {}, {}, from_program)
    )


def expected(annotation: Any, value: Any) -> list[tuple[str, str]]:
    bound = binder(Pen).bind(annotation, value, "key")
    return [(fault.key, fault.expected) for fault in faults(bound)]


Size = Annotated[int, Range(1, 9)]


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, 1.0, "a whole number"),
        (int, False, "a whole number"),
        (int, 2**63, "a whole number"),
        (Annotated[float, Range(0)], float("nan"), "a number at least 0"),
        (bool, 0, "true or false"),
        (Size | None, 10, "a whole number from 1 to 9 or null"),
        (Literal[1, 2], True, "one of 1, 2"),
        (tuple[float, ...], "x", "a list, each a number"),
        (tuple[int, str], [1], "a list of 2, each a whole number"),
        (int | list[int], "x", "a whole number or a list, each a whole number"),
        (Callable[[int], int] | None, "x", "null"),
        (Pen, "x", 'an object {"type": ..., "args": {...}}'),
    ],
)
def test_a_value_that_does_not_fit_is_reported_with_values_that_would(annotation, value, message):
    assert expected(annotation, value) == [("key", message)]


@pytest.mark.parametrize(
    ("annotation", "value", "converted"),
    [
        (float, 5, 5.0),
        (Literal["a", "b"], "b", "b"),
        (list[float], [1, 2], [1.0, 2.0]),
        (tuple[float, str], [1, "a"], (1.0, "a")),
        (tuple[float, ...], [1, 2, 3], (1.0, 2.0, 3.0)),
        (dict[str, list[float]], {"a": [1]}, {"a": [1.0]}),
        (float | list[float], [1], [1.0]),
        (Any, [1, {"a": 2}], [1, {"a": 2}]),
    ],
)
def test_a_value_that_fits_is_converted_to_the_type_of_its_annotation(annotation, value, converted):
    assert expected(annotation, value) == []
    result = built(binder().bind(annotation, value, "key"))
    assert result == converted
    assert repr(result) == repr(converted)


class Desk:
    def __init__(self, owner, *, pens: list[str] = (), pen: str | None = None) -> None: ...


class Open(Desk):
    def __init__(self, *supplied: Any, drawers: int, **options: Any) -> None:
        super().__init__(*supplied, **options)


class Bare:
    """Has no constructor."""


class Small(Desk):
    def __init__(self, *, height: "NowhereDefined" = 1) -> None: ...  # noqa: F821


@dataclass(frozen=True, kw_only=True)
class Legs:
    legs: Annotated[int, Range(1)]
    wood: str = "oak"


@dataclass(frozen=True, kw_only=True)
class BeechLegs(Legs):
    wood: str = "beech"


class Table:
    def __init__(self, place: str, *, settings: Legs) -> None:
        self.place, self.legs = place, settings


class Stool(Table):
    def __init__(self, place: str, *, seat: str = "round", settings: BeechLegs) -> None:
        super().__init__(place, settings=settings)
        self.seat = seat


class Double(Table):
    def __init__(self, place: str, *, wood: str = "pine", settings: Legs) -> None: ...


class OpenTable(Table):
    def __init__(self, *supplied: Any, **options: Any) -> None: ...


@dataclass(kw_only=True, eq=False)
class Shelf:
    boards: int = 3


class OpenShelf(Shelf):
    def __init__(self, **options: Any) -> None: ...


@pytest.mark.parametrize(
    ("cls", "from_program", "arguments"),
    [
        (Desk, ["owner"], {"pens": (), "pen": None}),
        (Small, [], {"height": 1}),
        (Bare, [], {}),
        (Shelf, [], {"boards": 3}),
        (Table, ["place"], {"legs": ..., "wood": "oak"}),
        (Stool, ["place"], {"legs": ..., "wood": "beech", "seat": "round"}),
    ],
)
def test_the_arguments_are_those_after_the_star_and_the_fields_of_settings(
    cls, from_program, arguments
):
    signature = signature_of(cls)
    assert ([*signature.from_program], signature.fault) == (from_program, "")
    defaults = {name: argument.default for name, argument in signature.arguments.items()}
    assert defaults == {n: Parameter.empty if d is ... else d for n, d in arguments.items()}


@pytest.mark.parametrize(
    ("cls", "advice"),
    [
        (Double, "one with a single wood: it is a field of its settings and an argument, and a"),
        (Open, "one whose constructor names its arguments, without * and ** before a name"),
        (OpenTable, f"write `settings: Legs` (of {__name__}) after * in the place of **options, "),
        (OpenShelf, "a dataclass: write @dataclass(kw_only=True, eq=False) above the class, and "),
    ],
)
def test_a_constructor_whose_signature_leaves_open_what_it_takes_is_refused(cls, advice):
    (fault,) = faults(
        binder(cls, **{cls.__name__: ["place"]}).bind(cls, {"type": cls.__name__}, "seat")
    )
    assert fault.key == "seat.type" and advice in fault.expected


def test_argument_accepts_anything_when_its_annotation_is_unknown():
    assert signature_of(Small).arguments["height"].annotation is Any


def test_the_fields_of_settings_are_checked_and_given_as_one():
    bind = binder(Stool, Table=["place"]).bind
    bound = bind(Table, {"type": "Stool", "args": {"legs": 4, "seat": "square"}}, "seat")
    stool = built(bound, {"place": "here"})
    assert (stool.place, stool.seat, faults(bound)) == ("here", "square", [])
    assert stool.legs == BeechLegs(legs=4, wood="beech")
    assert bound.defaults == {"wood": "beech"}
    bound = bind(Table, {"type": "Stool", "args": {"legs": 0}}, "seat")
    assert str(*faults(bound)) == "seat.args.legs = 0: a whole number at least 1"


class Twin(Pen):
    def __init__(self, *, other: Pen) -> None:
        self.other = other


class Cup:
    def __init__(self, pen: Pen, *, lid: bool = False) -> None:
        self.pen, self.lid = pen, lid


PENS = Annotated[dict[str, Pen | None], Cup]


def bound_pens(second: Any) -> Any:
    first = {"type": "Pen"}
    twin = {"type": "Twin", "args": {"other": second, "lid": True}}
    return binder(Pen, Twin).bind(PENS, {"first": first, "none": None, "twin": twin}, "pens")


def test_the_name_of_an_earlier_object_stands_for_the_object_itself():
    pens = built(bound_pens("first"))
    assert pens["twin"].pen.other is pens["first"] and pens["none"] is None


def test_an_object_with_a_name_is_held_and_has_arguments_of_its_holder():
    pens = built(bound_pens("first"))
    assert (pens["twin"].lid, pens["first"].lid) == (True, False)
    (fault,) = faults(binder(Pen).bind(Pen, {"type": "Pen", "args": {"lid": True}}, "pen"))
    assert fault.expected.startswith("Pen takes no such argument")


@pytest.mark.parametrize("name", ["twin", "none", "third"])
def test_a_name_of_no_earlier_object_is_refused_with_the_names_of_those(name):
    (fault,) = faults(bound_pens(name))
    assert str(fault).startswith(f'pens.twin.args.other = "{name}": an object')
    assert fault.expected.endswith("or a name before it: first")
