"""One line of a file of targets: the request that it asks for, or the reason why it cannot be read.

Rules
- A line's parser gets its bytes and its number. It returns a `TargetLine`, or None for a line that asks for nothing
  (blank, a comment), or raises ValueError with the problem in words.
- A method is a token and a header a token and printable text (RFC 9110, 5.6.2 and 5.5), so no line can end its request
  and begin another one.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from crawler.core.text import safe

T = TypeVar("T")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_NO_UTF_8 = "it is no UTF-8: convert the file with iconv"
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class TargetLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request as a file asks for it.

    Attributes:
        url: absolute, or a path that begins with a slash.
        weight: its share among the others, above 0; 1 = as often as they.
        tag: its group in the report; None = the group follows from the URL.
        moment: nanoseconds since 1970, the file's own time; None = the file has none.
        number: of the line (of the entry, in a HAR file), from 1.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    weight: float = 1.0
    tag: str | None = None
    moment: int | None = None
    number: int = 0


class BrokenLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line that cannot be read, and the problem in words."""

    number: int
    problem: str


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A file of targets, for messages and rules.

    Attributes:
        is_written: the user wrote it, so its methods are meant and `${` begins a column; False = it was recorded.
        unit: put before a line's number; a HAR file has entries.
        idle: a record that is no request, in words; None = it is a blank line, which is not counted.
    """

    name: str
    is_written: bool
    unit: str = ":"
    idle: tuple[str, str] | None = None

    def place(self, number: int) -> str:
        """Return the place of a line, for messages; number 0 = the request of the command line."""
        return f"{self.name}{self.unit}{number}" if number else self.name


LineParser = Callable[[bytes, int], TargetLine | None]


def checked_method(text: str) -> str:
    """Return the text, a method.

    Raises:
        ValueError: it is no token.
    """
    if not TOKEN.fullmatch(text):
        raise ValueError(f"{safe(text, 40)!r} is no method: write one such as GET")
    return text


def checked_url(text: str) -> str:
    """Return the text, an absolute URL or a path.

    Raises:
        ValueError: it is neither.
    """
    if not text.startswith(("/", "http://", "https://")):
        raise ValueError(f"{safe(text, 60)!r} is no URL: write one that begins with http://, https:// or a slash")
    return text


def checked_headers(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return headers, without white space around their values.

    Raises:
        ValueError: a name or a value cannot be sent.
    """
    found = []
    for name, value in pairs:
        if not TOKEN.fullmatch(name):
            raise ValueError(f"{safe(name, 40)!r} is no name of a header")
        if _NO_VALUE.search(value):
            raise ValueError(f"the value of header {name} holds control characters")
        found.append((name, value.strip(" \t")))
    return tuple(found)


def decoded(raw: bytes) -> str:
    """Return a line that a person wrote, as text.

    Raises:
        ValueError: it is no UTF-8.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError(_NO_UTF_8) from None


def from_json(decoder: msgspec.json.Decoder[T], raw: bytes | memoryview | str) -> T:
    """Return the value of a line, or of a file, that is JSON.

    Raises:
        ValueError: it is not the JSON that was expected, in words.
    """
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(_json_problem(error)) from None


def _json_problem(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "its JSON is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return _NO_UTF_8
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        return safe(text[:1].lower() + text[1:], 160)
    return f"it is no JSON: {safe(text, 120)}"
