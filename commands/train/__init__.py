"""Train a network from a JSON config, or resume a run."""
