"""The engine of the page computes what Python does, and so it does when it is compiled anew."""

import base64
import random
import shutil
import subprocess
import zipfile

import numpy as np
import pytest
import torch
from rapidfuzz.distance import Levenshtein

from data_loader import EmbeddedDataset, read_ink
from handwriting import flat_file, word_cutting
from handwriting.primers import extras_of_style
from handwriting.repairs import LetterStrokes, with_corners
from handwriting.source_text import replacements, transliterate
from handwriting.styles import write_style
from model import load, sample
from model.generation.hand_encoder import DESCRIPTOR, hand_extra
from model.generation.sampling import predict
from model.generation.sampling_options import Sampling
from model.recognition.encoder import GREEDY
from model.recognition.hand_descriptor import HandDescriptor
from tests.commands.networks import save
from tests.flat_files import cases, loaded
from tests.web.conftest import ROOT, needs_node, node
from utils.delayed_strokes import are_marks, undelayed
from utils.hand_measures import baseline, median_lean
from utils.ink import from_strokes, row_starts, strokes, x_height

COMMITTED = ROOT / "web" / "engine.wasm"
WRITER = dict(hidden_size=13, num_layers=2, num_mixtures=3, end_of_sequence=True, stretch=0.03)
READERS = [
    dict(hidden_size=9, num_layers=3, channels=10, parts=3),
    dict(hidden_size=8, num_layers=1, channels=8),
]
LINES = ROOT / "docs/sample-lines"
NO_CLANG = "clang or wasm-ld is not installed: apt-get install clang lld"

UPPER = [(8, 1), (6, 0), (3, 0), (1, 1), (1, 3)]
DIGIT = np.array([*UPPER, (3, 4.5), (6, 5), (8, 7), (4, 10), (0, 9)])
"""A 5 like an S, 10 high."""

pytestmark = needs_node


def engine(task, wasm=COMMITTED, **request):
    """Return what the engine answers."""
    return node("engine.mjs", task=task, wasm=str(wasm), **request)


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """Make the flat file of a network, and load it: its path, and what Python makes of it."""
    folder = tmp_path_factory.mktemp("flat")

    def made(arch, of):
        path = folder / f"{arch}-{abs(hash(str(of)))}.bin"
        if not path.exists():
            source = of if isinstance(of, str) else save(folder / "a.pth", arch, **of)
            flat_file.save(path, load(source, "cpu"))
        return path, loaded(path)

    return made


def check_teacher_forced(writer, path, wasm=COMMITTED):
    model, text, seen = writer.model, "A line, of 3 words", []
    line = writer.write(text, seed=2, max_steps=90)
    hook = model.output.register_forward_hook(lambda *call: seen.append(call[2]))
    output = predict(model, line)
    hook.remove()
    points = np.pad(model.normalisation.apply(line.ink[1:]), ((0, 0), (0, 1)))
    numbers = model.alphabet.encode(text).tolist()
    answer = engine("teacher_forced", wasm, network=str(path), points=points.tolist(), text=numbers)
    expected, mixtures = seen[0][:, 0].double(), model.num_mixtures
    # The kernel leaves the weights of the components as they add up, the largest one being 1.
    logits = expected[:, 1 : 1 + mixtures]
    logits[:] = (logits - logits.amax(1, keepdim=True)).exp().cumsum(1)
    np.testing.assert_allclose(answer["outputs"], expected.flatten(), atol=1e-4)
    np.testing.assert_allclose(answer["phi"], output.attention.flatten(), atol=1e-4)
    assert np.ptp(answer["outputs"]) > 0.5


def test_a_file_is_taken_or_refused(tmp_path):
    files, requests = cases(tmp_path), []
    for number, case in enumerate(files):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(case.content)
        requests.append([case.role, str(path)])
    for case, (_, path), answer in zip(
        files, requests, engine("load", files=requests), strict=True
    ):
        if case.error is None:
            assert answer is None, (case.name, answer)
        else:
            assert case.error in answer, (case.name, answer)
            assert answer.startswith((f"{path}: ", "The network's ")), answer


@pytest.mark.parametrize("of", [WRITER, pytest.param("writer", marks=pytest.mark.slow)])
def test_what_a_writer_expects_of_given_points_is_what_python_says(flat, of):
    path, writer = flat("SynthesisNetwork", of)
    check_teacher_forced(writer, path)


