"""Ink on paper: pages, their layout, and the formats of lines and pages."""
