"""What `experiments.py` does, a file a command: its options, and the library's functions it calls.

A command has `add_options(parser)`, `check(arguments)`, which raises a UserError where options
contradict each other, and `run(arguments)`. What is slow to import is imported where it is used, so
that a wrong option or a missing file is told at once.
"""
