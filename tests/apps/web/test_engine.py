"""The page's engine in WebAssembly computes what Python does, and so it does when compiled anew."""

import base64
import random
import shutil
import subprocess
import zipfile
from itertools import product
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from rapidfuzz.distance import Levenshtein

from apps.pages.hands import extras_of_style
from apps.pages.transliteration import replacements, transliterate
from apps.web import flat_file
from data_loader import EmbeddedDataset
from ink.geometry import row_starts, strokes
from ink.reading import read_ink
from model import load, sample
from model.generation.hand_encoder import hand_extra
from model.generation.line import Sampling
from tests.apps.web.conftest import ROOT, needs_node, node
from tests.commands.networks import save
from tests.flat_files import cases, loaded

COMMITTED = ROOT / "apps" / "web" / "engine.wasm"
WRITER = dict(hidden_size=13, num_layers=2, num_mixtures=3, end_of_sequence=True, stretch=0.03)
READER = dict(hidden_size=9, num_layers=3, channels=10, parts=3)
LINES = ROOT / "docs/sample-lines"

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


@pytest.fixture
def reader(tmp_path):
    """The flat file of an untrained reader, which reads blanks and two signs, and what Python makes
    of it."""
    network = load(save(tmp_path / "a.pth", "CTCNetwork", **READER), "cpu")
    blank, sign = network.model.alphabet.encode(" q")
    for values in (network.model.labels.weight.data, network.model.labels.bias.data):
        values[[blank, sign]] = values[[sign, blank]]
    return flat(tmp_path, network)


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
            code, message = answer
            assert case.error in message and code == "bad_file", (case.name, answer)
            assert message.startswith((f"file://{path}: ", "The network's ")), answer


@pytest.mark.slow
def test_a_seed_draws_the_same_line_as_in_python(tmp_path, wasm):
    network = load(save(tmp_path / "a.pth", "SynthesisNetwork", **WRITER), "cpu")
    path, writer = flat(tmp_path, network)
    seeds = [0, 7, 2**32 - 1]
    text = "Good night"
    sampling = Sampling(0.6, stretch=writer.model.stretch_at(0.6))
    lines = sample(writer.model, seeds, [text] * 3, sampling)
    request = dict(network=path, text=text, seeds=seeds, options=dict(bias=0.6))
    answers = engine("write", wasm, **request)
    for line, answer in zip(lines, answers, strict=True):
        written = np.reshape(answer["raw"], (-1, 3))
        np.testing.assert_allclose(written[:20], line.ink[:20], atol=0.02)
        assert answer["ended"] == line.ended and len(written) == len(line.ink) > 20


@pytest.mark.slow
def test_the_hand_of_lines_or_of_a_seed_is_that_of_python(tmp_path):
    torch.manual_seed(0)
    options = WRITER | dict(hand_size=7)
    network = load(save(tmp_path / "a.pth", "SynthesisNetwork", **options), "cpu")
    network.model.hand_gates.weight.data.normal_(std=4.0)
    (path, writer), seeds = flat(tmp_path, network), [0, 1, 2, 3]
    flat_file.save_descriptor(tmp_path / "descriptor.bin")
    lines = [[stroke.tolist() for stroke in strokes(line.ink)] for line in read_ink(LINES)]
    files = dict(network=path, descriptor=str(tmp_path / "descriptor.bin"))
    answer = engine("hand", **files, lines=lines, seeds=seeds)
    model = writer.model
    hands = [{"hand": hand_extra(model.hand_encoder.draw(seed))} for seed in seeds]
    for extras, vector in zip(
        [extras_of_style(LINES), *hands], [answer["vector"], *answer["drawn"]], strict=True
    ):
        expected = model.initial_state(1, model.make_conditions(1, extras))["hand"][0]
        np.testing.assert_allclose(vector, expected.detach(), atol=1e-5)
        assert np.ptp(vector) > 0.2 and len(vector) == 8
    plain, mine = (
        engine("write", text="ab", seeds=[1], style=style, **files)[0]["raw"]
        for style in (None, answer["vector"])
    )
    assert plain != mine


