r"""Reading of an access log in the common or the combined format, as Apache, nginx, Traefik and others write it.

Rules
- Read are the time and the request line. User agent, referrer and status are not sent: the requests are the tool's.
- Text in front of the time may have any form (address, user, a virtual host); text behind the request, too.
- A request line is escaped as Apache (`\"`, `\xhh`) and nginx (`\xHH`) do. Bytes that are no UTF-8 are percent-encoded.
- A line whose request is no HTTP (`-`, the first bytes of TLS, CONNECT) asks for nothing that can be sent: it is
  broken.
Runs on: anywhere (pure).
"""

import re

from crawler.core.text import from_octets, safe
from crawler.load.targets.line import TargetLine
from crawler.load.targets.moments import moment_of

_LINE = re.compile(
    rb'(?:[^\[\n]*|[^"\n]*? )\[(\d\d/[A-Z][a-z]{2}/\d{4}:[^\]\n]{8,24}|\d{4}-\d\d-\d\d[^\]\n]{9,30})\]\s+'
    rb'"((?:[^"\\\n]|\\.)*)" (?:\d{3}|-)(?:[ \r\n]|\Z)'
)
_REQUEST = re.compile(r"([A-Z][A-Z_-]{0,31}) ((?:/|https?://)[^\x00-\x20\x7f]*) HTTP/\d(?:\.\d)?")
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"b": b"\b", b"f": b"\f"}


def is_access_log(line: bytes) -> bool:
    """Return whether a line has the form of an access log, whatever its request is."""
    return _LINE.match(line) is not None


def parse_log(raw: bytes, number: int) -> TargetLine | None:
    """Return the target of a line, or None for a blank line.

    Raises:
        ValueError: the line cannot be read, or its request is no HTTP.
    """
    found = _LINE.match(raw)
    if found is None:
        if not raw.strip():
            return None
        raise ValueError('it is no line of an access log: expected ...[time] "METHOD /path HTTP/1.1" status...')
    time, request = found.groups()
    method, url = request_line(from_octets(_ESCAPE.sub(_unescaped, request) if b"\\" in request else request))
    return TargetLine(method=method, url=url, moment=moment_of(time.decode("ascii", "replace")), number=number)


def request_line(text: str) -> tuple[str, str]:
    """Return method and URL, or path, of a request line.

    Raises:
        ValueError: it is no HTTP.
    """
    found = _REQUEST.fullmatch(text)
    if found is None:
        raise ValueError(f'its request is no HTTP that can be sent: "{safe(text, 60)}"')
    return found[1], found[2]


def _unescaped(found: re.Match[bytes]) -> bytes:
    escape = found[1]
    if len(escape) == 3:
        return bytes.fromhex(escape[1:].decode("ascii"))
    return _LETTERS.get(escape, escape)
