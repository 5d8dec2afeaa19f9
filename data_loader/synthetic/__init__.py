"""Lines that are made: texts, stroke fonts, and mixtures with recorded lines."""
