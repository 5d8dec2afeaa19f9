"""Measures how well a network imitates a hand after learning it, and how legibly it writes.

A network learns some lines of each hand (`configs/own_hand.json`, or --config). `hand_likeness`,
which took part in no training, enrols each hand with lines of forms that the network did not learn.
It assigns the written lines and the remaining recorded lines to hands: once with the last lines of
each hand enrolled, once with the first, because the result depends on the enrolled lines. With
--network reader a recogniser reads lines before and after it learns others, with their texts
(--lines) or as a language model reads them (--uncorrected). Results are kept in a folder, so that a
stopped run can be continued.
"""

import json
import shutil
import subprocess
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apps import hand as own_hand
from apps.hand import fine_tuning
from apps.pages.hands import Hand, extras_of_lines
from base.run.run_folder import RunFolder
from benchmarks import hand_likeness
from benchmarks.hand_likeness import likelihoods
from benchmarks.legibility import JUDGE
from benchmarks.pens import HELD_OUT
from commands.shared import search_options
from commands.shared.options import Parser
from commands.shared.scripts import main
from data_loader import EmbeddedDataset, IAMOnDBDataset, UnipenDataset
from data_loader.synthetic.texts.corpus import held_out
from ink.geometry import strokes
from ink.reading import read_ink
from ink.sample import Sample
from model import load
from model.generation.line import Primer, Sampling
from model.loading import HAND_FILE, Reader, Writer
from model.recognition.beam import GREEDY, Search
from model.recognition.error_rates import normalised, rates

ROOT = Path(__file__).resolve().parent.parent
PERSONS_FILE = ROOT / "benchmarks" / "persons.txt"
"""File of forms of testset_v; a row has one person's forms (by recording times). Most persons
have about sixty lines, the last six about thirty. The recipe was chosen on the first five."""
LEARNED_PERSONS_FILE = ROOT / "benchmarks" / "persons_to_read.txt"
"""The same for testset_f: forms between which at most 300 s pass, which go once through the letters
of their names. Forms with times that begin at 0, and persons with fewer than 45 lines, are left
out."""
MIN_WORDS = 100
"""Minimum number of samples of a person of UNIPEN (assumed)."""
NUM_INVENTED = 20
"""Number of invented writers, all new to the classifier (assumed)."""
NUM_ENROLLED = 20
"""Number of lines with which a hand is enrolled (assumed)."""
NUM_LINES = 20
"""Number of lines of each hand that are written or read (assumed)."""
BIAS = 0.75
"""Bias of the written lines (assumed)."""
HandForms = list[list[Primer]]
"""The lines of each form of a hand."""


def recorded_hands(root: str, persons: Path = PERSONS_FILE) -> dict[str, HandForms]:
    """Return the lines of each person of a file, by the person's first form."""
    task = "testset_v" if persons == PERSONS_FILE else "testset_f"
    splits = {"train": ["trainset"], "valid": [task]}
    dataset = IAMOnDBDataset(root=root, splits=splits, subset=None, strict=False)
    forms = lines_by(dataset.load(["valid"]).split("valid"), attrgetter("group"))
    hands = {}
    for row in persons.read_text().splitlines():
        names = row.split()
        hands[names[0]] = [forms[name] for name in names]
    return hands


def held_out_hands(root: str) -> dict[str, HandForms]:
    """Return the samples of each person of UNIPEN's collections from which no network has learned;
    each sample, most often a word, counts as a form."""
    dataset = UnipenDataset(root=root, held_out=list(HELD_OUT), leave_out="unipen_misfits")
    samples = [s for s in dataset.load(["test"]).split("test") if s.group in HELD_OUT]
    hands = lines_by((s for s in samples if len(s.text) > 1), attrgetter("writer"))
    hands = {hand: lines for hand, lines in hands.items() if len(lines) >= MIN_WORDS}
    return {hand: [[line] for line in lines] for hand, lines in hands.items()}


def invented_hands() -> dict[str, HandForms]:
    """Return lines of invented writers, by writer; each line counts as a form."""
    size = 250 * NUM_INVENTED
    source = EmbeddedDataset(seed=77, size=size, valid_size=1, test_size=1, writers=NUM_INVENTED)
    hands = lines_by(source.load(["train"]).split("train"), attrgetter("writer"))
    return {hand: [[line] for line in lines] for hand, lines in hands.items()}


def lines_by(samples: Iterable[Sample], key: Callable[[Sample], str]) -> dict[str, list[Primer]]:
    """Return the lines of samples without a scribble, by the value of `key` for each sample."""
    lines = defaultdict(list)
    for sample in samples:
        if "#" not in sample.text:  # a scribble in IAM-OnDB
            lines[key(sample)].append((sample.ink, sample.text))
    return dict(sorted(lines.items()))


def divided(hand: HandForms, count: int) -> tuple[list[Primer], list[Primer]]:
    """Return a hand's first `count` lines, and all lines of forms that contain none of them."""
    starts = np.cumsum([0, *map(len, hand)])
    num_forms = int(np.searchsorted(starts, count))
    return list(chain(*hand[:num_forms]))[:count], list(chain(*hand[num_forms:]))


