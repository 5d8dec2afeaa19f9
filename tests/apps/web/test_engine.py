"""The engine of the page computes what Python does, and so it does when it is compiled anew."""

import base64
import random
import shutil
import subprocess
import zipfile
from itertools import product

import numpy as np
import pytest
import torch
from rapidfuzz.distance import Levenshtein

from apps.pages import word_cutting
from apps.pages.hands import extras_of_style
from apps.pages.repairs import LetterStrokes, with_corners
from apps.pages.styles import write_style
from apps.pages.transliteration import replacements, transliterate
from apps.web import flat_file
from data_loader import EmbeddedDataset
from ink.delayed_strokes import are_marks, undelayed
from ink.geometry import from_strokes, row_starts, strokes, x_height
from ink.measures import baseline, median_lean
from ink.reading import read_ink
from model import load, sample
from model.generation.hand_encoder import DESCRIPTOR, hand_extra
from model.generation.line import Sampling
from model.recognition.encoder import GREEDY
from model.recognition.hand_descriptor import HandDescriptor
from tests.apps.web.conftest import ROOT, needs_node, node
from tests.commands.networks import save
from tests.flat_files import cases, loaded

COMMITTED = ROOT / "apps" / "web" / "engine.wasm"
WRITER = dict(hidden_size=13, num_layers=2, num_mixtures=3, end_of_sequence=True, stretch=0.03)
READERS = [
    dict(hidden_size=9, num_layers=3, channels=10, parts=3),
    dict(hidden_size=8, num_layers=1, channels=8),
]
LINES = ROOT / "docs/sample-lines"

UPPER = [(8, 1), (6, 0), (3, 0), (1, 1), (1, 3)]
DIGIT = np.array([*UPPER, (3, 4.5), (6, 5), (8, 7), (4, 10), (0, 9)])
"""A 5 like an S, 10 high."""

pytestmark = needs_node


def engine(task, wasm=COMMITTED, **request):
    """Return what the engine answers."""
    return node("engine.mjs", task=task, wasm=str(wasm), **request)


