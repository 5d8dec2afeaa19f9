"""Lines by invented writers, whom random numbers describe: data that any machine can generate.

`stroke_fonts.py` has the characters as pen paths, `font_writers.py` a writer's hand, the speed of
the pen and the dataset of lines, and `damage.py` spoils characters for a recogniser that reports
them.
"""
