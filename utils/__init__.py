"""Files, JSON, console, checks and licences: one named module each, without torch."""
