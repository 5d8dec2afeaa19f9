"""Ink to files that others draw, plot or read: SVG and InkML. Nothing here needs matplotlib."""
