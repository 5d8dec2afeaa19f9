"""The commands of `experiments.py`, a file for each command.

`shared/` has options of several commands, `train/` the command line of `train.py`. What the command
of an app does is in `apps/`.

A command has `add_options(parser)` and `run(arguments)`, which turns the arguments into frozen
values and calls the library. Only the functions that check the arguments or make these values
(`check`, `options_of`) get all arguments. Slow modules are imported in the functions that use them,
so that a wrong option or a missing file is reported at once.
"""