@pytest.mark.parametrize("primed", [False, True])
@pytest.mark.parametrize("of", [WRITER, pytest.param("writer", marks=pytest.mark.slow)])
def test_a_seed_writes_the_same_line_as_in_python(flat, of, primed):
    """Its points are drawn by the same random numbers, and it ends at the same one."""
    path, writer = flat("SynthesisNetwork", of)
    model, seeds, primer = writer.model, [0, 7, 2**32 - 1], None
    text, ink, length = "Good night", np.zeros((1, 3)), 0
    if primed:
        primer = writer.write("Good day", seed=5, max_steps=100).ink, "Good day"
        text, ink, length = f" {text}", primer[0], len(primer[1])
    lines = sample(model, seeds, [text] * 3, Sampling(0.6), primer=primer)
    whole = model.alphabet.encode((primer[1] if primed else "") + text).tolist()
    limit = 100 + 40 * len(text)
    sampling = dict(bias=0.6, stretch=model.stretch_at(0.6))
    request = dict(primer=ink.flatten().tolist(), primed=length, seeds=seeds, text=whole)
    request |= dict(sampling=sampling, limit=limit)
    answers = engine("write", network=str(path), **request)
    for line, answer in zip(lines, answers, strict=True):
        own = line.ink[line.primed or 1 :]
        written = np.reshape(answer["ink"], (-1, 3))[: answer["steps"]]
        count = 50 if of == "writer" else 20  # an untrained network multiplies what differs
        assert len(own) >= count
        np.testing.assert_allclose(written[:count], own[:count], atol=0.02)
        assert answer["ended"] == line.ended and len(written) == len(own)


def test_a_hand_that_is_told_writes_the_same_line_as_in_python(tmp_path):
    checkpoint = save(tmp_path / "a.pth", "SynthesisNetwork", **WRITER, hand_size=4)
    content = torch.load(checkpoint, weights_only=True)
    torch.manual_seed(0)
    content["state_dict"]["hand_gates.weight"].normal_(std=4.0)
    torch.save(content, checkpoint)
    flat_file.save(tmp_path / "a.bin", load(checkpoint, "cpu"))
    writer, style = loaded(tmp_path / "a.bin"), tmp_path / "style.json"
    ink = from_strokes([np.array([(0.0, 0.0), (30.0, 90.0), (60.0, 0.0)])])
    write_style(style, ink, "v", "a", [0.1 * number for number in range(DESCRIPTOR)])
    sampling = Sampling(0.6, extras=extras_of_style(style))
    vector, text = flat_file.vector_of(writer, style), "Good night"
    line, untold = writer.write(text, sampling, seed=7), writer.write(text, Sampling(0.6), seed=7)
    (answer,) = engine(
        "write",
        network=str(tmp_path / "a.bin"),
        primer=[0, 0, 0],
        primed=0,
        seeds=[7],
        text=writer.model.alphabet.encode(text).tolist(),
        sampling=dict(bias=0.6, stretch=writer.model.stretch_at(0.6), vector=vector),
        limit=100 + 40 * len(text),
    )
    written = np.reshape(answer["ink"], (-1, 3))
    np.testing.assert_allclose(written[:20], line.ink[1:21], atol=0.05)
    assert np.abs(written[:20] - untold.ink[1:21]).max() > 0.5


def test_a_hand_is_the_one_that_python_is_told(tmp_path):
    """The hand of recorded lines, and hands that nobody has."""
    network = load(save(tmp_path / "a.pth", "SynthesisNetwork", **WRITER, hand_size=7), "cpu")
    flat_file.save(tmp_path / "a.bin", network)
    flat_file.save_descriptor(tmp_path / "descriptor.bin")
    model, seeds = loaded(tmp_path / "a.bin").model, [0, 1, 2, 3]
    inks = [line.ink for line in read_ink(LINES)]
    files = dict(network=str(tmp_path / "a.bin"), descriptor=str(tmp_path / "descriptor.bin"))
    lines = [[stroke.tolist() for stroke in strokes(ink)] for ink in inks]
    answer = engine("hand", **files, lines=lines, seeds=seeds)
    described = HandDescriptor.load().describe(inks)
    np.testing.assert_allclose(answer["described"], described, atol=1e-4)
    hands = [{"hand": hand_extra(model.hand_encoder.draw(seed))} for seed in seeds]
    for extras, vector in zip(
        [extras_of_style(LINES), *hands], [answer["vector"], *answer["drawn"]], strict=True
    ):
        expected = model.initial_state(1, model.told(1, extras))["hand"][0]
        np.testing.assert_allclose(vector, expected.detach(), atol=1e-5)
        assert np.ptp(vector) > 0.2 and len(vector) == 8


