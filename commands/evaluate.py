"""Score networks on a split of their data; the scores are saved in the run's folder."""

import argparse
import json
import zlib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import data_loader
import model
from base.config.overrides import Override
from base.pretrained import resolve_checkpoint
from commands import options, search_options
from commands.options import Networks, Parser
from commands.search_options import SearchOptions
from utils.checks import UserError
from utils.files import make_room, write_json

SPLITS = ("train", "valid", "test")
OF_READING = ("beam", "language_model", "language_weight", "words")
OPTIONS = (*OF_READING, "seed", "overrides")
"""What is recorded of the options, in this order, and names the files."""
WORST = 20
"""Lines in the picture of the worst read lines."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, nargs="+")
    splits = "train, valid or test (default: valid)"
    parser.add_argument("split", nargs="?", metavar="SPLIT", help=splits)
    search_options.add_options(parser)
    options.add_overrides(parser)
    options.add_seed(parser, "seed of the dequantisation noise")
    options.add_output(parser, default=None)


@dataclass(frozen=True)
class Evaluation:
    """What networks are scored on, and how.

    Attributes:
        split: of their data.
        search: of those that read.
        overrides: of the config that names the data.
        seed: of the dequantisation noise.
        output: where scores go; None for the folder of each run, or else `options.FIGURES`.
        given: the options of these that are given, by name, as they are recorded.
    """

    split: str
    search: SearchOptions
    overrides: list[Override]
    seed: int
    output: options.Output | None
    given: Mapping[str, Any]

    def file(self, checkpoint: Path, ending: str) -> Path:
        """Return a file of the evaluation of a checkpoint, which no other evaluation has."""
        from base.run_folder import RunFolder

        run, name = RunFolder.of(checkpoint), f"{checkpoint.stem}-{self.split}"
        if self.given:
            name += f"-{zlib.crc32(json.dumps(self.given).encode()):08x}"
        if run and not self.output:
            return run.models / "evaluations" / f"{name}{ending}"
        folder = self.output.folder if self.output else Path(options.FIGURES)
        return folder / f"{f'{run.name}-{run.run_id}-' if run else ''}{name}{ending}"


def run(arguments: argparse.Namespace) -> None:
    search = search_options.options_of(arguments)
    paths, split = arguments.resume, arguments.split or "valid"
    if arguments.split is None and len(paths) > 1 and paths[-1] in SPLITS:
        *paths, split = paths  # as -r takes all that follows it
    given = {name: getattr(arguments, name) for name in OPTIONS if getattr(arguments, name)}
    chosen = options.taken(Evaluation, arguments, split=split, search=search, given=given)
    for path in paths:
        resolve_checkpoint(path)
    networks = [*map(options.taken(Networks, arguments).load, paths)]
    other = next((n for n in networks if not isinstance(n, model.Reader)), None)
    if other and (of_reading := [name for name in OF_READING if name in given]):
        raise UserError(
            f"--{of_reading[0].replace('_', '-')} is for a network that reads: {other.path} "
            f"contains a {type(other.model).__name__}"
        )
    rows = [evaluate(network, chosen) for network in networks]
    if len(rows) > 1:
        options.print_table(rows)


def evaluate(network: "model.TrainedNetwork", chosen: Evaluation) -> dict[str, str]:
    """Score one network, and save its scores; return its row of a table of several."""
    from parse_config import data_of

    path = chosen.file(network.path, ".json")
    make_room(path, "--output" if chosen.output else "scores")
    data = data_of(network, chosen.split, chosen.overrides)
    scores: dict[str, Any] = {}
    if isinstance(network, model.Reader):
        scores = score_reading(network, data, chosen)
    elif isinstance(network, model.Writer):
        scores = score_points(network, data, chosen)
    scores |= score_own(network, data, chosen, known=scores)
    record = {"split": chosen.split, "checkpoint": str(network.path), "options": chosen.given}
    write_json(path, record | scores)
    print(path)
    main = next((name for name in options.MAIN_SCORES if name in scores), next(iter(scores)))
    value = "none" if scores[main] is None else f"{scores[main]:.4f}"
    return {"checkpoint": str(network.path), "split": chosen.split, main: value}


def score_own(
    network: "model.TrainedNetwork",
    data: "data_loader.data_loaders.Data",
    chosen: Evaluation,
    known: Container[str],
) -> dict[str, float]:
    """Return and print what else a validation of the training logs, where a loss, a metric or the
    trainer is of the user's own, or the network neither writes nor reads; else nothing."""
    import torch

    from base.checkpoint import load_checkpoint
    from base.config import user_modules
    from base.run_folder import RunFolder
    from base.training_parts import TrainingParts
    from parse_config import config_of

    config, scored = config_of(network, chosen.overrides), network.model
    blocks = [config.config["loss"], config.config["trainer"], *config.config["metrics"]]
    has_own = {cls.__name__ for cls in user_modules.classes()} & {block["type"] for block in blocks}
    if isinstance(network, model.Writer | model.Reader) and not has_own:
        return {}
    loader = data.loader(chosen.split)
    parts = TrainingParts(
        model=scored,
        loss=config.build("loss", model=scored),
        metrics=config.build("metrics", model=scored),
        optimizer=torch.optim.SGD(scored.parameters()),
        lr_scheduler=None,
        train_loader=loader,
        valid_loader=loader,
        run=RunFolder.of(network.path) or RunFolder(config.name),  # Nothing is written there.
        device=network.device,
        checkpoint_header=network.record,
    )
    trainer = config.build("trainer", parts=parts)
    states = load_checkpoint(network.path).get("training", {}).get("parts", {})
    for name, part in trainer.checkpoint.stateful.items():
        if states.get(name):
            part.load_state_dict(states[name])
    logged = trainer.validate()
    extra = {name: value for name, value in logged.items() if name not in known}
    for name, value in extra.items():
        print(f"  {name:<21}{value:>12.4f}  as the training logs it")
    return extra


