"""How well a network imitates a hand that it has learned, and how legibly it then writes.

A network learns some lines of each hand (`configs/own_hand.json`, or --config). `hand_likeness`,
which took part in no training, enrols each hand with lines of other forms, and assigns the written
lines and the remaining recorded lines to hands. As the result depends on the enrolled lines, a pass
enrols the last lines, another the first. A recogniser (--network reader, --config
configs/own_hand_reader.json) reads lines before and after it learns. The results are kept in a
folder, so that a stopped run can go on.
"""

import json
import shutil
import subprocess
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import Sample
from base.run_folder import RunFolder
from benchmarks import hand_likeness
from benchmarks.hand_likeness import likelihoods
from benchmarks.measures import main
from commands.options import Parser
from data_loader import EmbeddedDataset, IAMOnDBDataset, read_ink
from data_loader.synthetic.corpus import held_out
from handwriting.hands import write_in_hand
from handwriting.primers import extras_of_lines
from model import load
from model.generation.sampling_options import Primer, Sampling
from model.loading import HAND_FILE
from model.reader import Reader
from model.recognition.error_rates import rates
from model.writer import Writer
from trainer import own_hand
from utils.ink import strokes

ROOT = Path(__file__).resolve().parent.parent
PERSONS = ROOT / "benchmarks" / "persons.txt"
"""File of forms of testset_v: a row has the forms that a person wrote, by the clock in the files.
Most have some sixty lines, the last six thirty. The first five were used to choose the recipe."""
EMBEDDED = 20
"""Number of invented writers, all new to the classifier."""
ENROLLED = 20
"""Lines by which a hand is enrolled."""
SENTENCES = 20
"""Lines of each hand that are written or read."""
BIAS = 0.75
"""Bias of the written lines."""
Hand = list[list[Primer]]
"""Lines of a hand, by form."""


def recorded(root: str) -> dict[str, Hand]:
    """Return the lines of each person of `PERSONS`, by the person's first form."""
    samples = IAMOnDBDataset(root=root, subset=None, strict=False).load(["valid"]).split("valid")
    forms = lines_by(samples, attrgetter("group"))
    return {
        row[:8]: [forms[form] for form in row.split()] for row in PERSONS.read_text().splitlines()
    }


def invented() -> dict[str, Hand]:
    """Return lines of invented writers, by writer; each line counts as a form."""
    size = 250 * EMBEDDED
    source = EmbeddedDataset(seed=77, size=size, valid_size=1, test_size=1, writers=EMBEDDED)
    hands = lines_by(source.load(["train"]).split("train"), attrgetter("writer"))
    return {hand: [[line] for line in lines] for hand, lines in hands.items()}


def lines_by(samples: Iterable[Sample], key: Callable[[Sample], str]) -> dict[str, list[Primer]]:
    """Return lines by the value of `key` for each line."""
    lines = defaultdict(list)
    for sample in samples:
        if "#" not in sample.text:  # a scribble in IAM-OnDB
            lines[key(sample)].append((sample.ink, sample.text))
    return dict(sorted(lines.items()))


def divided(hand: Hand, count: int) -> tuple[list[Primer], list[Primer]]:
    """Return the first `count` lines of a hand, and the lines of the forms behind these."""
    starts = np.cumsum([0, *map(len, hand)])
    num_forms = int(np.searchsorted(starts, count))
    return list(chain(*hand[:num_forms]))[:count], list(chain(*hand[num_forms:]))


