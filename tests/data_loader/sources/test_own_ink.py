import pytest

from data_loader.sources.own_ink import OwnInk
from utils.checks import DataError


def dataset_of(content, **options):
    class Mine(OwnInk):
        def lines(self):
            yield from content

    dataset = Mine(**options)
    dataset.prepare()
    return dataset


STROKES = [[(0, 0), (3, -4)], [], [(5, 5)]]


def test_lists_become_ink():
    dataset = dataset_of([(f"text {n}", STROKES) for n in range(20)])
    assert len(dataset) == 20 and dataset.lengths.tolist() == [3] * 20
    assert dataset.ink(3).tolist() == [[0, 0, 0], [3, -4, 1], [2, 9, 1]]
    assert (dataset.text(3), dataset.name(3), dataset.writer(3)) == ("text 3", "line-000003", "")
    assert all(len(dataset.indices(split)) for split in ("train", "valid", "test"))
    assert "Mine: 20 lines" in dataset.report()
    dataset.ink(3)[:] = 7
    assert dataset.ink(3)[0, 0] == 0


def test_y_may_grow_upwards_and_writers_be_known():
    class Upwards(OwnInk):
        y_grows_down = False

        def lines(self):
            return [("a", STROKES, f"w{n % 30}") for n in range(300)]

    dataset = Upwards()
    dataset.prepare()
    assert dataset.ink(0)[1].tolist() == [3, 4, 1]
    train, valid = ({dataset.writer(n) for n in dataset.indices(s)} for s in ("train", "valid"))
    assert not train & valid


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("text", r"not \(text, strokes\) or \(text, strokes, writer\) \('text'\)"),
        ((1, STROKES), "a text or a writer that is not a string"),
        (("a", "b"), "strokes that are not a list"),
        (("a", [[(0, 0), (1, "x")]]), r"stroke 0 is not a list of \(x, y\)"),
        (("a", [[(0, 0, 0), (1, 2, 3)]]), r"stroke 0 is not a list of \(x, y\) \(shape \(2, 3\)"),
        (("a", [[(0, 0)], [(1, 2), (3,)]]), "stroke 1 is not a list of"),
        (("a", [[(0, 0), (1, float("nan"))]]), "a non-number among the points"),
        (("a", [[(0, 0)]]), "a single point"),
        (("a", [[(0, 0)] * 101]), r"more than 100 points \(the limit max_points"),
        (("a\x00", STROKES), "control characters"),
    ],
)
def test_a_broken_line_is_an_error_with_its_number(line, message):
    with pytest.raises(DataError, match=rf"^Mine: line 2 \(from 0\): {message}"):
        dataset_of([("a", STROKES), ("b", STROKES), line], max_points=100)


def test_nothing_and_too_little_are_errors():
    with pytest.raises(DataError, match=r"^Mine: lines\(\) yields nothing"):
        dataset_of([])
    with pytest.raises(DataError, match=r"^Mine: no lines for the split .*: 2 in all"):
        dataset_of([("a", STROKES)] * 2)
