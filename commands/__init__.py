"""What `experiments.py` does, a file a command: its options, and the library's functions it calls.

A command has `add_options(parser)`, `run(arguments)`, and where options can contradict each other
`check(arguments)`, which then raises a UserError. What is slow to import is imported where it is
used, so that a wrong option or a missing file is told at once.
"""
