"""What TensorBoard's own reader finds in the log."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
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
        writer.scalars({"loss": step / 2, "broken": float("nan")}, step)
    writer.picture("samples", np.zeros((4, 6, 3), np.uint8), 3)
    writer.text("config", "    {}")
    writer.close()
    writer.close()
    reader = read(tmp_path)
    assert reader.Tags()["scalars"] == ["loss"]
    assert scalars(tmp_path, "loss") == [(1, 0.5), (2, 1.0), (3, 1.5)]
    (picture,) = reader.Images("samples")
    assert (picture.width, picture.height, picture.step) == (6, 4, 3)
    assert b"{}" in reader.Tensors("config/text_summary")[0].tensor_proto.string_val[0]


def test_what_came_after_a_checkpoint_is_taken_back(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    writer.scalars({"loss": 1.0}, 1)
    sizes = writer.sizes()
    writer.scalars({"loss": 2.0}, 2)
    writer.close()
    second = TensorBoardWriter(tmp_path, sizes=writer.sizes(), step=2)  # goes on after step 2
    second.scalars({"loss": 3.0}, 3)
    second.close()
    assert scalars(tmp_path, "loss") == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert len(second.sizes()) == 2

    third = TensorBoardWriter(tmp_path, sizes=sizes, step=1)
    third.scalars({"loss": 22.0}, 2)
    third.close()
    assert scalars(tmp_path, "loss") == [(1, 1.0), (2, 22.0)]


def test_a_log_that_was_being_written_when_the_run_was_killed(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    writer.scalars({"loss": 1.0}, 1)
    sizes = writer.sizes()
    writer.close()
    (path,) = tmp_path.iterdir()
    with open(path, "ab") as file:
        file.write(b"half an eve")
    TensorBoardWriter(tmp_path, sizes=sizes, step=1).close()
    assert path.stat().st_size == sizes[path.name]
    assert scalars(tmp_path, "loss") == [(1, 1.0)]


def test_hyperparameters_in_the_runs_own_log(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    settings = {"lr": 0.1, "cell": "LSTM", "texts": ["a", "b"], "clip": None, "tensorboard": True}
    writer.hyperparameters(settings, {"valid_loss": 2.5, "nothing": float("nan")}, 7)
    writer.close()
    assert [path.is_file() for path in tmp_path.iterdir()] == [True]
    assert scalars(tmp_path, "final/valid_loss") == [(7, 2.5)]
    plugin = read(tmp_path).PluginTagToContent("hparams")
    start = HParamsPluginData.FromString(plugin["_hparams_/session_start_info"])
    values = start.session_start_info.hparams
    assert values["lr"].number_value == 0.1 and values["texts"].string_value == "['a', 'b']"
    experiment = HParamsPluginData.FromString(plugin["_hparams_/experiment"]).experiment
    assert [info.name.tag for info in experiment.metric_infos] == ["final/valid_loss"]


@pytest.mark.parametrize("sizes", [None, {}])
def test_switched_off(tmp_path, sizes):
    writer = TensorBoardWriter(tmp_path, enabled=False, sizes=sizes)
    writer.scalars({"loss": 1.0}, 1)
    writer.picture("x", np.zeros((2, 2, 3), np.uint8), 1)
    writer.text("x", "y")
    writer.hyperparameters({}, {}, 1)
    assert writer.sizes() == {}
    writer.close()
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_thread_that_writes_names_the_folder(tmp_path, monkeypatch):
    writer = TensorBoardWriter(tmp_path)

    def full():
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writer._writer, "flush", full)
        with pytest.raises(OSError, match="No space left") as caught:
            writer.sizes()
    assert caught.value.filename == str(tmp_path)
    writer.close()


def test_an_error_of_the_start_names_it_as_well(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", full)
    with pytest.raises(OSError, match="No space left") as caught:
        TensorBoardWriter(tmp_path)
    assert caught.value.filename == str(tmp_path)
