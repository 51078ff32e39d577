"""The check for well-formed XML.

Runs on: a worker process.
"""

from typing import Final
from xml.parsers import expat

MAX_DEPTH: Final = 10_000


class _TooDeep(Exception):
    """Elements are nested deeper than MAX_DEPTH."""


def is_well_formed(xml: str) -> bool:
    """Return whether a text is well-formed XML 1.0; one that is nested deeper than MAX_DEPTH counts as broken."""
    if "\0" in xml:  # expat would take it for UTF-16
        return False
    depth = 0

    def start(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise _TooDeep

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(xml, True)  # noqa: FBT003 - expat takes no names
    except (expat.ExpatError, _TooDeep):
        return False
    return True
