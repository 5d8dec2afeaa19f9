"""Formats of recorded ink, one module each, and the modules that all formats share.

A new format is a module with the functions `sniff` and `parse` (see `parsing`); list the module in
`ink_files.FORMATS`. A format for training also has a subclass of `DividedDataset` with a `title`, a
pattern of the files' names (`file_names`) and a parser of a file (`_parse`). Copy `InkMLDataset`,
and list your class in data_loader/__init__.py, where configs find it.
"""
