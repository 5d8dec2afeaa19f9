from tests.commands.conftest import checkpoints, data

__all__ = ["checkpoints", "data"]