@pytest.fixture(scope="module", params=["committed", "compiled"])
def wasm(request, tmp_path_factory):
    """The engine as it is committed, and as its source is compiled."""
    if request.param == "committed":
        return COMMITTED
    if not (shutil.which("clang") and shutil.which("wasm-ld")):
        pytest.skip("clang or wasm-ld is not installed: apt-get install clang lld")
    anew = tmp_path_factory.mktemp("engine") / "engine.wasm"
    words = ["make", "-s", f"ENGINE={anew}", str(anew)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return anew


def flat(folder, network):
    """Save the flat file of a network; return its path, and what Python makes of it."""
    flat_file.save(folder / "network.bin", network)
    return str(folder / "network.bin"), loaded(folder / "network.bin")


@pytest.fixture(scope="module", params=["small", pytest.param("writer", marks=pytest.mark.slow)])
def writer(request, tmp_path_factory):
    """The flat file of an untrained network or the shipped one, and what Python makes of it."""
    folder, source = tmp_path_factory.mktemp("writer"), request.param
    if source == "small":
        source = save(folder / "a.pth", "SynthesisNetwork", **WRITER)
    return flat(folder, load(source, "cpu"))


@pytest.fixture
def hand_writer(tmp_path):
    """An untrained writer that takes a hand vector; the flat file of the descriptor lies beside."""
    flat_file.save_descriptor(tmp_path / "descriptor.bin")
    return load(save(tmp_path / "a.pth", "SynthesisNetwork", **WRITER, hand_size=7), "cpu")


def line_request(path, model, text, seeds, *, primer=None, **sampling):
    ink, before = primer or (np.zeros((1, 3)), "")
    return dict(
        network=path,
        primer=ink.flatten().tolist(),
        primed=len(before),
        seeds=seeds,
        text=model.alphabet.encode(before + text).tolist(),
        sampling=dict(bias=0.6, stretch=model.stretch_at(0.6), **sampling),
        limit=100 + 40 * len(text),
    )


def test_a_file_is_loaded_or_refused_with_its_fault(tmp_path):
    files, requests = cases(tmp_path), []
    for number, case in enumerate(files):
        (tmp_path / f"{number}.bin").write_bytes(case.content)
        requests.append([case.role, str(tmp_path / f"{number}.bin")])
    answers = engine("load", files=requests)
    for case, (_, path), answer in zip(files, requests, answers, strict=True):
        if case.error is None:
            assert answer is None, (case.name, answer)
        else:
            assert case.error in answer, (case.name, answer)
            assert answer.startswith((f"{path}: ", "The network's ")), answer


@pytest.mark.slow
def test_the_outputs_of_a_writer_over_given_points_are_those_of_python(writer, wasm):
    (path, writer), text, seen = writer, "A line, of 3 words", []
    model = writer.model
    line = writer.write(text, seed=2, max_steps=90)
    hook = model.output.register_forward_hook(lambda *call: seen.append(call[2]))
    attention = model.output_over(line).attention
    hook.remove()
    points = np.pad(model.normalisation.apply(line.ink[1:]), ((0, 0), (0, 1))).tolist()
    numbers = model.alphabet.encode(text).tolist()
    answer = engine("teacher_forced", wasm, network=path, points=points, text=numbers)
    # The kernel leaves the weights of the components as they add up, the largest one being 1.
    outputs = seen[0][:, 0].double()
    weights = outputs[:, 1 : 1 + model.num_mixtures]
    weights[:] = (weights - weights.amax(1, keepdim=True)).exp().cumsum(1)
    np.testing.assert_allclose(answer["outputs"], outputs.flatten(), atol=1e-4)
    np.testing.assert_allclose(answer["phi"], attention.flatten(), atol=1e-4)
    assert np.ptp(answer["outputs"]) > 0.5


@pytest.mark.parametrize("has_primer", [False, True])
def test_a_seed_draws_the_same_line_as_in_python(writer, has_primer):
    (path, writer), seeds, text = writer, [0, 7, 2**32 - 1], "Good night"
    primer, model = None, writer.model
    if has_primer:
        primer, text = (writer.write("Good day", seed=5, max_steps=100).ink, "Good day"), f" {text}"
    lines = sample(model, seeds, [text] * 3, Sampling(0.6), primer=primer)
    answers = engine("write", **line_request(path, model, text, seeds, primer=primer))
    # An untrained network multiplies what differs.
    count = 20 if model.num_mixtures == WRITER["num_mixtures"] else 50
    for line, answer in zip(lines, answers, strict=True):
        own = line.ink[line.primed or 1 :]
        written = np.reshape(answer["ink"], (-1, 3))[: answer["steps"]]
        np.testing.assert_allclose(written[:count], own[:count], atol=0.02)
        assert answer["ended"] == line.ended and len(written) == len(own) >= count


def test_a_hand_vector_gives_the_same_line_as_in_python(tmp_path, hand_writer):
    torch.manual_seed(0)
    hand_writer.model.hand_gates.weight.data.normal_(std=4.0)
    (path, writer), style, text = flat(tmp_path, hand_writer), tmp_path / "style.json", "Good night"
    ink = from_strokes([np.array([(0.0, 0.0), (30.0, 90.0), (60.0, 0.0)])])
    write_style(style, ink, "v", "a", [0.1 * number for number in range(DESCRIPTOR)])
    line = writer.write(text, Sampling(0.6, extras=extras_of_style(style)), seed=7)
    plain = writer.write(text, Sampling(0.6), seed=7)
    vector = flat_file.vector_of(writer, style)
    (answer,) = engine("write", **line_request(path, writer.model, text, [7], vector=vector))
    written = np.reshape(answer["ink"], (-1, 3))
    np.testing.assert_allclose(written[:20], line.ink[1:21], atol=0.05)
    assert np.abs(written[:20] - plain.ink[1:21]).max() > 0.5


@pytest.mark.slow
def test_the_hand_of_lines_or_of_a_seed_is_that_of_python(tmp_path, hand_writer):
    path, writer = flat(tmp_path, hand_writer)
    model, seeds, inks = writer.model, [0, 1, 2, 3], [line.ink for line in read_ink(LINES)]
    lines = [[stroke.tolist() for stroke in strokes(ink)] for ink in inks]
    descriptor = str(tmp_path / "descriptor.bin")
    answer = engine("hand", network=path, descriptor=descriptor, lines=lines, seeds=seeds)
    described = HandDescriptor.load().describe(inks)
    np.testing.assert_allclose(answer["described"], described, atol=1e-4)
    hands = [{"hand": hand_extra(model.hand_encoder.draw(seed))} for seed in seeds]
    for extras, vector in zip(
        [extras_of_style(LINES), *hands], [answer["vector"], *answer["drawn"]], strict=True
    ):
        expected = model.initial_state(1, model.make_conditions(1, extras))["hand"][0]
        np.testing.assert_allclose(vector, expected.detach(), atol=1e-5)
        assert np.ptp(vector) > 0.2 and len(vector) == 8


def test_every_seed_draws_the_hand_of_training_when_that_was_the_only_hand(tmp_path, hand_writer):
    hand_writer.model.hand_encoder.hands[:] = hand_writer.model.hand_encoder.hands[0].clone()
    path, _ = flat(tmp_path, hand_writer)
    files = dict(network=path, descriptor=str(tmp_path / "descriptor.bin"))
    first, second = engine("hand", **files, lines=[[[[0, 0], [9, 90]]]], seeds=[0, 1])["drawn"]
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.ptp(first) > 0.2


BROKEN = {
    "a" * 30 + " b": ["a" * 30 + " b"],
    "a" * 31: ["a" * 29 + "-", "aa"],
    "b " + "a" * 60 + " c": ["b " + "a" * 29 + "-", "a" * 29 + "-", "aa c"],
    "by http://127.0.0.1:8753/a/1234567890": ["by http://127.0.0.1:8753/a/123456", "7890"],
}


@pytest.mark.parametrize(("text", "rows"), BROKEN.items())
def test_a_word_is_hyphenated_between_letters_when_it_is_too_long(text, rows):
    assert engine("broken", text=text, alphabet="ab-") == rows
    without = [row.removesuffix("-") for row in rows]
    assert engine("broken", text=text, alphabet="ab") == without


def test_a_row_shows_the_points_that_its_pen_has_come_to():
    ink = [0, 0, 0, 1, 1, 0, 1, 0, 1, 2, 2, 1]
    assert engine("seen", ink=ink, times=[0, 1, 19, 40, 1e9]) == [0, 1, 2, 3, 4]


def test_a_zip_has_the_files_that_were_put_in(tmp_path):
    files = [{"name": f"{number}.svg", "content": "é" * 9**number} for number in range(6)]
    path = tmp_path / "all.zip"
    path.write_bytes(base64.b64decode(engine("zip", files=files)))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None and path.stat().st_size < 3000
        read = [{"name": n, "content": archive.read(n).decode()} for n in archive.namelist()]
    assert read == files


def invented(size, seed, max_characters=30, writers=3):
    """Return invented lines."""
    options = dict(size=size, seed=seed, max_characters=max_characters, writers=writers)
    data = EmbeddedDataset(valid_size=1, test_size=1, **options)
    return data.load(["train"]).split("train")


@pytest.mark.slow
@pytest.mark.parametrize("network", [*READERS, pytest.param("reader", marks=pytest.mark.slow)])
def test_a_reader_reads_ink_as_python_does(tmp_path, network):
    source = network if network == "reader" else save(tmp_path / "a.pth", "CTCNetwork", **network)
    path, reader = flat(tmp_path, load(source, "cpu"))
    inks = [line.ink for line in invented(size=5, seed=10, max_characters=20)]
    inks += [np.float32([[0, 0, 1]]), np.float32([[0, 0, 0], [9, 0, 1]])]  # a dot and a bar
    for ink in inks[:5]:
        order = np.argsort(are_marks(ink, x_height(ink)), kind="stable")
        inks.append(from_strokes([strokes(ink)[number] for number in order]))
    late = [len(undelayed(ink, x_height(ink))[-1]) != len(strokes(ink)[-1]) for ink in inks]
    assert sum(late) > 2
    answers = engine("read", network=path, inks=[ink.flatten().tolist() for ink in inks])
    for ink, answer in zip(inks, answers, strict=True):
        transcript = reader.model.read([ink], GREEDY)
        expected = transcript.ctc_log_probs.flatten()
        np.testing.assert_allclose(answer["values"], expected, atol=1e-4)
        assert answer["text"] == transcript.hypotheses[0]
    assert any(answer["text"] for answer in answers)


def test_rows_begin_where_python_says():
    inks = [line.ink for line in invented(size=6, seed=4)]
    below = [stroke + np.array([0, 500]) for stroke in strokes(inks[1])]
    inks.append(from_strokes([*strokes(inks[0]), *below]))
    starts = engine("rows", inks=[[part.tolist() for part in strokes(ink)] for ink in inks])
    assert starts == [row_starts(ink) for ink in inks] and len(starts[-1]) == 2


def random_texts(chance, count):
    """Return texts of signs from all of Unicode, mostly of those that somebody types."""
    pools = [range(0x20, 0x7F), range(0xA0, 0x250), range(0x300, 0x2FFF), range(0xF900, 0x1F700)]
    every = [[chr(code) for code in pool if not 0xD800 <= code < 0xE000] for pool in pools]
    return ["".join(chance.choice(chance.choice(every)) for _ in range(40)) for _ in range(count)]


def random_fives():
    """Return fives of every shape, with a bar of their own or none, beside ink of other letters."""
    random, fives = np.random.default_rng(3), []
    for number in range(40):
        ink = DIGIT @ random.normal(np.eye(2), 0.2) + random.normal(0, 0.4, DIGIT.shape)
        parts = [[ink], [ink[3:], ink[3::-1]], [ink, np.add(ink[:3], (9, 0))]][number % 3]
        numbers = [random.choice([1, 2], len(part), p=[0.8, 0.2]) for part in parts]
        fives.append((LetterStrokes("254", parts, numbers), random.normal(0, 0.2)))
    return fives


def test_a_5_gets_the_corner_that_python_draws():
    fives = random_fives()
    requests = [
        [[p.tolist() for p in five.strokes], [n.tolist() for n in five.indices], five.text, lean]
        for five, lean in fives
    ]
    answers = engine("corners", cases=requests)
    expected = [with_corners(*five).strokes for five in fives]
    for answer, parts in zip(answers, expected, strict=True):
        for part, own in zip(answer, parts, strict=True):
            np.testing.assert_allclose(part, own, atol=1e-9)
    changed = [
        [*map(len, parts)] != [*map(len, five.strokes)]
        for parts, (five, _) in zip(expected, fives, strict=True)
    ]
    assert 10 < sum(changed) < 40


def line_of_engine(ink, **request):
    """Return the ink of a line whose points a stand-in for a network draws."""
    return np.float32(engine("line", ink=ink.flatten().tolist(), **request)).reshape(-1, 3)


@pytest.mark.parametrize(
    ("peak", "count"), [(0, 1 + len(DIGIT)), (1, 7 + len(DIGIT[5:]))], ids=["4", "5"]
)
def test_a_line_has_a_corner_where_the_window_was_on_a_5(peak, count):
    ink = np.pad(np.diff([(0, 0), *DIGIT], axis=0), ((0, 0), (0, 1)))
    assert len(line_of_engine(ink, peaks=[peak] * len(DIGIT), text="45")) == count


def test_a_short_line_lies_nearly_on_the_baseline_of_its_primer():
    """It was drawn half an x-height lower: of four letters a fifth of that is left."""
    ink = from_strokes([np.array([(5 * n, -10 * (n % 2)) for n in range(9)])])
    primer = [(stroke / 10).tolist() for stroke in strokes(ink)]
    hand = dict(text="mm", strokes=primer, x_height=10, stretch=[1, 1])
    ink[0, :2] = 5, 5  # from the end of the primer
    line = line_of_engine(ink, peaks=[4] * 9, text="moon", hand=hand)
    assert baseline(line) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(("hand", "height"), [(None, 2 / 2**0.2), ([0.1] * 8, 2.0)])
def test_a_line_keeps_the_size_of_a_hand_vector(hand, height):
    """It was drawn twice as high as usual, which two letters tell as far as 2 / (2 + 8)."""
    ink = from_strokes([np.array([(5 * n, -20 * (n % 2)) for n in range(9)])])
    line = line_of_engine(ink, peaks=[1] * 9, text="mo", hand=hand)
    assert x_height(line) == pytest.approx(height, abs=0.02)


@pytest.mark.parametrize("text", ["A line", "2055", "–"])
def test_lean_and_baseline_are_those_of_python(text):
    lines = [strokes(line.ink) for line in invented(size=4, seed=2)]
    requests = [[[part.tolist() for part in parts], text] for parts in lines]
    answers = np.array(engine("measures", cases=requests))
    lean = [median_lean(from_strokes(parts)) for parts in lines]
    base = [word_cutting.baseline_of_words([parts], text, 10.0) for parts in lines]
    np.testing.assert_allclose(answers, np.transpose([lean, base]), atol=1e-2)


@pytest.mark.parametrize("alphabet", ["".join(map(chr, range(32, 127))), "aeé½’ 12/"])
def test_an_unknown_sign_is_replaced_as_in_python(alphabet):
    texts = ["1½ cups – “naïve” €5 ﬁne² Łódź\u00ad a\u0302", *random_texts(random.Random(4), 200)]
    texts, table = [f"a {text}" for text in texts], replacements(frozenset(alphabet))
    results = engine("transliterate", texts=texts, alphabet=alphabet, replacements=table)
    expected = [transliterate(text, alphabet).text.split() for text in texts]
    assert [result.split() for result in results] == expected


def test_an_edit_distance_is_that_of_rapidfuzz():
    texts = ["", "a", *random_texts(random.Random(5), 6)]
    texts += [text[:30] + "new" for text in texts]
    pairs = [*product(texts, repeat=2)]
    assert engine("distances", pairs=pairs) == [Levenshtein.distance(*pair) for pair in pairs]


ACCENTED = {
    "café": "cafè", "Zoë": "Zoe", "Jürgen": "Jurgen", "l'Église": "l’Eglise", "Ümlaut": "Umlaut",
    "Ça": "Ca",
}  # fmt: skip
"""What a reader reads of words whose accents it overlooks or takes for others."""


def test_a_word_is_doubtful_when_other_letters_are_read_but_not_for_its_accents():
    pairs = [*map(list, ACCENTED.items())]
    pairs += [["BRING it", "BRWG it"], ["café", "care"], ["Ümlaut", "Ümlant"], ["BRING", "BRlNG"]]
    answers = engine("misread", pairs=pairs)
    doubtful = [answer["doubtful"] for answer in answers]
    assert doubtful == [[]] * 6 + [[[0, 5]], [[0, 4]], [[0, 6]], []]
    assert [answer["errors"] for answer in answers] == [1] * 9 + [0]  # written again all the same


def test_the_engine_has_less_than_30_000_bytes():
    assert len(COMMITTED.read_bytes()) < 30_000
