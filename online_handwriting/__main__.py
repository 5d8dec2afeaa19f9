"""The command `online-handwriting`, which is also `python -m online_handwriting`: `train`, and the
commands of `experiments.py`."""

import sys

from online_handwriting.utils import console, program


def main() -> int:
    """Run the command line of the process, and return the exit status."""
    console.set_up()  # before the slow imports
    if sys.argv[1:2] != ["train"]:
        from online_handwriting import experiments

        return experiments.run(sys.argv[1:], scripts=["train"])
    from online_handwriting.commands.train import options

    request = options.parsed(sys.argv[2:])  # before the slow imports
    if not program.has_torch():
        print(f"error: train {program.NEEDS_TORCH}", file=sys.stderr)
        return 2
    from online_handwriting import train

    return train.reported(lambda: train.run(request))


if __name__ == "__main__":
    sys.exit(main())
