"""Compiled kernels and CUDA graphs, each with a path without them that computes the same."""
