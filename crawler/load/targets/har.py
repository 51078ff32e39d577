"""Reading of a HAR file (HTTP Archive 1.2), as browsers and proxies export it: the requests of its entries.

Strategy: the file is mapped, and each entry is found without being read. Of an entry only the request is decoded, so
the bodies of answers, which are nearly all of a HAR, cost no memory.
Rules
- Headers are sent as they were, cookies included, unless the command line replaces them. Left out are those that belong
  to a connection or follow from the rest: Host, Content-Length, Connection and its like, pseudo headers of HTTP/2.
- An entry without a Cookie header whose `cookies` are listed sends those: an export may hold them there alone.
- A field that is null is as if absent: some tools write all of them.
- `data:`, `blob:`, `ws:` and the like are no requests that a server could be sent: None.
Runs on: anywhere (pure).
"""

import re
from base64 import b64decode
from collections.abc import Generator
from urllib.parse import urlencode

import msgspec

from crawler.core.errors import UsageError
from crawler.core.text import safe
from crawler.load.targets.line import TargetLine, checked_headers, checked_method, from_json
from crawler.load.targets.moments import moment_of

_OF_CONNECTIONS = frozenset(
    {
        *("host", "content-length", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "te"),
        *("trailer", "upgrade", "http2-settings", "expect"),
    }
)
_NO_REQUEST = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]


class _File(msgspec.Struct):
    log: _Log


class _Pair(msgspec.Struct):
    name: str
    value: str = ""


class _Posted(msgspec.Struct, rename="camel"):
    text: str | None = None
    encoding: str | None = None
    mime_type: str | None = None
    params: list[_Pair] | None = None


class _Request(msgspec.Struct, rename="camel"):
    method: str
    url: str
    headers: list[_Pair] | None = None
    cookies: list[_Pair] | None = None
    post_data: _Posted | None = None


class _Entry(msgspec.Struct, rename="camel"):
    request: _Request
    started_date_time: str | None = None


_FILE = msgspec.json.Decoder(_File)
_ENTRY = msgspec.json.Decoder(_Entry)


def har_entries(content: memoryview, where: str) -> Generator[tuple[int, bytes], None, None]:
    """Yield the entries of a file, each as its JSON, with its number from 1; `where` is the file, for messages.

    Raises:
        UsageError: it is no HAR file.
    """
    try:
        entries = from_json(_FILE, content).log.entries
    except ValueError as error:
        raise UsageError(f"{where}: it is no HAR file: {error}") from None
    entries.reverse()
    for number in range(1, len(entries) + 1):
        yield number, bytes(entries.pop())


def parse_har(raw: bytes, number: int) -> TargetLine | None:
    """Return the target of an entry, or None for one that no server is asked for.

    Raises:
        ValueError: the entry cannot be read.
    """
    entry = from_json(_ENTRY, raw)
    request = entry.request
    if _NO_REQUEST.match(request.url):
        return None
    if not request.url.lower().startswith(("http://", "https://")):
        raise ValueError(f"{safe(request.url, 60)!r} is no URL")
    kept = [(pair.name, pair.value) for pair in request.headers or () if not _is_left_out(pair.name)]
    if request.cookies and not any(name.lower() == "cookie" for name, _ in kept):
        kept.append(("Cookie", _cookies(request.cookies)))
    return TargetLine(
        method=checked_method(request.method),
        url=request.url,
        headers=checked_headers(kept),
        body=None if request.post_data is None else _body(request.post_data),
        moment=moment_of(entry.started_date_time),
        number=number,
    )


def _is_left_out(name: str) -> bool:
    return name.startswith(":") or name.lower() in _OF_CONNECTIONS


def _cookies(cookies: list[_Pair]) -> str:
    """Return the Cookie header of these cookies (RFC 6265, 4.2.1)."""
    for cookie in cookies:
        if ";" in cookie.name + cookie.value or "=" in cookie.name:
            raise ValueError(f"its cookie {safe(cookie.name, 40)!r} cannot be sent: it holds a separator")
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)


def _body(posted: _Posted) -> bytes | None:
    if posted.text:
        return b64decode(posted.text) if posted.encoding == "base64" else posted.text.encode()
    if posted.params:
        kind = posted.mime_type or ""
        if "x-www-form-urlencoded" not in kind.lower():
            raise ValueError(f"its body is not in the file, only the fields of a form ({safe(kind, 40)})")
        return urlencode([(pair.name, pair.value) for pair in posted.params]).encode()
    return None
