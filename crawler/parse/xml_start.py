"""The start of an XML document behind junk: white space, comments, or the messages of a script.

Rules
- White space, byte order marks and comments in front are skipped.
- Anything else in front (a notice that a script printed, say) is skipped too, and makes the document a broken one. It
  is searched in the first MAX_FRONT characters, and ends at an XML declaration or the root of a feed or sitemap.
- A document that begins with an element of its own starts there, and is searched no further if it is well-formed.
  Elements of HTML, with which scripts mark up their messages, are none of its own.
- A message, and nothing else, in front of the root of a feed or sitemap makes no page of HTML.
Runs on: anywhere (pure).
"""

import re
from typing import Final, NamedTuple

from crawler.parse.feed_and_sitemap_elements import ROOTS

MAX_FRONT: Final = 64 * 1024

_NOTHING = re.compile("(?:[\t\n\v\f\r \ufeff]++|\xef\xbb\xbf|<!--.*?-->)*+", re.DOTALL)  # a mark may be read as latin-1
_BEGINNING = re.compile(
    rf"<(?:\?xml[\t\n\r ]|!DOCTYPE[\t\n\r ](?![\t\n\r ]*+html)"
    rf"|(?:[\w.-]++:)?+(?:{'|'.join(sorted(ROOTS))})[\t\n\r />])"
)
_ROOT = re.compile(rf"<(?:[\w.-]++:)?+(?:{'|'.join(sorted(ROOTS))})[\t\n\r />]")
_OWN_ELEMENT = re.compile(
    r"<(?!/?(?:a|b|br|center|div|em|font|h[1-6]|hr|i|li|link|noscript|ol|p|pre|script|small|span|strong|style|table"
    r"|u|ul)[\t\n\r />])[A-Za-z_!?]",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"(?:[^<]++|<\?[^>]*+>|<!--.*?-->"
    r"|</?(?i:a|b|br|center|code|em|font|hr|i|p|pre|small|span|strong|table|tbody|td|th|tr|u)(?=[\t\n\r />])[^<>]*+>)++"
    rf"(?:<!(?!--|(?i:doctype)[\t\n\r ]++(?i:html))[^<>]*+>[\t\n\r ]*+)?+{_ROOT.pattern}",
    re.DOTALL,
)


class Start(NamedTuple):
    """The start of a document: its first character, and whether anything but white space and comments is before it."""

    at: int
    is_behind_junk: bool


def start_of(text: str) -> Start:
    """Return the start of a document; one that has no known start begins behind white space."""
    nothing = _NOTHING.match(text)
    at = nothing.end() if nothing else 0
    if _BEGINNING.match(text, at) or _OWN_ELEMENT.match(text, at):
        return Start(at, is_behind_junk=False)
    found = _BEGINNING.search(text, at, at + MAX_FRONT)
    return Start(found.start(), is_behind_junk=True) if found else Start(at, is_behind_junk=False)


def known_root(text: str, at: int) -> int | None:
    """Return the start of the root of a feed or sitemap, at `at` or behind it; None = nowhere near."""
    found = _ROOT.search(text, at, at + MAX_FRONT)
    return found and found.start()


def is_behind_notice(text: str) -> bool:
    """Return whether a feed or a sitemap follows the output of a script, and no page of HTML has begun before."""
    return _NOTICE.match(text) is not None
