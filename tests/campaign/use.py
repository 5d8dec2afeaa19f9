"""Uses of trained networks that write files, over older ones or into an empty folder."""

import shutil
from pathlib import Path

from data_loader import EmbeddedDataset
from tests import tiny_config
from tests.campaign.frame import demand, run
from tests.campaign.tiny import (
    CONFIG,
    READER,
    RUN,
    WRITER,
    Whole,
    changed,
    check_went_well,
    check_whole,
    trained,
    undisturbed,
)
from utils.page.inkml import write_inkml

OUT = Path("out")
USES = {
    "draw": [
        *("write", "-r", "writer.pth", "--text", "ab", "--num-samples", "2", "--steps", "9"),
        *("--set", "inkml=yes", "--show", "window", "--output", "out"),
    ],
    "export": ["export", "-r", "writer.pth", "out/mine.pth"],
    "score": ["evaluate", "-r", "writer.pth", "--output", "out"],
    "read": ["read", "-r", "reader.pth", "ink.inkml", "--output", "out"],
    "score a reader": ["evaluate", "-r", "reader.pth", "--output", "out"],
}
USES = {what: ["experiments.py", *words, "-d", "cpu"] for what, words in USES.items()}
USES["make a style"] = [
    *("experiments.py", "style", "make", "--ink", "ink.inkml", "--name", "a", "--output", "out")
]
"""Words of a command, by what it does."""


def used(what: str, epoch: int = 2) -> Whole:
    """Return what a use of the networks after an epoch comes to, undisturbed."""
    return undisturbed(f"{what}-{epoch}", USES[what], lambda: give(epoch))


def give(epoch: int = 2) -> None:
    """Put networks after an epoch, ink, and an empty folder into the working directory."""
    for name, kind in (("writer", WRITER), ("reader", READER)):
        whole = trained(changed(CONFIG, kind | {"trainer.args.keep_last": None}))
        shutil.copy(whole.folder / RUN / f"checkpoint-epoch{epoch}.pth", f"{name}.pth")
    line = EmbeddedDataset(**tiny_config.DATASET).load().used[0]
    write_inkml("ink.inkml", line.ink, line.text)
    OUT.mkdir(exist_ok=True)


def give_older(what: str) -> dict[str, bytes]:
    """Put the files of the networks before where the use writes, and return them."""
    if what == "make a style":  # It overwrites none.
        return {}
    shutil.copytree(used(what, 1).folder / OUT, OUT, dirs_exist_ok=True)
    return products(OUT)


def products(folder: Path) -> dict[str, bytes]:
    """Return the files under a final name, by name."""
    there = (path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in there}


def check_products(before: dict[str, bytes], whole: Whole) -> None:
    """Demand that each file is what it was before, or what it becomes."""
    now, after = products(OUT), products(whole.folder / OUT)
    check_whole(OUT)
    gone = before.keys() - now.keys()
    demand(not gone, f"{gone} was there before and is gone")
    odd = [name for name in now if now[name] not in (before.get(name), after.get(name))]
    demand(not odd, f"{odd} is neither what was there nor what was to be written")


def check_done(whole: Whole) -> None:
    """Demand that all is there that comes of the use, as it is undisturbed."""
    now, after = products(OUT), products(whole.folder / OUT)
    different = [name for name in after if now.get(name) != after[name]]
    demand(not different, f"{different} is another than undisturbed")


def check_again(what: str, whole: Whole) -> None:
    """Demand that the same in peace comes to the same."""
    Path("out/a.json").unlink(missing_ok=True)  # A style is not overwritten.
    check_went_well(run(USES[what]), "once more")
    check_done(whole)
