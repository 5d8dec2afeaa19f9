"""One call on a file fails, or the disk stays full: a message that names the file, and no loss."""

import random
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.campaign import use
from tests.campaign.disk import ERRORS, FULL, fail_at
from tests.campaign.frame import Done, Family, demand, run
from tests.campaign.kills import KINDS
from tests.campaign.resumption import stopped_halfway
from tests.campaign.tiny import (
    CONFIG,
    RUN,
    TRAIN,
    Whole,
    changed,
    check_no_traceback,
    check_resumes,
    check_same,
    check_tidy,
    check_told,
    check_whole,
    trained,
    undisturbed,
)


def failing(words: Sequence[str], rng: random.Random, folder: Path, whole: Whole) -> Done:
    """Run a program of which a random call fails, and demand a message that says so."""
    number, code = rng.randrange(len(whole.calls)), rng.choice(ERRORS)
    told = folder.with_name("failing.txt")
    lasting = code in FULL and rng.random() < 0.5
    done = run(words, hook=fail_at(number, code, told, lasting=lasting))
    if not told.exists():  # other calls than undisturbed, and fewer
        demand(done.status == 0, f"nothing failed, and it ended with {done.status}")
        return done
    failed = told.read_text().replace(f"{folder.resolve()}/", "").splitlines()
    print(f"what failed, from call {number} on: {failed}")
    check_no_traceback(done)
    demand(done.status in (0, 1, 2), f"{failed[0]}: it ended with {done.status}")
    if done.status:
        errors = list(dict.fromkeys(re.findall(r"(?:^|[\r\n])error: (.+)", done.output)))
        demand(len(errors) == 1, f"{failed[0]}: {len(errors)} errors instead of one message")
        # A temporary file is known to nobody: its message names what it was to become. Of
        # TensorBoard's files, whose names mean nothing, it names the folder.
        paths = [Path(one.partition(" ")[2]) for one in failed]
        names = {re.sub(r"^\.(.+)\.\d+-\w+\.tmp$", r"\1", path.name) for path in paths}
        names |= {str(path.parent) for path in paths if path.name.startswith("events.out")}
        named = any(name in errors[0] for name in names)
        demand(named, f"{failed[0]}: not named by {errors[0]!r}")
    return done


def while_training(rng: random.Random, folder: Path) -> None:
    """Let a call of a new run fail, and resume it."""
    whole = trained(changed(CONFIG, rng.choice(KINDS)))
    _check(failing(TRAIN, rng, folder, whole), whole)


def while_resuming(rng: random.Random, folder: Path) -> None:
    """Let a call of a resumed run fail, and resume it again."""
    config = changed(CONFIG, rng.choice(KINDS))
    whole, stopped = trained(config), stopped_halfway(config)

    def give() -> None:
        shutil.copytree(stopped / "saved", "saved")

    words = ["train.py", "-r", str(RUN), "-d", "cpu"]
    resumed = undisturbed(f"resumed-{stopped.parent.name}", words, give)
    give()
    _check(failing(words, rng, folder, resumed), whole)


def _check(done: Done, whole: Whole) -> None:
    check_whole(Path("saved"))
    check_told(done)
    if done.status == 0:
        check_same(whole)
    check_resumes(whole)


def while_used(rng: random.Random, folder: Path) -> None:
    """Let a call fail while something is drawn, exported, scored or read."""
    what = rng.choice(list(use.USES))
    whole = use.used(what)
    use.give()
    before = use.give_older(what) if rng.random() < 0.5 else {}
    done = failing(use.USES[what], rng, folder, whole)
    use.check_products(before, whole)
    if done.status == 0:
        use.check_done(whole)
    use.check_again(what, whole)
    check_tidy(folder)


FAMILIES = [
    Family("failing calls while training", 140, while_training),
    Family("failing calls while resuming", 60, while_resuming),
    Family("failing calls while drawing, exporting, scoring, reading", 100, while_used),
]
