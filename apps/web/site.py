"""Finds the files of the page, makes its networks, and writes them as a static site."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from apps.web import page_networks
from base.run.pretrained import SHIPPED, installed_network
from utils.checks import UserError

PAGE_FOLDER = Path(__file__).resolve().parent
NETWORKS = [
    page_networks.NETWORK_FOLDER / f"{name}.bin" for name in ("writer", "reader", "descriptor")
]
OPEN_NETWORKS = [SHIPPED / "pretrained" / f"{name}.bin" for name in ("open_writer", "open_reader")]
SITE_SUFFIXES = {".html", ".css", ".js", ".wasm", ".svg", ".txt", ".bin"}
PACKAGE_SCRIPTS = ("package_worker", "recognizer")
"""Scripts of the npm package that the page does not load."""
SITE_LIST = "site.txt"
"""File of a site that names the site's files: only a folder with nothing else is replaced."""


def has_research_networks() -> bool:
    """Return whether the networks of `NETWORKS` are installed; else warn of the open networks in
    their place."""
    networks = (installed_network(name) for name in ("writer", "reader"))
    return all(file and file.stem in ("writer", "reader") for file in networks)


def make_networks() -> None:
    """Make those of `NETWORKS` that are missing, or older than their checkpoints."""
    paths = page_networks.missing(NETWORKS)
    if paths:
        names = ", ".join(path.stem for path in paths)
        print(f"making networks of the page, which takes half a minute: {names}", flush=True)
        from apps.web import flat_file

        flat_file.make(paths)
    for path in paths:
        print(f"{path}  ({path.stat().st_size / 2**20:.1f} MiB)")


def page_files(networks: Sequence[Path] | None = None) -> dict[str, Path]:
    """Return the files of the page by their addresses on the server, with the page's networks or
    others in their place."""
    paths = (path for path in PAGE_FOLDER.iterdir() if path.suffix in SITE_SUFFIXES)
    addresses = {f"/{path.name}": path for path in paths if path.stem not in PACKAGE_SCRIPTS}
    if networks is None:
        networks = NETWORKS
    for path in networks:
        addresses[f"/networks/{path.name.removeprefix('open_')}"] = path
    return addresses | {"/": PAGE_FOLDER / "index.html"}


def write_site(folder: Path, files: Mapping[str, Path]) -> None:
    """Write the page as static files; the folder is never there in part.

    Args:
        folder: a new folder, or one that this function wrote.
        files: the files of the page by their addresses.

    Raises:
        UserError: if the folder has other files, or cannot be written.
    """
    target = folder.resolve()
    check_replaceable(target)
    names = (name for name in files if Path(name).suffix in SITE_SUFFIXES)
    # `view` is the page of the viewer of notes, which needs its server.
    site = {name[1:]: files[name] for name in names if Path(name).stem != "view"}
    site["LICENSE"] = PAGE_FOLDER.parents[1] / "LICENSE"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that a rename moves the whole site into its place.
        with TemporaryDirectory(prefix=f".{target.name[:40]}.", dir=target.parent) as temporary:
            new = Path(temporary, "new")
            old = Path(temporary, "old")
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


def check_replaceable(folder: Path) -> None:
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
    fault = f"has other files, such as {names[0]}" if names else "is no folder"
    raise UserError(f"--output {folder}: it {fault}; name a new folder, or one with a site alone")
