"""Writes unicode.h, the engine's tables of the characters of the Basic Multilingual Plane.

`python engine/unicode_tables.py > engine/unicode.h` makes them by the Unicode data of Python.
"""

import unicodedata

TABLES = {"LETTERS": ("L", "N"), "SMALL_LETTERS": ("Ll",), "MARKS": ("M",)}
"""By table the starts of the categories that the table has as ranges."""
CODES = [code for code in range(0x10000) if not 0xD800 <= code < 0xE000]


def ranges(categories: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the first and the last code of each range of characters of some categories."""
    found: list[list[int]] = []
    for code in CODES:
        if unicodedata.category(chr(code)).startswith(categories):
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return [(first, last) for first, last in found]


def bases() -> list[tuple[int, int]]:
    """Return each character with marks that it can be decomposed into, and the character without
    them."""
    pairs = []
    for code in CODES:
        parts = unicodedata.normalize("NFD", chr(code))
        plain = [part for part in parts if not unicodedata.category(part).startswith("M")]
        if len(plain) == 1 and code != (base := ord(plain[0])) < 0x10000:
            pairs.append((code, base))
    return pairs


def main() -> None:
    print("/* Made by unicode_tables.py: the first and the last character of each range. */")
    for name, pairs in {
        **{name: ranges(of) for name, of in TABLES.items()},
        "BASES": bases(),
    }.items():
        if name == "BASES":
            print("/* Characters, and what they are without their accents. */")
        print(f"static const uint16_t {name}[][2] = {{")
        texts = [f"{{0x{first:X}, 0x{last:X}}}," for first, last in pairs]
        for start in range(0, len(texts), 6):
            print("   ", *texts[start : start + 6])
        print("};")


if __name__ == "__main__":
    main()
