"""Formats of recorded ink, one file each, and what they share.

A new format is one file with `sniff` and `parse`, see `parsing`, which is listed in
`ink_files.FORMATS`. A format for training also has a class: a `DividedDataset` with a `title`, the
names of its files (`file_names`) and a parser of a file (`_parse`). Copy `InkMLDataset`, and list
your class in data_loader/__init__.py, where configs find it.
"""
