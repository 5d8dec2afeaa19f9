"""Defines options of commands that use trained networks, and prints tables of scores."""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import model
from base.run.pretrained import pretrained, resolve_network
from commands.shared.options import Parser, add_device
from utils.checks import UserError, number, short, visible
from utils.files import prepare_output

FIGURES = "saved/figures"  # default of --output
MAIN_SCORES = ("cer", "log_loss", "squared_error")
"""Scores by which networks are compared; the first score that an evaluation has is used."""
MAX_PICTURED_LINES = 50  # lines in a picture (assumed)
WORD_ADDRESS = re.compile(r"\d{1,9}:\d{1,9}:\d{1,9}")


def add_network(
    parser: Parser, default: str | None = None, nargs: str | None = None, *, of_style: bool = False
) -> None:
    """Add -r, --device and --module.

    Args:
        parser: the command's parser.
        default: default of -r; None if -r is required, or if `of_style`.
        nargs: number of values of -r.
        of_style: whether -r defaults to the style's network (`apps.pages.styles.network_of`).
    """
    default_help = ""
    if default:
        default_help = " (default: %(default)s)"
    elif of_style:
        default_help = " (default: the style's network, or else writer)"
    parser.add_argument(
        *("-r", "--resume"),
        metavar="CHECKPOINT",
        required=default is None and not of_style,
        default=default,
        nargs=nargs,
        help="checkpoint, run folder (its newest complete checkpoint is used), or name of a "
        f"pretrained network ({', '.join(pretrained())}){default_help}",
    )
    add_device(parser)
    if of_style:  # A network writes faster on a CPU than on a GPU (benchmarks/README.md).
        parser.set_defaults(device="cpu")


@dataclass(frozen=True)
class Networks:
    """Loads networks, and prints their names.

    Attributes:
        device: device on which the networks compute.
        modules: Python files with the user's classes.
        verbose: whether names are printed.
    """

    device: str
    modules: list[Path]
    verbose: bool = True

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Networks":
        """Return the values of --device and --module."""
        return cls(arguments.device, arguments.modules)

    def load(self, path: str | Path) -> "model.TrainedNetwork":
        """Load a network; raise a UserError as `model.load` does."""
        resolve_network(path)  # refuses an unknown name before torch is imported
        self.load_modules()
        network = model.load(path, self.device)
        if self.verbose:
            print_visible(network)
        return network

    def writer(self, path: str | Path, *, of_texts: bool = False) -> "model.Writer":
        """Load a network that writes; with `of_texts`, the network must take a text."""
        network = self.load(path)
        return model.checked_writer(network, of_texts=of_texts)

    def reader(self, path: str | Path) -> "model.Reader":
        """Load a network that reads."""
        network = self.load(path)
        return model.checked_reader(network)

    def load_modules(self) -> None:
        """Load the user's classes."""
        from base.config import user_modules

        for path in self.modules:
            user_modules.load_module(path)


def check_readable(*paths: str | Path | None) -> None:
    """Raise a UserError if a path does not exist; to be called before torch is imported."""
    for path in filter(None, paths):
        try:
            Path(path).expanduser().stat()
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def add_seed(parser: Parser, meaning: str) -> None:
    """Add --seed."""
    meaning += " (default: %(default)s)"
    parser.add_argument("--seed", type=number(int, 0, 2**32), default=0, metavar="N", help=meaning)


class Output:
    """The value of --output: a folder, or a file with a suffix that the command allows.

    Attributes:
        path: path on the command line.
        file: the path if it is a file; None if it is a folder.
        folder: folder into which files are written.

    Raises:
        UserError: if the path looks like a file with another suffix, such as letter.pdf.
    """

    def __init__(self, path: str, suffixes: Sequence[str] = ()) -> None:
        self.path = Path(path)
        is_folder = os.path.isdir(path)
        suffix = self.path.suffix.lower()
        self.file = self.path if suffix in suffixes and not is_folder else None
        self.folder = self.path.parent if self.file else self.path
        if suffix[1:].isalpha() and not (is_folder or self.file):
            file = f", or a file that ends in {', '.join(suffixes)}" if suffixes else ", not a file"
            raise UserError(f"{path}: a folder is needed{file}")

    def make(self) -> None:
        """Make the folder, and check that files can be written into it."""
        prepare_output(self.path, "--output", self.folder)

    def named(self, name: str) -> Path:
        """Return the file of the command line, or else the path of a file `name` in the folder."""
        return self.file or self.folder / name


def add_output(parser: Parser, suffixes: Sequence[str] = (), default: str | None = FIGURES) -> None:
    """Add --output: a folder, or a file whose suffix is one of `suffixes`."""
    file_help = f", or a file ending in {' or '.join(suffixes)}" if suffixes else ""
    default_help = " (default: %(default)s)" if default else ""
    parser.add_argument(
        "--output",
        type=partial(Output, suffixes=suffixes),
        default=default,
        metavar="PATH" if suffixes else "FOLDER",
        help=f"output folder, where files of the same name are replaced{file_help}{default_help}",
    )


def print_visible(*lines: object) -> None:
    """Print lines that may have text from files, also in paths; see `visible`."""
    for line in lines:
        print(visible(str(line)))


def print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print a table. A row is a mapping from column names to texts; it may lack columns."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names]
    for row in rows:
        lines.append([visible(row.get(name, "")) for name in names])
    label_width, *widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for label, *texts in lines:
        cells = [text.rjust(width) for text, width in zip(texts, widths, strict=True)]
        print("  ".join([label.ljust(label_width), *cells]))


def require(arguments: argparse.Namespace, **needed: str) -> None:
    """Refuse options that have no effect without another option.

    Args:
        arguments: the command's arguments.
        needed: the name of the needed option, by the name of the option that needs it.

    Raises:
        UserError: if a needed option is missing; names both options.
    """
    for name, other in needed.items():
        if getattr(arguments, name) not in (None, False) and not getattr(arguments, other):
            message = f"--{name} is for --{other}, which is not given"
            raise UserError(message.replace("_", "-"))


def word_address(text: str) -> tuple[int, int, int]:
    """Parse PAGE:ROW:WORD: return the numbers of a page, a row and a word."""
    if not WORD_ADDRESS.fullmatch(text):
        expected = (
            "the numbers of a page, a row and a word, each of up to nine digits, such as 1:8:3"
        )
        raise UserError(f"{short(text)}: {expected}")
    page, row, word = map(int, text.split(":"))
    return page, row, word
