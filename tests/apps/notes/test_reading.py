"""A page is read without what is no prose, and with what was typed where it stands."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from apps.notes.confidence import confidences, language_of
from apps.notes.page_text import SLOW, PageRow, PageText, PageWord, box_of
from apps.notes.reading import _is_large, is_text, read_page, with_numbers
from apps.notes.rows import CROSSED_OUT
from apps.notes.structure import LABEL
from ink.alphabet import Alphabet
from ink.geometry import from_strokes, to_points
from ink.ink_page import InkPage, PageStroke, TypedText
from model.recognition.decoding import Search
from model.recognition.ink_words import InkWord
from tests.apps.notes.test_rows import letter, page, row, turned


class Words:
    """A reader for which a row is two words: its first stroke, and all others."""

    alphabet = Alphabet(["a", "b"])

    def read_words(self, inks, _):
        self.lengths = [len(ink) for ink in inks]
        stops = [int(np.flatnonzero(ink[:, 2])[0]) + 1 for ink in inks]
        return [
            [
                InkWord("a", np.arange(stop), 0.5, ("o",), np.log([[0.5, 1e-9, 0.25]])),
                InkWord("b", np.arange(stop, len(ink)), 1.0, (), np.zeros((0, 3))),
            ]
            for ink, stop in zip(inks, stops, strict=True)
        ]


def test_words_have_their_place_on_the_page():
    first, second = row(0), row(70)
    marker = PageStroke(np.array([[0.0, 0], [90, 0]]), "highlighter")
    circle = 40 * np.exp(1j * np.linspace(0, 6, 60)) - 200  # far left
    drawing = PageStroke(np.column_stack([circle.real, 3 * circle.imag]))
    strokes = (marker, *map(PageStroke, first), drawing, *map(PageStroke, second))
    between = float(np.mean([np.concatenate(part)[:, 1].mean() for part in (first, second)]))
    typed = (TypedText("two words\nmore", 300, between, 2),)
    reader = Words()
    text = read_page(InkPage(500, 500, strokes, typed=typed), reader)
    assert reader.lengths == [sum(map(len, part)) for part in (first, second)]
    assert [each.text for each in text.rows] == ["a b", "two words", "more", "a b"]
    assert text.left_out == {"highlighter": 1, "drawing": 1}
    upper, typed_row, second_line, lower = text.rows
    assert upper.strokes[0] == 1 and min(lower.strokes) > max(upper.strokes) + 1
    assert upper.ink == lower.ink and not typed_row.ink  # the same ink, wherever it lies
    word = upper.words[0]
    points = strokes[upper.strokes[0]].points
    assert word.box == (*points.min(axis=0), *points.max(axis=0))
    assert [word.strokes for word in upper.words] == [upper.strokes[:1], upper.strokes[1:]]
    assert (word.confidence, word.alternatives) == (*confidences([("a", 0.5)]), ("o",))
    assert word.frames == ({"a": 0, "_": 0.7},)  # log 2
    everything = np.concatenate(first)
    assert upper.box == (*everything.min(axis=0), *everything.max(axis=0))
    # The second typed word begins after four characters of half the size.
    assert typed_row.words[1].box == (304, between, 309, between + 2)
    assert second_line.words[0].box[1] == pytest.approx(between + 2 * 1.17)  # as in Xournal++


def test_a_page_that_takes_too_long_has_its_typed_texts_and_one_unread_place(monkeypatch):
    strokes, typed = tuple(map(PageStroke, [*row(0), *row(70)])), (TypedText("typed", 30, 9, 2),)
    monkeypatch.setattr("apps.notes.reading.MAX_SECONDS", 0.0)
    text = read_page(InkPage(500, 500, strokes, typed=typed), Words())
    assert text.text == "typed" and text.left_out == {SLOW: len(strokes)}
    assert text.unread == (box_of(np.concatenate([*row(0), *row(70)])),)
    assert PageText.from_json(json.loads(json.dumps(text.to_json()))) == text


class WideWords(Words):
    """A reader that is sure of rows that are wider than they are high, or only of others."""

    def __init__(self, is_sure_of_wide):
        self.is_sure_of_wide = is_sure_of_wide

    def read_words(self, inks, search):
        sizes = [np.ptp(to_points(ink), axis=0) for ink in inks]
        sure = [float((width > height) == self.is_sure_of_wide) for width, height in sizes]
        words = zip(super().read_words(inks, search), sure, strict=True)
        return [
            [replace(word, text=4 * word.text, probability=each) for word in row]
            for row, each in words
        ]


@pytest.mark.parametrize(("is_sure_of_wide", "turn"), [(True, 1), (False, 0)])
def test_a_page_on_its_side_is_turned_if_the_reader_is_surer_of_it_then(is_sure_of_wide, turn):
    strokes, reader = turned([*row(0), *row(35), *row(70)], 90), WideWords(is_sure_of_wide)
    text = read_page(InkPage(500, 500, (*map(PageStroke, strokes),)), reader)
    assert {each.turn for each in text.rows} == {turn}


class UprightWords(Words):
    """A reader that is sure of long level rows whose ascenders and dots are above."""

    def read_words(self, inks, search):
        rows = []
        for ink, words in zip(inks, super().read_words(inks, search), strict=True):
            x, y = to_points(ink).T
            is_sure = np.ptp(x) > 8 * np.ptp(y) and np.median(y) > (y.min() + y.max()) / 2
            rows.append([replace(w, text=4 * w.text, probability=float(is_sure)) for w in words])
        return rows


class UnsureWords(Words):
    """A reader that is sure of no row."""

    def read_words(self, inks, search):
        return [
            [replace(word, text=4 * word.text, probability=0.0) for word in words]
            for words in super().read_words(inks, search)
        ]


class ForwardWords(UprightWords):
    """A reader that is besides sure of strokes alone that were written to the right."""

    def read_words(self, inks, search):
        rows = []
        for ink, words in zip(inks, super().read_words(inks, search), strict=True):
            parts = [part for part in np.split(*_ends(ink)) if len(part) > 2]
            is_forward = all(part[0, 0] < part[-1, 0] for part in parts)
            rows.append([replace(w, probability=w.probability * is_forward) for w in words])
        return rows


@pytest.mark.parametrize(("turn", "reverses_points"), [(0, True), (1, True), (2, True), (2, False)])
@pytest.mark.parametrize("reverses_order", [False, True])
def test_pages_that_are_stored_backwards_are_read(turn, reverses_points, reverses_order):
    parts, _ = page(*(row(y, 3 * (4, 3, 5, 4)) for y in (0, 35, 70, 105)))
    stored = [part[::-1] for part in parts] if reverses_points else parts
    stored = turned(stored[::-1] if reverses_order else stored, 90 * turn)
    text = read_page(InkPage(500, 500, (*map(PageStroke, stored),)), ForwardWords())
    assert len(text.rows) == 4 and not text.kinds
    for each in text.rows:
        assert (each.turn, each.is_backwards) == (turn, reverses_points)
        corrected = replace(each, words=tuple(replace(w, confidence=1) for w in each.words))
        assert corrected.is_learnable == (not turn and not reverses_points)


def test_a_page_that_reads_badly_in_every_direction_is_not_turned():
    text = read_page(InkPage(500, 500, (*map(PageStroke, row(0)),)), UnsureWords())
    assert not any(each.turn or each.is_backwards for each in text.rows)


ORDERS = {
    "reversed": lambda count: np.arange(count)[::-1],
    "shuffled": lambda count: np.random.default_rng(0).permutation(count),
    "in eights": lambda count: np.concatenate(
        [np.arange(count)[8 * k : 8 * k + 8] for k in np.random.default_rng(0).permutation(32)]
    ),
}


# Backwards and upside down, the pen goes as on a page in order.
@pytest.mark.parametrize(
    ("turn", "order"), sorted({*product(range(4), ORDERS)} - {(2, "reversed")})
)
def test_strokes_in_no_order_are_ordered_by_place_however_the_page_is_turned(turn, order):
    parts, rows = page(*(row(y, 3 * (4, 3, 5, 4)) for y in (0, 35, 70, 105)))
    numbers = ORDERS[order](len(parts)).tolist()
    assert sorted(numbers) == [*range(len(parts))] and numbers != sorted(numbers)
    strokes = turned([parts[number] for number in numbers], 90 * turn)
    text = read_page(InkPage(500, 500, (*map(PageStroke, strokes),)), UprightWords())
    assert {each.turn for each in text.rows} == {turn}
    read = [[numbers[stroke] for stroke in each.strokes] for each in text.rows]
    assert [sorted(each) for each in read] == rows
    letters = [number for each in read for number in each if len(parts[number]) > 2]
    assert letters == sorted(letters)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([("8", 0.3)], False),
        ([("8", 0.4)], True),  # numbers are never very sure
        ([("Q", 0.8)], False),  # a house
        ([("I", 0.9)], True),
        ([("G=", 0.5)], False),
        ([("of", 0.7)], True),
        ([("it", 0.1), ("rained", 0.1)], True),
        ([("a", 0.1), ("be", 0.9)], True),  # by letters 0.63
        ([("oo", 0.05), ("wme&", 0.2)], True),  # 0.15, as 0.6 / 4
        ([("oo", 0.05), ("wme&", 0.19)], False),
    ],
)
def test_few_letters_that_are_unsure_are_not_taken_for_text(words, expected):
    assert is_text(words) == expected


@pytest.mark.parametrize(("num_strokes", "is_read"), [(4, True), (5, False)])
def test_a_sure_letter_of_many_strokes_is_a_drawn_figure(num_strokes, is_read):
    """A reader takes a few strokes over each other for a digit."""

    class Digit(Words):
        def read_words(self, inks, _):
            return [[InkWord("0", np.arange(len(i)), 0.99, (), np.zeros((0, 3)))] for i in inks]

    figure = [letter(0, 0) + np.array([0.5 * n, 0.0]) for n in range(num_strokes)]
    text = read_page(InkPage(500, 500, (*map(PageStroke, figure),)), Digit())
    assert text.text == ("0" if is_read else "") and bool(text.unread) != is_read


@pytest.mark.parametrize(("gap", "text"), [(0.0, ""), (60.0, "0")])
def test_a_short_row_that_touches_a_figure_is_a_part_of_it(gap, text):
    """A circle and, below it, the strokes of a body, which the reader is unsure of."""

    class Figure(Words):
        def read_words(self, inks, _):
            read = [("0", 0.99) if len(ink) == 40 else ("xy", 0.01) for ink in inks]
            return [
                [InkWord(each, np.arange(len(ink)), sure, (), np.zeros((0, 3)))]
                for ink, (each, sure) in zip(inks, read, strict=True)
            ]

    angles = np.linspace(0, 6.2, 40)
    head = 8 * np.column_stack([np.cos(angles), np.sin(angles)])
    body = [letter(0, 30 + gap + 3 * n) * (1, 0.7) for n in range(3)]
    ink = InkPage(500, 500, (*map(PageStroke, [head, *body]),))
    assert read_page(ink, Figure()).text == text


@pytest.mark.parametrize(("probability", "is_read"), [(0.999, True), (0.7, False)])
def test_labels_of_drawings_are_read_if_they_are_sure(probability, is_read):
    class Labels(Words):
        def read_words(self, inks, search):
            return [
                [
                    replace(w, text="area", probability=probability if len(ink) < 90 else 0.999)
                    for w in words
                ]
                for ink, words in zip(inks, super().read_words(inks, search), strict=True)
            ]

    corners = np.array([(0, 60), (0, 160), (140, 160), (140, 60), (0, 60)])
    frame = np.concatenate(list(map(np.linspace, corners[:-1], corners[1:], 4 * [20])))
    label = row(110, (2, 2), x=30)
    strokes = [*row(0), *row(35), frame, *label]
    text = read_page(InkPage(500, 500, (*map(PageStroke, strokes),)), Labels())
    assert len(text.rows) == 2 + is_read
    assert text.left_out == {"drawing": 1} | ({} if is_read else {LABEL: len(label)})
    assert text.unread == (() if is_read else (box_of(np.concatenate(label)),))


def test_a_page_of_unsure_ink_is_a_drawing():
    strokes, reader = [*row(0), *row(35)], Words()
    ink = InkPage(500, 500, (*map(PageStroke, strokes),))
    reader.read_words = lambda inks, _: [
        [InkWord("scribbled", np.arange(len(ink)), 0.01, (), np.zeros((0, 3)))] for ink in inks
    ]
    text = read_page(ink, reader)
    assert text.rows == () and text.left_out == {"not read": len(strokes)}
    everything = np.concatenate(strokes)
    assert text.unread == ((*everything.min(axis=0), *everything.max(axis=0)),)


def sized_page():
    """Rows of three sizes, one below the other, and the numbers of their strokes."""
    parts = (row(0), [1 / 3 * part + (0, 30) for part in row(0)], [2.5 * p for p in row(34)])
    return page(*parts, row(140), [1 / 3 * part + (0, 165) for part in row(0)])


@pytest.mark.parametrize("is_sure", [True, False])
def test_rows_of_a_size_are_read_if_the_reader_is_sure_of_them(is_sure):
    strokes, numbers = sized_page()
    reader = WideWords(True) if is_sure else UnsureWords()
    text = read_page(InkPage(500, 500, (*map(PageStroke, strokes),)), reader)
    if is_sure:
        assert [[*each.strokes] for each in text.rows] == numbers
    else:
        assert sum(text.left_out.values()) == len(strokes)


def test_each_stroke_is_either_read_or_has_a_kind():
    rows, _ = sized_page()
    line = np.linspace((0, 150), (120, 151), 30)
    strokes = [*map(PageStroke, [*rows, line])]
    strokes.insert(3, PageStroke(line, "eraser"))
    strokes.insert(9, PageStroke(line, "highlighter"))
    circle = 90 * np.exp(1j * np.linspace(0, 6.2, 60)) - 300
    strokes += [PageStroke(np.column_stack([circle.real, circle.imag])), PageStroke(line[:1] + 800)]
    text = read_page(InkPage(900, 900, tuple(strokes)), WideWords(is_sure_of_wide=True))
    read = [number for each in text.rows for number in each.strokes]
    assert sorted([*read, *text.kinds]) == [*range(len(strokes))]
    assert {3: "eraser", 9: "highlighter"}.items() <= text.kinds.items()
    assert sum(text.left_out.values()) == len(text.kinds)
    assert PageText.from_json(json.loads(json.dumps(text.to_json()))) == text


def test_most_of_a_page_is_turned_as_the_reader_is_surest_even_if_it_is_hardly_sure():
    strokes = turned([*row(0), *row(35), *row(70)], 90)
    reader = WideWords(is_sure_of_wide=True)
    sure = reader.read_words
    reader.read_words = lambda inks, search: [
        [replace(word, probability=0.42 * word.probability) for word in row]
        for row in sure(inks, search)
    ]
    text = read_page(InkPage(500, 500, (*map(PageStroke, strokes),)), reader)
    assert {each.turn for each in text.rows} == {1}
    assert max(word.confidence for each in text.rows for word in each.words) < 0.5


def test_a_row_of_which_only_the_language_model_is_unsure_is_read():
    reader, search = Words(), Search(4, language_model=object(), language_weight=1.0)

    def read_words(inks, used):
        probability = 0.01 if used.language_model else 0.9
        return [[InkWord("so", np.arange(len(i)), probability, (), np.zeros((0, 3)))] for i in inks]

    reader.read_words = read_words
    strokes = (*map(PageStroke, [*row(0), *row(70)]),)
    text = read_page(InkPage(500, 500, strokes), reader, search)
    assert [each.text for each in text.rows] == ["so", "so"]


def test_numbered_rows_that_are_larger_are_items_and_no_headings():
    words = [PageWord(text, (0, 0, 1, 1)) for text in ("1.", "2.", "x")]
    rows = [PageRow((word, words[-1]), mark=mark) for word, mark in zip(words, "# ", strict=False)]
    rows = [replace(each, mark=each.mark.strip()) for each in rows]
    assert [each.mark for each in with_numbers(rows)] == ["1.", "1."]


def test_numbered_rows_are_a_list_if_there_are_two_or_more():
    words = [PageWord(text, (0, 0, 1, 1)) for text in ("1.", "2)", "3.x", "1984.", "x")]
    rows = [PageRow((word, words[-1])) for word in words]
    listed = with_numbers(rows)
    assert [each.mark for each in listed] == ["1.", "1.", "1.", "", ""]
    assert [each.text for each in listed[1:3]] == ["2) x", "3. x x"]
    assert [each.mark for each in with_numbers(rows[2:])] == ["", "", ""]


def test_confidence_grows_with_the_probability_and_stays_below_1():
    values = confidences([("qxz", float(p)) for p in np.linspace(0, 1, 50)])
    assert values == sorted(values) and 0 <= values[0] < 0.01 and values[-1] == 0.9999
    # By hand: 1 / (1 + e^0.77), and of a common word 1 / (1 + e^(0.77 - 1.3))
    assert confidences([("qxz", 0.5), ("(The,", 0.5)]) == [0.3165, 0.6295]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Gestern haben wir auf dem Markt noch etwas für den Garten gekauft", "de"),
        ("Hier nous avons acheté quelque chose pour le jardin sur le marché", "fr"),
        ("Yesterday we bought something for the garden on the market", ""),
        ("qxz 17 bzw lmnop 23", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_page_is_that_of_its_common_words(text, language):
    pytest.importorskip("wordfreq", reason="wordfreq is not installed")
    assert language_of(text.casefold().split()) == language


def test_a_german_word_is_surer_on_a_german_page():
    pytest.importorskip("wordfreq", reason="wordfreq is not installed")
    pages = "we have them on the market, Garten", "wir haben etwas auf dem Markt, Garten"
    english, german = ([(word, 0.9) for word in page.split()] for page in pages)
    assert confidences(german)[-1] > confidences(english)[-1]


def test_crossed_out_words_have_places():
    line = np.linspace((36, 30), (100, 30), 20)
    strokes = [*row(0), *row(35), line, *row(70)]
    crossed = [p for p in row(35) if 36 < p[:, 0].mean() < 100]
    text = read_page(InkPage(500, 500, (*map(PageStroke, strokes),), 1.0), Words())
    assert text.left_out == {CROSSED_OUT: len(crossed) + 1}
    assert box_of(np.concatenate([*crossed, line])) in _united(text.crossed_out)
    assert text.missed_boxes == text.crossed_out


class BarReader(Words):
    """A reader that is so sure of struck ink with its lines and without them, and sure of all other
    ink. It reads two words."""

    def __init__(self, struck, text, with_lines, without):
        self.num_struck, self.text = len(struck), text
        self.probabilities = with_lines, without

    def read_words(self, inks, search):
        rows = []
        for ink, words in zip(inks, super().read_words(inks, search), strict=True):
            strokes = np.split(*_ends(ink))
            text, probability = "text", 0.99
            if any(0 < np.ptp(stroke[:, 1]) < 4 for stroke in strokes):  # Dots have no height.
                text, probability = self.text, self.probabilities[0]
            elif len(strokes) == self.num_struck:
                probability = self.probabilities[1]
            rows.append([replace(word, text=text, probability=probability) for word in words])
        return rows


def _ends(ink):
    """The points of ink, and where each stroke but the first begins."""
    return to_points(ink), np.flatnonzero(ink[:-1, 2]) + 1


LINE = [np.linspace((-2, -5), (40, -7), 20)]
HIGH_LINE = [line - (0, 2) for line in LINE]
LONG_LINE = [np.linspace((-2, -5), (70, -7), 20)]
BARS = [np.linspace((x, -5), (x + 16, -7), 20) for x in (-2, 17, 36, 55)]


@pytest.mark.parametrize(
    ("lines", "words", "text", "with_lines", "without", "stays"),
    [
        (LINE, (5,), "text", 0.9, 0.6, True),
        (LINE, (5,), "text", 0.6, 0.9, False),
        (LINE, (5,), "#", 0.9, 0.6, False),  # Readers learn to read this for ink that is struck.
        (HIGH_LINE, (5,), "text", 0.8, 0.9, True),
        (HIGH_LINE, (5,), "text", 0.4, 0.9, False),
        (BARS, (4, 4), "text", 0.6, 0.9, True),  # longer than a word, and than each line
        (BARS, (4, 4), "text", 0.01, 0.02, False),
        (2 * LINE, (5,), "text", 0.6, 0.9, False),
        (LONG_LINE, (4, 4), "text", 0.9, 0.6, False),  # No bar is as wide.
    ],
)
def test_lines_that_read_better_as_bars_of_letters_cross_nothing_out(
    lines, words, text, with_lines, without, stays
):
    struck = row(0, words)
    strokes = [*struck, *lines, *row(70)]
    page = InkPage(500, 500, (*map(PageStroke, strokes),))
    page_text = read_page(page, BarReader(struck, text, with_lines, without))
    num_struck = 0 if stays else len(struck) + len(lines)
    assert page_text.left_out == ({CROSSED_OUT: num_struck} if num_struck else {})
    assert len(page_text.rows) == 1 + stays
    words_with_lines = page_text.rows[0].words if stays else ()
    assert not any(word.is_sure for word in words_with_lines[1:])  # They may be crossed out.
    assert sum(len(each.strokes) for each in page_text.rows) == len(strokes) - num_struck


@pytest.mark.parametrize(("end", "is_sure"), [(36, False), (20, True)])
def test_a_word_with_a_line_from_end_to_end_is_unsure(end, is_sure):
    class SureWord(Words):
        def read_words(self, inks, _):
            whole = [InkWord("to", np.arange(len(i)), 0.999, (), np.zeros((0, 3))) for i in inks]
            return [[word] for word in whole]

    word = [letter(0, 0), letter(8, 0), letter(24, 0)]  # few letters, so that nothing is crossed
    line = np.linspace((-2, -14), (end, -14), 20)
    text = read_page(InkPage(500, 500, (*map(PageStroke, [*word, line]),)), SureWord())
    assert [word.is_sure for word in text.rows[0].words] == [is_sure] and not text.kinds


def _united(boxes):
    """All boxes, and the box around them."""
    corners = np.array(boxes).reshape(-1, 2)
    return [*boxes, box_of(corners)]


def test_a_single_digit_that_is_larger_than_the_text_may_be_a_ring():
    assert is_text([("0", 0.5)]) and not is_text([("0", 0.5)], is_large=True)
    assert is_text([("0", 0.7)], is_large=True)
    text = from_strokes(row(0))
    for size, is_large in ((1.5, False), (3.0, True)):
        assert _is_large(text, from_strokes([size * letter(0, 0)])) == is_large
    ring = from_strokes([letter(0, 0)])
    assert _is_large(ring, ring) and not _is_large(text, text)


WHITEOUT = np.column_stack([np.linspace(-5, 500, 200), 40 * (-1.0) ** np.arange(200)])


@pytest.mark.parametrize("tool", ["eraser", "pen"])  # whiteout of Xournal++, or a white wide pen
def test_whited_out_words_are_not_read_and_their_places_are_told(tool):
    first, second = row(0), row(140)
    whiteout = PageStroke(WHITEOUT + first[0].mean(axis=0) * (0, 1), tool, "#ffffff", 20.0)
    across = PageStroke(np.array([[-5, 145], [500, 145.0]]), tool, "#ffffff", 2.0)
    strokes = (*map(PageStroke, [*first, *second]), whiteout, across)
    page = InkPage(500, 500, strokes, 1.0)
    text = read_page(page, Words())
    assert [each.strokes[0] for each in text.rows] == [len(first)]
    assert len(text.rows[0].strokes) == len(second)
    assert text.left_out["covered ink"] == len(first)
    assert text.covered == (box_of(np.concatenate(first)),)
    seen = read_page(replace(page, strokes=strokes[: len(first) + len(second)]), Words())
    assert len(seen.rows) == 2 and seen.covered == ()
