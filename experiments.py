"""Draws lines, writes texts, or evaluates, with a trained checkpoint.

examples:
  python experiments.py -r saved/models/conditional/RUN_ID
  python experiments.py -r CHECKPOINT --text "Hello world" --text "and again" --num-samples 3
  python experiments.py -r CHECKPOINT --text "Hello world" --bias 1 --window --density
  python experiments.py -r CHECKPOINT --evaluate
"""

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from base.base_model import BaseModel
from base.checkpoint import find_checkpoint, load_weights
from base.device import DEVICES, resolve_device
from model import Line, Mixture, PredictionNetwork, SynthesisNetwork, sample
from model.evaluation import density_map, evaluate
from model.sampling import DEFAULT_STEPS
from parse_config import ConfigParser, Override, add_override_options
from utils.alphabet import Alphabet, describe
from utils.checks import CheckpointError, Range, UserError
from utils.drawing import draw_density, draw_lines, draw_window, write_svg
from utils.files import write_json
from utils.normalisation import Normalisation

TEXT = "Sphinx of black quartz, judge my vow"
"""What is written without --text: every letter, in the length of a usual line."""

LINES = 5
"""Lines that are drawn without --num-samples where there is no text."""

SHEET = 50
"""Lines on the picture that shows them together."""

TOGETHER = 64
"""Lines that are written in one batch (assumed: a few hundred megabytes at most)."""

UNITS = {
    "log_loss": "nats a sequence",
    "log_loss_per_point": "nats a point",
    "log_loss_dequantised": "nats a sequence",
    "bits_per_point": "bits, dequantised, in units of the readings' lattice",
    "sse": "a point",
    "sse_strokes": "a point within a stroke",
    "sse_jumps": "a point after a pen lift",
}


@dataclass
class Loaded:
    """A checkpoint made ready for use.

    Attributes:
        model: in evaluation mode, on its device.
        config: the checkpoint's, with what overrides it.
        path: the file.
        device: where the model is.
    """

    model: BaseModel
    config: ConfigParser
    path: Path
    device: torch.device


def main(arguments: argparse.Namespace) -> None:
    """Do what the command line says."""
    loaded = load(arguments.resume, arguments.device, arguments.overrides)
    print(f"{type(loaded.model).__name__} of {loaded.path} on {loaded.device}")
    if arguments.evaluate:
        evaluate_split(loaded, arguments)
    elif use := USES.get(type(loaded.model)):
        use(loaded, arguments)
    else:
        raise UserError(f"nothing but --evaluate can be done with a {type(loaded.model).__name__}")


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; without any words print the help and exit with status 2."""
    text, _, examples = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        *("-r", "--resume"),
        metavar="CHECKPOINT",
        help="the checkpoint, or the folder of a run, of which the newest whole one is taken; "
        "the training data is not needed",
    )
    add("-d", "--device", default="auto", help=f"{DEVICES} (default: auto), e.g. -d cuda:1")
    add(
        "--text",
        action="append",
        help="what a conditional network is to write; may be given several times "
        f"(default: {TEXT!r})",
    )
    add(
        "--skip-unknown",
        action="store_true",
        help="leave out characters that the network does not know (default: they are an error)",
    )
    add(
        "--bias",
        type=number(float, Range(0, 100)),
        default=0.5,
        help="0: as varied as the training data; 1 and more: an average, very legible hand; the "
        "paper calls 0.15 a good balance, briefly trained networks need more (default: 0.5), "
        "e.g. --bias 1",
    )
    add(
        "--num-samples",
        type=number(int, Range(1, 10_000)),
        metavar="N",
        help=f"lines of each text (default: 1), or lines without a text (default: {LINES}), "
        "e.g. --num-samples 20",
    )
    add(
        "--steps",
        type=number(int, Range(1, 100_000)),
        metavar="N",
        help=f"limit on the points of a line (default: enough for the text, or {DEFAULT_STEPS} "
        "without one), e.g. --steps 300",
    )
    add(
        "--seed",
        type=number(int, Range(0, 2**32)),
        default=0,
        metavar="N",
        help="seed of the first line, the next one has the next; the same seed gives the same "
        "line (default: 0), e.g. --seed 7",
    )
    add(
        "--output",
        type=Path,
        default=Path("saved/figures"),
        metavar="FOLDER",
        help="where pictures and metrics.json go; those of the same name are replaced "
        "(default: saved/figures), e.g. --output ~/letters",
    )
    add("--window", action="store_true", help="draw the window's path as well (default: no)")
    add("--density", action="store_true", help="draw the density as well (default: no)")
    add(
        "--evaluate",
        nargs="?",
        const="valid",
        metavar="SPLIT",
        help="score the network on train, valid or test of the dataset of its config, and write "
        "metrics.json, instead of drawing (default: no; without SPLIT: valid), e.g. --evaluate "
        "test -o data_loader.args.dataset.args.root=data/iam_ondb",
    )
    add_override_options(parser, shorthands=False)
    words = sys.argv[1:] if words is None else words
    if not words:
        parser.print_help()
        parser.exit(2)
    arguments = parser.parse_args(words)
    if not arguments.resume:
        parser.error("-r CHECKPOINT is needed")
    if arguments.evaluate and (arguments.text or arguments.window or arguments.density):
        parser.error("--evaluate draws nothing: leave out --text, --window and --density")
    return arguments


def number(kind: type, bounds: Range) -> Any:
    """Return the argparse type of numbers of a kind within bounds."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value not in bounds:
            raise argparse.ArgumentTypeError(
                f"{text!r}: a {'whole ' if kind is int else ''}number {bounds} is accepted"
            )
        return value

    return parse


