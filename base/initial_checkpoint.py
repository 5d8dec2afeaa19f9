"""The checkpoint that a training starts from: a run that goes on, or a new one."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from base import distributed, extension
from base.checkpoint import Checkpoint, find_checkpoint, newest_checkpoint
from base.run_folder import RunFolder
from utils.alphabet import Alphabet
from utils.checks import CheckpointError


@dataclass(frozen=True)
class InitialCheckpoint:
    """The checkpoint that a training starts from."""

    path: Path
    content: Checkpoint
    resumed: bool
    """Whether its run goes on; else a new one begins with its weights."""
    is_newest: bool
    """Whether the newest of a folder was asked for; else this one."""

    @classmethod
    def find(cls, place: str | Path, *, resumed: bool) -> "InitialCheckpoint":
        """Find the checkpoint that -r names.

        Raises:
            CheckpointError: if there is none, or it is to be resumed and cannot be.
        """
        found: tuple[Path, Checkpoint]
        found = distributed.broadcast_object(lambda: find_checkpoint(place))
        path, content = found
        if resumed and "training" not in content:
            raise CheckpointError(
                f"{path}: contains no training state and cannot be resumed; -c CONFIG starts a new "
                "training from its weights"
            )
        if resumed:
            extension.check(content.get("modules", {}), path)
            extension.warn_of_changes(content.get("modules", {}), path)
        return cls(path, content, resumed, Path(place).is_dir())

    def older(self) -> "InitialCheckpoint | None":
        """Return the checkpoint before this one; None if there is none, or just this is wanted."""
        if not self.is_newest:
            return None

        def find() -> tuple[Path, Checkpoint] | None:
            with suppress(CheckpointError):
                return newest_checkpoint(self.path.parent, self.path)
            return None

        found = distributed.broadcast_object(find)
        return found and InitialCheckpoint(*found, self.resumed, self.is_newest)

    def alphabet(self, needs_text: bool) -> Alphabet | None:
        """Return the characters that the network knows; None if it does not need any.

        Raises:
            CheckpointError: if it needs them, and there are none.
        """
        if needs_text and not self.content["alphabet"]:
            lacks = "it lacks the alphabet that the config's network needs"
            raise CheckpointError(f"{self.path}: {lacks}")
        return Alphabet(self.content["alphabet"]) if needs_text else None

    def first_weights(self) -> Path | None:
        """Return the file with whose weights the run began."""
        if not self.resumed:
            return self.path
        origin = RunFolder.of(self.path)
        return origin and origin.first_weights()
