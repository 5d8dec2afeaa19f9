"""Writes the model card of an exported network, with the front matter that model hubs read."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from base.run.pretrained import pretrained_name
from model.loading import Reader, TrainedNetwork, Writer
from utils.checks import visible
from utils.licences import OPEN, UNKNOWN

CARD_NAME = "README.md"
"""Name of a card beside a network, where hubs look for it."""
HUB_LICENCES = {OPEN: "cc-by-4.0", None: "unknown"}
"""Hubs' names of licences; another licence is "other"."""
HUB_METRICS = {"valid_cer": "cer", "valid_wer": "wer"}
"""Hubs' names of metrics; they have no others of this project."""
MARK = "# Written by `export`, which replaces this file while it has this line."
"""First line of a card's front matter; who edits a card removes it."""


def model_card(network: TrainedNetwork, file: str) -> str:
    """Return the card of a network that is exported to a file of the name `file`."""
    task = "for"
    use = "print(network.model)"
    if isinstance(network, Reader):
        task = "that reads"
        use = "print(network.read(ink))"
    elif isinstance(network, Writer):
        text = '"Hello"' if network.model.needs_text else ""
        task = "that writes"
        use = f'network.write({text}).save("line.svg")'
    metrics = network.record.get("metrics", {})
    parts = [
        f"---\n{MARK}\n{_front_matter(network, metrics)}---",
        f"# {network.name}",
        f"A network {task} online handwriting, the movements of a pen: "
        f"`{type(network.model).__name__}` with {network.model.num_parameters:,} parameters, in "
        "half precision. It is for the software online-handwriting:",
        f'```python\nfrom online_handwriting import load\n\nnetwork = load("{file}")\n{use}\n```',
        "The file's metadata have the architecture, the alphabet and the record of the training.",
        *_characters(network),
        *_measured(metrics),
        "## Licence",
        f"Licence of the weights: {visible(network.licence or UNKNOWN)}.",
        *_shipped_sections(network.path.resolve()),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(network: TrainedNetwork, metrics: Mapping[str, float]) -> str:
    """Return lines of YAML; their values are JSON, which is a part of it."""
    kinds = {Reader: ["handwriting-recognition"], Writer: ["handwriting-synthesis"]}
    values = {
        "license": HUB_LICENCES.get(network.licence, "other"),
        "language": _languages(network),
        "library_name": "online-handwriting",
        "tags": ["online-handwriting", *kinds.get(type(network), []), "pytorch"],
        "metrics": [HUB_METRICS[name] for name in HUB_METRICS if name in metrics],
    }
    if values["license"] == "other":
        values["license_name"] = network.licence
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items() if value)


def _languages(network: TrainedNetwork) -> list[str]:
    """Return hubs' names of the languages whose letters a network has; [] if it has none."""
    letters = "".join(filter(str.isalpha, network.record["alphabet"] or []))
    if not letters:
        return []
    return ["en"] if letters.isascii() else ["multilingual"]


def _characters(network: TrainedNetwork) -> list[str]:
    characters = network.record["alphabet"] or []
    shown = visible("".join(characters))
    return [f"Its {len(characters)} characters:", f"```\n{shown}\n```"] if characters else []


def _measured(metrics: Mapping[str, float]) -> list[str]:
    measures = {name: value for name, value in metrics.items() if name.startswith("valid_")}
    rows = [f"| {visible(name)} | {value:.6g} |" for name, value in measures.items()]
    table = "\n".join(["| measure | value |", "|---|---|", *rows])
    return ["## Validation after the last epoch", table] if measures else []


def _shipped_sections(path: Path) -> list[str]:
    """Return what the card of the shipped networks says of the network in a file, and of its data;
    [] for another network."""
    name = pretrained_name(path)
    card = path.with_name(CARD_NAME)
    if not name or not card.exists():
        return []
    # Links of Markdown lose their addresses, which hold in the folder alone.
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", card.read_text("utf-8"))
    wanted = []
    for section in text.split("\n## ")[1:]:
        title, _, content = section.partition("\n")
        # The title of a section on networks is the list of their names.
        if title == "Licence and data" or name in title.split(", "):
            wanted += [f"## {title}", content.strip()]
    return wanted
