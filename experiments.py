"""Draws lines, writes texts, reads ink, or evaluates, with a trained checkpoint.

examples:
  python experiments.py -r saved/models/conditional/RUN_ID
  python experiments.py -r CHECKPOINT --text "Hello world" --text "and again" --num-samples 3
  python experiments.py -r CHECKPOINT --text "Hello world" --bias 1 --window --density
  python experiments.py -r CHECKPOINT --text "Hello world" --primer my_hand.inkml
  python experiments.py -r CHECKPOINT --continue valid --primer-points 50 --steps 200
  python experiments.py -r CHECKPOINT --evaluate
  python experiments.py --sheet saved/models/mnist_single_digit/?
  python experiments.py -r RECOGNISER --input letter.inkml --beam 16
  python experiments.py -r WRITER --read-back RECOGNISER
  python experiments.py -r conditional --text "Hello world"            (comes with the project)
"""

from utils import console

if __name__ == "__main__":
    console.set_up()  # Before the slow imports, during which there may be an interrupt.

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from base.base_model import BaseModel
from base.checkpoint import (
    find_checkpoint,
    load_checkpoint,
    load_weights,
    pretrained,
    save_checkpoint,
    stored_alphabet,
    stored_normalisation,
    to_share,
)
from base.device import DEVICES, resolve_device
from data_loader import read_ink
from data_loader.sources.ink_files import ACCEPTED, HANDS, matched
from data_loader.synthetic.corpus import CARRIERS, held_out
from model import (
    AttentionNetwork,
    CTCNetwork,
    Line,
    Mixture,
    PointEstimate,
    PredictionNetwork,
    SynthesisNetwork,
    sample,
)
from model.generation.density import density_map
from model.generation.mixture import PEN_SHARPNESS
from model.generation.sampling import DEFAULT_STEPS
from model.legibility import read_back
from model.recognition.error_rates import is_read
from model.recognition.language_model import CharacterLanguageModel
from model.recognition.networks import RecognitionNetwork, Search
from model.recognition.transcribing import TOGETHER, Transcription, read_lines, score, worst
from parse_config import ConfigParser, Override, add_override_options
from trainer.scores import evaluate
from utils.alphabet import Alphabet, describe, nfc
from utils.checks import CheckpointError, Range, UserError
from utils.files import open_file, write_json
from utils.ink import bounds, to_points
from utils.page.inkml import write_inkml
from utils.page.svg import write_svg
from utils.plots import draw_curve, draw_density, draw_lines, draw_window

TEXT = "Sphinx of black quartz, judge my vow"
"""What is written without --text: every letter, in the length of a usual line."""

BIAS = 0.5
"""Of the mixture without --bias."""

LINES = 5
"""Lines that are drawn without --num-samples where there is no text."""

SHEET = 50
"""Lines on the picture that shows them together."""

CONTINUED, CONTINUED_POINTS, CONTINUED_STEPS = 6, 50, 200
"""Without --num-samples, --primer-points and --steps: lines that --continue takes, points of
each, and points that follow them."""

SHEET_DPI = 300
"""Pixels per inch of the picture of --sheet (assumed: single digits are small on paper)."""

ROW = 10
"""Lines that --sheet draws of each checkpoint without --num-samples."""

WORST = 20
"""Lines on the picture of those that were read worst."""

BIASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""At which --read-back writes without --biases."""

SENTENCES = 50
"""That --read-back writes without --text and --num-samples."""

CHARACTER_SAMPLES, CHARACTER_BIAS, CHARACTERS_IN_ROW = 10, 1.0, 6
"""Of --characters: samples of each and their bias, without --num-samples and --biases; how many
stand side by side on its sheet."""

LANGUAGE_WEIGHT = 0.7
"""Of a language model's log-probabilities, without --language-weight (chosen with `recognition` on
lines of `testset_v` and `testset_t`, see saved/pretrained/README.md)."""

OWN_LINES, OWN_STEPS = 8, 300
"""Lines that a network writes, and their steps, so that a primer can be compared with them
(measured: after two epochs of IAM-OnDB the median of their heights is 1.1 and 1.4 times that of the
data)."""

FOR_WRITERS = (
    *("text", "skip_unknown", "num_samples", "steps"),
    *("primer", "inkml", "window", "density"),
)
FOR_READERS = ("input", "beam", "language_model", "length_bonus")
"""Options for networks of one kind. With --read-back a writer takes those of its reader."""

UNITS = {
    "log_loss": "nats a sequence",
    "log_loss_per_point": "nats a point",
    "log_loss_dequantised": "nats a sequence",
    "bits_per_point": "bits, dequantised, in units of the points' quantisation step",
    "squared_error": "a sequence, half squared distances and the pen's nats",
    "squared_error_per_point": "the same, a point",
    "pen_cross_entropy": "nats a point",
    "end_cross_entropy": "nats a sequence, of the end of the sequence",
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
    if arguments.sheet:
        draw_sheet(arguments)
        return
    loaded = load(arguments.resume, arguments.device, arguments.overrides)
    print(f"{type(loaded.model).__name__} of {loaded.path} on {loaded.device}")
    refuse_options(loaded, arguments)
    if arguments.export:
        export(loaded, arguments.export)
    elif arguments.read_back:
        judge_legibility(loaded, arguments)
    elif arguments.continued:
        continue_lines(loaded, arguments)
    elif arguments.evaluate and isinstance(loaded.model, RecognitionNetwork):
        evaluate_reading(loaded, arguments)
    elif arguments.evaluate:
        evaluate_split(loaded, arguments)
    elif use := USES.get(type(loaded.model)):
        use(loaded, arguments)
    else:
        raise UserError(f"nothing but --evaluate can be done with a {type(loaded.model).__name__}")


def refuse_options(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Raise a UserError if an option is for networks of the other kind, or for nothing given."""
    reads = isinstance(loaded.model, RecognitionNetwork)
    others = FOR_WRITERS if reads else () if arguments.read_back else FOR_READERS
    for name in others:
        value = getattr(arguments, name)
        if value and not (name == "beam" and value == 1):
            kind = "writes" if reads else "reads"
            raise UserError(
                f"--{name.replace('_', '-')} is for a network that {kind}: {loaded.path} holds a "
                f"{type(loaded.model).__name__}"
            )
    if arguments.skip_unknown and not (arguments.text or arguments.primer or arguments.read_back):
        raise UserError("--skip-unknown is for a --text, the text of a --primer, or --read-back")


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
        help="the checkpoint, or the folder of a run, of which the newest whole one is taken, or "
        f"the name of a network that comes with the project ({', '.join(pretrained())}); the "
        "training data is not needed",
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
        help="0: as varied as the training data; 1 and more: an average, very legible hand; the "
        "paper calls 0.15 a good balance, briefly trained networks need more (default: 0.5), "
        "e.g. --bias 1",
    )
    add(
        "--pen-sharpness",
        type=number(float, Range(0, 100)),
        metavar="S",
        help="how much the bias also sharpens when the pen is lifted; 0: not at all, as in the "
        f"paper (default: {PEN_SHARPNESS:g}), e.g. --pen-sharpness 0",
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
    add(
        "--export",
        type=Path,
        metavar="FILE",
        help="write what it takes to use the network, and to start another training from it, into "
        "a small file: weights in half precision, without the state of the training; -o changes "
        "what its config says, such as where the data lies, e.g. --export mine.pth",
    )
    add("--inkml", action="store_true", help="save each line as InkML as well (default: no)")
    add(
        "--primer",
        type=Path,
        metavar="FILE",
        help=f"ink whose hand is to be continued: {ACCEPTED} (default: none)",
    )
    add(
        "--primer-text",
        metavar="TEXT",
        help="what the primer says, for a conditional network (default: what its file tells)",
    )
    add(
        "--primer-number",
        type=number(int, Range(0, None)),
        metavar="N",
        help="which sample of the primer's file, counted from 0 (default: 0)",
    )
    add(
        "--primer-points",
        type=number(int, Range(1, None)),
        metavar="N",
        help="only the first N points of the primer (default: all; "
        f"with --continue {CONTINUED_POINTS}), e.g. --primer-points 50",
    )
    add(
        "--continue",
        dest="continued",
        metavar="SPLIT",
        help="continue the beginnings of lines of a split of its config's dataset, chosen by the "
        "seed, in one picture that shows the beginnings in another colour; a conditional network "
        f"goes on with the line's text (without --num-samples {CONTINUED} lines, without --steps "
        f"{CONTINUED_STEPS} points), e.g. --continue valid",
    )
    add(
        "--sheet",
        nargs="+",
        metavar="CHECKPOINT",
        help="draw the lines of several networks without a text in one picture, a row for each, "
        "such as the digits of ten networks that end by themselves; takes the place of -r "
        f"(without --num-samples {ROW} lines each), e.g. --sheet saved/models/NAME/*",
    )
    add(
        "--primer-scale",
        type=primer_scale,
        metavar="auto|FACTOR",
        help="what turns the primer's units into those of the training data, e.g. --primer-scale 1 "
        "where they are the same; auto compares the primer with what the network writes by itself: "
        f"if its letters are more than {HANDS:g} times larger or smaller it is scaled, if its "
        f"points then lie {HANDS:g} times denser or sparser it is resampled, and else it stays "
        "as it is (default: auto)",
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
    add(
        "--input",
        type=Path,
        action="append",
        metavar="PATH",
        help="ink for a recogniser to read: a file of any format (IAM-OnDB's XML, InkML, stroke "
        "arrays, MNIST strokes, UNIPEN, JSON) or a folder; may be given several times",
    )
    add(
        "--beam",
        type=number(int, Range(1, 1000)),
        default=1,
        metavar="N",
        help="hypotheses that a recogniser keeps (default: 1, the best class at each place), e.g. "
        "--beam 16",
    )
    add(
        "--language-model",
        nargs="?",
        const="train",
        metavar="FILE",
        help="let a character language model help a recogniser: built from the lines of a text "
        "file, or, without FILE, from the texts of the training split of the config's dataset "
        "(default: none)",
    )
    add(
        "--language-weight",
        type=number(float, Range(0, 100)),
        metavar="W",
        help=f"weight of its log-probabilities (default: {LANGUAGE_WEIGHT:g}), e.g. "
        "--language-weight 0.8",
    )
    add(
        "--length-bonus",
        type=number(float, Range(-100, 100)),
        default=0.0,
        metavar="NATS",
        help="for each character, with CTC: more for longer texts (default: 0), e.g. "
        "--length-bonus 0.5",
    )
    add(
        "--read-back",
        metavar="RECOGNISER",
        help=f"have the texts (default: --num-samples or {SENTENCES} sentences that no network was "
        "trained on) read by this checkpoint as written at several biases, and draw its rate of "
        "errors over bias",
    )
    add(
        "--biases",
        type=number(float, Range(0, 100)),
        nargs="+",
        metavar="B",
        help=f"of --read-back (default: {' '.join(f'{bias:g}' for bias in BIASES)})",
    )
    add(
        "--characters",
        action="store_true",
        help="have --read-back write every visible character of ASCII in a word or two, instead of "
        f"sentences, and draw the sheet (without --num-samples {CHARACTER_SAMPLES} times each, "
        f"without --biases at {CHARACTER_BIAS:g}), e.g. --read-back recognition --characters",
    )
    add_override_options(parser, shorthands=False)
    words = sys.argv[1:] if words is None else words
    if not words:
        parser.print_help()
        parser.exit(2)
    arguments = parser.parse_args(words)
    if not (arguments.resume or arguments.sheet):
        parser.error("-r CHECKPOINT is needed")
    others = ["evaluate", "input", "read_back", "text", "window", "density", "inkml", "primer"]
    other = next((name for name in others if getattr(arguments, name)), None)
    if arguments.sheet and (arguments.resume or arguments.continued or other):
        parser.error(
            "--sheet draws one picture: it takes --num-samples, --steps, --seed, --bias, "
            "--pen-sharpness and --output, and the place of -r"
        )
    if arguments.export:
        more = ("sheet", "continued", *others, "num_samples", "steps", "skip_unknown")
        if extra := next((name for name in more if getattr(arguments, name)), None):
            extra = {"continued": "continue"}.get(extra, extra).replace("_", "-")
            parser.error(f"--export writes the checkpoint and nothing else: leave out --{extra}")
    if arguments.continued and other:
        parser.error(f"--continue draws one picture: leave out --{other.replace('_', '-')}")
    if arguments.evaluate and (arguments.text or arguments.window or arguments.density):
        parser.error("--evaluate draws nothing: leave out --text, --window and --density")
    if arguments.evaluate and (arguments.num_samples or arguments.steps):
        parser.error("--evaluate takes a whole split: leave out --num-samples and --steps")
    if arguments.evaluate and arguments.input:
        parser.error("--evaluate reads a split: leave out --input")
    if arguments.read_back and (arguments.evaluate or arguments.input):
        parser.error("--read-back writes what it reads: leave out --evaluate and --input")
    if arguments.read_back and arguments.text and arguments.num_samples:
        parser.error("--read-back writes each --text once: leave out --num-samples")
    if arguments.read_back and (arguments.window or arguments.density):
        parser.error("--read-back draws pictures of its own: leave out --window and --density")
    if arguments.biases and not arguments.read_back:
        parser.error("--biases belongs to --read-back; --bias is that of everything else")
    if arguments.characters and not arguments.read_back:
        parser.error("--characters belongs to --read-back RECOGNISER")
    if arguments.characters and arguments.text:
        parser.error("--characters has texts of its own: leave out --text")
    if arguments.characters and len(arguments.biases or ()) > 1:
        parser.error("--characters writes at one bias: give --biases one value")
    if arguments.read_back and arguments.bias is not None:
        parser.error("--read-back takes --biases, one or several, in the place of --bias")
    if (arguments.evaluate or arguments.input) and arguments.bias is not None:
        parser.error("--bias is for writing: leave it out")
    if (arguments.evaluate or arguments.input) and arguments.pen_sharpness is not None:
        parser.error("--pen-sharpness is for writing: leave it out")
    if arguments.bias is None:
        arguments.bias = BIAS
    if arguments.pen_sharpness is None:
        arguments.pen_sharpness = PEN_SHARPNESS
    if arguments.language_model and arguments.beam == 1:
        parser.error("--language-model chooses between hypotheses: give --beam 2 or more")
    if arguments.language_weight is None:
        arguments.language_weight = LANGUAGE_WEIGHT
    elif not arguments.language_model:
        parser.error("--language-weight is that of a --language-model: give one, or leave it out")
    if arguments.length_bonus and arguments.beam == 1:
        parser.error("--length-bonus chooses between hypotheses: give --beam 2 or more")
    options = ("primer_text", "primer_number", "primer_points", "primer_scale")
    given = [name for name in options if getattr(arguments, name) is not None]
    if arguments.continued and given == ["primer_points"]:
        given = []
    if given and arguments.primer is None:
        parser.error(f"--{given[0].replace('_', '-')} is for a --primer FILE")
    if (arguments.primer or arguments.inkml) and (
        arguments.evaluate or arguments.input or arguments.read_back
    ):
        parser.error(
            "--primer and --inkml are for writing: leave out --evaluate, --input and --read-back"
        )
    return arguments


def export(loaded: Loaded, path: Path) -> None:
    """Write the checkpoint without its training state, in half precision.

    Raises:
        UserError: if it would take the place of a checkpoint that has one, itself or another.
    """
    if path.exists():
        if path.samefile(loaded.path):
            raise UserError(f"--export {path}: that is the checkpoint itself; name another file")
        try:
            holds_training = "training" in load_checkpoint(path)
        except CheckpointError:
            holds_training = False
        if holds_training:
            raise UserError(
                f"--export {path}: that checkpoint holds the state of a training, which would be "
                "lost; name another file"
            )
    checkpoint = load_checkpoint(loaded.path)
    save_checkpoint(path, to_share(checkpoint | {"config": loaded.config.stored}))
    before, after = loaded.path.stat().st_size, path.stat().st_size
    print(f"{path}  ({after / 2**20:.1f} MiB of {before / 2**20:.1f})")


def primer_scale(text: str) -> float | str:
    """Return the value of --primer-scale: a factor, or `auto`."""
    return text if text == "auto" else number(float, Range(1e-6, 1e6))(text)


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
        path: the file, the folder of a run for its newest whole checkpoint, or the name of a
            network that comes with the project.
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
    normalisation, alphabet = stored_normalisation(checkpoint, path), None
    if config.needs_text:
        alphabet = stored_alphabet(checkpoint, path)
    model = config.build_model(normalisation, alphabet, checkpoint["state_dict"])
    load_weights(model, checkpoint["state_dict"], path)
    return Loaded(model.to(place).eval(), config, path, place)


def draw(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Draw lines with a network that takes no text."""
    if arguments.text or arguments.window or arguments.primer_text:
        raise UserError(
            f"{loaded.path} holds a network without a text: it draws lines, and --text, --window "
            "and --primer-text are for a conditional one"
        )
    count = arguments.num_samples or LINES
    seeds = range(arguments.seed, arguments.seed + count)
    names = [f"{loaded.config.name}-seed{seed}" for seed in seeds]
    lines = make_lines(loaded, arguments, names, seeds, None)
    if loaded.model.end_of_sequence:
        print(f"{sum(line.ended for line in lines)} of {count} lines ended by themselves")


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


def read(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Read ink files with a recogniser, print the texts, and draw the first lines with them."""
    if not arguments.input:
        raise UserError(
            f"{loaded.path} holds a recogniser: --input PATH says what it is to read, --evaluate "
            "scores it"
        )
    make_folder(arguments.output)
    samples = [sample for path in arguments.input for sample in read_ink(path)]
    search = search_of(loaded, arguments)
    texts = read_lines(loaded.model, [one.ink for one in samples], search, progress=True)
    for one, text in zip(samples, texts, strict=True):
        print(f"{one.name}\t{text}")
    known = [
        Transcription(one.name, one.ink, one.text, text)
        for one, text in zip(samples, texts, strict=True)
        if one.text is not None
    ]
    if known:
        scores = score(known)
        print(
            f"{scores['sequences']} of them say what they hold: cer {scores['cer']:.4f}, "
            f"wer {scores['wer']:.4f}"
        )
    path = arguments.output / f"{loaded.config.name}-read.png"
    draw_lines(path, [one.ink for one in samples[:SHEET]], texts[:SHEET])
    print(f"{path}  ({min(len(samples), SHEET)} of {len(samples)} lines)")


USES = {
    PredictionNetwork: draw,
    SynthesisNetwork: write,
    CTCNetwork: read,
    AttentionNetwork: read,
}
"""What a network is for: the function that does it, by the network's class."""


def make_lines(
    loaded: Loaded,
    arguments: argparse.Namespace,
    names: Sequence[str],
    seeds: Sequence[int],
    texts: Sequence[str] | None,
) -> list[Line]:
    """Write lines, save the pictures of each, and one of all, and print where they are."""
    if arguments.density and loaded.model.head == "regression":
        raise UserError(
            f"{loaded.path} holds a network with a regression head: it has no density to draw; "
            "leave out --density"
        )
    primer = take_primer(loaded, arguments)
    make_folder(arguments.output)
    lines: list[Line] = []
    for start in range(0, len(seeds), TOGETHER):
        part = slice(start, start + TOGETHER)
        lines += sample(
            loaded.model,
            seeds[part],
            None if texts is None else [after(primer, text, loaded) for text in texts[part]],
            bias=arguments.bias,
            pen_sharpness=arguments.pen_sharpness,
            max_steps=arguments.steps,
            primer=primer,
            progress=True,
        )
    captions = [
        f"{line.text or 'no text'}{sharpening(loaded, arguments)} · seed {seed}"
        for line, seed in zip(lines, seeds, strict=True)
    ]
    written = []
    jobs = list(zip(lines, names, captions, texts or [""] * len(lines), strict=True))
    for job in tqdm(jobs, desc="drawing", unit="line", leave=False, disable=None):
        written.append(save_line(loaded, arguments, *job))
    for line, paths in zip(lines, written, strict=True):
        can_end = loaded.model.needs_text or loaded.model.end_of_sequence
        end = "" if not can_end else ", ended" if line.ended else ", not ended"
        points = f"{len(line.ink) - line.primed} points"
        if line.primed:
            points += f" after the {line.primed} of the primer"
        print(f"{'  '.join(map(str, paths))}  ({points}{end})")
    if len(lines) > 1:
        shown = min(len(lines), SHEET)
        together = arguments.output / f"{loaded.config.name}.png"
        primed = [line.primed for line in lines[:shown]]
        inks = [line.ink for line in lines[:shown]]
        draw_lines(together, inks, captions[:shown], primers=primed)
        print(f"{together}  ({'all' if shown == len(lines) else 'the first'} {shown} lines)")
    return lines


def save_line(
    loaded: Loaded, arguments: argparse.Namespace, line: Line, name: str, caption: str, text: str
) -> list[Path]:
    """Save the pictures of one line and return their paths.

    A picture shows a primer as well; SVG and InkML hold what was written after it, the `text`.
    """
    png, svg = arguments.output / f"{name}.png", arguments.output / f"{name}.svg"
    draw_lines(png, [line.ink], [caption], primers=[line.primed])
    paths = [png]
    if len(line.written):  # else the network takes the text for written when the primer is
        write_svg(svg, line.written, text, description=f"{caption} · {loaded.config.name}")
        paths.append(svg)
        if arguments.inkml:
            paths.append(arguments.output / f"{name}.inkml")
            write_inkml(paths[-1], line.written, text)
    if len(line.ink) < 2:  # it ended at once: there is no step to show
        return paths
    if arguments.window:
        paths.append(arguments.output / f"{name}-window.png")
        draw_window(paths[-1], line.attention, line.text, line.ink)
    if arguments.density:
        paths.append(arguments.output / f"{name}-density.png")
        bias = torch.from_numpy(line.bias).to(loaded.device)
        mixture = predict(loaded, line).biased(bias, arguments.pen_sharpness)
        density, extent = density_map(mixture, line.ink, loaded.model.normalisation)
        draw_density(paths[-1], density, extent, mixture.weights.cpu().numpy(), line.ink, caption)
    return paths


def take_primer(loaded: Loaded, arguments: argparse.Namespace) -> tuple[np.ndarray, str] | None:
    """Return the ink of --primer in the units of the training data and its text, and print both.

    Raises:
        UserError: if it cannot be read, or what it says is needed and not known.
    """
    if arguments.primer is None:
        return None
    model, chosen = loaded.model, arguments.primer_number or 0
    samples = read_ink(arguments.primer)
    if chosen >= len(samples):
        raise UserError(
            f"--primer-number {chosen}: {arguments.primer} has {len(samples):,} samples, counted "
            "from 0"
        )
    one, count = samples[chosen], arguments.primer_points
    cut = count is not None and count < len(one.ink)
    text = ""
    if model.needs_text:
        if cut and arguments.primer_text is None:
            raise UserError(
                f"--primer-points {count} leaves a part of {one.name}: say with --primer-text "
                "what is written in it"
            )
        given = one.text if arguments.primer_text is None else arguments.primer_text
        if not given or not given.strip():
            raise UserError(
                f"{arguments.primer} does not tell what is written in {one.name}: say it with "
                "--primer-text, since this network writes by text"
            )
        (text,) = known(model.alphabet, [nfc(given)], arguments.skip_unknown)
    ink, done = one.ink, "as it is"
    if arguments.primer_scale in (None, "auto"):
        ink, scale, period = matched(ink, own_writing(model))
        changes = [f"scaled by {scale:.4g}"] if scale != 1 else []
        changes += [f"resampled, {period:.3g} points to one"] if period != 1 else []
        done = " and ".join(changes) or f"{done}, about as large as what the network writes"
        count = None if count is None else max(1, round(count / period))
    elif arguments.primer_scale != 1:
        ink = ink * np.float32([arguments.primer_scale, arguments.primer_scale, 1])
        done = f"scaled by {arguments.primer_scale:g}"
    ink = ink[:count]
    of = f", one of {len(samples):,} in the file" if len(samples) > 1 else ""
    says = f", {text!r}" if model.needs_text else ""
    print(f"primed with {one.name}{of}{says}: {len(ink)} points, {done}")
    return ink, text


def own_writing(model: BaseModel) -> list[np.ndarray]:
    """Return lines that a network writes by itself, without a bias, as its training data are.

    Raises:
        UserError: if it writes none, or (without a mixture to draw from) none like its data.
    """
    texts = None
    if model.needs_text:
        text = "".join(c for c in TEXT if not model.alphabet.unknown(c)).strip()
        texts = [text or "".join(model.alphabet.characters)[:30]] * OWN_LINES
    lines = sample(model, range(OWN_LINES), texts, bias=0.0, max_steps=OWN_STEPS)
    inks = [line.ink for line in lines if len(line.ink) > 1]
    if not inks or model.head == "regression":
        raise UserError(
            "the network writes nothing by itself that a primer could be compared with: say with "
            "--primer-scale what its units are to be multiplied by"
        )
    return inks


def after(primer: tuple[np.ndarray, str] | None, text: str, loaded: Loaded) -> str:
    """Return a text with a space before it where it would run into the primer's last word."""
    apart = primer is None or primer[1][-1:].isspace() or text[:1].isspace()
    return text if apart or loaded.model.alphabet.unknown(" ") else f" {text}"


def sharpening(loaded: Loaded, arguments: argparse.Namespace) -> str:
    """Return the part of a caption that tells the bias; nothing where there is none to apply."""
    if loaded.model.head == "regression":
        return ""
    usual = arguments.pen_sharpness == PEN_SHARPNESS
    pen = "" if usual else f" · pen sharpness {arguments.pen_sharpness:g}"
    return f" · bias {arguments.bias:g}{pen}"


def continue_lines(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Prime a network with the beginnings of recorded lines, and draw how it goes on."""
    model = loaded.model
    if not isinstance(model, PredictionNetwork | SynthesisNetwork):
        raise UserError(f"--continue: {loaded.path} holds a {type(model).__name__}, not a writer")
    make_folder(arguments.output)
    count = arguments.num_samples or CONTINUED
    points = arguments.primer_points or CONTINUED_POINTS
    loader, split = build_loader(loaded), arguments.continued
    loader.split(split)
    source = loader.source
    fitting = [
        index
        for index in source.indices(split).tolist()
        if source.lengths[index] > points and (source.text(index) or not model.needs_text)
    ]
    if len(fitting) < count:
        raise UserError(
            f"the split {split!r} has {len(fitting)} lines of more than {points} points: too few "
            f"for {count}; --num-samples and --primer-points say otherwise"
        )
    chosen = np.random.default_rng(arguments.seed).choice(fitting, count, replace=False).tolist()
    lines, captions = [], []
    for seed, index in enumerate(chosen, arguments.seed):
        # The whole text from the start: the window finds its own way along the primer.
        (line,) = sample(
            model,
            [seed],
            [source.text(index)] if model.needs_text else None,
            bias=arguments.bias,
            pen_sharpness=arguments.pen_sharpness,
            max_steps=arguments.steps or CONTINUED_STEPS,
            primer=(source.ink(index)[:points], ""),
        )
        lines.append(line)
        name = source.name(index) + ("" if line.text is None else f" · {line.text}")
        captions.append(f"{name}{sharpening(loaded, arguments)} · seed {seed}")
        print(f"{name}: {len(line.ink) - line.primed} points after the first {line.primed}")
    path = arguments.output / f"{loaded.config.name}-continued.png"
    draw_lines(
        path, [line.ink for line in lines], captions, primers=[line.primed for line in lines]
    )
    print(f"{path}  ({count} lines)")


def draw_sheet(arguments: argparse.Namespace) -> None:
    """Draw the lines of several networks in one picture, a row for each."""
    make_folder(arguments.output)
    count = arguments.num_samples or ROW
    rows, captions, names = [], [], []
    for path in arguments.sheet:
        loaded = load(path, arguments.device, arguments.overrides)
        model, name = loaded.model, loaded.config.name
        if not isinstance(model, PredictionNetwork):
            raise UserError(
                f"--sheet: {loaded.path} holds a {type(model).__name__}; only networks without a "
                "text are drawn so"
            )
        refuse_options(loaded, arguments)
        lines = sample(
            model,
            range(arguments.seed, arguments.seed + count),
            bias=arguments.bias,
            pen_sharpness=arguments.pen_sharpness,
            max_steps=arguments.steps,
            progress=True,
        )
        of = loaded.config.config["data_loader"].get("args", {}).get("dataset", {})
        digit = of.get("args", {}).get("digit")
        label = f"{name} {loaded.path.parent.name}" if digit is None else f"digit {digit}"
        ended = f"{sum(line.ended for line in lines)} of {count} ended by themselves"
        print(f"{label}: {ended}  ({loaded.path})")
        rows.append([line.ink for line in lines])
        captions.append(f"{label} · {ended}{sharpening(loaded, arguments)}")
        names.append(name)
    widths = [right - left for row in rows for left, _, right, _ in map(bounds, row)]
    # One that ran away is not to push all others apart.
    pitch = 1.3 * float(np.quantile(widths, 0.9)) or 1.0
    path = arguments.output / f"{names[0]}-sheet.png"
    draw_lines(path, [side_by_side(row, pitch) for row in rows], captions, dpi=SHEET_DPI)
    print(f"{path}  ({len(rows)} rows of {count}, seeds from {arguments.seed})")


def side_by_side(inks: Sequence[np.ndarray], pitch: float) -> np.ndarray:
    """Return lines of ink as one: their left edges are `pitch` apart, their middles level."""
    moved, pen = [], np.zeros(2)
    for number, ink in enumerate(inks):
        left, top, _, bottom = bounds(ink)
        points = to_points(ink) + np.array([number * pitch - left, -(top + bottom) / 2])
        piece = ink.copy()
        piece[0, :2], piece[-1, 2] = points[0] - pen, 1
        moved.append(piece)
        pen = points[-1]
    row = np.concatenate(moved)
    row[0, :2] = 0
    return row


def make_folder(folder: Path) -> None:
    """Make the folder of the pictures, before there is any work to lose."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--output {folder}: no folder can be made there: {error.strerror}"
        ) from None


@torch.inference_mode()
def predict(loaded: Loaded, line: Line) -> Mixture | PointEstimate:
    """Return what the network predicts at each step of a line, leading dimensions `(steps,)`."""
    model = loaded.model
    inputs = torch.from_numpy(model.normalisation.apply(line.ink[:-1]))[None].to(loaded.device)
    text = lengths = None
    if line.text is not None:
        text = torch.from_numpy(model.alphabet.encode(line.text))[None].to(loaded.device)
        lengths = torch.tensor([text.shape[1]], device=loaded.device)
    return model(inputs, text, lengths).prediction[0]


def known_texts(alphabet: Alphabet, arguments: argparse.Namespace) -> list[str]:
    """Return the texts to write, without what the alphabet lacks if that is to be skipped.

    Raises:
        UserError: naming the characters that the alphabet lacks, or if nothing is left.
    """
    texts = [nfc(text) for text in arguments.text or [TEXT]]
    return known(alphabet, texts, arguments.skip_unknown or not arguments.text)


def known(alphabet: Alphabet, texts: Sequence[str], skip: bool) -> list[str]:
    """Return texts without the characters that an alphabet lacks if `skip`, else refuse these.

    Raises:
        UserError: naming the characters that the alphabet lacks, or if nothing is left.
    """
    unknown = list(dict.fromkeys(c for text in texts for c in alphabet.unknown(text)))
    if unknown:
        names = ", ".join(map(describe, unknown))
        if not skip:
            raise UserError(
                f"the network does not know {names}; --skip-unknown leaves that out. It knows "
                f"{''.join(alphabet.characters)!r}"
            )
        print(f"left out, because the network does not know it: {names}")
    left = ["".join(c for c in text if c not in unknown) for text in texts]
    for text, given in zip(left, texts, strict=True):
        if not text.strip():
            raise UserError(f"there is nothing to write in {given!r}")
    return left


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
    model, loader = loaded.model, build_loader(loaded)
    split, source = loader.split(arguments.evaluate), loader.source
    scores = evaluate(
        model,
        split,
        normalisation=model.normalisation,
        canonical=source.canonical,
        quantisation_step=source.quantisation_step,
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
    described = {"unit": unit, "checkpoint": str(loaded.path)}
    if model.head == "regression":
        print(f"SSE in {unit}; the squared error in normalised units of the checkpoint")
    else:
        described["min_scale"] = model.min_scale
        print(
            f"log-loss and SSE in {unit}; sigma is at least {model.min_scale} of the data's units"
        )
        if model.end_of_sequence:
            print("the log-loss includes, for each point, whether the sequence ends there")
    if model.end_of_sequence:
        described["end_of_sequence"] = True
    for name, meaning in UNITS.items():
        if name not in scores:
            continue
        value = "none" if scores[name] is None else f"{scores[name]:.4f}"
        print(f"  {name:<21}{value:>12}  {meaning}")
    path = arguments.output / "metrics.json"
    write_json(path, {"split": arguments.evaluate, **scores, **described})
    print(path)


def search_of(loaded: Loaded, arguments: argparse.Namespace) -> Search:
    """Return how a recogniser is to look for texts, with its language model if one is asked for.

    Raises:
        UserError: if an option does not fit the network, or there is no text for a language model.
    """
    language_model = None
    if arguments.length_bonus and not isinstance(loaded.model, CTCNetwork):
        raise UserError(
            f"--length-bonus is for a CTCNetwork: {loaded.path} holds a "
            f"{type(loaded.model).__name__}"
        )
    if arguments.language_model:
        alphabet = loaded.model.alphabet
        if arguments.language_model == "train":
            loader = build_loader(loaded)
            loader.split("train")
            source = loader.source
            texts = [source.text(int(index)) for index in source.indices("train")]
        else:
            texts = [nfc(text) for text in lines_of(Path(arguments.language_model))]
            if unknown := alphabet.unknown("".join(texts)):
                names = ", ".join(map(describe, unknown))
                print(f"left out of the language model, as the network does not know it: {names}")
            texts = ["".join(c for c in text if c not in unknown).strip() for text in texts]
        if not (texts := [text for text in texts if text]):
            raise UserError(
                f"--language-model {arguments.language_model}: it holds no text of characters that "
                "the network knows"
            )
        language_model = CharacterLanguageModel.fit(texts, alphabet)
    return Search(
        width=arguments.beam,
        language_model=language_model,
        language_weight=arguments.language_weight if language_model else 0.0,
        length_bonus=arguments.length_bonus,
    )


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text file that are not empty.

    Raises:
        UserError: if it cannot be read, is no text, or holds no line.
    """
    try:
        with open_file(path) as file:
            lines = file.read().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{path}: it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: it is no text in UTF-8 (byte {error.start} is "
            f"0x{error.object[error.start]:02x})"
        ) from None
    if not (lines := [line.strip() for line in lines if line.strip()]):
        raise UserError(f"{path}: it holds no line of text")
    return lines


def build_loader(loaded: Loaded) -> Any:
    """Return the data loader of a checkpoint's config, with what the checkpoint knows."""
    model, seed = loaded.model, loaded.config.config["trainer"].get("args", {}).get("seed", 0)
    alphabet = model.alphabet if model.needs_text else None
    return loaded.config.build("data_loader", seed, model.normalisation, alphabet)


def evaluate_reading(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Score a recogniser on a split; print the rates, write metrics.json, draw the worst lines."""
    make_folder(arguments.output)
    loader = build_loader(loaded)
    loader.split(arguments.evaluate)
    source, search = loader.source, search_of(loaded, arguments)
    everything = source.indices(arguments.evaluate).tolist()
    indices = [index for index in everything if source.text(index).strip()]
    if not indices:
        raise UserError(f"no line of the split {arguments.evaluate!r} has a text to compare with")
    if silent := len(everything) - len(indices):
        print(f"left out, because they have no text: {silent} of {len(everything)} lines")
    inks = [source.ink(index)[:, :3] for index in indices]
    results = {"greedy": Search()}
    if search.width > 1:
        results["beam"] = replace(search, language_model=None, language_weight=0.0)
    if search.language_model is not None:
        results["language_model"] = search
    scores: dict[str, dict[str, Any]] = {}
    for name, how in results.items():
        texts = read_lines(loaded.model, inks, how, progress=True)
        transcriptions = [
            Transcription(source.name(index), ink, source.text(index), text)
            for index, ink, text in zip(indices, inks, texts, strict=True)
        ]
        scores[name] = score(transcriptions)
    first = scores["greedy"]
    print(
        f"split {arguments.evaluate}: {first['sequences']} sequences, {first['characters']} "
        f"characters, {first['words']} words"
    )
    bonus = f", bonus {search.length_bonus:g}" if search.length_bonus else ""
    meaning = {
        "greedy": "the best class at each place",
        "beam": f"beam of {search.width}{bonus}",
        "language_model": f"beam of {search.width} with the language model of "
        f"{arguments.language_model}, weight {search.language_weight:g}{bonus}",
    }
    for name, rates in scores.items():
        print(
            f"  {name:<15} cer {rates['cer']:.4f}  wer {rates['wer']:.4f}  lines without an error "
            f"{rates['line_accuracy']:.4f}  ({meaning[name]})"
        )
    page = arguments.output / f"{loaded.config.name}-worst.png"
    chosen = worst(transcriptions, WORST)
    draw_lines(
        page,
        [one.ink for one in chosen],
        [
            f"{one.name} · {one.error_rate:.0%} errors\ntrue: {one.reference}\n"
            f"read: {one.hypothesis}"
            for one in chosen
        ],
    )
    path = arguments.output / "metrics.json"
    described = {"split": arguments.evaluate, **first, "checkpoint": str(loaded.path)}
    others = {name: rates for name, rates in scores.items() if name != "greedy"}
    write_json(
        path,
        described | {name: rates | {"search": meaning[name]} for name, rates in others.items()},
    )
    print(f"{path}  {page}  (the {len(chosen)} worst lines)")


def judge_legibility(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Write texts at several biases, have them read, and draw the rate of errors over bias."""
    if not isinstance(loaded.model, SynthesisNetwork):
        raise UserError(f"{loaded.path} holds a {type(loaded.model).__name__}: a writer is needed")
    reader = load(arguments.read_back, arguments.device)
    if not isinstance(reader.model, RecognitionNetwork):
        raise UserError(
            f"--read-back {arguments.read_back}: it holds a {type(reader.model).__name__}, not a "
            "recogniser"
        )
    make_folder(arguments.output)
    if arguments.characters:
        judge_characters(loaded, reader, arguments)
        return
    texts = arguments.text or held_out(arguments.num_samples or SENTENCES)
    skip = arguments.skip_unknown or not arguments.text
    texts = known(loaded.model.alphabet, [nfc(text) for text in texts], skip)
    introduce(reader, texts)
    results = read_back(
        loaded.model,
        reader.model,
        texts,
        sorted(set(arguments.biases or BIASES)),
        pen_sharpness=arguments.pen_sharpness,
        seed=arguments.seed,
        max_steps=arguments.steps,
        search=search_of(reader, arguments),
        progress=True,
    )
    for one in results:
        print(
            f"  bias {one.bias:<5g} cer {one.rates['cer']:.4f}  wer {one.rates['wer']:.4f}  texts "
            f"read without an error {one.rates['line_accuracy']:.4f}  ended {one.ended:.4f}, with "
            f"every word {one.complete:.4f}"
        )
    name = loaded.config.name
    curve = arguments.output / f"{name}-legibility.png"
    draw_curve(
        curve,
        [one.bias for one in results],
        [100 * one.rates["cer"] for one in results],
        ("bias", "character error rate, %"),
        f"{name} read by {reader.config.name}: {len(texts)} texts",
    )
    lines = arguments.output / f"{name}-read-back.png"
    draw_lines(
        lines,
        [one.transcriptions[row].ink for row in range(min(3, len(texts))) for one in results],
        [
            f"bias {one.bias:g} · written: {one.transcriptions[row].reference}\n"
            f"read: {one.transcriptions[row].hypothesis}"
            for row in range(min(3, len(texts)))
            for one in results
        ],
    )
    path = arguments.output / "read_back.json"
    write_json(
        path,
        {
            "writer": str(loaded.path),
            "reader": str(reader.path),
            "seed": arguments.seed,
            "pen_sharpness": arguments.pen_sharpness,
            "results": [
                {"bias": one.bias, "ended": one.ended, "complete": one.complete, **one.rates}
                for one in results
            ],
            "texts": [
                {
                    "text": one.reference,
                    "read": [result.transcriptions[n].hypothesis for result in results],
                }
                for n, one in enumerate(results[0].transcriptions)
            ],
        },
    )
    print(f"{curve}  {lines}  {path}")


def introduce(reader: Loaded, texts: Sequence[str]) -> None:
    """Print what reads how many texts, and which of their characters it does not know."""
    print(f"{type(reader.model).__name__} of {reader.path} reads {len(texts)} texts")
    if unknown := reader.model.alphabet.unknown("".join(texts)):
        names = ", ".join(map(describe, unknown))
        print(f"errors wherever they stand, because the reader does not know them: {names}")


def judge_characters(loaded: Loaded, reader: Loaded, arguments: argparse.Namespace) -> None:
    """Write every visible character of ASCII in its carrier several times, have them read, and
    draw the first of each."""
    alphabet, count = loaded.model.alphabet, arguments.num_samples or CHARACTER_SAMPLES
    carriers = {one: text for one, text in CARRIERS.items() if not alphabet.unknown(text)}
    if left_out := [one for one in CARRIERS if one not in carriers]:
        unknown = ", ".join(map(describe, alphabet.unknown("".join(CARRIERS.values()))))
        print(
            f"left out: {' '.join(left_out)}, because their texts hold what the writer does not "
            f"know: {unknown}"
        )
    if not carriers:
        raise UserError(f"{loaded.path}: its network knows no text that could be tried")
    texts = [text for text in carriers.values() for _ in range(count)]
    introduce(reader, texts)
    (result,) = read_back(
        loaded.model,
        reader.model,
        texts,
        arguments.biases or [CHARACTER_BIAS],
        pen_sharpness=arguments.pen_sharpness,
        seed=arguments.seed,
        max_steps=arguments.steps,
        search=search_of(reader, arguments),
        progress=True,
    )
    of = {
        one: result.transcriptions[number * count : (number + 1) * count]
        for number, one in enumerate(carriers)
    }
    exact = {
        one: sum(each.hypothesis == each.reference for each in found) for one, found in of.items()
    }
    itself = {
        one: sum(is_read(one, each.reference, each.hypothesis) for each in found)
        for one, found in of.items()
    }
    for one, found in of.items():
        wrong = dict.fromkeys(
            each.hypothesis for each in found if each.hypothesis != each.reference
        )
        others = f"  else: {'  '.join(wrong)}" if wrong else ""
        counts = f"{exact[one]:>3} of {count}, itself {itself[one]:>3}"
        print(f"  {one}  {counts}  {carriers[one]}{others}")
    share, share_itself = (sum(x.values()) / (count * len(carriers)) for x in (exact, itself))
    print(
        f"bias {result.bias:g}: {share:.4f} of {len(carriers)} characters, {count} times each, read"
        f" exactly with all of their carriers, {share_itself:.4f} whatever was misread beside "
        f"them; ended {result.ended:.4f}"
    )
    shown = list(carriers)
    rows = [shown[n : n + CHARACTERS_IN_ROW] for n in range(0, len(shown), CHARACTERS_IN_ROW)]
    widths = [bounds(of[one][0].ink)[2] - bounds(of[one][0].ink)[0] for one in shown]
    pitch = 1.2 * float(np.quantile(widths, 0.95)) or 1.0
    sheet = arguments.output / f"{loaded.config.name}-characters.png"
    draw_lines(
        sheet,
        [side_by_side([of[one][0].ink for one in row], pitch) for row in rows],
        ["  ·  ".join(carriers[one] for one in row) for row in rows],
    )
    path = arguments.output / "characters.json"
    write_json(
        path,
        {
            "writer": str(loaded.path),
            "reader": str(reader.path),
            "seed": arguments.seed,
            "pen_sharpness": arguments.pen_sharpness,
            "bias": result.bias,
            "samples": count,
            "exact": share,
            "itself": share_itself,
            "characters": {
                one: {
                    "text": carriers[one],
                    "exact": exact[one],
                    "itself": itself[one],
                    "read": [x.hypothesis for x in found],
                }
                for one, found in of.items()
            },
        },
    )
    print(f"{sheet}  {path}")


if __name__ == "__main__":
    status, message = 0, ""
    try:
        with console.Interruptible():
            main(parse())
    except SystemExit as end:  # Of the help or a wrong option; argparse has said what there is.
        status = end.code
    except UserError as error:
        status, message = 2, str(error)
    except OSError as error:
        status, message = 1, str(error)
    except KeyboardInterrupt:
        status, message = 128 + signal.SIGINT, "interrupted"
    if message:
        print(f"error: {message}", file=sys.stderr)
    sys.exit(status or console.output_is_lost())
