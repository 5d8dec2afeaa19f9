"""SVG: shapes of any program, and pages and rows of them, read and written."""
