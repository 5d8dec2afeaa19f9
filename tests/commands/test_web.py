"""The page is served on this machine alone, and writes as a learned hand where asked."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from http.client import HTTPConnection
from socket import create_connection

import pytest

import experiments
from apps.pages.hands import calibrated
from apps.pages.styles import write_style
from apps.web import flat_file, page_networks, site
from apps.web.page_networks import is_flat_file
from commands import web
from model import load
from model.generation.hand_encoder import DESCRIPTOR
from tests.commands.networks import ROOT, save, use
from utils import local_server
from utils.checks import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The page's folder is another one."""
    (tmp_path / "networks").mkdir()
    shutil.copy(site.PAGE_FOLDER / "index.html", tmp_path)
    monkeypatch.setattr(site, "PAGE_FOLDER", tmp_path)
    networks = [tmp_path / "networks" / name for name in ("writer.bin", "descriptor.bin")]
    monkeypatch.setattr(site, "NETWORKS", networks)
    return tmp_path


@pytest.fixture
def serve(request):
    """Serve the page on a free port, and return how to get what is at a path."""

    def start():
        server = web._listen(0, site.page_files())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        request.addfinalizer(server.server_close)
        request.addfinalizer(server.shutdown)

        def get(path, method="GET", host=None, **headers):
            connection = HTTPConnection("127.0.0.1", server.server_port)
            connection.putrequest(method, path, skip_host=host is not None)
            for name, value in headers.items() | ({("Host", host)} if host else set()):
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer, answer.read()

        assert server.server_address[0] == "127.0.0.1"
        get.port = server.server_port
        return get

    return start


def test_the_page_is_served_with_its_policy_and_right_types(serve):
    get = serve()
    kinds = {
        "/": "text/html",
        "/main.js?again": "text/javascript",
        "/style.css": "text/css",
        "/engine.wasm": "application/wasm",
    }
    for path, kind in kinds.items():
        answer, content = get(path)
        assert answer.status == 200 and answer.headers["Content-Type"] == kind and content
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = answer.headers["Content-Security-Policy"].removesuffix("; frame-ancestors 'none'")
        assert policy != answer.headers["Content-Security-Policy"]  # a page cannot say that
        assert "default-src 'self'" in policy and "'wasm-unsafe-eval'" in policy
        assert policy in " ".join(get("/")[1].decode().split())  # the page says the same


def test_nothing_is_served_but_the_files_that_were_there_at_the_start(folder, serve, capfd):
    (folder / "networks" / "writer.bin").write_bytes(b"the writer")
    (folder / "networks" / "hand.bin").write_bytes(b"a network")
    get = serve()
    (folder / "later.js").write_text("later")
    assert get("/networks/writer.bin")[1] == b"the writer"
    answer, content = get("/", method="HEAD")
    assert answer.status == 200 and int(answer.headers["Content-Length"]) > 1000 and not content
    paths = ["/networks/hand.bin", "/later.js", "/networks", "/networks/", "/libc/", "/.",
             "/%00", "/index.html%00", "/../README.md", "/%2e%2e/README.md", "//[", "*",
             "/" + "a" * 5000]  # fmt: skip
    for path in paths:
        answer, _ = get(path)
        assert answer.status == 404 and answer.headers["X-Content-Type-Options"] == "nosniff", path
    assert capfd.readouterr().err == ""


def test_a_request_for_another_host_is_refused(serve):
    """As the page of one may come to lead here, by its name (DNS rebinding)."""
    get = serve()
    for host in (f"127.0.0.1:{get.port}", f"localhost:{get.port}"):
        assert get("/", host=host)[0].status == 200
    names = ["evil.example", f"127.0.0.1.evil.example:{get.port}", "localhost:80", "127.0.0.1:"]
    names += [f"evil.example:{get.port}", ":", "127.0.0.1", "localhost", f"[::1]:{get.port}"]
    for host in names:
        answer, content = get("/", host=host)
        assert answer.status == 421 and b"Handwriting" not in content, host


def test_a_request_with_two_hosts_is_refused(serve):
    get = serve()
    local = f"127.0.0.1:{get.port}"
    for hosts in ([local, "evil.example"], [local, local], ["evil.example", local]):
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        for method in ("GET", "HEAD", "POST"):
            with create_connection(("127.0.0.1", get.port), timeout=20) as connection:
                connection.sendall(f"{method} / HTTP/1.1\r\n{lines}\r\n".encode())
                assert b" 400 " in connection.makefile("rb").readline(), (method, hosts)


def test_idle_connections_do_not_block_the_page(serve, monkeypatch):
    monkeypatch.setattr(local_server, "MAX_CONNECTIONS", 3)
    get, threads = serve(), threading.active_count()
    idle = [create_connection(("127.0.0.1", get.port), timeout=20) for _ in range(9)]
    assert get("/")[0].status == 200
    for connection in idle[:7]:  # ended by those that came later
        assert connection.recv(1) == b""
    while (
        threading.active_count() > threads + local_server.MAX_CONNECTIONS
    ):  # else the test's time limit
        time.sleep(0.01)
    for connection in idle:
        connection.close()


def test_a_port_that_is_taken_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(site, "NETWORKS", [])
    with web._listen(0, {}) as server, pytest.raises(UserError) as error:
        experiments.main(["web", "--port", str(server.server_port)])
    assert str(error.value).startswith(f"--port {server.server_port}: cannot be served (")
    assert str(error.value).endswith("choose another one with --port)")


