"""Files and archives made for tests."""

import io
import tarfile


def put(root, files):
    """Write files into a folder by name, each of bytes or a text, and return the folder."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def pack(path, files, mode="w:gz"):
    """Write an archive; a value is the content of a file, or a TarInfo to be added as it is."""
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def pack_folders(root, files, mode="w:gz"):
    """Write files by name, each folder `X` of them as an archive `X-all.tar.gz`."""
    put(root, {name: content for name, content in files.items() if "/" not in name})
    for folder in {name.partition("/")[0] for name in files if "/" in name}:
        inside = {name: files[name] for name in files if name.startswith(f"{folder}/")}
        pack(root / f"{folder}-all.tar.gz", inside, mode)
    return root
