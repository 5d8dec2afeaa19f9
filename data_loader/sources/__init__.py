"""Datasets of files of ink, one module a format, and how they are prepared, stored and divided.

`ink.formats` has the formats themselves, and says how to add one. A format for training also has a
subclass of `DividedDataset` with a `title`, a pattern of the files' names (`file_names`) and a
parser of a file (`_parse`), which asks `ink.guard` to call the format's own: copy `InkMLDataset`.
If the files are read together, or say how they are divided, it has a `read`, a `find`, a `_divide`
and a `divided_by` as well: copy `IAMOnDBDataset`. List your class in data_loader/__init__.py, where
configs find it.
"""
