"""Texts to write, drawn from seeds: sentences, everyday kinds and words of European languages.

`templates.py` fills templates by random draws; begin there. `corpus.py` draws English sentences,
`everyday.py` addresses, amounts, dates and other short kinds, `european.py` words with letters
beyond ASCII, and `language.py` the texts of which a language model is made. The text files have the
templates, and the texts for their fields.
"""
