"""Prepared data at an address: of files, and of moto's server where it is installed."""

import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import redirect_stderr
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest

from data_loader import InkMLDataset
from data_loader.sources import fetching, source
from data_loader.sources.fetching import fetched
from tests.data_loader import ink_formats
from utils.checks import ConfigFault, DataError

COUNT = 4


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """The prepared folder of some files, each a shard, with what a run keeps of them."""
    root = tmp_path_factory.mktemp("ink")
    for number in range(COUNT):
        ink = ink_formats.inkml([[(0, 0), (number, 9), (3, 4)]])
        (root / f"{number:02}.inkml").write_bytes(ink)
    dataset = InkMLDataset(root=str(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK_BYTES", 1)  # so that each file is a block
        loaded = dataset.load()
    assert loaded.fingerprints and loaded.ink_sums
    return dataset.make().folder


@pytest.fixture
def fetched_here(monkeypatch):
    """Files of this machine are fetched in this process: faster, and no thread is left of them."""
    in_a_child = subprocess.run

    def run(words, **options):
        if not words[3].startswith("file:"):
            return in_a_child(words, **options)
        monkeypatch.setattr(sys, "argv", words[2:])
        with redirect_stderr(StringIO()) as said:
            return subprocess.CompletedProcess(words, fetching.main(), "", said.getvalue())

    monkeypatch.setattr(fetching, "subprocess", SimpleNamespace(run=run))


def at(address, cache, **options):
    return InkMLDataset(root=str(address), cache=str(cache), **options)


def inks(loaded):
    return {sample.name: sample.ink.tolist() for sample in loaded.used}


def shards_in(cache):
    return sorted(path.name for path in cache.glob("fetched-*/[0-9]*-*"))


@pytest.fixture(params=["file", "s3"])
def address(request, origin, tmp_path, monkeypatch):
    """An address of the prepared folder, and a folder that has what is there."""
    if request.param == "file":
        copy = shutil.copytree(origin, tmp_path / "origin")
        yield f"file://{copy}", lambda name, content: (copy / name).write_bytes(content)
        return
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("moto.server", reason="moto[server] is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    for name, value in zip(names, ("test", "test", "us-east-1"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    try:
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        files = s3fs.S3FileSystem(skip_instance_cache=True)
        files.mkdir("ink")
        files.put(str(origin), "ink/made", recursive=True)
        yield "s3://ink/made", lambda name, content: files.pipe(f"ink/made/{name}", content)
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
@pytest.mark.usefixtures("fetched_here")
def test_data_at_an_address_are_the_same_as_in_a_local_folder(address, origin, tmp_path):
    there, _ = address
    local, loaded = at(origin, tmp_path).load(), at(there, tmp_path).load()
    assert loaded.fingerprints == local.fingerprints and loaded.ink_sums == local.ink_sums
    assert shards_in(tmp_path) == []  # what was kept was fetched, too
    assert inks(loaded) == inks(local) and len(shards_in(tmp_path)) == COUNT


@pytest.mark.slow
@pytest.mark.usefixtures("fetched_here")
def test_a_shard_with_a_wrong_byte_is_refused_until_it_is_whole_again(address, origin, tmp_path):
    there, write = address
    name, loaded = "00003-000/points.npy", at(there, tmp_path).load()
    whole = (origin / name).read_bytes()
    write(name, whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DataError, match=r"made|origin: 00003-000 cannot .* have its digest, in 3"):
        inks(loaded)
    assert "00003-000" not in shards_in(tmp_path)
    write(name, whole)
    assert inks(loaded) == inks(at(origin, tmp_path).load())


@pytest.mark.usefixtures("fetched_here")
def test_the_shards_that_were_opened_longest_ago_make_room(origin, tmp_path):
    size = sum(file.stat().st_size for file in (origin / "00000-000").iterdir())
    dataset = at(f"file://{origin}", tmp_path)
    dataset.shard_cache_gb = 3.5e-9 * size
    loaded = dataset.load()
    assert inks(loaded) == inks(at(origin, tmp_path).load())
    assert len(shards_in(tmp_path)) == 3
    numbers = np.random.default_rng(0).permutation(COUNT)
    assert all(len(loaded.used[int(number)].ink) == 3 for number in numbers)


@pytest.mark.slow
def test_a_fetch_that_was_killed_or_had_no_room_is_repeated(origin, tmp_path, monkeypatch):
    loaded = at(f"file://{origin}", tmp_path).load()
    folder = next(tmp_path.glob("fetched-*"))
    (folder / ".fetched-1" / "half").mkdir(parents=True)  # as a killed process leaves it
    monkeypatch.setattr(subprocess, "run", killed := Killed(subprocess.run))
    with pytest.raises(DataError, match="it ended with status -9"):
        inks(loaded)
    assert killed.times == 1
    monkeypatch.undo()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(DataError, match=r"cannot be fetched \(.*File too large"):
            loaded.used[0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert inks(loaded) == inks(at(origin, tmp_path).load())
    assert not [*folder.glob(".fetched-*")]


class Killed:
    """Runs a command that is killed at once."""

    def __init__(self, run):
        self.run, self.times = run, 0

    def __call__(self, words, **options):
        self.times += 1
        code = f"import os, signal; os.kill(os.getpid(), {int(signal.SIGKILL)})"
        return self.run([sys.executable, "-c", code], **options)


@pytest.mark.parametrize("name", ["../00000-000", "../a.npy", "/tmp/a.npy", "00000-000/a.npy", "a"])
def test_a_file_that_an_index_names_outside_its_folder_is_not_fetched(name, origin, tmp_path):
    with pytest.raises(DataError, match="is no file of prepared data"):
        fetched(f"file://{origin}", tmp_path / "cache", 10**9, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("root", ["s3://bucket::file:///etc", "S3://bucket", "http://", "s3:///"])
def test_an_address_that_is_chained_or_incomplete_is_refused(root, tmp_path):
    with pytest.raises(
        ConfigFault, match="a folder, or the address of a prepared folder, such as s3"
    ):
        at(root, tmp_path).load()


@pytest.mark.usefixtures("fetched_here")
def test_a_slash_at_the_end_of_an_address_makes_no_difference(origin, tmp_path):
    for end in ("", "/", "//"):
        assert inks(at(f"file://{origin}{end}", tmp_path).load()) == inks(at(origin, "").load())
    assert len([*tmp_path.glob("fetched-*")]) == 1


def test_the_memory_of_another_process_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"^memory://ink: .*memory:// differs in each process"):
        at("memory://ink", tmp_path).load()


@pytest.mark.usefixtures("fetched_here")
def test_only_columns_are_fetched_and_an_index_that_names_other_files_is_refused(origin, tmp_path):
    copy = shutil.copytree(origin, tmp_path / "copy")
    index = (copy / "index.json").read_text()
    assert inks(at(f"file://{copy}", tmp_path / "cache").load()) == inks(at(origin, "").load())
    names = {file.name for file in tmp_path.glob("cache/fetched-*/*-*/*")}
    assert names == {"points.npy", "samples.npy", "strings.npy"}
    (copy / "index.json").write_text(index.replace("points.npy", "../points.npy"))
    with pytest.raises(DataError, match=r"damaged or missing: index\.json"):
        at(f"file://{copy}", tmp_path / "other").load()
    assert not [*tmp_path.glob("other/fetched-*/*-*")]
