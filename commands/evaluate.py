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
from base.config.user_code import errors_as_config_fault
from base.config.values import Override
from base.run.pretrained import resolve_checkpoint
from commands.shared import network_options, options, search_options
from commands.shared.network_options import Networks
from commands.shared.options import Parser
from commands.shared.search_options import SearchOptions
from utils.checks import CheckpointError, UserError
from utils.files import prepare_output, write_json

SPLITS = ("train", "valid", "test")
READING_OPTIONS = ("beam", "language_model", "language_weight", "words")
RECORDED_OPTIONS = (*READING_OPTIONS, "seed", "overrides")
"""Options whose values are saved with the scores, and decide the names of files."""
NUM_WORST = 20  # lines in the picture of the worst read lines (assumed)


def add_options(parser: Parser) -> None:
    network_options.add_network(parser, nargs="+")
    splits = "train, valid or test (default: valid)"
    parser.add_argument("split", nargs="?", metavar="SPLIT", help=splits)
    search_options.add_options(parser)
    options.add_overrides(parser)
    network_options.add_seed(parser, "seed of the dequantisation noise")
    network_options.add_output(parser, default=None)


@dataclass(frozen=True)
class Evaluation:
    """The options of an evaluation.

    Attributes:
        split: the split of the networks' data.
        search: the search of networks that read.
        overrides: changes of the config that names the data.
        seed: seed of the dequantisation noise.
        recorded: the values of the `RECORDED_OPTIONS` that the command line sets.
        output: where scores are saved; None: in the network's run folder, or else in
            `network_options.FIGURES`.
    """

    split: str
    search: SearchOptions
    overrides: list[Override]
    seed: int
    recorded: Mapping[str, Any]
    output: network_options.Output | None

    def file(self, checkpoint: Path, ending: str) -> Path:
        """Return the path of a file of results; each checkpoint and each evaluation has its own."""
        from base.run.run_folder import RunFolder

        run = RunFolder.of(checkpoint)
        name = f"{checkpoint.stem}-{self.split}"
        if self.recorded:
            name += f"-{zlib.crc32(json.dumps(self.recorded).encode()):08x}"
        if run and not self.output:
            return run.models / "evaluations" / f"{name}{ending}"
        folder = self.output.folder if self.output else Path(network_options.FIGURES)
        prefix = f"{run.name}-{run.run_id}-" if run else ""
        return folder / f"{prefix}{name}{ending}"


def run(arguments: argparse.Namespace) -> None:
    search = search_options.options_of(arguments)
    paths = arguments.resume
    split = arguments.split or "valid"
    if arguments.split is None and len(paths) > 1 and paths[-1] in SPLITS:
        *paths, split = paths  # -r takes a SPLIT that follows its checkpoints
    values = {name: getattr(arguments, name) for name in RECORDED_OPTIONS}
    recorded = {name: value for name, value in values.items() if value}
    chosen = Evaluation(
        split=split,
        search=search,
        overrides=arguments.overrides,
        seed=arguments.seed,
        recorded=recorded,
        output=arguments.output,
    )
    for number, path in enumerate(paths, 1):
        try:
            resolve_checkpoint(path)
        except CheckpointError as error:
            is_last_of_several = 1 < number == len(arguments.resume)
            may_be_split = arguments.split is None and is_last_of_several
            splits = f"; nor a split ({', '.join(SPLITS)})" if may_be_split else ""
            raise CheckpointError(f"{error}{splits}") from None
    networks = [*map(Networks.of(arguments).load, paths)]
    reading = [name for name in READING_OPTIONS if name in recorded]
    for network in networks:
        if reading and not isinstance(network, model.Reader):
            option = f"--{reading[0].replace('_', '-')}"
            kind = type(network.model).__name__
            problem = f"{network.path} contains a {kind}"
            raise UserError(f"{option} is for a network that reads: {problem}")
    rows = [evaluate(network, chosen) for network in networks]
    if len(rows) > 1:
        network_options.print_table(rows)


def evaluate(network: "model.TrainedNetwork", chosen: Evaluation) -> dict[str, str]:
    """Score a network, and save the scores; return the network's row of a table of networks."""
    from model.generation.generators import HEADS
    from parse_config import data_of

    path = chosen.file(network.path, ".json")
    option = "--output" if chosen.output else "scores"
    prepare_output(path, option, is_checked_only=True)
    data = data_of(network, chosen.split, chosen.overrides)
    prepare_output(path, option)
    scores: dict[str, Any] = {}
    if isinstance(network, model.Reader):
        scores = score_reading(network, data, chosen)
    elif isinstance(network, model.Writer) and network.model.head in HEADS:
        scores = score_points(network, data, chosen)
    scores |= score_user_metrics(network, data, chosen, scores)
    record = {"split": chosen.split, "checkpoint": str(network.path), "options": chosen.recorded}
    write_json(path, record | scores)
    print(path)
    first_score = next(iter(scores))
    main = next((name for name in network_options.MAIN_SCORES if name in scores), first_score)
    value = "none" if scores[main] is None else f"{scores[main]:.4f}"
    return {"checkpoint": str(network.path), "split": chosen.split, main: value}