def enrolments(lines: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return two pairs (enrolled, other lines): the last lines are enrolled, then the first."""
    count = NUM_ENROLLED
    return [(lines[-count:], lines[:-count]), (lines[:count], lines[count:])]


def learn(name: str, lines: Sequence[Primer], arguments: Namespace) -> RunFolder:
    """Train on lines with train.py, unless an earlier call has done so; return the run."""
    run = RunFolder(arguments.config.stem, f"{arguments.output.name}-{name}")
    if (run.models / HAND_FILE).exists():
        return run
    for folder in (run.models, run.log):  # Remove what an unfinished training left.
        shutil.rmtree(folder, ignore_errors=True)
    data = arguments.output / f"{name}.json"
    values = [{"text": text, "strokes": [s.tolist() for s in strokes(ink)]} for ink, text in lines]
    data.write_text(json.dumps(values))
    command = [sys.executable, "train.py", "-c", arguments.config, "-r", arguments.network]
    command += ["--data", data, "--run-id", run.run_id, "-o", "trainer.args.samples=0"]
    subprocess.run([*map(str, command)], cwd=ROOT, check=True)
    return run


def error_rate(inks: Sequence[np.ndarray], texts: Sequence[str]) -> float:
    """Return the character error rate of the recogniser `JUDGE`."""
    return rates(zip(texts, load(JUDGE, "cpu").read_lines(inks), strict=True))["cer"]


def measure_hand(name: str, hand: HandForms, arguments: Namespace) -> dict:
    """Learn a hand; return the measures of the network before and after learning."""
    path = arguments.output / f"{name}-measured.json"
    if not path.exists():
        network = load(arguments.network, "cpu")
        if isinstance(network, Reader):
            lines = [Sample(*line, str(number)) for number, line in enumerate(chain(*hand), 1)]
            search = search_options.options_of(arguments).search(network)
            results = measure_reading(
                network, lines, arguments.lines, arguments.uncorrected, search
            )
        else:
            lines, _ = divided(hand, arguments.lines)
            run = learn(name, lines, arguments)
            results = measure_writing(network, run, [ink for ink, _ in lines])
        path.write_text(json.dumps(results))
    return json.loads(path.read_text())


def measure_reading(
    reader: Reader,
    lines: Sequence[Sample],
    num_corrected: int,
    num_uncorrected: int = 0,
    search: Search = GREEDY,
) -> dict:
    """Return the numbers of misread characters in the lines of a person whose texts a reader does
    not learn, before and after it learns the others, and whether `notes --learn` would take it.

    Args:
        num_corrected: number of lines that are learned with their texts.
        num_uncorrected: number of the next lines, which are learned as `search` reads them.
    """
    num_learned = num_corrected + num_uncorrected
    uncorrected = lines[num_corrected:num_learned]
    learned_lines = [*lines[:num_corrected]]
    if uncorrected:
        texts = reader.read_lines([line.ink for line in uncorrected], search)
        for line, text in zip(uncorrected, texts, strict=True):
            learned_lines.append(replace(line, text=text))
    learned_lines = fine_tuning.usable(reader, learned_lines)
    learned_texts = {line.text.casefold() for line in lines[:num_learned]}
    others = lines[num_learned:]
    other_lines = [line for line in others if line.text.casefold() not in learned_texts]
    gain = fine_tuning.cross_validated(reader, learned_lines)
    learned = fine_tuning.fine_tuned(reader, learned_lines)
    characters = sum(len(normalised(line.text)) for line in other_lines)
    return {
        "characters": characters,
        "before": round(fine_tuning.score(reader, other_lines).cer * characters),
        "now": round(fine_tuning.score(learned, other_lines).cer * characters),
        "expected": gain,
        "taken": gain.is_better,
    }


def measure_writing(before: Writer, run: RunFolder, learned: Sequence[np.ndarray]) -> dict:
    """Return, for each stage ("before", "now") and each way of writing, the coordinates of written
    lines in the `HandSpace`, and their character error rate.

    A network that takes hand vectors writes with the vector of the `learned` lines ("told"); others
    write without a primer ("alone") and with a primer ("primed").
    """
    after = load(run.models / HAND_FILE, "cpu")
    space = hand_likeness.load()
    (primer,) = read_ink(run.models / own_hand.SAMPLE_FILE)
    texts = held_out(NUM_LINES)
    result = {}
    for network, stage in ((before, "before"), (after, "now")):
        if network.takes_hand:
            sampling = Sampling(BIAS, extras=extras_of_lines(learned))
            ways = {"told": partial(network.write_lines, sampling=sampling)}
        else:
            sampling = Sampling(BIAS)
            hand = Hand(network, (primer.ink, primer.text), sampling=sampling)
            alone = partial(network.write_lines, sampling=sampling)
            ways = {"alone": alone, "primed": hand.write_texts}
        for way, write_texts in ways.items():
            inks = [line.written for line in write_texts(texts, range(NUM_LINES))]
            # A line that ended at once has no features.
            coordinates = space.embed([ink for ink in inks if len(ink) > 9]).tolist()
            result[f"{stage} {way}"] = {"places": coordinates, "errors": error_rate(inks, texts)}
    return result


def run(arguments: Namespace) -> None:
    """Measure all hands, and print the results."""
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.data:
        is_reader = isinstance(load(arguments.network, "cpu"), Reader)
        persons = LEARNED_PERSONS_FILE if is_reader else PERSONS_FILE
        hands = recorded_hands(arguments.data, persons)
    elif arguments.unipen:
        hands = held_out_hands(arguments.unipen)
    else:
        hands = invented_hands()
    chosen = list(hands)[arguments.skip :][: arguments.hands]
    results = [measure_hand(name, hands[name], arguments) for name in chosen]
    learned = f"{arguments.lines} lines each"
    if arguments.uncorrected:
        learned += f", and {arguments.uncorrected} as the language model reads them"
    print(f"{len(results)} of {len(hands)} hands, {learned}")
    if "now" in results[0]:
        print_reading(results)
    else:
        print_table(arguments, hands, results)


def print_reading(results: Sequence[dict]) -> None:
    """Print the character error rates of the persons' other lines, and how many persons are read
    worse than before: of all learned readers, and with the rule that leaves some out."""
    for name in ("learned", "taken"):
        characters = sum(person["characters"] for person in results)
        before = sum(person["before"] for person in results)
        now = 0
        changes = []
        for person in results:
            is_used = name == "learned" or person["taken"]
            now += person["now" if is_used else "before"]
            if is_used:
                changes.append((person["now"] - person["before"]) / person["characters"])
        print(
            f"{name}: {len(changes)} readers, {before / characters:.2%} before, "
            f"{now / characters:.2%} now; {sum(change > 0 for change in changes)} are worse, "
            f"by {max(changes, default=0):+.2%} at most"
        )


def print_table(arguments: Namespace, hands: dict[str, HandForms], results: list[dict]) -> None:
    """Print the fraction of lines assigned to the right hand (mean, lowest and highest over hands),
    and the fraction of misread characters, for recorded lines and for each way of writing."""
    space = hand_likeness.load()
    between = space.between.astype(np.float64)
    other_lines = [divided(hand, arguments.lines)[1] for hand in hands.values()]
    coordinates = [space.embed([ink for ink, _ in lines]) for lines in other_lines]
    learned = slice(arguments.skip, arguments.skip + len(results))

    def rate_assigned(written: list | None) -> str:
        """Return the fractions as text, for `written` lines (None: recorded lines not enrolled)."""
        rates_by_enrolment = []
        for enrolment in zip(*map(enrolments, coordinates), strict=True):
            enrolled, others = zip(*enrolment, strict=True)
            lines_of_hands = others[learned] if written is None else map(np.array, written)
            hand_rates = []
            for number, lines in enumerate(lines_of_hands, arguments.skip):
                log_likelihoods = likelihoods(lines, enrolled, between)
                hand_rates.append((log_likelihoods.argmax(axis=1) == number).mean())
            rates_by_enrolment.append(hand_rates)
        assigned = np.mean(rates_by_enrolment, axis=0)
        return f"{np.mean(assigned):7.1%} ({min(assigned):.0%} to {max(assigned):.0%})"

    print(f"{'assigned to the right hand':<51} {'misread':>8}")
    chosen = [zip(*lines[:NUM_LINES], strict=True) for lines in other_lines[learned]]
    misread = np.mean([error_rate(*inks_and_texts) for inks_and_texts in chosen])
    print(f"{'other recorded lines':<28} {rate_assigned(None):>22} {misread:8.1%}")
    for name in results[0]:
        misread = np.mean([hand[name]["errors"] for hand in results])
        assigned = rate_assigned([hand[name]["places"] for hand in results])
        print(f"{name:<28} {assigned:>22} {misread:8.1%}")


if __name__ == "__main__":
    parser = Parser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("--data", help="folder of IAM-OnDB, for persons of testset_v (default: invented writers)")
    add("--unipen", help="folder or archive of UNIPEN, for persons of its held-out collections")
    add("--lines", type=int, default=4, help="number of lines of each hand that are learned")
    uncorrected = "number of further lines that a recogniser learns as --language-model reads them"
    add("--uncorrected", type=int, default=0, help=uncorrected)
    search_options.add_options(parser)
    add("--skip", type=int, default=0, help="number of hands at the start that are not learned")
    add("--hands", type=int, default=100, help="largest number of hands that are learned")
    add("--network", default="writer", help="network that learns")
    config = ROOT / "configs" / "own_hand.json"
    add("--config", type=Path, default=config, help="config of the training (default: own_hand)")
    add("--output", type=Path, required=True, help="folder for the results")
    main(run, parser)
