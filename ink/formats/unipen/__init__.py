"""UNIPEN: blocks of text, segments of files, and whole collections, read."""