def enrolments(rest: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return, for both ways to enrol a hand, its enrolled lines and its other lines from `rest`."""
    return [(rest[-ENROLLED:], rest[:-ENROLLED]), (rest[:ENROLLED], rest[ENROLLED:])]


def learn(name: str, lines: Sequence[Primer], arguments: Namespace) -> RunFolder:
    """Train on lines as a user would, unless an earlier call has done so; return the run."""
    run = RunFolder(arguments.config.stem, f"{arguments.output.name}-{name}")
    if (run.models / HAND_FILE).exists():
        return run
    for stopped in (run.models, run.log):  # a training that did not end
        shutil.rmtree(stopped, ignore_errors=True)
    data = arguments.output / f"{name}.json"
    values = [{"text": text, "strokes": [s.tolist() for s in strokes(ink)]} for ink, text in lines]
    data.write_text(json.dumps(values))
    command = [sys.executable, "train.py", "-c", arguments.config, "-r", arguments.network]
    command += ["--data", data, "--run-id", run.run_id, "-o", "trainer.args.samples=0"]
    subprocess.run([*map(str, command)], cwd=ROOT, check=True)
    return run


def misread_of(inks: Sequence[np.ndarray], texts: Sequence[str], reader: str = "judge") -> float:
    """Return the fraction of characters that a recogniser misreads."""
    return rates(zip(texts, load(reader, "cpu").read_lines(inks), strict=True))["cer"]


def measured(name: str, hand: Hand, arguments: Namespace) -> dict:
    """Learn a hand; return the measures of reading or writing it before and after."""
    path = arguments.output / f"{name}-measured.json"
    if not path.exists():
        lines, rest = divided(hand, arguments.lines)
        run, network = learn(name, lines, arguments), load(arguments.network, "cpu")
        if isinstance(network, Reader):
            inks, texts = zip(*rest[:SENTENCES], strict=True)
            results = {"before": misread_of(inks, texts, arguments.network)}
            results["now"] = misread_of(inks, texts, str(run.models))
        else:
            results = written(network, run, [ink for ink, _ in lines])
        path.write_text(json.dumps(results))
    return json.loads(path.read_text())


def written(before: Writer, run: RunFolder, learned: Sequence[np.ndarray]) -> dict:
    """Return the coordinates of written lines in the space of hands, and the fraction misread.

    The network writes the lines alone, primed, or told the hand of the learned lines,
    `(points, 3)` each.
    """
    after, space = load(run.models / HAND_FILE, "cpu"), hand_likeness.load()
    (style,) = read_ink(run.models / own_hand.SAMPLE)
    texts, result = held_out(SENTENCES), {}
    for network, stage in ((before, "before"), (after, "now")):
        options_by_way = {"alone": {}, "primed": {"primer": (style.ink, style.text)}}
        if network.is_told:
            options_by_way = {"told": {"sampling": Sampling(BIAS, extras=extras_of_lines(learned))}}
        for way, options in options_by_way.items():
            options = {"sampling": Sampling(BIAS)} | options
            lines = write_in_hand(network, texts, range(SENTENCES), **options)
            inks = [line.written for line in lines]
            coordinates = space.embed([ink for ink in inks if len(ink) > 9]).tolist()
            result[f"{stage} {way}"] = {"places": coordinates, "errors": misread_of(inks, texts)}
    return result


def run(arguments: Namespace) -> None:
    """Measure all hands, and print the results."""
    arguments.output.mkdir(parents=True, exist_ok=True)
    hands = recorded(arguments.data) if arguments.data else invented()
    chosen = list(hands)[arguments.skip :][: arguments.hands]
    results = [measured(name, hands[name], arguments) for name in chosen]
    print(f"{len(results)} of {len(hands)} hands, {arguments.lines} lines each")
    if "now" in results[0]:
        before, now = (np.mean([hand[which] for hand in results]) for which in ("before", "now"))
        print(f"misread of {SENTENCES} other lines: {before:.1%} before, {now:.1%} now")
    else:
        table(arguments, hands, results)


def table(arguments: Namespace, hands: dict[str, Hand], results: list[dict]) -> None:
    """Print the fraction of lines assigned to the right hand, with extremes, and of misreadings."""
    space = hand_likeness.load()
    between = space.between.astype(np.float64)
    rests = [divided(hand, arguments.lines)[1] for hand in hands.values()]
    coordinates = [space.embed([ink for ink, _ in rest]) for rest in rests]
    learned = slice(arguments.skip, arguments.skip + len(results))

    def rate_assigned(written: list | None) -> str:
        rates_by_enrolment = []
        for enrolment in zip(*map(enrolments, coordinates), strict=True):
            enrolled, others = zip(*enrolment, strict=True)
            hands_lines = others[learned] if written is None else map(np.array, written)
            right = []
            for number, lines in enumerate(hands_lines, arguments.skip):
                likely = likelihoods(lines, enrolled, between)
                right.append((likely.argmax(axis=1) == number).mean())
            rates_by_enrolment.append(right)
        right = np.mean(rates_by_enrolment, axis=0)
        return f"{np.mean(right):7.1%} ({min(right):.0%} to {max(right):.0%})"

    print(f"{'assigned to the right hand':<51} {'misread':>8}")
    misread = np.mean([misread_of(*zip(*rest[:SENTENCES], strict=True)) for rest in rests[learned]])
    print(f"{'other recorded lines':<28} {rate_assigned(None):>22} {misread:8.1%}")
    for name in results[0]:
        misread = np.mean([hand[name]["errors"] for hand in results])
        assigned = rate_assigned([hand[name]["places"] for hand in results])
        print(f"{name:<28} {assigned:>22} {misread:8.1%}")


if __name__ == "__main__":
    parser = Parser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("--data", help="folder of IAM-OnDB: persons of testset_v; else invented writers")
    add("--lines", type=int, default=4, help="lines of each hand that are learned")
    add("--skip", type=int, default=0, help="hands, from the first, that are only told from others")
    add("--hands", type=int, default=100, help="hands after these that are learned, at most")
    add("--network", default="writer", help="network that learns")
    add("--config", type=Path, default=ROOT / "configs" / "own_hand.json", help="of the training")
    add("--output", type=Path, required=True, help="folder that keeps what was measured")
    main(run, parser)
