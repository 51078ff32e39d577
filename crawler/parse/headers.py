"""The headers X-Robots-Tag and Refresh, which say the same as a document's own `<meta>`.

Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from crawler.core.text import from_octets
from crawler.core.urls import Url
from crawler.parse.attributes import directives, refresh
from crawler.parse.links import LinkKind
from crawler.parse.references import References

MAX_REFRESHES: Final = 10


def refreshes(values: Sequence[str], document: Url) -> References:
    """Return the targets of Refresh headers (HTML, "create and initialize a Document object").

    Each is resolved against the document's URL, which no `<base>` changes. Values are latin-1 text, as headers are.
    """
    references = References(document)
    for value in values[:MAX_REFRESHES]:
        if target := refresh(from_octets(value.encode("latin-1"))):
            references.add(target, LinkKind.REFRESH)
    return references


def header_directives(values: Iterable[str], agent: str) -> frozenset[str]:
    """Return the directives of X-Robots-Tag that address this robot: a `name:` in front holds until the next one.

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
