"""The worker of the page answers each request, and what goes wrong with one clear message."""

import hashlib
import shutil

import numpy as np
import pytest

from apps.web import flat_file
from benchmarks.legibility import JUDGE
from ink.geometry import from_strokes, strokes, x_height
from ink.measures import baseline, levelled
from ink.reading import read_ink
from model import load
from tests.apps.web.conftest import ROOT, needs_node, node
from tests.commands.networks import save

LINES = ROOT / "docs/sample-lines"
OPTIONS = dict(bias=0.75, seed=1, style=None)
PRIMER = dict(text="abc", strokes=[[[n, 0], [n + 1, -1], [n + 1.5, 0]] for n in range(0, 6, 2)])
WRITER, READER = (dict(task="load", role=role) for role in ("writer", "reader"))

pytestmark = needs_node


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A copy of the page with small untrained networks."""
    folder = tmp_path_factory.mktemp("page")
    for file in [
        *ROOT.glob("apps/web/*.js"),
        *ROOT.glob("apps/web/package.json"),
        ROOT / "apps/web/engine.wasm",
    ]:
        shutil.copy(file, folder)
    (folder / "networks").mkdir()
    kinds = {
        "writer": ("SynthesisNetwork", dict(end_of_sequence=True, longest=40)),
        "reader": ("CTCNetwork", {}),
    }
    for role, (arch, options) in kinds.items():
        network = load(save(folder / "a.pth", arch, **options), "cpu")
        flat_file.save(folder / "networks" / f"{role}.bin", network)
    with_hands = save(folder / "a.pth", "SynthesisNetwork", end_of_sequence=True, hand_size=6)
    flat_file.save(folder / "networks" / "hands.bin", load(with_hands, "cpu"))
    flat_file.save_descriptor(folder / "networks" / "descriptor.bin")
    return folder


def ask(page, *requests):
    """Return all answers to each request, of which a line has several."""
    return node("worker.mjs", web=page.as_uri() + "/", requests=requests)


def write(text, **options):
    return dict(task="write", text=text, **OPTIONS | options)


def array(answer):
    ink = from_strokes([np.array(stroke) for stroke in answer["strokes"]])
    ink[0, :2] = answer["strokes"][0][0]
    return ink


def test_a_row_that_cannot_be_read_stays_as_it_is(page):
    stroke = [[9.0 * n, 20.0 * (n % 2) + n, n, 0.5] for n in range(40)]
    _, (answer,) = ask(page, READER, dict(task="neater", strokes=[stroke, stroke]))
    assert answer == [stroke, stroke]


def test_points_are_sent_as_they_are_computed(page):
    requests = [WRITER, write("a line"), write("a line", style=PRIMER), write("a b " * 9)]
    for answers in ask(page, *requests)[1:]:
        *pieces, done = (array(answer) for answer in answers)
        assert len(pieces) > 1 and answers[-1]["doubtful"] == []
        for ink in pieces:
            assert (ink[:-1, 2] == done[: len(ink) - 1, 2]).all()
        assert len(pieces[-1]) == len(done) and done[-1, 2] == 1


def test_a_misread_line_is_written_again_and_the_best_is_kept(page):
    *_, answers = ask(page, WRITER, READER, write("Zz qx"))
    assert sum(not answer["strokes"] for answer in answers) == 5  # an untrained network never does
    assert answers[-1]["doubtful"] == [[0, 2], [3, 5]]


def test_a_line_is_proofread_when_the_reader_is_loaded_before_its_end(page):
    begun = write("Zz qx", line=1)
    *_, answers = ask(page, WRITER, begun | {"pieces": 1}, READER, begun)
    assert answers[-1]["doubtful"] == [[0, 2], [3, 5]]


def test_ink_is_read_and_another_line_written_while_a_line_is_written(page):
    begun = write("A longer line", line=1)
    read = dict(task="read", strokes=[[[0, 0], [5, 9], [10, 0]]])
    requests = [begun | {"pieces": 2}, read, write("ab"), begun, write("A longer line")]
    begun, read, whole, *both = ask(page, WRITER, READER, *requests)[2:]
    first, second = both
    assert begun + first == second  # the line is that of its seed, in spite of the other one
    assert len(begun) == 2 and "doubtful" not in begun[-1]
    assert {"text", "doubtful", "words"} <= set(read[0][0]) and "doubtful" in whole[-1]


@pytest.mark.parametrize(
    ("role", "name", "message"),
    [
        ("writer", "none", "none.bin could not be loaded ("),
        ("reader", "writer", "is a writer; a reader is needed"),
    ],
)
def test_a_network_that_cannot_be_loaded_is_named(page, role, name, message):
    request = dict(task="load", role=role, name=f"networks/{name}.bin")
    ((answer,),) = ask(page, request)
    assert message in answer["error"]


def test_a_network_with_a_weight_that_is_not_a_number_is_refused(page):
    header, _, rest = (page / "networks" / "writer.bin").read_bytes().partition(b"\n")
    content = header + b"\n" + b"\xff" * (len(rest) - 32)
    broken = page / "networks" / "broken.bin"
    broken.write_bytes(content + hashlib.sha256(content).digest())
    ((answer,),) = ask(page, dict(WRITER, name="networks/broken.bin"))
    assert "has a value that is not a number; export it again" in answer["error"]


@pytest.mark.slow
def test_a_stroke_of_100_000_points_is_read(page):
    stroke = np.cumsum(np.random.default_rng(3).normal(size=(100_000, 2)), 0)
    _, (answer,) = ask(page, READER, dict(task="read", strokes=[stroke.tolist()]))
    assert "text" in answer[0]


def test_a_line_is_the_same_wherever_on_a_sheet_its_primer_was_written(page):
    moved = np.add(PRIMER["strokes"], (512, 1024)).tolist()
    requests = [write("cd", style=hand) for hand in (PRIMER, PRIMER | dict(strokes=moved))]
    first, second = (array(answers[-1]) for answers in ask(page, WRITER, *requests)[1:])
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_a_writer_without_hand_vectors_has_no_hand(page):
    assert ask(page, WRITER, dict(task="hand", style="", seed=1))[1] == [None]


def test_a_hand_vector_is_that_of_a_seed_or_of_lines(page):
    lines = [dict(text="v", strokes=[[[0, 0, 5, 0.5], [9, 90, 6, 0.5], [20, 3, 7, 0.5]]])]
    hands = [dict(task="hand", style="", seed=seed) for seed in (1, 1, 2)]
    hands.append(dict(task="hand", lines=lines))
    writer = dict(WRITER, name="networks/hands.bin")
    *vectors, written = ask(page, writer, *hands, write("ab", style="asked"))[1:]
    first, again, other, mine = (vector for (vector,) in vectors)
    assert first == again and len({*map(tuple, (first, other, mine))}) == 3
    assert [*map(len, (first, other, mine))] == [7] * 3 and written[-1]["strokes"]


@pytest.mark.slow
def test_the_shipped_networks_write_level_lines_of_x_height_1_that_can_be_read(page):
    loading = [dict(WRITER, name="networks/shipped_writer.bin")]
    loading.append(dict(READER, name="networks/shipped_reader.bin"))
    for role in ("writer", "reader"):
        flat_file.save(page / "networks" / f"shipped_{role}.bin", load(role, "cpu"))
    texts = ["The quick brown fox"]
    lines = [
        dict(text=line.text, strokes=[stroke.tolist() for stroke in strokes(line.ink)])
        for line in read_ink(LINES)[:4]
    ]
    requests = [dict(task="hand", lines=lines), *(write(text, style="asked") for text in texts)]
    answers = ask(page, *loading, *requests)[3:]
    judge = load(JUDGE, "cpu")
    for text, (*_, done) in zip(texts, answers, strict=True):
        ink = array(done)
        level, angle = levelled(ink)
        assert abs(x_height(level) - 1) < 0.25 and abs(np.degrees(angle)) < 3
        assert abs(baseline(level)) < 0.3 and abs(ink[0, 1]) < 4
        assert judge.read(ink) == text and done["doubtful"] == []
