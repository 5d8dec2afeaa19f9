"""Datasets of InkML files."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_loader.sources.source import DividedDataset
from ink import guard
from ink.formats.inkml.lines import parse
from ink.sample import Parsed
from utils.checks import ConfigFault


@dataclass(kw_only=True, eq=False)
class InkMLDataset(DividedDataset):
    """Samples in InkML files, with their transcriptions, if annotated.

    Args:
        root: a file, or a folder with files called `.inkml` or `.xml` (also in folders below).
        level: "file" makes a sample of each file, "group" of each outermost `<traceGroup>` that has
            a transcription.
        encoding: the files' encoding, such as "cp1256"; None takes the encoding that a file
            declares.
        require_text: leave out samples without transcription.

    Raises:
        ConfigFault: if there is no such encoding.
    """

    title = "InkML"
    file_names = re.compile(r".*\.(inkml|xml)", re.IGNORECASE)
    parsed_by = ("level", "encoding", "require_text")

    root: str = "data/inkml"
    level: Literal["file", "group"] = "file"
    encoding: str | None = None
    require_text: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoding is not None:
            try:
                b" ".decode(self.encoding, "ignore")
            except (LookupError, ValueError):
                expected = 'the name of an encoding, such as "cp1256", or null'
                raise ConfigFault("encoding", self.encoding, expected) from None

    def _parse(self, name: str, file: Path) -> Parsed:
        parsed = guard.call(parse, file, self.level, self.encoding)
        if self.require_text:
            parsed = parsed.require_text("no transcription")
        return parsed.within(name.removesuffix(file.suffix), "#", group=name)
