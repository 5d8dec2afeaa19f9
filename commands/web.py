"""Write, read and record a hand in the browser, or save the page as a static site."""

import argparse
import shutil
import webbrowser
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from apps.pages import page_networks
from commands.options import Parser, number
from commands.writing_options import ink_of
from utils.checks import UserError
from utils.local_server import LocalPage, LocalServer

PORT = 8753
"""Default port. It must stay the same, because browsers keep recorded lines by address and port."""
FOLDER = Path(__file__).resolve().parents[1] / "apps" / "web"
NETWORKS = [FOLDER / "networks" / f"{name}.bin" for name in ("writer", "reader", "descriptor")]
OPEN_NETWORKS = [FOLDER / "networks" / f"{name}.bin" for name in ("open_writer", "open_reader")]
SITE_SUFFIXES = {".html", ".css", ".js", ".wasm", ".svg", ".txt", ".bin"}
SITE_LIST = "site.txt"
"""File of a site that names the site's files: only a folder with nothing else is replaced."""
HEADERS = """Let the host send these headers, which a page cannot set:
  Content-Security-Policy: frame-ancestors 'none'
  X-Content-Type-Options: nosniff
  Cache-Control: no-cache"""


def add_options(parser: Parser) -> None:
    port = "port of the page; a browser keeps recorded lines by port (default: %(default)s)"
    parser.add_argument("--port", type=number(int, 1, 65535), default=PORT, metavar="N", help=port)
    hand = "folder of a run that learned a person's hand: the page writes with the run's network "
    hand += "(default: with the network writer)"
    parser.add_argument("--hand", metavar="RUN_FOLDER", help=hand)
    networks = "open: open_writer and open_reader, whose weights anyone may publish; research: "
    networks += "writer and reader, for non-commercial research (default: %(default)s)"
    choices = ("open", "research")
    parser.add_argument("--networks", choices=choices, default="research", help=networks)
    output = "do not serve the page, but save it as static files in this folder, for any host"
    parser.add_argument("--output", type=Path, metavar="SITE", help=output)


def run(arguments: argparse.Namespace) -> None:
    with TemporaryDirectory() as folder:
        networks = OPEN_NETWORKS if arguments.networks == "open" else NETWORKS
        files = page_files(networks)
        if arguments.output:
            _check_replaceable(arguments.output)
        make_networks(networks)
        if arguments.hand:
            print(f"measuring the hand of {arguments.hand}", flush=True)
            from apps.pages import flat_file
            from model.loading import load_writer

            writer = load_writer(arguments.hand, "cpu")
            files["/networks/writer.bin"] = hand = Path(folder, "hand.bin")
            flat_file.save(hand, writer, ink_of(writer, "--hand"))
        if arguments.output:
            write_site(arguments.output, files)
            print(f"{arguments.output}\n{HEADERS}")
            return
        with _listen(arguments.port, files) as server:
            address = f"http://127.0.0.1:{server.server_port}/"
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:  # The usual end of the command.
                print()


def make_networks(networks: Sequence[Path] | None = None) -> None:
    """Make the networks that are missing, or older than their checkpoints; by default those of the
    page."""
    paths = page_networks.missing(NETWORKS if networks is None else networks)
    if paths:
        names = ", ".join(path.stem for path in paths)
        print(f"making networks of the page, which takes half a minute: {names}", flush=True)
        from apps.pages import flat_file

        flat_file.make(paths)
    for path in paths:
        print(f"{path}  ({path.stat().st_size / 2**20:.1f} MiB)")


def page_files(networks: Sequence[Path] | None = None) -> dict[str, Path]:
    """Return the files of the page by their addresses on the server, with the page's networks or
    others in their place."""
    paths = [*filter(Path.is_file, FOLDER.iterdir())]
    addresses = {f"/{path.name}": path for path in paths}
    for path in NETWORKS if networks is None else networks:
        addresses[f"/networks/{path.name.removeprefix('open_')}"] = path
    return addresses | {"/": FOLDER / "index.html"}


def write_site(folder: Path, files: Mapping[str, Path]) -> None:
    """Write the page as static files; the folder is never there in part.

    Args:
        folder: a new folder, or one that this function wrote.
        files: the files of the page by their addresses.

    Raises:
        UserError: if the folder has other files, or cannot be written.
    """
    target = folder.resolve()
    _check_replaceable(target)
    names = (name for name in files if Path(name).suffix in SITE_SUFFIXES)
    site = {name[1:]: files[name] for name in names if Path(name).stem != "view"}  # of the viewer
    site["LICENSE"] = FOLDER.with_name("LICENSE")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{target.name[:40]}.", dir=target.parent) as beside:
            new, old = Path(beside, "new"), Path(beside, "old")
            for name, path in site.items():
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, new / name)
            (new / SITE_LIST).write_text("".join(f"{name}\n" for name in [*site, SITE_LIST]))
            if target.exists():
                target.rename(old)
            try:
                new.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
    except OSError as error:
        raise UserError(f"--output {folder}: cannot be written ({error.strerror})") from None


def _check_replaceable(folder: Path) -> None:
    """Raise a UserError unless a folder is missing, empty, or has the files of a site alone."""
    if not folder.exists():
        return
    names = []
    if folder.is_dir():
        paths = (path for path in folder.rglob("*") if not path.is_dir())
        names = [path.relative_to(folder).as_posix() for path in paths]
        listed = folder / SITE_LIST
        ours = listed.read_text(errors="replace").splitlines() if listed.is_file() else []
        names = sorted({*names} - {*ours})
        if not names:
            return
    found = f"has other files, such as {names[0]}" if names else "is no folder"
    raise UserError(f"--output {folder}: it {found}; name a new folder, or one with a site alone")


def _listen(port: int, files: Mapping[str, Path]) -> LocalServer:
    """Return a server on a port; `files` are the page's files by address."""
    try:
        return LocalServer(("127.0.0.1", port), partial(LocalPage, files))
    except OSError as error:
        reason = f"{error.strerror}; choose another one with --port"
        raise UserError(f"--port {port}: cannot be served ({reason})") from None
