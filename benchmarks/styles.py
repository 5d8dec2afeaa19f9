"""Do lines stay in the style whose sample they continue?

The network of each style of `saved/styles` writes lines in it. Each line is then given to the style
whose sample, or ten other lines, it lies nearest to: in the space that tells recorded hands apart
(`hands.npz`), and by measures of `measures.py`. A recogniser says how legible they are.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.pretrained import network_of, styles
from benchmarks import hand_likeness
from benchmarks.measures import VARIED, main, measure
from commands.options import Parser
from data_loader.synthetic.corpus import held_out
from handwriting.hand import write_lines
from handwriting.options import PrimerFile
from handwriting.primers import load_primer
from model import Sampling, load
from model.recognition.error_rates import rates

OTHERS, BIAS, LONGEST = 10, 0.75, 24
"""Lines that stand for a style beside its sample, and the bias and longest text of all."""


def share_nearest(lines: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the share of each style's lines `(styles, lines, axes)` that lie nearest to its place
    `(styles, axes)`, `(styles,)`."""
    away = np.square(lines[:, :, None] - places).sum(-1)  # (styles, lines, styles)
    return (away.argmin(-1) == np.arange(len(places))[:, None]).mean(1)


def run(arguments: argparse.Namespace) -> None:
    """Write lines in all styles, and print whose they seem to be and how they are read."""
    reader = load(arguments.reader, "cpu")
    space, hands = hand_likeness.load(), styles()
    texts = held_out(arguments.lines + OTHERS, 15, LONGEST)
    in_space, in_measures, errors, lifts = [], [], [], []
    for number, file in enumerate(hands.values()):
        network = load(network_of(file), "cpu")
        primer, _ = load_primer(PrimerFile(file), network)
        seeds = range(1000 * number, 1000 * number + len(texts))
        lines = write_lines(network, texts, seeds, Sampling(BIAS), primer=primer)
        inks = [primer[0], *(line.written for line in lines)]
        found = [measure(*one) for one in zip(inks, [primer[1], *texts], strict=True)]
        in_space.append(space.embed(inks))
        lifts.append([found[0]["lifts"], np.nanmean([one["lifts"] for one in found[1:]])])
        in_measures.append([[one[name] for name in VARIED] for one in found])
        errors.append(rates(zip(texts, reader.read_lines(inks[1:]), strict=True))["cer"])
    measures = np.nan_to_num(np.array(in_measures))
    measures /= np.sqrt(measures[:, 1:].var(1).mean(0))  # those of lines of one style
    print(f"{arguments.lines} lines in each of {len(hands)} styles, nearest to")
    for name, places in (("the space of hands", np.array(in_space)), ("the measures", measures)):
        lines = places[:, 1 : arguments.lines + 1]
        sample = share_nearest(lines, places[:, 0])
        others = share_nearest(lines, places[:, arguments.lines + 1 :].mean(1))
        print(
            f"by {name:<20} their sample {sample.mean():6.1%}, others of them {others.mean():6.1%}"
        )
        print("  " + ", ".join(f"{one} {of:.0%}" for one, of in zip(hands, sample, strict=True)))
    each = ", ".join(f"{one} {rate:.1%}" for one, rate in zip(hands, errors, strict=True))
    print(f"misread by {arguments.reader}: {np.mean(errors):.1%}\n  {each}")
    each = ", ".join(f"{one} {a:.2f} {b:.2f}" for one, (a, b) in zip(hands, lifts, strict=True))
    print(f"pen lifts per character, of the sample and of the lines:\n  {each}")


if __name__ == "__main__":
    parser = Parser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--lines", type=int, default=20, help="of each style (default: 20)")
    parser.add_argument("--reader", default="judge", help="recogniser (default: judge)")
    main(run, parser)
