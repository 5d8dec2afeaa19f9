"""Ink on paper: pages and the file formats of lines and pages."""
