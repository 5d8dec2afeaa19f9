"""The engine computes what Python does with the network of the same file."""

import ctypes
import random
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref, c_double, c_size_t, c_uint32, c_void_p
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from apps.notes.neat import levelled as levelled_page
from apps.notes.page_text import PageRow, PageText, PageWord, box_of
from apps.pages import word_cutting
from apps.pages.hands import extras_of_style
from apps.pages.letter_shapes import with_corners
from apps.pages.letter_strokes import LetterStrokes
from apps.web import flat_file
from data_loader import EmbeddedDataset, StrokeArraysDataset
from ink.delayed_strokes import are_marks, undelayed
from ink.geometry import from_strokes, row_starts, strokes, turned_back, x_height
from ink.ink_page import InkPage, PageStroke
from ink.measures import levelled, median_lean
from ink.reading import read_ink
from model import load, sample
from model.generation.hand_encoder import hand_extra
from model.generation.line import Sampling
from model.recognition.encoder import GREEDY
from model.recognition.hand_descriptor import HandDescriptor
from model.recognition.ink_features import FEATURE_SPACING, stroke_features
from tests.apps.web.conftest import needs_node, node
from tests.commands.networks import save
from tests.engine.conftest import ROOT, needs_compiler, open_networks
from tests.engine.library import EngineError, Work, to_points
from tests.flat_files import cases, loaded
from tests.shared_data import prepared

WRITER = dict(hidden_size=13, num_layers=2, num_mixtures=3, end_of_sequence=True, stretch=0.03)
READERS = [
    dict(hidden_size=9, num_layers=3, channels=10, parts=3),
    dict(hidden_size=8, num_layers=1, channels=9),
]
LINES = ROOT / "docs/sample-lines"
UPPER = [(8, 1), (6, 0), (3, 0), (1, 1), (1, 3)]
DIGIT = np.array([*UPPER, (3, 4.5), (6, 5), (8, 7), (4, 10), (0, 9)])
"""A 5 like an S, 10 high."""

pytestmark = [needs_compiler, pytest.mark.web]


def flat(folder, work, network):
    """Save the flat file of a network; return the engine's network, and what Python makes of it."""
    flat_file.save(path := folder / "network.bin", network)
    return work.open(path.read_bytes()), loaded(path)


def place(points):
    """Return the arguments that stand for points."""
    return points.ctypes.data_as(c_void_p), c_size_t(len(points))


def invented(size, seed, max_characters=30, writers=3):
    options = dict(size=size, seed=seed, max_characters=max_characters, writers=writers)
    data = EmbeddedDataset(valid_size=1, test_size=1, **options)
    return data.load(["train"]).split("train")


@pytest.fixture(scope="module", params=["small", pytest.param("writer", marks=pytest.mark.slow)])
def written(request, tmp_path_factory):
    """The file of an untrained network or the shipped one, and what Python makes of it."""
    folder, source = tmp_path_factory.mktemp("writer"), request.param
    if source == "small":
        source = save(folder / "a.pth", "SynthesisNetwork", **WRITER)
    flat_file.save(folder / "network.bin", load(source, "cpu"))
    return folder / "network.bin", loaded(folder / "network.bin")


@pytest.fixture
def hand_writer(tmp_path):
    """An untrained writer that takes a hand vector."""
    return load(save(tmp_path / "a.pth", "SynthesisNetwork", **WRITER, hand_size=7), "cpu")


def test_a_file_is_loaded_or_refused_with_its_fault(tmp_path, work):
    for case in cases(tmp_path):
        try:
            network, answer = work.open(case.content, "a.bin"), None
            work.c.hw_close(network)
        except EngineError as error:
            assert error.status == "bad_file"
            answer = str(error)
        if case.error is None:
            assert answer is None, (case.name, answer)
        else:
            assert answer and case.error in answer, (case.name, answer)
            assert answer.startswith(("a.bin: ", "The network's ")), answer


def test_random_numbers_are_those_of_torch(library):
    uniform, normal = np.zeros(512, np.float32), np.zeros(512, np.float32)
    for seed in (0, 7, 2**32 - 1):
        where = (numbers.ctypes.data_as(c_void_p) for numbers in (uniform, normal))
        library.inside_random(c_uint32(seed), *where, c_size_t(512))
        generator = torch.Generator().manual_seed(seed)
        np.testing.assert_array_equal(uniform, torch.rand(512, generator=generator))
        np.testing.assert_allclose(normal, torch.randn(512, generator=generator), atol=1e-6)


