"""Recurrent layers and the attention window over the text; their compiled kernels."""