def test_after_a_single_hand_that_hand_is_drawn(tmp_path):
    network = load(save(tmp_path / "a.pth", "SynthesisNetwork", **WRITER, hand_size=7), "cpu")
    network.model.hand_encoder.hands[:] = network.model.hand_encoder.hands[0].clone()
    flat_file.save(tmp_path / "a.bin", network)
    flat_file.save_descriptor(tmp_path / "descriptor.bin")
    files = dict(network=str(tmp_path / "a.bin"), descriptor=str(tmp_path / "descriptor.bin"))
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
def test_a_word_that_is_too_long_is_hyphenated_between_letters(text, rows):
    assert engine("broken", text=text, alphabet="ab-") == rows
    without = [row.removesuffix("-") for row in rows]
    assert engine("broken", text=text, alphabet="ab") == without


def test_nothing_of_a_row_is_seen_before_the_pen_comes_to_it():
    ink = [0, 0, 0, 1, 1, 0, 1, 0, 1, 2, 2, 1]
    assert engine("seen", ink=ink, times=[0, 1, 19, 40, 1e9]) == [0, 1, 2, 3, 4]


def test_a_zip_has_what_was_put_in(tmp_path):
    files = [{"name": f"{number}.svg", "content": "é" * 9**number} for number in range(6)]
    path = tmp_path / "all.zip"
    path.write_bytes(base64.b64decode(engine("zip", files=files)))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None and path.stat().st_size < 3000
        read = [{"name": n, "content": archive.read(n).decode()} for n in archive.namelist()]
    assert read == files


@pytest.mark.parametrize("of", [*READERS, pytest.param("reader", marks=pytest.mark.slow)])
def test_a_reader_reads_ink_as_python_does(flat, of):
    path, reader = flat("CTCNetwork", of)
    arguments = dict(seed=8, size=10, valid_size=1, test_size=1, writers=3, max_characters=25)
    inks = [one.ink for one in EmbeddedDataset(**arguments).load(["train"]).split("train")]
    inks += [np.float32([[0, 0, 1]]), np.float32([[0, 0, 0], [9, 0, 1]])]  # a dot and a bar
    for ink in inks[:10]:
        last = np.argsort(are_marks(ink, x_height(ink)), kind="stable")
        inks.append(from_strokes([strokes(ink)[number] for number in last]))
    late = [len(undelayed(ink, x_height(ink))[-1]) != len(strokes(ink)[-1]) for ink in inks]
    assert sum(late) > 2
    answers = engine("read", network=str(path), inks=[ink.flatten().tolist() for ink in inks])
    for ink, answer in zip(inks, answers, strict=True):
        transcript = reader.model.read([ink], GREEDY)
        expected = transcript.ctc_log_probs.flatten()
        np.testing.assert_allclose(answer["values"], expected, atol=1e-4)
        assert answer["text"] == transcript.hypotheses[0]
    assert any(answer["text"] for answer in answers)


def test_rows_begin_where_python_says():
    arguments = dict(seed=4, size=6, valid_size=1, test_size=1, writers=3, max_characters=30)
    inks = [one.ink for one in EmbeddedDataset(**arguments).load(["train"]).split("train")]
    below = [stroke + np.array([0, 500]) for stroke in strokes(inks[1])]
    inks.append(from_strokes([*strokes(inks[0]), *below]))
    starts = engine("rows", inks=[[one.tolist() for one in strokes(ink)] for ink in inks])
    assert starts == [row_starts(ink) for ink in inks] and len(starts[-1]) == 2


def random_texts(chance, count):
    """Return texts of signs from all of Unicode, mostly of those that somebody types."""
    pools = [range(0x20, 0x7F), range(0xA0, 0x250), range(0x300, 0x2FFF), range(0xF900, 0x1F700)]
    every = [[chr(code) for code in pool if not 0xD800 <= code < 0xE000] for pool in pools]
    return ["".join(chance.choice(chance.choice(every)) for _ in range(40)) for _ in range(count)]


def test_a_5_has_the_corner_that_python_gives_it():
    """Of every shape, with a bar of its own or none, beside ink of other letters."""
    random, cases = np.random.default_rng(3), []
    for number in range(40):
        ink = DIGIT @ random.normal(np.eye(2), 0.2) + random.normal(0, 0.4, DIGIT.shape)
        parts = [[ink], [ink[3:], ink[3::-1]], [ink, np.add(ink[:3], (9, 0))]][number % 3]
        numbers = [random.choice([1, 2], len(part), p=[0.8, 0.2]) for part in parts]
        cases.append((LetterStrokes("254", parts, numbers), random.normal(0, 0.2)))
    answers = engine(
        "corners",
        cases=[
            [
                [np.asarray(part).tolist() for part in letters.strokes],
                [of.tolist() for of in letters.indices],
                letters.text,
                lean,
            ]
            for letters, lean in cases
        ],
    )
    drawn = 0
    for case, answer in zip(cases, answers, strict=True):
        letters, expected = case[0], with_corners(*case).strokes
        assert len(answer) == len(expected)
        for part, own in zip(answer, expected, strict=True):
            np.testing.assert_allclose(part, own, atol=1e-9)
        drawn += [*map(len, expected)] != [*map(len, letters.strokes)]
    assert 10 < drawn < 40


