"""TensorBoard's own reader reads the log."""

import time

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from logger.tensorboard import TensorBoardWriter


@pytest.fixture
def writer(tmp_path):
    return TensorBoardWriter(tmp_path)


def read(writer):
    """Close a writer, twice as a run may, and return what it wrote."""
    writer.close()
    writer.close()
    return EventAccumulator(str(writer.folder), size_guidance={"scalars": 0}).Reload()


def scalars(reader, name):
    # Sorted: the reader takes files that began in the same second in the order of their names.
    return sorted((event.step, event.value) for event in reader.Scalars(name))


def hparams(reader):
    plugin = reader.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    return HParamsPluginData.FromString(plugin).session_start_info.hparams


def test_finite_scalars_are_in_the_log(writer):
    for step in (1, 2, 3):
        writer.scalars({"loss": step / 2, "broken": float("nan")}, step, "step")
    reader = read(writer)
    assert reader.Tags()["scalars"] == ["step/loss"]
    assert scalars(reader, "step/loss") == [(1, 0.5), (2, 1.0), (3, 1.5)]


def test_a_picture_has_its_size_and_step(writer):
    writer.picture("samples", np.zeros((4, 6, 3), np.uint8), 3)
    (picture,) = read(writer).Images("samples")
    assert (picture.width, picture.height, picture.step) == (6, 4, 3)


def test_a_config_is_a_block_of_code_and_a_table_of_values(writer):
    writer.config({"a": [1, "é"], "b": {"lr": 0.1, "clip": None}})
    reader = read(writer)
    (text,) = reader.Tensors("config/text_summary")[0].tensor_proto.string_val
    assert text.decode().startswith('    {\n      "a": [\n        1,\n        "é"\n      ],\n')
    values = hparams(reader)
    assert values["a.0"].number_value == 1 and values["a.1"].string_value == "é"
    assert values["b.lr"].number_value == 0.1 and values["b.clip"].string_value == "None"


def test_a_resumed_run_shows_its_new_config(tmp_path):
    for epochs in (2, 12):
        writer = TensorBoardWriter(tmp_path, step=0)
        writer.config({"epochs": epochs})
        assert hparams(read(writer))["epochs"].number_value == epochs


def test_values_after_the_checkpoint_of_a_resumed_run_are_hidden(tmp_path, monkeypatch):
    begun = time.time()
    for number, (step, values) in enumerate(
        [(None, {1: 1.0, 2: 2.0}), (2, {3: 3.0}), (1, {2: 22.0})]
    ):
        # The reader takes files in the order of the seconds in which they began.
        monkeypatch.setattr(time, "time", lambda number=number: begun + number)
        writer = TensorBoardWriter(tmp_path, step=step)
        for at, value in values.items():
            writer.scalars({"loss": value}, at, "epoch")
        reader = read(writer)
    assert scalars(reader, "epoch/loss") == [(1, 1.0), (2, 22.0)]
