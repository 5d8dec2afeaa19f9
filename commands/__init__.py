"""The commands of `experiments.py`, one file each: its options and the library functions it calls.

A command has `add_options(parser)` and `run(arguments)`, which turns the arguments into frozen
values and calls the library. Beside `run`, only functions that check the arguments or make these
values get the namespace, such as `check` and `options_of`. Slow imports stand in the functions that
need them, so that a wrong option or a missing file is reported at once.
"""
