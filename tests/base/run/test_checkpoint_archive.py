"""What torch would allocate for a checkpoint is refused before, if the file does not store it."""

import io
import pickle
import struct
import tracemalloc
import zipfile

import pytest
import torch

from base.run.checkpoint import load_checkpoint
from base.run.checkpoint_archive import checked_archive
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


def larger(parts):
    """A storage of thousands of millions of numbers, as the pickle says."""
    old = b"K\x32K\x32\x86"  # the shape (50, 50)
    assert old in parts["archive/data.pkl"]
    return parts | {
        "archive/data.pkl": parts["archive/data.pkl"].replace(old, b"M\xff\xffM\xff\xff\x86")
    }


TYPED = "torch\nFloatStorage\n"
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
        lambda: with_pickle(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."),
        "not loaded: it holds more than tensors",
    ),
    "bytes": (
        lambda: with_pickle(b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"."),
        "truncated or damaged",
    ),
    "a far memo": (lambda: with_pickle(b"\x80\x02}r\xff\xff\xff\x7f."), "not loaded"),
    "lists in lists": (lambda: with_pickle(REPEATED), "too many values"),
    "complex numbers": (lambda: saved(torch.zeros(3, dtype=torch.complex64)), "not loaded"),
    "sparse numbers": (lambda: saved(torch.eye(3).to_sparse()), "not loaded"),
    "a view": (lambda: saved(torch.zeros(1).expand(1 << 40)), "more numbers than the file"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_in_little_memory(tmp_path, kind):
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
        checked_archive(stream)


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


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "int64", "int16", "uint8", "bool"])
def test_plain_numbers_are_accepted(dtype):
    value = {"a": torch.zeros(3, dtype=getattr(torch, dtype)), "b": (1 << 70, [None, 2.5])}
    checked_archive(io.BytesIO(saved(value)))
    assert pickle.loads(pickle.dumps(value))
