"""The config of a run that lasts a moment, through the real scripts."""

DATASET = {
    "seed": 3,
    "size": 6,
    "valid_size": 2,
    "test_size": 1,
    "writers": 2,
    "min_characters": 2,
    "max_characters": 8,
    "rate": 20.0,
}
CONFIG = {
    "name": "tiny",
    "arch": {
        "type": "PredictionNetwork",
        "args": {"hidden_size": 6, "num_layers": 1, "num_mixtures": 2, "dropout": 0.2},
    },
    "data_loader": {
        "type": "HandwritingDataLoader",
        "args": {"dataset": {"type": "EmbeddedDataset", "args": DATASET}, "batch_size": 2},
    },
    "optimizer": {"type": "GravesRMSprop", "args": {"lr": 0.003}},
    "lr_scheduler": {"type": "OneCycleLR"},
    "loss": {"type": "NegativeLogLikelihood"},
    "metrics": [{"type": "SSE"}],
    "trainer": {
        "type": "GenerationTrainer",
        "args": {"epochs": 2, "seed": 4, "samples": 0, "tensorboard": False},
    },
}
