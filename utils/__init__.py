"""Ink, its page and plots, alphabets, files and checks: one named module each."""
