"""The page is served on this machine alone, and writes as a learned hand where asked."""

import json
import shutil
import threading
import time
from http.client import HTTPConnection

import pytest

import experiments
from commands import web
from handwriting import flat_file
from tests.commands.networks import save, use
from utils.checks import UserError
from utils.style_file import write_style


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """The page's folder of networks is another one."""
    folder = tmp_path / "networks"
    folder.mkdir()
    shutil.copy(web.FOLDER / "index.html", tmp_path)
    monkeypatch.setattr(web, "FOLDER", tmp_path)
    monkeypatch.setattr(web, "NETWORKS", folder)
    monkeypatch.setattr(web, "HAND", folder / "hand.bin")
    return folder


@pytest.fixture
def serve(request):
    """Serve the page on a free port, and return how to get what is at a path."""

    def start(learned=False):
        server = web._listen(0, learned)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        request.addfinalizer(server.server_close)
        request.addfinalizer(server.shutdown)

        def get(path, leaves=False):
            connection = HTTPConnection("127.0.0.1", server.server_port)
            connection.request("GET", path)
            if leaves:
                return connection.close()
            answer = connection.getresponse()
            return answer, answer.read()

        assert server.server_address[0] == "127.0.0.1"
        return get

    return start


def test_the_page_is_served_with_its_policy(serve):
    get = serve()
    for path, kind in {"/": "html", "/main.js": "javascript", "/engine.wasm": "wasm"}.items():
        answer, content = get(path)
        assert answer.status == 200 and kind in answer.headers["Content-Type"] and content
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "'wasm-unsafe-eval'" in policy
        assert policy in " ".join(get("/")[1].decode().split())  # the page says the same
    assert get("/../README.md")[0].status == get("/%2e%2e/README.md")[0].status == 404


def test_a_browser_that_leaves_is_no_error(networks, serve, capfd):
    """It closes its connection while it is sent more than fits in one buffer."""
    (networks / "large").write_bytes(bytes(2**24))
    get = serve()
    get("/networks/large", leaves=True)
    get("/")  # By its answer the one before has been begun.
    while any("process_request" in thread.name for thread in threading.enumerate()):
        time.sleep(0.01)
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_one_error(networks):
    with web._listen(0, False) as server, pytest.raises(UserError) as told:
        experiments.main(["web", "--port", str(server.server_port)])
    assert str(told.value).startswith(f"--port {server.server_port}: cannot be served (")
    assert str(told.value).endswith("choose another one with --port)")


def test_a_learned_hand_is_what_the_page_writes_with(networks, serve, tmp_path, monkeypatch):
    run, listen, opened = tmp_path / "run", web._listen, []
    save(run / "hand.pth", "SynthesisNetwork", "own_hand", end_of_sequence=True)
    monkeypatch.setattr(flat_file, "make_missing", lambda folder: [])
    monkeypatch.setattr(web, "_listen", lambda port, learned: listen(0, learned))
    monkeypatch.setattr(web.ThreadingHTTPServer, "serve_forever", lambda server: None)
    monkeypatch.setattr(web.webbrowser, "open", opened.append)
    with pytest.raises(UserError, match=r"--hand: .*hand\.pth learned no hand: beside it is no"):
        experiments.main(["web", "--hand", str(run)])
    ink = [[0, 0, 0], [3, -40, 0], [9, 40, 0], [8, -30, 0], [9, 33, 0], [5, -20, 1]]
    write_style(run / "hand.json", ink, "abc", "hand", None)
    experiments.main(["web", "--hand", str(run)])
    assert len(opened) == 1
    header = json.loads(web.HAND.read_bytes().partition(b"\n")[0])
    assert header["styles"]["hand"]["text"] == "abc"
    assert header["name"] == "run"  # which whoever learned the hand chose


def test_the_hand_stands_for_the_writer_where_it_was_learned(networks, serve):
    (networks / "writer.bin").write_bytes(b"the shipped one")
    web.HAND.write_bytes(b"the hand")
    assert serve()("/networks/writer.bin")[1] == b"the shipped one"
    assert serve(learned=True)("/networks/writer.bin")[1] == b"the hand"


def test_a_flat_file_is_exported_by_its_ending(tmp_path, capsys):
    network = save(tmp_path / "run" / "hand.pth", "SynthesisNetwork", end_of_sequence=True)
    path = tmp_path / "a.bin"
    use("export", "-r", network, path)
    assert str(path) in capsys.readouterr().out and flat_file.is_flat_file(path)
    assert b'"styles"' not in path.read_bytes()  # no ink without being asked for it
    use("export", "-r", network, path)
    with pytest.raises(UserError, match=r"a\.bin: a \.bin file has no config; leave out -o"):
        use("export", "-r", network, path, "-o", "data_loader.args.batch_size=8")
    path.write_text("mine")
    with pytest.raises(UserError, match="this is no earlier export; name another file"):
        use("export", "-r", network, path)
    assert path.read_text() == "mine"