def score_user_metrics(
    network: "model.TrainedNetwork",
    data: "data_loader.pipeline.Data",
    chosen: Evaluation,
    scores: Container[str],
) -> dict[str, float]:
    """Print and return the values of the training's validation that `scores` lacks; nothing unless
    the loss, a metric or the trainer is the user's, or the network neither writes nor reads."""
    from base.config import user_modules
    from base.run.checkpoint import load_checkpoint
    from base.run.run_folder import RunFolder
    from base.run.training_parts import TrainingParts
    from parse_config import config_of

    config = config_of(network, chosen.overrides)
    blocks = [config.config["loss"], config.config["trainer"], *config.config["metrics"]]
    user_types = {cls.__name__ for cls in user_modules.classes()}
    user_types &= {block["type"] for block in blocks}
    if isinstance(network, model.Writer | model.Reader) and not user_types:
        return {}
    loader = data.loader(chosen.split, network.model.features)
    parts = TrainingParts(
        model=network.model,
        loss=config.build("loss", model=network.model),
        metrics=config.build("metrics", model=network.model),
        optimizer=None,
        lr_scheduler=None,
        train_loader=loader,
        valid_loader=loader,
        run=RunFolder.of(network.path) or RunFolder(config.name),  # Nothing is written there.
        device=network.device,
        facts=data.facts(network.model.extras),
    )
    trainer = config.build("trainer", parts=parts)
    training = load_checkpoint(network.path).get("training", {})
    states = training.get("run", training).get("parts", {})  # Older networks have them outside.
    for name, part in trainer.state.kept.items():
        if states.get(name):
            with errors_as_config_fault(name, part, "one that takes its saved state"):
                part.load_state_dict(states[name])
    logged = trainer.validate()
    extra = {name: value for name, value in logged.items() if name not in scores}
    for name, value in extra.items():
        print(f"  {name:<21}{value:>12.4f}  as the training logs it")
    return extra


def score_points(
    network: "model.TrainedNetwork", data: "data_loader.pipeline.Data", chosen: Evaluation
) -> dict[str, object]:
    """Score a network on the points of a split; print and return the scores and their units."""
    from model.scores import SCORE_UNITS, evaluate

    loaded = data.loaded
    scores = evaluate(
        network.model,
        data.loader(chosen.split, network.model.features),
        canonical=loaded.canonical,
        quantisation_step=loaded.quantisation_step,
        seed=chosen.seed,
    )
    unit = "normalised units of the checkpoint"
    if loaded.canonical is not None:
        unit = "canonical units of {} and {}".format(*loaded.canonical)
    print(f"split {chosen.split}: {scores['sequences']} sequences, {scores['points']} points")
    details = {"unit": unit}
    if network.model.has_density:
        min_scale = network.model.min_scale
        details["min_scale"] = min_scale
        print(f"log-loss and SSE in {unit}; sigma is at least {min_scale} of the data's units")
    else:
        print(f"SSE in {unit}; the squared error in normalised units of the checkpoint")
    if network.model.end_of_sequence:
        details["end_of_sequence"] = True
        print("the log-loss includes, for each point, whether the sequence ends at the point")
    for name, meaning in SCORE_UNITS.items():
        if name in scores:
            value = "none" if scores[name] is None else f"{scores[name]:.4f}"
            print(f"  {name:<21}{value:>12}  {meaning}")
    return scores | details


def score_reading(
    reader: "model.Reader", data: "data_loader.pipeline.Data", chosen: Evaluation
) -> dict[str, object]:
    """Score a recogniser on a split; print and return the rates; draw the worst read lines."""
    from model.drawing.plots import lines_figure, write_png
    from model.recognition.transcribing import score
    from model.scores import read_split

    search = chosen.search.search(reader)
    samples = data.samples(chosen.split)
    transcriptions = read_split(reader.model, samples, chosen.split, search)
    scores = {decoding: score(read) for decoding, read in transcriptions.items()}
    greedy = scores["greedy"]
    lines = len(samples)
    if unlabelled := lines - greedy["sequences"]:
        print(f"left out, because they have no text: {unlabelled} of {lines} lines")
    print(
        f"split {chosen.split}: {greedy['sequences']} sequences, {greedy['characters']} "
        f"characters, {greedy['words']} words"
    )
    sources = (chosen.search.language_model, chosen.search.words)
    descriptions = {
        "greedy": "greedy decoding",
        "beam": f"beam of {search.width}",
        "language_model": f"beam of {search.width} with the language model of "
        f"{' and '.join(filter(None, sources))}, weight {search.language_weight:g}",
    }
    recorded = dict(greedy)
    for name, rates in scores.items():
        print(
            f"  {name:<15} cer {rates['cer']:.4f}  wer {rates['wer']:.4f}  lines without an error "
            f"{rates['line_accuracy']:.4f}  ({descriptions[name]})"
        )
        if name != "greedy":
            recorded[name] = rates | {"search": descriptions[name]}
    page = chosen.file(reader.path, "-worst.png")
    best_lines = list(transcriptions.values())[-1]  # The decodings are from bad to good.
    by_errors = sorted(best_lines, key=lambda line: -line.error_rate)
    worst = by_errors[:NUM_WORST]
    captions = []
    for line in worst:
        texts = f"true: {line.reference}\nread: {line.hypothesis}"
        captions.append(f"{line.name} · {line.error_rate:.0%} errors\n{texts}")
    write_png(page, lines_figure([line.ink for line in worst], captions))
    print(f"{page}  (the {len(worst)} worst lines)")
    return recorded