@pytest.fixture
def start(folder, monkeypatch):
    """Run the command up to where it would serve, on a free port; return what it would."""
    listen, served = web._listen, []

    def begin(*words):
        assert experiments.main(["web", *words]) == 0
        return served.pop()

    def listening(port, files):
        served.append({path: file.read_bytes() for path, file in files.items()})
        return listen(0, files)

    monkeypatch.setattr(web, "_listen", listening)
    monkeypatch.setattr(local_server.LocalServer, "serve_forever", lambda server: None)
    monkeypatch.setattr(web.webbrowser, "open", lambda address: None)
    return begin


def test_the_option_hand_serves_a_learned_hand_for_this_start_only(
    start, folder, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    network = save(run / "hand.pth", "SynthesisNetwork", end_of_sequence=True)
    flat_file.save(writer := folder / "networks" / "writer.bin", load(network, "cpu"))
    shipped = writer.read_bytes()
    with pytest.raises(UserError, match=r"--hand: .*hand\.pth learned no hand: beside it is no"):
        start("--hand", str(run))
    ink = [[0, 0, 0], [3, -40, 0], [9, 40, 0], [8, -30, 0], [9, 33, 0], [5, -20, 1]]
    write_style(run / "hand.json", ink, "abc", "hand", [0.0] * DESCRIPTOR)
    bars = []
    monkeypatch.setattr(
        flat_file,
        "calibrated",
        lambda *given, progress: bars.append(progress) or calibrated(*given),
    )
    files = start("--hand", str(run))
    assert bars == [True]
    header = json.loads(files["/networks/writer.bin"].partition(b"\n")[0])
    assert header["styles"]["hand"]["text"] == "abc"
    assert header["name"] == "run"  # which whoever learned the hand chose
    assert start()["/networks/writer.bin"] == shipped
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != run]
    assert not any(b'"abc"' in path.read_bytes() for path in kept)


def test_a_browser_that_cached_a_hand_gets_the_writer_though_its_file_is_older(folder, serve):
    """After `--hand`, from the same address."""
    (folder / "networks" / "writer.bin").write_bytes(b"the writer")
    later = formatdate(time.time() + 1000, usegmt=True)
    answer, content = serve()("/networks/writer.bin", If_Modified_Since=later)
    assert answer.status == 200 and content == b"the writer"


def write_flat_file(path):
    start = page_networks.FLAT_FILE_START
    path.write_bytes(start + hashlib.sha256(start).digest())


WITHOUT_TORCH = """
import sys
from pathlib import Path
import experiments
from apps.web import site
from utils.checks import UserError
port, site.PAGE_FOLDER = sys.argv[1], Path(sys.argv[2])
site.NETWORKS = [site.PAGE_FOLDER / "writer.bin"]
try:
    experiments.main(["web", "--port", port])
except UserError:
    print("taken" if "torch" not in sys.modules else "torch")
"""


def test_the_page_starts_without_torch_when_its_networks_exist(tmp_path):
    write_flat_file(tmp_path / "writer.bin")
    with web._listen(0, {}) as server:
        words = [sys.executable, "-c", WITHOUT_TORCH, str(server.server_port), str(tmp_path)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "taken\n", done.stderr


@pytest.mark.slow
def test_networks_that_are_missing_are_computed_once(start, folder, capsys):
    shutil.rmtree(folder / "networks")
    assert b"non-commercial" in start()["/networks/writer.bin"]
    said = capsys.readouterr().out
    assert said.startswith("making networks of the page, which takes half a minute: writer, desc")
    assert "writer.bin  (4." in said
    start()
    assert "writer.bin" not in capsys.readouterr().out


def test_network_is_missing_when_it_is_broken_or_older_than_its_checkpoint_or_a_style(
    folder, tmp_path, monkeypatch
):
    writer, descriptor = site.NETWORKS
    write_flat_file(writer)
    write_flat_file(descriptor)
    assert page_networks.missing(site.NETWORKS) == []
    descriptor.write_bytes(descriptor.read_bytes()[:-1])  # a copy that was broken off
    assert page_networks.missing(site.NETWORKS) == [descriptor]
    write_flat_file(descriptor)
    os.utime(writer, (0, 0))
    assert page_networks.missing(site.NETWORKS) == [writer]
    style = tmp_path / "new.json"
    style.touch()
    os.utime(style, (later := time.time() + 100, later))
    monkeypatch.setattr(page_networks, "styles", lambda: {"new": style})
    assert page_networks.missing(site.NETWORKS) == [writer, descriptor]


def test_a_flat_file_is_exported_by_its_ending(tmp_path, capsys):
    network = save(tmp_path / "run" / "hand.pth", "SynthesisNetwork", end_of_sequence=True)
    path = tmp_path / "a.bin"
    use("export", "-r", network, path)
    assert str(path) in capsys.readouterr().out and is_flat_file(path)
    assert b'"styles"' not in path.read_bytes()  # no ink without being asked for it
    use("export", "-r", network, path)  # an export may be replaced
    with pytest.raises(UserError, match=r"a\.bin: a \.bin file has no config; leave out -o"):
        use("export", "-r", network, path, "-o", "data_loader.args.batch_size=8")
    path.write_text("mine")
    with pytest.raises(UserError, match="itself or no export; name another file"):
        use("export", "-r", network, path)
    assert path.read_text() == "mine"
