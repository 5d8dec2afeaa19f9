"""Do lines stay in the style whose sample they continue?

`writer` writes lines in each style of `saved/styles`. Each line is then given to the style whose
sample, or ten other lines, it lies nearest to: in the space that tells recorded hands apart
(`hands.npz`), and by measures of `utils.hand_measures`. A recogniser says how legible they are.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.pretrained import HAND_SPACE, styles
from commands.options import samples_of
from data_loader.synthetic.corpus import held_out
from model import Sampling, load
from model.recognition.error_rates import rates
from utils import hand_likeness
from utils.hand_measures import measure

MEASURES = ("letter_width", "slant", "curvature", "lifts", "word_space")
BIAS, LONGEST = 0.75, 24


def told(lines: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the share of each style's lines that lie nearest to its place, `(styles,)`.

    Args:
        lines: `(styles, lines, axes)`.
        places: `(styles, axes)`.
    """
    away = np.square(lines[:, :, None] - places).sum(-1)  # (styles, lines, styles)
    return (away.argmin(-1) == np.arange(len(places))[:, None]).mean(1)


def main(arguments: argparse.Namespace) -> None:
    """Write lines in all styles, and print whose they seem to be and how they are read."""
    network, reader = load("writer", "cpu"), load(arguments.reader, "cpu")
    space, hands = hand_likeness.load(HAND_SPACE), styles()
    texts = held_out(arguments.lines + arguments.others, 15, LONGEST)
    every, of_space, of_measures, errors = [], [], [], []
    for number, primer in enumerate(samples_of(list(hands.values()), network)):
        seeds = range(1000 * number, 1000 * number + len(texts))
        lines = network.write_lines(texts, seeds, Sampling(BIAS), primer=primer)
        inks = [primer[0], *(line.written for line in lines)]
        said = [primer[1], *texts]
        found = [measure(ink, text) for ink, text in zip(inks, said, strict=True)]
        of_space.append(space.embed(inks))
        of_measures.append([[one[name] for name in MEASURES] for one in found])
        heard = reader.read_lines(inks[1:])
        errors.append(rates(zip(texts, heard, strict=True))["cer"])
        every += list(zip(texts, heard, strict=True))
    spaces, measures = np.array(of_space), np.nan_to_num(np.array(of_measures))
    measures /= np.sqrt(measures[:, 1:].var(1).mean(0))  # those of lines of one style
    print(f"{arguments.lines} lines in each of {len(hands)} styles, nearest to")
    for name, places in (("in the space of hands", spaces), ("by the measures", measures)):
        lines = places[:, 1 : arguments.lines + 1]
        sample = told(lines, places[:, 0])
        others = told(lines, places[:, arguments.lines + 1 :].mean(1))
        print(f"{name:<22} their sample {sample.mean():6.1%}, others of them {others.mean():6.1%}")
        print("  " + ", ".join(f"{one} {of:.0%}" for one, of in zip(hands, sample, strict=True)))
    print(f"misread by {arguments.reader}: {rates(every)['cer']:.1%}")
    print("  " + ", ".join(f"{one} {rate:.1%}" for one, rate in zip(hands, errors, strict=True)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--lines", type=int, default=20, help="of each style (default: 20)")
    parser.add_argument("--others", type=int, default=10, help="that stand for it (default: 10)")
    parser.add_argument("--reader", default="judge", help="recogniser (default: judge)")
    main(parser.parse_args())
