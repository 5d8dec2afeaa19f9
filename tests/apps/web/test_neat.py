"""The page makes handwriting as neat as Python does, from the same strokes of words."""

import numpy as np
import pytest

from apps.notes.neat import levelled
from apps.notes.page_text import PageRow, PageText, PageWord, box_of
from ink.geometry import from_strokes, strokes, turned_back, x_height
from ink.ink_page import InkPage, PageStroke
from model import load
from tests.apps.web.conftest import needs_node
from tests.apps.web.test_engine import engine, flat, invented
from tests.commands.networks import save

pytestmark = needs_node


def row_of(line, number, rng):
    """Return the strokes of an invented line as row `number`, its words turned and steeper from row
    to row, and for each word its text and the indices of its strokes; in every second row the last
    word also has the last stroke of the first."""
    parts, texts = strokes(line.ink), line.text.split()
    shares = [s.tolist() for s in np.array_split(range(len(parts)), len(texts))]
    row = []
    for share in shares:
        turn = rng.normal(0.04 * number, 0.04)
        row += [turned_back(parts[n], -turn) for n in share]
    shares[-1] += shares[0][-1:] * (number % 2)
    y = 6 * x_height(line.ink) * number
    return [stroke + np.array([0.0, y]) for stroke in row], [*zip(texts, shares, strict=True)]


def request_of(row, words):
    """Return a row as the page has it."""
    words = [dict(text=text, strokes=share) for text, share in words]
    return dict(strokes=[stroke.tolist() for stroke in row], words=words)


def page_of(rows):
    """Return a page of rows, each strokes and words, and its text."""
    drawn, text_rows = [], []
    for row, words in rows:
        first = len(drawn)
        drawn += row
        page_words = tuple(
            PageWord(text, box_of(np.concatenate(row)), strokes=tuple(first + n for n in share))
            for text, share in words
        )
        text_rows.append(PageRow(page_words, tuple(range(first, len(drawn)))))
    return InkPage(9.0, 9.0, tuple(map(PageStroke, drawn))), PageText(tuple(text_rows))


def test_rows_become_as_neat_as_python_makes_them():
    rng = np.random.default_rng(5)
    rows = [row_of(line, number, rng) for number, line in enumerate(invented(size=6, seed=4))]
    rows.append(([np.array([[0.0, 0.0], [9.0, 0.0]])], [("-", [0])]))
    page, text = page_of(rows)
    (neat,) = engine("neat", pages=[[request_of(*row) for row in rows]])
    expected, _ = levelled(page, text)
    unit = x_height(from_strokes(rows[0][0]))
    moves = []
    for before, after, own in zip(page.strokes, expected.strokes, neat, strict=True):
        np.testing.assert_allclose(own, after.points, atol=1e-3 * unit)
        moves.append(np.abs(after.points - before.points).max())
    assert np.median(moves) > 0.1 * unit


def test_a_mark_that_is_added_to_another_row_stays_in_its_place():
    strokes_of_row, words = row_of(invented(size=1, seed=4)[0], 0, np.random.default_rng(5))
    dot = [[30.0, -6 * x_height(from_strokes(strokes_of_row))]]
    request = request_of(strokes_of_row, words)
    late = dict(strokes=[*request["strokes"], dot], words=[dict(word) for word in request["words"]])
    late["words"][-1] = late["words"][-1] | dict(strokes=[*words[-1][1], len(strokes_of_row)])
    (*others, mark), expected = engine("neat", pages=[[late], [request]])
    assert mark == dot and others == expected


def reader_of(source, folder):
    """Return a reader; an untrained one, which reads three signs, with a blank as one of these."""
    if source != "untrained":
        return load(source, "cpu")
    reader = load(save(folder / "a.pth", "CTCNetwork"), "cpu")
    blank, sign = reader.model.alphabet.encode(" q")
    for values in (reader.model.labels.weight.data, reader.model.labels.bias.data):
        values[[blank, sign]] = values[[sign, blank]]
    return reader


@pytest.mark.parametrize("source", ["untrained", pytest.param("reader", marks=pytest.mark.slow)])
def test_a_word_has_the_strokes_that_python_finds(tmp_path, source):
    path, reader = flat(tmp_path, reader_of(source, tmp_path))
    inks = [line.ink for line in invented(size=8, seed=2)]
    rows = [[part.tolist() for part in strokes(ink)] for ink in inks]
    answers = engine("words", network=path, rows=rows)
    for ink, own, expected in zip(inks, answers, reader.read_words(inks), strict=True):
        ends = np.cumsum([len(part) for part in strokes(ink)])
        numbers = [{*np.searchsorted(ends, word.points, "right").tolist()} for word in expected]
        assert [word["text"] for word in own] == [word.text for word in expected]
        assert [{*word["strokes"]} for word in own] == numbers
        probabilities = [word["probability"] for word in own]
        np.testing.assert_allclose(probabilities, [w.probability for w in expected], rtol=1e-3)
        assert [tuple(word["alternatives"]) for word in own] == [w.alternatives for w in expected]
    words = [word for row in answers for word in row]
    assert len(words) > 2 * len(inks) and any(word["alternatives"] for word in words)
