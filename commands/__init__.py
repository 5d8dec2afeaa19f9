"""The commands of `experiments.py`, one file each: its options and the library functions it calls.

A command has `add_options(parser)`, `run(arguments)`, and where options can contradict each other
`check(arguments)`, which then raises a UserError. Slow imports happen where they are used, so that
a wrong option or a missing file is reported at once.
"""
