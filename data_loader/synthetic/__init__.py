"""Synthetic lines: texts, stroke fonts, and mixtures with recorded lines."""
