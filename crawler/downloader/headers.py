"""The headers of each request: user agent, Accept, credentials, cookies, Host and framing.

Rules
- `--header`, `--user` and the bearer token go only to hosts that the user named, and not with a request to which
  only a redirect from another origin led: another scheme or port is another origin, up to https as well as down from
  it. Cookies go to their own domains (`cookies.py`). All other hosts see the user agent, the accepted types
  and codings, and the request's own headers.
- A header of the request replaces the user's, the user's replaces the crawler's (`_DEFAULTS`). Framing is set here
  alone. The jar's cookies stand in front of another Cookie header's, in one line (RFC 6265, 5.4), and give way to those
  of the same name in it.
- No header can start a new line.
Runs on: the event loop.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.core.messages import Request
from crawler.core.text import safe
from crawler.core.urls import Url
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.proxy import Proxy
from crawler.http.authorization import authorization
from crawler.runtime.clock import SystemClock

Headers = tuple[tuple[str, str], ...]

_DEFAULTS: Headers = (
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
)
FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "upgrade"})
_EXPECT_BODY = frozenset({"POST", "PUT", "PATCH"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
# No controls but the tab. A lone surrogate of these 128 stands for a byte that is not UTF-8 in a file or on the command
# line. Written as what is forbidden, the pattern takes a tenth of the time to compile.
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]*")


class RequestHeaders:
    """The headers of every request of one fetcher.

    Args:
        jar: the cookies; None = there are none.
        now: the wall clock, by which cookies expire.
    """

    def __init__(
        self,
        config: FetchConfig,
        jar: CookieJar | None = None,
        now: Callable[[], float] = SystemClock.wall,
    ) -> None:
        ours: Headers = (("User-Agent", config.full_user_agent), *_DEFAULTS)
        credentials = authorization(config.basic_auth, config.bearer)
        theirs = (*((("Authorization", credentials),) if credentials else ()), *config.headers)
        self._headers = {True: merged(ours, theirs), False: ours}
        self._ready = {
            trusted: _lines(headers)
            for trusted, headers in self._headers.items()
            if all(name.lower() != "host" for name, _ in headers)
        }
        self._taken = {
            trusted: {"host", *FRAMING, *(name.lower() for name, _ in headers)}
            for trusted, headers in self._headers.items()
        }
        self._jar = jar
        self._now = now

    def cookies_for(self, url: Url) -> str:
        """Return the cookies of the jar for a URL, as a Cookie header holds them."""
        return self._jar.header(url, self._now()) if self._jar else ""

    def fields(self, request: Request) -> Headers:
        """Return the headers that go on the wire, in order.

        Raises:
            UsageError: a header would break the message.
        """
        head = self.message(request).partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
        pairs = (line.partition(": ") for line in head.split("\r\n")[1:])
        return tuple((name, value) for name, _, value in pairs)

    def message(self, request: Request, proxy: Proxy | None = None) -> bytes:
        """Return the request as it goes on the wire, with its body, unless that comes in pieces.

        `proxy` is the one that leads to the server.

        Raises:
            UsageError: a header would break the message.
        """
        url, own = request.url, request.headers
        origin = url.origin
        host = origin[len(url.scheme) + len("://") :]
        target = url.href[len(origin) :]
        if proxy is not None and proxy.forwards(url):
            own = (*own, *proxy.headers)
            target = url.href
        lines = self._lines_of(host, own, self.cookies_for(url), trusted=request.is_trusted)
        body = request.body or b""
        if request.source is not None:
            length = request.source.length
            lines += "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
        elif request.body is not None or request.method in _EXPECT_BODY:
            lines += f"Content-Length: {len(body)}\r\n"
        return f"{request.method} {target} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body

    def _lines_of(self, host: str, own: Headers, cookie: str, *, trusted: bool) -> str:
        """Return the lines of all headers but those of the framing."""
        is_usual = not cookie and trusted in self._ready
        if is_usual and (not own or self._taken[trusted].isdisjoint([name.lower() for name, _ in own])):
            return f"Host: {host}\r\n{self._ready[trusted]}{_lines(own) if own else ''}"
        headers = merged(merged((("Host", host),), self._headers[trusted]), own)
        return _lines(_with_cookies(headers, cookie) if cookie else headers)


def _with_cookies(headers: Headers, kept: str) -> Headers:
    """Return the headers with the jar's cookies in front of others, of which those of the same name count."""
    others = [value for name, value in headers if name.lower() == "cookie"]
    named = {cookie_name(pair) for value in others for pair in value.split(";")}
    left = [pair for pair in kept.split("; ") if cookie_name(pair) not in named]
    return (
        *((name, value) for name, value in headers if name.lower() != "cookie"),
        ("Cookie", "; ".join([*left, *others])),
    )


def cookie_name(pair: str) -> str:
    """Return the name of one cookie of a Cookie header."""
    return pair.partition("=")[0].strip()


def merged(under: Headers, over: Headers) -> Headers:
    """Return both, without framing, and without the headers of `under` that `over` replaces."""
    replaced = {name.lower() for name, _ in over} | FRAMING
    kept = tuple((name, value) for name, value in under if name.lower() not in replaced)
    return (*kept, *((name, value) for name, value in over if name.lower() not in FRAMING))


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Raise a UsageError if a header would break the message."""
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UsageError(f"the header {safe(name, 40)!r} holds a character that would break the request: remove it")


@lru_cache(256)
def _lines(headers: Headers) -> str:
    check_headers(headers)
    return "".join(f"{name}: {value}\r\n" for name, value in headers)
