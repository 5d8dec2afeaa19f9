"""Parses files for another process: `python -m ink.guard`."""

from ink.guard import service

if __name__ == "__main__":
    service.serve()
