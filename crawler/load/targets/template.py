"""Text with columns of a feed in it: `${column}`; `$${` stands for the two characters `${`.

Rules
- A value never changes the shape of the request: in a URL it is percent-encoded, in JSON and in a form it is escaped
  as those ask for, in a header it may hold no control characters.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, quote_plus

import msgspec

MARK = "${"
_MARKS = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")

Escape = Callable[[str], str]


class Template(msgspec.Struct, frozen=True):
    """Text and columns in turn: the first and the last piece are text."""

    pieces: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that it names, in order."""
        return self.pieces[1::2]

    def fill(self, values: Mapping[str, str], escape: Escape) -> str:
        """Return the text with the values of these columns, each escaped."""
        pieces = list(self.pieces)
        pieces[1::2] = [escape(values[column]) for column in self.columns]
        return "".join(pieces)


def template(text: str) -> Template:
    """Return the template that a text is; without columns it is one piece.

    Raises:
        ValueError: a column has no name, or no end.
    """
    pieces, end = [""], 0
    for found in _MARKS.finditer(text):
        pieces[-1] += text[end : found.start()]
        end = found.end()
        if found[0] == "$${":
            pieces[-1] += MARK
        elif not found[1] or not found[2]:
            raise ValueError(f"{found[0]}: expected ${{column}}; write $${{ to send ${{ as it is")
        else:
            pieces += [found[1], ""]
    pieces[-1] += text[end:]
    return Template(tuple(pieces))


def in_url(value: str) -> str:
    """Escape a value for a path or a query: no slash, question mark or ampersand of it counts."""
    return quote(value, safe="")


def in_json(value: str) -> str:
    """Escape a value for the inside of a JSON string."""
    return msgspec.json.encode(value)[1:-1].decode()


def in_body(headers: Sequence[tuple[str, str]]) -> Escape:
    """Return the escape for a body with these headers."""
    kind = next((value.lower() for name, value in headers if name.lower() == "content-type"), "")
    if "json" in kind:
        return in_json
    return quote_plus if "x-www-form-urlencoded" in kind else str


def in_header(value: str) -> str:
    """Return a value of a header.

    Raises:
        ValueError: it holds control characters.
    """
    if any(character < " " or character == "\x7f" for character in value):
        raise ValueError("control characters cannot be sent in a header")
    return value
