"""Writes unicode.h, the engine's tables of the characters of the Basic Multilingual Plane.

`python engine/unicode_tables.py > engine/unicode.h` makes them by the Unicode data of Python.
"""

import unicodedata

TABLES = {"LETTERS": ("L", "N"), "SMALL_LETTERS": ("Ll",), "MARKS": ("M",)}
"""By table the starts of the categories that the table has as ranges."""
CODES = [code for code in range(0x10000) if not 0xD800 <= code < 0xE000]
"""All but the surrogates."""


def ranges(categories: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the first and the last code of each range of characters of some categories."""
    pairs: list[tuple[int, int]] = []
    for code in CODES:
        if unicodedata.category(chr(code)).startswith(categories):
            first = code
            if pairs and pairs[-1][1] == code - 1:
                first, _ = pairs.pop()
            pairs.append((first, code))
    return pairs


def bases() -> list[tuple[int, int]]:
    """Return each character with marks that it can be decomposed into, and the character without
    them."""
    pairs = []
    for code in CODES:
        parts = unicodedata.normalize("NFD", chr(code))
        plain = [part for part in parts if not unicodedata.category(part).startswith("M")]
        base = ord(plain[0]) if len(plain) == 1 else code
        if base != code and base < 0x10000:
            pairs.append((code, base))
    return pairs


def print_table(name: str, pairs: list[tuple[int, int]]) -> None:
    """Print pairs as an array of C, six in a row."""
    print(f"static const uint16_t {name}[][2] = {{")
    texts = [f"{{0x{first:X}, 0x{last:X}}}," for first, last in pairs]
    for start in range(0, len(texts), 6):
        print("   ", *texts[start : start + 6])
    print("};")


def main() -> None:
    print("/* Made by unicode_tables.py: the first and the last character of each range. */")
    for name, categories in TABLES.items():
        print_table(name, ranges(categories))
    print("/* Characters, and what they are without their accents. */")
    print_table("BASES", bases())


if __name__ == "__main__":
    main()
