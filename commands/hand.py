"""Draw a person's lines, and lines by the network before and after it learned the hand."""

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from apps.pages import writing_options
from commands.shared import network_options, options
from commands.shared.network_options import Networks
from commands.shared.options import Parser
from utils.checks import UserError

MAX_RECORDED = 3  # lines of the person in the picture (assumed)
SAMPLE_SENTENCE = "This is what the network writes in that hand"  # default of --text


def add_options(parser: Parser) -> None:
    network_options.add_network(parser)
    text = "text that the network writes below the person's lines; may be given several times "
    text += "(default: a sentence)"
    parser.add_argument("--text", action="append", help=text)
    writing_options.add_shared(parser, "--bias")
    writing_options.add_set(parser, "bias or pen_sharpness, see `write`")
    network_options.add_seed(parser, "seed of the first line")
    network_options.add_output(parser, (".png",))
    options.add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    values = writing_options.values_of(arguments, ("bias", "pen_sharpness"))
    networks = Networks.of(arguments)
    learned = networks.writer(arguments.resume)
    from apps import hand as own_hand
    from apps.pages.hands import hand_of
    from apps.pages.proofreading import line_ink, write_words
    from base.base_dataset import InitialNetwork
    from base.run.run_folder import RunFolder
    from model.drawing.plots import lines_figure, write_png
    from model.loading import default_proofreader, sampling_of
    from parse_config import config_of

    folder = RunFolder.of(learned.path)
    weights = None if folder is None else folder.first_weights()
    if weights is None or not (folder.models / own_hand.PRACTICE_FILE).exists():
        raise UserError(
            f"{learned.path}: no run that learned a hand, such as saved/models/own_hand/RUN_ID"
        )
    original = networks.writer(weights)
    new_texts = arguments.text or [SAMPLE_SENTENCE]
    new_texts = writing_options.without_unknown(learned.model.alphabet, new_texts, None)
    arguments.output.make()
    origin = InitialNetwork(learned.path, learned.device, is_resumed=True)
    dataset = config_of(learned, arguments.overrides).build("data_loader", origin=origin).dataset
    loaded = dataset.load()
    style = folder.models / own_hand.SAMPLE_FILE
    sampling = sampling_of(learned, **values)
    hand = hand_of(learned, style, sampling, bias=values.get("bias"), of_page=True)
    hand = replace(hand, reader=networks.reader(default_proofreader(learned)))
    _, text = hand.primer
    recorded = [sample for sample in loaded.split("valid") if sample.text != text]
    recorded = recorded[:MAX_RECORDED]
    texts = [*(sample.text for sample in recorded), *new_texts]
    seeds = range(arguments.seed, arguments.seed + len(texts))
    former_hand = replace(hand, writer=original, calibration=None)
    former_lines = [*map(line_ink, write_words(former_hand, texts, seeds))]
    learned_lines = [*map(line_ink, write_words(hand, texts, seeds))]
    to_x_heights = np.float32([1 / dataset.x_height, 1 / dataset.x_height, 1])
    of_person = [(f"the person: {each.text}", each.ink * to_x_heights) for each in recorded]
    rows = captioned(of_person, former_lines, learned_lines)
    path = arguments.output.named(f"{folder.run_id}-hand.png")
    figure = lines_figure([ink for _, ink in rows], [caption for caption, _ in rows])
    write_png(path, figure)
    print(path)


def captioned(
    recorded: Sequence[tuple[str, np.ndarray]],
    former_lines: Sequence[np.ndarray],
    learned_lines: Sequence[np.ndarray],
) -> list[tuple[str, np.ndarray]]:
    """Return the captions and inks of a picture: recorded lines, each with the same text as the
    network wrote it before and as it writes it now, and then the other lines that it writes now."""
    rows = []
    for line, former, learned in zip(recorded, former_lines, learned_lines, strict=False):
        rows.append(line)
        rows.append(("the network before it learned the hand", former))
        rows.append(("the network now", learned))
    rows += [("the network now", line) for line in learned_lines[len(recorded) :]]
    return rows
