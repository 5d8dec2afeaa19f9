"""Export of ink to SVG and InkML. Nothing here needs matplotlib."""
