"""New lines that are composed of recorded ones, in the same hands.

The way of a line, file by file: `alignment.py` has which points belong to which character,
`cutting.py` finds where lines can be cut, `bank.py` has a hand's pieces, `composing.py` sets pieces
to a text, `drawn.py` and `accents.py` make characters that nobody wrote, and `dataset.py` draws
hands and texts (see `texts`). `mixed.py` sets whole lines and their words side by side, and
`phrases.py` words and single characters.
"""
