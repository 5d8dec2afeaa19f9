"""Ink, drawing, alphabets, files and checks: one named module each."""
