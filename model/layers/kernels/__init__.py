"""Compiled kernels and CUDA graphs, which plain torch operations can replace."""
