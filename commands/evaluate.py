"""Score networks on a split of their data; the scores are saved in the run's folder."""

import argparse
import json
import zlib
from collections.abc import Container
from pathlib import Path
from typing import Any

import data_loader
import model
from base.pretrained import resolve_checkpoint
from commands import options, search_options
from commands.options import Parser
from utils.checks import UserError
from utils.files import write_json

SPLITS = ("train", "valid", "test")
WORST = 20
"""Lines in the picture of the worst read lines."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, nargs="+")
    splits = "train, valid or test (default: valid)"
    parser.add_argument("split", nargs="?", metavar="SPLIT", help=splits)
    search_options.add_options(parser)
    options.add_seed(parser, "seed of the dequantisation noise")
    options.add_output(parser, default=None)


def run(arguments: argparse.Namespace) -> None:
    search_options.check(arguments, reads_data=True)
    paths, split = arguments.resume, arguments.split
    if split is None and len(paths) > 1 and paths[-1] in SPLITS:
        *paths, split = paths  # as -r takes all that follows it
    arguments.split = split or "valid"
    for path in paths:
        resolve_checkpoint(path)
    networks = [options.load(path, arguments) for path in paths]
    given = [name for name in search_options.OPTIONS if getattr(arguments, name)]
    other = next((one for one in networks if not isinstance(one, model.Reader)), None)
    if given and other:
        raise UserError(
            f"--{given[0].replace('_', '-')} is for a network that reads: {other.path} contains "
            f"a {type(other.model).__name__}"
        )
    rows = [evaluate(network, arguments) for network in networks]
    if len(rows) > 1:
        options.print_table(rows)


def evaluate(network: "model.TrainedNetwork", arguments: argparse.Namespace) -> dict[str, str]:
    """Score one network, and save its scores; return its row of a table of several."""
    from parse_config import data_of

    names = (*search_options.OPTIONS, "seed", "overrides")
    record = {"split": arguments.split, "checkpoint": str(network.path)}
    record["options"] = {name: value for name in names if (value := getattr(arguments, name))}
    place = place_of(record, arguments)
    path = place.with_name(f"{place.name}.json")
    options.make_room(path, "--output" if arguments.output else "scores", path.parent)
    data = data_of(network, arguments.split, arguments.overrides)
    if isinstance(network, model.Reader):
        scores = score_reading(network, data, arguments, place)
    else:
        scores = score_points(network, data, arguments)
    scores |= score_own(network, data, arguments, known=scores)
    write_json(path, record | scores)
    print(path)
    main = next(name for name in options.MAIN_SCORES if name in scores)
    value = "none" if scores[main] is None else f"{scores[main]:.4f}"
    return {"checkpoint": str(network.path), "split": arguments.split, main: value}


def score_own(
    network: "model.TrainedNetwork",
    data: "data_loader.data_loaders.Data",
    arguments: argparse.Namespace,
    known: Container[str],
) -> dict[str, float]:
    """Return and print what else a validation of the training logs, where a loss, a metric or the
    trainer is of the user's own; nothing in other networks."""
    import torch

    from base import extension
    from base.checkpoint import load_checkpoint
    from base.run_folder import RunFolder
    from base.training_parts import TrainingParts
    from parse_config import config_of

    config, scored = config_of(network, arguments.overrides), network.model
    blocks = [config.config["loss"], config.config["trainer"], *config.config["metrics"]]
    if not {cls.__name__ for cls in extension.classes()} & {one["type"] for one in blocks}:
        return {}
    # A second group, as adaptive noise on the weights has one.
    groups = [{"params": list(scored.parameters())}, {"params": []}]
    optimizer, loader = torch.optim.SGD(groups), data.loader(arguments.split)
    loss, metrics = (config.build(key, model=scored) for key in ("loss", "metrics"))
    run = RunFolder.of(network.path) or RunFolder(config.name)  # Nothing is written there.
    parts = TrainingParts(
        *(scored, loss, metrics, optimizer, None, loader, loader, run),
        *(network.device, network.record),
    )
    trainer = config.build("trainer", parts=parts)
    states = load_checkpoint(network.path).get("training", {}).get("parts", {})
    for name, part in trainer.checkpoint.stateful.items():
        if states.get(name):
            part.load_state_dict(states[name])
    logged = trainer.validate()
    found = {name: value for name, value in logged.items() if name not in known}
    for name, value in found.items():
        print(f"  {name:<21}{value:>12.4f}  as the training logs it")
    return found


