"""PDF, written: strokes as paths, and pages."""
