from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from base.config.signatures import arguments_of


class Desk:
    def __init__(self, owner, *, pens: list[str] = (), pen: str | None = None) -> None: ...


class Chest(Desk):
    """Gives the class it comes from what it needs itself, and hands on the options alone."""

    def __init__(self, place, *, drawers: int = 3, **options: Any) -> None:
        super().__init__(f"{place} with {drawers}", **options)


class BigDesk(Desk):
    def __init__(self, *supplied: Any, drawers: int, **options: Any) -> None:
        super().__init__(*supplied, **options)


@dataclass(frozen=True, kw_only=True)
class Legs:
    legs: int
    wood: str = "oak"


class Table:
    def __init__(self, place: str, **options: Annotated[Any, Legs]) -> None: ...


class Stool(Table):
    def __init__(self, *supplied: Any, wood: str = "beech", **options: Any) -> None:
        super().__init__(*supplied, wood=wood, **options)


class Small(Desk):
    def __init__(self, *, height: "NowhereDefined" = 1) -> None: ...  # noqa: F821


@pytest.mark.parametrize(
    ("cls", "supplied", "owners", "defaults"),
    [
        (BigDesk, ["owner"], [BigDesk, Desk, Desk], {"pens": (), "pen": None}),
        (Chest, ["place"], [Chest, Desk, Desk], {"drawers": 3, "pens": (), "pen": None}),
        (Small, [], [Small], {"height": 1}),
        (Table, ["place"], [Legs, Legs], {"wood": "oak"}),
        (Stool, ["place"], [Stool, Legs], {"wood": "beech"}),
    ],
)
def test_a_constructor_takes_what_it_passes_on_as_well(cls, supplied, owners, defaults):
    names = {
        BigDesk: ["drawers", "pens", "pen"],
        Chest: ["drawers", "pens", "pen"],
        Small: ["height"],
        Table: ["legs", "wood"],
        Stool: ["wood", "legs"],
    }
    arguments = arguments_of(cls)
    assert arguments.supplied == supplied and arguments.defaults == defaults
    assert list(arguments.accepted) == names[cls]
    assert arguments.owners == dict(zip(names[cls], owners, strict=True))
    assert arguments.accepted.get("height", Any) is Any  # What cannot be resolved accepts anything.
