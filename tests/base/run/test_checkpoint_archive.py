"""What is saved is opened; what torch would allocate is refused if the file does not store it."""

import io
import struct
import tracemalloc
import zipfile

import pytest
import torch
from every_kind import refused, tensors, values

from base.run import checkpoint_archive
from base.run.checkpoint import load_checkpoint
from base.run.checkpoint_archive import from_archive, to_archive
from tests.base.run.test_checkpoint import content
from utils.checks import CheckpointError


def saved(value=None) -> bytes:
    stream = io.BytesIO()
    torch.save(content() if value is None else value, stream)
    return stream.getvalue()


def changed(change, compression=zipfile.ZIP_STORED) -> bytes:
    """Return a checkpoint whose parts a function has changed."""
    with zipfile.ZipFile(io.BytesIO(saved())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, part in change(parts).items():
            archive.writestr(name, part)
    return stream.getvalue()


def with_pickle(steps: bytes) -> bytes:
    return changed(lambda parts: parts | {"archive/data.pkl": steps})


def built(parts):
    """A tensor whose attributes the pickle sets."""
    state = saved(torch.zeros(2))
    with zipfile.ZipFile(io.BytesIO(state)) as archive:
        return {n: archive.read(n) for n in archive.namelist()} | {
            "archive/data.pkl": archive.read("archive/data.pkl")[:-1] + b"}b."
        }


def farther(parts):
    """A tensor that begins behind the file."""
    old = b"QK\x00K\x32K\x32\x86"
    assert old in parts["archive/data.pkl"]
    steps = parts["archive/data.pkl"].replace(old, b"QJ\xff\xff\xff\x7fK\x32K\x32\x86")
    return parts | {"archive/data.pkl": steps}


def larger(parts):
    """A storage of thousands of millions of numbers, as the pickle says."""
    old = b"K\x32K\x32\x86"  # the shape (50, 50)
    assert old in parts["archive/data.pkl"]
    return parts | {
        "archive/data.pkl": parts["archive/data.pkl"].replace(old, b"M\xff\xffM\xff\xff\x86")
    }


CHECKED_SET = b"c__builtin__\nset\nq\x00"
SETS = b"\x80\x02](]q\x01(" + b"".join(b"M" + struct.pack("<H", n) for n in range(2000)) + b"e"
SETS += CHECKED_SET + b"h\x00h\x01\x85R" * 3000 + b"e."
TEXT = (
    b"\x80\x02](X"
    + struct.pack("<I", 100_000)
    + b"x" * 100_000
    + b"q\x01X\x06\x00\x00\x00latin1q\x02"
)
TEXTS = TEXT + b"c_codecs\nencode\nq\x00" + b"h\x00h\x01h\x02\x86R" * 3000 + b"e."
PAIRS = b"K\x01q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
"""A tuple that has a tuple twice, which has a tuple twice, and so on."""
REPEATED = (
    b"\x80\x02]q\x00" + b"".join(b"]q%c(h%ch%ce" % (n, n - 1, n - 1) for n in range(1, 60)) + b"."
)
HOSTILE = {
    "compressed": (lambda: changed(dict, zipfile.ZIP_DEFLATED), "compressed, as no checkpoint is"),
    "a shape": (lambda: changed(larger), "more numbers than the file stores"),
    "a storage": (lambda: changed(lambda p: p | {"archive/data/0": b"1234"}), "not the size"),
    "no storage": (
        lambda: changed(lambda p: {n: c for n, c in p.items() if "data/" not in n}),
        "not the size",
    ),
    "no pickle": (
        lambda: changed(lambda p: {n: c for n, c in p.items() if ".pkl" not in n}),
        "not a checkpoint of this project",
    ),
    "a huge bytearray": (
        lambda: with_pickle(b"\x80\x02c__builtin__\nbytearray\nJ\x00\xa3\xe1\x11\x85R."),
        "not loaded: it holds more than tensors",
    ),
    "bytes": (
        lambda: with_pickle(b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"."),
        "not loaded",
    ),
    "a far memo": (lambda: with_pickle(b"\x80\x02}r\xff\xff\xff\x7f."), "not a checkpoint"),
    "lists in lists": (lambda: with_pickle(REPEATED), "too many values"),
    "sets of a list": (lambda: with_pickle(SETS), "too many values"),
    "bytes of a text": (lambda: with_pickle(TEXTS), "too many values"),
    "a key that is never hashed": (
        lambda: with_pickle(b"\x80\x02](" + PAIRS + b"}h\x3cK\x01se."),
        "too many values",
    ),
    "a set of what is never hashed": (
        lambda: with_pickle(b"\x80\x02](" + PAIRS + CHECKED_SET + b"](h\x3ce\x85Re."),
        "too many values",
    ),
    "a deep key": (lambda: with_pickle(b"\x80\x02})" + b"\x85" * 10**5 + b"K\x01s."), "deep"),
    "compressed bytes": (
        lambda: with_pickle(
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00xX\x03\x00\x00\x00zip\x86R."
        ),
        "not loaded",
    ),
    "a function": (lambda: with_pickle(b"\x80\x02" + CHECKED_SET + b"."), "not loaded"),
    "attributes of a tensor": (lambda: changed(built), "not loaded"),
    "a parameter of a number": (
        lambda: with_pickle(
            b"\x80\x02ctorch._utils\n_rebuild_parameter\nK\x01\x88ccollections\nOrderedDict\n)R\x87R."
        ),
        "not loaded",
    ),
    "sparse numbers": (
        lambda: saved(torch.eye(3).to_sparse()),
        "sparse tensors are not saved: use",
    ),
    "a view": (lambda: saved(torch.zeros(1).expand(1 << 40)), "more numbers than the file"),
    "windows": (lambda: saved(torch.zeros(9).unfold(0, 8, 1)), "more numbers than the file"),
    "a far place": (lambda: changed(farther), "more numbers than the file"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_in_little_memory(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(checkpoint_archive, "FREE_VALUES", 100_000)  # This takes less time.
    make, message = HOSTILE[kind]
    (tmp_path / "a.pth").write_bytes(make())
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(tmp_path / "a.pth")
    assert tracemalloc.get_traced_memory()[1] < 200_000_000
    tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_parts_that_share_bytes_of_the_file_are_refused():
    names = [f"archive/{name}" for name in ("data.pkl", *"abc")]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(names[0], b"x" * 5000)
        first = archive.filelist[0]
        for name in names[1:]:
            again = zipfile.ZipInfo(name)
            again.header_offset, again.CRC = first.header_offset, first.CRC
            again.file_size = again.compress_size = first.file_size
            archive.filelist.append(again)
            archive.NameToInfo[name] = again
    with pytest.raises(CheckpointError, match="its parts are larger than the file"):
        from_archive(stream)


def with_two_lists(first: bytes, second: bytes) -> bytes:
    """Return an archive of which the list of `first` is where the end of the file says, and that
    of `second`, of the same length, before the end of the file, where Python reads it."""
    (_, size, place), (*_, other_place) = (
        struct.unpack("<HII", archive[-12:-2]) for archive in (first, second)
    )
    body, names = first[: place + size] + second[:other_place], bytearray(second[other_place:-22])
    at = 0
    while at < len(names):
        *lengths, offset = struct.unpack_from("<3H8xI", names, at + 28)
        # Python adds the distance of the two places to each offset.
        struct.pack_into("<I", names, at + 42, offset + place + size - (len(body) - place))
        at += 46 + sum(lengths)
    return body + bytes(names) + first[-22:]


def test_torch_loads_the_parts_that_were_checked(tmp_path):
    """Of two lists of parts, it would take the other."""
    plain = changed(dict)
    other = changed(lambda parts: {**parts, "archive/data/0": bytes(len(parts["archive/data/0"]))})
    path = tmp_path / "a.pth"
    path.write_bytes(plain)
    weights = load_checkpoint(path)["state_dict"]
    path.write_bytes(with_two_lists(other, plain))
    name = next(name for name, value in weights.items() if value.any())
    assert not torch.equal(torch.load(path, weights_only=True)["state_dict"][name], weights[name])
    torch.testing.assert_close(load_checkpoint(path)["state_dict"], weights, rtol=0, atol=0)


def test_a_large_file_that_is_no_archive_is_not_read(tmp_path):
    with open(tmp_path / "a.pth", "wb") as file:
        file.truncate(1 << 28)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        load_checkpoint(tmp_path / "a.pth")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("name", values() | tensors())
def test_each_kind_is_opened_as_it_was_saved(name):
    value = (values() | tensors())[name]
    saved = {"a": [value], 7: (value, {"b": None}), "c": float("inf")}
    opened = from_archive(to_archive(saved))
    assert list(opened) == list(saved) and opened[7][1] == {"b": None} and opened["c"] > 9
    again = opened["a"][0]
    assert type(again) is type(value) and again is opened[7][0]
    if isinstance(value, torch.Tensor):
        assert again.dtype == value.dtype and again.requires_grad == value.requires_grad
        assert again.tolist() == value.tolist()
        assert again.nbytes == again.untyped_storage().nbytes()  # whole, and nothing else
    else:
        assert again == value


@pytest.mark.parametrize("name", refused())
def test_what_cannot_be_opened_is_not_saved_and_its_place_and_a_remedy_are_named(name):
    value, remedy = refused()[name]
    entries = [torch.ones(2), *range(50), value, *range(50)]
    with pytest.raises(CheckpointError, match=f"^a.b.51 = .*{remedy}") as caught:
        to_archive({"first": torch.ones(3), "a": {"b": entries}})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_storages_stay_shared_and_repeated_numbers_are_whole_once():
    whole = torch.arange(1000.0)
    wide = torch.ones(1).expand(1000)
    file = to_archive([whole, whole[10:20], whole.view(10, 100).t(), wide, wide])
    assert len(file.getbuffer()) < 11_000
    first, part, turned, *copies = from_archive(file)
    first.zero_()
    assert not part.any() and not turned.any() and turned.shape == (100, 10)
    copies[0][3] = 5.0  # Each number has a place of its own.
    assert copies[1].sum() == 1004


def test_the_larger_a_file_the_more_values_it_may_have(monkeypatch):
    monkeypatch.setattr(checkpoint_archive, "FREE_VALUES", 100)
    numbers = [0.1 * n for n in range(20_000)]
    content = {"list": numbers, "flags": [True] * 20_000, "set": {*range(9000)}, "text": "é" * 9000}
    content |= {
        "bytes": bytes(9000),
        "array": bytearray(9000),
        "deep": {(n, (n,)): n for n in range(299)},
    }
    assert from_archive(to_archive(content)) == content
    with pytest.raises(
        CheckpointError,
        match=r" = \[\[0.0, .*: too many values for a file of its size, .*use a tensor",
    ):
        to_archive([[numbers] * 99])


def test_a_state_in_itself_is_refused():
    state = {"a": [1]}
    state["a"].append(state)
    with pytest.raises(
        CheckpointError, match=r"^a\.1 = .*: values in each other more than 300 deep"
    ):
        to_archive(state)


@pytest.mark.parametrize("depth", [400, 5000])
def test_a_value_that_is_too_deep_is_refused_by_its_first_names(depth):
    value = 1
    for _ in range(depth):
        value = {"b": value}
    message = r"^a\.b.{1,100} = .*: values in each other more than 300 deep$"
    with pytest.raises(CheckpointError, match=message):
        to_archive({"first": 1, "a": value})


def test_tensors_of_two_types_on_the_same_numbers_are_refused():
    numbers = torch.ones(3)
    state = {"a": [1, {"b": numbers, "c": numbers.view(torch.int32)}]}
    with pytest.raises(CheckpointError, match=r"^a\.1 = .*share their numbers.*: use clone\(\)$"):
        to_archive(state)


def test_a_file_that_would_be_too_large_to_be_opened_is_not_saved(monkeypatch):
    monkeypatch.setattr(checkpoint_archive, "MAX_CHECKPOINT_BYTES", 10_000)
    file = to_archive(torch.zeros(1000))
    monkeypatch.setattr(checkpoint_archive, "MAX_CHECKPOINT_BYTES", 1000)
    for works in (lambda: from_archive(file), lambda: to_archive(torch.zeros(1000))):
        with pytest.raises(CheckpointError, match="larger than 1,000 bytes"):
            works()
