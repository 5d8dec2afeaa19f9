"""InkML (W3C Ink Markup Language): traces, and lines and pages of them, read and written."""
