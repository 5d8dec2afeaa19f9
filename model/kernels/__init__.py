"""Compiled kernels for the CPU, each with a path without them that computes the same."""
