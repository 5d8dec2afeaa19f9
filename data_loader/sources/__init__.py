"""Formats of recorded ink, one file each, and what they share.

A new format is one file with one class, a `DividedDataset` that has a `kind` and a `title`, says
how its files are called (`file_names`), and yields a `Sample` or a `Fault` for each piece of
writing in one (`_parse`): copy `InkMLDataset`, and name yours in data_loader/__init__.py, from
where configs have it. For ink outside of a dataset the module has `SUFFIXES`, `sniff` and `parse`,
see `parsing`, and is listed in `ink_files.FORMATS`.
"""
