"""Headers that say of a document what it may say itself: directives for robots.

Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable

from crawler.parse.attributes import directives


def header_directives(values: Iterable[str], agent: str) -> frozenset[str]:
    """The directives of X-Robots-Tag that concern this robot: a `name:` in front holds until the next one.

    Each header begins anew, and the date of `unavailable_after` has colons that follow no name.
    """
    mine: list[str] = []
    for value in values:
        is_mine = True
        for part in value.split(","):
            name, colon, rest = (text.strip() for text in part.partition(":"))
            if colon and _NAME.fullmatch(name) and name.lower() not in _WITH_VALUE:
                is_mine, part = name.lower() == agent.lower(), rest  # noqa: PLW2901
            if is_mine:
                mine.append(part)
    return directives(",".join(mine))


_NAME = re.compile(r"[A-Za-z_-]+")
_WITH_VALUE = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
