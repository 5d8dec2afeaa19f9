"""The commands of `experiments.py`, one file each: its options and the library functions it calls.

A command has `add_options(parser)` and `run(arguments)`, which turns the arguments into frozen
values and calls the library. Only functions that check or turn them get the namespace (`check`,
`options_of`). Slow imports stand in functions, so that a wrong option is reported at once.
"""
