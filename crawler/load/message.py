"""The bytes of a request of a load test.

Rules
- A request is made once and sent many times; headers go out as they were told, an empty one too.
- The command line has the last word: a header of the options replaces the target's own of that name (a recorded
  Authorization or Cookie, say), and either replaces ours.
- Framing follows from the body alone. A header that says anything else of it is refused, with the option to give.
- `Expect: 100-continue` is sent with the body right behind it, which RFC 9110 (10.1.1) allows.
- A message names a header and never its value, which may be a secret.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from crawler.core.errors import UsageError
from crawler.core.text import safe
from crawler.core.urls import Url
from crawler.load.config import RequestConfig
from crawler.version import __version__

AGENT = f"crawler-load/{__version__}"
Headers = tuple[tuple[str, str], ...]

_OURS: Headers = (("User-Agent", AGENT), ("Accept", "*/*"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")  # 5.5: no controls but the tab
_STANDARD = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_HAS_LENGTH = frozenset({"POST", "PUT", "PATCH"})  # a length even without a body (RFC 9110, 8.6)
_CHUNK = 16 * 1024  # bytes
_ALONE = ("host", "expect", "authorization")  # a server cannot tell which of two counts


class _Told(NamedTuple):
    """The headers that were told, checked: their lines, and what they say of the rest of the message."""

    lines: str
    has_host: bool
    lengths: frozenset[str]
    expects: bool


def message(
    asked: RequestConfig, url: Url, *, method: str, headers: Iterable[tuple[str, str]], body: bytes | None
) -> bytes:
    """Return the bytes of a request; `headers` are the target's own.

    Raises:
        UsageError: the method or a header cannot be sent.
    """
    check_method(method)
    told = _told(asked, tuple(headers))
    if told.expects and not body:
        raise UsageError("the header Expect: 100-continue needs a body (RFC 9110, 10.1.1): leave it out, or give one")
    if told.lengths:
        if told.lengths != {str(len(body or b""))} or (asked.chunked and body is not None):
            raise UsageError("the header Content-Length contradicts the body, which alone decides: leave it out")
        body = body or b""
    framing, content = _framed(asked, method, body)
    host = "" if told.has_host else f"Host: {url.origin.partition('://')[2]}\r\n"
    return f"{method} {url.target} HTTP/1.1\r\n{host}{told.lines}{framing}\r\n".encode() + content


@lru_cache(256)
def check_method(method: str) -> None:
    """Raise a UsageError if this is no method that a load test can send."""
    if not _TOKEN.fullmatch(method):
        raise UsageError(f"the method {safe(method, 40)!r} is none: expected a name such as PUT or M-SEARCH")
    if method not in _STANDARD and method.upper() in _STANDARD:
        raise UsageError(f"the method {method}: methods are case-sensitive: write {method.upper()}")
    if method == "CONNECT":
        raise UsageError("the method CONNECT opens a tunnel, in which no answers can be measured: give another one")


@lru_cache(1024)
def _told(asked: RequestConfig, own: Headers) -> _Told:
    """Return the headers of the options, and those of the target that they do not replace."""
    for name, value in own:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UsageError(f"the header {safe(name, 40)!r} holds a character that would break the request: remove it")
    replaced = {name.lower() for name, _ in asked.headers}
    told = (*(pair for pair in own if pair[0].lower() not in replaced), *asked.headers)
    names = [name.lower() for name, _ in told]
    for single in _ALONE:
        if names.count(single) > 1:
            raise UsageError(f"the header {single.title()} is given twice, and only one can count: leave out the other")
    wishes = _wishes([value for name, value in told if name.lower() == "connection"], keeps_alive=asked.keep_alive)
    if "transfer-encoding" in names:
        raise UsageError("the header Transfer-Encoding: give --chunked instead, which sends the body so")
    if "upgrade" in names:
        raise UsageError("the header Upgrade: a load test speaks HTTP/1.1 throughout: leave it out")
    lines = [(name, value) for name, value in _OURS if name.lower() not in names]
    lines += [(name, value) for name, value in told if name.lower() != "content-length"]
    lines += [] if asked.keep_alive or "close" in wishes else [("Connection", "close")]
    return _Told(
        lines="".join(f"{name}: {value}\r\n" for name, value in lines),
        has_host="host" in names,
        lengths=frozenset(value for name, value in told if name.lower() == "content-length"),
        expects=any(name.lower() == "expect" and value.lower() == "100-continue" for name, value in told),
    )


def _wishes(values: Iterable[str], *, keeps_alive: bool) -> set[str]:
    """Return the options of Connection headers; refuse those that contradict `--keep-alive` or end HTTP/1.1."""
    wishes = {wish.strip(" \t").lower() for value in values for wish in value.split(",")}
    if keeps_alive and "close" in wishes:
        raise UsageError("the header Connection: close: give --no-keep-alive instead, which closes on this side, too")
    if not keeps_alive and "keep-alive" in wishes:
        raise UsageError("the header Connection: keep-alive contradicts --no-keep-alive: leave out one of them")
    if "upgrade" in wishes:
        raise UsageError("the header Connection: upgrade: a load test speaks HTTP/1.1 throughout: leave it out")
    return wishes


def _framed(asked: RequestConfig, method: str, body: bytes | None) -> tuple[str, bytes]:
    """Return the framing headers, and the body as it goes on the wire."""
    if body is None:
        return ("Content-Length: 0\r\n" if method in _HAS_LENGTH else ""), b""
    if not asked.chunked:
        return f"Content-Length: {len(body)}\r\n", body
    size = asked.chunk_size or _CHUNK
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return "Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n"
