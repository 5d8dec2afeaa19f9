"""The page of the keys is that of the constructors, and leaves no key unexplained."""

from base.config.torch_parts import DERIVED_ARGUMENTS, NOT_OFFERED
from docs.make_config_page import PAGE, SECTIONS, filled, meanings, tables

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date_and_no_cell_of_it_is_empty():
    """An empty one is a key that its docstring leaves out, or that takes nothing JSON can hold."""
    assert filled(TEXT) == TEXT, "run: python -m docs.make_config_page"
    assert "|  |" not in TEXT
    assert all(f"\n## {title}\n" in TEXT for title in SECTIONS)
    assert all(f"`{name}`" in TEXT for name in (*NOT_OFFERED, *DERIVED_ARGUMENTS))


class Base:
    """A class.

    Args:
        first, second: two of them, None
            for none.
        third: of the base.

    Raises:
        ValueError: never.
    """

    def __init__(self, *, first: int, second: int = 2, third: float | None = None) -> None:
        pass


class Derived(Base):
    """Another.

    Args:
        supplied: by the program.
        third: see `Base`.
        first: its own.
    """

    def __init__(self, supplied: int, **options: int) -> None:
        pass


def test_a_meaning_is_looked_for_in_the_bases_and_what_classes_share_is_one_table():
    assert meanings(Derived)["supplied"] == "by the program."
    head = "| key | value | default | meaning |\n|---|---|---|---|\n"
    assert tables([Base, Derived]) == (
        f"### `Base`\n\n{head}"
        "| `first` | a whole number | required | two of them, `null` for none. |\n\n"
        f"### `Derived`\n\n{head}"
        "| `first` | a whole number | required | its own. |\n\n"
        f"### `Base`, `Derived`\n\n{head}"
        "| `second` | a whole number | `2` | two of them, `null` for none. |\n"
        "| `third` | a number or null | `null` | of the base. |\n"
    )
