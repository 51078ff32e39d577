"""Markup of the page: text is escaped unless it is markup already, and a document forbids itself everything.

Rules
- A plain string never becomes markup: `escaped` lets only `Html` through, and only this package makes `Html`.
- Text from a server or a user is one printable line (`core/text.py: safe`) before it is escaped.
- The page's Content-Security-Policy allows one style, by its hash, and nothing else: no script, no request, no inline
  style. So no attribute `style` is written anywhere; positions are attributes of SVG.
Runs on: anywhere (pure).
"""

from base64 import b64encode
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from html import escape

from crawler.core.text import safe
from crawler.load.page.style import STYLE

_LONGEST = 400  # characters of a text from outside
_POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


class Html(str):
    """Markup that this package made, in which all text is escaped."""

    __slots__ = ()


def escaped(text: object, limit: int = _LONGEST) -> Html:
    """Return text as markup; markup stays as it is."""
    return text if isinstance(text, Html) else Html(escape(safe(str(text), limit)))


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Return these texts and markups as one."""
    return Html(between.join(map(escaped, parts)))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """Return an element; `class_` and `aria_label` are written as `class` and `aria-label`."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(safe(str(value), 2000))}"' for key, value in attributes.items()
    )
    return Html(f"<{name}{told}>{joined(content)}</{name}>")


def section(title: str, *content: object) -> Html:
    """Return a part of the page under its heading."""
    return tag("section", tag("h2", title), *content)


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    words: Collection[int] = (0,),
    *,
    is_pictured: bool = False,
) -> Html:
    """Return a table that scrolls in its own frame where it is too wide; the columns in `words` hold text.

    The second column of a pictured table repeats its figures as a picture, which a narrow page leaves out.
    """
    kinds = ["word" if number in words else "figure" for number in range(len(head))]
    top = joined(tag("th", text, scope="col", class_=kind) for text, kind in zip(head, kinds, strict=True))
    lines = [
        tag(
            "tr",
            tag("th", row[0], scope="row", class_=kinds[0]),
            *(tag("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in rows
    ]
    parts = (tag("caption", caption), tag("thead", tag("tr", top)), tag("tbody", *lines))
    whole = tag("table", *parts, class_="pictured" if is_pictured else "plain")
    return tag("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def facts(rows: Iterable[tuple[str, object]]) -> Html:
    """Return a list of names and what they are."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_="facts")


def details(summary: str, *content: object) -> Html:
    """Return content that is closed until it is wanted."""
    return tag("details", tag("summary", summary), *content)


def document(title: str, *body: object) -> str:
    """Return the page."""
    policy = _POLICY.format(b64encode(sha256(STYLE.encode()).digest()).decode())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title, 120)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{_HATCH}\n{tag('main', *body)}\n</body>\n</html>\n"
    )


_HATCH = (
    '<svg class="none" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" '
    'patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line y2="6" class="hatch"/></pattern></defs></svg>'
)
