"""The options of a recogniser's search, and of the language model that it may use."""

import argparse
from pathlib import Path
from typing import Any

from commands.options import Parser, lines_of, number
from utils.alphabet import describe, nfc
from utils.checks import Range, UserError

LANGUAGE_WEIGHT = 0.7
"""Default of --language-weight (chosen with `recognition` on lines of `testset_v` and
`testset_t`)."""


def add_search(parser: Parser) -> None:
    """Add the options of a recogniser's search, and those of the data for its language model."""
    parser.add_argument(
        "--beam",
        type=number(int, Range(1, 1000)),
        default=1,
        metavar="N",
        help="hypotheses kept by beam search (default: 1, greedy decoding), e.g. --beam 16",
    )
    parser.add_argument(
        "--language-model",
        nargs="?",
        const="train",
        metavar="FILE",
        help="use a character language model, built from the lines of a text file or, without "
        "FILE, from the training texts of the config's dataset (default: none)",
    )
    parser.add_argument(
        "--language-weight",
        type=number(float, Range(0, 100)),
        metavar="W",
        help=f"weight of the language model's log-probabilities (default: {LANGUAGE_WEIGHT:g}), "
        "e.g. --language-weight 0.8",
    )
    parser.add_argument(
        "--length-bonus",
        type=number(float, Range(-100, 100)),
        default=0.0,
        metavar="NATS",
        help="added per character to the score of a hypothesis, CTC only; more favours longer "
        "texts (default: 0), e.g. --length-bonus 0.5",
    )


def check_search(arguments: argparse.Namespace, reads_data: bool = False) -> None:
    """Refuse options of the search that contradict each other, or have no effect.

    Args:
        arguments: of the command.
        reads_data: whether the command reads the config's dataset anyway.
    """
    if arguments.language_model and arguments.beam == 1:
        raise UserError("--language-model chooses between hypotheses: give --beam 2 or more")
    if arguments.language_weight is not None and not arguments.language_model:
        raise UserError("--language-weight needs a --language-model")
    if arguments.length_bonus and arguments.beam == 1:
        raise UserError("--length-bonus chooses between hypotheses: give --beam 2 or more")
    if arguments.overrides and not reads_data and arguments.language_model != "train":
        raise UserError(
            f"{arguments.overrides[0].option} is for --language-model without a FILE, which reads "
            "the training texts"
        )


def search_of(reader: Any, arguments: argparse.Namespace) -> Any:
    """Return the `Search` that the options describe, with its language model if one is asked for.

    Raises:
        UserError: if an option does not fit the network, or there is no text for a language model.
    """
    from model.recognition.encoder import Search
    from model.recognition.language_model import CharacterLanguageModel
    from model.recognition.networks import CTCNetwork

    language_model = None
    if arguments.length_bonus and not isinstance(reader.model, CTCNetwork):
        raise UserError(
            f"--length-bonus is for a CTCNetwork: {reader.path} contains a "
            f"{type(reader.model).__name__}"
        )
    if arguments.language_model:
        alphabet = reader.model.alphabet
        if arguments.language_model == "train":
            from parse_config import data_of

            loader = data_of(reader, arguments.overrides)
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
                f"--language-model {arguments.language_model}: it contains no text of characters "
                "that the network knows"
            )
        language_model = CharacterLanguageModel.fit(texts, alphabet)
    weight = LANGUAGE_WEIGHT if arguments.language_weight is None else arguments.language_weight
    return Search(
        width=arguments.beam,
        language_model=language_model,
        language_weight=weight if language_model else 0.0,
        length_bonus=arguments.length_bonus,
    )


def language_file(arguments: argparse.Namespace) -> str | None:
    """Return the FILE of --language-model, if there is one."""
    return None if arguments.language_model == "train" else arguments.language_model
