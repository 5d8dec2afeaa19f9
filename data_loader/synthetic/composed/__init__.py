"""New lines that are composed of recorded lines, in the same hands.

The way of a line, file by file: `alignment.py` assigns points to characters, `cutting.py` finds
where lines can be cut, `recorded_hands.py` has the pieces of each hand, `composing.py` sets pieces
to a text, `drawn_characters.py` and `accents.py` draw characters that nobody wrote, and
`dataset.py` chooses hands and texts (see `texts`). `mixed.py` sets whole lines and their words side
by side, and `phrases.py` words and single characters.
"""
