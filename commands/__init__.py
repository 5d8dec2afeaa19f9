"""The commands of `experiments.py`, one file each: its options and the library functions it calls.

A command has `add_options(parser)` and `run(arguments)`. `run` takes the arguments apart, or has
`options_of` and its like make frozen values of them, calls the library and prints; what else it
calls gets no namespace. Where options can contradict each other, `check(arguments)` raises a
UserError. Slow imports happen where they are used, so that a wrong option or a missing file is
reported at once.
"""
