"""The options of a recogniser's search, and of the language model that it may use."""

import argparse
from dataclasses import dataclass, replace

import model
from base.config.overrides import Override
from commands.options import Parser, add_overrides, number, require, taken
from utils.alphabet import describe, nfc
from utils.checks import UserError
from utils.files import read_lines

LANGUAGE_WEIGHT = 0.7
"""Default of --language-weight (chosen with `recognition` on lines of `testset_v` and
`testset_t`)."""


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
    add_overrides(parser)


@dataclass(frozen=True)
class SearchOptions:
    """How a recogniser is to search for a text; None for what is not given.

    Attributes:
        beam: hypotheses that are kept.
        language_model: file of the texts of a language model; "train" for the training texts.
        language_weight: of its log-probabilities.
        overrides: of the config that names the training texts.
    """

    beam: int | None
    language_model: str | None
    language_weight: float | None
    overrides: list[Override]

    def search(self, reader: "model.Reader") -> "model.Search":
        """Return the search of a network, with its language model if one is asked for.

        Raises:
            UserError: if no text is left for a language model.
        """
        search = model.Search(self.beam or 1)
        if not self.language_model:
            return search
        weight = LANGUAGE_WEIGHT if self.language_weight is None else self.language_weight
        return replace(search, language_model=self._built(reader), language_weight=weight)

    def _built(self, reader: "model.Reader") -> "model.CharacterLanguageModel":
        """Return the language model."""
        alphabet = reader.model.alphabet
        if self.language_model == "train":
            from parse_config import data_of

            data = data_of(reader, "train", self.overrides)
            texts = [sample.text for sample in data.loaded.split("train")]
        else:
            texts = [nfc(text) for text in read_lines(self.language_model)]
        if unknown := alphabet.unknown("".join(texts)):
            names = ", ".join(map(describe, unknown))
            print(f"left out of the language model, as the network does not know it: {names}")
        texts = ["".join(c for c in text if c not in unknown).strip() for text in texts]
        if not any(texts):
            raise UserError(
                f"--language-model {self.language_model}: it contains no text of characters that "
                "the network knows"
            )
        return model.CharacterLanguageModel(list(filter(None, texts)), alphabet)


def options_of(arguments: argparse.Namespace, reads_data: bool = False) -> SearchOptions:
    """Return what the command line says of the search.

    Args:
        arguments: of the command.
        reads_data: whether it reads the config's dataset without --language-model as well.

    Raises:
        UserError: if an option has no effect, or the file cannot be read.
    """
    require(arguments, language_model="beam", language_weight="language_model")
    chosen = taken(SearchOptions, arguments)
    if chosen.overrides and not reads_data and chosen.language_model != "train":
        raise UserError(
            f"{chosen.overrides[0].option} is for --language-model without a FILE, which reads the "
            "training texts"
        )
    if chosen.language_model not in (None, "train"):
        read_lines(chosen.language_model)
    return chosen