def test_kinds_of_characters_are_those_of_unicode(library):
    old = unicodedata.ucd_3_2_0  # newer versions of Python know more characters
    codes = [code for code in range(0x10000) if old.category(chr(code)) not in ("Cn", "Cs")]
    categories = [unicodedata.category(chr(code)) for code in codes]
    expected = [(name[0] in "LN") + 2 * (name == "Ll") for name in categories]
    assert [library.inside_kind(code) for code in codes] == expected


ACCENTED = {
    "café": "cafè", "Zoë": "Zoe", "Jürgen": "Jurgen", "l'Église": "l’Eglise", "Ümlaut": "Umlaut",
    "Ça": "Ca",
}  # fmt: skip
"""What a reader reads of words whose accents it overlooks or takes for others."""


def test_a_word_is_doubtful_when_other_letters_are_read_but_not_for_its_accents(work):
    def misread(text, read):
        doubtful, count = (c_uint32 * 100)(), c_uint32()
        arguments = (text.encode(), read.encode(), doubtful, byref(count))
        errors = work.c.inside_misread(work.handle, *arguments)
        return errors, [doubtful[2 * i : 2 * i + 2] for i in range(count.value)]

    pairs = [*map(list, ACCENTED.items())]
    pairs += [["BRING it", "BRWG it"], ["café", "care"], ["Ümlaut", "Ümlant"], ["BRING", "BRlNG"]]
    answers = [misread(*pair) for pair in pairs]
    assert [doubtful for _, doubtful in answers] == [[]] * 6 + [[[0, 5]], [[0, 4]], [[0, 6]], []]
    assert [errors for errors, _ in answers] == [1] * 9 + [0]  # written again all the same


def reordered_inks():
    """Return invented ink, a dot and a bar, and ink whose marks are written late."""
    inks = [line.ink for line in invented(size=5, seed=10, max_characters=20)]
    inks += [np.float32([[0, 0, 1]]), np.float32([[0, 0, 0], [9, 0, 1]])]
    for ink in inks[:5]:
        order = np.argsort(are_marks(ink, x_height(ink)), kind="stable")
        inks.append(from_strokes([strokes(ink)[number] for number in order]))
    late = [len(undelayed(ink, x_height(ink))[-1]) != len(strokes(ink)[-1]) for ink in inks]
    assert sum(late) > 2
    return inks


@pytest.mark.parametrize("parts", [1, 3])
def test_features_are_those_of_python(work, parts):
    values = np.zeros(1_000_000, np.float32)
    for ink in reordered_inks():
        target = values.ctypes.data_as(c_void_p)
        arguments = (c_double(FEATURE_SPACING), ctypes.c_int64(parts), target)
        count = work.c.inside_features(work.handle, *place(to_points(strokes(ink))), *arguments)
        expected = np.asarray(stroke_features(ink, FEATURE_SPACING, parts))
        np.testing.assert_allclose(values[:count], expected.ravel(), atol=1e-5)


@pytest.mark.parametrize("network", [*READERS, pytest.param("reader", marks=pytest.mark.slow)])
def test_a_reader_reads_ink_as_python_does(tmp_path, work, network):
    source = network if network == "reader" else save(tmp_path / "a.pth", "CTCNetwork", **network)
    engine, reader = flat(tmp_path, work, load(source, "cpu"))
    values = np.zeros(1_000_000, np.float32)
    for ink in reordered_inks():
        points = to_points(strokes(ink))
        where = values.ctypes.data_as(c_void_p)
        count = work.c.inside_log_probs(work.handle, engine, *place(points), where)
        transcript = reader.model.read([ink], GREEDY)
        expected = transcript.ctc_log_probs.flatten()
        np.testing.assert_allclose(values[:count], expected, atol=1e-4)
        assert work.read_row(engine, strokes(ink))["text"] == transcript.hypotheses[0]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_500_lines_are_read_as_in_python(tmp_path, work):
    lines = prepared(StrokeArraysDataset, "stroke_arrays", tmp_path)
    inks = [line.ink for split in ("train", "valid", "test") for line in lines.split(split)][:500]
    _, path = open_networks()
    engine, reader = work.open(path.read_bytes()), loaded(path)
    read = [work.read_row(engine, strokes(ink))["text"] for ink in inks]
    assert read == reader.read_lines(inks) and len(read) == 500


