"""The references of a style sheet (CSS Syntax 3, https://drafts.csswg.org/css-syntax-3/#tokenization).

Rules
- `url(x)`, `url("x")`, `src("x")` and the strings of `image-set()` count, and in a style sheet `@import` in front of
  its first block. The URL of a `@namespace` is a name, and is not fetched.
- A reference that begins with `#` is a part of the styled document (CSS Values 4, 4.5.1): it is not fetched. Nor is an
  empty one.
- A string that a line end breaks and a bad url are no references.
Strategy: one pattern skips to the next token that matters; each byte is read a few times at most. It takes 20 ms to
compile, so the first style that is read compiles it.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from crawler.parse.attributes import SPACE

MAX_OPEN: Final = 100  # nested brackets whose functions are remembered

_END = r"\n\r\f"
_ESCAPE = rf"\\(?:[0-9a-fA-F]{{1,6}}+(?:\r\n|[{SPACE}])?+|[^0-9a-fA-F{_END}])"
_NAME = rf"(?:[-\w\x80-\U0010ffff]++|{_ESCAPE})++"
_COMMENT = r"/\*(?:.*?\*/|.*)"
_UNQUOTED = re.compile(
    rf"[{SPACE}]*+(?P<url>(?:[^\"'()\\{SPACE}\0-\x08\x0b\x0e-\x1f\x7f]++|{_ESCAPE})*+)[{SPACE}]*+(?:\)|\Z)", re.DOTALL
)
_BAD_URL = re.compile(r"(?:[^)\\]++|\\(?:.|\Z))*+\)?+", re.DOTALL)
_QUOTED = re.compile(rf"[{SPACE}]*+(?=[\"'])")
_GAP = re.compile(rf"(?:[{SPACE}]++|{_COMMENT})*+", re.DOTALL)
_ESCAPED = re.compile(
    rf"\\(?:(?P<hex>[0-9a-fA-F]{{1,6}})(?:\r\n|[{SPACE}])?|(?P<end>\r\n|[{_END}])|(?P<self>.))", re.DOTALL
)
_WITH_A_URL = frozenset({"url", "src"})
_WITH_URLS = frozenset({"image-set", "-webkit-image-set"})


class Reference(NamedTuple):
    """A URL with its escapes resolved; `is_import`: it is another style sheet."""

    url: str
    is_import: bool = False


def sheet_references(css: str) -> Iterator[Reference]:
    """Yield the references of a whole style sheet."""
    return _references(css, may_import=True)


def style_references(css: str) -> Iterator[Reference]:
    """Yield the references of a `style` attribute, which cannot import."""
    return _references(css, may_import=False)


def _references(css: str, *, may_import: bool) -> Iterator[Reference]:
    at, inside, imports, is_namespace = 0, list[str](), False, False
    next_token = _token().match
    while token := next_token(css, at):
        at = token.end()
        text = None
        if token["at"] is not None:
            name = _name(token["at"])
            at = _end(_GAP, css, at)
            imports = name == "import" and may_import and _imported().match(css, at) is not None
            is_namespace = name == "namespace"
            continue
        if token["function"] is not None:
            name = _name(token["function"])
            if name == "url" and not _QUOTED.match(css, at):
                unquoted = _UNQUOTED.match(css, at)
                at = unquoted.end() if unquoted else _end(_BAD_URL, css, at)
                text = unquoted["url"] if unquoted else None
            elif len(inside) < MAX_OPEN:
                inside.append(name)
            if name in _WITH_A_URL and text is None:
                continue
        elif token["other"]:
            if token["other"] == ")":
                inside[-1:] = []
            elif token["other"] == "(" and len(inside) < MAX_OPEN:
                inside.append("")
            elif token["other"] in "{;":  # the end of a declaration closes all brackets that are open
                inside.clear()
            may_import = may_import and token["other"] != "{"
        elif imports or _takes_url(inside):
            is_bad = token["bad_double"] is not None or token["bad_single"] is not None
            text = None if is_bad else token["double"] or token["single"]
        if text and not is_namespace and (url := _unescaped(text).strip(SPACE)) and url[0] != "#":
            yield Reference(url, is_import=imports)
        imports = is_namespace = False


@cache
def _token() -> re.Pattern[str]:
    """Return the pattern of the next token that matters, with all before it."""
    return re.compile(
        rf"(?:[^-\w\x80-\U0010ffff\\\"'/@#(){{;]++|{_COMMENT}|\#(?:{_NAME})?+|/|{_NAME}(?!\()|\\(?=[{_END}]|\Z))*+"
        rf"(?:\"(?P<double>(?:[^\"\\{_END}]++|\\(?:\r\n|.))*+)(?:\"|\\?\Z|(?P<bad_double>))"
        rf"|'(?P<single>(?:[^'\\{_END}]++|\\(?:\r\n|.))*+)(?:'|\\?\Z|(?P<bad_single>))"
        rf"|@(?P<at>(?:{_NAME})?+)|(?P<function>{_NAME})\(|(?P<other>[(){{;]))",
        re.DOTALL,
    )


@cache
def _imported() -> re.Pattern[str]:
    """Return the pattern of what may stand behind an `@import`."""
    return re.compile(rf"[\"']|{_NAME}\(")


def _takes_url(inside: list[str]) -> bool:
    """Return whether a string is a URL here; in `url()` and `src()`, only the first one is."""
    function = inside[-1] if inside else ""
    if function in _WITH_A_URL:
        inside[-1] = ""
    return function in _WITH_A_URL or function in _WITH_URLS


def _end(pattern: re.Pattern[str], css: str, at: int) -> int:
    found = pattern.match(css, at)
    return found.end() if found else at


def _name(written: str) -> str:
    return (_unescaped(written) if "\\" in written else written).lower()


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(_meaning, text).replace("\0", "\ufffd") if "\\" in text or "\0" in text else text


def _meaning(escape: re.Match[str]) -> str:
    if not escape["hex"]:
        return escape["self"] or ""  # an escaped line end disappears
    number = int(escape["hex"], 16)
    return "\ufffd" if number in range(0xD800, 0xE000) or not 0 < number <= 0x10FFFF else chr(number)
