"""The domain, without torch: points and strokes, measures, alphabets, formats and drawing."""
