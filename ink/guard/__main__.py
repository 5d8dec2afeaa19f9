"""Parses files for another process: `python -m ink.guard`."""

from ink.guard import service

service.serve()