@pytest.mark.slow
@needs_node
def test_a_note_has_the_same_text_in_c_in_javascript_and_in_python(tmp_path, work):
    lines = prepared(StrokeArraysDataset, "stroke_arrays", tmp_path)
    inks, page = [line.ink for line in lines.split("train")][:30], []
    for number, ink in enumerate(inks):
        page += [stroke + np.array([0.0, 220.0 * number]) for stroke in strokes(ink)]
    assert len(page) > 500
    _, path = open_networks()
    rows = work.read_page(work.open(path.read_bytes()), page)
    request = dict(network=str(path), pages=[[stroke.tolist() for stroke in page]])
    wasm = str(ROOT / "apps/web/engine.wasm")
    (shown,) = node("engine.mjs", task="read", wasm=wasm, **request)
    starts = [*row_starts(from_strokes(page)), len(page)]
    parts = [from_strokes(page[start:end]) for start, end in pairwise(starts)]
    texts = loaded(path).read_lines(parts)
    assert [row["text"] for row in rows] == [row["text"] for row in shown] == texts
    assert len(texts) > 20


def test_threads_share_a_network(tmp_path, library, work):
    engine, _ = flat(tmp_path, work, reader_of("untrained", tmp_path))
    inks = [strokes(line.ink) for line in invented(size=6, seed=2)]
    expected = [work.read_row(engine, ink) for ink in inks]

    def read(_):
        own = Work(library)
        rows = [own.read_row(engine, ink) for ink in inks * 5]
        own.close()
        return rows

    with ThreadPoolExecutor(4) as pool:
        assert all(rows == expected * 5 for rows in pool.map(read, range(4)))


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
def test_words_and_characters_have_the_strokes_that_python_finds(tmp_path, work, source):
    engine, reader = flat(tmp_path, work, reader_of(source, tmp_path))
    inks = [line.ink for line in invented(size=8, seed=2)]
    rows = [work.read_row(engine, strokes(ink)) for ink in inks]
    for ink, row, expected in zip(inks, rows, reader.read_words(inks), strict=True):
        ends = np.cumsum([len(part) for part in strokes(ink)])
        numbers = [{*np.searchsorted(ends, word.points, "right").tolist()} for word in expected]
        words, text = row["words"], row["text"].encode()
        assert [word["text"] for word in words] == [word.text for word in expected]
        assert [text[slice(*word["place"])].decode() for word in words] == [
            word.text for word in expected
        ]
        assert [{*word["strokes"]} for word in words] == numbers
        probabilities = [word["probability"] for word in words]
        np.testing.assert_allclose(probabilities, [w.probability for w in expected], rtol=1e-3)
        assert [tuple(word["alternatives"]) for word in words] == [w.alternatives for w in expected]
        for word in words:
            first, count = word["characters"]
            letters = row["characters"][first : first + count]
            assert "".join(text[slice(*c["place"])].decode() for c in letters) == word["text"]
        for character in row["characters"]:
            first, last = np.searchsorted(ends, character["points"], "right")
            assert {first, last} <= {*character["strokes"]} and max(character["points"]) < len(ink)
        assert row["text"] not in row["alternatives"]
    words = [word for row in rows for word in row["words"]]
    assert len(words) > 2 * len(inks) and any(word["alternatives"] for word in words)


def test_rows_begin_where_python_says_and_a_page_has_the_words_of_its_rows(tmp_path, work):
    inks = [line.ink for line in invented(size=6, seed=4)]
    below = [stroke + np.array([0, 500]) for stroke in strokes(inks[1])]
    page = from_strokes([*strokes(inks[0]), *below])
    for ink in (*inks, page):
        assert work.find_rows(strokes(ink)) == row_starts(ink)
    engine, _ = flat(tmp_path, work, reader_of("untrained", tmp_path))
    first, second = work.read_page(engine, strokes(page))
    alone = work.read_row(engine, below)
    assert second["first"] == row_starts(page)[1] == first["count"]
    assert second["text"] == alone["text"] and second["words"]
    for word, other in zip(second["words"], alone["words"], strict=True):
        assert word["strokes"] == [second["first"] + number for number in other["strokes"]]


def lines_of(model, seeds, text, primer=None, **sampling):
    """Return the lines that Python writes."""
    stretch = model.stretch_at(0.6)
    sampling = Sampling(0.6, stretch=stretch, **sampling)
    return sample(model, seeds, [text] * len(seeds), sampling, primer=primer)


