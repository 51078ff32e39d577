"""The text and markup of the built-in site's pages.

Rules
- The text is meaningless ASCII; other scripts appear only in titles.
- Every page ends with decoys: a comment, a script and a mail address that look like links. A client that requests
  `/never/...` does not parse HTML.
- A link is spelled in one of several ways: from the root, with a fragment, without its scheme, absolute.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from urllib.parse import unquote

from crawler.site.plan import draw, fraction

TOPICS = (
    "Tides",
    "Lighthouses",
    "Orchards",
    "Slow trains",
    "Old maps",
    "Bridges",
    "Salt",
    "Clouds",
    "Wool",
    "Harbours",
)
_SENTENCES = (
    "The tide table on the wall is older than the harbour that it describes.",
    "Every morning the first train leaves two minutes late and arrives on time.",
    "A good map leaves out more than it shows.",
    "Salt was carried over this pass long before there was a road.",
    "The lamp turns once in ten seconds, and has done so for a hundred years.",
    "Apples that are picked too early keep well and taste of nothing.",
    "Clouds of this kind promise wind, though not always today.",
    "Wool remembers the water it was washed in.",
    "From the bridge one sees three villages and hears a fourth.",
    "The library opens when the baker has finished.",
    "In spring the river moves its bed a little to the east.",
    "Whoever walks here in winter should tell somebody the way.",
    "A path that nobody uses is gone after four summers.",
    "The clock in the square strikes the quarters and forgets the hours.",
    "Letters from the island arrive in order, a week at a time.",
    "There are nine names for this hill, and eight are still in use.",
)
_STYLE = (
    "body{max-width:44rem;margin:2rem auto;padding:0 1rem;font:1rem/1.6 Georgia,serif;color:#222;background:#fdfcf9}"
    "h1{font-size:1.7rem;line-height:1.25}nav,footer{font:.9rem/1.6 system-ui,sans-serif;color:#666}"
    "ul{columns:2;padding-left:1.2rem}a{color:#175c8c}"
)
_DECOYS = (
    '<!-- <a href="/never/comment.html">a link in a comment is no link</a> -->\n'
    "<script>const example = '<a href=\"/never/script.html\">';</script>\n"
    '<footer>A page of the built-in site. <a href="mailto:nobody@example.invalid">Write to nobody</a></footer>\n'
)
_PARAGRAPHS = 64
_USUAL_PARAGRAPH = 300  # bytes
_LEAST = 400  # bytes
_ESCAPED_LETTERS = re.compile("(?:%[89A-F][0-9A-F])+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A link of a page; `href` is not escaped yet."""

    href: str
    text: str


def html(*, title: str, lead: str, anchors: Sequence[Anchor], text: str = "", charset: str | None = None) -> str:
    """Return a document; `charset` is declared in its `<meta>`, None = in none."""
    meta = f'<meta charset="{charset}">' if charset else ""
    items = "\n".join(f'<li><a href="{escape(anchor.href)}">{escape(anchor.text)}</a></li>' for anchor in anchors)
    return (
        f'<!doctype html>\n<html lang="en"><head>{meta}<title>{escape(title)}</title><style>{_STYLE}</style></head>\n'
        f"<body>\n<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n{text}\n<nav><ul>\n{items}\n</ul></nav>\n"
        f"{_DECOYS}</body></html>\n"
    )


def paragraphs(*what: object, largest: int) -> str:
    """Return text that depends on `what`: mostly little, rarely much, up to about four times `largest` bytes."""
    size = _LEAST * (max(largest, _LEAST) / _LEAST) ** fraction(*what, "size")
    if draw(*what, "huge") % 100 == 0:
        size = 4 * largest
    first, count = draw(*what, "text"), 1 + int(size) // _USUAL_PARAGRAPH
    return "\n".join(_paragraph((first + 7 * turn) % _PARAGRAPHS) for turn in range(count))


def spelled(target: str, dice: int, base_url: str, *, in_letters: bool) -> str:
    """Return one spelling of a link to a target; `in_letters` allows letters outside of ASCII unescaped."""
    if not target.startswith("/"):
        return target
    absolute = base_url + target
    letters = _ESCAPED_LETTERS.sub(lambda escaped: unquote(escaped[0]), target) if in_letters else target
    ways = (target, letters, letters, target + "#text", absolute, absolute.removeprefix("http:"))
    return ways[dice % len(ways)]


@lru_cache(_PARAGRAPHS)
def _paragraph(number: int) -> str:
    count, first = 2 + draw("paragraph", number) % 6, draw("sentence", number)
    return f"<p>{' '.join(_SENTENCES[(first + 5 * turn) % len(_SENTENCES)] for turn in range(count))}</p>"
