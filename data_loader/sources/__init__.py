"""Formats of recorded ink, one file each, and what they share.

A new format is one file with `SUFFIXES`, `sniff` and `parse`, see `parsing`, which is listed in
`ink_files.FORMATS`. For training it has a class besides, a `DividedDataset` with a `title`, which
says how its files are called (`file_names`) and what to parse of each (`_parse`): copy
`InkMLDataset`, and name yours in data_loader/__init__.py, from where configs have it.
"""