def test_a_seed_draws_the_same_line_as_in_python(work, written):
    path, writer = written
    seeds = [0, 7, 2**32 - 1]
    text = "Good night"
    engine = work.open(path.read_bytes())
    lines = lines_of(writer.model, seeds, text)
    # An untrained network multiplies what differs.
    count = 20 if writer.model.num_mixtures == WRITER["num_mixtures"] else 50
    for line, seed in zip(lines, seeds, strict=True):
        ink = work.write(engine, text, seed=seed, bias=0.6) if not writer.takes_hand else None
        if ink is None:
            return  # each seed has a hand of its own
        assert len(ink["raw"]) == len(line.ink) and ink["is_whole"] == line.ended
        np.testing.assert_allclose(ink["raw"][:count], line.ink[:count], atol=0.02)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_50_lines_have_the_steps_of_python(work):
    """In all styles, that is after primers, and without one."""
    path, _ = open_networks()
    engine, writer = work.open(path.read_bytes()), loaded(path)
    texts = ["Dear Anna", "The quick brown fox jumps over", "5 times 255 is 1275", "It's Mr. Wu!"]
    styles = [None, *work.about(engine)["biases"]]
    for number in range(50):
        text = texts[number % 4]
        style = styles[number // 5]
        seed = 7 * number
        ink = work.write(engine, text, name=style, seed=seed)
        primer = None
        if style:
            hand = work.hand_of(engine, style)
            drawn = from_strokes([stroke * hand["x_height"] for stroke in hand["strokes"]])
            drawn[0, :2] = 0
            primer = drawn, hand["text"]
        sampling = Sampling(stretch=writer.model.stretch_at(Sampling.bias))
        (line,) = writer.write_lines([text], [seed], sampling, primer=primer)
        assert len(ink["raw"]) == len(line.written), (text, style, seed)
        np.testing.assert_allclose(ink["raw"][:40], line.written[:40], atol=0.1)
        assert ink["is_whole"] == line.ended and ink["stage"] == 2


def test_a_hand_vector_gives_the_same_line_as_in_python(tmp_path, work, hand_writer):
    torch.manual_seed(0)
    hand_writer.model.hand_gates.weight.data.normal_(std=4.0)
    (engine, writer), seeds = flat(tmp_path, work, hand_writer), [1, 2]
    model, text = writer.model, "Good night"
    for seed in seeds:
        hand = {"hand": hand_extra(model.hand_encoder.draw(seed))}
        line = writer.write(text, Sampling(0.6, extras=hand), seed=seed)
        ink = work.write(engine, text, seed=seed, bias=0.6)
        np.testing.assert_allclose(ink["raw"][1:20], line.ink[1:20], atol=0.05)
        plain = writer.write(text, Sampling(0.6), seed=seed)
        assert np.abs(ink["raw"][1:20] - plain.ink[1:20]).max() > 0.5


@pytest.mark.slow
def test_the_hand_of_lines_or_of_a_seed_is_that_of_python(tmp_path, work, hand_writer):
    engine, writer = flat(tmp_path, work, hand_writer)
    model = writer.model
    seeds = [0, 1, 2, 3]
    inks = [line.ink for line in read_ink(LINES)]
    flat_file.save_descriptor(tmp_path / "descriptor.bin")
    descriptor = work.open((tmp_path / "descriptor.bin").read_bytes())
    hand, described = work.hand_of_lines(engine, descriptor, [strokes(ink) for ink in inks])
    expected = HandDescriptor.load().describe([levelled(ink)[0] for ink in inks])
    np.testing.assert_allclose(described, expected, atol=1e-4)
    hands = [{"hand": hand_extra(model.hand_encoder.draw(seed))} for seed in seeds]
    drawn = [work.hand_of(engine, seed=seed)["vector"] for seed in seeds]
    for extras, vector in zip(
        [extras_of_style(LINES), *hands], [hand["vector"], *drawn], strict=True
    ):
        expected = model.initial_state(1, model.make_conditions(1, extras))["hand"][0]
        np.testing.assert_allclose(vector, expected.detach(), atol=1e-5)
        assert np.ptp(vector) > 0.2 and len(vector) == 8


def random_fives():
    """Return fives of every shape, with a bar of their own or none, beside ink of other letters."""
    chance, fives = np.random.default_rng(3), []
    for number in range(40):
        ink = DIGIT @ chance.normal(np.eye(2), 0.2) + chance.normal(0, 0.4, DIGIT.shape)
        parts = [[ink], [ink[3:], ink[3::-1]], [ink, np.add(ink[:3], (9, 0))]][number % 3]
        numbers = [chance.choice([1, 2], len(part), p=[0.8, 0.2]) for part in parts]
        fives.append((LetterStrokes("254", parts, numbers), chance.normal(0, 0.2)))
    return fives


def test_a_5_gets_the_corner_that_python_draws(work):
    changed = 0
    for five, lean in random_fives():
        points = to_points(five.strokes)
        points["pen_up"] += 2 * np.concatenate(five.indices).astype("i4")
        result = np.zeros(len(points) + 30, points.dtype)
        arguments = (five.text.encode(), c_double(lean), result.ctypes.data_as(c_void_p))
        count = work.c.inside_corners(work.handle, *place(points), *arguments)
        expected = with_corners(five, lean).strokes
        both = np.stack([result["x"], result["y"]], 1)[:count]
        np.testing.assert_allclose(both, np.concatenate(expected), atol=1e-5)
        changed += len(both) != len(points)
    assert 10 < changed < 40


@pytest.mark.parametrize("text", ["A line", "2055", "–"])
def test_lean_and_baseline_are_those_of_python(work, text):
    for line in invented(size=4, seed=2):
        parts, measures = strokes(line.ink), (c_double * 2)()
        arguments = (text.encode(), c_double(10.0), measures)
        work.call("inside_measures", *place(to_points(parts)), *arguments)
        expected = [
            median_lean(from_strokes(parts)),
            word_cutting.baseline_of_words([parts], text, 10.0),
        ]
        np.testing.assert_allclose([*measures], expected, atol=1e-2)


def row_of(line, number, chance):
    """Return the strokes of an invented line as row `number`, its words turned and steeper from row
    to row, and for each word its text and the indices of its strokes; in every second row the last
    word also has the last stroke of the first."""
    parts, texts = strokes(line.ink), line.text.split()
    shares = [s.tolist() for s in np.array_split(range(len(parts)), len(texts))]
    row = []
    for share in shares:
        turn = chance.normal(0.04 * number, 0.04)
        row += [turned_back(parts[n], -turn) for n in share]
    shares[-1] += shares[0][-1:] * (number % 2)
    y = 6 * x_height(line.ink) * number
    return [stroke + np.array([0.0, y]) for stroke in row], [*zip(texts, shares, strict=True)]


def page_of(rows):
    """Return a page of rows, each strokes and words, its text, and the rows of the engine."""
    page = SimpleNamespace(strokes=[], text=[], rows=[])
    for row, words in rows:
        first = len(page.strokes)
        page.strokes += row
        numbered = [(text, [first + n for n in share]) for text, share in words]
        box = box_of(np.concatenate(row))
        page_words = tuple(PageWord(text, box, strokes=tuple(share)) for text, share in numbered)
        page.text.append(PageRow(page_words, tuple(range(first, len(page.strokes)))))
        page.rows.append((first, len(row), numbered, False))
    return page


def test_rows_become_as_neat_as_python_makes_them(work):
    chance = np.random.default_rng(5)
    rows = [row_of(line, number, chance) for number, line in enumerate(invented(size=6, seed=4))]
    rows.append(([np.array([[0.0, 0.0], [9.0, 0.0]])], [("-", [0])]))
    page = page_of(rows)
    neat = work.neat(page.strokes, page.rows)
    before = InkPage(9.0, 9.0, tuple(map(PageStroke, page.strokes)))
    expected, _ = levelled_page(before, PageText(tuple(page.text)))
    unit = x_height(from_strokes(rows[0][0]))
    moves = []
    for old, new, own in zip(before.strokes, expected.strokes, neat, strict=True):
        np.testing.assert_allclose(own, new.points, atol=1e-3 * unit)
        moves.append(np.abs(new.points - old.points).max())
    assert np.median(moves) > 0.1 * unit


def test_a_mark_of_another_row_and_a_drawing_stay_in_their_place(work):
    parts, words = row_of(invented(size=1, seed=4)[0], 0, np.random.default_rng(5))
    dot = np.array([[30.0, -6 * x_height(from_strokes(parts))]])
    page = page_of([(parts, words)])
    ((first, count, numbered, _),) = page.rows
    with_dot = [*numbered[:-1], (numbered[-1][0], [*numbered[-1][1], len(parts)])]
    *others, mark = work.neat([*parts, dot], [(first, count + 1, with_dot, False)])
    np.testing.assert_array_equal(mark, np.float32(dot))
    for own, expected in zip(others, work.neat(parts, page.rows), strict=True):
        np.testing.assert_allclose(own, expected, atol=1e-3)
    kept = work.neat(parts, [(first, count, numbered, True)])
    assert all((np.float32(old) == new).all() for old, new in zip(parts, kept, strict=True))


def test_texts_from_all_of_unicode_are_written_or_refused(work, written):
    path, writer = written
    engine, chance = work.open(path.read_bytes()), random.Random(4)
    every = [*range(1, 0xD800), *range(0xE000, 0x20000)]
    for _ in range(100):
        text = "".join(map(chr, chance.choices(every, k=9)))
        with pytest.raises(EngineError, match="cannot write "):
            work.write(engine, f"漢{text}")
    assert writer.model.alphabet
