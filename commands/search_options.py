"""The options of a recogniser's search, and of the language model that it may use."""

import argparse
from dataclasses import replace

import model
from commands.options import Parser, add_overrides, lines_of, number, require
from utils.alphabet import describe, nfc
from utils.checks import UserError

LANGUAGE_WEIGHT = 0.7
"""Default of --language-weight (chosen with `recognition` on lines of `testset_v` and
`testset_t`)."""
OPTIONS = ("beam", "language_model", "language_weight", "length_bonus")


def add_options(parser: Parser) -> None:
    """Add the options of a recogniser's search, and those of the data for its language model."""
    add = parser.add_argument
    beam = "hypotheses kept by beam search (default: greedy decoding)"
    add("--beam", type=number(int, 2, 1000), metavar="N", help=beam)
    add(
        "--language-model",
        nargs="?",
        const="train",
        metavar="FILE",
        help="use a character language model, built from the lines of a text file or, without "
        "FILE, from the training texts of the config's dataset (default: none)",
    )
    weight = f"weight of the language model's log-probabilities (default: {LANGUAGE_WEIGHT:g})"
    add("--language-weight", type=number(float, 0, 100), metavar="W", help=weight)
    add(
        "--length-bonus",
        type=number(float, -100, 100),
        metavar="NATS",
        help="added per character to the score of a hypothesis, CTC only; more favours longer "
        "texts (default: 0)",
    )
    add_overrides(parser)


def check(arguments: argparse.Namespace, reads_data: bool = False) -> None:
    """Refuse options of the search that have no effect, and a file that cannot be read, before a
    network is loaded; `reads_data` says that the command reads the config's dataset anyway."""
    require(arguments, language_model="beam", length_bonus="beam", language_weight="language_model")
    if arguments.overrides and not reads_data and arguments.language_model != "train":
        raise UserError(
            f"{arguments.overrides[0].option} is for --language-model without a FILE, which reads "
            "the training texts"
        )
    if arguments.language_model not in (None, "train"):
        lines_of(arguments.language_model)


def search_of(reader: "model.Reader", arguments: argparse.Namespace) -> "model.Search":
    """Return the search that the options describe, with its language model if one is asked for.

    Raises:
        UserError: if an option does not fit the network, or there is no text for a language model.
    """
    if arguments.length_bonus and reader.model.head != "ctc":
        raise UserError(
            f"--length-bonus is for a CTCNetwork: {reader.path} contains a "
            f"{type(reader.model).__name__}"
        )
    search = model.Search(arguments.beam or 1, length_bonus=arguments.length_bonus or 0.0)
    if not arguments.language_model:
        return search
    weight = arguments.language_weight
    return replace(
        search,
        language_model=language_model_of(reader, arguments),
        language_weight=LANGUAGE_WEIGHT if weight is None else weight,
    )


def language_model_of(
    reader: "model.Reader", arguments: argparse.Namespace
) -> "model.CharacterLanguageModel":
    """Return the language model of the texts that --language-model names."""
    alphabet = reader.model.alphabet
    if arguments.language_model == "train":
        from parse_config import data_of

        data = data_of(reader, "train", arguments.overrides)
        texts = [sample.text for sample in data.loaded.split("train")]
    else:
        texts = [nfc(text) for text in lines_of(arguments.language_model)]
    if unknown := alphabet.unknown("".join(texts)):
        names = ", ".join(map(describe, unknown))
        print(f"left out of the language model, as the network does not know it: {names}")
    texts = ["".join(c for c in text if c not in unknown).strip() for text in texts]
    if not any(texts):
        raise UserError(
            f"--language-model {arguments.language_model}: it contains no text of characters "
            "that the network knows"
        )
    return model.CharacterLanguageModel(list(filter(None, texts)), alphabet)