def score_points(
    network: "model.TrainedNetwork", data: "data_loader.data_loaders.Data", chosen: Evaluation
) -> dict[str, object]:
    """Score a network on the points of a split; print and return the scores, and their units."""
    from model.scores import UNITS, evaluate

    loaded, scored = data.loaded, network.model
    scores = evaluate(
        scored,
        data.loader(chosen.split),
        canonical=loaded.canonical,
        quantisation_step=loaded.quantisation_step,
        seed=chosen.seed,
    )
    unit = "normalised units of the checkpoint"
    if loaded.canonical is not None:
        unit = "canonical units of {} and {}".format(*loaded.canonical)
    print(f"split {chosen.split}: {scores['sequences']} sequences, {scores['points']} points")
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
    reader: "model.Reader", data: "data_loader.data_loaders.Data", chosen: Evaluation
) -> dict[str, object]:
    """Score a recogniser on a split; print and return the rates, and draw the worst lines."""
    from model.recognition.transcribing import score
    from model.scores import read_split
    from utils.plots import lines_figure, write_png

    search, samples = chosen.search.search(reader), data.samples(chosen.split)
    read = read_split(reader.model, samples, chosen.split, search)
    scores = {name: score(transcriptions) for name, transcriptions in read.items()}
    greedy, lines = scores["greedy"], len(samples)
    if unlabelled := lines - greedy["sequences"]:
        print(f"left out, because they have no text: {unlabelled} of {lines} lines")
    print(
        f"split {chosen.split}: {greedy['sequences']} sequences, {greedy['characters']} "
        f"characters, {greedy['words']} words"
    )
    texts = (chosen.search.language_model, chosen.search.words)
    meaning = {
        "greedy": "greedy decoding",
        "beam": f"beam of {search.width}",
        "language_model": f"beam of {search.width} with the language model of "
        f"{' and '.join(filter(None, texts))}, weight {search.language_weight:g}",
    }
    recorded = dict(greedy)
    for name, rates in scores.items():
        print(
            f"  {name:<15} cer {rates['cer']:.4f}  wer {rates['wer']:.4f}  lines without an error "
            f"{rates['line_accuracy']:.4f}  ({meaning[name]})"
        )
        if name != "greedy":
            recorded[name] = rates | {"search": meaning[name]}
    page = chosen.file(reader.path, "-worst.png")
    by_errors = sorted(list(read.values())[-1], key=lambda line: -line.error_rate)
    worst, captions = by_errors[:WORST], []
    for line in worst:
        both = f"true: {line.reference}\nread: {line.hypothesis}"
        captions.append(f"{line.name} · {line.error_rate:.0%} errors\n{both}")
    write_png(page, lines_figure([line.ink for line in worst], captions))
    print(f"{page}  (the {len(worst)} worst lines)")
    return recorded
