"""Formats of recorded ink, one file each, and what they share."""
