"""How like a person's hand a network writes that learned it, before and now, and how legibly."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.pretrained import HAND_SPACE
from base.run_folder import RunFolder
from benchmarks.measures import main
from commands import options
from commands.hand import lines_of
from data_loader.synthetic.corpus import held_out
from model.generation.options import Sampling
from model.recognition.error_rates import rates
from utils import hand_likeness

SENTENCES = 20


def distance(places: np.ndarray, middle: np.ndarray) -> float:
    """Return how far lines `(lines, axes)` lie from a place, where those of a hand spread by 1."""
    return float(np.sqrt(((places - middle) ** 2).mean(axis=1)).mean())


def run(arguments: argparse.Namespace) -> None:
    """Write sentences with both networks, and print the distances and the error rates."""
    learned = options.load_writer(arguments.resume, arguments)
    folder, space = RunFolder.of(learned.path), hand_likeness.load(HAND_SPACE)
    former = options.load_writer(str(folder.first_weights()), arguments)
    reader = options.load_reader("judge", arguments)
    source, primer = lines_of(learned, folder.models, arguments)
    own, texts = space.embed([source.ink(k) for k in source.own]), held_out(SENTENCES)
    others = [np.delete(own, k, axis=0).mean(axis=0) for k in range(len(own))]
    each = [distance(own[k : k + 1], middle) for k, middle in enumerate(others)]
    print(f"{np.mean(each):.2f}  each of the person's {len(own)} lines, from the others")
    for name, network in (("before", former), ("now", learned)):
        for how, given in (("alone", None), ("primed", primer)):
            lines = network.write_lines(texts, range(SENTENCES), Sampling(), primer=given)
            misread = rates(zip(texts, reader.read_lines(lines), strict=True))["cer"]
            places = space.embed([line.visible for line in lines])
            found = f"{distance(places, own.mean(axis=0)):.2f}  {SENTENCES} sentences"
            print(f"{found} by the network {name}, {how}; {misread:.1%} misread")


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    options.add_network(parser)
    options.add_overrides(parser)
    main(run, parser)
