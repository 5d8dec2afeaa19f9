"""What TensorBoard's own reader finds in the log."""

import time

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from logger.tensorboard import TensorBoardWriter


def read(folder):
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    return reader.Reload()


def scalars(folder, name):
    # Sorted: the reader takes files that began in the same second in the order of their names.
    return sorted((event.step, event.value) for event in read(folder).Scalars(name))


def test_scalars_pictures_and_text(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    for step in (1, 2, 3):
        writer.scalars({"loss": step / 2, "broken": float("nan")}, step, "step")
    writer.picture("samples", np.zeros((4, 6, 3), np.uint8), 3)
    writer.config({"a": [1, "é"], "b": {"lr": 0.1, "clip": None}})
    writer.close()
    writer.close()
    reader = read(tmp_path)
    assert reader.Tags()["scalars"] == ["step/loss"]
    assert scalars(tmp_path, "step/loss") == [(1, 0.5), (2, 1.0), (3, 1.5)]
    (picture,) = reader.Images("samples")
    assert (picture.width, picture.height, picture.step) == (6, 4, 3)
    (text,) = reader.Tensors("config/text_summary")[0].tensor_proto.string_val
    assert text.decode().startswith('    {\n      "a": [\n        1,\n        "é"\n      ],\n')
    plugin = reader.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    settings = HParamsPluginData.FromString(plugin).session_start_info.hparams
    assert settings["a.0"].number_value == 1 and settings["a.1"].string_value == "é"
    assert settings["b.lr"].number_value == 0.1 and settings["b.clip"].string_value == "None"


def test_training_and_validation_are_curves_of_one_chart(tmp_path):
    """TensorBoard draws a tag that several runs have into one chart, and takes folders for runs."""
    writer = TensorBoardWriter(tmp_path / "words" / "a")
    writer.scalars({"loss": 1.0, "valid_loss": 2.0, "rate": 0.1, "valid_cer": 0.5}, 7, "epoch")
    writer.close()
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload()
    found = {run: sorted(tags["scalars"]) for run, tags in runs.Runs().items()}
    assert found == {
        "words/a": ["epoch/loss", "epoch/rate"],
        "words/a/valid": ["epoch/cer", "epoch/loss"],
    }
    values = [runs.Scalars(run, "epoch/loss") for run in ("words/a", "words/a/valid")]
    assert [[(event.step, event.value) for event in one] for one in values] == [
        [(7, 1.0)],
        [(7, 2.0)],
    ]


def curves(folder):
    """Return the points of the same tag of training and of validation."""
    return [scalars(one, "epoch/loss") for one in (folder, folder / "valid")]


def both(value):
    return {"loss": value, "valid_loss": -value}


def test_what_came_after_a_checkpoint_is_taken_back(tmp_path):
    for step, values in ((None, {1: 1.0, 2: 2.0}), (2, {3: 3.0}), (1, {2: 22.0})):
        writer = TensorBoardWriter(tmp_path, step=step)
        for at, value in values.items():
            writer.scalars(both(value), at, "epoch")
        writer.close()
        time.sleep(1.1)  # The reader takes files in the order of the seconds in which they began.
    assert curves(tmp_path) == [[(1, 1.0), (2, 22.0)], [(1, -1.0), (2, -22.0)]]
