"""What TensorBoard's own reader finds in the log."""

import time

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard import SummaryWriter, summary

from logger.tensorboard import TensorBoardWriter


def read(folder):
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    return reader.Reload()


def scalars(folder, name):
    # Sorted: the reader takes files that began in the same second in the order of their names.
    return sorted((event.step, event.value) for event in read(folder).Scalars(name))


def hparams(folder):
    plugin = read(folder).PluginTagToContent("hparams")["_hparams_/session_start_info"]
    return HParamsPluginData.FromString(plugin).session_start_info.hparams


def test_a_resumed_run_has_the_settings_of_now(tmp_path):
    """Also one whose events held them, as those of former runs did."""
    with SummaryWriter(str(tmp_path)) as former:
        former.file_writer.add_summary(summary.hparams({"epochs": 1}, {})[1])
    for epochs in (2, 12):
        writer = TensorBoardWriter(tmp_path, step=0)
        writer.config({"epochs": epochs})
        writer.close()
        assert hparams(tmp_path)["epochs"].number_value == epochs


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
    settings = hparams(tmp_path)
    assert settings["a.0"].number_value == 1 and settings["a.1"].string_value == "é"
    assert settings["b.lr"].number_value == 0.1 and settings["b.clip"].string_value == "None"


def test_what_came_after_a_checkpoint_is_taken_back(tmp_path):
    for step, values in ((None, {1: 1.0, 2: 2.0}), (2, {3: 3.0}), (1, {2: 22.0})):
        writer = TensorBoardWriter(tmp_path, step=step)
        for at, value in values.items():
            writer.scalars({"loss": value}, at, "epoch")
        writer.close()
        time.sleep(1.1)  # The reader takes files in the order of the seconds in which they began.
    assert scalars(tmp_path, "epoch/loss") == [(1, 1.0), (2, 22.0)]
