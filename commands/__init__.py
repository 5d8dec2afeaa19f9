"""The commands of `experiments.py`, one file each: its options and the library functions it calls.

A command has `add_options(parser)` and `run(arguments)`, which makes frozen values of the arguments
and calls the library. Only what checks or makes these gets a namespace: `check`, `options_of`. Slow
imports happen where they are used, so that a wrong option or a missing file is reported at once.
"""
