"""What a request tells about who asks: its headers.

Rules
- `--header`, `--user` and the bearer token go only to hosts that the user named, and stay away from a request to which
  only a redirect from another origin led: another scheme or port is another origin, up to https as well as down from
  it. A file's cookies go to their own domains (`downloader/cookies.py`). Everyone else sees the user agent, what is
  accepted, and the request's own headers.
- A header of the request replaces the user's, the user's replaces ours. Framing is ours alone. A file's cookies stand
  in front of another Cookie header's, in one line (RFC 6265, 5.4).
- Nothing here can start a new line.
Runs on: the event loop; the cookie file is read once, at the start.
"""

import re
from collections.abc import Callable
from pathlib import Path

from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.core.messages import Request
from crawler.core.text import safe
from crawler.downloader.cookies import Cookie, CookieJar, read_cookies
from crawler.http.authorization import basic
from crawler.runtime.clock import SystemClock

Headers = tuple[tuple[str, str], ...]

_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_ACCEPT_ENCODING = "gzip, deflate, br, zstd"
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "upgrade"})
_EXPECT_BODY = frozenset({"POST", "PUT", "PATCH"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
# A byte that is no UTF-8 stands as a lone surrogate in what comes from a file or from the command line.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\udc80-\udcff\ue000-\U0010ffff]*")


def cookies_of(config: FetchConfig) -> tuple[Cookie, ...]:
    """Read the cookies of the user's file, those that have expired among them.

    Raises:
        UsageError: the file cannot be read, or a line of it is no cookie.
    """
    path = config.cookies_file
    if path is None:
        return ()
    try:
        return read_cookies(Path(path).read_bytes())
    except FileNotFoundError:
        raise UsageError(f"--load-cookies: {path!r}: no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"--load-cookies: {path!r} cannot be read: {safe(str(error))}") from None
    except UsageError as error:
        raise UsageError(f"--load-cookies: {path!r}, {error}") from None


class Identity:
    """The headers of every request of one fetcher.

    Args:
        to_proxy: what is said to the proxy that sees http requests in clear; None = there is no proxy.
        now: the wall clock, by which cookies expire.
    """

    def __init__(
        self, config: FetchConfig, to_proxy: Headers | None = None, now: Callable[[], float] = SystemClock.wall
    ) -> None:
        ours: Headers = (
            ("User-Agent", config.full_user_agent),
            ("Accept", _ACCEPT),
            ("Accept-Encoding", _ACCEPT_ENCODING),
        )
        full = _over(ours, (*_authorization(config), *config.headers))
        self._headers = {True: full, False: ours}
        self._ready = {trusted: _lines(headers) for trusted, headers in self._headers.items() if not _has_host(headers)}
        self._jar = CookieJar(cookies_of(config)) if config.cookies_file is not None else None
        self._to_proxy = to_proxy
        self._now = now

    def message(self, request: Request) -> bytes:
        """The request as it goes on the wire.

        Raises:
            UsageError: a header would break the message.
        """
        url = request.url
        host = url.origin.partition("://")[2]
        own = request.headers
        target = url.target
        if self._to_proxy is not None and url.scheme == "http":
            own = (*own, *self._to_proxy)
            target = url.href
        trusted = request.named and not request.way.foreign
        cookie = self._jar.header(url, self._now()) if self._jar else ""
        if own or cookie or trusted not in self._ready:
            headers = _over(_over((("Host", host),), self._headers[trusted]), own)
            lines = _lines(_before(cookie, headers) if cookie else headers)
        else:
            lines = f"Host: {host}\r\n{self._ready[trusted]}"
        head = f"{request.method} {target} HTTP/1.1\r\n{lines}{_length(request)}\r\n"
        return head.encode("utf-8", "surrogateescape") + (request.body or b"")


def _authorization(config: FetchConfig) -> Headers:
    if config.basic_auth:
        return (("Authorization", basic(*config.basic_auth)),)
    return (("Authorization", f"Bearer {config.bearer}"),) if config.bearer else ()


def _over(under: Headers, over: Headers) -> Headers:
    """Both, with those of `over` instead of their namesakes below, and framing left out."""
    replaced = {name.lower() for name, _ in over} | _FRAMING
    kept = tuple((name, value) for name, value in under if name.lower() not in replaced)
    return (*kept, *((name, value) for name, value in over if name.lower() not in _FRAMING))


def _before(cookie: str, headers: Headers) -> Headers:
    """Put these cookies in front of those that stand in the headers: a request has one Cookie line at the most."""
    others = [value for name, value in headers if name.lower() == "cookie"]
    kept = tuple((name, value) for name, value in headers if name.lower() != "cookie")
    return (*kept, ("Cookie", "; ".join([cookie, *others])))


def _has_host(headers: Headers) -> bool:
    return any(name.lower() == "host" for name, _ in headers)


def _lines(headers: Headers) -> str:
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UsageError(f"the header {safe(name, 40)!r} holds what no header can: it would break the request")
    return "".join(f"{name}: {value}\r\n" for name, value in headers)


def _length(request: Request) -> str:
    if request.body is None and request.method not in _EXPECT_BODY:
        return ""
    return f"Content-Length: {len(request.body or b'')}\r\n"
