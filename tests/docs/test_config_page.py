"""The page of the keys is that of the constructors, and leaves no key unexplained."""

import pytest

from base.torch_blocks import DERIVED_ARGUMENTS, NOT_OFFERED
from docs.make_config_page import PAGE, SECTIONS, filled, keys, meanings, own, tables

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date():
    assert filled(TEXT) == TEXT, "run: python -m docs.make_config_page"
    assert all(f"\n## {title}\n" in TEXT for title in SECTIONS)
    assert all(f"`{name}`" in TEXT for name in (*NOT_OFFERED, *DERIVED_ARGUMENTS))


@pytest.mark.parametrize("cls", [cls for base in SECTIONS.values() for cls in own(base)])
def test_every_key_has_a_meaning(cls):
    for key in keys(cls):
        assert key.meaning, f"the docstring of {cls.__name__} does not say what {key.name} is"
        assert key.values, f"{key.name} of {cls.__name__} takes no value that JSON can hold"


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


def test_a_meaning_is_looked_for_in_the_bases():
    assert meanings(Derived) == {
        "supplied": "by the program.",
        "first": "its own.",
        "second": "two of them, `null` for none.",
        "third": "of the base.",
    }


def test_what_classes_share_stands_in_one_table():
    assert tables([Base, Derived]) == (
        "### `Base`\n\n"
        "| key | value | default | meaning |\n|---|---|---|---|\n"
        "| `first` | a whole number | required | two of them, `null` for none. |\n\n"
        "### `Derived`\n\n"
        "| key | value | default | meaning |\n|---|---|---|---|\n"
        "| `first` | a whole number | required | its own. |\n\n"
        "### `Base`, `Derived`\n\n"
        "| key | value | default | meaning |\n|---|---|---|---|\n"
        "| `second` | a whole number | `2` | two of them, `null` for none. |\n"
        "| `third` | a number or null | `null` | of the base. |\n"
    )