def test_a_line_has_corners_where_the_window_says_that_its_5_are():
    ink = np.diff([(0, 0), *DIGIT], axis=0)
    ink = np.pad(ink, ((0, 0), (0, 1))).flatten().tolist()
    for at, count in ((0, 1 + len(DIGIT)), (1, 7 + len(DIGIT[5:]))):
        line = engine("line", ink=ink, peaks=[at] * len(DIGIT), text="45")
        assert len(line) // 3 == count


def test_a_short_line_lies_on_the_line_of_its_hand():
    """It was drawn half an x-height lower: of four letters a fifth of that is left."""
    ink = from_strokes([np.array([(5 * n, -10 * (n % 2)) for n in range(9)])])
    primer = (ink / (10, 10, 1)).flatten().tolist()
    hand = dict(text="mm", ink=primer, x_height=10, stretch=[1, 1])
    ink[0, :2] = 5, 5  # from the end of the primer
    line = engine("line", ink=ink.flatten().tolist(), peaks=[4] * 9, text="moon", hand=hand)
    assert baseline(np.float32(line).reshape(-1, 3)) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(("hand", "height"), [(None, 2 / 2**0.2), ([0.1] * 8, 2.0)])
def test_the_size_of_a_line_is_its_hands(hand, height):
    """It was drawn twice as high as usual, which two letters tell as far as 2 / (2 + 8)."""
    ink = from_strokes([np.array([(5 * n, -20 * (n % 2)) for n in range(9)])])
    line = engine("line", ink=ink.flatten().tolist(), peaks=[1] * 9, text="mo", hand=hand)
    assert x_height(np.float32(line).reshape(-1, 3)) == pytest.approx(height, abs=0.02)


def test_lean_and_baseline_are_those_that_python_measures():
    loaded = EmbeddedDataset(size=4, valid_size=1, test_size=1, seed=2).load().split("train")
    cases = [(strokes(one.ink), text) for one in loaded for text in (one.text, "2055", "–")]
    plain = [[[part.tolist() for part in parts], text] for parts, text in cases]
    answers = engine("measures", cases=plain)
    for (parts, text), (lean, base) in zip(cases, answers, strict=True):
        np.testing.assert_allclose(lean, median_lean(from_strokes(parts)), atol=1e-3)
        np.testing.assert_allclose(
            base, word_cutting.baseline_of_words([parts], text, 10.0), atol=1e-2
        )


@pytest.mark.parametrize("alphabet", ["".join(map(chr, range(32, 127))), "aeé½’ 12/"])
def test_what_is_written_instead_of_unknown_signs_is_what_python_writes(alphabet):
    texts = ["1½ cups – “naïve” €5 ﬁne² Łódź\u00ad a\u0302", *random_texts(random.Random(4), 200)]
    table = replacements(frozenset(alphabet))
    results = engine("transliterate", texts=[f"a {text}" for text in texts], alphabet=alphabet,
                    replacements=table)  # fmt: skip
    for text, result in zip(texts, results, strict=True):
        assert result.split() == transliterate(f"a {text}", alphabet).text.split()


def test_edit_distances_are_those_of_rapidfuzz():
    texts = ["", "a", *random_texts(random.Random(5), 6)]
    texts += [text[:30] + "new" for text in texts]
    pairs = [(one, other) for one in texts for other in texts]
    expected = [Levenshtein.distance(*pair) for pair in pairs]
    assert engine("distances", pairs=pairs) == expected


@pytest.mark.skipif(not (shutil.which("clang") and shutil.which("wasm-ld")), reason=NO_CLANG)
def test_the_kernels_compile_to_an_engine_that_computes_the_same(flat, tmp_path):
    anew = tmp_path / "engine.wasm"
    words = ["make", "-s", f"ENGINE={anew}", str(anew)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path, writer = flat("SynthesisNetwork", WRITER)
    check_teacher_forced(writer, path, anew)
    assert len(COMMITTED.read_bytes()) < 30_000
