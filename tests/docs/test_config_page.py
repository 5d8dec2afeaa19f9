"""The page of the keys is that of the constructors, and leaves no key unexplained."""

from base.config.torch_parts import DERIVED_ARGUMENTS, NOT_OFFERED
from docs.make_config_page import PAGE, SECTIONS, filled

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_of_config_keys_is_up_to_date_and_has_no_empty_cell():
    """An empty one is a key that its docstring leaves out, or that takes nothing JSON can hold."""
    assert filled(TEXT) == TEXT, "run: python -m docs.make_config_page"
    assert "|  |" not in TEXT
    assert all(f"\n## {title}\n" in TEXT for title in SECTIONS)
    assert all(f"`{name}`" in TEXT for name in (*NOT_OFFERED, *DERIVED_ARGUMENTS))
