"""Which damaged characters can be read, and that a loader leaves these out."""

import json

from commands.shared import network_options
from data_loader import EmbeddedDataset, HandwritingDataLoader
from ink.alphabet import WRONG
from tests.benchmarks.scripts import run
from tests.commands.networks import config_of


class Reads:
    """Reads an `x` for what is damaged, every other time for sure."""

    def __init__(self, texts):
        self.texts = {len(ink): text.replace(WRONG, "x") for ink, text in texts}

    def proofread(self, inks, **_):
        return [(self.texts[len(ink)], n % 2) for n, ink in enumerate(inks)]


def test_damaged_samples_that_can_be_read_all_the_same_are_left_out(tmp_path, monkeypatch, capsys):
    args = {"size": 20, "valid_size": 1, "test_size": 1, "max_characters": 20, "damaged": 0.6}
    config = config_of("SynthesisNetwork", "lines", {"type": "EmbeddedDataset", "args": args})
    (tmp_path / "config.json").write_text(json.dumps(config))
    dataset = EmbeddedDataset(**args)
    samples = dataset.load().split("train")
    reader = Reads([(sample.ink, sample.text) for sample in samples])
    monkeypatch.setattr(network_options.Networks, "reader", lambda self, path: reader)
    output = tmp_path / "names.txt"
    run("damaged", tmp_path / "config.json", "--output", output)
    damaged = [sample.name for sample in samples if WRONG in sample.text]
    assert len(damaged) > 4 and output.read_text().split() == damaged[::2]
    assert f"({len(damaged[::2])} of {len(damaged)} damaged" in capsys.readouterr().out
    settings = HandwritingDataLoader(dataset=dataset, leave_out=str(output))
    kept = {sample.name for sample in settings.load(seed=0).training}
    assert [sample.name for sample in samples if sample.name not in kept] == damaged[::2]
