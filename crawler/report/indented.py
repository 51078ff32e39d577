"""JSON as a file or a person gets it: indented, ended by a newline.

Runs on: anywhere (pure).
"""

import msgspec


def indented(value: object) -> bytes:
    """A dataclass, or a list of such."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