def place_of(record: dict[str, Any], arguments: argparse.Namespace) -> Path:
    """Return what the names of an evaluation's files begin with: no other evaluation's do."""
    from base.run_folder import RunFolder

    run, name = RunFolder.of(record["checkpoint"]), Path(record["checkpoint"]).stem
    name += f"-{arguments.split}"
    if record["options"]:
        name += f"-{zlib.crc32(json.dumps(record['options']).encode()):08x}"
    if run and not arguments.output:
        return run.models / "evaluations" / name
    folder = arguments.output.folder if arguments.output else Path(options.FIGURES)
    return folder / (f"{run.name}-{run.run_id}-{name}" if run else name)


def score_points(
    network: "model.TrainedNetwork",
    data: "data_loader.data_loaders.Data",
    arguments: argparse.Namespace,
) -> dict[str, object]:
    """Score a network on the points of a split; print and return the scores, and their units."""
    from trainer.scores import UNITS, evaluate

    loaded, scored = data.loaded, network.model
    scores = evaluate(
        scored,
        data.loader(arguments.split),
        canonical=loaded.canonical,
        quantisation_step=loaded.quantisation_step,
        seed=arguments.seed,
        progress=True,
    )
    unit = "normalised units of the checkpoint"
    if loaded.canonical is not None:
        unit = "canonical units of {} and {}".format(*loaded.canonical)
    print(f"split {arguments.split}: {scores['sequences']} sequences, {scores['points']} points")
    described = {"unit": unit}
    if scored.has_density:
        described["min_scale"] = scored.min_scale
        print(
            f"log-loss and SSE in {unit}; sigma is at least {scored.min_scale} of the data's units"
        )
    else:
        print(f"SSE in {unit}; the squared error in normalised units of the checkpoint")
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
    data: "data_loader.data_loaders.Data",
    arguments: argparse.Namespace,
    place: Path,
) -> dict[str, object]:
    """Score a recogniser on a split; print and return the rates, and draw the worst lines."""
    from model.recognition.transcribing import score
    from trainer.scores import read_split
    from utils.plots import lines_figure, write_png

    search, samples = search_options.search_of(reader, arguments), data.samples(arguments.split)
    found = read_split(reader.model, samples, arguments.split, search, progress=True)
    scores = {name: score(transcriptions) for name, transcriptions in found.items()}
    greedy, lines = scores["greedy"], len(samples)
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
    recorded = dict(greedy)
    for name, rates in scores.items():
        print(
            f"  {name:<15} cer {rates['cer']:.4f}  wer {rates['wer']:.4f}  lines without an error "
            f"{rates['line_accuracy']:.4f}  ({meaning[name]})"
        )
        if name != "greedy":
            recorded[name] = rates | {"search": meaning[name]}
    page = place.with_name(f"{place.name}-worst.png")
    by_errors = sorted(list(found.values())[-1], key=lambda one: -one.error_rate)
    chosen = by_errors[:WORST]
    captions = [
        f"{one.name} · {one.error_rate:.0%} errors\ntrue: {one.reference}\nread: {one.hypothesis}"
        for one in chosen
    ]
    write_png(page, lines_figure([one.ink for one in chosen], captions))
    print(f"{page}  (the {len(chosen)} worst lines)")
    return recorded