def invented(size, seed, max_characters=30, writers=3):
    """Return invented lines."""
    options = dict(size=size, seed=seed, max_characters=max_characters, writers=writers)
    data = EmbeddedDataset(valid_size=1, test_size=1, **options)
    return data.load(["train"]).split("train")


def test_a_page_is_read_as_python_reads_its_rows(reader, wasm):
    path, network = reader
    inks = [line.ink for line in invented(size=3, seed=4)]
    page = [stroke.tolist() for stroke in strokes(inks[0])]
    page += [(stroke + np.array([0, 500])).tolist() for stroke in strokes(inks[1])]
    pages = [page, [[[0, 0]]], [[[4e6 + x, y] for x, y in stroke] for stroke in page]]
    rows, dot, far = engine("read", wasm, network=path, pages=pages)
    expected = network.read_words(inks[:2])
    assert [row["first"] for row in rows] == [0, len(strokes(inks[0]))] and len(dot) == 1
    assert row_starts(np.concatenate(inks[:1])) == [0]
    for row, words in zip(rows, expected, strict=True):
        assert [word["text"] for word in row["words"]] == [word.text for word in words]
        text, first = row["text"], row["first"]
        for character in row["characters"]:
            stroke, point = character["first"]
            assert stroke in character["strokes"] and point < len(page[stroke])
            assert text[slice(*character["place"])] and stroke >= first
        assert all(min(word["strokes"]) >= first for word in row["words"])
    assert [row["text"] for row in far] == [row["text"] for row in rows]


def test_reading_with_options_tells_its_progress_and_can_be_stopped(reader):
    path, _ = reader
    inks = [line.ink for line in invented(size=3, seed=4)]
    page = [
        (stroke + np.array([0, 500 * number])).tolist()
        for number, ink in enumerate(inks)
        for stroke in strokes(ink)
    ]
    wrong = [dict(signal={}), dict(onProgress=1), dict(signals=1)]
    answer = engine("progress", network=path, strokes=page, wrong=wrong)
    assert answer["fractions"] == pytest.approx([1 / 3, 2 / 3, 1])
    assert answer["same"] and answer["stopped"] == "AbortError"
    messages = [
        "signal is of type Object: give an AbortSignal.",
        "onProgress is 1: give a function.",
        "no option “signals”",
    ]
    for (code, message), part in zip(answer["faults"], messages, strict=True):
        assert code == "bad_argument" and part in message


def test_holes_in_lists_and_too_many_points_are_refused(reader):
    hole, missing, line, many = engine("limits", network=reader[0])
    point, stroke = "a point [x, y] of finite numbers", "a list of points [x, y], one or more"
    assert hole == ["bad_ink", f"strokes[0][1] is undefined: give {point}."]
    assert missing == ["bad_ink", f"strokes[0] is undefined: give {stroke}."]
    assert line == ["bad_argument", "rows[0] is undefined: give a line {text, strokes}."]
    assert many == ["too_large", "The ink has more than 1000000 points."]


@pytest.mark.parametrize("text", ['"a" & <b>', "a\x01\x1f\ufffe b", "\ud800 a"])
def test_inkml_is_valid_whatever_text_and_units_are(text):
    answer = engine("inkml", text=text, units=text)
    root = ElementTree.fromstring(answer["inkml"])
    space = "{http://www.w3.org/2003/InkML}"
    expected = "".join(c if c >= " " and c not in "\ufffe\ud800" else "\ufffd" for c in text)
    assert root.findtext(f".//{space}annotation") == expected
    assert root.find(f".//{space}channel").get("units") == expected
    assert answer["strokes"] == [[[0, 0], [1, 2]]]


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


def random_texts(chance, count):
    """Return texts of signs from all of Unicode, mostly of those that somebody types."""
    pools = [range(0x20, 0x7F), range(0xA0, 0x250), range(0x300, 0x2FFF), range(0xF900, 0x1F700)]
    every = [[chr(code) for code in pool if not 0xD800 <= code < 0xE000] for pool in pools]
    return ["".join(chance.choice(chance.choice(every)) for _ in range(40)) for _ in range(count)]


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


def test_the_engine_has_less_than_110_000_bytes():
    assert len(COMMITTED.read_bytes()) < 110_000
