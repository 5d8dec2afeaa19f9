"""How like the hands become that a network learns, and how legible they stay.

Of each hand some lines are learned (`configs/own_hand.json`, or --config). `utils.hand_likeness`,
which took part in no training, then says of each written line whose hand it is, as it does of the
person's other lines. A folder keeps what was measured: a run that is stopped goes on.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import BaseDataset
from base.pretrained import HANDS
from base.run_folder import RunFolder
from data_loader import EmbeddedDataset, IAMOnDBDataset, read_ink
from data_loader.sources.hand import Pair, brought
from data_loader.synthetic.corpus import held_out
from model import load
from model.recognition.error_rates import rates
from trainer import own_hand
from utils import hand_likeness
from utils.ink import strokes

ROOT = Path(__file__).resolve().parent.parent
FORMS = (
    *("f09-518z", "g04-116z", "a01-048z", "e02-134z", "b07-568z", "e01-009z", "r08-617z"),
    *("e03-137z", "g07-205z", "d08-544z", "r06-412z", "m06-736z", "j10-457z", "d09-664z"),
    *("j07-370z", "g04-085z", "g06-172z", "g06-150z", "j10-480z"),
)
"""Forms of testset_v: one of each session of at least eight usable lines, by the clock in the
files, so that no two are of one person. The first five were used to choose the recipe."""
EMBEDDED = 20
"""Invented writers, of whom the classifier has seen none."""
SENTENCES = 20
BIAS = 0.75


def recorded(root: str) -> dict[str, list[Pair]]:
    """Return the lines of `FORMS`."""
    source = IAMOnDBDataset(root=root, subset=None, strict=False)
    source.prepare()
    return _by_hand(source, "valid", source.group, FORMS)


def invented() -> dict[str, list[Pair]]:
    """Return lines of invented writers."""
    size = 250 * EMBEDDED
    source = EmbeddedDataset(seed=77, size=size, valid_size=1, test_size=1, writers=EMBEDDED)
    source.prepare()
    return _by_hand(source, "train", source.writer, None)


def _by_hand(source: BaseDataset, split: str, of, wanted) -> dict[str, list[Pair]]:
    found = defaultdict(list)
    for index in source.indices(split).tolist():
        text = source.text(index)
        if (wanted is None or of(index) in wanted) and "#" not in text:  # a scribble in IAM-OnDB
            found[of(index)].append((source.ink(index), text))
    return {name: found[name] for name in wanted or sorted(found)}


def learn(name: str, lines: Sequence[Pair], folder: Path, arguments) -> tuple[RunFolder, float]:
    """Train on lines as a user would; return the run, and how many seconds it took."""
    run = RunFolder(arguments.config.stem, f"{folder.name}-{name}")
    start = time.perf_counter()
    if not (run.models / own_hand.WRITER).exists():
        for stopped in (run.models, run.log):  # a training that did not end
            shutil.rmtree(stopped, ignore_errors=True)
        values = [
            {"text": text, "strokes": [s.tolist() for s in strokes(ink)]} for ink, text in lines
        ]
        data = folder / f"{name}.json"
        data.write_text(json.dumps(values))
        words = ["-c", str(arguments.config), "-r", arguments.network, "--data", str(data)]
        words += ["--run-id", run.run_id, "-o", "trainer.args.samples=0", *arguments.train]
        subprocess.run([sys.executable, "train.py", *words], cwd=ROOT, check=True)
    return run, time.perf_counter() - start


def misread_of(inks: Sequence[np.ndarray], texts: Sequence[str]) -> float:
    """Return the share of characters that `judge` misreads."""
    return rates(zip(texts, load("judge", "cpu").read_lines(inks), strict=True))["cer"]


def measured(name: str, lines: Sequence[Pair], folder: Path, arguments) -> dict:
    """Learn a hand and write in it; return where lines lie in the space of hands, and errors."""
    path = folder / f"{name}-measured.json"
    if path.exists():
        return json.loads(path.read_text())
    run, seconds = learn(name, lines[: arguments.lines], folder, arguments)
    before = load(arguments.network, "cpu")
    after = load(run.models / own_hand.WRITER, "cpu")
    space = hand_likeness.load(HANDS)
    found = own_hand.Prepared.load(run.models / own_hand.FILE)
    (style,) = read_ink(run.models / own_hand.STYLE)
    learned = read_ink(folder / f"{name}.json")
    inks = brought([(one.ink, one.text) for one in learned], found.height, found.step)
    primer = next(
        (ink, style.text) for ink, one in zip(inks, learned, strict=True) if one.text == style.text
    )
    texts = held_out(SENTENCES)
    result = {
        "seconds": seconds,
        "others": space.embed([ink for ink, _ in lines[arguments.lines :][:SENTENCES]]).tolist(),
    }
    for network, which in ((before, "before"), (after, "now")):
        for how, given in (("alone", None), ("primed", primer)):
            written = network.write_lines(texts, list(range(SENTENCES)), bias=BIAS, primer=given)
            inks = [one.written for one in written]
            result[f"{which} {how}"] = {
                "places": space.embed([ink for ink in inks if len(ink) > 9]).tolist(),
                "errors": misread_of(inks, texts),
            }
    path.write_text(json.dumps(result))
    return result


def main(arguments: argparse.Namespace) -> None:
    """Measure all hands, and print the table."""
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    hands = recorded(arguments.data) if arguments.data else invented()
    space = hand_likeness.load(HANDS)
    between = space.between.astype(np.float64)
    samples = [
        space.embed([ink for ink, _ in lines[: arguments.lines]]) for lines in hands.values()
    ]
    chosen = list(hands)[arguments.skip :]
    found = [measured(name, hands[name], folder, arguments) for name in chosen]
    middle = np.mean([sample.mean(axis=0) for sample in samples[arguments.skip :]], axis=0)

    def told(places: list, shift: np.ndarray | float = 0.0) -> float:
        likely = [
            hand_likeness.likelihoods(np.array(lines) - shift, samples, between).argmax(axis=1)
            for lines in places
        ]
        right = [(one == k + arguments.skip).mean() for k, one in enumerate(likely)]
        return float(np.mean(right))

    seconds = np.median([one["seconds"] for one in found])
    print(f"{len(found)} of {len(hands)} hands, {arguments.lines} lines each; {seconds:.0f} s each")
    print(
        f"{'told to be of the right hand':<30} {'':>8} {'less what is common':>20} {'misread':>8}"
    )
    others = told([one["others"] for one in found])
    rest = [hands[name][arguments.lines :][:SENTENCES] for name in chosen]
    misread = np.mean([misread_of(*zip(*lines, strict=True)) for lines in rest])
    print(f"{'other recorded lines':<30} {others:8.1%} {'':>20} {misread:8.1%}")
    for name in ("before alone", "before primed", "now alone", "now primed"):
        places = [np.array(one[name]["places"]) for one in found]
        shift = np.mean([one.mean(axis=0) for one in places], axis=0) - middle
        misread = np.mean([one[name]["errors"] for one in found])
        print(f"{name:<30} {told(places):8.1%} {told(places, shift):20.1%} {misread:8.1%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("--data", help="folder of IAM-OnDB: forms of testset_v; else invented writers")
    add("--lines", type=int, default=4, help="lines of each hand that are learned")
    add("--skip", type=int, default=0, help="hands, from the first, that are only told from others")
    add("--network", default="writer", help="network that learns")
    add("--config", type=Path, default=ROOT / "configs" / "own_hand.json", help="of the training")
    add("--output", type=Path, required=True, help="folder that keeps what was measured")
    add("train", nargs="*", help="further options of train.py, behind --")
    main(parser.parse_args())
