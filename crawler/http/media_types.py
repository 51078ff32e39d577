"""The media type that a response declares, as browsers read it.

https://fetch.spec.whatwg.org/#concept-header-extract-mime-type, https://mimesniff.spec.whatwg.org/#parsing-a-mime-type
Rules
- Several headers are one list, and of a list the last value that is a media type counts; `*/*` is none.
- The charset of an earlier value stays in force while the type stays the same.
- A value that is no media type says nothing at all, not even a charset.
Runs on: anywhere (pure).
"""

import re
from functools import lru_cache
from typing import NamedTuple

_REMEMBERED = 100  # characters: sites send few different values, and a long one may be hostile


class MediaType(NamedTuple):
    """The media type and the charset of a Content-Type header.

    Attributes:
        essence: type and subtype in lower case; None = nothing valid was sent.
        charset: the value of that parameter in lower case, which need not be the label of an encoding; None = absent.
    """

    essence: str | None = None
    charset: str | None = None


def media_type(header: str | None) -> MediaType:
    """Read the values of Content-Type, joined by commas; None = the header is absent."""
    if not header:
        return MediaType()
    return _known(header) if len(header) <= _REMEMBERED else _extracted(header)


_QUOTED = r'"(?P<text>(?:[^"\\]|\\.|\\\Z)*+)(?:"|\Z)'
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_VALUES = re.compile(rf'(?:[^",]++|{_QUOTED})++', re.DOTALL)
_ESSENCE = re.compile(rf"({_WORD}/{_WORD})[\t\n\r ]*+(?:;|\Z)")
_PARAMETERS = re.compile(rf"[\t\n\r ]*+(?P<name>[^;=]*+)(?:=(?:{_QUOTED}[^;]*+|(?P<bare>[^;]*+)))?(?:;|\Z)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SOUND = re.compile(r"[\t -~\x80-\xff]*+")
_WHITE = "\t\n\r "


def _extracted(header: str) -> MediaType:
    """Return the media type of a header (Fetch, "extract a MIME type")."""
    essence = charset = last = None
    for value in _VALUES.finditer(header):
        parsed = _parsed(value[0].strip(_WHITE))
        if parsed is None or parsed.essence == "*/*":
            continue
        if parsed.essence != essence:
            essence, charset = parsed
        last = parsed.charset if parsed.charset is not None else charset
    return MediaType(essence, (last and last.strip(_WHITE).lower()) or None)


_known = lru_cache(maxsize=1024)(_extracted)


def _parsed(value: str) -> MediaType | None:
    """Return the media type of one value (MIME Sniffing, "parse a MIME type"); None = it is no media type."""
    essence = _ESSENCE.match(value)
    if essence is None:
        return None
    for parameter in _PARAMETERS.finditer(value, essence.end()):
        if parameter["name"].lower() == "charset":
            quoted, bare = parameter["text"], (parameter["bare"] or "").rstrip(_WHITE)
            charset = bare or None if quoted is None else _ESCAPED.sub(r"\1", quoted)
            if charset is not None and _SOUND.fullmatch(charset):
                return MediaType(essence[1].lower(), charset)
    return MediaType(essence[1].lower())
