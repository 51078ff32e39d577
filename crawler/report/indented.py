"""Indented JSON, for files and for people.

Runs on: anywhere (pure).
"""

import msgspec


def indented(value: object) -> bytes:
    """Return a value, a dataclass for example, as indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
