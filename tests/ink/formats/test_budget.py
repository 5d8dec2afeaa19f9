"""What is parsed is limited: of a file, of a whole archive, and of all that `read_ink` reads."""

import pytest

from data_loader import InkMLDataset, read_ink
from ink.formats.budget import MAX_PARSED
from tests.data_loader import ink_formats
from tests.data_loader.archives import pack, put
from utils.checks import DataError

LONG = [[(n, n % 9) for n in range(400)]]


DIGIT = ink_formats.mnist(LONG)


def digits(root, count, content=DIGIT, name="s.tar.gz"):
    return pack(root / name, {f"trainimg-{n}-inputdata.txt": content for n in range(count)})


def collection(root, count):
    line = ink_formats.unipen(["a"], LONG)
    return pack(root / "u.tar.gz", {f"data/7/a/{n}": line for n in range(count)})


def folder(root, count):
    for number in range(count):
        digits(root, 1, name=f"s{number}.tar.gz")
    return root


PLACES = {
    "digits in an archive": digits,
    "archives in a folder": folder,
    "a collection in an archive": collection,
    "own lines": lambda root, count: put(root, {"a.json": ink_formats.own([("a", LONG)] * count)}),
    "stroke arrays": lambda root, count: put(root, {"a.npy": ink_formats.arrays([LONG] * count)}),
}


@pytest.mark.parametrize("kind", PLACES)
def test_the_limit_is_on_all_that_is_parsed_of_a_file_or_folder(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("ink.formats.budget.MAX_PARSED", 200_000)
    assert len(read_ink(PLACES[kind](tmp_path, 4))) == 4
    with pytest.raises(DataError, match=r"more than 200,000 bytes .* is parsed; divide it(:|$)"):
        read_ink(PLACES[kind](tmp_path, 60))


def test_the_limit_of_a_dataset_is_on_each_file_and_not_on_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("ink.formats.budget.MAX_PARSED", 150_000)
    put(tmp_path, {f"{n}.inkml": ink_formats.inkml(LONG) for n in range(30)})
    assert len(InkMLDataset(root=str(tmp_path)).load().used) == 30
    with pytest.raises(DataError, match=r"^more than 150,000 bytes when"):
        read_ink(tmp_path)


def test_as_many_members_as_mnist_has_are_read(tmp_path, monkeypatch):
    """70,000 digits of five files each, here in proportion."""
    count, target = 40, ink_formats.target(7, 45)
    monkeypatch.setattr("ink.formats.budget.MAX_PARSED", MAX_PARSED * count // 70_000)
    files = {f"trainimg-{n}-inputdata.txt": ink_formats.mnist([LONG[0][:45]]) for n in range(count)}
    files |= {f"trainimg-{n}-targetdata.txt": target for n in range(count)}
    files |= {f"trainimg-{n}-{k}.txt": bytes(900) for n in range(count) for k in ("a", "b", "c")}
    assert len(read_ink(pack(tmp_path / "sequences.tar.gz", files))) == count
