"""The commands of `experiments.py`, one file each: its options and the library functions it calls.

A command has `add_options(parser)` and `run(arguments)`, which turns the arguments into frozen
values and calls the library. Only functions that check the arguments or make these values get the
whole namespace (`check`, `options_of`). Slow imports stand in the functions that use them,
so that a wrong option or a missing file is reported at once.
"""