def load(path: str | Path, device: str = "auto", overrides: Sequence[Override] = ()) -> Loaded:
    """Make the network of a checkpoint ready for use; nothing but the file is needed.

    Args:
        path: the file, or the folder of a run for its newest whole checkpoint.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        overrides: values that replace those of its config.

    Raises:
        UserError: if there is no such device or checkpoint, or something is wrong with it.
    """
    place = resolve_device(device)
    path, checkpoint, skipped = find_checkpoint(path)
    for cause in skipped:
        print(f"skipped {cause}", file=sys.stderr)
    config = ConfigParser.from_checkpoint(checkpoint["config"], path, overrides)
    normalisation, alphabet = Normalisation.from_dict(checkpoint.get("normalisation")), None
    if config.needs_text:
        if not checkpoint.get("alphabet"):
            raise CheckpointError(f"{path}: it lacks the alphabet that its network needs")
        alphabet = Alphabet(checkpoint["alphabet"])
    model = config.build_model(normalisation, alphabet)
    load_weights(model, checkpoint["state_dict"], path)
    return Loaded(model.to(place).eval(), config, path, place)


def draw(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Draw lines with a network that takes no text."""
    if arguments.text or arguments.window:
        raise UserError(
            f"{loaded.path} holds a network without a text: it draws lines, and --text and "
            "--window are for a conditional one"
        )
    count = arguments.num_samples or LINES
    seeds = range(arguments.seed, arguments.seed + count)
    names = [f"{loaded.config.name}-seed{seed}" for seed in seeds]
    make_lines(loaded, arguments, names, seeds, None)


def write(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Write texts with a network that takes a text."""
    texts = known_texts(loaded.model.alphabet, arguments)
    seeds = range(arguments.seed, arguments.seed + (arguments.num_samples or 1))
    jobs = [
        (f"{loaded.config.name}-{name}-seed{seed}", seed, text)
        for name, text in zip(file_names(texts), texts, strict=True)
        for seed in seeds
    ]
    lines = make_lines(loaded, arguments, *zip(*jobs, strict=True))
    ended = sum(line.ended for line in lines)
    print(f"{ended} of {len(lines)} lines ended by the stopping rule")


USES = {PredictionNetwork: draw, SynthesisNetwork: write}
"""What a network is for: the function that does it, by the network's class."""


def make_lines(
    loaded: Loaded,
    arguments: argparse.Namespace,
    names: Sequence[str],
    seeds: Sequence[int],
    texts: Sequence[str] | None,
) -> list[Line]:
    """Write lines, save the pictures of each, and one of all, and print where they are."""
    make_folder(arguments.output)
    lines: list[Line] = []
    for start in range(0, len(seeds), TOGETHER):
        part = slice(start, start + TOGETHER)
        lines += sample(
            loaded.model,
            seeds[part],
            None if texts is None else texts[part],
            bias=arguments.bias,
            max_steps=arguments.steps,
            progress=True,
        )
    captions = [
        f"{line.text or 'no text'} · bias {arguments.bias:g} · seed {seed}"
        for line, seed in zip(lines, seeds, strict=True)
    ]
    written = []
    jobs = list(zip(lines, names, captions, strict=True))
    for line, name, caption in tqdm(jobs, desc="drawing", unit="line", leave=False, disable=None):
        written.append(save_line(loaded, arguments, line, name, caption))
    for line, paths in zip(lines, written, strict=True):
        end = "" if line.text is None else ", ended" if line.ended else ", not ended"
        print(f"{'  '.join(map(str, paths))}  ({len(line.ink)} points{end})")
    if len(lines) > 1:
        shown = min(len(lines), SHEET)
        together = arguments.output / f"{loaded.config.name}.png"
        draw_lines(together, [line.ink for line in lines[:shown]], captions[:shown])
        print(f"{together}  ({'all' if shown == len(lines) else 'the first'} {shown} lines)")
    return lines


def save_line(
    loaded: Loaded, arguments: argparse.Namespace, line: Line, name: str, caption: str
) -> list[Path]:
    """Save the pictures of one line and return their paths."""
    png, svg = arguments.output / f"{name}.png", arguments.output / f"{name}.svg"
    draw_lines(png, [line.ink], [caption])
    write_svg(svg, line.ink, line.text or "", description=f"{caption} · {loaded.config.name}")
    paths = [png, svg]
    if len(line.ink) < 2:  # it ended at once: there is no step to show
        return paths
    if arguments.window:
        paths.append(arguments.output / f"{name}-window.png")
        draw_window(paths[-1], line.window, line.text, line.ink)
    if arguments.density:
        paths.append(arguments.output / f"{name}-density.png")
        mixture = predict(loaded, line).biased(arguments.bias)
        density, extent = density_map(mixture, line.ink, loaded.model.normalisation)
        draw_density(paths[-1], density, extent, mixture.weights.cpu().numpy(), line.ink, caption)
    return paths


def make_folder(folder: Path) -> None:
    """Make the folder of the pictures, before there is any work to lose."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--output {folder}: no folder can be made there: {error.strerror}"
        ) from None


@torch.inference_mode()
def predict(loaded: Loaded, line: Line) -> Mixture:
    """Return what the network predicts at each step of a line, leading dimensions `(steps,)`."""
    model = loaded.model
    inputs = torch.from_numpy(model.normalisation.apply(line.ink[:-1]))[None].to(loaded.device)
    text = lengths = None
    if line.text is not None:
        text = torch.from_numpy(model.alphabet.encode(line.text))[None].to(loaded.device)
        lengths = torch.tensor([text.shape[1]], device=loaded.device)
    mixture = model(inputs, text, lengths).mixture
    return Mixture(**{name: value[0] for name, value in vars(mixture).items()})


def known_texts(alphabet: Alphabet, arguments: argparse.Namespace) -> list[str]:
    """Return the texts to write, without what the alphabet lacks if that is to be skipped.

    Raises:
        UserError: naming the characters that the alphabet lacks, or if nothing is left.
    """
    texts = arguments.text or [TEXT]
    unknown = list(dict.fromkeys(c for text in texts for c in alphabet.unknown(text)))
    if unknown:
        names = ", ".join(map(describe, unknown))
        if not arguments.skip_unknown and arguments.text:
            raise UserError(
                f"the network does not know {names}; --skip-unknown leaves that out. It knows "
                f"{''.join(alphabet.characters)!r}"
            )
        print(f"left out, because the network does not know it: {names}")
        texts = ["".join(c for c in text if c not in unknown) for text in texts]
    for text, given in zip(texts, arguments.text or [TEXT], strict=True):
        if not text.strip():
            raise UserError(f"there is nothing to write in {given!r}")
    return texts


def file_names(texts: Sequence[str]) -> list[str]:
    """Return a name for each text that every file system takes, no two alike."""
    names: list[str] = []
    taken: set[str] = set()
    for text in texts:
        plain = name = re.sub("[^A-Za-z0-9]+", "-", text)[:40].strip("-") or "text"
        count = 1
        while name.lower() in taken:  # Some file systems do not tell capitals from small letters.
            count += 1
            name = f"{plain}-{count}"
        taken.add(name.lower())
        names.append(name)
    return names


def evaluate_split(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Score the network on a split of its dataset; print the scores and write metrics.json."""
    make_folder(arguments.output)
    model, seed = loaded.model, loaded.config.config["trainer"].get("args", {}).get("seed", 0)
    alphabet = model.alphabet if model.needs_text else None
    loader = loaded.config.build("data_loader", seed, model.normalisation, alphabet)
    split, source = loader.split(arguments.evaluate), loader.source
    scores = evaluate(
        model,
        split,
        normalisation=model.normalisation,
        canonical=source.canonical,
        lattice=source.lattice,
        seed=arguments.seed,
        device=loaded.device,
        progress=True,
    )
    unit = (
        "normalised units of the checkpoint"
        if source.canonical is None
        else "canonical units of {} and {}".format(*source.canonical)
    )
    print(f"split {arguments.evaluate}: {scores['sequences']} sequences, {scores['points']} points")
    print(f"log-loss and SSE in {unit}; sigma is at least {model.min_scale} of the data's units")
    for name, meaning in UNITS.items():
        value = "none" if scores[name] is None else f"{scores[name]:.4f}"
        print(f"  {name:<21}{value:>12}  {meaning}")
    path = arguments.output / "metrics.json"
    described = {"unit": unit, "min_scale": model.min_scale, "checkpoint": str(loaded.path)}
    write_json(path, {"split": arguments.evaluate, **scores, **described})
    print(path)


if __name__ == "__main__":
    parsed = parse()
    try:
        sys.exit(main(parsed))
    except UserError as error:
        status, message = 2, str(error)
    except OSError as error:
        status, message = 1, str(error)
    except KeyboardInterrupt:
        status, message = 128 + signal.SIGINT, "interrupted"
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
