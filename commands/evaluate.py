"""Score a network on a split of the data that it was trained with."""

import argparse

import data_loader
import model
from commands import options, search_options
from commands.options import Parser
from utils.checks import UserError
from utils.files import write_json

WORST = 20
"""Lines in the picture of the worst read lines."""


def add_options(parser: Parser) -> None:
    options.add_network(parser)
    splits = "train, valid or test (default: valid)"
    parser.add_argument("split", nargs="?", default="valid", metavar="SPLIT", help=splits)
    search_options.add_options(parser)
    options.add_seed(parser, "seed of the dequantisation noise")
    options.add_output(parser)


def run(arguments: argparse.Namespace) -> None:
    search_options.check(arguments, reads_data=True)
    network = options.load(arguments.resume, arguments)
    from parse_config import data_of

    given = [name for name in search_options.OPTIONS if getattr(arguments, name)]
    if given and not isinstance(network, model.Reader):
        raise UserError(
            f"--{given[0].replace('_', '-')} is for a network that reads: {network.path} contains "
            f"a {type(network.model).__name__}"
        )
    arguments.output.make()
    loader = data_of(network, arguments.overrides, arguments.split)
    if isinstance(network, model.Reader):
        scores = score_reading(network, loader, arguments)
    else:
        scores = score_points(network, loader, arguments)
    path = arguments.output.folder / "metrics.json"
    write_json(path, {"split": arguments.split, **scores})
    print(path)


def score_points(
    network: "model.TrainedNetwork",
    loader: "data_loader.HandwritingDataLoader",
    arguments: argparse.Namespace,
) -> dict[str, object]:
    """Score a network on the points of a split; print and return the scores, and their units."""
    from trainer.scores import UNITS, evaluate

    source, scored = loader.source, network.model
    scores = evaluate(
        scored,
        loader.split(arguments.split),
        canonical=source.canonical,
        quantisation_step=source.quantisation_step,
        seed=arguments.seed,
        progress=True,
    )
    unit = "normalised units of the checkpoint"
    if source.canonical is not None:
        unit = "canonical units of {} and {}".format(*source.canonical)
    print(f"split {arguments.split}: {scores['sequences']} sequences, {scores['points']} points")
    described = {"unit": unit, "checkpoint": str(network.path)}
    if scored.head == "regression":
        print(f"SSE in {unit}; the squared error in normalised units of the checkpoint")
    else:
        described["min_scale"] = scored.min_scale
        print(
            f"log-loss and SSE in {unit}; sigma is at least {scored.min_scale} of the data's units"
        )
    if scored.end_of_sequence:
        described["end_of_sequence"] = True
        print("the log-loss includes, for each point, whether the sequence ends there")
    for name, meaning in UNITS.items():
        if name in scores:
            value = "none" if scores[name] is None else f"{scores[name]:.4f}"
            print(f"  {name:<21}{value:>12}  {meaning}")
    return scores | described


def score_reading(
    reader: "model.Reader",
    loader: "data_loader.HandwritingDataLoader",
    arguments: argparse.Namespace,
) -> dict[str, object]:
    """Score a recogniser on a split; print and return the rates, and draw the worst lines."""
    from model.recognition.transcribing import score
    from trainer.scores import read_split
    from utils.plots import lines_figure, write_png

    loader.split(arguments.split)
    search = search_options.search_of(reader, arguments)
    found = read_split(reader.model, loader.source, arguments.split, search, progress=True)
    scores = {name: score(transcriptions) for name, transcriptions in found.items()}
    greedy, lines = scores["greedy"], len(loader.source.indices(arguments.split))
    if unlabelled := lines - greedy["sequences"]:
        print(f"left out, because they have no text: {unlabelled} of {lines} lines")
    print(
        f"split {arguments.split}: {greedy['sequences']} sequences, {greedy['characters']} "
        f"characters, {greedy['words']} words"
    )
    bonus = f", bonus {search.length_bonus:g}" if search.length_bonus else ""
    meaning = {
        "greedy": "greedy decoding",
        "beam": f"beam of {search.width}{bonus}",
        "language_model": f"beam of {search.width} with the language model of "
        f"{arguments.language_model}, weight {search.language_weight:g}{bonus}",
    }
    recorded = greedy | {"checkpoint": str(reader.path)}
    for name, rates in scores.items():
        print(
            f"  {name:<15} cer {rates['cer']:.4f}  wer {rates['wer']:.4f}  lines without an error "
            f"{rates['line_accuracy']:.4f}  ({meaning[name]})"
        )
        if name != "greedy":
            recorded[name] = rates | {"search": meaning[name]}
    page = arguments.output.folder / f"{reader.name}-worst.png"
    by_errors = sorted(list(found.values())[-1], key=lambda one: -one.error_rate)
    chosen = by_errors[:WORST]
    captions = [
        f"{one.name} · {one.error_rate:.0%} errors\ntrue: {one.reference}\nread: {one.hypothesis}"
        for one in chosen
    ]
    write_png(page, lines_figure([one.ink for one in chosen], captions))
    print(f"{page}  (the {len(chosen)} worst lines)")
    return recorded
